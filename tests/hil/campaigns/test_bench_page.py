"""The page of benchmarks, made of the committed results; refusals."""

import inspect
import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from in_process import refused, run

from controller.journal.ring import JournalError
from hil import __main__ as cli
from hil.campaigns.benchmarks import command, document, page, rig

FOLDER = Path(command.__file__).parent / "results"
RESULTS = sorted(FOLDER.glob("*.json"))
BYTES_MAX = 20_000  # of a committed result


def test_the_page_is_made_from_the_committed_results(capsys):
    code, out, err = run(capsys, "bench page")
    assert (code, err) == (0, [])
    assert run(capsys, "bench page", *RESULTS) == (0, out, [])
    sections = re.findall(r"^## (\w+): `python -m hil", out, re.MULTILINE)
    assert sorted(sections) == [path.stem for path in RESULTS]
    figures = [each for path in RESULTS for each in document.read(str(path))["figures"]]
    assert len(figures) > 100
    assert all(f"| {each['what']} |" in out for each in figures)


def test_every_benchmark_has_a_committed_result_of_a_readable_size():
    assert {path.stem for path in RESULTS} == {*command.BENCHMARKS, "mcu"}
    for path in RESULTS:
        assert document.read(str(path))["benchmark"] == path.stem
        assert path.stat().st_size <= BYTES_MAX, path


def found(*figures):
    return document.Measured(list(figures), [], {}, "fifo")


def doc(benchmark, *figures, **changes):
    command = f"python -m hil bench {benchmark}"
    return document.document(benchmark, command, found(*figures)) | changes


def test_sections_come_in_a_fixed_order_and_name_what_is_missing():
    slow = document.figure("one rack", 123.4, "us", budget="step_1")
    docs = [doc("unknown"), doc("stop", beside="a build"), doc("step", slow)]
    text = page.page(docs)
    assert text == page.page(docs[::-1])
    assert text.index("## step") < text.index("## stop") < text.index("## unknown")
    assert text.count("Beside it ran: not said.") == 2 and "Beside it ran: a build." in text
    assert "| one rack | <= 0.1 ms | 123 us | - | NOT met |" in text
    assert text.count("| - | - | not among these results |") > 5


def test_the_page_refuses_a_file_without_results(capsys, tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({"schema": 1}))
    assert "a.json" in refused(capsys, "bench page", tmp_path / "a.json")


def test_a_measurement_prints_and_writes_the_same(capsys, tmp_path):
    for value, code in ((99.0, 0), (101.0, 1)):
        figure = document.figure("one rack", value, "us", budget="step_1")
        given = SimpleNamespace(json=str(tmp_path / "a.json"), beside="a build")
        assert command.measure("step", given, lambda: found(figure)) == code
        assert f"one rack: {value:.0f} us" in capsys.readouterr().out
        written = document.read(given.json)
        assert written | {"measured": ""} == doc("step", figure, beside="a build", measured="")


def test_an_impossible_measurement_is_one_line(capsys):
    for error, code in ((RuntimeError("x"), 3), (ValueError("y"), 3), (JournalError("z"), 2)):
        assert command.measure("step", None, Mock(side_effect=error)) == code
        assert capsys.readouterr() == ("", f"bench: {error}\n")


SECONDS = {
    "loop": (300.0, 10.0),
    "rig": (3600.0, 60.0),
    "pod": (300.0, 30.0),
    "doors": (300.0, 10.0),
    "fleet": (60.0, 10.0),
}


@pytest.mark.parametrize("short", [False, True])
def test_all_runs_each_benchmark_as_its_own_command(short):
    for name in command.BENCHMARKS:
        argv = command.command_of(name, "a.json", "a build", short)
        assert argv[:3] == [sys.executable, "-m", "hil"]
        given = vars(cli.parser().parse_args(argv[3:]))
        assert (given["json"], given["beside"]) == ("a.json", "a build")
        assert given.get("seconds") == (SECONDS[name][short] if name in SECONDS else None)
        counts = (200, 3) if name in ("stop", "hint", "path") else (None, None)
        assert given.get("count") == counts[short]


def test_all_goes_on_with_what_was_measured_before(monkeypatch, tmp_path, capsys):
    asked, codes = [], {"step": 0, "loop": 1, "rtu": KeyboardInterrupt, "stop": 3}

    def run(argv):
        asked.append(argv[4])
        if codes.get(argv[4]) is KeyboardInterrupt:
            raise KeyboardInterrupt
        document.write(argv[argv.index("--json") + 1], doc(argv[4]))
        return SimpleNamespace(returncode=codes.get(argv[4], 0))

    monkeypatch.setattr(command.subprocess, "run", run)
    given = ["bench", "all", "--json", str(tmp_path), "--resume", str(tmp_path / "kept")]
    assert cli.main(given) == 130 and asked == ["step", "loop", "rtu"]
    assert "2 results are kept: go on with --resume" in capsys.readouterr().err
    codes["rtu"] = 0
    assert cli.main(given) == 3 and asked[3:] == list(command.BENCHMARKS)[2:]
    sections = re.findall("^## ([a-z]+):", (tmp_path / command.PAGE).read_text(), re.M)
    assert set(sections) == {*command.BENCHMARKS} - {"stop"}, "what was not measured has none"


def test_a_benchmark_is_given_its_own_options(monkeypatch, tmp_path):
    run, path = Mock(side_effect=lambda seconds, seed: found()), tmp_path / "a.json"
    monkeypatch.setattr(rig, "run", run)
    run.__signature__ = inspect.signature(lambda seconds, seed: None)
    assert cli.main(["bench", "rig", "--for", "5", "--seed", "7", "--json", str(path)]) == 0
    run.assert_called_once_with(seconds=5.0, seed=7)
    assert document.read(path)["command"] == "python -m hil bench rig --for 5"
