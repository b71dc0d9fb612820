"""The field side of one cabinet: its ports, its drivers, and the writes of each tick. The owner of
the wires (loop.py, or the rig's simulation) moves the bytes and frames.
"""

from collections.abc import Sequence
from typing import cast

from controller.config import bus_times, converters, families, site_devices
from controller.config.cabinet_config import Config
from controller.config.devices import METERS, Device
from controller.core.base.sent import Sent
from controller.core.image import ProcessImage
from controller.core.site_devices.actuator_chain import ActuatorChain
from controller.core.site_devices.roles import ROLES
from controller.run.can_bus import CanBus
from controller.run.pcs_channel import PcsChannel
from controller.run.site_channel import SiteChannel
from drivers import serial_number
from drivers.buses import rtu
from drivers.buses.port import RtuPort
from drivers.can_bms import CanBms
from drivers.io import IoModule
from drivers.meter import Meter
from drivers.pcs import SunSpecPcs
from drivers.register_bms import RegisterBms
from drivers.register_pcs import RegisterPcs
from drivers.serial_number import SerialNumber
from drivers.site_device import SiteDevice
from drivers.wear import Wear
from safety import latches, signals as s

URGENT_US = 500_000  # a change is repeated this long; coils without a write expire sooner


class IoChannel:
    """One I/O module and when its coils were last written.

    `supply`: the module of the contactor supply, if the PCS enable is on this module and the supply
    on another. The enable is renewed only after the supply has been renewed. So if frames get lost,
    the enable expires first. Otherwise a contactor could open under power.
    """

    def __init__(self, module: IoModule, port: RtuPort, period_ms: int):
        self.module, self.port, self.period_us = module, port, period_ms * 1000
        self.supply: IoModule | None = None
        self.is_permit = False  # True if one of the permits is a coil of this module
        self.sent: rtu.Request | None = None
        self.due_us = 0
        self._writes = 0  # the module's acknowledged writes when the coils last changed
        self._urgent_us = 0
        self._supply_writes = 0

    def write(self, out: Sequence[int], now_us: int) -> None:
        """Submit the coils when they changed or a refresh is due. A change goes before other
        requests, and is repeated in each tick until the module acknowledges it, because the PCS
        must stop within the 0.2 s of the contactors.
        """
        for request in self.module.service(now_us):
            self.port.submit(request)
        if self.is_permit and out[s.WITHHOLD_ON]:
            return  # a test waits for the coils to expire
        request = self.module.write(out)
        is_changed = request is not self.sent
        if is_changed:
            self._writes, self._urgent_us = self.module.writes, now_us + URGENT_US
        is_urgent = self.module.writes == self._writes  # no write since the change is acknowledged
        is_due = is_changed or now_us >= self.due_us or is_urgent and now_us < self._urgent_us
        if self._may_write(out, is_due):
            request.priority = rtu.STOP if is_urgent else rtu.WRITE
            self.sent, self.due_us = request, now_us + self.period_us
            self.port.submit(request)

    def _may_write(self, out: Sequence[int], is_due: bool) -> bool:
        """True if the coils may be written now. An enable that is on may be written only in the
        tick after the module of the supply has acknowledged a write. In other cases is_due decides.
        """
        if self.supply is None:
            return is_due
        is_renewed = self.supply.writes != self._supply_writes
        self._supply_writes = self.supply.writes
        return is_renewed if out[s.PCS_ENABLE_OK] and self.module.expiry_ok else is_due


class Field:
    """`ports` (RtuPort by bus name), `can` (CanBus by bus name), and the devices of one cabinet."""

    def __init__(self, config: Config, image: ProcessImage):
        """config: checked; image: the drivers write into it. Raises ConfigError."""
        self.drivers = families.build(config, image)
        self.ports = {
            bus.name: bus_times.rtu_port(config, bus) for bus in config.buses if bus.kind != "can"
        }
        self.can = {bus.name: CanBus(bus.name) for bus in config.buses if bus.kind == "can"}
        self.io: list[IoChannel] = []
        self.pcs: list[PcsChannel] = []
        self.site: list[tuple[str, SiteChannel]] = []
        self.serials: dict[tuple[str, int], SerialNumber] = {}  # by bus and unit id
        self.wear: dict[str, Wear] = {}  # by name of the device: its budget of writes
        # meters and racks whose identity is checked
        self._identified: list[tuple[Meter | RegisterBms, RtuPort]] = []
        self._commanded: list[tuple[RegisterBms, RtuPort, int]] = []  # place of its command
        self._image = image
        self._grid, self._load = [self._meter(config.topology.device(role)) for role in METERS]
        phases_us = bus_times.meter_phases(config, self.drivers)
        for device in config.devices:
            self._add(
                device, self.drivers[device.name], config, image, phases_us.get(device.name, 0)
            )

    def _meter(self, device: Device | None) -> Meter | None:
        return cast(Meter, self.drivers[device.name]) if device else None

    def _add(
        self,
        device: Device,
        driver: families.Driver,
        config: Config,
        image: ProcessImage,
        phase_us: int,
    ) -> None:
        if device.bus in self.can:
            self.can[device.bus].add(
                cast(CanBms, driver), image.layout.rack_output(device.index, s.CONTACTOR_CLOSE_OK)
            )
            return
        port = self.ports[device.bus]
        wear = self.wear[device.name] = getattr(driver, "wear", None) or Wear(device.profile)
        port.watch.setdefault(device.address, []).append(wear.see)
        if device.outputs:
            self._add_io(device, cast(IoModule, driver), port, config)
        elif device.role == "pcs":
            pcs = cast(SunSpecPcs | RegisterPcs, driver)
            self._add_pcs(device, pcs, port, image, config)
        elif device.role in ROLES:
            self._add_site(device, cast(SiteDevice, driver), port, image)
        elif device.role == "bms" and device.profile.sent:
            command_at = image.layout.rack_output(device.index, s.CONTACTOR_CLOSE_OK)
            self._commanded.append((cast(RegisterBms, driver), port, command_at))
        if device.role in (*METERS, "bms") and device.profile.tells:
            self._identified.append((cast(Meter | RegisterBms, driver), port))
        for request, period_us in driver.periodic():
            port.add(request, period_us, phase_us)
        if device.profile.serial["registers"]:
            self.serials[device.bus, device.address] = self._serial(device, driver, port, phase_us)

    def _serial(
        self, device: Device, driver: families.Driver, port: RtuPort, phase_us: int
    ) -> SerialNumber:
        """The serial number of a device. Its driver reads the number at the start, or the port
        reads it every 30 s.
        """
        if isinstance(driver, SunSpecPcs):
            return driver.serial
        places = getattr(driver, "places", None)  # only a driver of a SunSpec chain has places
        serial = SerialNumber(device.profile, device.address, places)
        for request in serial.requests:
            port.add(request, serial_number.PERIOD_US, phase_us)
        return serial

    def _add_io(self, device: Device, module: IoModule, port: RtuPort, config: Config) -> None:
        channel = IoChannel(module, port, config.coil_period_ms)
        self.io.append(channel)
        channel.is_permit = bool({"pcs_enable_ok", "contactor_supply_ok"} & {*device.outputs})
        supply = config.topology.driven("contactor_supply_ok")
        if "pcs_enable_ok" in device.outputs and supply is not None and supply is not device:
            channel.supply = cast(IoModule, self.drivers[supply.name])

    def _add_pcs(
        self,
        device: Device,
        driver: SunSpecPcs | RegisterPcs,
        port: RtuPort,
        image: ProcessImage,
        config: Config,
    ) -> None:
        unit = device.index
        places = image.layout.unit_input(unit, s.PCS_SENT_W), image.places["sent"].start + unit
        rated_W = config.unit_tables[unit]["rated_W"]
        if isinstance(driver, RegisterPcs):
            gate = converters.gate(device, rated_W, driver.places.of)
        else:
            gate = converters.sunspec_gate(device, rated_W, driver)
        sent = Sent(gate.sent, image.inp, *places)
        port.watch[device.address].append(sent.see)
        channel = PcsChannel(
            driver,
            port,
            image.layout,
            unit,
            period_ms=device.setpoint_ms,
            tick_ms=config.tick_ms,
            sent=sent,
            gate=gate,
        )
        self.pcs.append(channel)

    def _add_site(
        self, device: Device, driver: SiteDevice, port: RtuPort, image: ProcessImage
    ) -> None:
        first, _ = image.site_place(device.role, device.index + 1)
        sent_at = first + len(ROLES[device.role].signals)
        name = f"{device.role}_{device.index + 1}"
        gates = site_devices.gates(device)
        self.site.append((name, SiteChannel(driver, port, gates, image, sent_at)))

    def write_site(self, actuators: list[ActuatorChain], now_us: int) -> None:
        """Write the values of the site devices' actuators, after the set-points."""
        for name, channel in self.site:
            channel.write(
                [actuator for actuator in actuators if actuator.view.device.name == name], now_us
            )

    def read(self, now_us: int) -> None:
        """Take the frames of the CAN buses, and the voltages of the meters. RTU replies were taken
        on arrival.
        """
        for pcs in self.pcs:
            pcs.fault.show(self._image.inp)
        for bus in self.can.values():
            bus.read(now_us)
        if self._grid is not None:
            self._image.put("grid_quality", self._grid.quality(now_us))
        if self._load is not None:
            self._image.put("load_quality", [self._load.lowest_permille])

    def write(
        self, inp: Sequence[int], out: Sequence[int], setpoints_W: Sequence[int], now_us: int
    ) -> None:
        """Write permits first, then set-points, then rack commands; called after the step."""
        for wear in self.wear.values():
            wear.step(now_us)
        for channel in self.io:
            channel.write(out, now_us)
        for meter, port in self._identified:
            for request in meter.service(now_us):
                port.submit(request)
        for pcs in self.pcs:  # in the order of the files
            if out[s.RESET_RESULT] == latches.DONE:
                pcs.fault.is_held = False
            pcs.write(inp, out, setpoints_W[pcs.unit], now_us)
        for rack, port, command_at in self._commanded:
            for request in rack.command(out[command_at], now_us):
                port.submit(request)
        for bus in self.can.values():
            bus.write(out, now_us)
