"""`python -m hil bench loop` measures how late the loop wakes up, idle and under CPU stress.

The program cyclictest measures the delay by the machine itself, on the same core at the same time.
"""

import os
import pathlib
from typing import Any

from controller.config import configuration
from controller.run import loop_statistics
from controller.sites import EXAMPLE
from hil.campaigns.benchmarks.cyclictest import NAME, Cyclictest
from hil.campaigns.benchmarks.document import Figures, Measured, figure
from hil.campaigns.benchmarks.silent_cabinet import SilentCabinet
from hil.campaigns.benchmarks.timing import hogs

NO_FIFO = (
    "SCHED_FIFO was not granted, so the loop is not held against its budgets: run as root, or "
    "with LimitRTPRIO=49"
)
# {percentile of the loop's statistics: its name in figures}
SHOWN = {"p50": "p50", "p99": "p99", "p99_9": "p99.9", "max": "maximum"}


def run(seconds: float = 60, cabinet: str | pathlib.Path = EXAMPLE) -> Measured:
    """The findings. seconds: of each condition; cabinet: its file. Raises ConfigError."""
    figures: Figures = []
    config = configuration.load(cabinet)
    core = max(os.sched_getaffinity(0))
    tick = f", tick of {config.tick_ms} ms" if cabinet != EXAMPLE else ""
    details: dict[str, Any] = {}
    for name, count, budget in (
        ("idle", 0, "lateness_idle"),
        ("CPU stress", None, "lateness_stress"),
    ):
        rival = Cyclictest(tick_ms=config.tick_ms, core=core)
        with hogs(count) as stress, SilentCabinet(file=cabinet) as process:
            os.sched_setaffinity(process.pid, {core})  # the loop alone: its other threads stay free
            with rival:
                statistics = _measured(process, seconds)
            priority = process.priority()
        quantity = f"loop lateness, {name}{tick}"
        figures += figures_of(quantity, statistics, rival, judged(budget, priority))
        details[name] = {"loop": statistics, "cyclictest": rival.result, "stress": stress}
    notes = [
        *rival.notes,
        *([] if judged(budget, priority) else [NO_FIFO]),
        f"{seconds:g} s of each beside {NAME} on core {core}; no device answers on the wires",
    ]
    return Measured(figures, notes, details, priority)


def _measured(process: SilentCabinet, seconds: float) -> dict[str, Any]:
    """Figures of the next seconds. A maximum beyond the histogram is that of the whole run."""
    before = process.statistics()
    process.wait(seconds)
    after = process.statistics()
    statistics = loop_statistics.figures(after, before)
    if statistics["lateness_us"]["max"] >= loop_statistics.BUCKETS - 1:
        statistics["lateness_us"]["max"] = loop_statistics.figures(after)["lateness_us"]["max"]
    return statistics


def judged(budget: str, priority: str) -> str | None:
    """The budget, or None if the loop lacks SCHED_FIFO, which the budget assumes."""
    return budget if priority.startswith("SCHED_FIFO") else None


def figures_of(
    quantity: str, statistics: dict[str, Any], rival: Cyclictest, budget: str | None = None
) -> Figures:
    """Percentiles beside those of cyclictest, and missed ticks. budget: that of p99.9."""
    name, late_us = NAME if rival.result else None, statistics["lateness_us"]
    return [
        *[
            figure(
                f"{quantity}, {label}",
                late_us["max"] if late_us[key] >= loop_statistics.BUCKETS - 1 else late_us[key],
                "us",
                name,
                rival.value(key),
                budget if key == "p99_9" else None,
            )
            for key, label in SHOWN.items()
        ],
        figure(
            f"{quantity}, ticks missed or late of {statistics['ticks']}",
            statistics["missed"] + statistics["late"],
            "ticks",
        ),
        figure(
            f"{quantity}, times that two or more were missed in a row",
            statistics["runs"],
            "times",
            f"wake-ups of {NAME} later than a quarter of the tick" if name else None,
            rival.value("stalls"),
            "missed_in_a_row" if budget else None,
        ),
    ]


def stall_figures(rival: Cyclictest) -> Figures:
    """[the figure of a Cyclictest's longest stall], or [] if it has no result."""
    stall_us, quantity = rival.value("max"), "the host's own worst stall meanwhile (cyclictest)"
    return [] if stall_us is None else [figure(quantity, stall_us / 1000, "ms")]
