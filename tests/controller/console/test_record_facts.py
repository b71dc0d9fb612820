"""What the recorder has written, on the pages; and a record that is absent, empty, damaged or of another run."""

import sqlite3

import pytest

from controller.console import pages
from controller.console.facts import record
from watched import Watched, action

TABLES = """
CREATE TABLE events(id INTEGER PRIMARY KEY, sequence INTEGER, uptime_ms INTEGER, utc_us INTEGER, utc_source TEXT,
 utc_uncertainty_us INTEGER, kind TEXT, code TEXT, scope TEXT, text TEXT, hash BLOB);
CREATE TABLE seconds(uptime_ms INTEGER, utc_us INTEGER, grid_W, load_W, battery_W, setpoint_W, low_W, high_W,
 soc_permille, cell_mV_min, cell_mV_max, temperature_ddegC_max, state, reason INTEGER);
"""
UTC_US = 1_773_454_051_000_000  # 2026-03-14 02:07:31


def write(folder, events=(), seconds=()):
    """A record as the recorder keeps it; events: (uptime_ms, kind, code, scope, text), seconds: uptime_ms."""
    connection = sqlite3.connect(folder / record.FILE)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.executescript(TABLES)
    for uptime_ms, kind, code, scope, words in events:
        connection.execute("INSERT INTO events(uptime_ms, utc_us, utc_source, utc_uncertainty_us, kind, code, scope, "
                           "text) VALUES (?, ?, 'NTP', 5000, ?, ?, ?, ?)",
                           (uptime_ms, UTC_US + 1000 * uptime_ms, kind, code, scope, words))
    for uptime_ms in seconds:
        connection.execute("INSERT INTO seconds VALUES (?, ?, 1, ?, 3, 4, 5, 6, 550, 3200, 3300, 281, 'running', 0)",
                           (uptime_ms, UTC_US + 1000 * uptime_ms, uptime_ms))
    connection.commit()
    return connection  # open, as a recorder's is


def test_events_of_the_record_carry_utc(tmp_path):
    keeper = write(tmp_path, [(0, "start", "", "cabinet", "controller started"),
                              (9000, "trip", "R801", "cabinet", "1a: emergency stop.")], [9000])
    facts = Watched(tmp_path).run(10).facts("events")
    lines = pages.lines("events", facts)
    assert lines[2].startswith("From the recorder.")
    assert lines[3].startswith("2026-03-14 02:07:40Z trip   R801  cabinet  1a: emergency stop.")
    assert lines[0].endswith("2026-03-14 02:07:40Z NTP")
    keeper.close()


def test_a_row_that_began_before_the_journal_is_dated_by_the_record(tmp_path):
    write(tmp_path, [(9000, "trip", "R801", "cabinet", "1a: emergency stop. First out.")], [9000]).close()
    watched = Watched(tmp_path, actions=[action(5, "estop_press")]).run(8)
    history = watched.watch().history()
    history.began_ms["1a"] = None
    facts = watched.facts("alarms")
    assert facts["standing"][0]["began_text"] == "2026-03-14 02:07:40Z NTP"
    assert "since 2026-03-14 02:07:40Z NTP" in "\n".join(pages.lines("alarms", facts))


def test_the_trend_takes_only_this_run_of_the_controller(tmp_path):
    write(tmp_path, seconds=[*range(1000, 90_000, 1000), *range(1000, 30_000, 1000)]).close()
    facts = Watched(tmp_path).run(30).facts("trend", span_s=60)
    values = [value for value in facts["quantities"][0]["values"] if value is not None]
    assert values == sorted(values) and values[0] < 3000 and values[-1] <= 29_000
    assert "From the recorder" in "\n".join(pages.lines("trend", facts))


def test_the_status_counts_the_events(tmp_path):
    write(tmp_path, [(0, "start", "", "cabinet", "controller started")]).close()
    assert "LOG      1 events" in "\n".join(pages.lines("status", Watched(tmp_path).run(2).facts("status")))


@pytest.mark.parametrize("content", [None, b"", b"no database at all" * 100])
def test_without_a_record_the_pages_are_there(tmp_path, content):
    if content is not None:
        (tmp_path / record.FILE).write_bytes(content)
    assert record.opened(str(tmp_path)) is None
    watched = Watched(tmp_path).run(3)
    assert "no recorder" in "\n".join(pages.lines("status", watched.facts("status")))
    assert "No recorder" in "\n".join(pages.lines("events", watched.facts("events")))


def test_reading_makes_no_file(tmp_path):
    assert record.opened(str(tmp_path)) is None
    assert list(tmp_path.iterdir()) == []
