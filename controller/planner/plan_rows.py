"""Rows of plan.json: the slots of a plan. Prices there are what a bought kWh costs, with adders, so
that a page needs no tariff.
"""

from collections.abc import Sequence
from itertools import repeat
from typing import Any

from controller.planner import forecast, planning
from controller.planner.accounts import J_PER_WH
from controller.planner.planning import SLOTS_PER_DAY, Known, Planned


def slots(known: Known, found: Planned, carbon_g_per_kWh: Sequence[float]) -> list[dict[str, Any]]:
    """`slots` of plan.json, until the end of tomorrow. carbon_g_per_kWh: from now on, NaN where it
    is unknown.
    """
    count = len(found.slots)
    load_W = forecast.load(known.past_load_W, SLOTS_PER_DAY, count)
    load_W[: len(known.load_W)] = known.load_W[:count]
    kept = [*[row.reserve_permille for row in found.rows], *repeat(None, count - len(found.rows))]
    carbon = [*carbon_g_per_kWh, *repeat(float("nan"), count)]
    every = zip(found.slots, load_W, found.plan.power_W, found.plan.stored_J, kept, carbon)
    return [
        {
            "at": planning.later(known.time, at).isoformat(),
            "load_W": each_W,
            "pv_W": each_W - slot.net_W,
            "price_per_kWh": slot.price_per_kWh,
            "battery_W": power_W,
            "grid_W": slot.net_W - power_W,
            "cap_W": slot.cap_W,
            "reserve_permille": reserve_permille,
            "stored_Wh": stored_J / J_PER_WH,
            "carbon_g_per_kWh": grams if grams == grams else None,
        }
        for at, (slot, each_W, power_W, stored_J, reserve_permille, grams) in enumerate(every)
    ]
