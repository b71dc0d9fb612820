"""The pages: plain data in, lines of plain ASCII out, at most 79 columns and 23 lines."""

from collections.abc import Callable

from controller.console.pages import alarms, devices, events, links, racks, status, trend, why
from controller.console.pages.text import parts
from controller.state.base import Facts

# pages that may have several parts: their number
NUMBERED: dict[str, Callable[[Facts], int]] = {
    "why": lambda facts: 1 + len(facts["actuators"]),
    "alarms": lambda facts: 1 + len(alarms.details(facts)),
    "events": lambda facts: len(events.parts(facts)),
    "racks": lambda facts: parts(facts["racks"], racks.PER_PAGE),
    "devices": lambda facts: len(devices.parts(facts)),
    "links": lambda facts: len(links.parts(facts)),
}
LINES: dict[str, Callable[..., list[str]]] = {
    "status": status.lines,
    "why": why.lines,
    "alarms": alarms.lines,
    "events": events.lines,
    "trend": trend.lines,
    "racks": racks.lines,
    "devices": devices.lines,
    "links": links.lines,
}


def lines(page: str, facts: Facts, number: int = 1) -> list[str]:
    """A page as lines; number: the part of a page in NUMBERED, from 1."""
    return LINES[page](facts, number) if page in NUMBERED else LINES[page](facts)


def count(page: str, facts: Facts) -> int:
    """Number of parts of this page."""
    return NUMBERED[page](facts) if page in NUMBERED else 1
