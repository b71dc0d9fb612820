"""The recorder over journals of a virtual cabinet that is killed, full or damaged."""

import errno
import json
import os
import random

import pytest
from recorder_bench import Bench, estop, release
from slow import slow

from controller.__main__ import main
from controller.journal import writer
from controller.journal.ring import JournalReader
from controller.journal.snapshot import Snapshot
from controller.recorder import events, rescue
from controller.recorder.database import Database, DatabaseError
from controller.recorder.limits import Limits
from controller.recorder.proof_watch import ProofWatch
from controller.store import chain, trips
from controller.store.trips import TripLog
from safety import parameters as p, signals as s
from tests.instead_of_os import instead_of_os
from tests.tables import table

SEED = 20260314
TRIPS = "SELECT * FROM events WHERE kind = 'trip' ORDER BY id"


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path, [estop(3), release(4)]).start_recorder()
    yield made
    made.close()


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    limits = Limits(capture_before_s=8, capture_after_s=5)
    made = Bench(tmp_path_factory.mktemp("lived"), [estop(18.2)], limits).start_recorder()
    yield made.run(25)
    made.close()


def test_a_frame_that_ends_in_an_exception_is_one_line_and_the_record_goes_on(bench, monkeypatch):
    real = events.EventFinder.feed

    def feed(finder, frame):
        if frame.sequence in (20, 21, 22):
            raise KeyError("a new role")
        return real(finder, frame)

    monkeypatch.setattr(events.EventFinder, "feed", feed)
    bench.run(5)
    (line,) = bench.said
    assert line.startswith("a frame or event is not recorded: KeyError at process.py:")
    assert bench.events(events.LOSS) == [(events.LOSS, "JOURNAL", "cabinet", line)]
    assert bench.query(TRIPS)


def test_a_trip_is_told_with_its_row_first_out_and_time(lived):
    first, second = lived.query(
        "SELECT sequence, uptime_ms, utc_us - uptime_ms * 1000, utc_source, utc_uncertainty_us, "
        "code, scope, text FROM events WHERE kind = 'trip' ORDER BY id"
    )
    offset_us = lived.clocks.wall_us - lived.clocks.us
    text = (
        "1a: emergency stop. The emergency stop is pressed: its first contact is open. First out."
    )
    assert first == (182, 23_300, offset_us, "ntp", 41_500, "R801", "cabinet", text)
    assert second[7].startswith("1b: ") and "First out" not in second[7]
    assert ("state", "", "cabinet", "running -> tripped") in lived.events("state")
    numbers = [row[0] for row in lived.query("SELECT id FROM events ORDER BY id")]
    assert numbers == list(range(1, len(numbers) + 1)) and lived.verdict().intact
    assert lived.recorder.archive.published()[0] == numbers[-1]
    rows = lived.query("SELECT battery_W, load_W, soc_permille, state FROM seconds ORDER BY rowid")
    assert len(rows) >= 10 and rows[0][0] is None  # the converter had not been heard yet
    assert all(abs(load_W - 300_000) < 100 for _, load_W, _, _ in rows)
    assert rows[-1][2:] == (549, "tripped")


def test_a_capture_replays_to_the_bit_and_holds_the_time_around_the_trip(lived):
    (path,) = lived.captures()
    (number,) = lived.query("SELECT min(id) FROM events WHERE kind = 'trip'")[0]
    assert path.name == f"trip_{number}.journal" and path.stat().st_size < 200_000
    # from the keyframe before 8 s before, to 5 s after
    assert lived.replayed() == (True, 232)
    frames = [frame.sequence for frame in JournalReader(str(path)).frames()]
    assert frames == list(range(100, 233))
    known = set(lived.query("SELECT first_sequence, last_sequence, file FROM captures"))
    assert known == {(100, 232, path.name)}
    assert lived.recorder.archive.meta("capture") is None, "nothing is left to go on with"


@pytest.mark.parametrize("cuts", [1, *slow(0, 2, 3)])
def test_a_recorder_killed_again_and_again_tells_what_one_that_lived_tells(tmp_path, cuts):
    draw, actions = random.Random(SEED + cuts), [estop(3), release(4), estop(7)]
    lived, killed = (Bench(tmp_path / name, actions).start_recorder() for name in ("a", "b"))
    lived.run(8)
    left_ticks = 80
    while left_ticks:
        part_ticks = min(draw.choice((1, 3, 11, 30)), left_ticks)
        killed.run(part_ticks / 10, record=draw.random() < 0.8)
        left_ticks -= part_ticks
        if draw.random() < 0.7:
            killed.kill_recorder().start_recorder()
    killed.idle(0.5)
    assert killed.told() == lived.told() and killed.verdict().intact, f"seed {SEED + cuts}"
    lived.close()
    killed.close()


def test_a_second_trip_prolongs_the_capture_of_the_first(tmp_path):
    bench = Bench(tmp_path, [estop(3), release(3.5), estop(4.5)]).start_recorder().run(5)
    bench.rig.controller.reset("key")
    assert len(bench.run(6).captures()) == 1
    bench.close()


@pytest.mark.parametrize("record_after_s", [0.1, 1.0])
def test_a_capture_goes_on_after_the_recorder_was_killed(bench, record_after_s):
    bench.run(3.1).kill_recorder().run(record_after_s, record=False).start_recorder().run(4)
    assert bench.replayed() == (True, 50)


def test_a_capture_goes_on_after_an_old_one_was_dropped_beside_it(bench):
    bench.run(3.1).recorder.captures._unrecorded.append(("trip_1.journal", None, None))
    bench.run(0.1).kill_recorder().start_recorder().run(4)
    assert bench.replayed() == (True, 50)


def test_a_capture_left_by_a_run_that_is_gone_is_finished_as_it_is(bench):
    bench.run(4).kill_recorder()
    for name in ("journal", "record.head"):
        (bench.run_dir / name).unlink()
    bench.start_controller()
    bench.start_recorder().run(2)
    is_equal, last = bench.replayed()
    assert is_equal and last >= 30
    (loss,) = bench.events("loss")
    assert loss[1] == "JOURNAL" and "is gone" in loss[3]


def test_captures_are_removed_oldest_first_and_the_table_says_so(tmp_path):
    limits = Limits(capture_before_s=1, capture_after_s=1, captures_MB=8)
    bench = Bench(tmp_path, [estop(2)], limits).start_recorder()
    for number in (1, 2):
        (bench.state_dir / "captures" / f"trip_{number}.journal").write_bytes(bytes(7 << 20))
    with bench.recorder.archive.database._connection as connection:
        connection.execute("INSERT INTO captures(event_id, file) VALUES (1, 'trip_1.journal')")
    names = [path.name for path in bench.run(4).captures()]
    assert names[0] == "trip_2.journal" and len(names) == 2
    assert bench.query("SELECT file FROM captures WHERE event_id = 1") == [(None,)]
    bench.close()


def test_a_controller_that_starts_again_is_followed(bench):
    bench.run(5).start_controller([estop(2)])
    bench.run(4)
    kinds = [kind for kind, *_ in bench.events("start", "stop", "trip", "loss")]
    assert kinds == "start trip trip stop start trip trip".split()
    assert len(bench.captures()) == 2 or bench.captures()[-1].name.endswith(".part")


def test_what_was_not_read_of_the_run_before_is_read_from_journal_previous(bench):
    bench.run(2).kill_recorder().run(2, record=False)  # the trip falls into this time
    bench.start_controller()
    bench.start_recorder().run(1)
    kinds = [kind for kind, *_ in bench.events("trip", "stop", "start", "loss")]
    assert kinds == "start trip trip stop start".split()
    assert {row[1] for row in bench.query(TRIPS)} == {30}


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_journal_that_overtook_the_recorder_is_a_loss_and_what_is_latched_still_a_trip(
    tmp_path, is_killed
):
    bench = Bench(tmp_path, [estop(4)], ring_bytes=101_000).start_recorder().run(2)
    if is_killed:
        bench.kill_recorder()
    bench.run(60, record=False)
    if is_killed:
        bench.start_recorder()
    (loss,) = bench.run(4).events("loss")
    assert loss[1] == "JOURNAL" and "overwritten before they were read" in loss[3]
    assert [text[:3] for _, _, _, text in bench.events("trip")] == ["1a:", "1b:"]
    bench.close()


@pytest.mark.parametrize("unread", [0, 10])
def test_what_a_later_start_took_before_it_was_read_is_a_loss(bench, unread):
    """The recorder still read the run when a second start needed the room of its ring."""
    bench.run(2).run(unread * 0.1, record=False)
    bench.start_controller()
    bench.run(1, record=False)
    writer._cut(str(bench.run_dir / "journal.previous"))
    bench.start_controller()
    bench.run(1)
    words = f"{unread} frames at the end of the run were not read: a later start took their room"
    found = bench.events("start", "stop", "loss")
    loss = [("loss", "JOURNAL", "cabinet", words)] * bool(unread)
    assert [each for each in found if each[0] == "loss"] == loss
    kinds = ["start", *["loss" for _ in loss], "stop", "start", "stop", "start"]
    assert [kind for kind, *_ in found] == kinds


@pytest.mark.parametrize("is_told", [False, True])
def test_a_controller_has_stopped_in_order_only_when_it_was_told_to_end(bench, is_told):
    cabinet = bench.run(2).rig.controller.cabinet
    cabinet.request_run(False)
    bench.run(2.5)
    if is_told:
        cabinet.end()
        bench.run(0.1)
    (stop,) = bench.idle(2.5).events("stop")
    how = "in order" if is_told else "writing, and not in order"
    assert stop[3] == f"the controller has stopped {how}"
    assert bench.run(0.5).events("note")[-1][3] == "the controller writes again"
    told = [event[3] for event in bench.idle(2.5).events("note", "stop")[-3:]]
    assert told == [stop[3], "the controller writes again", stop[3]], "each time, and once"


@pytest.mark.parametrize("is_told, losses", [(True, 0), (False, 1)])
def test_a_journal_that_went_with_a_restart_of_the_box_is_lost_unless_it_was_over(
    bench, is_told, losses
):
    bench.rig.controller.cabinet.request_run(False)
    bench.run(2.5)
    if is_told:
        bench.rig.controller.cabinet.end()
        bench.run(0.1)
    bench.idle(2.5).kill_recorder()
    (bench.run_dir / "journal").unlink()
    bench.start_controller()
    assert len(bench.start_recorder().run(0.5).events("loss")) == losses


def test_a_capture_ends_some_time_after_the_controller_writes_no_more(bench):
    bench.run(3.5)
    for idle_s, suffix in ((1.9, ".part"), (0.3, ".journal")):
        (path,) = bench.idle(idle_s).captures()
        assert path.suffix == suffix
    assert bench.replayed()[0]


def test_who_waits_for_a_controller_says_so_once_and_a_start_in_between_is_read(bench):
    bench.kill_recorder()
    (bench.run_dir / "journal").rename(bench.run_dir / "away")
    bench.start_recorder().idle(0.2)
    assert bench.said == ["no controller has written a journal here yet; waiting"]
    (bench.run_dir / "away").rename(bench.run_dir / "journal")
    bench.run(1)
    for _ in range(2):
        bench.start_controller()
        bench.run(0.5, record=False)
    bench.run(0.5)
    assert [kind for kind, *_ in bench.events("start", "stop")] == ["start", "stop"] * 2 + ["start"]


def test_a_position_lies_only_in_the_run_it_was_taken_from(bench):
    seen = Snapshot(str(bench.run_dir / "journal"))
    run = bench.run(2.5).recorder._reading.run
    here = run.position
    assert run.is_at(here) and run.reader.newest() == here["sequence"] == 24
    for name, other in (("inode", 1), ("sequence", 25), ("sequence", None), ("crc", 1)):
        assert not run.is_at({**here, name: other}), name
    assert not run.is_at(None) and not run.is_at({**here, "keyframe": 7})
    # an older journal has ended in order when it was not to run
    seen.update()
    assert not seen.ended_in_order
    seen._ending_at, found = None, []
    for seen.inp[s.RUN_REQUEST], seen.out[s.ARM_REQUEST] in ((0, 0), (0, 1), (1, 0), (1, 1)):
        found.append(seen.ended_in_order)
    assert found == [True, False, False, False]


def test_the_wall_clock_set_by_an_hour_is_an_event_and_ages_do_not_move(bench):
    for passed_s, set_us in ((0.5, 3_600_000_000), (0.5, -7_200_000_000), (0.5, 0)):
        bench.run(passed_s)
        bench.clocks.wall_us += set_us
    assert [text for _, code, _, text in bench.events("note") if code == "CLOCK"] == [
        "the wall clock was set by +3600.000 s (source: ntp)",
        "the wall clock was set by -7200.000 s (source: ntp)",
    ]
    uptimes = [row[0] for row in bench.query("SELECT uptime_ms FROM events ORDER BY id")]
    assert uptimes == sorted(uptimes)


def test_times_are_known_once_a_controller_that_hung_at_the_start_goes_on(tmp_path):
    bench = Bench(tmp_path, [estop(3)]).run(2).start_recorder().idle(0.5).run(2)
    assert bench.query("SELECT DISTINCT utc_source FROM events WHERE kind = 'trip'") == [("ntp",)]
    bench.close()


def _full(path):
    error = DatabaseError(path, OSError(errno.ENOSPC, "database or disk is full"))
    error.full = True
    return error


class FullDisk:
    """Commits fail for want of room while `full`; `left`: how many still fit then."""

    def __init__(self, monkeypatch):
        self.full, self.left, write = False, 0, Database.write

        def limited(database, rows, *arguments, **named):
            if self.full and self.left <= 0:
                raise _full(database.path)
            self.left -= 1
            return write(database, rows, *arguments, **named)

        monkeypatch.setattr(Database, "write", limited)


def test_while_the_disk_is_full_a_swapped_converter_is_held(bench, monkeypatch):
    looks = []
    monkeypatch.setattr(ProofWatch, "hold", lambda _, now_us, header: looks.append(bool(header)))
    FullDisk(monkeypatch).full = True
    bench.run(2)
    looks.clear()
    bench.run(2)
    assert looks and all(looks)


def test_a_recorder_that_cannot_begin_holds_a_swapped_converter(bench, monkeypatch, capfd):
    def opens(database, bytes_max):
        raise OSError(errno.EROFS, "Read-only file system")

    looks = []
    monkeypatch.setattr(ProofWatch, "hold", lambda _, now_us, header: looks.append(header))
    bench.run(1).kill_recorder()
    looks.clear()
    monkeypatch.setattr(Database, "_open", opens)
    folders = ["--run-dir", str(bench.run_dir), "--state-dir", str(bench.state_dir)]
    assert main(["record", "run", *folders]) == 3
    assert capfd.readouterr().err.startswith("firebreak: nothing is recorded: ")
    assert [each["safety_image"][p.H_TICK_MS] for each in looks] == [100]


def test_a_journal_of_another_release_hides_no_refusal_of_a_recorder(bench, monkeypatch, capfd):
    def opens(database, bytes_max):
        raise OSError(errno.EROFS, "Read-only file system")

    def holds(watch, now_us, header):
        raise KeyError("places")

    monkeypatch.setattr(Database, "_open", opens)
    monkeypatch.setattr(ProofWatch, "hold", holds)
    bench.run(1).kill_recorder()
    folders = ["--run-dir", str(bench.run_dir), "--state-dir", str(bench.state_dir)]
    assert main(["record", "run", *folders]) == 3
    held, refused = capfd.readouterr().err.splitlines()
    assert "an exchanged converter is not held: KeyError" in held
    assert refused.startswith("firebreak: nothing is recorded: ")


def test_while_the_disk_is_full_everything_waits_in_the_journal(bench, monkeypatch):
    bench.run(2)
    disk = FullDisk(monkeypatch)
    disk.full = True
    bench.run(4)  # the trip falls into this time
    assert bench.events("trip") == [] and len(bench.recorder.batch.event_rows) < 50
    for words in ("no room", "events wait in the journal"):
        assert any(words in line for line in bench.said)
    disk.full = False
    bench.run(2)
    assert {row[1] for row in bench.query(TRIPS)} == {30} and bench.verdict().intact
    assert "the record takes events again" in bench.said and len(bench.said) < 6


def test_the_reserve_makes_room_for_events_and_seconds_are_left_out(bench, monkeypatch):
    disk, archive = FullDisk(monkeypatch), bench.run(2).recorder.archive
    reserve, path = archive._reserve, bench.state_dir / "record.reserve"
    give_up = reserve.give_up
    reserve._free_bytes = lambda: 0 if disk.full else 1 << 40
    reserve.give_up = lambda: (give_up(), setattr(disk, "left", 10**6))
    disk.full = True
    bench.run(11)
    assert bench.events("trip") and archive.lean and not path.exists()
    disk.full = False
    bench.run(2)
    assert path.exists() and not archive.lean
    disk.full, disk.left = True, 0  # again, with the write that tells the loss
    bench.run(10)
    (loss,) = bench.events("loss")
    assert loss[2] == "seconds" and "were left out" in loss[3]


def test_a_damaged_database_is_put_aside_and_no_trip_is_lost(bench):
    trips = bench.run(4).query(TRIPS)
    for how in ("header", "middle", "empty", "gone", "text"):
        head = bench.recorder.archive.published()
        bench.recorder.archive.database.close()
        bench.kill_recorder()
        _spoil(bench.path, how)
        bench.start_recorder().run(0.1)
        assert bench.query(TRIPS) == trips and bench.events("loss")[-1][1] == chain.DAMAGE
        assert bench.verdict(head[1]).intact, bench.verdict(head[1]).breaks
        assert rescue.ASIDE in bench.said[-1]
        told = [sequence for sequence, *_ in bench.told()]
        assert told.count(0) <= 3, "frames were told twice"


def _spoil(path, how):
    whole = path.read_bytes()
    for end in ("", "-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)
    contents = {
        "header": os.urandom(64) + whole[64:],
        "middle": whole[:4096] + os.urandom(len(whole) - 4096),
        "empty": b"",
        "text": b"t_s,power_W\n" * 1000,
    }
    if how != "gone":
        path.write_bytes(contents[how])


def test_a_database_taken_away_while_it_is_written_is_noticed(bench):
    bench.run(3.5).path.unlink()
    bench.run(1).idle(3)
    assert len(bench.events("trip")) == 2 and bench.events("loss")[0][1] == chain.DAMAGE
    assert bench.verdict().intact
    # a trip whose line was torn in the second copy is copied again
    path = bench.kill_recorder().state_dir / "trips.log"
    path.write_bytes(path.read_bytes()[:-40])
    bench.start_recorder().run(0.1)
    assert len(bench.recorder.archive._trips.entries()) == 2


class Order:
    def __init__(self, *names):
        self.names, self.calls = names, []

    def __getattr__(self, name):
        if name not in self.names:
            return getattr(os, name)
        return lambda *arguments: (self.calls.append(name), getattr(os, name)(*arguments))[1]


def test_the_second_copy_is_durable_with_its_name_when_it_counts(tmp_path):
    order = Order("write", "fsync")
    log = TripLog(str(tmp_path))
    with instead_of_os(order):
        log.append([copied(1)])
    assert order.calls == ["write", "fsync", "fsync"]  # the file, then the directory that names it
    with instead_of_os(order):
        log.append([copied(2)])
    assert order.calls[3:] == ["write", "fsync"]
    assert [each[0][0] for each in log.entries()] == [1, 2]


def test_a_second_copy_that_has_grown_goes_on_in_a_new_file(tmp_path, monkeypatch):
    monkeypatch.setattr(trips, "BYTES_MAX", 700)  # a line has almost 200
    log, kept = TripLog(str(tmp_path)), []
    for number in range(1, 9):
        log.append([copied(number)])
        kept.append([values[0] for values, _, _ in TripLog(str(tmp_path)).entries()])
    assert kept[3] == [1, 2, 3, 4] and kept[6] == [1, 2, 3, 4, 5, 6, 7]
    assert kept[7] == [5, 6, 7, 8] and TripLog(str(tmp_path)).newest == 8


def copied(number, **changes):
    values = (number, 150, 8020, 0, "ntp", None, "trip", "R801", "cabinet", "1a")
    values = tuple(changes.get(name, value) for name, value in zip(chain.COLUMNS, values))
    return values, chain.link(chain.START, values), chain.START


def line_of(**changes):
    values, head, previous = copied(93, **changes)
    return json.dumps([values, head.hex(), previous.hex()]).encode()


OTHER_FORMS = r"""
b'[[],"",""]' ; b'[["x"],"",""]' ; b'[[null,1],"00","00"]' ; b'7' ; b'{"a":1,"b":2,"c":3}' ; b"\xff"
"""
# the hash is right, but the database cannot keep it
UNFIT = r"""
{"kind": "note"} ; {"id": "93"} ; {"id": 9.5} ; {"id": True} ; {"id": 9223372036854775808}
{"sequence": [1]} ; {"text": None} ; {"text": "\ud800"} ; {"utc_us": None}
"""


def test_a_line_of_another_form_or_torn_or_changed_does_not_count(tmp_path):
    zeros, line = b"00" * 32, line_of()
    changed = [line.replace(b"[[93,", b"[[94,"), line.replace(b"R801", b"R802"), line[:-40]]
    changed += [line.replace(b'"%s"]' % zeros, b'""]'), b'[1,"%s","%s"]' % (zeros, zeros)]
    log = TripLog(str(tmp_path))
    log.append([copied(13)])
    whole = open(log.path, "rb").read()
    unfit = [line_of(**changes) for (changes,) in table(UNFIT)]
    for other in [*changed, *unfit, *(form for (form,) in table(OTHER_FORMS)), b"[" * 100_000]:
        with open(log.path, "wb") as file:
            file.write(whole + other + b"\n")
        again = TripLog(str(tmp_path))
        assert again.newest == 13 and again.entries() == [copied(13)], other


def test_the_size_is_bounded_oldest_seconds_first_trips_last(tmp_path):
    limits = Limits(history_MB=8, events_max=1000)
    bench = Bench(tmp_path, [estop(3)], limits).start_recorder().run(4)
    archive = bench.recorder.archive
    notes = [bench.recorder._label_now("note", "", "cabinet", "x" * 200)] * 1000
    for _ in range(20):
        minutes = [(0, 0, *range(11), None)] * 250
        archive.write(notes, [(0, 0, *range(10), "running", 0)] * 15_000, minutes=minutes)
        archive.tidy()
    for _ in range(20):
        archive.tidy()
    assert len(bench.events("trip")) == 2
    assert bench.said == [], "it never was full"
    assert bench.query("SELECT count(*) FROM events WHERE kind <> 'trip'")[0][0] <= 1500
    assert 3600 <= bench.query("SELECT count(*) FROM seconds")[0][0] < 300_000
    assert 60 <= bench.query("SELECT count(*) FROM bands")[0][0] < 5000
    found = bench.verdict()
    assert found.intact and found.missing > 10_000, found.breaks
    size = sum(path.stat().st_size for path in bench.state_dir.glob("record.db*"))
    assert size < 8 * 1.15 * (1 << 20) + (4 << 20)
    bench.close()


def test_a_flood_of_events_is_bounded_and_the_log_is_moved_into_the_file(bench):
    batch, archive = bench.run(0.1).recorder.batch, bench.recorder.archive
    note = bench.recorder._label_now("note", "", "cabinet", "x" * 1000)
    for _ in range(40):
        archive.write([note] * 200)
        archive.tidy(in_haste=True)
    assert (bench.state_dir / "record.db-wal").stat().st_size < 6 << 20
    for index in range(5000):
        batch.add(events.event("hint", "b"), 10_000_000 + index * 1000)
    always = ["trip", "latch", "reset", "start", "stop", "loss"]
    for kind in always:
        batch.add(events.event(kind, "c"), 10_000_000)
    assert len(batch.event_rows) < 260 and [row.kind for row in batch.event_rows[-6:]] == always
    told = [row.text.split() for row in batch.event_rows if row.kind == "loss" and row.text != "c"]
    hints = len([row for row in batch.event_rows if row.kind == "hint"])
    assert hints in (224, 225) and told[0][1:5] == ["events", "were", "left", "out:"]
    assert hints + sum([int(words[0]) for words in told]) + batch.left_out == 5000


def test_a_capture_leaves_the_room_that_is_kept_for_events(bench):
    archive = bench.run(2).recorder.archive
    archive.has_room = lambda wanted_bytes: False
    bench.run(2)
    assert bench.captures() == [] and bench.events("trip")
    assert any(line.startswith("capture trip_") and "tried again" in line for line in bench.said)
    del archive.has_room
    assert bench.run(4).replayed()[0]


def test_what_cannot_be_tidied_is_not_written_twice(bench, monkeypatch):
    def fail(database, log_bytes_max):
        raise _full(database.path)

    monkeypatch.setattr(Database, "tidy", fail)
    bench.run(13)
    uptimes = bench.query("SELECT uptime_ms FROM seconds")
    assert len(bench.events("trip")) == 2 and len(set(uptimes)) == len(uptimes) > 3
