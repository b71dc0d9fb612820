"""A plan.json made by formulas: a day of quarters behind, a day and a half of plan ahead."""

import math
from datetime import datetime, timedelta, timezone

ZONE = timezone(timedelta(hours=1))
NOW = datetime(2026, 11, 26, 13, 0, 2, tzinfo=ZONE)
QUARTER = timedelta(minutes=15)
SHADOWS = {"as run": 4194.0, "no battery": 4680.0, "holds_cap": 4319.0, "energy_only": 4487.0}


def hump(hour, top, width):
    return math.exp(-(((hour - top) / width) ** 2))


def quarter(at, stored_Wh):
    """(values that slots and measured quarters share, stored energy at the end)."""
    hour = at.hour + at.minute / 60
    load_W = 230e3 + 90e3 * hump(hour, 10, 2.5) + 60e3 * hump(hour, 18, 2)
    pv_W = 70e3 * max(0.0, math.cos((hour - 12.2) / 4.2 * 1.57)) if 8 < hour < 16 else 0.0
    battery_W = 40e3 * (9 <= hour < 11) + 30e3 * (17 <= hour < 20) - 26e3 * (1 <= hour < 7)
    stored_Wh -= battery_W / 4
    price = 0.20 + 0.06 * hump(hour, 18, 2) - 0.05 * hump(hour, 13, 2)
    own = {"at": at.isoformat(), "load_W": load_W, "pv_W": pv_W, "battery_W": battery_W}
    return own | {
        "grid_W": load_W - pv_W - battery_W, "price_per_kWh": price, "stored_Wh": stored_Wh,
    }, stored_Wh  # fmt: skip


def plan(now=NOW, **changes):
    begin = now.replace(minute=0, second=0) - timedelta(days=1)
    stored_Wh, actual, slots = 300e3, [], []
    for at in range(96 + 140):
        row, stored_Wh = quarter(begin + at * QUARTER, stored_Wh)
        if at < 96:
            forecast = {"forecast_load_W": row["load_W"] + 4e3, "yesterday_load_W": None}
            told = {"planned_battery_W": row["battery_W"], "planned_grid_W": row["grid_W"] + 4e3}
            actual.append(row | told | forecast)
        else:
            more = {"cap_W": 265e3, "reserve_permille": 150, "carbon_g_per_kWh": None}
            slots.append(row | more)
    return {
        "version": 1, "at": now.isoformat(), "zone": "Europe/Berlin", "currency": "EUR",
        "site": "/etc/firebreak/planner/planner.toml", "made_at": now.isoformat(),
        "next_at": (now + timedelta(hours=1)).isoformat(), "habit": "trades", "cap_W": 265e3,
        "stored_Wh": actual[-1]["stored_Wh"], "full_Wh": 645e3,
        "sent": {"at": now.isoformat(), "code": "H0", "text": "accepted"},
        "waits": [], "doubts": ["feed air: its values are 30.1 h old, allowed are 24 h"],
        "slots": slots, "actual": actual,
        "month": {
            "since": now.replace(day=1, hour=0, minute=0, second=0).isoformat(), "cost": 4194.4,
            "cost_without": 4680.5, "peak_W": 262.4e3, "peak_without_W": 318.9e3,
            "share_permille": 861.0, "share_days": 28, "CO2_kg": 8214.2, "CO2_without_kg": 8544.2,
            "yielded_kWh": 42.0, "yielded_h": 3.5,
            "forecast_error_W": 11.2e3, "yesterday_error_W": 14.9e3,
            "shadows": [{"name": name, "cost": cost} for name, cost in SHADOWS.items()],
        },
    } | changes  # fmt: skip
