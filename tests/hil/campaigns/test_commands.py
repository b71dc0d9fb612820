"""Shared by all campaigns: wrong words in one line, checks, tables, processes beside a rig."""

import json
import re
import subprocess
import threading
from unittest.mock import Mock, call

import pytest
from in_process import refused, run

from controller.journal.ring import JournalError
from controller.sites import FOLDER
from hil.__main__ import RENAMED, main, parser
from hil.campaigns import course, process
from hil.campaigns.trials import TRIALS
from hil.engine.rig import RigError
from hil.runner import report

# command and options; the message
REFUSED = """
chaos --only nobody: argument --only: invalid choice: 'nobody'
chaos --seed -1: argument --seed: -1: allowed is a whole number from 0 to 2147483647
chaos --for inf: argument --for: inf: allowed is a number from 0.5 to 3600
chaos --calm 0: argument --calm: 0: allowed is a number from 0.5 to 3600
chaos --json /nowhere/o.json: argument --json: /nowhere: no such folder
trials hint-attack --count 0: argument --count: 0: allowed is a whole number from 1 to 10000000
trials hint-attack --seed 2147483648: argument --seed: 2147483648: allowed is a whole number from
mcu --count 0: argument --count: 0: allowed is a whole number from 1 to 1000
mcu --tick 30: argument --tick: invalid choice: '30'
mcu --json /: argument --json: / is a folder; allowed is a file
rows --only 99: argument --only: no case '99'; allowed: 1a
rows --only 1a,12stoped: argument --only: no case '12stoped', did you mean 12 stopped; allowed:
rows --jobs 0: argument --jobs: 0: allowed is a whole number from 1 to 64
rows --md /proc/rows.md: argument --md: /proc/rows.md: cannot be written
rows --real --only 44a: --real: 44a is not done in real processes: inside the controller: a bit of
rows --real --disarmed: --real: in real processes every required stage is armed; leave
rows --real --measured --only 1a: --measured: its figures are of virtual time; leave
rows --disarmed --measured --only 1a: --measured: its figures are of virtual time; leave
rows --cabinet nowhere: nowhere: cannot be read
rows --cabinet SITES/fast/cabinet.toml --real: --cabinet: --real and --measured are of the example
rows --cabinet SITES/pylontech/cabinet.toml: --cabinet: SITES/pylontech/cabinet.toml has no bms_2,
rows --disarmed: --disarmed: allowed are stages; 1 stopped, 12 stopped, 30 stopped, 44 stopped: the
trials runaway --json nowhere/a.json: argument --json: nowhere: no such folder
trials runaway --loads nowhere: argument --loads: nowhere: no such folder
trials runaway --runaways 1.5: argument --runaways: 1.5: allowed is a whole number from 0 to 10000
trials runaway --processes 0: argument --processes: 0: allowed is a whole number from 1 to 256
trials nuisance --hours 0: argument --hours: 0: allowed is a number from 0.01 to 24
trials runaway --days 0: argument --days: 0: allowed is a number from 0.01 to 1000
bench loop --for nan: argument --for: nan: allowed is a number from 1 to 604800
bench lop: argument WHAT: invalid choice: 'lop', nearest 'loop'
bench stop --count x: argument --count: x: allowed is a whole number from 1 to 10000
bench tick --cabinet nowhere: nowhere: cannot be read
bench step --json /nowhere/a.json: argument --json: /nowhere: no such folder
bench all: the following arguments are required: --json
vm-test now: unrecognized arguments: now
vm-test --json /nowhere/at/all.json: argument --json: /nowhere/at
trials runaway --loads /sys: --loads /sys: has none of gpt3_512xh100_2s.csv.gz, lora_512xh100_2s.csv
trials nuisance --loads /sys: --loads /sys: has no .csv or .csv.gz with a power column
smooth --delays 170,180: argument --delays: 180: allowed are 50, 55, 60, 100, 100f, 170, 250, 500
smooth largest --meter roof: argument --meter: invalid choice: 'roof'
smooth largest --spectra: unrecognized arguments: --spectra
trials: the following arguments are required: NAME
trials nobody: argument NAME: invalid choice: 'nobody'
keys nobody: argument WHAT: invalid choice: 'nobody'
long speeds --rounds 0: argument --rounds: 0: allowed is a whole number from 1 to 100
smooth --spectra-seeds 0: argument --spectra-seeds: 0: allowed is a whole number from 1 to 1000
run all --battery-kW 9: --battery-kW: needs one system, not all
run munich --pv-kW 9: --pv-kW: Munich: load tracking of a training cluster has no PV
run berlin --battery-kW 5: --battery-kW 5: allowed are 134 to 7830 for Berlin
run berlin --battery-kWh 90000: --battery-kWh 90000: allowed are 18 to 18000 for Berlin
run berlin --battery-kWh nan: argument --battery-kWh: nan: allowed is a number from 1 to
"""
WITH_STOPPED = ["--only", "1 stopped,12 stopped,30 stopped,44 stopped"]


def test_each_command_shows_its_help(capsys):
    names = re.findall(r"^    ([a-z-]+)", parser().format_help(), re.M)
    assert {"rig", "trials"} <= set(names) and len(names) <= 16
    for name in [*names, *RENAMED_TO]:
        with pytest.raises(SystemExit, match="0"):
            main([*name.split(), "--help"])
        assert capsys.readouterr().out.startswith(f"usage: python -m hil {name} ")


RENAMED_TO = [f"trials {name}" for name in TRIALS]
RENAMED_TO += ["smooth largest", "long speeds", "keys covers"]


def test_an_old_name_answers_with_the_new_one(capsys):
    for name, new in RENAMED.items():
        assert refused(capsys, f"{name} --count 1") == f"{name}: is now `python -m hil {new}`"
        assert new.split("`")[0] in RENAMED_TO


@pytest.mark.parametrize("line", REFUSED.strip().splitlines())
def test_wrong_words_are_one_line(line, capsys):
    given, _, words = line.replace("SITES", str(FOLDER)).partition(": ")
    more = WITH_STOPPED if given == "rows --disarmed" else []
    code, out, (told,) = run(capsys, given, *more)
    assert (code, out) == (2, "")
    name, _, found = told.partition(": ")
    assert given.split()[: len(name.split())] == name.split() and found.startswith(words)


def test_no_command_at_all_is_headed_with_the_program(capsys):
    assert refused(capsys, "") == "hil: the following arguments are required: COMMAND"


def test_every_check_is_a_line_and_a_row():
    lines = []
    checks = report.Checks(lines.append)
    assert checks.check("good", lambda: "found", ()) and checks.ok
    bad = {"no such thing": report.CheckError("no such thing"), "gone": RigError("gone")}
    bad["KeyError: 'x'"] = KeyError("x")
    for words, error in bad.items():
        assert not checks.check(words, Mock(side_effect=error), (RigError, LookupError))
    with pytest.raises(OSError):
        checks.check("another", Mock(side_effect=OSError()), (RigError,))
    assert [line.split()[0] for line in lines] == ["ok"] + 3 * ["FAILED"] and not checks.ok
    document = checks.document()
    assert not document["ok"] and document["seconds"] >= 0
    found = [(row["name"], row["ok"], row["detail"]) for row in document["checks"]]
    assert found == [("good", True, "found"), *[(words, False, words) for words in bad]]


def test_a_file_is_written_where_one_is_asked_for(tmp_path, capsys):
    report.write_json(None, {"a": 1})
    report.write_json(tmp_path / "a.json", {"a": 1})
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": 1}
    assert capsys.readouterr().err == f"written    {tmp_path / 'a.json'}\n"
    assert report.table(("a", "b"), [("1", "2")]) == ["| a | b |", "|---|---|", "| 1 | 2 |"]


class Rig:
    def __init__(self, ends_early=False):
        self.told, self.ends_early = threading.Event(), ends_early

    def send(self, message):
        assert message == {"what": "finish"}
        self.told.set()

    def run(self, see):
        if self.ends_early:
            raise RigError("the controller has ended")
        assert self.told.wait(30)


class Course(course.Course):
    def __init__(self, rig, play):
        super().__init__(rig)
        self._play = lambda: play(self)


@pytest.mark.parametrize("error", [None, OSError("x"), RigError("y"), JournalError("z")])
def test_a_course_that_ends_lets_the_rig_finish(error):
    def play(played):
        played.wait(0)
        if error:
            raise error

    played = Course(Rig(), play)
    played.beside(None)
    assert played.error is error


def test_a_rig_that_ends_early_ends_its_course():
    played = Course(Rig(ends_early=True), lambda played: played.wait(30))
    with pytest.raises(RigError, match="the controller has ended"):
        played.beside(None)
    assert played.error is None and not played.rig.told.is_set()


@pytest.mark.parametrize("error", [None, OSError("full")])
def test_background_work_repeats_until_the_end_or_an_error(error):
    events, turned = [], threading.Event()

    def turns():
        try:
            events.append("begin")
            yield {"sent": 1}, 0
            turned.set()
            if error:
                raise error
            yield {"sent": 2}, 30
        finally:
            events.append("finish")

    with course.Background(turns()) as made:
        assert turned.wait(30) and events[0] == "begin" and made.counts["sent"] >= 1
    assert events == ["begin", "finish"] and made.error is error
    assert made.counts == {"sent": 1 if error else 3}


@pytest.mark.wire
def test_a_process_is_ended_in_order_or_by_force():
    polite = process.module("timeit", "-n1", "-r1", "while True: pass")
    assert process.end(polite) == -15
    deaf = Mock()
    deaf.wait.side_effect = [subprocess.TimeoutExpired("deaf", 1.5), -9]
    assert process.wait(deaf, 1.5) == -9
    assert deaf.mock_calls == [call.wait(1.5), call.kill(), call.wait()]
