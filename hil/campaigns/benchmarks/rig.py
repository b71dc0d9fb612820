"""`python -m hil bench rig`: lateness with devices, memory over time, virtual speed, replay.

Real time first, with cyclictest beside it and the controller's memory read every few seconds; a
minute under CPU stress; then the same cabinet in virtual time, and the journal of that run
replayed.
"""

import os
import tempfile

from controller.site import config as configs
from controller.system import realtime
from hil.campaigns import order
from hil.campaigns.benchmarks import machine, replay, timing
from hil.campaigns.benchmarks.cyclictest import Cyclictest
from hil.campaigns.benchmarks.document import document, figure, percentile
from hil.campaigns.benchmarks.lateness import figures_of, judged
from hil.loads.selection import load_of
from hil.rig import Rig
from hil.scenarios import scenario
from hil.simulate import VirtualRig

MEMORY_EVERY_S = 5.0
SETTLED_S = 60.0  # the memory of the first minute is that of the start
STRESS_S, STRESS_S_MAX = 60.0, 0.5  # a minute, at most half as long as the quiet run
VIRTUAL_S, VIRTUAL_ROUNDS = 300.0, 3
EDGE_SAMPLES = 12  # growth is between the median of the first and of the last minute


def run(seconds=600.0, seed=1, beside=""):
    """The document. Raises RigError, OSError."""
    config = configs.load(order.EXAMPLE)
    quiet, samples, rival = real_time(config, seconds, seed)
    stress_s = min(STRESS_S, STRESS_S_MAX * seconds)
    with timing.Hogs() as hogs:
        stressed, _, stressed_rival = real_time(config, stress_s, seed)
    priority = order.priority(quiet)
    figures = []
    for what, doc, beside_it, budget in (
        ("loop lateness with devices", quiet, rival, "lateness_idle"),
        ("loop lateness with devices, CPU stress", stressed, stressed_rival, "lateness_stress"),
    ):
        figures += figures_of(what, order.loop(doc), beside_it, judged(budget, priority))
    figures += [*memory_figures(samples), *virtual_figures(config, seed)]
    notes = [rival.note] if rival.note else []
    notes += [
        f"{seconds:g} s in real time, then {stress_s:g} s beside {hogs.words}; the simulated "
        "devices have SCHED_FIFO too and take their share of the same cores"
    ]
    details = {
        "memory": samples[:: max(1, len(samples) // 60)],
        "cyclictest": rival.result,
        "cyclictest_stress": stressed_rival.result,
    }
    again = f"python -m hil bench rig --for {seconds:g}"
    return document("rig", again, figures, notes, details, beside, priority)


def real_time(config, seconds, seed):
    """(document of the run, [[s, rss_kB, anonymous_kB]], the Cyclictest that ran beside it)."""
    with tempfile.TemporaryDirectory(prefix="firebreak-bench-") as folder, Cyclictest() as rival:
        given = order.made(config, seconds, seed, run_dir=folder)
        rig = Rig(given, None, config)
        samples = Samples(rig)
        try:
            rig.start()
            rig.run(samples.see)
        finally:
            rig.stop()
        outcome = rig.outcome(load_of(given), {"mode": "real time", "seed": seed})
    return order.whole(outcome.doc), samples.taken, rival


class Samples:
    """Memory of the rig's controller, read when a view comes and MEMORY_EVERY_S have passed."""

    def __init__(self, rig):
        self._rig, self._due_s = rig, 0.0
        self.taken = []

    def see(self, shown):
        """A view: a dict with elapsed_s."""
        at_s = shown["elapsed_s"]
        if at_s >= self._due_s:
            self._due_s = at_s + MEMORY_EVERY_S
            found = machine.memory_kB(self._rig.controller.pid)
            self.taken.append([round(at_s, 1), found["rss"], found["anonymous"]])


def memory_figures(samples):
    """Figures of [[s, rss_kB, anonymous_kB]]; growth from the first minute after the start to the
    last.
    """
    settled = [sample for sample in samples if sample[0] >= SETTLED_S]
    if len(settled) < 2 * EDGE_SAMPLES:
        return []
    first, last = settled[:EDGE_SAMPLES], settled[-EDGE_SAMPLES:]
    hours = (_middle(last, 0) - _middle(first, 0)) / 3600.0
    growth_kB = _middle(last, 2) - _middle(first, 2)
    over = f"over {settled[-1][0] / 60:.0f} minutes"
    resident_MiB = max([row[1] for row in settled]) / 1024
    return [
        figure(
            f"memory of the controller, {over}, all resident, most", round(resident_MiB, 1), "MiB"
        ),
        figure(
            "memory of the controller, its own without mapped files",
            round(_middle(last, 2) / 1024, 1),
            "MiB",
        ),
        figure(f"memory of the controller, growth of its own {over}", growth_kB, "kB"),
        figure("the same as kB an hour", round(growth_kB / hours, 1), "kB/h"),
    ]


def _middle(rows, column):
    return percentile([row[column] for row in rows], 500)


def virtual_figures(config, seed):
    """Speed in virtual time, of a run and of all scenarios (the quickest of VIRTUAL_ROUNDS), and of
    a replay.
    """
    realtime.freeze_collector()
    with tempfile.TemporaryDirectory(prefix="firebreak-bench-") as folder:
        path = os.path.join(folder, "journal")
        _watch(config, None, VIRTUAL_S, seed, path)
        replayed = replay.figures_of(path)
    what = f"virtual time, {config.racks} racks, byte-accurate at {config.tick_ms} ms"
    chosen = [scenario.load(name) for name in scenario.names()]
    plain = [_watch(config, None, VIRTUAL_S, seed) for _ in range(VIRTUAL_ROUNDS)]
    faulty = [
        _total([_watch(config, each, each.duration_s, each.seed) for each in chosen])
        for _ in range(VIRTUAL_ROUNDS)
    ]
    return [
        *_speeds(f"{what}, {VIRTUAL_S:g} s of load tracking", VIRTUAL_S, plain),
        *_speeds(
            f"{what}, all scenarios in turn", sum([each.duration_s for each in chosen]), faulty
        ),
        *replayed,
    ]


def _watch(config, chosen, seconds, seed, journal=None):
    """(wall s, CPU s) of one run in virtual time, its start not counted."""
    load = load_of({"duration_s": seconds, "seed": seed}, chosen)
    virtual = VirtualRig(
        config,
        load.power,
        seed,
        chosen.actions if chosen else (),
        {"soc": (chosen.soc_pct / 100 if chosen else 0.55)},
        journal,
    )
    with timing.Stopwatch() as watch:
        virtual.run(seconds)
    return watch.wall_s, watch.cpu_s


def _total(pairs):
    return tuple([sum(each) for each in zip(*pairs)])


def _speeds(what, lasted_s, taken):
    """Figures from [(wall s, CPU s)]: by the clock, which is what the budget is about, and by the
    use of a core.
    """
    wall_s, cpu_s = (min(each) for each in zip(*taken))
    return [
        figure(what, round(lasted_s / wall_s, 1), "x", budget="virtual_speed"),
        figure(f"{what}, by its own use of a core", round(lasted_s / cpu_s, 1), "x"),
    ]
