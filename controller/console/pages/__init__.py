"""The pages that show the state of the controller on a terminal. A page makes plain ASCII text from
plain data (facts). It consists of parts, each with at most 79 columns and 23 lines.
"""

import importlib
from typing import cast

from controller.console.pages.text import Parts
from controller.state.base import Facts

# {page: its module}. A command loads only the page that it shows.
PAGE_MODULES = {
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
    module = importlib.import_module(f"{__name__}.{PAGE_MODULES[page]}")
    return cast(Parts, module.parts(facts))


def lines(page: str, facts: Facts, number: int = 1) -> list[str]:
    """The lines of one part of a page. number: number of the part, from 1."""
    return parts(page, facts)[number - 1]
