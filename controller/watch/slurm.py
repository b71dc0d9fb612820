"""Slurm's queue by `squeue --json` (22.05 or newer).

A start of a waiting job is Slurm's forecast by time limits; an array is one record, which stands
for its next task. A job behind one without a time limit starts in a year, beyond every horizon. The
start of a held job is its --begin, or 0.

A record that is not understood costs its job alone: it counts with its largest plausible load, and
is named. What is left out would make the load smaller, and the gate would open too early.
"""

import re
import signal
from collections import defaultdict
from typing import Any

from controller.forms.field import Form, integer
from controller.system import deadline, json_text
from controller.watch import gres
from controller.watch.jobs import (
    DAY_S,
    GATED,
    NOT_UNDERSTOOD,
    PENDING,
    RELEASED,
    RUNNING,
    Away,
    Device,
    Job,
    Table,
)

BYTES_MAX = 256 << 20  # 50 000 jobs; they take three times as much, so the unit allows 1 GB
WHOLE = {"SLURM_BITSTR_LEN": "0"}  # else long lists of tasks are cut
MARK = "firebreak"  # begins the AdminComment of a job that waits for the cabinet
# The load of these jobs is sure to come: their nodes boot, or they may go on at any time.
SURE = frozenset(("CONFIGURING", "POWER_UP_NODE", "SUSPENDED", "STOPPED"))
OVER = frozenset(
    "COMPLETING COMPLETED CANCELLED FAILED TIMEOUT NODE_FAIL PREEMPTED BOOT_FAIL DEADLINE"
    " OUT_OF_MEMORY STAGE_OUT REVOKED LAUNCH_FAILED RECONFIG_FAIL".split()
)
# What is read of a record: the rest of 5 kB is let go at once.
KEYS = frozenset(
    "job_id job_state admin_comment priority dependency node_count max_nodes tasks partition"
    " gres_detail tres_per_job tres_per_node tres_per_task tres_per_socket start_time time_limit"
    " submit_time array_task_string array_max_tasks state_reason".split()
)
TASKS_MAX = 1001  # of an array, by default (MaxArraySize)
_TASKS = re.compile(r"(\d+)(?:-(\d+)(?::(\d+))?)?")
Record = dict[str, Any]


def form(folder: str) -> Form:
    """The keys of [slurm]. wait_s: squeue itself waits 9 s for a slurmctld that is gone."""
    return {"wait_s": integer(1, 60, 15)}


def opened(values: dict[str, Any], watts: Table) -> "Slurm":
    """The queue of this host's slurm.conf."""
    return Slurm(values["wait_s"], watts)


class Slurm:
    """See Scheduler."""

    def __init__(self, wait_s: int, watts: Table) -> None:
        self._wait_s, self._watts = wait_s, watts

    def queue(self) -> list[Job]:
        """All jobs that wait or run. Raises Away."""
        text = self._done("squeue", "--json")
        try:
            return jobs_of(json_text.loads(text, _needed), self._watts)
        except NOT_UNDERSTOOD:
            raise Away("squeue --json: its output is not understood") from None

    def release(self, name: str) -> None:
        """Let a gated job start. Raises Away."""
        self._done("scontrol", "release", name)

    def explain(self, name: str, words: str) -> None:
        """Show the user of a gated job why it waits. Raises Away."""
        self._done("scontrol", "update", f"JobId={name}", f"AdminComment={MARK}: {words}")

    def _done(self, *command: str) -> bytes:
        try:
            code, found, errors = deadline.printed(command, self._wait_s, BYTES_MAX, WHOLE)
        except OSError as error:
            raise Away(f"{command[0]}: {error.strerror}") from None
        if len(found) > BYTES_MAX:
            raise Away(f"{command[0]}: prints more than {BYTES_MAX >> 20} MiB")
        if code == -signal.SIGKILL:
            raise Away(f"{command[0]}: no answer within {self._wait_s} s")
        if code:
            words = errors.decode("ascii", "replace").strip().splitlines() or [""]
            raise Away(f"{command[0]}: exit code {code}: {words[-1][:200]}")
        return found


def _needed(found: Record) -> Record:
    return {key: found[key] for key in KEYS & found.keys()} if "job_state" in found else found


def number(value: Any) -> int:
    """A number of squeue: plain up to 22.05, {"set", "infinite", "number"} later; 0: none."""
    if isinstance(value, dict):
        value = value["number"] if value.get("set") and not value.get("infinite") else 0
    if (found := int(value or 0)) < 0:
        raise ValueError(found)
    return found


def jobs_of(queue: Record, watts: Table) -> list[Job]:
    """The jobs of the output of `squeue --json` that wait or run. ValueError: it is no queue."""
    # a queue that squeue could not read is not an empty one
    if queue.get("errors") or not isinstance(queue["jobs"], list):
        raise ValueError
    records = [each if isinstance(each, dict) else {} for each in queue["jobs"]]
    begins = [_begin(each) for each in records]
    nodes_most, jobs = max([nodes for _, nodes in begins], default=0), []
    for number_in_queue, (each, (state, nodes)) in enumerate(zip(records, begins), 1):
        try:
            if state:
                jobs.append(_job(each, state, nodes, watts))
        except NOT_UNDERSTOOD as error:
            if not nodes_most:  # no record is understood: another form of output
                raise
            name = str(each.get("job_id") or f"record {number_in_queue}")
            jobs.append(_odd(each, name, state, watts.largest(nodes or nodes_most), error))
    return jobs


def _begin(each: Record) -> tuple[str, int]:
    """(state, number of nodes) of a job; RELEASED, 0: not understood."""
    state = RELEASED
    try:
        state = _state(each)
        return state, _nodes(each, state) if state else 0
    except NOT_UNDERSTOOD:
        return state, 0


def _job(each: Record, state: str, nodes: int, watts: Table) -> Job:
    if not nodes:
        raise ValueError("job_state or node_count")
    name, start_s = str(int(each["job_id"])), number(each["start_time"])
    if state == RUNNING and not start_s:  # else it would count as begun since 1970
        raise ValueError("start_time")
    places = [*filter(None, each["partition"].split(","))]
    power_W, unknown = watts.load(nodes, _devices(each, nodes), places)
    power_W *= _tasks_at_once(each, state)
    length_s = number(each["time_limit"]) * 60 or 365 * DAY_S
    return Job(name, state, power_W, start_s, length_s, number(each["submit_time"]), unknown)


def _odd(each: Record, name: str, state: str, largest_W: int, error: Exception) -> Job:
    """The job of a record that is not understood. One that runs may have begun just now."""
    unknown = f"its record is not understood: {type(error).__name__} {error}"[:100]
    power_W = largest_W * (TASKS_MAX if each.get("array_task_string") else 1)
    return Job(name, RELEASED if state == RUNNING else state, power_W, 0, 365 * DAY_S, 0, unknown)


def _devices(each: Record, nodes: int) -> list[Device]:
    """What a job holds, or requests: of each kind of device the first of these fields counts."""
    found: dict[str, list[Device]] = {}
    for text, times in (
        (",".join(each["gres_detail"]), 1),
        (each.get("tres_per_job"), 1),
        (each.get("tres_per_node"), nodes),
        (each.get("tres_per_task"), max(nodes, number(each.get("tasks")))),
        (each.get("tres_per_socket"), 0),  # how many there will be is not known
    ):
        own = defaultdict[str, list[Device]](list)
        for device in gres.devices(text or ""):
            pieces = device.pieces * times if times and device.pieces is not None else None
            key = "gpu" if device.is_typed is not None else device.names[-1]
            own[key].append(device._replace(pieces=pieces))
        found = own | found
    return [device for kind in found.values() for device in kind]


def _state(each: Record) -> str:
    """State of a job; "" if it is over, or waits for something besides the cabinet."""
    given = each["job_state"]
    states = {each.upper() for each in ([given] if isinstance(given, str) else given)}
    if states & OVER and "PENDING" not in states:
        return ""
    if states & SURE:
        return RELEASED
    if "RUNNING" in states:
        return RUNNING
    if "PENDING" not in states:
        raise ValueError
    if not str(each.get("admin_comment") or "").startswith(MARK):
        return PENDING
    if number(each["priority"]):
        return RELEASED
    return PENDING if each.get("dependency") else GATED


def _nodes(each: Record, state: str) -> int:
    """The number of nodes; of a job that waits for a range of nodes its end."""
    range_end = number(each.get("max_nodes")) if state != RUNNING else 0
    if not (given := number(each["node_count"])):
        raise ValueError
    return max(given, range_end)


def _tasks_at_once(each: Record, state: str) -> int:
    """Tasks of a gated or released array that may start at once; 1: it is no array."""
    text = str(each.get("array_task_string") or "")
    if not text or state not in (GATED, RELEASED):
        return 1
    if each["state_reason"] == "JobArrayTaskLimit":  # the others run in place of those that end
        return 0
    count, most = tasks_of(text), number(each["array_max_tasks"])
    if not (count or most):
        raise ValueError
    return min(count or most, most or count)


def tasks_of(text: str) -> int:
    """Number of tasks in a list of an array, 0-3,7,10-20:2%4; 0: not known."""
    count = 0
    for part in text.partition("%")[0].split(","):
        match = _TASKS.fullmatch(part)
        if match is None:
            return 0
        first, last, step = int(match[1]), int(match[2] or match[1]), int(match[3] or 1)
        count += len(range(first, last + 1, step))
    return count
