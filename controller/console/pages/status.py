"""The page `status`. It shows state, interlocks, power, racks and links. It needs no login."""

from controller.console.pages import around, causes
from controller.console.pages.racks import HEADER, line
from controller.console.pages.text import (
    HEIGHT,
    RULE,
    WIDTH,
    calibration,
    checklist,
    contradicted,
    cut,
    directed,
    duration,
    ending,
    fitting,
    head,
    kilowatt,
    last_line,
    moment,
    page,
    reset_command,
    scaled,
    spread,
    standby,
)
from controller.state.base import Facts
from controller.state.racks import worst_first
from controller.store import sign_tests
from controller.store.proof_state import LIMITS_D, nearest
from controller.system.worded import counted

ROWS_SHOWN, HINTS_SHOWN, RACKS_SHOWN = 2, 2, 3
# The page names contacts that are not ok in this order.
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
BANDS_OF = ("battery", "grid", "load")
SHOWN_WHEN_OK = (  # contacts that the page also shows when they are ok, if there is room
    "estop",
    "fire_panel",
    "door",
    "smoke",
)
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


def parts(facts: Facts) -> list[list[str]]:
    """The status (state/status.py) as the only part. A full page has no lines of RMS power."""
    above = [*head(facts), *_safety(facts), RULE, *_power(facts)]
    below = [*_racks(facts["racks"]), RULE, *_foot(facts)]
    bands = _bands(facts["bands"]) if "bands" in facts else []
    has_room = len(above) + len(bands) + len(below) <= HEIGHT
    return [page([*above, *(bands if has_room else []), *below])]


def _safety(facts: Facts) -> list[str]:
    texts = [f"LAMP {facts['lamp']}" + (" HORN" if facts["horn_is_on"] else ""), *gas(facts)]
    contacts = facts["contacts"]
    wrong = [
        contact(name, value)
        for value in ("not ok", "unknown")
        for name in CONTACT_WORDS
        if contacts[name] == value
    ]
    right = [f"  {contact(name, 'ok')}" for name in SHOWN_WHEN_OK if contacts[name] == "ok"]
    count = facts["interlocks"]
    first = "  ".join([*texts, *wrong])
    return [
        fitting(first, *right) if len(first) <= WIDTH else _first(texts, wrong),
        spread(
            f"INTERLOCKS  {count['armed']} armed  {count['tripped']} tripped  "
            f"{counted(count['warnings'], 'warning')}  {count['not_fitted']} not fitted",
            f"Key: {KEY_WORDS[contacts['key_run']]}",
        ),
        *_rows(facts),
        *[cut(f" ! {warning}") for warning in (contradicted(facts), _unsaved(facts)) if warning],
    ]


def gas(facts: Facts) -> list[str]:
    """The readings of combustible gas. Vapour, hydrogen and CO follow if one of them is not 0."""
    readings = [scaled(value, 10) for value in facts["gas_lfl_permille"]]
    texts = [f"Gas {' '.join(readings)} %LFL"] if readings else []
    for name, values in (("Vapour", facts["vapour_ppm"]), ("H2/CO", facts["toxic_ppm"])):
        if any(value != 0 for value in values):
            texts.append(f"{name} {' '.join(scaled(value, 1, 0) for value in values)} ppm")
    return texts


def contact(name: str, value: str) -> str:
    """A contact and its state in words."""
    return f"{CONTACT_WORDS[name]} {OWN_WORDS.get(name, {}).get(value, VALUE_WORDS[value])}"


def _first(texts: list[str], wrong: list[str]) -> str:
    """A line with the words, as many of the wrong contacts as fit, and "+N" for N others."""
    lines = [
        "  ".join([*texts, *wrong[:count], f"+{len(wrong) - count}"]) for count in range(len(wrong))
    ]
    return max([line for line in lines if len(line) <= WIDTH], key=len, default=lines[0])


def _rows(facts: Facts) -> list[str]:
    """Lines about the most dangerous active or latched rows, with the number of the others."""
    order, lines = facts["standing"], []
    for position, row in enumerate(order[:ROWS_SHOWN], 1):
        end = f"; since {moment(row['began_ms'], facts)}, {row['reset']} reset"
        if position == ROWS_SHOWN < len(order):
            end += f" (+{len(order) - ROWS_SHOWN}: alarms)"
        begin = f" ! row {row['stage']:<4}"
        name = f"{row['reason']['name']}, {row['where']}"
        is_long = len(begin + name + end) > WIDTH
        # If the line is too long, a row of several devices is shown by its device alone.
        lines.append(ending(begin + (row["where"] if is_long and row["devices"] else name), end))
    return lines


def _power(facts: Facts) -> list[str]:
    grid_W, grid = facts["grid_W"], around.unknown(facts, "grid")
    if grid_W is not None:
        grid = f"{'importing' if grid_W >= 0 else 'exporting'} {kilowatt(abs(grid_W))} kW"
    battery = "unknown" if facts["battery_W"] is None else directed(facts["battery_W"])
    load_W, load = facts["load_W"], around.unknown(facts, "load")
    if load_W is not None:
        load = f"{kilowatt(load_W)} kW"
    by = [reason["name"] for reason in causes.request_reasons(facts["request"])]
    request = f"{directed(facts['request_W'])} by {' + '.join(by)}" if by else "nothing"
    return [
        f"BATTERY  {battery:<20}GRID  {grid:<22}LOAD  {load}",
        *around.site(facts["site"]),
        spread(f"ASKED    {request}", f"SET-POINT  {directed(facts['setpoint_W'])}"),
        _limit(facts),
        _can_do(facts),
        *_hints(facts),
    ]


def _limit(facts: Facts) -> str:
    """The limit that binds the power. Before a start, the condition for which the start waits."""
    start, limits, shown = facts["start"], facts["limits"], None
    if start["checklist"] and start["waits_for"]:
        return spread(
            f"START    {checklist(start)}waits for {start['waits_for']['name']}",
            "(firebreak alarms)",
        )
    if start["checklist"] and start["rests"]:
        return f"START    {standby(start)}"
    if facts["binding"]:
        shown = causes.short(facts["binding"], facts["cause"])
    elif limits["low_W"] == limits["high_W"] == 0:
        shown = causes.short(limits["high_reason"], limits["high_cause"])
    if shown is None:
        return "LIMIT    none acting"
    return f"LIMIT    {shown:<54}{'(firebreak why)':>{WIDTH - 63}}"


def _can_do(facts: Facts) -> str:
    low_W, high_W = facts["available_low_W"], facts["available_high_W"]
    text = f"CAN DO   {kilowatt(low_W)} .. {kilowatt(high_W)} kW"
    kept = f"reserve of {facts['reserve_permille'] / 10:g} %"
    if facts["remaining_Wh"] is None:
        return f"{text}; energy above the {kept} unknown"
    text += f"; {facts['remaining_Wh'] / 1000:.1f} kWh above {kept}"
    seconds = facts["reserve_in_s"]
    return text + (f", {duration(seconds * 1000)}" if seconds is not None else "")


def _hints(facts: Facts) -> list[str]:
    """Lines about hints. A hint that binds the power comes first, schedule and notices last."""
    if not facts["sources"]:
        return ["HINT     no source is configured"]
    binds = facts["binding_sources"]
    order = sorted(facts["hints"], key=lambda hint: hint["source"] not in binds.values())
    texts = [f"{causes.hint(entry)}, {causes.then(entry)}" for entry in order]
    texts += [causes.slot(facts["schedule"])] if facts["schedule"] else []
    texts += [causes.notice(notice) for notice in facts["notices"]]
    if not texts:
        return [f"HINT     none in force ({len(facts['sources'])} sources)"]
    lines = [
        f"{'HINT' if not position else '':<9}{text}"
        for position, text in enumerate(texts[:HINTS_SHOWN])
    ]
    if len(texts) > HINTS_SHOWN:
        lines[-1] += f"; {len(texts) - HINTS_SHOWN} more"
    return lines


def _bands(bands: Facts) -> list[str]:
    """Lines with the RMS power of battery, grid and load in each frequency band."""
    texts = [
        f"{name} " + "/".join(kilowatt(bands[band]["rms_W"][name]) for band in BANDS_OF)
        for name in bands[BANDS_OF[0]]["rms_W"]
    ]
    is_blank = any(None in bands[band]["rms_W"].values() for band in BANDS_OF)
    why = "; - not observable, why: --json" if is_blank else ""
    return [
        f"RMS kW   battery/grid/load, last {bands['window_s']} s: {texts[0]}",
        f"         {', '.join(texts[1:])}{why}",
    ]


def _unsaved(facts: Facts) -> str:
    """A warning that the store is not saved, or was not saved for a time. Else ""."""
    now_ms, before_ms = (facts["store"][name] for name in ("unsaved_ms", "unsaved_before_ms"))
    if now_ms:
        return f"store not saved for {duration(now_ms)}: no start, no reset; free disk space"
    return f"store was not saved for {duration(before_ms)}; now it is" if before_ms else ""


def _racks(racks: list[Facts]) -> list[str]:
    shown = racks if len(racks) <= RACKS_SHOWN else worst_first(racks)[:RACKS_SHOWN]
    more = f" worst {RACKS_SHOWN} of {len(racks)}: page racks" if len(racks) > RACKS_SHOWN else ""
    return [RULE[len(more) :] + more, HEADER, *[line(rack) for rack in shown]]


def _foot(facts: Facts) -> list[str]:
    link_states = sorted(facts["links"].items(), key=lambda pair: pair[1] == "ok")  # not ok first
    log, due = f"LOG      {_log(facts)}", _due(facts)
    lines = [fitting(log, f"   DUE {', '.join(due[:count])}") for count in range(len(due), 0, -1)]
    log_line = next((candidate for candidate in lines if candidate != log), log)
    command = reset_command(facts["reset"])
    if len(facts["standing"]) > ROWS_SHOWN or facts["channel_b"]:
        # A reset must not clear a row that the operator has not seen.
        command = command and "firebreak alarms"
    return [
        fitting(around.links(link_states), f"  path {facts['path_delay']['used_ms']} ms"),
        _loop(facts),
        log_line,
        last_line(command),
    ]


def _due(facts: Facts) -> list[str]:
    """Words about the next proof test and the next gas calibration, the earlier one first. The
    later one is left out if it is far ahead. The sign tests come last.
    """
    tests = facts.get("proof_tests")
    sign = sign_tests.summary(tests["signs"]) if tests else ""
    return [*_dated(facts, tests), *([sign] if sign else [])]


def _dated(facts: Facts, tests: Facts | None) -> list[str]:
    calibration_d = facts["gas_calibration_d"]
    gas_text = f"gas calibration {calibration(calibration_d)}"
    if not tests or not tests["summary"]:
        return [gas_text]
    row = None if tests["wrong"] or tests["replacing"] else nearest(tests["rows"])
    # A damaged ledger or an open replacement is more urgent than any date.
    test_d = row["days_left"] if row else 0
    if calibration_d is not None and calibration_d <= test_d:
        return [gas_text, *([tests["summary"]] if test_d <= LIMITS_D[0] else [])]
    is_near = calibration_d is None or calibration_d <= LIMITS_D[0]
    return [tests["summary"], *([gas_text] if is_near else [])]


def _loop(facts: Facts) -> str:
    loop, tick = facts["loop"], f"LOOP     {facts['tick_ms']} ms"
    if loop is None:
        return tick
    late = loop["lateness_us"]
    missed = f"; {loop['missed'] + loop['late']} missed of {loop['ticks']}"
    times = [f"p50 {late['p50']} us", f"p99 {late['p99']} us", f"worst {late['max'] / 1000:.1f} ms"]
    lines = [f"{tick}, late {', '.join(times[without:])}{missed}" for without in range(3)]
    return next((line for line in lines if len(line) <= WIDTH), f"{tick}{missed}")


def _log(facts: Facts) -> str:
    if facts.get("record_trouble") is not None:
        return f"record not readable, {facts['record_trouble']}"
    since = facts.get("recorder_silent_since")
    if since is not None:
        today = facts["utc_text"][: len("2026-03-14 ")]
        return f"recorder silent since {since.removeprefix(today)}"
    return "no recorder" if facts["record"] is None else f"{facts['record']['events']} events"
