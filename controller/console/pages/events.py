"""The page events: what happened, newest first; from the recorder, else from the journal of this
run.
"""

from controller.console.pages.text import head, page, source, spread, uptime

LINES = 20


def lines(facts, number=1):
    """Page `number` (from 1) of the events (facts/events.py) as lines."""
    events = facts["events"][::-1]
    shown = events[(number - 1) * LINES : number * LINES]
    foot = spread(source(facts), f"page {number} of {pages(events)}")
    return page(
        [*head(facts), foot, *([_line(event) for event in shown] or ["Nothing has happened."])]
    )


def pages(events):
    """How many pages so many events take."""
    return max(1, -(-len(events) // LINES))


def _line(event):
    when = event.get("utc_text") or uptime(event["uptime_ms"])
    return f"{when:<20} {event['kind']:<6} {event['code']:<5} {event['scope']:<8} {event['text']}"
