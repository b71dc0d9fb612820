"""The runner of the lab's commands: what is kept, what a failed case does, how a run goes on."""

import json
import os
import signal
import sys
import tempfile
from types import SimpleNamespace

import pytest

from controller.forms.refusal import ConfigError
from hil.__main__ import main
from hil.campaigns.nuisance import courses
from hil.campaigns.nuisance.command import Nuisance
from hil.runner import cases as runner_cases, evidence, executed
from hil.runner.cases import CaseError, Runner
from hil.runner.executed import Used
from hil.runner.options import WrongOptionError
from tests.tables import cases

FINE = {"trips": [], "is_running": True}
COURSES = "as built", "noise, 42 degC", "derated", "slow BMS"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Results that nobody asked to keep are kept here."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def run(monkeypatch, capsys):
    """`nuisance` whose courses do what do(condition) does: (exit code, stdout, stderr)."""

    def made(do, *options):
        monkeypatch.setattr(courses, "run", lambda course: do(course.condition) or FINE)
        return main(
            ["trials", "nuisance", "--processes", "1", *map(str, options)]
        ), *capsys.readouterr()

    return made


def runner(**given):
    usual = {"program": "x", "processes": 2, "resume": None, "dask": None}
    return Runner(SimpleNamespace(**usual | given))


def test_results_come_in_the_order_of_the_cases_and_leave_no_file(folder, capsys):
    with runner() as played:
        found = played.play([3, 1, 2], lambda case: (case, 2 * case), lambda each: f"{each[1]}")
    assert found == [[3, 6], [1, 2], [2, 4]], "plain data, as JSON gives it back"
    assert sorted(capsys.readouterr().out.split()) == ["2", "4", "6"]
    assert list(folder.iterdir()) == []


def test_cases_of_one_name_are_kept_apart():
    with runner() as played:
        assert played.play([1, 2, 3], lambda case: case, name=lambda case: "x") == [1, 2, 3]


def killed(condition):
    if condition == "derated":
        os.kill(os.getpid(), signal.SIGKILL)


def mistaken(condition):
    return {"derated": 1 / 0}[condition] if condition == "derated" else None


def refused(condition):
    if condition == "derated":
        raise ConfigError("cabinet.toml: no such key")


@cases("""do words
    killed  "its process was killed" | mistaken  "a mistake of this program (ZeroDivisionError)"
    refused  "cabinet.toml: no such key" """)
def test_a_failed_case_is_one_line_and_the_run_goes_on_with_it_alone(run, folder, do, words):
    code, out, err = run(do)
    (file,) = folder.iterdir()
    assert (code, out.count("training job")) == (3, 3), "the others ran"
    kept = f"3 results are kept: go on with --resume {file}\n"
    assert err == f"trials nuisance: derated: training job: no result: {words}; {kept}"
    played = folder / "played"
    code, out, _ = run(
        lambda condition: played.open("a").write(condition) and None, "--resume", file
    )
    assert (code, played.read_text()) == (0, "derated")
    assert out.count("training job") == 4 and "verdict    4 of 4 cases ran on" in out
    assert run(killed, "--resume", file)[0] == 0, "all is there"


def test_an_interrupted_run_says_how_to_go_on(run, folder, monkeypatch):
    def line(_, course):
        if course["condition"] == "derated":
            raise KeyboardInterrupt
        return ""

    monkeypatch.setattr(Nuisance, "line", line)
    code, _, err = run(lambda condition: None)
    (file,) = folder.iterdir()
    kept = f"3 results are kept: go on with --resume {file}\n"
    assert (code, err) == (130, f"trials nuisance: interrupted, no result; {kept}")


def test_a_torn_last_line_is_played_again(folder):
    file = folder / "kept.jsonl"
    with runner(resume=str(file)) as played:
        played.play([1, 2], lambda case: case)
    text = file.read_text()
    file.write_text(text[:-3])
    done = []
    with runner(resume=str(file)) as played:
        assert sorted(played.play([1, 2], lambda case: case, done.append)) == [1, 2]
    assert file.read_text() == text and len(done) == 2


FOREIGN = (
    b"[1]\n",
    b"{}\n",
    b"not JSON\n",
    b"notes of somebody",
    b'{"a": 1}',
    b"\xff\xfe\x00\n",
    b'{"case": "x", "result": 1}\n',
    b'{"order": {}}\n{"case": ["x"], "result": 1}\n',
)


@pytest.mark.parametrize("content", FOREIGN)
def test_a_file_of_somebody_else_is_refused_and_left_as_it_is(run, folder, content):
    file = folder / "notes"
    file.write_bytes(content)
    code, _, err = run(lambda condition: None, "--resume", file)
    words = "allowed is a new file, or one that --resume has written"
    assert (code, err) == (2, f"trials nuisance: --resume {file}: {words}\n")
    assert file.read_bytes() == content


def test_a_run_of_other_options_names_them(folder):
    given = {"resume": str(folder / "kept.jsonl"), "robust": True, "peak": None, "only": ["a", "b"]}
    runner(**given).__exit__(None, None, None)
    with pytest.raises(WrongOptionError, match="or the options program x, robust, only a b$"):
        runner(**given | {"robust": False})


def test_a_torn_first_line_begins_the_run_anew(folder):
    file = folder / "kept.jsonl"
    file.write_text('{"order": {"prog')
    runner(resume=str(file)).__exit__(None, None, None)
    assert file.read_text() == '{"order": {"program": "x"}}\n'


def test_a_full_disk_is_one_line_with_the_file(run):
    code, _, err = run(lambda condition: None, "--json", "/dev/full")
    assert (code, err) == (3, "trials nuisance: /dev/full: cannot be written, the disk is full\n")


def test_the_same_options_go_on_whatever_they_write(run, folder):
    file, written = folder / "kept.jsonl", folder / "out.json"
    assert run(lambda condition: None, "--resume", file)[0] == 0
    options = "--resume", file, "--json", written, "--processes", "2"
    assert run(killed, *options)[0] == 0 and len(json.loads(written.read_text())["courses"]) == 4
    code, _, err = run(killed, "--seed", "2", "--resume", file)
    assert code == 2 and "was begun with other options" in err


@pytest.fixture
def watched(monkeypatch, folder):
    """A process that watches what it executes; `digest` stands for its code and data."""
    code = SimpleNamespace(digest="one")
    monkeypatch.setattr(executed._watch, "has_begun", True)
    monkeypatch.setattr(executed._watch, "used", Used({"hil": {"b", "a"}}, {"/x/a.csv"}))
    monkeypatch.setattr(executed._watch, "sources", {})
    monkeypatch.setattr(evidence, "digest", lambda used: code.digest)
    monkeypatch.setattr(evidence, "CACHE", str(folder))
    return code


def test_a_finished_run_keeps_its_results_for_the_next_one(watched, folder, capsys):
    def play(names, work, **given):
        seen = []
        with runner(**given) as played:
            played.play(names, work, lambda result: seen.append(result) or None)
        words = capsys.readouterr().err.splitlines()[0]
        return sorted(seen), words, [each.get("digest") for each in played.evidence]

    def never(case):
        raise AssertionError(case)

    assert play([1, 2], str) == (
        ["1", "2"],
        "x: 0 of 2 results are still valid, 2 to play",
        ["one"] * 2,
    )
    assert play([2, 1], never)[:2] == (["1", "2"], "x: 2 of 2 results are still valid, 0 to play")
    assert play([1, 3], str)[1] == "x: 1 of 2 results are still valid, 1 to play"
    watched.digest = "two"
    assert play([1, 2], str)[1:] == ("x: 0 of 2 results are still valid, 2 to play", ["two"] * 2)
    watched.digest = "one"
    assert play([3], str)[1] == "x: 0 of 1 results are still valid, 1 to play", "it was stale once"
    file = next(iter((folder / "firebreak/results").glob("firebreak-x-*.jsonl")))
    for text in ("notes\n", '{"order": {}}\n', '{"case": "3", "result": 1}\n', "\xff"):
        file.write_text(text, encoding="latin-1")
        assert play([3], str)[1].startswith("x: 0 of 1")
    assert play([3], repr, seed=2)[1] == "x: 0 of 1 results are still valid, 1 to play"


def test_without_a_cache_the_results_last_until_the_run_is_over(watched, folder, monkeypatch):
    (folder / "file").write_text("")
    monkeypatch.setattr(evidence, "CACHE", str(folder / "file"))
    with runner() as played:
        assert played.play([1], str) == ["1"]
    assert [path.name for path in folder.iterdir()] == ["file"]


def test_of_many_orders_the_oldest_go(watched, folder):
    place = folder / "firebreak/results"
    place.mkdir(parents=True)
    for number in range(60):
        path = place / f"firebreak-x-{number}.jsonl"
        path.write_text("")
        os.utime(path, (number, number))
    with runner() as played:
        played.play([1], str)
    left = {path.name for path in place.glob("*.jsonl")}
    assert {f"firebreak-x-{number}.jsonl" for number in range(20, 60)} < left and len(left) == 41


def test_files_of_one_name_in_two_folders_are_two_orders(watched, folder, monkeypatch, capsys):
    for name in ("a", "b"):
        (folder / name).mkdir()
        monkeypatch.chdir(folder / name)
        with runner(load="load.csv") as played:
            played.play([1], str)
        assert capsys.readouterr().err == "x: 0 of 1 results are still valid, 1 to play\n"


def test_a_case_that_starts_another_program_keeps_no_result_for_the_next_run(watched, capsys):
    def starts(case):
        executed._audit("subprocess.Popen", ("true",))
        return case

    for _ in range(2):
        with runner() as played:
            assert played.play([1], starts) == [1]
        assert played.evidence == [{}]
        assert capsys.readouterr().err == "x: 0 of 1 results are still valid, 1 to play\n"


def test_a_case_that_prints_is_always_played(watched, capsys):
    for _ in range(2):
        with runner() as played:
            played.play([1], print, engine=runner_cases.in_turn)
        assert capsys.readouterr() == ("1\n", "")


def test_a_resumed_file_is_played_again_where_the_code_has_changed(watched, folder, capsys):
    file = str(folder / "kept.jsonl")
    for digest in ("one", "two"):
        watched.digest = digest
        done = []
        with runner(resume=file) as played:
            played.play([1, 2], lambda case: f"{case} {digest}", done.append)
        assert sorted(done) == [f"1 {digest}", f"2 {digest}"]
    with runner(resume=file) as played:
        assert played.play([1, 2], lambda case: 1 / 0) == ["1 two", "2 two"]


class Future:
    def __init__(self, work, case):
        self.status, self._error = "finished", None
        try:
            self._value = work(case)
        except (ConfigError, OSError) as error:
            self.status, self._error = "error", error

    def result(self):
        return self._value

    def exception(self):
        return self._error


class Client:
    def __init__(self, address, **_):
        if "nobody" in address:
            raise OSError("Timed out trying to connect to nobody after 10 s")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def submit(self, work, case, pure):
        assert not pure
        return Future(work, case)


@pytest.fixture
def dask(monkeypatch):
    def wait(futures, timeout_s, when):
        return SimpleNamespace(done=set(futures))

    module = SimpleNamespace(Client=Client, wait=wait)
    monkeypatch.setitem(sys.modules, "distributed", module)


def test_dask_takes_the_same_cases(dask, run):
    with runner(dask="tcp://a:1") as played:
        assert played.play([3, 1, 2], lambda case: 2 * case) == [6, 2, 4]
    code, out, _ = run(lambda condition: None, "--dask", "tcp://a:1")
    assert code == 0 and "verdict    4 of 4 cases ran on" in out
    code, _, err = run(refused, "--dask", "tcp://a:1")
    assert code == 3 and err.startswith(
        "trials nuisance: derated: training job: no result: cabinet.toml: "
    )


def test_a_worker_of_dask_that_ended_is_named(dask):
    class KilledWorker(OSError):
        __module__ = "distributed.scheduler"

    def work(case):
        raise KilledWorker

    with pytest.raises(CaseError, match="^1: no result: its process was killed, and 1 more; "):
        runner(dask="tcp://a:1").play([1, 2], work)


def test_a_scheduler_that_does_not_answer_is_one_line(dask, run):
    code, _, err = run(killed, "--dask", "tcp://nobody:1")
    words = "trials nuisance: --dask tcp://nobody:1: no scheduler answers; allowed is an address "
    assert code == 2 and err.startswith(words) and len(err.splitlines()) == 1


def test_a_machine_without_dask_is_one_line(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    code, _, err = run(killed, "--dask", "tcp://a:1")
    words = "--dask: needs a package that is not here: .venv/bin/pip install distributed"
    assert (code, err) == (2, f"trials nuisance: {words}\n")


def test_in_a_pipe_a_long_run_says_each_half_minute_how_far_it_is(monkeypatch, capsys):
    """Four cases of 20 s each: after 40 s the first line, 20 s later none."""
    seconds = iter(range(0, 1000, 20))
    monkeypatch.setattr(runner_cases.forks, "wall_s", lambda: next(seconds))

    def in_turn(found, work, workers):
        yield from enumerate(map(work, found))

    with runner() as played:
        played.play([1, 2, 3, 4], lambda case: case, engine=in_turn)
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["x: 2 of 4 cases, about 1 min left", "x: 4 of 4 cases, about 0 min left"]
