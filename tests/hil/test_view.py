"""The view: what the screen is given is what plant and controller have."""

import pytest

from controller.core import reasons
from controller.core.instances import stage_instances
from controller.core.setpoint import (
    O_BINDING_REASON,
    O_REQUEST_FAST_REASON,
    O_REQUEST_W,
    O_SETPOINT_W,
)
from controller.rows import reason_words
from controller.site import config
from controller.sites import EXAMPLE
from hil.results import frame, view
from hil.scenarios.scenario import Action
from hil.simulate import VirtualRig
from safety import matrix
from safety import signals as s

CONFIG = config.load(EXAMPLE)
NAMES = stage_instances(CONFIG.layout())


@pytest.fixture(scope="module")
def rig():
    """Twelve seconds at power, then an E-stop."""
    return VirtualRig(
        CONFIG,
        lambda t_s: 300_000.0 + 60_000.0 * (t_s > 9),
        1,
        [Action(12_000_000, "estop_press", "estop_press", {})],
        {"soc": 0.55},
    )


def controller_part(rig, since_s, now_s):
    core = rig.controller.cabinet.core
    return view.controller_part(core.out, core.layout, NAMES, since_s, now_s)


def test_the_view_of_a_run(rig):
    rig.run(11.9)
    plant = view.plant_part(rig.plant)
    assert plant["load_W"] == rig.plant.load_power_W == 360_000
    assert (
        plant["battery_W"] == pytest.approx(rig.plant.pcs[0].ac_power_W)
        and plant["battery_W"] > 1000
    )
    assert plant["grid_W"] == rig.plant.grid_power_W
    assert len(plant["racks"]) == 3
    soc_pct, mV_min, mV_max, low_degC, high_degC, current_A, contactor = plant["racks"][1]
    assert 54 < soc_pct < 56 and 3000 < mV_min <= mV_max < 3500 and 15 < low_degC <= high_degC < 40
    assert current_A == rig.plant.racks[1].current_A and contactor == "closed"
    shown, core = controller_part(rig, {}, 11.9), rig.controller.cabinet.core
    assert shown["state"] == "running" and shown["tripped"] == []
    chain = core.out[core.chain_at :]
    assert (shown["request_W"], shown["setpoint_W"]) == (chain[O_REQUEST_W], chain[O_SETPOINT_W])
    assert shown["request_by"] == reason_words.text(chain[O_REQUEST_FAST_REASON])[0]
    assert (shown["limit"] is None) == (chain[O_BINDING_REASON] == reasons.NONE)
    assert shown["charge_W_max"] == core.out[core.layout.unit_output(0, s.CHARGE_W_MAX)]
    assert shown["discharge_W_max"] == core.out[core.layout.unit_output(0, s.DISCHARGE_W_MAX)]


def test_what_stands_is_shown_with_its_age_its_words_and_how_it_resets(rig):
    rig.run(12.5)
    since_s = {"29.rack1": 3.0}  # stood once
    first = controller_part(rig, since_s, 12.5)["tripped"]
    later = controller_part(rig, since_s, 14.0)["tripped"]
    assert set(since_s) == {"1a", "1b"}
    assert [(row[0], row[2], row[3], row[4]) for row in later] == [
        ("1a", "cabinet", 1.5, "key"),
        ("1b", "cabinet", 1.5, "key"),
    ]
    assert [row[3] for row in first] == [0.0, 0.0]
    shown = controller_part(rig, since_s, 14.0)
    assert (shown["rows_tripped"], shown["rows_warning"]) == (1, 0)  # two stages of one row
    assert all(row[1] == reason_words.text(reasons.ROW + 1)[0] for row in later)
    lines = frame.frame({**view.plant_part(rig.plant), **controller_part(rig, since_s, 14.0)})
    assert any("row 1a" in line and "key reset" in line for line in lines)
    assert any("TRIPPED" in line for line in lines)


@pytest.mark.parametrize("index", range(len(NAMES)))
def test_every_row_can_be_shown(index, rig):
    core = rig.controller.cabinet.core
    out = core.out[:]
    for word in range(core.standing_at, len(out)):
        out[word] = 0
    out[core.standing_at + index // 30] = 1 << index % 30
    assert view.names_standing(out, NAMES) == [NAMES[index]]
    ((stage, words, scope, age_s, reset),) = view.controller_part(out, core.layout, NAMES, {}, 1.0)[
        "tripped"
    ]
    assert NAMES[index].startswith(stage) and words and age_s == 0.0
    assert reset == ("self", "remote", "key")[view.STAGES[stage][matrix.S_LATCH]]
    assert scope == "cabinet" or scope.split()[0] in ("unit", "rack")


@pytest.mark.parametrize("state, name", list(enumerate(("open", "pre-charge", "closed", "fault"))))
def test_contactor_states_have_names(rig, state, name):
    class Rack:
        """Just what the view reads."""

        soc, cell_voltage_V_min, cell_voltage_V_max, temperatures_degC, current_A = (
            0.5,
            3.3,
            3.31,
            [25.0],
            0.0,
        )
        contactor_state = state

    class Plant:
        """One rack and no power."""

        pcs, racks, grid_power_W, load_power_W = [], [Rack()], 0.0, 0.0

    assert view.plant_part(Plant())["racks"] == [(50.0, 3300, 3310, 25.0, 25.0, 0.0, name)]


@pytest.mark.parametrize(
    "link, name", [(link, name) for link, names in view.SILENT.items() for name in sorted(names)]
)
def test_a_link_is_silent_exactly_when_a_row_of_silence_stands(link, name):
    healthy = dict.fromkeys(view.SILENT, "ok")
    assert view.links([]) == view.links(["1a", "20a.rack1"]) == healthy
    assert view.links(["1a", f"{name}.rack2"]) == healthy | {link: "silent"}


def test_the_stages_of_the_links_are_in_the_matrix():
    assert set().union(*view.SILENT.values()) <= {stage[matrix.S_ID] for stage in matrix.STAGES}
