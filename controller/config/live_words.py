"""Frames of a bus as lines for a person: what changed since the frame before, by profiles."""

from collections.abc import Iterable, Sequence

from controller.config import can_fits
from controller.config.profile_form import CAN_BMS
from controller.config.rtu_stream import READS, REQUEST, Piece
from drivers.can_codec import word
from drivers.can_messages import UNUSED, Messages
from drivers.profile import Profile, Register
from drivers.register_blocks import extent
from drivers.register_codec import Codec

RATED_W = 100_000  # for a value that is a part of the rating


class CanWords:
    """Lines of the frames of a CAN bus. A frame that repeats its values gives no line."""

    def __init__(self, known: Iterable[tuple[int, Profile]]) -> None:
        """known: (node, profile)."""
        self._racks = [
            (node, Messages(profile, node * profile.settings["node_stride"], _NO_ARRAYS))
            for node, profile in known
            if profile.family == CAN_BMS
        ]
        self._last: dict[tuple[int, int], str] = {}

    def take(self, time_us: int, can_id: int, data: bytes) -> list[str]:
        """Lines for one frame, none if it says the same as the last one."""
        said = [
            words for node, rack in self._racks if (words := _of_frame(node, rack, can_id, data))
        ]
        text = "; ".join(said) or data.hex(" ").upper()
        if self._last.get((can_id, len(data))) == text:
            return []
        self._last[can_id, len(data)] = text
        return [f"{_clock(time_us)} {can_fits.shown(can_id):>8} {text}"]


_NO_ARRAYS = {"cell_voltage_mV": 0, "module_temperature_ddegC": 0}


def _of_frame(node: int, rack: Messages, can_id: int, data: bytes) -> str:
    message = rack.by_id.get(can_id)
    if message is None:
        return ""
    place, frame = f"{message.name} (node {node})", word(data)
    source = message.source(frame, data)
    if source is None:
        return f"{place}: refused: a wrong length, check byte or counter"
    if source is UNUSED:
        return f"{place}: {data.hex(' ').upper()}"
    values = [
        f"{name} {value if (value := field.value(frame)) is not None else 'none'}"
        for name, field, is_optional in source.fields
        if not (is_optional and frame.length < field.bytes)
    ]
    bits = [f"{name} {fault.bits(frame):#x}" for name, fault in source.faults]
    return f"{place}: {', '.join([*values, *bits]) or data.hex(' ').upper()}"


class ModbusWords:
    """Lines of the frames of a Modbus RTU line: replies by the profile of their unit."""

    def __init__(self, known: dict[int, Profile] | Profile) -> None:
        self._known = known
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
        address, _ = self._asked.get(key, (0, 0))
        profile = self._known if isinstance(self._known, Profile) else self._known.get(unit_id)
        if function not in READS or key not in self._asked:
            return data[2:-2].hex(" ").upper()
        registers = profile.registers.values() if profile is not None else ()
        content = data[3:-2]
        values = [] if function < 3 else _values(list(registers), function, address, content)
        return ", ".join(values) or f"{address}: {content.hex(' ', 2).upper()}"


def _values(registers: Sequence[Register], function: int, address: int, data: bytes) -> list[str]:
    """The values of the registers that lie whole in a reply."""
    found = []
    for each in registers:
        if not hasattr(each, "word_order") or each.function != function:
            continue
        start = 2 * (each.address - address)
        part = data[start : start + 2 * extent(each)] if start >= 0 else b""
        if len(part) == 2 * extent(each) > 0:
            found.append(f"{each.name} {_value(each, part)}")
    return found


def _value(register: Register, part: bytes) -> str:
    plain = {"mask": 0, "values": {}, "scale_by": "", "complement": False, "with_words": []}
    own = Register(**{**plain, **vars(register)})
    exact = Register(**{**vars(own), "scale": own.scale * 1000, "offset": own.offset * 1000})
    settings = {name: RATED_W for name in (own.scale_by,) if name}
    value, _ = Codec(own if own.values else exact, settings).read(part)
    if value is None:
        return "none"
    scaled = f"{value}" if own.values else f"{value / 1000:g}"
    factor = getattr(register, "scale_from", "")
    return f"{scaled} {register.unit}".rstrip() + (f" x 10^{factor}" if factor else "")


def _clock(time_us: int) -> str:
    """The time of day, UTC."""
    whole_ms = time_us // 1000
    hours, minutes, seconds = [whole_ms // unit for unit in (3_600_000, 60_000, 1000)]
    return f"{hours % 24:02d}:{minutes % 60:02d}:{seconds % 60:02d}.{whole_ms % 1000:03d}"
