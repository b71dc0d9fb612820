"""The votes of the gas detectors. A silent or faulty one may hide gas, so the others alone show
nothing to be clear.

What a faulty one reads is what its driver trusts of it all the same (a saturated cell, its other
cell), else 0. Three kinds: combustible gas, vapour of electrolyte above its reference, hydrogen or
carbon monoxide (the larger).
"""

from array import array

from safety import matrix as m, parameters as p, signals as s

# group, first of its three inputs: value, `ok`, days to calibration
COMBUSTIBLE = ((s.G_GAS_1, s.GAS_1_LFL_PERMILLE), (s.G_GAS_2, s.GAS_2_LFL_PERMILLE))
VAPOUR = ((s.G_OFFGAS_1, s.OFFGAS_1_PPM), (s.G_OFFGAS_2, s.OFFGAS_2_PPM))
TOXIC = ((s.G_TOXIC, s.TOXIC_PPM),)
RISE_S = 10  # row 10: more than 5 ppm/s for 10 s is a rise of more than 50 ppm over them
HALF_S = RISE_S // 2
NO_HISTORY_PPM = -1


class Gas:
    """The gas features of a cabinet, written into `value` and `known` of its features."""

    def __init__(self, image, image_map, features):
        self.inp, self.fresh, self.ages = features.inp, features.fresh, features.ages
        self.value, self.known, self._put = features.value, features.known, features.put
        cabinet = image_map.cabinet
        self.combustible = COMBUSTIBLE[: image[cabinet + p.P_GAS_DETECTORS]]
        self.vapour = VAPOUR[: image[cabinet + p.P_OFFGAS_DETECTORS]]
        self.toxic = TOXIC[: image[cabinet + p.P_TOXIC_FITTED]]
        self.detectors = self.combustible + self.vapour + self.toxic
        self.required = image[cabinet + p.P_GAS_REQUIRED]
        # Row 14 is about combustible gas, whose limit is known; where nothing is fitted for
        # it, for all others.
        self.after_asked = (s.G_GAS_2 if self.combustible else s.G_TOXIC) + 1
        self.second_ticks = max(1, 1000 // image[p.H_TICK_MS])
        # of the last 10 s; then of the last 5
        self.history = array("i", [NO_HISTORY_PPM] * (RISE_S + HALF_S))
        self.clock = array("i", [0, 0])  # ticks into the present second, place in the history
        # of a kind: highest, second highest, how many have a reading
        self.high = array("i", [0, 0, 0])

    def update(self, elapsed: int) -> None:
        """Vote anew when a detector has news or is silent for longer than it may (never heard:
        since the start).
        """
        ticks, budget_ticks = self.ages.ticks, self.ages.budget_ticks
        for group, _ in self.detectors:
            if self.fresh[group] or ticks[group] > budget_ticks[group]:
                self._vote()
                break
        self._rise(elapsed)

    def _vote(self):
        faulty = silent = good = 0
        calibration_d = s.INT_MAX
        for group, first in self.detectors:
            if not self.ages.known(group):
                silent += self.ages.seen[group]
                continue
            calibration_d = min(calibration_d, self.inp[first + 2])
            good += self.inp[first + 1]
            faulty += 1 - self.inp[first + 1]
        every = m.KNOWN if good + faulty == len(self.detectors) else m.IN_PART
        self._put(m.F_GAS_DETECTORS_FAULTY, faulty, every)
        self._put(m.F_GAS_DETECTORS_SILENT, silent, self.ages.heard(s.G_GAS_1, s.G_TOXIC + 1))
        self._put(m.F_GAS_CALIBRATION_D_MIN, calibration_d, every if good + faulty else 0)
        self._levels()

    def _levels(self):
        """The highest reading of each kind; of vapour also the second highest (row 8: two
        sensors).
        """
        combustible = self._kind(self.combustible)
        self._put(
            m.F_GAS_LFL_PERMILLE_MAX, self.high[0], self._known(combustible, len(self.combustible))
        )
        vapour = self._kind(self.vapour)
        self._put(m.F_OFFGAS_PPM_MAX, self.high[0], self._known(vapour, len(self.vapour)))
        self._put(
            m.F_OFFGAS_PPM_SECOND,
            self.high[1],
            self._known(vapour, len(VAPOUR)) if self.high[2] > 1 else 0,
        )
        toxic = self._kind(self.toxic)
        self._put(m.F_TOXIC_PPM, self.high[0], self._known(toxic, len(self.toxic)))
        good = combustible if self.combustible else vapour + toxic
        heard = self.ages.heard(s.G_GAS_1, self.after_asked)
        self._put(
            m.F_GAS_DETECTORS_LOST,
            1 if self.required and heard == m.KNOWN and not good else 0,
            heard,
        )
        if not self.high[2]:  # until it is computed anew: after a silence it would be an old one
            self.known[m.F_TOXIC_RISE_PPM] = 0

    def _kind(self, detectors):
        """How many detectors of a kind are good; `high` is what they read."""
        good, high = 0, self.high
        high[0] = high[2] = 0
        for group, first in detectors:
            if self.ages.known(group) and (self.inp[first + 1] or self.inp[first]):
                good += self.inp[first + 1]
                high[2] += 1
                high[1] = min(self.inp[first], high[0])  # of one alone 0: nothing was higher yet
                high[0] = max(self.inp[first], high[0])
        return good

    def _rise(self, elapsed):
        """Once a second: hydrogen or carbon monoxide against what it was RISE_S seconds ago.

        It must have risen as fast over the later half of them: a puff that stays is row 9's, or
        10a's.
        """
        clock, history = self.clock, self.history
        clock[0] += elapsed
        if clock[0] < self.second_ticks:
            return
        clock[0] %= self.second_ticks  # what is beyond belongs to the next second
        clock[1] = (clock[1] + 1) % RISE_S
        known = self.known[m.F_TOXIC_PPM]
        now = self.value[m.F_TOXIC_PPM] if known else NO_HISTORY_PPM
        before = history[clock[1]]
        later = RISE_S + clock[1] % HALF_S
        # the half of 51 is 25; -1, not known, takes none away
        rise = min(now - before, 2 * (now - history[later]) + 1)
        self._put(m.F_TOXIC_RISE_PPM, rise, known if before != NO_HISTORY_PPM else 0)
        history[clock[1]] = history[later] = now

    def _known(self, good, fitted):
        return 0 if not self.high[2] else m.KNOWN if good == fitted else m.IN_PART
