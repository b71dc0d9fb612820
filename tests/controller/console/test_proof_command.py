"""`firebreak proof-test`: what is recorded and refused, the list in every format, the check of the
chain, codes.
"""

import csv
import html.parser
import io
import json
import os
from pathlib import Path

import pytest
from site_files import FIREBREAK, PYLONTECH, SiteFiles

from controller import __main__
from controller.console import proof_list, proof_test
from controller.documents import checklist
from controller.record import journal_header as journal_headers
from controller.record import proof_lines as pl
from controller.record import proof_tests as pt
from controller.record import spool
from controller.record.journal_header import journal_header, open_journal
from controller.record.replay import core_of
from controller.rows import proof_intervals, records
from controller.site import bus_times, config, proof_plan, time_chain, wired
from controller.sites import EXAMPLE
from safety import parameters

SITE = str(EXAMPLE)
CONFIG = config.load(SITE)
NOW = (1_773_454_051_000_000, "ntp")  # 2026-03-14 02:07:31
DAY_US = 86_400_000_000
NASTY = '=HYPERLINK("x")<script>&, J. Mueller'


@pytest.fixture(autouse=True)
def now(monkeypatch):
    """The moment of the command, which a test may move."""
    moments = [NOW]
    monkeypatch.setattr(proof_test, "moment", lambda: moments[-1])
    return moments


def run(capsys, *argv):
    """(exit code, output, complaint) of the command."""
    try:
        code = __main__.main(["proof-test", *map(str, argv)])
    except SystemExit as leaving:  # argparse
        code = leaving.code
    out, err = capsys.readouterr()
    assert out.isascii() and err.isascii()
    return code, out, err


def record(
    capsys, folder, row="1", tester="J. Doe", reaction_ms=120, result="passed", site=SITE, more=()
):
    where = ("--state-dir", folder, "--run-dir", folder, *(["--site", site] if site else []))
    what = ("--tester", tester, "--reaction-ms", reaction_ms, "--result", result)
    return run(capsys, "record", row, *what, *where, *more)


def listed(capsys, folder, form="text", site=SITE):
    where = ("--state-dir", folder, "--run-dir", folder, *(["--site", site] if site else []))
    return run(capsys, "list", "--format", form, *where)


def every_row(folder, now=NOW, **others):
    for row in proof_plan.plan(CONFIG):
        pt.Ledger(str(folder)).test(now, row, "A", 1, others.get(row, "passed"))


# -- record


def test_a_test_is_recorded_and_the_recorder_told(tmp_path, capsys):
    code, out, err = record(capsys, tmp_path)
    found = pt.read(str(tmp_path))
    assert (code, err) == (0, "")
    assert out.startswith("test 1 (record 2): row 1 passed on 2026-03-14 by J. Doe, 120 ms; hash ")
    assert out.split()[-1] == found.head
    (act,) = spool.Inbox(str(tmp_path), []).take(5)
    assert (
        act.code == "PROOF"
        and found.head in act.text
        and act.text.startswith("row 1 passed, record 2, ")
    )


@pytest.mark.parametrize(
    "values, words",
    [
        ({"row": "99"}, 'row "99" is not known'),
        ({"row": "51"}, "row 51 is not armed here; armed 1, 1c, 1w, 2,"),
        ({"tester": ""}, 'tester ""'),
        ({"tester": "a\x1bb"}, "tester"),
        ({"reaction_ms": -1}, "reaction -1 ms"),
        (
            {"reaction_ms": 0},
            "reaction 0 ms: allowed is 1 .. 3600000, and 0 of a test that has failed",
        ),
        (
            {"reaction_ms": "fast"},
            'invalid int value: "fast"; allowed is 0 .. 3600000, milliseconds in digits alone',
        ),
        ({"reaction_ms": "1_000"}, 'invalid int value: "1_000"'),
        ({"reaction_ms": "1" * 99}, f'"{"1" * 40}..."; allowed'),
        *[
            ({"tester": text}, f'tester "{text}" names nobody; allowed is a name with credentials')
            for text in ("none", "N. N.", "tbd", "x", "n/a")
        ],
        (
            {"more": ("--date", "1970-01-01")},
            "date 1970-01-01 is before 2026-01-01, and there was no such cabinet then",
        ),
        ({"more": ("--date", "2025-12-31")}, "allowed is 2026-01-01 or later"),
        ({"result": "good"}, "invalid choice"),
        ({"more": ("--remark", "a\nb")}, "remark"),
        ({"more": ("--date", "2026-03-15")}, "is in the future"),
        ({"more": ("--date", "x")}, "a day is written 2026-03-14"),
        ({"site": "nowhere.toml"}, "nowhere.toml: cannot be"),
    ],
)
def test_what_is_wrong_is_one_line_and_nothing_is_written(tmp_path, capsys, values, words):
    code, out, err = record(capsys, tmp_path, **values)
    assert (code, out) == (2, "") and words in err and err.count("\n") == 1
    assert not [line for line in pt.read(str(tmp_path)).records if line.kind == pl.TEST]


def test_a_row_that_is_armed_elsewhere_is_not_armed_here(tmp_path, capsys):
    files = SiteFiles(tmp_path, PYLONTECH)
    code, _, err = record(capsys, tmp_path, row="18", site=files.paths[2])
    planned = proof_plan.plan(files.load())
    assert ("18" in planned) == (code == 0) and ("not armed here" in err) == (code == 2)
    missing = next(row for row in proof_plan.plan(CONFIG) if row not in planned)
    assert record(capsys, tmp_path, row=missing, site=files.paths[2])[0] == 2


def test_a_clock_that_nobody_steers_is_said_and_one_that_cannot_be_is_refused(
    tmp_path, capsys, now
):
    now.append((NOW[0], "rtc"))
    code, _, err = record(capsys, tmp_path)
    assert (
        code == 0
        and ("the clock is not synchronised (rtc): the date 2026-03-14 is uncertain") in err
    )
    assert pt.read(str(tmp_path)).records[-1].clock == "rtc"
    now.append((0, "unknown"))
    code, _, err = record(capsys, tmp_path)
    assert code == 2 and "the clock says 1970-01-01T00:00:00Z, which cannot be" in err
    now.append((NOW[0] - 1_000_000, "ntp"))
    code, _, err = record(capsys, tmp_path)
    assert (
        code == 2 and err.count("\n") == 1 and ("the last record is of 2026-03-14T02:07:31Z") in err
    )


def test_a_list_by_a_clock_that_cannot_be_is_not_in_order(tmp_path, capsys, now):
    every_row(tmp_path)
    assert listed(capsys, tmp_path)[0] == 0
    now.append((0, "unknown"))
    code, _, err = listed(capsys, tmp_path)
    assert code == 1 and err == (
        "firebreak: the clock says 1970-01-01T00:00:00Z, which cannot be: "
        "tests may be late that are not called so\n"
    )


@pytest.mark.parametrize(
    "row, reaction_ms",
    [
        ("12b", 20_000),
        ("12w", 20_000),
        ("12w", 188),
        ("1", 650),
        ("1w", 650),
        ("6", 900_000),
        ("44", 46_000),
        ("44w", 46_000),
        ("8", 60_000),
        ("44b", 4000),
    ],
)
def test_what_a_slower_stage_of_the_row_may_take_is_not_allowed(tmp_path, capsys, row, reaction_ms):
    code, out, err = record(capsys, tmp_path, row=row, reaction_ms=reaction_ms)
    assert (code, out) == (2, "") and (
        f"row {row} with {reaction_ms} ms is slower than allowed"
    ) in err


def test_a_test_in_which_nothing_came_has_failed_and_is_recorded(tmp_path, capsys):
    assert record(capsys, tmp_path, row="12w", reaction_ms=0, result="failed")[::2] == (0, "")


def test_a_ledger_from_before_stages_were_tested_apart_is_read(tmp_path, capsys):
    """Its record of a row stands for what is left of it, is measured by the time allowed now, and
    the chain goes on.
    """
    ledger = pt.Ledger(str(tmp_path))
    for row, reaction_ms in (("12", 18_400), ("1", 650), ("2", 0)):
        ledger._append(
            lambda _, row=row, reaction_ms=reaction_ms: (
                pl.TEST,
                row,
                "2026-03-14",
                "2026-03-14T02:07:31Z",
                "ntp",
                "A",
                reaction_ms,
                "passed",
                "",
            )
        )
    assert record(capsys, tmp_path, row="12b", reaction_ms=100)[::2] == (0, "")
    facts = json.loads(listed(capsys, tmp_path, "json")[1])
    rows = {row["row"]: row for row in facts["rows"]}
    assert facts["wrong"] == [] and [rows[key]["state"] for key in ("12", "12b", "2")] == ["ok"] * 3
    assert (
        rows["12w"]["last"] is None
        and not proof_list.is_slow(rows["12"])
        and proof_list.is_slow(rows["1"])
    )
    assert run(capsys, "verify", "--state-dir", tmp_path)[0] == 0


@pytest.mark.parametrize("row", ["1", "40e", "29", "1w"])
def test_a_reaction_over_the_time_chain_has_failed(tmp_path, capsys, row):
    latest_ms = proof_plan.allowed_ms(CONFIG)[row]
    assert record(capsys, tmp_path, row=row, reaction_ms=latest_ms)[::2] == (0, "")
    code, out, err = record(capsys, tmp_path, row=row, reaction_ms=latest_ms + 1)
    assert (code, out) == (2, "") and err == (
        f"firebreak: row {row} with {latest_ms + 1} ms is "
        f"slower than allowed, "
        f"{latest_ms} ms: this test has failed\n"
    )
    assert record(capsys, tmp_path, row=row, reaction_ms=latest_ms + 1, result="failed")[0] == 0
    assert [line.result for line in pt.read(str(tmp_path)).records if line.kind == pl.TEST] == [
        "passed",
        "failed",
    ]


@pytest.mark.parametrize("has_site", [True, False])
@pytest.mark.parametrize(
    "row, typed, soonest_ms",
    [
        ("6b", 900, 899_960),
        ("46", 1, 900_980),
        ("46", 901, 900_980),
        ("40", 3, 480),
        ("2", 159, 160),
    ],
)
def test_a_reaction_that_cannot_be_is_not_recorded_as_passed(
    tmp_path, capsys, row, typed, soonest_ms, has_site
):
    """Seconds typed for milliseconds."""
    open_journal(
        str(tmp_path / "journal"), CONFIG, core_of(journal_header(CONFIG)), 4 << 20
    ).close()
    site = SITE if has_site else None
    latest_ms = proof_plan.allowed_ms(CONFIG)[row]
    code, out, err = record(capsys, tmp_path, row=row, reaction_ms=typed, site=site)
    assert (code, out) == (2, "") and err == (
        f"firebreak: row {row} with {typed} ms is sooner than its debounce and silence let it "
        f"trip: allowed is "
        f"{soonest_ms} .. {latest_ms} ms; is it in ms?\n"
    )
    assert record(capsys, tmp_path, row=row, reaction_ms=typed, result="failed", site=site)[0] == 0
    assert record(capsys, tmp_path, row=row, reaction_ms=soonest_ms, site=site)[::2] == (0, "")


def test_a_journal_of_another_version_says_nothing_of_what_is_armed(tmp_path, capsys, monkeypatch):
    header = journal_header(CONFIG)
    core = core_of(header)
    header["safety_image"][parameters.H_SCHEMA] += 1
    monkeypatch.setattr(journal_headers, "journal_header", lambda config: header)
    open_journal(str(tmp_path / "journal"), CONFIG, core, 4 << 20).close()
    code, _, err = record(capsys, tmp_path, site=None)
    assert (
        code == 3
        and err.count("\n") == 1
        and ("armed: of another version; give --site FILE") in err
    )


def parts_ms(stage, loaded, *names):
    parts = time_chain.chain(loaded, bus_times.schedule(loaded), stage)
    return sum([part.time_ms for part in parts if part.what in names])


@pytest.mark.parametrize("files_of", [FIREBREAK, PYLONTECH])
def test_what_cannot_be_is_below_the_waiting_parts_of_the_time_chain(tmp_path, files_of):
    """Debounce and silence as the time chain has them, less two ticks and the age that a last value
    may have.
    """
    loaded = SiteFiles(tmp_path, files_of).load()
    soonest_ms, latest_ms = (
        proof_plan.soonest_ms(loaded.safety_image),
        proof_plan.allowed_ms(loaded),
    )
    assert soonest_ms.keys() == {key for key in latest_ms if not key.endswith("w")}
    for key, ms in soonest_ms.items():
        armed = [
            stage for stage in proof_intervals.stages_of(key) if stage in proof_plan._armed(loaded)
        ]
        waits_ms = [
            (parts_ms(stage, loaded, "debounce"), parts_ms(stage, loaded, "silence"))
            for stage in armed
        ]
        assert ms <= min(map(sum, waits_ms)) < latest_ms[key]
        if key != "44a":  # whose scan may come upon the change at once
            least_ms = [
                debounce_ms + silence_ms // (1 if key == "46" else 2)
                for debounce_ms, silence_ms in waits_ms
            ]
            assert ms == max(0, min(least_ms) - 2 * loaded.tick_ms)


def test_the_rack_that_is_heard_most_often_says_how_soon_its_silence_acts(tmp_path):
    files = SiteFiles(tmp_path).append("site", "[rack.2]\nbms_warn_ms = 400")
    assert proof_plan.soonest_ms(files.load().safety_image)["40a"] == 400 // 2 + 20 - 40


def test_a_row_is_allowed_what_the_slowest_of_its_armed_stages_takes():
    allowed_ms, latest_ms = proof_plan.allowed_ms(CONFIG), {}
    for test in checklist.facts(CONFIG)["tests"]:
        latest_ms.setdefault(test["key"], []).append(test["latest_ms"])
    by_wire = {f"{row}w": wired.enable_ms(CONFIG, row) for row in (1, 12, 30, 44)}
    assert allowed_ms == {key: max(each_ms) for key, each_ms in latest_ms.items()} | by_wire
    assert set(allowed_ms) == set(proof_plan.plan(CONFIG)) and any(
        len(each_ms) > 1 for each_ms in latest_ms.values()
    )


def test_no_room_is_code_3(tmp_path, capsys):
    (tmp_path / pt.FILE).mkdir()
    code, out, err = record(capsys, tmp_path)
    assert (code, out) == (3, "") and "nothing is recorded: Is a directory" in err
    assert (
        listed(capsys, tmp_path)[0] == 3 and run(capsys, "verify", "--state-dir", tmp_path)[0] == 3
    )


def test_the_running_controller_says_what_is_armed(tmp_path, capsys):
    code, _, err = record(capsys, tmp_path, site=None)
    assert (
        code == 3
        and ("no controller says which rows are armed") in err
        and "give --site FILE" in err
    )
    core = core_of(journal_header(CONFIG))
    open_journal(str(tmp_path / "journal"), CONFIG, core, 4 << 20).close()
    assert record(capsys, tmp_path, site=None)[0] == 0
    assert "not armed here" in record(capsys, tmp_path, row="51", site=None)[2]
    code, out, _ = listed(capsys, tmp_path, "json", site=None)
    rows = json.loads(out)["rows"]
    assert code == 1 and [row["row"] for row in rows] == list(proof_plan.plan(CONFIG))
    assert {row["row"]: row["allowed_ms"] for row in rows} == proof_plan.allowed_ms(CONFIG)
    code, _, err = record(capsys, tmp_path, site=None, reaction_ms=10**6)
    assert code == 2 and "slower than allowed" in err


# -- list


def test_exit_code_1_when_something_is_overdue_failed_or_slow(tmp_path, capsys, now):
    assert listed(capsys, tmp_path)[0] == 1
    every_row(tmp_path)
    assert listed(capsys, tmp_path)[:1] == (0,)
    for days, code in ((179, 0), (180, 1)):
        now.append((NOW[0] + days * DAY_US, "ntp"))
        assert listed(capsys, tmp_path)[0] == code
    now.append(NOW)
    record(capsys, tmp_path, result="failed")
    assert listed(capsys, tmp_path)[0] == 1
    pt.Ledger(str(tmp_path)).test(NOW, "1", "A", 10**6, "passed")  # the site allowed it then
    assert listed(capsys, tmp_path)[0] == 1 and "slower than allowed" in listed(capsys, tmp_path)[1]
    record(capsys, tmp_path)
    assert listed(capsys, tmp_path)[0] == 0


def test_the_text_fits_a_terminal_and_names_each_row(tmp_path, capsys):
    record(capsys, tmp_path, tester="J. Doe, NICET II" * 10, more=("--remark", "long " * 30))
    code, out, _ = listed(capsys, tmp_path)
    lines = out.splitlines()
    assert code == 1 and all(len(line) <= 79 for line in lines)
    assert lines[0] == "Cabinet 1, serial 0001: 52 rows armed, 75 tests, 74 to be done now"
    assert lines[1] == "2026-03-14T02:07:31Z (clock: ntp), 1 test in 2 records"
    assert lines[3].split() == [
        "1",
        "2026-03-14",
        "passed",
        "120",
        str(proof_plan.allowed_ms(CONFIG)["1"]),
        "2027-03-14",
        "ok",
    ]
    assert lines[5].endswith("2026-03-14 never tested, due today")


def test_csv_holds_everything_and_no_formula(tmp_path, capsys):
    record(capsys, tmp_path, tester=NASTY, more=("--remark", "-1+2"))
    code, out, _ = listed(capsys, tmp_path, "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 1 and tuple(rows[0]) == proof_list.COLUMNS and len(rows) == 75
    assert rows[0]["tester"] == "'" + NASTY and rows[0]["remark"] == "'-1+2"
    assert rows[0]["hash"] == pt.read(str(tmp_path)).head and rows[0]["measured_ms"] == "120"
    assert all(not value.startswith(proof_list.FORMULA) for row in rows for value in row.values())


class Page(html.parser.HTMLParser):
    """Tags and texts of a page."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.texts = [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)

    def handle_data(self, data):
        self.texts.append(data)


def test_html_is_escaped_and_keeps_names(tmp_path, capsys):
    record(capsys, tmp_path, tester=NASTY, more=("--remark", "<b>&amp;"))
    code, out, _ = listed(capsys, tmp_path, "html")
    page = Page(out)
    assert code == 1 and "script" not in page.tags and "b" not in page.tags
    assert NASTY in page.texts and "<b>&amp;" in page.texts and page.tags.count("tr") == 76


def test_json_holds_the_facts(tmp_path, capsys):
    record(capsys, tmp_path)
    facts = json.loads(listed(capsys, tmp_path, "json")[1])
    row = facts["rows"][0]
    assert (facts["records"], facts["tests"], facts["wrong"], facts["clock"]) == (2, 1, [], "ntp")
    assert (facts["rows_armed"], len(facts["rows"])) == (52, 75), (
        "row 51 has no second channel here"
    )
    assert row["last"]["hash"] == facts["head"] and row["state"] == "ok" and row["days_left"] == 365


def test_a_damaged_ledger_says_so_in_every_format(tmp_path, capsys):
    every_row(tmp_path)
    path = Path(pt.path_of(str(tmp_path)))
    path.write_bytes(path.read_bytes().replace(b'"tester":"A"', b'"tester":"B"', 1))
    for form in proof_list.FORMATS:
        code, out, err = listed(capsys, tmp_path, form)
        assert code == 1 and "damaged from line 2" in (err if form == "csv" else out)


# -- verify


def test_verify(tmp_path, capsys):
    code, out, _ = run(capsys, "verify", "--state-dir", tmp_path)
    assert code == 0 and "0 tests in 0 records" in out and "the chain is whole" in out
    every_row(tmp_path)
    head = pt.read(str(tmp_path)).head
    assert run(capsys, "verify", "--state-dir", tmp_path, "--head", head)[0] == 0
    path = Path(pt.path_of(str(tmp_path)))
    whole = path.read_bytes()
    path.write_bytes(b"".join(whole.splitlines(keepends=True)[:-1]))
    assert run(capsys, "verify", "--state-dir", tmp_path)[0] == 0, (
        "a chain does not know what came after it"
    )
    code, out, _ = run(capsys, "verify", "--state-dir", tmp_path, "--head", head)
    assert code == 1 and "the hash that was noted is in no record" in out
    path.write_bytes(whole.replace(b'"row":"1c"', b'"row":"3"'))
    code, out, _ = run(capsys, "verify", "--state-dir", tmp_path)
    assert code == 1 and "damaged from line 3" in out and "record 3 was changed" in out


def test_a_ledger_whose_line_ends_became_others_is_damaged_and_nothing_is_cut_off(tmp_path, capsys):
    every_row(tmp_path)
    path = Path(pt.path_of(str(tmp_path)))
    altered = path.read_bytes().replace(b"\n", b"\r")
    path.write_bytes(altered)
    code, out, _ = run(capsys, "verify", "--state-dir", tmp_path)
    assert code == 1 and "damaged from line 1" in out and "torn" not in out
    assert record(capsys, tmp_path)[0] == 1 and path.read_bytes().startswith(altered + b"\n")


@pytest.mark.parametrize(
    "command", [lambda capsys, place: run(capsys, "verify", "--state-dir", place), record, listed]
)
@pytest.mark.parametrize("name", ["no", "file"])
def test_there_is_no_ledger_where_there_is_no_folder(tmp_path, capsys, command, name):
    """A proof that is recorded beside the real ledger is lost to it."""
    (tmp_path / "file").write_text("")
    place = tmp_path / name
    assert command(capsys, place) == (
        2,
        "",
        f"firebreak: --state-dir {place}: there is no such folder\n",
    )
    assert os.listdir(tmp_path) == ["file"]


def test_what_has_to_be_tested_is_listed_on_any_box(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(proof_test, "STATE_DIRECTORY", str(tmp_path / "no"))
    code, out, err = run(capsys, "list", "--site", SITE)
    assert (code, err) == (1, "") and "0 records" in out


def test_the_start_of_a_chain_is_the_head_of_an_empty_ledger_only(tmp_path, capsys):
    """64 zeros were in every ledger, as the hash before its first record: they proved nothing of
    it.
    """
    where = ("--state-dir", tmp_path, "--head", "0" * 64)
    code, out, _ = run(capsys, "verify", *where)
    assert code == 0 and out.endswith(
        "the chain is whole: 64 zeros are the start of a ledger without records\n"
    )
    record(capsys, tmp_path)
    code, out, _ = run(capsys, "verify", *where)
    assert code == 1 and out.endswith(
        "\n64 zeros are the start of an empty ledger, and this one has records\n"
    )


@pytest.mark.parametrize("head", ["", "xyz", "00", "0" * 63, "g" * 64])
def test_a_head_of_another_form_is_one_line(tmp_path, capsys, head):
    code, out, err = run(capsys, "verify", "--state-dir", tmp_path, "--head", head)
    assert (code, out) == (2, "") and err.count("\n") == 1 and "64 hexadecimal digits" in err


# -- beside it


def test_the_checklist_names_the_command_and_what_it_records(capsys):
    facts = checklist.facts(CONFIG)
    keys = {row["key"] for part in ("tests", "hard_wired") for row in facts[part]}
    assert keys == set(proof_plan.plan(CONFIG))
    for key in keys - {str(row) for row in records.ROWS}:
        assert f" {key}" in next(
            block.text for block in checklist.blocks(facts) if checklist.RECORD in str(block)
        )
    assert __main__.main(["checklist", "--site", SITE]) == 0
    assert checklist.RECORD in capsys.readouterr().out
    words = (
        checklist.RECORD.replace('"NAME, CREDENTIALS"', "NAME")
        .replace("ROW", "1")
        .replace(" N ", " 5 ")
    )
    assert __main__._parser(words.split()[1:]).parse_args(words.split()[1:]).row == "1"
