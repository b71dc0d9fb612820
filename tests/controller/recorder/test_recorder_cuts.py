"""A real recorder process, killed and cut off at seeded instants."""

import shutil
import subprocess

import pytest
from power_cuts import kills, power_cuts, start, trips_of, until
from recorder_bench import Place
from recorder_feed import Feed
from slow import slow

SEED = 7


@pytest.mark.wire
@pytest.mark.parametrize("count, trips_min", [(1, 3), *slow((5, 20))])
def test_killed_at_any_instant_it_tells_every_trip_once(tmp_path, count, trips_min):
    print("seed", SEED)
    fed, recorded, broken = kills(tmp_path, count, SEED)
    assert len(fed) > trips_min and not broken
    assert [sequence for sequence, _ in recorded] == sorted(sequence for sequence, _ in fed)
    assert sorted(recorded) == sorted(fed)


@pytest.mark.wire
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace(1) is not installed")
@pytest.mark.parametrize("count", [3, *slow(10)])
def test_after_a_power_cut_every_published_event_is_there(tmp_path, count):
    print("seed", SEED)
    events, failures = power_cuts(tmp_path, count, SEED, frames=800)
    assert events > 10 and failures == []


@pytest.mark.wire
def test_it_ends_when_asked_and_one_is_enough(tmp_path):
    place = Place(tmp_path)
    feed, head = Feed(place.run_dir, SEED), place.run_dir / "record.head"
    feed.frame()
    process = start(place.run_dir, place.state_dir)
    until(head.exists)
    second = start(place.run_dir, place.state_dir, stderr=subprocess.PIPE)
    _, line = second.communicate()
    assert second.returncode == 3 and line.count("\n") == 1 and "another recorder" in line
    for _ in range(200):
        feed.frame()
    process.terminate()
    assert process.wait() == 0
    # there again once the next one has begun to record, and hears signals
    head.unlink()
    again = start(place.run_dir, place.state_dir)
    until(lambda: head.exists() and len(trips_of(place)) >= len(feed.trips))
    again.terminate()
    assert again.wait() == 0 and place.verdict().intact
    feed.close()
