"""Finds values of a BMS that are frozen, or that contradict each other.

This is row 54 of the cause-and-effect matrix. A value is frozen if it does not change although a
current changes.
"""

from array import array

from safety import means, parameters as p, signals as s
from safety.feature_arrays import FeatureArrays

MOVED_PERMILLE = 50  # of the rated current: a change that the pack values must follow
# A change that the cell voltages must follow. While a current falls slowly, the slow part of the
# voltage drop still grows, so a cell voltage may stay within 1 mV. With 50 permille 40 of 200
# simulated slow ramps looked frozen for 10 s. With 150 the longest looked frozen for 5.3 s
# (tests/hil/test_slow_ramps.py).
CELLS_MOVED_PERMILLE = 150
# Per cell, chosen by the project: 17 mV for an error of 0.5 % of the pack voltage, 10 mV for
# busbars and fuse at rated current. The rest is for two readings at different times.
APART_MV = 40
STILL_MS_MAX = 1_000_000
# Words of two values that arrive together. FIRST, SECOND: their last values. SINCE_DA: the current
# at their last change. SETTLES: ticks until the other current must show that change too. MOVED: 1
# if the current has changed since then. STILL_MS: for how long the values have not followed.
FIRST, SECOND, SINCE_DA, SETTLES, MOVED, STILL_MS = range(6)
STILL_WORDS = 6
# words of a rack: those of its pack values, of its cell values, and for how long both contradict
# each other
PACK, CELLS, APART_MS = 0, STILL_WORDS, 2 * STILL_WORDS
RACK_WORDS = APART_MS + 1


class Still:
    """Two values that arrive together. Their STILL_WORDS words are in `words` from `at` on.

    group: place of their freshness byte. first, second: places of their inputs.
    """

    def __init__(
        self,
        features: FeatureArrays,
        words: "array[int]",
        at: int,
        group: int,
        first: int,
        second: int,
    ) -> None:
        self.inp, self.fresh = features.inp, features.fresh
        self.words, self.at, self.tick_ms = words, at, features.tick_ms
        self.group, self.first, self.second = group, first, second
        self.settle_ticks = means.WINDOW_MS // features.tick_ms

    def begin(self, closed: int) -> None:
        """Restart the time when a value has changed, or while the rack is not closed."""
        words, at, changed = self.words, self.at, 0
        if self.fresh[self.group]:
            changed = self._differs(at + FIRST, self.inp[self.first])
            changed |= self._differs(at + SECOND, self.inp[self.second])
        if changed or not closed:
            words[at + SETTLES] = self.settle_ticks
            words[at + MOVED] = words[at + STILL_MS] = 0

    def count(self, elapsed: int, current_dA: int, moved_dA: int, lasts: int) -> int:
        """Time in ms for which the values have stayed the same although the current has changed.

        moved_dA: the smallest change that counts. lasts: 1 means that the time still counts after
        the current has come back.
        """
        words, at = self.words, self.at
        if words[at + SETTLES]:  # the other source may show the change later
            words[at + SINCE_DA] = current_dA
            words[at + SETTLES] = max(0, words[at + SETTLES] - elapsed)
        elif abs(current_dA - words[at + SINCE_DA]) > moved_dA:
            words[at + MOVED] = 1
        elif not lasts:
            words[at + MOVED] = 0
        if words[at + MOVED]:
            still_ms = words[at + STILL_MS] + elapsed * self.tick_ms
            words[at + STILL_MS] = min(still_ms, STILL_MS_MAX)
        return words[at + STILL_MS]

    def _differs(self, place: int, value: int) -> int:
        before, self.words[place] = self.words[place], value
        return 1 if value != before else 0


class RackValues:
    """Pack and cell values of one rack. Their RACK_WORDS words are in `words`.

    The pack values must follow the current of the PCS, the cell voltages the current of the pack.
    """

    def __init__(self, features: FeatureArrays, words: "array[int]", rack: int) -> None:
        layout, start = features.layout, rack * RACK_WORDS
        self.words, self.apart_at, self.tick_ms = words, start + APART_MS, features.tick_ms
        self.inp, self.ages = features.inp, features.ages
        self.group, self.input = layout.rack_group(rack, 0), layout.rack_input(rack, 0)
        parameters = features.map.rack + rack * p.RACK_WORDS
        self.cells = features.image[parameters + p.R_CELLS]
        self.moved_dA = features.image[parameters + p.R_RATED_CURRENT_MA] // 100
        self.moved_dA = self.moved_dA * CELLS_MOVED_PERMILLE // 1000
        self.pack_group, self.cell_group = self.group + s.G_BMS_PACK, self.group + s.G_BMS_CELLS
        first, second = self.input + s.RACK_VOLTAGE_MV, self.input + s.RACK_CURRENT_MA
        self.pack = Still(features, words, start + PACK, self.pack_group, first, second)
        first, second = self.input + s.CELL_VOLTAGE_MV_MIN, self.input + s.CELL_VOLTAGE_MV_MAX
        self.cell = Still(features, words, start + CELLS, self.cell_group, first, second)

    def still_ms(self, elapsed: int, pcs: int, pcs_dA: int, moved_dA: int) -> int:
        """Time in ms for which pack or cell values have not followed, or contradicted each other.

        pcs: 1 if the current of the PCS is known. moved_dA: how much that current has to change.
        """
        inp, first = self.inp, self.input
        closed = 1 if inp[first + s.CONTACTOR_STATE] == s.CONTACTOR_CLOSED else 0
        self.pack.begin(closed)
        self.cell.begin(closed)
        both = self.ages.known(self.pack_group) and self.ages.known(self.cell_group)
        still_ms = self._apart_ms(elapsed, closed and both)
        if pcs:
            still_ms = max(still_ms, self.pack.count(elapsed, pcs_dA, moved_dA, 1))
        if both:
            current_dA = inp[first + s.RACK_CURRENT_MA] // 100
            cell_ms = self.cell.count(elapsed, current_dA, self.moved_dA, 0)
            still_ms = max(still_ms, cell_ms)
        return still_ms

    def _apart_ms(self, elapsed: int, is_judged: int) -> int:
        """Time in ms for which the pack voltage contradicts the cell voltages.

        It must lie between cells x lowest and cells x highest cell voltage, with a margin.
        """
        inp, first, cells = self.inp, self.input, self.cells
        words, apart_at, pack_mV = self.words, self.apart_at, inp[first + s.RACK_VOLTAGE_MV]
        low_mV = cells * (inp[first + s.CELL_VOLTAGE_MV_MIN] - APART_MV)
        high_mV = cells * (inp[first + s.CELL_VOLTAGE_MV_MAX] + APART_MV)
        if is_judged and (pack_mV < low_mV or pack_mV > high_mV):
            words[apart_at] = min(words[apart_at] + elapsed * self.tick_ms, STILL_MS_MAX)
        else:
            words[apart_at] = 0
        return words[apart_at]
