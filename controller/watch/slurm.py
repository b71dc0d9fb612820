"""Reads the queue of Slurm with `squeue --json` (22.05 or newer).

The start of a waiting job is Slurm's forecast, made from time limits. An array has one record,
which is for its next task. If a job waits for another one without a time limit, Slurm forecasts a
start in a year, which is beyond every horizon. The start of a held job is its --begin, or 0. A
record that is not understood affects only its own job. The job is reported, and counts with its
largest plausible load. Without it the load would look smaller, and the gate would open too early.
"""

import math
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
    PowerTable,
    total_load,
    typed_field,
    whole_number,
)

# Output for 50 000 jobs. In memory they take three times as much, so the systemd unit allows 1 GB.
BYTES_MAX = 256 << 20
ENVIRONMENT = {"SLURM_BITSTR_LEN": "0"}  # else squeue cuts long lists of tasks
COMMENT_START = "firebreak"  # the AdminComment of a job that waits for the cabinet begins with it
# Jobs in these states count as released: their nodes boot, or they may resume at any time.
SURE = frozenset(("CONFIGURING", "POWER_UP_NODE", "SUSPENDED", "STOPPED"))
ENDED = frozenset(
    "COMPLETING COMPLETED CANCELLED FAILED TIMEOUT NODE_FAIL PREEMPTED BOOT_FAIL DEADLINE"
    " OUT_OF_MEMORY STAGE_OUT REVOKED LAUNCH_FAILED RECONFIG_FAIL".split()
)
# Fields that are kept. All others of a record (5 kB) are dropped while it is read.
KEYS = frozenset(
    "job_id job_state admin_comment priority dependency node_count max_nodes tasks partition"
    " gres_detail tres_per_job tres_per_node tres_per_task tres_per_socket start_time time_limit"
    " submit_time array_task_string array_max_tasks state_reason tasks_per_node shared exclusive"
    " het_job_id".split()
)
TASKS_MAX = 1001  # tasks of an array: Slurm's default of MaxArraySize
_TASKS = re.compile(r"(\d+)(?:-(\d+)(?::(\d+))?)?")
Record = dict[str, Any]


# squeue itself waits 9 s if slurmctld does not answer.
FORM: Form = {"wait_s": integer(1, 60, 15, "Wait so long for squeue.")}


def opened(values: dict[str, Any], watts: PowerTable) -> "Slurm":
    """The queue that slurm.conf on this host names."""
    return Slurm(values["wait_s"], watts)


class Slurm:
    """A queue of Slurm; see Scheduler."""

    def __init__(self, wait_s: int, watts: PowerTable):
        self._wait_s, self._watts = wait_s, watts

    def queue(self) -> list[Job]:
        """All jobs that wait or run. Raises Away."""
        text = self._output("squeue", "--json")
        try:
            return jobs_of(json_text.loads(text, _without_unread), self._watts)
        except NOT_UNDERSTOOD:
            raise Away("squeue --json: its output is not understood") from None

    def release(self, name: str) -> None:
        """Let a gated job start. Raises Away."""
        self._output("scontrol", "release", name)

    def explain(self, name: str, reason: str) -> None:
        """Show the user of a gated job why it waits. Raises Away."""
        if name.isdecimal():  # a record without an id has another name
            self._output(
                "scontrol", "update", f"JobId={name}", f"AdminComment={COMMENT_START}: {reason}"
            )

    def _output(self, *command: str) -> bytes:
        try:
            code, output, errors = deadline.printed(command, self._wait_s, BYTES_MAX, ENVIRONMENT)
        except OSError as error:
            raise Away(f"{command[0]}: {error.strerror}") from None
        if len(output) > BYTES_MAX:
            raise Away(f"{command[0]}: prints more than {BYTES_MAX >> 20} MiB")
        if code == -signal.SIGKILL:
            raise Away(f"{command[0]}: no answer within {self._wait_s} s")
        if code:
            error_lines = errors.decode("ascii", "replace").strip().splitlines() or [""]
            raise Away(f"{command[0]}: exit code {code}: {error_lines[-1][:200]}")
        return output


def _without_unread(record: Record) -> Record:
    return {key: record[key] for key in KEYS & record.keys()} if "job_state" in record else record


def number(value: Any) -> int:
    """A number of squeue: plain up to 22.05, {"set", "infinite", "number"} later; 0: none."""
    if isinstance(value, dict):
        if not {value["set"], value["infinite"]} <= {True, False}:
            raise ValueError("set or infinite")
        value = value["number"] if value["set"] and not value["infinite"] else None
    return whole_number(value)


def jobs_of(queue: Record, watts: PowerTable) -> list[Job]:
    """Jobs in the output of `squeue --json` that wait or run. ValueError: it is no queue."""
    # A queue that squeue could not read is not an empty queue.
    if queue.get("errors") or not isinstance(queue["jobs"], list):
        raise ValueError
    records = [record if isinstance(record, dict) else {} for record in queue["jobs"]]
    summaries = [_summary(record) for record in records]
    nodes_max = max([nodes for _, nodes, _ in summaries], default=0)
    by_leader = defaultdict[int, list[Job]](list)  # {id of a heterogeneous job: its components}
    for number_in_queue, (record, (state, nodes, leader)) in enumerate(zip(records, summaries), 1):
        jobs = by_leader[leader or -number_in_queue]
        try:
            if state:
                jobs.append(_job(record, state, nodes, watts))
        except NOT_UNDERSTOOD as error:
            if not nodes_max:  # no record is understood, so the output has another form
                raise
            name = str(record.get("job_id") or f"record {number_in_queue}")
            jobs.append(
                _unknown_job(record, name, state, watts.largest_W(nodes or nodes_max), error)
            )
    return [job for leader, parts in by_leader.items() for job in _as_one(leader, parts)]


def _as_one(leader: int, parts: list[Job]) -> list[Job]:
    """The components of a heterogeneous job as one job with the sum of their loads.

    They start together, and the release of the leader releases all of them.
    """
    states = [part.state for part in parts]
    state = GATED if GATED in states else RELEASED
    if leader < 0 or state not in states:
        return parts
    first, length_s = parts[states.index(state)], max(part.length_s for part in parts)
    power_W, unknown = total_load([(part.power_W, part.unknown) for part in parts])
    return [first._replace(name=str(leader), power_W=power_W, length_s=length_s, unknown=unknown)]


def _summary(record: Record) -> tuple[str, int, int]:
    """(state, number of nodes, id of the leader of a heterogeneous job or 0).

    A record that is not understood has 0 nodes.
    """
    state, leader = RELEASED, 0
    try:
        leader = number(record.get("het_job_id"))
        state = _state(record)
        return state, _nodes(record, state) if state else 0, leader
    except NOT_UNDERSTOOD:
        return state, 0, leader


def _job(record: Record, state: str, nodes: int, watts: PowerTable) -> Job:
    if not nodes:
        raise ValueError("job_state or node_count")
    name, start_s = number(record["job_id"]), number(record["start_time"])
    if not name or state == RUNNING and not start_s:  # a start of 0 would be the year 1970
        raise ValueError("job_id or start_time")
    places = [*filter(None, typed_field(record, "partition", str).split(","))]
    # Whole nodes: with --exclusive, or in a partition that gives them. The record of a running job
    # lists its devices.
    is_whole = state != RUNNING and {"NONE", "TRUE"} & {
        *_flags(record.get("shared")),
        *_flags(record.get("exclusive")),
    }
    devices = _devices(record, nodes, nodes * watts.node_gpus if is_whole else 0)
    power_W, unknown = watts.load(nodes, devices, places)
    power_W *= _tasks_at_once(record, state)
    length_s = number(record["time_limit"]) * 60 or 365 * DAY_S
    since_s = number(record["submit_time"])
    return Job(str(name), state, power_W, start_s, length_s, since_s=since_s, unknown=unknown)


def _unknown_job(record: Record, name: str, state: str, largest_W: int, error: Exception) -> Job:
    """The job of a record that is not understood. A running one may have begun just now."""
    unknown = f"its record is not understood: {type(error).__name__} {error}"[:100]
    power_W = largest_W * (TASKS_MAX if record.get("array_task_string") else 1)
    state = RELEASED if state == RUNNING else state
    return Job(name, state, power_W, start_s=0, length_s=365 * DAY_S, unknown=unknown)


def _devices(record: Record, nodes: int, gpus_min: int) -> list[Device]:
    """The devices of a job, chosen for each name: those that it holds, or else the largest request
    in any field. gpus_min: GPUs of a job that gets whole nodes, even if it requests fewer.
    """
    tasks = max(nodes * (number(record.get("tasks_per_node")) or 1), number(record.get("tasks")))
    by_name = _by_name("gpu" if gpus_min else "", gpus_min)
    for key, factor in (("tres_per_job", 1), ("tres_per_node", nodes), ("tres_per_task", tasks)):
        for name, devices in _by_name(typed_field(record, key, str), factor).items():
            by_name[name] = max(devices, by_name.get(name, []), key=_pieces)
    on_sockets = _by_name(typed_field(record, "tres_per_socket", str), 0)
    held = _by_name(",".join(typed_field(record, "gres_detail", list)), 1)
    return [device for kind in (on_sockets | by_name | held).values() for device in kind]


def _by_name(text: str, factor: int) -> dict[str, list[Device]]:
    """{name: devices} of a request, with their numbers multiplied by factor. 0: it is unknown."""
    by_name = defaultdict[str, list[Device]](list)
    for device in gres.devices(text):
        pieces = device.pieces * factor if factor and device.pieces is not None else None
        name = "gpu" if device.is_typed is not None else device.names[-1]
        by_name[name].append(device._replace(pieces=pieces))
    return by_name


def _pieces(devices: list[Device]) -> float:
    return math.fsum(math.inf if device.pieces is None else device.pieces for device in devices)


def _flags(value: Any) -> set[str]:
    """The words of a field that has one word or a list of words, in capitals."""
    return {word.upper() for word in ([value] if isinstance(value, str) else value or ())}


def _state(record: Record) -> str:
    """State of a job; "" if it has ended."""
    states = _flags(record["job_state"])
    if states & ENDED and "PENDING" not in states:
        return ""
    if states & SURE:
        return RELEASED
    if "RUNNING" in states:
        return RUNNING
    if "PENDING" not in states:
        raise ValueError
    if not typed_field(record, "admin_comment", str).startswith(COMMENT_START):
        return PENDING
    if number(record["priority"]):
        return RELEASED
    return PENDING if typed_field(record, "dependency", str) else GATED


def _nodes(record: Record, state: str) -> int:
    """The number of nodes. If a waiting job allows a range, the largest number."""
    range_end = number(record.get("max_nodes")) if state != RUNNING else 0
    if not (nodes := number(record["node_count"])):
        raise ValueError
    return max(nodes, range_end)


def _tasks_at_once(record: Record, state: str) -> int:
    """Tasks of a gated or released array that may start at once. A job that is no array has 1."""
    text = typed_field(record, "array_task_string", str)
    if not text or state not in (GATED, RELEASED):
        return 1
    # The next tasks start only when others end, so the load does not rise.
    if record["state_reason"] == "JobArrayTaskLimit":
        return 0
    count, most = tasks_of(text), number(record["array_max_tasks"])
    if not (count or most):
        raise ValueError
    return min(count or most, most or count)


def tasks_of(text: str) -> int:
    """Number of tasks in the list of an array, such as 0-3,7,10-20:2%4; 0: unknown."""
    count = 0
    for part in text.partition("%")[0].split(","):
        match = _TASKS.fullmatch(part)
        if match is None:
            return 0
        first, last, step = int(match[1]), int(match[2] or match[1]), int(match[3] or 1)
        count += len(range(first, last + 1, step))
    return count
