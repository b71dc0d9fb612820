"""The page `why`. Its first part shows how the controller gets from the request to the set-point of
the battery. Further parts explain each actuator of the site devices.
"""

from controller.console.pages import actuator, causes
from controller.console.pages.text import (
    ANY_W,
    HEIGHT,
    Parts,
    age,
    contradicted,
    directed,
    folded,
    head,
    interval,
    is_mode_shown,
    kilowatt,
    page,
)
from controller.state.base import Facts
from controller.system.worded import counted

COLUMNS = "{:<12}{:<37}{:>18}{:>8}{}"
DIRECTIONS = {"low": "charging", "high": "discharging"}
NO_POWER = {"charging and discharging": "No power is permitted"}
UNITS_SHOWN = 3
CAUSE_LINES = 4
FEW_LINES = 6


def parts(facts: Facts) -> Parts:
    """The parts of the page: the battery, then each actuator. facts: see state/why.py."""
    actuators = [
        page([*head(facts), *actuator.block(actuator_facts)])
        for actuator_facts in facts["actuators"]
    ]
    return [_battery(facts), *actuators]


def _battery(facts: Facts) -> list[str]:
    upper = [*head(facts), *_answer(facts), "", *_table(facts), *_units(facts), ""]
    lower = _cause(facts, HEIGHT - len(upper))
    if len(upper) + len(lower) > HEIGHT:  # there is no room for empty lines
        upper = [line for line in upper if line]
        lower = _cause(facts, HEIGHT - len(upper))
    return page([*upper, *lower])


def _answer(facts: Facts) -> list[str]:
    first = f"Set-point: {directed(facts['setpoint_W'])}. {causes.request(facts)}"
    binding = facts["binding"]
    if binding is None:
        shown, cause = _reason_shown(facts)
        if shown is None:
            return [first, "Nothing holds it back."]
        limits = facts["limits"]
        forbidden = [name for end, name in DIRECTIONS.items() if limits[f"{end}_W"] == 0]
        direction = " and ".join(forbidden)
        direction = NO_POWER.get(direction, f"No {direction} is permitted")
        return [first, f"{direction}: {causes.short(shown, cause)}."]
    held_W, request_W, setpoint_W = facts["held_back_W"], facts["request_W"], facts["setpoint_W"]
    is_less = request_W * setpoint_W >= 0 and abs(setpoint_W) < abs(request_W)
    moved = f"{'Held back' if is_less else 'Moved'} {kilowatt(abs(held_W))} kW"
    return [first, f"{moved} by {causes.short(binding, facts['cause'])}."]


def _row(step: str, text: str, bounds: str, leaves_W: int | None, is_binding: bool = False) -> str:
    leaves = kilowatt(leaves_W) if leaves_W is not None else ""
    return " " + COLUMNS.format(step, text[:37], bounds, leaves, " <<" if is_binding else "")


def _table(facts: Facts) -> list[str]:
    binding = facts["binding"]
    binding_step = next(
        (name for name in ("limits", "obligations", "ramp", "caps") if facts[name]["acted"]), None
    )
    ramp, interlocks = facts["ramp"], "no interlock row is active"
    if facts["standing_count"]:
        interlocks = f"{counted(facts['standing_count'], 'row')} active or latched: alarms"
    return [
        " " + COLUMNS.format("step", "what acts", "from .. to kW", "result", ""),
        *_request(facts),
        *_bounded("caps", facts["caps"], binding if binding_step == "caps" else None),
        _row(
            "ramp",
            "R501 set-point ramp" if ramp["acted"] else "not acting",
            interval(ramp["low_W"], ramp["high_W"]),
            ramp["leaves_W"],
            binding_step == "ramp",
        ),
        *_obligations(facts, binding if binding_step == "obligations" else None),
        *_bounded("limits", facts["limits"], binding if binding_step == "limits" else None),
        _row("", interlocks, "", None),
    ]


def _request(facts: Facts) -> list[str]:
    """A line for each part of the request. The last line also has the sum of the parts."""
    request, fast = facts["request"], facts["request"]["fast_reason"]
    if request["base_reason"] and fast:
        return [
            _row("request", _asker(request), kilowatt(request["base_W"]), None),
            _row("", fast["name"], kilowatt(request["fast_W"]), facts["request_W"]),
        ]
    asker = fast["name"] if fast else "none"
    asker = _asker(request) if request["base_reason"] else asker
    return [_row("request", asker, "", facts["request_W"])]


def _asker(request: Facts) -> str:
    """The source of the request, and the power for which this source asks."""
    reason, cause = request["base_reason"], request["base_cause"]
    if cause and cause["kind"] == "schedule":
        return causes.short(reason, cause)
    if cause and cause["kind"] == "hint" and cause["hints"]:
        hint = cause["hints"][0]
        return f"{hint['source']} asks {kilowatt(hint['value_W'])} kW"
    return str(reason["name"])


def _bounded(step: str, limits: Facts, binding: Facts | None) -> list[str]:
    """Lines about an interval, with the reason of each end. The binding reason comes first."""
    named = [
        (limits[f"{end}_reason"], limits[f"{end}_cause"])
        for end in ("low", "high")
        if limits[f"{end}_reason"]
    ]
    if binding:
        named.sort(key=lambda pair: pair[0]["code"] != binding["code"])
    texts = [causes.short(*pair) for pair in named] or ["not acting"]
    bounds = interval(limits["low_W"], limits["high_W"])
    first = _row(step, texts[0], bounds, limits["leaves_W"], binding is not None)
    return [first, *[_row("", text, "", None) for text in texts[1:2] if text != texts[0]]]


def _obligations(facts: Facts, binding: Facts | None) -> list[str]:
    obligations = facts["obligations"]
    if not obligations["standing"]:
        text = "none" if obligations["is_known"] else "ignored: no fresh reading of the grid meter"
        text = "none: off the grid" if facts["is_off_grid"] else text
        return [_row("obligations", text, "", obligations["leaves_W"])]
    lines = []
    for position, obligation in enumerate(obligations["standing"]):
        codes = obligation["low_reason"]["code"], obligation["high_reason"]["code"]
        is_binding = binding is not None and binding["code"] in codes
        lines.append(
            _row(
                "obligations" if not position else "",
                _obligation(obligation, binding if is_binding else None),
                interval(obligation["low_W"], obligation["high_W"]),
                obligation["leaves_W"],
                is_binding,
            )
        )
    return lines


def _obligation(obligation: Facts, binding: Facts | None) -> str:
    met_text = ", met" if obligation["is_met"] else ", NOT MET"
    if obligation["rank"] == "grid_connection" and not binding:
        labels = f"{obligation['low_reason']['label']} {obligation['high_reason']['label']}"
        return f"{labels} grid connection{met_text}"
    named = binding or (
        obligation["low_reason"] if obligation["low_W"] > -ANY_W else obligation["high_reason"]
    )
    if obligation["cause"] and obligation["cause"].get("hints"):
        return causes.short(named, obligation["cause"])
    return f"{named['label']} {named['name']}{met_text}"


def _units(facts: Facts) -> list[str]:
    is_several = len(facts["units"]) > 1
    lines = []
    for unit in facts["units"][:UNITS_SHOWN]:
        name = f"PCS {unit['unit']} " if is_several else ""
        sent = "nothing sent yet" if unit["sent_W"] is None else f"sent {kilowatt(unit['sent_W'])}"
        sent = "standby: part load" if unit["is_resting"] else sent
        lines.append(
            f" {name}{sent}   PCS read back {kilowatt(unit['read_back_W'])}"
            f" ({age(unit['read_back_age_ms'])})   measured {kilowatt(unit['measured_W'])}"
            f" ({age(unit['measured_age_ms'])})"
        )
        if unit["own_state"]:
            lines.append(f" {name}The converter's own state is {unit['own_state']}: page links.")
        if refused := unit["refused"]:
            sentence = f"{refused['label']} {refused['name']}. {refused['sentence']}"
            lines += folded(f"PCS {unit['unit']}", sentence, 1 if is_several else 2)
    if len(facts["units"]) > UNITS_SHOWN:
        lines.append(f" and {len(facts['units']) - UNITS_SHOWN} more converters (--json shows all)")
    return lines


def _cause(facts: Facts, room: int) -> list[str]:
    """The text below the table, in `room` lines. If there is too little room, the text about the
    cause is cut before the remedy.
    """
    first = _notes(facts)
    shown, cause = _reason_shown(facts)
    if shown is None:
        return first + _asked(facts["request"])
    last = folded("Do", causes.remedy(shown, cause), 2 if room > FEW_LINES else 1)
    if facts["binding"] is not None:
        last += _else(facts, 2 if room > FEW_LINES else 1)
    lines_max = max(1, min(CAUSE_LINES, room - len(first) - len(last)))
    return first + folded("Cause", causes.sentences(cause) or shown["sentence"], lines_max) + last


def _notes(facts: Facts) -> list[str]:
    lines: list[str] = []
    if is_mode_shown(facts):
        mode = facts["mode"]
        lines += folded("Mode", f"{mode['label']} {mode['name']}. {mode['sentence']}", 2)
    for contradiction in facts.get("contradicted", ())[:1]:
        wrong = contradiction["reason"]
        lines += folded("Wrong", f"{contradicted(facts)}. {wrong['sentence']} {wrong['remedy']}", 3)
    if swings := facts["range"]:
        share, load_kW = f"{swings['share_permille'] / 10:.0f} %", kilowatt(swings["load_W"])
        allowed = f"range_5s_W_max is {kilowatt(swings['allowed_W'])} kW"
        lines += folded("Range", f"Follows {share} of swings of {load_kW} kW in 5 s: {allowed}.")
    if facts["short_W"]:
        short = facts["short_reason"]
        lines += folded(
            "Short",
            f"{kilowatt(facts['short_W'])} kW too little to meet {short['label']} {short['name']}.",
            1,
        )
    schedule, (shown, cause) = facts.get("schedule"), _reason_shown(facts)
    named = cause if shown else facts["request"]["base_cause"]
    if schedule and (named is None or named["kind"] != "schedule"):
        lines += folded("Slot", causes.slot_bounds(schedule), 2)
    if facts["differs"]:
        lines += folded("Note", "Another version wrote this journal: the numbers may be wrong.", 1)
    return lines


def _asked(request: Facts) -> list[str]:
    """The text about the cause if no limit binds. It explains the request."""
    sentences = [reason["sentence"] for reason in causes.request_reasons(request)]
    text = " ".join([causes.sentences(request["base_cause"]), *sentences]).strip()
    return folded("Cause", text, CAUSE_LINES) if text else []


def _else(facts: Facts, lines_max: int) -> list[str]:
    without, binding = facts["without"], facts["binding"]
    text = f"Without {binding['label']} the set-point would be {directed(without['setpoint_W'])}"
    following = without["next"]
    return folded(
        "Else",
        text + (f", by {following['label']} {following['name']}." if following else "."),
        lines_max,
    )


def _reason_shown(facts: Facts) -> tuple[Facts | None, Facts | None]:
    """(reason, cause) of the binding limit. If no limit binds, those of a limit that forbids power
    in one direction.
    """
    limits = facts["limits"]
    ends = [end for end in ("high", "low") if limits[f"{end}_W"] == 0]
    if facts["binding"] is None and ends:
        return limits[f"{ends[0]}_reason"], limits[f"{ends[0]}_cause"]
    return facts["binding"], facts["cause"]
