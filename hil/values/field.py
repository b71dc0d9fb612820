"""The field side of a cabinet in value mode, with the methods of controller.run.field.Field.

Drivers and simulated devices are those of byte mode; frames pass between them at once.
"""

from typing import cast

from controller.config import families
from controller.config.cabinet_config import Config
from controller.config.devices import Device
from controller.core.image import ProcessImage
from controller.run.can_bus import CanBus
from controller.run.field import Field, IoChannel
from controller.run.pcs_channel import PcsChannel
from drivers.buses.can_port import EXTENDED
from drivers.buses.port import RtuPort
from drivers.io import IoModule
from drivers.meter import Meter
from drivers.pcs import SunSpecPcs
from hil.devices.io_module import IoModule as IoDevice
from hil.devices.native_bms import NativeBms
from hil.devices.sunspec_pcs import SunSpecPcs as PcsDevice
from hil.engine.cabinet import SimulatedCabinet
from hil.values.bus import Line, ValuePort
from hil.values.converter import DirectPcs
from hil.values.direct import COARSE_MS, DirectIo, DirectMeter, is_fast
from hil.values.racks import RackValues

STANDARD_MAX = 0x7FF


class ValueCan:
    """One CAN bus: frames from its BMSs, and commands to them."""

    def __init__(self, devices: list, bus: CanBus, line: Line) -> None:
        self._line = line
        self._by_id: dict[int, list] = {}
        for bms in devices:
            for can_id in bms.command_ids:
                self._by_id.setdefault(can_id, []).append(bms)
        self._native, self._others = [], []
        for device, rack in zip(devices, bus.racks):
            if isinstance(device, NativeBms):
                native = RackValues(device, rack.bms, line)
                self._native.append(native)
                rack.bms.command = native.commands  # type: ignore[method-assign]
            else:
                self._others.append(device)
        self._frames: list[tuple[int, bytes]] = []
        self.now_us = 0

    def collect(self, now_us: int) -> None:
        """Take what the BMSs sent by now. A sound native BMS gives values instead of frames."""
        self.now_us = now_us
        for native in self._native:
            native.read(now_us)
        for bms in self._others:
            if bms.next_us is None or bms.next_us <= now_us:
                frames = bms.frames(now_us)
                self._frames += [] if self._line.down else map(_extended, frames)

    def drain(self, limit: int) -> list[tuple[int, bytes]]:
        """[(id, data)] of the frames that have arrived."""
        frames, self._frames = self._frames, []
        return frames

    def send(self, can_id: int, data: bytes) -> bool:
        """Pass the frame to the BMSs that listen to its id."""
        plain_id = can_id & ~EXTENDED
        for bms in () if self._line.down else self._by_id.get(plain_id, ()):
            bms.receive(plain_id, data, self.now_us)
        return True


def _extended(frame: tuple[int, bytes]) -> tuple[int, bytes]:
    """The frame in the form of the CAN port, which marks a 29-bit id."""
    can_id, data = frame
    return (can_id | EXTENDED if can_id > STANDARD_MAX else can_id), data


class ValueField(Field):
    """Call `advance` before the plant's step and `collect` after it, then tick the cabinet."""

    def __init__(
        self, config: Config, image: ProcessImage, cabinet: SimulatedCabinet, lines: dict[str, Line]
    ) -> None:
        """cabinet: has plant and devices; lines: the faults of each bus."""
        self._cabinet, self._lines = cabinet, lines
        self._ports: dict[str, ValuePort] = {}
        self._direct: list[DirectIo | DirectMeter | DirectPcs] = []
        self._is_coarse = config.tick_ms >= COARSE_MS
        super().__init__(config, image)
        for name, bus in self.can.items():
            bus.port = ValueCan(cabinet.bms[name], bus, lines[name])

    def _add(
        self,
        device: Device,
        driver: families.Driver,
        config: Config,
        image: ProcessImage,
        phase_us: int,
    ) -> None:
        if device.bus in self.can:
            super()._add(device, driver, config, image, phase_us)
            return
        port = self._port(device.bus)
        units = self._cabinet.slaves[device.bus].units
        simulated, line = units[device.address], self._lines[device.bus]
        if isinstance(driver, Meter) and is_fast(simulated, driver, config.tick_ms):
            self._direct.append(DirectMeter(driver, simulated, line, port, phase_us))
            return
        if self._is_coarse and isinstance(driver, IoModule) and device.outputs:
            self._add_io(device, driver, cast(RtuPort, port), config)
            ((request, period_us),) = driver.periodic()
            channel = DirectIo(self.io[-1], cast(IoDevice, simulated), line, request, period_us)
            self._direct.append(channel)
            self.io[-1] = cast(IoChannel, channel)
            return
        super()._add(device, driver, config, image, phase_us)
        if self._is_coarse and isinstance(driver, SunSpecPcs):
            code_at = image.places["sent"].start + device.index
            direct = DirectPcs(self.pcs[-1], cast(PcsDevice, simulated), line, code_at)
            self._direct.append(direct)
            self.pcs[-1] = cast(PcsChannel, direct)

    def _port(self, bus: str) -> ValuePort:
        """The ValuePort of a bus, which replaces the port for bytes."""
        if bus not in self._ports:
            slave, line = self._cabinet.slaves[bus], self._lines[bus]
            self._ports[bus] = ValuePort(self.ports[bus], slave, line)
            self.ports[bus] = cast(RtuPort, self._ports[bus])
        return self._ports[bus]

    def advance(self, end_us: int) -> None:
        """Carry out the exchanges of a step that ends at end_us."""
        for device in self._direct:
            device.advance(end_us)
        for port in self._ports.values():
            port.advance(end_us)

    def collect(self, now_us: int) -> None:
        """Take what devices send unasked, after the plant's step."""
        for bus in self.can.values():
            cast(ValueCan, bus.port).collect(now_us)
