"""Answers the question `ask` for all doors: can a job of this power and length run?

The answer is the same as that of `firebreak ask`. A question about a whole day takes a second of
CPU time. In the thread of the messages it would delay the hints of all other clients, and a hint
expires after 2 s. So a worker thread answers the questions one after the other. It reads the
journal at most once a second, because that takes 0.1 s.
"""

import asyncio
import functools
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from controller.doors import job_in_plan
from controller.doors.sending import Answer
from controller.forms.field import integer
from controller.forms.reading import read
from controller.forms.refusal import ConfigError, shown
from controller.hints import no_answer
from controller.journal.ring import JournalError
from controller.state import ask, situation, watch
from controller.state.forecast import Job
from controller.system import clock, json_text
from controller.system.paths import plain

_WORKER = ThreadPoolExecutor(1, "questions")
SECOND_US = 1_000_000
JOB = {
    "power_W": integer(1, ask.POWER_W_MAX),
    "at_s": integer(0, ask.AT_S_MAX, 0),
    "for_s": integer(1, ask.FOR_S_MAX),
}


async def asked(run_directory: str, message: object) -> Answer:
    """The answer to the value of the key `ask`. ConfigError (one line) if it is no job."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_WORKER, answer, run_directory, message, clock.now_us())


def answer(run_directory: str, message: object, now_us: int) -> Answer:
    """The answer, computed in the thread of the caller."""
    return answered(run_directory, job_of(message), now_us // SECOND_US)


def answered(run_directory: str, job: Job, moment: int) -> Answer:
    """The answer for a job. Questions with the same `moment` share one reading of the files."""
    conditions = _situation(os.path.join(run_directory, "journal"), moment)
    if isinstance(conditions, str):
        return ask.not_known(job, [conditions])
    plan, now_s = _plan(run_directory, moment), int(clock.utc_us()) / SECOND_US
    return job_in_plan.joined(ask.answer(conditions, job), plan, conditions, job, now_s)


def job_of(asked: object) -> Job:
    """The job in {power_W, at_s, for_s}; at_s is optional and 0 by default."""
    asked = json_text.whole(asked)
    if not isinstance(asked, dict):
        allowed = f"an object with {', '.join(JOB)}"
        raise ConfigError(f"ask: {shown(asked)} is not allowed; allowed {allowed}")
    return Job(**read("ask", (), asked, JOB))


@functools.lru_cache(maxsize=1)
def _situation(path: str, moment: int) -> situation.Situation | str:
    """The situation, or why the journal cannot be read. It is kept for one `moment` (a second)."""
    try:
        return situation.of_journal(path, watch.wait)
    except (JournalError, OSError) as error:
        return f"{no_answer.NONE_FOUND}: {plain(error, path)}"


@functools.lru_cache(maxsize=1)
def _plan(run_directory: str, moment: int) -> dict[str, Any] | None:
    return job_in_plan.read(run_directory)
