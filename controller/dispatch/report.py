"""The messages of a fleet, checked field by field, because any client of the broker may have
written them. A field with a wrong value counts as unknown.
"""

from typing import Any, NamedTuple

from controller.forms import message
from controller.forms.field import Form, flag, integer, passing, table, tables, text
from controller.forms.message import Facts, said

BYTES_MAX, STATE_BYTES_MAX = 4096, 65_536
POWER_W_MAX = 1_000_000_000
SILENT_US = 20_000_000  # a cabinet reports at least each 9 s, a dispatcher each 2 s
NEVER_US = -(1 << 62)  # time of an event that has not happened
POWER, POSITIVE = integer(-POWER_W_MAX, POWER_W_MAX), integer(0, POWER_W_MAX)
PERMILLE, SECONDS = integer(0, 1000), integer(0, 1 << 32)
SHOWN = "decides nothing, and is shown as unknown"
SPAN = passing(
    lambda value: value is None or (type(value) is int and 0 <= value <= 1 << 32),
    "seconds; null: no end",
)


def is_live(state: str | None, heard_us: int, now_us: int) -> bool:
    """True if a report is new enough. state: of the last report; None: no controller ran there."""
    return state is not None and now_us - heard_us < SILENT_US


def _words(names: str) -> dict[str, Any]:
    return said(SHOWN, "", text(), names)


SHARE: Form = {"value_W": POWER, "valid_s": SPAN, "state": text(None)}
FORM: Form = {
    **said("no controller is live there", None, text(), "state"),
    **_words("trouble limits_crc"),
    **said("a roll-out installs nothing there, and waits", "", text(), "release"),
    **said("its import and every sum with it are unknown", None, POWER, "battery_W grid_W load_W"),
    **said("the battery gives nothing", 0, POWER, "held_15min_high_W"),
    **said(SHOWN, None, POWER, "available_low_W available_high_W"),
    **said("the load counts without it, so it is higher", 0, POSITIVE, "pv_W"),
    **said("the battery gives nothing", 0, POSITIVE, "discharge_W_max"),
    **said("gives no energy; the largest discharge is held back", None, POSITIVE, "remaining_Wh"),
    **said(SHOWN, None, POSITIVE, "full_Wh"),
    **said("counts as half full beside the others", 500, PERMILLE, "soc_permille"),
    **said("gives less than the others", 0, PERMILLE, "soh_permille"),
    **said(SHOWN, None, PERMILLE, "ready_permille"),
    **said("counts as mild beside the others", 250, integer(-600, 2000), "temperature_ddegC"),
    **said("has alarms", None, integer(0, 10_000)._replace(unit=(1, "alarms")), "alarms"),
    **said(SHOWN, None, table(_words("label name")), "binding"),
    **said("`alarms` decides", None, table(_words("label words remedy")), "alarm"),
    **said("has its fallback", None, table(SHARE), "share"),
    **said(SHOWN, None, flag(), "clock"),
    **said("counts as on trial", True, flag(), "on_trial"),
}
STATE: Form = {
    **said("nothing is lent", None, integer(1, POWER_W_MAX), "connection_W"),
    **said(SHOWN, None, POSITIVE, "held_back_W"),
    **said("is named as unknown", None, POSITIVE, "short_W"),
    **said(SHOWN, None, SECONDS._replace(unit=(1, "starts")), "epoch"),
    **said("nothing is lent", None, SECONDS, "lends_in_s"),
    **said(SHOWN, None, integer(0, 1 << 53), "utc_us"),
}
CONTROL: Form = {
    **said(SHOWN, None, POSITIVE, "opModImpLimW"),
    **said(SHOWN, None, SECONDS._replace(unit=(1, "s")), "duration"),
    **said(SHOWN, None, text(), "status"),
}
CABINET: Form = {
    **said("has its fallback", None, POSITIVE, "share_W"),
    **said("while shares are lent it may import everything", None, POSITIVE, "hold_W"),
    **said("of a silent cabinet: an answer is not known", None, POSITIVE, "load_W"),
    **said("is named as unknown", None, POSITIVE, "short_W"),
    **said("has its fallback", None, SECONDS, "left_s"),
    **said("the dispatcher does not hear it", False, flag(), "is_live"),
    **said("it gets no share", "the dispatcher does not say why not", text(), "problem"),
    **said(SHOWN, [], tables(CONTROL), "DERControl"),
}


class Report(NamedTuple):
    """The fields of a report that the dispatcher uses, as `counted`. discharge_W_max: the discharge
    that the limits of the cabinet leave. remaining_Wh: above the reserve for peaks.
    """

    state: str | None
    battery_W: int | None
    grid_W: int | None
    load_W: int | None
    pv_W: int
    discharge_W_max: int
    soc_permille: int
    soh_permille: int
    temperature_ddegC: int
    remaining_Wh: int | None


OWN: Form = {name: FORM[name] for name in Report._fields}


def taken(values: Facts) -> Report:
    """The Report in the values of a message, which were read by FORM or OWN."""
    return Report(**message.counted(OWN, values))


NOTHING = taken({})


def report_of(payload: bytes) -> Report | None:
    """The report of a message, for a dispatcher. None: it is no report."""
    content = message.loaded(payload, BYTES_MAX)
    if isinstance(content, str):
        return None
    report = taken(message.read(OWN, content)[0])
    return NOTHING if report.state is None else report


def full_report(payload: bytes, source: str) -> list[Any]:
    """[fields of a report or None, text of a fault, ...], for a person. source: that of the
    dispatcher, whose import maximum becomes `share`.
    """
    content = message.loaded(payload, BYTES_MAX)
    if isinstance(content, str):
        return [None, content]
    if isinstance(shares := content.get("share"), dict):
        content["share"] = shares.get(source)
    values, wrong = message.read(FORM, content)
    return [values, *[f"has a wrong {name}" for name in wrong]]


def state_of(payload: bytes) -> tuple[Facts, list[str]] | str:
    """(the published state of a dispatcher (facts.py), texts of its faults). `cabinets` has those
    of this message, as `counted`. A text instead says why the message is no state.
    """
    content = message.loaded(payload, STATE_BYTES_MAX)
    if isinstance(content, str):
        return content
    rows = content.get("cabinets")
    if not isinstance(rows, dict):
        return "has no cabinets"
    state, wrong = message.read(STATE, content)
    cabinets = state["cabinets"] = {}
    for name, row in rows.items():
        values, faults = message.read(CABINET, row) if isinstance(row, dict) else ({}, ["row"])
        cabinets[name] = message.counted(CABINET, values)
        wrong += [f"{field} of {name}" for field in faults]
    return state, [f"has a wrong {field}" for field in wrong]


def import_without_battery_W(report: Report, permille: int | None) -> int | None:
    """Import of a cabinet with its battery at 0, as the cabinet compares it with its limit. None if
    unknown. permille: its part of a common load; None: it has its own meters.
    """
    first_W, second_W = report.grid_W, report.battery_W
    if permille is not None:
        first_W, second_W = report.load_W, -report.pv_W
    if first_W is None or second_W is None:
        return None
    return (first_W + second_W) * (1000 if permille is None else permille) // 1000
