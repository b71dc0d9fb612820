"""The votes of the gas detectors. A silent or faulty one may hide gas, so the others alone show nothing to be clear."""

from safety import matrix as m
from safety import parameters as p
from safety import signals as s


class Gas:
    """The gas features of a cabinet, written into `value` and `known` of its features."""

    def __init__(self, image, image_map, features):
        self.inp, self.fresh, self.ages = features.inp, features.fresh, features.ages
        self.value, self.known = features.value, features.known
        self.fitted = image[image_map.cabinet + p.P_GAS_DETECTORS]
        self.required = image[image_map.cabinet + p.P_GAS_REQUIRED]

    def update(self):
        """Vote anew when a detector has news or is silent for longer than it may (never heard: since the start)."""
        ticks, budget_ticks = self.ages.ticks, self.ages.budget_ticks[s.G_GAS_1]
        if (self.fresh[s.G_GAS_1] or self.fresh[s.G_GAS_2] or ticks[s.G_GAS_1] > budget_ticks
                or ticks[s.G_GAS_2] > budget_ticks):
            self._vote()

    def _vote(self):
        lfl_permille = faulty = silent = good = 0
        calibration_d = s.INT_MAX
        for detector in range(self.fitted):
            group = s.G_GAS_2 if detector else s.G_GAS_1
            first = s.GAS_2_LFL_PERMILLE if detector else s.GAS_1_LFL_PERMILLE
            if not self.ages.known(group):
                silent += self.ages.seen[group]
                continue
            calibration_d = min(calibration_d, self.inp[first + 2])
            if self.inp[first + 1]:
                good += 1
                lfl_permille = max(lfl_permille, self.inp[first])
            else:
                faulty += 1
        every = m.KNOWN if good + faulty == self.fitted else m.IN_PART
        self._put(m.F_GAS_LFL_PERMILLE_MAX, lfl_permille,
                  0 if not good else m.KNOWN if good == self.fitted else m.IN_PART)
        self._put(m.F_GAS_DETECTORS_FAULTY, faulty, every)
        self._put(m.F_GAS_DETECTORS_SILENT, silent, m.KNOWN)
        self._put(m.F_GAS_CALIBRATION_D_MIN, calibration_d, every if good + faulty else 0)
        seen = self.ages.seen[s.G_GAS_1] | self.ages.seen[s.G_GAS_2]
        self._put(m.F_GAS_DETECTORS_LOST, 1 if self.required and seen and not good else 0, m.KNOWN)

    def _put(self, feature, value, known):
        self.value[feature] = value
        self.known[feature] = known
