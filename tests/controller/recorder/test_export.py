"""`firebreak record export`, `verify`: whole files or none, one line, times as people have them."""

import contextlib
import csv
import errno
import os
import shutil
import sqlite3

import pytest
from command_line import answered, refused, run
from recorder_bench import UTC_US, Bench, estop

from controller.recorder import csv_files
from tests.instead_of_os import instead_of_os
from tests.tables import table


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    bench = Bench(tmp_path_factory.mktemp("record"), [estop(3)]).start_recorder().run(12)
    bench.close()
    return bench.state_dir


def export(capsys, record, out, what, *more):
    return run(capsys, f"record export --what {what} --state-dir", record, "--out", out, *more)


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("argv", ["record verify", "record export --out ."])
def test_a_member_of_the_group_is_told_who_may_read_the_record(record, capsys, monkeypatch, argv):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    words = "record.db: cannot be read: only the user firebreak may: put sudo -u firebreak before"
    refused(capsys, 2, words, argv, "--state-dir", record)


def test_events_and_seconds_as_csv(capsys, record, tmp_path):
    code, out, err = export(capsys, record, tmp_path, "events")
    assert (code, err) == (0, []) and "firebreak_events_begin_end.csv" in out[0]
    events = rows(tmp_path / "firebreak_events_begin_end.csv")
    trip = next(each for each in events if each["kind"] == "trip")
    assert trip["utc"] == csv_files.utc_text(int(trip["utc_us"]))
    assert trip["utc"].startswith("2027-01-15T08:00:0") and trip["code"] == "R801"
    assert len(trip["hash"]) == 64 and trip["text"].startswith("1a: emergency stop")
    assert export(capsys, record, tmp_path, "seconds")[0] == 0
    seconds = rows(tmp_path / "firebreak_seconds_begin_end.csv")
    assert len(seconds) == 12 and seconds[0]["battery_W"] == ""
    assert seconds[-1]["state"] == "tripped"


@pytest.mark.whole
def test_the_bands_of_each_minute_as_csv(capsys, tmp_path):
    bench = Bench(tmp_path, []).start_recorder().run(61)
    bench.close()
    assert export(capsys, bench.state_dir, tmp_path, "bands")[0] == 0
    (row,) = rows(tmp_path / "firebreak_bands_begin_end.csv")
    assert row["utc"].startswith("2027-01-15T08:01:0")
    assert 0 <= int(row["load_500_3000_mHz_W"]) < 200  # a constant load, as its meter reads it
    assert 0 <= int(row["battery_100_500_mHz_W"]) < 200 and int(row["grid_100_500_mHz_W"]) < 200
    assert int(row["load_observable_mHz"]) > 3000


def test_a_capture_is_copied_and_replays(capsys, record, tmp_path):
    code, out, _ = export(capsys, record, tmp_path, "capture")
    assert code == 0 and len(out) == 1
    code, out, _ = run(capsys, "replay", next(tmp_path.iterdir()))
    assert (code, out[-1]) == (0, "the same bytes")


def test_only_the_time_asked_for_and_events_by_default(capsys, record, tmp_path):
    since, to = (csv_files.utc_text(UTC_US + at_us) for at_us in (2_000_000, 5_000_000))
    assert export(capsys, record, tmp_path, "seconds", "--from", since, "--to", to)[0] == 0
    (path,) = tmp_path.iterdir()
    assert path.name == "firebreak_seconds_20270115T080002_20270115T080005.csv"
    assert [row["utc"][17:19] for row in rows(path)] == ["02", "03", "04"]
    days = "record export --from 2027-01-15 --to 2027-01-16 --state-dir"
    code, out, err = run(capsys, days, record, "--out", tmp_path)
    name = "firebreak_events_20270115T000000_20270116T000000.csv: "
    assert (code, err) == (0, []) and name in out[0]


@pytest.mark.parametrize("begun", [True, False])
def test_a_capture_that_still_grows_is_said_to(capsys, tmp_path, begun):
    bench = Bench(tmp_path, [estop(1)]).start_recorder()
    archive, stick = bench.recorder.archive, tmp_path / "stick"
    archive.has_room = lambda wanted_bytes: begun
    stick.mkdir()
    bench.run(1.1)
    assert len(bench.captures()) == begun
    found = [name for (name,) in bench.query("SELECT DISTINCT file FROM captures")]
    code, out, err = export(capsys, bench.state_dir, stick, "capture")
    assert (code, out, len(err)) == (1, [], 1) and f"{found[0]} is still being written" in err[0]
    assert list(stick.iterdir()) == []
    del archive.has_room
    bench.run(3)
    assert export(capsys, bench.state_dir, stick, "capture")[0] == 0
    assert [path.name for path in stick.iterdir()] == found
    bench.close()


WRONG = """
--from yesterday | --from yesterday: a time is written 2026-03-14
--from 0001-01-01T00:00+14:00 | a time is written ; --to 9999-12-31T23:59-14:00 | a time is written
--from 2027-02-01 --to 2027-01-01 | is not before ; --to 14.03.2026 | --to 14.03.2026
--out {}/nowhere | no such directory; is the stick mounted[?]
--state-dir {}/nowhere | record.db: cannot be read: No such file
"""


def test_wrong_input_is_one_line(capsys, record, tmp_path):
    where = "--state-dir", record, "--out", tmp_path, "--what", "events"
    for more, words in table(WRONG):
        refused(capsys, 2, words, "record export", *where, *more.format(tmp_path).split())
    assert list(tmp_path.iterdir()) == []
    nothing = (1, [], ["firebreak: no capture in that time"])
    assert export(capsys, record, tmp_path, "capture", "--to", "2026-01-01") == nothing


class Stick:
    """The os module over a stick that fails at the nth write, or cannot sync a directory."""

    def __init__(self, fails_at, code=errno.ENOSPC):
        self.writes, self.fails_at, self.code = 0, fails_at, code
        self.synced = []

    def __getattr__(self, name):
        return getattr(os, name)

    def write(self, descriptor, content):
        self.writes += 1
        if self.writes >= self.fails_at:
            raise OSError(self.code, os.strerror(self.code))
        return os.write(descriptor, content[:100])

    def fsync(self, descriptor):
        self.synced.append(os.fstat(descriptor).st_mode)
        return os.fsync(descriptor)


def test_a_short_write_goes_on_and_a_full_stick_leaves_what_was_there(tmp_path):
    stick = Stick(10**6)
    with instead_of_os(stick):
        path = csv_files.write_whole(str(tmp_path), "a.csv", [b"x" * 1000, b"y" * 50])
    assert open(path, "rb").read() == b"x" * 1000 + b"y" * 50 and len(stick.synced) == 2
    (tmp_path / "a.csv").write_text("before")
    with instead_of_os(Stick(5)), pytest.raises(OSError):
        csv_files.write_whole(str(tmp_path), "a.csv", [b"x" * 1000])
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.csv": "before"}


class Planted(Stick):
    """A link appears between the removal and the opening."""

    def unlink(self, path):
        if not os.path.lexists(path):
            os.symlink("other", path)


def test_a_link_on_the_stick_is_not_followed(tmp_path):
    other = tmp_path / "other"
    other.write_text("of somebody else")
    with instead_of_os(Planted(10**6)), pytest.raises(FileExistsError):
        csv_files.write_whole(str(tmp_path), "b.csv", [b"x"])
    for name in ("a.csv.partial", "a.csv"):
        (tmp_path / name).symlink_to(other)
    path = csv_files.write_whole(str(tmp_path), "a.csv", [b"x"])
    assert not os.path.islink(path) and not os.path.lexists(path + ".partial")
    assert open(path, "rb").read() == b"x" and other.read_text() == "of somebody else"


def test_what_is_wrong_with_the_stick_is_said(capsys, monkeypatch, record, tmp_path):
    where = "record export --what events --state-dir", record, "--out", tmp_path
    for code, words in (
        (errno.ENOSPC, "the stick is full"),
        (errno.EROFS, "read-only"),
        (errno.EIO, "was pulled"),
        (errno.EFBIG, "too large"),
    ):
        answered(monkeypatch, csv_files, "write_whole", OSError(code, os.strerror(code)))
        refused(capsys, 1, f"{words}.*nothing half-written", *where)


def test_verify_says_whole_or_where_it_breaks(capsys, record, tmp_path):
    where = "record verify --state-dir", record
    code, out, err = run(capsys, *where)
    assert (code, out[-1], err) == (0, "the chain is whole", [])
    head = out[0].split()[-1]
    assert run(capsys, *where, "--head", head)[0] == 0
    assert run(capsys, *where, "--head", "00ff")[0] == 2
    code, out, _ = run(capsys, *where, "--head", "ab" * 32)
    assert code == 1 and "published hash" in out[-1]
    whole, copy = (record / "record.db").read_bytes(), tmp_path / "record.db"
    copy.write_bytes(whole.replace(b" -> tripped", b" -> stopped"))
    code, out, _ = run(capsys, "record verify", copy)
    assert code == 1 and out[-1].startswith("BROKEN: event ") and "content or the order" in out[-1]


DAMAGED = """
UPDATE events SET text = x'00ff' WHERE id = 2 | event 2: its content or the order was
UPDATE events SET scope = 7, code = 'DAMAGE', kind = 'loss' WHERE id = 2 | event 2: its
UPDATE meta SET value = 'x' WHERE key = 'head' | the number of the newest event cannot be
DELETE FROM events WHERE id = 1; INSERT INTO links VALUES (2, 'text') | event 2: its
"""


def test_verify_names_damaged_values(capsys, record, tmp_path):
    copy = tmp_path / "copy.db"
    for change, words in table(DAMAGED):
        copy.write_bytes((record / "record.db").read_bytes())
        with contextlib.closing(sqlite3.connect(copy)) as connection, connection:
            connection.executescript(change)
        code, out, err = run(capsys, "record verify", copy)
        assert (code, err) == (1, []) and any(line.startswith(f"BROKEN: {words}") for line in out)
    for command in ("record verify", "test proof verify"):
        words = 'firebreak: argument --head: "": a hash is 64 hexadecimal digits$'
        refused(capsys, 2, words, f"{command} --head= --state-dir", record)


def test_verify_repeats_what_was_lost(capsys, tmp_path):
    bench = Bench(tmp_path).start_recorder().run(1).kill_recorder()
    for path in bench.state_dir.glob("record.db*"):
        path.unlink()
    bench.start_recorder().close()
    code, out, _ = run(capsys, "record verify --state-dir", bench.state_dir)
    ((number,),) = bench.query("SELECT min(id) FROM events")
    lost = f"events removed to free room, or recorded as lost: {number - 1}"
    says = f"event {number} records that the database was damaged or removed before it"
    whole = "the chain is whole, except for events that are recorded as missing"
    assert (code, out[1:]) == (0, [lost, says, whole])


def test_verify_of_no_record_and_limits_out_of_range_are_one_line(capsys, tmp_path):
    path = tmp_path / "record.db"
    refused(capsys, 2, "No such file", "record verify", path)
    for content, words in (b"", "No such file"), (b"no database" * 100, "not a database"):
        path.write_bytes(content)
        refused(capsys, 2, words, "record verify", path)
    where = "--state-dir", tmp_path, "--run-dir", tmp_path
    for option, value in ("--history-MB", 1), ("--captures-MB", 0), ("--events-max", 5):
        refused(
            capsys, 2, f'{option}: "{value}": allowed is', f"record run {option} {value}", *where
        )


def test_record_without_a_place_to_write_says_what_where_and_what_to_do(capsys, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    for name, words in (("link", "File exists"), ("file", "File exists")):
        line = f"nothing is recorded: {tmp_path}/{name}.*{words}.*; give another --state-dir"
        refused(capsys, 3, line, "record run --run-dir", tmp_path, "--state-dir", tmp_path / name)
    words = "^firebreak: nothing is recorded: ''.*does the directory exist"
    refused(capsys, 3, words, "record run --state-dir= --run-dir", tmp_path)


FILES = [("captures", "file"), ("captures", "event_id")]
FORGED = (None, "x", b"\xff", 1e300, -1, 1 << 61, 1e18, "../../../etc/passwd")


@pytest.mark.parametrize("table_, column", [("events", "utc_us"), ("seconds", "utc_us"), *FILES])
def test_what_a_forged_or_damaged_record_holds_is_no_time_and_no_path(
    capsys, record, tmp_path, table_, column
):
    for value in FORGED:
        state = tmp_path / repr(value)[:9].replace("/", "_")
        shutil.copytree(record, state)
        with contextlib.closing(sqlite3.connect(state / "record.db")) as found:
            found.execute(f"UPDATE {table_} SET {column} = ?", (value,))
            found.commit()
        for what in ("events", "seconds", "capture"):
            code, out, err = export(capsys, state, tmp_path, what)
            assert code in (0, 1) and len(out) + len(err) == 1, (value, what)
        assert not list(tmp_path.glob("*passwd*"))


def test_names_of_tables_that_are_no_text_are_one_line(capsys, record, tmp_path):
    """The sqlite3 module itself fails to make its error of them."""
    content = (record / "record.db").read_bytes()
    (tmp_path / "record.db").write_bytes(
        content.replace(b"CREATE TABLE links", b"CREAT\xca TABLE links")
    )
    for command in (
        "record verify",
        "record export --what events --out .",
        "record export --what seconds --out .",
    ):
        refused(
            capsys,
            2,
            "record.db: cannot be read: the names of its",
            command,
            "--state-dir",
            tmp_path,
        )
