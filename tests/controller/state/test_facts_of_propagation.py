"""The estimate of propagation on the technician's page, only while a runaway is suspected."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from test_pages import check
from test_style import ROOT, imported
from watched import Watched, action

from controller.console import pages
from controller.console.pages import alarms as page
from controller.console.pages.text import RULE
from controller.state import base, propagation as facts, propagation_map as pr
from safety import signals as s
from tests.tables import table

HEATED = action(8, "runaway", rack=2, module=5, cell=3, heater_K_per_min=60.0, from_degC=70.0)


@pytest.fixture(scope="module")
def heated(tmp_path_factory):
    return Watched(tmp_path_factory.mktemp("propagation"), actions=[HEATED]).run(21)


def test_the_page_shows_the_module_and_the_times(heated):
    alarms = heated.facts("alarms")
    assert heated.facts("status")["propagation"]
    found = alarms["propagation"]
    assert (found["rack"], found["module"], found["burning_s"]) == (2, 5, None)
    assert 75.0 < found["degC"] < 90.0 and 10.0 < found["warming_s"] < 14.0
    assert found["rise_K_per_min"] > 30.0 and json.loads(json.dumps(found))
    lines = page.parts(alarms)[0]
    check(lines, "alarms")
    ahead = [line.strip() for line in lines[[line[:5] for line in lines].index("AHEAD") :]]
    assert ahead[0].startswith("AHEAD  Rack 2 module 5, ")
    assert "Estimate if nothing changes: next cell" in " ".join(ahead[:2])
    many = {**alarms, "standing": alarms["standing"] * 4}
    pages_of = [page.parts({**many, "propagation": each})[0] for each in (found, None)]
    beside, alone = [{line for line in each if line != RULE} for each in pages_of]
    assert alone < beside, "the estimate pushes nothing off the page"


def test_a_journal_without_neighbours_has_a_page(heated, monkeypatch):
    header = heated.watch().shadow.reader.header
    monkeypatch.delitem(header, "neighbours")
    assert heated.facts("alarms")["propagation"] is None


@pytest.mark.parametrize("hot_ddegC, burning_s", [(1700, 20.0), (900, 40.0)])
def test_the_hotter_of_two_suspected_racks_is_shown(heated, monkeypatch, hot_ddegC, burning_s):
    """Burning counts from the last row that sees it; in a cool module only row 24 sees it."""
    shadow, seen = heated.shadow, []
    ages_s = {"22.rack2": 90, "22.rack3": 60, "24.rack3": 40, "21b.rack3": 30, "23a.rack3": 20}
    up_ms = base.uptime_ms(shadow)
    monkeypatch.setattr(type(shadow), "standing", list(ages_s))
    history = {name: up_ms - 1000 * age_s for name, age_s in ages_s.items()}
    at = shadow.layout.rack_input(2, s.MODULE_TEMPERATURE_DDEGC)
    for module in range(15):
        shadow.inp[at + module] = 240 + module
    shadow.inp[at + 6] = hot_ddegC
    shadow.inp[s.AIR_TEMPERATURE_DDEGC] = 210
    rises = shadow.core.kernel.features.racks.heating
    rises.history[(2 * 15 + 6) * 30 + rises.place[4]] = hot_ddegC - 300
    monkeypatch.setattr(pr, "estimate", lambda kind, one, near: seen.append(one) or pr.Seen(*one))
    found = facts.facts(shadow, SimpleNamespace(began_ms=history))
    assert (found["rack"], found["module"], found["rise_K_per_min"]) == (3, 7, 60.0)
    assert seen == [pr.Seen(16, hot_ddegC / 10, 1.0, 24.8, 21.0, 60.0, burning_s)]


def test_neighbours_come_from_the_type_file():
    header = {"cell_J_per_K": 4000, "module_mK_per_W": 0, "rack_mK_per_W": 500}
    shadow = SimpleNamespace(reader=SimpleNamespace(header={"neighbours": header}))
    assert facts._neighbours(shadow) == pr.Neighbours(4000.0, None, 0.5)


RANGES = """
None, None | not in 30 min ; 300.0, None | in 5 min or later ; 330.0, 511.0 | in 6 to 9 min
-20.0, 10.0 | in 0 to 1 min
"""


def test_times_are_a_range_and_shown_only_under_suspicion(tmp_path):
    never = {"next_module_s": (None, None), "next_rack_s": (600.0, None), "cells_at_risk": (0, 6)}
    for range_s, words in table(RANGES):
        found = {"rack": 1, "module": 2, "degC": 161.0, "next_cell_s": range_s, **never}
        text = " ".join(line.strip() for line in page.ahead(found))
        for part in (f"next cell {words},", "rack in 10 min or later;", "0 to 6 more cells"):
            assert part in text
    watched = Watched(tmp_path, actions=[action(8, "estop_press")]).run(10)
    alarms = watched.facts("alarms")
    assert alarms["standing"] and alarms["propagation"] is None
    assert not [line for line in pages.lines("alarms", alarms) if "AHEAD" in line]


def test_only_three_pages_import_the_estimate():
    users = {"controller.state.propagation_map": set(), "controller.state.propagation": set()}
    for folder in ("safety", "controller", "drivers"):
        for path in ROOT.glob(f"{folder}/**/*.py"):
            for _, name in imported(path.read_text(encoding="utf-8")):
                if name in users:
                    users[name].add(Path(path).relative_to(ROOT / "controller/state").as_posix())
    assert list(users.values()) == [{"propagation.py"}, {"alarms.py", "places.py", "status.py"}]
    assert facts.SUSPECTING == (21, 22, 23, 24, 53)
