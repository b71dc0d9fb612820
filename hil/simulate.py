"""The controller and the simulated cabinet in one process and virtual time: a week in minutes, from
a printed seed.

Byte-accurate: every frame takes its time on its wire; the plant and the devices' own timers move
once a tick. The controller is the same object the real loop runs (controller.run.cabinet.Cabinet),
with the same drivers.
"""

from controller.core import image
from controller.record.journal_header import open_journal
from controller.record.store import ARMED, CLEAN, UNREADABLE, Loaded
from controller.run.cabinet import Cabinet
from drivers.buses.can_port import CanPort
from hil.cabinet import SimulatedCabinet, observed_wiring
from hil.devices.channel_b import VirtualChannelB
from hil.observer.observer import Observer
from hil.observer.trips import TripWatch
from hil.results.recorder import Recorder
from hil.scenarios.faults import Clockwork, World
from hil.wires.virtual import VirtualCan, VirtualSerial
from safety import matrix
from safety import signals as s

# every second tick: swings are judged on means over 2 s, reactions by the observer on every tick
RECORD_US = 40_000
HOTTEST_US = 500_000  # the plant looks at each module once a second


class MemoryStore:
    """Stands in for the disk: keeps the last record, acknowledges at once, survives a killed
    controller.
    """

    def __init__(self):
        self.ok = True
        self.record = None
        self.count = 0
        self.is_spoiled = False  # neither copy can be read at the next start

    def submit(self, record):
        """Keep a record; returns its number."""
        self.record = record
        self.is_spoiled = False
        self.count += 1
        return self.count

    def poll(self):
        """Number of the last record kept."""
        return self.count

    def loaded(self):
        """What a start finds."""
        if self.is_spoiled:
            return Loaded(UNREADABLE, None, 0, [])
        if self.record is None:
            return Loaded(CLEAN, None, 0, [])
        return Loaded(ARMED if self.record.armed else CLEAN, self.record, self.count, [])


class VirtualController:
    """The controller as a scenario sees it: it can be killed, started, reset and asked to run."""

    def __init__(self, config, journal_path=None):
        self.config, self.journal_path = config, journal_path
        self.store = MemoryStore()
        self.cabinet = None
        self.can = {}
        self.wires = {}
        self.lines = []  # (wire, its port; None while the controller is dead)
        self.reset_due = None

    def start(self):
        """Start afresh from what the store holds."""
        self.cabinet = Cabinet(self.config, self.store.loaded(), self.store)
        if self.journal_path:
            self.cabinet.journal = open_journal(self.journal_path, self.config, self.cabinet.core)
        for name, bus in self.can.items():
            self.cabinet.field.can[name].port = CanPort(bus.attach())
        ports = self.cabinet.field.ports
        self.lines = [(wire, ports[name]) for name, wire in self.wires.items()]
        for wire, port in self.lines:
            wire.on_up = port.receive

    def kill(self):
        """The process is gone between two instructions: nothing is said to anybody."""
        self.cabinet = None
        self.lines = [(wire, None) for wire in self.wires.values()]
        for wire in self.wires.values():
            wire.on_up = _nobody
        for bus in self.can.values():
            bus.ends.clear()

    def stall(self, duration_ms):
        """The loop stands still for so long, then goes on with one step of that length."""
        if self.cabinet is None:
            return
        cabinet, plain = self.cabinet, self.cabinet.tick
        ticks = waits = duration_ms // self.config.tick_ms

        def tick(now_us, elapsed_ticks):
            nonlocal waits
            waits -= 1
            if waits < 1:
                cabinet.tick = plain
                plain(now_us, ticks)

        cabinet.tick = tick

    def spoil_store(self):
        """Neither copy in the state directory can be read at the next start."""
        self.store.is_spoiled = True

    def reset(self, by):
        """An operator looks at what stands and asks for a reset of exactly that; of a dead
        controller, in vain.
        """
        if self.cabinet is None:
            return
        core = self.cabinet.core
        self.cabinet.request_reset(
            matrix.KEY if by == "key" else matrix.REMOTE,
            core.out[s.FIRST_OUT_INSTANCE],
            core.out[s.CAUSE_MASK],
            *core.inp[image.places(core.layout)["peer"]],
        )

    def run_request(self, on):
        """Ask for running or for a controlled stop."""
        if self.cabinet is not None:
            self.cabinet.request_run(on)

    def hint(self, source, kind, quantity, value_W, valid_ms):
        """A hint of the source with this name, as if it had come over the wire and been found
        genuine.
        """
        names = [known.name for known in self.config.sources]
        if source not in names:
            raise ValueError(f"no source {source!r}, there are {', '.join(names)}")
        if self.cabinet is not None:
            self.cabinet.request_hint(names.index(source), kind, quantity, value_W, valid_ms)


class VirtualRig:
    """One run. Call `run` or `step`; then `recorder`, `observer` and `trips` hold what happened."""

    def __init__(self, config, load, seed=1, actions=(), plant_config=None, journal_path=None):
        """config: controller configuration; load: t_s -> W; actions: scenario.Action in order of
        time. journal_path: where the controller's journal is kept, None for none.
        """
        self.config = config
        self.tick_us = config.tick_ms * 1000
        self.now_us = 0
        self.cabinet = SimulatedCabinet(config, load, seed, plant_config)
        self.plant = self.cabinet.plant
        self.channel_b = (
            VirtualChannelB(self.plant, config.safety_image) if config.channel_b else None
        )
        self.controller = VirtualController(config, journal_path)
        self.recorder = Recorder()
        self._record_us = self._hottest_us = 0
        self._hottest_degC = 0.0
        self.observer = Observer(observed_wiring(self.cabinet))
        self.trips = TripWatch(config.layout())
        self._connect()
        self.clockwork = Clockwork(actions, self.world(), self.observer.mark)
        self.controller.start()

    def world(self):
        """What actions may touch: channel B is among the devices where there is one."""
        second = {"channel_b": self.channel_b} if self.channel_b else {}
        return World(
            self.plant,
            {**self.cabinet.devices, **second},
            {**self.controller.wires, **self.controller.can},
            self.controller,
        )

    def _connect(self):
        for bus in self.config.buses:
            if bus.kind == "can":
                wire = self.controller.can[bus.name] = VirtualCan(bus.name, self.observer.can_tap)
                for bms in self.cabinet.bms[bus.name]:
                    wire.listen((getattr(bms, "command_id", 0x305),), bms.receive)
            else:
                self.controller.wires[bus.name] = VirtualSerial(
                    bus.baud_Bd,
                    bus.character_bits,
                    on_down=self.cabinet.slaves[bus.name].receive,
                    tap=self.observer.rtu_tap(bus.name),
                )

    def run(self, duration_s, show=None, every_s=1.0):
        """Step until duration_s of virtual time have passed; show() every so often."""
        end_us = round(duration_s * 1e6)
        show_us = 0
        while self.now_us < end_us:
            self.step()
            if show is not None and self.now_us >= show_us:
                show_us += round(every_s * 1e6)
                show()
        return self

    @property
    def ticks(self):
        """Ticks of the controller since the start."""
        return self.now_us // self.tick_us

    def step(self):
        """One tick: bytes until its deadline, then the plant and devices, then the controller's
        tick.
        """
        end_us = self.now_us + self.tick_us
        controller, cabinet = self.controller, self.cabinet
        for wire, port in controller.lines:
            _advance(wire, port, self.now_us, end_us)
        self.now_us = end_us
        self.plant.step(self.tick_us / 1e6)
        cabinet.tick(end_us)
        for name, bus in controller.can.items():
            bus.now_us = end_us
            for bms in cabinet.bms[name]:
                if bms.next_us is None or bms.next_us <= end_us:
                    for can_id, data in bms.frames(end_us):
                        bus.send(can_id, data, end_us)
        if end_us >= self.clockwork.next_us:
            self.clockwork.apply(end_us)
        if self.channel_b is not None:
            self._carry(end_us)
        if controller.cabinet is not None:
            self._tick_controller(end_us)
        if end_us >= self._record_us:
            self._record_us = end_us + RECORD_US
            self._record(end_us)
        self.observer.sample(end_us, self.plant)

    def _carry(self, now_us):
        """The bytes between the two channels, whole frames of 5 ms in the tick in which they were
        sent.
        """
        self.channel_b.advance(now_us)
        line = self.channel_b.take()
        if self.controller.cabinet is None:
            return
        link = self.controller.cabinet.peer
        link.receive(line, now_us)
        self.channel_b.receive(link.poll(now_us))

    def _tick_controller(self, now_us):
        cabinet = self.controller.cabinet
        cabinet.tick(now_us, 1)
        for wire, port in self.controller.lines:
            if port.wake_us <= now_us:
                data = port.poll(now_us)
                if data:
                    wire.send_down(data, now_us)
        core = cabinet.core
        self.trips.see(now_us, core.out[core.standing_at :])

    def _record(self, now_us):
        plant = self.plant
        cabinet = self.controller.cabinet
        reason, state, setpoint_W = 0, s.INHIBITED, 0
        if cabinet is not None:
            reason, state, setpoint_W = cabinet.summary()
        if now_us >= self._hottest_us:
            self._hottest_us = now_us + HOTTEST_US
            self._hottest_degC = max([max(rack.temperatures_degC) for rack in plant.racks])
        power_W = soc = 0.0
        for pcs in plant.pcs:
            power_W += pcs.ac_power_W
        for rack in plant.racks:
            soc += rack.soc
        self.recorder.append(
            now_us,
            plant.load_power_W,
            plant.grid_power_W,
            power_W,
            setpoint_W,
            1000.0 * soc / len(plant.racks),
            self._hottest_degC,
            reason,
            state,
        )


def _advance(wire, port, start_us, end_us):
    """Move the bytes of one bus from start_us to end_us, event by event."""
    if port is None:
        wire.deliver(end_us)
        return
    while True:
        wake_us, arrives_us = port.wake_us, wire.next_us
        if arrives_us <= wake_us:
            if arrives_us > end_us:
                return
            wire.deliver(arrives_us if arrives_us > start_us else start_us)
            continue
        if wake_us > end_us:
            return
        if wake_us < start_us:
            wake_us = start_us
        data = port.poll(wake_us)
        if data:
            wire.send_down(data, wake_us)


def _nobody(data, time_us):
    """A line without a controller at its end."""
    return ()
