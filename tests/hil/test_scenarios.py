"""Every scenario of the rig in virtual time: all it expects is met, and `why` is what goes over the
wire on every tick.
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
# load tracking with a ramp and a stop, a restart; all scenarios with --all
QUICK = ("bms_silent", "controller_killed")
RING_BYTES = 8 << 20
LEAST_FRAMES = {"over_temperature": 40}  # its limit of 4 % leaves nothing to follow
# frames are spoiled on the wire, or nobody is there to take them
UNCLEAN = ("rtu_garbage", "io_noise", "pcs_silent")


def run(name, journal_path=None, drive=VirtualRig.run):
    """Outcome of a scenario; drive(rig, duration_s) runs it."""
    chosen = scenario.load(name)
    load = selection.load_of({"seed": chosen.seed, "duration_s": chosen.duration_s}, chosen)
    rig = VirtualRig(
        CONFIG, load.power, chosen.seed, chosen.actions, {"soc": chosen.soc_pct / 100}, journal_path
    )
    drive(rig, chosen.duration_s)
    return run_result.Outcome(recorder.run_of(rig, load), {}, chosen, load.from_us)


def assert_met(outcome):
    """Everything that was expected was met, and there was something."""
    assert [text for ok, text in outcome.results if not ok] == []
    assert outcome.results and outcome.exit_code == run_result.MET


@pytest.mark.parametrize("name", sorted({*scenario.names()} - {*QUICK}))
def test_everything_a_scenario_expects_is_met(name):
    assert_met(run(name))


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

    assert_met(run(name, path, drive))
    (found,) = compared
    assert found.ticks > 1000 and found.frames > LEAST_FRAMES.get(name, 50) and found.pages > 40
