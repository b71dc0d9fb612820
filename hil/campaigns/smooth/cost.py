"""Cost of load tracking: microseconds a tick and words of state, with and without a stated range.

The load is a tone, which makes tracking search for periods: the dearest load that is known. Time of
the processor changes from run to run, so the least of some turns counts.
"""

import time

from hil.campaigns.smooth import followers, simulator, spectra
from hil.campaigns.smooth.paths import PATHS

PATH = "100f"  # a new sample in each tick
TONE, SEED = 5, 99
TICKS, TURNS = 600, 6
RANGE_W_MAX = 50_000
WAYS = {"judge": None, "strict judge": RANGE_W_MAX}
US_MAX = {"judge": 40, "strict judge": 65}


def run() -> list:
    """Rows {way, us, words, most_us}; prints them. No misses: other work takes time too."""
    rows = [measured(way) for way in WAYS]
    for row in rows:
        print(
            f"{row['way']:14} {row['us']:5.1f} us a tick, budget {row['most_us']}:"
            f" {'met' if row['us'] <= row['most_us'] else 'missed'}; {row['words']} words of state",
            flush=True,
        )
    return rows


def measured(way: str) -> dict:
    """One row: the mean of TICKS ticks, the least of TURNS turns one after the other."""
    path = PATHS[PATH]
    load_W = spectra.power_W("tone", TONE, SEED)
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
