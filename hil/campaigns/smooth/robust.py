"""Load tracking at 170 ms with a wrong delay, noise, lost samples or a weak converter."""

from typing import Any, NamedTuple

import numpy as np

from hil.campaigns.smooth import expected, followers, loads, metrics, signals, simulator
from hil.campaigns.smooth.paths import PATHS
from hil.campaigns.smooth.simulator import TICK_S
from hil.runner.cases import Runner

PATH = PATHS["170"]
LENGTH_S = 600.0  # of each load
DELAY_FACTORS = 0.7, 1.4
NOISE = 0.001  # of the reading, rms
LOST = 0.05
GIVES = 0.95
OVER = 1.1  # a figure may be so much above the study's
LOADS = {
    "gpt3": ("gpt3_512xh100_2s.csv.gz", "ac_total_kW", "lin"),
    "lora": ("lora_512xh100_2s.csv.gz", "run01_kW", "held"),
    "training": ("", "training", "as is"),
}
STUDY = expected.robust()


class Job(NamedTuple):
    """One seed: its disturbance and the folder of the measured loads, None without them."""

    case: str
    factor: float
    seed: int
    folder: str | None


def run(folder: str | None, seeds: int, seed: int, runner: Runner) -> list:
    """Rows {case, figure, median, worst, worst_seed, study, missed}; prints them."""
    draw, cases = np.random.default_rng(seed), list(STUDY)
    factors = [*DELAY_FACTORS, *draw.uniform(*DELAY_FACTORS, seeds)]
    todo = [
        Job(cases[at % len(cases)], factors[at // len(cases)], seed + at, folder)
        for at in range(seeds)
    ]
    found = runner.play(todo, played, name=lambda job: f"{job.case}, seed {job.seed}")
    rows = _rows(list(zip(todo, found)))
    print(f"{'disturbed':10}{'figure':10}{'median':>8}{'worst':>8}{'study':>8}")
    for row in rows:
        study = "-" if row["study"] is None else f"{row['study']:.2f}"
        print(
            f"{row['case']:10}{row['figure']:10}{row['median']:8.2f}{row['worst']:8.2f}{study:>8}"
            f"  seed {row['worst_seed']}",
            flush=True,
        )
    return rows


def _rows(found: list) -> list:
    groups: dict[tuple[str, str], list[tuple[float, int]]] = {}
    for job, figures in found:
        for name, value in figures.items():
            groups.setdefault((job.case, name), []).append((value, job.seed))
    rows = []
    for case, name in sorted(groups, key=lambda key: list(STUDY).index(key[0])):
        values, (worst, worst_seed) = groups[case, name], max(groups[case, name])
        study, missed = STUDY[case].get(name), []
        if study is not None and worst > OVER * study:
            missed = [f"{case}, {name}: {worst:.2f} (seed {worst_seed}), study {study:g} and 10 %"]
        median = float(np.median([value for value, _ in values]))
        rows.append({"case": case, "figure": name, "median": median, "worst": worst})
        rows[-1] |= {"worst_seed": worst_seed, "study": study, "missed": missed}
    return rows


def played(job: Job) -> dict:
    """{figure: value}."""
    figures = {}
    for name, (file, column, kind) in LOADS.items():
        if file and job.folder is None:
            continue
        source = loads.Source(f"{job.folder}/{file}" if file else "", column)
        load_W = loads.ticks_W(loads.read(source), kind, "")[: round(LENGTH_S / TICK_S)]
        grid_W = _grid_W(job, load_W)
        residual: Any = metrics.residual_pct(
            metrics.changes_W(load_W, 2), metrics.changes_W(grid_W, 2)
        )
        figures[name] = residual["rms"]
    for name in signals.NAMES:
        learned = slice(round(signals.LEARNED_S / TICK_S), None)
        load_W = signals.power_W(name, job.seed)
        grid_W = _grid_W(job, load_W)
        figures[name] = max(metrics.gains(load_W[learned], grid_W[learned], 24.0).values())
    return figures


def _grid_W(job: Job, load_W: np.ndarray) -> np.ndarray:
    """The grid beside a load under the job's disturbance."""
    draw = np.random.default_rng([job.seed, len(load_W)])
    seen_W = simulator.seen_W(load_W, PATH)
    is_new = np.arange(len(seen_W)) % PATH.sample_ticks == 0
    if job.case == "noise":
        noise = 1 + NOISE * draw.standard_normal(len(seen_W) // PATH.sample_ticks + 1)
        seen_W = seen_W * np.repeat(noise, PATH.sample_ticks)[: len(seen_W)]
    if job.case == "lost":
        is_new &= draw.random(len(seen_W)) >= LOST
        is_new[0] = True
        seen_W = seen_W[np.maximum.accumulate(np.where(is_new, np.arange(len(seen_W)), 0))]
    believed_ms = round(PATH.delay_ms * job.factor) if job.case == "delay" else None
    track = followers.function(PATH, believed_ms)
    follower = followers.Ours(seen_W, PATH, track, is_new.tolist())
    return simulator.run(follower, load_W, PATH, GIVES if job.case == "weak" else 1.0).grid_W
