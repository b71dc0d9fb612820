"""Followers decide a battery's power from the load: the real control function and rivals."""

import numpy as np

from controller.core import parameters
from controller.core.base import hint_sources
from controller.core.policies import contract
from controller.core.policies.found import Found
from controller.core.policies.known import Known
from controller.core.policies.site_load import MEASURED
from controller.core.policies.track import Track
from hil.campaigns.smooth import simulator
from hil.campaigns.smooth.paths import TICK_MS, Path
from hil.campaigns.smooth.simulator import RATED_W, SOC_START, TICK_S, ENERGY_Wh

SOC_TARGET_permille = 550
SHARE = 0.25  # part of the energy that the largest step may cost
STEP_S = SHARE * ENERGY_Wh * 3600 / RATED_W
# Settings of the rivals: time constant of HighPass, s; part of the load's peak that RampLimit
# allows per second.
HIGH_PASS_S, RAMP_PER_S = 60.0, 0.002


def function(path: Path, believed_ms: int | None = None, range_W_max: int | None = None) -> Track:
    """Load tracking on a site with this path. believed_ms: path delay in its settings, if not that
    of the path. range_W_max: 5 s range that it states.
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
    """The control function as a follower."""

    def __init__(self, seen_W: np.ndarray, path: Path, track: Track) -> None:
        """seen_W: in each tick."""
        self._track = track
        self._seen_W = np.rint(seen_W).astype(int).tolist()
        self._sample_ticks = path.sample_ticks
        self._found = Found()
        self._found.load_source = MEASURED
        self._found.left_low_W, self._found.left_high_W = -RATED_W, RATED_W

    def request_W(self, tick: int, soc: float, setpoint_W: float) -> int:
        """The function's request, W."""
        findings, permille = self._found, int(soc * 1000)
        findings.load_W, findings.is_load_new = self._seen_W[tick], tick % self._sample_ticks == 0
        findings.left_setpoint_W = int(setpoint_W)
        known = Known(is_running=True, soc_permille=(permille, permille))
        return self._track.step(known, findings, 1)[0].power_W


def ours(load_W: np.ndarray, path: Path, track: Track | None = None) -> simulator.Result:
    """Play the load with the control function. track: None for that of the path."""
    follower = Ours(simulator.seen_W(load_W, path), path, track or function(path))
    return simulator.run(follower, load_W, path)


def missing_W(soc: float) -> float:
    """Power that a reference adds to bring the charge back to its target, W."""
    away = SOC_TARGET_permille / 1000 - int(soc * 1000) / 1000
    return min(max(away * ENERGY_Wh * 3600 / STEP_S, -RATED_W), RATED_W)


class Plain:
    """The last value of the meter minus the slow reference R of the study.

    R' = (m + (E* - E) / T - R) / (T / 4); m' = (R - m) / (4 T). E* is the target of the energy E, T
    is STEP_S. R stays within rated power of the load.
    """

    def __init__(self, seen_W: np.ndarray, path: Path):
        """seen_W: in each tick."""
        self._seen_W = seen_W.tolist()
        self._fast, self._slow = 4 * TICK_S / STEP_S, TICK_S / (4 * STEP_S)
        self._filter = TICK_MS / (TICK_MS + 2 * path.delay_ms)
        self._reference_W = self._low_W = self._seen_W[0]
        self._mean_W = self._reference_W - missing_W(SOC_START)

    def request_W(self, tick: int, soc: float, setpoint_W: float) -> float:
        """The last value minus the reference, W."""
        self._low_W += (self._seen_W[tick] - self._low_W) * self._filter
        aim_W = self._mean_W + missing_W(soc)
        reference_W = self._reference_W + (aim_W - self._reference_W) * self._fast
        reference_W = min(max(reference_W, self._low_W - RATED_W), self._low_W + RATED_W)
        self._mean_W += (reference_W - self._mean_W) * self._slow
        self._reference_W = reference_W
        return self._seen_W[tick] - reference_W


class HighPass:
    """The load minus its mean of about a minute. The mean also brings the charge back."""

    def __init__(self, seen_W: np.ndarray, peak_W: float):
        """seen_W: in each tick; peak_W: the load's highest power."""
        self._seen_W, self._reference_W = seen_W.tolist(), float(seen_W[0])
        self._step_W = RAMP_PER_S * peak_W * TICK_S

    def request_W(self, tick: int, soc: float, setpoint_W: float) -> float:
        """The load minus the reference, W."""
        load_W = self._seen_W[tick]
        self._reference_W += self._moved_W(load_W + missing_W(soc) - self._reference_W)
        return load_W - self._reference_W

    def _moved_W(self, away_W: float) -> float:
        """Change of the reference in a tick, W."""
        return away_W * TICK_S / HIGH_PASS_S


class RampLimit(HighPass):
    """The grid moves by at most RAMP_PER_S of the load's peak in a second."""

    def _moved_W(self, away_W: float) -> float:
        return min(max(away_W, -self._step_W), self._step_W)


RIVALS = {"high_pass": HighPass, "ramp_limit": RampLimit}
