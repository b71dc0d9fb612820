"""Computes the features of the gas detectors by a vote of the detectors of each kind.

A silent or faulty detector may hide gas, so the other detectors alone clear no stage. A faulty
detector still counts, with the reading that its driver stores: full scale for a saturated cell, the
reading of its other cell, or 0.

There are three kinds: combustible gas, electrolyte vapour above its reference, and toxic gas (the
larger of hydrogen and carbon monoxide).
"""

from array import array

from safety import matrix as m, parameters as p, signals as s
from safety.feature_arrays import FeatureArrays

# group, first of its three inputs (READING, OK, CALIBRATION_D)
COMBUSTIBLE = ((s.G_GAS_1, s.GAS_1_LFL_PERMILLE), (s.G_GAS_2, s.GAS_2_LFL_PERMILLE))
VAPOUR = ((s.G_OFFGAS_1, s.OFFGAS_1_PPM), (s.G_OFFGAS_2, s.OFFGAS_2_PPM))
TOXIC = ((s.G_TOXIC, s.TOXIC_PPM),)
READING, OK, CALIBRATION_D = range(3)
RISE_S = 10  # row 10 of the matrix: more than 5 ppm/s for 10 s is a rise of more than 50 ppm
HALF_S = RISE_S // 2
NO_HISTORY_PPM = -1
# places in `clock`: ticks into the present second, place of the present second in the history
TICKS, SECOND = range(2)
# places in `high`: highest and second highest reading of a kind, number of detectors with a reading
HIGHEST, SECOND_HIGHEST, READINGS = range(3)


class Gas:
    """The gas features of one cabinet, written into its features."""

    def __init__(self, features: FeatureArrays) -> None:
        self.inp, self.fresh, self.ages = features.inp, features.fresh, features.ages
        self.value, self.known, self._put = features.value, features.known, features.put
        image, cabinet = features.image, features.map.cabinet
        self.combustible = COMBUSTIBLE[: image[cabinet + p.P_GAS_DETECTORS]]
        self.vapour = VAPOUR[: image[cabinet + p.P_OFFGAS_DETECTORS]]
        self.toxic = TOXIC[: image[cabinet + p.P_TOXIC_FITTED]]
        self.detectors = self.combustible + self.vapour + self.toxic
        self.required = image[cabinet + p.P_GAS_REQUIRED]
        # Row 14 is about combustible gas, because only its limit is known. On a site without such a
        # detector, row 14 is about all other detectors.
        self.row_14_groups_end = (s.G_GAS_2 if self.combustible else s.G_TOXIC) + 1
        self.second_ticks = max(1, 1000 // image[p.H_TICK_MS])
        # toxic gas of the last 10 s, then of the last 5 s
        self.history = array("i", [NO_HISTORY_PPM] * (RISE_S + HALF_S))
        self.clock = array("i", [0, 0])
        self.high = array("i", [0, 0, 0])

    def update(self, elapsed: int) -> None:
        """Vote anew when a detector is fresh or silent, and compute the rise of toxic gas.

        A detector that was never heard delays the first vote by its budget at most.
        """
        ticks, budget_ticks = self.ages.ticks, self.ages.budget_ticks
        for group, _ in self.detectors:
            if self.fresh[group] or ticks[group] > budget_ticks[group]:
                self._vote()
                break
        self._rise(elapsed)

    def _vote(self) -> None:
        faulty = silent = good = 0
        calibration_d = s.INT_MAX
        for group, first in self.detectors:
            if not self.ages.known(group):
                silent += self.ages.seen[group]
                continue
            calibration_d = min(calibration_d, self.inp[first + CALIBRATION_D])
            good += self.inp[first + OK]
            faulty += 1 - self.inp[first + OK]
        known_as = m.KNOWN if good + faulty == len(self.detectors) else m.IN_PART
        self._put(m.F_GAS_DETECTORS_FAULTY, faulty, known_as)
        self._put(m.F_GAS_DETECTORS_SILENT, silent, self.ages.heard(s.G_GAS_1, s.G_TOXIC + 1))
        self._put(m.F_GAS_CALIBRATION_D_MIN, calibration_d, known_as if good + faulty else 0)
        self._levels()

    def _levels(self) -> None:
        """Features of the highest reading of each kind.

        Row 8 also needs the second highest reading of vapour (two sensors).
        """
        combustible = self._kind(self.combustible)
        self._put(
            m.F_GAS_LFL_PERMILLE_MAX,
            self.high[HIGHEST],
            self._known(combustible, len(self.combustible)),
        )
        vapour = self._kind(self.vapour)
        self._put(m.F_OFFGAS_PPM_MAX, self.high[HIGHEST], self._known(vapour, len(self.vapour)))
        self._put(
            m.F_OFFGAS_PPM_SECOND,
            self.high[SECOND_HIGHEST],
            self._known(vapour, len(VAPOUR)) if self.high[READINGS] > 1 else 0,
        )
        toxic = self._kind(self.toxic)
        self._put(m.F_TOXIC_PPM, self.high[HIGHEST], self._known(toxic, len(self.toxic)))
        good = combustible if self.combustible else vapour + toxic
        heard = self.ages.heard(s.G_GAS_1, self.row_14_groups_end)
        self._put(
            m.F_GAS_DETECTORS_LOST,
            1 if self.required and heard == m.KNOWN and not good else 0,
            heard,
        )
        if not self.high[READINGS]:  # not known until _rise computes it again
            self.known[m.F_TOXIC_RISE_PPM] = 0

    def _kind(self, detectors: tuple[tuple[int, int], ...]) -> int:
        """How many detectors of a kind are good; writes their readings into `high`."""
        good, high = 0, self.high
        high[HIGHEST] = high[READINGS] = 0
        for group, first in detectors:
            reading = self.inp[first + READING]
            if self.ages.known(group) and (self.inp[first + OK] or reading):
                good += self.inp[first + OK]
                high[READINGS] += 1
                high[SECOND_HIGHEST] = min(reading, high[HIGHEST])  # 0 after the first detector
                high[HIGHEST] = max(reading, high[HIGHEST])
        return good

    def _rise(self, elapsed: int) -> None:
        """Once a second: compute the rise of toxic gas over RISE_S seconds.

        The second half of this time must show the same slope. A puff of gas that stays makes no
        lasting rise: rows 9 and 10a act on it.
        """
        clock, history = self.clock, self.history
        clock[TICKS] += elapsed
        if clock[TICKS] < self.second_ticks:
            return
        clock[TICKS] %= self.second_ticks  # ticks left over belong to the next second
        clock[SECOND] = (clock[SECOND] + 1) % RISE_S
        known = self.known[m.F_TOXIC_PPM]
        now = self.value[m.F_TOXIC_PPM] if known else NO_HISTORY_PPM
        before = history[clock[SECOND]]
        later = RISE_S + clock[SECOND] % HALF_S
        # + 1 makes up for rounding: half of 51 ppm is 25 ppm. An unknown reading (-1) in the
        # second half does not reduce the rise.
        rise = min(now - before, 2 * (now - history[later]) + 1)
        self._put(m.F_TOXIC_RISE_PPM, rise, known if before != NO_HISTORY_PPM else 0)
        history[clock[SECOND]] = history[later] = now

    def _known(self, good: int, fitted: int) -> int:
        return 0 if not self.high[READINGS] else m.KNOWN if good == fitted else m.IN_PART
