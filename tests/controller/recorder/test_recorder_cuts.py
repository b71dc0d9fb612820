"""A real recorder process, killed and cut off at seeded instants; the 200 of each are
power_cuts.py's.
"""

import shutil
import subprocess
import sys

import pytest
from power_cuts import ROOT, command, kills, power_cuts, trips_of, verdict
from recorder_feed import Feed
from slow import slow

SEED = 7


@pytest.mark.wire
@pytest.mark.parametrize("count, trips_min", [(1, 3), *slow((5, 20))])
def test_killed_at_any_instant_it_tells_every_trip_once(tmp_path, count, trips_min):
    print("seed", SEED)
    found = kills(tmp_path, count, SEED)
    assert found["trips"] > trips_min
    assert {name: found[name] for name in ("missing", "twice", "out_of_order", "broken")} == {
        "missing": 0,
        "twice": 0,
        "out_of_order": False,
        "broken": 0,
    }


@pytest.mark.wire
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace(1) is not installed")
@pytest.mark.parametrize("count", [3, *slow(10)])
def test_after_a_power_cut_every_published_event_is_there(tmp_path, count):
    print("seed", SEED)
    found = power_cuts(tmp_path, count, SEED, frames=800)
    assert found["events"] > 10 and found["failures"] == []


@pytest.mark.wire
def test_it_ends_when_asked_and_one_is_enough(tmp_path):
    run_dir, state_dir = tmp_path / "run", tmp_path / "state"
    run_dir.mkdir()
    feed = Feed(run_dir, SEED)
    feed.frame()
    process = subprocess.Popen(
        command(run_dir, state_dir), cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    while not (state_dir / "record.db").exists() or not (run_dir / "record.head").exists():
        assert process.poll() is None
        feed.frame()
    second = subprocess.run(command(run_dir, state_dir), cwd=ROOT, capture_output=True, text=True)
    assert (second.returncode, second.stderr.count("\n")) == (
        3,
        1,
    ) and "another recorder" in second.stderr
    for _ in range(200):
        feed.frame()
    process.terminate()
    assert process.wait() == 0
    process.stderr.close()
    # there again once the next one has begun to record, and hears signals
    (run_dir / "record.head").unlink()
    again = subprocess.Popen(command(run_dir, state_dir), cwd=ROOT, stderr=subprocess.DEVNULL)
    while not (run_dir / "record.head").exists() or len(trips_of(state_dir)) < len(feed.trips):
        assert again.poll() is None
    again.terminate()
    assert again.wait() == 0 and verdict(state_dir).intact
    feed.close()


@pytest.mark.wire
def test_without_a_place_to_write_it_does_not_start(tmp_path):
    (tmp_path / "state").write_text("a file")
    found = subprocess.run(
        [
            sys.executable,
            "-m",
            "controller",
            "record",
            "--run-dir",
            str(tmp_path),
            "--state-dir",
            str(tmp_path / "state"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert (found.returncode, found.stdout, found.stderr.count("\n")) == (3, "", 1), found.stderr
