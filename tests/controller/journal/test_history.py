"""The history from the keyframes equals the one from every frame, to the tick."""

import pytest
from test_snapshot import CONFIG, blank, sequences, writer

from controller.core.core import STANDING_BITS
from controller.journal import history, snapshot
from controller.journal.journal_header import open_journal
from controller.journal.ring import JournalReader
from hil.engine.simulate import VirtualRig
from hil.scenarios.scenario import Action
from safety import signals as s


def action(at_s, do, **arguments):
    return Action(round(at_s * 1e6), do, do, arguments)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("history") / "journal")
    actions = [
        action(2, "estop_press"),
        action(3, "device_fault", device="bms_2", fault="silent", value=True),
        action(8, "device_fault", device="bms_2", fault="silent", value=False),
        action(9, "estop_release"),
    ]
    rig = VirtualRig(CONFIG, lambda t_s: 300_000.0, 1, actions, {"soc": 0.55})
    cabinet = rig.controller.cabinet
    cabinet.journal = open_journal(path, CONFIG, cabinet.core, 1 << 20)
    return path, rig.run(12)


def every_change(path):
    """(uptime_ms, what) of every change of rows and state, from all frames."""
    seen, before, found = snapshot.Snapshot(path), (set(), None), []
    for sequence in (frame.sequence for frame in seen.follow()):
        now = set(seen.standing), s.STATES[seen.out[s.STATE]]
        found += [(sequence * 20, "trip", name) for name in now[0] - before[0]]
        found += [(sequence * 20, "clear", name) for name in before[0] - now[0]]
        found += [(sequence * 20, "state", now[1])] * (now[1] != before[1])
        before = now
    return sorted(found)


def test_the_keyframes_say_all_that_the_frames_say(run):
    path, _ = run
    events = history.History(snapshot.Snapshot(path)).extend().events
    first_out = [event for event in events if event["kind"] == history.FIRST_OUT]
    others = [event for event in events if event not in first_out]
    names = [event.get("stage") or event.get("state") for event in others]
    told = [(event["uptime_ms"], event["kind"], name) for event, name in zip(others, names)]
    assert sorted(told) == every_change(path) and len(told) > 8
    assert first_out[0]["stage"] == "1a"


def test_a_history_can_be_extended_and_has_each_event_once(run, monkeypatch):
    path, rig = run
    seen = snapshot.Snapshot(path)
    # to decode every frame of a ring of 64 MB would take seconds
    monkeypatch.setattr(JournalReader, "_scan", lambda reader: 1 / 0)
    found = history.History(seen).extend()
    monkeypatch.undo()
    count = len(found.events)
    assert len(found.extend().events) == count
    rig.plant.force_contact("fire_alarm", False)
    rig.run(13)
    assert len(sequences(seen)) == seen.sequence + 1, "its reader is another one"
    new = found.extend().events[count:]
    assert [event["stage"] for event in new if event["kind"] == history.BEGAN] == ["2"]
    assert set(found.began_ms) == set(snapshot.read(path).standing)


@pytest.mark.whole
def test_an_event_before_the_ring_has_no_time(tmp_path):
    """Later keyframes hold the row; the keyframe in which it began is overwritten."""
    rig = VirtualRig(CONFIG, lambda t_s: 300_000.0, 1, [action(1, "estop_press")], {"soc": 0.55})
    path = str(tmp_path / "journal")
    rig.controller.cabinet.journal = open_journal(
        path, CONFIG, rig.controller.cabinet.core, 140_000
    )
    rig.run(35)
    reader = JournalReader(path)
    assert next(reader.frames()).sequence > 100
    found = history.History(snapshot.Snapshot(path)).extend()
    assert found.began_ms["1a"] is None
    assert {event["uptime_ms"] for event in found.events if event.get("stage") == "1a"} == {None}


def test_each_keyframe_gives_a_sample_of_its_time(run):
    path, _ = run

    def sample(moment):
        return {"known": bool(moment.core.kernel.features.ages.known(s.G_UPS))}

    samples = history.History(snapshot.Snapshot(path), sample).extend().samples
    keyframes = JournalReader(path).keyframes()
    assert [each["uptime_ms"] for each in samples] == [20 * each.sequence for each in keyframes]
    assert not samples[0]["known"] and samples[-1]["known"]


def test_the_first_out_of_a_scope_is_the_first_that_latched(run):
    path, _ = run
    found = history.History(snapshot.Snapshot(path)).extend()
    found.began_ms = {"40a.rack2": 100, "40b.rack2": 600, "40c.rack2": 2600}
    found.began_ms |= {"1a": 5000, "1b": 5000, "41a.unit1": None}
    others = [("unit 1", "41a.unit1", None), ("rack 2", "40b.rack2", 600)]
    assert found.first_out_per_scope() == [*others, ("cabinet", "1a", 5000)]


def test_a_row_keeps_the_code_of_its_last_beginning(tmp_path):
    journal, (inp, fresh, out, state) = writer(tmp_path / "journal"), blank()
    seen = snapshot.Snapshot(str(tmp_path / "journal"))
    at = seen.stage_names.index("44e")
    found, codes = history.History(seen), []
    for sequence, (code, stands) in enumerate(((0, 0), (4, 1), (6, 1), (6, 0), (7, 1))):
        inp[s.SELF_TEST_BITS], out[s.FIRST_OUT_INSTANCE] = code, at if stands else -1
        out[seen.standing_at + at // STANDING_BITS] = stands << at % STANDING_BITS
        journal.append(sequence, 1, inp, fresh, out, state)
        codes.append(found.extend().began_code.get("44e"))
    journal.close()
    assert codes == [None, 4, 4, 4, 7]
    told = [(each["kind"], each.get("stage")) for each in found.events if "stage" in each]
    once = [("trip", "44e"), ("first_out", "44e"), ("clear", "44e")]
    assert told == [*once, *once[:2]]


@pytest.mark.parametrize(
    "name, scope", [("1a", "cabinet"), ("41a.unit1", "unit 1"), ("29.rack12", "rack 12")]
)
def test_scopes_have_names(name, scope):
    assert history.scope_of(name) == scope
