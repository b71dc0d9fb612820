"""`python -m hil bench planner` compares the planner with rules and perfect foresight.

Each way to plan runs in its own process on the same month, so that its memory can be measured.
EMHASS also has its own Python environment, if a person has made one, because it needs an older
numpy than the rig.
"""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from controller.planner import foresight, tariff
from controller.planner.backtest import Outcome
from hil.campaigns.benchmarks import document
from hil.campaigns.benchmarks.document import Figures, Measured, figure
from hil.engine.processes import ROOT
from hil.systems import back_tests, measured, pasts
from hil.systems.pasts import Case

MONTHS = (
    ("berlin", "", 7),
    ("norway", "weekday", 1),
    ("nordic", "small", 7),
    ("north_america", "", 7),
    ("shanghai", "", 7),
    ("berlin", "", 7, "day_and_night"),
    ("berlin", "", 1, "peak_window"),
)
TARIFFS = ROOT / "controller" / "planner" / "example"
CHILD = "hil.campaigns.benchmarks.planner_ways"
WAYS = ("rules", "planner")
RIVALS = ("EMHASS, its peak", "EMHASS, our cap")
RIVAL_PYTHON = ROOT / "build" / "rivals" / "bin" / "python"
MISSING = "not installed: python3 -m venv build/rivals && build/rivals/bin/pip install '.[rivals]'"
COLUMNS = ("share %", "peak kW", "cycles", "p50 ms", "p99 ms", "MiB", "over cap", "over grid kWh")
ROW = "{:<24} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>9} {:>13}".format
NOTHING = "nothing"  # a process without a way to plan: the memory of Python itself
ByWay = dict[str, dict[str, float]]  # {way: figures of a month}


def run(seed: int = 1, days: int = 28, data: str | None = None) -> Measured:
    """The findings. data: folder of measured series. RuntimeError: one line."""
    figures, notes, details = Figures(), list[str](), dict[str, Any]()
    cases = [_case(*system_month, days=days, seed=seed, data=data) for system_month in MONTHS]
    months = [_of_month(case) for case in cases]
    if RIVAL_PYTHON.exists():  # EMHASS needs a hundred times as long: one runs on each core
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            played = [[pool.submit(_played, way, case) for way in RIVALS] for case in cases]
            for month, futures in zip(months, played):
                month |= {way: future.result() for way, future in zip(RIVALS, futures)}
    for case, month in zip(cases, months):
        head = f"{case.name} {case.label}"
        details[head] = month
        figures += _figures(head, month)
        notes += _table(head, month)
    return Measured(figures, notes, details)


def _case(
    name: str, variant: str, month: int, tariff: str = "", *, days: int, seed: int, data: str | None
) -> Case:
    """A month of a system. tariff: name of an example of the planner, or the system's own."""
    if data:
        case = measured.month(data, (name, variant), month, days, seed, None)
    else:
        case = pasts.built_in(name, variant, month, days, seed)
    if not tariff:
        return case
    terms = pasts.tariff_of(str(TARIFFS / f"{tariff}.toml"))
    return case._replace(name=f"{name} {tariff}").billed(terms)


def _of_month(case: Case) -> ByWay:
    """Figures of perfect foresight, and of each way that needs no other program."""
    best = foresight.optimum(case.site, case.past, back_tests.BEGIN * case.site.full_J)
    return {"perfect foresight": _measures(case, best), **{way: _played(way, case) for way in WAYS}}


def _played(way: str, case: Case) -> dict[str, float]:
    """Figures of one way. Raises RuntimeError."""
    python = str(RIVAL_PYTHON) if way in RIVALS else sys.executable
    reply, bare_kB = _child(python, way, case), _child(python, NOTHING, case)["kB"]
    done = Outcome(*reply["done"])
    return _measures(case, done) | {
        **back_tests.times_ms(reply["ms"]),
        "MiB": (reply["kB"] - bare_kB) / 1024,
        "over_cap_kWh": back_tests.above_kWh(done, reply["caps_W"]),
        "failed": reply["failed"],
    }


def _child(python: str, way: str, case: Case) -> dict[str, Any]:
    """The result that a process of this way prints. Raises RuntimeError."""
    start, *series = case.past
    text = json.dumps([case.site, [start.isoformat(), *series], case.is_told])
    done = subprocess.run(
        [python, "-m", CHILD, way], input=text, capture_output=True, text=True, cwd=ROOT
    )
    if done.returncode:
        raise RuntimeError(f"{way}: {(done.stderr.strip().splitlines() or ['it ended'])[-1]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _measures(case: Case, done: Outcome) -> dict[str, float]:
    comparison = back_tests.beside_none(case, done)
    return {
        "saved": comparison["saved"],
        "cut_kW": comparison["cut_W"] / tariff.W_PER_KW,
        "cycles": comparison["cycles"],
        "over_grid_kWh": comparison["above_connection_kWh"],
    }


def _figures(head: str, by_way: ByWay) -> Figures:
    own, rules = by_way["planner"], _share(by_way, "rules")
    share = "share of perfect foresight"
    return [
        figure(f"{head}: {share}", _share(by_way, "planner"), "%", "rules", rules),
        figure(f"{head}: a plan, p99", own["p99_ms"], "ms", budget="plan_ms"),
        figure(f"{head}: memory above bare Python", own["MiB"], "MiB", budget="plan_MiB"),
    ]


def _share(by_way: ByWay, way: str) -> float | None:
    best = by_way["perfect foresight"]["saved"]
    return 100 * by_way[way]["saved"] / best if best > 0 else None


def _table(head: str, by_way: ByWay) -> list[str]:
    """All ways beside each other; "-" if a figure is missing."""
    lines = [ROW(head, *COLUMNS)]
    for way, own in by_way.items():
        keys = "cut_kW cycles p50_ms p99_ms MiB over_cap_kWh over_grid_kWh".split()
        values = [_share(by_way, way), *[own.get(key) for key in keys]]
        lines.append(ROW(way, *[document.number(cell) for cell in values]))
    return lines + ([f"{'EMHASS':<24} {MISSING}"] if not by_way.keys() >= {*RIVALS} else [])
