"""The hash chain finds each change and its place; retention is no change."""

import contextlib
import hashlib
import json
import sqlite3

import pytest
from hypothesis import given, strategies as st

from controller.recorder import retention
from controller.recorder.database import Database, DatabaseError, Row
from controller.store import chain
from tests.tables import table


def row(index, kind="note"):
    text = f"event {index} \u00b5"
    return Row(index, 1000 * index, 10**15 + index, "ntp", 1500, kind, "R801", "cabinet", text)


@pytest.fixture
def database(tmp_path):
    made = Database(str(tmp_path / "record.db"), 8 << 20)
    for start in range(0, 30, 3):
        numbers = range(start, start + 3)
        made.write([row(index, "note" if index % 7 else "trip") for index in numbers])
    yield made
    made.close()


def changed(database, *statements):
    with contextlib.closing(sqlite3.connect(database.path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)
    return check(database)


def check(database, published=None):
    with contextlib.closing(sqlite3.connect(database.path)) as connection:
        return chain.verify(connection, published)


def test_another_program_can_compute_it(database):
    """The docstring of chain.py describes it."""
    previous, found = bytes(32), check(database)
    columns = ", ".join(chain.COLUMNS)
    for *values, stored in database.query(f"SELECT {columns}, hash FROM events ORDER BY id"):
        text = json.dumps(values, separators=(",", ":"))
        previous = hashlib.sha256(previous + text.encode("ascii")).digest()
        assert stored == previous
    assert previous == database.head and found.head == previous.hex() and found.intact
    assert (found.events, found.first, found.last, found.missing) == (30, 1, 30, 0)


CHANGED = """
sequence = 99 ; uptime_ms = 1 ; utc_us = 1 ; utc_source = 'rtc' ; utc_uncertainty_us = NULL
kind = 'clear' ; code = 'R802' ; scope = 'rack1' ; text = 'nothing happened' ; hash = x'00'
"""


def test_every_column_of_an_event_is_held(database, tmp_path):
    for (change,) in table(CHANGED):
        with contextlib.closing(sqlite3.connect(tmp_path / "copy.db")) as copy, copy:
            sqlite3.connect(database.path).backup(copy)
            copy.execute(f"UPDATE events SET {change} WHERE id = 12")
            found = chain.verify(copy, None)
        assert not found.intact and found.breaks[0].startswith("event 12:"), found.breaks


COPY = "sequence, uptime_ms, utc_us, utc_source, utc_uncertainty_us, kind, code, scope, text, hash"
SWAP = "UPDATE events SET id = {} WHERE id = {}".format
MOVED = f"""
DELETE FROM events WHERE id = 9 | events 9 to 9 are missing
DELETE FROM events WHERE id BETWEEN 1 AND 4 | events 1 to 4 are missing
DELETE FROM events WHERE id > 27 | the newest event should be 30
DELETE FROM events | the newest event should be 30
{SWAP(-1, 5)}; {SWAP(5, 6)}; {SWAP(6, -1)} | event 5:
INSERT INTO events SELECT 31, {COPY} FROM events WHERE id = 30 | event 31:
"""


@pytest.mark.parametrize("statements, words", table(MOVED))
def test_what_is_taken_out_put_in_or_moved_is_found(database, statements, words):
    found = changed(database, *statements.split(";"))
    assert any(line.startswith(words) for line in found.breaks), found.breaks


def test_retention_leaves_a_chain_that_can_be_checked_and_every_trip(database, monkeypatch):
    trips = database.query("SELECT * FROM events WHERE kind = 'trip'")
    published = database.query("SELECT hash FROM events WHERE id = 11")[0][0]

    def label(*what):
        return row(0)._replace(**dict(zip(Row._fields[5:], what)))

    retention.drop_events(database, label, False)
    assert database.query("SELECT * FROM events WHERE kind = 'trip'") == trips
    told = "no room: events other than trips 2 to 30 were removed (25)"
    assert database.query("SELECT text FROM events WHERE code = 'RETENTION'") == [(told,)]
    database.write([row(40)])
    found = check(database)
    assert found.intact and found.missing == 30 - len(trips), found.breaks
    # an event that is gone leaves no trace of itself
    assert not check(database, published).intact and check(database, trips[1][-1]).intact
    # the oldest trips went last: what was said before holds on
    monkeypatch.setattr(retention, "EVENTS_A_PIECE", 2)
    retention.drop_events(database, label, True)
    assert check(database).intact
    narrower = "UPDATE events SET scope = 'events <= 3' WHERE code = 'RETENTION'"
    assert changed(database, narrower).breaks


def test_who_has_a_published_hash_finds_a_chain_that_was_made_anew(database, tmp_path):
    published = database.head
    assert check(database, published).intact and check(database, chain.START).intact
    other = Database(str(tmp_path / "other.db"), 8 << 20)
    other.write([row(index, "note") for index in range(30)])
    assert check(other).intact
    assert any("published hash is in no event" in line for line in check(other, published).breaks)
    other.close()
    # links alone excuse nothing
    link = "INSERT INTO links SELECT 10, hash FROM events WHERE id = 9"
    found = changed(database, link, "DELETE FROM events WHERE id = 9")
    assert found.breaks == ["events 9 to 9 are missing, and no event gives the reason"]


@given(st.lists(st.text() | st.integers() | st.none(), min_size=2, max_size=2, unique=True))
def test_different_events_never_have_the_same_text(values):
    assert chain.canonical(values[:1]) != chain.canonical(values[1:])


def test_nothing_of_a_transaction_that_failed_is_there(database, tmp_path):
    before = database.head_id, database.head

    def fail(connection, stored):
        connection.execute("INSERT INTO nowhere VALUES (1)")

    with pytest.raises(DatabaseError, match="nowhere"):
        database.write([row(1)], [(0, 0, *range(10), "x", 0)], {"position": 1}, fail)
    assert (database.head_id, database.head) == before and database.meta("position") is None
    database.write([row(31)])
    assert check(database).intact and check(database).last == 31
    # a file at its size is full and not larger
    made = Database(str(tmp_path / "small.db"), 1 << 20)
    with pytest.raises(DatabaseError) as raised:
        while True:
            made.write([row(1)._replace(text="x" * 900)] * 100)
    assert raised.value.full and not raised.value.damaged
    assert check(made).intact
    made.close()
