"""The serial number of a Modbus device, read where its profile says. No value depends on it. It
shows that a device is another one than before.
"""

from drivers.buses import rtu
from drivers.profile import Profile

PERIOD_US = 30_000_000  # a device that is replaced is found by then
BYTES_MAX = 32  # SunSpec model 1 has the longest text
NUMBER_REGISTERS_MAX = 4
EMPTY = "0"


class SerialNumber:
    """One device; `text` is its serial number, "" while unknown."""

    def __init__(self, profile: Profile, unit_id: int) -> None:
        """profile: with the table [serial]."""
        own = profile.serial
        self._is_number, self.text = own["form"] == "number", ""
        place = own["function"], own["address"], own["registers"]
        self.request = rtu.read_request((unit_id, "serial"), unit_id, *place, self._take)

    def _take(self, pdu: bytes, _: int) -> None:
        data = pdu[2:]
        if self._is_number:
            number = int.from_bytes(data, "big")
            text = "" if data == b"\xff" * len(data) else f"{number}"
        else:
            text = data.rstrip(b"\0 ").decode("latin-1").replace(" ", "_")
        is_text = text.isascii() and text.isprintable() and text != EMPTY
        self.text = text if is_text else ""
