"""The rig's command in this process: refusals before the start, and runs in virtual time."""

import json
import os
import re
import signal
import subprocess
import sys

import pytest
from in_process import run

from controller.config import configuration
from controller.journal.ring import JournalError
from controller.sites import EXAMPLE, PYLONTECH
from hil import __main__ as cli
from hil.engine import rig_command, virtual_controller, virtual_run
from hil.results import audited
from hil.scenarios import scenario
from tests.repository import ROOT
from tests.tables import cases

VIRTUAL = ("rig", "--virtual", "--headless", "--plot", "")


def refused(capsys, *arguments):
    code, out, (line,) = run(capsys, "rig", *arguments)
    assert out == "" and line.startswith("rig: ")
    return code, line.removeprefix("rig: ")


def test_a_cabinet_without_a_source_for_the_planner_is_named(capsys):
    code, line = refused(capsys, "--with", "planner", "--cabinet", PYLONTECH)
    assert code == 2 and line.startswith(f"--with planner: {PYLONTECH} has no such source; add ")


@pytest.fixture
def trace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"{t},{100 + t},200\n" for t in range(0, 20, 2))
    (tmp_path / "load.csv").write_text("t_s,run01_kW,run02_kW\n" + rows)
    return str(tmp_path / "load.csv")


def scenario_file(folder, actions, expectations=""):
    path = folder / "made.toml"
    head = 'name = "made"\ntitle = "Made"\nduration_s = 6\n'
    path.write_text(f"{head}action = [{actions}]\nexpect = [{expectations}]\n")
    return str(path)


POD = str(ROOT / "hil/site/examples/two_cabinets_pv_genset.toml")
FILE = ("--load", "load.csv", "--column", "run01_kW")


def test_the_list_has_every_scenario_with_its_title(capsys):
    assert cli.main(["rig", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == scenario.names()
    assert "estop                Emergency stop, hardware chain intact" in lines


@cases("""arguments  words
    ("--scenario", "estpo")  "no scenario 'estpo', did you mean 'estop'; allowed: airflow"
    ("--for", "0")  "argument --for: 0: allowed is a number from 1 to 2678400"
    ("--for", "nan")  "allowed is a number from 1"
    ("--for", "soon")  "argument --for: soon: allowed"
    ("--scale", "0")  "argument --scale: 0: allowed is a number from 0.001 to 1000"
    ("--with", "planer")  "argument --with: invalid choice: 'planer', nearest 'planner'"
    ("--with", "planner", "--virtual")  "--with works only in real time: leave --virtual out"
    ("--with", "planner", "--cabinet", POD)  "takes no --with; allowed are"
    ("--seed", "1.5")  "allowed is a whole number from 0"
    ("--soc", "4.9")  "argument --soc: 4.9: allowed is a number from 5 to 95"
    ("--json", "/no/such/x.json")  "argument --json: /no/such: no such folder"
    ("--json", "/")  "argument --json: / is a folder"
    ("--json", "")  "argument --json: an empty name: cannot be written"
    ("--plot", "/proc/rig.html")  "argument --plot: /proc/rig.html: cannot be written"
    ("--plot", "x.pdf")  ".html, .png, .svg"
    ("--load", "/no/such.csv")  "/no/such.csv: cannot be read: No such file or directory"
    ("--column", "a")  "--column describes a file: it needs --load FILE"
    ("--raw",)  "--raw describes" | ("--fast",)  "unrecognized arguments: --fast"
    ("--run-dir", "new")  "leave --virtual out"
    (*FILE, "--scale", "90")  "run01_kW = '112': allowed is at most 111.111 kW with scale 90"
    FILE[:2]  "several power columns, choose with --column: run01_kW, run02_kW"
    (*FILE[:3], "run03_kW")  "column run03_kW: allowed are run01_kW, run02_kW"
    (*FILE, "--json", "load.csv")  "--json load.csv: --load names the same file; give each option"
    (*FILE, "--journal", "load.csv")  "--journal load.csv: --load names the same file"
    ("--json", "a.html", "--plot", "./a.html")  "--plot ./a.html: --json names the same file"
""")
def test_wrong_input_is_code_2_and_one_line(capsys, trace, tmp_path, arguments, words):
    code, line = refused(capsys, *arguments, "--virtual", "--headless")
    assert code == 2 and words in line
    assert os.listdir(tmp_path) == ["load.csv"]


def test_a_run_directory_is_new_or_empty_and_progress_needs_headless(capsys, trace, tmp_path):
    for path in (str(tmp_path), trace):
        code, line = refused(capsys, "--run-dir", path)
        assert code == 2 and "allowed is a new or an empty folder" in line
    assert refused(capsys, "--progress")[0] == 2


def test_no_command_writes_two_outputs_into_one_file(capsys, tmp_path):
    path = str(tmp_path / "same.png")
    assert cli.main(["rows", "--json", path, "--md", path]) == 2
    assert capsys.readouterr().err.startswith(f"rows: --md {path}: --json names the same file; ")


@pytest.mark.whole
def test_the_largest_load_runs(capsys, trace):
    """The voltage of the connection keeps its band behind a load 20 times the cabinet's size. A
    power that no connection has is no reading: the battery stays unused, and the page says what
    the connection carried.
    """
    assert cli.main([*VIRTUAL, *FILE, "--scale", "40", "--for", "40"]) == 0
    out = capsys.readouterr().out
    assert "trips      1\n" in out and "row 57a" in out and "overload " in out
    assert cli.main([*VIRTUAL, *FILE, "--scale", "84", "--for", "40"]) == 0
    out = capsys.readouterr().out
    assert "trips      none\n" in out and "measured   nothing" in out and "overload " in out
    assert "exceeded   limit of import, 450 kW, for 39" in out and "--scale 42" in out


@pytest.mark.whole
def test_a_reader_that_leaves_early_changes_nothing(tmp_path):
    """rig ... | head -1: the figures are written nevertheless."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "hil", *VIRTUAL, "--for", "2"]
    path = tmp_path / "a.json"
    with os.fdopen(writing, "wb") as pipe:
        done = subprocess.run([*command, "--json", path], stdout=pipe, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(path.read_text())["ticks"] == 100


def test_the_journal_from_before_a_kill_is_kept_and_named(capsys, tmp_path):
    path = str(tmp_path / "k.bin")
    killed = scenario_file(
        tmp_path, '{ at_s = 1, do = "controller_kill" }, { at_s = 2, do = "controller_start" }'
    )
    assert cli.main([*VIRTUAL, "--scenario", killed, "--journal", path]) == 0
    assert capsys.readouterr().out.endswith(f"written    {path}, {path}.previous\n")
    assert cli.main([*VIRTUAL, "--for", "2", "--journal", path]) == 0
    found = capsys.readouterr().out
    assert found.endswith(f"written    {path}\n"), "what is beside it now is of an earlier run"


def test_a_journal_without_room_is_code_3_and_one_line(capsys, monkeypatch, tmp_path):
    def full(path, *_, **__):
        raise JournalError(f"{path}: no room for 64 MB: No space left on device")

    monkeypatch.setattr(virtual_controller, "open_journal", full)
    code, line = refused(capsys, *VIRTUAL[1:], "--for", "2", "--journal", str(tmp_path / "j"))
    assert code == 3 and line.endswith("j: no room for 64 MB: No space left on device")


def test_a_run_of_a_file_in_virtual_time(capsys, trace):
    more = "--scale 0.5 --json out.json --audit 40".split()
    code = cli.main([*VIRTUAL, *FILE[:3], "run02_kW", *more])
    with open("out.json", encoding="ascii") as file:
        doc = json.load(file)
    assert code == 0 and doc["load"]["file"] == trace and doc["load"]["column"] == "run02_kW"
    assert (doc["ticks"], doc["measured_from_s"], doc["load_W_max"]) == (48 * 50, 30.0, 100_000.0)
    out = capsys.readouterr().out
    assert doc["speed"] > 0 and "written    out.json" in out
    assert "this run: 18.0 s at 20 ms, highest load 0.1 MW; judged as a site of 40 MW" in out
    words = {each["verdict"] for each in doc["audit"]["verdicts"]}
    assert words == {"met", "not judged", "does not apply"} and doc["audit"]["is_met"]


def test_a_bench_without_the_office_has_no_audit(capsys, monkeypatch):
    monkeypatch.setattr(audited, "is_installed", lambda: False)
    line = "--audit: install the package firebreak-office"
    assert refused(capsys, "--virtual", "--audit") == (2, line)


def test_a_scenario_on_a_screen_that_is_a_pipe_and_one_cut_short(capsys, tmp_path):
    expect = '{ what = "trip", stage = "1a", after = "estop_press", ms_max = 100 }'
    path = scenario_file(tmp_path, '{ at_s = 2, do = "estop_press" }', expect)
    assert cli.main(["rig", "--scenario", path, "--virtual", "--plot", ""]) == 0
    out = capsys.readouterr().out
    assert "tripped" in out and "met        row 1a trips" in out and "NOT MET" not in out
    assert cli.main([*VIRTUAL, "--scenario", path, "--for", "1"]) == 1
    assert "NOT MET" in capsys.readouterr().out


def test_an_interrupted_virtual_run_reports_its_part(capsys, monkeypatch, tmp_path):
    plain, steps = virtual_run.VirtualRig.step, []

    def step(self):
        steps.append(1)
        if len(steps) > 100:
            signal.raise_signal(signal.SIGTERM)
        plain(self)

    monkeypatch.setattr(virtual_run.VirtualRig, "step", step)
    assert cli.main([*VIRTUAL, "--json", str(tmp_path / "a.json")]) == 130
    line = capsys.readouterr().err
    assert re.fullmatch(r"rig: interrupted; all figures are of the first \S+ s\n", line)
    assert json.loads((tmp_path / "a.json").read_text())["interrupted"] is True
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_an_interruption_before_the_start_is_one_line(capsys, monkeypatch):
    def load(path):
        raise KeyboardInterrupt

    monkeypatch.setattr(rig_command.configuration, "load", load)
    assert refused(capsys, "--virtual") == (130, "interrupted, no result")


def test_the_order_of_a_run(trace):
    settings = configuration.load(EXAMPLE)
    estop = scenario.load("estop")
    made = [
        rig_command.order_of(cli.parser().parse_args(["rig", *more]), chosen, settings)
        for more, chosen in ((FILE, None), (("--soc", "70"), None), ((), estop))
    ]
    assert made[0]["file"] == trace, "the bench finds a relative file too"
    target = settings.control["soc_target_permille"] / 10
    assert [order["soc_pct"] for order in made] == [target, 70, estop.soc_pct]
