"""The grid connection and its transformer: presence, outages, dips, voltage, frequency."""

import math
import random
from collections.abc import Sequence

PHASE_V, FREQUENCY_HZ = 230.0, 50.0
SAG_V_PER_W = 1e-5  # about 10 mohm of line per phase: 5 V at 500 kW
SAG_V_MAX = 23.0  # band of EN 50160; a tap changer keeps the voltage in it at any load
SAG_RATED_W = 500_000.0  # a connection above this has a line of lower resistance
DRIFT_US = 100_000


class Grid:
    """outages: (at_s, for_s); dips: (at_s, for_s, permille of voltage left[, Hz that it falls])."""

    def __init__(
        self,
        seed: object = 0,
        import_W_max: float = SAG_RATED_W,
        outages: Sequence[Sequence[float]] = (),
        dips: Sequence[Sequence[float]] = (),
    ) -> None:
        self._random = random.Random(f"{seed}/grid")
        self._sag_V_per_W = SAG_V_PER_W * SAG_RATED_W / max(SAG_RATED_W, import_W_max)
        self._outages, self._dips = [*outages], [*dips]
        self._drifted_us = 0
        self._left, self._fall_Hz = 1.0, 0.0
        self._drifted_V, self._drifted_Hz = PHASE_V, FREQUENCY_HZ
        self.is_present = True

    @property
    def voltage_V(self) -> float:
        """Voltage of one phase, V."""
        return self._drifted_V * self._left if self.is_present else 0.0

    @property
    def frequency_Hz(self) -> float:
        """Frequency of the grid, Hz, without a meaning while the grid is not present."""
        return self._drifted_Hz - self._fall_Hz

    def cut(self, at_s: float, for_s: float) -> None:
        """Add an outage."""
        self._outages.append((at_s, for_s))

    def dip(self, at_s: float, for_s: float, left_permille: float, fall_Hz: float) -> None:
        """Add a dip."""
        self._dips.append((at_s, for_s, left_permille, fall_Hz))

    def look(self, now_us: int) -> None:
        """Apply the outages and dips of this moment."""
        if not (self._outages or self._dips):
            return
        now_s = now_us / 1e6
        self.is_present = not any([at_s <= now_s < at_s + for_s for at_s, for_s in self._outages])
        present_dips = [dip for at_s, for_s, *dip in self._dips if at_s <= now_s < at_s + for_s]
        self._left = min([1000.0, *[dip[0] for dip in present_dips]]) / 1000
        self._fall_Hz = math.fsum([dip[1] for dip in present_dips if len(dip) > 1])

    def drift(self, now_us: int, power_W: float) -> None:
        """Let the frequency drift, and the voltage sag with the import, ten times a second."""
        if now_us - self._drifted_us < DRIFT_US:
            return
        self._drifted_us = now_us
        gauss = self._random.gauss
        self._drifted_Hz += 0.02 * (FREQUENCY_HZ - self._drifted_Hz) + gauss(0.0, 0.002)
        sag_V = max(-SAG_V_MAX, min(SAG_V_MAX, power_W * self._sag_V_per_W))
        self._drifted_V += 0.05 * (PHASE_V - sag_V - self._drifted_V) + gauss(0.0, 0.05)
