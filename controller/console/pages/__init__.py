"""The pages: plain data in; parts of plain ASCII out, each at most 79 columns and 23 lines."""

from collections.abc import Callable

from controller.console.pages import (
    alarms,
    devices,
    events,
    links,
    places,
    plan,
    racks,
    status,
    trend,
    why,
)
from controller.state.base import Facts

# page: its parts, each as the lines of a screen
PAGES: dict[str, Callable[[Facts], list[list[str]]]] = {
    "status": status.parts,
    "why": why.parts,
    "alarms": alarms.parts,
    "events": events.parts,
    "trend": trend.parts,
    "racks": racks.parts,
    "map": places.parts,
    "devices": devices.parts,
    "links": links.parts,
    "plan": plan.parts,
}


def lines(page: str, facts: Facts, number: int = 1) -> list[str]:
    """A part of a page, from 1."""
    return PAGES[page](facts)[number - 1]
