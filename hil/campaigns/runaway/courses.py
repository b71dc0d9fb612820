"""Courses of the cabinet: true runaways, and makers of false alarms, everything drawn from a seed.

A course's steps are (second, function of the plant).
"""

import math
import pathlib
import random
from typing import NamedTuple

from hil.campaigns.runaway.makers import MAKERS, RATES, WINDOW_S
from hil.loads import reader
from hil.loads import trace as traces

MAKER_S = 1200.0  # of a course of makers
FAULT_S = 60  # a runaway's fault begins so late in its course
SETTLE_S = 40  # a maker's first event: 30 s of history and more are there
# one sigma of a module's temperature; 0.1 K is what the kernel's heating reckons with
NOISES_K = (0.02, 0.05, 0.1)
# on the hottest cell; four in a module; one in its middle
SENSOR_CELLS = ((), (2, 6, 10, 14), (7,))
# An external heater (C31); an internal short that warms its cell (assumed, no source).
RATES_K_PER_MIN = {"heater": (4.0, 7.0), "short": (12.0, 60.0)}
SUDDEN_DEGC = 165.0
START_DEGC, TRIGGER_DEGC = 25.0, 160.0
SHARES = (("heater", 0.5), ("short", 0.375), ("sudden", 0.125))
LOAD_FILES = (
    ("gpt3_512xh100_2s.csv.gz", "ac_total_kW"),
    *(("lora_512xh100_2s.csv.gz", f"run0{number}_kW") for number in range(1, 6)),
)
LOAD_NAMES = ", ".join(sorted({name for name, _ in LOAD_FILES}))
BASES = {
    "lfp 30 %": {"soc": 0.3},
    "lfp 55 %": {"soc": 0.55},
    "lfp 90 %": {"soc": 0.9},
    "hot": {"soc": 0.55, "ambient_degC": 42.0},
    "nmc": {"soc": 0.55, "chemistry": "nmc"},
}


class Course(NamedTuple):
    """kind: of SHARES or RATES, or "load"; base: of BASES; events: seconds at which a maker acts;
    rack: of the fault.
    """

    kind: str
    base: str
    seed: str
    duration_s: float
    noise_K: float
    sensor_cells: tuple
    load: object
    steps: tuple
    events: tuple = ()
    rack: object = None


def drawn(seed, runaways, days, load_folder=None):
    """Courses: so many true runaways, and makers of false alarms over so many days together."""
    loads = _traces(load_folder)
    found = [
        _runaway(kind, f"{seed}/{kind}/{number}", loads)
        for kind, count in _counts(runaways)
        for number in range(count)
    ]
    # half of the time nothing but the load
    kinds = [kind for maker in RATES for kind in (maker, "load")]
    count = math.ceil(days * 86_400.0 / MAKER_S)
    return found + [
        _maker(kinds[number % len(kinds)], f"{seed}/maker/{number}", loads)
        for number in range(count)
    ]


def _counts(runaways):
    """[(kind, how many)] by SHARES, as many as asked: those that rounding down leaves go to the
    largest remainders.
    """
    counts = {kind: int(share * runaways) for kind, share in SHARES}
    left = sorted(SHARES, key=lambda each: counts[each[0]] - each[1] * runaways)
    for kind, _ in left[: runaways - sum(counts.values())]:
        counts[kind] += 1
    return counts.items()


def _traces(folder):
    """Measured loads, as far as they are there: functions of the second, which begin again at their
    end.

    LoadError for a folder with none of them: otherwise all loads would be synthetic without notice.
    """
    if not folder:
        return []
    paths = [(pathlib.Path(folder, name), column) for name, column in LOAD_FILES]
    found = [reader.read_trace(str(path), column) for path, column in paths if path.is_file()]
    if not found:
        raise traces.LoadError(f"--loads {folder}: holds none of {LOAD_NAMES}")
    return found


def _load(deal, loads, seed):
    """A measured load from a place of its own, or (half of them, all where there is none) a
    synthetic cluster's.
    """
    if loads and deal.random() < 0.5:
        trace, from_s = deal.choice(loads), deal.uniform(0.0, 3600.0)
        return lambda t_s: trace((t_s + from_s) % trace.duration_s)
    return traces.synthetic_load(seed, 4000.0, deal.choice((250_000.0, 400_000.0, 600_000.0)))


def _common(deal, loads, seed):
    return {
        "seed": seed,
        "noise_K": deal.choice(NOISES_K),
        "sensor_cells": deal.choice(SENSOR_CELLS),
        "load": _load(deal, loads, seed),
    }


def _runaway(kind, seed, loads):
    deal = random.Random(seed)
    rack, module, cell = deal.randrange(3), deal.randrange(15), deal.randrange(16)
    common = _common(deal, loads, seed)
    start, lasts_s = (None, SUDDEN_DEGC), 0.0
    if kind != "sudden":
        rate_K_per_min = math.exp(deal.uniform(*[math.log(end) for end in RATES_K_PER_MIN[kind]]))
        start = (rate_K_per_min / 60.0, None)
        lasts_s = 60.0 * (TRIGGER_DEGC - START_DEGC) / rate_K_per_min
    steps = [(FAULT_S, lambda plant: plant.racks[rack].start_runaway(module, cell, *start))]
    if kind == "short":
        drop_V = deal.uniform(0.02, 0.4)
        steps.append(
            (FAULT_S, lambda plant: plant.racks[rack].offset_cell(-drop_V, module, cell, lasts_s))
        )
    if deal.random() < 0.3:
        steps.insert(0, (0, lambda plant: setattr(plant, "fan_by_hand", True)))
    return Course(
        kind=kind,
        base=deal.choice(("lfp 30 %", "lfp 55 %", "lfp 90 %", "nmc")),
        duration_s=FAULT_S + lasts_s + 240.0,
        steps=tuple(steps),
        events=(FAULT_S,),
        rack=rack,
        **common,
    )


def _maker(kind, seed, loads):
    deal = random.Random(seed)
    common = _common(deal, loads, seed)
    steps, events = [], []
    at_s = SETTLE_S
    while kind != "load" and at_s + min(WINDOW_S[kind], MAKER_S - SETTLE_S) <= MAKER_S:
        events.append(at_s)
        steps += MAKERS[kind](deal, at_s)
        at_s += WINDOW_S[kind]
    return Course(
        kind=kind,
        base="hot" if kind == "hvac" else deal.choice(("lfp 30 %", "lfp 55 %", "lfp 90 %")),
        duration_s=MAKER_S,
        steps=tuple(sorted(steps, key=lambda step: step[0])),
        events=tuple(events),
        **common,
    )
