"""The pages: plain data in, lines of plain ASCII out, 79 columns and 23 lines."""

from controller.console.pages import alarms, events, links, racks, status, trend, why
from controller.console.pages.text import parts

# Pages of several parts: how many of these facts.
NUMBERED = {
    "alarms": lambda facts: 1 + len(alarms.details(facts)),
    "events": lambda facts: len(events.parts(facts)),
    "racks": lambda facts: parts(facts["racks"], racks.PER_PAGE),
    "links": lambda facts: parts(facts["devices"], links.PER_PAGE),
}
LINES = {
    "status": status.lines,
    "why": why.lines,
    "alarms": alarms.lines,
    "events": events.lines,
    "trend": trend.lines,
    "racks": racks.lines,
    "links": links.lines,
}


def lines(page: str, facts: dict, number: int = 1) -> list:
    """A page as lines; number: which part of those that have several, from 1."""
    return LINES[page](facts, number) if page in NUMBERED else LINES[page](facts)


def count(page: str, facts: dict) -> int:
    """How many parts this page has."""
    return NUMBERED[page](facts) if page in NUMBERED else 1
