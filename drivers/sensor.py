"""Driver of sensors (gas, off-gas, toxic gas, climate, UPS), each with one read of registers.

Either all values of a reply count or none. The registers `status`, `calibration_due` and `today`
(days) have a fixed meaning.

A date that is not set or out of range is no fault of the cell. The values count, and the
calibration is overdue by DAYS_MAX, so row 13c of the cause-and-effect matrix halves the power. If
it counted as a fault (row 13a), two detectors without a clock would mean that all gas detection is
lost (row 14). A detector that warms up counts as not read yet, so that nothing latches after a
power cut.
"""

import math
from fractions import Fraction
from typing import Any

from drivers.buses import rtu
from drivers.profile import Profile, Register, Table
from drivers.sink import Sink

DATES = ("calibration_due", "today")
OWN_REGISTERS = ("status", *DATES)
# unit of a value: permille of the lower flammable limit (LFL) of the calibration gas
LFL_UNIT = "lfl_permille"
DAYS_MAX = 36500  # a century, which is the range of the signal
WORDS = {"u16": (0, 0xFFFF), "s16": (-0x8000, 0x7FFF)}


class Sensor:
    """One device. refused: number of replies that were refused.

    A reply is refused if a value other than a date is out of range, if the device declares its data
    invalid, or during warm-up. A repeated equal reply counts again.
    """

    def __init__(
        self,
        profile: Profile,
        unit_id: int,
        sink: Sink,
        indexes: dict[str, int],
        group: int,
        lfl_vol_ppm: int | None = None,
    ):
        """indexes: {name of a value, "ok" or "calibration_d": index into sink.inp}.

        If values share an index, the highest counts. lfl_vol_ppm: LFL of the vent gas of the cells
        (UL 9540A cell report). A profile that states the LFL of its calibration gas needs it (A33
        of the fact table, rows/facts.py), or ValueError is raised.
        """
        registers = sorted(profile.registers.values(), key=lambda register: register.address)
        names = [register.name for register in registers]
        self.profile, self.unit_id, self.refused = profile, unit_id, 0
        self._inp, self._fresh, self._group = sink.inp, sink.fresh, group
        self._address, self._count, layout = profile.block(names)
        self._function, self._unpack = registers[0].function, layout.unpack_from
        self._pdu: bytes | None = None
        self._rules = [
            _Rule(register, _lfl_factor(profile, unit_id, register, lfl_vol_ppm))
            for register in registers
        ]
        # {name of a value: (lowest, highest)}
        self.spans = {
            name: rule.span() for name, rule in zip(names, self._rules) if name not in OWN_REGISTERS
        }
        self._status_at = names.index("status")
        self._stores = _stores(names, indexes)
        self._ok_index = indexes.get("ok")
        self._calibration_index = indexes.get("calibration_d")
        self._measured = [place for place, name in enumerate(names) if name not in DATES]
        self._dates = [names.index(name) for name in DATES] if "today" in names else []
        self._set_masks(profile.settings, registers)

    def _set_masks(self, settings: Table, registers: list[Register]) -> None:
        """Set the masks for the register `status`. A mask that the profile lacks is 0."""
        self._fault_mask, self._good_mask, self._invalid_mask, self._warming_mask = [
            settings.get(f"{name}_mask", 0) for name in ("fault", "good", "invalid", "warming")
        ]
        # a reading with these bits, or with saturation, counts even during warm-up
        self._counts_mask = self._fault_mask & ~self._warming_mask
        for register in registers:
            self._counts_mask |= register.over_range_mask

    def periodic(self) -> rtu.Periodic:
        """[(Request, period in us)] of the only read."""
        key = self.unit_id, self.profile.family
        request = rtu.read_request(
            key, self.unit_id, self._function, self._address, self._count, self._on_reply
        )
        return [(request, self.profile.period_ms * 1000)]

    schedule = periodic

    def _on_reply(self, pdu: bytes, now_us: int) -> None:
        if pdu != self._pdu and not self._store(self._unpack(pdu, 2)):
            self.refused += 1
            return
        self._pdu = pdu
        self._fresh[self._group] = 1

    def _store(self, raws: tuple[int, ...]) -> bool:
        """Store the values. False, and nothing is stored, if one is out of range or invalid."""
        status = raws[self._status_at]
        is_warming = status & self._warming_mask and not status & self._counts_mask
        if is_warming or status & self._invalid_mask:
            return False
        values: list[Any] = [rule.value(raw, status) for rule, raw in zip(self._rules, raws)]
        if None in [values[place] for place in self._measured]:
            return False
        for index, places in self._stores:
            self._inp[index] = max([values[place] for place in places])
        if self._ok_index is not None:
            good = not status & self._fault_mask and status & self._good_mask == self._good_mask
            self._inp[self._ok_index] = 1 if good else 0
        if self._dates and self._calibration_index is not None:
            self._inp[self._calibration_index] = _days_left(
                *[values[place] for place in self._dates]
            )
        return True


class _Rule:
    """Conversion of a raw register within its range: value = raw * multiply / divide."""

    def __init__(self, register: Register, factor: Fraction):
        scale, (lowest, highest) = Fraction(str(register.scale)), WORDS[register.type]
        low, high = [Fraction(str(end)) / scale for end in (register.low, register.high)]
        self.low, self.high = max(lowest, math.ceil(low)), min(highest, math.floor(high))
        self.multiply, self.divide = (scale * factor).as_integer_ratio()
        self.full_scale: int | None = register.full_scale  # highest value
        self.over_range_mask: int = register.over_range_mask
        self.untrusted_mask: int = register.untrusted_mask

    def span(self) -> tuple[int, int]:
        """(lowest, highest) value."""
        if self.over_range_mask and self.full_scale is not None:
            return self._scaled(self.low), self.full_scale
        return self._scaled(self.low), self._scaled(self.high)

    def value(self, raw: int, status: int) -> int | None:
        """The value; None if out of range.

        A saturated cell gives full scale. A faulty cell gives 0, which the kernel does not count.
        """
        if status & self.over_range_mask:
            return self.full_scale
        if status & self.untrusted_mask:
            return 0
        if not self.low <= raw <= self.high:
            return None
        return self._scaled(raw)

    def _scaled(self, raw: int) -> int:
        if self.full_scale is None:
            # rounded down, because a reserve must not seem longer than it is
            return raw * self.multiply // self.divide
        # rounded up, because a small amount of gas must not become 0
        return min(self.full_scale, -(-raw * self.multiply // self.divide))


def _days_left(due: int | None, today: int | None) -> int:
    """Days until the calibration is due; -DAYS_MAX if a date is unknown."""
    if due is None or today is None:
        return -DAYS_MAX
    return max(-DAYS_MAX, min(DAYS_MAX, due - today))


def _stores(names: list[str], indexes: dict[str, int]) -> list[tuple[int, list[int]]]:
    """[(index into the sink, places of its values in a reply)]."""
    places: dict[int, list[int]] = {}
    for place, name in enumerate(names):
        if name not in OWN_REGISTERS:
            places.setdefault(indexes[name], []).append(place)
    return list(places.items())


def _lfl_factor(
    profile: Profile, unit_id: int, register: Register, lfl_vol_ppm: int | None
) -> Fraction:
    """Factor from permille LFL of the calibration gas to that of the vent gas, or 1."""
    if register.unit != LFL_UNIT:
        return Fraction(1)
    if lfl_vol_ppm is None or not 1 <= lfl_vol_ppm <= 1_000_000:
        raise ValueError(
            f"{profile.family} {unit_id}: lfl_vol_ppm: {lfl_vol_ppm}; allowed 1..1000000, the LFL "
            "of the cells' vent gas in ppm of volume, from their UL 9540A cell report"
        )
    return Fraction(profile.settings["calibrated_lfl_vol_ppm"], lfl_vol_ppm)
