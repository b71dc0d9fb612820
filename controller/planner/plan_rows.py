"""Rows of plan.json: the slots of a plan, as the controller will follow it.

The controller also spends what a plan keeps, to hold the cap, so the powers are those of the model
of backtest.py. Prices are what a bought kWh costs, with adders: a page needs no tariff.
"""

from collections.abc import Sequence
from itertools import repeat
from typing import Any

from controller.planner import backtest, forecast, planning
from controller.planner.accounts import J_PER_WH
from controller.planner.planning import SLOTS_PER_DAY, Known, Planned, Site


def slots(
    site: Site, known: Known, found: Planned, carbon_g_per_kWh: Sequence[float]
) -> list[dict[str, Any]]:
    """`slots` of plan.json, until the end of tomorrow: the schedule's, then those that the next
    schedules will have. carbon_g_per_kWh: from now on, NaN where it is unknown.
    """
    count, stored_J = len(found.slots), known.stored_J
    load_W = forecast.load(known.past_load_W, SLOTS_PER_DAY, count)
    load_W[: len(known.load_W)] = known.load_W[:count]
    carbon = [*carbon_g_per_kWh, *repeat(float("nan"), count)]
    last_permille, made = found.rows[-1].reserve_permille, list[dict[str, Any]]()
    for at, (slot, power_W, grams) in enumerate(zip(found.slots, found.plan.power_W, carbon)):
        row = planning.row_of(slot, power_W, last_permille)
        row = found.rows[at] if at < len(found.rows) else row
        battery_W = backtest.power_W(row, slot.net_W, stored_J, site)
        stored_J -= backtest.moved_J(battery_W, site)
        made.append(
            {
                "at": planning.later(known.time, at).isoformat(),
                "load_W": load_W[at],
                "pv_W": load_W[at] - slot.net_W,
                "price_per_kWh": slot.price_per_kWh,
                "battery_W": battery_W,
                "grid_W": slot.net_W - battery_W,
                "cap_W": slot.cap_W,
                "reserve_permille": row.reserve_permille,
                "stored_Wh": stored_J / J_PER_WH,
                "carbon_g_per_kWh": grams if grams == grams else None,
            }
        )
    return made
