"""The page events: newest first; of the recorder, else of the journal of this run."""

from controller.console.pages.text import head, page, part, parts, source, spread, uptime

PER_PAGE = 20


def lines(facts: dict, number: int = 1) -> list:
    """Part `number` (from 1) of the events (state/events.py) as lines."""
    events = facts["events"][::-1]
    foot = spread(source(facts), f"page {number} of {parts(events, PER_PAGE)}")
    shown = [_line(event) for event in part(events, number, PER_PAGE)] or ["Nothing has happened."]
    return page([*head(facts), foot, *shown])


def _line(event):
    when = event.get("utc_text") or uptime(event["uptime_ms"])
    return f"{when:<20} {event['kind']:<6} {event['code']:<5} {event['scope']:<8} {event['text']}"
