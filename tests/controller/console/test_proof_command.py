"""`firebreak test proof`: records and refusals, every format, the chain, codes."""

import csv
import functools
import html.parser
import io
import json
import tempfile
from pathlib import Path

import pytest
from command_line import run as command
from site_files import FIREBREAK, PROOF_TESTS, PYLONTECH, ROWS_ARMED, SiteFiles

from controller import __main__
from controller.config import bus_times, configuration, proof_plan, time_chain, wired
from controller.console import proof_list, proof_test
from controller.documents import checklist, checklist_page
from controller.journal import journal_header as headers
from controller.journal.journal_header import journal_header, open_journal
from controller.journal.replay import core_of
from controller.rows import proof_intervals, records
from controller.sites import EXAMPLE
from controller.store import proof_lines as pl, proof_state, proof_tests as pt, spool
from safety import parameters
from tests.tables import table

SITE = str(EXAMPLE)
CONFIG = configuration.load(SITE)
NOW = (1_773_454_051_000_000, "ntp")  # 2026-03-14 02:07:31
DAY_US = 86_400_000_000
NASTY = '=HYPERLINK("x")<script>&, J. Mueller'


def passed(folder, row, reaction_ms):
    pt.Ledger(str(folder)).test(NOW, row, "A", reaction_ms, "passed")


@functools.cache
def every_row():
    with tempfile.TemporaryDirectory() as folder:
        for row in proof_plan.plan(CONFIG):
            passed(folder, row, 1)
        return Path(pt.path_of(folder)).read_bytes()


@pytest.fixture(autouse=True)
def now(monkeypatch):
    moments = [NOW]
    monkeypatch.setattr(proof_test.utc, "moment", lambda: moments[-1])
    return moments


@pytest.fixture
def ledger(tmp_path, capsys):
    return Commands(tmp_path, capsys)


class Commands:
    """Each command returns (exit code, output, complaint)."""

    def __init__(self, folder, capsys):
        self.folder, self._capsys = folder, capsys

    def run(self, *argv, folder=None):
        where = "--state-dir", self.folder if folder is None else folder
        code, out, err = command(self._capsys, "test proof", *argv, *where)
        assert all(map(str.isascii, out))
        return code, "\n".join(out), "\n".join(err)

    def _of_site(self, site):
        return "--run-dir", self.folder, *(["--site", site] if site else [])

    def record(self, row="1", tester="J. Doe", reaction_ms=120, more=(), site=SITE, **options):
        measured = "--tester", tester, "--reaction-ms", reaction_ms
        result = "--result", options.pop("result", "passed")
        return self.run("record", row, *measured, *result, *self._of_site(site), *more, **options)

    def list(self, form="text", site=SITE, **options):
        return self.run("list", "--format", form, *self._of_site(site), **options)

    def verify(self, *more, **options):
        return self.run("verify", *more, **options)

    @property
    def path(self):
        return Path(pt.path_of(str(self.folder)))

    @property
    def found(self):
        return pt.read(str(self.folder))

    @property
    def tests(self):
        return [line for line in self.found.records if line.kind == pl.TEST]

    def add_every_row(self):
        self.path.write_bytes(every_row())
        return self

    def open_journal(self):
        core = core_of(journal_header(CONFIG))
        open_journal(str(self.folder / "journal"), CONFIG, core, 4 << 20).close()


def test_a_test_goes_into_ledger_and_record(ledger):
    code, out, err = ledger.record()
    assert (code, err) == (0, "") and out.split()[-1] == ledger.found.head
    assert out.startswith("test 1 (record 2): row 1 passed on 2026-03-14 by J. Doe, 120 ms; hash ")
    (act,) = spool.Inbox(str(ledger.folder), []).take(5)
    assert act.code == "PROOF" and act.text.startswith("row 1 passed, record 2, ")
    assert ledger.found.head in act.text


WRONG = r"""
{"tester": "a\x1bb"} | tester ; {"more": ("--remark", "a\nb")} | remark
{"more": ("--date", "2026-03-15")} | is in the future
{"more": ("--date", "x")} | a day is written 2026-03-14
"""


@pytest.mark.parametrize("values, words", table(WRONG))
def test_a_wrong_test_is_refused_in_one_line(ledger, values, words):
    code, out, err = ledger.record(**values)
    assert (code, out) == (2, "") and words in err and "\n" not in err and not ledger.tests


def test_a_row_of_another_site_is_not_armed(ledger, tmp_path):
    files = SiteFiles(tmp_path, PYLONTECH)
    code, _, err = ledger.record("18", site=files.paths[2])
    planned = proof_plan.plan(files.load())
    assert ("18" in planned) == (code == 0) and ("not armed here" in err) == (code == 2)
    missing = next(row for row in proof_plan.plan(CONFIG) if row not in planned)
    assert ledger.record(missing, site=files.paths[2])[0] == 2
    ledger.path.unlink(missing_ok=True)
    ledger.path.mkdir()  # it cannot be written
    code, out, err = ledger.record()
    assert (code, out) == (3, "") and "nothing is recorded: Is a directory" in err
    assert ledger.list()[0] == 3 and ledger.verify()[0] == 3


SLOWER = "12b 20000 12w 20000 12w 188 1 650 1w 650 6 900000 44 46000 44w 46000 8 60000 44b 4000"


def test_a_stage_may_not_take_the_time_of_a_slower_stage(ledger):
    pairs = SLOWER.split()
    for row, reaction_ms in zip(pairs[::2], pairs[1::2]):
        code, out, err = ledger.record(row, reaction_ms=reaction_ms)
        assert (code, out) == (2, "")
        assert f"row {row} with {reaction_ms} ms is slower than allowed" in err
    # a test without a reaction has failed
    assert ledger.record("12w", reaction_ms=0, result="failed")[::2] == (0, "")


def test_a_ledger_without_tests_of_stages_is_read(ledger):
    """A record of a row counts for its stages without a test, with the present allowed time."""
    moment = "2026-03-14", "2026-03-14T02:07:31Z", "ntp"
    for row, reaction_ms in (("12", 18_400), ("1", 650), ("2", 0)):
        line = (pl.TEST, row, *moment, "A", reaction_ms, "passed", "")
        pt.Ledger(str(ledger.folder))._append(lambda _, line=line: line)
    assert ledger.record("12b", reaction_ms=100)[::2] == (0, "")
    facts = json.loads(ledger.list("json")[1])
    rows = {row["row"]: row for row in facts["rows"]}
    assert facts["wrong"] == [] and [rows[key]["state"] for key in ("12", "12b", "2")] == ["ok"] * 3
    assert rows["12w"]["last"] is None
    assert [proof_state.is_slow(rows[key]) for key in ("12", "1")] == [False, True]
    assert ledger.verify()[0] == 0


def test_a_reaction_over_the_time_chain_has_failed(ledger):
    for row in ("1", "40e", "29", "1w"):
        latest_ms = proof_plan.allowed_ms(CONFIG)[row]
        assert ledger.record(row, reaction_ms=latest_ms)[::2] == (0, "")
        code, out, err = ledger.record(row, reaction_ms=latest_ms + 1)
        slower = f"row {row} with {latest_ms + 1} ms is slower than allowed, {latest_ms} ms"
        assert (code, out, err) == (2, "", f"firebreak: {slower}: this test has failed")
        assert ledger.record(row, reaction_ms=latest_ms + 1, result="failed")[0] == 0
    assert [line.result for line in ledger.tests] == ["passed", "failed"] * 4


@pytest.mark.parametrize("site", [SITE, None])
def test_an_impossibly_fast_reaction_is_not_recorded_as_passed(ledger, site):
    """Seconds, for example, instead of milliseconds."""
    ledger.open_journal()
    soon = "6b 900 899_960 ; 46 1 900_980 ; 46 901 900_980 ; 40 3 480 ; 2 159 160"
    for row, typed, soonest_ms in map(str.split, soon.split(" ; ")):
        latest_ms, soonest_ms = proof_plan.allowed_ms(CONFIG)[row], int(soonest_ms)
        code, out, err = ledger.record(row, reaction_ms=typed, site=site)
        faster = f"row {row} with {typed} ms is faster than its debounce and silence time"
        line = f"{faster}: allowed is {soonest_ms} .. {latest_ms} ms; is it in ms?"
        assert (code, out, err) == (2, "", f"firebreak: {line}")
        assert ledger.record(row, reaction_ms=typed, result="failed", site=site)[0] == 0
        assert ledger.record(row, reaction_ms=soonest_ms, site=site)[::2] == (0, "")


def parts_ms(stage, loaded, *names):
    parts = time_chain.chain(loaded, bus_times.schedule(loaded), stage)
    return sum([part.time_ms for part in parts if part.what in names])


@pytest.mark.parametrize("files_of", [FIREBREAK, PYLONTECH])
def test_the_soonest_reaction_is_below_the_waiting_parts_of_the_time_chain(tmp_path, files_of):
    """Debounce and silence, less two ticks and the allowed age of the last value."""
    loaded = SiteFiles(tmp_path, files_of).load()
    soonest_ms = proof_plan.soonest_ms(loaded.safety_image)
    latest_ms, armed = proof_plan.allowed_ms(loaded), proof_plan._armed(loaded)
    assert soonest_ms.keys() == {key for key in latest_ms if not key.endswith("w")}
    for key, ms in soonest_ms.items():
        waits_ms = [
            (parts_ms(stage, loaded, "debounce"), parts_ms(stage, loaded, "silence"))
            for stage in armed
            if proof_intervals.key_of(stage) == key
        ]
        assert ms <= min(map(sum, waits_ms)) < latest_ms[key]
        share = 1 if key == "46" else 2
        least_ms = min([debounce_ms + silence_ms // share for debounce_ms, silence_ms in waits_ms])
        # the scan of 44a may find the change at once
        assert key == "44a" or ms == max(0, least_ms - 2 * loaded.tick_ms)


def test_a_row_may_take_as_long_as_the_slowest_of_its_armed_stages(tmp_path):
    allowed_ms, latest_ms = proof_plan.allowed_ms(CONFIG), {}
    for test in checklist.facts(CONFIG)["tests"]:
        latest_ms.setdefault(test["key"], []).append(test["latest_ms"])
    by_wire = {f"{row}w": wired.enable_ms(CONFIG, row) for row in wired.rows(CONFIG)}
    assert allowed_ms == {key: max(each_ms) for key, each_ms in latest_ms.items()} | by_wire
    assert set(allowed_ms) == set(proof_plan.plan(CONFIG))
    assert any(len(each_ms) > 1 for each_ms in latest_ms.values())
    # the most frequent frames of a rack give the soonest silence
    files = SiteFiles(tmp_path).append("site", "[rack.2]\nbms_warn_ms = 400")
    assert proof_plan.soonest_ms(files.load().safety_image)["40a"] == 400 // 2 + 20 - 40


def test_the_armed_rows_come_from_the_running_controller(ledger, monkeypatch):
    code, _, err = ledger.record(site=None)
    assert code == 3 and "no list of armed rows from a controller" in err
    assert "give --site FILE" in err
    ledger.open_journal()
    assert ledger.record(site=None)[0] == 0
    assert "not armed here" in ledger.record("51", site=None)[2]
    code, out, _ = ledger.list("json", site=None)
    rows = json.loads(out)["rows"]
    assert code == 1 and [row["row"] for row in rows] == list(proof_plan.plan(CONFIG))
    assert {row["row"]: row["allowed_ms"] for row in rows} == proof_plan.allowed_ms(CONFIG)
    code, _, err = ledger.record(site=None, reaction_ms=10**6)
    assert code == 2 and "slower than allowed" in err
    header, core = journal_header(CONFIG), core_of(journal_header(CONFIG))
    header["safety_image"][parameters.H_SCHEMA] += 1
    monkeypatch.setattr(headers, "journal_header", lambda *_: header)
    open_journal(str(ledger.folder / "journal"), CONFIG, core, 4 << 20).close()
    code, _, err = ledger.record(site=None)
    assert code == 3 and "\n" not in err and "controller: another version; give --site FILE" in err


def test_the_text_fits_a_terminal_and_names_each_row(ledger):
    ledger.record(tester="J. Doe, NICET II" * 10, more=("--remark", "long " * 30))
    code, out, _ = ledger.list()
    lines = out.splitlines()
    assert code == 1 and all(len(line) <= 79 for line in lines)
    assert lines[0] == (
        f"Cabinet 1, serial 0001: {ROWS_ARMED} rows armed, {PROOF_TESTS} tests, "
        f"{PROOF_TESTS - 1} to be done now"
    )
    assert lines[1] == "2026-03-14T02:07:31Z (clock: ntp), 1 test in 2 records"
    allowed_ms = proof_plan.allowed_ms(CONFIG)["1"]
    assert lines[3].split() == f"1 2026-03-14 passed 120 {allowed_ms} 2027-03-14 ok".split()
    assert lines[5].endswith("2026-03-14 never tested, due today")


def test_csv_has_every_cell_without_formulas_and_html_is_escaped(ledger):
    ledger.record(tester=NASTY, more=("--remark", "-1+2"))
    code, out, _ = ledger.list("csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 1 and tuple(rows[0]) == tuple(proof_list.HEADERS) and len(rows) == PROOF_TESTS
    assert rows[0]["tester"] == "'" + NASTY and rows[0]["remark"] == "'-1+2"
    assert rows[0]["hash"] == ledger.found.head and rows[0]["measured_ms"] == "120"
    assert not any(value.startswith(("=", "+", "-", "@")) for row in rows for value in row.values())
    assert [proof_list._quoted(f" {each}1") for each in "=+-@"] == [f"' {each}1" for each in "=+-@"]
    tags, texts, page = [], [], html.parser.HTMLParser()
    page.handle_starttag, page.handle_data = lambda tag, _: tags.append(tag), texts.append
    ledger.record(tester=NASTY, more=("--remark", "<b>&amp;"))
    code, out, _ = ledger.list("html")
    page.feed(out)
    assert code == 1 and "script" not in tags and "b" not in tags
    assert NASTY in texts and "<b>&amp;" in texts and tags.count("tr") == 1 + PROOF_TESTS


def test_every_format_shows_a_damaged_ledger(ledger):
    path = ledger.add_every_row().path
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b'"tester":"A"', b'"tester":"B"', 1))
    for form in proof_list.FORMATS:
        code, out, err = ledger.list(form)
        assert code == 1 and "damaged from line 2" in (err if form == "csv" else out)
    # other line ends are damage, not a torn line
    altered = whole.replace(b"\n", b"\r")
    path.write_bytes(altered)
    code, out, _ = ledger.verify()
    assert code == 1 and "damaged from line 1" in out and "torn" not in out
    assert ledger.record()[0] == 1 and path.read_bytes().startswith(altered + b"\n")


def test_json_has_the_facts_also_on_another_box(ledger, monkeypatch):
    ledger.record()
    facts = json.loads(ledger.list("json")[1])
    row = facts["rows"][0]
    assert (facts["records"], facts["tests"], facts["wrong"], facts["clock"]) == (2, 1, [], "ntp")
    assert (facts["rows_armed"], len(facts["rows"])) == (ROWS_ARMED, PROOF_TESTS)
    assert row["last"]["hash"] == facts["head"] and row["state"] == "ok" and row["days_left"] == 365
    elsewhere = ledger.folder / "no"
    monkeypatch.setattr(proof_test, "STATE_DIRECTORY", str(elsewhere))
    code, out, err = ledger.list(folder=elsewhere)
    assert (code, err) == (1, "") and "0 records" in out


def test_the_checklist_names_the_command_and_what_it_records():
    facts = checklist.facts(CONFIG)
    keys = {row["key"] for part in ("tests", "hard_wired") for row in facts[part]}
    assert keys == set(proof_plan.plan(CONFIG))
    blocks = [str(block) for block in checklist_page.blocks(facts)]
    (text,) = [block for block in blocks if checklist.RECORD in block]
    assert all(f" {key}" in text for key in keys - {str(row) for row in records.ROWS})
    words = checklist.RECORD.replace('"NAME, CREDENTIALS"', "NAME").replace("ROW", "1")
    argv = words.replace(" N ", " 5 ").split()[1:]
    assert __main__._parser(argv).parse_args(argv).row == "1"
