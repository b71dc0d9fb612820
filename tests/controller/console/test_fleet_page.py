"""The lines of `firebreak fleet` and `firebreak fleet ask` (fleet.txt), without a broker."""

import fleet_messages as made
import pytest

from controller.console import fleet as command
from controller.console.pages import fleet as page, fleet_ask
from controller.dispatch import site_ask, site_facts
from controller.dispatch.member import MUTE
from tests.transcript import each_part

FIRE, DOOR = {"alarm": made.FIRE, "alarms": 3}, {"alarm": made.DOOR, "alarms": 1}
LACKS = "[source.fleet] of its site.toml lacks the role grid_cap"
BINDING = {"label": "R303", "name": "grid operator"}
CHARGING = {"battery_W": -35_000, "binding": BINDING, "soc_permille": None}


def troubled():
    reports = {"hall1": CHARGING, "hall2": DOOR, "hall3": FIRE, "hall4": None, "hall7": DOOR}
    reports["hall6"] = {"release": "0.5.0", "clock": False}
    changes = {
        "hall8": {"problem": LACKS},
        "hall7": {"problem": MUTE},
        "hall6": {"short_W": 12_000},
    }
    found = made.heard(reports, made.state(changes=changes, short_W=90_000))
    made.hear(found, "firebreak/hall5/online", b"offline")
    made.hear(found, "firebreak/hall8/report", {"state": None, "trouble": "no tick for 0.5 s"})
    made.hear(found, "firebreak/hall9/report", made.report())
    made.hear(found, "firebreak/hall1/report", b"x" * 5000)
    return found


def kept():
    found = made.heard()
    made.hear(found, made.STATE_TOPIC, made.state(), is_retained=True)
    return found


FLEETS = {
    "all is well": lambda: made.heard(shared=made.state()),
    "much is wrong": troubled,
    "the dispatcher was stopped": kept,
    "no dispatcher": made.heard,
    "a hundred cabinets": lambda: made.heard(names=[f"c{n}" for n in range(100)]),
    "nothing is heard": lambda: made.heard(dict.fromkeys(made.NAMES)),
    "long names": lambda: made.heard(names=["a" * 64, "b" * 21]),
}
ENDS_W = {"share_W": 10**9, "left_s": 99_999, "hold_W": 10**9, "short_W": 10**9}
ENDS = {
    "state": "x" * 99,
    **{name: -(10**9) for name in ("battery_W", "grid_W", "load_W")},
    **{"alarms": 10_000, "soc_permille": 1000, "trouble": "x" * 99, "release": "y" * 700},
}
FLEETS |= {
    "fields at their ends": lambda: made.heard(
        {"hall-of-sixteen-": ENDS, "h2": ENDS},
        made.state(["hall-of-sixteen-"], {"hall-of-sixteen-": ENDS_W}),
        names=["hall-of-sixteen-", "h2"],
    )
}
SCREEN = 24


def played(line):
    words, _, asked = line.partition(", ask ")
    name = words.partition(", on a screen")[0]
    facts = site_facts.of(FLEETS[name](), made.NOW_US)
    if asked:
        power_kW, at_s, for_s = map(int, asked.split())
        job = site_ask.Job(power_kW * 1000, at_s, for_s)
        return fleet_ask.lines(site_ask.answer(facts, job))
    return page.lines(facts, SCREEN if name != words else None)


@each_part(__file__, "fleet.txt")
def test_the_page(part):
    part.play(played)


@pytest.mark.parametrize("name", FLEETS)
@pytest.mark.parametrize("height", [None, 24, 40])
def test_a_page_is_ascii_and_fits_a_screen(name, height):
    facts = site_facts.of(FLEETS[name](), made.NOW_US)
    lines = page.lines(facts, height)
    assert all(each.isascii() and each.isprintable() and len(each) < 80 for each in lines)
    if height == 40:
        assert len(lines) <= 40


def test_a_screen_gets_lines_that_do_not_wrap():
    data = command.drawn(["x" * 200, "short"] * 20, 80, 24)
    lines = data.removeprefix(b"\x1b[H").removesuffix(b"\x1b[J").split(b"\x1b[K\r\n")
    assert len(lines) == 24 and lines[-1] == b"" and max(map(len, lines)) == 79
