"""Each scenario in virtual time: all it expects is met; `why` matches the wire on every tick."""

from functools import partial

import pytest
from slow import slow, whole
from why_on_the_wire import Comparison, TappedSerial

from controller.config import configuration
from controller.journal.journal_header import open_journal
from controller.sites import EXAMPLE
from hil.engine import simulate, virtual_controller
from hil.loads import selection
from hil.results import recorder, run_result
from hil.scenarios import scenario

EACH_20_MS, EACH_100_MS = [configuration.load(EXAMPLE, tick_ms=each) for each in (20, 100)]
# `why` beside load tracking with a ramp and a stop, and beside a restart; all scenarios with --all
# One with its answers to `why`; the others with --whole. Their signals arrive in
# campaigns/test_rows_on_the_wire.py, their faults in values/test_words.py.
QUICK = ("estop",)
LONG = "controller_killed", "bms_silent"
RING_BYTES = 8 << 20
# a cabinet that rests, or whose limit of 4 % leaves nothing to follow, writes few
LEAST_FRAMES = {"over_temperature": 40, "expiry_lost": 30, "door_in_precharge": 10}
# frames are spoiled or lost on the wire
UNCLEAN = ("rtu_garbage", "io_noise", "pcs_silent")
# their times need the tick of a box; all other scenarios are met by a slower one too
PROMPT = ("estop_bridged", "fire_alarm", "gas_25", "stalls")
REST = sorted({*scenario.names()} - {*QUICK, *LONG})


def compared(rig, path, name):
    found = Comparison(rig, path, name not in UNCLEAN)
    found.run(scenario.load(name).duration_s)
    assert found.ticks > 1000 and found.frames > LEAST_FRAMES.get(name, 50) and found.pages > 40


def rig_of(chosen, config, path=None):
    """(rig, load) of a scenario."""
    load = selection.load_of({"seed": chosen.seed, "duration_s": chosen.duration_s}, chosen)
    plant = {"soc": chosen.soc_pct / 100}
    return simulate.VirtualRig(config, load.power, chosen.seed, chosen.actions, plant, path), load


@pytest.mark.parametrize(
    "name, why",
    [(name, True) for name in QUICK]
    + whole(*[(name, True) for name in LONG], *[(name, False) for name in REST])
    + slow(*[(name, True) for name in REST]),
)
def test_all_a_scenario_expects_is_met(name, why, tmp_path, monkeypatch):
    """One run answers both: the simulation takes the time."""
    short_ring = partial(open_journal, capacity_bytes=RING_BYTES)
    monkeypatch.setattr(virtual_controller, "open_journal", short_ring)
    if why:
        monkeypatch.setattr(simulate, "VirtualSerial", TappedSerial)
    path, chosen = str(tmp_path / "journal") if why else None, scenario.load(name)
    config = EACH_20_MS if why or name in PROMPT else EACH_100_MS
    rig, load = rig_of(chosen, config, path)
    compared(rig, path, name) if why else rig.run(chosen.duration_s)
    outcome = run_result.Outcome(recorder.run_of(rig, load.about), {}, chosen, load.from_us)
    assert [text for ok, text in outcome.results if not ok] == []
    assert outcome.results and outcome.exit_code == run_result.MET
