"""The real control function, and plain following with the same slow reference."""

import numpy as np

from controller.core import parameters
from controller.core.base import hint_sources
from controller.core.policies import contract
from controller.core.policies.found import Found
from controller.core.policies.known import Known
from controller.core.policies.site_load import MEASURED
from controller.core.policies.track import Track
from hil.campaigns.smooth.paths import TICK_MS, Path
from hil.campaigns.smooth.simulator import RATED_W, SOC_START, TICK_S, ENERGY_Wh

SOC_TARGET_permille = 550
SHARE = 0.25  # of the energy that the largest step costs


def function(path: Path, believed_ms: int | None = None, range_W_max: int | None = None) -> Track:
    """Load tracking as a site with this path has it. believed_ms: the delay in its settings;
    range_W_max: the 5 s range that it states.
    """
    settings = {row[0]: row[4] for row in parameters.CONTROL_PARAMETERS}
    settings |= {
        "track_path_delay_ms": believed_ms or path.delay_ms,
        "track_sample_ms": path.sample_ms,
        "energy_Wh": ENERGY_Wh,
        "soc_target_permille": SOC_TARGET_permille,
        "track_lag_ms": path.lag_ms,
    }
    if range_W_max is not None:
        settings["range_5s_W_max"] = range_W_max
    return Track(contract.Setup(settings, TICK_MS, RATED_W, hint_sources.image(())))


class Ours:
    """The control function, with what it reads of a tick."""

    def __init__(self, seen_W: np.ndarray, path: Path, track: Track | None = None) -> None:
        """seen_W: in each tick; track: default: that of the path."""
        self._track = track or function(path)
        self._seen_W = np.rint(seen_W).astype(int).tolist()
        self._sample_ticks = path.sample_ticks
        self._found = Found()
        self._found.load_source = MEASURED
        self._found.left_low_W, self._found.left_high_W = -RATED_W, RATED_W

    def request_W(self, tick: int, soc: float, setpoint_W: float) -> int:
        """The function's request, W."""
        found, permille = self._found, int(soc * 1000)
        found.load_W, found.is_load_new = self._seen_W[tick], tick % self._sample_ticks == 0
        found.left_setpoint_W = int(setpoint_W)
        known = Known(is_running=True, soc_permille=(permille, permille))
        return self._track.step(known, found, 1)[0].power_W


class Plain:
    """The last value of the meter, less the slow reference R that the study gives.

    R' = (m + (E* - E) / T - R) / (T / 4); m' = (R - m) / (4 T); R is held in available power.
    """

    def __init__(self, seen_W: np.ndarray, path: Path):
        """seen_W: in each tick."""
        self._seen_W = seen_W.tolist()
        step_s = SHARE * ENERGY_Wh * 3600 / RATED_W
        self._gain_W = ENERGY_Wh * 3600 / step_s
        self._fast, self._slow = 4 * TICK_S / step_s, TICK_S / (4 * step_s)
        self._filter = TICK_MS / (TICK_MS + 2 * path.delay_ms)
        self._reference_W = self._low_W = self._seen_W[0]
        self._mean_W = self._reference_W - self._missing_W(SOC_START)

    def _missing_W(self, soc: float) -> float:
        missing_W = (SOC_TARGET_permille / 1000 - int(soc * 1000) / 1000) * self._gain_W
        return min(max(missing_W, -RATED_W), RATED_W)

    def request_W(self, tick: int, soc: float, setpoint_W: float) -> float:
        """The last value less the reference, W."""
        self._low_W += (self._seen_W[tick] - self._low_W) * self._filter
        aim_W = self._mean_W + self._missing_W(soc)
        reference_W = self._reference_W + (aim_W - self._reference_W) * self._fast
        reference_W = min(max(reference_W, self._low_W - RATED_W), self._low_W + RATED_W)
        self._mean_W += (reference_W - self._mean_W) * self._slow
        self._reference_W = reference_W
        return self._seen_W[tick] - reference_W
