"""The state that a dispatcher publishes (facts.py), read back and checked field by field."""

from typing import Any

from controller.dispatch.report import POWER_W_MAX, number
from controller.system import json_text
from controller.system.paths import printable

Facts = dict[str, Any]
WHOLE = {
    "connection_W": POWER_W_MAX,
    "held_back_W": POWER_W_MAX,
    "short_W": POWER_W_MAX,
    "epoch": 1 << 32,
    "utc_us": 1 << 53,
}
OF_CABINET = {"share_W": POWER_W_MAX, "left_s": 100_000, "hold_W": POWER_W_MAX}


def read(payload: bytes) -> Facts | None:
    """{each of WHOLE, cabinets: {name: {each of OF_CABINET, is_live, problem}}}; a number is None
    if it is missing or wrong. None: this is no state of a dispatcher.
    """
    try:
        found = json_text.whole(json_text.loads(payload))
    except ValueError:
        return None
    if not isinstance(found, dict) or not isinstance(found.get("cabinets"), dict):
        return None
    cabinets = {
        name: _cabinet(each) for name, each in found["cabinets"].items() if isinstance(each, dict)
    }
    return {**_numbers(found, WHOLE), "cabinets": cabinets}


def _cabinet(found: Facts) -> Facts:
    problem = found.get("problem")
    return {
        **_numbers(found, OF_CABINET),
        "is_live": found.get("is_live") is True,
        "problem": printable(problem[:300]) if isinstance(problem, str) else "",
    }


def _numbers(found: Facts, highest: dict[str, int]) -> Facts:
    return {name: number(found.get(name), 0, most) for name, most in highest.items()}
