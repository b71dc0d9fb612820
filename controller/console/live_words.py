"""Frames of a bus as lines for a person: what changed since the frame before, by profiles."""

from collections.abc import Iterable

from controller.config import can_fits
from controller.config.can_decoding import Frames
from controller.config.decoding import Decoder, Found, Value
from controller.config.profile_form import CAN_BMS
from controller.config.rtu_stream import READS, REQUEST, Piece
from controller.console.captures import words_of
from drivers.profile import Profile


class CanWords:
    """Lines of the frames of a CAN bus. A frame that repeats its values gives no line."""

    def __init__(self, known: Iterable[tuple[int, Profile]]) -> None:
        """known: (node, profile)."""
        self._racks = [
            (node, Frames(profile, node)) for node, profile in known if profile.family == CAN_BMS
        ]
        self._last: dict[tuple[int, int], bytes] = {}

    def take(self, time_us: int, can_id: int, data: bytes) -> list[str]:
        """Lines for one frame, none if it says the same as the last one."""
        is_same = self._last.get((can_id, len(data))) == data
        self._last[can_id, len(data)] = data
        said = []
        for node, rack in self._racks:
            first = len(rack.found)
            rack.take(time_us, can_id, data)
            said += [f"{_said(each)} (node {node})" for each in rack.found[first:]]
            del rack.found[first:]
        if is_same and not said:
            return []
        text = ", ".join(said) or data.hex(" ").upper()
        return [f"{_clock(time_us)} {can_fits.shown(can_id):>8} {text}"]


def _said(found: Found) -> str:
    if isinstance(found, Value):
        return f"{found.name} {found.value:.6g} {found.unit}".rstrip()
    return f"{found.name} refused: {found.reason}"


class ModbusWords:
    """Lines of the frames of a Modbus RTU line: replies by the profile of their unit."""

    def __init__(self, known: dict[int, Profile] | Profile) -> None:
        self._known = known
        self._decoders: dict[int, Decoder] = {}
        self._asked: dict[
            tuple[int, int], tuple[int, int]
        ] = {}  # (address, count) by unit, function

    def take(self, time_us: int, piece: Piece) -> list[str]:
        """The line for one frame."""
        head = f"{_clock(time_us)} {piece.direction} "
        if piece.direction == "?":
            shown = piece.data.hex(" ").upper()
            return [f"{head}{shown}: no frame: noise, another baud rate, or two that speak at once"]
        unit_id, function = piece.data[:2]
        key = unit_id, function & 0x7F
        if piece.direction == REQUEST:
            address, count = [int.from_bytes(piece.data[at : at + 2], "big") for at in (2, 4)]
            self._asked[key] = address, count
            return [f"{head}unit {unit_id}: function {function}, {address}, {count}"]
        if function & 0x80:
            return [f"{head}unit {unit_id}: exception {piece.data[2]} of function {key[1]}"]
        return [f"{head}unit {unit_id}: {self._reply(key, piece.data)}"]

    def _reply(self, key: tuple[int, int], data: bytes) -> str:
        unit_id, function = key
        address, count = self._asked.get(key, (0, 0))
        if function not in READS or key not in self._asked:
            return data[2:-2].hex(" ").upper()
        words = words_of(function, count, data[3:-2])
        decoder = self._decoder(unit_id)
        found = decoder.take(0, function, address, words) if decoder else ()
        return ", ".join(map(_said, found)) or f"{address}: {data[3:-2].hex(' ', 2).upper()}"

    def _decoder(self, unit_id: int) -> Decoder | None:
        profile = self._known if isinstance(self._known, Profile) else self._known.get(unit_id)
        if profile and unit_id not in self._decoders:
            self._decoders[unit_id] = Decoder(profile)
        return self._decoders.get(unit_id)


def _clock(time_us: int) -> str:
    """The time of day, UTC."""
    whole_ms = time_us // 1000
    hours, minutes, seconds = [whole_ms // unit for unit in (3_600_000, 60_000, 1000)]
    return f"{hours % 24:02d}:{minutes % 60:02d}:{seconds % 60:02d}.{whole_ms % 1000:03d}"
