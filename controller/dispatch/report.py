"""The messages of a fleet, checked field by field: whoever may write to the broker may have written
them. A field with a wrong value counts as unknown. A text in place of a message says why there is
none.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from controller.system import json_text
from controller.system.paths import printable

Facts = dict[str, Any]
Form = dict[str, Callable[[object], Any]]
BYTES_MAX, STATE_BYTES_MAX = 4096, 65_536
TEXT_MAX = 700
POWER_W_MAX = 1_000_000_000
SILENT_MS = 20_000  # a cabinet reports at least each 9 s, a dispatcher each 2 s


def is_live(state: str | None, heard_ms: float, now_ms: float) -> bool:
    """The rule of silence. state: of the last report; None: no controller ran there."""
    return state is not None and now_ms - heard_ms < SILENT_MS


def _number(low: int, high: int, value: object) -> int | None:
    return value if type(value) is int and low <= value <= high else None


def _text(value: object) -> str | None:
    return printable(value[:TEXT_MAX]) if isinstance(value, str) else None


def _words(value: object) -> str:
    return _text(value) or ""


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _object(form: Form, value: object) -> Facts | None:
    return values_by(form, value) if isinstance(value, dict) else None


def _rows(form: Form, value: object) -> list[Facts]:
    rows = value if isinstance(value, list) else []
    return [values_by(form, each) for each in rows if isinstance(each, dict)]


def _share(value: object) -> Facts | None:
    """None: the cabinet has no share in force. A fallback has no end."""
    found = _object(SHARE, value)
    return None if found is None or None in (found["value_W"], found["valid_s"]) else found


POWER, POSITIVE = partial(_number, -POWER_W_MAX, POWER_W_MAX), partial(_number, 0, POWER_W_MAX)
PERMILLE, SECONDS = partial(_number, 0, 1000), partial(_number, 0, 1 << 32)
SHARE: Form = {
    "value_W": POWER,
    "valid_s": lambda value: SECONDS(0 if value is None else value),
    "state": _text,
}
FORM: Form = {
    **dict.fromkeys(("state", "trouble", "limits_crc", "release"), _text),
    **dict.fromkeys(("battery_W", "grid_W", "load_W"), POWER),
    **dict.fromkeys(("available_low_W", "available_high_W", "held_15min_high_W"), POWER),
    **dict.fromkeys(("pv_W", "discharge_W_max", "remaining_Wh", "full_Wh"), POSITIVE),
    **dict.fromkeys(("soc_permille", "soh_permille", "ready_permille"), PERMILLE),
    "temperature_ddegC": partial(_number, -600, 2000),
    "alarms": partial(_number, 0, 10_000),
    "binding": partial(_object, dict.fromkeys(("label", "name"), _words)),
    "alarm": partial(_object, dict.fromkeys(("label", "words", "remedy"), _words)),
    "share": _share,
    **dict.fromkeys(("clock", "on_trial"), _flag),
}
STATE: Form = {
    **dict.fromkeys(("connection_W", "held_back_W", "short_W"), POSITIVE),
    **dict.fromkeys(("epoch", "lends_in_s"), SECONDS),
    "utc_us": partial(_number, 0, 1 << 53),
}
CONTROL: Form = {"opModImpLimW": POSITIVE, "duration": SECONDS, "status": _text}
CABINET: Form = {
    **dict.fromkeys(("share_W", "hold_W", "load_W", "short_W"), POSITIVE),
    "left_s": SECONDS,
    "is_live": lambda value: value is True,
    "problem": _words,
    "DERControl": partial(_rows, CONTROL),
}


class Report(NamedTuple):
    """What the dispatcher takes of a report; None: unknown. discharge_W_max: what the limits of the
    cabinet leave of a discharge. remaining_Wh: above the reserve for peaks.
    """

    state: str | None = None
    battery_W: int | None = None
    grid_W: int | None = None
    load_W: int | None = None
    pv_W: int | None = None
    discharge_W_max: int | None = None
    soc_permille: int | None = None
    soh_permille: int | None = None
    temperature_ddegC: int | None = None
    remaining_Wh: int | None = None


NOTHING = Report()


def loaded(payload: bytes, bytes_max: int = BYTES_MAX) -> Facts | str:
    """The object in a message."""
    if len(payload) > bytes_max:
        return f"has {len(payload)} bytes"
    try:
        found = json_text.whole(json_text.loads(payload))
    except ValueError:
        return "is not JSON"
    return found if isinstance(found, dict) else "is no JSON object"


def values_by(form: Form, found: Facts) -> Facts:
    """{each name of the form: its value, or None}."""
    return {name: check(found.get(name)) for name, check in form.items()}


def report_of(payload: bytes) -> Report | None:
    """The report of a message, for a dispatcher. None: it is no report."""
    found = loaded(payload)
    if isinstance(found, str):
        return None
    report = Report(*[FORM[name](found.get(name)) for name in Report._fields])
    return NOTHING if report.state is None else report


def full_report(payload: bytes, source: str) -> list[Any]:
    """[the fields of a report, or None; words for what is wrong with it, ...], for a person.
    source: the one of the dispatcher, whose import maximum is `share`.
    """
    found = loaded(payload)
    if isinstance(found, str):
        return [None, found]
    if isinstance(shares := found.get("share"), dict):
        found["share"] = shares.get(source)
    values = values_by(FORM, found)
    wrong = [name for name in FORM if values[name] is None and found.get(name) is not None]
    return [values, *[f"has a wrong {name}" for name in wrong]]


def state_of(payload: bytes) -> Facts | str:
    """The state that a dispatcher publishes (facts.py); `cabinets` has those of this message."""
    found = loaded(payload, STATE_BYTES_MAX)
    if isinstance(found, str):
        return found
    rows = found.get("cabinets")
    if not isinstance(rows, dict):
        return "has no cabinets"
    own = {name: values_by(CABINET, each) for name, each in rows.items() if isinstance(each, dict)}
    return {**values_by(STATE, found), "cabinets": own}


def import_without_battery_W(report: Report, permille: int | None) -> int | None:
    """Import of a cabinet with its battery at 0, as the cabinet compares it with its limit; None:
    unknown. permille: its part of a common load; None: it has meters of its own.
    """
    first_W, second_W = report.grid_W, report.battery_W
    if permille is not None:
        first_W, second_W = report.load_W, -(report.pv_W or 0)
    if first_W is None or second_W is None:
        return None
    return (first_W + second_W) * (1000 if permille is None else permille) // 1000
