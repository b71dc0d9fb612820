"""The rig's command: a short run in real time as a process, interruptions, and one clear line for
everything wrong.
"""

import json
import os
import re
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from controller import __main__ as controller
from controller.record import store
from controller.site import config, limit_images
from controller.sites import EXAMPLE
from hil import __main__ as cli
from hil import rig, rig_command, virtual_run
from hil.scenarios import scenario
from tests.repository import ROOT

pytestmark = pytest.mark.wire
AGREED = {
    "ticks",
    "missed",
    "lateness_us",
    "reaction_ms",
    "swing_2s_pct",
    "trips",
    "hints",
    "soc_pct",
    "load",
}
REACTIONS = {"estop", "pcs_silent", "bms_ramp", "bms_open", "kill_pcs_enable", "kill_contactor"}
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


class Run:
    """`python -m hil rig` as a process in a folder of its own, which is also its place for
    temporary files.
    """

    def __init__(self, folder, *arguments):
        self.folder = folder
        (folder / "tmp").mkdir()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "hil", "rig", *arguments],
            cwd=folder,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**ENVIRONMENT, "TMPDIR": str(folder / "tmp")},
        )

    def directory(self):
        """The run directory, once there is one."""
        found = list((self.folder / "tmp").iterdir())
        return found[0] if found else None

    def wait_for_line(self, words):
        """Read stdout up to a line with these words."""
        for line in self.process.stdout:
            if words in line:
                return line
        raise AssertionError(f"ended without {words!r}: {self.process.communicate()}")

    def end(self):
        """(exit code, stdout, lines on stderr), with nothing left of it."""
        out, err = self.process.communicate()
        assert self.directory() is None, "the run directory was left behind"
        assert processes_in(self.folder) == {}
        return self.process.returncode, out, err.splitlines()


def processes_in(folder):
    """{process id: command line} of all processes that name the folder."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().decode(errors="replace")
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
            if str(folder) in line:
                found[int(entry.name)] = line
    return found


def test_a_short_run_in_real_time(tmp_path):
    run = Run(tmp_path, "--for", "6", "--headless", "--json", "out.json", "--plot", "out.png")
    code, out, err = run.end()
    assert (code, err) == (0, []), out
    doc = json.loads((tmp_path / "out.json").read_text())
    assert set(doc) >= AGREED
    assert (
        set(doc["lateness_us"]) == {"p50", "p99", "p99_9", "max"} and doc["lateness_us"]["max"] > 0
    )
    assert set(doc["reaction_ms"]) >= REACTIONS
    assert all(value is None for value in doc["reaction_ms"].values())
    assert set(doc["swing_2s_pct"]) == {"load", "grid", "reduction"} and set(doc["soc_pct"]) == {
        "start",
        "end",
    }
    assert doc["hints"] == {"accepted": 0, "limited": 0, "refused": 0, "bad_mac": 0}
    assert doc["load"] == {"file": None, "column": "training", "scale": 1.0, "rows_refused": 0}
    assert doc["trips"] == [] and doc["violations"] == []
    # 6 s of 20 ms ticks from go on, less the start of the controller's process; none doubled,
    # however late.
    assert 100 < doc["ticks"] <= 305 and doc["simulated_s"] > 5.9
    assert "contactors_closed" in [name for _, name, _ in doc["timeline"]]
    # its controlled stop went well: the wires were still served
    assert doc["controller_exit_code"] == 0
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")
    assert "seed       1" in out and re.search(r"written    out.png, out.json", out)


def test_another_terminal_can_look_at_the_run_directory(tmp_path, capsys):
    """The pages of a controller that runs on real wires, and after it has ended."""
    place = tmp_path / "run"
    run = Run(tmp_path, "--for", "100", "--run-dir", str(place))
    run.wait_for_line(" running ")
    where = ["--run-dir", str(place), "--state-dir", str(place / "state")]
    for page in ("status", "why", "links"):
        assert controller.main([page, *where]) == 0
        assert "Rig" in capsys.readouterr().out.splitlines()[0]
    run.process.send_signal(signal.SIGINT)
    assert run.end()[0] == 130
    assert controller.main(["status", *where]) == 1
    assert "NOT TICKING" in capsys.readouterr().out.splitlines()[0]
    assert (place / "cabinet.toml").exists()


def test_an_interrupted_run_stops_in_order_and_keeps_its_figures(tmp_path):
    run = Run(tmp_path, "--for", "100", "--json", "out.json")
    run.wait_for_line(" running ")
    run.process.send_signal(signal.SIGINT)
    code, _, err = run.end()
    assert code == 130 and re.fullmatch(
        r"rig: interrupted after \S+ s; all figures are of that "
        r"part",
        "".join(err),
    )
    doc = json.loads((tmp_path / "out.json").read_text())
    assert doc["interrupted"] and doc["controller_exit_code"] == 0 and doc["ticks"] > 0
    assert (tmp_path / "rig.html").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_run_interrupted_while_the_controller_starts_leaves_nothing_running(tmp_path, number):
    run = Run(tmp_path, "--for", "100")
    run.wait_for_line(" 0.0 s ")
    run.process.send_signal(number)
    code, _, err = run.end()
    assert code == 130 and len(err) == 1 and err[0].startswith("rig: interrupted after 0")


def test_a_rig_that_is_killed_leaves_nothing_running(tmp_path):
    """The bench outlives it just as long as it takes to stop the controller."""
    run = Run(tmp_path, "--for", "100")
    run.wait_for_line(" 0.0 s ")
    left = [os.pidfd_open(pid) for pid in processes_in(tmp_path)]
    assert len(left) >= 2  # bench and controller
    run.process.kill()
    run.process.communicate()
    for process in left:
        assert select.select([process], (), (), 30)[0]
        os.close(process)
    assert processes_in(tmp_path) == {}
    assert store.Store(str(run.directory() / "state")).load().state == store.CLEAN


def order(tmp_path, **changes):
    return {
        "site": str(EXAMPLE),
        "extends": str(EXAMPLE.parent / "site.toml"),
        "scenario": None,
        "file": None,
        "column": None,
        "scale": 1.0,
        "raw": False,
        "duration_s": 3.0,
        "seed": 1,
        "soc_pct": 55.0,
        "armed": 1,
        "not_fitted": 0,
        "run_dir": str(tmp_path),
    } | changes


@pytest.mark.parametrize(
    "changes, words",
    [
        (
            {"extends": "/nowhere/site.toml"},
            r"the controller ended with exit code 2: "
            r".*nowhere/site.toml",
        ),
        ({"scenario": "no such"}, r"the simulated cabinet did not start, exit code 1"),
    ],
)
def test_what_dies_at_the_start_is_said_in_one_line(tmp_path, capfd, changes, words):
    made = rig.Rig(order(tmp_path, duration_s=600.0, **changes), None, config.load(str(EXAMPLE)))
    with pytest.raises(rig.RigError, match=words) as failure:
        try:
            made.start()
            made.run(lambda shown: None)
        finally:
            made.stop()
    assert "\n" not in str(failure.value)
    assert made.bench.poll() is not None and (
        made.controller is None or made.controller.poll() is not None
    )


@pytest.mark.parametrize(
    "who, words",
    [
        ("controller", "the controller ended with exit code -9"),
        ("bench", "the simulated cabinet has ended, exit code -9"),
    ],
)
def test_what_dies_in_the_middle_is_said_in_one_line(tmp_path, who, words):
    made, views = (rig.Rig(order(tmp_path, duration_s=600.0), None, config.load(str(EXAMPLE))), [])

    def show(view):
        views.append(view)
        if len(views) == 3:
            getattr(made, who).kill()

    with pytest.raises(rig.RigError, match=words):
        try:
            made.start()
            made.run(show)
        finally:
            made.stop()
    assert made.bench.poll() is not None and made.controller.poll() is not None


# -- in this process: what is refused before anything is started


def refused(capsys, *arguments):
    """Exit code and the one line of a command that must not start anything."""
    try:
        code = cli.main(["rig", *arguments])
    except SystemExit as leaving:  # argparse
        code = leaving.code
    said = capsys.readouterr()
    lines = said.err.splitlines()
    assert said.out == "" and len(lines) == 1 and lines[0].startswith("rig: "), said
    return code, lines[0]


@pytest.fixture
def trace(tmp_path):
    """A load file with two power columns."""
    path = tmp_path / "load.csv"
    path.write_text(
        "t_s,run01_kW,run02_kW\n" + "".join(f"{t},{100 + t},200\n" for t in range(0, 20, 2))
    )
    return str(path)


@pytest.mark.parametrize(
    "more, words", [(("--virtual",), "leave --virtual out"), ((), "is not an empty folder")]
)
def test_a_run_directory_is_for_one_run_in_real_time(capsys, tmp_path, more, words):
    (tmp_path / "file").write_text("")
    code, line = refused(capsys, "--run-dir", str(tmp_path), *more)
    assert code == 2 and words in line
    assert refused(capsys, "--run-dir", str(tmp_path / "file"))[0] == 2


@pytest.mark.parametrize(
    "arguments, words",
    [
        (
            ("--scenario", "estpo"),
            "no scenario 'estpo', did you mean 'estop'; there are airflow_lost",
        ),
        (("--for", "0"), "argument --for: 0: allowed is a number from 1 to 2678400"),
        (("--for", "-5"), "allowed is a number from 1"),
        (("--for", "nan"), "allowed is a number from 1"),
        (("--for", "soon"), "argument --for: soon: allowed"),
        (("--for", "inf"), "to 2678400"),
        (("--scale", "0"), "argument --scale: 0: allowed is a number from 0.001 to 1000"),
        (("--seed", "1.5"), "allowed is a whole number from 0"),
        (("--seed", "-1"), "allowed is a whole number from 0"),
        (("--soc", "4.9"), "argument --soc: 4.9: allowed is a number from 5 to 95"),
        (
            ("--json", "/no/such/folder/x.json"),
            "--json /no/such/folder/x.json: there is no folder /no/such/folder",
        ),
        (("--json", "/"), "--json /: cannot be written"),
        (("--json", "/proc/x.json"), "--json /proc/x.json: cannot be"),
        (("--scenario", "../scenarios/estop"), "no scenario '../scenarios/estop'"),
        (("--plot", "/no/such/folder/x.html"), "there is no folder"),
        (("--plot", "x.pdf"), ".html, .png, .svg"),
        (
            ("--load", "/no/such/file.csv"),
            "/no/such/file.csv: cannot be read: No such file or directory",
        ),
        (("--column", "a"), "--column describes a file: it needs --load FILE"),
        (("--scale", "2"), "--scale describes"),
        (("--raw",), "--raw describes"),
        (("--fast",), "unrecognized arguments: --fast"),
    ],
)
def test_wrong_input_is_code_2_and_one_line(capsys, arguments, words):
    code, line = refused(capsys, *arguments, "--virtual", "--headless")
    assert code == 2 and words in line


def test_the_default_plot_is_tried_before_the_run(capsys, monkeypatch):
    monkeypatch.chdir("/proc")
    assert refused(capsys, "--virtual", "--headless") == (
        2,
        "rig: --plot rig.html: cannot be written",
    )


@pytest.mark.parametrize(
    "command, one, other",
    [(["rows"], "json", "md"), (["rows", "--real"], "json", "md"), (["runaway"], "json", "png")],
)
def test_no_command_writes_two_outputs_into_one_file(capsys, tmp_path, command, one, other):
    path = str(tmp_path / "same.png")
    assert cli.main([*command, f"--{one}", path, f"--{other}", path]) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err == (
        f"{command[0]}: --{other} {path}: is the file of --{one} too: allowed is one of its own\n"
    )


@pytest.mark.parametrize(
    "one, other", [("load", "json"), ("json", "plot"), ("json", "journal"), ("load", "journal")]
)
def test_no_output_is_written_over_the_load_or_another_output(
    capsys, monkeypatch, trace, tmp_path, one, other
):
    monkeypatch.chdir(tmp_path)
    path = trace if one == "load" else "same.html"
    code, line = refused(
        capsys,
        "--virtual",
        "--headless",
        "--column",
        "run01_kW",
        "--load",
        trace,
        *(() if one == "load" else (f"--{one}", f"{tmp_path}/same.html")),
        f"--{other}",
        path,
    )
    assert code == 2 and line == (
        f"rig: --{other} {path}: is the file of --{one} too: allowed is one of its own"
    )
    assert sorted(os.listdir(tmp_path)) == ["load.csv"]


def test_a_load_beyond_any_connection_is_refused(capsys, trace):
    code, line = refused(
        capsys, "--load", trace, "--column", "run01_kW", "--scale", "90", "--virtual"
    )
    assert code == 2 and line.endswith(
        "run01_kW reaches 10.62 MW with scale 90: allowed is at most 10 MW"
    )


def test_the_largest_load_runs(capsys, trace):
    """The voltage of the connection keeps its band: a cabinet behind a load 40 times its size is no
    crash.
    """
    assert (
        cli.main(
            [
                "rig",
                "--load",
                trace,
                "--column",
                "run01_kW",
                "--scale",
                "84",
                "--virtual",
                "--headless",
                "--for",
                "60",
                "--plot",
                "",
            ]
        )
        == 0
    )
    assert "trips      none" in capsys.readouterr().out


def test_a_reader_that_leaves_early_changes_nothing(tmp_path):
    """rig ... | head -1: the figures are written all the same."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [
        sys.executable,
        "-m",
        "hil",
        "rig",
        "--virtual",
        "--headless",
        "--for",
        "2",
        "--plot",
        "",
    ]
    with os.fdopen(writing, "wb") as pipe:
        done = subprocess.run(
            [*command, "--json", str(tmp_path / "a.json")],
            stdout=pipe,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, b"") and json.loads(
        (tmp_path / "a.json").read_text()
    )["ticks"] == 100


def test_the_journal_from_before_a_kill_is_kept_and_named(capsys, tmp_path):
    path = str(tmp_path / "k.bin")
    assert (
        cli.main(
            [
                "rig",
                "--scenario",
                "controller_killed",
                "--virtual",
                "--headless",
                "--plot",
                "",
                "--journal",
                path,
            ]
        )
        == 0
    )
    assert capsys.readouterr().out.endswith(f"written    {path}, {path}.previous\n")
    assert (
        cli.main(["rig", "--virtual", "--headless", "--for", "2", "--plot", "", "--journal", path])
        == 0
    )
    assert capsys.readouterr().out.endswith(f"written    {path}\n"), (
        "what is beside it now is of an earlier run"
    )


def test_several_columns_and_none_chosen_are_listed(capsys, trace):
    assert refused(capsys, "--load", trace) == (
        2,
        f"rig: {trace}: several power columns, say which with --column: run01_kW, run02_kW",
    )


def test_an_unknown_column_is_named_with_those_there_are(capsys, trace):
    code, line = refused(capsys, "--load", trace, "--column", "run03_kW")
    assert code == 2 and line.endswith("column run03_kW: allowed are run01_kW, run02_kW")


def test_a_run_of_a_file_in_virtual_time(capsys, tmp_path, trace):
    code = cli.main(
        [
            "rig",
            "--load",
            trace,
            "--column",
            "run02_kW",
            "--scale",
            "0.5",
            "--virtual",
            "--headless",
            "--json",
            str(tmp_path / "out.json"),
            "--plot",
            "",
        ]
    )
    assert code == 0
    doc = json.loads((tmp_path / "out.json").read_text())
    assert doc["load"] == {
        "file": trace,
        "column": "run02_kW",
        "scale": 0.5,
        "rows_refused": 0,
        "rows_read": 10,
        "gaps_cut": 0,
    }
    assert (doc["ticks"], doc["measured_from_s"], doc["load_W_max"]) == (48 * 50, 30.0, 100_000.0)
    assert doc["lateness_us"] == dict.fromkeys(("p50", "p99", "p99_9", "max"))
    assert doc["speed"] > 0 and "written" in capsys.readouterr().out


def test_a_relative_file_is_found_by_the_bench_too(tmp_path, monkeypatch, trace):
    monkeypatch.chdir(tmp_path)
    arguments = cli.parser().parse_args(["rig", "--load", "load.csv"])
    assert rig_command.order_of(arguments, None, config.load(str(EXAMPLE)))["file"] == trace


def test_a_scenario_in_virtual_time_with_a_screen_that_is_a_pipe(capsys, tmp_path):
    code = cli.main(
        [
            "rig",
            "--scenario",
            "fire_alarm",
            "--virtual",
            "--json",
            str(tmp_path / "a.json"),
            "--plot",
            "",
        ]
    )
    out = capsys.readouterr().out
    assert code == 0 and "TRIPPED" not in out
    assert "tripped" in out and "met        row 2 trips" in out and "NOT MET" not in out


def test_a_scenario_cut_short_is_code_1(capsys):
    assert (
        cli.main(
            [
                "rig",
                "--scenario",
                "fire_alarm",
                "--for",
                "5",
                "--virtual",
                "--headless",
                "--plot",
                "",
            ]
        )
        == 1
    )
    assert "NOT MET" in capsys.readouterr().out


def test_an_interrupted_virtual_run_reports_its_part(capsys, monkeypatch, tmp_path):
    plain, steps = virtual_run.VirtualRig.step, []

    def step(self):
        steps.append(1)
        if len(steps) > 100:
            signal.raise_signal(signal.SIGTERM)
        plain(self)

    monkeypatch.setattr(virtual_run.VirtualRig, "step", step)
    code = cli.main(
        ["rig", "--virtual", "--headless", "--plot", "", "--json", str(tmp_path / "a.json")]
    )
    said = capsys.readouterr()
    assert code == 130 and re.fullmatch(
        r"rig: interrupted after \S+ s; all figures are of that "
        r"part\n",
        said.err,
    )
    assert json.loads((tmp_path / "a.json").read_text())["interrupted"] is True
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_an_interruption_before_the_start_is_one_line(capsys, monkeypatch):
    def load(path):
        raise KeyboardInterrupt

    monkeypatch.setattr(rig_command.configs, "load", load)
    assert refused(capsys, "--virtual") == (130, "rig: interrupted before the run had begun")


def test_the_default_charge_is_what_load_tracking_returns_to():
    settings = config.load(str(EXAMPLE))
    plain, chosen = (cli.parser().parse_args(["rig", *more]) for more in ((), ("--soc", "70")))
    assert (
        rig_command.order_of(plain, None, settings)["soc_pct"]
        == settings.control["soc_target_permille"] / 10
    )
    assert rig_command.order_of(chosen, None, settings)["soc_pct"] == 70
    assert (
        rig_command.order_of(plain, scenario.load("estop"), settings)["soc_pct"]
        == scenario.load("estop").soc_pct
    )


def test_the_order_counts_the_rows_that_are_armed():
    settings = config.load(str(EXAMPLE))
    order = rig_command.order_of(cli.parser().parse_args(["rig"]), None, settings)
    assert (order["armed"], order["not_fitted"]) == (
        len(limit_images.rows_armed(settings.topology)),
        1,
    )


def test_a_scenario_sends_its_hints_over_the_wire(tmp_path):
    """Signed, sent, taken, counted (longzheng/open-dynamic-export issue 132: a limit was parsed and
    never applied).
    """
    path = tmp_path / "hinted.toml"
    path.write_text(
        'name = "hinted"\ntitle = "Hinted"\nduration_s = 6\n[[action]]\nat_s = 4\ndo '
        '= "hint"\n'
        'source = "site_ems"\nkind = "grid_cap"\nquantity = "import_W_max"\nvalue_W = '
        "400_000\n"
        "valid_s = 60\n"
        '[[expect]]\nwhat = "quantity"\nname = "battery_W"\nafter = 0\nlow = '
        "-250_000\nhigh = 250_000\n"
    )
    code, out, err = Run(
        tmp_path, "--scenario", str(path), "--headless", "--json", "out.json"
    ).end()
    assert (code, err) == (0, []), out
    assert json.loads((tmp_path / "out.json").read_text())["hints"]["accepted"] == 1
