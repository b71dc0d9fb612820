"""The page of benchmarks is what its command makes of the committed results, and the commands
refuse what is wrong.
"""

import json
import sys
from pathlib import Path

import pytest

from hil import __main__ as cli
from hil.campaigns.benchmarks import budgets, command, document, page
from tests.repository import ROOT

FOLDER = Path(command.__file__).parent / "results"
RESULTS = sorted(FOLDER.glob("*.json"))
PAGE = FOLDER / command.PAGE
BYTES_MAX = 20_000  # of a committed result


def run(capsys, *argv):
    """(exit code, stdout, lines on stderr)."""
    try:
        code = cli.main([str(each) for each in argv])
    except SystemExit as leaving:  # argparse
        code = leaving.code
    said = capsys.readouterr()
    return code, said.out, said.err.splitlines()


# -- what is committed


def test_the_page_is_made_from_the_committed_results(capsys):
    code, out, err = run(capsys, "bench", "page", *RESULTS)
    assert (code, err) == (0, [])
    assert out == PAGE.read_text(encoding="ascii"), (
        "cd hil/campaigns/benchmarks/results; python -m hil bench page *.json > BENCHMARKS.md"
    )


def test_every_benchmark_has_a_committed_result_of_a_readable_size():
    assert {path.stem for path in RESULTS} == {*command.BENCHMARKS, "mcu"}
    for path in RESULTS:
        assert document.read(str(path))["benchmark"] == path.stem
        assert path.stat().st_size <= BYTES_MAX, path


def test_the_readme_points_to_the_page():
    assert "hil/campaigns/benchmarks/results/BENCHMARKS.md" in (ROOT / "README.md").read_text(
        encoding="utf-8"
    )


# -- the page


def doc(benchmark, *figures, **changes):
    return document.document(benchmark, f"python -m hil bench {benchmark}", figures) | changes


def test_every_budget_is_on_the_page_with_its_figure_or_the_reason():
    text = page.page([doc("step", document.figure("one rack", 123.4, "us", budget="step_1"))])
    table = text.partition("## The budgets")[2].partition("##")[0]
    for key, budget in budgets.BUDGETS.items():
        row = next(
            line
            for line in table.splitlines()
            if budget.text in line and (budget.what in line or key == "step_1")
        )
        assert ("| 123 us | - | NOT met |" if key == "step_1" else budget.without) in row


def test_sections_come_in_a_fixed_order_whatever_the_order_of_files():
    docs = [doc("unknown"), doc("stop"), doc("step")]
    text = page.page(docs)
    assert text == page.page(docs[::-1])
    assert text.index("## step") < text.index("## stop") < text.index("## unknown")


def test_a_section_names_the_machine_and_what_ran_beside_it():
    quiet = page.page([doc("step")])
    busy = page.page([doc("step", beside="a build")])
    about = doc("step")["machine"]
    for part in ("cpu", "kernel", "python"):
        assert about[part] in quiet
    assert "Beside it ran: not said." in quiet and "Beside it ran: a build." in busy


def test_rows_have_as_many_cells_as_their_head():
    figures = [
        document.figure("a", 1, "us", "libmodbus", 2, "rtu_transaction"),
        document.figure("b", 1, "us"),
    ]
    for block in page.page([doc("rtu", *figures)]).split("\n\n"):
        rows = [line.count("|") for line in block.splitlines() if line.startswith("|")]
        assert len(set(rows)) <= 1, block


# -- the commands


def test_the_page_refuses_what_is_no_result(capsys, tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({"schema": 1}))
    code, out, err = run(capsys, "bench", "page", tmp_path / "a.json")
    assert (code, out, len(err)) == (2, "", 1) and "a.json" in err[0]


def measured(capsys, run_it, path=None):
    given = type("Given", (), {"json": path and str(path)})
    code = command.measure(given, run_it)
    out, err = capsys.readouterr()
    return code, out, err.splitlines()


def test_a_measurement_prints_and_writes_the_same(capsys, tmp_path):
    made = doc("step", document.figure("one rack", 99.0, "us", budget="step_1"))
    code, out, said = measured(capsys, lambda given: made, tmp_path / "a.json")
    assert (code, said) == (0, []) and "one rack: 99 us" in out
    assert document.read(str(tmp_path / "a.json")) == made


def test_a_budget_that_is_not_met_is_exit_code_1(capsys):
    made = doc("step", document.figure("one rack", 101.0, "us", budget="step_1"))
    assert measured(capsys, lambda given: made)[0] == 1


@pytest.mark.parametrize("error", [RuntimeError("no slave"), ValueError("no start")])
def test_what_cannot_be_measured_is_one_line(capsys, error):
    def fail(given):
        raise error

    code, out, said = measured(capsys, fail)
    assert (code, out, said) == (3, "", [f"bench: {error}"])


@pytest.mark.parametrize("name", command.BENCHMARKS)
@pytest.mark.parametrize("short", [False, True])
def test_all_runs_each_benchmark_as_its_own_command(name, short):
    """The command lines that `all` builds are accepted by the parsers they are for."""
    argv = command.command_of(name, "a.json", "a build", short)
    assert argv[:3] == [sys.executable, "-m", "hil"]
    given = cli.parser().parse_args(argv[3:])
    assert given.json == "a.json" and given.beside == "a build"
    assert getattr(given, "seconds", 60.0) == {
        ("loop", False): 300.0,
        ("loop", True): 10.0,
        ("rig", False): 3600.0,
        ("rig", True): 60.0,
    }.get((name, short), 60.0)
