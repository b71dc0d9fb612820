"""The field side of one cabinet: ports, device families, and what each tick writes, built from a
checked configuration.

It knows no transport: the owner of the wires (loop.py real ones, the rig's simulation virtual ones)
moves the bytes of each port and the frames of each CAN bus.
"""

from functools import partial

from controller.config import bus_times, families, site_devices
from controller.core import reasons
from controller.core.gate import Gate
from controller.core.sent import Sent
from controller.core.site_devices.roles import ROLES
from controller.run.site_channel import SiteChannel
from drivers.buses import rtu
from safety import signals as s

RUN_REPEAT_US = 500_000  # a start or stop that the converter has not followed is repeated
URGENT_US = 500_000  # then the coils have expired by themselves
# 16 racks x 21 frames in 100 ms, all in one tick, and half as many again
CAN_FRAMES_PER_TICK_MAX = 512


class IoChannel:
    """One I/O module and when its coils were last written.

    `supply`: the module that holds the contactor supply, on the channel of another one that holds
    the PCS enable, else None. An enable is then written only after the supply was, so that if
    frames get lost it is the enable that expires first: a contactor must not open under power.
    """

    def __init__(self, module, port, period_ms: int):
        self.module, self.port, self.period_us = module, port, period_ms * 1000
        self.supply = None
        self.is_permit = False  # whether the module holds one of the permits
        self.sent = None
        self.due_us = 0
        self._writes = 0  # the module's acknowledged writes when the coils last changed
        self._urgent_us = 0
        self._supply_writes = 0

    def write(self, out, now_us: int) -> None:
        """Submit the coils when they changed or a refresh is due; a change goes first until it is
        acknowledged, and again each tick: the contactors have to find the PCS stopped when their
        0.2 s are over.
        """
        for request in self.module.service(now_us):
            self.port.submit(request)
        if self.is_permit and out[s.WITHHOLD_ON]:
            return  # the expiry is tested
        request = self.module.write(out)
        changed = request is not self.sent
        if changed:
            self._writes, self._urgent_us = self.module.writes, now_us + URGENT_US
        unknown = self.module.writes == self._writes
        if self._is_due(
            out, changed or now_us >= self.due_us or unknown and now_us < self._urgent_us
        ):
            request.priority = rtu.STOP if unknown else rtu.WRITE
            self.sent, self.due_us = request, now_us + self.period_us
            self.port.submit(request)

    def _is_due(self, out, is_due):
        """is_due, but with an enable in it: in the tick after the supply's module has acknowledged
        a write.
        """
        if self.supply is None:
            return is_due
        renewed = self.supply.writes != self._supply_writes
        self._supply_writes = self.supply.writes
        return renewed if out[s.PCS_ENABLE_OK] and self.module.expiry_ok else is_due


class PcsChannel:
    """One converter: what was last asked of it, and the gate before every set-point.

    A changed set-point waits for its period. The period may end half a tick early: a tick that
    begins a little sooner after the one before must not skip its turn. Zero does not wait, nor does
    what replaces a set-point that lies beyond a limit of this tick: the published limit is the
    enforced one. Such a one takes the turn of the next, so that the bus carries no more than was
    computed for it (bus_times.py).
    """

    def __init__(self, pcs, port, layout, unit: int, period_ms: int, tick_ms: int, sent):
        """sent: core.sent.Sent of this converter."""
        self.sent, self.unit = sent, unit
        self.pcs, self.port, self.period_us = pcs, port, period_ms * 1000
        self._early_us = tick_ms * 1000 // 2
        self.run_at = layout.unit_output(unit, s.PCS_RUN_OK)
        self.charge_at = layout.unit_output(unit, s.CHARGE_W_MAX)
        self.discharge_at = layout.unit_output(unit, s.DISCHARGE_W_MAX)
        self.state_at = layout.unit_input(unit, s.PCS_STATE)
        self.sent_W = None
        self.due_us = self.run_due_us = 0
        self.was_running = None
        self.gate_refusals = 0
        self.gate_verdict = reasons.NONE
        self._gate = self._gate_key = None

    def write(self, inp, out, setpoint_W: int, now_us: int) -> None:
        """Submit start or stop, the set-point through the gate, then the requests of the
        converter's own service: the first submitted goes first. The service is asked before the
        set-point, because it may find the device lost. Then no set-point has an address.
        """
        requests = self.pcs.service(now_us)
        running = out[self.run_at]
        if not running:
            setpoint_W = 0
        self._run(running and self.gate_verdict == reasons.NONE, inp[self.state_at], now_us)
        changed = setpoint_W != self.sent_W
        if changed and self._is_due(setpoint_W, out, now_us) or self.pcs.write_due(now_us):
            self._send(
                setpoint_W, out, now_us, rtu.STOP if changed and setpoint_W == 0 else rtu.WRITE
            )
        for request in requests:
            self.port.submit(request)

    def _is_due(self, setpoint_W, out, now_us):
        """Whether a changed set-point goes now."""
        is_due = now_us >= self.due_us - self._early_us
        if is_due or self.sent_W is None:
            return is_due
        if setpoint_W == 0:
            return True
        is_beyond = not -out[self.charge_at] <= self.sent_W <= out[self.discharge_at]
        return is_beyond and now_us >= self.due_us - self.period_us - self._early_us

    def _run(self, running, state, now_us):
        """Send start or stop when it changes, and again while the converter has not followed."""
        followed = (state in (s.PCS_RUNNING, s.PCS_THROTTLED, s.PCS_STARTING)) == bool(running)
        if running == self.was_running and (followed or now_us < self.run_due_us):
            return
        request = self.pcs.start() if running else self.pcs.stop()
        if request is not None:
            self.was_running, self.run_due_us = running, now_us + RUN_REPEAT_US
            self.port.submit(request)

    def _send(self, setpoint_W, out, now_us, priority):
        request = self.pcs.setpoint(setpoint_W, priority)
        if request is None:
            return
        turn_us = min(max(now_us, self.due_us), now_us + self.period_us) if setpoint_W else now_us
        self.due_us = turn_us + self.period_us
        self.gate_verdict = self._gate_for_scale().check(
            request.frame, out[self.charge_at], out[self.discharge_at]
        )
        if self.gate_verdict == reasons.NONE:
            self.sent_W = setpoint_W
            request.on_failure = partial(self._lost, request.on_failure)
        else:
            self.gate_refusals += 1
            self.sent_W = None
            self.sent.refuse(self.gate_verdict)
            request = self.pcs.stop()
        self.port.submit(request)

    def _lost(self, tell, kind, code, now_us):
        """A set-point that was not acknowledged is repeated, or a lost 0 W would leave the last
        power standing.
        """
        self.sent_W = None
        tell(kind, code, now_us)

    def _gate_for_scale(self):
        """The gate for the register scale the converter has now (it may change at run time)."""
        key = (self.pcs.setpoint_address, self.pcs.setpoint_exponent)
        if key != self._gate_key:
            self._gate_key, self._gate = key, Gate(self.pcs.unit_id, *key)
        return self._gate


class CanBus:
    """One CAN bus and the rack BMS on it. `port` (CanPort) is set by whoever owns the wire."""

    def __init__(self, name):
        self.name = name
        self.port = None
        self.racks = []  # (rack's command output index, BMS, next command time)
        self.by_id = {}

    def add(self, bms, command_at: int) -> None:
        """Add one rack's BMS."""
        self.racks.append([command_at, bms, 0])
        for can_id in bms.can_ids():
            self.by_id[can_id] = bms

    def read(self, now_us: int) -> None:
        """Drain what has arrived into the BMS families; frames of unknown ids are dropped."""
        by_id = self.by_id
        for can_id, data in self.port.drain(CAN_FRAMES_PER_TICK_MAX):
            bms = by_id.get(can_id)
            if bms is not None:
                bms.on_frame(can_id, data, now_us)

    def write(self, out, now_us: int):
        """Send each rack's command when it is due."""
        for rack in self.racks:
            if now_us >= rack[2]:
                command_at, bms, due_us = rack
                due_us += bms.command_period_us
                rack[2] = due_us if due_us > now_us else now_us + bms.command_period_us
                for can_id, data in bms.command(out[command_at]):
                    self.port.send(can_id, data)


class Field:
    """`ports` (RtuPort by bus name), `can` (CanBus by bus name), and the devices of one cabinet."""

    def __init__(self, config, image):
        """config: a checked configuration; image: the ProcessImage the drivers write into. Raises
        ConfigError.
        """
        self.drivers = families.build(config, image)
        self.ports = {
            bus.name: bus_times.rtu_port(config, bus) for bus in config.buses if bus.kind != "can"
        }
        self.can = {bus.name: CanBus(bus.name) for bus in config.buses if bus.kind == "can"}
        self.io, self.pcs, self.site = [], [], []
        phases_us = bus_times.meter_phases(config, self.drivers)
        for device in config.devices:
            self._add(
                device, self.drivers[device.name], config, image, phases_us.get(device.name, 0)
            )

    def _add(self, device, driver, config, image, phase_us):
        if device.role == "bms":
            self.can[device.bus].add(
                driver, image.layout.rack_output(device.index, s.CONTACTOR_CLOSE_OK)
            )
            return
        port = self.ports[device.bus]
        if device.outputs:
            self.io.append(IoChannel(driver, port, config.coil_period_ms))
            self.io[-1].is_permit = bool(
                {"pcs_enable_ok", "contactor_supply_ok"} & {*device.outputs}
            )
            supply = config.topology.driven("contactor_supply_ok")
            if "pcs_enable_ok" in device.outputs and supply is not device:
                self.io[-1].supply = self.drivers[supply.name]
        elif device.role == "pcs":
            sent_at = image.layout.unit_input(device.index, s.PCS_SENT_W)
            sent = Sent(driver, image.inp, sent_at, image.places["sent"].start + device.index)
            port.watch[device.address] = sent.see
            periods_ms = device.setpoint_ms, config.tick_ms
            self.pcs.append(PcsChannel(driver, port, image.layout, device.index, *periods_ms, sent))
        elif device.role in ROLES:
            first, _ = image.site_place(device.role, device.index + 1)
            sent_at = first + len(ROLES[device.role].signals)
            gates = site_devices.gates(device)
            name = f"{device.role}_{device.index + 1}"
            self.site.append((name, SiteChannel(driver, port, gates, image, sent_at)))
        for request, period_us in driver.periodic():
            port.add(request, period_us, phase_us)

    def write_site(self, actuators: list, now_us: int) -> None:
        """After the set-points: the values of the site devices' actuators."""
        for name, channel in self.site:
            channel.write([each for each in actuators if each.view.device.name == name], now_us)

    def read(self, now_us: int) -> None:
        """Before the freeze: take in what waits on the CAN buses (RTU replies were taken as they
        came).
        """
        for bus in self.can.values():
            bus.read(now_us)

    def write(self, inp, out, setpoints_W, now_us: int) -> None:
        """After the step: permits first, then set-points, then rack commands."""
        for channel in self.io:
            channel.write(out, now_us)
        for channel in self.pcs:  # in the order of the files
            channel.write(inp, out, setpoints_W[channel.unit], now_us)
        for bus in self.can.values():
            bus.write(out, now_us)
