"""The gateway's own answer to `ask`, the same as that of `firebreak ask`. It reads the journal once
a second at most, because that takes 0.1 s and the gateway serves no other client meanwhile.
"""

import functools
import json
import os
import select

from controller.journal.ring import JournalError
from controller.journal.snapshot import POLL_S
from controller.state import ask, situation
from controller.state.forecast import Job
from controller.system.paths import plain
from controller.upstream.framing import Message

SHOWN_MAX = 40
_RANGES = {"power_W": (1, ask.POWER_W_MAX), "at_s": (0, ask.AT_S_MAX), "for_s": (1, ask.FOR_S_MAX)}


def answer(run_directory: str, asked: object, now_us: int) -> Message:
    """The answer to the value of `ask`. ValueError (one line) if it is no job."""
    job = job_of(asked)
    path = os.path.join(run_directory, "journal")
    found = _situation(path, now_us // 1_000_000)
    return ask.not_known(job, [found]) if isinstance(found, str) else ask.answer(found, job)


def job_of(asked: object) -> Job:
    """The job of {power_W, at_s, for_s}; at_s is optional, default 0."""
    if not isinstance(asked, dict):
        raise ValueError(f"ask = {_shown(asked)}: allowed is an object with {', '.join(_RANGES)}")
    for name in asked:
        if name not in _RANGES:
            raise ValueError(f"ask: {_shown(name)} is unknown: allowed are {', '.join(_RANGES)}")
    values = {"at_s": 0, **asked}
    for name, (low, high) in _RANGES.items():
        value = values.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            found = f"{name} = {_shown(value)}" if name in values else f"{name} is missing"
            raise ValueError(f"ask: {found}: allowed is a whole number {low} .. {high}")
    return Job(**values)


def _shown(value: object) -> str:
    """JSON of a value, or Python's words for another, at most SHOWN_MAX characters."""
    try:
        return json.dumps(value)[:SHOWN_MAX]
    except TypeError:
        return ascii(value)[:SHOWN_MAX]


@functools.lru_cache(maxsize=1)
def _situation(path: str, second: int) -> situation.Situation | str:
    """The situation, or why the journal cannot be read: once in a `second`, also if that fails."""
    try:
        return situation.of_journal(path, lambda: select.select((), (), (), POLL_S))
    except (JournalError, OSError) as error:
        return f"no controller found: {plain(error, path)}"
