"""Cross-checks values: a value must change with time and agree with a second source.

Rows of the cause-and-effect matrix: row 54 checks values of a BMS (still.py). Row 55 compares the
currents of racks and PCS. Row 56 compares the power of a PCS with its set-point.
"""

from array import array

from safety import matrix as m, means, parameters as p, signals as s, still
from safety.feature_arrays import FeatureArrays
from safety.source import Source

APART_PERMILLE, APART_DA_MIN = 50, 100  # of rated current; 10 A
MA_PER_DA = 100
RATED_PARTS = 60_000  # means.VALUE_MAX is four times as large
# Oldest BMS value that is compared: 2/3 of the time after which the BMS is late, which is two of
# its periods. A value that is compared may be this late, and row 55 allows for that.
AGE_PARTS, AGE_WHOLE = 2, 3


def apart_dA_max(racks: list[tuple[int, int]], pcs_permille: int) -> int:
    """Row 55: how far the currents may be apart, in 0.1 A.

    It is the largest of 5 % of rated current, 10 A, and the sum of the stated sensor errors. racks:
    (rated current in mA, error in permille of it) of each rack.
    """
    rated_dA = sum([rated_mA for rated_mA, _ in racks]) // MA_PER_DA
    errors = sum([rated_mA // MA_PER_DA * permille for rated_mA, permille in racks])
    stated_dA = -(-(errors + rated_dA * pcs_permille) // 1000)
    return max(APART_DA_MIN, rated_dA * APART_PERMILLE // 1000, stated_dA)


class Compared:
    """Constants of a unit and its racks: places and margins.

    `part_W` is a step of power that keeps products small ints.
    """

    def __init__(self, features: FeatureArrays, unit: int) -> None:
        layout, image, racks = features.layout, features.image, features.of_unit[unit]
        places = [features.map.rack + rack * p.RACK_WORDS for rack in racks]
        self.rated_mA = sum([image[place + p.R_RATED_CURRENT_MA] for place in places])
        ages_ms = [image[place + p.R_BMS_WARN_MS] * AGE_PARTS // AGE_WHOLE for place in places]
        self.age_ms_max = min(max(ages_ms + [0]), means.WINDOW_MS)
        self.age_ticks_max = self.age_ms_max // features.tick_ms
        self.moved_dA = self.rated_mA // MA_PER_DA * still.MOVED_PERMILLE // 1000
        parameters = features.map.unit + unit * p.UNIT_WORDS
        self.margin_dA = apart_dA_max(
            [
                (image[place + p.R_RATED_CURRENT_MA], image[place + p.R_CURRENT_ERROR_PERMILLE])
                for place in places
            ],
            image[parameters + p.U_PCS_CURRENT_ERROR_PERMILLE],
        )
        self.part_W = image[parameters + p.U_RATED_W] // RATED_PARTS + 1
        self.parts = image[parameters + p.U_RATED_W] // self.part_W
        self.follow_ms = image[parameters + p.U_PCS_FOLLOW_MS]
        self.input = layout.unit_input(unit, 0)
        self.group = layout.unit_group(unit, s.G_PCS_MEASURE)
        self.feature = features.unit_base + unit * m.UNIT_FEATURE_COUNT
        self.racks = tuple(
            [(rack, layout.rack_group(rack, 0), layout.rack_input(rack, 0)) for rack in racks]
        )


class Witness:
    """Rows 54 to 56 of one cabinet, written into its features.

    words: first of each rack, then of the currents of each unit, then of the powers of each unit.
    """

    def __init__(self, features: FeatureArrays, source: Source) -> None:
        self.features, self.source, self._put = features, source, features.put
        self.layout = features.layout
        self.inp, self.ages = features.inp, features.ages
        layout = features.layout
        of_units = layout.racks * still.RACK_WORDS
        self.words = array("i", [0] * (of_units + 2 * layout.units * means.WORDS))
        self.currents = self._pairs(of_units)
        self.powers = self._pairs(of_units + layout.units * means.WORDS)
        racks = range(layout.racks)
        self.of_rack = tuple([still.RackValues(features, self.words, rack) for rack in racks])
        self.of_unit = tuple([Compared(features, unit) for unit in range(layout.units)])

    def _pairs(self, first: int) -> tuple[means.Means, ...]:
        """A pair of series for each unit. Their words are in `words` from `first` on."""
        tick_ms = self.features.tick_ms
        places = [first + unit * means.WORDS for unit in range(self.layout.units)]
        return tuple([means.Means(self.words, place, tick_ms) for place in places])

    def update(self, elapsed: int) -> None:
        """Compute the features of rows 54 to 56 from the values that are known now."""
        ages, inp = self.ages, self.inp
        for unit in range(self.layout.units):
            of_unit = self.of_unit[unit]
            oldest, total_mA = ages.ticks[of_unit.group], 0
            pcs = ages.known(of_unit.group)
            pcs_dA = inp[of_unit.input + s.PCS_DC_CURRENT_MA] // MA_PER_DA
            for rack, group, first in of_unit.racks:
                oldest = max(oldest, ages.ticks[group + s.G_BMS_PACK])
                total_mA += inp[first + s.RACK_CURRENT_MA]
                self._rack(of_unit, rack, group, elapsed, pcs, pcs_dA)
            in_time = oldest <= of_unit.age_ticks_max
            self._unit(unit, of_unit, elapsed, in_time, total_mA // MA_PER_DA, pcs_dA)
            self._power(unit, of_unit, elapsed, pcs)

    def _unit(
        self, unit: int, of_unit: Compared, elapsed: int, in_time: int, total_dA: int, pcs_dA: int
    ) -> None:
        """Row 55: compare the sum of the rack currents with the current of the PCS."""
        pair, words, at = self.currents[unit], self.words, self.currents[unit].at
        if in_time:
            pair.add(elapsed, total_dA, pcs_dA)
        else:
            pair.forget()
        late_dA = words[at + means.RANGE] * of_unit.age_ms_max // means.WINDOW_MS
        apart_dA = abs(words[at + means.MEAN_FIRST] - words[at + means.MEAN_SECOND])
        beyond_dA = apart_dA - late_dA - of_unit.margin_dA
        self._put(of_unit.feature + m.F_CURRENTS_APART_DA, beyond_dA, words[at + means.KNOWN])
        if beyond_dA > 0:
            self.features.changed[1 + unit] = 1

    def _power(self, unit: int, of_unit: Compared, elapsed: int, pcs: int) -> None:
        """Row 56: compare the measured power with the set-point that was sent.

        A converter that forms the grid off the grid follows the load, so it cannot disobey.
        """
        pair, words, at = self.powers[unit], self.words, self.powers[unit].at
        follows_load = self.inp[of_unit.input + s.PCS_FORMING] and self.source.is_off_grid()
        if pcs and not follows_load:
            measured_W, asked_W = self.inp[of_unit.input + s.PCS_POWER_W], self._asked_W(of_unit)
            pair.add(elapsed, measured_W // of_unit.part_W, asked_W // of_unit.part_W)
        else:
            pair.forget()
        late = words[at + means.RANGE] * of_unit.follow_ms // means.WINDOW_MS
        actual, requested = words[at + means.MEAN_FIRST], words[at + means.MEAN_SECOND]
        # power in the wrong direction counts in full as beyond the set-point
        excess = actual - max(requested, 0) if actual >= 0 else min(requested, 0) - actual
        beyond, short = excess - late, abs(requested) - abs(actual) - late
        known, parts, feature = words[at + means.KNOWN], of_unit.parts, of_unit.feature
        if pcs and follows_load:
            beyond, short, known = 0, 0, m.KNOWN
        self._put(feature + m.F_PCS_BEYOND_PERMILLE, beyond * 1000 // parts, known)
        self._put(feature + m.F_PCS_SHORT_PERMILLE, short * 1000 // parts, known)
        if beyond > 0 or short > 0:
            self.features.changed[1 + unit] = 1

    def _asked_W(self, of_unit: Compared) -> int:
        """The set-point that was sent, W.

        It is 0 while the PCS is off, starts or has failed, because then it need not follow.
        """
        state = self.inp[of_unit.input + s.PCS_STATE]
        if state != s.PCS_RUNNING and state != s.PCS_THROTTLED:
            return 0
        return self.inp[of_unit.input + s.PCS_SENT_W]

    def _rack(
        self, of_unit: Compared, rack: int, group: int, elapsed: int, pcs: int, pcs_dA: int
    ) -> None:
        """Row 54: for how long values of a rack have not followed, or contradicted each other."""
        still_ms = self.of_rack[rack].still_ms(elapsed, pcs, pcs_dA, of_unit.moved_dA)
        base = self.features.rack_base + rack * m.RACK_FEATURE_COUNT
        known = self.ages.known(group + s.G_BMS_STATE) and pcs
        self._put(base + m.F_BMS_STILL_MS, still_ms, known)
        if still_ms > 0:
            self.features.changed[1 + self.layout.units + rack] = 1
