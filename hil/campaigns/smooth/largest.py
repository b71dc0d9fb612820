"""Plays one load with each way to calm it: load tracking on two paths, capacitors at racks.

The load is that of the GPUs, with their power smoothing if asked. A capacitor at the racks
(hil/site/racks.py) changes this load into the power of the feed. The battery follows a meter at the
feed or at the racks. A capacitor behind the meter delays the feed, so load tracking is set to the
rest of the path delay.

The capacitor gives at most the load's peak. The efficiency of a capacitor is unknown, so no losses
are assumed. The battery of the simulator gives at most RATED_W and loses 1 - EFFICIENCY each way.
"""

import functools
import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from controller.audit import judge, rules
from controller.audit.samples import GRID, LOAD, Piece
from hil.campaigns.smooth import followers, loads, notices, simulator, spectra
from hil.campaigns.smooth.paths import PATHS, Path
from hil.campaigns.smooth.simulator import EFFICIENCY, RATED_W, TICK_S
from hil.site.racks import DEFAULTS, Capacitor, Smoothing

NERC = "NERC's ramp"
BUILT_IN = (NERC, "training")
# NERC's ramp rises in RISE_ms. It is repeated, so the load lasts 640 s.
RISE_ms, REPEATS = 250, 8
FROM_S = 10.0  # judged from here on: tracking and filters have begun
BELIEVED_MS_MIN = 20
RACKS, FEED = "racks", "feed"
ALONE = "alone"  # without battery and capacitor
OFF_ms = 0, 100, 200  # errors of a notice's time


class Racks(NamedTuple):
    """Settings at the racks (hil/site/racks.py). Percentages are of the load's highest power."""

    J_per_kW: float
    floor_pct: float
    ramp_pct_per_s: float
    hysteresis_s: float
    meter: str  # RACKS or FEED
    range_pct: float | None = None  # 5 s range that the site states


class Way(NamedTuple):
    """Powers of each tick. feed_W: load that the battery calms; grid_W: what the grid feeds."""

    feed_W: np.ndarray
    grid_W: np.ndarray


class Case(NamedTuple):
    """A load to play. source: None for NERC's ramp; paths: names of PATHS."""

    source: loads.Source | None
    paths: tuple[str, ...]
    racks: Racks
    has_notices: bool = False  # its steps are announced, instead of capacitors

    @property
    def name(self) -> str:
        """Name of the load."""
        return self.source.name if self.source else NERC


class Played:
    """A load and its grid as a source of the audit."""

    path, meter_s, begin_utc_s = "this load", TICK_S, None

    def __init__(self, load_W: np.ndarray, grid_W: np.ndarray) -> None:
        first = round(FROM_S / TICK_S)
        self._values = {LOAD: load_W[first:], GRID: grid_W[first:]}

    def pieces(self) -> Iterator[Piece]:
        """See Source of the audit."""
        yield Piece(np.arange(len(self._values[LOAD])) * TICK_S, self._values)


def nerc_W() -> np.ndarray:
    """Mean power of NERC's ramp in each tick."""
    return np.tile(spectra.ramp_W(RISE_ms), REPEATS)


def load_of(source: loads.Source | None) -> tuple[str, np.ndarray]:
    """(kind, power of each tick). LoadError."""
    if source is None:
        return "as is", nerc_W()
    load = loads.read(source)
    kind = load.kinds[0]
    return kind, loads.ticks_W(load, kind, source.name)


def played(case: Case) -> dict:
    """Figures of the load. ways: {way: {rule: largest site in MW}}; lost_pct: see lost_pct."""
    kind, gpus_W = load_of(case.source)
    ways = ways_of(gpus_W, case)
    return {
        "load": case.name,
        "kind": kind,
        "seconds": len(gpus_W) * TICK_S,
        "peak_W": float(gpus_W.max()),
        "battery_W": RATED_W,
        "lost_pct": lost_pct(gpus_W, ways, case),
        "ways": {name: sizes(gpus_W, way.grid_W) for name, way in ways.items()},
    }


def ways_of(gpus_W: np.ndarray, case: Case) -> dict[str, Way]:
    """{name: way to calm the load}."""
    if case.has_notices:
        return _ways_by_notices(gpus_W, case.paths)
    smooth_W, feed_W = racks_W(gpus_W, case.racks)
    ways = {ALONE: Way(gpus_W, gpus_W), "racks": Way(feed_W, feed_W)}
    for name in case.paths:
        path = PATHS[name]
        ways[f"{name} ms"] = _tracked(smooth_W, smooth_W, path, path.delay_ms, case.racks)
        is_inside = case.racks.meter == RACKS
        covered_ms = round(case.racks.J_per_kW) if is_inside else 0
        believed_ms = max(BELIEVED_MS_MIN, path.delay_ms - covered_ms)
        metered_W = smooth_W if is_inside else feed_W
        ways[f"{name} ms + c"] = _tracked(metered_W, feed_W, path, believed_ms, case.racks)
    return ways


def _ways_by_notices(load_W: np.ndarray, paths: Sequence[str]) -> dict[str, Way]:
    """Load tracking without notices, and with a notice of each step. A notice is on time, or by so
    much early and late in turn.
    """
    ways, steps = {ALONE: Way(load_W, load_W)}, notices.steps_of(load_W)
    for name in paths:
        path = PATHS[name]
        ways[f"{name} ms"] = Way(load_W, followers.ours(load_W, path).grid_W)
        for off_ms in OFF_ms:
            turns = zip(steps, itertools.cycle((off_ms, -off_ms)))
            announced = [step._replace(time_ms=step.time_ms + shift_ms) for step, shift_ms in turns]
            follower = notices.Noticed(simulator.seen_W(load_W, path), path, announced)
            grid_W = simulator.run(follower, load_W, path).grid_W
            ways[f"{name} ms, {off_ms} ms off"] = Way(load_W, grid_W)
    return ways


def lost_pct(gpus_W: np.ndarray, ways: dict[str, Way], case: Case) -> dict[str, float]:
    """Percent of the load's energy: added (floor) and withheld by power smoothing, and lost in the
    battery of each way.
    """
    added_W = ways[f"{case.paths[0]} ms"].feed_W - gpus_W
    sums_W = {"floor": added_W.clip(0).sum(), "withheld": (-added_W).clip(0).sum()}
    for name, (feed_W, grid_W) in ways.items():
        battery_W = feed_W - grid_W
        shares = np.where(battery_W > 0, 1 / EFFICIENCY - 1, EFFICIENCY - 1)
        sums_W[name] = (battery_W * shares).sum()
    return {name: 100 * float(sum_W / gpus_W.sum()) for name, sum_W in sums_W.items()}


def racks_W(gpus_W: np.ndarray, racks: Racks) -> tuple[np.ndarray, np.ndarray]:
    """(power of the GPUs after their smoothing, power of the feed)."""
    peak_W = float(gpus_W.max())
    rate_W_per_s = peak_W * racks.ramp_pct_per_s / 100
    parameters = DEFAULTS | {
        "rated_W": peak_W,
        "J_per_kW": racks.J_per_kW,
        "floor_permille": 10 * racks.floor_pct,
        "hysteresis_s": racks.hysteresis_s,
        "up_W_per_s": rate_W_per_s,
        "down_W_per_s": rate_W_per_s,
    }
    smoothing, capacitor = Smoothing(parameters), Capacitor(parameters)
    smooth_W = np.array([smoothing.step(TICK_S, each_W) for each_W in gpus_W.tolist()])
    return smooth_W, np.array([capacitor.step(TICK_S, each_W) for each_W in smooth_W.tolist()])


def _tracked(
    metered_W: np.ndarray, feed_W: np.ndarray, path: Path, believed_ms: int, racks: Racks
) -> Way:
    allowed_W = None
    if racks.range_pct is not None:
        allowed_W = round(float(metered_W.max()) * racks.range_pct / 100)
    seen_W = simulator.seen_W(metered_W, path)
    track = followers.function(path, believed_ms, allowed_W)
    return Way(feed_W, simulator.run(followers.Ours(seen_W, path, track), feed_W, path).grid_W)


def sizes(gpus_W: np.ndarray, grid_W: np.ndarray) -> dict[str, float | None]:
    """{rule: largest site in MW that passes}; None: the load is too short for the rule."""
    audit = judge.audit(Played(gpus_W, grid_W), chosen_rules(), None)
    of_grid = [verdict for verdict in audit.verdicts if verdict.series == judge.SERIES[GRID]]
    return {verdict.rule.title: verdict.site_MW_max for verdict in of_grid}


@functools.cache
def chosen_rules() -> list[rules.Rule]:
    """The shipped rules that limit a power."""
    shipped = [rule for name in rules.usual() for rule in rules.load(name)]
    return [rule for rule in shipped if rule.quantity != rules.RIDE]
