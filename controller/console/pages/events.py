"""The page events: newest first; of the recorder, else of the journal of this run."""

from controller.console.pages.text import filled, head, page, source, spread, uptime, wrapped

LINES_MAX = 20  # of a part
TEXT_AT = 12  # column where a text that is too long goes on


def parts(facts: dict) -> list:
    """[lines of a part]: the newest event first, each with its whole text."""
    return filled([_lines(event) for event in facts["events"][::-1]], LINES_MAX)


def lines(facts: dict, number: int = 1) -> list:
    """Part `number` (from 1) of the events (state/events.py) as lines."""
    found = parts(facts)
    foot = spread(source(facts), f"page {number} of {len(found)}")
    return page([*head(facts), foot, *(found[number - 1] or ["Nothing has happened."])])


def _lines(event):
    when = event.get("utc_text") or uptime(event["uptime_ms"])
    line = f"{when:<20} {event['kind']:<6} {event['code']:<5} {event['scope']:<8} {event['text']}"
    return wrapped(line, TEXT_AT)
