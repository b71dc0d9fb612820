"""Requests of Slurm: Python and job_submit.lua count the same, by the table of gres.toml."""

import subprocess
import tomllib
from pathlib import Path

import parts
import pytest
from slurm_site import LUA

from controller.watch import gres, slurm
from controller.watch.jobs import NO_LOAD

HERE = Path(__file__).parent
TABLE = tomllib.loads((HERE / "gres.toml").read_text())
NAMES = "lua5.4", "lua5.3", "lua"  # Debian and Ubuntu: apt-get install lua5.4


def counted(text):
    """Devices with a load; -1: their number is not understood."""
    found = [each for each in gres.devices(text) if "nic" not in each.names]
    found = [each for each in found if "craynetwork" not in each.names]
    return -1 if None in [each.pieces for each in found] else sum([each.pieces for each in found])


@pytest.mark.parametrize(("text", "count"), TABLE["count"].items())
def test_devices_of_a_request(text, count):
    assert counted(text) == count


@pytest.mark.parametrize(("text", "count"), TABLE["at_once"].items())
def test_tasks_of_an_array_at_once(text, count):
    state = {"array_task_string": text, "state_reason": "None", "array_max_tasks": 0}
    limit = int(text.partition("%")[2] or 0)
    if count == -1:
        with pytest.raises(ValueError):
            slurm._tasks_at_once(state, "gated")
    else:
        assert slurm._tasks_at_once(state | {"array_max_tasks": limit}, "gated") == count


FORMS = [(words.split(), state) for words, state in TABLE["state"].items()]
FORMS += [(words, state) for words, state in TABLE["state"].items() if " " not in words]


@pytest.mark.parametrize(("states", "state"), FORMS)
def test_state_of_a_job(states, state):
    """Later versions of Slurm list states, earlier ones have one word."""
    if state == "unknown":
        with pytest.raises(ValueError):
            slurm._state({"job_state": states})
    else:
        assert slurm._state({"job_state": states}) == state


def test_job_submit_counts_the_same():
    rows = [
        (name, *row)
        for name, of in (("devices", "count"), ("at_once", "at_once"), ("is_big", "is_big"))
        for row in TABLE[of].items()
    ]
    rows += [("devices", f"gres/{name}:1", 0) for name in NO_LOAD if name.isalpha()]
    asked = "".join([f"{name}\t{text}\n" for name, text, _ in rows])
    command = [parts.program("lua5.4"), HERE / "job_submit_test.lua", LUA]
    done = subprocess.run(command, input=asked, capture_output=True, text=True, check=True)
    found = [(*row[:2], int(line)) for row, line in zip(rows, done.stdout.split(), strict=True)]
    assert found == rows
