"""The last check of a set-point whose registers the device profile describes. Code that the encoder
does not use decodes each frame again before it is sent.

If a set-point takes several frames, the converter holds a mixture of old and new values in between.
A frame without an answer may have been taken or not. So the gate keeps every content that the
registers of each frame may hold, and judges the worst mixture. A frame passes if its own values are
within the limits, and if the worst mixture is within the limits or no worse than before. A frame
that sets a direction makes all values in the converter effective, so the worst mixture must then be
within the limits.
"""

from collections.abc import Callable, Collection, Sequence
from fractions import Fraction
from math import inf
from struct import Struct
from typing import NamedTuple

from controller.core.base import reasons
from controller.core.base.gate import big_endian, first_wrong
from safety.signals import INT_MAX

WRITE_REGISTER, WRITE_REGISTERS = 6, 16
HEAD, COUNTED_HEAD = Struct(">BBHH"), Struct(">BBHHB")
FLOATS = {2: Struct(">f"), 4: Struct(">d")}
WAYS = (-1, 0, 1)  # charge, idle, discharge
EVERY_WAY = frozenset(WAYS)
UNSIGNED_ROLES = {-1: ("magnitude", "charge"), 1: ("magnitude", "discharge")}
POSSIBLE_MAX = 16  # contents that are kept for one frame; with more, any content counts as possible
Number = Fraction | float
Content = tuple[Number, ...]  # the values of a frame; a mode is one of WAYS


class ValueForm(NamedTuple):
    """One value of a frame. role: power, magnitude, charge, discharge, mode, constant; raws: for a
    mode {raw: one of WAYS}, for a constant {raw: 0}; encoding: "unsigned", "signed", "float".
    """

    role: str
    words: int
    encoding: str
    is_word_little: bool
    is_byte_little: bool
    scale: Fraction
    offset: Fraction
    raws: dict[int, int]


class FrameForm(NamedTuple):
    """One write of a set-point, function 6 or 16."""

    unit_id: int
    function: int
    address: int
    values: tuple[ValueForm, ...]


class FormGate:
    """Checks the frames of one converter, and remembers the contents that it may hold."""

    def __init__(
        self, forms: Sequence[FrameForm], place: Callable[[int], int] = lambda address: address
    ):
        """place(address of a form): its present address on the device."""
        self._forms, self._place = forms, place
        self.forget()

    def forget(self) -> None:
        """Forget the contents: the converter may hold anything."""
        self._possible: list[Collection[Content] | None] = [None] * len(self._forms)
        self._last: list[Content | None] = [None] * len(self._forms)

    def check(self, frame: bytes, charge_W_max: int, discharge_W_max: int) -> int:
        """reasons.NONE if a whole RTU frame may be sent, else the reason; limits >= 0, W."""
        code, number, content = self._parsed(frame)
        return code or self._limit_code(number, content, charge_W_max, discharge_W_max)

    def sent(self, frame: bytes) -> int | None:
        """Note that a frame is being sent. Returns the power that is now asked for, W; None while
        it is unknown.
        """
        code, number, content = self._parsed(frame)
        if code:
            return None
        possible = self._possible[number]
        if possible is not None:
            known = {*possible, content}
            self._possible[number] = known if len(possible) < POSSIBLE_MAX else None
        self._last[number] = content
        return self._power_W()

    def acknowledged(self, frame: bytes) -> None:
        """Note that the converter has taken this frame."""
        code, number, content = self._parsed(frame)
        if not code:
            self._possible[number] = {content}

    # -- the worst mixture

    def _limit_code(self, number: int, content: Content, *limits_W: int) -> int:
        """reasons.NONE within both limits, else the reason. limits_W: (charge, discharge)."""
        possible_after = list(self._possible)
        possible_after[number] = {content}
        before = _worst(self._forms, self._possible)
        after = _worst(self._forms, possible_after)
        own = _worst(self._forms, possible_after, number)
        forms = self._forms[number].values
        sets_way = any([form.role == "mode" and way for form, way in zip(forms, content)])
        codes = reasons.GATE_CHARGE, reasons.GATE_DISCHARGE
        for code, limit_W, before_W, after_W, own_W in zip(codes, limits_W, before, after, own):
            if own_W > limit_W or after_W > (limit_W if sets_way else max(limit_W, before_W)):
                return code
        return reasons.NONE

    def _power_W(self) -> int | None:
        """The power that the last contents ask for, W, rounded toward zero; None while unknown."""
        values = _values(self._forms, self._last)
        way = next((mode for form, mode in values if form.role == "mode"), None)
        if way == 0:
            return 0
        if None in self._last:
            return None
        powers_W = [0]
        for of, value in values:
            sign = {"power": 1, "magnitude": way or 0, "charge": -1, "discharge": 1}.get(of.role, 0)
            is_off = way and of.role in ("charge", "discharge") and sign != way
            powers_W.append(0 if is_off else int(value * sign))
        return max(-INT_MAX, min(INT_MAX, max(powers_W, key=abs)))

    # -- one frame

    def _parsed(self, frame: bytes) -> tuple[int, int, Content]:
        """(reasons.NONE, number of its form, its values); (reason, 0, ()) for a wrong frame."""
        if len(frame) < HEAD.size:
            return reasons.GATE_LENGTH, 0, ()
        address = int.from_bytes(frame[2:4], "big")
        places = [self._place(form.address) for form in self._forms]
        if address not in places:
            return reasons.GATE_ADDRESS, 0, ()
        number = places.index(address)
        form = self._forms[number]
        code = _code(form, frame)
        content = None if code else _content(form, frame)
        if content is None:
            return code or reasons.GATE_RANGE, 0, ()
        return reasons.NONE, number, content


def _code(form: FrameForm, frame: bytes) -> int:
    registers = sum([value_form.words for value_form in form.values])
    size = (
        HEAD.size + 2 if form.function == WRITE_REGISTER else COUNTED_HEAD.size + 2 * registers + 2
    )
    if len(frame) != size:
        return reasons.GATE_LENGTH
    _, function, _, count = HEAD.unpack_from(frame)
    is_counted = form.function == WRITE_REGISTER or (count, frame[6]) == (registers, 2 * registers)
    same_function = function == form.function, reasons.GATE_FUNCTION
    return first_wrong(frame, form.unit_id, same_function, (is_counted, reasons.GATE_COUNT))


def _content(form: FrameForm, frame: bytes) -> Content | None:
    """The values of a frame of the right form, None if a value has no meaning."""
    start = HEAD.size - 2 if form.function == WRITE_REGISTER else COUNTED_HEAD.size
    numbers: list[Number] = []
    for value_form in form.values:
        value = _value(value_form, frame[start : start + 2 * value_form.words])
        if value is None:
            return None
        numbers.append(value)
        start += 2 * value_form.words
    return tuple(numbers)


def _value(form: ValueForm, data: bytes) -> Number | None:
    data = big_endian(data, form.is_word_little, form.is_byte_little)
    if form.encoding == "float":
        (raw,) = FLOATS[form.words].unpack(data)
        if raw != raw or raw in (inf, -inf):
            return None
    else:
        raw = int.from_bytes(data, "big", signed=form.encoding == "signed")
    if form.raws:
        return form.raws.get(raw)
    value = Fraction(raw) * form.scale + form.offset
    return None if value < 0 and form.role != "power" else value


def _values(
    forms: Sequence[FrameForm], contents: Sequence[Content | None]
) -> list[tuple[ValueForm, Number]]:
    """[(form, value)] of all values; inf for an unknown value."""
    return [
        (value_form, content[index] if content is not None else inf)
        for form, content in zip(forms, contents)
        for index, value_form in enumerate(form.values)
    ]


def _worst(
    forms: Sequence[FrameForm], possible: Sequence[Collection[Content] | None], only_frame: int = -1
) -> tuple[Number, Number]:
    """Largest (charge, discharge) of any mixture, W. only_frame: the one frame whose values count;
    -1: the values of all frames count.
    """
    ways: set[Number] = set()
    ranges: list[tuple[str, Number, Number]] = []
    for number, (form, contents) in enumerate(zip(forms, possible)):
        for index, value_form in enumerate(form.values):
            options = None if contents is None else [content[index] for content in contents]
            if value_form.role == "mode":
                ways |= set(EVERY_WAY if options is None else options)
            elif only_frame in (-1, number):
                ends = (min(options), max(options)) if options else (-inf, inf)
                ranges.append((value_form.role, *ends))
    ways = ways or {-1, 1}
    worst: dict[int, Number] = {-1: 0, 1: 0}
    for role, low, high in ranges:
        for way in (-1, 1):
            worst[way] = max(worst[way], _largest_W(role, low, high, way, ways))
    return worst[-1], worst[1]


def _largest_W(role: str, low: Number, high: Number, way: int, ways: Collection[Number]) -> Number:
    """Largest power of a value in one direction, W; 0 if it has none in this direction."""
    if role == "power":  # signed: > 0 discharges
        return high if way > 0 else -low
    # Other values have no sign. They need a mode of this direction.
    return high if role in UNSIGNED_ROLES[way] and way in ways else 0
