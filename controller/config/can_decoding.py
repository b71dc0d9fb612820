"""What the frames of a BMS on CAN say by its profile: values, refusals, what the driver does."""

from fractions import Fraction
from typing import Any

from controller.config import profile_bench
from controller.config.decoding import Refusal, Value
from controller.config.profile_form import CAN_BMS
from drivers import can_dialect
from drivers.can_codec import EXTENDED, Word, word
from drivers.can_messages import UNUSED, Message, Messages
from drivers.profile import Profile
from drivers.rack_sources import CELLS, TEMPERATURES

STATES = {
    can_dialect.WAITING: "two periods of the dialect have not gone by",
    can_dialect.MISSING: "the required id {id} is missing",
    can_dialect.FOREIGN: "the id {id} is of another dialect",
    can_dialect.STOPPED: "the id {id} has stopped",
    can_dialect.REFUSED: "every frame of the id {id} is refused",
    can_dialect.SIGN: "the converter contradicts its current",
}


class Frames:
    """The values of a rack of a profile. `found`: in their order; `others`: ids of no message."""

    def __init__(self, profile: Profile, node: int) -> None:
        self.found: list[Value | Refusal] = []
        self.others: set[int] = set()
        self._profile = profile
        self.device, self._shelf = profile_bench.build(profile, node=node)
        self._stored: dict[str, tuple[int, str]] = {}
        self._last: dict[str, Any] = {}
        self._messages: Messages | None = None
        if profile.family == CAN_BMS:
            cells, modules = profile_bench.sizes_of(profile)
            offset = node * profile.settings["node_stride"]
            self._messages = Messages(profile, offset, {CELLS: cells, TEMPERATURES: modules})

    def take(self, time_us: int, can_id: int, data: bytes) -> None:
        """A frame of the bus."""
        bad = self.device.bad_frames
        if not self.device.on_frame(can_id, data, time_us):
            self.others.add(can_id)
            return
        message = self._messages.by_id.get(can_id) if self._messages else None
        if message:
            self._values(time_us, message, data)
        if self.device.bad_frames > bad:
            self._add(Refusal(time_us, _name(message), _bad_frame(message, data), shown(can_id)))
        self._stored |= self._shelf.taken()

    def end(self, time_us: int) -> dict[str, tuple[int, str]]:
        """{signal: (value, unit)} of what the driver stores; each signal's last value."""
        return self._stored

    def fault(self, time_us: int) -> str:
        """Why the driver stores nothing at that time."""
        if not self._messages:
            return "no frame has a good CRC and a counter that moves"
        state, can_id = self.device.report(time_us)
        return STATES.get(state, "no group of values is whole").format(id=shown(can_id))

    def _values(self, time_us: int, message: Message, data: bytes) -> None:
        frame = word(data)
        source = message.source(frame, data)
        if source is None or source is UNUSED:
            return
        place = shown(message.can_id)
        for name, field, is_optional in source.fields:
            if not (is_optional and frame.length < field.bytes):
                self._add(_value(time_us, name, field, frame, self._profile.signals[name], place))
        for name, first, fields in source.arrays:
            for at, field in enumerate(fields, first):
                row = self._profile.arrays[name]
                self._add(_value(time_us, f"{name}_{at + 1}", field, frame, row, place))
        for name, fault in source.faults:
            bits = fault.bits(frame)
            self._add(Value(time_us, f"fault {name}", bits, self._bits(bits), place))

    def _bits(self, bits: int) -> str:
        """The names of fault bits, as a unit."""
        every = [each for table in self._profile.fault_bits.values() for each in table.items()]
        return " ".join(["bits", *[name for name, bit in every if bits >> bit & 1]])

    def _add(self, found: Value | Refusal) -> None:
        if self._last.get(found.name) != found[1:]:
            self._last[found.name] = found[1:]
            self.found.append(found)


def shown(can_id: int) -> str:
    """An id as candump prints it."""
    return f"{can_id & ~EXTENDED:08X}" if can_id & EXTENDED else f"{can_id:03X}"


def _name(message: Message | None) -> str:
    return message.name if message else "frame"


def _bad_frame(message: Message | None, data: bytes) -> str:
    if message and not message.row["bytes"] <= len(data) <= message.row["bytes_max"]:
        least, most = message.row["bytes"], message.row["bytes_max"]
        return f"{len(data)} bytes; allowed {least}..{most}"
    return "its check byte is wrong, or its counter has not moved"


def _value(
    time_us: int, name: str, field: Any, frame: Word, row: dict[str, Any], place: str
) -> Value | Refusal:
    value = field.value(frame)
    if value is not None:
        unit = next((unit for unit in ("mV", "mA", "permille", "ddegC") if f"_{unit}" in name), "")
        return Value(time_us, name, value, unit, place)
    raw = field.of(frame)
    if raw in row["invalid"]:
        return Refusal(time_us, name, f"raw {raw} is no value", place)
    if row["values"]:
        return Refusal(time_us, name, f"raw {raw} has no meaning", place)
    value = Fraction(str(row["scale"])) * raw + Fraction(str(row["offset"]))
    problem = f"{float(value):.10g} (raw {raw}) is out of range {row['range']}"
    return Refusal(time_us, name, problem, place)
