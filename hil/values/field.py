"""The field side of a cabinet in value mode: the seam between controller and plant.

It has the surface of controller.run.field.Field. The drivers and the simulated devices are those of
byte mode; frames go from one to the other at once, without a line.
"""

from typing import cast

from controller.config import families
from controller.config.configuration import Config
from controller.config.devices import Device
from controller.core.image import ProcessImage
from controller.run.field import Field
from drivers.buses.port import RtuPort
from hil.engine.cabinet import SimulatedCabinet
from hil.values.bus import Line, ValuePort


class ValueCan:
    """One CAN bus: the frames of its BMS, and the commands to them."""

    def __init__(self, racks: list, line: Line) -> None:
        self._racks, self._line = racks, line
        self._by_id = {bms.command_id: bms for bms in racks}
        self.now_us = 0

    def drain(self, limit: int) -> list[tuple[int, bytes]]:
        """(id, data) of the frames that have arrived."""
        found = []
        for bms in self._racks:
            if bms.next_us is None or bms.next_us <= self.now_us:
                found += bms.frames(self.now_us)
        return [] if self._line.down else found

    def send(self, can_id: int, data: bytes) -> bool:
        """Give the frame to its BMS."""
        bms = self._by_id.get(can_id)
        if bms is not None and not self._line.down:
            bms.receive(can_id, data, self.now_us)
        return True


class ValueField(Field):
    """Call `advance` before the plant's step, then tick the cabinet that owns this field."""

    def __init__(
        self,
        config: Config,
        image: ProcessImage,
        cabinet: SimulatedCabinet,
        lines: dict[str, Line],
    ) -> None:
        """cabinet: its plant and devices; lines: the faults of each bus."""
        self._cabinet, self._lines = cabinet, lines
        self._ports: dict[str, ValuePort] = {}
        super().__init__(config, image)
        for name, bus in self.can.items():
            bus.port = ValueCan(cabinet.bms[name], lines[name])

    def _add(
        self,
        device: Device,
        driver: families.Driver,
        config: Config,
        image: ProcessImage,
        phase_us: int,
    ) -> None:
        if device.bus in self.ports and device.bus not in self._ports:
            slave, line = self._cabinet.slaves[device.bus], self._lines[device.bus]
            port = self._ports[device.bus] = ValuePort(self.ports[device.bus], slave, line)
            self.ports[device.bus] = cast(RtuPort, port)
        super()._add(device, driver, config, image, phase_us)

    def advance(self, end_us: int) -> None:
        """Do the exchanges of a step that ends at end_us."""
        for port in self._ports.values():
            port.advance(end_us)

    def read(self, now_us: int) -> None:
        """As Field.read."""
        for bus in self.can.values():
            cast(ValueCan, bus.port).now_us = now_us
        super().read(now_us)
