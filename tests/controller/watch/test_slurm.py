"""Slurm's queue: its JSON, and a real slurmctld."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import parts
import pytest
from ask_bench import situation
from slurm_site import Site
from watch_site import fake_squeue, steps, token_in

from controller.doors import asking
from controller.watch import slurm
from controller.watch.__main__ import main, run_turns
from controller.watch.cabinet import Cabinet
from controller.watch.gate import Gate
from controller.watch.jobs import Away, Job, PowerTable
from controller.watch.settings import GATE
from controller.watch.watcher import Watcher
from tests.controller.doors.http_site import served
from tests.tables import cases, table

USER = "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"
WATTS = PowerTable({"*": 1000}, {"h100": 10_000, "*": 9000})
ANY_GPU = PowerTable({"*": 1000}, {"*": 9000})


FIELDS = """job_id job_state start_time time_limit node_count partition priority admin_comment
    tres_per_node state_reason array_task_string array_max_tasks""".split()
QUEUE = {
    "jobs": [
        {"submit_time": 9, "gres_detail": [], "dependency": "", **dict(zip(FIELDS, row))}
        | {"time_limit": row[3] or None}
        for row in table("""
            1 | RUNNING | 100 | 10 | 1 | a | 7 | | gres:gpu:4 | None | | 0
            2 | PENDING | 700 | | 3 | b | 7 | | gres:gpu:h100:1 | Resources | | 0
            3 | PENDING | 0 | 20 | 2 | b | 0 | | | JobHeldUser | | 0
            4 | PENDING | 0 | 20 | 2 | b | 0 | firebreak | gres/gpu | JobHeldUser | | 0
            5 | PENDING | 0 | 20 | 1 | b | 0 | firebreak: no | | JobHeldUser | 0-8:2% | 3
            6 | PENDING | 0 | 20 | 1 | b | 7 | firebreak | | JobArrayTaskLimit | 3,7-9 | 2
            7 | COMPLETED | 100 | 20 | 1 | a | 7 | | | None | | 0
        """)
    ]
}


def newer(queue):
    """Later versions nest numbers, and list states."""
    numbers = (
        "start_time",
        "time_limit",
        "node_count",
        "priority",
        "array_max_tasks",
        "submit_time",
    )

    def nested(name, value):
        if name in numbers:
            return {"set": value != "", "infinite": False, "number": value or 0}
        return [value] if name == "job_state" else value

    return {"jobs": [{name: nested(name, job[name]) for name in job} for job in queue["jobs"]]}


@pytest.mark.parametrize("queue", [QUEUE, newer(QUEUE)], ids=["22.05", "newer"])
def test_starts_and_ends_of_a_queue(queue):
    """A job without a limit runs for a year; a held job of others is pending."""
    assert slurm.jobs_of(queue, WATTS) == [
        Job("1", "running", 41_000, 100, 600, 9),  # GPUs of no stated kind: the largest counts
        Job("2", "pending", 33_000, 700, 31_536_000, 9),
        Job("3", "pending", 2000, 0, 1200, 9),
        Job("4", "gated", 22_000, 0, 1200, 9),
        Job("5", "gated", 3000, 0, 1200, 9),
        Job("6", "released", 0, 0, 1200, 9),
    ]


@cases("""text  count
    '3'  1
    '0-9'  10
    '0-8:2%2'  5
    '1,3,5-7'  5
    '1,3,...'  0  # cut: not known
""")
def test_tasks_of_an_array(text, count):
    assert slurm.tasks_of(text) == count


BEGUN = {"job_state": "RUNNING", "start_time": 5}


@cases(r"""changes  power_W  unknown
    {"gres_detail": ["gpu:h100:4(IDX:0-3)", "gpu:h100:2(IDX:0,2)"]}  60_000  ""
    {"gres_detail": ["gpu:a100-80gb:4(IDX:0-3)"], "tres_per_node": "gres:gpu:h100:1"}  36_000  ""
    {"tres_per_node": "gres/gpu:a100=2"}  54_000  ""
    {"tres_per_node": "gres/gpu:a100=2,gres/gpu:h100=1"}  84_000  ""  # each kind has its own W
    {"tres_per_node": "gres:gpu"}  30_000  ""
    {"tres_per_node": "gres/gpu:3g.20gb=2"}  60_000  ""  # of which GPU is not said
    {"tres_per_node": "gres/gpu:h100=1", "max_nodes": 5}  50_000  ""  # -N 3-5
    {"tres_per_task": "gres:gpu:2", "tasks": 5}  100_000  ""
    {"tres_per_task": "cpu:4,gres/gpu:2", "tasks": 0}  60_000  ""  # one task for each node
    {"tres_per_job": "gres:gpu:h100:7"}  70_000  ""
    {"tres_per_node": "gres:nic:2"}  0  ""
    {"tres_per_node": "gres:gpu:h100:1", "tres_per_job": "gres:hpu:2"}  50_000  "gres hpu"
    {"tres_per_node": "gres:hpu:2"}  60_000  "gres hpu"
    {"tres_per_node": "gres/shard:900"}  480_000  "gres shard"  # no node has more than 16 GPUs
    {"tres_per_node": "gres/gpu:?"}  480_000  "'gres/gpu:.' is not understood"
    {"tres_per_node": 5}  480_000  "its record is not understood: TypeError"
    {"tres_per_socket": "gres:gpu:2"}  480_000  "the number of GPUs is not understood"
    {"tres_per_socket": "gres:gpu:2", "tres_per_job": "gres:gpu:12"}  120_000  ""
    {"tres_per_job": "gres:nic:12", "tres_per_node": "gres:gpu:4"}  120_000  ""
    {"array_task_string": "1,3,..."}  0  ""  # a waiting array stands for its next task
    {"partition": "a,b", "tres_per_job": "gres:gpu:x:1"}  9500  ""  # the worst of both counts
    {"partition": "a,c", "tres_per_job": "gres:gpu:x:1"}  9500  ""
    {"partition": 7, "tres_per_job": "gres:gpu:x:1"}  480_000  "is not understood"
    {"tres_per_task": "gres/gpu:1", "tasks": 1, "tasks_per_node": 4}  120_000  ""
    {"tres_per_job": "gres/gpu:h100:2", "tres_per_node": "gres/gpu:h100:4"}  120_000  ""
    {"tres_per_node": "gres/gpu:h100:4", "tres_per_task": "gres/gpu:h100", "tasks": 99}  990_000  ""
    {"tres_per_job": "gres/gpu:2", "tres_per_node": "gres/gpu:?"}  480_000  "not understood"
    {"tres_per_job": "gres/shard:5,gres/gpu:h100:2", "tres_per_socket": "mps:9"}  550_000  "mps"
    {"shared": "none", "tres_per_node": "gres:gpu:h100:1"}  480_000  ""  # --exclusive: all GPUs
    {"shared": ["none"], "exclusive": ["true"]}  480_000  ""
    {"exclusive": ["true"], "tres_per_node": "gres:gpu:h100:16"}  480_000  ""
    {"exclusive": ["true"], "tres_per_socket": "gres:gpu:2"}  480_000  ""
    {"exclusive": ["true"], "tres_per_node": "gres:gpu:?"}  480_000  "not understood"
    {"exclusive": ["true"], "partition": "b", "tres_per_job": "gres:nic:1"}  4800  ""
    {"exclusive": ["true"], "gres_detail": ["gpu:h100:8(IDX:0-7)"]}  80_000  ""
    {"exclusive": ["true"], "job_state": "CONFIGURING"}  480_000  ""
    {**BEGUN, "exclusive": ["true"]}  0  ""  # it says what it holds
    {"exclusive": ["user"], "shared": ["user"], "tres_per_node": "gres:gpu:h100:1"}  30_000  ""
    {"exclusive": ["false"], "shared": None, "tres_per_node": "gres:gpu:h100:1"}  30_000  ""
    {"shared": ["nonexclusive"], "tres_per_node": "gres:gpu:h100:1"}  30_000  ""
    {"shared": 7}  480_000  "is not understood"
    {**BEGUN, "max_nodes": 9, "tres_per_node": "gpu:h100:1"}  30_000  ""
    {"tres_per_node": "gres:GPU:h100:1"}  30_000  ""
""")
def test_power_of_the_devices_of_a_job(changes, power_W, unknown):
    """What is not understood is named, and counts with its largest plausible load."""
    watts = PowerTable({}, {"h100": 10_000, "*": 9000, "a": 9500, "b": 100})
    three = QUEUE["jobs"][2] | {"node_count": 3, "partition": "b"} | changes
    if "partition" not in changes:
        watts.gpu_W.pop("b")
    (found,) = slurm.jobs_of({"jobs": [three]}, watts)
    assert found.power_W == power_W and re.search(unknown, found.unknown)
    assert bool(found.unknown) is bool(unknown)


GOOD = QUEUE["jobs"][3]
EMPTY = {key: None for key in GOOD}


@cases("""changes  state
    {"node_count": float("inf")}  "gated"
    {"node_count": -5}  "gated"
    {"node_count": 0}  "gated"
    {"node_count": {"set": True, "infinite": True, "number": 0}}  "gated"
    {"node_count": None}  "gated"
    {"time_limit": {"set": True, "number": -1}}  "gated"
    {"start_time": "soon"}  "gated"
    {"node_count": True}  "gated"
    {"node_count": 2.5}  "gated"
    {"node_count": 2.0}  "gated"
    {"node_count": "2"}  "gated"
    {"node_count": "2-4"}  "gated"
    {"node_count": [2]}  "gated"
    {"node_count": 10**30}  "gated"
    {"node_count": 4294967294}  "gated"  # NO_VAL
    {"node_count": {"set": "true", "infinite": False, "number": 2}}  "gated"
    {"node_count": {"set": True, "infinite": False, "number": True}}  "gated"
    {"node_count": {"number": 2}}  "gated"
    {"max_nodes": False}  "gated"
    {"max_nodes": []}  "gated"
    {"tasks": "", "tres_per_task": "gres/gpu:1"}  "gated"
    {"tasks_per_node": "4"}  "gated"
    {"tres_per_node": []}  "gated"
    {"tres_per_node": 0}  "gated"
    {"tres_per_job": False}  "gated"
    {"gres_detail": {}}  "gated"
    {"gres_detail": "gpu:8"}  "gated"
    {"array_task_string": 7}  "gated"
    {"array_max_tasks": True, "array_task_string": "0-9"}  "gated"
    {"time_limit": 0.5}  "gated"
    {"submit_time": True}  "gated"
    {"job_id": 0}  "gated"
    {"job_id": "5; reboot"}  "gated"
    {"het_job_id": "4"}  "released"
    {"priority": True}  "released"
    {"priority": 0.4}  "released"
    {"admin_comment": ["firebreak"]}  "released"
    {"dependency": 0}  "released"
    {"submit_time": [7]}  "gated"
    {"partition": None}  "gated"
    {"partition": ""}  "gated"
    {"tres_per_node": {"gpu": 4}}  "gated"
    {"tres_per_job": "gres/gpu:"}  "gated"
    {"tres_per_job": "gres/hpu:1"}  "gated"
    {"gres_detail": 7}  "gated"
    {"array_task_string": "1,3,..."}  "gated"
    {"job_id": []}  "gated"
    {"priority": "high"}  "released"
    {"job_state": ["SOMETHING_NEW"]}  "released"
    {"job_state": 7}  "released"
    {"job_state": []}  "released"
    {"job_state": "RUNNING", "start_time": None}  "released"
    {"job_state": "RUNNING", "partition": None}  "released"  # it may have begun just now
    EMPTY  "released"
    {}  "released"
    None  "released"
    [GOOD]  "released"
""")
def test_an_odd_record_costs_itself_alone_and_counts_as_much(changes, state):
    """The others stay. Its load is never smaller, and it is not let through by itself."""
    odd = {**GOOD, **changes} if changes and isinstance(changes, dict) else changes
    others = slurm.jobs_of({"jobs": QUEUE["jobs"]}, ANY_GPU)
    queue = {"jobs": [odd, *QUEUE["jobs"]]}
    found = slurm.jobs_of(queue, ANY_GPU)
    assert {*others} <= {*found} and len(found) == len(others) + 1
    (own,) = [each for each in found if each not in others]
    assert own.power_W >= 20_000 and own.state == state and own.unknown


@cases("""states  priorities  found
    ("PENDING", "PENDING")  (0, 0)  "gated"
    ("PENDING", "PENDING")  (7, 0)  "gated"
    ("PENDING", "PENDING")  (7, 7)  "released"
    ("CONFIGURING", "PENDING")  (7, 7)  "released"
""")
@pytest.mark.parametrize(
    "marks", [("firebreak", "firebreak"), ("firebreak", ""), ("", "firebreak")]
)
def test_the_components_of_a_heterogeneous_job_are_one_question(states, priorities, found, marks):
    """The release of the leader lets all of them go, also those that are small."""
    parts = [
        GOOD
        | {"job_id": number, "het_job_id": {"set": True, "infinite": False, "number": 40}}
        | {"job_state": state, "priority": priority, "admin_comment": mark, "time_limit": number}
        for number, state, priority, mark in zip((41, 40), states, priorities, marks, strict=True)
    ]
    if "" in marks and priorities[marks.index("firebreak")]:
        found = "released"
    jobs = slurm.jobs_of({"jobs": [parts[0], GOOD, parts[1]]}, ANY_GPU)
    assert Job("40", found, 40_000, 0, 41 * 60, 9) in jobs and len(jobs) == 2


def test_a_component_that_is_not_understood_keeps_the_whole_job():
    own = {"het_job_id": 40}
    odd = [{**GOOD, "job_id": 40, **own}, {**GOOD, "job_id": 41, "node_count": "4", **own}]
    (found,) = slurm.jobs_of({"jobs": odd}, ANY_GPU)
    assert found.unknown and found.power_W == 20_000 + 2 * (1000 + 16 * 9000)


def test_components_that_run_or_were_never_held_stay_as_they_are():
    rows = [{**QUEUE["jobs"][at], "het_job_id": 1} for at in (0, 1)]
    assert [each.name for each in slurm.jobs_of({"jobs": rows}, WATTS)] == ["1", "2"]


def test_a_job_without_an_id_is_explained_to_nobody(tmp_path, monkeypatch):
    """scontrol would refuse it, and its error would end the turn of all other jobs."""
    monkeypatch.setenv("PATH", str(tmp_path / "none"))
    slurm.Slurm(9, WATTS).explain("record 3", "no")
    with pytest.raises(Away, match="scontrol: No such file or directory"):
        slurm.Slurm(9, WATTS).explain("3", "no")


def test_an_odd_array_counts_as_the_largest_one():
    odd = {**GOOD, "time_limit": True, "array_task_string": "0-9"}
    (found,) = slurm.jobs_of({"jobs": [odd]}, ANY_GPU)
    assert found.power_W == 1001 * 2 * (1000 + 16 * 9000)


def test_without_squeue_there_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path / "none"))
    with pytest.raises(Away, match="squeue: No such file or directory"):
        slurm.Slurm(9, WATTS).queue()


class Place:
    """Slurm, a loop that answers, a watch and a gate; margin_W: of the cabinet."""

    def __init__(self, site, cluster, given):
        self.site, self.cluster, self.lines, self.margin_W = site, cluster, [], 450_000
        self.slurm, cabinet = slurm.Slurm(2, WATTS), Cabinet(*given)
        self.url, self.token, _ = given
        own = {"horizon_s": 900, "gate": {key: field.default for key, field in GATE.items()}}
        self.watcher = Watcher(cabinet, 900, time.time, self.lines.append)
        self.gate = Gate(self.slurm, cabinet, own, time.time, self.lines.append, time.time)

    def situation(self, path, second):
        return situation(
            connection={"import_W_max": 300_000}, battery={"discharge_W_max": self.margin_W}
        )

    def turn(self):
        """The trouble of one turn, and its lines."""
        self.lines.clear()
        return run_turns(self.slurm, [self.watcher.turn, self.gate.turn])

    def steps(self):
        return [step_W for step_W, _ in steps(self.site)]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    parts.needs("root", "slurmctld", "slurmd", "slurm-client")
    folder = tmp_path_factory.mktemp("slurm")
    with (
        pytest.MonkeyPatch.context() as patch,
        served(folder) as (site, door),
        tempfile.TemporaryDirectory() as own,
    ):
        patch.setenv("SLURM_CONF", "")
        os.chmod(own, 0o755)  # users read slurm.conf
        cluster = Site(Path(own))
        try:
            found = Place(site, cluster, (f"http://127.0.0.1:{door.port}", token_in(folder), ""))
            patch.setattr(asking, "_situation", found.situation)
            yield found
        finally:
            cluster.end()


def refused(*words):
    """What a user reads who may not do this."""
    done = subprocess.run([*USER, *words], capture_output=True, text=True, check=False)
    assert done.returncode
    return done.stderr


@pytest.mark.wire
def test_a_job_is_announced_and_withdrawn_when_it_is_cancelled(place):
    job = place.cluster.submit("--begin=now+600", "--gres=gpu:h100:2")
    assert place.turn() == "" and place.steps() == [21_000]
    assert place.lines[0].startswith(f"job {job}: 21000 W in ") and "H1" in place.lines[1]
    place.cluster.run("scancel", job)
    assert place.turn() == "" and place.steps() == []


@pytest.mark.wire
def test_the_end_of_a_running_job_is_announced(place):
    job = place.cluster.submit("--time=5", "--gpus=1")
    place.cluster.until(lambda: place.cluster.state(job) == "RUNNING")
    assert place.turn() == "" and place.steps() == [-11_000]
    place.cluster.run("scancel", job)
    place.cluster.until(lambda: place.turn() == "" and not place.steps())


@pytest.mark.wire
def test_a_big_job_is_released_only_when_the_answer_is_yes(place):
    place.margin_W, cluster = 50_000, place.cluster
    job = cluster.submit("--time=5", "--gres=gpu:8", as_user=USER)
    place.turn()
    (line,) = place.lines
    assert line.startswith(f"job {job}: 81000 W: waits: no (power: ")
    assert "denied" in refused("scontrol", "release", job)
    place.turn()
    assert cluster.state(job) == "PENDING" and place.lines == []
    assert "AdminComment=firebreak: no (power" in cluster.run("scontrol", "show", "job", job)
    place.margin_W = 450_000
    place.turn()
    assert place.lines == [f"job {job}: 81000 W: released (yes)"]
    assert "AdminComment=firebreak: released (yes)" in cluster.run("scontrol", "show", "job", job)
    cluster.until(lambda: cluster.state(job) == "RUNNING")
    cluster.run("scancel", job)


@pytest.mark.wire
def test_a_small_job_does_not_wait_and_does_not_become_big(place):
    job = place.cluster.submit("--gres=gpu:1", as_user=USER)
    place.cluster.until(lambda: place.cluster.state(job) == "RUNNING")
    later = place.cluster.submit("--begin=now+3000", as_user=USER)
    assert "denied" in refused("scontrol", "update", f"JobId={later}", "NumNodes=4")
    assert "without --hold" in refused("sbatch", "--hold", "--gpus=8", "--wrap=true")
    place.cluster.run("scancel", job, later)


@pytest.mark.wire
@cases("""words  is_held
    "-n 255"  False
    "-n 512"  True
    "-n 4 --ntasks-per-node=1"  True
    "-N 3"  False
    "-N 1-4"  True
    "-n 7 --gpus-per-task=1"  False
    "-n 8 --gpus-per-task=1"  True
    "--array=0-99%3"  False
    "--array=0-3"  True
    "--array=1,3-9:3 --gres=gpu:2"  True
    "--array=1,3 --gres=gpu:3"  False
""")
def test_the_size_of_a_job_is_that_of_all_that_may_run_at_once(words, is_held, place):
    job = place.cluster.submit("--begin=now+3000", *words.split())
    priority = place.cluster.run("squeue", "-h", "-o", "%Q", "-j", job)
    assert (int(priority) == 0) is is_held
    place.cluster.run("scancel", job)


@pytest.mark.wire
@cases("""words  change  is_allowed
    "--gres=gpu:1"  "Gres=gpu:7"  True
    "-N 3 --gres=gpu:1"  "Gres=gpu:7"  False
    "-n 3"  "NumNodes=3"  True
    "--gres=gpu:1 --array=0-2"  "Gres=gpu:7"  False
    "--gres=gpu:1"  "NumTasks=512"  False
    "--array=0-99%3"  "ArrayTaskThrottle=2"  True
    "--array=0-99%3"  "ArrayTaskThrottle=0"  False
    "--array=0-99%3"  "ArrayTaskThrottle=4"  False
    "--array=0-99"  "TimeLimit=1"  True
    "--gpus=8"  "TimeLimit=1"  True
""")
def test_a_change_of_a_job_is_judged_by_the_whole_job(words, change, is_allowed, place):
    job = place.cluster.submit("--begin=now+3000", "--time=9", *words.split(), as_user=USER)
    done = subprocess.run([*USER, "scontrol", "update", f"JobId={job}", change], check=False)
    assert (done.returncode == 0) is is_allowed
    place.cluster.run("scancel", job)


@pytest.mark.wire
def test_a_job_of_whole_nodes_is_big_and_counts_all_their_gpus(place):
    job = place.cluster.submit("--begin=now+3000", "--exclusive", "--gpus=1", as_user=USER)
    (found,) = place.slurm.queue()
    assert (found.state, found.power_W) == ("gated", 1000 + 16 * 10_000)
    place.cluster.run("scancel", job)


@pytest.mark.wire
def test_the_release_of_a_heterogeneous_job_is_one_question_and_releases_all_of_it(place):
    place.margin_W, cluster = 160_000, place.cluster
    first = cluster.submit(
        "--gpus=8", "--wrap=true", ":", "--gpus=8", ":", "--gpus=1", as_user=USER
    )
    power_W = 2 * 81_000 + 11_000
    place.turn()
    (line,) = place.lines
    assert line.startswith(f"job {first}: {power_W} W: waits: no (power: ")
    place.margin_W = 450_000
    place.turn()
    assert place.lines == [f"job {first}: {power_W} W: released (yes)"]
    priorities = cluster.run("squeue", "-h", "-o", "%Q", "-j", first).split()
    assert len(priorities) == 3 and "0" not in priorities
    (found,) = place.slurm.queue()
    assert (found.name, found.state, found.power_W) == (first, "released", power_W)
    cluster.run("scancel", first)


@pytest.mark.wire
def test_a_big_job_of_a_later_day_is_released_on_that_day(place):
    job = place.cluster.submit("--begin=now+3000", "--time=5", "--gpus=8", as_user=USER)
    update = *USER, "scontrol", "update", f"JobId={job}"
    assert place.turn() == "" and place.lines == []
    place.cluster.run(*update, "StartTime=now+600")
    assert place.turn() == "" and place.lines == [f"job {job}: 81000 W: released (yes)"]
    assert "denied" in refused(*update[len(USER) :], "StartTime=now+3000")
    place.cluster.run("scancel", job)


@pytest.mark.wire
def test_the_program_asks_and_withdraws_its_steps_when_it_is_stopped(place, tmp_path, capsys):
    file = str(tmp_path / "watch.toml")
    Path(file).write_text(
        f"""[cabinet]
        url = "{place.url}"
        token = "{place.token}"
        [node_W]
        "*" = 1000
        [slurm]
        """
    )
    job = place.cluster.submit("--begin=now+600")
    assert [main(["ask", "--config", file, each]) for each in (job, "999")] == [0, 3]
    words = ["1000 W: yes", "job 999: it is not in the queue"]
    assert capsys.readouterr().out == "".join([f"firebreak-watch: {each}\n" for each in words])
    command = [sys.executable, "-m", "controller.watch", "run", "--config", file]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        for line in program.stdout:
            if "step of 1000 W" in line:
                break
        assert place.steps() == [1000]
        program.send_signal(signal.SIGTERM)
        assert program.wait(30) == 0
    assert place.steps() == []
    place.cluster.run("scancel", job)


@pytest.mark.wire
def test_without_slurmctld_there_is_one_line_and_later_all_goes_on(place):
    job = place.cluster.submit("--begin=now+600")
    place.cluster.stop("slurmctld")
    assert place.turn() == "the queue is not known: squeue: no answer within 2 s"
    place.cluster.begin("slurmctld", "-D")
    place.cluster.until(lambda: place.turn() == "")
    assert place.steps() == [1000]
    place.cluster.run("scancel", job)


@cases("""output
    ""
    "no"
    "{}"
    "[]"
    '{"jobs": {}}'
    '{"jobs": 5}'
    '{"jobs": [{}]}'
    '{"jobs": [{"job_state": 7}, null]}'
    '{"jobs": 7}'
    '{"jobs": [' + "[" * 5000
    json.dumps(QUEUE)[:-3]
    json.dumps({**QUEUE, "errors": [{"error": "Unable to contact slurm controller"}]})
    json.dumps(QUEUE)[:-1] + ";"
""")
def test_an_output_of_another_form_is_one_line(output, tmp_path, monkeypatch):
    (tmp_path / "output").write_text(output)
    fake_squeue(tmp_path, monkeypatch, f"cat {tmp_path}/output")
    with pytest.raises(Away, match="squeue --json: its output is not understood"):
        slurm.Slurm(9, WATTS).queue()


def test_a_queue_of_more_than_32_MiB_is_read(tmp_path, monkeypatch):
    """3500 records of 10 kB: what no one needs of a record is let go before the next one."""
    (tmp_path / "record").write_text(json.dumps({**GOOD, "comment": "x" * 10_000}))
    script = f"""
        printf '{{"meta": {{"a": 1}}, "jobs": ['
        yes "$(cat {tmp_path}/record)," | head -n 3500
        printf '{json.dumps({**GOOD, "job_id": 77})}], "errors": []}}'
        """
    fake_squeue(tmp_path, monkeypatch, script)
    read, given = slurm.jobs_of, []
    monkeypatch.setattr(
        slurm, "jobs_of", lambda queue, watts: given.append(queue) or read(queue, watts)
    )
    found = slurm.Slurm(60, WATTS).queue()
    assert len(found) == 3501 and found[-1].name == "77"
    assert {*given[0]["jobs"][0]} <= slurm.KEYS


def test_every_field_that_is_read_is_kept():
    """A key that KEYS does not have would be no error, but nothing."""
    text = Path(slurm.__file__).read_text()
    read = re.findall(r'record(?:\[|\.get\(|, )"(\w+)"|"(tres_per_\w+)", ', text)
    assert {key for keys in read for key in keys if key} == slurm.KEYS
