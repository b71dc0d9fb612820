"""Computes the trips of every row of the matrix, and of row 53 with other thresholds.

The input is the kernel's features of each second. A stage trips when its gate is open and its
feature has been at or beyond the threshold for the debounce time, rounded up to whole seconds. An
unknown feature counts as not beyond.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from controller.rows.records import BY_ID
from hil.campaigns.runaway.courses import Course
from hil.campaigns.runaway.watching import UNKNOWN, Series
from safety import matrix as m
from safety.signals import CABINET, RACK

ROWS = (7, 8, 9, 10, 11, 12, 21, 22, 23, 24, 26, 34, 53)
STAGES = tuple(stage for stage in m.STAGES if stage[m.S_ROW] in ROWS)
GATE_STANDS_S = 60  # how long a row that opens a gate stays active after its cause
GATES = dict(m.ALERTS)
Stage = tuple[Any, ...]
Trips = np.ndarray  # bool: [rack, second]
ByName = dict[str, Trips]  # {stage or detector: its trips}

SUSPICION = BY_ID["53"]
SET_PCT, OWN_S = SUSPICION[m.S_SET], -(-SUSPICION[m.S_SET_MS] // 1000)
# (threshold, debounce in s), variants of row 53
VARIANTS = [(pct, OWN_S) for pct in range(40, 201, 10)]
VARIANTS += [(SET_PCT, held_s) for held_s in (1, 3, 5, 10, 20)]


def held(hits: np.ndarray, seconds: int) -> np.ndarray:
    """True where `hits` (bool per second) was true for the last `seconds` seconds."""
    second = np.arange(len(hits))
    last_miss = np.maximum.accumulate(np.where(hits, -1, second))
    return hits & (second - last_miss >= seconds)


def edges(values: np.ndarray) -> np.ndarray:
    """Seconds (from 1) at which a bool series becomes true."""
    return np.flatnonzero(values & ~np.concatenate(([False], values[:-1]))) + 1


def stage_trips(series: Series) -> ByName:
    """The trips of each stage of STAGES, by its id."""
    by_stage: ByName = {}
    # stages that other rows gate come last, because they need the trips of those rows
    for stage in sorted(STAGES, key=lambda stage: bool(_gate_rows(stage))):
        trips = [_trips(stage, series, rack, by_stage) for rack in series.racks]
        by_stage[stage[m.S_ID]] = np.array(trips)
    return by_stage


def _gate_rows(stage: Stage) -> tuple[int, ...]:
    """Rows of which one must be active before this stage can trip, or (). For row 24 these are the
    rows of all signs.
    """
    if stage[m.S_ROW] == 24:
        return GATES.get(m.F_ANY_SIGN, ())
    return GATES.get(stage[m.S_GATE], ()) if stage[m.S_SCOPE] == CABINET else ()


def _trips(stage: Stage, series: Series, rack: int, by_stage: Mapping[str, Trips]) -> np.ndarray:
    place = rack if stage[m.S_SCOPE] == RACK else None
    values = series.column(stage[m.S_FEATURE], place)
    hits = (values != UNKNOWN) & (values * stage[m.S_SENSE] >= stage[m.S_SET] * stage[m.S_SENSE])
    if _gate_rows(stage):
        hits = hits & _active(_gate_rows(stage), by_stage, len(values))
    elif stage[m.S_GATE] != m.NO_GATE:
        hits = hits & (series.column(stage[m.S_GATE], place) > 0)
    return held(hits, max(1, math.ceil(stage[m.S_SET_MS] / 1000)))


def _active(rows: Sequence[int], by_stage: Mapping[str, Trips], seconds: int) -> np.ndarray:
    """True in each second in which one of these rows has been active since an earlier second."""
    active = np.zeros(seconds + GATE_STANDS_S + 1, bool)
    for stage in STAGES:
        if stage[m.S_ROW] in rows and stage[m.S_ID] in by_stage:
            for second in np.flatnonzero(by_stage[stage[m.S_ID]].any(axis=0)):
                active[second + 1 : second + 1 + GATE_STANDS_S] = True
    return active[:seconds]


def detectors(series: Series) -> ByName:
    """Trips of each row ("row 7"), of all rows together, and of row 53 with other thresholds."""
    by_detector = _of_rows(stage_trips(series))
    levels = [series.column(SUSPICION[m.S_FEATURE], rack) for rack in series.racks]
    for pct, held_s in VARIANTS:
        trips = [held(level >= pct, held_s) for level in levels]
        by_detector[f"row 53 at {pct} %, {held_s} s"] = np.array(trips)
    return by_detector


def _of_rows(trips: Mapping[str, Trips]) -> ByName:
    """Trips of each row: those of any of its stages. Also of "any row", with and without row 53."""
    by_row: ByName = {}
    for stage in STAGES:
        name, own_trips = f"row {stage[m.S_ROW]}", trips[stage[m.S_ID]]
        by_row[name] = own_trips | by_row.get(name, own_trips)
    without_53 = [row_trips for name, row_trips in by_row.items() if name != "row 53"]
    by_row["any row but 53"] = np.any(without_53, axis=0)
    by_row["any row"] = by_row["any row but 53"] | by_row["row 53"]
    return by_row


def begins(series: Series, course: Course) -> dict[str, list[int]]:
    """{detector: the seconds at which it trips}. In a true runaway only the rack with the fault
    counts.
    """
    racks = series.racks if course.rack is None else (course.rack,)
    return {
        name: np.unique(np.concatenate([edges(trips[rack]) for rack in racks])).tolist()
        for name, trips in detectors(series).items()
    }
