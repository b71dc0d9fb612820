"""Trips from the recorded features, computed offline: lead time against false alarms.

A stage trips when its feature is at or beyond the threshold for its debounce, rounded up to whole
seconds, and its gate is open. An unknown feature counts as not beyond.
"""

import collections
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from hil.campaigns.runaway import courses as c
from hil.campaigns.runaway.watching import CABINET_COLUMNS, RACK_COLUMNS, STAGES, UNKNOWN, Series
from safety import matrix as m, runaway

GATE_STANDS_S = 60  # a row that gates another one stays active this time after its cause
SCORE_PCT = tuple(range(40, 201, 10))  # thresholds of the suspicion
DAY_S = 86_400.0
NONE_SEEN = 3.0  # rule of three: 0 of n trials means below 3 / n, with 95 % confidence
GATES = dict(m.ALERTS)
Stage = tuple[Any, ...]
Trips = list[np.ndarray]  # bool per second: one array per rack, or one for the cabinet


def held(hits: np.ndarray, seconds: int) -> np.ndarray:
    """True where `hits` (bool per second) was true for the last `seconds` seconds."""
    place = np.arange(len(hits))
    return hits & (place - np.maximum.accumulate(np.where(hits, -1, place)) >= seconds)


def edges(values: np.ndarray) -> np.ndarray:
    """Seconds (from 1) at which a bool series becomes true."""
    return np.flatnonzero(values & ~np.concatenate(([False], values[:-1]))) + 1


def stage_trips(series: Series) -> dict[str, Trips]:
    """Trips of each stage of STAGES, by its id."""
    found: dict[str, Trips] = {}
    # stages that other rows gate come last
    for stage in sorted(STAGES, key=lambda stage: bool(_gate_rows(stage))):
        racks = range(len(series.racks)) if stage[m.S_SCOPE] == m.RACK else (None,)
        found[stage[m.S_ID]] = [_trips(stage, series, rack, found) for rack in racks]
    return found


def _gate_rows(stage: Stage) -> tuple[int, ...]:
    """Rows of which one must be active; (): no gate. Row 24's gate is any sign of the cabinet."""
    if stage[m.S_ROW] == 24:
        return GATES.get(m.F_ANY_SIGN, ())
    return GATES.get(stage[m.S_GATE], ()) if stage[m.S_SCOPE] == m.CABINET else ()


def _trips(
    stage: Stage, series: Series, rack: int | None, found: Mapping[str, Trips]
) -> np.ndarray:
    values = column(series, stage[m.S_FEATURE], rack)
    hits = (values != UNKNOWN) & (values * stage[m.S_SENSE] >= stage[m.S_SET] * stage[m.S_SENSE])
    if _gate_rows(stage):
        hits = hits & _active(_gate_rows(stage), found, series.seconds)
    elif stage[m.S_GATE] != m.NO_GATE:
        hits = hits & (column(series, stage[m.S_GATE], rack) > 0)
    return held(hits, max(1, math.ceil(stage[m.S_SET_MS] / 1000)))


def _active(rows: Sequence[int], found: Mapping[str, Trips], seconds: int) -> np.ndarray:
    """True if one of these rows was active in the second before."""
    active = np.zeros(seconds + GATE_STANDS_S + 1, bool)
    names = [stage[m.S_ID] for stage in STAGES if stage[m.S_ROW] in rows]
    for tripped in itertools.chain.from_iterable(found.get(name, ()) for name in names):
        for second in np.flatnonzero(tripped):
            active[second + 1 : second + 1 + GATE_STANDS_S] = True
    return active[:seconds]


def column(series: Series, feature: int, rack: int | None) -> np.ndarray:
    """A feature over time. rack: from 0, or None for the cabinet."""
    if rack is None:
        return series.cabinet[:, CABINET_COLUMNS.index(feature)]
    return series.racks[rack, :, RACK_COLUMNS.index(feature)]


def signs(series: Series, rack: int) -> np.ndarray:
    """[sign, second]: the rack's signs of suspicion, percent, as in safety/runaway.py."""
    rows = [
        column(series, feature, rack if of_rack else None) * 100 // trips_at
        for feature, of_rack, trips_at, _ in runaway.SIGNS
    ]
    return np.clip(np.array(rows), 0, runaway.SIGN_PCT_MAX)


def suspicion(all_signs: np.ndarray, second_pct_min: int) -> np.ndarray:
    """Sum of the two largest signs(), percent per second; 0: the second is below second_pct_min."""
    two = np.sort(all_signs, axis=0)[-2:]
    return np.where(two[0] >= second_pct_min, two.sum(axis=0), 0)


class Tally:
    """Lead times of one detector over the true runaways, and its false alarms."""

    def __init__(self) -> None:
        # None: not before the runaway
        self.leads_s: dict[str, list[float | None]] = {kind: [] for kind, _ in c.SHARES}
        self.makers = {kind: [0, 0] for kind in ("load", *c.RATES)}  # alarms, events
        self.load = {noise_K: [0, 0] for noise_K in c.NOISES_K}  # alarms, seconds of it alone

    def add(self, series: Series, tripped: Trips) -> None:
        """Add a course."""
        course = series.course
        if course.rack is not None:
            self._lead(series, tripped[course.rack] if len(tripped) > 1 else tripped[0])
            return
        seconds = np.unique(np.concatenate([edges(values) for values in tripped]))
        if course.kind == "load":
            self.load[course.noise_K][0] += len(seconds)
            self.load[course.noise_K][1] += series.seconds
        for at_s in course.events:
            after_s = seconds - at_s
            found = (after_s > 0) & (after_s <= c.WINDOW_S[course.kind])
            self.makers[course.kind][0] += bool(found.any())
            self.makers[course.kind][1] += 1

    def _lead(self, series: Series, tripped: np.ndarray) -> None:
        if series.runaway_s is None:
            return
        began = [second for second in edges(tripped) if c.FAULT_S < second < series.runaway_s]
        self.leads_s[series.course.kind].append(series.runaway_s - began[0] if began else None)

    def leads(self) -> dict[str, Any]:
        """{detected, of, missed, median_s, p5_s} of the detectable kinds, and of each kind."""
        found = {kind: _lead_figures(values) for kind, values in self.leads_s.items()}
        slow = self.leads_s["heater"] + self.leads_s["short"]
        return {**_lead_figures(slow), "kinds": found}

    def false_alarms(self) -> dict[str, Any]:
        """per_1000_d: by RATES; upper: each share at its 95 % bound; events: without load alone."""
        alarms, seconds = (sum(column) for column in zip(*self.load.values()))
        load = _load_figures(alarms, seconds)
        by_noise = {str(noise_K): _load_figures(*each) for noise_K, each in self.load.items()}
        days = seconds / DAY_S
        counts = {"per_1000_d": alarms, "per_1000_d_upper": count_upper(alarms)}
        rates = {key: 1000.0 * counts[key] / days if days else None for key in counts}
        makers = {"load": {**load, **rates, "by_noise_K": by_noise}}
        for kind, rate in c.RATES.items():
            alarms, events = self.makers[kind]
            if events:
                makers[kind] = {
                    "alarms": alarms,
                    "events": events,
                    "per_1000_d": rate * alarms / events,
                    "per_1000_d_upper": rate * min(1.0, count_upper(alarms) / events),
                }
        sums = {key: sum(each[key] or 0.0 for each in makers.values()) for key in rates}
        events_only = sum(each["per_1000_d"] for kind, each in makers.items() if kind != "load")
        return {**sums, "events_per_1000_d": events_only, "makers": makers}


def _load_figures(alarms: int, seconds: int) -> dict[str, Any]:
    return {"alarms": alarms, "hours": seconds / 3600.0}


def count_upper(count: int) -> float:
    """Upper one-sided 95 % bound of a Poisson count: rule of three for 0, else Wilson-Hilferty."""
    if not count:
        return NONE_SEEN
    next_one = count + 1.0
    return next_one * (1.0 - 1.0 / (9.0 * next_one) + 1.645 / (3.0 * math.sqrt(next_one))) ** 3


def _lead_figures(leads_s: Sequence[float | None]) -> dict[str, Any]:
    """Figures of the lead times; the 5th percentile counts a missed runaway as 0 s."""
    whole = [lead or 0 for lead in leads_s]
    return {
        "of": len(leads_s),
        "missed": leads_s.count(None),
        "median_s": float(np.median(whole)) if whole else None,
        "p5_s": float(np.percentile(whole, 5)) if whole else None,
    }


def judge(
    all_series: Iterable[Series],
    second_pct_mins: Sequence[int] = (runaway.SECOND_PCT_MIN,),
    debounces_s: Sequence[int] = (3,),
) -> dict[str, dict[str, Any]]:
    """{detector: {leads, false_alarms}} of each row, of all rows together, of each suspicion."""
    tallies: dict[str, Tally] = collections.defaultdict(Tally)
    for series in all_series:
        for name, tripped in _of_rows(stage_trips(series)).items():
            tallies[name].add(series, tripped)
        by_rack = [signs(series, rack) for rack in range(len(series.racks))]
        for second in second_pct_mins:
            levels = [suspicion(each, second) for each in by_rack]
            for threshold, seconds in itertools.product(SCORE_PCT, debounces_s):
                tripped = [held(level >= threshold, seconds) for level in levels]
                tallies[suspicion_name(threshold, second, seconds)].add(series, tripped)
    return {
        name: {"leads": one.leads(), "false_alarms": one.false_alarms()}
        for name, one in tallies.items()
    }


def suspicion_name(threshold_pct: int, second_pct_min: int, seconds: int) -> str:
    """Name of a suspicion in judge()."""
    return f"suspicion {threshold_pct} %, second {second_pct_min} %, {seconds} s"


def _of_rows(trips: Mapping[str, Trips]) -> dict[str, Trips]:
    """{"row 7": arrays, ...}: a row trips with any of its stages; also "any row" and without 53."""
    found: dict[str, Trips] = {}
    for stage in STAGES:
        name, arrays = f"row {stage[m.S_ROW]}", trips[stage[m.S_ID]]
        found[name] = [a | b for a, b in zip(found.get(name, arrays), arrays)]
    others = [arrays for name, arrays in found.items() if name != "row 53"]
    found["any row but 53"] = [
        np.any([arrays[rack if len(arrays) > 1 else 0] for arrays in others], axis=0)
        for rack in range(len(found["row 53"]))
    ]
    found["any row"] = [a | b for a, b in zip(found["any row but 53"], found["row 53"])]
    return found
