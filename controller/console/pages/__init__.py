"""The pages themselves: plain data in, lines of plain ASCII out, 79 columns and 23 lines. They read nothing."""

from controller.console.pages import alarms, events, links, racks, status, trend, why

NUMBERED = {"events": lambda facts: facts["events"], "racks": lambda facts: facts["racks"],
            "links": lambda facts: facts["devices"]}  # pages of which there may be more than one, and of what
LINES = {"status": status.lines, "why": why.lines, "alarms": alarms.lines, "events": events.lines,
         "trend": trend.lines, "racks": racks.lines, "links": links.lines}


def lines(page, facts, number=1):
    """A page as lines; number: which page of those that have several, from 1."""
    return LINES[page](facts, number) if page in NUMBERED else LINES[page](facts)
