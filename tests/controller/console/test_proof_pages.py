"""Proof tests on the status page and the page of tests: what is near or late, in 80 x 24, whatever
the ledger is.
"""

import os
from datetime import date, timedelta
from pathlib import Path

import pytest
from watched import UTC_US, Watched

from controller.console import pages
from controller.console.pages import text
from controller.console.terminal import view, words
from controller.record import proof_lines as pl
from controller.record import proof_tests as pt
from controller.rows import proof_intervals


def ledger(folder, ages_d, result=pl.PASSED):
    """Every row of the default cabinet tested today, those of ages_d so many days before."""
    ages_d = dict(ages_d)
    for row in proof_intervals.INTERVALS:
        day = date(2026, 3, 14) - timedelta(days=ages_d.get(row, 0))
        pt.Ledger(str(folder)).test(
            (UTC_US, "ntp"),
            row,
            "A",
            5,
            result if row in ages_d else pl.PASSED,
            date=day.isoformat(),
        )


def shown(watched):
    lines = pages.lines("status", watched.facts("status"))
    assert len(lines) <= text.HEIGHT and all(
        len(line) <= text.WIDTH and line.isascii() for line in lines
    )
    return next(line for line in lines if line.startswith("LOG"))


def page_of_tests(watched):
    body = words.tests(watched.facts("status"))
    assert all(len(line) <= text.WIDTH and line.isascii() for line in body)
    return body


@pytest.mark.parametrize(
    "ages_d, words_shown",
    [
        ({}, "DUE gas calibration in 180 d"),
        ({"15": 184}, "DUE gas calibration in 180 d"),
        ({"15": 186}, "DUE proof test of row 15 in 179 d   LIMITS"),
        ({"15": 365}, "DUE proof test of row 15 overdue   LIMITS"),
        ({"15": 365, "1": 400}, "DUE 2 proof tests to be done   LIMITS"),
    ],
)
def test_the_status_names_what_is_due_next(tmp_path, ages_d, words_shown):
    ledger(tmp_path, ages_d)
    assert words_shown in shown(Watched(tmp_path).run(3))


def test_a_calibration_that_is_near_is_not_hidden_by_a_test(tmp_path):
    facts = Watched(tmp_path).run(3).facts("status") | {"gas_calibration_d": 60}
    line = pages.lines("status", facts)[-2]
    assert (
        line.endswith("DUE 75 proof tests to be done, gas calibration in 60 d")
        and len(line) <= text.WIDTH
    )
    assert "gas" not in pages.lines("status", facts | {"gas_calibration_d": 61})[-2]


@pytest.mark.parametrize(
    "days, said",
    [
        (None, "unknown"),
        (0, "in 0 d"),
        (1, "in 1 d"),
        (-1, "overdue by 1 d"),
        (-36_499, "overdue by 36499 d"),
        (-36_500, "overdue (no day set)"),
    ],
)
def test_a_day_that_a_detector_does_not_tell_is_not_told_as_one(tmp_path, days, said):
    """An impossible date came as "in -36500 d"."""
    facts = Watched(tmp_path).run(3).facts("status") | {"gas_calibration_d": days}
    line = pages.lines("status", facts)[-2]
    assert f"gas calibration {said}" in line and len(line) <= text.WIDTH
    assert words.tests(facts)[1] == f"  gas calibration    {said} (as the detectors tell)"


def test_the_page_of_tests_lists_what_is_near_or_late(tmp_path):
    ledger(tmp_path, {"15": 353, "1": 400})
    body = page_of_tests(Watched(tmp_path).run(3))
    assert "  proof tests        1 overdue or failed, 1 within 60 d, of 75 (52 rows armed)" in body
    assert [line[:38].split() for line in body if line.startswith("  row ")] == [
        ["row", "1", "overdue,", "35", "d", "late"],
        ["row", "15", "due", "in", "12", "d"],
    ]


def test_a_new_cabinet_lists_every_row_over_several_parts(tmp_path):
    watched = Watched(tmp_path).run(3)
    made = view.View(watched.folder, watched.folder, watched.rig.step)
    made.update()
    parts = [made.page("tests", part).body for part in range(made.page("tests", 0).parts)]
    assert len(parts) > 3 and all(len(body) <= view.BODY_ROWS for body in parts)
    assert len([line for body in parts for line in body if line.startswith("  row ")]) == 75
    made.close()


def test_a_ledger_that_is_damaged_or_no_file_costs_no_page(tmp_path):
    watched = Watched(tmp_path).run(3)
    path = Path(pt.path_of(str(tmp_path)))
    path.write_bytes(b"x\n")
    assert "DUE proof-test ledger damaged" in shown(watched)
    assert "  ledger             damaged from line 1" in page_of_tests(watched)
    path.unlink()
    path.mkdir()
    assert "DUE proof tests unknown" in shown(watched)
    assert any("Is a directory" in line for line in page_of_tests(watched))


def test_no_word_of_a_row_or_of_the_ledger_is_cut(tmp_path):
    watched = Watched(tmp_path).run(3)
    os.mkfifo(pt.path_of(str(tmp_path)))
    body = page_of_tests(watched)
    assert "it is a pipe or a device; allowed a regular file" in " ".join(" ".join(body).split())
    os.unlink(pt.path_of(str(tmp_path)))
    body = page_of_tests(watched)
    first = body.index(next(line for line in body if line.startswith("  row 1 ")))
    assert body[first : first + 2] == [
        "  row 1   never tested, due today         emergency stop, each of its two",
        " " * 42 + "contacts",
    ]
    rows = " ".join(" ".join(body).split())
    assert all(
        f" {proof_intervals.what(row['row'])}" in rows
        for row in watched.facts("status")["proof_tests"]["rows"]
    )


def test_a_damaged_ledger_is_named_however_far_its_tests_are(tmp_path):
    ledger(tmp_path, {})
    with open(pt.path_of(str(tmp_path)), "ab") as file:
        file.write(b'{"changed": 1}\n')
    assert "DUE proof-test ledger damaged" in shown(Watched(tmp_path).run(3))


@pytest.mark.parametrize("behind_us", [0, UTC_US])
def test_a_clock_that_is_not_known_to_be_right_is_named_where_nothing_seems_late(
    tmp_path, monkeypatch, behind_us
):
    ledger(tmp_path, {"15": 353})
    watched = Watched(tmp_path).run(3)
    was_us = watched.clocks.utc_us
    monkeypatch.setattr(watched.clocks, "utc_us", lambda: was_us() - behind_us)
    assert "DUE proof test of row 15 in 12 d   " in shown(watched) or behind_us
    watched.seen = None
    monkeypatch.setattr(watched.clocks, "steered_us", lambda: None)
    monkeypatch.setattr(watched.clocks, "started_from_rtc", lambda: False)
    assert "DUE proof test of row 15 in 12 d, clock unknown" in shown(watched)
    assert "  clock              not known to be right: more may be late" in page_of_tests(watched)


def test_a_controller_of_another_version_has_pages_without_proof_tests(tmp_path):
    watched = Watched(tmp_path).run(3)
    del watched.watch().shadow.reader.header["proof_tests"]
    assert "DUE gas calibration in 180 d" in shown(watched)
    assert ("  proof tests        not told by this controller: another version") in words.tests(
        watched.facts("status")
    )


def test_the_file_is_read_anew_only_when_it_has_changed(tmp_path, monkeypatch):
    reads = []
    monkeypatch.setattr(
        pt, "read", lambda directory, read=pt.read: reads.append(1) or read(directory)
    )
    watched = Watched(tmp_path).run(3)
    for number, row in enumerate(("1", "2", "3")):
        assert [shown(watched), shown(watched)] == [shown(watched)] * 2
        assert f"DUE {75 - number} proof tests to be done" in shown(watched)
        pt.Ledger(str(tmp_path)).test((UTC_US, "ntp"), row, "A", 5, pl.PASSED)
    assert len(reads) == 3
