"""One month planned again: what the planner saved, beside nothing, the rules and the bound."""

import gc
import time
from typing import Any

from controller.core.base.schedule_table import Slot as Row
from controller.planner import backtest, planning, tariff
from controller.planner.backtest import Outcome
from controller.planner.cap import Agreed
from controller.planner.daily import Daily
from controller.planner.planning import SLOT_S, Habit, Known
from controller.planner.tariff import J_PER_KWH
from hil.systems import pasts
from hil.systems.pasts import Case
from hil.systems.rival_rules import Rules
from hil.systems.series import KWH_PER_W_SLOT

BEGIN = 0.5  # of the full energy


class Watched:
    """The planner's way, with the caps that it sent and the CPU time of each plan."""

    def __init__(self, case: Case, habit: Habit | None = None) -> None:
        self._daily = Daily(case.site, habit)
        self.caps_W, self.ms = list[float](), list[float]()

    def __call__(self, known: Known) -> list[Row]:
        """The rows of a schedule."""
        self._daily.begin(known)
        begun_ns = time.process_time_ns()
        rows = self._daily.planned(known).rows
        self.ms.append((time.process_time_ns() - begun_ns) / 1e6)
        self.caps_W += [row.grid_cap_W for row in rows[: backtest.HOUR_SLOTS]]
        return rows


def judged(case: Case, habit: Habit | None = None) -> dict[str, Any]:
    """The figures of one month as plain data."""
    gc.freeze()  # a plan's time is not that of looking through the modules of the lab
    site, past, stored_J = case.site, case.past, BEGIN * case.site.full_J
    way = Watched(case, habit)
    done = backtest.followed(site, past, stored_J, case.told(way))
    without, best = backtest.without(past), backtest.optimum(site, past, stored_J)
    rules = backtest.followed(site, past, stored_J, case.told(Rules(site)))
    costs = [backtest.cost(site, past, each) for each in (without, done, best, rules)]
    peaks_W = [_peak_W(case, each) for each in (without, done, best)]
    over_W = [max(0.0, each_W - cap_W) for each_W, cap_W in zip(done.grid_W, way.caps_W)]
    beyond_W = [max(0.0, each_W - site.import_W) for each_W in done.grid_W]
    ms = sorted(way.ms)
    alone = _alone(case, habit) if site.yields.most_W else done
    return {
        "name": case.name,
        "label": case.label,
        "days": len(done.grid_W) / planning.SLOTS_PER_DAY,
        "currency": case.currency,
        "bill": costs[0],
        "saved": costs[0] - costs[1],
        "best": costs[0] - costs[2],
        "rules": costs[0] - costs[3],
        "cut_W": peaks_W[0] - peaks_W[1],
        "best_cut_W": peaks_W[0] - peaks_W[2],
        "cycles": done.given_J / (site.store.high_J - site.store.low_J),
        "highest_W": max(done.grid_W),
        "above_cap_kWh": sum(over_W) * KWH_PER_W_SLOT,
        "above_connection_kWh": sum(beyond_W) * KWH_PER_W_SLOT,
        "alone": costs[0] - backtest.cost(site, past, alone),
        "alone_cut_W": peaks_W[0] - _peak_W(case, alone),
        "yields_W": case.site.yields.most_W,
        "yielded_kWh": done.yielded_J / J_PER_KWH,
        "yielded_h": done.yielded_h,
        "yields_h": case.site.yields.h_per_month,
        "p50_ms": ms[len(ms) // 2],
        "p99_ms": ms[int(0.99 * (len(ms) - 1))],
        "doubts": list(case.doubts),
    }


def _alone(case: Case, habit: Habit | None) -> Outcome:
    """The same month with a load that does not yield."""
    site = case.site._replace(yields=Agreed())
    way = case.told(Daily(site, habit).rows)
    return backtest.followed(site, case.past, BEGIN * site.full_J, way)


def _peak_W(case: Case, done: Outcome) -> float:
    """The highest billed import."""
    price = case.past.price_per_kWh[case.past.before :]
    start = pasts.begin_of(case.past)
    return tariff.bill(case.site.tariff, done.grid_W, SLOT_S, price, start).peak_W
