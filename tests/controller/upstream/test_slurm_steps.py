"""The Slurm client: steps of a queue, asked before and announced, moved and withdrawn.

QUEUE is what `squeue --json` of Slurm 22.05.8 gave for four jobs, without the fields not used here.
"""

import json
import os

import pytest
from ask_bench import situation as made
from hinted_site import KEYS
from test_upstream import running

from controller.core.policies.notices import Notices
from controller.upstream import asking
from controller.upstream.examples import slurm_steps
from controller.upstream.examples.slurm_steps import Job
from tests.tables import cases, table

NOW_S = 1_795_615_800
FIELDS = "job_id", "job_state", "start_time", "end_time", "time_limit", "node_count", "partition"
QUEUE = {
    "jobs": [
        dict(zip(FIELDS, row))
        for row in table("""
            1 | RUNNING | 1795615799 | 1795616399 | 10 | 1 | batch
            2 | PENDING | 1795616399 | 1795617599 | 20 | 1 | batch
            3 | PENDING | 0          | 0          | 20 | 2 | gpu
            4 | PENDING | 1795615919 | 1795616219 | 5  | 3 | batch
        """)
    ]
}
NODE_W = {"batch": 5_000, "*": 6_000}


def newer(queue):
    """Later versions nest numbers, and list states."""
    numbers = ("start_time", "end_time", "time_limit", "node_count")
    nest = {
        name: lambda value: {"set": True, "infinite": False, "number": value} for name in numbers
    }
    nest["job_state"] = lambda value: [value]

    def nested(job):
        return {name: nest.get(name, lambda each: each)(value) for name, value in job.items()}

    return {"jobs": list(map(nested, queue["jobs"]))}


@pytest.mark.parametrize("queue", [QUEUE, newer(QUEUE)], ids=["22.05", "newer"])
def test_starts_and_ends_of_a_queue(queue):
    assert slurm_steps.jobs_of(queue, NODE_W) == [
        Job(1, 1_795_616_399, -5_000, 600),
        Job(2, 1_795_616_399, 5_000, 1200),
        Job(3, 0, 12_000, 1200),
        Job(4, 1_795_615_919, 15_000, 300),
    ]


@cases("""horizon_s  steps
    900  {1_795_615_920: 15_000}  # the start that waits for an end is no step
    119  {1_795_615_920: 15_000}
    118  {}
""")
def test_steps_within_the_horizon(horizon_s, steps):
    jobs = slurm_steps.jobs_of(QUEUE, NODE_W)
    assert slurm_steps.steps_of(jobs, NOW_S, horizon_s) == steps


def test_of_many_steps_the_nearest_four_are_announced():
    jobs = [Job(number, NOW_S + 60 * number, 1000, 60) for number in range(1, 9)]
    assert list(slurm_steps.steps_of(jobs, NOW_S, 900)) == [NOW_S + 60 * at for at in range(1, 5)]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A site, its gateway, and a `squeue` that prints the file `queue`."""
    (tmp_path / "bin").mkdir()
    squeue = tmp_path / "bin" / "squeue"
    squeue.write_text(f"#!/bin/sh\nexec cat {tmp_path}/queue\n")
    squeue.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    monkeypatch.setattr(asking, "_situation", lambda path, second: made())
    with running(tmp_path) as served:
        yield served.site, served.path, tmp_path / "queue"


def steps(site):
    known = site.bench.cabinet.core.functions[Notices.NAME]
    return [(each.step_W, round(each.start_ms / 1000)) for each in known.steps()]


@pytest.mark.wire
def test_a_queue_is_asked_for_announced_moved_and_withdrawn(place, capsys):
    site, path, queue = place
    key, jobs = KEYS["scheduler"], QUEUE["jobs"][3:]
    own = {"horizon_s": 900, "every_s": 30, "node_W": NODE_W}
    watcher = slurm_steps.Watcher(path, key, "scheduler", own)
    queue.write_text(json.dumps({"jobs": jobs}))
    watcher.turn(NOW_S)
    watcher.turn(NOW_S)
    lines = ["job 4: 15000 W: yes ", "step of 15000 W in 120 s: H1"]
    assert capsys.readouterr().out.splitlines() == lines
    assert steps(site) == [(15_000, 120)]
    queue.write_text(json.dumps({"jobs": [{**jobs[0], "start_time": NOW_S + 300}]}))
    watcher.turn(NOW_S)
    assert steps(site) == [(15_000, 300)]
    queue.write_text('{"jobs": []}')
    watcher.turn(NOW_S)
    assert steps(site) == [] and watcher.sent == {}


@pytest.mark.wire
def test_one_job_is_asked_for_by_its_number(place, tmp_path, capsys):
    _, path, queue = place
    files = [tmp_path / "key", tmp_path / "table.toml"]
    files[0].write_text(KEYS["scheduler"].hex())
    files[1].write_text('horizon_s = 900\nevery_s = 30\n[node_W]\n"*" = 100_000\n')
    queue.write_text(json.dumps(QUEUE))
    given = path, str(files[0]), "scheduler", str(files[1])
    assert [slurm_steps.main(*given, job) for job in ("3", "2", "9")] == [0, 0, 3]
    files[1].write_text('horizon_s = 900\nevery_s = 30\n[node_W]\n"*" = 1_000_000\n')
    assert slurm_steps.main(*given, "3") == 1
    assert "job 3: 2000000 W: no [{'what': 'power'" in capsys.readouterr().out
