"""A plan.json for the tests, whole; a test changes keys of it."""

from datetime import datetime

AT = "2026-11-26T13:00:02+01:00"
NOW_S = datetime.fromisoformat(AT).timestamp()
SLOT = {
    "load_W": 310e3,
    "pv_W": 0.0,
    "price_per_kWh": 0.09,
    "battery_W": -50e3,
    "grid_W": 360e3,
    "cap_W": 400e3,
    "reserve_permille": 300,
    "stored_Wh": 322500.0,
    "carbon_g_per_kWh": None,
}
ACTUAL = {
    "load_W": 300e3,
    "pv_W": 0.0,
    "grid_W": 350e3,
    "battery_W": -50e3,
    "stored_Wh": 310e3,
    "price_per_kWh": 0.1,
    "planned_battery_W": -50e3,
    "planned_grid_W": 352e3,
    "forecast_load_W": 302e3,
    "yesterday_load_W": None,
}
MONTH = {
    "since": "2026-11-01T00:00:00+01:00",
    "cost": 9000.0,
    "cost_without": 9400.5,
    "peak_W": 400e3,
    "peak_without_W": 480e3,
    "share_permille": 812,
    "share_days": 28,
    "CO2_kg": None,
    "CO2_without_kg": None,
    "yielded_kWh": None,
    "yielded_h": None,
    "forecast_error_W": 21e3,
    "yesterday_error_W": 30e3,
    "shadows": [{"name": "no battery", "cost": 9400.5}, {"name": "holds_cap", "cost": 9010.0}],
}


def plan(**changed):
    """plan.json at 13:00, of two slots and one finished quarter of an hour."""
    times = "2026-11-26T13:00:00+01:00", "2026-11-26T13:15:00+01:00"
    return {
        "version": 1,
        "at": AT,
        "zone": "Europe/Berlin",
        "currency": "EUR",
        "site": "/etc/firebreak/planner/planner.toml",
        "made_at": AT,
        "next_at": "2026-11-26T14:00:00+01:00",
        "habit": "holds_cap",
        "cap_W": 400e3,
        "stored_Wh": 310e3,
        "full_Wh": 645e3,
        "sent": {"at": AT, "code": "H0", "text": "Granted."},
        "waits": [],
        "doubts": ["prices: none is known from now on: those of the day before count"],
        "slots": [{"at": each, **SLOT} for each in times],
        "actual": [{"at": "2026-11-26T12:45:00+01:00", **ACTUAL}],
        "month": {**MONTH, "shadows": [*MONTH["shadows"]]},
        **changed,
    }
