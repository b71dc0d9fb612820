"""Reads and writes `plan.json`: the plan, what was sent and measured, and what the planner awaits.

The planner writes the file after each plan and each quarter of an hour. Other programs read nothing
else of the planner. None is an unknown number. Times are texts with the offset of the site's zone.
"""

import json
import os
from datetime import datetime
from typing import Any

from controller.forms import reading
from controller.forms.field import (
    Field,
    choice,
    is_list,
    is_number,
    is_text,
    passing,
    table,
    tables,
)
from controller.forms.refusal import ConfigError, refuse
from controller.store import durable
from controller.system import json_text, paths, regular_file
from controller.system.utc import elapsed_s

RUN_DIRECTORY, FILE = "/run/firebreak-planner", "plan.json"
# OLD_S: a plan of this age is old. EARLY_S: a plan may be ahead of the clock by this time.
VERSION, BYTES_MAX, OLD_S, EARLY_S = 1, 256 << 10, 7200.0, 300.0
SLOTS_MAX, ACTUAL_MAX, LINES_MAX, CHARACTERS_MAX = 192, 96, 32, 300
Plan = dict[str, Any]  # the content of the file
HABITS = ("holds_cap", "trades", "told", "energy_only")


def _is_time(value: Any) -> bool:
    try:
        time = datetime.fromisoformat(value) if is_text(value) else None
    except ValueError:
        return False
    return time is not None and time.tzinfo is not None and 1970 <= time.year < 2200


def _is_line(value: Any) -> bool:
    return is_text(value) and len(value) <= CHARACTERS_MAX and value.isprintable()


def _or_null(field: Field) -> Field:
    """The same field, but null is allowed too."""
    test, allowed, _ = field.allowed
    return passing(lambda value: value is None or test(value), f"{allowed}, or null")


def _number(low: float, high: float) -> Field:
    """A number or null."""
    allowed = f"a number {low:g}..{high:g}"
    return _or_null(passing(lambda value: is_number(value, low, high), allowed))


TIME = passing(_is_time, "a time with an offset as 2026-11-26T13:00:00+01:00")
LINE = passing(_is_line, f"a line of at most {CHARACTERS_MAX} characters")
LINES = passing(
    lambda value: is_list(value, _is_line) and len(value) <= LINES_MAX,
    f"a list of at most {LINES_MAX} lines of text",
)
HABIT = _or_null(passing(lambda value: value in HABITS, f"one of {', '.join(HABITS)}"))
POWER, ENERGY, MONEY = _number(-1e9, 1e9), _number(0, 1e12), _number(-1e12, 1e12)
PRICE, PERMILLE, MASS = _number(-1e9, 1e9), _number(0, 1000), _number(-1e12, 1e12)
SLOT = {
    "at": TIME,
    **dict.fromkeys(("load_W", "pv_W", "battery_W", "grid_W", "cap_W"), POWER),
    "price_per_kWh": PRICE,
    "reserve_permille": PERMILLE,
    "stored_Wh": ENERGY,
    "carbon_g_per_kWh": _number(0, 5000),
}
ACTUAL = {
    "at": TIME,
    **dict.fromkeys(("load_W", "pv_W", "grid_W", "battery_W"), POWER),
    "stored_Wh": ENERGY,
    "price_per_kWh": PRICE,
    **dict.fromkeys(("planned_battery_W", "planned_grid_W"), POWER),
    **dict.fromkeys(("forecast_load_W", "yesterday_load_W"), POWER),
}
MONTH = {
    "since": TIME,
    **dict.fromkeys(("cost", "cost_without"), MONEY),
    **dict.fromkeys(("peak_W", "peak_without_W"), POWER),
    "share_permille": _number(-1e6, 1e6),  # < 0: a loss; > 1000: better than the model
    "share_days": _number(0, 366),
    **dict.fromkeys(("CO2_kg", "CO2_without_kg"), MASS),
    **dict.fromkeys(("forecast_error_W", "yesterday_error_W"), POWER),
    # energy that the load got later, because it was lowered on request; a file of version 1 may
    # lack these keys
    **dict.fromkeys(("yielded_kWh", "yielded_h"), MASS._replace(default=None)),
    "shadows": tables({"name": LINE, "cost": MONEY}),
}
VERSIONS = {"version": choice((VERSION,))}
FORM = {
    **VERSIONS,
    "at": TIME,
    **dict.fromkeys(("zone", "currency", "site"), LINE),
    "made_at": _or_null(TIME),
    "next_at": TIME,
    "habit": HABIT,
    "cap_W": POWER,
    **dict.fromkeys(("stored_Wh", "full_Wh"), ENERGY),
    "sent": _or_null(passing(lambda value: isinstance(value, dict), "a table")),
    **dict.fromkeys(("waits", "doubts"), LINES),
    "slots": tables(SLOT),
    "actual": tables(ACTUAL),
    "month": table(MONTH),
}
SENT = {"at": TIME, "code": LINE, "text": LINE}


def beside(run_directory: str) -> str:
    """Path of the planner's file, from the run directory of the controller. In a cabinet the
    planner has its own directory; in the rig it has a folder inside the directory of the
    controller.
    """
    own = run_directory == paths.RUN_DIRECTORY
    return os.path.join(RUN_DIRECTORY if own else os.path.join(run_directory, "planner"), FILE)


class PlanFileError(Exception):
    """The file is no plan. One line says what is wrong, where, and what is allowed."""


def read(path: str) -> Plan:
    """The checked file. PlanFileError: one line; FileNotFoundError: no planner has run."""
    try:
        data = regular_file.read(path, BYTES_MAX + 1, regular_file.link_opener)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise PlanFileError(f"{path}: cannot be read: {error.strerror}") from None
    if len(data) > BYTES_MAX:
        raise PlanFileError(f"{path}: has more than {BYTES_MAX} bytes; allowed is a plan.json")
    try:
        content = json_text.loads(data)
    except ValueError:
        raise PlanFileError(f"{path}: is not JSON; allowed is a plan.json of this box") from None
    try:
        return checked(path, content)
    except ConfigError as error:
        raise PlanFileError(str(error)) from None


def checked(path: str, content: Any) -> Plan:
    """The content, if it has the form. Raises ConfigError."""
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: is not a table; allowed is a plan.json of this box")
    reading.read(path, (), {key: content[key] for key in VERSIONS if key in content}, VERSIONS)
    plan = reading.read(path, (), content, FORM)
    if plan["sent"] is not None:
        reading.read(path, ("sent",), plan["sent"], SENT)
    for key, most in (("slots", SLOTS_MAX), ("actual", ACTUAL_MAX)):
        if len(plan[key]) > most:
            refuse(path, (key,), f"has {len(plan[key])} entries", f"at most {most}")
    return plan


def written(path: str, content: Plan) -> None:
    """Replace the file as a whole, readable for everybody. Raises OSError, ConfigError."""
    text = json.dumps(checked(path, content), allow_nan=False, separators=(",", ":"))
    durable.put(path, ".new", [text.encode("ascii")], 0o644)


def age_s(plan: Plan, now_s: float) -> float:
    """Age of a read file at a time, UTC in s since 1970."""
    return elapsed_s(datetime.fromisoformat(plan["at"]).timestamp(), now_s)


def is_old(plan: Plan, now_s: float) -> bool:
    """True if the planner has written nothing for two hours, or the clock was set back since."""
    return not -EARLY_S <= age_s(plan, now_s) <= OLD_S
