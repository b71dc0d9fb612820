"""The guards of the whole suite."""

import os
import subprocess
import sys

import pytest

from tests import guards
from tests.repository import ROOT


def sum_in(module, values):
    there = {"__name__": module, "sum": guards.sum_of_whole_numbers}
    return eval(f"sum({values})", there)


@pytest.mark.parametrize("module", ["controller.planner.tariff", "controller.series.weather"])
def test_the_product_adds_no_floats_by_sum(module):
    assert sum_in(module, [1, True, 2]) == 4
    with pytest.raises(pytest.fail.Exception, match="depends on the version of Python"):
        sum_in(module, [1, 0.5])
    assert sum_in("tests.tables", [1, 0.5]) == 1.5


def test_the_guard_of_sums_is_on():
    assert sum is guards.sum_of_whole_numbers


@pytest.fixture
def beside(tmp_path):
    (tmp_path / "checkout").mkdir()
    (tmp_path / "other").write_text("")
    return tmp_path / "other", guards.Places(tmp_path / "checkout")


def test_a_changed_mode_beside_the_checkout_is_named(beside):
    other, places = beside
    assert places.changes() == []
    mode = other.stat().st_mode & 0o777
    other.chmod(0o640 ^ 0o001)
    (line,) = places.changes()
    assert line.startswith(f"{other}: was -rw-") and ", is -rw-r----x " in line
    other.chmod(mode)
    assert places.changes() == []
    other.unlink()
    assert places.changes()[0].endswith("is No such file or directory")


SUITE = """
import os
def test_a_fault():
    os.chmod(os.environ["PLACE"], 0o640)
"""


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_run_that_changes_a_place_fails(workers, tmp_path):
    """Workers change nothing: the guard runs in the process that reports."""
    place = tmp_path / "null"
    place.write_text("")
    place.chmod(0o666)
    (tmp_path / "test_fault.py").write_text(SUITE)
    (tmp_path / "conftest.py").write_text(
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from tests import guards\n"
        f"guards.MACHINE = ({str(place)!r},)\n"
        "from pathlib import Path\n"
        "def pytest_configure(config):\n"
        "    if not hasattr(config, 'workerinput'):\n"
        f"        config.pluginmanager.register(guards.Places(Path({str(ROOT)!r})))\n"
    )
    line = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", workers]
    own = {**os.environ, "PLACE": str(place)}
    done = subprocess.run(
        [*line, "--rootdir", tmp_path, tmp_path],
        cwd=tmp_path,
        env=own,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert (
        f"the tests changed {place}: was -rw-rw-rw- " in done.stdout and "1 passed" in done.stdout
    )
