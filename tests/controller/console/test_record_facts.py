"""Pages with a record: sound, absent, empty, damaged, or of another run."""

import sqlite3

import pytest
from site_files import PROOF_TESTS
from watched import BOOT_US, UTC_US, Watched, action

from controller.console import pages
from controller.state import record, watch

TABLES = """
CREATE TABLE events(id INTEGER PRIMARY KEY, sequence INTEGER, uptime_ms INTEGER, utc_us INTEGER,
 utc_source TEXT, utc_uncertainty_us INTEGER, kind TEXT, code TEXT, scope TEXT, text, hash BLOB);
CREATE TABLE seconds(uptime_ms INTEGER, utc_us INTEGER, grid_W, load_W, battery_W, setpoint_W,
 low_W, high_W, soc_permille, cell_mV_min, cell_mV_max, temperature_ddegC_max, state, reason);
"""
EVENT = "INSERT INTO events VALUES (NULL, NULL, ?, ?, 'ntp', 5000, ?, ?, ?, ?, NULL)"
SECOND = "INSERT INTO seconds VALUES (?, ?, 1, ?, 3, 4, 5, 6, 550, 3200, 3300, 281, 'running', 0)"
BOOT_MS = BOOT_US // 1000


START = (0, "start", "", "cabinet", "controller started")
STOP = (9000, "trip", "R801", "cabinet", "1a: emergency stop.")


def write(folder, events=(), seconds=()):
    """Write as recorded: events (ms since the start, kind, code, scope, text); seconds: ms since
    it.
    """
    folder.mkdir(exist_ok=True)
    connection = sqlite3.connect(folder / record.FILE)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.executescript(TABLES)
    for ms, *words in events:
        connection.execute(EVENT, (BOOT_MS + ms, UTC_US + 1000 * ms, *words))
    for ms in seconds:
        connection.execute(SECOND, (BOOT_MS + ms, UTC_US + 1000 * ms, ms))
    connection.commit()
    return connection  # open, as a recorder's is


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    return Watched(tmp_path_factory.mktemp("record")).run(10)


@pytest.fixture
def ten(rig, tmp_path):
    return rig.beside(tmp_path)


def test_events_have_utc_and_are_newest_first_also_after_a_gap(tmp_path, ten):
    gap, trip = (9000, "loss", "", "cabinet", "a gap"), (4000, *STOP[1:])
    write(tmp_path, [START, gap, trip, (4000, "latch", "R801", "", "1a")]).close()
    lines = ten.lines("events")
    assert lines[2].startswith("From the recorder.")
    assert lines[5].startswith("2026-03-14 02:07:35Z trip   R801  cabinet  1a: emergency stop.")
    assert lines[0].endswith("2026-03-14 02:07:41Z ntp")
    assert [line.split()[2] for line in lines[3:]] == ["loss", "latch", "trip", "start"]


def test_no_event_moves_across_a_set_clock_or_a_boot(tmp_path, ten):
    """Events of a clock that was a year ahead stayed on top of the page."""

    def texts():
        keeper.commit()
        return [event["text"] for event in ten.facts("events")["events"]]

    at_ms = {"a": 0, "b": 1000, "c": 9000, "d": 9500}
    keeper = write(tmp_path, [(ms, "note", "", "cabinet", word) for word, ms in at_ms.items()])
    year_us = 365 * 86_400_000_000
    keeper.execute("UPDATE events SET utc_us = utc_us + ? WHERE id <= 2", (year_us,))
    assert texts() == list("abcd")
    boot = "UPDATE events SET uptime_ms = uptime_ms - ?, utc_us = utc_us + 10000000 WHERE id = 4"
    keeper.execute(boot, (BOOT_MS,))
    assert texts() == list("abcd")
    keeper.close()


def test_rows_and_head_use_the_same_clock(tmp_path):
    """The head was UTC, but the rows had 00:00:33.28, counted from the start."""
    write(tmp_path, [START, (9000, *STOP[1:4], "1a: emergency stop. First out.")]).close()
    watched = Watched(tmp_path, actions=[action(9, "estop_press")]).run(15)
    for page in ("status", "alarms"):
        assert "since 02:07:40Z, " in watched.text(page)
    next_day_us = watched.facts("alarms")["utc_us"] + 78_735_000_000  # one second into the day
    assert "since 2026-03-14 23:59:5" in watched.text("alarms", utc_us=next_day_us)
    history = watched.watch().history()
    began_ms, history.began_ms["1a"] = history.began_ms["1a"], None  # the record has its date
    facts = watched.facts("alarms")
    (row,) = [row for row in facts["standing"] if row["stage"] == "1a"]
    assert row["began_text"] == "2026-03-14 02:07:40Z ntp"
    assert "since 2026-03-14 02:07:40Z ntp" in watched.text("alarms")
    # rows of a dead controller have uptimes
    history.began_ms["1a"] = began_ms
    watched.watch().update(lambda: None)
    for page in ("status", "alarms"):
        text = "\n".join(pages.lines(page, watched.seen.facts(page)))
        assert "since up 00:00:09.0" in text


def test_the_beginning_of_row_1_is_not_that_of_row_1x(tmp_path):
    texts = "4: heat detector.", "46a: no watch.", "4: heat detector.", "40a: BMS silent."
    events = [(1000 * at, "trip", "", "cabinet", text) for at, text in enumerate(texts)]
    write(tmp_path, events).close()
    assert record.opened(str(tmp_path)).began("4", "cabinet")["uptime_ms"] == BOOT_MS + 2000


def trend_of(watched, span_s=60):
    quantities = watched.facts("trend", span_s=span_s)["quantities"]
    return next(each["values"] for each in quantities if each["field"] == "load_W")


def known(values):
    return [value for value in values if value is not None]


def test_the_trend_of_a_box_that_is_up_for_hours(tmp_path):
    """The page took uptimes of the record (since the boot) for those of the journal."""
    write(tmp_path, seconds=range(1000, 31_000, 1000)).close()
    watched = Watched(tmp_path).run(30)
    values = trend_of(watched)
    assert values[:20] == [None] * 20 and None not in values[21:]
    assert values[21:] == sorted(values[21:])
    assert values[21] < 3000 and values[-1] >= 29_000
    assert "From the recorder" in watched.text("trend")
    # after half a minute without a second "now" is not the last value
    watched.clocks.behind_us = 30_000_000
    assert trend_of(watched)[21:] == [None] * 21 and trend_of(watched)[20] >= 29_000


def test_the_trend_has_only_its_span_of_this_boot(tmp_path):
    watched = Watched(tmp_path).run(20)

    def of(name, *ranges):
        seconds = [at_ms for each in ranges for at_ms in range(*each, 1000)]
        write(tmp_path / name, seconds=seconds).close()
        return watched.beside(tmp_path / name)

    other = of("other", (-BOOT_MS + 1000, -BOOT_MS + 3000), (9000, 20_000))
    assert len(known(trend_of(other, 7000))) == 1
    older = of("older", (-90_000, -60_000), (0, 5000))
    assert known(trend_of(older, 100))[0] < -70_000, "a run before a restart counts"
    assert min(known(trend_of(older, 60))) == 0
    assert max(known(trend_of(of("sooner", (30_000, 60_000), (0, 10_000))))) < 10_000
    assert not known(trend_of(of("future", (30_000, 60_000))))


def test_a_stopped_recorder_is_named_and_the_clock_goes_on(tmp_path):
    """The newest second after a restart of the box is hours old, or of another boot."""
    write(tmp_path, [START], range(1000, 6000, 1000)).close()
    write(tmp_path / "old", seconds=[-3_000_000]).close()
    write(tmp_path / "empty").close()
    watched = Watched(tmp_path).run(29)
    old, empty = watched.beside(tmp_path / "old"), watched.beside(tmp_path / "empty")
    assert old.facts("status")["recorder_silent_since"] is None
    watched.run(31)
    assert old.facts("status")["recorder_silent_since"] == "2026-03-14 01:17:31Z"
    assert empty.facts("status")["recorder_silent_since"] == "the controller's start"
    watched.run(34)
    assert watched.lines("status")[0].endswith("2026-03-14 02:08:05Z ntp")
    assert "LOG      1 events" in watched.text("status")
    watched.run(36)
    status = watched.text("status")
    assert "2026-03-14 02:08:07Z ntp" in status
    due = f"DUE {PROOF_TESTS} proof tests to be done"
    assert f"LOG      recorder silent since 02:07:36Z   {due}" in status
    for page in ("trend", "events"):
        line = "Recorder silent since 2026-03-14 02:07:36Z. From the recorder"
        assert line in watched.text(page)
    watched.seen.update(lambda: None)  # a dead controller
    assert watched.seen.facts("status")["recorder_silent_since"] is None


def every_page(ten):
    return all(ten.lines(page)[0].endswith("Z ntp") for page in watch.PAGE_NAMES)


def test_a_damaged_second_is_left_out(tmp_path, ten):
    for column in ("uptime_ms", "utc_us", "battery_W", "state"):
        keeper = write(tmp_path / column, [START], range(1000, 9000, 1000))
        keeper.execute(f"UPDATE seconds SET {column} = 'x' || {column} WHERE rowid = 8")
        keeper.execute(f"UPDATE seconds SET {column} = x'00' WHERE rowid = 7")
        keeper.commit()
        shown = ten.beside(tmp_path / column)
        assert every_page(shown), column
        assert max(known(trend_of(shown))) >= 5000  # a column is a mean of two
        keeper.close()


def test_a_damaged_event_is_left_out_or_loses_a_word(tmp_path, ten):
    keeper = write(tmp_path, [START, STOP])
    values = {"utc_us": ("x", 1 << 62, -5, UTC_US), "uptime_ms": ("x", BOOT_MS + 9000)}
    words = {"code": (7, ""), "text": (None, ""), "kind": (1.5, "trip"), "scope": (b"", "cabinet")}
    for column, each in (values | words).items():
        for value in each:  # the last value is sound
            keeper.execute(f"UPDATE events SET {column} = ? WHERE id = 2", (value,))
            keeper.commit()
            ten.seen = None
            assert every_page(ten), (column, value)
            assert "controller started" in ten.lines("events")[-1]
    keeper.close()


def test_an_unreadable_record_is_named(tmp_path, ten):
    """A state directory of another user once read "no recorder"."""
    place = tmp_path / record.FILE
    place.mkdir()
    for trouble in ("Is a directory", "file is not a database"):
        assert f"LOG      record not readable, {trouble}" in ten.text("status")
        for page in ("events", "trend"):
            line = f"Record not readable, {trouble}: from the journal"
            assert line in ten.text(page).replace("\n       ", " ")
        if place.is_dir():
            place.rmdir()
            place.write_bytes(b"no database at all" * 100)
    place.unlink()
    keeper = write(tmp_path, [START])
    keeper.execute("DROP TABLE seconds")  # damage behind the events
    keeper.commit()
    ten.seen = None
    for page in watch.PAGE_NAMES:
        assert ten.facts(page)["record_trouble"] == "no such table: seconds"
    assert "record not readable, no such table" in ten.text("status")
    keeper.close()


def test_every_page_works_without_a_record(tmp_path, ten):
    for left in [], [b""]:
        if left:
            (tmp_path / record.FILE).write_bytes(b"")
        assert record.opened(str(tmp_path)) is None
        assert [path.read_bytes() for path in tmp_path.iterdir()] == left
        ten.seen = None
        assert "no recorder" in ten.text("status") and "No recorder" in ten.text("events")
