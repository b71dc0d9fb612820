"""`python -m hil bench loop`: how late the loop wakes up, beside cyclictest at the same time; idle,
then under CPU stress.

The controller is the real process with the priority it gets here. No device answers on its wires.
`python -m hil bench rig` has devices that do.
"""

from controller.run.loop_statistics import BUCKETS
from hil.campaigns.benchmarks.cyclictest import NAME, Cyclictest
from hil.campaigns.benchmarks.document import document, figure
from hil.campaigns.benchmarks.silent_cabinet import SilentCabinet
from hil.campaigns.benchmarks.timing import hogs

NO_FIFO = (
    "SCHED_FIFO was not granted, so the loop is not held against its budgets: run as root, or "
    "with LimitRTPRIO=49"
)


def run(seconds=60):
    """The document; seconds of each condition."""
    figures, details = [], {}
    for name, count, budget in (
        ("idle", 0, "lateness_idle"),
        ("CPU stress", None, "lateness_stress"),
    ):
        with hogs(count) as stress, Cyclictest() as rival, SilentCabinet() as cabinet:
            cabinet.wait(seconds)
            found, priority = cabinet.lateness(), cabinet.priority()
        figures += figures_of(f"loop lateness, {name}", found, rival, judged(budget, priority))
        details[name] = {"loop": found, "cyclictest": rival.result, "stress": stress}
    notes = [
        *([rival.note] if rival.note else ()),
        *(() if judged("x", priority) else [NO_FIFO]),
        f"{seconds:g} s of each, all ticks from the first on; no device answers on the wires",
    ]
    command = f"python -m hil bench loop --for {seconds:g}"
    return document("loop", command, figures, notes, details, priority)


def judged(budget, priority):
    """The budget, or None: it is one of a loop that has SCHED_FIFO."""
    return budget if priority.startswith("SCHED_FIFO") else None


def figures_of(what, found, rival, budget=None):
    """Figures of one run: percentiles beside cyclictest's, and the ticks that were missed.

    found: as controller.run.loop_statistics.read gives it; rival: a Cyclictest that has ended;
    budget: of p99.9. A percentile at the end of the loop's histogram (20 ms) could be anything
    beyond it and is given as the maximum.
    """
    name, late_us = NAME if rival.result else None, found["lateness_us"]
    return [
        *[
            figure(
                f"{what}, {words}",
                late_us["max"] if late_us[key] >= BUCKETS - 1 else late_us[key],
                "us",
                name,
                rival.value(key),
                budget if key == "p99_9" else None,
            )
            for key, words in zip(
                ("p50", "p99", "p99_9", "max"), ("p50", "p99", "p99.9", "maximum")
            )
        ],
        figure(
            f"{what}, ticks missed or late of {found['ticks']}",
            found["missed"] + found["late"],
            "ticks",
        ),
        figure(
            f"{what}, times that two or more were missed in a row",
            found["runs"],
            "times",
            f"stalls over 5 ms of {NAME}" if name else None,
            rival.value("stalls"),
            "missed_in_a_row" if budget else None,
        ),
    ]


def stall_figures(rival):
    """The figure of a Cyclictest's longest stall, where there is one."""
    if not rival.result:
        return []
    what = "the host's own worst stall meanwhile (cyclictest)"
    return [figure(what, rival.value("max") / 1000, "ms")]
