"""Computes features that come from several contacts.

They are E-stop and key (two contacts each), the votes of smoke and heat detectors, fan and damper.
"""

from safety import matrix as m, parameters as p, signals as s
from safety.feature_arrays import FeatureArrays


class Fire:
    """Computes the features of the contacts of one cabinet."""

    def __init__(self, features: FeatureArrays) -> None:
        self.inp, self.out, self.ages = features.inp, features.out, features.ages
        self._put, image, cabinet = features.put, features.image, features.map.cabinet
        self.zones = image[cabinet + p.P_SMOKE_ZONES]
        self.heat_fitted = image[cabinet + p.P_HEAT_FITTED]
        self.key_service_fitted = image[cabinet + p.P_KEY_SERVICE_FITTED]

    def update_buttons(self, known: int) -> None:
        """Compare the two contacts of the emergency stop. known: 1 while both are known."""
        inp = self.inp
        self._put(m.F_ESTOP_DISCREPANCY, 1 if inp[s.ESTOP_1_OK] != inp[s.ESTOP_2_OK] else 0, known)

    def update(self, io_1: int, io_2: int, io_3: int) -> None:
        """Compute the other features. io_1 to io_3: 1 while the contacts of a module are known."""
        inp, fan_on = self.inp, self.out[s.FAN_ON]
        if self.key_service_fitted:
            same = inp[s.KEY_RUN_OK] == inp[s.KEY_SERVICE_CLOSED]
            self._put(m.F_KEY_DISCREPANCY, 1 if same else 0, io_1 & io_3)
        self._put(m.F_FIRE_DETECTORS, self._detectors(), io_2)
        airflow_ok, damper_ok = inp[s.AIRFLOW_OK], inp[s.DAMPER_OK]
        # While the fan is off, an open contact shows neither a failure nor its end.
        self._put(
            m.F_AIRFLOW_MISSING,
            1 if fan_on and not airflow_ok else 0,
            io_1 if fan_on | airflow_ok else io_1 * m.IN_PART,
        )
        self._put(
            m.F_DAMPER_MISSING,
            1 if fan_on and not damper_ok else 0,
            io_3 if fan_on | damper_ok else io_3 * m.IN_PART,
        )

    def key_is_out(self) -> int:
        """1 while the key is known to be out of RUN.

        A key switch with two contacts must show it by both, because a broken wire opens only one.
        """
        inp = self.inp
        if inp[s.KEY_RUN_OK] or not self.ages.known(s.G_IO_1):
            return 0
        if not self.key_service_fitted:
            return 1
        return 1 if inp[s.KEY_SERVICE_CLOSED] and self.ages.known(s.G_IO_3) else 0

    def _detectors(self) -> int:
        """Number of smoke zones and heat detectors in alarm: 1 is row 4 of the matrix, 2 row 5."""
        inp = self.inp
        smoke = (self.zones > 0 and not inp[s.SMOKE_1_OK]) + (
            self.zones > 1 and not inp[s.SMOKE_2_OK]
        )
        return smoke + (self.heat_fitted > 0 and not inp[s.HEAT_OK])
