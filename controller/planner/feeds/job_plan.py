"""Reads the load from a file of planned jobs: base_W plus the power of the jobs that run.

Times in the file count from `begin`, a local time. By default it is the start of the day on which
the file was written. After the end of the last job, the load is unknown.
"""

import math
from datetime import datetime

from controller.planner.feeds.points import QUARTER_S, Feed, Points, Span, of_quarters, parts_s
from controller.series import jobs, times
from controller.series.refusal import SeriesError
from controller.system.local_days import day_begin

JOBS_MAX = 20_000


def read(path: str, feed: Feed, span: Span, made_s: float) -> Points:
    """The points of a file. SeriesError says why in one line."""
    begin_s = day_begin(datetime.fromtimestamp(made_s, feed.zone)).timestamp()
    if feed.keys["begin"]:
        begin_s = times.TimeCells(feed.zone)(feed.keys["begin"])
    planned_jobs = jobs.read(path)
    if len(planned_jobs) > JOBS_MAX:
        raise SeriesError(f"{path}: {len(planned_jobs)} jobs: allowed are {JOBS_MAX}")
    first = max(begin_s // QUARTER_S, span.start_s // QUARTER_S) * QUARTER_S
    ends_s = begin_s + max([job.at_s + job.for_s for job in planned_jobs])
    count = min(math.ceil((ends_s - first) / QUARTER_S), span.quarters)
    if count <= 0:
        raise SeriesError(f"{path}: no job near now")
    load_W = [feed.keys["base_W"]] * count
    for job in planned_jobs:
        at_s = begin_s + job.at_s - first
        for slot, part_s in parts_s(at_s, at_s + job.for_s, count):
            load_W[slot] += job.power_W * part_s / QUARTER_S
    return of_quarters(
        {first + slot * QUARTER_S: power_W for slot, power_W in enumerate(load_W)}, made_s
    )
