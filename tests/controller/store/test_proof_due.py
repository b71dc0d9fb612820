"""Due proof tests; no module that decides uses them."""

import ast
import functools
import os
from datetime import date, timedelta
from pathlib import Path

import pytest

from controller.config import bus_times, configuration, proof_plan, stage_states, time_chain
from controller.recorder import proof_watch
from controller.recorder.proof_watch import LOOK_US, ProofWatch
from controller.rows import matrix_words, proof_intervals as intervals
from controller.rows.proof_intervals import INTERVALS
from controller.sites import EXAMPLE
from controller.store import proof_lines as pl, proof_state, proof_tests as pt, replacements
from controller.system import utc
from safety import matrix as m
from tests.repository import ROOT
from tests.tables import cases

DAY = date(2026, 3, 14)
DAY_US = 86_400_000_000
HEADER = {"proof_tests": {"1": 365, "15": 365, "40": 0}}
HEADER["names"] = {"type": "A", "cabinet": "Cabinet 1"}


def record_of(row, on, result=pl.PASSED, kind=pl.TEST):
    at = on.isoformat()
    return pl.Record(1, kind, row, at, f"{at}T00:00:00Z", "ntp", "A", 5, result, "", "", "")


def commissioned(on):
    return record_of("", on, "", pl.COMMISSIONED)


def moment(on, source=utc.RTC):
    return (on - date(1970, 1, 1)).days * DAY_US, source


def state_of(records, days=365, today=DAY):
    return proof_state.rows({"1": days}, records, moment(today))[0]


def test_every_stage_is_proven_under_one_key_at_the_proposed_interval():
    proven = {intervals.key_of(stage) for stage in m.STAGES}
    wired = {key for key in INTERVALS if key.endswith(intervals.WIRED)}
    assert proven | wired == set(INTERVALS) and not proven & wired
    for key, each in INTERVALS.items():
        assert each.confidence in matrix_words.CONFIDENCE and each.basis and intervals.what(key)
        assert each.interval_d in (180, 365, 730, None)
    by_days = {}
    for key, each in INTERVALS.items():
        by_days.setdefault(f"{each.interval_d}:", []).append(key)
    lines = [line.split() for line in PROPOSED.strip().splitlines()]
    assert {days: keys for days, *keys in lines} == by_days


PROPOSED = """
365:  1 1c 1w 2 2w 3 3w 4 5 6 6b 15 16 30 30w 36w 40e 42 42c 44 44a 44b 44e 44f 44g 44w 46 46c 47 \
48 51
180:  7 8 8b 9 10 11 12 12b 12w
730:  13 17 18 19 20 21 25 27 28 29 31 32 33 35 36 37 37b 38 38b 39 43 45 45b 45d 59 59e
None: 14 22 23 24 26 34 34c 40 40a 40d 41 49 50 50b 50c 50d 52 53 54 55 56 57 57a 58
"""


@pytest.fixture(scope="module")
def loaded():
    return configuration.load(EXAMPLE)


def test_no_stage_hides_behind_a_slower_one(loaded):
    """All stages of one test may take less than twice the time of the quickest stage."""
    schedule, times_ms = bus_times.schedule(loaded), {}
    for stage in m.STAGES:
        key, parts = intervals.key_of(stage), time_chain.chain(loaded, schedule, stage)
        times_ms.setdefault(key, []).append(sum([part.time_ms for part in parts]))
    slower = [key for key, each_ms in times_ms.items() if max(each_ms) >= 2 * min(each_ms)]
    assert slower == []


def test_a_part_tested_apart_is_due_as_often_as_its_row_and_has_its_own_text():
    apart = [key for key in INTERVALS if not key.isdigit()]
    for key in apart:
        of_row_d = INTERVALS[str(intervals.row_of(key))].interval_d or 10**6
        assert (INTERVALS[key].interval_d or 10**6) <= of_row_d and INTERVALS[key].proves
    assert len({intervals.what(key) for key in INTERVALS}) == len(INTERVALS)


def by_wire(planned):
    return {key: planned[key] for key in planned if key.endswith(intervals.WIRED)}


def test_the_rows_by_wire_have_entries_of_their_own(loaded):
    allowed_ms = proof_plan.allowed_ms(loaded)
    contact_ms = time_chain.CONTACT_MS + time_chain.RELAY_MS
    days = dict.fromkeys(("1w", "2w", "3w", "30w", "44w"), 365)
    assert by_wire(proof_plan.plan(loaded)) == {**days, "12w": 180}
    allowed_by_wire_ms = dict.fromkeys(("1w", "2w", "3w", "12w", "30w"), contact_ms)
    assert by_wire(allowed_ms) == {**allowed_by_wire_ms, "44w": 500 + time_chain.RELAY_MS}
    assert contact_ms < allowed_ms["12b"] < allowed_ms["12"]


def test_with_a_second_channel_no_row_is_proven_by_wire(files):
    files.replace("type", "hard_wired_rows = [1, 2, 3, 12, 30, 44]", "#")
    files.replace("type", 'second_channel = "none" ', 'second_channel = "fitted" ')
    files.replace("type", "[unit.1]\n", '[channel_b]\nport = "/dev/serial/by-path/b"\n\n[unit.1]\n')
    planned = proof_plan.plan(files.load())
    assert "12b" in planned and not by_wire(planned)


@cases(r"""
    lines                days
    "12 = 90"            {"12": 90, "12b": 90, "12w": 90}
    "12 = 90\n12b = 30"  {"12": 90, "12b": 30, "12w": 90}
    "12b = 30"           {"12": 180, "12b": 30, "12w": 180}
    "40 = 90"            {"40": 90, "40a": 90, "40e": 90}
    "40 = 700"           {"40": 700, "40a": 700, "40e": 365}
""")
def test_a_shortened_row_shortens_its_parts_tested_apart(files, lines, days):
    files.append("site", f"[proof_test]\n{lines}")
    planned = proof_plan.plan(files.load())
    assert {key: planned[key] for key in days} == days


def test_the_plan_has_the_armed_rows_only(loaded):
    planned, topology = proof_plan.plan(loaded), loaded.topology
    armed = {
        stage[m.S_ROW]
        for stage, index in stage_states.instances(topology)
        if stage_states.stage_state(stage, topology, index)[0] in stage_states.ARMED_STATES
    }
    assert {intervals.row_of(key) for key in planned} == armed and "51" not in planned
    assert (planned["1"], planned["40"], planned["40e"]) == (365, 0, 365)


@cases("""
    line  refusal
    "1 = 366"  "proof_test.1: 366 is not allowed; allowed 1..365" | "1 = 365"  None | "1 = 1"  None
    "1 = 0"  "proof_test.1: 0 is not allowed; allowed 1..365" | "40e = 90"  None | "40 = 730"  None
    "40 = 731"  "proof_test.40: 731 is not allowed; allowed 1..730"
    "7 = 181"  "proof_test.7: 181 is not allowed" | "99 = 5"  "proof_test.99: is not a known key"
    '1 = "5"'  'proof_test.1: "5" is not allowed'
""")
def test_a_site_may_only_shorten(files, line, refusal):
    files.append("site", f"[proof_test]\n{line}")
    if refusal:
        assert refusal in files.refusal()
    else:
        key, _, days = line.partition(" = ")
        assert proof_plan.plan(files.load())[key] == int(days)


def test_a_later_layer_may_only_shorten_further(files):
    files.append("site", "[proof_test]\n1 = 100").append("cabinet", "[proof_test]\n1 = 101")
    assert "101 is not allowed, it is looser than 100" in files.refusal()


@pytest.mark.parametrize("limit_d, level", [(60, 1), (30, 2), (7, 3), (0, 4)])
def test_each_limit_is_passed_on_its_day(limit_d, level):
    for days_left, expected in ((limit_d + 1, level - 1), (limit_d, level), (limit_d - 1, level)):
        row = state_of([record_of("1", DAY - timedelta(days=365 - days_left))])
        assert (row["days_left"], row["level"]) == (days_left, expected)
        assert row["state"] == ("overdue" if expected == 4 else "due" if expected else "ok")
        assert row["due"] == (DAY + timedelta(days=days_left)).isoformat()


def test_a_new_cabinet_is_due_at_once():
    assert proof_state.words(state_of([])) == "never tested, due today"
    row = state_of([commissioned(DAY - timedelta(days=12))])
    assert (row["state"], row["days_left"]) == ("overdue", -12)
    assert proof_state.words(row) == "never tested, 12 d late"
    assert state_of([commissioned(DAY)], 0)["state"] == "overdue"
    row = state_of([record_of("1", date(2001, 1, 1))], 0)
    assert (row["state"], row["due"], row["days_left"], row["level"]) == ("ok", None, None, 0)
    assert row["interval_d"] is None
    row = state_of([record_of("1", DAY - timedelta(days=353))])
    assert (proof_state.words(row), row["interval_d"]) == ("due in 12 d", 365)
    rows = proof_state.rows({"40": 0, "40e": 1, "1": 1}, [], moment(DAY))
    assert proof_state.rows_armed(rows) == 2


def test_a_failed_row_stays_failed_until_a_test_has_passed():
    failed = [record_of("1", DAY, pl.FAILED)]
    assert (state_of(failed)["state"], state_of(failed)["level"]) == ("failed", 4)
    assert state_of(failed, today=DAY + timedelta(days=5))["days_left"] == -5
    assert state_of([record_of("1", DAY), *failed])["state"] == "failed"
    assert state_of([*failed, record_of("1", DAY)])["state"] == "ok"
    assert state_of([record_of("1", DAY, "what a later version says")])["state"] == "failed"


AHEAD_DAY = date(2035, 5, 1)


def steered(records, today=DAY):
    return proof_state.rows({"1": 365, "15": 365}, records, moment(today, utc.NTP))


def test_a_test_of_a_clock_that_was_ahead_is_due_again_until_it_is_done_anew():
    """Its date is years ahead, and the true one is not known: perhaps it is years old."""
    old, other = record_of("1", DAY - timedelta(days=100)), record_of("15", DAY)
    records = [commissioned(DAY - timedelta(days=100)), old, record_of("1", AHEAD_DAY)]
    for found in (steered([*records, other]), steered(records), state_of([*records, other])):
        row = found[0] if isinstance(found, list) else found
        words = "due again, the clock of its record was ahead"
        assert (row["state"], row["due"]) == ("overdue", DAY.isoformat()), row
        assert proof_state.words(row) == words and row["last"]["row"] == "1"
    rows = steered([*records, other])
    assert (rows[1]["state"], rows[1]["days_left"]) == ("ok", 365), "the sound one counts"
    assert [row["state"] for row in steered([*records, other, record_of("1", DAY)])] == ["ok"] * 2


def test_a_clock_that_is_not_steered_does_not_doubt_a_record():
    """It may be behind: then a test that is overdue would be due later."""
    records = [record_of("1", DAY), record_of("15", DAY + timedelta(days=365))]
    assert state_of(records, today=date(2026, 1, 1))["state"] == "overdue"
    assert steered(records)[1]["again"] is not None and steered(records)[0]["state"] == "ok"


def test_a_later_record_shows_that_a_clock_was_ahead_whatever_the_clock_says_now():
    records = [record_of("1", AHEAD_DAY), record_of("15", DAY)]
    assert state_of(records, today=AHEAD_DAY + timedelta(days=9))["again"] is not None


def test_an_earlier_day_that_is_typed_later_shows_no_clock_that_was_ahead():
    typed = record_of("15", DAY - timedelta(days=9))._replace(recorded_utc=f"{DAY}T00:00:00Z")
    rows = steered([record_of("1", DAY - timedelta(days=2)), typed])
    assert [row["again"] for row in rows] == [None, None]


def test_a_failed_test_of_a_clock_that_was_ahead_stays_failed():
    row = steered([record_of("1", AHEAD_DAY, pl.FAILED), record_of("15", DAY)])[0]
    assert (row["state"], row["due"]) == ("failed", DAY.isoformat())


def test_a_test_recorded_ahead_with_its_own_day_keeps_that_day():
    typed = record_of("1", DAY)._replace(recorded_utc="2035-05-01T00:00:00Z")
    assert steered([typed, record_of("15", DAY)])[0]["state"] == "ok"


@pytest.mark.parametrize("more", [[], [record_of("15", DAY)]])
def test_a_cabinet_that_was_commissioned_by_a_clock_ahead_is_due_now(more):
    row = steered([commissioned(AHEAD_DAY), *more])[0]
    assert (row["state"], row["due"]) == ("overdue", DAY.isoformat())


def test_a_steered_clock_goes_on_behind_a_record_of_a_clock_that_was_ahead(tmp_path):
    """One that is not steered is doubtful, and shows no other record to be ahead."""
    made = Watching(tmp_path)
    made.look(DAY)
    ahead = pt.Ledger(made.folder)
    ahead.test(label(AHEAD_DAY, utc.RTC)[:2], "1", "A", 5, pl.PASSED)
    assert ahead.test(label(DAY, utc.RTC)[:2], "15", "A", 5, pl.PASSED).clock == pl.DOUBTFUL
    records = pt.read(made.folder).records
    found = proof_state.rows({"1": 365}, records, moment(AHEAD_DAY, utc.NTP))
    assert [row["state"] for row in found] == ["ok"]
    made.look(DAY)
    with pytest.raises(pt.LedgerError, match="is in the future"):
        ahead.test(label(DAY)[:2], "1", "A", 5, pl.PASSED, date="2035-04-01")
    ahead.test(label(DAY)[:2], "1", "A", 5, pl.PASSED, date="2026-03-14")
    ahead.add(label(DAY)[:2], pl.DUE, "15", "anna", "meter was replaced")
    for source in (utc.NTP, utc.RTC):
        records = pt.read(made.folder).records
        found = proof_state.rows({"1": 365, "15": 365}, records, moment(DAY, source))
        assert [row["state"] for row in found] == ["ok", "overdue"], source


def test_the_summary_names_the_nearest():
    def summary(records):
        planned = {"1": 365, "15": 365, "40": 0}
        return proof_state.summary(proof_state.rows(planned, records, moment(DAY)))

    fresh = [record_of("1", DAY), record_of("40", DAY)]
    assert summary([]) == "3 proof tests to be done"
    for more, state in (
        ([], "never tested"),
        ([record_of("15", DAY - timedelta(days=353))], "in 12 d"),
        ([record_of("15", DAY - timedelta(days=366))], "overdue"),
        ([record_of("15", DAY, pl.FAILED)], "failed"),
    ):
        assert summary([*more, *fresh]) == f"proof test of row 15 {state}", "in their order"
    assert proof_state.summary(proof_state.rows({"40": 0}, fresh, moment(DAY))) == ""


def label(day, source=utc.NTP):
    return (*moment(day, source), 5)


class Watching:
    def __init__(self, folder, told=None):
        self.folder, self.now_us = str(folder), 0
        self.watch = ProofWatch(self.folder, told)
        assert self.watch.look(0, label(DAY), HEADER) == [], "what matters at a start goes first"

    def look(self, day, source=utc.NTP, header=HEADER):
        self.now_us += LOOK_US
        assert self.watch.look(self.now_us - 1, label(day, source), header) == []
        return [event.text for event in self.watch.look(self.now_us, label(day, source), header)]

    def test(self, row, day, result=pl.PASSED):
        pt.Ledger(self.folder).test(label(day)[:2], row, "A", 5, result)


def test_the_recorder_commissions_a_new_cabinet_and_reports_each_limit_once(tmp_path):
    made = Watching(tmp_path)
    assert made.look(DAY) == ["proof test due now: rows 1, 15, 40"]
    found = pt.read(str(tmp_path))
    assert [(record.kind, record.date, record.remark) for record in found.records] == [
        (pl.COMMISSIONED, "2026-03-14", "Cabinet 1")
    ]
    for row in ("1", "15", "40"):
        made.test(row, DAY)
    assert made.look(DAY) == []
    told = {}
    for passed_d in range(1, 368):
        for line in made.look(DAY + timedelta(days=passed_d)):
            told[365 - passed_d] = line
        if passed_d % 50 == 0:
            made = Watching(tmp_path, made.watch.state)  # another recorder goes on
    when = {60: "within 60 d", 30: "within 30 d", 7: "within 7 d", 0: "now"}
    assert told == {left_d: f"proof test due {words}: rows 1, 15" for left_d, words in when.items()}
    made.test("1", DAY + timedelta(days=367), pl.FAILED)
    assert made.look(DAY + timedelta(days=367)) == ["proof test due now: row 1"], (
        "a failed one is due anew"
    )


def test_limits_passed_without_a_recorder_are_one_event(tmp_path):
    made = Watching(tmp_path)
    made.look(DAY)
    for row in ("1", "15", "40"):
        made.test(row, DAY)
    made.look(DAY)
    assert made.look(DAY + timedelta(days=360)) == ["proof test due within 7 d: rows 1, 15"]


def test_without_a_day_or_a_plan_no_event_and_no_record(tmp_path):
    made = Watching(tmp_path)
    for source, header in ((utc.UNKNOWN, HEADER), (utc.NTP, None), (utc.NTP, {"names": {}})):
        assert made.look(DAY, source, header) == []
    assert os.listdir(tmp_path) == []


def test_a_removed_newest_record_is_reported(tmp_path):
    made = Watching(tmp_path)
    made.look(DAY)
    made.test("1", DAY)
    made.look(DAY)
    path, head = Path(pt.path_of(str(tmp_path))), pt.read(str(tmp_path)).head
    whole = path.read_bytes()
    made = Watching(tmp_path, made.watch.state)
    for left in (whole.splitlines(keepends=True)[0], b""):
        path.write_bytes(left)
        lost = f"the proof-test ledger lacks record {head}: it was taken away, replaced or changed"
        assert made.look(DAY)[0] == lost
        path.write_bytes(whole)
        made.look(DAY)
        assert not [line for line in made.look(DAY) if "lacks" in line]


def test_damage_is_reported_once_and_an_unreadable_ledger_too(tmp_path):
    made = Watching(tmp_path)
    made.look(DAY)
    with open(pt.path_of(str(tmp_path)), "ab") as file:
        file.write(b"x\n")
    assert made.look(DAY) == ["the proof-test ledger is damaged from line 2"]
    assert made.look(DAY) == []
    os.unlink(pt.path_of(str(tmp_path)))
    os.mkdir(pt.path_of(str(tmp_path)))
    lines = made.look(DAY)
    assert len(lines) == 1 and lines[0].endswith("proof_tests.jsonl: Is a directory")
    assert made.look(DAY) == []


@functools.cache
def named_in(path):
    found = []
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        names = [each.name for each in getattr(node, "names", ()) if hasattr(each, "name")]
        module = getattr(node, "module", None)
        found += [module, *[f"{module}.{name}" for name in names]] if module else names
    return [name.replace(".", "/") + ".py" for name in found]


def imported_by(*first):
    found, waiting = set(), list(first)
    while waiting:
        path = waiting.pop()
        if path not in found and (ROOT / path).is_file():
            found.add(path)
            waiting += named_in(path)
    return found


def test_no_module_that_decides_imports_the_ledger():
    kernel = [path.relative_to(ROOT).as_posix() for path in (ROOT / "safety").glob("*.py")]
    core = [f"controller/core/{name}.py" for name in ("core", "gate", "setpoint")]
    decides = imported_by(*kernel, *core)
    assert "controller/core/base/setpoint.py" in decides
    assert not [path for path in decides if "proof" in path]
    loop = imported_by("controller/run/loop.py", "controller/run/cabinet.py")
    allowed = {"controller/config/proof_plan.py", "controller/rows/proof_intervals.py"}
    assert core[0] in loop and {path for path in loop if "proof" in path} <= allowed


def test_no_interval_changes_an_image(files):
    before = files.load()
    files.append("site", "[proof_test]\n" + "\n".join(f"{key} = 1" for key in INTERVALS))
    after = configuration.load(files.paths[2])
    assert before.proof_tests != after.proof_tests
    assert (before.safety_image, before.control_image) == (after.safety_image, after.control_image)


PLACED = {
    **HEADER,
    "devices": [{"name": "meter", "bus": "m", "address": 1}],
    "places": {"meter": {"profile": "sunspec_meter_203.toml", "tests": ["15", "u1"]}},
}


def test_a_device_that_was_swapped_silently_is_an_event_and_its_tests_are_due(
    tmp_path, monkeypatch
):
    made, serials, told = Watching(tmp_path), {}, []
    tell = lambda path, *given: told.append((os.path.basename(path), *given))  # noqa: E731
    monkeypatch.setattr(proof_watch.operator_client, "sign", tell)
    monkeypatch.setattr(proof_watch.link_statistics, "read", lambda _: {"serials": serials})
    for row in ("1", "15", "40"):
        made.test(row, DAY)
    serials["m", 1] = ""  # not read yet
    assert made.look(DAY, header=PLACED) == []
    serials["m", 1] = "A1"
    assert made.look(DAY, header=PLACED) == made.look(DAY, header=PLACED) == []
    assert replacements.serial_of(pt.read(made.folder).records, "meter") == "A1"
    serials["m", 1] = "B2"
    words, due = made.look(DAY, header=PLACED)
    assert words.startswith("meter has another serial number, A1 -> B2, and no replacement is")
    assert told == [("command.sock", 1, True)], "a start waits for the sign test"
    assert made.watch.hold(0, PLACED) is None and len(told) == 1, "the ledger has it now"
    assert due == "proof test due now: row 15" and made.look(DAY, header=PLACED) == []
    records = pt.read(made.folder).records
    found = [(each.kind, each.row, each.tester) for each in records[-3:]]
    assert found == [
        *[(kind, row, "the recorder") for kind, row in ((pl.DUE, "15"), (pl.SIGN, "u1"))],
        (pl.SERIAL, "meter", "the recorder"),
    ]
    serials["m", 1] = "C3"
    ledger = pt.Ledger(made.folder)
    ledger.add(label(DAY)[:2], pl.REPLACING, "meter", "anna", replacements.identity("a", "B2"))
    assert made.look(DAY, header=PLACED) == [], "a person replaces it"
    ledger.add(label(DAY)[:2], pl.REPLACED, "meter", "anna", replacements.identity("a", "C3"))
    assert made.look(DAY, header=PLACED) == []


def test_the_hold_of_a_swapped_converter_needs_no_time_of_the_day_and_no_room(
    tmp_path, monkeypatch
):
    made, serials, told = Watching(tmp_path), {("m", 1): "A1"}, []
    monkeypatch.setattr(proof_watch.operator_client, "sign", lambda *given: told.append(given[1:]))
    monkeypatch.setattr(proof_watch.link_statistics, "read", lambda _: {"serials": serials})
    made.look(DAY, header=PLACED)
    serials["m", 1] = "B2"
    assert made.look(DAY, utc.UNKNOWN, PLACED) == [] and told == []
    for now_us in (0, 1, LOOK_US - 1, LOOK_US):
        made.watch.hold(now_us, PLACED)
    assert told == [(1, True)] * 2, "once in LOOK_US, until the ledger has it"
