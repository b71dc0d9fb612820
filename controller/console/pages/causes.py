"""The numbers of a limit in words: one text per kind of cause (state/limits.py)."""

from controller.console.pages.text import directed, duration, kilowatt

QUANTITY_WORDS = {
    "charge_W_max": "charge <=",
    "discharge_W_max": "discharge <=",
    "power_W": "power",
    "import_W_max": "import <=",
    "export_W_max": "export <=",
}

STATE_WORDS = {"fallback": "its fallback", "resting": "resting on a quota"}


def short(reason: dict, cause: dict) -> str:
    """A reason in the chain's table: its name and its most telling number."""
    if reason is None:
        return "not acting"
    name = f"{reason['label']} {reason['name']}"
    kind = cause and cause["kind"]
    if kind == "reserve":
        soc = "unknown" if cause["soc_permille"] is None else f"{cause['soc_permille'] / 10:.1f} %"
        return f"{reason['label']} SOC {soc}, keep {cause['reserve_permille'] / 10:g} %"
    if kind == "hint":
        return (
            ", ".join([f"{reason['label']} {in_short(each)}" for each in cause["hints"][:1]])
            or name
        )
    rising = ", rising" if cause and cause.get("recovering") else ""
    return name + (f", rack {cause['rack']}" if cause and "rack" in cause else "") + rising


def remedy(reason: dict, cause: dict) -> str:
    """What to do about a reason."""
    if cause and cause.get("recovering"):
        return "Nothing: it rises by itself."
    if cause and cause.get("rows"):
        return f"Row {cause['rows'][0]['stage']}: {cause['rows'][0]['remedy']}"
    return reason["remedy"]


def hint(entry: dict) -> str:
    """ "site_ems: import <= 400 kW, 41 s left"."""
    left = (
        (f"{entry['valid_s']} s left") if entry["state"] == "valid" else STATE_WORDS[entry["state"]]
    )
    return f"{entry['source']}: {_value(entry)} kW, {left}"


def in_short(entry: dict) -> str:
    """ "site_ems import <= 400, 41 s", for a column of a table; kW."""
    left = f"{entry['valid_s']} s" if entry["state"] == "valid" else entry["state"]
    return f"{entry['source']} {_value(entry)}, {left}"


def _value(entry):
    return f"{QUANTITY_WORDS[entry['quantity']]} {entry['value_W'] / 1000:g}"


def then(entry: dict) -> str:
    """What comes after a hint has expired."""
    if entry["state"] == "fallback":
        return "until heartbeat and hint" if entry["is_heartbeat_owed"] else "until a hint comes"
    if entry["fallback_W"] is None:
        return "then nothing"
    return f"then fallback {entry['fallback_W'] / 1000:g} kW"


def sentences(cause: dict | None) -> str:
    """The text behind "Cause" on the page why; "" when the numbers say nothing more."""
    if cause is None:
        return ""
    if "unit" in cause and "rack" not in cause:
        words = f"No rack is joined to the DC bus of PCS {cause['unit']}."
    else:
        words = _WORDS[cause["kind"]](cause)
    rising = cause.get("recovering")
    if rising:
        words += (
            f" It rises again by {kilowatt(rising['W_per_s'])} kW/s: now "
            f"{kilowatt(rising['now_W'])}, to {kilowatt(rising['to_W'])} kW."
        )
    return words.strip()


def _current(cause):
    who = (
        f"is rated {cause['rack_current_mA'] / 1000:.1f} A"
        if cause["is_rating"]
        else f"allows {cause['rack_current_mA'] / 1000:.1f} A"
    )
    losses = (
        (f" x {cause['efficiency_permille'] / 1000:.3f} (losses)")
        if cause["efficiency_permille"] < 1000
        else ""
    )
    return (
        f"Rack {cause['rack']} {who}. One PCS, {cause['racks_online']} racks in parallel: "
        f"{cause['racks_online']} "
        f"x {cause['rack_current_mA'] / 1000:.1f} A x {cause['sharing_permille'] / 1000:.3f} "
        f"(sharing) x "
        f"{cause['voltage_V']} V{losses} = {kilowatt(cause['limit_W'])} kW at the AC terminals."
        + _cell(cause["cell"])
    )


def _cell(cell):
    if cell is None:
        return ""
    return (
        f" Cell r{cell['rack']} m{cell['module']} c{cell['cell']}: "
        f"{cell['voltage_mV'] / 1000:.3f} V, "
        f"spread {cell['spread_mV']} mV."
    )


def _voltage(cause):
    return (
        f"Full power up to {cause['full_at_mV'] / 1000:.3f} V, none at "
        f"{cause['none_at_mV'] / 1000:.3f} V; "
        f"{cause['left_permille'] / 10:.1f} % is left." + _cell(cause["cell"])
    )


def _temperature(cause):
    which, side = ("coldest", "down") if cause["is_cold"] else ("hottest", "up")
    return (
        f"Rack {cause['rack']}, {which} module {cause['module_ddegC'] / 10:.1f} C: full power "
        f"{side} to "
        f"{cause['full_at_ddegC'] / 10:.1f} C, none at {cause['none_at_ddegC'] / 10:.1f} C; "
        f"{cause['left_permille'] / 10:.1f} % is left."
    )


def _charge(cause):
    soc = (
        "is unknown"
        if cause["soc_permille"] is None
        else (f"is {cause['soc_permille'] / 10:.1f} %")
    )
    return (
        f"The state of charge of rack {cause['rack']} {soc}: full power to "
        f"{cause['full_at_permille'] / 10:g} %, "
        f"none at {cause['none_at_permille'] / 10:g} %; {cause['left_permille'] / 10:.1f} % "
        f"is left."
    )


def _silence(cause):
    return (
        f"Rack {cause['rack']}'s BMS was last heard {duration(cause['age_ms'])} ago: full "
        f"power up to "
        f"{cause['full_at_ms']} ms, none at {cause['none_at_ms']} ms; "
        f"{cause['left_permille'] / 10:.1f} % is left."
    )


def _rows(cause):
    rows = [f"row {each['stage']} {each['name']} ({each['scope']})" for each in cause["rows"][:3]]
    more = len(cause["rows"]) - len(rows)
    if not rows:
        return f"A controlled stop: the cabinet is {cause['state']}."
    text = ", ".join(rows) + (f" and {more} more" if more > 0 else "") + "."
    return text[0].upper() + text[1:]


def _permit(cause):
    waits = cause["waits_for"]
    return (f"The cabinet is {cause['state']}") + (
        f"; {waits['label']}: {waits['sentence']}" if waits["code"] > 700 else "."
    )


def _reserve(cause):
    if cause["soc_permille"] is None:
        return (
            f"The state of charge of rack {cause['rack']} is unknown, so the reserve counts as "
            f"reached."
        )
    return (
        f"Rack {cause['rack']} is lowest with {cause['soc_permille'] / 10:.1f} %; kept are "
        f"{cause['reserve_permille'] / 10:g} %, discharge opens at "
        f"{cause['opens_at_permille'] / 10:g} %; now "
        f"{kilowatt(cause['discharge_W_max'])} kW are left."
    )


def _hints(cause):
    return (
        "; ".join([f"{hint(each)}, {then(each)}" for each in cause["hints"]]) + "."
        if cause["hints"]
        else ""
    )


def request(facts: dict) -> str:
    """The request and its origin, such as "Load tracking asks for discharge 81.5 kW."."""
    names = [
        reason["name"]
        for reason in (facts["request"]["base_reason"], facts["request"]["fast_reason"])
        if reason
    ]
    if not names:
        return "Nobody asks for power."
    who = names[0][0].upper() + names[0][1:] if len(names) == 1 else "Together they"
    return f"{who} ask{'s' * (len(names) == 1)} for {directed(facts['request_W'])}."


def _rated(cause):
    return f"{kilowatt(cause['limit_W'])} kW is set for all converters together."


_WORDS = {
    "pcs_rated": _rated,
    "test": _rated,
    "installer": _rated,
    "bms_current": _current,
    "cell_voltage_taper": _voltage,
    "soc_taper": _charge,
    "temperature_taper": _temperature,
    "bms_silence": _silence,
    "derate": _rows,
    "inhibit": _rows,
    "ramp_to_zero": _rows,
    "stop": _rows,
    "permit": _permit,
    "reserve": _reserve,
    "connection": lambda cause: (
        f"With the battery at 0 the grid would carry {kilowatt(cause['connection_W'])} kW; "
        f"allowed are {kilowatt(cause['grid_import_W_max'])} in, "
        f"{kilowatt(cause['grid_export_W_max'])} out."
    ),
    "ramp": lambda cause: f"The set-point moves by {kilowatt(cause['W_per_s'])} kW/s.",
    "hint": _hints,
}
