"""Messages of eight made cabinets and their dispatcher, as a broker has them."""

import json

from controller.dispatch.fleet import Cabinet, Fleet
from controller.dispatch.overview import Overview

NAMES = [f"hall{number}" for number in range(1, 9)]
FIRE = {
    "label": "R802",
    "words": "The fire panel reports an alarm.",
    "remedy": "Leave the cabinet closed. Call the fire service; reset with the key.",
}
DOOR = {"label": "R818", "words": "The door is open.", "remedy": "Close the door."}
STATE_TOPIC = "firebreak-fleet/fleet/state"
NOW_US = 1_000_000_000
UTC_US = 1_764_440_400_000_000  # 2025-11-29 18:20:00


def report(**changes):
    return {
        "uptime_ms": 600_000,
        "state": "running",
        "battery_W": 50_000,
        "grid_W": 450_000,
        "load_W": 500_000,
        "available_low_W": -200_000,
        "available_high_W": 250_000,
        "held_15min_high_W": 240_000,
        "discharge_W_max": 250_000,
        "remaining_Wh": 300_000,
        "full_Wh": 600_000,
        "soc_permille": 640,
        "soh_permille": 980,
        "temperature_ddegC": 251,
        "binding": None,
        "alarms": 0,
        "alarm": None,
        "share": {"fleet": {"value_W": 500_000, "valid_s": 41, "state": "valid"}},
        "limits_crc": "0A1B2C3D",
        "release": "0.4.0",
        "clock": True,
        **changes,
    }


def state(names=NAMES, changes=None, **whole):
    control = {"opModImpLimW": 500_000, "duration": 52, "status": "started"}
    own = {"is_live": True, "share_W": 500_000, "left_s": 52, "hold_W": 520_000, "problem": ""}
    own |= {"short_W": 0, "load_W": 500_000, "DERControl": [control]}
    cabinets = {name: {**own, **(changes or {}).get(name, {})} for name in names}
    found = {"connection_W": 4_000_000, "epoch": 3, "held_back_W": 200_000, "short_W": 0}
    found["lends_in_s"] = 0
    return {**found, "utc_us": UTC_US, "cabinets": cabinets, **whole}


def fleet(names=NAMES, connection_W=4_000_000, is_common=False, fallback_W=200_000):
    parts = 1000 // len(names) if is_common else 0
    cabinets = tuple([Cabinet(name, b"", fallback_W, parts) for name in names])
    return Fleet("", connection_W, is_common, "fleet", 0, 0.0, cabinets, {})


def hear(overview, topic, message, is_retained=False, now_us=NOW_US):
    payload = message if isinstance(message, bytes) else json.dumps(message).encode()
    overview.hear(topic, payload, is_retained, now_us)


def heard(reports=None, shared=None, is_retained=False, **of_fleet):
    """An overview. reports: {name: changes of its report, None: no message}; shared: the state of
    the dispatcher, None: no message.
    """
    found = Overview(fleet(**of_fleet))
    for name in found.seen:
        changes = (reports or {}).get(name, {})
        if changes is not None:
            hear(found, f"firebreak/{name}/online", b"online", True)
            hear(found, f"firebreak/{name}/report", report(**changes), is_retained)
    if shared is not None:
        hear(found, STATE_TOPIC, shared)
    return found
