"""What the recorded features would have tripped, and what that is worth: lead time against false
alarms.

Offline and without clock: a stage trips when its feature has been at or beyond its threshold for as
many seconds in a row as its debounce has, rounded up, and its gate stood. An unknown feature counts
as one that is not beyond.
"""

import math

import numpy as np

from hil.campaigns.runaway import courses as c
from hil.campaigns.runaway.watching import CABINET_COLUMNS, RACK_COLUMNS, STAGES, UNKNOWN
from safety import matrix as m
from safety import runaway

GATE_STANDS_S = 60  # so long a row is taken to stand after its cause, where another row asks for it
SCORE_PCT = tuple(range(40, 201, 10))  # thresholds of the suspicion
DAY_S = 86_400.0
NONE_SEEN = 3.0  # rule of three: nothing in n trials is less than 3 / n with 95 %
GATES = dict(m.ALERTS)


def held(hits, seconds):
    """True where `hits` (bool per second) has been true for so many seconds in a row, this one
    included.
    """
    place = np.arange(len(hits))
    return hits & (place - np.maximum.accumulate(np.where(hits, -1, place)) >= seconds)


def edges(values):
    """Seconds (from 1) at which a bool series becomes true."""
    return np.flatnonzero(values & ~np.concatenate(([False], values[:-1]))) + 1


def stage_trips(series):
    """{stage id: [bool per second, one array per rack (of a cabinet's stage: one in all)]} of
    watching.STAGES.
    """
    found = {}
    # what asks for other rows comes last
    for stage in sorted(STAGES, key=lambda stage: bool(_gate_rows(stage))):
        found[stage[m.S_ID]] = [_trips(stage, series, rack, found) for rack in _of(stage, series)]
    return found


def _gate_rows(stage):
    """Rows of which one must stand, () where no row must. Row 24's gate, the rack's hint, is the
    cabinet's any sign.
    """
    gate = m.F_ANY_SIGN if stage[m.S_ROW] == 24 else stage[m.S_GATE]
    return GATES.get(gate, ()) if stage[m.S_ROW] == 24 or stage[m.S_SCOPE] == m.CABINET else ()


def _of(stage, series):
    return range(len(series.racks)) if stage[m.S_SCOPE] == m.RACK else (None,)


def _trips(stage, series, rack, found):
    values = column(series, stage[m.S_FEATURE], rack)
    hits = (values != UNKNOWN) & (values * stage[m.S_SENSE] >= stage[m.S_SET] * stage[m.S_SENSE])
    if _gate_rows(stage):
        hits = hits & _standing(_gate_rows(stage), found, series.seconds)
    elif stage[m.S_GATE] != m.NO_GATE:
        hits = hits & (column(series, stage[m.S_GATE], rack) > 0)
    return held(hits, max(1, math.ceil(stage[m.S_SET_MS] / 1000)))


def _standing(rows, found, seconds):
    """True while one of these rows stood in the second before."""
    standing = np.zeros(seconds + GATE_STANDS_S + 1, bool)
    for stage in STAGES:
        if stage[m.S_ROW] in rows and stage[m.S_ID] in found:
            for tripped in found[stage[m.S_ID]]:
                for second in np.flatnonzero(tripped):
                    standing[second + 1 : second + 1 + GATE_STANDS_S] = True
    return standing[:seconds]


def column(series, feature, rack):
    """A feature over time, of a rack (from 0) or of the cabinet (None)."""
    if rack is None:
        return series.cabinet[:, CABINET_COLUMNS.index(feature)]
    return series.racks[rack, :, RACK_COLUMNS.index(feature)]


def signs(series, rack):
    """[sign, second]: the rack's signs of suspicion in percent, as safety/runaway.py counts
    them.
    """
    rows = [
        column(series, feature, rack if of_rack else None) * 100 // trips_at
        for feature, of_rack, trips_at, _ in runaway.SIGNS
    ]
    return np.clip(np.array(rows), 0, runaway.SIGN_PCT_MAX)


def suspicion(all_signs, second_pct_min):
    """Percent per second from signs(): the sum of the two largest, 0 while the second is below
    second_pct_min.
    """
    two = np.sort(all_signs, axis=0)[-2:]
    return np.where(two[0] >= second_pct_min, two.sum(axis=0), 0)


class Tally:
    """Lead times of one detector over the true runaways, and its alarms over the makers of false
    ones.
    """

    def __init__(self):
        self.leads_s = {kind: [] for kind, _ in c.SHARES}  # None: not before the runaway
        self.alarms = dict.fromkeys(("load", *c.RATES), 0)
        self.events = dict.fromkeys(("load", *c.RATES), 0)
        self.load_s = 0.0
        # of the load alone: alarms, seconds
        self.by_noise = {noise_K: [0, 0.0] for noise_K in c.NOISES_K}

    def add(self, series, tripped):
        """tripped: bool arrays, one per rack, or one in all."""
        course = series.course
        if course.rack is not None:
            self._lead(series, tripped[course.rack] if len(tripped) > 1 else tripped[0])
            return
        seconds = np.unique(np.concatenate([edges(values) for values in tripped]))
        if course.kind == "load":
            self.load_s += series.seconds
            self.alarms["load"] += len(seconds)
            noise = self.by_noise[course.noise_K]
            noise[0], noise[1] = noise[0] + len(seconds), noise[1] + series.seconds
        for at_s in course.events:
            self.events[course.kind] += 1
            after = at_s + c.WINDOW_S[course.kind]
            self.alarms[course.kind] += bool(((seconds > at_s) & (seconds <= after)).any())

    def _lead(self, series, tripped):
        if series.runaway_s is None:
            return
        began = [second for second in edges(tripped) if c.FAULT_S < second < series.runaway_s]
        self.leads_s[series.course.kind].append(series.runaway_s - began[0] if began else None)

    def leads(self):
        """{detected, of, missed, median_s, p5_s} of the kinds that anything can lead, and of each
        kind alone.
        """
        found = {kind: _lead_figures(values) for kind, values in self.leads_s.items()}
        slow = self.leads_s["heater"] + self.leads_s["short"]
        return {**_lead_figures(slow), "kinds": found}

    def false_alarms(self):
        """{per_1000_d, per_1000_d_upper, events_per_1000_d, makers}: expected with RATES; with each
        share at its upper 95 % bound; without the load alone.
        """
        load_d = self.load_s / DAY_S
        makers = {
            "load": {
                "alarms": self.alarms["load"],
                "hours": self.load_s / 3600.0,
                "per_1000_d": 1000.0 * self.alarms["load"] / load_d if load_d else None,
                "per_1000_d_upper": 1000.0 * count_upper(self.alarms["load"]) / load_d
                if load_d
                else None,
                "by_noise_K": {
                    str(noise_K): {"alarms": alarms, "hours": seconds / 3600.0}
                    for noise_K, (alarms, seconds) in self.by_noise.items()
                },
            }
        }
        for kind, rate in c.RATES.items():
            alarms, events = self.alarms[kind], self.events[kind]
            if events:
                makers[kind] = {
                    "alarms": alarms,
                    "events": events,
                    "per_1000_d": rate * alarms / events,
                    "per_1000_d_upper": rate * min(1.0, count_upper(alarms) / events),
                }
        sums = {
            key: sum(each[key] for each in makers.values() if each[key] is not None)
            for key in ("per_1000_d", "per_1000_d_upper")
        }
        events_only = sum(each["per_1000_d"] for kind, each in makers.items() if kind != "load")
        return {**sums, "events_per_1000_d": events_only, "makers": makers}


def count_upper(count):
    """Upper one-sided 95 % bound of a Poisson count: 3.0 for none (rule of three), else
    Wilson-Hilferty's.
    """
    if not count:
        return NONE_SEEN
    next_one = count + 1.0
    return next_one * (1.0 - 1.0 / (9.0 * next_one) + 1.645 / (3.0 * math.sqrt(next_one))) ** 3


def _lead_figures(leads_s):
    """The 5th percentile counts a missed one as 0 s."""
    seen = [lead for lead in leads_s if lead is not None]
    whole = [lead or 0 for lead in leads_s]
    return {
        "of": len(leads_s),
        "missed": len(leads_s) - len(seen),
        "median_s": float(np.median(whole)) if whole else None,
        "p5_s": float(np.percentile(whole, 5)) if whole else None,
    }


def judge(
    all_series,
    second_pct_mins=(runaway.SECOND_PCT_MIN,),
    debounces_s=(3,),
    thresholds_pct=SCORE_PCT,
):
    """{detector: {leads, false_alarms}}: each row, all of them together, and each suspicion
    (suspicion_name).
    """
    tallies = {}
    for series in all_series:
        for name, tripped in _of_rows(stage_trips(series)).items():
            tallies.setdefault(name, Tally()).add(series, tripped)
        by_rack = [signs(series, rack) for rack in range(len(series.racks))]
        for second in second_pct_mins:
            levels = [suspicion(each, second) for each in by_rack]
            for threshold in thresholds_pct:
                for seconds in debounces_s:
                    tripped = [held(level >= threshold, seconds) for level in levels]
                    tallies.setdefault(suspicion_name(threshold, second, seconds), Tally()).add(
                        series, tripped
                    )
    return {
        name: {"leads": one.leads(), "false_alarms": one.false_alarms()}
        for name, one in tallies.items()
    }


def suspicion_name(threshold_pct, second_pct_min, seconds):
    """Name of a suspicion in judge()."""
    return f"suspicion {threshold_pct} %, second {second_pct_min} %, {seconds} s"


def _of_rows(trips):
    """{"row 7": arrays, ...}: a row trips with any of its stages; and all rows together, with row
    53 and without.
    """
    found, seconds = {}, len(trips["7"][0])
    for stage in STAGES:
        name = f"row {stage[m.S_ROW]}"
        arrays = trips[stage[m.S_ID]]
        found[name] = [a | b for a, b in zip(found[name], arrays)] if name in found else arrays
    racks = len(found["row 53"])
    every = [np.zeros(seconds, bool) for _ in range(racks)]
    for name, arrays in list(found.items()):
        if name != "row 53":
            every = [
                one | (arrays[rack] if len(arrays) > 1 else arrays[0])
                for rack, one in enumerate(every)
            ]
    found["any row but 53"] = every
    found["any row"] = [one | more for one, more in zip(every, found["row 53"])]
    return found
