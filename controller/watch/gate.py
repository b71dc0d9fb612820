"""Releases gated jobs in the order of their submission, when the cabinet says yes.

Two jobs must not use the same free power. So each question is about the job together with the
coming loads. These are released jobs that have not begun, and jobs whose load the cabinet has not
measured for long enough. No job waits for ever without a message. A job that gets "no" for longer
than `wait_max_s` is reported, so that a person can overrule the answer; watch.toml can let it be
released instead. If the cabinet gives no answer for `dark_max_s`, jobs are released one at a time,
each with a log line. This is the default, because a dead box must not stop the cluster. A job whose
load is not understood is reported again and again, but never released.
"""

from collections.abc import Collection, Iterable
from typing import Any

from controller.system.paths import Say
from controller.system.utc import elapsed_s
from controller.watch.cabinet import Cabinet
from controller.watch.jobs import GATED, RELEASED, RUNNING, Away, Job, Scheduler
from controller.watch.watcher import Clock, answer_text

Values = dict[str, Any]
YES, NO, AWAY = "yes", "no", "away"


def coming_W(jobs: Iterable[Job], seen: Collection[Job]) -> int:
    """W of jobs whose load is coming, but is not yet known to the cabinet.

    seen: jobs whose load the cabinet measures or knows as a step.
    """
    coming = [job for job in jobs if job.state in (RELEASED, RUNNING) and job not in seen]
    return sum(job.power_W for job in coming)


class Gate:
    """Call `turn` each time the queue has been read and its steps are announced."""

    def __init__(
        self,
        scheduler: Scheduler,
        cabinet: Cabinet,
        values: Values,
        now_s: Clock,
        say: Say,
        uptime_s: Clock,
        announced: Collection[Job] = (),
    ):
        """values: of watch.toml. now_s: Unix time. uptime_s: monotonic clock. announced: jobs whose
        start the cabinet has granted as a step; the caller updates it before each turn.
        """
        self._scheduler, self._cabinet, self._now_s, self._say = scheduler, cabinet, now_s, say
        self._uptime_s, self._wait_began_s, self._announced = (
            uptime_s,
            dict[str, float](),
            announced,
        )
        self._begun_s: dict[Job, float] = {}  # {running job: time of the first turn with it}
        self._values, self._rules = values, values["gate"]
        self._dark_since_s: float | None = None
        self._forced_s = float("-inf")
        self._reported: dict[str, tuple[str, float]] = {}  # {name: (kind of wait, uptime)}
        self._failed: set[str] = set()  # jobs whose release failed: they come last
        self._refused: list[Job] = []  # jobs that got a "no" in this turn

    def turn(self, jobs: Iterable[Job]) -> None:
        """Ask about each gated job. Raises Away if the scheduler does not answer."""
        jobs = list(jobs)
        gated = [job for job in jobs if job.state == GATED and self._is_asked_for(job)]
        gated.sort(key=lambda job: (job.name in self._failed, job.since_s, job.name))
        self._reported = {
            job.name: self._reported[job.name] for job in gated if job.name in self._reported
        }
        self._refused, away = [], ""
        if not gated:
            self._dark_since_s = None
        self._wait_began_s = {job.name: self._began_waiting_s(job) for job in gated}
        before_W = coming_W(jobs, self._seen(jobs))
        for job in gated:
            answer, reason = (AWAY, away) if away else self._answer(job, before_W)
            away = reason if answer == AWAY else away
            if answer == YES or self._forces_start(job, answer, reason):
                before_W += job.power_W
                without = "" if answer == YES else "WITHOUT A YES "
                self._release(job, f"released {without}({reason})")

    def _seen(self, jobs: list[Job]) -> set[Job]:
        """Jobs that the cabinet knows: announced jobs, and jobs that have run for settle_s.

        The monotonic clock measures this time. By a clock that may be set, or by time stamps of
        another machine, a new load could look settled. Then two jobs would use the same free power.
        """
        uptime_s, settle_s = self._uptime_s(), self._rules["settle_s"]
        begun_s = {job: self._begun_s.get(job, uptime_s) for job in jobs if job.state == RUNNING}
        self._begun_s = begun_s
        settled = [job for job, start_s in begun_s.items() if uptime_s - start_s >= settle_s]
        return {*settled, *self._announced}

    def _is_asked_for(self, job: Job) -> bool:
        """False for a job with a late `--begin`.

        If it were released now, it would hold free power until it begins.
        """
        return job.start_s <= job.since_s or self._wait_by_stamps_s(job) >= 0

    def _began_waiting_s(self, job: Job) -> float:
        """Start of the job's wait, by the monotonic clock.

        The scheduler's time stamps give the part of the wait before this process began.
        """
        return self._wait_began_s.get(job.name, self._uptime_s() - self._wait_by_stamps_s(job))

    def _wait_by_stamps_s(self, job: Job) -> float:
        wait_start_s = max(job.since_s, job.start_s - int(self._values["horizon_s"]))
        return elapsed_s(wait_start_s, self._now_s())

    def _waited_s(self, job: Job) -> float:
        """The shorter wait of both clocks, so that a wall clock that is fast releases no job."""
        both_s = self._wait_by_stamps_s(job), self._uptime_s() - self._began_waiting_s(job)
        return min(both_s) if job.since_s else 0  # an unknown wait does not count as a long one

    def _release(self, job: Job, reason: str) -> None:
        self._failed.add(job.name)
        self._scheduler.release(job.name)
        self._failed.discard(job.name)
        self._say(f"job {job.name}: {job.power_W} W: {reason}")
        self._scheduler.explain(job.name, reason)

    def _answer(self, job: Job, before_W: int) -> tuple[str, str]:
        """The answer and its text. NO also for a load that is not understood. AWAY: no answer."""
        power_W, length_s = job.power_W, job.length_s
        if job.unknown:
            return NO, f"no ({job.unknown}; only a person releases it)"
        if not power_W:
            return YES, "it raises no load"
        for refused_job in self._refused:
            if power_W >= refused_job.power_W and length_s >= refused_job.length_s:
                return NO, "no (a smaller job before it is refused)"
        try:
            response = self._cabinet.ask(power_W + before_W, 0, length_s)
            answer, reason = response["answer"], answer_text(response)
        except Away as error:
            answer, reason = AWAY, f"not known ({error})"
        if answer == NO:
            self._refused.append(job)
        if answer in (YES, NO):
            self._dark_since_s = None
        elif self._dark_since_s is None:
            self._dark_since_s = self._uptime_s()
        return answer, reason

    def _forces_start(self, job: Job, answer: str, reason: str) -> bool:
        """Report why the job waits. True if watch.toml lets it start without a yes.

        At most one job in settle_s starts in this way. The log and the job's user get the reason
        when the answer changes, and once in each wait_max_s.
        """
        uptime_s, rules, waited_s = self._uptime_s(), self._rules, self._waited_s(job)
        before, reported_s = self._reported.get(job.name, ("", 0.0))
        is_late = waited_s > rules["wait_max_s"]
        key = f"{answer == NO} {is_late}"
        if before != key or uptime_s - reported_s > rules["wait_max_s"]:
            self._reported[job.name] = key, uptime_s
            waits = f"waits for {waited_s / 3600:.1f} h" if is_late else "waits"
            self._say(f"job {job.name}: {job.power_W} W: {waits}: {reason}")
            self._scheduler.explain(job.name, reason)
        if job.unknown:
            return False
        if answer == NO:
            is_due = is_late and rules["after_wait"] == "release"
        else:
            dark_s = 0.0 if self._dark_since_s is None else uptime_s - self._dark_since_s
            is_due = dark_s > rules["dark_max_s"] and rules["after_dark"] == "release"
        if is_due and uptime_s - self._forced_s >= rules["settle_s"]:
            self._forced_s = uptime_s
            return True
        return False
