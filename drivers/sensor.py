"""Sensor families (gas, off-gas, toxic gas, climate, UPS): one read of a block of input registers,
all values or none.

What lies where, its range and its full scale stand in the profile. Registers with a meaning of
their own: `status`, and `calibration_due` and `today` (days); every other register is a value that
goes where the constructor says.

A date that is not set or beyond its range says nothing of the cell: the values beside it count,
`ok` stays what the status says, and the calibration counts as overdue for as long as can be said.
That is row 13c, which warns and halves the power until the dates are set. Were it a fault (13a),
two detectors that lost their clocks would be all gas detection lost (row 14), and a 0 that they
measured would count as none.

A detector that warms up has not been heard yet: the start waits for it, and after a cut of power
nothing latches.
"""

import math
from fractions import Fraction
from operator import itemgetter

from drivers.buses import rtu

DATES = ("calibration_due", "today")
OWN_REGISTERS = ("status", *DATES)
# of the lower flammable limit (LFL) of the gas the detector is calibrated with
LFL_UNIT = "lfl_permille"
DAYS_MAX = 36500  # a century: what the signal holds
WORDS = {"u16": (0, 0xFFFF), "s16": (-0x8000, 0x7FFF)}


class Sensor:
    """One device. Its values, `ok` and days until calibration go to the sink together. `refused`
    counts replies with a value other than a date out of range, or whose device says that its data
    are invalid or that it warms up.
    """

    def __init__(self, profile, unit_id, sink, indexes, group, lfl_vol_ppm=None):
        """indexes: {name of a value, "ok" or "calibration_d": index into sink.inp}; group: into
        sink.fresh.

        Of values with the same index the highest is stored. lfl_vol_ppm: of the cell's vent gas by
        its UL 9540A cell report, in ppm of volume; needed where the profile says what the detector
        is calibrated with (facts A33). ValueError: a name that is missing or unknown, or no
        lfl_vol_ppm.
        """
        self.profile = profile
        self.unit_id = unit_id
        self.refused = 0
        self._inp, self._fresh, self._group = sink.inp, sink.fresh, group
        registers = sorted(profile.registers.values(), key=lambda register: register.address)
        names = [register.name for register in registers]
        _check_indexes(profile, unit_id, names, indexes)
        self._function = registers[0].function
        self._address, self._count, layout = profile.block(names)
        self._unpack = layout.unpack_from
        self._rules = [
            _Rule(register, _lfl_factor(profile, unit_id, register, lfl_vol_ppm))
            for register in registers
        ]
        self._status_at = names.index("status")
        # {name of a value: (lowest, highest) that it can take}
        self.spans = {
            name: rule.span() for name, rule in zip(names, self._rules) if name not in OWN_REGISTERS
        }
        self._stores = _stores(names, indexes)
        self._ok_index = indexes.get("ok")
        self._calibration_index = indexes.get("calibration_d")
        self._measured = itemgetter(
            *[place for place, name in enumerate(names) if name not in DATES]
        )
        self._dates = (
            itemgetter(*[names.index(name) for name in DATES]) if "today" in names else None
        )
        self._set_masks(profile.settings, registers)
        self._pdu = None

    def _set_masks(self, settings, registers):
        """Bits of the register `status`; 0 where the profile names none."""
        self._fault_mask, self._good_mask, self._invalid_mask, self._warming_mask = [
            settings.get(f"{name}_mask", 0) for name in ("fault", "good", "invalid", "warming")
        ]
        # and saturation: these are heard at once
        self._counts_mask = self._fault_mask & ~self._warming_mask
        for register in registers:
            self._counts_mask |= register.over_range_mask

    def periodic(self) -> list:
        """[(Request, period in us)]: the one read."""
        request = rtu.read_request(
            (self.unit_id, self.profile.family),
            self.unit_id,
            self._function,
            self._address,
            self._count,
            self._on_reply,
        )
        return [(request, self.profile.period_ms * 1000)]

    schedule = periodic

    def _on_reply(self, pdu, now_us):
        if pdu != self._pdu and not self._store(self._unpack(pdu, 2)):
            self.refused += 1
            return
        self._pdu = pdu
        self._fresh[self._group] = 1

    def _store(self, raws):
        """True when every value but a date is in its range and none is declared invalid; then they
        are in the sink.
        """
        status = raws[self._status_at]
        if (
            status & self._invalid_mask
            or status & self._warming_mask
            and not status & self._counts_mask
        ):
            return False
        values = [rule.value(raw, status) for rule, raw in zip(self._rules, raws)]
        if None in self._measured(values):
            return False
        for index, places in self._stores:
            self._inp[index] = max([values[place] for place in places])
        if self._ok_index is not None:
            good = not status & self._fault_mask and status & self._good_mask == self._good_mask
            self._inp[self._ok_index] = 1 if good else 0
        if self._dates:
            self._inp[self._calibration_index] = _days_left(*self._dates(values))
        return True


class _Rule:
    """From a raw register to its value: raw * multiply / divide, up to full scale."""

    __slots__ = (
        "low",
        "high",
        "multiply",
        "divide",
        "full_scale",
        "over_range_mask",
        "untrusted_mask",
    )

    def __init__(self, register, factor):
        scale = Fraction(str(register.scale))
        lowest, highest = WORDS[register.type]
        self.low, self.high = (
            max(lowest, math.ceil(Fraction(str(register.low)) / scale)),
            min(highest, math.floor(Fraction(str(register.high)) / scale)),
        )
        self.multiply, self.divide = (scale * factor).as_integer_ratio()
        self.full_scale, self.over_range_mask = register.full_scale, register.over_range_mask
        self.untrusted_mask = register.untrusted_mask

    def span(self):
        """(lowest, highest) value."""
        highest = self.full_scale if self.over_range_mask else self._scaled(self.high)
        return self._scaled(self.low), highest

    def value(self, raw, status):
        """The value, None when it is out of range. A saturated cell is at full scale, whatever its
        word says.

        The word of a cell that is not to be trusted is nothing: 0, and the kernel counts no 0 of a
        faulty detector.
        """
        if status & self.over_range_mask:
            return self.full_scale
        if status & self.untrusted_mask:
            return 0
        if not self.low <= raw <= self.high:
            return None
        return self._scaled(raw)

    def _scaled(self, raw):
        if self.full_scale is None:
            # down: a reserve is not rounded to more than there is
            return raw * self.multiply // self.divide
        # up: gas is not rounded away
        return min(self.full_scale, -(-raw * self.multiply // self.divide))


def _days_left(due, today):
    """Days until the calibration is due; overdue for as long as can be said where a date is not
    known (None).
    """
    if due is None or today is None:
        return -DAYS_MAX
    return max(-DAYS_MAX, min(DAYS_MAX, due - today))


def _stores(names, indexes):
    """((index into the sink, (places of its values,)), ...)"""
    places = {}
    for place, name in enumerate(names):
        if name not in OWN_REGISTERS:
            places.setdefault(indexes[name], []).append(place)
    return tuple([(index, tuple(of_index)) for index, of_index in places.items()])


def _check_indexes(profile, unit_id, names, indexes):
    wanted = {name for name in names if name not in OWN_REGISTERS}
    if profile.settings.get("fault_mask") or profile.settings.get("good_mask"):
        wanted.add("ok")
    if "today" in names:
        wanted.add("calibration_d")
    if set(indexes) != wanted:
        raise ValueError(
            f"{profile.family} {unit_id}: values {', '.join(sorted(indexes))}; "
            f"allowed exactly {', '.join(sorted(wanted))}"
        )


def _lfl_factor(profile, unit_id, register, lfl_vol_ppm):
    """Permille of the vent gas's LFL per permille of the calibrated LFL; 1 for every other
    quantity.
    """
    if register.unit != LFL_UNIT:
        return Fraction(1)
    if lfl_vol_ppm is None or not 1 <= lfl_vol_ppm <= 1_000_000:
        raise ValueError(
            f"{profile.family} {unit_id}: lfl_vol_ppm: {lfl_vol_ppm}; allowed "
            f"1..1000000, the LFL of the "
            "cells' vent gas in ppm of volume, from their UL 9540A cell report"
        )
    return Fraction(profile.settings["calibrated_lfl_vol_ppm"], lfl_vol_ppm)
