"""Slurm's queue by `squeue --json` (22.05 or newer).

A start of a waiting job is Slurm's forecast by time limits; an array is one record, which stands
for its next task. What waits behind a job without a time limit starts in a year, and a held job at
0: both are beyond every horizon.
"""

import subprocess
from typing import Any

from controller.forms.field import Form, integer
from controller.system import json_text
from controller.watch import jobs as j
from controller.watch.jobs import Away, Job, Table


MARK = "firebreak"  # begins the AdminComment of a job that waits for the cabinet


def form(folder: str) -> Form:
    """The keys of [slurm]. wait_s: squeue blocks for 9 s while slurmctld is gone."""
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
        except (ValueError, TypeError, KeyError, IndexError, AttributeError):
            raise Away("squeue --json: its output is not understood") from None

    def release(self, name: str) -> None:
        """Let a gated job start. Raises Away."""
        self._done("scontrol", "release", name)

    def explain(self, name: str, words: str) -> None:
        """Show the user of a gated job why it waits. Raises Away."""
        self._done("scontrol", "update", f"JobId={name}", f"AdminComment={MARK}: {words}")

    def _done(self, *command: str) -> bytes:
        try:
            run = subprocess.run(command, capture_output=True, timeout=self._wait_s, check=False)
        except subprocess.TimeoutExpired:
            raise Away(f"{command[0]}: no answer within {self._wait_s} s") from None
        except OSError as error:
            raise Away(f"{command[0]}: {error.strerror}") from None
        if run.returncode:
            words = run.stderr.decode("utf-8", "replace").strip().splitlines() or [""]
            raise Away(f"{command[0]}: exit code {run.returncode}: {words[-1][:200]}")
        return run.stdout


def number(value: Any) -> int:
    """A number of squeue: plain up to 22.05, {"set", "infinite", "number"} later; 0: none."""
    if isinstance(value, dict):
        return int(value["number"]) if value.get("set") and not value.get("infinite") else 0
    return int(value or 0)


def jobs_of(queue: dict[str, Any], watts: Table) -> list[Job]:
    """The jobs of the output of `squeue --json`."""
    found = []
    for each in queue["jobs"]:
        states = each["job_state"]
        state = states if isinstance(states, str) else states[0]
        if state not in ("PENDING", "RUNNING"):
            continue
        power_W = watts.power_W(number(each["node_count"]), 0, [each["partition"]])
        length_s = number(each["time_limit"]) * 60 or 365 * j.DAY_S
        own = j.RUNNING if state == "RUNNING" else j.PENDING
        times = number(each["start_time"]), length_s, number(each["submit_time"])
        found.append(Job(str(each["job_id"]), own, power_W, *times))
    return found
