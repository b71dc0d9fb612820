"""Chooses the next of the requests that wait on one bus."""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain

from drivers.buses.rtu import READ, Request
from drivers.buses.unit import SILENT_AFTER, UnitStatistics

NEVER = 1 << 62  # us; later than any time
# For this time after a time-out, requests to other units go before those to a silent unit, which
# would block the bus.
PATIENCE_US = 50_000


@dataclass(slots=True, eq=False)
class Job:
    """One request that is sent once (period 0) or in each period."""

    request: Request
    unit: UnitStatistics
    period_us: int
    due_us: int
    deadline_us: int


def chosen(once: Mapping[Hashable, Job], periodic: Iterable[Job], now_us: int) -> Job | None:
    """The most urgent job that is due, or None."""
    best, best_score = None, NEVER << 3
    for job in chain(once.values(), periodic):
        if job.due_us > now_us:
            continue
        rank = job.request.priority
        unit = job.unit
        if unit.retry_us > now_us and rank == READ:
            continue
        if unit.silent >= SILENT_AFTER and now_us - unit.silent_us < PATIENCE_US:
            rank = READ + 1
        score = (rank << 62) + job.deadline_us
        if score < best_score:
            best, best_score = job, score
    return best


def due_us(once: Mapping[Hashable, Job], periodic: Iterable[Job]) -> int:
    """Time at which the first job is due; NEVER if there is no job."""
    first_us = NEVER
    for job in chain(once.values(), periodic):
        job_us = job.due_us
        if job.unit.retry_us > job_us and job.request.priority == READ:
            job_us = job.unit.retry_us
        if job_us < first_us:
            first_us = job_us
    return first_us
