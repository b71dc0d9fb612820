"""Announces the steps of the load that Slurm's queue will cause, and asks before: Slurm to hints.

    python3 slurm_steps.py GATEWAY KEYFILE SOURCE TABLE.toml          every `every_s`, until stopped
    python3 slurm_steps.py GATEWAY KEYFILE SOURCE TABLE.toml JOB      asks for one job; exit code
                                                                      0 yes, 1 no, 3 not known

GATEWAY: socket of `firebreak upstream`. The table, W per node while a job runs, above an idle node:

    horizon_s = 900    # at most 3600
    every_s = 30
    [node_W]           # by partition; "*": every other one
    "*" = 5600

The program asks for each job once, before it announces the step, and prints the answer. It holds
and releases no job: a site's script does, `... JOB && scontrol release JOB`. A start by Slurm is a
forecast by time limits, so each turn moves or withdraws steps. An array counts as its next task.
"""

import hashlib
import hmac
import json
import socket
import struct
import subprocess
import sys
import time
import tomllib
from collections import defaultdict
from typing import Any, NamedTuple

NOTICE, STEP_W, STEPS_MAX = 6, 7, 4  # the controller knows four steps of a source
TOGETHER_s, VALID_ms, TAKEN_MAX = 30, 60_000, 10
WAIT_s = 10  # squeue blocks for 9 s while slurmctld is gone
YES, NO, NOT_KNOWN = 0, 1, 3
CODES = {"yes": YES, "no": NO}


class Job(NamedTuple):
    """A start (W > 0) or an end (W < 0) of a job. at_s: Unix time; for_s: time limit."""

    number: int
    at_s: int
    power_W: int
    for_s: int


def number(value: Any) -> int:
    """A number of squeue: plain up to 22.05, {"set", "infinite", "number"} later; 0: none."""
    if isinstance(value, dict):
        return value["number"] if value.get("set") and not value.get("infinite") else 0
    return value or 0


def jobs_of(queue: dict, node_W: dict[str, int]) -> list[Job]:
    """Starts of pending and ends of running jobs in the output of `squeue --json`."""
    found = []
    for each in queue["jobs"]:
        states = each["job_state"]
        state = states if isinstance(states, str) else states[0]
        power_W = number(each["node_count"]) * node_W.get(each["partition"], node_W.get("*", 0))
        for_s = number(each["time_limit"]) * 60 or 86_400
        if state == "PENDING":  # a held job has the start time 0
            found.append(Job(each["job_id"], number(each["start_time"]), power_W, for_s))
        elif state == "RUNNING":
            found.append(Job(each["job_id"], number(each["end_time"]), -power_W, for_s))
    return found


def steps_of(jobs: list[Job], now_s: float, horizon_s: int) -> dict[int, int]:
    """{Unix time: W} of the next steps; starts and ends within TOGETHER_s are one step."""
    steps: dict[int, int] = defaultdict(int)
    for job in jobs:
        if now_s < job.at_s <= now_s + horizon_s:
            steps[-(-job.at_s // TOGETHER_s) * TOGETHER_s] += job.power_W
    return dict(sorted((at_s, power_W) for at_s, power_W in steps.items() if power_W)[:STEPS_MAX])


class Gateway:
    """Messages to `firebreak upstream`; one connection for each turn."""

    def __init__(self, path: str, key: bytes, source: str) -> None:
        self._key, self._source = key, source
        link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        link.settimeout(5)
        link.connect(path)
        self._lines = link.makefile("rwb")
        welcome = self.send({"hello": source})
        if "nonce" not in welcome:
            raise OSError(welcome.get("sentence", "no answer"))
        self.nonce = bytes.fromhex(welcome["nonce"])
        self._sequence, self._uptime_ms = welcome["sequence"], welcome["uptime_ms"]
        self._begun_s = time.monotonic()

    def send(self, message: dict) -> dict:
        """The answer to a message. OSError without an answer."""
        self._lines.write(json.dumps(message).encode() + b"\n")
        self._lines.flush()
        answer = self._lines.readline()
        if not answer:
            raise OSError("the gateway has closed the connection")
        return json.loads(answer)

    def ask(self, power_W: int, at_s: int, for_s: int) -> dict:
        """May a job raise the load? at_s: from now."""
        spans = {"at_s": min(max(0, at_s), 86_400), "for_s": min(for_s, 86_400)}
        return self.send({"ask": {"power_W": power_W, **spans}})

    def announce(self, power_W: int, ahead_s: float) -> int:
        """Code of the answer to a step notice; 0 W withdraws the step of that moment."""
        self._sequence += 1
        now_ms = self._uptime_ms + int((time.monotonic() - self._begun_s) * 1000)
        fields = {"sequence": self._sequence, "sent_ms": now_ms, "value_W": power_W}
        fields |= {"valid_ms": VALID_ms, "start_ms": now_ms + max(0, int(ahead_s * 1000))}
        head = b"FBH2", self._source.encode(), self.nonce, self._sequence, now_ms
        values = NOTICE, STEP_W, 0, power_W, VALID_ms, fields["start_ms"]
        data = struct.pack("<4s16s8sQQBBHiIQ", *head, *values)
        mac = hmac.new(self._key, data, hashlib.sha256).hexdigest()
        names = {"source": self._source, "nonce": self.nonce.hex(), "quantity": "step_W"}
        return self.send({**names, **fields, "mac": mac})["code"]


class Watcher:
    """Call `turn`. `sent`: the announced steps of the run of the controller with `nonce`."""

    def __init__(self, path: str, key: bytes, source: str, table: dict) -> None:
        self._of_gateway, self._table = (path, key, source), table
        self.sent: dict[int, int] = {}
        self._asked: set[int] = set()
        self._nonce = b""

    def queue(self) -> list[Job]:
        """Starts and ends that Slurm expects."""
        done = subprocess.run(["squeue", "--json"], capture_output=True, timeout=WAIT_s, check=True)
        return jobs_of(json.loads(done.stdout), self._table["node_W"])

    def ask(self, job: Job, now_s: float) -> int:
        """Ask for one job, and print the answer. YES, NO or NOT_KNOWN."""
        gateway = Gateway(*self._of_gateway)
        answer = gateway.ask(job.power_W, int(job.at_s - now_s), job.for_s)
        why = answer.get("missing") or answer.get("unknown") or answer.get("sentence", "")
        print(f"job {job.number}: {job.power_W} W: {answer.get('answer', 'not known')} {why}")
        return CODES.get(answer.get("answer", ""), NOT_KNOWN)

    def turn(self, now_s: float) -> None:
        """Ask for new jobs, then announce, move and withdraw steps."""
        horizon_s, jobs = self._table["horizon_s"], self.queue()
        for job in jobs:
            is_near = now_s < job.at_s <= now_s + horizon_s
            if job.power_W > 0 and is_near and job.number not in self._asked:
                self.ask(job, now_s)
                self._asked.add(job.number)
        gateway = Gateway(*self._of_gateway)
        if gateway.nonce != self._nonce:  # the controller has restarted and knows no step
            self.sent, self._nonce = {}, gateway.nonce
        steps = steps_of(jobs, now_s, horizon_s)
        gone = {at_s: 0 for at_s in self.sent if at_s not in steps and at_s > now_s}
        for at_s, power_W in (gone | steps).items():
            if self.sent.get(at_s) != power_W:
                code = gateway.announce(power_W, at_s - now_s)
                print(f"step of {power_W} W in {at_s - now_s:.0f} s: H{code}", flush=True)
                self.sent[at_s] = power_W if code < TAKEN_MAX else 0
        self.sent = {at_s: each for at_s, each in self.sent.items() if at_s in steps}


def main(path: str, key_file: str, source: str, table_file: str, job: str = "") -> int:
    """Run as the module says."""
    with open(table_file, "rb") as file:
        table = tomllib.load(file)
    with open(key_file, encoding="ascii") as file:
        watcher = Watcher(path, bytes.fromhex(file.read()), source, table)
    if job:
        now_s = time.time()
        found = [each for each in watcher.queue() if str(each.number) == job and each.power_W > 0]
        return watcher.ask(found[0]._replace(at_s=int(now_s)), now_s) if found else NOT_KNOWN
    while True:
        try:
            watcher.turn(time.time())
        except (OSError, subprocess.SubprocessError, ValueError) as error:
            print(f"nothing announced: {error}", flush=True)
        time.sleep(table["every_s"])


if __name__ == "__main__":
    if len(sys.argv) not in (5, 6):
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
