"""Every scenario of the rig in virtual time: all it expects is met, and `why` is what goes over the
wire on every tick; the same seed gives the same timeline.
"""

from functools import partial

import pytest
from why_on_the_wire import Comparison, TappedSerial

from controller.record.journal_header import open_journal
from controller.site import config
from controller.sites import EXAMPLE
from hil import simulate, virtual_controller
from hil.loads import selection
from hil.results import run_result
from hil.scenarios import scenario
from hil.simulate import VirtualRig

CONFIG = config.load(EXAMPLE)
NEEDED = {
    "estop",
    "fire_alarm",
    "gas_10",
    "gas_25",
    "bms_silent",
    "pcs_silent",
    "io_silent",
    "meter_frozen",
    "rtu_garbage",
    "controller_killed",
    "normal",
}


RING_BYTES = 8 << 20
LEAST_FRAMES = {"over_temperature": 40}  # its limit of 4 % leaves nothing to follow
# frames are spoiled on the wire, or nobody is there to take them
UNCLEAN = ("rtu_garbage", "io_noise", "pcs_silent")


def run(name, duration_s=None, journal_path=None, drive=VirtualRig.run):
    """(VirtualRig, Outcome) of a scenario; duration_s cuts it short; drive(rig, duration_s) runs
    it.
    """
    chosen = scenario.load(name)
    order = {"seed": chosen.seed, "duration_s": duration_s or chosen.duration_s}
    load = selection.load_of(order, chosen)
    virtual = VirtualRig(
        CONFIG, load.power, chosen.seed, chosen.actions, {"soc": chosen.soc_pct / 100}, journal_path
    )
    drive(virtual, order["duration_s"])
    loop = {"ticks": virtual.ticks, "missed": 0}
    recorded = run_result.Run(
        virtual.recorder, virtual.observer, virtual.trips.trips, loop, load.about
    )
    return virtual, run_result.Outcome(recorded, {}, chosen, load.from_us)


@pytest.mark.parametrize("name", scenario.names())
def test_everything_a_scenario_expects_is_met_and_why_is_what_went_over_the_wire(
    name, tmp_path, monkeypatch
):
    """Both in one run, as the simulation is what takes the time."""
    monkeypatch.setattr(simulate, "VirtualSerial", TappedSerial)
    monkeypatch.setattr(
        virtual_controller, "open_journal", partial(open_journal, capacity_bytes=RING_BYTES)
    )
    path, compared = str(tmp_path / "journal"), []
    _, outcome = run(
        name,
        None,
        path,
        lambda rig, duration_s: compared.append(
            Comparison(rig, path, name not in UNCLEAN).run(duration_s)
        ),
    )
    assert [text for ok, text in outcome.results if not ok] == []
    assert outcome.results and outcome.exit_code == run_result.MET
    found = compared[0]
    assert found.ticks > 1000 and found.frames > LEAST_FRAMES.get(name, 50) and found.pages > 40


@pytest.mark.parametrize("name, duration_s", [("rtu_garbage", 28), ("controller_killed", 45)])
def test_a_scenario_runs_the_same_way_every_time(name, duration_s):
    first, again = (run(name, duration_s)[0] for _ in range(2))
    assert first.observer.result() == again.observer.result()
    assert first.trips.trips == again.trips.trips
    assert first.recorder.rows().tobytes() == again.recorder.rows().tobytes()
    assert len(first.observer.result()) > 15


def test_the_faults_that_are_asked_for_are_there():
    assert set(scenario.names()) >= NEEDED


def test_an_expectation_that_is_not_met_is_said_and_is_exit_code_1():
    """The E-stop scenario, ended before its key reset."""
    _, outcome = run("estop", 34)
    assert outcome.exit_code == run_result.NOT_MET
    lines = outcome.lines()
    assert "NOT MET    contactors_closed: key_reset never came" in lines
    assert any(
        line.startswith("met        row 1a trips 0 .. 100 ms after estop_press: ") for line in lines
    )
