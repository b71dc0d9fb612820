"""A damaged, older, emptied or missing record is rescued, at whatever step a rescue is killed."""

import contextlib
import json
import os
import shutil
import sqlite3
import sys

import pytest
from recorder_bench import Place
from slow import slow

from controller import __main__ as firebreak
from controller.recorder import head, rescue
from controller.recorder.archive import Archive
from controller.recorder.database import Database, DatabaseError, Row
from controller.recorder.limits import Limits
from tests.tables import table

EVENTS = 27
TRIPS = "SELECT * FROM events WHERE kind = 'trip' ORDER BY id"
KILLED, WHOLE, RAISED = 9, 0, 1
# as the interpreter names them
STEPS = ("os.rename", "os.remove", "os.truncate", "open", "sqlite3.connect")


class Cabinet(Place):
    def start(self, captures=list, history_MB=8):
        limits = Limits(history_MB=history_MB)
        run_dir, state_dir = str(self.run_dir), str(self.state_dir)
        return Archive(run_dir, state_dir, limits, label, self.said.append, captures)

    def add(self, *numbers, kind="note"):
        archive = self.start()
        for number in numbers:
            archive.write([note(number, kind)], [second(number)])
        archive.close()
        return archive

    def once(self, *rows, **more):
        """A recorder that writes this and ends."""
        archive = self.start()
        archive.write(rows, **more)
        archive.close()

    def fill(self, trips=(5, 20)):
        """A record closed in order, so that all of it is in the file."""
        archive = self.start()
        for number in range(1, EVENTS + 1):
            archive.write(
                [note(number, "trip" if number in trips else "note")],
                [second(number)] if number < 20 else [second(number)] * 3,
                {"position": number},
            )
        archive.close()
        return self

    def damage(self, name="events_by_kind"):
        ((root,),) = self.query(f"SELECT rootpage FROM sqlite_master WHERE name = '{name}'")
        self.change((root - 1) * 4096, b"\xff" * 4096)
        return self

    def change(self, at, content):
        with open(self.path, "r+b") as file:
            file.seek(at)
            file.write(content)

    def execute(self, *statements):
        with contextlib.closing(sqlite3.connect(self.path)) as connection, connection:
            for each in statements:
                connection.execute(each)

    def texts(self):
        return [text for kind, _, _, text in self.events() if kind != "loss"]

    def damages(self):
        return [scope for _, code, scope, _ in self.events() if code == "DAMAGE"]


def label(kind, code, scope, text):
    return Row(None, 0, 0, "unknown", None, kind, code, scope, text)


def note(number, kind="note"):
    return label(kind, "", "cabinet", f"event {number}")


def second(number):
    return (number * 1000, number, *range(10), "running", 0)


def minute(number):
    return (number * 60_000, number, *range(11), None)


@pytest.fixture
def cabinet(tmp_path):
    return Cabinet(tmp_path)


def told(count=EVENTS):
    return [f"event {number}" for number in range(1, count + 1)]


def renamed(old, new):
    def spoil(cabinet):
        content = cabinet.path.read_bytes()
        assert content.count(old) == 1
        cabinet.path.write_bytes(content.replace(old, new))

    return spoil


TRIPS_ONLY = ["event 5", "event 20", "event 28"]
SPOILT = {
    "index": (Cabinet.damage, told(28), 27),
    # links are read with the first trip
    "links": (lambda cabinet: cabinet.damage("links"), told(28), 28),
    "events": (renamed(b"scope TEXT", b"sc\xf5pe TEXT"), TRIPS_ONLY, 27),
    "seconds": (renamed(b"soc_permille, cell", b"soc_permillem cell"), told(28), 27),
    "meta": (renamed(b"meta(key TEXT", b"meta(kay TEXT"), told(28), 27),
    "format": (lambda cabinet: cabinet.change(44, bytes((0, 0, 0, 99))), TRIPS_ONLY, 27),
}


@pytest.mark.parametrize("what", SPOILT)
def test_a_damaged_database_is_noticed_and_rescued(cabinet, what):
    spoil, texts, up_to = SPOILT[what]
    spoil(cabinet.fill())
    archive = cabinet.add(28, kind="trip")
    cabinet.start().close()
    assert cabinet.texts() == texts and cabinet.damages() == [f"events <= {up_to}"]
    assert len(cabinet.said) == 1 and rescue.ASIDE in cabinet.said[0]
    assert cabinet.verdict().intact and len(archive._trips.entries()) == 3
    if texts == told(28) and up_to == 28:
        assert len(cabinet.query("SELECT * FROM seconds")) == 19 + 8 * 3 + 1


def test_a_database_of_before_gets_the_table_of_the_bands_and_keeps_the_rest(cabinet):
    cabinet.fill().execute("DROP TABLE bands")
    before = cabinet.query("SELECT * FROM seconds")
    cabinet.once(note(28), minutes=[minute(28)])
    assert cabinet.said == [] and cabinet.damages() == [] and cabinet.texts() == told(28)
    assert cabinet.query("SELECT * FROM seconds") == before
    assert cabinet.query("SELECT * FROM bands") == [minute(28)]


def test_the_bands_are_rescued_as_the_seconds_are(cabinet):
    cabinet.fill().once(minutes=[minute(number) for number in range(200)])
    cabinet.damage()
    cabinet.add(28)
    assert cabinet.damages() == ["events <= 27"]
    assert cabinet.query("SELECT * FROM bands") == [minute(number) for number in range(200)]


def test_a_page_in_the_middle_does_not_cost_what_is_newer(cabinet, capsys):
    texts = [f"event {number} {'x' * 60}" for number in range(1, 301)]
    cabinet.once(*[label("note", "", "cabinet", text) for text in texts])
    page = cabinet.path.read_bytes().index(b"event 150 ") // 4096
    cabinet.change(page * 4096, b"\xff" * 4096)
    cabinet.damage()
    cabinet.add(301)
    left = [int(each.split()[1]) for each in cabinet.texts()]
    assert left[:2] == [1, 2] and left[-2:] == [300, 301] and 150 not in left and len(left) > 250
    verdict = cabinet.verdict()
    gap_ends = next(number for number in left if number > 150)
    assert verdict.intact and verdict.unlinked == [gap_ends] and verdict.missing == 301 - len(left)
    assert firebreak.main(["record", "verify", "--state-dir", str(cabinet.state_dir)]) == 0
    assert f"event {gap_ends} follows a gap from damage" in capsys.readouterr().out
    cabinet.execute("DELETE FROM events WHERE code = 'DAMAGE'")
    assert len(cabinet.verdict().breaks) > 1, "a gap that nothing speaks of"


def test_what_was_put_aside_before_gets_no_log_of_another(cabinet):
    # a table beside those of the record is no damage
    cabinet.fill().execute("ANALYZE")
    cabinet.start().close()
    assert not cabinet.said and cabinet.texts() == told() and not cabinet.damages()
    lay(cabinet, _damaged="of the last time", _damaged_wal="of the last time")
    cabinet.damage().start().close()
    assert (cabinet.state_dir / "record.db.damaged").read_bytes().startswith(b"SQLite")
    log = cabinet.state_dir / "record.db.damaged-wal"
    assert not log.exists() or not log.stat().st_size


def failing(database, code):
    error = sqlite3.DatabaseError("it fails")
    error.sqlite_errorcode = code
    return DatabaseError(database.path, error)


class NoCopy:
    """Database.query fails for the second copy of the trips, while `code` says how."""

    def __init__(self, monkeypatch):
        self.code, query = None, Database.query

        def queried(database, statement, values=()):
            if self.code and "LEFT JOIN" in statement:
                error = failing(database, self.code)
                if self.code == sqlite3.SQLITE_CORRUPT:
                    self.code = None  # once: what is begun anew is sound
                raise error
            return query(database, statement, values)

        monkeypatch.setattr(Database, "query", queried)


@pytest.mark.parametrize("code", [sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_BUSY])
def test_what_was_committed_is_never_committed_again(cabinet, monkeypatch, code):
    archive, fault = cabinet.start(), NoCopy(monkeypatch)
    archive.write([note(1)])
    fault.code = code
    for number in (2, 3, 4):
        stored = archive.write([note(number, "trip")])
        assert stored[-1][0][-1] == f"event {number}"
    assert sum("the second copy" in line for line in cabinet.said) == (code == sqlite3.SQLITE_BUSY)
    fault.code = None
    archive.write([note(5)])
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
    archive.write([note(1, "trip")], meta={"position": 7})
    assert archive.meta("position") == 7
    with pytest.raises(DatabaseError):
        archive.write([note(2)])
    monkeypatch.setattr(rescue.os, "replace", real)
    archive.write([note(2)])
    archive.close()
    assert cabinet.texts() == told(2) and cabinet.verdict().intact


def killed_at(cabinet, step):
    """Start a recorder in a child that dies at this step; its exit code."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    left = [step]

    def count(name, *_):
        if name in STEPS:
            left[0] -= 1
            if left[0] < 0:
                os._exit(KILLED)

    def counted(method):
        def instead(*arguments, **named):
            count("open")
            found = method(*arguments, **named)
            count("open")
            return found

        return instead

    sys.addaudithook(count)
    for name in ("write", "query", "close"):
        setattr(Database, name, counted(getattr(Database, name)))
    try:
        cabinet.start()
    finally:
        os._exit(RAISED if sys.exc_info()[0] else WHOLE)


def start_on(copy, folder):
    shutil.copytree(copy.run_dir.parent, folder)
    return Cabinet(folder)


@pytest.mark.parametrize("step", [0, *slow(1, 2)])
def test_a_rescue_that_is_killed_at_any_step_loses_nothing(tmp_path, step):
    first = Cabinet(tmp_path / "first").fill().damage()
    ended, seen = KILLED, set()
    while ended == KILLED:
        cabinet = start_on(first, tmp_path / str(step))
        ended = killed_at(cabinet, step)
        seen |= {path.name for path in cabinet.state_dir.iterdir()}
        cabinet.add(28)
        names = {path.name for path in cabinet.state_dir.glob("record.db*")}
        assert names <= {"record.db", "record.db.damaged", "record.db.damaged-wal"}, step
        left = cabinet.texts(), cabinet.damages(), len(cabinet.query("SELECT * FROM seconds"))
        assert left == (told(28), ["events <= 27"], 19 + 8 * 3 + 1), step
        assert cabinet.verdict(bytes.fromhex(head.read(str(cabinet.run_dir))["hash"])).intact, step
        step += 3
    assert ended == WHOLE and step > 30
    assert {"record.db.rescuing", "record.db.new", "record.db.damaged"} <= seen


def test_what_only_the_log_holds_is_rescued_with_it(cabinet, tmp_path):
    archive = cabinet.fill().start()
    archive.write([note(28)])
    killed = start_on(cabinet, tmp_path / "killed")
    archive.close()
    assert (killed.state_dir / "record.db-wal").stat().st_size
    (killed.state_dir / "record.db-shm").unlink()
    rescue.put_aside(str(killed.path))
    killed.start().close()
    assert killed.texts() == told(28) and killed.damages() == ["events <= 28"]


def test_meta_of_another_form_does_not_stop_a_rescue(cabinet, tmp_path):
    cabinet.fill().execute(
        "INSERT OR REPLACE INTO meta VALUES ('anchor', 7), ('standing', '{')",
        "UPDATE events SET hash = 7 WHERE id = 27",
    )
    for number, head_of_meta in enumerate(('["x", "y"]', "[]", "7", "{}", '[27, "zz"]')):
        copy = start_on(cabinet, tmp_path / str(number))
        copy.execute(f"UPDATE meta SET value = '{head_of_meta}' WHERE key = 'head'")
        archive = copy.damage().start()
        assert archive.meta("position") == EVENTS and archive.database.meta("position") == EVENTS
        archive.close()
        assert copy.texts() == told(26)


def test_all_that_lets_a_recorder_go_on_is_rescued(cabinet):
    meta = {"position": {"sequence": 7}, "standing": ["1a"], "anchor": {"at": 7}}
    meta["capture"] = {"file": "trip_8.journal"}
    cabinet.once(note(1), meta=meta)
    archive = cabinet.damage().start()
    assert {key: archive.database.meta(key) for key in meta} == meta
    assert cabinet.damages() == ["events <= 1"]
    archive.close()


def test_a_rescue_without_room_takes_the_reserve(cabinet, monkeypatch):
    cabinet.fill().damage()
    write, reserve = Database.write, cabinet.state_dir / "record.reserve"

    def full_beside_it(database, *arguments, **named):
        if reserve.exists():
            raise failing(database, sqlite3.SQLITE_FULL)
        return write(database, *arguments, **named)

    assert reserve.exists()
    monkeypatch.setattr(Database, "write", full_beside_it)
    cabinet.start().close()
    assert cabinet.texts() == told() and cabinet.damages() == ["events <= 27"]


def test_captures_of_this_run_are_known_to_the_new_database(cabinet, monkeypatch):
    fault, kept = NoCopy(monkeypatch), []
    archive = cabinet.start(lambda: kept)
    archive.write([note(1, "trip")])
    kept.append((1, "trip_1.journal"))
    fault.code = sqlite3.SQLITE_CORRUPT
    archive.write([note(2, "trip")])
    archive.close()
    assert cabinet.query("SELECT event_id, file FROM captures") == kept


def test_seconds_left_out_for_want_of_room_are_counted_anew_each_time(cabinet):
    archive = cabinet.start()
    for count in (3, 2):
        archive.lean = True
        archive.write([note(1)], [second(1)] * count)
        archive.tidy()
        archive.write([note(2)], [second(2)])
    archive.close()
    text = "{} s of the history were left out: there was no room"
    assert [event[3] for event in cabinet.events("loss")] == [text.format(3), text.format(2)]
    assert len(cabinet.query("SELECT * FROM seconds")) == 2


def test_a_record_larger_than_it_may_be_now_makes_room_by_itself(cabinet):
    for history_MB, count in ((12, 1000), (8, 100)):
        archive = cabinet.start(history_MB=history_MB)
        for _ in range(9):
            archive.write([label("note", "", "cabinet", "x" * 900)] * count)
        assert cabinet.said == [] and not archive.lean and archive._reserve.laid
        archive.close()
    assert cabinet.verdict().intact and {code for _, code, _, _ in cabinet.events("loss")} == {
        "RETENTION"
    }


def files(cabinet):
    paths = cabinet.state_dir.glob("record.db*")
    return {path.name.removeprefix("record.db"): path.read_text() for path in paths}


def lay(cabinet, **texts):
    """Files by the end of their names: _damaged_wal is record.db.damaged-wal."""
    for end, text in texts.items():
        name = "record.db" + end.replace("_", ".", 1).replace("_", "-")
        (cabinet.state_dir / name).write_text(text)


def test_a_log_goes_with_its_database_and_never_alone(cabinet):
    log = cabinet.state_dir / "record.db-wal"
    log.write_text("of one that was taken away")
    rescue.put_aside(str(cabinet.path))
    assert files(cabinet) == {}
    lay(cabinet, _rescuing="first")
    log.write_text("its log")  # killed between the two
    rescue.put_aside(str(cabinet.path))
    assert files(cabinet) == {".rescuing": "first", ".rescuing-wal": "its log"}
    # a rescued database makes way for the next, which waits for its rescue
    (cabinet.state_dir / "record.db.rescuing-wal").unlink()
    lay(cabinet, **{"": "second", "_damaged": "before", "_damaged_wal": "before"})
    for _ in range(2):
        rescue.put_aside(str(cabinet.path))
        assert files(cabinet) == {".damaged": "first", ".rescuing": "second"}


def test_the_new_database_is_whole_without_its_log(cabinet, monkeypatch):
    cabinet.fill().damage()
    close, readers = Database.close, []

    # the reader keeps the close from moving the log into the file
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


def lose(cabinet, how):
    """Return how many of the events can be recovered."""
    if how == "rolled back":
        shutil.copy(cabinet.state_dir.parent / "older.db", cabinet.path)
        return 11
    cabinet.path.unlink()
    if how == "emptied":
        cabinet.path.touch()
    return 0


@pytest.mark.parametrize("how", ["gone", "emptied"])
def test_after_a_restart_of_the_box_the_second_copy_tells_that_the_record_is_gone(cabinet, how):
    trips = cabinet.fill().query(TRIPS)
    lose(cabinet, how)
    (cabinet.run_dir / head.FILE).unlink()
    cabinet.start().close()
    assert cabinet.query(TRIPS) == trips
    assert cabinet.damages() == ["events <= 20"] and "lacks the newest trip" in cabinet.said[0]
    assert cabinet.verdict(trips[-1][-1]).intact


@pytest.mark.parametrize("how", ["gone", "emptied", "rolled back"])
def test_a_record_that_lacks_the_published_head_says_so_and_its_chain_goes_on(cabinet, how):
    archive = cabinet.start()
    for number in range(1, 13):
        archive.write([note(number)], meta={"position": number})
        if number == 11:
            archive.database.query("PRAGMA wal_checkpoint(TRUNCATE)")
            shutil.copy(cabinet.path, cabinet.state_dir.parent / "older.db")
    published = archive.published()
    archive.close()
    left = lose(cabinet, how)
    archive = cabinet.start()
    assert archive.meta("position") == 12, "what was told already is not told again"
    stored = archive.write([note(14)])
    archive.close()
    assert stored[0][0][0] == 14 and archive.published()[0] == 14
    assert cabinet.texts() == [*told(left), "event 14"]
    assert "lacks event 12, which was published" in cabinet.said[0]
    found = cabinet.verdict(published[1])
    assert found.intact and found.missing == 12 - left and found.damaged == [13]
    cabinet.start().close()
    assert cabinet.damages() == ["events <= 12"], "it is said once"


def test_a_record_of_another_chain_says_so(cabinet):
    other = json.dumps([27, bytes(32).hex()])
    cabinet.fill(trips=()).execute(
        "UPDATE events SET hash = zeroblob(32) WHERE id = 27",
        f"UPDATE meta SET value = '{other}' WHERE key = 'head'",
    )
    cabinet.start().close()
    assert cabinet.damages() == ["events <= 27"] and not cabinet.verdict().intact


HASH = 64 * "0"
NO_HEADS = f"""
'' ; '7' ; '[]' ; '{{"id": 99}}' ; '{{"id": "99", "hash": "{HASH}", "meta": {{}}}}' ; '\\u00b5'
'{{"id": 99, "hash": "zz", "meta": {{}}}}' ; '{{"id": 99, "hash": "00", "meta": {{}}}}'
'{{"id": 99, "hash": "{HASH}", "meta": []}}'
"""


def test_a_published_head_of_another_form_is_none(tmp_path):
    for (content,) in [*table(NO_HEADS), ("[" * 100_000,)]:
        (tmp_path / head.FILE).write_text(content, encoding="utf-8")
        assert head.read(str(tmp_path)) == {}, content


def test_a_start_without_a_published_head_goes_on_and_replaces_it_as_a_whole(cabinet):
    path = cabinet.fill().run_dir / head.FILE
    path.write_text("7")
    with open(path) as reader:
        cabinet.add(28)
        assert reader.read() == "7" and head.read(str(cabinet.run_dir))["id"] == 28
    assert cabinet.said == [] and cabinet.texts() == told(28) and cabinet.damages() == []


def test_a_head_that_cannot_be_published_is_said_once(cabinet):
    cabinet.run_dir.rmdir()
    archive = cabinet.start()
    for number in range(3):
        archive.write([note(number)])
    (line,) = cabinet.said
    assert line.startswith(str(cabinet.run_dir)) and "No such file" in line
    cabinet.run_dir.mkdir()
    archive.write([note(3)])
    assert head.read(str(cabinet.run_dir))["id"] == 4
    shutil.rmtree(cabinet.run_dir)
    archive.write([note(4)])
    archive.close()
    assert len(cabinet.said) == 2
