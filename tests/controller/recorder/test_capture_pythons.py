"""A capture replays to the same bytes on every Python on this machine that has, or may borrow, what
a replay needs.
"""

import os
import shutil
import subprocess
import sys
import sysconfig

import pytest
from recorder_bench import Bench, estop

from tests.repository import ROOT

NAMES = (sys.executable, "/usr/bin/python3", *(f"python3.{minor}" for minor in range(11, 16)))


def environment(python):
    """Environment in which this Python finds our packages, if it is of the same minor version; else
    its own.
    """
    same = subprocess.run(
        [python, "-c", "import sys; print(sys.version_info[:2])"], capture_output=True, text=True
    )
    paths = [str(ROOT)]
    if same.stdout.strip() == str(sys.version_info[:2]):
        paths.append(sysconfig.get_paths()["purelib"])
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def pythons():
    """{version and build: command} of those that can."""
    found = {}
    for name in NAMES:
        if shutil.which(name):
            asked = subprocess.run(
                [name, "-c", "import sys, msgpack, controller.console.replay; print(sys.version)"],
                capture_output=True,
                text=True,
                env=environment(name),
            )
            if asked.returncode == 0:
                found.setdefault(asked.stdout.strip(), name)
    return found


@pytest.mark.wire
def test_a_capture_replays_on_every_python_here(tmp_path):
    bench = Bench(tmp_path, [estop(3)])
    bench.start_recorder()
    bench.run(8)
    bench.close()
    (capture,) = (tmp_path / "state" / "captures").iterdir()
    found = pythons()
    print("pythons", found)
    assert found
    for version, name in found.items():
        said = subprocess.run(
            [name, "-m", "controller", "replay", str(capture)],
            capture_output=True,
            text=True,
            env=environment(name),
            cwd=tmp_path,
        )
        assert (said.returncode, said.stdout.splitlines()[-1:]) == (0, ["the same bytes"]), (
            version,
            said,
        )
