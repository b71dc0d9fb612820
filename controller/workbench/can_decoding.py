"""Decodes frames of a BMS on CAN with its profile, for commands about a capture. The result is
values with names, and refusals with reasons.
"""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

from controller.config import can_profile
from controller.workbench import profile_bench
from controller.workbench.can_fits import REFUSAL_SENTENCES, shown
from controller.workbench.findings import Changes, Found, Refusal, Value, of_misfit, unit_of
from drivers import can_dialect
from drivers.can_codec import Word, word
from drivers.can_messages import UNUSED, Message, Messages
from drivers.profile import Profile
from drivers.rack_sources import ALLOWED, CELLS, TEMPERATURES
from safety.signals import RACK_INPUTS

OTHERS_MAX = 1000  # foreign ids that are kept: a damaged capture may contain any id
STATE_SENTENCES = REFUSAL_SENTENCES | {
    can_dialect.WAITING: "two periods of the dialect have not gone by",
    can_dialect.FOREIGN: "the id {id} is of another dialect",
    can_dialect.REFUSED: "every frame of the id {id} is refused",
    can_dialect.SIGN: "the converter contradicts its current",
}


class RackDecoder(Changes):
    """Decodes the frames of one rack by a profile."""

    def __init__(self, profile: Profile, node: int):
        super().__init__()
        self.profile = profile
        self.device, self._shelf = profile_bench.build(profile, node=node)
        self._before: dict[int, tuple[bytes, list[Found]]] = {}
        self._own_frame_count = 0
        cells, modules = profile_bench.sizes_of(profile)
        self._messages = Messages(profile, node, {CELLS: cells, TEMPERATURES: modules})

    def take(self, time_us: int, can_id: int, data: bytes) -> list[Found]:
        """Take a frame of the bus. Returns the values and refusals that changed with this frame."""
        bad_before, misfit_before = self.device.bad_frames, self.device.misfit
        if not self.device.on_frame(can_id, data, time_us):
            if len(self.others) < OTHERS_MAX:
                self.others.add(can_id)
            return []
        self._own_frame_count += 1
        message = self._messages.by_id.get(can_id)
        findings = self._values(time_us, message, data) if message else []
        if self.device.bad_frames > bad_before:
            reason = _bad_frame(message, data)
            findings = [
                *findings,
                Refusal(time_us, message.name if message else "frame", reason, shown(can_id)),
            ]
        if self.device.misfit is not misfit_before:
            refusal = of_misfit(time_us, self.device.misfit, shown(can_id))
            findings = [*[finding for finding in findings if finding.name != refusal.name], refusal]
        return list(self.new(findings))

    def end(self, time_us: int) -> dict[str, tuple[int, str]]:
        """{signal: (value, unit)}: the last value of each signal that the driver has stored."""
        return self._shelf.taken()

    def fault(self, time_us: int, has_stored: bool) -> str:
        """Why the driver stores no values at that time. "" if it stored values and still does."""
        if not self._own_frame_count:
            return "none of its ids came"
        state, can_id = self.device.report(time_us)
        if has_stored and state == can_dialect.OK:
            return ""
        return STATE_SENTENCES.get(state, "no group of values is whole").format(id=shown(can_id))

    def _values(self, time_us: int, message: Message, data: bytes) -> list[Found]:
        """The values and refusals of a frame. If the frame equals the last one, only refusals."""
        data_before, refused = self._before.get(message.can_id, (b"", []))
        if data == data_before:
            return refused
        findings = list(self._decoded(time_us, message, data))
        refused = [finding for finding in findings if isinstance(finding, Refusal)]
        self._before[message.can_id] = data, refused
        return findings

    def _decoded(self, time_us: int, message: Message, data: bytes) -> Iterator[Found]:
        frame = word(data)
        source = message.source(frame, data)
        if source is None or source is UNUSED:
            return
        place, profile = shown(message.can_id), self.profile
        for name, field, is_optional in source.fields:
            if not (is_optional and frame.length < field.bytes):
                yield _value(time_us, name, field, frame, profile.signals[name], place)
        for name, first, fields in source.arrays:
            for number, field in enumerate(fields, first + 1):
                yield _value(time_us, f"{name}_{number}", field, frame, profile.arrays[name], place)
        for name, fault in source.faults:
            bits = fault.bits(frame)
            yield Value(time_us, f"fault {name}", bits, self._bits(bits), place)

    def _bits(self, bits: int) -> str:
        """The names of the fault bits that are 1, as text in the place of a unit."""
        if not bits:
            return "bits"
        named_bits = [pair for table in self.profile.fault_bits.values() for pair in table.items()]
        return " ".join(["bits", *[name for name, bit in named_bits if bits >> bit & 1]])


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
        return Value(time_us, name, value, unit_of(name), place)
    raw = field.of(frame)
    if raw in row["invalid"]:
        return Refusal(time_us, name, f"raw {raw} is no value", place)
    if row["values"]:
        return Refusal(time_us, name, f"raw {raw} has no meaning", place)
    value = Fraction(str(row["scale"])) * raw + Fraction(str(row["offset"]))
    problem = f"{float(value):.10g} (raw {raw}) is out of range {row['range']}"
    return Refusal(time_us, name, problem, place)


def notes(profile: Profile, last: Mapping[str, Found]) -> list[str]:
    """A line for each current limit that the rack does not report, with the value that a cabinet
    uses instead.
    """
    if not can_profile.lacks_limits(profile):
        return []
    lines, provided = [], {*profile.signals, *profile.registers}
    for limit_name, index in ALLOWED.items():
        name = RACK_INPUTS[index][0]
        if name in provided:
            continue
        line = f"{name}: not reported; the rated current of the rack (not_fitted.bms_limits)"
        if limit_name in provided:
            reading = last.get(limit_name)
            now = f"it is {reading.value:g}" if isinstance(reading, Value) else "it did not come"
            line += f", and 0 while {limit_name} is 0: {now}"
        lines.append(line)
    return lines
