"""Slurm's queue by `squeue --json` (22.05 or newer).

A start of a waiting job is Slurm's forecast by time limits; an array is one record, which stands
for its next task. A job behind one without a time limit starts in a year, beyond every horizon. The
start of a held job is 0.
"""

import re
import signal
from typing import Any

from controller.forms.field import Form, integer
from controller.system import json_text
from controller.watch import deadline
from controller.watch.jobs import DAY_S, GATED, PENDING, RELEASED, RUNNING, Away, Job, Table

BYTES_MAX = 32 << 20  # of squeue: 6 000 jobs, which take 160 MB
MARK = "firebreak"  # begins the AdminComment of a job that waits for the cabinet
# gres:gpu, gres:gpu:4, gres/gpu:h100:4, gres/gpu=4
_GPU = re.compile(r"gres[:/]gpu(?::([A-Za-z]\w*))?(?:[:=](\d+))?")
_HELD_GPU = re.compile(r"gpu(?::([^:,(]+))?:(\d+)\(")  # gpu:h100:4(IDX:0-3)
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
            return jobs_of(json_text.loads(text), self._watts)
        except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError):
            raise Away("squeue --json: its output is not understood") from None

    def release(self, name: str) -> None:
        """Let a gated job start. Raises Away."""
        self._done("scontrol", "release", name)

    def explain(self, name: str, words: str) -> None:
        """Show the user of a gated job why it waits. Raises Away."""
        self._done("scontrol", "update", f"JobId={name}", f"AdminComment={MARK}: {words}")

    def _done(self, *command: str) -> bytes:
        try:
            code, found, errors = deadline.printed(command, self._wait_s, BYTES_MAX)
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


def number(value: Any) -> int:
    """A number of squeue: plain up to 22.05, {"set", "infinite", "number"} later; 0: none."""
    if isinstance(value, dict):
        value = value["number"] if value.get("set") and not value.get("infinite") else 0
    if (found := int(value or 0)) < 0:
        raise ValueError
    return found


def jobs_of(queue: Record, watts: Table) -> list[Job]:
    """The jobs of the output of `squeue --json` that wait or run."""
    found = []
    if queue.get("errors"):  # a queue that squeue could not read is not an empty one
        raise ValueError
    for each in queue["jobs"]:
        state = _state(each)
        if state:
            length_s = number(each["time_limit"]) * 60 or 365 * DAY_S
            times = number(each["start_time"]), length_s, number(each["submit_time"])
            found.append(Job(str(each["job_id"]), state, _power_W(each, state, watts), *times))
    return found


def _state(each: Record) -> str:
    """State of a job; "" if it is over, or waits for something besides the cabinet."""
    states = each["job_state"]
    states = [states] if isinstance(states, str) else states
    if "RUNNING" in states and "COMPLETING" not in states:
        return RUNNING
    if "PENDING" not in states:
        return ""
    if not str(each.get("admin_comment") or "").startswith(MARK):
        return PENDING
    if number(each["priority"]):
        return RELEASED
    return PENDING if each.get("dependency") else GATED


def _power_W(each: Record, state: str, watts: Table) -> int | None:
    """Rise of the load; of a gated array that of all tasks that may start at once."""
    gpus, kind = gpus_of(each)
    if gpus is None and watts.gpu_W:
        return None
    names = [kind, each["partition"]] if kind else [each["partition"]]
    power_W = watts.power_W(number(each["node_count"]), gpus or 0, names)
    tasks = str(each.get("array_task_string") or "")
    if not tasks or state not in (GATED, RELEASED) or power_W is None:
        return power_W
    if each["state_reason"] == "JobArrayTaskLimit":  # the others run in place of those that end
        return 0
    count, most = tasks_of(tasks), number(each["array_max_tasks"])
    return power_W * min(count, most or count) if count else None


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


def gpus_of(each: Record) -> tuple[int | None, str]:
    """(GPUs, their kind) of a job; None: their number is not known before it runs."""
    held = [match for part in each["gres_detail"] for match in _HELD_GPU.finditer(part)]
    if held:
        return sum([int(match[2]) for match in held]), held[0][1] or ""
    for key, times in (("job", ""), ("node", "node_count"), ("task", "tasks")):
        found = [*_GPU.finditer(each.get(f"tres_per_{key}") or "")]
        if found:
            count = sum([int(match[2] or 1) for match in found])
            return count * (number(each[times]) if times else 1), found[0][1] or ""
    return (None if "gpu" in (each.get("tres_per_socket") or "") else 0), ""
