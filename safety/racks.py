"""Computes the features of the racks: silence, cells, current, insulation, contactors.

The row numbers here are rows of the cause-and-effect matrix. heating.py has the temperatures. A
rack without a fresh group and without a late group has no news, so the step skips it.
"""

from array import array

from safety import matrix as m, parameters as p, runaway, signals as s
from safety.contactors import LOST, STILL_CLOSED, UNKNOWN_FAULT
from safety.feature_arrays import FeatureArrays
from safety.heating import Heating
from safety.units import fault_level, masks_at

BAD_FRAMES_MAX = 1000  # size of the leaky bucket
ZERO_CURRENT_MA = 2000  # row 35: the larger of 2 A and 1 % of the rated current
# Row 24: a fall of 0.25 V in 2 s. One value is stored per second, so three values reach back 2 to 3
# s.
DROP_S = 3
# fall of a cell voltage caused by a step of rated current: twice 140 A over 0.5 mohm and
# polarisation (chosen by the project)
LOAD_SAG_MV = 150
# nominal voltage of an NMC cell, which is above that of LFP (row 37; C60 of the fact table counts
# the insulation by nominal voltage)
NOMINAL_MV = 3700
NO_CELLS_MV = 0  # no value is stored, so no fall is computed from it
# Values of `open_string`. NOT_OPEN: the rack does not report open contactors. REPORTED: it does.
# FLOWS: a current was measured after that report.
NOT_OPEN, REPORTED, FLOWS = range(3)
# words of a rack in `bad_frames`: last count, leaky bucket
LAST, BUCKET, BAD_FRAME_WORDS = 0, 1, 2


class Racks:
    """The rack features of one cabinet, written into its features."""

    def __init__(self, features: FeatureArrays) -> None:
        self.features, self._put = features, features.put
        self.layout, self.image, self.map = features.layout, features.image, features.map
        self.inp = features.inp
        self.fresh = features.fresh
        self.ages = features.ages
        self.value, self.known, self.changed = features.value, features.known, features.changed
        racks = self.layout.racks
        self.second_ticks = max(1, 1000 // features.tick_ms)
        # ticks into the present second of each rack; the racks take turns
        self.clock = array("i", [rack % self.second_ticks for rack in range(racks)])
        self.bad_frames = array("i", [0] * (BAD_FRAME_WORDS * racks))
        self.cells_mV = array("i", [NO_CELLS_MV] * (racks * DROP_S))  # lowest cell, once a second
        self.current_mA = array("i", [0] * (racks * DROP_S))
        self.mismatch = features.mismatch
        self.open_string = bytearray(racks)
        self.heating = Heating(features)
        first = self.map.rack + p.R_BMS_TRIP_BITS
        self.masks = tuple(
            [masks_at(self.image, first + rack * p.RACK_WORDS) for rack in range(racks)]
        )

    def update(self, elapsed: int) -> None:
        """Compute the features of every rack with news.

        Once a second, also compute the features that need the history.
        """
        for rack in range(self.layout.racks):
            self.clock[rack] += elapsed
            due = self.clock[rack] >= self.second_ticks
            self.clock[rack] %= self.second_ticks  # ticks left over belong to the next second
            self._rack(rack, rack + 1, due)

    def _rack(self, rack: int, block: int, due: int) -> None:
        ages = self.ages
        groups = ages.block_first[block]
        oldest_ticks = ages.oldest_ticks[block]
        if not due and not ages.news[block] and oldest_ticks < ages.budget_ticks[groups]:
            self.changed[self.layout.units + block] = 0
            return
        self.changed[self.layout.units + block] = 1
        base = self.features.rack_base + rack * m.RACK_FEATURE_COUNT
        if due:
            bucket = BAD_FRAME_WORDS * rack + BUCKET
            self.bad_frames[bucket] = max(0, self.bad_frames[bucket] - 1)
        self._anew(rack, groups, base, oldest_ticks)
        if due:
            self._remember(rack, base, groups)

    def _anew(self, rack: int, groups: int, base: int, oldest_ticks: int) -> None:
        ladder = self.map.rack + rack * p.RACK_WORDS + p.R_BMS_WARN_MS
        heard = self.ages.heard(groups, groups + s.RACK_GROUP_COUNT)
        self._put(base + m.F_BMS_SILENCE_LEVEL, self.features.level(oldest_ticks, ladder), heard)
        pack = self.ages.known(groups + s.G_BMS_PACK)
        cells = self.ages.known(groups + s.G_BMS_CELLS)
        state = self.ages.known(groups + s.G_BMS_STATE)
        first = self.layout.rack_input(rack, 0)
        missing = self._missing(rack, first)
        self._cells(rack, first, base, m.IN_PART if cells and missing else cells, pack)
        self._current(rack, first, base, pack, pack & self.ages.known(groups + s.G_BMS_LIMITS))
        self._insulation(rack, first, base, pack)
        self._contactors(rack, first, base, state, pack, self.fresh[groups + s.G_BMS_PACK])
        self._bad_frames(rack, first, base, groups, state)
        level = fault_level(self.inp[first + s.BMS_FAULT_BITS], self.masks[rack])
        self._put(base + m.F_BMS_FAULT_LEVEL, level, state)
        self._put(
            base + m.F_SENSORS_INVALID_MAX,
            max(missing, self.inp[first + s.SENSORS_INVALID_MAX]),
            state,
        )
        self._put(base + m.F_RUNAWAY_HINT, self.value[m.F_ANY_SIGN], 1)
        self.heating.update(rack, base, groups)
        self._put(
            base + m.F_RUNAWAY_SUSPICION_PCT,
            runaway.suspicion_pct(self.value, self.known, base),
            runaway.known_as(self.known, self.ages.expected, base, groups),
        )

    def _remember(self, rack: int, base: int, groups: int) -> None:
        """Once a second: store cell voltage and current, and step the temperatures."""
        first, newest = self.layout.rack_input(rack, 0), rack * DROP_S
        cells = self.ages.known(groups + s.G_BMS_CELLS) & self.ages.known(groups + s.G_BMS_PACK)
        # moves the DROP_S values of the rack by one
        self.cells_mV[newest + 2] = self.cells_mV[newest + 1]
        self.cells_mV[newest + 1] = self.cells_mV[newest]
        self.current_mA[newest + 2] = self.current_mA[newest + 1]
        self.current_mA[newest + 1] = self.current_mA[newest]
        self.cells_mV[newest] = self.inp[first + s.CELL_VOLTAGE_MV_MIN] if cells else NO_CELLS_MV
        self.current_mA[newest] = self.inp[first + s.RACK_CURRENT_MA]
        self.heating.second(rack, base, groups)

    def _missing(self, rack: int, first: int) -> int:
        """Row 45: number of cells of a rack that its BMS does not count as online.

        It is 0 for an open rack, because its start waits for all cells.
        """
        start = self.map.rack + rack * p.RACK_WORDS
        if (
            not self.image[start + p.R_CELLS_REPORTED]
            or self.inp[first + s.CONTACTOR_STATE] == s.CONTACTOR_OPEN
        ):
            return 0
        return max(0, self.image[start + p.R_CELLS] - self.inp[first + s.CELLS_ONLINE])

    def _cells(self, rack: int, first: int, base: int, cells: int, pack: int) -> None:
        lowest = self.inp[first + s.CELL_VOLTAGE_MV_MIN]
        highest = self.inp[first + s.CELL_VOLTAGE_MV_MAX]
        self._put(base + m.F_CELL_VOLTAGE_MV_MAX, highest, cells)
        self._put(base + m.F_CELL_VOLTAGE_MV_MIN, lowest, cells)
        self._put(base + m.F_CELL_SPREAD_MV, highest - lowest, cells)
        self._put(
            base + m.F_CELL_VOLTAGE_DROP_MV,
            self._drop_mV(rack, first, lowest),
            cells if pack else 0,
        )

    def _drop_mV(self, rack: int, first: int, lowest: int) -> int:
        """Row 24: the fall of the lowest cell within DROP_S, mV.

        The fall that a change of current explains is subtracted.
        """
        rated = self.image[self.map.rack + rack * p.RACK_WORDS + p.R_RATED_CURRENT_MA]
        current, drop = self.inp[first + s.RACK_CURRENT_MA], 0
        for index in range(rack * DROP_S, rack * DROP_S + DROP_S):
            explained = (
                max(0, (current - self.current_mA[index]) // 1000) * LOAD_SAG_MV * 1000 // rated
            )
            drop = max(drop, self.cells_mV[index] - lowest - explained)
        return drop

    def _current(self, rack: int, first: int, base: int, pack: int, both: int) -> None:
        rated = self.image[self.map.rack + rack * p.RACK_WORDS + p.R_RATED_CURRENT_MA]
        margin = max(ZERO_CURRENT_MA, rated // 100)
        current = self.inp[first + s.RACK_CURRENT_MA]
        allowed = self.inp[
            first + (s.CHARGE_CURRENT_MA_MAX if current < 0 else s.DISCHARGE_CURRENT_MA_MAX)
        ]
        # as in bounds.py: a BMS that allows more than the rated current widens no limit
        limit = min(allowed, rated)
        self._put(base + m.F_CURRENT_OVER_105_MA, abs(current) - limit * 105 // 100 - margin, both)
        self._put(base + m.F_CURRENT_OVER_110_MA, abs(current) - limit * 110 // 100 - margin, both)
        self._put(base + m.F_CURRENT_OVER_200_MA, abs(current) - rated * 2, pack)
        self._put(base + m.F_CHARGING, 1 if current < -margin else 0, pack)

    def _insulation(self, rack: int, first: int, base: int, pack: int) -> None:
        """Row 37: insulation in ohm per volt, by the higher of measured and nominal voltage.

        It is not known without a measured voltage.
        """
        cells = self.image[self.map.rack + rack * p.RACK_WORDS + p.R_CELLS]
        rack_V = self.inp[first + s.RACK_VOLTAGE_MV] // 1000
        ohm_per_V = (
            self.inp[first + s.INSULATION_KOHM] * 1000 // max(rack_V, cells * NOMINAL_MV // 1000)
        )
        self._put(base + m.F_INSULATION_OHM_PER_V, ohm_per_V, pack if rack_V else 0)

    def _contactors(
        self, rack: int, first: int, base: int, state: int, pack: int, pack_is_new: int
    ) -> None:
        """Row 39: contactors that contradict their command, or their own report.

        They are not closed although commanded closed, or closed although commanded open. Or the
        rack reports open contactors and carries a current, measured after that report. `mismatch`
        comes from the step before, so a report of open contactors in this step ends STILL_CLOSED.
        """
        rated = self.image[self.map.rack + rack * p.RACK_WORDS + p.R_RATED_CURRENT_MA]
        if self.inp[first + s.CONTACTOR_STATE] != s.CONTACTOR_OPEN:
            self.open_string[rack] = NOT_OPEN
        elif self.open_string[rack] == NOT_OPEN:
            self.open_string[rack] = REPORTED
        elif pack_is_new:
            self.open_string[rack] = (
                FLOWS if abs(self.inp[first + s.RACK_CURRENT_MA]) * 20 >= rated else REPORTED
            )
        known_as = m.IN_PART if self.mismatch[rack] == UNKNOWN_FAULT or not pack else m.KNOWN
        still = self.mismatch[rack] == STILL_CLOSED and self.open_string[rack] == NOT_OPEN
        differs = self.mismatch[rack] == LOST or still or pack and self.open_string[rack] == FLOWS
        self._put(base + m.F_CONTACTOR_MISMATCH, 1 if differs else 0, known_as if state else 0)

    def _bad_frames(self, rack: int, first: int, base: int, groups: int, state: int) -> None:
        count = self.inp[first + s.BMS_BAD_FRAMES]
        last, bucket = BAD_FRAME_WORDS * rack + LAST, BAD_FRAME_WORDS * rack + BUCKET
        if self.fresh[groups + s.G_BMS_STATE]:
            new = min(BAD_FRAMES_MAX, max(0, count - self.bad_frames[last]))
            self.bad_frames[bucket] = min(BAD_FRAMES_MAX, self.bad_frames[bucket] + new)
            self.bad_frames[last] = count
        self._put(base + m.F_BMS_BAD_FRAMES_RECENT, self.bad_frames[bucket], state)
