"""Writes two files for the planner of the box: the measured load and the expected load.

load.csv: the load in each quarter of an hour of the last days, computed from the power of the GPUs.
forecast.csv: the load of the next four hours. It repeats the load of the day before, corrected by
the present difference (planner/forecast.py), and adds the announced starts and ends of jobs. It
ends after four hours. From a series of a whole day, the planner would plan as if it knew the load
(planner/habits.py).
"""

import math
import os
from collections.abc import Iterable
from datetime import UTC, datetime

from controller.planner import forecast
from controller.planner.feeds import rows
from controller.planner.feeds.points import KNOWN_PART, QUARTER_S, Feed
from controller.planner.inputs import filled
from controller.series.units import POWER
from controller.store import durable
from controller.system.local_days import before_of
from controller.system.utc import elapsed_s
from controller.watch.dcgm import GpuState
from controller.watch.jobs import Job, next_step

KEPT, AHEAD, RECENT = 8 * 96, 16, 4  # quarters of an hour
GAP_S = 120.0  # the time between two scrapes counts as unknown if it is longer
OWN = Feed(
    name="load.csv",
    kind="load",
    format="csv",
    max_age_s=0.0,
    zone=UTC,
    currency="",
    keys={"column": "", "unit": ""},
)
MEASURED, EXPECTED, HEADER = "load.csv", "forecast.csv", "begin_utc,load_W\n"


class Files:
    """The two files in a folder. The load is base_W + factor x power of the GPUs."""

    def __init__(self, folder: str, base_W: float, factor: float):
        """SeriesError: the load.csv in the folder is not a series of a load."""
        self._folder, self._base_W, self._factor = folder, base_W, factor
        self._quarter, self._uptime_s, self._sum_J, self._known_s = 0, 0.0, 0.0, 0.0
        self._past_W, self._written = dict[int, float](), dict[str, str]()
        if os.path.exists(path := os.path.join(folder, MEASURED)):
            past = rows.read(path, OWN, 0.0)
            self._past_W = {
                int(begin_s // QUARTER_S): load_W
                for begin_s, load_W in zip(past.utc_s, past.values)
            }

    def add(self, state: GpuState, jobs: Iterable[Job], uptime_s: float) -> None:
        """Add a scrape, and write the files that have changed.

        The scrape counts for the time since the last scrape, by the monotonic clock. After an
        OSError the next scrape writes again.
        """
        quarter, step_s = int(state.at_s // QUARTER_S), uptime_s - self._uptime_s
        self._uptime_s = uptime_s
        if quarter != self._quarter:
            self._end_quarter(quarter)
        load_W = self._base_W + self._factor * state.power_W
        if load_W <= POWER.high and 0 < step_s <= GAP_S:  # false if load_W is NaN
            self._sum_J += load_W * step_s
            self._known_s += step_s
        past_W = [self._past_W.get(number, math.nan) for number in range(quarter - KEPT, quarter)]
        ahead_W = expected(past_W, quarter * QUARTER_S, jobs, state.at_s)
        self._put(MEASURED, sorted(self._past_W.items()))
        self._put(EXPECTED, enumerate(ahead_W, quarter))

    def _end_quarter(self, quarter: int) -> None:
        """End the present quarter. It is kept if its load was known for long enough."""
        if self._known_s >= KNOWN_PART * QUARTER_S:
            self._past_W.pop(self._quarter, None)
            self._past_W[self._quarter] = self._sum_J / self._known_s
            # Drop the value that was measured first: by date it may not be the oldest.
            while len(self._past_W) > KEPT:
                del self._past_W[next(iter(self._past_W))]
        self._quarter, self._sum_J, self._known_s = quarter, 0.0, 0.0

    def _put(self, name: str, quarters: Iterable[tuple[int, float]]) -> None:
        rows = "".join(_row(*quarter) for quarter in quarters)
        path = os.path.join(self._folder, name)
        is_whole = os.path.exists(path) and os.path.getsize(path) == len(HEADER + rows)
        if rows and not (is_whole and rows == self._written.get(name)):
            durable.put(path, ".new", [(HEADER + rows).encode()], 0o644)
            self._written[name] = rows


def expected(past_W: list[float], first_s: float, jobs: Iterable[Job], now_s: float) -> list[float]:
    """Expected load of each quarter from first_s on; []: the last hour is unknown."""
    if all(map(math.isnan, past_W[-RECENT:])):
        return []
    begin = next(index for index, load_W in enumerate(past_W) if not math.isnan(load_W))
    before = before_of(None)  # by UTC: a cluster does not follow local time
    ahead_W = forecast.load(filled(past_W, before)[begin:], before, AHEAD)
    for job in jobs:
        at_s, power_W = next_step(job)  # a start or an end that is late counts as now
        for step_s, step_W in {(at_s, power_W), (job.start_s + job.length_s, -abs(power_W))}:
            for index in range(AHEAD) if power_W else ():
                late_s = max(0.0, elapsed_s(now_s, step_s))
                part = (elapsed_s(now_s, first_s + (index + 1) * QUARTER_S) - late_s) / QUARTER_S
                ahead_W[index] += step_W * min(1.0, max(0.0, part))
    return [max(0.0, load_W) for load_W in ahead_W]


def _row(quarter: int, load_W: float) -> str:
    time = datetime.fromtimestamp(quarter * QUARTER_S, UTC)
    return f"{time:%Y-%m-%dT%H:%MZ},{load_W:.0f}\n"
