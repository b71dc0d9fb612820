"""The view for the screen equals plant and controller."""

from types import SimpleNamespace

import pytest

from controller.config import configuration, stage_states
from controller.core.base import reasons, setpoint as chain
from controller.core.base.instances import stage_instances
from controller.rows import reason_words, records
from controller.sites import EXAMPLE
from hil.engine.simulate import VirtualRig
from hil.results import frame, view
from hil.scenarios.scenario import Action
from hil.site.site import Site
from safety import matrix, signals as s

CONFIG = configuration.load(EXAMPLE)
NAMES = stage_instances(CONFIG.layout())


@pytest.fixture(scope="module")
def rig():
    press = Action(12_000_000, "estop_press", "estop_press", {})
    return VirtualRig(CONFIG, lambda t_s: 3e5 + 6e4 * (t_s > 9), 1, [press], {"soc": 0.55})


def controller_part(rig, since_s, now_s):
    core = rig.controller.cabinet.core
    return view.controller_part(core.out, core.layout, NAMES, since_s, now_s)


def test_the_view_of_a_run(rig):
    rig.run(11.9)
    plant = view.plant_part(rig.plant)
    assert plant["load_W"] == rig.plant.load_power_W == 360_000
    assert plant["battery_W"] == pytest.approx(rig.plant.pcs[0].ac_power_W)
    assert abs(plant["battery_W"]) > 1000
    assert (plant["grid_W"], len(plant["racks"])) == (rig.plant.grid_power_W, 3)
    soc_pct, mV_min, mV_max, low_degC, high_degC, current_A, contactor = plant["racks"][1]
    assert 54 < soc_pct < 56 and 3000 < mV_min <= mV_max < 3500 and 15 < low_degC <= high_degC < 40
    assert current_A == rig.plant.racks[1].current_A and contactor == "closed"
    shown, core = controller_part(rig, {}, 11.9), rig.controller.cabinet.core
    assert shown["state"] == "running" and shown["tripped"] == []
    found = core.out[core.chain_at :]
    assert shown["request_W"] == found[chain.O_REQUEST_W]
    assert shown["setpoint_W"] == found[chain.O_SETPOINT_W]
    assert shown["request_by"] == reason_words.text(found[chain.O_REQUEST_FAST_REASON])[0]
    assert (shown["limit"] is None) == (found[chain.O_BINDING_REASON] == reasons.NONE)
    assert shown["charge_W_max"] == core.out[core.layout.unit_output(0, s.CHARGE_W_MAX)]
    assert shown["discharge_W_max"] == core.out[core.layout.unit_output(0, s.DISCHARGE_W_MAX)]


def test_a_site_with_pv_has_a_line_and_one_without_has_a_rule(rig):
    assert view.plant_part(rig.plant)["site_W"] == {}
    assert "-" * 80 in frame.frame({"site_W": {}})
    site_W = {"load": 9e4, "grid": -1e4, "pv": 8e4, "genset": 0.0, "battery": 2e4}
    line = "SITE, kW  load 90.0  grid -10.0  PV 80.0  genset 0.0  battery 20.0"
    assert line in frame.frame({"site_W": site_W})


def test_the_view_of_a_run_and_every_row(rig):
    rig.run(12.5)
    since_s = {"29.rack1": 3.0}  # stood once
    first = controller_part(rig, since_s, 12.5)["tripped"]
    later = controller_part(rig, since_s, 14.0)["tripped"]
    assert set(since_s) == {"1a", "1b"}
    found = [(row[0], row[2], row[3], row[4]) for row in later]
    assert found == [(stage, "cabinet", 1.5, "key") for stage in ("1a", "1b")]
    assert [row[3] for row in first] == [0.0, 0.0]
    shown = controller_part(rig, since_s, 14.0)
    assert (shown["rows_tripped"], shown["rows_warning"]) == (1, 0)  # two stages of one row
    assert all(row[1] == reason_words.text(reasons.ROW + 1)[0] for row in later)
    lines = frame.frame({**view.plant_part(rig.plant), **controller_part(rig, since_s, 14.0)})
    assert any("row 1a" in line and "key reset" in line for line in lines)
    assert any("TRIPPED" in line for line in lines)
    core, links = rig.controller.cabinet.core, set()
    healthy = dict.fromkeys(view.SILENT, "ok")
    for index, name in enumerate(NAMES):
        out = core.out[:]
        for word in range(core.standing_at, len(out)):
            out[word] = 0
        out[core.standing_at + index // 30] = 1 << index % 30
        shown = view.controller_part(out, core.layout, NAMES, {}, 1.0)
        ((stage, sentence, scope, age_s, reset),) = shown["tripped"]
        assert stage == name.partition(".")[0] and sentence and age_s == 0.0
        assert reset == ("self", "remote", "key")[records.BY_ID[stage][matrix.S_LATCH]]
        assert scope == "cabinet" or scope.split()[0] in ("unit", "rack")
        silent = {link for link, stages in view.SILENT.items() if stage in stages}
        assert shown["links"] == healthy | dict.fromkeys(silent, "silent")
        links |= silent
    assert links == set(view.SILENT)


def test_the_constant_part_of_a_view_counts_the_rows():
    load = SimpleNamespace(about={"column": "load_W"})
    shown = view.of_order({"duration_s": 60.0}, None, CONFIG, load, "virtual time")
    armed = len(stage_states.rows_armed(CONFIG.topology))
    assert (shown["armed"], shown["not_fitted"], shown["tick_ms"]) == (armed, 1, 20)


def test_contactor_states_have_names():
    rack = {"soc": 0.5, "cell_voltage_V_min": 3.3, "cell_voltage_V_max": 3.31, "current_A": 0.0}
    rack["temperatures_degC"] = [25.0, 20.0]
    racks = [SimpleNamespace(**rack, contactor_state=state) for state in range(4)]
    powers_W = dict.fromkeys(("battery_W", "grid_power_W", "load_power_W"), 0.0)
    plant = SimpleNamespace(**powers_W, racks=racks, site=Site())
    assert view.plant_part(plant)["racks"] == [
        (50.0, 3300, 3310, 20.0, 25.0, 0.0, name)
        for name in ("open", "pre-charge", "closed", "fault")
    ]
