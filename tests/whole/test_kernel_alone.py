"""The tests of the kernel run with the kernel and the oracle alone, as an assessor takes them."""

import re
import shutil

import pytest
import wheels

from tests import house
from tests.repository import ROOT

pytestmark = [pytest.mark.whole, pytest.mark.wire]
PAGE = (ROOT / "safety" / "README.md").read_text(encoding="utf-8")
(TOLD,) = [part for part in PAGE.split("\n\n") if "copied alone" in part]
*NAMES, COMMAND = re.findall("`([^`]+)`", TOLD)
TESTS = ROOT / "tests" / "safety"
QUICK = "test_ranges.py", "test_transcription.py"  # of the kernel, of the oracle


@pytest.fixture(scope="module")
def taken(tmp_path_factory):
    """A folder with what the page names, and nothing else."""
    folder = tmp_path_factory.mktemp("assessor") / "taken"
    for name in NAMES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_file():
            shutil.copy(ROOT / name, folder / name)
        else:
            skipped = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, folder / name, ignore=skipped)
    return folder


def printed(folder, *words):
    """The output of the page's command with these words. The libraries come without the tree."""
    done = wheels.outside(folder, *COMMAND.split()[1:-1], *words, libraries=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def test_the_page_names_the_parts_that_the_tests_may_import():
    assert set(NAMES) == {*house.KERNEL_ALONE, "hil/__init__.py"}
    assert COMMAND.endswith(" tests/safety")


def test_every_test_is_collected_and_two_files_pass(taken):
    tests = taken / "tests" / "safety"
    collected = printed(taken, "-q", "--collect-only", tests)
    every = {path.name for path in TESTS.glob("test_*.py")}
    assert set(re.findall(r"(test_\w+\.py)::", collected)) == every
    assert re.search(r"\d\d passed", printed(taken, *[tests / name for name in QUICK]))
