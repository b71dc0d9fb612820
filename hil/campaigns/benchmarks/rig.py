"""`python -m hil bench rig` measures lateness, memory over time, and speed in virtual time."""

import math
import os
import tempfile
from collections.abc import Iterable, Sequence
from typing import Any

from controller.config import configuration, track_path
from controller.config.cabinet_config import Config
from controller.system import realtime
from hil.campaigns import order
from hil.campaigns.benchmarks import path, replay, timing
from hil.campaigns.benchmarks.cyclictest import Cyclictest
from hil.campaigns.benchmarks.document import (
    Figures,
    Measured,
    figure,
    memory_figure,
    percentile,
    spread,
)
from hil.campaigns.benchmarks.lateness import figures_of, judged
from hil.engine import process_memory
from hil.engine.rig import Rig
from hil.engine.simulate import VirtualRig
from hil.loads.selection import load_of
from hil.scenarios import scenario

SETTLED_S = 60.0  # memory during the first minute belongs to the start
VIRTUAL_S, VIRTUAL_ROUNDS = 300.0, 3
PATH_EDGES = 240
EDGE_SAMPLES = 12  # samples of the first minute, and of the last one
Sample = list[float]  # [s, rss_kB, anonymous_kB]
Spent = tuple[float, float]  # (wall s, CPU s)


def run(seconds: float = 600.0, seed: int = 1) -> Measured:
    """The findings. Raises RigError, OSError."""
    config = configuration.load(order.EXAMPLE)
    quiet, samples, rival = real_time(config, seconds, seed)
    stress_s = min(60.0, seconds / 2)
    with timing.hogs() as hogs:
        stressed, _, stressed_rival = real_time(config, stress_s, seed)
    priority, quantity = order.priority(quiet), "loop lateness with devices"
    idle, stress = (judged(name, priority) for name in ("lateness_idle", "lateness_stress"))
    notes = [
        *rival.notes,
        f"{seconds:g} s in real time, then {stress_s:g} s beside {hogs}; the simulated "
        "devices have SCHED_FIFO too and take their share of the same cores",
    ]
    details = {
        "memory": samples[:: max(1, len(samples) // 60)],
        "cyclictest": rival.result,
        "cyclictest_stress": stressed_rival.result,
    }
    figures = [
        *figures_of(quantity, order.loop(quiet), rival, idle),
        *figures_of(f"{quantity}, CPU stress", order.loop(stressed), stressed_rival, stress),
        *memory_figures(samples),
        *virtual_figures(config, seed),
        *path_figures(config, seed),
    ]
    return Measured(figures, notes, details, priority)


def real_time(
    config: Config, seconds: float, seed: int
) -> tuple[dict[str, Any], list[Sample], Cyclictest]:
    """(document of the run, memory of the controller, the Cyclictest that ran at the same time)."""
    samples: list[Sample] = []

    def see(rig: Rig, shown: dict[str, Any]) -> None:
        at_s = shown["elapsed_s"]
        if not samples or at_s >= samples[-1][0] + 5.0:
            assert rig.controller is not None  # the run has begun
            memory_kB = process_memory.memory_kB(rig.controller.pid)
            samples.append([round(at_s, 1), memory_kB["rss"], memory_kB["anonymous"]])

    with Cyclictest() as rival:
        doc, *_ = order.played(config, seconds, seed, see)
    return doc, samples, rival


def memory_figures(samples: list[Sample]) -> Figures:
    """Figures of the memory after SETTLED_S; [] after a short run."""
    settled = [row for row in samples if row[0] >= SETTLED_S]
    if len(settled) < 2 * EDGE_SAMPLES:
        return []
    first, last = settled[:EDGE_SAMPLES], settled[-EDGE_SAMPLES:]
    own_kB = _median(last, 2)
    growth_kB = own_kB - _median(first, 2)
    over = f"over {settled[-1][0] / 60:.0f} minutes"
    resident_kB = max(row[1] for row in settled)
    quantity = "memory of the controller,"
    return [
        memory_figure(f"{quantity} {over}, all resident, most", resident_kB),
        memory_figure(f"{quantity} its own without mapped files", own_kB),
        figure(f"{quantity} growth of its own {over}", growth_kB, "kB"),
        figure("the same as kB an hour", growth(first, last), "kB/h"),
    ]


def growth(first: list[Sample], last: list[Sample]) -> float:
    """Growth from the median of the first samples to that of the last ones, kB an hour."""
    growth_kB = _median(last, 2) - _median(first, 2)
    lasted_s = _median(last, 0) - _median(first, 0)
    return round(3600 * growth_kB / lasted_s, 1)


def _median(rows: list[Sample], column: int) -> float:
    return percentile([row[column] for row in rows], 500)


def virtual_figures(config: Config, seed: int) -> Figures:
    """Speed in virtual time of a run and of all scenarios, and speed of a replay."""
    realtime.freeze_collector()
    with tempfile.TemporaryDirectory(prefix="firebreak-bench-") as folder:
        journal_path = os.path.join(folder, "journal")
        _run_virtual(config, None, VIRTUAL_S, seed, journal_path)
        replayed = replay.figures_of(journal_path)
    condition = f"virtual time, {config.racks} racks, byte-accurate at {config.tick_ms} ms"
    scenarios = [scenario.load(name) for name in scenario.names()]
    whole_s = math.fsum(chosen.duration_s for chosen in scenarios)
    plain = [_run_virtual(config, None, VIRTUAL_S, seed) for _ in range(VIRTUAL_ROUNDS)]
    faulty = [
        _total(
            [_run_virtual(config, chosen, chosen.duration_s, chosen.seed) for chosen in scenarios]
        )
        for _ in range(VIRTUAL_ROUNDS)
    ]
    return [
        *_speeds(f"{condition}, {VIRTUAL_S:g} s of load tracking", VIRTUAL_S, plain),
        *_speeds(f"{condition}, all scenarios in turn", whole_s, faulty),
        *replayed,
    ]


def path_figures(config: Config, seed: int) -> Figures:
    """Delays in ms of load steps of a fifth of the rating, without control functions."""
    delays_ms = path.delays_ms(config, PATH_EDGES, seed)
    hold_ms = track_path.sample_ms(track_path.source(config)) / 2
    figures: Figures = []
    for begin, later_ms in (
        ("a change of the load", 0.0),
        ("the middle of a meter's window", hold_ms),
    ):
        quantity = f"from {begin} to the battery's power"
        values_ms = [round(delay_ms - later_ms, 1) for delay_ms in delays_ms]
        figures += spread(quantity, values_ms, "ms", names=("p50", "p99"))
    return figures


def _run_virtual(
    config: Config,
    chosen: scenario.Scenario | None,
    seconds: float,
    seed: int,
    journal: str | None = None,
) -> Spent:
    """(wall s, CPU s) of one run in virtual time, without its start."""
    load = load_of({"duration_s": seconds, "seed": seed}, chosen)
    actions, soc_pct = (chosen.actions, chosen.soc_pct) if chosen else ((), 55)
    virtual = VirtualRig(config, load.power, seed, actions, {"soc": soc_pct / 100}, journal)
    with timing.Stopwatch() as watch:
        virtual.run(seconds)
    return watch.wall_s, watch.cpu_s


def _total(pairs: Sequence[Spent]) -> Spent:
    return math.fsum(wall_s for wall_s, _ in pairs), math.fsum(cpu_s for _, cpu_s in pairs)


def _speeds(quantity: str, lasted_s: float, taken: Iterable[Spent]) -> Figures:
    """Figures of the quickest round: by wall time, which has a budget, and by CPU time."""
    wall_s, cpu_s = (min(times_s) for times_s in zip(*taken))
    return [
        figure(quantity, round(lasted_s / wall_s, 1), "x", budget="virtual_speed"),
        figure(f"{quantity}, by its own use of a core", round(lasted_s / cpu_s, 1), "x"),
    ]
