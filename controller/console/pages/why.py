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
        direction = " and ".join(_forbidden(facts["limits"]))
        direction = NO_POWER.get(direction, f"No {direction} is permitted")
        return [first, f"{direction}: {causes.short(shown, cause)}."]
    held_W, request_W, setpoint_W = facts["held_back_W"], facts["request_W"], facts["setpoint_W"]
    is_less = request_W * setpoint_W >= 0 and abs(setpoint_W) < abs(request_W)
    moved = f"{'Held back' if is_less else 'Moved'} {kilowatt(abs(held_W))} kW"
    return [first, f"{moved} by {causes.short(binding, facts['cause'])}."]


def _row(step: str, text: str, bounds: str, leaves_W: int | None, acts: bool = False) -> str:
    leaves = kilowatt(leaves_W) if leaves_W is not None else ""
    return " " + COLUMNS.format(step, text[:37], bounds, leaves, " <<" if acts else "")


def _table(facts: Facts) -> list[str]:
    binding = facts["binding"]
    acting = next(
        (name for name in ("limits", "obligations", "ramp", "caps") if facts[name]["acted"]), None
    )
    ramp = facts["ramp"]
    return [
        " " + COLUMNS.format("step", "what acts", "from .. to kW", "result", ""),
        *_request(facts),
        *_bounded("caps", facts["caps"], binding if acting == "caps" else None),
        _row(
            "ramp",
            "R501 set-point ramp" if ramp["acted"] else "not acting",
            interval(ramp["low_W"], ramp["high_W"]),
            ramp["leaves_W"],
            acting == "ramp",
        ),
        *_obligations(facts, binding if acting == "obligations" else None),
        *_bounded("limits", facts["limits"], binding if acting == "limits" else None),
        _row("", _interlocks(facts), "", None),
    ]


def _request(facts: Facts) -> list[str]:
    """A line for each part of the request. The last line also has the sum of the parts."""
    asked = facts["request"]
    parts = [(_asker(asked), asked["base_W"])] if asked["base_reason"] else []
    parts += [(asked["fast_reason"]["name"], asked["fast_W"])] if asked["fast_reason"] else []
    if len(parts) < 2:
        return [_row("request", parts[0][0] if parts else "none", "", facts["request_W"])]
    return [
        _row("request", parts[0][0], kilowatt(parts[0][1]), None),
        _row("", parts[1][0], kilowatt(parts[1][1]), facts["request_W"]),
    ]


def _asker(asked: Facts) -> str:
    """The source of the request, and the power for which this source asks."""
    cause = asked["base_cause"]
    entries = cause["hints"] if cause and cause["kind"] == "hint" else ()
    texts = [f"{entry['source']} asks {kilowatt(entry['value_W'])} kW" for entry in entries[:1]]
    if cause and cause["kind"] == "schedule":
        return causes.short(asked["base_reason"], cause)
    return texts[0] if texts else asked["base_reason"]["name"]


def _interlocks(facts: Facts) -> str:
    count = facts["standing_count"]
    if not count:
        return "no interlock row is active"
    return f"{counted(count, 'row')} active or latched: alarms"


def _bounded(step: str, limits: Facts, binding: Facts | None) -> list[str]:
    """Lines about an interval, with the reason of each end. The binding reason comes first."""
    low, high = limits["low_reason"], limits["high_reason"]
    named = [
        (reason, cause)
        for reason, cause in ((low, limits["low_cause"]), (high, limits["high_cause"]))
        if reason
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
    out = []
    for place, obligation in enumerate(obligations["standing"]):
        codes = obligation["low_reason"]["code"], obligation["high_reason"]["code"]
        acts = binding is not None and binding["code"] in codes
        out.append(
            _row(
                "obligations" if not place else "",
                _obligation(obligation, binding if acts else None),
                interval(obligation["low_W"], obligation["high_W"]),
                obligation["leaves_W"],
                acts,
            )
        )
    return out


def _obligation(duty: Facts, binding: Facts | None) -> str:
    met = ", met" if duty["is_met"] else ", NOT MET"
    if duty["rank"] == "grid_connection" and not binding:
        return f"{duty['low_reason']['label']} {duty['high_reason']['label']} grid connection{met}"
    named = binding or (duty["low_reason"] if duty["low_W"] > -ANY_W else duty["high_reason"])
    if duty["cause"] and duty["cause"].get("hints"):
        return causes.short(named, duty["cause"])
    return f"{named['label']} {named['name']}{met}"


def _units(facts: Facts) -> list[str]:
    many = len(facts["units"]) > 1
    out = []
    for unit in facts["units"][:UNITS_SHOWN]:
        name = f"PCS {unit['unit']} " if many else ""
        sent = "nothing sent yet" if unit["sent_W"] is None else f"sent {kilowatt(unit['sent_W'])}"
        sent = "standby: part load" if unit["is_resting"] else sent
        out.append(
            f" {name}{sent}   PCS read back {kilowatt(unit['read_back_W'])}"
            f" ({age(unit['read_back_age_ms'])})   measured {kilowatt(unit['measured_W'])}"
            f" ({age(unit['measured_age_ms'])})"
        )
        if unit["own_state"]:
            out.append(f" {name}The converter's own state is {unit['own_state']}: page links.")
        if refused := unit["refused"]:
            sentence = f"{refused['label']} {refused['name']}. {refused['sentence']}"
            out += folded(f"PCS {unit['unit']}", sentence, 1 if many else 2)
    if len(facts["units"]) > UNITS_SHOWN:
        out.append(f" and {len(facts['units']) - UNITS_SHOWN} more converters (--json shows all)")
    return out


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
    out: list[str] = []
    if is_mode_shown(facts):
        mode = facts["mode"]
        out += folded("Mode", f"{mode['label']} {mode['name']}. {mode['sentence']}", 2)
    for contradiction in facts.get("contradicted", ())[:1]:
        wrong = contradiction["reason"]
        out += folded("Wrong", f"{contradicted(facts)}. {wrong['sentence']} {wrong['remedy']}", 3)
    if swings := facts["range"]:
        share, load_W = f"{swings['share_permille'] / 10:.0f} %", kilowatt(swings["load_W"])
        allowed = f"range_5s_W_max is {kilowatt(swings['allowed_W'])} kW"
        out += folded("Range", f"Follows {share} of swings of {load_W} kW in 5 s: {allowed}.")
    if facts["short_W"]:
        short = facts["short_reason"]
        out += folded(
            "Short",
            f"{kilowatt(facts['short_W'])} kW too little to meet {short['label']} {short['name']}.",
            1,
        )
    schedule, (shown, cause) = facts.get("schedule"), _reason_shown(facts)
    named = cause if shown else facts["request"]["base_cause"]
    if schedule and (named is None or named["kind"] != "schedule"):
        out += folded("Slot", causes.slot_bounds(schedule), 2)
    if facts["differs"]:
        out += folded("Note", "Another version wrote this journal: the numbers may be wrong.", 1)
    return out


def _asked(request: Facts) -> list[str]:
    """The text about the cause if no limit binds. It explains the request."""
    named = [reason for reason in (request["base_reason"], request["fast_reason"]) if reason]
    text = " ".join(
        [causes.sentences(request["base_cause"])] + [reason["sentence"] for reason in named]
    ).strip()
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


def _forbidden(limits: Facts) -> list[str]:
    """The directions in which the limits leave no power."""
    return [direction for end, direction in DIRECTIONS.items() if limits[f"{end}_W"] == 0]


def _reason_shown(facts: Facts) -> tuple[Facts | None, Facts | None]:
    """(reason, cause) of the binding limit. If no limit binds, those of a limit that forbids power
    in one direction.
    """
    limits = facts["limits"]
    ends = [end for end in ("high", "low") if limits[f"{end}_W"] == 0]
    if facts["binding"] is None and ends:
        return limits[f"{ends[0]}_reason"], limits[f"{ends[0]}_cause"]
    return facts["binding"], facts["cause"]
