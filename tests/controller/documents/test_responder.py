"""The sheet for the fire service: live parts, the person to call, and no word that sounds safe."""

import re
from types import SimpleNamespace

import pytest
from command_line import run

from controller.config import configuration
from controller.core.site_devices.records import Feed
from controller.core.site_devices.roles import ROLES
from controller.documents import responder
from controller.sites import FOLDER
from safety import matrix as m

WORDS_MAX = {"example": 480, "pv_genset": 520}  # of one upright page at 9 pt, measured on a print


@pytest.mark.parametrize("name", WORDS_MAX)
def test_the_sheet_fits_a_page_and_has_no_word_that_sounds_safe(capsys, name):
    code, lines, err = run(capsys, "document responder --site", FOLDER / name / "cabinet.toml")
    text = " ".join(lines)
    assert (code, err) == (1, []) and max(map(len, lines[1:])) <= 79, "but for names in the title"
    assert len(text.split()) <= WORDS_MAX[name]
    assert text.index("KEEP AWAY. DO NOT OPEN THE CABINET.") < text.index("WHAT IS INSIDE")
    assert not re.search(r"\b(safe|safely|compliant|certified|None)\b", text, re.IGNORECASE)


@pytest.mark.parametrize("role", ROLES.values(), ids=lambda role: role.name)
def test_a_role_says_whether_it_feeds(role, monkeypatch):
    assert not role.feed or role.feed.words
    found = configuration.load(str(FOLDER / "pv_genset" / "cabinet.toml"))
    monkeypatch.setitem(ROLES, role.name, role._replace(feed=Feed("it feeds like wind")))
    devices = [each.name for each in found.devices if each.role == role.name]
    fed = [each for each in responder.facts(found)["sources"] if "wind" in each["words"]]
    assert [each["device"] for each in fed] == devices


def test_the_ups_of_the_load_is_named_because_it_feeds_without_the_grid():
    settings = {"rated_W": 80_000}
    ups = SimpleNamespace(name="backed", role="load_ups", settings=settings)
    (source,) = responder._sources(SimpleNamespace(devices=[ups]))
    words = "UPS of the load backed, 80 kW: its battery feeds the load, also without the grid."
    assert responder._source_text(source) == words


def test_each_row_of_the_red_lamp_is_in_the_words_of_the_sheet():
    """A new row that lights the lamp needs its words in RED."""
    rows = {each[m.S_ROW] for each in m.STAGES if each[m.S_DEMAND][m.D_RED_LAMP]}
    words = {
        "emergency stop": {1},
        "fire": {2, 3},
        "smoke": {5},
        "gas": {8, 10, 11, 12},
        "hot cells": {21, 23, 24},
        "a battery or an I/O module that no longer reports": {40, 49},
        "an unknown danger": {14},
    }
    assert set().union(*words.values()) == rows
    assert all(text in responder.RED for text in words)
