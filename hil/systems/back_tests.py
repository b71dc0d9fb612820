"""Plans a past month again. Compares the planner with no battery, simple rules and the bound."""

import gc
import math
import time
from collections.abc import Iterable, Sequence
from typing import Any

from controller.core.base.schedule_table import Slot as Row
from controller.planner import backtest, foresight, planning, tariff
from controller.planner.backtest import Outcome, Way
from controller.planner.cap import Agreed
from controller.planner.daily import Daily
from controller.planner.planning import SLOT_S, Habit, Known
from hil.systems import pasts
from hil.systems.pasts import Case
from hil.systems.rival_rules import Rules
from hil.systems.series import KWH_PER_W_SLOT

BEGIN = 0.5  # charge at the start, part of the full energy
EUR = {"EUR": 1.0, "USD": 0.9, "CNY": 0.13}  # exchange rates (assumed), to add savings up


class WatchedPlanner:
    """Plans with the planner, and notes the cap and the CPU time of each plan."""

    def __init__(self, case: Case, habit: Habit | None = None) -> None:
        self._daily = Daily(case.site, habit)
        self.caps_W, self.cpu_ms = list[float](), list[float]()

    def __call__(self, known: Known) -> list[Row]:
        """The rows of a schedule."""
        self._daily.begin(known)
        began_ns = time.process_time_ns()
        rows = self._daily.planned(known).rows
        self.cpu_ms.append((time.process_time_ns() - began_ns) / 1e6)
        self.caps_W += [row.grid_cap_W for row in rows[: backtest.HOUR_SLOTS]]
        return rows


def followed(case: Case, way: Way) -> Outcome:
    """The outcome of the month with this way to plan."""
    stored_J = BEGIN * case.site.full_J
    return backtest.followed(case.site, case.past, stored_J, case.with_known_load(way))


def judged(case: Case, habit: Habit | None = None) -> dict[str, Any]:
    """The figures of one month as plain data."""
    gc.freeze()  # otherwise garbage collection in the lab's modules would count as time of a plan
    site, past, planner = case.site, case.past, WatchedPlanner(case, habit)
    outcome = followed(case, planner)
    best = beside_none(case, foresight.optimum(site, past, BEGIN * site.full_J))
    alone = beside_none(case, _alone(case, habit) if site.yields.most_W else outcome)
    return {
        "name": case.name,
        "label": case.label,
        "days": len(outcome.grid_W) / planning.SLOTS_PER_DAY,
        "currency": case.currency,
        "bill": backtest.cost(site, past, backtest.without(past)),
        **beside_none(case, outcome),
        "best": best["saved"],
        "rules": beside_none(case, followed(case, Rules(site)))["saved"],
        "one_charge": _of_one_charge(case, habit),
        "best_cut_W": best["cut_W"],
        "highest_W": max(outcome.grid_W),
        "above_cap_kWh": above_kWh(outcome, planner.caps_W),
        "alone": alone["saved"],
        "alone_cut_W": alone["cut_W"],
        "yields_W": site.yields.most_W,
        "yielded_kWh": outcome.yielded_J / tariff.J_PER_KWH,
        "yielded_h": outcome.yielded_h,
        "yields_h": site.yields.h_per_month,
        **times_ms(planner.cpu_ms),
        "doubts": list(case.doubts),
    }


def beside_none(case: Case, outcome: Outcome) -> dict[str, float]:
    """Savings of a way to plan, compared with no battery: money, and the sum of billed peaks. The
    result also has the cycles of the battery and the energy above the connection.
    """
    site, past, without = case.site, case.past, backtest.without(case.past)
    peaks_W, peaks_without_W = _peaks_W(case, outcome), _peaks_W(case, without)
    return {
        "saved": backtest.cost(site, past, without) - backtest.cost(site, past, outcome),
        "cut_W": math.fsum(peaks_without_W) - math.fsum(peaks_W),
        "cycles": outcome.given_J / (site.store.high_J - site.store.low_J),
        "above_connection_kWh": above_kWh(outcome, [site.import_W] * len(outcome.grid_W)),
    }


def above_kWh(outcome: Outcome, caps_W: Iterable[float]) -> float:
    """Energy imported above the cap of each slot, kWh."""
    over_W = [max(0.0, import_W - cap_W) for import_W, cap_W in zip(outcome.grid_W, caps_W)]
    return math.fsum(over_W) * KWH_PER_W_SLOT


def times_ms(cpu_ms: Sequence[float]) -> dict[str, float]:
    """Median and 99th percentile of the CPU times of plans."""
    ordered = sorted(cpu_ms)
    return {"p50_ms": ordered[len(ordered) // 2], "p99_ms": ordered[int(0.99 * (len(ordered) - 1))]}


def _alone(case: Case, habit: Habit | None) -> Outcome:
    """The outcome of the month if nobody asks the load for less power."""
    site = case.site._replace(yields=Agreed())
    return followed(case._replace(site=site), Daily(site, habit).rows)


def _of_one_charge(case: Case, habit: Habit | None) -> float | None:
    """The highest saving of a planner that knows only one of several demand charges."""
    savings, terms = [], case.site.tariff
    for charge in terms["demand"]:
        site = case.site._replace(tariff={**terms, "demand": [charge]})
        outcome = followed(case._replace(site=site), Daily(site, habit).rows)
        savings.append(beside_none(case, outcome)["saved"])
    return max(savings, default=None)


def _peaks_W(case: Case, outcome: Outcome) -> tuple[float, ...]:
    """The highest billed import of each demand charge."""
    price = case.past.price_per_kWh[case.past.before :]
    start = pasts.begin_of(case.past)
    return tariff.bill(case.site.tariff, outcome.grid_W, SLOT_S, price, start).peaks_W
