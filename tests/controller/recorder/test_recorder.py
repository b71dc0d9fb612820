"""The recorder over journals of a virtual cabinet: nothing twice, nothing lost, whatever is killed,
full or damaged.
"""

import errno
import json
import os
import random

import pytest
from recorder_bench import Bench, estop, release
from slow import slow

from controller.record import chain, replay
from controller.record.journal import JournalReader
from controller.record.snapshot import Snapshot
from controller.record.trips import TripLog
from controller.recorder import events, reading, rescue
from controller.recorder.archive import Archive
from controller.recorder.database import Database, DatabaseError
from controller.recorder.limits import Limits, wrong
from safety import signals as s

SEED = 20260314


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path, [estop(3), release(4)])
    yield made
    made.close()


def verdict(bench, published=None):
    with reading.opened(str(bench.state_dir / "record.db")) as connection:
        return chain.verify(connection, published)


def told(bench):
    """Events that come from frames, without those of the recorder's own life."""
    return [
        (sequence, *rest)
        for sequence, *rest in bench.query(
            "SELECT sequence, kind, code, scope, text FROM events ORDER BY id"
        )
        if sequence is not None
    ]


@pytest.mark.parametrize(
    "instance, words",
    [
        ("42c", "42c: water or coolant. The air in the cabinet is humid."),
        ("40a.rack2", "40a: BMS silent. A BMS is late."),
    ],
)
def test_what_is_recorded_of_a_stage_is_what_it_saw(instance, words):
    """A row has one sentence for all its stages: humid air stood in the record as a leak of
    coolant.
    """
    assert events.row_event(instance, True).text == words


def test_a_trip_is_told_with_its_row_first_out_and_time(bench):
    bench.start_recorder()
    bench.run(6)
    first, second = bench.query(
        "SELECT sequence, uptime_ms, utc_us - uptime_ms * 1000, "
        "utc_source, "
        "utc_uncertainty_us, code, scope, text FROM events WHERE kind = "
        "'trip' ORDER BY id"
    )
    offset_us = bench.clocks.wall_us - bench.clocks.us
    assert first[:7] == (150, 8020, offset_us, "ntp", 41_500, "R801", "cabinet")
    assert first[7] == (
        "1a: emergency stop. The emergency stop is pressed: its first contact is open. First out."
    )
    assert second[7].startswith("1b: ") and "First out" not in second[7]
    assert ("state", "", "cabinet", "running -> tripped") in bench.events("state")
    assert verdict(bench).intact


def test_seconds_are_means_and_unknown_is_not_zero(bench):
    bench.start_recorder()
    bench.run(20)
    rows = bench.query("SELECT battery_W, load_W, soc_permille, state FROM seconds ORDER BY rowid")
    assert len(rows) >= 10 and rows[0][0] is None  # the converter had not been heard yet
    assert all(abs(load_W - 300_000) < 100 for _, load_W, _, _ in rows)
    assert [state for *_, state in rows][-1] == "tripped" and rows[-1][2] == 549


@pytest.mark.parametrize("cuts", [1, *slow(0, 2, 3)])
def test_a_recorder_killed_again_and_again_tells_what_one_that_lived_tells(tmp_path, cuts):
    print("seed", SEED + cuts)
    draw = random.Random(SEED + cuts)
    for name in ("lived", "killed"):
        (tmp_path / name).mkdir()
    actions = [estop(3), release(4), estop(7)]
    lived, killed = Bench(tmp_path / "lived", actions), Bench(tmp_path / "killed", actions)
    lived.start_recorder()
    lived.run(12)
    killed.start_recorder()
    left_ticks = 600
    while left_ticks:
        part_ticks = min(draw.choice((1, 15, 55, 150)), left_ticks)
        killed.run(part_ticks / 50, record=draw.random() < 0.8)
        left_ticks -= part_ticks
        if draw.random() < 0.7:
            killed.kill_recorder()
            killed.start_recorder()
    killed.idle(0.5)
    assert told(killed) == told(lived)
    assert verdict(killed).intact
    for bench in (lived, killed):
        bench.close()


def captures(bench):
    return sorted(path for path in (bench.state_dir / "captures").iterdir())


def test_a_capture_replays_to_the_bit_and_holds_the_time_around_the_trip(tmp_path):
    bench = Bench(tmp_path, [estop(23)], Limits(capture_before_s=8, capture_after_s=5))
    bench.start_recorder()
    bench.run(30)
    (path,) = captures(bench)
    assert path.name == "trip_{}.journal".format(
        *bench.query("SELECT min(id) FROM events WHERE kind = 'trip'")[0]
    )
    report = replay.replay(str(path), replay.core_of)
    assert report.exit_code == replay.EQUAL, report.lines()
    frames = [frame.sequence for frame in JournalReader(str(path)).frames()]
    # from the keyframe before 8 s before, to 5 s after
    assert frames == list(range(500, 1150 + 250 + 1))
    assert set(bench.query("SELECT first_sequence, last_sequence, file FROM captures")) == {
        (500, 1400, path.name)
    }
    assert path.stat().st_size < 200_000
    bench.close()


def test_a_second_trip_prolongs_the_capture_of_the_first(bench):
    bench.close()
    again = Bench(bench.run_dir.parent, [estop(3), release(3.5), estop(4.5)])
    again.start_recorder()
    again.run(5)
    again.rig.controller.reset("key")
    again.run(6)
    assert len(captures(again)) == 1


@pytest.mark.parametrize("record_after_s", [0.02, 1.0])
def test_a_capture_goes_on_after_the_recorder_was_killed(bench, record_after_s):
    bench.start_recorder()
    bench.run(3.1)
    bench.kill_recorder()
    bench.run(record_after_s, record=False)
    bench.start_recorder()
    bench.run(4)
    (path,) = captures(bench)
    report = replay.replay(str(path), replay.core_of)
    assert (report.exit_code, report.last) == (replay.EQUAL, 250)


def test_a_capture_left_by_a_run_that_is_gone_is_finished_as_it_is(bench):
    bench.start_recorder()
    bench.run(4)
    bench.kill_recorder()
    for name in ("journal", "record.head"):
        (bench.run_dir / name).unlink()
    bench.start_controller()
    bench.start_recorder()
    bench.run(2)
    (path,) = captures(bench)
    report = replay.replay(str(path), replay.core_of)
    assert report.exit_code == replay.EQUAL and report.last >= 150
    (loss,) = bench.events("loss")
    assert loss[1] == "JOURNAL" and "is gone" in loss[3]


def test_captures_are_let_go_oldest_first_and_the_table_says_so(tmp_path):
    bench = Bench(tmp_path, limits=Limits(capture_before_s=1, capture_after_s=1, captures_MB=8))
    bench.start_recorder()
    folder = bench.state_dir / "captures"
    for number in (1, 2):
        (folder / f"trip_{number}.journal").write_bytes(bytes(7 << 20))
    bench.start_controller([estop(2)])
    bench.run(5)
    assert [path.name for path in captures(bench)][0] == "trip_2.journal" and len(
        captures(bench)
    ) == 2
    bench.close()


def test_a_controller_that_starts_again_is_followed(bench):
    bench.start_recorder()
    bench.run(5)
    bench.start_controller([estop(2)])
    bench.run(4)
    assert [kind for kind, *_ in bench.events("start", "stop", "trip")] == [
        "start",
        "trip",
        "trip",
        "stop",
        "start",
        "trip",
        "trip",
    ]
    assert bench.events("loss") == []
    assert len(captures(bench)) == 2 or captures(bench)[-1].name.endswith(".part")


def test_what_was_not_read_of_the_run_before_is_read_from_journal_previous(bench):
    bench.start_recorder()
    bench.run(2)
    bench.kill_recorder()
    bench.run(4, record=False)  # the trip falls into this time
    bench.start_controller()
    bench.start_recorder()
    bench.run(1)
    assert [kind for kind, *_ in bench.events("trip", "stop", "start")] == [
        "start",
        "trip",
        "trip",
        "stop",
        "start",
    ]
    assert bench.events("loss") == []
    (sequence,) = {row[0] for row in bench.query("SELECT sequence FROM events WHERE kind = 'trip'")}
    assert sequence == 150


def test_a_journal_that_overtook_the_recorder_is_a_loss_and_what_stands_still_a_trip(tmp_path):
    bench = Bench(tmp_path, [estop(4)], ring_bytes=60_000)
    bench.start_recorder()
    bench.run(2)
    bench.run(20, record=False)
    bench.run(12)
    (loss,) = bench.events("loss")
    assert loss[1] == "JOURNAL" and "overwritten before they were read" in loss[3]
    assert [text[:3] for _, _, _, text in bench.events("trip")] == ["1a:", "1b:"]
    bench.close()


def test_a_controller_that_falls_silent_and_one_that_stops(bench):
    bench.start_recorder()
    bench.run(2)
    bench.idle(2.5)
    (stop,) = bench.events("stop")
    assert "without having stopped" in stop[3]
    bench.run(0.5)
    assert bench.events("note")[-1][3] == "the controller writes again"


@pytest.mark.parametrize(
    "is_told, text",
    [
        (False, "the controller writes no more, without having stopped in order"),
        (True, "the controller has stopped in order"),
    ],
)
def test_one_at_rest_has_stopped_in_order_only_when_it_was_told_to_end(bench, is_told, text):
    bench.start_recorder()
    bench.run(2)
    cabinet = bench.rig.controller.cabinet
    cabinet.request_run(False)
    bench.run(3)
    if is_told:
        cabinet.end()
        bench.run(0.1)
    bench.idle(2.5)
    assert [event[3] for event in bench.events("stop")] == [text]


def test_a_journal_without_the_word_for_being_told_to_end_goes_by_the_request_to_run(bench):
    seen = Snapshot(str(bench.run_dir / "journal"))
    bench.run(0.5)
    seen.update()
    assert not seen.ended_in_order
    seen._ending_at = None
    assert [_ended(seen, run, arm) for run in (0, 1) for arm in (0, 1)] == [
        True,
        False,
        False,
        False,
    ]


def _ended(seen, run, arm):
    seen.inp[s.RUN_REQUEST], seen.out[s.ARM_REQUEST] = run, arm
    return seen.ended_in_order


def test_the_wall_clock_set_by_an_hour_is_an_event_and_ages_do_not_move(bench):
    bench.start_recorder()
    bench.run(2)
    bench.clocks.wall_us += 3_600_000_000
    bench.run(2)
    bench.clocks.wall_us -= 7_200_000_000
    bench.run(1)
    assert [text for _, code, _, text in bench.events("note") if code == "CLOCK"] == [
        "the wall clock was set by +3600.000 s (source: ntp)",
        "the wall clock was set by -7200.000 s (source: ntp)",
    ]
    uptimes = [row[0] for row in bench.query("SELECT uptime_ms FROM events ORDER BY id")]
    assert uptimes == sorted(uptimes)


# -- the disk


class FullDisk:
    """Commits fail for want of room while `full`; `left`: how many still fit then."""

    def __init__(self, monkeypatch):
        self.full, self.left = False, 0
        write = Database.write

        def limited(database, rows, *arguments, **named):
            if self.full and self.left <= 0:
                raise _full(database.path)
            self.left -= 1
            return write(database, rows, *arguments, **named)

        monkeypatch.setattr(Database, "write", limited)


def _full(path):
    error = DatabaseError(path, OSError(errno.ENOSPC, "database or disk is full"))
    error.full = True
    return error


def test_while_the_disk_is_full_everything_waits_in_the_journal(bench, monkeypatch):
    bench.start_recorder()
    bench.run(2)
    disk = FullDisk(monkeypatch)
    disk.full = True
    bench.run(4)  # the trip falls into this time
    assert bench.events("trip") == []
    assert len(bench.recorder.batch.rows) < 50, "it must wait in the journal, not in memory"
    assert any("no room" in line for line in bench.said) and any(
        "waits in the journal" in line for line in bench.said
    )
    disk.full = False
    bench.run(2)
    assert [
        row[0] for row in bench.query("SELECT DISTINCT sequence FROM events WHERE kind = 'trip'")
    ] == [150]
    assert "the record takes events again" in bench.said and len(bench.said) < 6
    assert verdict(bench).intact


def test_the_reserve_makes_room_for_events_and_seconds_are_left_out(bench, monkeypatch):
    bench.start_recorder()
    bench.run(2)
    disk = FullDisk(monkeypatch)
    bench.recorder.archive._reserve._free_bytes = lambda: 0 if disk.full else 1 << 40
    disk.full = True
    give_up = bench.recorder.archive._reserve.give_up
    bench.recorder.archive._reserve.give_up = lambda: (give_up(), setattr(disk, "left", 10**6))
    bench.run(12)
    assert bench.events("trip") and bench.recorder.archive.lean
    assert not (bench.state_dir / "record.reserve").exists()
    disk.full = False
    bench.run(24)
    (loss,) = bench.events("loss")
    assert loss[2] == "seconds" and "were left out" in loss[3]
    assert (bench.state_dir / "record.reserve").exists()


@pytest.mark.parametrize("spoil", ["header", "middle", "empty", "gone", "text"])
def test_a_damaged_database_is_put_aside_and_no_trip_is_lost(bench, spoil):
    bench.start_recorder()
    bench.run(6)
    trips = bench.query("SELECT * FROM events WHERE kind = 'trip' ORDER BY id")
    head = bench.recorder.archive.published()
    bench.recorder.archive.database.close()
    bench.kill_recorder()
    _spoil(bench.state_dir / "record.db", spoil)
    bench.start_recorder()
    bench.run(2)
    assert bench.query("SELECT * FROM events WHERE kind = 'trip' ORDER BY id") == trips
    assert bench.events("loss")[0][1] == chain.DAMAGE
    assert verdict(bench, head[1]).intact, verdict(bench, head[1]).breaks
    assert any(rescue.ASIDE in line for line in bench.said)
    assert [sequence for sequence, *_ in told(bench)].count(0) <= 3, "frames were told twice"


def _spoil(path, how):
    content = bytearray(path.read_bytes())
    for end in ("-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)
    if how == "gone":
        path.unlink()
        return
    if how == "header":
        content[:64] = os.urandom(64)
    elif how == "middle":
        content[4096:] = os.urandom(len(content) - 4096)
    elif how == "empty":
        content = b""
    elif how == "text":
        content = b"t_s,power_W\n" * 1000
    path.write_bytes(content)


def test_a_database_taken_away_while_it_is_written_is_noticed(bench):
    bench.start_recorder()
    bench.run(3.5)
    (bench.state_dir / "record.db").unlink()
    bench.run(1)
    bench.idle(3)
    assert len(bench.events("trip")) == 2 and bench.events("loss")[0][1] == chain.DAMAGE
    assert verdict(bench).intact


class Order:
    """The os module, noting the order of what matters."""

    def __init__(self):
        self.calls = []

    def __getattr__(self, name):
        if name not in ("write", "fsync"):
            return getattr(os, name)

        def noted(*arguments):
            self.calls.append(name)
            return getattr(os, name)(*arguments)

        return noted


def test_the_second_copy_is_durable_with_its_name_when_it_counts(tmp_path):
    order = Order()
    log = TripLog(str(tmp_path), order)
    first, second = copied(1), copied(2)
    log.append([first])
    assert order.calls == ["write", "fsync", "fsync"]  # the file, then the directory that names it
    log.append([second])
    assert order.calls[3:] == ["write", "fsync"] and [each[0][0] for each in log.entries()] == [
        1,
        2,
    ]


def copied(number, **changes):
    """An entry of the second copy with the hash it must have."""
    values = (number, 150, 8020, 0, "ntp", None, "trip", "R801", "cabinet", "1a")
    values = tuple(changes.get(name, value) for name, value in zip(chain.COLUMNS, values))
    return values, chain.link(chain.START, values), chain.START


@pytest.mark.parametrize(
    "line",
    [
        b'[[],"",""]',
        b'[["x"],"",""]',
        b'[[null,1],"00","00"]',
        b"[" * 100_000,
        b"7",
        b'{"a":1,"b":2,"c":3}',
        b"\xff",
        b'[1,"%s","%s"]' % (b"00" * 32, b"00" * 32),
    ],
)
def test_a_line_of_another_form_does_not_count(tmp_path, line):
    log = TripLog(str(tmp_path))
    log.append([copied(13)])
    with open(log.path, "ab") as file:
        file.write(line + b"\n")
    assert TripLog(str(tmp_path)).newest == 13 and log.entries() == [copied(13)]


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "note"},
        {"id": "93"},
        {"id": 9.5},
        {"id": True},
        {"id": 1 << 63},
        {"sequence": [1]},
        {"text": None},
        {"text": "\ud800"},
        {"utc_us": None},
    ],
)
def test_a_line_that_the_database_cannot_keep_does_not_count_although_its_hash_is_right(
    tmp_path, changes
):
    log = TripLog(str(tmp_path))
    log.append([copied(13), copied(14)])
    entry = copied(93, **changes)
    with open(log.path, "ab") as file:
        file.write(json.dumps([entry[0], entry[1].hex(), entry[2].hex()]).encode() + b"\n")
    assert TripLog(str(tmp_path)).newest == 14


@pytest.mark.parametrize(
    "old, new", [(b"[[13,", b"[[93,"), (b"R801", b"R802"), (b'"%s"]' % (b"00" * 32), b'""]')]
)
def test_a_changed_digit_in_the_second_copy_does_not_count_against_a_sound_database(
    tmp_path, old, new
):
    log = TripLog(str(tmp_path))
    log.append([copied(13)])
    content = (tmp_path / "trips.log").read_bytes()
    assert content.count(old) == 1
    (tmp_path / "trips.log").write_bytes(content.replace(old, new))
    assert TripLog(str(tmp_path)).newest == 0


def test_a_torn_line_in_the_second_copy_does_no_harm(bench):
    bench.start_recorder()
    bench.run(6)
    bench.kill_recorder()
    path = bench.state_dir / "trips.log"
    path.write_bytes(path.read_bytes()[:-40])
    bench.start_recorder()
    bench.run(0.1)
    assert len(bench.recorder.archive._trips.entries()) == 2


def test_the_size_is_bounded_oldest_seconds_first_trips_last(tmp_path):
    made = Bench(tmp_path, [estop(3)], Limits(history_MB=8, events_max=1000))
    made.start_recorder()
    made.run(4)
    archive = made.recorder.archive
    label = made.recorder._label_now
    notes = [label("note", "", "cabinet", "x" * 200) for _ in range(500)]
    for _ in range(40):
        archive.write(notes, [(0, 0, *range(10), "running", 0)] * 5000)
        archive.tidy()
    for _ in range(20):
        archive.tidy()
    assert len(made.events("trip")) == 2
    assert made.query("SELECT count(*) FROM events WHERE kind <> 'trip'")[0][0] <= 1500
    assert made.query("SELECT count(*) FROM seconds")[0][0] >= 3600
    found = verdict(made)
    assert found.intact and found.missing > 10_000, found.breaks
    size = sum(path.stat().st_size for path in made.state_dir.glob("record.db*"))
    assert size < 8 * 1.15 * (1 << 20) + (4 << 20)
    made.close()


def test_a_flood_of_events_is_bounded_and_a_trip_is_not_in_it(bench):
    bench.start_recorder()
    bench.run(0.1)
    batch = bench.recorder.batch
    from controller.recorder.events import Event

    for index in range(5000):
        batch.add(Event(None, "hint", "", "a", "b"), 10_000_000 + index * 1000)
    batch.add(Event(None, "trip", "R801", "cabinet", "c"), 10_000_000)
    assert len(batch.rows) < 260 and batch.rows[-1].kind == "trip" and batch.too_many


def test_two_archives_never_share_a_number(bench):
    bench.start_recorder()
    bench.run(1)
    numbers = [row[0] for row in bench.query("SELECT id FROM events ORDER BY id")]
    assert numbers == list(range(1, len(numbers) + 1))
    assert Archive.published(bench.recorder.archive)[0] == numbers[-1]


@pytest.mark.parametrize(
    "name, value",
    [
        ("history_MB", 7),
        ("history_MB", 65_537),
        ("captures_MB", 0),
        ("events_max", 999),
        ("capture_before_s", 0),
        ("capture_after_s", 601),
    ],
)
def test_limits_have_limits(name, value):
    assert (f"--{name.replace('_', '-')} {value}: allowed is") in wrong(
        Limits()._replace(**{name: value})
    )
    assert wrong(Limits()) is None


def test_a_capture_leaves_the_room_that_is_kept_for_events(bench):
    bench.start_recorder()
    bench.run(2)
    bench.recorder.archive.has_room = lambda wanted_bytes: False
    bench.run(4)
    assert captures(bench) == [] and bench.events("trip")
    assert any(line.startswith("capture trip_") and "tried again" in line for line in bench.said)
    del bench.recorder.archive.has_room
    bench.run(3)
    (path,) = captures(bench)
    assert replay.replay(str(path), replay.core_of).exit_code == replay.EQUAL


def test_what_cannot_be_tidied_is_not_written_twice(bench, monkeypatch):
    bench.start_recorder()
    bench.run(2)

    def fail(database, log_bytes_max):
        raise _full(database.path)

    monkeypatch.setattr(Database, "tidy", fail)
    bench.run(16)
    assert len(bench.events("trip")) == 2 and len(
        bench.query("SELECT DISTINCT uptime_ms FROM seconds")
    ) == len(bench.query("SELECT uptime_ms FROM seconds"))


def test_the_log_is_moved_into_the_file_also_while_events_never_cease(bench):
    bench.start_recorder()
    archive = bench.recorder.archive
    note = bench.recorder._label_now("note", "", "cabinet", "x" * 1000)
    for _ in range(40):
        archive.write([note] * 200)
        archive.tidy(in_haste=True)
    assert (bench.state_dir / "record.db-wal").stat().st_size < 6 << 20
