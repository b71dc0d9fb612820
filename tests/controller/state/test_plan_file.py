"""plan.json: whole, or refused in one line."""

import json
import os
import stat

import pytest
from plan_cases import NOW_S, plan
from series_files import FOREIGN

from controller.state import plan_file
from tests.tables import table

DEEP = "[" * 100_000
WRONG = """
version | 2 | version: 2 is not allowed; allowed 1
at | "2026-11-26T13:00:02" | at: "2026-11-26T13:00:02" is not allowed; allowed a time with
made_at | 5 | made_at: 5 is not allowed; allowed a time with an offset
next_at | None | next_at: null is not allowed
habit | "greedy" | habit: "greedy" is not allowed; allowed one of holds_cap, trades
cap_W | True | cap_W: true is not allowed; allowed a number -1e+09..1e+09, or null
cap_W | 1e10 | cap_W: 10000000000.0 is not allowed
stored_Wh | float("nan") | stored_Wh: NaN is not allowed
full_Wh | -1 | full_Wh: -1 is not allowed
zone | "a\\x1b[2J" | zone: "a\\u001b[2J" is not allowed
waits | ["a"] * 33 | waits: ["a", "a"
waits | [["a"]] | waits: [["a"]] is not allowed
sent | [1] | sent: [1] is not allowed
sent | {"at": 1} | sent.at: 1 is not allowed
slots | [1] | slots: [1] is not allowed
slots | [{}] | slots.1.at: is missing
slots | [dict(plan()["slots"][0], load_W="5")] | slots.1.load_W: "5" is not allowed
slots | plan()["slots"] * 97 | slots: has 194 entries; allowed at most 192
actual | plan()["actual"] * 97 | actual: has 97 entries; allowed at most 96
month | None | month: null is not allowed
month | dict(plan()["month"], shadows=[[]]) | month.shadows: [[]] is not allowed
more | 1 | more: is not a known key
"""


def written(tmp_path, data):
    path = tmp_path / "plan.json"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return str(path)


def refused(path):
    with pytest.raises(plan_file.PlanFileError) as found:
        plan_file.read(path)
    line = str(found.value)
    assert line.startswith(f"{path}:") and line.isprintable() and len(line) < 400
    assert not [word for word in FOREIGN if word in line], line
    return line[len(path) + 1 :]


def test_what_is_written_is_read_by_everybody(tmp_path):
    path = str(tmp_path / "plan.json")
    for content in (plan(), plan(sent=None, made_at=None, habit=None, cap_W=None, slots=[])):
        plan_file.written(path, content)
        assert plan_file.read(path) == content
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o644 and os.listdir(tmp_path) == [
            "plan.json"
        ]


@pytest.mark.parametrize("line", WRONG.strip().splitlines())
def test_a_wrong_field_is_one_line(tmp_path, line):
    key, value, words = line.split(" | ")
    path = written(tmp_path, json.dumps(plan(**{key: eval(value)})))
    assert refused(path).startswith(words)


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b"\xff\xfe", b"{", DEEP.encode(), b" " * (1 << 20), b"9" * 5000]
)
def test_a_foreign_file_is_one_line(tmp_path, data):
    refused(written(tmp_path, data))


def test_a_pipe_a_folder_and_none_wait_for_nobody(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    refused(str(tmp_path / "pipe"))
    refused(str(tmp_path))
    with pytest.raises(FileNotFoundError):
        plan_file.read(str(tmp_path / "none"))


def test_a_wrong_plan_is_never_written(tmp_path):
    path = str(tmp_path / "plan.json")
    plan_file.written(path, plan())
    with pytest.raises(ValueError):
        plan_file.written(path, plan(cap_W=float("inf")))
    assert plan_file.read(path) == plan()


def test_a_plan_is_old_after_two_hours_and_before_its_time():
    ages = table("0 | False ; 7200 | False ; 7201 | True ; -300 | False ; -301 | True")
    for age_s, is_old in ages:
        assert plan_file.is_old(plan(), NOW_S + age_s) is is_old
