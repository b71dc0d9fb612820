"""How long after its frame an event is durable: a command of its own, JSON out.

A journal is written every 20 ms beside a real recorder process; the time from the end of the write
of a frame with a trip until another connection sees the event. SQLite shows a commit to others
after the fsync of its log (WAL with synchronous=FULL), so what is seen is durable.
"""

import argparse
import json
import os
import platform
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

from power_cuts import ROOT, command, trips_of
from recorder_feed import Feed

from controller.system import clock

TICK_US = 20_000
GUARD_US = 5_000_000


def measure(folder, trips, seed):
    """Latencies in us of so many trips."""
    run_dir, state_dir = folder / "run", folder / "state"
    run_dir.mkdir()
    feed = Feed(run_dir, seed)
    process = subprocess.Popen(command(run_dir, state_dir), cwd=ROOT)
    while not (run_dir / "record.head").exists():
        _tick(feed, clock.now_us() + TICK_US)
    found = []
    with sqlite3.connect(f"file:{state_dir / 'record.db'}?mode=ro", uri=True) as connection:
        while len(found) < trips:
            before = len(feed.trips)
            due_us = clock.now_us() + TICK_US
            written_us = _tick(feed, due_us)
            if len(feed.trips) > before:
                found.append(_seen(connection, feed) - written_us)
    process.terminate()
    process.wait()
    feed.close()
    assert trips_of(state_dir) == feed.trips
    return sorted(found)


def _tick(feed, due_us):
    """Wait for a moment, write a frame; returns when it was written."""
    while clock.now_us() < due_us:
        os.sched_yield()
    feed.frame()
    return clock.now_us()


def _seen(connection, feed):
    """When the newest trip was seen by another connection; frames go on meanwhile."""
    wanted, due_us = len(feed.trips), clock.now_us() + TICK_US
    guard_us = due_us + GUARD_US
    while clock.now_us() < guard_us:
        if (
            connection.execute("SELECT count(*) FROM events WHERE kind = 'trip'").fetchone()[0]
            >= wanted
        ):
            return clock.now_us()
        if clock.now_us() >= due_us:
            feed.journal.append(feed.sequence, 1, feed.core.inp, feed.core.fresh, feed.core.out)
            feed.sequence += 1
            due_us += TICK_US
    raise SystemExit("a trip was not recorded within 5 s")


def main():
    parser = argparse.ArgumentParser(
        description="Time from a frame with a trip to a durable event."
    )
    parser.add_argument("--trips", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dir", help="where the record is written: the disk to be measured")
    parser.add_argument("--json", metavar="FILE")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.dir) as folder:
        found = measure(Path(folder), arguments.trips, arguments.seed)
    result = {
        "what": "frame to durable event",
        "trips": len(found),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "load_average": os.getloadavg()[0],
        "over_100_ms": sum(each_us > 100_000 for each_us in found),
        "latency_us": {
            "p50": found[len(found) // 2],
            "p99": found[-(-len(found) * 99 // 100) - 1],
            "max": found[-1],
        },
    }
    print(json.dumps(result))
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(result) + "\n", encoding="ascii")
    return 0


if __name__ == "__main__":
    sys.exit(main())
