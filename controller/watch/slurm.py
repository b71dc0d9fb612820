"""Slurm's queue by `squeue --json` (22.05 or newer), record by record.

A start of a waiting job is Slurm's forecast by time limits; an array is one record, which stands
for its next task. A job behind one without a time limit starts in a year, beyond every horizon. The
start of a held job is its --begin, or 0.

A field that is not understood costs its record alone: the job counts with its largest plausible
load, and is named. What is left out would make the load smaller, and the gate would open too early.
"""

import re
import signal
from collections.abc import Callable
from typing import IO, Any

from controller.forms.field import Form, integer
from controller.system import deadline, json_stream
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
    Fields,
    Found,
    Job,
    Load,
    Table,
)

RECORD_BYTES_MAX = 4 << 20  # a record has 5 kB, and 160 kB of an array with many tasks
JOBS_MAX = 200_000  # Slurm keeps 10 000 by default (MaxJobCount); each takes 0.4 kB here
ODD_MAX = 100  # records that are not understood: more are another form of output
TASKS_MAX = 1001  # of an array, by default (MaxArraySize)
WHOLE = {"SLURM_BITSTR_LEN": "0"}  # else long lists of tasks are cut
MARK = "firebreak"  # begins the AdminComment of a job that waits for the cabinet
# The load of these jobs is sure to come: their nodes boot, or they may go on at any time.
SURE = frozenset(("CONFIGURING", "POWER_UP_NODE", "SUSPENDED", "STOPPED"))
OVER = frozenset(
    "COMPLETING COMPLETED CANCELLED FAILED TIMEOUT NODE_FAIL PREEMPTED BOOT_FAIL DEADLINE"
    " OUT_OF_MEMORY STAGE_OUT REVOKED LAUNCH_FAILED RECONFIG_FAIL".split()
)
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
        found = self._done(self._jobs, "squeue", "--json")
        if isinstance(found, str):
            raise Away(f"squeue --json: {found}")
        return found

    def _jobs(self, output: IO[bytes]) -> list[Job] | str:
        """The jobs of an output, or why they are unknown. Each record is read and let go, so that a
        long queue takes little memory.
        """
        found = _Queue(self._watts)
        try:
            members = json_stream.members(output, "jobs", found.add, RECORD_BYTES_MAX)
            members["jobs"]
            return found.whole(members)
        except json_stream.TooLong:
            return f"a record has more than {RECORD_BYTES_MAX >> 20} MiB"
        except NOT_UNDERSTOOD:
            return "its output is not understood"

    def release(self, name: str) -> None:
        """Let a gated job start. Raises Away."""
        self._done(_whole, "scontrol", "release", name)

    def explain(self, name: str, words: str) -> None:
        """Show the user of a gated job why it waits. Raises Away."""
        comment = f"AdminComment={MARK}: {words}"
        self._done(_whole, "scontrol", "update", f"JobId={name}", comment)

    def _done(self, read: Callable[[IO[bytes]], Found], *command: str) -> Found:
        try:
            code, found, errors = deadline.printed(command, self._wait_s, read, WHOLE)
        except OSError as error:
            raise Away(f"{command[0]}: {error.strerror}") from None
        if code == -signal.SIGKILL:
            raise Away(f"{command[0]}: no answer within {self._wait_s} s")
        if code and code != -signal.SIGPIPE:  # its reader has left: the output is not understood
            words = errors.decode("ascii", "replace").strip().splitlines() or [""]
            raise Away(f"{command[0]}: exit code {code}: {words[-1][:200]}")
        return found


def _whole(output: IO[bytes]) -> None:
    """Let a program that has nothing to tell end."""
    output.read(1 << 20)


def number(value: Any) -> int:
    """A number of squeue: plain up to 22.05, {"set", "infinite", "number"} later; 0: none."""
    if isinstance(value, dict):
        value = value["number"] if value.get("set") and not value.get("infinite") else 0
    found = int(0 if value in (None, "") else value)
    if found < 0 or isinstance(value, float) and found != value:
        raise ValueError
    return found


def jobs_of(queue: Record, watts: Table) -> list[Job]:
    """The jobs of the output of `squeue --json` that wait or run. ValueError: it is no queue."""
    found = _Queue(watts)
    for each in queue["jobs"]:
        found.add(each)
    return found.whole(queue)


class _Queue:
    """Takes a queue record by record."""

    def __init__(self, watts: Table) -> None:
        self._watts, self._jobs, self._late = watts, list[Job](), list[tuple[int, Any]]()
        self._count = self._odd = self._states = 0
        self._nodes_most = 1

    def add(self, each: Any) -> None:
        """A record; one without a number of nodes waits for the largest job of the queue."""
        self._count += 1
        try:
            state = _state(each)
            self._states += 1
            nodes = _nodes(each, state) if state else 0
        except NOT_UNDERSTOOD:
            self._late.append((self._count, each))
            self._check()
            return
        if state:
            self._nodes_most = max(self._nodes_most, nodes)
            self._put(self._count, each)

    def _check(self) -> None:
        if len(self._jobs) > JOBS_MAX:
            raise Away(f"squeue --json: more than {JOBS_MAX} jobs wait or run")
        if len(self._late) + self._odd > ODD_MAX:
            raise ValueError

    def _put(self, number_in_queue: int, each: Any) -> None:
        fields = Fields()
        job = _job(each, f"record {number_in_queue}", self._nodes_most, self._watts, fields)
        self._odd += bool(fields.odd)
        self._jobs.append(job)
        self._check()

    def whole(self, members: Record) -> list[Job]:
        """All jobs, after the last record. members: of the output. ValueError: it is no queue."""
        if members.get("errors"):  # a queue that squeue could not read is not an empty one
            raise ValueError
        if self._count and not self._states:  # of another form
            raise ValueError
        late, self._late = self._late, []
        for number_in_queue, each in late:
            self._put(number_in_queue, each)
        return self._jobs


def _job(each: Record, name: str, nodes_most: int, watts: Table, fields: Fields) -> Job:
    """The job of a record that waits or runs."""
    state = fields.get("job_state", lambda: _state(each), RELEASED)
    nodes = fields.get("node_count", lambda: _nodes(each, state), nodes_most)
    load = _load(each, nodes, watts, fields)
    times = fields.get("array_task_string", lambda: _tasks_at_once(each, state), TASKS_MAX)
    start_s = fields.get("start_time", lambda: _start_s(each, state), 0)
    if state == RUNNING and not start_s:
        state = RELEASED
    length_s = fields.get("time_limit", lambda: number(each["time_limit"]) * 60, 0) or 365 * DAY_S
    since_s = fields.get("submit_time", lambda: number(each["submit_time"]), 0)
    name = fields.get("job_id", lambda: str(_checked(each["job_id"], int, str)), name)
    unknown = fields.unknown(load.unknown)
    return Job(name, state, load.power_W * times, start_s, length_s, since_s, unknown)


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


def _checked(value: Any, *kinds: type) -> Any:
    if not isinstance(value, kinds):
        raise TypeError
    return value


def _start_s(each: Record, state: str) -> int:
    found = number(each["start_time"])
    if state == RUNNING and not found:  # else it would count as begun since 1970
        raise ValueError
    return found


def _load(each: Record, nodes: int, watts: Table, fields: Fields) -> Load:
    """The rise of the load by one task of an array. Slurm says several times what a job requests:
    of each kind of device the largest request counts.
    """
    no_number = [Device("GPUs", (), None, False)]
    places = fields.get(
        "partition", lambda: [*filter(None, each["partition"].split(","))], list[str]()
    )

    def read(name: str, times: Callable[[], int], of: Callable[..., list[Device]]) -> list[Device]:
        def scaled() -> list[Device]:
            text = each["gres_detail"] if name == "gres_detail" else each.get(name) or ""
            found = of(",".join(text) if isinstance(text, list) else text)
            count = times() if found else 1
            return [each._replace(pieces=each.pieces and each.pieces * count) for each in found]

        return fields.get(name, scaled, no_number)

    one, tasks = lambda: 1, lambda: max(nodes, number(each["tasks"]))
    ways = [
        read("gres_detail", one, gres.devices),
        read("tres_per_job", one, gres.devices),
        read("tres_per_node", lambda: nodes, gres.devices),
        read("tres_per_task", tasks, gres.devices),
        read("tres_req_str", one, gres.totals),
    ]
    on_socket = read("tres_per_socket", one, gres.devices)
    if on_socket and not any(ways):
        ways.append([each._replace(pieces=None) for each in on_socket])
    most: dict[str, list[Device]] = {}
    for way in ways:
        for key in {device.family for device in way}:
            own = [device for device in way if device.family == key]
            both = most.get(key, []), own
            most[key] = max(both, key=lambda each: watts.load(nodes, each, places).power_W)
    return watts.load(nodes, [device for own in most.values() for device in own], places)


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
