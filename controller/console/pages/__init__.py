"""The pages themselves: plain data in, lines of plain ASCII out, 79 columns and 23 lines. They read
nothing.
"""

from controller.console.pages import alarms, events, links, racks, status, trend, why

NUMBERED = {
    "events": lambda facts: events.pages(facts["events"]),
    "racks": lambda facts: racks.pages(facts["racks"]),
    # pages of which there may be more than one, how many
    "links": lambda facts: links.pages(facts["devices"]),
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


def lines(page, facts, number=1):
    """A page as lines; number: which page of those that have several, from 1."""
    return LINES[page](facts, number) if page in NUMBERED else LINES[page](facts)


def count(page, facts):
    """How many pages there are of this one."""
    return NUMBERED[page](facts) if page in NUMBERED else 1
