"""The page `events`, newest first: from the recorder, or from the journal without a recorder."""

from controller.console.pages.text import filled, head, page, source, spread, uptime, wrapped
from controller.state.base import Facts

LINES_MAX = 20  # of a part
TEXT_AT = 12  # column where a folded text continues


def parts(facts: Facts) -> list[list[str]]:
    """[lines of a part]: the newest event first, each with its whole text."""
    return filled([_lines(event) for event in facts["events"][::-1]], LINES_MAX)


def lines(facts: Facts, number: int = 1) -> list[str]:
    """Part `number` (from 1) of the events (state/events.py) as lines."""
    found = parts(facts)
    foot = spread(source(facts), f"page {number} of {len(found)}")
    return page([*head(facts), foot, *(found[number - 1] or ["Nothing has happened."])])


def _lines(event: Facts) -> list[str]:
    when = event.get("utc_text") or uptime(event["uptime_ms"])
    line = f"{when:<20} {event['kind']:<6} {event['code']:<5} {event['scope']:<8} {event['text']}"
    return wrapped(line, TEXT_AT)
