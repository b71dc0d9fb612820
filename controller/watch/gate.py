"""Releases gated jobs, in the order of their submission, when the cabinet says yes.

Two jobs must not share one margin. So each question is about the job and about what is coming:
released jobs that have not begun, and jobs whose load the cabinet has not seen for long enough.

No job waits silently for ever. After `wait_max_s` without a yes a job is reported (default: a "no"
is known, and a person may overrule it) or released. While no answer is known for `dark_max_s`, jobs
are released (default: a dead box must not stop the cluster) one at a time, each with its line.
A job whose load is not understood is reported again and again, and never released.
"""

from collections.abc import Iterable
from typing import Any

from controller.watch.cabinet import Cabinet
from controller.watch.jobs import GATED, RELEASED, RUNNING, Away, Job, Scheduler
from controller.watch.watcher import Clock, Told, reply

Values = dict[str, Any]
YES, NO, AWAY = "yes", "no", "away"


def coming_W(jobs: Iterable[Job], now_s: float, values: Values) -> int:
    """W that the cabinet neither measures nor knows as a step. values: of watch.toml."""
    horizon_s, settle_s = values["horizon_s"], (values["gate"] or {}).get("settle_s", 0)
    total_W = 0
    for job in jobs:
        is_announced = now_s < job.start_s <= now_s + horizon_s
        is_new = job.state == RUNNING and now_s - job.start_s < settle_s
        if is_new or job.state == RELEASED and not is_announced:
            total_W += job.power_W
    return total_W


class Gate:
    """Call `turn` with each reading of the queue, after its steps are announced."""

    def __init__(
        self, scheduler: Scheduler, cabinet: Cabinet, values: Values, now_s: Clock, told: Told
    ) -> None:
        """values: of watch.toml."""
        self._scheduler, self._cabinet, self._now_s, self._told = scheduler, cabinet, now_s, told
        self._values, self._rules = values, values["gate"]
        self._dark_since_s: float | None = None
        self._forced_s = float("-inf")
        self._said: dict[str, tuple[str, float]] = {}
        self._failed: set[str] = set()  # could not be released: the last in the order
        self._refused: list[Job] = []  # in this turn

    def turn(self, jobs: Iterable[Job]) -> None:
        """Ask for each gated job. Raises Away if the scheduler is."""
        jobs, now_s = list(jobs), self._now_s()
        gated = [job for job in jobs if job.state == GATED and self._asked_from_s(job) <= now_s]
        gated.sort(key=lambda job: (job.name in self._failed, job.since_s, job.name))
        self._said = {job.name: self._said[job.name] for job in gated if job.name in self._said}
        self._refused, away = [], ""
        if not gated:
            self._dark_since_s = None
        self._set_back(now_s)
        before_W = coming_W(jobs, now_s, self._values)
        for job in gated:
            answer, words = (AWAY, away) if away else self._answer(job, before_W)
            away = words if answer == AWAY else away
            if answer == YES or self._is_forced(job, answer, words):
                before_W += job.power_W
                self._release(job, f"released {'' if answer == YES else 'WITHOUT A YES '}({words})")

    def _asked_from_s(self, job: Job) -> int:
        """Released days before its begin (`--begin`), a job would take the margin for as long."""
        return max(job.since_s, job.start_s - int(self._values["horizon_s"]))

    def _set_back(self, now_s: float) -> None:
        """A clock that was set back: no moment of before lies ahead, or all would wait for it."""
        self._forced_s = min(self._forced_s, now_s)
        self._said = {name: (key, min(at_s, now_s)) for name, (key, at_s) in self._said.items()}
        if self._dark_since_s is not None:
            self._dark_since_s = min(self._dark_since_s, now_s)

    def _release(self, job: Job, words: str) -> None:
        self._failed.add(job.name)
        self._scheduler.release(job.name)
        self._failed.discard(job.name)
        self._told(f"job {job.name}: {job.power_W} W: {words}")
        self._scheduler.explain(job.name, words)

    def _answer(self, job: Job, before_W: int) -> tuple[str, str]:
        """An answer with its words: NO where the load is not understood, AWAY without a cabinet."""
        power_W, length_s = job.power_W, job.length_s
        if job.unknown:
            return NO, f"no ({job.unknown}; only a person releases it)"
        if not power_W:
            return YES, "it raises no load"
        for each in self._refused:
            if power_W >= each.power_W and length_s >= each.length_s:
                return NO, "no (a smaller job before it is refused)"
        try:
            found = self._cabinet.ask(power_W + before_W, 0, length_s)
            answer, words = found["answer"], reply(found)
        except Away as error:
            answer, words = AWAY, f"not known ({error})"
        if answer == NO:
            self._refused.append(job)
        if answer in (YES, NO):
            self._dark_since_s = None
        elif self._dark_since_s is None:
            self._dark_since_s = self._now_s()
        return answer, words

    def _is_forced(self, job: Job, answer: str, words: str) -> bool:
        """True if the file says that the job starts without a yes; at most one in settle_s.

        A line, and words for the job's user: when the answer changes, and each wait_max_s.
        """
        now_s, rules = self._now_s(), self._rules
        waited_s = now_s - self._asked_from_s(job) if job.since_s else 0  # unknown is not for ever
        said, at_s = self._said.get(job.name, ("", 0.0))
        is_late = waited_s > rules["wait_max_s"]
        key = f"{answer == NO} {is_late}"
        if said != key or now_s - at_s > rules["wait_max_s"]:
            self._said[job.name] = key, now_s
            waits = f"waits for {waited_s / 3600:.1f} h" if is_late else "waits"
            self._told(f"job {job.name}: {job.power_W} W: {waits}: {words}")
            self._scheduler.explain(job.name, words)
        if job.unknown:
            return False
        if answer == NO:
            is_due = is_late and rules["after_wait"] == "release"
        else:
            dark_s = now_s - (now_s if self._dark_since_s is None else self._dark_since_s)
            is_due = dark_s > rules["dark_max_s"] and rules["after_dark"] == "release"
        if is_due and now_s - self._forced_s >= rules["settle_s"]:
            self._forced_s = now_s
            return True
        return False
