"""The pages: plain data in; parts of plain ASCII out, each at most 79 columns and 23 lines."""

import importlib
from typing import cast

from controller.console.pages.text import Parts
from controller.state.base import Facts

# page: its module; a command loads the page that it shows alone
PAGES = {
    "status": "status",
    "why": "why",
    "alarms": "alarms",
    "events": "events",
    "trend": "trend",
    "racks": "racks",
    "map": "places",
    "devices": "devices",
    "links": "links",
    "plan": "plan",
}


def parts(page: str, facts: Facts) -> Parts:
    """The parts of a page, each as the lines of a screen."""
    module = importlib.import_module(f"{__name__}.{PAGES[page]}")
    return cast(Parts, module.parts(facts))


def lines(page: str, facts: Facts, number: int = 1) -> list[str]:
    """A part of a page, from 1."""
    return parts(page, facts)[number - 1]
