"""`python -m hil bench planner`: the planner beside rules, perfect foresight and EMHASS.

Each way to plan has a process of its own on the same month, so its memory is its own. EMHASS is
tried where it is installed by hand (extra `rivals`); what it lacks is one line.
"""

import json
import subprocess
import sys
from typing import Any

from controller.planner import backtest, planning, tariff
from controller.planner.backtest import Outcome
from hil.campaigns.benchmarks import machine
from hil.campaigns.benchmarks.document import Figure, Measured, figure
from hil.systems import back_tests, pasts
from hil.systems.pasts import Case

MONTHS = (("berlin", "", 7), ("nordic", "small", 7), ("north_america", "", 7))
CHILD = "hil.campaigns.benchmarks.planner_ways"
WAYS = ("rules", "planner", "EMHASS")
NOTHING = "nothing"  # a process without a way to plan: what Python takes itself


def run(seed: int = 1, days: int = 28) -> Measured:
    """The findings. Raises RuntimeError: one line."""
    figures, notes, details = list[Figure](), list[str](), dict[str, Any]()
    for name, variant, month in MONTHS:
        case = pasts.built_in(name, variant, month, days, seed)
        found, lines = _of_month(case)
        details[f"{case.name} {case.label}"] = found
        figures += _figures(case, found)
        notes += [each for each in lines if each not in notes]
    return Measured(figures, notes, details, machine.priority())


def _of_month(case: Case) -> tuple[dict[str, dict[str, float]], list[str]]:
    """Figures of each way; a line for each way that cannot be tried."""
    stored_J = back_tests.BEGIN * case.site.full_J
    none = backtest.without(case.past)
    best = _measures(case, none, backtest.optimum(case.site, case.past, stored_J))
    found, lines, bare_kB = {"perfect foresight": best}, list[str](), _child(NOTHING, case)["kB"]
    for way in WAYS:
        given = _child(way, case)
        if "lacks" in given:
            lines.append(f"{way}: {given['lacks']}")
            continue
        ms = sorted(given["ms"])
        own = _measures(case, none, Outcome(*given["done"]))
        own |= {"p50_ms": ms[len(ms) // 2], "p99_ms": ms[int(0.99 * (len(ms) - 1))]}
        found[way] = own | {"MiB": (given["kB"] - bare_kB) / 1024}
    return found, lines


def _child(way: str, case: Case) -> dict[str, Any]:
    """What a process of this way writes. Raises RuntimeError."""
    text = json.dumps([case.site, case.past._replace(start=case.past.start.isoformat())])
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


def _figures(case: Case, found: dict[str, dict[str, float]]) -> list[Figure]:
    head, best = f"{case.name} {case.label}", found["perfect foresight"]
    lines = list[Figure]()
    for way, own in found.items():
        share = 100 * own["saved"] / best["saved"] if best["saved"] > 0 else None
        lines += [
            figure(f"{head}, {way}: share of perfect foresight", share, "%"),
            figure(f"{head}, {way}: less of the peak", own["cut_kW"], "kW"),
            figure(f"{head}, {way}: full cycles", own["cycles"], "cycles"),
        ]
        if "p99_ms" in own:
            is_own = way == "planner"
            lines += [
                figure(f"{head}, {way}: a plan, median of its use of a core", own["p50_ms"], "ms"),
                figure(f"{head}, {way}: a plan, p99", own["p99_ms"], "ms",
                       budget="plan_ms" if is_own else None),
                figure(f"{head}, {way}: memory above bare Python", own["MiB"], "MiB",
                       budget="plan_MiB" if is_own else None),
            ]  # fmt: skip
    return lines
