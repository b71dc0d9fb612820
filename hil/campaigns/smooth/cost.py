"""Cost of load tracking: microseconds a tick and words of state, with and without a stated range.

The loads are the dearest that are known: a tone and a saw, whose periods and slopes are found.
Other work delays other ticks of each play, so the least time of each tick counts.
"""

import time

import numpy as np

from hil.campaigns.smooth import followers, simulator, spectra
from hil.campaigns.smooth.paths import PATHS

PATH = "100f"  # a new sample in each tick
TONE, SEED = 5, 99
SAW_TICKS, SAW_W = 100, 60_000
TICKS, LEARNED, PLAYS = 2400, 600, 6  # those before LEARNED ticks do not count
RANGE_W_MAX = 50_000
WAYS = {"judge": None, "strict judge": RANGE_W_MAX}
US_MAX = {"judge": 40, "strict judge": 65}
DEAREST_MAX = 3  # a tick may cost so many times the mean


def loads_W() -> dict:
    """{name: power of each tick}."""
    saw_W = spectra.LEVEL_W + SAW_W * (np.arange(TICKS) % SAW_TICKS) / SAW_TICKS
    return {"tone": spectra.power_W("tone", TONE, SEED)[:TICKS], "saw": saw_W}


def run() -> list:
    """Rows {way, load, us, p99_us, most_us, words}; prints them. No misses: other work takes time
    too.
    """
    rows = [measured(way, name, load_W) for way in WAYS for name, load_W in loads_W().items()]
    for row in rows:
        print(line(row), flush=True)
    return rows


def line(row: dict) -> str:
    """A row as the table has it."""
    most_us, p99_us = row["most_us"], DEAREST_MAX * row["us"]
    mean_text, p99_text = (
        "met" if is_met else "missed" for is_met in (row["us"] <= most_us, row["p99_us"] <= p99_us)
    )
    return (
        f"{row['way']:14} {row['load']:5} {row['us']:5.1f} us a tick, budget {most_us}: {mean_text}"
        f"; 99 of 100 at most {row['p99_us']:5.1f} us, budget {DEAREST_MAX} means: {p99_text};"
        f" {row['words']} words of the judge"
    )


def measured(way: str, name: str, load_W: np.ndarray) -> dict:
    """One row."""
    path, least_us = PATHS[PATH], np.full(TICKS, np.inf)
    for _ in range(PLAYS):
        track = followers.function(path, None, WAYS[way])
        follower = followers.Ours(simulator.seen_W(load_W, path), path, track)
        least_us = np.minimum(least_us, played_us(follower))
    counted = least_us[LEARNED:]
    return {
        **{"way": way, "load": name, "us": float(counted.mean())},
        "p99_us": float(np.percentile(counted, 99)),
        "words": sum(len(each) for each in track.guess.judge.arrays()),
        "most_us": US_MAX[way],
    }


def played_us(follower: followers.Ours) -> np.ndarray:
    """Time of each tick."""
    found = []
    for tick in range(TICKS):
        begin = time.perf_counter()
        follower.request_W(tick, simulator.SOC_START, 0.0)
        found.append(1e6 * (time.perf_counter() - begin))
    return np.array(found)
