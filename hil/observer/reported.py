"""Decodes the values that racks and converters report in their frames."""

import struct

CELLS, PACK = 1, 2  # messages of a native BMS
TEMPERATURES = 8  # first of the messages that carry temperatures, four in each
TEMPERATURE_MASK = ABSENT = 0xFFF
READ_HOLDING = 3
_CURRENT = struct.Struct("<2xh4x").unpack


def of_rack(frames: dict[int, bytes]) -> dict[str, float]:
    """{current_A, cell_V_min, cell_V_max, degC_max}, without the values that were not reported.
    frames: {message: its last 8 bytes}.
    """
    values = {}
    if PACK in frames:
        values["current_A"] = _CURRENT(frames[PACK])[0] / 10
    if CELLS in frames:
        cells_mV = int.from_bytes(frames[CELLS], "little")
        values["cell_V_min"] = (cells_mV & 0x1FFF) / 1000
        values["cell_V_max"] = (cells_mV >> 13 & 0x1FFF) / 1000
    payloads = [
        int.from_bytes(frames[frame], "little") for frame in frames if frame >= TEMPERATURES
    ]
    raw = [payload >> bit & TEMPERATURE_MASK for payload in payloads for bit in (0, 12, 24, 36)]
    fitted = [reading for reading in raw if reading != ABSENT]
    if fitted:
        values["degC_max"] = max(fitted) / 10 - 60
    return values


class Power:
    """`last_W`: the power in the converter's last reply, None before the first reply."""

    def __init__(self, unit: int, address: int, scale_W: float) -> None:
        """address: register of the power (signed); scale_W: power of one step of that register."""
        self.last_W: float | None = None
        self._unit, self._address, self._scale_W = unit, address, scale_W
        self._offset: int | None = None  # place of the register in the reply to the last request

    def see(self, is_reply: int, data: bytes) -> None:
        """Take a chunk from the bus. A chunk counts only if it is a whole request or reply."""
        if len(data) < 8 or data[0] != self._unit or data[1] != READ_HOLDING:
            return
        if not is_reply:
            offset = 3 + 2 * (self._address - (data[2] << 8 | data[3]))
            count = data[4] << 8 | data[5]
            self._offset = offset if 3 <= offset < 3 + 2 * count else None
        elif self._offset is not None and len(data) == 5 + data[2] and self._offset < len(data) - 3:
            self.last_W = struct.unpack_from(">h", data, self._offset)[0] * self._scale_W
