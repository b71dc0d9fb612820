"""The end of a capture and its durability; the history it keeps and knows."""

import os
import sqlite3
from types import SimpleNamespace

import pytest
from recorder_feed import Feed
from test_recorder import Order
from test_recorder_rescue import Cabinet

from controller.journal.ring import JournalReader
from controller.journal.snapshot import Snapshot
from controller.recorder import retention, room
from controller.recorder.capture import PART, Capture, Folder, RecentFrames
from controller.recorder.captures import INSERT, RETRY_US, Captures
from controller.recorder.database import TABLES, DatabaseError
from controller.recorder.limits import Limits
from controller.recorder.seconds import COLUMNS, Seconds
from safety import signals as s
from tests.instead_of_os import instead_of_os
from tests.tables import table

TICK_MS, AFTER_TICKS = 20, 100


class Table:
    def __init__(self, pending=None):
        self.pending, self.connection = pending, sqlite3.connect(":memory:", isolation_level=None)
        self.fails = 0
        self.connection.executescript(TABLES)

    def meta(self, key):
        return self.pending

    def write(self, rows, meta, also):
        if self.fails:
            self.fails -= 1
            raise DatabaseError("record.db", sqlite3.OperationalError("disk I/O error"))
        also(self.connection, rows)

    def has_room(self, wanted_bytes):
        return self.room

    def commit(self, also, numbers):
        stored = [((each, 0, 0, 0, "", None, "trip", "", "", ""), b"") for each in numbers]
        also(self.connection, stored)

    def ends(self):
        run = self.connection.execute
        ends = run("SELECT event_id, last_sequence FROM captures ORDER BY event_id").fetchall()
        newest = run("SELECT json_extract(value, '$.end') FROM meta WHERE key = 'capture'")
        return ends, newest.fetchone()[0]


@pytest.fixture
def feed(tmp_path):
    made = Feed(tmp_path, 7)
    for _ in range(600):
        made.frame()
    yield made
    made.close()


def opened(tmp_path, table):
    reader = JournalReader(str(tmp_path / "journal"))
    limits = Limits(capture_before_s=1, capture_after_s=2)
    made = Captures(Folder(str(tmp_path)), table, limits, print)
    made.open(SimpleNamespace(reader=reader, tick_ms=TICK_MS, tick=0), table.pending is not None)
    for frame in reader.frames():
        made.take(frame, frame.sequence)
    return made


def test_of_several_trips_in_one_transaction_the_last_one_says_how_long(feed, tmp_path):
    table = Table()
    captures = opened(tmp_path, table)
    table.commit(captures.note([450, 590]), [8, 9])
    captures.begin([450, 590])
    assert table.ends() == ([(8, 590 + AFTER_TICKS), (9, 590 + AFTER_TICKS)], 590 + AFTER_TICKS)
    table.commit(captures.note([620]), [10])
    captures.begin([620])
    assert table.ends()[1] == 620 + AFTER_TICKS


@pytest.mark.parametrize("pending_end, end", [(5000, 5000), (610, 590 + AFTER_TICKS)])
def test_a_later_trip_never_shortens_a_capture_that_is_to_last_longer(
    feed, tmp_path, pending_end, end
):
    table = Table({"file": "trip_8.journal", "first": 0, "end": pending_end})
    captures = opened(tmp_path, table)
    table.commit(captures.note([590]), [9])
    captures.begin([590])
    assert table.ends() == ([(9, end)], end)
    first = "SELECT first_sequence FROM captures"
    assert table.connection.execute(first).fetchall() == [(0,)], "where it began"
    for sequence in range(600, 5001):
        captures.take(SimpleNamespace(sequence=sequence, kind=0, raw=b""), sequence)
    assert captures._capture._waiting[-1][0] == end


def test_what_the_table_could_not_be_told_it_is_told_later(feed, tmp_path):
    """A run that ends early: the row says frame 690 until then, the file ends with 599."""
    table = Table()
    captures = opened(tmp_path, table)
    table.commit(captures.note([590]), [8])
    captures.begin([590])
    captures.end_of_run(0)
    table.fails = 1
    for now_us in (0, RETRY_US):
        captures.work(now_us)
    found = table.connection.execute("SELECT event_id, last_sequence FROM captures").fetchall()
    assert (found, table.fails) == ([(8, 599)], 0)


def test_frames_are_durable_before_the_file_says_that_they_are_there(feed, tmp_path):
    noted, reader = Order("pwrite", "fsync"), JournalReader(str(tmp_path / "journal"))
    capture = Capture(str(tmp_path / "trip_8.journal"), reader)
    for frame in reader.frames():
        capture.add(frame.sequence, frame.raw)
    while not capture.pump():
        pass
    with instead_of_os(noted):
        for _ in range(2):  # the second time nothing is new
            capture.sync()
            assert noted.calls == ["fsync", "pwrite"]
        capture.finish()
    assert noted.calls[2:] == ["pwrite", "fsync", "fsync"]  # its head, the file, its name


class Short:
    """The os module over a disk that fails once and writes 100 bytes at a time."""

    def __init__(self):
        self.is_full = True

    def __getattr__(self, name):
        return getattr(os, name)

    def pwrite(self, descriptor, content, at):
        if self.is_full:
            self.is_full = False
            raise OSError(28, "No space left on device")
        return os.pwrite(descriptor, content[:100], at)


def test_a_capture_that_found_no_room_at_first_is_a_journal_as_soon_as_it_grows(feed, tmp_path):
    reader, path = JournalReader(str(tmp_path / "journal")), str(tmp_path / "trip_8.journal")
    capture, frames = Capture(path, reader), list(reader.frames())
    for frame in frames:
        capture.add(frame.sequence, frame.raw)
    with instead_of_os(Short()):
        with pytest.raises(OSError, match="No space"):
            capture.pump()
        capture.flush()
        for name, end in ((path + PART, capture.flush), (path, capture.finish)):
            end()
            raw = [each.raw for each in JournalReader(name).frames()]
            assert raw == [each.raw for each in frames]
    assert capture.waiting_bytes == 0


def test_a_capture_takes_no_more_than_its_ring_holds(feed, tmp_path, monkeypatch):
    monkeypatch.setattr("controller.recorder.capture.RING_BYTES", 1000)
    reader = JournalReader(str(tmp_path / "journal"))
    capture = Capture(str(tmp_path / "trip_8.journal"), reader)
    assert [capture.add(at, bytes(400)) for at in range(3)] == [True, True, False]
    assert capture.pump() and not capture.add(2, bytes(201)) and capture.add(2, bytes(200))
    capture.close()


def test_the_frames_before_a_trip_are_bounded_in_bytes(monkeypatch):
    monkeypatch.setattr("controller.recorder.capture.BEFORE_BYTES_MAX", 100)
    before = RecentFrames(10_000)
    for sequence in range(60):
        frame = SimpleNamespace(sequence=sequence, raw=bytes(10))
        before.add(frame, sequence % 5 == 2, sequence)
    assert [sequence for sequence, _ in before.frames()] == list(range(52, 60))


def test_a_capture_without_room_takes_that_of_the_oldest_one(feed, tmp_path, capsys):
    table, waited_us = Table(), iter(range(0, 10 * RETRY_US, RETRY_US))
    captures = opened(tmp_path, table)
    captures._run.seen = SimpleNamespace(sequence=599)
    for number in (7, 9, 10, 11):
        (tmp_path / "captures" / f"trip_{number}.journal").touch()
        table.connection.execute(INSERT, (number, 0, 0, f"trip_{number}.journal"))

    def work(*rooms):
        for table.room in rooms:
            captures.work(next(waited_us))
        gone = "SELECT event_id FROM captures WHERE file IS NULL"
        return [number for (number,) in table.connection.execute(gone)], capsys.readouterr().out

    for number in (12, 13):
        table.commit(captures.note([590]), [number])
        captures.begin([590])
        line = f"capture trip_{number}.journal: no room; it is tried again\n"
        assert work(False, False) == ([7] * (number == 13), line)
        assert work(True) == ([7, 9][: number - 11], "")
        captures.end_of_run(0)
    assert [number for number, _ in captures._folder.kept()] == [10, 11, 12, 13]


def pages(used, seconds, others):
    def query(statement):
        return [(seconds if "max(rowid)" in statement else others,)]

    return SimpleNamespace(pages=lambda: (used, used, 1000), query=query)


WAYS = """
900 | 7200 | 10 | None ; 901 | 7200 | 10 | seconds ; 901 | 3601 | 10 | seconds
901 | 3600 | 501 | events ; 901 | 3600 | 500 | trips
10 | 7200 | 1000 | None ; 10 | 7200 | 1001 | events
"""


@pytest.mark.parametrize("used, seconds, others, what", table(WAYS))
def test_what_gives_way_and_when(used, seconds, others, what):
    assert retention.due(pages(used, seconds, others), 1000) == what


def test_a_reserve_left_by_an_earlier_run_goes_when_there_is_no_room_for_one(tmp_path):
    cabinet = Cabinet(tmp_path)
    left_over = cabinet.state_dir / room.FILE
    left_over.write_bytes(bytes(10))
    archive = cabinet.start()
    assert left_over.stat().st_size == room.RESERVE_BYTES
    archive._reserve.laid, archive._reserve._free_bytes = False, lambda: 0
    archive.tidy()
    assert not left_over.exists() and not archive.lean
    archive.close()


def test_room_is_counted_beside_the_reserve(tmp_path, monkeypatch):
    disk = SimpleNamespace(f_bavail=5120, f_frsize=4096)
    monkeypatch.setattr(room.os, "statvfs", lambda _: disk)
    assert room.Reserve(str(tmp_path)).lay()
    reserve, disk.f_bavail = room.Reserve(str(tmp_path)), 4096
    assert reserve.lay(), "what an earlier recorder has laid counts"
    for blocks in (4096, 3072):
        assert reserve.has_beside(blocks << 12) and not reserve.has_beside((blocks << 12) + 1)
        reserve.give_up()
    assert not reserve.lay()


def test_a_measurement_is_known_for_two_seconds_and_then_it_is_not(feed, tmp_path):
    seen = Snapshot(str(tmp_path / "journal"))
    seconds, rows = Seconds(seen), []
    seen.inp[s.GRID_POWER_W] = 4000
    for tick in range(5 * 50):
        fresh = bytearray(seen.layout.groups)
        fresh[s.G_METER_GRID] = tick == 0  # heard once, in the first tick
        row = seconds.feed(SimpleNamespace(elapsed_ticks=1, fresh=fresh))
        rows += [row[COLUMNS.index("grid_W")]] if row else []
    assert rows == [4000, 4000, None, None, None]
    seen.close()
