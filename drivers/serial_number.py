"""Reads the serial number of a Modbus device from the registers that its profile names.

It shows that a device was replaced. No value depends on it.
"""

from functools import partial

from drivers.buses import rtu
from drivers.profile import Profile
from drivers.steps import Sequence
from drivers.sunspec import Places

PERIOD_US = 30_000_000  # a replaced device is found within this time
REGISTERS_PER_READ = 8  # a longer read would delay the stop frame on the bus of a converter
BYTES_MAX = 32  # the longest text, which SunSpec model 1 has
NUMBER_REGISTERS_MAX = 4
NAME = "serial"  # in the keys of its reads
EMPTY = "0"


class SerialNumber:
    """The serial number of one device. text: the number, or "" while unknown."""

    def __init__(self, profile: Profile, unit_id: int, places: Places | None = None):
        """profile: has the table [serial]. places: where its SunSpec models are."""
        own, self._places = profile.serial, places or Places(profile)
        self._function = own["function"]
        self._is_number, self.text, self._address = own["form"] == "number", "", own["address"]
        end = own["address"] + own["registers"]
        firsts = range(own["address"], end, REGISTERS_PER_READ)
        self._reads = [(first, min(REGISTERS_PER_READ, end - first)) for first in firsts]
        self._parts: list[bytes] = []
        self._read_count = len(firsts)
        self.requests = [self._read(number, unit_id) for number in range(self._read_count)]

    def steps(self) -> Sequence[None]:
        """Steps that read it once, for a driver whose bus has no room for later reads."""
        parts = []
        for first, count in self._reads if self._places.has(self._address) else ():
            answer = yield "read", self._function, self._places.of(first), count
            parts.append(answer or b"")
        self._use(b"".join(parts))

    def _read(self, number: int, unit_id: int) -> rtu.Request:
        first, count = self._reads[number]
        key, address = (unit_id, f"{NAME} {number + 1}"), self._places.of(first)
        take = partial(self._take, number)
        read = rtu.read_request(key, unit_id, self._function, address, count, take)
        return self._places.follow(read, first)

    def _take(self, number: int, pdu: bytes, _: int) -> None:
        """Take a part. Use the parts when all have come in order."""
        self._parts = [*self._parts[:number], pdu[2:]] if number <= len(self._parts) else []
        if len(self._parts) == self._read_count:
            self._use(b"".join(self._parts) if self._places.has(self._address) else b"")
            self._parts = []

    def _use(self, data: bytes) -> None:
        if self._is_number:
            is_none = data == b"\xff" * len(data)
            data = b"" if is_none else b"%d" % int.from_bytes(data, "big")
        self.text = shown(data)


def shown(data: bytes) -> str:
    """The bytes as a text without blanks; "" if they are no serial number."""
    text = data.partition(b"\0")[0].decode("latin-1").strip().replace(" ", "_")
    return text if text.isascii() and text.isprintable() and text != EMPTY else ""
