"""Announces the steps of the load that a queue will cause. It also moves or withdraws them."""

import contextlib
from collections.abc import Callable, Iterable
from typing import Any

from controller.system.paths import Say, printable
from controller.system.utc import elapsed_s
from controller.watch.cabinet import Answer, Cabinet
from controller.watch.jobs import PENDING, Away, Job, slot_s, steps_of

MISSING_KEYS = "missing_W", "missing_Wh"
TEXT_MAX = 500
CAUSES_MAX = 20  # lines at once about loads that are unknown
Clock = Callable[[], float]


def answer_text(answer: Answer) -> str:
    """The answer to a question as text."""
    why = "; ".join(
        [*map(_missing_text, answer.get("missing", [])), *map(str, answer.get("unknown", []))]
    )
    return printable(f"{answer['answer']}{f' ({why})' if why else ''}"[:TEXT_MAX])


def _missing_text(missing: Any) -> str:
    """Text such as "power: 483583 W are missing, R213 PCS discharge rating"."""
    if not isinstance(missing, dict):
        return str(missing)
    missing_texts = [
        f"{missing[key]} {key.removeprefix('missing_')} are missing"
        for key in MISSING_KEYS
        if key in missing
    ]
    limit = missing.get("limit")
    why = [f"{limit.get('label')} {limit.get('name')}"] if isinstance(limit, dict) else []
    return f"{missing.get('what')}: {', '.join(missing_texts + why)}"


class Watcher:
    """Call `turn` each time the queue has been read.

    sent: {Unix time: W} of the steps that the cabinet knows. announced: jobs whose start is part of
    a step that the cabinet has granted in this turn.
    """

    def __init__(self, cabinet: Cabinet, horizon_s: int, now_s: Clock, say: Say):
        self._cabinet, self._horizon_s, self._now_s = cabinet, horizon_s, now_s
        self._say = say
        self.sent: dict[int, int] = {}
        self.announced: set[Job] = set()
        self._asked_names: set[str] = set()
        self._named_causes: set[str] = set()

    def turn(self, jobs: Iterable[Job]) -> None:
        """Ask for new jobs, then withdraw, move and announce steps. Raises Away.

        Every step is sent in every turn, because a controller that has restarted knows none.
        """
        jobs = list(jobs)
        self.announced.clear()
        self._name(jobs)
        self._ask(jobs)
        now_s = self._now_s()
        steps = steps_of(jobs, now_s, self._horizon_s)
        for at_s in [step_s for step_s in self.sent if step_s not in steps]:
            if elapsed_s(now_s, at_s) > 0:
                self._send(at_s, 0)
            del self.sent[at_s]
        for at_s, power_W in steps.items():
            self._send(at_s, power_W)
            coming = [job for job in jobs if elapsed_s(now_s, job.start_s) > 0]
            self.announced.update(job for job in coming if slot_s(job.start_s) == at_s)

    def withdraw(self) -> None:
        """Withdraw all steps, because the watch ends and can no longer move them."""
        with contextlib.suppress(Away):
            self.turn([])

    def _name(self, jobs: list[Job]) -> None:
        """Log a line for each cause that makes a load unknown, with the first job that has it."""
        causes = {job.unknown: job for job in reversed(jobs) if job.unknown}
        for cause, job in [*causes.items()][:CAUSES_MAX]:
            if cause not in self._named_causes:
                count = sum(alike.unknown == cause for alike in jobs)
                more = f" and {count - 1} more" if count > 1 else ""
                self._say(f"job {job.name}{more}: counts as {job.power_W} W: {cause}")
        self._named_causes = set([*causes][:CAUSES_MAX])

    def _ask(self, jobs: list[Job]) -> None:
        """Ask once about each job that will start within the horizon, and log the answer."""
        self._asked_names &= {job.name for job in jobs}
        for job in jobs:
            ahead_s = elapsed_s(self._now_s(), job.start_s)
            is_near = job.state == PENDING and 0 < ahead_s <= self._horizon_s
            if not is_near or job.name in self._asked_names:
                continue
            if job.power_W:
                answer = answer_text(self._cabinet.ask(job.power_W, ahead_s, job.length_s))
                self._say(f"job {job.name}: {job.power_W} W in {ahead_s:.0f} s: {answer}")
            self._asked_names.add(job.name)

    def _send(self, at_s: int, power_W: int) -> None:
        ahead_s, before_W = elapsed_s(self._now_s(), at_s), self.sent.get(at_s)
        answer = self._cabinet.announce(power_W, ahead_s)
        if not answer["granted"]:
            label, remedy = answer.get("label"), answer.get("remedy")
            raise Away(f"a step of {power_W} W is refused: {label}: {remedy}")
        self.sent[at_s] = power_W
        if power_W != before_W:
            step = f"step of {power_W} W" if power_W else "withdrawn: step"
            self._say(f"{step} in {ahead_s:.0f} s: {answer.get('label')}")
