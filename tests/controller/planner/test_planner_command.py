"""`firebreak planner` as a command: one at a time, ends by a signal, refuses a wrong file."""

import os
import select
import signal
import subprocess
import sys

import pytest
from planner_bench import SITE

from controller.state import plan_file
from tests.tables import cases

pytestmark = pytest.mark.wire


def command(folder, text=SITE, **changed):
    (folder / "planner.toml").write_text(text)
    (folder / "run").mkdir(exist_ok=True)
    given = {"run": "run", "state": "books", "plan": "plan"} | changed
    words = [each for name, path in given.items() for each in (f"--{name}-dir", str(folder / path))]
    line = [sys.executable, "-m", "controller", "planner", str(folder / "planner.toml"), *words]
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_plans_nothing_without_quarters_says_so_and_ends_by_a_signal(tmp_path, number):
    process = command(tmp_path)
    first = process.stderr.readline()
    assert first.startswith("firebreak: planner waits: ") and "is firebreak-record running" in first
    path = tmp_path / "plan" / plan_file.FILE
    while not path.exists():
        select.select([process.stderr], (), (), 0.05)
    assert plan_file.read(str(path))["slots"] == []
    second = command(tmp_path)
    assert "another planner writes here" in second.communicate()[1] and second.returncode == 3
    process.send_signal(number)
    out, err = process.communicate()
    assert (process.returncode, out) == (0, "") and "Traceback" not in err
    assert os.listdir(tmp_path / "plan") == [plan_file.FILE]


@cases("""text  changed  code  words
    SITE.replace("zone", "zones")  {}  2  "planner.toml:site.zones: is not a known key"
    SITE  {"state": "planner.toml"}  3  "planner.toml: File exists"
    ""  {}  2  "planner.toml:site: is missing"
""")
def test_a_wrong_file_or_folder_is_one_line(tmp_path, text, changed, code, words):
    process = command(tmp_path, text, **changed)
    out, err = process.communicate()
    assert (process.returncode, out, len(err.splitlines())) == (code, "", 1), err
    assert words in err
