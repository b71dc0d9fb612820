"""Powers over time that are read or drawn as time goes on, so memory does not grow with the run.

Samples of a file may be up to a quarter of an hour apart; across a longer pause the power stays. A
row without a power is left out, and a negative power counts as 0. `remarks` says how often a file
needs this.
"""

import collections
import functools
import heapq
import itertools
import math
import os
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from controller.series import powers, table
from controller.series.survey import PAUSE_S, Survey, survey
from controller.series.times import zone_of
from hil.loads import shape

LOAD_W_MAX = 50e6
DAY_S, BUSIEST_S = 86_400, 15 * 3600
EDGE_S = 0.1  # a job of the queue takes its power within this time
WAITING_MAX = 10_000  # if more jobs wait, the oldest gives up
Points = Iterator[tuple[float, float]]


class Stream:
    """t_s -> W, linear between the points (s, W); the last power stays. Calls must come in order of
    time: an earlier t_s gets the power at the start of the present interval.
    """

    def __init__(self, points: Points, gap_s: float = PAUSE_S) -> None:
        self._points, self._gap_s = points, gap_s
        self._from_s, self._from_W = next(points)
        self._until_s, self._until_W = next(points, (float("inf"), self._from_W))

    def __call__(self, t_s: float) -> float:
        """The power at t_s, W."""
        while t_s >= self._until_s:
            self._from_s, self._from_W = self._until_s, self._until_W
            self._until_s, self._until_W = next(self._points, (float("inf"), self._from_W))
        length_s = self._until_s - self._from_s
        if length_s > self._gap_s or t_s <= self._from_s:
            return self._from_W
        return self._from_W + (self._until_W - self._from_W) * (t_s - self._from_s) / length_s


def of_file(
    path: str | Path, column: str | None = None, scale: float = 1.0, zone: str = "UTC"
) -> Stream:
    """The power in a CSV file, which may be packed with gzip. The file is checked first. zone: for
    times without an offset. Raises LoadError.
    """
    _surveyed(str(path), column, zone, _changed_ns(path))
    return Stream(_points(path, column, scale, zone))


def remarks(
    path: str | Path, column: str | None, run_s: float, *of_run: float, zone: str = "UTC"
) -> list[str]:
    """Each way in which a run of run_s changes the data of a file. of_run: further arguments of
    Survey.remarks. Raises LoadError.
    """
    return _surveyed(str(path), column, zone, _changed_ns(path)).remarks(run_s, *of_run)


@functools.lru_cache(16)
def _surveyed(path: str, column: str | None, zone: str, changed_ns: int) -> Survey:
    """The survey of a file. changed_ns: time of its last change, so that a new file is read
    again.
    """
    return survey(path, column, 1.0, LOAD_W_MAX, zone_of(zone))


def _changed_ns(path: str | Path) -> int:
    return os.stat(path).st_mtime_ns if os.path.exists(path) else 0


def _points(path: str | Path, column: str | None, scale: float, zone: str) -> Points:
    """(seconds since the first reading, W); negative powers become 0."""
    begin_s: float | None = None
    with table.opened(path) as rows:
        for time_s, power_W, _ in powers.Powers(rows, column, scale, LOAD_W_MAX, zone_of(zone)):
            begin_s = time_s if begin_s is None else begin_s
            yield time_s - begin_s, max(0.0, power_W)


def training(seed: object, peak_W: float) -> Stream:
    """The built-in training cluster; it never ends."""
    return Stream(_joined(shape.training_parts(seed), peak_W))


def _joined(parts: Iterator[shape.Breakpoints], peak_W: float) -> Points:
    yield 0.0, 0.97 * peak_W
    for times, shares in parts:
        for time_s, share in zip(times[1:], shares[1:]):
            yield time_s, share * peak_W


class Job(NamedTuple):
    """One job: when it is submitted, how long it runs, its power."""

    at_s: float
    for_s: float
    power_W: float


class Pattern(NamedTuple):
    """Rate at which jobs are submitted: higher by day, lower at the weekend. Shares, 0 to 1."""

    day_swing: float = 0.0  # share of the mean rate; the highest rate is at BUSIEST_S
    weekend: float = 1.0  # share of the rate on a working day
    weekday: int = 0  # day of the first second; 0 is Monday
    time_of_day_s: float = 0.0  # at the first second

    def rate(self, time_s: float) -> float:
        """The rate at this time, whose mean over a week is 1."""
        days, of_day_s = divmod(self.time_of_day_s + time_s, DAY_S)
        phase = 2 * math.pi * (of_day_s - BUSIEST_S) / DAY_S
        is_weekend = (self.weekday + int(days)) % 7 >= 5
        week = (5 + 2 * self.weekend) / 7
        return (1 + self.day_swing * math.cos(phase)) * (self.weekend if is_weekend else 1) / week


EVEN = Pattern()


def drawn_jobs(
    seed: object,
    use_W: float,
    for_s: Sequence[float],
    power_W: Sequence[float],
    pattern: Pattern = EVEN,
) -> Iterator[Job]:
    """Endless jobs whose mean power is use_W. The first ones are older than the run.

    Lengths are log-uniform, powers uniform. The power resembles that of Helios in May 2020, without
    days that have a gap, for these parameters: 15 min to 7 d, 2 to 32 of 856 GPUs, use 65 %, swing
    0.3, weekend 0.8. These jobs / Helios (hil/systems/sizing.py prints such numbers for a run):

    - load factor: 0.69 / 0.77;
    - highest by lowest hour of a day: 1.30 / 1.23; weekend by working day: 0.96 / 0.99;
    - correlation over 1, 4 and 12 h: 0.95, 0.85, 0.6 / 0.96, 0.87, 0.67;
    - 99 % of the steps of a minute are below this percentage of the peak: 3.0 / 3.2.
    """
    deal = random.Random(f"{seed}/jobs")
    shortest_s, longest_s = for_s
    ratio = math.log(longest_s / shortest_s)
    mean_s = (longest_s - shortest_s) / ratio if ratio else shortest_s
    interval_s = mean_s * math.fsum(power_W) / 2 / use_W
    highest_rate = (
        max(1.0, pattern.weekend) * (1 + pattern.day_swing) * 7 / (5 + 2 * pattern.weekend)
    )
    at_s = -longest_s  # early enough that the run begins in a steady state
    while True:
        at_s += deal.expovariate(1.0) * interval_s / highest_rate
        if deal.random() * highest_rate < pattern.rate(at_s):
            yield Job(at_s, shortest_s * math.exp(ratio * deal.random()), deal.uniform(*power_W))


def queue(jobs: Iterator[Job], capacity_W: float, idle_W: float = 0.0) -> Stream:
    """A cluster that runs jobs in the order of submission, as many as its capacity allows."""
    return Stream(_edges(_started(jobs, capacity_W), idle_W), gap_s=float("inf"))


def _started(jobs: Iterator[Job], capacity_W: float) -> Points:
    """(time, change of power) for each start and end of a job, in order of time."""
    ends: list[tuple[float, float]] = []
    waiting: collections.deque[Job] = collections.deque(maxlen=WAITING_MAX)
    used_W = now_s = 0.0
    for job in itertools.chain(jobs, [None]):
        until_s = float("inf") if job is None else job.at_s
        while ends and ends[0][0] <= until_s:
            now_s, ended_W = heapq.heappop(ends)
            used_W -= ended_W
            yield now_s, -ended_W
            while waiting and used_W + waiting[0].power_W <= capacity_W:
                used_W += waiting[0].power_W
                yield now_s, _start(waiting.popleft(), now_s, ends)
        if job is None:
            return
        if job.power_W > capacity_W:
            continue
        if waiting or used_W + job.power_W > capacity_W:
            waiting.append(job)
        else:
            used_W += job.power_W
            yield job.at_s, _start(job, job.at_s, ends)


def _start(job: Job, now_s: float, ends: list[tuple[float, float]]) -> float:
    heapq.heappush(ends, (now_s + job.for_s, job.power_W))
    return job.power_W


def _edges(changes: Points, idle_W: float) -> Points:
    """Points of a power that takes each change within EDGE_S. The first point contains all changes
    before the run.
    """
    power_W, point_s = idle_W, 0.0
    change = next(changes, None)
    while change and change[0] < 0:
        power_W += change[1]
        change = next(changes, None)
    yield point_s, power_W
    for time_s, change_W in itertools.chain([change] if change else [], changes):
        point_s = max(point_s + 1e-6, time_s)
        yield point_s, power_W
        power_W += change_W
        point_s += EDGE_S
        yield point_s, power_W
