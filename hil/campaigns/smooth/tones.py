"""Gain of the synthetic signals, and how long it takes to learn the periodic ones."""

from typing import NamedTuple

import numpy as np

from hil.campaigns.smooth import followers, metrics, signals, simulator
from hil.campaigns.smooth.paths import PATHS, Path
from hil.campaigns.smooth.simulator import TICK_S
from hil.runner.cases import Runner

HIGHEST_Hz = 24.0  # of the printed gain; judged up to a third of the meter's rate
PERIODIC_MAX, FAST_MAX, FAST_Hz = 1.05, 1.08, 9.0
NOISE_MAX = 1.2
NOISES = ("noise.1-1", "noise1-5", "noise.1-10", "pink", "white")
NOISE_DELAYS_ms = 100, 250
STILL = 0.01  # of the load's movement: a second with less is not judged


class Job(NamedTuple):
    """One signal on one path."""

    name: str
    path: str
    seed: int


def run(paths: tuple, seed: int, runner: Runner) -> list:
    """Rows {signal, path, total, worst, worst_in_reach, learned_s, missed}; prints them."""
    todo = [Job(name, path, seed) for path in paths for name in signals.NAMES]
    rows = runner.play(todo, played, name=lambda job: f"signal {job.name}, {job.path} ms")
    print(
        f"{'signal':14}{'ms':>5}  gain, in the worst third octave, to a third of the meter's rate"
    )
    print("\n".join(map(_line, rows)), flush=True)
    return rows


def played(job: Job) -> dict:
    """One row."""
    path, load_W = PATHS[job.path], signals.power_W(job.name, job.seed)
    seen_W = simulator.seen_W(load_W, path)
    grid_W = simulator.run(followers.Ours(seen_W, path), load_W, path).grid_W
    is_periodic = job.name in signals.PERIODIC
    learned = slice(round(signals.LEARNED_S / TICK_S), None)
    load, grid = load_W[learned], grid_W[learned]
    reach_Hz = 1000 / path.sample_ms / 3
    in_reach = metrics.gains(load, grid, reach_Hz)
    row = {
        "signal": job.name,
        "path": job.path,
        "is_periodic": is_periodic,
        "total": float(grid.std() / load.std()),
        "worst": metrics.worst(metrics.gains(load, grid, HIGHEST_Hz)),
        "worst_in_reach": metrics.worst(in_reach),
        "learned_s": learned_s(load_W, grid_W) if is_periodic else None,
    }
    return row | {"missed": _missed(job, path, in_reach)}


def learned_s(load_W: np.ndarray, grid_W: np.ndarray) -> float | None:
    """Time until the grid moves at most 1.05 times as much as the load, s; None: never."""
    ticks = round(1 / TICK_S)
    load, grid = (
        x[: len(x) // ticks * ticks].reshape(-1, ticks).std(axis=1) for x in (load_W, grid_W)
    )
    over = np.flatnonzero((load > STILL * load_W.std()) & (grid > PERIODIC_MAX * load))
    last = int(over[-1]) + 1 if len(over) else 0
    return float(last) if last < len(load) else None


def _missed(job: Job, path: Path, gains: dict) -> list:
    """Lines: the third octaves whose gain is above what the issue asks."""
    is_noise = job.name in NOISES and NOISE_DELAYS_ms[0] <= path.delay_ms <= NOISE_DELAYS_ms[1]
    if not (job.name in signals.PERIODIC or is_noise):
        return []
    lines = []
    for centre, gain in gains.items():
        most = NOISE_MAX if is_noise else FAST_MAX if centre >= FAST_Hz else PERIODIC_MAX
        if round(gain, 2) > most:
            lines.append(
                f"{job.name}, {job.path} ms: gain {gain:.2f} at {centre:.2g} Hz, at most {most}"
            )
    return lines


def _line(row: dict) -> str:
    worst = [
        f"{gain:.2f} at {at:.2g} Hz"
        for gain, at in filter(None, (row["worst"], row["worst_in_reach"]))
    ]
    learned = ""
    if row["is_periodic"]:
        after = row["learned_s"]
        learned = "  not learned" if after is None else f"  learned after {after:g} s"
    return f"{row['signal']:14}{row['path']:>5}  {row['total']:.2f}  {'  '.join(worst)}{learned}"
