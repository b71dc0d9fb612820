"""What the recorder has written, on the pages; and a record that is absent, empty, damaged or of
another run.
"""

import sqlite3

import pytest
from watched import BOOT_US, UTC_US, Watched, action

from controller.console import pages, watch
from controller.state import record

TABLES = """
CREATE TABLE events(id INTEGER PRIMARY KEY, sequence INTEGER, uptime_ms INTEGER, utc_us INTEGER,
 utc_source TEXT, utc_uncertainty_us INTEGER, kind TEXT,
 code TEXT, scope TEXT, text TEXT, hash BLOB);
CREATE TABLE seconds(uptime_ms INTEGER, utc_us INTEGER, grid_W, load_W, battery_W, setpoint_W,
 low_W, high_W, soc_permille, cell_mV_min, cell_mV_max,
 temperature_ddegC_max, state, reason INTEGER);
"""
BOOT_MS = BOOT_US // 1000


def write(folder, events=(), seconds=()):
    """A record as the recorder keeps it: uptime_ms counts from the boot of the box, not from the
    controller's start.

    events: (ms since that start, kind, code, scope, text), seconds: ms since that start.
    """
    connection = sqlite3.connect(folder / record.FILE)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.executescript(TABLES)
    for uptime_ms, kind, code, scope, words in events:
        connection.execute(
            "INSERT INTO events(uptime_ms, utc_us, utc_source, utc_uncertainty_us, "
            "kind, code, scope, "
            "text) VALUES (?, ?, 'ntp', 5000, ?, ?, ?, ?)",
            (BOOT_MS + uptime_ms, UTC_US + 1000 * uptime_ms, kind, code, scope, words),
        )
    for uptime_ms in seconds:
        connection.execute(
            "INSERT INTO seconds VALUES (?, ?, 1, ?, 3, 4, 5, 6, 550, 3200, 3300, "
            "281, 'running', 0)",
            (BOOT_MS + uptime_ms, UTC_US + 1000 * uptime_ms, uptime_ms),
        )
    connection.commit()
    return connection  # open, as a recorder's is


def test_events_of_the_record_carry_utc(tmp_path):
    keeper = write(
        tmp_path,
        [
            (0, "start", "", "cabinet", "controller started"),
            (9000, "trip", "R801", "cabinet", "1a: emergency stop."),
        ],
        [9000],
    )
    facts = Watched(tmp_path).run(10).facts("events")
    lines = pages.lines("events", facts)
    assert lines[2].startswith("From the recorder.")
    assert lines[3].startswith("2026-03-14 02:07:40Z trip   R801  cabinet  1a: emergency stop.")
    assert lines[0].endswith("2026-03-14 02:07:41Z ntp")
    keeper.close()


def test_events_are_newest_first_also_behind_a_gap_of_the_recorder(tmp_path):
    write(
        tmp_path,
        [
            (0, "start", "", "cabinet", "controller started"),
            (9000, "loss", "", "cabinet", "a gap"),
            (4000, "trip", "R801", "cabinet", "1a: emergency stop."),
            (4000, "latch", "R801", "", "1a"),
        ],
    ).close()
    lines = pages.lines("events", Watched(tmp_path).run(10).facts("events"))
    assert [line.split()[2] for line in lines[3:]] == ["loss", "latch", "trip", "start"]


def test_no_event_moves_beyond_a_clock_that_was_set_or_a_boot(tmp_path):
    """A clock that was a year ahead until somebody set it kept what came before on top of the
    page.
    """
    keeper = write(
        tmp_path,
        [
            (0, "start", "", "cabinet", "a"),
            (1000, "note", "", "cabinet", "b"),
            (9000, "note", "CLOCK", "cabinet", "c"),
            (9500, "trip", "R801", "cabinet", "d"),
        ],
    )
    year_us = 365 * 86_400_000_000
    keeper.execute("UPDATE events SET utc_us = utc_us + ? WHERE id <= 2", (year_us,))
    keeper.commit()
    facts = Watched(tmp_path).run(10).facts("events")
    assert [event["text"] for event in facts["events"]] == ["a", "b", "c", "d"]
    keeper.execute(
        "UPDATE events SET uptime_ms = uptime_ms - ?, utc_us = utc_us + 10000000 WHERE id = 4",
        (BOOT_MS,),
    )
    keeper.commit()
    assert [event["text"] for event in Watched(tmp_path).run(10).facts("events")["events"]] == [
        "a",
        "b",
        "c",
        "d",
    ]
    keeper.close()


def test_a_row_that_began_before_the_journal_is_dated_by_the_record(tmp_path):
    write(
        tmp_path, [(9000, "trip", "R801", "cabinet", "1a: emergency stop. First out.")], [9000]
    ).close()
    watched = Watched(tmp_path, actions=[action(5, "estop_press")]).run(8)
    history = watched.watch().history()
    history.began_ms["1a"] = None
    facts = watched.facts("alarms")
    assert facts["standing"][0]["began_text"] == "2026-03-14 02:07:40Z ntp"
    assert "since 2026-03-14 02:07:40Z ntp" in "\n".join(pages.lines("alarms", facts))


def test_rows_and_head_go_by_the_same_clock(tmp_path):
    """The head was UTC, the rows said 00:00:33.28, counted from the start."""
    write(tmp_path, [(0, "start", "", "cabinet", "controller started")]).close()
    watched = Watched(tmp_path, actions=[action(9, "estop_press")]).run(15)
    lines = {
        page: "\n".join(pages.lines(page, watched.facts(page))) for page in ("status", "alarms")
    }
    assert "; since 02:07:40Z, " in lines["status"] and "since 02:07:40Z, " in lines["alarms"]
    facts = watched.facts("alarms")
    facts["utc_us"] += 78_735_000_000  # a second into the next day
    assert "since 2026-03-14 23:59:5" in "\n".join(pages.lines("alarms", facts))
    watched.seen.update(lambda: None)
    for page in ("status", "alarms"):
        assert "since up 00:00:09.0" in "\n".join(pages.lines(page, watched.seen.facts(page))), (
            "nobody knows when"
        )


def trend_of(watched, span_s=60):
    return next(
        each["values"]
        for each in watched.facts("trend", span_s=span_s)["quantities"]
        if each["field"] == "load_W"
    )


def test_the_trend_of_a_box_that_was_up_for_hours_stands_where_it_belongs(tmp_path):
    """Uptimes of the record (since the boot) were taken for those of the journal: all of it fell
    into one column.
    """
    write(tmp_path, seconds=range(1000, 31_000, 1000)).close()
    watched = Watched(tmp_path).run(30)
    values = trend_of(watched)
    assert (
        values[:20] == [None] * 20
        and values[21:] == sorted(values[21:])
        and None not in values[21:]
    )
    assert values[21] < 3000 and values[-1] >= 29_000
    assert "From the recorder" in "\n".join(pages.lines("trend", watched.facts("trend")))
    # nothing was written for half a minute: "now" is not the last value
    watched.clocks.behind_us = 30_000_000
    assert trend_of(watched)[21:] == [None] * 21 and trend_of(watched)[20] >= 29_000


def test_the_trend_takes_no_other_boot_and_no_more_than_its_span(tmp_path):
    write(
        tmp_path,
        seconds=[*range(-BOOT_MS + 1000, -BOOT_MS + 3000, 1000), *range(9000, 20_000, 1000)],
    ).close()
    assert (
        len([each for each in trend_of(Watched(tmp_path).run(20), 7000) if each is not None]) == 1
    )
    older = tmp_path / "older"
    older.mkdir()
    write(older, seconds=[*range(-90_000, -60_000, 1000), *range(0, 5000, 1000)]).close()
    watched = Watched(older).run(20)
    assert [each for each in trend_of(watched, 100) if each is not None][0] < -70_000, (
        "a run before a restart counts"
    )
    assert min(each for each in trend_of(watched, 60) if each is not None) == 0
    sooner = tmp_path / "sooner"
    sooner.mkdir()
    write(sooner, seconds=[*range(30_000, 60_000, 1000), *range(0, 10_000, 1000)]).close()
    assert max(each for each in trend_of(Watched(sooner).run(20)) if each is not None) < 10_000
    write_only = tmp_path / "future"
    write_only.mkdir()
    write(write_only, seconds=range(30_000, 60_000, 1000)).close()
    assert set(trend_of(Watched(write_only).run(20))) == {None}


def test_a_recorder_that_writes_no_more_freezes_no_clock_and_is_named(tmp_path):
    write(
        tmp_path, [(0, "start", "", "cabinet", "controller started")], range(1000, 6000, 1000)
    ).close()
    watched = Watched(tmp_path).run(34)
    assert pages.lines("status", watched.facts("status"))[0].endswith("2026-03-14 02:08:05Z ntp")
    assert "LOG      1 events" in "\n".join(pages.lines("status", watched.facts("status")))
    watched.run(36)
    lines = {
        page: "\n".join(pages.lines(page, watched.facts(page)))
        for page in ("status", "trend", "events")
    }
    assert "2026-03-14 02:08:07Z ntp" in lines["status"]
    assert ("LOG      recorder silent since 02:07:36Z   DUE 75 proof tests to be done") in lines[
        "status"
    ]
    for page in ("trend", "events"):
        assert "Recorder silent since 2026-03-14 02:07:36Z. From the recorder" in lines[page]
    watched.seen.update(lambda: None)
    assert watched.seen.facts("status")["recorder_silent_since"] is None, (
        "a dead controller gives nothing to write"
    )


def test_a_recorder_is_not_silent_before_it_can_have_written(tmp_path):
    """After a restart of the box the newest second is of hours ago, or of another boot."""
    write(tmp_path, seconds=[-3_000_000]).close()
    watched = Watched(tmp_path).run(29)
    assert watched.facts("status")["recorder_silent_since"] is None
    watched.run(31)
    assert watched.facts("status")["recorder_silent_since"] == "2026-03-14 01:17:31Z"
    empty = tmp_path / "empty"
    empty.mkdir()
    write(empty).close()
    assert Watched(empty).run(31).facts("status")["recorder_silent_since"] == (
        "the controller's start"
    )


@pytest.mark.parametrize("column", ["uptime_ms", "utc_us", "battery_W", "state"])
def test_a_damaged_second_is_left_out(tmp_path, column):
    keeper = write(
        tmp_path, [(0, "start", "", "cabinet", "controller started")], range(1000, 9000, 1000)
    )
    keeper.execute(f"UPDATE seconds SET {column} = 'x' || {column} WHERE rowid = 8")
    keeper.execute(f"UPDATE seconds SET {column} = x'00' WHERE rowid = 7")
    keeper.commit()
    watched = Watched(tmp_path).run(10)
    for page in watch.PAGES:
        assert pages.lines(page, watched.facts(page))[0].endswith("Z ntp")
    assert max(value for value in trend_of(watched) if value is not None) >= 6000
    keeper.close()


@pytest.mark.parametrize(
    "column, value",
    [
        ("uptime_ms", "x"),
        ("utc_us", "x"),
        ("utc_us", 1 << 62),
        ("utc_us", -5),
        ("code", 7),
        ("text", None),
        ("kind", 1.5),
        ("scope", b""),
    ],
)
def test_a_damaged_event_is_left_out_or_lacks_a_word(tmp_path, column, value):
    keeper = write(
        tmp_path,
        [
            (0, "start", "", "cabinet", "controller started"),
            (9000, "trip", "R801", "cabinet", "1a: emergency stop."),
        ],
    )
    keeper.execute(f"UPDATE events SET {column} = ? WHERE id = 2", (value,))
    keeper.commit()
    watched = Watched(tmp_path).run(10)
    for page in watch.PAGES:
        assert pages.lines(page, watched.facts(page))[0].endswith("Z ntp")
    assert "controller started" in pages.lines("events", watched.facts("events"))[-1]
    keeper.close()


def test_the_status_counts_the_events(tmp_path):
    write(tmp_path, [(0, "start", "", "cabinet", "controller started")]).close()
    assert "LOG      1 events" in "\n".join(
        pages.lines("status", Watched(tmp_path).run(2).facts("status"))
    )


def test_a_record_that_may_not_be_read_is_not_taken_for_none(tmp_path):
    """A state directory of another user stood there as "no recorder"."""
    watched = Watched(tmp_path).run(3)
    place = tmp_path / record.FILE
    place.mkdir()
    for trouble in ("Is a directory", "file is not a database"):
        lines = {
            page: "\n".join(pages.lines(page, watched.facts(page)))
            for page in ("status", "events", "trend")
        }
        assert f"LOG      record not readable, {trouble}" in lines["status"]
        for page in ("events", "trend"):
            assert (f"Record not readable, {trouble}: from the journal") in lines[page].replace(
                "\n       ", " "
            )
        if place.is_dir():
            place.rmdir()
            place.write_bytes(b"no database at all" * 100)


def test_a_record_that_is_damaged_further_in_costs_no_page(tmp_path):
    keeper = write(tmp_path, [(0, "start", "", "cabinet", "controller started")])
    keeper.execute("DROP TABLE seconds")
    keeper.commit()
    watched = Watched(tmp_path).run(3)
    for page in watch.PAGES:
        assert watched.facts(page)["record_trouble"] == "no such table: seconds"
    assert ("record not readable, no such table") in "\n".join(
        pages.lines("status", watched.facts("status"))
    )
    keeper.close()


@pytest.mark.parametrize("content", [None, b""])
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
