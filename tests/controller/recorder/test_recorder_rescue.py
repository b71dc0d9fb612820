"""A damaged, older, emptied or missing record: what can be read is rescued, at whatever step a
rescue is killed.
"""

import json
import os
import shutil
import sqlite3
import sys

import pytest

from controller import __main__ as firebreak
from controller.record import chain
from controller.recorder import head, reading, rescue
from controller.recorder.archive import Archive
from controller.recorder.database import Database, DatabaseError, Row
from controller.recorder.limits import Limits

EVENTS, SECONDS = 27, 40
KILLED, WHOLE, RAISED = 9, 0, 1
# as the interpreter names them
STEPS = ("os.rename", "os.remove", "os.truncate", "open", "sqlite3.connect")


class Cabinet:
    """The two directories of a recorder; `said`: its messages."""

    def __init__(self, folder):
        self.run_dir, self.state_dir, self.said = folder / "run", folder / "state", []
        self.path = self.state_dir / "record.db"
        for each in (self.run_dir, self.state_dir):
            each.mkdir()

    def start(self, captures=list):
        return Archive(
            str(self.run_dir),
            str(self.state_dir),
            Limits(history_MB=8),
            label,
            self.said.append,
            captures,
        )

    def fill(self, trips=(5, 20)):
        """A record closed in order, so that all of it is in the file."""
        archive = self.start()
        for number in range(1, EVENTS + 1):
            archive.write(
                [label("trip" if number in trips else "note", "", "cabinet", f"event {number}")],
                [second(number)] if number < 20 else [second(number)] * 3,
                {"position": number},
            )
        archive.close()

    def damage(self, name):
        """Overwrite the root page of a table or an index, as a failing disk does."""
        with sqlite3.connect(self.path) as connection:
            (root,) = connection.execute(
                "SELECT rootpage FROM sqlite_master WHERE name = ?", (name,)
            ).fetchone()
        connection.close()
        with open(self.path, "r+b") as file:
            file.seek((root - 1) * 4096)
            file.write(b"\xff" * 4096)

    def query(self, statement):
        with reading.opened(str(self.path)) as connection:
            return connection.execute(statement).fetchall()

    def verdict(self, published=None):
        with reading.opened(str(self.path)) as connection:
            return chain.verify(connection, published)

    def texts(self):
        return [
            text
            for (text,) in self.query("SELECT text FROM events WHERE kind <> 'loss' ORDER BY id")
        ]

    def damages(self):
        return [
            scope
            for (scope,) in self.query("SELECT scope FROM events WHERE code = 'DAMAGE' ORDER BY id")
        ]


def label(kind, code, scope, text):
    return Row(None, 0, 0, "unknown", None, kind, code, scope, text)


def second(number):
    return (number * 1000, number, *range(10), "running", 0)


@pytest.fixture
def cabinet(tmp_path):
    return Cabinet(tmp_path)


def told(count=EVENTS):
    return [f"event {number}" for number in range(1, count + 1)]


# links are read with the first trip
@pytest.mark.parametrize("name, up_to", [("events_by_kind", 27), ("links", 28)])
def test_a_damaged_page_that_only_the_second_copy_needs_is_noticed_and_rescued(
    cabinet, name, up_to
):
    cabinet.fill()
    cabinet.damage(name)
    archive = cabinet.start()
    archive.write([label("trip", "", "cabinet", "event 28")], [second(28)])
    archive.close()
    cabinet.start().close()
    assert cabinet.texts() == told(28) and cabinet.damages() == [f"events <= {up_to}"]
    assert len(cabinet.said) == 1 and rescue.ASIDE in cabinet.said[0]
    assert len(cabinet.query("SELECT * FROM seconds")) == 19 + 8 * 3 + 1
    assert cabinet.verdict().intact and len(archive._trips.entries()) == 3


def test_a_page_in_the_middle_does_not_cost_what_is_newer(cabinet, capsys):
    archive = cabinet.start()
    for number in range(1, 301):
        archive.write(
            [label("note", "", "cabinet", f"event {number} {'x' * 60}")], meta={"position": number}
        )
    archive.close()
    pages = cabinet.path.read_bytes()
    page = pages.index(b"event 150 ") // 4096
    cabinet.path.write_bytes(pages[: page * 4096] + b"\xff" * 4096 + pages[page * 4096 + 4096 :])
    cabinet.damage("events_by_kind")
    archive = cabinet.start()
    archive.write([label("note", "", "cabinet", "event 301")])
    archive.close()
    left = [int(each.split()[1]) for each in cabinet.texts()]
    assert left[:2] == [1, 2] and left[-2:] == [300, 301] and 150 not in left and len(left) > 250
    verdict = cabinet.verdict()
    gap_ends = next(number for number in left if number > 150)
    assert verdict.intact and verdict.unlinked == [gap_ends] and verdict.missing == 301 - len(left)
    assert firebreak.main(["verify", "--state-dir", str(cabinet.state_dir)]) == 0
    assert f"event {gap_ends} follows a gap that damage has left" in capsys.readouterr().out
    with sqlite3.connect(cabinet.path) as connection:
        connection.execute("DELETE FROM events WHERE code = 'DAMAGE'")
    connection.close()
    assert len(cabinet.verdict().breaks) > 1, "a gap that nothing speaks of"


@pytest.mark.parametrize(
    "name, damaged",
    [
        (b"scope TEXT", b"sc\xf5pe TEXT"),
        (b"soc_permille, cell_mV_min", b"soc_permillem cell_mV_min"),
        (b"meta(key TEXT", b"meta(kay TEXT"),
    ],
)
def test_a_damaged_name_in_the_schema_does_not_keep_the_recorder_from_starting(
    cabinet, name, damaged
):
    cabinet.fill()
    content = cabinet.path.read_bytes()
    assert content.count(name) == 1
    cabinet.path.write_bytes(content.replace(name, damaged))
    archive = cabinet.start()
    archive.write([label("trip", "", "cabinet", "event 28")], [second(28)])
    archive.close()
    assert (
        cabinet.texts()[-1] == "event 28"
        and len(cabinet.said) == 1
        and rescue.ASIDE in cabinet.said[0]
    )
    assert cabinet.verdict().intact and len(archive._trips.entries()) == 3


def test_a_file_format_that_nobody_knows_does_not_keep_the_recorder_from_starting(cabinet):
    cabinet.fill()
    content = cabinet.path.read_bytes()
    cabinet.path.write_bytes(content[:44] + bytes((0, 0, 0, 99)) + content[48:])
    archive = cabinet.start()
    archive.write([label("note", "", "cabinet", "event 28")])
    archive.close()
    assert (
        cabinet.texts() == ["event 5", "event 20", "event 28"] and rescue.ASIDE in cabinet.said[0]
    )


def test_a_table_beside_those_of_the_record_is_no_damage(cabinet):
    cabinet.fill()
    with sqlite3.connect(cabinet.path) as connection:
        connection.execute("ANALYZE")
    connection.close()
    cabinet.start().close()
    assert not cabinet.said and cabinet.texts() == told() and not cabinet.damages()


class NoCopy:
    """Database.query fails for the second copy of the trips, while `code` says how."""

    def __init__(self, monkeypatch):
        self.code, query = None, Database.query

        def failing(database, statement, values=()):
            if self.code and "LEFT JOIN" in statement:
                error = sqlite3.DatabaseError("it fails")
                error.sqlite_errorcode = self.code
                if self.code == sqlite3.SQLITE_CORRUPT:
                    self.code = None  # once: what is begun anew is sound
                raise DatabaseError(database.path, error)
            return query(database, statement, values)

        monkeypatch.setattr(Database, "query", failing)


@pytest.mark.parametrize("code", [sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_BUSY])
def test_what_was_committed_is_never_committed_again(cabinet, monkeypatch, code):
    archive, fault = cabinet.start(), NoCopy(monkeypatch)
    archive.write([label("note", "", "cabinet", "event 1")])
    fault.code = code
    for number in (2, 3, 4):
        stored = archive.write([label("trip", "", "cabinet", f"event {number}")])
        assert stored[-1][0][-1] == f"event {number}"
    assert sum("the second copy" in line for line in cabinet.said) == (code == sqlite3.SQLITE_BUSY)
    fault.code = None
    archive.write([label("note", "", "cabinet", "event 5")])
    archive.close()
    assert cabinet.texts() == told(5) and cabinet.verdict().intact
    assert len(archive._trips.entries()) == 3


def test_a_rescue_that_fails_after_the_commit_is_done_with_the_next_write(cabinet, monkeypatch):
    archive, fault = cabinet.start(), NoCopy(monkeypatch)
    fault.code = sqlite3.SQLITE_CORRUPT
    real = os.replace

    def refused(*names):
        raise OSError(30, os.strerror(30))

    monkeypatch.setattr(rescue.os, "replace", refused)
    archive.write([label("trip", "", "cabinet", "event 1")], meta={"position": 7})
    assert archive.meta("position") == 7
    with pytest.raises(DatabaseError):
        archive.write([label("note", "", "cabinet", "event 2")])
    monkeypatch.setattr(rescue.os, "replace", real)
    archive.write([label("note", "", "cabinet", "event 2")])
    archive.close()
    assert cabinet.texts() == told(2) and cabinet.verdict().intact


# -- killed at every step


def killed_at(cabinet, step):
    """A recorder's start in a process that is gone at this step; returns how it ended."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    left = [step]

    def count(name, *_):
        if name in STEPS:
            left[0] -= 1
            if left[0] < 0:
                os._exit(KILLED)

    sys.addaudithook(count)
    for name in ("write", "query", "close"):
        setattr(Database, name, counted(getattr(Database, name), count))
    try:
        cabinet.start()
    finally:
        os._exit(RAISED if sys.exc_info()[0] else WHOLE)


def counted(method, count):
    def instead(*arguments, **named):
        count("open")
        found = method(*arguments, **named)
        count("open")
        return found

    return instead


def start_on(copy, folder):
    """The same two directories once more."""
    made = object.__new__(Cabinet)
    shutil.copytree(copy.run_dir.parent, folder)
    made.run_dir, made.state_dir, made.said = folder / "run", folder / "state", []
    made.path = made.state_dir / "record.db"
    return made


def test_a_rescue_that_is_killed_at_any_step_loses_nothing(tmp_path):
    (tmp_path / "first").mkdir()
    first = Cabinet(tmp_path / "first")
    first.fill()
    first.damage("events_by_kind")
    ended, step, seen = KILLED, 0, set()
    while ended == KILLED:
        cabinet = start_on(first, tmp_path / str(step))
        ended = killed_at(cabinet, step)
        seen |= {path.name for path in cabinet.state_dir.iterdir()}
        archive = cabinet.start()
        archive.write([label("note", "", "cabinet", "event 28")])
        archive.close()
        names = {path.name for path in cabinet.state_dir.glob("record.db*")}
        assert names <= {"record.db", "record.db.damaged", "record.db.damaged-wal"}, step
        assert cabinet.texts() == told(28) and cabinet.damages() == ["events <= 27"], step
        assert len(cabinet.query("SELECT * FROM seconds")) == 19 + 8 * 3, step
        assert cabinet.verdict(bytes.fromhex(head.read(str(cabinet.run_dir))["hash"])).intact, step
        step += 1
    assert ended == WHOLE and step > 30
    assert {"record.db.rescuing", "record.db.new", "record.db.damaged"} <= seen, (
        "it was killed in between"
    )


def test_what_only_the_log_holds_is_rescued_with_it(cabinet, tmp_path):
    cabinet.fill()
    archive = cabinet.start()
    archive.write([label("note", "", "cabinet", "event 28")])
    killed = start_on(cabinet, tmp_path / "killed")
    archive.close()
    assert (killed.state_dir / "record.db-wal").stat().st_size
    (killed.state_dir / "record.db-shm").unlink()
    rescue.put_aside(str(killed.path))
    archive = killed.start()
    archive.close()
    assert killed.texts() == told(28) and killed.damages() == ["events <= 28"]


def test_what_was_put_aside_before_gets_no_log_of_another(cabinet):
    cabinet.fill()
    for name in ("record.db.damaged", "record.db.damaged-wal"):
        (cabinet.state_dir / name).write_text("of the last time")
    cabinet.damage("events_by_kind")
    cabinet.start().close()
    assert (cabinet.state_dir / "record.db.damaged").read_bytes().startswith(b"SQLite")
    log = cabinet.state_dir / "record.db.damaged-wal"
    assert not log.exists() or not log.stat().st_size


@pytest.mark.parametrize("head_of_meta", ['["x", "y"]', "[]", "7", "{}", '[27, "zz"]'])
def test_meta_of_another_form_does_not_stop_a_rescue(cabinet, head_of_meta):
    cabinet.fill()
    with sqlite3.connect(cabinet.path) as connection:
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('anchor', 7), ('standing', '{')")
        connection.execute("UPDATE events SET hash = 7 WHERE id = 27")
        connection.execute("UPDATE meta SET value = ? WHERE key = 'head'", (head_of_meta,))
    connection.close()
    cabinet.damage("events_by_kind")
    archive = cabinet.start()
    assert archive.meta("position") == EVENTS and archive.database.meta("position") == EVENTS
    archive.close()
    assert cabinet.texts() == told(26)


def test_a_rescue_without_room_takes_the_reserve(cabinet, monkeypatch):
    cabinet.fill()
    cabinet.damage("events_by_kind")
    write, reserve = Database.write, cabinet.state_dir / "record.reserve"

    def full_beside_it(database, *arguments, **named):
        if reserve.exists():
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise DatabaseError(database.path, error)
        return write(database, *arguments, **named)

    assert reserve.exists()
    monkeypatch.setattr(Database, "write", full_beside_it)
    cabinet.start().close()
    assert cabinet.texts() == told() and cabinet.damages() == ["events <= 27"]


def test_captures_of_this_run_are_known_to_the_new_database(cabinet, monkeypatch):
    fault, kept = NoCopy(monkeypatch), []
    archive = cabinet.start(lambda: kept)
    archive.write([label("trip", "", "cabinet", "event 1")])
    kept.append((1, "trip_1.journal"))
    fault.code = sqlite3.SQLITE_CORRUPT
    archive.write([label("trip", "", "cabinet", "event 2")])
    archive.close()
    assert cabinet.query("SELECT event_id, file FROM captures") == kept


def files(cabinet):
    return {
        path.name.removeprefix("record.db"): path.read_text()
        for path in cabinet.state_dir.glob("record.db*")
    }


def lay(cabinet, **texts):
    for end, text in texts.items():
        (cabinet.state_dir / ("record.db" + end.replace("_", ".", 1).replace("_", "-"))).write_text(
            text
        )


def test_one_that_was_rescued_makes_way_for_the_next(cabinet):
    lay(
        cabinet,
        **{"": "second", "_rescuing": "first", "_damaged": "before", "_damaged_wal": "before"},
    )
    rescue.put_aside(str(cabinet.path))
    assert files(cabinet) == {".damaged": "first", ".rescuing": "second"}
    rescue.put_aside(str(cabinet.path))
    assert files(cabinet) == {".damaged": "first", ".rescuing": "second"}, "it waits for its rescue"


def test_a_log_goes_with_its_database_and_never_alone(cabinet):
    (cabinet.state_dir / "record.db-wal").write_text("of one that was taken away")
    rescue.put_aside(str(cabinet.path))
    assert files(cabinet) == {}
    lay(cabinet, _rescuing="first")
    (cabinet.state_dir / "record.db-wal").write_text("its log")  # killed between the two
    rescue.put_aside(str(cabinet.path))
    assert files(cabinet) == {".rescuing": "first", ".rescuing-wal": "its log"}


def test_the_new_one_is_whole_without_its_log(cabinet, monkeypatch):
    cabinet.fill()
    cabinet.damage("events_by_kind")
    close, readers = Database.close, []

    # which keeps the log from being moved into the file by the close
    def close_beside_a_reader(database):
        readers.append(sqlite3.connect(database.path))
        readers[-1].execute("SELECT count(*) FROM seconds").fetchone()
        close(database)

    monkeypatch.setattr(Database, "close", close_beside_a_reader)
    archive = cabinet.start()
    monkeypatch.undo()
    archive.close()
    for each in readers:
        each.close()
    assert cabinet.texts() == told() and cabinet.verdict().intact


# -- taken away, emptied or rolled back while nobody looked


def lose(cabinet, how):
    """Returns how many of the events can be had back."""
    older = cabinet.state_dir.parent / "older.db"
    if how == "gone":
        cabinet.path.unlink()
        return 0
    if how == "emptied":
        os.truncate(cabinet.path, 0)
        return 0
    shutil.copy(older, cabinet.path)
    return 11


@pytest.mark.parametrize("how", ["gone", "emptied"])
def test_after_a_restart_of_the_box_the_second_copy_tells_that_the_record_is_gone(cabinet, how):
    cabinet.fill()
    trips = cabinet.query("SELECT * FROM events WHERE kind = 'trip' ORDER BY id")
    lose(cabinet, how)
    (cabinet.run_dir / head.FILE).unlink()
    cabinet.start().close()
    assert cabinet.query("SELECT * FROM events WHERE kind = 'trip' ORDER BY id") == trips
    assert cabinet.damages() == ["events <= 20"] and "lacks the newest trip" in cabinet.said[0]
    assert cabinet.verdict(trips[-1][-1]).intact


@pytest.mark.parametrize("how", ["gone", "emptied", "rolled back"])
def test_a_record_that_lacks_the_published_head_says_so_and_its_chain_goes_on(cabinet, how):
    archive = cabinet.start()
    for number in range(1, 13):
        archive.write([label("note", "", "cabinet", f"event {number}")], meta={"position": number})
        if number == 11:
            archive.database.query("PRAGMA wal_checkpoint(TRUNCATE)")
            shutil.copy(cabinet.path, cabinet.state_dir.parent / "older.db")
    published = archive.published()
    archive.close()
    left = lose(cabinet, how)
    archive = cabinet.start()
    assert archive.meta("position") == 12, "what was told already is not told again"
    stored = archive.write([label("note", "", "cabinet", "event 14")])
    archive.close()
    assert stored[0][0][0] == 14 and archive.published()[0] == 14
    assert cabinet.texts() == [*told(left), "event 14"] and cabinet.damages() == ["events <= 12"]
    assert "lacks event 12, which was published" in cabinet.said[0]
    found = cabinet.verdict(published[1])
    assert found.intact and found.missing == 12 - left and found.damaged == [13]
    cabinet.start().close()
    assert cabinet.damages() == ["events <= 12"], "it is said once"


def test_a_record_of_another_chain_says_so(cabinet, tmp_path):
    cabinet.fill(trips=())
    with sqlite3.connect(cabinet.path) as connection:
        connection.execute("UPDATE events SET hash = zeroblob(32) WHERE id = 27")
        connection.execute(
            "UPDATE meta SET value = ? WHERE key = 'head'", (json.dumps([27, bytes(32).hex()]),)
        )
    connection.close()
    cabinet.start().close()
    assert cabinet.damages() == ["events <= 27"] and not cabinet.verdict().intact


@pytest.mark.parametrize(
    "content",
    [
        "",
        "7",
        "[]",
        '{"id": 99}',
        '{"id": "99", "hash": "%s", "meta": {}}' % (64 * "0"),
        '{"id": 99, "hash": "zz", "meta": {}}',
        '{"id": 99, "hash": "00", "meta": {}}',
        '{"id": 99, "hash": "%s", "meta": []}' % (64 * "0"),
        "[" * 100_000,
        "\u00b5",
    ],
)
def test_a_published_head_of_another_form_is_none(cabinet, content):
    cabinet.fill()
    (cabinet.run_dir / head.FILE).write_text(content, encoding="utf-8")
    archive = cabinet.start()
    assert archive.published() is None and cabinet.said == []
    archive.write([label("note", "", "cabinet", "event 28")])
    archive.close()
    assert cabinet.texts() == told(28) and cabinet.damages() == []


def test_a_head_is_replaced_as_a_whole(cabinet):
    cabinet.fill()
    path = cabinet.run_dir / head.FILE
    with open(path) as reader:
        before = path.read_text()
        archive = cabinet.start()
        archive.write([label("note", "", "cabinet", "event 28")])
        archive.close()
        assert reader.read() == before and path.read_text() != before


def test_a_head_that_cannot_be_published_is_said_once(cabinet):
    cabinet.run_dir.rmdir()
    archive = cabinet.start()
    for number in range(3):
        archive.write([label("note", "", "cabinet", f"event {number}")])
    (line,) = cabinet.said
    assert (
        line.startswith(f"{cabinet.run_dir}") and "No such file" in line and "is --run-dir" in line
    )
    cabinet.run_dir.mkdir()
    archive.write([label("note", "", "cabinet", "event 3")])
    assert head.read(str(cabinet.run_dir))["id"] == 4
    (cabinet.run_dir / head.FILE).unlink()
    cabinet.run_dir.rmdir()
    archive.write([label("note", "", "cabinet", "event 4")])
    archive.close()
    assert len(cabinet.said) == 2
