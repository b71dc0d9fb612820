"""The newest state out of a journal: equal to what the controller had, and never mixed up after a loss."""

import pytest

from controller import cabinet as cabinets
from controller import config, snapshot
from controller.journal import JournalError, JournalWriter
from controller.setpoint import O_SETPOINT_W
from hil.scenario import Action
from hil.simulate import VirtualRig
from safety import signals as s
from site_files import SITES

CONFIG = config.load(SITES / "example" / "cabinet.toml")


def writer(path, capacity_bytes=4 << 20):
    core = cabinets.core_of({"safety_image": CONFIG.safety_image, "control_image": CONFIG.control_image})
    return JournalWriter(str(path), cabinets.journal_header(CONFIG), len(core.inp), len(core.fresh), len(core.out),
                         len(core.state_words()), capacity_bytes)


def started(journal, actions=()):
    """A virtual run that writes into this journal."""
    made = VirtualRig(CONFIG, lambda t_s: 300_000.0, 1, actions, {"soc": 0.55})
    made.controller.cabinet.journal = journal
    return made


@pytest.fixture
def rig(tmp_path):
    """A virtual run that writes a journal, tripped by an E-stop at 3 s."""
    made = started(writer(tmp_path / "journal"), [Action(3_000_000, "estop_press", "estop_press", {})])
    yield made
    made.controller.cabinet.journal.close()


def test_it_shows_what_the_core_has(rig, tmp_path):
    rig.run(3.5)
    found, core = snapshot.read(str(tmp_path / "journal")), rig.controller.cabinet.core
    assert (found.inp, found.out, found.sequence) == (core.inp, core.out, 174)
    evaluator = core.kernel.evaluator
    names = cabinets.stage_instances(core.layout)
    assert found.standing == [names[at] for at in range(evaluator.count) if evaluator.standing(at)]
    assert "1a" in found.standing and names[found.first_out].startswith("1")
    assert found.cause_mask == evaluator.cause_mask() != 0
    assert found.chain(O_SETPOINT_W) == rig.controller.cabinet.summary()[2]
    found.close()


def test_it_follows_tick_by_tick(rig, tmp_path):
    rig.run(0.1)
    seen = snapshot.Snapshot(str(tmp_path / "journal"))
    assert list(seen.follow()) == [0, 1, 2, 3, 4]
    assert list(seen.follow()) == []
    for tick in range(5, 250):
        rig.step()
        assert list(seen.follow()) == [tick]
        assert seen.out == rig.controller.cabinet.core.out
    seen.close()


def test_after_a_loss_it_waits_for_a_keyframe(tmp_path):
    """A small ring overwrites what was not read; what comes then builds on frames that are gone."""
    journal = writer(tmp_path / "small", 24_000)
    rig = started(journal).run(0.1)
    seen = snapshot.Snapshot(str(tmp_path / "small"))
    assert seen.update() and seen.sequence == 4
    rig.run(9.9)  # the first frames, and the keyframe among them, are overwritten
    assert list(seen.follow()) == [] and seen.reader.lost > 0 and seen.sequence == 4
    for _ in range(20):
        rig.step()
        for _ in seen.follow():
            assert seen.out == rig.controller.cabinet.core.out
    assert seen.sequence > 500
    seen.close()
    journal.close()


@pytest.mark.parametrize("content, words", [(None, "No such file"), (b"", "empty"), (b"x" * 100, "not a journal")])
def test_what_is_no_journal_is_one_line(tmp_path, content, words):
    path = tmp_path / "journal"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(JournalError, match=words):
        snapshot.read(str(path))


def test_a_journal_without_a_frame_says_so(tmp_path):
    writer(tmp_path / "journal").close()
    with pytest.raises(JournalError, match="no keyframe yet"):
        snapshot.read(str(tmp_path / "journal"))


def test_nothing_stands_in_a_quiet_cabinet(rig, tmp_path):
    rig.run(1)
    found = snapshot.read(str(tmp_path / "journal"))
    assert (found.standing, found.first_out, found.cause_mask) == ([], -1, 0)
    assert found.out[s.STATE] != s.TRIPPED
