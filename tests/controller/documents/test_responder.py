"""The sheet for the fire service: live parts, the person to call, and no word that sounds safe."""

import json
import re

import pytest
from command_line import run

from controller.config import configuration
from controller.core.site_devices.records import Feed
from controller.core.site_devices.roles import ROLES
from controller.documents import document, responder
from controller.sites import EXAMPLE, FOLDER

PLACES = {
    "call": "Anna Berg, +47 22 00 00 00",
    "address": "Hallveien 3, gate 2",
    "key_at": "box at gate 2",
    "disconnect_at": "north wall, Q7",
    "water_at": "20 m east of gate 2",
    "beside": "diesel tank 30 m west",
}
GIVEN = "\n".join(["[responder]", *[f'{key} = "{text}"' for key, text in PLACES.items()]])
WORDS_MAX = 480  # of one upright page at 9 pt, measured on a print


@pytest.fixture
def given(files):
    return files.append("site", GIVEN)


def sheet(capsys, path, *more, code=0):
    found, out, err = run(capsys, "responder", "--site", path, *more)
    assert (found, err) == (code, [])
    return out


def test_the_sheet_has_live_parts_and_the_entries_of_the_site(capsys, given):
    lines = sheet(capsys, given.paths[2])
    text = " ".join(" ".join(lines).split())
    assert max(map(len, lines)) <= 79 and len(text.split()) <= WORDS_MAX
    assert text.index("KEEP AWAY. DO NOT OPEN THE CABINET.") < text.index("WHAT IS INSIDE")
    assert "up to 645 kWh, up to 876 V DC in each rack" in text, "240 cells of 3.65 V"
    assert "NOT OFF Every cell, module and cable inside the racks: always up to 876 V DC" in text
    assert (
        "RED Keep away: fire, gas, emergency stop, or an unknown danger (rows 1, 2, 3, 5, " in text
    )
    assert all(words in text for words in PLACES.values()) and "NOT GIVEN" not in text
    assert not re.search(r"\b(safe|safely|compliant|certified|None)\b", text, re.IGNORECASE)


def test_a_missing_entry_is_listed_and_the_exit_code_is_1(capsys, given):
    lines = sheet(capsys, EXAMPLE, code=1)
    missing = ", ".join([f"responder.{key}" for key in responder.PLACES])
    text = " ".join(" ".join(lines).replace("***", "").split())
    assert f"NOT READY TO HANG UP. The site file does not give: {missing}." in text
    given.replace("site", 'call = "Anna Berg, +47 22 00 00 00"\n', "")
    found = json.loads("\n".join(sheet(capsys, given.paths[2], "--format", "json", code=1)))
    assert found["not_given"] == ["responder.call"]
    assert found["places"] == PLACES | {"call": None}


def test_the_page_is_upright_and_has_all_words(given):
    found = responder.facts(configuration.load(given.paths[2]))
    page = document.page(responder.blocks(found), document.PORTRAIT)
    assert "size: A4 portrait" in page and "<p class=banner>KEEP AWAY." in page
    assert page.index("size: A4 landscape") < page.index("size: A4 portrait"), (
        "the last @page rule wins"
    )


def test_every_source_of_energy_of_the_site_is_named(capsys):
    lines = sheet(capsys, str(FOLDER / "pv_genset" / "cabinet.toml"), code=1)
    text = " ".join(" ".join(lines).split())
    assert "NOT OFF PV inverter roof, 200 kW: its DC cables are live in daylight" in text
    assert "NOT OFF generator set diesel, 300 kW: this program starts it by itself" in text
    assert "NOT OFF UPS ups: its battery feeds" in text
    assert len(text.split()) <= WORDS_MAX + 40


@pytest.mark.parametrize("role", ROLES.values(), ids=lambda role: role.name)
def test_a_role_says_whether_it_feeds(role, monkeypatch):
    assert not role.feed or role.feed.words
    found = configuration.load(str(FOLDER / "pv_genset" / "cabinet.toml"))
    monkeypatch.setitem(ROLES, role.name, role._replace(feed=Feed("it feeds like wind")))
    devices = [each.name for each in found.devices if each.role == role.name]
    fed = [each for each in responder.facts(found)["sources"] if "wind" in each["words"]]
    assert [each["device"] for each in fed] == devices
