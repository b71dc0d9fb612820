"""Steps of 100 kW with edges of several lengths, at every phase of the meter."""

from typing import NamedTuple

import numpy as np

from hil.campaigns.smooth import followers, loads
from hil.campaigns.smooth.paths import PATHS
from hil.campaigns.smooth.simulator import TICK_S
from hil.runner.cases import Runner

STEP_W, LEVEL_W = 100_000.0, 200_000.0
EDGES_ms = (0, 20, 50, 100, 200, 300)
BEFORE_S, AFTER_S = 5.0, 10.0
PHASE_ms = 5
WITHIN = 0.05  # of the step: the grid is back, the battery does not overshoot
JUDGED_EDGE_ms, JUDGED_DELAY_ms, BEYOND_ms = 100, 250, 250


class Job(NamedTuple):
    """One edge on one path."""

    edge_ms: int
    path: str


def run(paths: tuple, runner: Runner) -> list:
    """Rows of the worst phase; prints them. back_ms: until the grid stays within 5 %."""
    todo = [Job(edge_ms, path) for path in paths for edge_ms in EDGES_ms]
    rows = runner.play(todo, played, name=lambda job: f"edge of {job.edge_ms} ms, {job.path} ms")
    print(f"{'edge, ms':14}{'ms':>5}  battery overshoot, time until the grid is within 5 %")
    for row in rows:
        print(
            f"{row['edge_ms']:<14}{row['path']:>5}  {row['overshoot_pct']:5.1f} %"
            f"{row['back_ms']:8.0f} ms",
            flush=True,
        )
    return rows


def step_W(edge_ms: float, phase_ms: float) -> np.ndarray:
    """The load, W: the step begins phase_ms after BEFORE_S."""
    begin_s = BEFORE_S + phase_ms / 1000
    times_s = np.array([0.0, begin_s, begin_s + max(edge_ms, 1e-3) / 1000, begin_s + AFTER_S])
    powers_W = LEVEL_W + np.array([0.0, 0.0, STEP_W, STEP_W])
    return loads.means_W(times_s, powers_W, BEFORE_S + AFTER_S)


def played(job: Job) -> dict:
    """One row."""
    path, found = PATHS[job.path], []
    for phase_ms in range(0, path.sample_ms, PHASE_ms):
        load_W = step_W(job.edge_ms, phase_ms)
        middle_ms = phase_ms + job.edge_ms / 2
        result = followers.ours(load_W, path)
        off = np.flatnonzero(np.abs(result.grid_W - LEVEL_W) > WITHIN * STEP_W)
        back_ms = 1000 * ((off[-1] + 1) * TICK_S - BEFORE_S) - middle_ms if len(off) else 0.0
        found.append((100 * (result.battery_W.max() / STEP_W - 1), back_ms))
    overshoot_pct, back_ms = (float(max(each)) for each in zip(*found))
    row = {"edge_ms": job.edge_ms, "path": job.path}
    row |= {"overshoot_pct": max(0.0, overshoot_pct), "back_ms": back_ms}
    return row | {"missed": _missed(row, path.delay_ms)}


def _missed(row: dict, delay_ms: int) -> list:
    if row["edge_ms"] > JUDGED_EDGE_ms or delay_ms > JUDGED_DELAY_ms:
        return []
    name, lines = f"step with an edge of {row['edge_ms']} ms, {row['path']} ms", []
    if row["overshoot_pct"] > 100 * WITHIN:
        lines.append(f"{name}: overshoot {row['overshoot_pct']:.1f} %, at most 5 %")
    if row["back_ms"] > delay_ms + BEYOND_ms:
        lines.append(f"{name}: back after {row['back_ms']:.0f} ms, at most {delay_ms + BEYOND_ms}")
    return lines
