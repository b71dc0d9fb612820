"""The proof-test ledger: no power cut loses a counted record; every change is reported."""

import contextlib
import errno
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest
from hypothesis import given, strategies as st
from power_loss import Disk, PowerCut, cuts

from controller.store import chain, proof_lines as pl, proof_tests as pt
from tests.instead_of_os import instead_of_os
from tests.repository import ROOT
from tests.tables import cases

NOW_US = 1_773_454_051_000_000  # 2026-03-14 02:07:31
DAY_US = 86_400_000_000
NOW = (NOW_US, "ntp")
WHEN = ("2026-03-14", "2026-03-14T02:07:31Z", "ntp")


def add(directory, row="1", files=os, now=NOW, **others):
    values = {"tester": "J. Doe, NICET II", "reaction_ms": 120, "result": pl.PASSED, **others}
    with instead_of_os(files):
        return pt.Ledger(str(directory)).test(now, row, **values)


def read(directory, disk):
    with instead_of_os(disk):
        return pt.read(str(directory))


def names(found):
    return [record.row or record.kind for record in found.records]


@pytest.fixture
def three(tmp_path):
    for row in ("1", "12", "40e"):
        add(tmp_path, row)
    return tmp_path / pt.FILE


def found_at(path):
    return pt.read(str(path.parent))


def test_a_record_has_tester_row_day_and_the_previous_hash(three):
    found = found_at(three)
    assert names(found) == [pl.COMMISSIONED, "1", "12", "40e"] and found.lines == []
    record = found.records[2]
    assert record[:10] == (3, pl.TEST, "12", *WHEN, "J. Doe, NICET II", 120, "passed", "")
    assert record.previous == found.records[1].hash and found.head == found.records[3].hash
    assert record.hash == chain.link(bytes.fromhex(record.previous), record[:10]).hex()
    assert three.stat().st_mode & 0o777 == 0o640


def test_a_cabinet_is_commissioned_once_and_a_missing_file_is_an_empty_ledger(tmp_path):
    found = pt.read(str(tmp_path))
    assert (found.records, found.lines, found.head) == ((), [], chain.START.hex())
    ledger = pt.Ledger(str(tmp_path))
    assert ledger.commission(NOW, "Cabinet 1") and not ledger.commission((NOW_US + DAY_US, "ntp"))
    add(tmp_path)
    assert [record.number for record in pt.read(str(tmp_path)).records] == [1, 2]


def test_a_reader_asks_for_no_more_memory_than_the_ledger_has_use_for(three, monkeypatch):
    """The controller locks its memory, so what one read asks for stays."""
    asked, before = [], os.read

    def spy(descriptor, count):
        asked.append(count)
        return before(descriptor, count)

    monkeypatch.setattr(pt.os, "read", spy)
    assert pt.read(str(three.parent)).records and max(asked) == 65_536


def test_a_power_cut_anywhere_loses_no_record_that_counted(tmp_path):
    first = Disk()
    add(tmp_path, "1", first)
    first, outcomes = first.restart(), set()
    for disk, is_done in cuts(
        lambda: first.restart("kept", "kept"),
        lambda disk: add(tmp_path, "2", disk, remark="x" * 150),
        ("lost", "torn", "hole", "kept"),
    ):
        outcomes.add(_after(tmp_path, disk, is_done))
    assert {("1",), ("1", "torn"), ("1", "2")} <= outcomes


def _after(tmp_path, disk, is_done):
    found = read(tmp_path, disk)
    rows = names(found)[1:]
    assert rows == ["1", "2"] if is_done else rows in (["1"], ["1", "2"])
    assert not found.breaks and (found.lines == []) == (found.torn_bytes == 0)
    add(tmp_path, "3", disk)
    again = read(tmp_path, disk.restart())
    assert again.lines == [] and names(again)[1:] == [*rows, "3"]
    return (*rows, *(["torn"] if found.torn_bytes else []))


def test_a_power_cut_at_the_very_first_record(tmp_path):
    for cut_at, data in itertools.product(range(14), ("lost", "torn", "kept")):
        disk = Disk(cut_at=cut_at)
        with contextlib.suppress(PowerCut):
            add(tmp_path, "1", disk)
        disk = disk.restart(data, "kept")
        assert not read(tmp_path, disk).breaks
        add(tmp_path, "2", disk)
        found = read(tmp_path, disk)
        assert found.lines == []
        assert (names(found)[0], names(found)[-1]) == (pl.COMMISSIONED, "2")


def test_every_torn_end_is_reported_and_only_it_is_removed(three):
    whole = three.read_bytes()
    begin = whole[:-1].rindex(b"\n") + 1
    for end in range(begin + 1, len(whole) - 1):
        found = pl.found_in(whole[:end])
        (line,) = found.lines
        assert line.startswith(f"a power cut has torn the last line ({end - begin} bytes)")
        assert names(found) == [pl.COMMISSIONED, "1", "12"]
    three.write_bytes(whole[:end])
    (three.parent / pt.HEAD_FILE).unlink()  # it is written after the record is durable
    add(three.parent, "2")
    found = found_at(three)
    assert names(found) == [pl.COMMISSIONED, "1", "12", "2"] and found.lines == []


TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=pl.TEXT_CHARACTERS_MAX)


@given(tester=TEXTS, remark=TEXTS, data=st.data())
def test_a_ledger_cut_at_any_byte_is_torn_or_whole(tester, remark, data):
    values = (1, pl.TEST, "40e", *WHEN, tester, 120, pl.PASSED, remark)
    first = pl.encode(values, chain.START.hex())
    second = pl.encode((2, *values[1:]), json.loads(first)["hash"])
    cut = data.draw(st.integers(1, len(second)))
    hole = data.draw(st.integers(0, cut))
    for line in (second[:cut], bytes(hole) + second[hole:cut], second[:hole] + bytes(cut - hole)):
        found = pl.found_in(first + line)
        whole = line in (second, second[:-1])
        assert found.breaks == () and len(found.records) == 1 + whole
        assert found.torn_bytes == (0 if whole else len(line)), line


@given(st.binary(min_size=1).filter(lambda tail: tail[0] not in b"\0{" and b"\n" not in tail))
def test_other_bytes_at_the_end_are_damage(tail):
    found = pl.found_in(tail)
    assert found.torn_bytes == 0 and found.damaged_from == 1


def test_the_longest_record_cut_short_is_torn_and_more_is_damage():
    text = '"' * pl.TEXT_CHARACTERS_MAX
    when = ("2026-03-14", "2026-03-14T02:07:31Z", pl.DOUBTFUL)
    head, tail = (
        (pl.BYTES_MAX, pl.COMMISSIONED, "d" * 32),
        (text, pl.REACTION_MS_MAX, pl.FAILED, text),
    )
    line = pl.encode((*head, *when, *tail), chain.START.hex())
    assert len(line) == pl.RECORD_BYTES_MAX and pl.decode(line[:-1])
    assert pl.found_in(line[:-2]).torn_bytes == len(line) - 2
    assert pl.found_in(bytes(pl.RECORD_BYTES_MAX)).torn_bytes == pl.RECORD_BYTES_MAX
    assert pl.found_in(bytes(pl.RECORD_BYTES_MAX + 1)).damaged_from == 1


@cases(r"""
    alter
    lambda whole: whole.replace(b"\n", b"\r") | lambda whole: whole.replace(b"\n", b" ")
    lambda whole: whole.replace(b"\n", b"") | lambda whole: whole[:-1].replace(b"\n", b"\0")
    lambda whole: whole.replace(b"\n", b"\0\0") + b"\n" | lambda whole: whole[:-1] + b"\0\n"
    lambda whole: whole + b"x" | lambda whole: whole + b'{"numbers'
    lambda whole: whole + b'{"number":\t' | lambda whole: whole + b'{"number":\xff'
    lambda whole: whole + b"\0\r"
""")
def test_bytes_that_a_power_cut_cannot_leave_are_damage_and_stay(tmp_path, alter):
    """Cutting it off would remove records that counted."""
    add(tmp_path)
    path = Path(pt.path_of(str(tmp_path)))
    altered = alter(path.read_bytes())
    path.write_bytes(altered)
    before = pt.read(str(tmp_path))
    assert before.torn_bytes == 0 and before.lines[0] == f"damaged from line {before.damaged_from}"
    line = f"line {before.damaged_from}: is not a record"
    assert before.breaks[0] == line and "lacks record" in before.breaks[-1] or before.newest == 2
    add(tmp_path, "2")
    assert path.read_bytes().startswith(altered.rstrip(b"\n") + b"\n")
    after = pt.read(str(tmp_path))
    assert names(after)[-1] == "2" and after.breaks == (line,)


def test_a_last_record_without_its_line_end_is_a_record(three):
    three.write_bytes(three.read_bytes()[:-1])
    assert names(found_at(three))[-1] == "40e" and found_at(three).lines == []
    add(three.parent, "2")
    assert names(found_at(three))[-2:] == ["40e", "2"] and found_at(three).lines == []


def test_a_full_disk_is_one_line_and_the_records_stay(tmp_path):
    words = "nothing is recorded: No space left on device"
    for error_at in range(5):
        disk = Disk()
        add(tmp_path, "1", disk)
        disk.operations, disk.error_at = 0, error_at
        with pytest.raises(pt.NotWrittenError, match=words):
            add(tmp_path, "2", disk)
        disk.error_at = None
        found = read(tmp_path, disk)
        assert names(found)[:2] == [pl.COMMISSIONED, "1"] and not found.breaks


def test_any_changed_byte_is_found(three):
    whole = three.read_bytes()
    for at in range(len(whole)):
        other = b"7" if whole[at : at + 1] != b"7" else b"8"
        found = pl.found_in(whole[:at] + other + whole[at + 1 :])
        line = whole[:at].count(b"\n") + 1
        assert found.damaged_from == line and found.lines[0] == f"damaged from line {line}", at
        assert len(found.records) >= 2 and not found.torn_bytes


ORDERS = (((0, 2, 3), 2), ((1, 2, 3), 1), ((0, 2, 1, 3), 2), ((0, 1, 1, 2, 3), 3), ((0, 1, 3), 3))


def test_a_removed_moved_doubled_or_forged_record_is_found(three):
    lines = three.read_bytes().splitlines(keepends=True)
    for order, first in ORDERS:
        found = pl.found_in(b"".join([lines[index] for index in order]))
        assert found.damaged_from == first and "missing or was changed" in found.breaks[0]
    record = pl.decode(lines[1][:-1])
    lines[1] = pl.encode(record._replace(result=pl.FAILED)[:10], record.previous)
    assert pl.found_in(b"".join(lines)).damaged_from == 3, "the next one"


def test_damage_stays_reported_and_a_changed_record_does_not_count(three):
    three.write_bytes(three.read_bytes().replace(b'"row":"12"', b'"row":"11"'))
    add(three.parent, "2")
    found = found_at(three)
    assert found.damaged_from == 3 and len(found.breaks) == 1
    assert names(found) == [pl.COMMISSIONED, "1", pl.LOST, "40e", "2"]
    assert found.newest == 5


def test_other_json_or_another_form_is_damage_not_a_crash(three):
    whole = three.read_bytes()
    lines = [b"", b"x", b"[]", b"{}", b"null", b"[" * 100_000, b"\xff\xfe", b"NaN"]
    for line in (*lines, b'{"number":1}', b'{"number":"1"}'):
        found = pl.found_in(line + b"\n" + whole)
        assert (found.damaged_from, len(found.records)) == (1, 5) and pl.decode(line) is None
    content = json.loads(three.read_bytes().splitlines()[1])
    for name, value in (("number", content["number"]), *OTHER_FORMS):
        other = json.dumps({**content, name: value}, separators=(",", ":")).encode()
        assert (pl.decode(other) is None) == ((name, value) in OTHER_FORMS), name
    first, second, rest = three.read_bytes().split(b"\n", 2)
    numbers = b'"number":', b'"number": ', b'"number":2,', b'"number":1,"number":2,'
    others = (b'"J. Doe', b'"\\u004a. Doe'), (b"}\n", b"}\r\n")
    for old, new in (numbers[:2], numbers[2:], *others):
        other = (second + b"\n").replace(old, new, 1)
        assert other != second + b"\n"
        assert pl.found_in(first + b"\n" + other + rest).damaged_from == 2


OTHER_FORMS = (
    *[("number", value) for value in (True, "2")],
    *[("date", text) for text in ("2026-02-30", "2026-3-14", "2026-03-14T", "9999-01-01")],
    *[("previous", digit * 32) for digit in ("zz", "AB")],
    ("recorded_utc", "2026-13-14T02:07:31Z"),
    *[("reaction_ms", 1.5), ("row", 1), ("hash", "00"), ("remark", None), ("more", 1)],
)


@cases(r"""
    values  words
    {"row": "99"}  'row "99" is not known; allowed 1, 1c, 1w, 2,'
    {"row": ""}  'row "" is not known' | {"row": "12a"}  'row "12a" is not known'
    {"row": "40"}  None | {"tester": ""}  "tester" | {"tester": 2 * " "}  "tester"
    {"tester": "a\nb"}  r'tester "a\nb"' | {"tester": "a\x1b[2J"}  "tester"
    {"tester": "x" * 201}  "tester" | {"tester": "x" * 200}  None | {"tester": "\udc80"}  "tester"
    {"tester": "J. M\u00fcller"}  r'tester "J. M\u00fcller"'
    {"remark": "a\tb"}  "remark" | {"remark": "\u202e"}  "remark" | {"remark": "x" * 201}  "remark"
    {"reaction_ms": -1}  "reaction -1 ms: allowed is 1 .. 3600000"
    {"reaction_ms": 0}  "reaction 0 ms: allowed is 1 .. 3600000" | {"reaction_ms": 1}  None
    {"reaction_ms": 0, "result": "failed"}  None
    {"reaction_ms": -1, "result": "failed"}  "reaction -1 ms"
    {"reaction_ms": 3_600_000}  None | {"reaction_ms": 3_600_001}  "reaction"
    {"result": "ok"}  "result"
""")
def test_arguments(tmp_path, values, words):
    if words is None:
        add(tmp_path, **values)
        assert pt.read(str(tmp_path)).lines == []
        return
    with pytest.raises(pt.LedgerError) as refused:
        add(tmp_path, **values)
    assert str(refused.value).startswith(words) and "\n" not in str(refused.value)
    assert not os.path.exists(pt.path_of(str(tmp_path)))


@cases("""
    second  clock  written  said
    1  "rtc"  "2026-03-14T02:07:32Z"  "rtc" | 0  "rtc"  "2026-03-14T02:07:31Z"  "rtc"
    -1  "rtc"  "2026-03-14T02:07:30Z"  pl.DOUBTFUL | -1  "ntp"  "2026-03-14T02:07:30Z"  "ntp"
    -1  "unknown"  "2026-03-14T02:07:30Z"  pl.DOUBTFUL
    5_484_664_348  "rtc"  "2199-12-31T23:59:59Z"  "rtc"
    5_484_664_349  "rtc"  "2026-03-14T02:07:31Z"  pl.DOUBTFUL
    5_484_664_349  "ntp"  "2026-03-14T02:07:31Z"  pl.DOUBTFUL
""")
def test_no_clock_prevents_a_record(tmp_path, second, clock, written, said):
    """A ledger with one record of a clock that was ahead refused a failed test for years."""
    add(tmp_path)
    record = add(tmp_path, now=(NOW_US + second * 1_000_000, clock), result=pl.FAILED)
    assert record[3:6] == (written[:10], written, said)
    is_ahead = said != pl.DOUBTFUL and written > WHEN[1]
    assert add(tmp_path, now=(NOW_US, "rtc")).clock == (pl.DOUBTFUL if is_ahead else "rtc")
    assert pt.read(str(tmp_path)).lines == []


def test_an_impossible_clock_records_no_impossible_day(tmp_path):
    now = (7_300_000_000_000_000, "rtc")
    with pytest.raises(pt.LedgerError, match="is in the future: it is 1970-01-01"):
        add(tmp_path, now=now, date="2200-05-01")
    assert pt.read(str(tmp_path)).lines == []


def test_an_impossible_clock_takes_the_first_record(tmp_path):
    record = add(tmp_path, now=(7_300_000_000_000_000, "rtc"))
    assert record[3:6] == ("1970-01-01", "1970-01-01T00:00:00Z", pl.DOUBTFUL)


def test_beside_an_empty_head_a_ledger_proves_nothing(three):
    (three.parent / pt.HEAD_FILE).write_text("")
    found = found_at(three)
    assert names(found)[-1] == pl.LOST and "an empty head file" in found.breaks[0]


@pytest.mark.parametrize("lines", [0, 1, 3], ids=["none", "the first line", "without the last"])
def test_a_ledger_that_is_older_than_its_head_lacks_records_for_ever(three, lines):
    head, folder = found_at(three).head, str(three.parent)
    assert (three.parent / pt.HEAD_FILE).read_text() == head
    whole = three.read_bytes().splitlines(keepends=True)
    if lines:
        three.write_bytes(b"".join(whole[:lines]))
    else:
        three.unlink()
    found, words = found_at(three), f"the ledger lacks record {head}: it was taken away, replaced"
    assert found.breaks[0].startswith(words) and found.damaged_from == lines + 1
    assert names(found)[lines:] == [pl.LOST] and found.newest == lines
    assert not pt.Ledger(folder).commission(NOW), "the cabinet was commissioned before"
    add(three.parent, "2")
    (three.parent / pt.HEAD_FILE).unlink()
    for times in (1, 2):
        found = found_at(three)
        assert names(found)[lines:] == [pl.LOST, *["2"] * times]
        assert found.breaks == (
            f"line {lines + 1}: record {lines + 1} does not follow the previous line: a record is "
            "missing or was changed",
        )
        add(three.parent, "2")


def test_a_damaged_head_is_a_record_that_is_missing(three):
    (three.parent / pt.HEAD_FILE).write_bytes(b"\xffx")
    assert names(found_at(three))[-1] == pl.LOST
    add(three.parent, "2")
    assert names(found_at(three))[-2:] == [pl.LOST, "2"] and len(found_at(three).breaks) == 1


def test_a_head_that_the_disk_refuses_is_no_failure_and_no_gap(three, monkeypatch):
    before = (three.parent / pt.HEAD_FILE).read_text()
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with monkeypatch.context() as patch:
        patch.setattr(pt.os, "replace", Mock(side_effect=full))
        add(three.parent, "2")
    assert (three.parent / pt.HEAD_FILE).read_text() == before and found_at(three).lines == []
    assert (three.parent / pt.HEAD_FILE).stat().st_mode & 0o777 == 0o640


@cases("""
    row  date  words
    "1"  "2026-03-09"  "is before the last test of row 1, of 2026-03-10" | "1"  "2026-03-10"  None
    "1"  "2026-03-11"  None | "2"  "2025-12-31"  None | "2"  "2026-03-14"  None
    "2"  "2026-03-15"  "is in the future" | "2"  "2026-3-1"  "a day is written 2026-03-14"
    "2"  "2026-02-30"  "a day is written" | "2"  "yesterday"  "a day is written"
    "2"  ""  "a day is written" | "2"  "2026-03-14T00"  "a day is written"
""")
def test_the_date_of_an_earlier_test(tmp_path, row, date, words):
    add(tmp_path, "1", date="2026-03-10")
    if words:
        with pytest.raises(pt.LedgerError, match=words):
            add(tmp_path, row, date=date)
    else:
        assert add(tmp_path, row, date=date)[3:5] == (date, "2026-03-14T02:07:31Z")


WRITER = f"""import sys
from controller.store import proof_tests as pt
for number in range(1, 21):
    pt.Ledger(sys.argv[1]).test(({NOW_US}, 'ntp'), sys.argv[2], 'A', number, 'passed')
"""


@pytest.mark.wire
def test_concurrent_processes_each_add_their_line(tmp_path):
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    running = [subprocess.Popen([*command, row], cwd=ROOT) for row in ("1", "2")]
    assert [process.wait(60) for process in running] == [0, 0]
    found = pt.read(str(tmp_path))
    assert found.lines == [] and [record.number for record in found.records] == list(range(1, 42))
    for row in ("1", "2"):
        reactions = [record.reaction_ms for record in found.records if record.row == row]
        assert reactions == list(range(1, 21))


HOLDER = (
    "import os, sys\nd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)\n"
    "os.lockf(d, os.F_LOCK, 0)\nprint('held', flush=True)\nsys.stdin.read()"
)


@pytest.mark.wire
def test_without_waiting_a_locked_ledger_is_an_error(tmp_path):
    command = [sys.executable, "-c", HOLDER, str(tmp_path / pt.LOCK_FILE)]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(BlockingIOError):
        pt.Ledger(str(tmp_path)).commission(NOW, waits=False)
    holder.communicate(b"", 60)
    assert pt.Ledger(str(tmp_path)).commission(NOW, waits=False)


@pytest.mark.parametrize("kind", (pl.TEST, pl.REPLACED))
def test_a_record_that_cannot_be_read_back_is_reported(kind, three, monkeypatch):
    """A record of a replacement was counted as written."""
    ledger = pt.Ledger(str(three.parent))
    monkeypatch.setattr(pl, "encode", lambda values, head: b"torn\n")
    with pytest.raises(pt.NotWrittenError, match="cannot be read back"):
        if kind == pl.TEST:
            add(three.parent)
        else:
            ledger.add(NOW, kind, "pcs_1", "J. Doe", "-")
