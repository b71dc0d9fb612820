"""The serial number of a Modbus device, read where its profile says. No value depends on it. It
shows that a device is another one than before.
"""

from drivers.buses import rtu
from drivers.profile import Profile
from drivers.sunspec import Places

PERIOD_US = 30_000_000  # a device that is replaced is found by then
BYTES_MAX = 32  # SunSpec model 1 has the longest text
NUMBER_REGISTERS_MAX = 4
EMPTY = "0"


class SerialNumber:
    """One device; `text` is its serial number, "" while unknown."""

    def __init__(self, profile: Profile, unit_id: int, places: Places | None = None) -> None:
        """profile: with the table [serial]. places: of the driver, which walks the chain."""
        own, self._places = profile.serial, places or Places(profile)
        self._is_number, self.text, self._address = own["form"] == "number", "", own["address"]
        place = own["function"], self._places.of(self._address), own["registers"]
        read = rtu.read_request((unit_id, "serial"), unit_id, *place, self._take)
        self.request = self._places.follow(read, self._address)

    def _take(self, pdu: bytes, _: int) -> None:
        data = pdu[2:] if self._places.has(self._address) else b""
        if self._is_number:
            is_none = data == b"\xff" * len(data)
            data = b"" if is_none else b"%d" % int.from_bytes(data, "big")
        self.text = shown(data)


def shown(data: bytes) -> str:
    """The bytes as a text without blanks; "" if they are no serial number."""
    text = data.partition(b"\0")[0].decode("latin-1").strip().replace(" ", "_")
    return text if text.isascii() and text.isprintable() and text != EMPTY else ""
