"""Plays three months (a quarter) on a tariff with a demand charge, second by second.

The safety kernel is left out (chain-only mode). The controller restarts, and its clock is silent,
or wrong within the error that it states.

Intervals follow the true time. An interval counts as impossible in two cases. First, at its start
the energy above the reserve, less hysteresis and losses, is too low. Second, it contains a restart,
and even the battery's full power in the rest of the interval cannot make up for the import before.
While the clock is unknown after a restart, the controller need only keep the limit at each moment.
"""

import random
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from controller.system import toml_text
from hil.site.site import Site
from hil.systems import run
from hil.systems.member import DAY_S, ChainMember
from hil.systems.series import Series, before_of, series_of, site_of
from hil.systems.spec import Spec, of_table

SITE = Path(__file__).parent / "site.toml"
CLOCK = "clock_1"
ROUNDING_W = 1.0
ONE_WAY = 0.93  # the share of the stored energy that reaches the connection
RESTARTS_PER_DAY = 2
DOWN_S, BLIND_S = (5, 600), (0, 300)  # ranges: length of a restart; then time without a clock
# ranges: time that a clock error lasts; stated error
CLOCK_S, ERROR_MS = (1800, 21_600), (300, 30_000)


class Restart(NamedTuple):
    """The controller is down for down_s. Then its clock is silent for blind_s."""

    down_s: int
    blind_s: int


class Clock(NamedTuple):
    """A clock whose messages are late by off_s and state the error error_ms."""

    off_s: float
    error_ms: int


def restarts(seed: int, days: int) -> dict[int, Restart]:
    """{second of the run: a restart} at random moments."""
    rng = random.Random(f"{seed}/restarts")
    count = days * RESTARTS_PER_DAY
    moments = sorted(rng.sample(range(1, days * DAY_S), count))
    return {at_s: Restart(rng.randint(*DOWN_S), rng.randint(*BLIND_S)) for at_s in moments}


def clocks(seed: int, days: int) -> dict[int, Clock]:
    """{second of the run: the clock from then on}, with a true error within the stated error."""
    rng, at_s, by_second = random.Random(f"{seed}/clocks"), 0, {}
    while at_s < days * DAY_S:
        error_ms = round(ERROR_MS[0] * (ERROR_MS[1] / ERROR_MS[0]) ** rng.random())
        by_second[at_s] = Clock(rng.uniform(-error_ms, error_ms) / 1000, error_ms)
        at_s += rng.randint(*CLOCK_S)
    return by_second


class Member(ChainMember):
    """A controller that can restart."""

    _down_until_s = 0

    @property
    def is_down(self) -> bool:
        """True while the controller does not run, so that the converters are at 0."""
        return self.now_s < self._down_until_s

    @property
    def energy_Wh(self) -> float:
        """The energy that peak shaving may still give."""
        settings, soc = self.loop.settings, min(unit.battery.soc for unit in self.pcs)
        kept = settings["soc_reserve_backup_permille"] + settings["soc_reserve_hysteresis_permille"]
        return ONE_WAY * max(0.0, soc - kept / 1000) * settings["energy_Wh"]

    def restart(self, down_s: int) -> None:
        """Forget everything except what the store holds, which is the import of the interval."""
        before = self.loop.decision
        self._prepare()
        self.image.put("peak", before.control.functions["peak_shaving"].out)
        self.loop.decision.health.state[:] = before.health.state
        self._down_until_s = self.now_s + 1 + down_s

    def advance(self, dt_s: float, now_us: int) -> None:
        """See ChainMember."""
        if self.now_s + 1 >= self._down_until_s:
            super().advance(dt_s, now_us)
            return
        self.now_s += 1
        for unit in self.pcs:
            unit.battery.step(unit.ac_power_W, dt_s)
            unit.ac_power_W = 0.0


class Quarter(run.Run):
    """Values of each second. needed_W: the import if the battery gave nothing; able_W: power that
    the battery can give; energy_Wh: energy that it may still give; is_down: the controller does not
    run; is_blind: its clock is unknown after a restart.
    """

    def __init__(self, spec: Spec, series: Series, site: Site, member: Member, seed: int) -> None:
        """seed: for the restarts and the clocks."""
        super().__init__(spec, series, before_of(spec, {}), site, [member])
        self.member: Member = member
        self._restarts, self._clocks = restarts(seed, spec.days), clocks(seed, spec.days)
        self._blind_until_s = 0
        count = spec.days * DAY_S
        self.needed_W, self.able_W, self.energy_Wh = np.zeros((3, count), np.float32)
        self.is_down, self.is_blind = np.zeros((2, count), bool)

    def second(self, second: int) -> None:
        """Play one second, as Run does."""
        member = self.member
        if restart := self._restarts.get(second):
            member.restart(restart.down_s)
            self._blind_until_s = second + restart.down_s + restart.blind_s
        if clock := self._clocks.get(second):
            member.clock_off_s, member.clock_error_ms = clock
        member.silent = frozenset([CLOCK]) if second < self._blind_until_s else frozenset()
        self.site.step(1.0)
        grid_W = self.site.grid_power_W
        self._seconds[:, second] = self.site.load_power_W, grid_W
        self.needed_W[second] = grid_W + self.site.battery_W
        self.able_W[second] = sum(member.loop.limits.discharge_W)
        self.energy_Wh[second] = member.energy_Wh
        self.is_down[second] = member.is_down
        self.is_blind[second] = second < self._blind_until_s


def quarter(seed: int, days: int, limit_W: int, interval_s: int) -> Quarter:
    """A quarter of a year that is ready to run."""
    table = toml_text.read(SITE) | {"days": days, "seed": seed}
    table["battery"]["control"] = {"peak_import_W_max": limit_W, "peak_interval_s": interval_s}
    table["schedule"] = {"is_trading": False}  # peak shaving alone keeps the limit
    spec = of_table(table, SITE.name)
    site = site_of(spec, {})
    (member,) = run.members_of(spec, site, Member)
    return Quarter(spec, series_of(spec, {}), site, member, seed)


def play(seed: int, days: int, limit_W: int, interval_s: int) -> dict[str, Any]:
    """Play a quarter. Returns plain data."""
    played = quarter(seed, days, limit_W, interval_s)
    grid_W = played.all_days().seconds_W[1]
    counts = judged(grid_W, played, limit_W, interval_s)
    return {"interval_min": interval_s // 60, "days": days, "limit_W": limit_W} | counts


def judged(grid_W: np.ndarray, played: Any, limit_W: float, interval_s: int) -> dict[str, Any]:
    """Counts of intervals. grid_W: the import in each second of the played Quarter."""
    mean_W, needed_W = _means(grid_W, interval_s), _means(played.needed_W, interval_s)
    energy_Wh, is_down = played.energy_Wh[::interval_s], played.is_down.reshape(-1, interval_s)
    least_W = needed_W - energy_Wh * 3600 / interval_s
    with_restart_W = _least_after(grid_W, played, is_down, limit_W)
    is_over, is_energy_short = mean_W > limit_W + ROUNDING_W, least_W > limit_W
    is_power_short = ~is_energy_short & (with_restart_W > limit_W)
    wrong = np.flatnonzero(is_over & ~is_energy_short & ~is_power_short)
    used_W = mean_W[needed_W > limit_W]
    possible = mean_W[~is_energy_short & ~is_power_short]
    return {
        "intervals": len(mean_W),
        "needed_over": int((needed_W > limit_W).sum()),
        "with_restart": int(is_down.any(axis=1).sum()),
        "over": len(wrong),
        "over_at_s": (wrong * interval_s).tolist(),
        "over_W": float((mean_W[wrong] - limit_W).max(initial=0.0)),
        "over_all": int(is_over.sum()),
        "energy_short": int(is_energy_short.sum()),
        "ideal_short": ideal_short(needed_W, played, limit_W, interval_s),
        "power_short": int(is_power_short.sum()),
        "highest_permille": round(1000 * float(possible.max(initial=0.0)) / limit_W, 1),
        "used_permille": round(1000 * float(used_W.mean()) / limit_W, 1) if len(used_W) else None,
    }


def ideal_short(needed_W: np.ndarray, played: Any, limit_W: float, interval_s: int) -> int:
    """Number of intervals that a battery cannot keep even if it always charges to the limit."""
    stored_Wh = full_Wh = float(played.energy_Wh.max())
    count, rated_W = 0, float(played.able_W.max())
    for needed in needed_W.tolist():
        room_Wh = min(limit_W - needed, rated_W) * interval_s / 3600
        count += room_Wh < -stored_Wh
        gained_Wh = room_Wh * ONE_WAY**2 if room_Wh > 0 else room_Wh
        stored_Wh = min(full_Wh, max(0.0, stored_Wh + gained_Wh))
    return count


def _least_after(
    grid_W: np.ndarray, played: Any, is_down: np.ndarray, limit_W: float
) -> np.ndarray:
    """The lowest possible mean import of each interval with a restart, W; 0 for the others. Until
    the end of the last restart the real import counts, but at most the limit where the battery
    could have kept the limit. After that the battery gives all its power.
    """
    interval_s = is_down.shape[1]
    grid_W = grid_W.reshape(is_down.shape)
    least_W = np.maximum(0.0, played.needed_W - played.able_W)
    blind_W = np.maximum(least_W, np.minimum(played.needed_W, limit_W))
    least_W = np.where(played.is_blind, blind_W, least_W).reshape(is_down.shape)
    kept_W = np.minimum(grid_W, np.maximum(limit_W, least_W))
    before_W = np.where(is_down, grid_W, kept_W)
    restarted_s = interval_s - is_down[:, ::-1].argmax(axis=1)
    is_before = np.arange(interval_s) < restarted_s[:, None]
    mean_W = np.where(is_before, before_W, least_W).mean(axis=1)
    return np.where(is_down.any(axis=1), mean_W, 0.0)


def _means(power_W: np.ndarray, interval_s: int) -> np.ndarray:
    """Mean import of each interval, W; an export counts as 0."""
    return np.maximum(0.0, power_W).reshape(-1, interval_s).mean(axis=1, dtype=np.float64)
