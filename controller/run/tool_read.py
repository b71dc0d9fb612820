"""One read of a tool (`firebreak bus probe`) through the running controller, which holds the ports.

The bus sends the read when nothing else is due (drivers/buses/port.py, `offer`). A tool never
writes. While the cabinet is energised, the read must delay nothing. So the bus must carry no
outputs, and the whole time-out of the read must fit before the next request. The unit must not be a
device of the cabinet, because its late reply would spoil the next request. While all contactors are
open, other requests may be late by LATE_US, which is shorter than each silence budget
(controller/config/silence.py).
"""

import struct
from collections.abc import Callable

from controller.config.cabinet_config import Config
from controller.config.devices import SERIAL_IDS
from controller.run.field import Field
from drivers.buses import rtu

# magic, what, name of the bus, unit id, function, address, count. Its length distinguishes it.
READ = struct.Struct("<4sBxxx32sBBHH")
READ_ONE = 41
WITHIN_US = 1_500_000  # the longest wait until the bus has time for the read
LATE_US = 250_000
LATER = -1  # the answer comes when the read has ended
Place = tuple[int, int, int, int]  # unit id, function, address, count
End = Callable[[int, int, bytes], object]  # called with (answer, code of a Modbus exception, data)
# answers
DATA = 130
NO_BUS = 131
HAS_OUTPUTS = 132
IS_DEVICE = 133
NO_ROOM = 134
SILENT = 135
EXCEPTION = 136
DAMAGED = 137
OTHERS = 138
WORDS = {
    DATA: "data",
    NO_BUS: "the running controller has no Modbus bus of this name",
    HAS_OUTPUTS: "the cabinet is energised, and this bus carries its outputs: `firebreak stop`, "
    "wait until all is open, then read",
    IS_DEVICE: "the cabinet is energised, and this unit is one of its devices: `firebreak links` "
    "shows it; `firebreak stop`, then read",
    NO_ROOM: "the bus has no room for a read that may time out: `firebreak stop`, then read",
    SILENT: "no answer",
    EXCEPTION: "exception",
    OTHERS: "another tool reads on this bus",
    DAMAGED: "a damaged reply, or one of another unit",
}
_FAILURES = {
    rtu.TIMEOUT: SILENT,
    rtu.EXCEPTION: EXCEPTION,
    rtu.BAD_REPLY: DAMAGED,
    rtu.NO_ROOM: NO_ROOM,
}


class ToolReads:
    """The reads of tools on the buses of one cabinet."""

    def __init__(self, config: Config, field: Field):
        self._ports, self._buses = field.ports, {bus.name: bus for bus in config.buses}
        devices = config.devices
        self._units = {(device.bus, device.address) for device in devices}
        self._outputs = {
            device.bus
            for device in devices
            if device.outputs
            or any(
                "write" in getattr(register, "direction", "")
                for register in device.profile.registers.values()
            )
            or device.role == "pcs"
        }

    def ask(self, bus: str, place: Place, is_energised: bool, now_us: int, end: End) -> int:
        """Ask for a read. Returns a refusal, or LATER if `end` will be called. Raises ValueError if
        `place` is no read.
        """
        port, unit_id = self._ports.get(bus), place[0]
        if port is None:
            return NO_BUS
        if self._buses[bus].kind == "rtu" and unit_id not in SERIAL_IDS:
            raise ValueError(f"unit {unit_id}; allowed 1..247 on a serial bus")
        if is_energised and bus in self._outputs:
            return HAS_OUTPUTS
        if is_energised and (bus, unit_id) in self._units:
            return IS_DEVICE

        def on_reply(pdu: bytes, _: int) -> None:
            end(DATA, 0, pdu[2:])

        def on_failure(kind: int, code: int, _: int) -> None:
            end(_FAILURES[kind], code, b"")

        request = rtu.read_request("tool", *place, on_reply, on_failure, rtu.SPARE)
        late_us = 0 if is_energised else LATE_US
        return LATER if port.offer(request, WITHIN_US, now_us, late_us) else OTHERS
