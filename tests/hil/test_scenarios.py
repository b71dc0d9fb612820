"""Every scenario of the rig in virtual time: all it expects is met, and `why` is what goes over the
wire on every tick; the same seed gives the same run.
"""

from functools import partial

import pytest
from why_on_the_wire import Comparison, TappedSerial

from controller.record.journal_header import open_journal
from controller.site import config
from controller.sites import EXAMPLE
from hil import simulate, virtual_controller
from hil.loads import selection
from hil.results import recorder, run_result
from hil.scenarios import scenario
from hil.simulate import VirtualRig

CONFIG = config.load(EXAMPLE)
# load tracking, a ramp and a stop, a restart: the short ones; all scenarios with --all
QUICK = ("normal", "controller_killed", "bms_silent")
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
    rig = VirtualRig(
        CONFIG, load.power, chosen.seed, chosen.actions, {"soc": chosen.soc_pct / 100}, journal_path
    )
    drive(rig, order["duration_s"])
    return rig, run_result.Outcome(recorder.run_of(rig, load), {}, chosen, load.from_us)


def assert_met(outcome):
    """Everything that was expected was met, and there was something."""
    assert [text for ok, text in outcome.results if not ok] == []
    assert outcome.results and outcome.exit_code == run_result.MET


@pytest.mark.parametrize("name", [name for name in scenario.names() if name not in QUICK])
def test_everything_a_scenario_expects_is_met(name):
    assert_met(run(name)[1])


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in QUICK else pytest.mark.slow)
        for name in scenario.names()
    ],
)
def test_why_is_what_went_over_the_wire_and_all_is_met(name, tmp_path, monkeypatch):
    """Both in one run, as the simulation is what takes the time."""
    short_ring = partial(open_journal, capacity_bytes=RING_BYTES)
    monkeypatch.setattr(simulate, "VirtualSerial", TappedSerial)
    monkeypatch.setattr(virtual_controller, "open_journal", short_ring)
    path, compared = str(tmp_path / "journal"), []

    def drive(rig, duration_s):
        compared.append(Comparison(rig, path, name not in UNCLEAN).run(duration_s))

    assert_met(run(name, None, path, drive)[1])
    (found,) = compared
    assert found.ticks > 1000 and found.frames > LEAST_FRAMES.get(name, 50) and found.pages > 40


def test_a_scenario_runs_the_same_way_every_time_and_one_cut_short_is_not_met():
    (first, _), (again, _) = (run("rtu_garbage", 28) for _ in range(2))
    assert first.observer.result() == again.observer.result()
    assert first.trips.trips == again.trips.trips
    assert first.recorder.rows().tobytes() == again.recorder.rows().tobytes()
    assert len(first.observer.result()) > 15
    _, outcome = run("estop", 34)
    assert outcome.exit_code == run_result.NOT_MET
    lines = outcome.lines()
    assert "NOT MET    contactors_closed: key_reset never came" in lines
    assert [line for line in lines if line.startswith("met        row 1a trips 0 .. 100 ms after")]
