"""What load tracking costs: microseconds a tick and words, with and without a stated range.

Time of the processor, so its figures change from run to run: the least of some turns counts.
"""

import time

from hil.campaigns.smooth import followers, loads, simulator
from hil.campaigns.smooth.paths import PATHS

LOAD, PATH = "training", "100f"  # a new sample in each tick
TICKS, TURNS = 1000, 20
RANGE_W_MAX = 50_000
WAYS = {"judge": None, "strict judge": RANGE_W_MAX}
US_MAX = {"judge": 40, "strict judge": 65}


def run() -> list:
    """Rows {way, us, words, most_us}; prints them. No misses: other work takes time too."""
    rows = [measured(way) for way in WAYS]
    for row in rows:
        print(
            f"{row['way']:14} {row['us']:5.1f} us a tick (budget {row['most_us']}), {row['words']}"
            " words of state",
            flush=True,
        )
    return rows


def measured(way: str) -> dict:
    """One row: the mean of TICKS ticks, the least of TURNS turns one after the other."""
    path = PATHS[PATH]
    load_W = loads.ticks_W(loads.read(loads.Source("", LOAD)), loads.FINE[0], "1")
    track = followers.function(path, None, WAYS[way])
    follower = followers.Ours(simulator.seen_W(load_W[: TICKS * TURNS], path), path, track)
    found = []
    for turn in range(TURNS):
        begin = time.process_time()
        for tick in range(turn * TICKS, (turn + 1) * TICKS):
            follower.request_W(tick, simulator.SOC_START, 0.0)
        found.append(1e6 * (time.process_time() - begin) / TICKS)
    words = sum(len(each) for each in track.guess.judge.arrays())
    return {"way": way, "us": min(found), "words": words, "most_us": US_MAX[way]}
