"""A real recorder process: killed and cut off at seeded instants, beside a controller, replayed."""

import os
import shutil
import signal
import subprocess
import sys
import sysconfig

import pytest
from power_cuts import kills, power_cuts, start, trips_of, until
from recorder_bench import Bench, Place, estop
from recorder_feed import Feed
from slow import slow
from wired_site import WiredSite

from controller.journal.ring import JournalReader
from tests.repository import ROOT

SEED = 7


@pytest.mark.wire
@pytest.mark.parametrize("count, trips_min", [(1, 3), *slow((5, 20))])
def test_killed_at_any_instant_it_tells_every_trip_once(tmp_path, count, trips_min):
    print("seed", SEED)
    fed, recorded, broken = kills(tmp_path, count, SEED)
    assert len(fed) > trips_min and not broken
    assert [sequence for sequence, _ in recorded] == sorted(sequence for sequence, _ in fed)
    assert sorted(recorded) == sorted(fed)


@pytest.mark.whole
@pytest.mark.wire
@pytest.mark.needs("strace")
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


@pytest.mark.slow
@pytest.mark.wire
def test_the_loop_does_not_notice_the_recorder(tmp_path):
    site, place = WiredSite(tmp_path), Place(tmp_path)
    recorders, frames, head = [], [], tmp_path / "record.head"
    try:
        controller = site.start()
        site.serve_until(lambda: site.seen() is not None)
        reader = JournalReader(str(tmp_path / "journal"))
        for end in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM):
            head.unlink(missing_ok=True)
            for each in recorders:
                each.kill()
                each.wait()
            recorders.append(start(tmp_path, place.state_dir))
            site.serve_until(head.exists)
            recorders[-1].send_signal(end)
            wanted = reader.newest() + 50
            site.serve_until(lambda: reader.newest() >= wanted)
            frames += list(reader.frames())
        assert controller.poll() is None
        assert [frame.sequence for frame in frames] == list(range(len(frames))) and reader.lost == 0
        site.serve_until(lambda: recorders[-1].poll() is not None)
        assert recorders[-1].wait() == 0 and place.verdict().intact
    finally:
        for process in recorders:
            process.kill()
            process.wait()
        site.close()


NAMES = (sys.executable, "/usr/bin/python3", *(f"python3.{minor}" for minor in range(11, 16)))
ASKED = "import sys, msgpack, controller.console.replay; print(sys.version)"


def run(*command, path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path)}
    return subprocess.run(command, capture_output=True, text=True, env=environment)


def pythons():
    """{version and build: (command, PYTHONPATH)}; one of this minor version borrows packages."""
    found = {}
    for name in filter(shutil.which, NAMES):
        minor = run(name, "-c", "import sys; print(*sys.version_info[:2])", path=[]).stdout.split()
        is_same = minor == [str(each) for each in sys.version_info[:2]]
        path = [str(ROOT), *([sysconfig.get_paths()["purelib"]] if is_same else [])]
        done = run(name, "-c", ASKED, path=path)
        if done.returncode == 0:
            found.setdefault(done.stdout.strip(), (name, path))
    return found


@pytest.mark.slow
@pytest.mark.wire
def test_a_capture_replays_on_every_python_here(tmp_path):
    bench = Bench(tmp_path, [estop(3)]).start_recorder().run(6)
    bench.close()
    (capture,) = bench.captures()
    found = pythons()
    print("pythons", found)
    assert found
    for version, (name, path) in found.items():
        done = run(name, "-m", "controller", "replay", str(capture), path=path)
        assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["the same bytes"]), version
