"""Measures the part of an announced step that reaches the grid, by the error of its notice.

The step of 100 kW comes before, at or after the announced time, or not at all. The comparison is
the step without a notice. A new source is only watched; a source that was right once moves the
battery. Steps further off their time than the product allows are printed, but not judged.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from controller.core.tracking.announced import A_CREDIT_W_MS, Announced, Notice
from hil.campaigns.smooth import followers, loads, notice_life, rules, simulator
from hil.campaigns.smooth.paths import PATHS, TICK_MS, Path
from hil.runner.cases import Runner

STEP_W, LEVEL_W = 100_000, 200_000
BEFORE_S, AFTER_S = 5, 10
EDGES_ms, PHASE_ms = (0, 100), 5
LATE_ms = (-50, -20, 0, 20, 50)  # delay of the step; below 0: early
FAR_ms = (-200, -150, -100, 100, 150, 200)  # delays beyond those that the product allows
UNANNOUNCED, WRONG = "none", "wrong"
NEW, ONCE = "new", "right once"  # kinds of sources
# Highest part of the step that may reach the grid, in 2 s means. Longer path delays are not judged.
SHARE_MAX_pct, JUDGED_DELAY_ms = 5.0, 250
MEANS_S = 2.0
VALID_MS = 1000
STEP_PART, STEP_S = 0.1, 0.3  # least size of a step, of the load's peak, and its longest time
# Limits of the 5 s range, % of the step. A wrong notice may cost one pulse. NEAR_pct: tolerance for
# a new source.
ONE_PULSE_pct, NEAR_pct = 110.0, 1.0


class Step(NamedTuple):
    """A step of the load; time_ms: of its middle."""

    time_ms: float
    step_W: int


class Job(NamedTuple):
    """A step to play. notice: UNANNOUNCED, WRONG, or the delay of the step in ms."""

    path: str
    edge_ms: int
    notice: str | int
    source: str = NEW


class Noticed(followers.Ours):
    """The control function with a source that announces steps, one at a time."""

    def __init__(
        self, seen_W: np.ndarray, path: Path, steps: Sequence[Step], source: str = NEW
    ) -> None:
        """steps: in the order of their times."""
        track = followers.function(path)
        track.announced = Announced(TICK_MS, path.sample_ms, 1, 1000)
        if source == ONCE:
            track.announced.words[A_CREDIT_W_MS] = 0
        super().__init__(seen_W, path, track)
        self._steps = list(reversed(steps))

    def request_W(self, tick: int, soc: float, setpoint_W: float) -> int:
        """See Ours."""
        now_ms, steps = tick * TICK_MS, self._steps
        while steps and steps[-1].time_ms < now_ms - VALID_MS / 2:
            steps.pop()
        self._found.notices = ()
        if steps:
            left_ms = max(0, round((steps[-1].time_ms - now_ms) / TICK_MS) * TICK_MS)
            self._found.notices = (Notice(0, steps[-1].step_W, left_ms, left_ms + VALID_MS),)
        return super().request_W(tick, soc, setpoint_W)


def steps_of(load_W: np.ndarray) -> list[Step]:
    """The steps of a load that a scheduler could announce: movements in one direction of at least
    STEP_PART of the peak and at most STEP_S.
    """
    least_W = STEP_PART * float(np.abs(load_W).max())
    moved_W = np.diff(load_W)
    signs = np.sign(moved_W) * (np.abs(moved_W) * STEP_S >= least_W * simulator.TICK_S)
    edges = np.flatnonzero(np.diff(signs, prepend=0, append=0))
    steps = []
    for first, end in pairwise(edges.tolist()):
        height_W = float(moved_W[first:end].sum())
        is_short = (end - first) * simulator.TICK_S <= STEP_S
        if signs[first] and is_short and abs(height_W) >= least_W:
            steps.append(Step((first + end + 1) / 2 * TICK_MS, round(height_W)))
    return steps


def run(paths: tuple, runner: Runner) -> list:
    """Print and return the rows. Each row has the figures of the worst phase."""
    acting = [(notice, source) for source in (NEW, ONCE) for notice in (*LATE_ms, WRONG)]
    acting += [(notice, ONCE) for notice in FAR_ms]
    todo = [
        Job(path, edge_ms, notice, source)
        for path in paths
        for edge_ms in EDGES_ms
        for notice, source in ((UNANNOUNCED, NEW), *acting)
    ]
    print(
        "notice     a step of 100 kW, worst phase; 2 s: largest change of 2 s means, % of the step"
    )
    print("           5 s: range of 0.1 to 55 Hz in 5 s; pulse: power off the level, as ms of step")
    print(f"{'edge, ms':10}{'source':12}{'the step comes':16}   ms     2 s     5 s   pulse")
    rows = runner.play(todo, played, _line, lambda job: " ".join(map(str, job)))
    _judge(rows)
    print("\n".join(_worst_lines(rows)), flush=True)
    return rows + notice_life.run(paths)


def _worst_lines(rows: list) -> list[str]:
    """One line for each path: the largest 5 s range, if a step comes far too early or late."""
    by_path: dict[str, list] = {}
    for row in rows:
        if row["notice"] in FAR_ms:
            by_path.setdefault(row["path"], []).append(row)
    return [
        f"worst      {path:>4} ms: a source that was right once, then {row['notice']} ms late:"
        f" range {row['range_5s_pct']:.0f} %, silence"
        f" {_silent(rows)[path, row['edge_ms']]:.0f} %"
        for path, far in by_path.items()
        for row in [max(far, key=lambda row: row["range_5s_pct"])]
    ]


def _silent(rows: list) -> dict[tuple[str, int], float]:
    return {
        (row["path"], row["edge_ms"]): row["range_5s_pct"]
        for row in rows
        if row["notice"] == UNANNOUNCED
    }


def _line(row: dict) -> str:
    notice = row["notice"]
    text = {UNANNOUNCED: "unannounced", WRONG: "never"}.get(notice, f"{notice} ms late")
    return (
        f"{row['edge_ms']:<10}{row['source']:12}{text:16}{row['path']:>5}{row['change_2s_pct']:8.1f}"
        f"{row['range_5s_pct']:8.0f}{row['pulse_ms']:8.0f}"
    )


def step_W(edge_ms: float, phase_ms: float) -> np.ndarray:
    """The load in each tick, W. The step begins phase_ms after BEFORE_S."""
    begin_s = BEFORE_S + phase_ms / 1000
    times_s = np.array([0.0, begin_s, begin_s + max(edge_ms, 1e-3) / 1000, begin_s + AFTER_S])
    powers_W = LEVEL_W + np.array([0.0, 0.0, STEP_W, STEP_W])
    return loads.means_W(times_s, powers_W, BEFORE_S + AFTER_S)


def played(job: Job) -> dict:
    """One row: the worst figures over all phases of the meter and of the 2 s means."""
    path = PATHS[job.path]
    figures = [_figures(job, path, phase_ms) for phase_ms in range(0, path.sample_ms, PHASE_ms)]
    names = "change_2s_pct", "range_5s_pct", "pulse_ms"
    worst = {name: max(values) for name, values in zip(names, zip(*figures))}
    return job._asdict() | worst | {"missed": []}


def _figures(job: Job, path: Path, phase_ms: int) -> tuple[float, float, float]:
    load_W = step_W(job.edge_ms, phase_ms)
    late_ms = job.notice if isinstance(job.notice, int) else 0
    steps = [Step(1000 * BEFORE_S + phase_ms + job.edge_ms / 2 - late_ms, STEP_W)]
    if job.notice == UNANNOUNCED:
        steps = []
    elif job.notice == WRONG:
        load_W = np.full(len(load_W), LEVEL_W)
    follower = Noticed(simulator.seen_W(load_W, path), path, steps, job.source)
    off_W = simulator.run(follower, load_W, path).grid_W - LEVEL_W
    return (
        100 * largest_change_W(off_W) / STEP_W,
        100 * rules.ercot_range_W(off_W) / STEP_W,
        1000 * simulator.TICK_S * float(np.abs(off_W).sum()) / STEP_W,
    )


def largest_change_W(power_W: np.ndarray) -> float:
    """The largest change from a mean of 2 s to the next one, wherever they begin."""
    ticks = round(MEANS_S / simulator.TICK_S)
    sums = np.cumsum(np.append(0.0, power_W))
    means_W = (sums[ticks:] - sums[:-ticks]) / ticks
    return float(np.abs(means_W[ticks:] - means_W[:-ticks]).max())


def _judge(rows: list) -> None:
    """Add a line to each row that misses a target. A new source must cost no more than no notice.
    A source that acts may leave 5 % in 2 s means, and one pulse if its step does not come.
    """
    silent = _silent(rows)
    for row in rows:
        is_new, most = row["source"] == NEW, ONE_PULSE_pct
        if is_new:
            most = silent[row["path"], row["edge_ms"]] + NEAR_pct
        elif PATHS[row["path"]].delay_ms > JUDGED_DELAY_ms or row["notice"] in FAR_ms:
            continue
        about = row["source"], f"edge of {row['edge_ms']} ms", f"{row['path']} ms", row["notice"]
        name, change = f"notice, {', '.join(map(str, about))}", row["change_2s_pct"]
        if not is_new and row["notice"] != WRONG and change > SHARE_MAX_pct:
            row["missed"].append(f"{name}: {change:.1f} % in 2 s means, at most 5 %")
        if row["range_5s_pct"] > most:
            row["missed"].append(f"{name}: range {row['range_5s_pct']:.0f} %, at most {most:.0f} %")
