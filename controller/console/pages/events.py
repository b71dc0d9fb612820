"""The page `events`. It lists what has happened, newest event first. The events come from the
recorder, or from the journal (the newest ticks) if no recorder runs.
"""

from controller.console.pages.text import Parts, filled, head, page, source, spread, uptime, wrapped
from controller.state.base import Facts

LINES_MAX = 20  # most lines of a part
TEXT_AT = 12  # column where a folded text continues


def parts(facts: Facts) -> Parts:
    """The events (state/events.py) as parts of a page. No text is shortened."""
    bodies = filled([_lines(event) for event in facts["events"][::-1]], LINES_MAX)
    parts = []
    for number, body in enumerate(bodies, 1):
        title = spread(source(facts), f"page {number} of {len(bodies)}")
        parts.append(page([*head(facts), title, *(body or ["Nothing has happened."])]))
    return parts


def _lines(event: Facts) -> list[str]:
    when = event.get("utc_text") or uptime(event["uptime_ms"])
    line = f"{when:<20} {event['kind']:<6} {event['code']:<5} {event['scope']:<8} {event['text']}"
    return wrapped(line, TEXT_AT)
