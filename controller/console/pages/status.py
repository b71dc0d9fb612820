"""The page status: state, interlocks, power, racks, links: what everybody wants to know first,
without login.
"""

from controller.console.pages import causes
from controller.console.pages.racks import HEADER, line
from controller.console.pages.text import (
    RULE,
    WIDTH,
    calibration,
    checklist,
    directed,
    duration,
    ending,
    fitting,
    head,
    kilowatt,
    last,
    moment,
    page,
    rest,
    scaled,
    spread,
    typed,
)
from controller.record.proof_state import LIMITS_D, nearest
from controller.state.racks import worst_first

STANDING_SHOWN, HINTS_SHOWN, RACKS_SHOWN = 2, 2, 3
# In the order in which those that are not ok are named; of the others SHOWN_WHEN_OK, as far as
# there is room.
CONTACT_WORDS = {
    "estop": "E-stop",
    "fire_panel": "Fire panel",
    "smoke": "Smoke",
    "heat": "Heat",
    "suppression": "Suppression",
    "gas_relay": "Gas relay",
    "airflow": "Air",
    "damper": "Damper",
    "cell_voltage": "Cell relay",
    "bms_fault": "BMS fault",
    "leak": "Leak",
    "coolant": "Coolant",
    "cooling": "Cooling",
    "fire_trouble": "Fire trouble",
    "supervised": "Panel line",
    "door": "Door",
}
SHOWN_WHEN_OK = ("estop", "fire_panel", "door", "smoke")
VALUE_WORDS = {"ok": "ok", "not ok": "NOT OK", "unknown": "?"}
OWN_WORDS = {
    "door": {"ok": "shut", "not ok": "OPEN"},
    "smoke": {"ok": "clear", "not ok": "ALARM"},
    "heat": {"not ok": "ALARM"},
    "leak": {"not ok": "WET"},
    "bms_fault": {"not ok": "YES"},
    "fire_trouble": {"not ok": "YES"},
}
KEY_WORDS = {"ok": "RUN", "not ok": "out of RUN", "unknown": "?"}


def lines(facts):
    """The page (facts/status.py) as lines."""
    return page(
        [
            *head(facts),
            *_safety(facts),
            RULE,
            *_power(facts),
            *_racks(facts["racks"]),
            RULE,
            *_foot(facts),
        ]
    )


def _safety(facts):
    words = [f"LAMP {facts['lamp']}" + (" HORN" if facts["horn_is_on"] else ""), *_gas(facts)]
    wrong, right = _contacts(facts["contacts"])
    first = "  ".join([*words, *wrong])
    first = (
        fitting(first, *[f"  {word}" for word in right])
        if len(first) <= WIDTH
        else _first(words, wrong)
    )
    count = facts["interlocks"]
    second = (
        f"INTERLOCKS  {count['armed']} armed  {count['tripped']} tripped  "
        f"{count['warnings']} warning"
        f"{'s' * (count['warnings'] != 1)}  {count['not_fitted']} not fitted"
    )
    return [
        first,
        spread(second, f"Key: {KEY_WORDS[facts['contacts']['key_run']]}"),
        *_standing(facts),
    ]


def _gas(facts):
    """The combustible gas always; vapour and hydrogen or CO while there is some, or nobody
    knows.
    """
    gas = [scaled(value, 10) for value in facts["gas_lfl_permille"]]
    words = [f"Gas {' '.join(gas)} %LFL"] if gas else []
    for name, values in (("Vapour", facts["vapour_ppm"]), ("H2/CO", facts["toxic_ppm"])):
        words += (
            [f"{name} {' '.join([scaled(value, 1, 0) for value in values])} ppm"]
            if any([value != 0 for value in values])
            else []
        )
    return words


def _contacts(contacts):
    """The contacts in words: (those that are open, then those nobody knows of; of the others those
    named always).
    """
    wrong = [
        _contact(name, value)
        for value in ("not ok", "unknown")
        for name in CONTACT_WORDS
        if contacts[name] == value
    ]
    return wrong, [_contact(name, "ok") for name in SHOWN_WHEN_OK if contacts[name] == "ok"]


def _contact(name, value):
    return f"{CONTACT_WORDS[name]} {OWN_WORDS.get(name, {}).get(value, VALUE_WORDS[value])}"


def _first(words, wrong):
    """As many of the contacts that are wrong as fit beside the words, and how many more there
    are.
    """
    lines = [
        "  ".join([*words, *wrong[:count], f"+{len(wrong) - count}"]) for count in range(len(wrong))
    ]
    return max([line for line in lines if len(line) <= WIDTH], key=len, default=lines[0])


def _standing(facts):
    """The rows that stand, those that stop power first; the rest is counted. Of a long line the
    name gives way.
    """
    order = sorted(
        facts["standing"], key=lambda row: (-row["demands"].get("pcs", 0), row["began_ms"] or 0)
    )
    more = ["" for _ in order[1:STANDING_SHOWN]]
    more += [f" (+{len(order) - STANDING_SHOWN}: alarms)" if len(order) > STANDING_SHOWN else ""]
    return [
        ending(
            f" ! row {row['stage']:<4}{row['reason']['name']}, {row['scope']}",
            f"; since {moment(row['began_ms'], facts)}, {row['reset']} reset{others}",
        )
        for row, others in zip(order, more)
    ]


def _grid(power_W):
    if power_W is None:
        return "unknown"
    return f"{'importing' if power_W >= 0 else 'exporting'} {kilowatt(abs(power_W))} kW"


def _power(facts):
    battery = "unknown" if facts["battery_W"] is None else directed(facts["battery_W"])
    load = "unknown" if facts["load_W"] is None else f"{kilowatt(facts['load_W'])} kW"
    asked = facts["request"]
    by = [reason["name"] for reason in (asked["base_reason"], asked["fast_reason"]) if reason]
    asked = f"{directed(facts['request_W'])} by {' + '.join(by)}" if by else "nothing"
    return [
        f"BATTERY  {battery:<24}GRID  {_grid(facts['grid_W']):<22}LOAD  {load}",
        spread(f"ASKED    {asked}", f"SET-POINT  {directed(facts['setpoint_W'])}"),
        _limit(facts),
        _can_do(facts),
        *_hints(facts),
    ]


def _limit(facts):
    """What holds the power back; before the start, what is still missing for it, which comes to no
    power too.
    """
    start = facts["start"]
    if start["waits_for"] and start["checklist"]:
        return spread(
            f"START    {checklist(start)}waits for {start['waits_for']['name']}",
            "(firebreak alarms)",
        )
    if start["rests"] and start["checklist"]:
        return f"START    {rest(start)}"
    if facts["binding"]:
        words = causes.short(facts["binding"], facts["cause"])
    elif facts["limits"]["low_W"] == facts["limits"]["high_W"] == 0:
        words = causes.short(facts["limits"]["high_reason"], facts["limits"]["high_cause"])
    else:
        return "LIMIT    none acting"
    return f"LIMIT    {words:<54}{'(firebreak why)':>{WIDTH - 63}}"


def _can_do(facts):
    low_W, high_W = facts["available_low_W"], facts["available_high_W"]
    words = f"CAN DO   {kilowatt(low_W)} .. {kilowatt(high_W)} kW"
    kept = f"reserve of {facts['reserve_permille'] / 10:g} %"
    if facts["remaining_Wh"] is None:
        return f"{words}; energy above the {kept} unknown"
    words += f"; {facts['remaining_Wh'] / 1000:.1f} kWh above {kept}"
    seconds = facts["reserve_in_s"]
    return words + (f", {duration(seconds * 1000)}" if seconds is not None else "")


def _hints(facts):
    """What sources have in force, those that bind first."""
    if not facts["sources"]:
        return ["HINT     no source is configured"]
    if not facts["hints"]:
        return [f"HINT     none in force ({len(facts['sources'])} sources)"]
    binds = facts["binding_sources"]
    order = sorted(facts["hints"], key=lambda entry: entry["source"] not in binds.values())
    out = [
        f"{'HINT' if not place else '':<9}{causes.hint(entry)}, {causes.then(entry)}"
        for place, entry in enumerate(order[:HINTS_SHOWN])
    ]
    if len(order) > HINTS_SHOWN:
        out[-1] += f"; {len(order) - HINTS_SHOWN} more"
    return out


def _racks(racks):
    shown = racks if len(racks) <= RACKS_SHOWN else worst_first(racks)[:RACKS_SHOWN]
    more = f" worst {RACKS_SHOWN} of {len(racks)}: page racks" if len(racks) > RACKS_SHOWN else ""
    return [RULE[len(more) :] + more, HEADER, *[line(rack) for rack in shown]]


def _foot(facts):
    # as the contacts: what is wrong first
    links = sorted(facts["links"].items(), key=lambda each: each[1] == "ok")
    links = "   ".join([f"{kind} {state}" for kind, state in links])
    log, due = f"LOG      {_log(facts)}", _due(facts)
    line = fitting(log, f"   DUE {', '.join(due)}")
    line = fitting(log, f"   DUE {due[0]}") if line == log else line
    return [
        f"LINKS    {links}",
        _loop(facts),
        fitting(line, f"   LIMITS CRC {facts['version']['limits_crc']}"),
        last(_reset(facts)),
    ]


def _reset(facts):
    """What is typed to reset what stands: only where all of that is on this page, else where it is
    seen.
    """
    words, is_whole = (
        typed(facts["reset"]),
        len(facts["standing"]) <= STANDING_SHOWN and not facts["channel_b"],
    )
    return words if is_whole else words and "firebreak alarms"


def _due(facts):
    """What is to be done next: the nearest proof test, the gas calibration; of the later one only
    what is near.
    """
    calibration_d = facts["gas_calibration_d"]
    gas = f"gas calibration {calibration(calibration_d)}"
    tests = facts.get("proof_tests")
    if not tests or not tests["summary"]:
        return [gas]
    # a ledger that is not whole comes before any date
    row = None if tests["wrong"] else nearest(tests["rows"])
    test_d = row["days_left"] if row else 0
    if calibration_d is not None and calibration_d <= test_d:
        return [gas, *([tests["summary"]] if test_d <= LIMITS_D[0] else [])]
    return [
        tests["summary"],
        *([gas] if calibration_d is None or calibration_d <= LIMITS_D[0] else []),
    ]


def _loop(facts):
    loop = facts["loop"]
    if loop is None:
        return f"LOOP     {facts['tick_ms']} ms"
    late = loop["lateness_us"]
    missed = f"; {loop['missed'] + loop['late']} missed of {loop['ticks']}"
    words = [f"p50 {late['p50']} us", f"p99 {late['p99']} us", f"worst {late['max'] / 1000:.1f} ms"]
    lines = [
        f"LOOP     {facts['tick_ms']} ms, late {', '.join(words[left_out:])}{missed}"
        for left_out in range(3)
    ]
    return next(
        (line for line in lines if len(line) <= WIDTH), f"LOOP     {facts['tick_ms']} ms{missed}"
    )


def _log(facts):
    if facts.get("record_trouble") is not None:
        return f"record not readable, {facts['record_trouble']}"
    since = facts.get("recorder_silent_since")
    if since is not None:
        return (
            f"recorder silent since {since.removeprefix(facts['utc_text'][: len('2026-03-14 ')])}"
        )
    return "no recorder" if facts["record"] is None else f"{facts['record']['events']} events"
