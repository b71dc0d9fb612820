"""Releases gated jobs, in the order of their submission, when the cabinet says yes.

Two jobs must not get the same answer, so each question is about the job and about what is coming:
released jobs that have not begun, and jobs whose load the cabinet has not yet seen for long enough.

No job waits silently for ever. After `wait_max_s` without a yes a job is reported (default: a "no"
is known, and a person may overrule it) or released. While no answer is known for `dark_max_s`, jobs
are released (default: a dead box must not stop the cluster) one at a time, each with its line.
"""

from collections.abc import Callable, Iterable
from typing import Any

from controller.watch.cabinet import Cabinet
from controller.watch.jobs import GATED, RELEASED, RUNNING, Away, Job, Scheduler
from controller.watch.watcher import Told, reply

YES, NO, NOT_KNOWN = "yes", "no", "not known"


def coming_W(jobs: Iterable[Job], now_s: float, values: dict[str, Any]) -> int:
    """W that the cabinet neither measures nor knows as a step. values: of watch.toml."""
    horizon_s, settle_s = values["horizon_s"], (values["gate"] or {}).get("settle_s", 0)
    total_W = 0
    for job in jobs:
        is_announced = now_s < job.start_s <= now_s + horizon_s
        is_new = job.state == RUNNING and now_s - job.start_s < settle_s
        if is_new or job.state == RELEASED and not is_announced:
            total_W += job.power_W or 0
    return total_W


class Gate:
    """Call `turn` with each reading of the queue, after its steps are announced."""

    def __init__(
        self,
        scheduler: Scheduler,
        cabinet: Cabinet,
        values: dict[str, Any],
        now_s: Callable[[], float],
        told: Told,
    ) -> None:
        """values: of watch.toml."""
        self._scheduler, self._cabinet, self._now_s, self._told = scheduler, cabinet, now_s, told
        self._values, self._rules = values, values["gate"]
        self._dark_since_s: float | None = None
        self._forced_s = float("-inf")
        self._said: dict[str, tuple[str, float]] = {}
        self._refused: list[Job] = []  # in this turn
        self._away = ""

    def turn(self, jobs: Iterable[Job]) -> None:
        """Ask for each gated job. Raises Away if the scheduler is."""
        jobs = list(jobs)
        gated = [job for job in jobs if job.state == GATED]
        gated.sort(key=lambda job: (job.since_s, job.name))
        self._said = {job.name: self._said[job.name] for job in gated if job.name in self._said}
        before_W = coming_W(jobs, self._now_s(), self._values)
        self._refused, self._away, failed = [], "", ""
        if not gated:
            self._dark_since_s = None
        for job in gated:
            answer, words = self._answer(job, before_W)
            try:
                if answer == YES or self._is_forced(job, answer, words):
                    self._scheduler.release(job.name)
                    before_W += job.power_W or 0
                    how = "" if answer == YES else "WITHOUT A YES "
                    self._told(f"job {job.name}: {job.power_W} W: released {how}({words})")
            except Away as error:  # one job may just have gone; a second one: the scheduler
                if failed:
                    raise
                failed = f"job {job.name}: {error}"
        if failed:
            raise Away(failed)

    def _answer(self, job: Job, before_W: int) -> tuple[str, str]:
        """An answer with its words; NOT_KNOWN without a cabinet, and NO without a W."""
        power_W, length_s = job.power_W, job.length_s
        if power_W is None:
            return NO, "no (watch.toml has no W for it)"
        if not power_W:
            return YES, "it raises no load"
        if any(
            [power_W >= (each.power_W or 0) and length_s >= each.length_s for each in self._refused]
        ):
            return NO, "no (a smaller job before it is refused)"
        if not self._away:
            try:
                found = self._cabinet.ask(power_W + before_W, 0, length_s)
            except Away as error:
                self._away = f"{NOT_KNOWN} ({error})"
        if self._away or found["answer"] not in (YES, NO):
            if self._dark_since_s is None:
                self._dark_since_s = self._now_s()
            return NOT_KNOWN, self._away or reply(found)
        self._dark_since_s = None
        if found["answer"] == NO:
            self._refused.append(job)
        return found["answer"], reply(found)

    def _is_forced(self, job: Job, answer: str, words: str) -> bool:
        """True if the file says that the job starts without a yes; at most one in settle_s."""
        now_s, rules = self._now_s(), self._rules
        is_late = now_s - job.since_s > rules["wait_max_s"]
        self._explain(job, answer, words, now_s, is_late)
        dark_s = 0.0 if self._dark_since_s is None else now_s - self._dark_since_s
        if answer == NO:
            is_due = is_late and rules["after_wait"] == "release"
        else:
            is_due = dark_s > rules["dark_max_s"] and rules["after_dark"] == "release"
        if not is_due or now_s - self._forced_s < rules["settle_s"]:
            return False
        self._forced_s = now_s
        return True

    def _explain(self, job: Job, answer: str, words: str, now_s: float, is_late: bool) -> None:
        """A line, and words for the job's user: when the answer changes, then each wait_max_s."""
        key = f"{answer} {is_late}"
        said, at_s = self._said.get(job.name, ("", float("-inf")))
        if said != key or now_s - at_s > self._rules["wait_max_s"]:
            waits = f"waits for {(now_s - job.since_s) / 3600:.1f} h: " if is_late else "waits: "
            self._said[job.name] = key, now_s
            self._told(f"job {job.name}: {job.power_W} W: {waits}{words}")
            self._scheduler.explain(job.name, words)
