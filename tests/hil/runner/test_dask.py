"""A real scheduler of dask with two workers: what is played there, and what ends on the way."""

import contextlib
import os
import pathlib
import shlex
import shutil
import signal
import socket
import subprocess
import sys

import pytest

from hil.runner import evidence
from hil.runner.cases import Failure, on_dask
from tests.controller.watch import slurm_site
from tests.repository import ROOT

HERE = pathlib.Path(__file__).parent
LINE_S = 60  # only guards against a hang


def work(case):
    """What a case does on its worker: runs in a process that dask has started."""
    if case == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if case == "failed":
        raise ValueError("on this worker")
    if case == "waits":
        signal.pause()
    return [case, os.getpid()]


class Cluster:
    """A scheduler and its workers, all in one process group each."""

    def __init__(self, folder, tree, workers):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        paths = os.pathsep.join([str(tree), str(HERE), os.environ.get("PYTHONPATH", "")])
        self.environment = {**os.environ, "PYTHONPATH": paths}
        self._folder, self.processes = folder, []
        port = self.address.rpartition(":")[2]
        self._start("scheduler", "Scheduler at:", "--host", "127.0.0.1", "--port", port)
        for _ in range(workers):
            self._start("worker", "Registered to:", self.address, *WORKER)

    def _start(self, name, ready, *arguments):
        command = [sys.executable, "-m", f"distributed.cli.dask_{name}", *arguments]
        process = subprocess.Popen(
            [*command, "--no-dashboard"],
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            cwd=self._folder,
            env=self.environment,
        )
        self.processes.append(process)
        assert any(ready in line for line in process.stderr), process.wait(LINE_S)

    def end(self, number=None):
        for process in self.processes if number is None else self.processes[number:][:1]:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.stderr.close()
            process.wait()


WORKER = "--nthreads", "1", "--preload", "hil.runner.executed"


@pytest.fixture
def cluster(tmp_path):
    clusters = []

    def made(tree=ROOT, workers=2):
        clusters.append(Cluster(tmp_path, tree, workers))
        return clusters[-1]

    yield made
    for one in clusters:
        one.end()


def play(cluster, cases):
    return {cases[place]: ended for place, ended in on_dask(cluster.address, cases, work, 1)}


@pytest.mark.whole
@pytest.mark.wire
@pytest.mark.needs("distributed")
def test_a_failed_case_and_a_killed_worker_cost_their_case_alone(cluster):
    ended = play(cluster(), ["a", "failed", "b", "killed", "c"])
    assert [ended[case][0] for case in "abc"] == ["a", "b", "c"]
    assert ended["failed"] == Failure("builtins.ValueError: on this worker")
    assert ended["killed"].reason == "its process was killed"


@pytest.mark.whole
@pytest.mark.wire
@pytest.mark.needs("distributed")
def test_results_stay_when_the_scheduler_goes(cluster):
    running, ended = cluster(), {}
    for place, outcome in on_dask(running.address, ["a", "waits"], work, 1):
        ended[place] = outcome
        running.end(0)
    assert ended[0][0] == "a" and ended[1].reason == "the scheduler has gone"


@pytest.mark.whole
@pytest.mark.wire
@pytest.mark.needs("distributed")
def test_a_worker_with_another_file_of_the_program_plays_nothing(cluster, tmp_path):
    for room in ("controller", "drivers", "safety", "hil"):
        shutil.copytree(ROOT / room, tmp_path / "tree" / room)
    with (tmp_path / "tree/hil/plant/config.py").open("a") as file:
        file.write("# another\n")
    ended = play(cluster(tmp_path / "tree"), ["a"])
    other = f"the worker on {os.uname().nodename} has other files of the program"
    assert ended["a"].reason == other


@pytest.mark.whole
@pytest.mark.wire
@pytest.mark.needs("distributed", "slurmctld", "slurmd", "slurm-client", "root")
def test_slurm_starts_the_workers(cluster, tmp_path, monkeypatch):
    running = cluster(workers=0)
    for name, text in running.environment.items():
        monkeypatch.setenv(name, text)
    (tmp_path / "slurm").mkdir()
    site = slurm_site.Site(tmp_path / "slurm")
    try:
        worker = [sys.executable, "-m", "distributed.cli.dask_worker", running.address, *WORKER]
        job = f"--wrap={shlex.join([*worker, '--no-dashboard'])}"
        for _ in range(2):
            site.run("sbatch", "-o", tmp_path / "worker.out", job)
        ended = play(running, ["a", "b", "c"])
    finally:
        site.end()
    assert [outcome[0] for outcome in ended.values()] == list(ended), "each has its own"


def test_a_changed_file_of_any_kind_is_another_tree(tmp_path, monkeypatch):
    monkeypatch.setattr(evidence.code, "ROOT", tmp_path)
    (tmp_path / "hil").mkdir()
    digests = set()
    for name, text in (("a.py", "1"), ("a.py", "2"), ("b.toml", "1"), ("c.pyc", "1")):
        (tmp_path / "hil" / name).write_text(text)
        digests.add(evidence.digest_of_tree.__wrapped__())
    assert len(digests) == 3
