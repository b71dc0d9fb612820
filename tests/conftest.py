"""What all tests share: repeatable hypothesis runs, the data beside the repository, a short guard
for wire tests.
"""

import gc
import signal
import sys
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parent.parent
# Helpers are imported by name from any folder; the style test keeps all names of test files apart.
sys.path += sorted({str(path.parent) for path in Path(__file__).parent.rglob("*.py")})
WIRE_GUARD_S = 60  # a hang guard only: no test may need it

hypothesis.settings.register_profile(
    "repeatable", derandomize=True, deadline=None, database=None, print_blob=True
)
hypothesis.settings.load_profile("repeatable")
# A shell without job control starts background jobs deaf to SIGINT, and so would be all that tests
# start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    """Tests on real wires get the hang guard; every other test keeps the one of setup.cfg."""
    for item in items:
        if item.get_closest_marker("wire") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(WIRE_GUARD_S))


@pytest.hookimpl(tryfirst=True)
def pytest_collection():
    """No collection of garbage until all tests are collected: 15 000 of them, and all stay."""
    gc.disable()


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop():
    """What was collected stays, so no later collection of garbage walks over it."""
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def shared():
    """Path of the data folder beside the repository; the test is skipped where there is none."""
    path = ROOT.parent / "shared"
    if not path.is_dir():
        pytest.skip(f"needs the data folder {path.name} beside the repository")
    return path


@pytest.fixture
def files(tmp_path):
    """The default cabinet, as files that a test may edit."""
    from site_files import SiteFiles

    return SiteFiles(tmp_path)


@pytest.fixture
def pylontech(tmp_path):
    """The Pylontech example, likewise."""
    from site_files import PYLONTECH, SiteFiles

    return SiteFiles(tmp_path, PYLONTECH)
