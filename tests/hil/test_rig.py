"""The rig in real time as a process: a whole run, interruptions, deaths; a start costs seconds."""

import json
import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from slow import slow

from controller import __main__ as controller
from controller.config import configuration
from controller.doors import job_in_plan
from controller.sites import EXAMPLE
from controller.store import two_copies
from hil import __main__ as cli
from hil.engine import rig, rig_command
from tests.repository import ROOT
from tests.tables import cases

pytestmark = pytest.mark.wire
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
HINTED = """
name = "hinted"
title = "Hinted"
duration_s = 12  # a busy machine starts the controller in 5 s
expect = [{ what = "quantity", name = "battery_W", after = 0, low = -250_000, high = 250_000 }]
[[action]]
at_s = 9
do = "hint"
source = "site_ems"
kind = "grid_cap"
quantity = "import_W_max"
value_W = 400_000
valid_s = 60
"""


LATE_US = 200_000  # a machine that holds the loop up for longer may trip it, and then it is right


class Stalls:
    """Stalls of the machine: how much later than asked a thread that only sleeps wakes."""

    def __enter__(self):
        self.longest_us, self.is_over = 0, threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()
        return self

    def watch(self):
        began_ns = time.monotonic_ns()
        while not self.is_over.wait(0.01):
            now_ns = time.monotonic_ns()
            self.longest_us = max(self.longest_us, (now_ns - began_ns) // 1000 - 10_000)
            began_ns = now_ns

    def __exit__(self, *_):
        self.is_over.set()
        self.thread.join()


class Run:
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
        found = list((self.folder / "tmp").iterdir())
        return found[0] if found else None

    def wait_for_line(self, words):
        for line in self.process.stdout:
            if words in line:
                return line
        raise AssertionError(f"ended without {words!r}: {self.process.communicate()}")

    def end(self):
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


def test_a_short_run_in_real_time_with_a_hint_over_the_wire(tmp_path):
    """longzheng/open-dynamic-export issue 132: a limit was parsed and never applied."""
    (tmp_path / "hinted.toml").write_text(HINTED)
    options = ("--headless", "--progress", "--json", "out.json", "--plot", "")
    with Stalls() as stalls:
        code, out, err = Run(tmp_path, "--scenario", str(tmp_path / "hinted.toml"), *options).end()
    assert 1 <= len(err) <= 5 and all(line.endswith("  of 12 s") for line in err), (out, err)
    doc = json.loads((tmp_path / "out.json").read_text())
    assert doc["hints"] == {"accepted": 1, "limited": 0, "refused": 0, "bad_mac": 0}
    # 12 s of 20 ms ticks, less the start of the controller's process; none doubled if late.
    assert doc["ticks"] <= 605 and doc["simulated_s"] > 11.9 and doc["lateness_us"]["max"] > 0
    if min(doc["lateness_us"]["max"], stalls.longest_us) < LATE_US:
        assert (code, doc["trips"], doc["violations"]) == (0, [], []), out
        assert doc["ticks"] > 100
        assert "contactors_closed" in [name for _, name, _ in doc["timeline"]]
    assert doc["controller_exit_code"] == 0, "a controlled stop, while the wires were still served"
    assert doc["swing_2s_pct"]["load"] is None and "measured   nothing" in out
    assert "seed       1" in out and "written    out.json" in out


def sent_schedule(*arguments):
    program = ROOT / "controller/doors/local/examples/send_schedule.py"
    command = [sys.executable, program, *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.whole
def test_an_interrupted_run_stops_in_order_keeps_its_figures_and_its_directory(tmp_path, capsys):
    place = tmp_path / "run"
    run = Run(tmp_path, "--for", "100", "--run-dir", str(place), "--json", "out.json")
    run.wait_for_line(" running ")
    where = ["--run-dir", str(place), "--state-dir", str(place / "state")]
    for page in ("status", "why", "links"):
        assert controller.main([page, *where]) == 0
        assert "Rig" in capsys.readouterr().out.splitlines()[0]
    key, socket = place / "state" / "keys" / "site_ems.key", place / "hints.sock"
    assert sent_schedule(socket, key, "site_ems", "450000", "-9000", "9000").endswith(
        "it acts, slot 1"
    )
    run.process.send_signal(signal.SIGINT)
    code, _, err = run.end()
    assert code == 130 and len(err) == 1
    assert re.fullmatch(r"rig: interrupted; all figures are of the first \S+ s", err[0])
    doc = json.loads((tmp_path / "out.json").read_text())
    assert doc["interrupted"] and doc["controller_exit_code"] == 0 and doc["ticks"] > 0
    assert (tmp_path / "rig.html").exists() and (place / "cabinet.toml").exists()
    assert controller.main(["status", *where]) == 1
    assert "NOT TICKING" in capsys.readouterr().out.splitlines()[0]


@pytest.mark.whole
def test_a_planner_beside_the_rig_sends_its_schedule_and_ends_with_it(tmp_path, capsys):
    place = tmp_path / "run"
    run = Run(tmp_path, "--with", "planner", "--run-dir", str(place), "--json", "out.json")
    ask = ["ask", "--power=9kW", "--for=1h", "--run-dir", str(place)]
    for _ in run.process.stdout:
        plan = job_in_plan.read(str(place))
        if plan and plan["sent"] and controller.main(ask) == 0:
            break
    assert "\nplan        it fits under the plan's cap as asked" in capsys.readouterr().out
    assert plan["waits"] == [] and plan["sent"]["text"] == "96 slots, the schedule acts"
    assert controller.main(["why", "--run-dir", str(place)]) == 0
    assert re.search("lot [12] of 96 of planner, ", capsys.readouterr().out)
    run.process.send_signal(signal.SIGINT)
    code, out, _ = run.end()
    assert code == 130 and re.search(r"\nplanner +plan of ..:.., cap \d+ kW: H1 96 slots", out)
    assert json.loads((tmp_path / "out.json").read_text())["planner"]["sent"]["code"] == "H1"


@pytest.mark.whole
def test_the_death_of_the_planner_is_one_line(made):
    run = made(planner={"mean_W": 200e3, "soc_pct": 50})
    run.start()
    with pytest.raises(rig.RigError, match=r"^the planner ended with exit code -9: .*\Z"):
        run.run(lambda view: run.beside.running["planner"].kill())


@pytest.mark.whole
@pytest.mark.parametrize("number", [signal.SIGTERM, *slow(signal.SIGHUP)])
def test_a_run_interrupted_while_the_controller_starts_leaves_nothing_running(tmp_path, number):
    run = Run(tmp_path, "--for", "100", "--plot", "")
    run.wait_for_line(" 0.0 s ")
    run.process.send_signal(number)
    code, _, err = run.end()
    assert (
        code == 130
        and len(err) == 1
        and err[0].startswith("rig: interrupted; all figures are of the first 0")
    )


@pytest.mark.parametrize("more", [(), *slow((("--with", "planner"),))])
def test_a_rig_that_is_killed_leaves_nothing_running(tmp_path, more):
    """The plant process outlives it just as long as it takes to stop the controller."""
    run = Run(tmp_path, "--for", "100", *more)
    run.wait_for_line(" 0.0 s ")
    left = [os.pidfd_open(pid) for pid in processes_in(tmp_path)]
    assert len(left) >= (4 if more else 2)  # plant process and controller, recorder and planner
    run.process.kill()
    run.process.communicate()
    for process in left:
        assert select.select([process], (), (), 30)[0]
        os.close(process)
    assert processes_in(tmp_path) == {}
    assert two_copies.Store(str(run.directory() / "state")).load().state == two_copies.CLEAN


@pytest.fixture
def made(tmp_path):
    """made(**changes of the order): a rig of 10 minutes, not started; stopped at the end."""
    runs = []

    def one(**changes):
        arguments, settings = (
            cli.parser().parse_args(["rig", "--for", "600"]),
            configuration.load(EXAMPLE),
        )
        order = rig_command.order_of(arguments, None, settings)
        runs.append(rig.Rig(order | {"run_dir": str(tmp_path)} | changes, None, settings))
        return runs[0]

    yield one
    runs[0].stop()
    assert runs[0].plant.poll() is not None
    assert runs[0].controller is None or runs[0].controller.poll() is not None


CABINET = "the simulated cabinet"


@pytest.mark.slow
@cases("""changes  words
    {"cabinet_more": "[nothing]\\nx = 1"}  "the controller ended with exit code 2: .*nothing"
    {"scenario": "no such"}  f"{CABINET} did not start, exit code 1"
""")
def test_the_death_of_a_process_at_its_start_is_one_line(made, capfd, changes, words):
    run = made(**changes)
    with pytest.raises(rig.RigError, match=rf"^{words}.*\Z"):
        run.start()
        run.run(lambda view: None)


def test_the_death_of_a_process_is_one_line(made, capfd):
    run = made()
    run.start()
    with pytest.raises(rig.RigError, match=r"^the controller ended with exit code -9.*\Z"):
        run.run(lambda view: run.controller.kill())
    run.may_be_killed = True
    with pytest.raises(rig.RigError, match=rf"^{CABINET} has ended, exit code -9\Z"):
        run.run(lambda view: run.plant.kill())
