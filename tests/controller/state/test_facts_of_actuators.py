"""`why` of each actuator of a site device, on real frames: running, and after the device is pulled
off its bus."""

from functools import partial

import pytest
from watched import Watched

from controller.config import configuration
from controller.console import pages
from controller.core.base import reasons
from controller.core.base.answers import WIDE_W, BaseRequest, Cap, Limit
from controller.core.base.setpoint import Chain
from controller.sites import PV_GENSET
from controller.state import actuators
from hil.engine.simulate import VirtualRig
from tests.controller.run.cabinet_bench import believed

CONFIG = believed(configuration.load(PV_GENSET, tick_ms=100))
on_wires = partial(Watched, settings=CONFIG, rig=VirtualRig)
LIMITED = (
    *("pv_1.limit_W", "genset_1.run", "load_shed_1.stages", "chiller_1.pre_cool"),
    *("fan_1.boost", "heater_1.heat", "load_cap_1.lower_W"),
)


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """The generator is needed at 7 % charge; a third of a minute, then all devices pulled off."""
    folder = tmp_path_factory.mktemp("actuators")
    watched = on_wires(folder, lambda t_s: 100_000.0, soc=0.07).run(20)
    before = watched.facts("why")
    for name in LIMITED:
        watched.rig.cabinet.devices[name.partition(".")[0]].silent = True
    after = watched.run(26).facts("why")
    return before, after


def named(facts):
    return {each["name"]: each for each in facts["actuators"]}


def test_each_actuator_is_explained_step_by_step(seen):
    found = named(seen[0])
    assert tuple(found) == LIMITED
    engine = found["genset_1.run"]
    assert (engine["value"], engine["sent"]) == (1, 1)
    assert engine["request_reason"]["code"] == reasons.GENSET_NEEDED
    for each in found.values():
        assert [step["step"] for step in each["steps"]] == [
            *("request", "caps", "ramp", "obligations", "limits")
        ]
        assert each["steps"][0]["leaves"] == each["request"]
        assert each["steps"][-1]["leaves"] == each["value"]


def test_without_a_binding_cap_the_range_or_the_request_decides():
    chain = Chain(WIDE_W)
    chain.take(Limit(0, reasons.NONE, 200, reasons.DEVICE_RANGE))
    chain.take(Cap(0, reasons.PV_CURTAILED, 30, reasons.PV_CURTAILED))
    chain.take(BaseRequest(500, reasons.PV_WANTED))
    assert chain.finish(1) == 30
    found = actuators.without(chain, reasons.PV_CURTAILED)
    assert (found["value"], found["next"]["code"]) == (200, reasons.DEVICE_RANGE)
    assert actuators.without(chain, reasons.DEVICE_RANGE)["value"] == 30


HELD = ("genset_1.run",)  # an engine runs on while its link is down


def test_a_device_that_is_pulled_off_falls_back_and_why_says_so(seen):
    for name, each in named(seen[1]).items():
        assert each["value"] == (name in HELD) and each["feedback_value"] is None, name
        if each["request"] and name not in HELD:
            assert each["binding"]["code"] == reasons.DEVICE_SILENT, name
            assert each["without"]["value"] == each["request"], name


def test_the_page_has_a_part_for_each_actuator(seen):
    assert len(pages.parts("why", seen[1])) == 1 + len(LIMITED)
    for number, name in enumerate(LIMITED, 2):
        lines = pages.lines("why", seen[1], number)
        assert len(lines) <= 23 and max(map(len, lines)) <= 79
        assert f", {name}: {int(name in HELD)} (" in lines[2]
    text = "\n".join(pages.lines("why", seen[1], 3))
    assert "generator needed" in text and "is_running reported -" in text


@pytest.mark.whole
def test_a_scheduler_lowers_the_load_on_the_wire_and_why_says_so(tmp_path):
    """480 kW, of which a hint's fallback lets 450 kW in, and a battery that is low."""
    watched = on_wires(tmp_path, lambda t_s: 480_000.0, soc=0.18).run(45)
    facts = watched.facts("why")
    asked = named(facts)["load_cap_1.lower_W"]
    assert (asked["value"], asked["sent"], asked["request_reason"]["code"]) == (20_000, 20_000, 140)
    assert asked["feedback_value"] > 19_000 and facts["obligations"]["standing"]
    assert 459_000 < watched.rig.cabinet.plant.load_power_W < 461_000
    watched.rig.cabinet.devices["load_cap_1"].silent = True
    asked = named(watched.run(60).facts("why"))["load_cap_1.lower_W"]
    assert asked["value"] == 20_000 and asked["feedback_value"] is None, "its silence frees no load"


def test_cold_cells_are_heated_on_the_wire_and_why_says_so(tmp_path):
    watched = on_wires(tmp_path, lambda t_s: 100_000.0)
    plant = watched.rig.cabinet.plant
    for rack in plant.racks:
        rack.place_temperature(-5.0)
    facts = watched.run(16).facts("why")
    heater = named(facts)["heater_1.heat"]
    assert (heater["value"], heater["sent"]) == (1, 1)
    assert heater["request_reason"]["code"] == reasons.HEAT_COLD
    assert plant.climate.heater_W == 9000.0
    assert facts["limits"]["low_W"] == 0 and facts["limits"]["high_W"] > 100_000
    assert {row["stage"] for row in facts["limits"]["low_cause"]["rows"]} == {"25a"}
