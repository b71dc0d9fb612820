"""`python -m hil bench planner`: the planner beside rules and perfect foresight.

Each way to plan has a process of its own on the same month, so its memory is its own.
"""

import json
import subprocess
import sys
from typing import Any

from controller.planner import backtest, planning, tariff
from controller.planner.backtest import Outcome
from hil.campaigns.benchmarks import document, machine
from hil.campaigns.benchmarks.document import Figure, Measured, figure
from hil.systems import back_tests, pasts
from hil.systems.pasts import Case

MONTHS = (("berlin", "", 7), ("nordic", "small", 7), ("north_america", "", 7))
CHILD = "hil.campaigns.benchmarks.planner_ways"
WAYS = ("rules", "planner")
ROW = "{:<24} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8}".format
NOTHING = "nothing"  # a process without a way to plan: what Python takes itself


def run(seed: int = 1, days: int = 28) -> Measured:
    """The findings. Raises RuntimeError: one line."""
    figures, notes, details = list[Figure](), list[str](), dict[str, Any]()
    for name, variant, month in MONTHS:
        case = pasts.built_in(name, variant, month, days, seed)
        found = _of_month(case)
        head = f"{case.name} {case.label}"
        details[head] = found
        figures += _figures(head, found)
        notes += _table(head, found)
    return Measured(figures, notes, details, machine.priority())


def _of_month(case: Case) -> dict[str, dict[str, float]]:
    """Figures of each way."""
    stored_J = back_tests.BEGIN * case.site.full_J
    none = backtest.without(case.past)
    best = _measures(case, none, backtest.optimum(case.site, case.past, stored_J))
    found, bare_kB = {"perfect foresight": best}, _child(NOTHING, case)["kB"]
    for way in WAYS:
        given = _child(way, case)
        ms = sorted(given["ms"])
        own = _measures(case, none, Outcome(*given["done"]))
        own |= {"p50_ms": ms[len(ms) // 2], "p99_ms": ms[int(0.99 * (len(ms) - 1))]}
        found[way] = own | {"MiB": (given["kB"] - bare_kB) / 1024}
    return found


def _child(way: str, case: Case) -> dict[str, Any]:
    """The line that a process of this way writes. Raises RuntimeError."""
    start, *series = case.past
    text = json.dumps([case.site, [start.isoformat(), *series]])
    done = subprocess.run(
        [sys.executable, "-m", CHILD, way], input=text, capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(f"{way}: {(done.stderr.strip().splitlines() or ['it ended'])[-1]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _measures(case: Case, none: Outcome, done: Outcome) -> dict[str, float]:
    bills = [_bill(case, each) for each in (none, done)]
    costs = [backtest.cost(case.site, case.past, each) for each in (none, done)]
    band_J = case.site.store.high_J - case.site.store.low_J
    return {
        "saved": costs[0] - costs[1],
        "cut_kW": (bills[0].peak_W - bills[1].peak_W) / tariff.W_PER_KW,
        "cycles": done.given_J / band_J,
    }


def _bill(case: Case, done: Outcome) -> tariff.Bill:
    price = case.past.price_per_kWh[case.past.before :]
    start = pasts.begin_of(case.past)
    return tariff.bill(case.site.tariff, done.grid_W, planning.SLOT_S, price, start)


def _figures(head: str, found: dict[str, dict[str, float]]) -> list[Figure]:
    own, rules = found["planner"], _share(found, "rules")
    share = "share of perfect foresight"
    return [
        figure(f"{head}: {share}", _share(found, "planner"), "%", "rules", rules),
        figure(f"{head}: a plan, p99", own["p99_ms"], "ms", budget="plan_ms"),
        figure(f"{head}: memory above bare Python", own["MiB"], "MiB", budget="plan_MiB"),
    ]


def _share(found: dict[str, dict[str, float]], way: str) -> float | None:
    best = found["perfect foresight"]["saved"]
    return 100 * found[way]["saved"] / best if best > 0 else None


def _table(head: str, found: dict[str, dict[str, float]]) -> list[str]:
    """All ways beside each other; a "-" where nothing is measured."""
    lines = [ROW(head, "share %", "peak kW", "cycles", "p50 ms", "p99 ms", "MiB")]
    for way, own in found.items():
        keys = ("cut_kW", "cycles", "p50_ms", "p99_ms", "MiB")
        values = [_share(found, way), *[own.get(key) for key in keys]]
        lines.append(ROW(way, *[document.number(each) for each in values]))
    return lines
