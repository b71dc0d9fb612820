"""A capture replays to the same bytes on every Python here that has what a replay needs."""

import os
import shutil
import subprocess
import sys
import sysconfig

import pytest
from recorder_bench import Bench, estop

from tests.repository import ROOT

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
