"""The benchmarks: a step runs a real cabinet, a replay gives the bytes of its journal."""

from unittest.mock import Mock

import pytest

from controller.config import configuration
from controller.sites import EXAMPLE
from hil.campaigns.benchmarks import replay, rig, step
from hil.oracle import kernel_steps
from safety import matrix, parameters as p, signals as s


@pytest.mark.parametrize(
    "racks, modules", [(1, 15), (3, 15), pytest.param(16, 64, marks=pytest.mark.slow)]
)
def test_the_cabinet_of_the_step_runs_with_every_stage_armed_and_nothing_tripped(racks, modules):
    bench = kernel_steps.Steps(racks, modules)
    bench.start()
    out = bench.kernel.out
    assert out[s.STATE] == s.RUNNING and out[s.CAUSE_MASK] == 0 and out[s.PCS_ENABLE_OK] == 1
    image = kernel_steps.default_image(1, racks, modules)
    assert all(image[p.ImageMap(1, racks, matrix.STAGES_PER_SCOPE).armed :])


def test_a_cabinet_that_does_not_start_is_not_measured():
    bench = kernel_steps.Steps(1, 15)
    bench.kernel.inp[s.ESTOP_1_OK] = 0
    with pytest.raises(ValueError, match="did not start"):
        bench.start()


@pytest.mark.slow
def test_a_journal_replays_to_the_same_bytes_or_has_no_speed(tmp_path):
    path = tmp_path / "journal"
    rig._watch(configuration.load(EXAMPLE), None, 4.0, 1, str(path))
    per_s, speed, _ = replay.figures_of(str(path), rounds=1)
    assert per_s["unit"] == "ticks/s"
    assert speed["value"] == pytest.approx(per_s["value"] * 0.02, rel=0.05)
    content = bytearray(path.read_bytes())
    content[len(content.rstrip(b"\0")) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(replay.NotReplayedError):
        replay.figures_of(str(path))


def test_the_step_document_has_its_budgets(monkeypatch):
    monkeypatch.setattr(step, "TOPOLOGIES", ((1, 15, "step_1"),))
    monkeypatch.setattr(step, "_instructions", Mock(side_effect=ImportError()))
    monkeypatch.setattr(step.realtime, "freeze_collector", lambda: None)
    found = step.run(rounds=2, steps=3)
    assert [each["budget"] for each in found.figures] == ["step_1", None]
    assert "pip install" in found.notes[0] and len(found.details["rounds"]["1 x 15"]) == 2
