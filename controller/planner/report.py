"""Makes the content of `plan.json` from a plan and the books, and the log line of each plan."""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from controller.core.base.schedule_table import OPEN_W, Slot as Row
from controller.planner import backtest, planning, rows
from controller.planner.books import Quarter
from controller.planner.exact import J_PER_KWH, J_PER_WH
from controller.planner.planning import Known, Planned, Site, later
from controller.state import plan_file

TIME = "%Y-%m-%d %H:%M"
UNKNOWN = plan_file.MONTH.keys() - {"since", "share_days", "shadows"}


def slots(
    site: Site, known: Known, planned: Planned, carbon_g_per_kWh: Sequence[float]
) -> list[dict[str, Any]]:
    """`slots` of plan.json, as the controller will follow them. To hold the cap, the controller
    also spends the energy that a plan keeps. So the powers come from the model of backtest.py.
    """
    count, stored_J = len(planned.slots), known.stored_J
    load_W, pv_W = planning.ahead_W(known, count)
    carbon = [*carbon_g_per_kWh, *[math.nan] * count][:count]
    slot_facts = []
    for index, (slot, row) in enumerate(zip(planned.slots, rows_of(planned))):
        time = later(known.time, index)
        less_W, power_W, stored_J = backtest.stepped(row, slot.net_W, stored_J, site)
        price = slot.price_per_kWh - planning.adder(site, known, index)
        slot_facts.append(
            {
                "at": time.isoformat(),
                "load_W": round(load_W[index]),
                "pv_W": round(pv_W[index]),
                "price_per_kWh": bought(site, time, price),
                "battery_W": round(power_W),
                "grid_W": round(slot.net_W - less_W - power_W),
                "cap_W": round(slot.cap_W),
                "reserve_permille": row.reserve_permille,
                "stored_Wh": round(stored_J / J_PER_WH),
                "carbon_g_per_kWh": None if math.isnan(carbon[index]) else carbon[index],
            }
        )
    return slot_facts[: plan_file.SLOTS_MAX]


def short_of(known: Known, planned: Planned) -> list[str]:
    """A line about the first slot that ends with less energy than the reserve asks for, or []."""
    for slot_end, (stored_J, asked_J) in enumerate(zip(planned.plan.stored_J, planned.asked_J), 1):
        if stored_J < asked_J - J_PER_WH:
            stored_kWh, asked_kWh = stored_J / J_PER_KWH, asked_J / J_PER_KWH
            by = later(known.time, slot_end)
            return [f"reserve: {stored_kWh:.0f} of {asked_kWh:.0f} kWh are stored by {by:{TIME}}"]
    return []


def rows_of(planned: Planned) -> list[Row]:
    """Rows of the schedule, then rows for the slots after it, with the schedule's last reserve."""
    permille, count = planned.rows[-1].reserve_permille, len(planned.rows)
    after = zip(planned.slots[count:], planned.plan.power_W[count:])
    return [*planned.rows, *[rows.row_of(slot, power_W, permille) for slot, power_W in after]]


def bought(site: Site, time: datetime, price_per_kWh: float | None) -> float | None:
    """Price of plan.json: that of a bought kWh with adders, so that a page needs no tariff."""
    if price_per_kWh is None:
        return None
    return round(price_per_kWh + planning.adder_per_kWh(site, time), 6)


def actual(site: Site, rows: Sequence[Quarter]) -> list[dict[str, Any]]:
    """`actual` of plan.json."""
    return [
        {name: getattr(row, name) for name in plan_file.ACTUAL}
        | {"at": row.at.isoformat(), "price_per_kWh": bought(site, row.at, row.price_per_kWh)}
        for row in rows[-plan_file.ACTUAL_MAX :]
    ]


def no_month(now: datetime) -> dict[str, Any]:
    """`month` of plan.json while nothing is known of the month."""
    since = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0).isoformat()
    return {"since": since, **dict.fromkeys(UNKNOWN), "share_days": 0, "shadows": []}


def lines(texts: Sequence[str]) -> list[str]:
    """Lines within the limits of plan.json: number, length, printable characters."""
    most, longest = plan_file.LINES_MAX, plan_file.CHARACTERS_MAX
    clean = ["".join([c if c.isprintable() else "?" for c in text]) for text in texts[:most]]
    return [text if len(text) <= longest else f"{text[: longest - 3]}..." for text in clean]


def of_plan(planned: Planned, habit: str, time: datetime) -> str:
    """A plan in one line for the log."""
    powers_W = planned.plan.power_W
    until = planning.later(time, len(planned.rows)).strftime("%H:%M")
    charged = [row for row in planned.rows if OPEN_W < row.battery_high_W < 0]
    discharged = [row for row in planned.rows if row.battery_low_W > 0]
    return (
        f"plan by {habit}: cap {planned.cap_W / 1000:.0f} kW, {len(planned.rows)} slots from "
        f"{time:%H:%M} to {until}, {len(charged)} charge, {len(discharged)} discharge, battery "
        f"{min(powers_W) / 1000:.0f} .. {max(powers_W) / 1000:.0f} kW"
    )


def content(**fields: Any) -> dict[str, Any]:
    """The whole file, with keys in the order of its form."""
    return {name: (fields | {"version": plan_file.VERSION})[name] for name in plan_file.FORM}
