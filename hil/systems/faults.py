"""What a fault of the planner costs: past months, planned by a way that is dead, late or wrong.

Each fault changes a way to plan of a back-test. Where the schedule ends, the controller acts alone,
with ALONE_PART of the highest import of the quieter week before as the fallback of the source
(fallback_import_W_max): below the peak of the month it lifts no billed import above the load.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from controller.core.base.schedule_table import Slot as Row
from controller.planner import backtest, planning
from controller.planner.backtest import HOUR_SLOTS, Way
from controller.planner.daily import Daily
from controller.planner.planning import SLOTS_PER_DAY, Known, later
from hil.systems.pasts import Case

Fault = Callable[[Way, Case], Way]
BELOW_RULES_PCT = 2.0  # of the bill: a fault may save so much less than the rules do
DEAD = "dead"  # this one is judged against no battery
WORSE_PCT = 0.25  # of the bill, than no battery
ALONE_PART = 0.95  # at 1, a month whose cap was kept in vain cost 0.33 % (weekday charge, April)


def dead(way: Way, case: Case) -> Way:
    """The planner ends at a drawn moment and is never heard again."""
    first, end = case.past.before, len(case.past.load_W)
    until = random.Random(f"{case.name}/{case.label}/{DEAD}").randrange(first, end)
    return lambda known: way(known) if len(known.past_load_W) <= until else []


def late(way: Way, case: Case) -> Way:
    """Each schedule arrives when the next one is made."""
    kept: list[Row] = []

    def found(known: Known) -> list[Row]:
        rows, kept[:] = kept[HOUR_SLOTS:], way(known)
        return rows or list(kept)

    return found


def _shifted(known: Known, slots: int) -> Known:
    """The prices are those of so many slots later."""
    every = [*known.past_price_per_kWh, *known.price_per_kWh]
    every = [every[0]] * max(0, -slots) + every[max(0, slots) :]
    at = len(known.past_price_per_kWh)
    to_come = every[at:] or every[-1:]
    return known._replace(past_price_per_kWh=every[:at], price_per_kWh=to_come)


def prices_off(way: Way, case: Case) -> Way:
    """The feed gives each price an hour too late."""
    return lambda known: way(_shifted(known, -HOUR_SLOTS))


def load_mirrored(way: Way, case: Case) -> Way:
    """A plan of jobs tells the load of two days with the wrong sign around its mean."""

    def found(known: Known) -> list[Row]:
        load_W, _ = planning.ahead_W(known, 2 * SLOTS_PER_DAY)
        mean_W = sum(load_W) / len(load_W)
        return way(known._replace(load_W=[max(0.0, 2 * mean_W - each_W) for each_W in load_W]))

    return found


def clock_off(slots: int) -> Fault:
    """The clock of the box is ahead: prices and billed hours are those of another time."""

    def off(way: Way, case: Case) -> Way:
        return lambda known: way(_shifted(known, slots)._replace(time=later(known.time, slots)))

    return off


FAULTS: dict[str, Fault] = {
    DEAD: dead,
    "late 1 h": late,
    "prices 1 h": prices_off,
    "load mirrored": load_mirrored,
    "clock +1 h": clock_off(HOUR_SLOTS),
    "clock -1 h": clock_off(-HOUR_SLOTS),
}
HEAD = ("{:<22}" + " {:>13}" * (2 + len(FAULTS))).format


def saved(case: Case, stored_J: float) -> dict[str, float]:
    """Money that the planner saves with each fault."""
    site, past = case.site, case.past
    without = backtest.cost(site, past, backtest.without(past))
    net_W = [load_W - pv_W for load_W, pv_W in zip(past.load_W, past.pv_W)][: past.before]
    half = len(net_W) // 2
    alone_W = ALONE_PART * min(max(net_W[:half]), max(net_W[half:]))
    found = {}
    for name, fault in FAULTS.items():
        way = case.told(fault(Daily(site).rows, case))
        done = backtest.followed(site, past, stored_J, way, alone_W=alone_W)
        found[name] = without - backtest.cost(site, past, done)
    return found


def is_good(row: Mapping[str, Any], name: str) -> bool:
    """row: of back_tests.judged, with faults. A fault costs no more than it may."""
    least_pct = -WORSE_PCT
    if name != DEAD:
        least_pct = _pct(row, row["rules"]) - BELOW_RULES_PCT
    return _pct(row, row["faults"][name]) >= least_pct


def lines(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line for each month: what rules, planner and each fault save of the bill."""
    text = [
        "saved of the bill, %; !: more than it may cost",
        HEAD("", "rules", "planner", *FAULTS).rstrip(),
    ]
    for row in found:
        marks = {name: "" if is_good(row, name) else "!" for name in FAULTS}
        cells = [f"{marks[name]}{_pct(row, row['faults'][name]):.2f}" for name in FAULTS]
        both = [f"{_pct(row, row[key]):.2f}" for key in ("rules", "saved")]
        text.append(HEAD(f"{row['name']} {row['label']}", *both, *cells))
    return text


def _pct(row: Mapping[str, Any], money: float) -> float:
    return float(100 * money / row["bill"])
