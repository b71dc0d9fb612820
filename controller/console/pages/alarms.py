"""The page `alarms`. It shows the most dangerous alarm, the other alarms, what a person should
check, and what a reset and a start still wait for. An alarm is an active or latched row of the
cause-and-effect matrix.
"""

from controller.console.pages.text import (
    CELLS,
    HEIGHT,
    MARGIN,
    RULE,
    Parts,
    checklist,
    contradicted,
    duration,
    filled,
    folded,
    head,
    last_line,
    moment,
    page,
    reset_command,
    standby,
    wrapped,
)
from controller.core.base import reasons
from controller.state.base import Facts
from safety import latches, start_checklist

OTHERS_LINES_MIN, OTHERS_LINES_MAX, CHECKS_SHOWN = 3, 7, 3
OTHERS_MARGIN = 17
DETAILS_MAX = 19  # lines of alarms in a part of the page
LOCKED = reasons.inhibit_code(start_checklist.I_LOCKED)


def parts(facts: Facts) -> Parts:
    """The overview, then each alarm with its whole text, the most dangerous alarm first. facts: see
    state/alarms.py.
    """
    if not facts["standing"]:
        return [page(_no_alarm(facts))]
    blocks = [_detail(position, row, facts) for position, row in enumerate(facts["standing"], 1)]
    details = [page([*head(facts), *block, CELLS]) for block in filled(blocks, DETAILS_MAX)]
    return [_overview(facts), *details]


def _overview(facts: Facts) -> list[str]:
    besides = [
        *_wrong(facts),
        *_replacing(facts),
        *_firsts(facts),
        *_in_b(facts["channel_b"]),
        *ahead(facts["propagation"]),
    ]
    top = [*head(facts), *_leading(facts["standing"][0], facts)]
    # What a reset and a start wait for is more urgent than the third thing to check.
    for shown in range(CHECKS_SHOWN, 0, -1):
        below = [
            *besides,
            RULE,
            *_check(facts, shown),
            RULE,
            *_reset(facts),
            *_start(facts),
            last_line(reset_command(facts["reset"])),
        ]
        # The serial console has one line less for a page.
        room = HEIGHT - 1 - len(top) - len(below)
        if room >= OTHERS_LINES_MIN:
            break
    other_lines = _others(facts, max(OTHERS_LINES_MIN, min(room, OTHERS_LINES_MAX)))
    return page([*top, *other_lines, *below])


def _no_alarm(facts: Facts) -> list[str]:
    command = reset_command(facts["reset"])
    return [
        *head(facts),
        f"No alarm{_here(facts)}: no interlock row is active or latched.",
        *(_in_b(facts["channel_b"]) or [""]),
        *_wrong(facts),
        *_replacing(facts),
        RULE,
        *_start(facts),
        *_resets(facts["reset"]),
        *([last_line(command)] if command else []),
    ]


def _wrong(facts: Facts) -> list[str]:
    """Lines about readings that are unknown, because other readings contradict them."""
    text = contradicted(facts)
    return folded("Wrong", f"{text}. Page Why has the remedy.", 2) if text else []


def _replacing(facts: Facts) -> list[str]:
    """Lines about devices whose replacement is not finished."""
    return [
        line
        for text in facts["replacing"]
        for line in folded("Swap", f"{text}. Go on with `firebreak replace`.", 2)
    ]


def _detail(position: int, row: Facts, facts: Facts) -> list[str]:
    kind = "; ".join(dict.fromkeys((row["danger"], row["effect"])))
    summary = f"{kind}; since {_moment(row, facts)}; {_present(row)}"
    return [
        *wrapped(
            f"{position:>4}.  row {row['stage']} {row['reason']['name']}, {row['where']}", MARGIN
        ),
        *folded("", f"{summary}, {row['reset']} reset. {row['reason']['sentence']}", 3),
        *folded("", f"Do: {row['reason']['remedy']}", 2),
        *folded("", f"Source: {row['source']}.", 3),
    ]


def _moment(row: Facts, facts: Facts) -> str:
    if row["began_ms"] is None:
        return row.get("began_text") or "before the journal begins"
    return f"{moment(row['began_ms'], facts)}, {duration(facts['uptime_ms'] - row['began_ms'])} ago"


def _leading(row: Facts, facts: Facts) -> list[str]:
    name = f"row {row['stage']} {row['reason']['name']}, {row['where']}"
    return [
        *wrapped(f"ALARM  {name}: {row['effect']}", MARGIN),
        *wrapped(
            f"       since {_moment(row, facts)}; {_present(row)}, {row['reset']} reset", MARGIN
        ),
        *folded("", row["reason"]["sentence"], 2),
    ]


def _present(row: Facts) -> str:
    """Words for the cause of a row: it is still there, gone, or not yet gone for long enough."""
    if row["is_active"]:
        return "still there"
    return f"gone for {duration(row['clear_for_ms'])}, latched" if row["is_latched"] else "clearing"


def _others(facts: Facts, lines_max: int) -> list[str]:
    """Lines about as many of the less dangerous rows as fit, then the number of the others. Each
    row has its time after the first-out, the row that became active first.
    """
    standing = facts["standing"]
    first = next((row for row in standing if row["instance"] == facts["first_out"]), standing[0])
    rows = [
        wrapped(
            f"{'ALSO' if not position else '':<7}{_later(row, first):>8}  row {row['stage']:<4}"
            f"{row['reason']['name']}, {row['where']}: {row['effect']}; {_present(row)}, "
            f"{row['reset']}",
            OTHERS_MARGIN,
        )
        for position, row in enumerate(standing[1:])
    ]
    shown = len(rows)
    while sum(len(lines) for lines in rows[:shown]) + (shown < len(rows)) > lines_max:
        shown -= 1
    return [line for lines in rows[:shown] for line in lines] + _more(len(rows) - shown)


def _more(count: int) -> list[str]:
    return [f"       and {count} more: firebreak alarms --page 2"] if count > 0 else []


def _firsts(facts: Facts) -> list[str]:
    """Lines with the first-out of the cabinet and of each unit and rack. [] if there is only one
    first-out, and the page already begins with it.
    """
    scopes = facts["first_out_per_scope"]
    if len(scopes) > 1 or facts["first_out"] not in (None, facts["standing"][0]["instance"]):
        texts = [f"{scope['scope']}: row {scope['stage']} {scope['name']}" for scope in scopes]
        return folded("FIRST", ", ".join(texts) + ".", 3)
    return []


def _here(facts: Facts) -> str:
    """Words that name channel A, if channel B has an alarm too. Else ""."""
    return " in A" if facts["channel_b"] else ""


def _in_b(row: Facts | None) -> list[str]:
    """The first-out of channel B, as lines."""
    if row is None:
        return []
    return folded(
        "IN B", f"row {row['stage']} {row['name']}, first out in channel B; {row['reset']} reset", 1
    )


def ahead(spread: Facts | None) -> list[str]:
    """Lines about when a fire would reach the next cell, module and rack. [] if no row suspects a
    thermal runaway.
    """
    if spread is None:
        return []
    reached = [
        f"{scope} {_reach(*spread[f'next_{scope}_s'])}"
        for scope in ("cell", "module", "rack")
        if scope != "rack" or spread["next_rack_s"][0] is not None
    ]
    fewest, most = spread["cells_at_risk"]
    return folded(
        "AHEAD",
        f"Rack {spread['rack']} module {spread['module']}, {spread['degC']:.0f} C. Estimate if "
        f"nothing changes: next {', '.join(reached)}; {fewest} to {most} more cells in 30 min.",
        3,
    )


def _reach(soonest_s: float | None, latest_s: float | None) -> str:
    """ "in 5 to 9 min", "in 5 min or later", "not in 30 min"."""
    if soonest_s is None:
        return "not in 30 min"
    soonest_min = max(0, round(soonest_s / 60))
    if latest_s is None:
        return f"in {soonest_min} min or later"
    return f"in {soonest_min} to {max(soonest_min, -int(-latest_s // 60))} min"


def _later(row: Facts, first: Facts) -> str:
    """The time from the first-out to the cause of a row, such as "+0.42 s". It may be negative,
    because rows need different times to become active.
    """
    if row is first:
        return "first"
    if row["began_ms"] is None or first["began_ms"] is None:
        return "?"
    later_ms = row["began_ms"] - first["began_ms"]
    return f"{'-' if later_ms < 0 else '+'}{duration(abs(later_ms))}"


def _check(facts: Facts, shown: int) -> list[str]:
    lines: list[str] = []
    for position, check in enumerate(facts["check"][:shown]):
        lines += folded(
            "CHECK" if not position else "",
            f"{position + 1}. {check['remedy']} (row {', '.join(check['rows'])})",
            2,
        )
    return lines + _more(len(facts["check"]) - shown)


def _resets(reset: Facts) -> list[str]:
    text = f"{reset['left']} of {reset['allowed']} remote resets left this hour"
    if reset["next_token_ms"] is not None:
        text += f", the next in {duration(reset['next_token_ms'])}"
    return folded("RESETS", text + ".", 1)


def _reset(facts: Facts) -> list[str]:
    reset = facts["reset"]
    if reset["needs"] is None:
        sentence = f"Nothing is latched{_here(facts)}: it resets by itself when its cause is gone."
        return folded("RESET", sentence, 1) + _resets(reset)
    kind = "remote (the command below)"
    if reset["needs"] == "key":
        kind = "with the key on site (turn it out of RUN, the command below)"
    is_ready = reset["result"] == latches.RESULTS[latches.DONE]
    outlook = "It would work now" if is_ready else f"It would not work now: {reset['result']}"
    lines = folded("RESET", f"{kind}. {outlook}.", 2)
    if reset["waits"]:
        waits = [
            f"row {row['stage']} {row['scope']} "
            + ("still there" if row["due_ms"] is None else f"clear in {duration(row['due_ms'])}")
            for row in reset["waits"][:3]
        ]
        more = len(reset["waits"]) - len(waits)
        lines += folded(
            "WAITS", ", ".join(waits) + (f" and {more} more" if more > 0 else "") + ".", 2
        )
    return lines + _resets(reset)


def _start(facts: Facts) -> list[str]:
    start = facts["start"]
    waits = start["waits_for"]
    if waits and not (facts["locked_out_by"] and waits["code"] == LOCKED):
        reason = f"{waits['label']} {waits['name']}: {waits['sentence']} {waits['remedy']}"
        rests = folded("", f"And {standby(start)}.", 1) if start["rests"] else []
        return folded("START", f"{checklist(start)}waits for {reason}", 3) + rests
    if facts["locked_out_by"]:
        line = (
            f"locked out by {facts['locked_out_by']}. The same person ends it, or any operator "
            "with the key out of RUN (firebreak lock-out --end)."
        )
        return folded("START", line, 2)
    if not start["is_asked_to_run"]:
        return folded("START", f"{standby(start)}.", 2)
    text = "was missing; in its last tick the cabinet was"
    text = "is missing; the cabinet is" if facts["is_live"] else text
    return folded("START", f"nothing {text} {start['state']}.", 1)
