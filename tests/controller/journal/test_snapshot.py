"""The newest state in a journal; a loss never mixes two states."""

import pytest

from controller.config import configuration
from controller.core import image
from controller.core.base import instances
from controller.core.base.setpoint import O_SETPOINT_W
from controller.journal import journal_header, replay, snapshot
from controller.journal.frame import Counts
from controller.journal.ring import JournalError
from controller.journal.writer import JournalWriter
from controller.sites import EXAMPLE
from hil.engine.simulate import VirtualRig
from hil.scenarios.scenario import Action
from safety import signals as s

CONFIG = configuration.load(EXAMPLE)


def blank():
    core = replay.core_of(journal_header.journal_header(CONFIG))
    return core.inp, core.fresh, core.out, core.state_words()


def counts_of(words):
    return Counts(*map(len, words))


def writer(path, capacity_bytes=4 << 20):
    header = journal_header.journal_header(CONFIG)
    return JournalWriter(str(path), header, counts_of(blank()), capacity_bytes)


def started(journal, actions=()):
    made = VirtualRig(CONFIG, lambda t_s: 300_000.0, 1, actions, {"soc": 0.55})
    made.controller.cabinet.journal = journal
    return made


def sequences(seen):
    return [frame.sequence for frame in seen.follow()]


@pytest.fixture
def rig(tmp_path):
    made = started(
        writer(tmp_path / "journal"), [Action(3_000_000, "estop_press", "estop_press", {})]
    )
    yield made
    made.controller.cabinet.journal.close()


def test_a_snapshot_equals_the_core_quiet_and_tripped(rig, tmp_path):
    path, core = str(tmp_path / "journal"), rig.controller.cabinet.core
    rig.run(1)
    found = snapshot.read(path)
    assert (found.standing, found.first_out, found.cause_mask) == ([], -1, 0)
    assert found.causes == (-1, 0, -1, 0) and found.out[s.STATE] != s.TRIPPED
    rig.controller.cabinet.image.put("peer", (5, 1 << 29))
    rig.run(3.5)
    found = snapshot.read(path)
    assert (found.inp, found.out, found.sequence) == (core.inp, core.out, 174)
    evaluator = core.kernel.evaluator
    names = instances.stage_instances(core.layout)
    assert found.standing == [names[at] for at in range(evaluator.count) if evaluator.standing(at)]
    assert "1a" in found.standing and names[found.first_out].startswith("1")
    assert found.cause_mask == evaluator.cause_mask() != 0
    assert found.causes == (found.first_out, found.cause_mask, 5, 1 << 29)
    assert found.chain(O_SETPOINT_W) == rig.controller.cabinet.summary()[2]
    found.close()


def test_both_follow_tick_by_tick_and_a_shadow_has_the_controllers_core(rig, tmp_path):
    rig.run(0.1)
    seen, shadow = (
        kind(str(tmp_path / "journal")) for kind in (snapshot.Snapshot, snapshot.Shadow)
    )
    assert sequences(seen) == [0, 1, 2, 3, 4] and sequences(seen) == []
    assert shadow.update() and shadow.settled and not shadow.differs
    for tick in range(5, 200):
        rig.step()
        core = rig.controller.cabinet.core
        assert sequences(seen) == [tick] and seen.out == core.out
        assert shadow.update() and not shadow.differs
        assert (shadow.core.out, shadow.core.state_words()) == (core.out, core.state_words())
        assert shadow.core.chain.answers == core.chain.answers
    shadow.core.chain._ramp_W += 1  # as another version would
    rig.step()
    assert shadow.update() and shadow.differs


def test_after_a_loss_a_snapshot_waits_for_a_keyframe(tmp_path):
    """A small ring overwrites unread frames; later frames build on the lost ones."""
    journal = writer(tmp_path / "small", 140_000)
    rig = started(journal)
    rig.controller.cabinet.keyframe_ticks = 1700  # the smallest ring holds fewer quiet frames
    rig.run(0.1)
    seen = snapshot.Snapshot(str(tmp_path / "small"))
    assert seen.update() and seen.sequence == 4
    rig.run(33.9)  # the first frames, and the keyframes among them, are overwritten
    assert list(seen.follow()) == [] and seen.reader.lost > 0 and seen.sequence == 4
    for _ in range(20):
        rig.step()
        for _ in seen.follow():
            assert seen.out == rig.controller.cabinet.core.out
    assert seen.sequence > 1700
    seen.close()
    journal.close()


@pytest.mark.parametrize(
    "content, words", [(None, "No such file"), (b"", "empty"), (b"x" * 100, "not a journal")]
)
def test_a_file_that_is_not_a_journal_is_one_line(tmp_path, content, words):
    path = tmp_path / "journal"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(JournalError, match=words):
        snapshot.read(str(path))
    path.unlink(missing_ok=True)
    writer(path).close()
    with pytest.raises(JournalError, match="no keyframe yet"):
        snapshot.read(str(path))


def test_a_journal_without_the_second_channel_is_read(tmp_path):
    header = journal_header.journal_header(CONFIG)
    inp, fresh, out, state = blank()
    inp = inp[: image.places(CONFIG.layout(), CONFIG.site_devices)["peer"].start]
    header["input_names"] = header["input_names"][: len(inp)]
    path = str(tmp_path / "old")
    journal = JournalWriter(path, header, counts_of((inp, fresh, out, state)), 1 << 20)
    out[s.FIRST_OUT_INSTANCE], out[s.CAUSE_MASK] = 3, 7
    journal.append(0, 1, inp, fresh, out, state)
    assert snapshot.read(path).causes == (3, 7, -1, 0)
    journal.close()


def test_a_shadow_begins_near_the_end_and_knows_all_the_same(rig, tmp_path):
    for seconds in (0.02, 0.04, 9.98, 10.02, 10.04):
        rig.run(seconds)
        seen = snapshot.Shadow(str(tmp_path / "journal"))
        seen.reader.skip()
        seen.update()
        core, is_settled = rig.controller.cabinet.core, seconds > 0.02
        found = (seen.settled, seen.differs, seen.reader.lost)
        assert found == (is_settled, False, 0), "of one tick it is not settled"
        if is_settled:
            assert (seen.core.out, seen.core.state_words()) == (core.out, core.state_words())


def test_the_header_has_the_running_and_the_approved_image():
    header = journal_header.journal_header(CONFIG, b"before")
    buses = {bus["name"]: (bus["kind"], bus["speed"]) for bus in header["buses"]}
    assert (buses["can0"], buses["gas"]) == (("can", 500_000), ("rtu", 38_400))
    bits = {each["name"]: each["fault_bits"] for each in header["devices"]}["pcs_1"]
    assert [bits[name] for name in ("GROUND_FAULT", "OVER_TEMP", "AC_DISCONNECT")] == [0, 7, 2]
    assert header["approved"] == b"before"


def test_a_shadow_of_another_version_is_one_line(tmp_path):
    header = journal_header.journal_header(CONFIG)
    header["safety_image"][0] += 1
    JournalWriter(str(tmp_path / "other"), header, counts_of(blank()), 1 << 20).close()
    with pytest.raises(JournalError, match="another version of this program: limit image schema"):
        snapshot.Shadow(str(tmp_path / "other"))
