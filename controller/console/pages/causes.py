"""Explains for the pages `why` and `status` how a limit of the power gets its value. There is a
text for each kind of cause that state/limits.py finds.
"""

from collections.abc import Callable

from controller.console.pages.text import directed, duration, kilowatt, scaled
from controller.core.base import reasons
from controller.state.base import Facts

QUANTITY_WORDS = {
    "charge_W_max": "charge <=",
    "discharge_W_max": "discharge <=",
    "power_W": "power",
    "import_W_max": "import <=",
    "export_W_max": "export <=",
}

STATE_WORDS = {"fallback": "its fallback", "resting": "paused by its energy quota"}


def short(reason: Facts | None, cause: Facts | None) -> str:
    """A short text for a table: the name of a reason, and the main number of its cause."""
    if reason is None:
        return "not acting"
    name = f"{reason['label']} {reason['name']}"
    if cause is None:
        return name
    if cause["kind"] == "reserve":
        soc = "unknown" if cause["soc_permille"] is None else f"{cause['soc_permille'] / 10:.1f} %"
        return f"{reason['label']} {cause['level']}: SOC {soc}, keep {_percent(cause)} %"
    if cause["kind"] == "hint":
        return f"{reason['label']} {in_short(cause['hints'][0])}" if cause["hints"] else name
    if cause["kind"] == "schedule" and cause["slot"]:
        return f"{reason['label']} {_place(cause)} ({cause['source']})"
    rack = f", rack {cause['rack']}" if "rack" in cause else ""
    return name + rack + (", rising" if cause.get("recovering") else "")


def remedy(reason: Facts, cause: Facts | None) -> str:
    """The remedy for a reason."""
    if cause and cause.get("recovering"):
        return "Nothing: the limit rises by itself."
    if cause and cause.get("rows"):
        return f"Row {cause['rows'][0]['stage']}: {cause['rows'][0]['remedy']}"
    return reason["remedy"]


def hint(hint_facts: Facts) -> str:
    """ "site_ems: import <= 400 kW, 41 s left"."""
    is_valid = hint_facts["state"] == "valid"
    left = f"{hint_facts['valid_s']} s left" if is_valid else STATE_WORDS[hint_facts["state"]]
    return f"{hint_facts['source']}: {_value(hint_facts)} kW, {left}"


def slot(schedule: Facts) -> str:
    """ "schedule of site_ems: acts, slot 3 of 96"."""
    place = f", {_place(schedule)}" if schedule["slot"] else ""
    return f"schedule of {schedule['source']}: {schedule['state']}{place}"


def _place(schedule: Facts) -> str:
    return f"slot {schedule['slot']} of {schedule['count']}"


def slot_bounds(schedule: Facts) -> str:
    """A sentence about the present slot of the schedule, with its source, time and bounds. Before
    the first slot, a sentence about when that slot begins.
    """
    if not schedule["slot"]:
        return f"{_first_upper(slot(schedule))}. Its first slot: {minute(schedule['starts'])} UTC."
    names = ("grid_cap_W", "battery_low_W", "battery_high_W")
    cap, low, high = ["-" if schedule[name] is None else kilowatt(schedule[name]) for name in names]
    times = f"{minute(schedule['begins'])} to {minute(schedule['ends'])[-5:]} UTC"
    return (
        f"{_first_upper(_place(schedule))} of {schedule['source']}, {times}: import <= {cap} kW, "
        f"battery {low} .. {high} kW, reserve {schedule['reserve_permille'] / 10:g} %."
    )


def _first_upper(text: str) -> str:
    return text[0].upper() + text[1:]


def minute(time: str) -> str:
    """ "2026-11-26 13:00" of an ISO time."""
    return time[:16].replace("T", " ")


def notice(notice_facts: Facts) -> str:
    """ "site_ems: price is negative, 240 s left"."""
    if notice_facts["notice"] == "step_W":
        step = f"step of {kilowatt(notice_facts['value'])} kW in {notice_facts['start_s']} s"
        return f"{notice_facts['source']}: {step}"
    return f"{notice_facts['source']}: price is negative, {notice_facts['left_s']} s left"


def in_short(hint_facts: Facts) -> str:
    """ "site_ems import <= 400, 41 s": a hint for a column of a table, kW."""
    texts = {"valid": f"{hint_facts['valid_s']} s", "resting": "paused"}
    left = texts.get(hint_facts["state"], hint_facts["state"])
    return f"{hint_facts['source']} {_value(hint_facts)}, {left}"


def _value(hint_facts: Facts) -> str:
    return f"{QUANTITY_WORDS[hint_facts['quantity']]} {hint_facts['value_W'] / 1000:g}"


def then(hint_facts: Facts) -> str:
    """Words about what follows when a hint expires. If its fallback is already active, words about
    what ends the fallback.
    """
    if hint_facts["state"] == "fallback":
        return (
            "until heartbeat and hint" if hint_facts["is_heartbeat_owed"] else "until a hint comes"
        )
    if hint_facts["fallback_W"] is None:
        return "then nothing"
    return f"then fallback {hint_facts['fallback_W'] / 1000:g} kW"


def sentences(cause: Facts | None) -> str:
    """The text after "Cause" on the page `why`. "" if there are no numbers."""
    if cause is None:
        return ""
    if "unit" in cause and "rack" not in cause:
        text = f"No rack is connected to the DC bus of PCS {cause['unit']}."
    else:
        text = _SENTENCES[cause["kind"]](cause)
    rising = cause.get("recovering")
    if rising:
        text += (
            f" It rises again by {kilowatt(rising['W_per_s'])} kW/s: now "
            f"{kilowatt(rising['now_W'])}, to {kilowatt(rising['to_W'])} kW."
        )
    return text.strip()


def _current(cause: Facts) -> str:
    current = f"{cause['rack_current_mA'] / 1000:.1f} A"
    efficiency_permille, racks = cause["efficiency_permille"], cause["racks_online"]
    losses = f" x {efficiency_permille / 1000:.3f} (losses)" if efficiency_permille < 1000 else ""
    return (
        f"Rack {cause['rack']} {'is rated' if cause['is_rating'] else 'allows'} {current}. "
        f"One PCS, {racks} racks in parallel: {racks} x {current} x "
        f"{cause['sharing_permille'] / 1000:.3f} (sharing) x {cause['voltage_V']} V{losses} = "
        f"{kilowatt(cause['limit_W'])} kW at the AC terminals.{_cell(cause['cell'])}"
    )


def _cell(cell: Facts | None) -> str:
    if cell is None:
        return ""
    return (
        f" Cell r{cell['rack']} m{cell['module']} c{cell['cell']}: "
        f"{cell['voltage_mV'] / 1000:.3f} V, spread {cell['spread_mV']} mV."
    )


def _share(cause: Facts) -> str:
    return f"{cause['left_permille'] / 10:.1f} % is left."


def _temperature(cause: Facts) -> str:
    extreme, side = ("coldest", "down") if cause["is_cold"] else ("hottest", "up")
    return (
        f"Rack {cause['rack']}, {extreme} module {scaled(cause['module_ddegC'], 10)} C: full power "
        f"{side} to {cause['full_at_ddegC'] / 10:.1f} C, none at "
        f"{cause['none_at_ddegC'] / 10:.1f} C; {_share(cause)}"
    )


def _charge(cause: Facts) -> str:
    soc = "unknown" if cause["soc_permille"] is None else f"{cause['soc_permille'] / 10:.1f} %"
    return (
        f"The state of charge of rack {cause['rack']} is {soc}: full power to "
        f"{cause['full_at_permille'] / 10:g} %, none at {cause['none_at_permille'] / 10:g} %; "
        f"{_share(cause)}"
    )


def _rows(cause: Facts) -> str:
    rows = [f"row {row['stage']} {row['name']} ({row['scope']})" for row in cause["rows"][:3]]
    more = len(cause["rows"]) - len(rows)
    if not rows:
        return f"A controlled stop: the cabinet is {cause['state']}."
    text = ", ".join(rows) + (f" and {more} more" if more > 0 else "") + "."
    return _first_upper(text)


def _permit(cause: Facts) -> str:
    waits = cause["waits_for"]
    why = f"; {waits['label']}: {waits['sentence']}" if waits["code"] > reasons.INHIBIT else "."
    return f"The cabinet is {cause['state']}{why}"


def _percent(cause: Facts) -> str:
    return f"{cause['reserve_permille'] / 10:g}"


def _reserve(cause: Facts) -> str:
    rack = cause["rack"]
    if cause["soc_permille"] is None:
        return f"The state of charge of rack {rack} is unknown, so the reserve counts as reached."
    return (
        f"Rack {rack} is lowest with {cause['soc_permille'] / 10:.1f} %. The reserve is "
        f"{_percent(cause)} %, kept for {cause['level']}; discharge starts again at "
        f"{cause['opens_at_permille'] / 10:g} %. Now {kilowatt(cause['discharge_W_max'])} kW are "
        f"left."
    )


def _hints(cause: Facts) -> str:
    text = "; ".join(f"{hint(hint_facts)}, {then(hint_facts)}" for hint_facts in cause["hints"])
    return text and f"{text}."


def request_reasons(request_facts: Facts) -> list[Facts]:
    """The reasons of a request: of its base, and of its fast part."""
    reasons_or_none = request_facts["base_reason"], request_facts["fast_reason"]
    return [reason for reason in reasons_or_none if reason]


def request(facts: Facts) -> str:
    """A sentence about the request, such as "Load tracking asks for discharge 81.5 kW."."""
    names = [reason["name"] for reason in request_reasons(facts["request"])]
    if not names:
        return "No request for power."
    power = directed(facts["request_W"])
    if len(names) > 1:
        return f"Together they ask for {power}."
    return f"{names[0][0].upper()}{names[0][1:]} asks for {power}."


_SENTENCES: dict[str, Callable[[Facts], str]] = {
    **dict.fromkeys(
        ("pcs_rated", "test", "installer"),
        lambda cause: f"{kilowatt(cause['limit_W'])} kW is set for all converters together.",
    ),
    "bms_current": _current,
    "cell_voltage_taper": lambda cause: (
        f"Full power up to {cause['full_at_mV'] / 1000:.3f} V, none at "
        f"{cause['none_at_mV'] / 1000:.3f} V; {_share(cause)}{_cell(cause['cell'])}"
    ),
    "soc_taper": _charge,
    "temperature_taper": _temperature,
    "bms_silence": lambda cause: (
        f"Rack {cause['rack']}'s BMS was last heard {duration(cause['age_ms'])} ago: full power up "
        f"to {cause['full_at_ms']} ms, none at {cause['none_at_ms']} ms; {_share(cause)}"
    ),
    **dict.fromkeys(("derate", "inhibit", "ramp_to_zero", "stop"), _rows),
    "permit": _permit,
    "reserve": _reserve,
    "contact": lambda cause: (
        f"Left for the connection: import {kilowatt(cause['import_W_max'])} kW, export "
        f"{kilowatt(cause['export_W_max'])} kW."
    ),
    "frequency": lambda cause: (
        f"The grid has {cause['frequency_mHz'] / 1000:.3f} Hz; the response is "
        f"{kilowatt(cause['response_W'])} of {kilowatt(cause['droop_W_max'])} kW. Requests may use "
        f"a charge of {cause['low_permille'] / 10:g} to {cause['high_permille'] / 10:g} %."
    ),
    "connection": lambda cause: (
        f"With the battery at 0 the grid would carry {kilowatt(cause['connection_W'])} kW; "
        f"allowed are {kilowatt(cause['grid_import_W_max'])} in, "
        f"{kilowatt(cause['grid_export_W_max'])} out."
    ),
    "peak": lambda cause: (
        f"{cause['used_Wh'] / 1000:.1f} of {cause['all_Wh'] / 1000:.1f} kWh of this metering "
        f"interval are imported, and {cause['left_s']} s are left."
    ),
    "ramp": lambda cause: f"The set-point moves by {kilowatt(cause['W_per_s'])} kW/s.",
    "hint": _hints,
    "schedule": lambda cause: slot_bounds(cause) if cause["slot"] else "",
}
