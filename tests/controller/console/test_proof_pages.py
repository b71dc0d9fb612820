"""Proof tests on the status page and the page of tests: near, late, damaged, unknown."""

import functools
import os
import tempfile
from datetime import date, timedelta
from pathlib import Path

import pytest
from command_line import flat
from site_files import PROOF_TESTS, ROWS_ARMED
from terminal_bench import look
from watched import UTC_US, Watched

from controller.console.pages import text
from controller.console.terminal import view, words
from controller.rows import proof_intervals
from controller.store import proof_lines as pl, proof_tests as pt
from tests.tables import table


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    return Watched(tmp_path_factory.mktemp("proof")).run(3)


@pytest.fixture
def quiet(rig, tmp_path):
    return rig.beside(tmp_path)


@functools.cache
def ledger_of(ages_d):
    with tempfile.TemporaryDirectory() as folder:
        for row in proof_intervals.INTERVALS:
            day = date(2026, 3, 14) - timedelta(days=dict(ages_d).get(row, 0))
            pt.Ledger(folder).test((UTC_US, "ntp"), row, "A", 5, pl.PASSED, date=day.isoformat())
        return Path(pt.path_of(folder)).read_bytes()


def ledger(folder, ages_d):
    Path(pt.path_of(str(folder))).write_bytes(ledger_of(tuple(ages_d.items())))


def fits(lines):
    assert all(len(line) <= text.WIDTH and line.isascii() for line in lines)
    return lines


def shown(watched):
    lines = fits(watched.lines("status"))
    assert len(lines) <= text.HEIGHT
    return next(line for line in lines if line.startswith("LOG"))


def page_of_tests(watched):
    return fits(words.tests(watched.facts("status")))


DUE = """
{} | gas calibration in 180 d, sign test ; {"15": 184} | gas calibration in 180 d, sign test
{"15": 186} | proof test of row 15 in 179 d, sign test of unit 1
{"15": 365} | proof test of row 15 overdue, sign test of unit 1
{"15": 365, "1": 400} | 2 proof tests to be done, sign test of unit 1
"""


@pytest.mark.parametrize("ages_d, words_shown", table(DUE))
def test_the_status_shows_the_next_due_test(quiet, tmp_path, ages_d, words_shown):
    ledger(tmp_path, ages_d)
    assert f"DUE {words_shown}" in shown(quiet)


def test_a_calibration_is_near_unknown_or_impossible(quiet):
    line = quiet.lines("status", gas_calibration_d=60)[-2]
    assert line.endswith(f"DUE {PROOF_TESTS} proof tests to be done, gas calibration in 60 d")
    assert len(line) <= text.WIDTH
    assert "gas" not in quiet.lines("status", gas_calibration_d=61)[-2]
    # an impossible date once read "in -36500 d"
    for days, shown_as in (
        (None, "unknown"),
        (0, "in 0 d"),
        (1, "in 1 d"),
        (-1, "overdue by 1 d"),
        (-36_499, "overdue by 36499 d"),
        (-36_500, "overdue (no day set)"),
    ):
        line = quiet.lines("status", gas_calibration_d=days)[-2]
        assert f"gas calibration {shown_as}" in line and len(line) <= text.WIDTH
        facts = {**quiet.facts("status"), "gas_calibration_d": days}
        assert words.tests(facts)[1] == f"  gas calibration    {shown_as} (as the detectors report)"


def test_the_page_of_tests_lists_near_and_late_tests(quiet, rig, tmp_path):
    made = look(rig)  # a new cabinet lists every row
    parts = [made.page("tests", part).body for part in range(made.page("tests", 0).parts)]
    assert len(parts) > 3 and all(len(body) <= view.BODY_ROWS for body in parts)
    assert (
        len([line for body in parts for line in body if line.startswith("  row ")]) == PROOF_TESTS
    )
    made.close()
    ledger(tmp_path, {"15": 353, "1": 400})
    body = page_of_tests(quiet)
    assert (
        f"  proof tests        1 overdue or failed, 1 within 60 d, of {PROOF_TESTS} "
        f"({ROWS_ARMED} rows armed)"
    ) in body
    rows = [line[:38].split() for line in body if line.startswith("  row ")]
    assert rows == ["row 1 overdue, 35 d late".split(), "row 15 due in 12 d".split()]


def test_the_page_of_tests_shows_sign_tests_and_what_is_being_replaced():
    sign, due = {"unit": 1, "state": "passed", "date": "2026-03-14"}, {"unit": 12, "date": None}
    found = {"signs": [sign, {**due, "state": "never done"}], "replacing": []}
    lines = fits(words._bench(found))
    assert lines[:2] == [
        "  sign test, unit 1       passed 2026-03-14",
        "  sign test, unit 12      never done",
    ]
    assert lines[-1].endswith("none is open; firebreak replace meter, pcs, bms or io")
    assert "test sign or step" in lines[2] and "page 9" in lines[3]
    opened = "replacement of meter_grid open since 2026-03-14T02:07:31Z by anna"
    line = " ".join(fits(words._bench({**found, "replacing": [opened]}))[-2:])
    assert " ".join(line.split()) == f"replacement {opened}; firebreak replace"


def test_a_damaged_or_missing_ledger_breaks_no_page(quiet, tmp_path):
    path = Path(pt.path_of(str(tmp_path)))
    path.write_bytes(b"x\n")
    assert "DUE proof-test ledger damaged" in shown(quiet)
    assert "  ledger             damaged from line 1" in page_of_tests(quiet)
    path.unlink()
    path.mkdir()
    assert "DUE proof tests unknown" in shown(quiet)
    assert any("Is a directory" in line for line in page_of_tests(quiet))
    path.rmdir()
    os.mkfifo(path)
    body = flat(page_of_tests(quiet))
    assert "it is a link, a pipe or a device; allowed a regular file" in body
    path.unlink()
    body = page_of_tests(quiet)
    at = body.index("  row 1   never tested, due today         emergency stop, each of its two")
    assert body[at + 1] == " " * 42 + "contacts"
    text_of_rows = flat(body)
    for row in quiet.facts("status")["proof_tests"]["rows"]:
        assert f" {proof_intervals.what(row['row'])}" in text_of_rows
    ledger(tmp_path, {})
    with open(path, "ab") as file:
        file.write(b'{"changed": 1}\n')
    assert "DUE proof-test ledger damaged" in shown(quiet), "however far its tests are"


@pytest.mark.parametrize("behind_us", [0, UTC_US])
def test_an_unknown_clock_is_named_while_no_test_is_late(quiet, tmp_path, monkeypatch, behind_us):
    ledger(tmp_path, {"15": 353})
    was_us = quiet.clocks.utc_us
    monkeypatch.setattr(quiet.clocks, "utc_us", lambda: was_us() - behind_us)
    assert "DUE proof test of row 15 in 12 d, sign test of unit 1" in shown(quiet) or behind_us
    quiet.seen = None
    monkeypatch.setattr(quiet.clocks, "steered_us", lambda: None)
    monkeypatch.setattr(quiet.clocks, "started_from_rtc", lambda: False)
    assert "DUE proof test of row 15 in 12 d, clock unknown" in shown(quiet)
    assert "  clock              may be wrong: more may be late" in page_of_tests(quiet)


def test_the_file_is_read_only_after_a_change(quiet, tmp_path, monkeypatch):
    reads, read, of_pages = [], pt.read, 0
    monkeypatch.setattr(pt, "read", lambda directory: reads.append(1) or read(directory))
    for number, row in enumerate(("1", "2", "3")):
        reads.clear()  # a new record reads the ledger too
        assert [shown(quiet), shown(quiet)] == [shown(quiet)] * 2
        assert f"DUE {PROOF_TESTS - number} proof tests to be done" in shown(quiet)
        of_pages += len(reads)
        pt.Ledger(str(tmp_path)).test((UTC_US, "ntp"), row, "A", 5, pl.PASSED)
    assert of_pages == 3
    monkeypatch.delitem(quiet.watch().shadow.reader.header, "proof_tests")
    assert "DUE gas calibration in 180 d" in shown(quiet)
    line = "  proof tests        not in the journal of this controller: another version"
    assert line in words.tests(quiet.facts("status"))
