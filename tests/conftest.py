"""Shared by all tests: repeatable hypothesis runs, data, hang guard, CPU time of each folder."""

import builtins
import gc
import resource
import signal
import sys
from collections import Counter
from pathlib import Path

import hypothesis
import pytest

from tests import guards, transcript
from tests.real import parts
from tests.repository import ROOT, SHARED

# Helpers are imported by name from any folder; the style test keeps all names of test files apart.
sys.path += sorted({str(path.parent) for path in Path(__file__).parent.rglob("*.py")})
WIRE_GUARD_S = 300  # a hang guard only: no test may need it, on a busy machine either
HYPOTHESIS_EXAMPLES = 50  # the budget of a property; `prove` takes more
COLLECTING = "collecting, set-up of workers"

hypothesis.settings.register_profile(
    "repeatable",
    max_examples=HYPOTHESIS_EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    print_blob=True,
)
hypothesis.settings.load_profile("repeatable")
# A shell without job control starts jobs that ignore SIGINT; their children ignore it too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser):
    parser.addoption("--approve", action="store_true", help="texts take the output that is found")


def pytest_collection_modifyitems(config, items):
    for item in items:
        if item.get_closest_marker("wire") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(WIRE_GUARD_S))
    if not SHARED.is_dir():
        left_out = [item for item in items if "shared" in item.fixturenames]
        items[:] = [item for item in items if "shared" not in item.fixturenames]
        config.hook.pytest_deselected(items=left_out)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    for mark in item.iter_markers("needs"):
        parts.needs(*mark.args)


@pytest.hookimpl(tryfirst=True)
def pytest_collection():
    """No collection of garbage until all tests are collected: 15 000 of them, and all stay."""
    gc.disable()


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop():
    """Collected tests stay: usual rounds of garbage collection cost a tenth of a simulation."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000)
    gc.enable()


class CpuPerFolder:
    """CPU seconds of this process and of the processes it has waited for, by folder of tests/."""

    def __init__(self):
        self.spent_s, self.before_s = Counter(), 0.0

    def since(self):
        now_s = 0.0
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
            used = resource.getrusage(who)
            now_s += used.ru_utime + used.ru_stime
        spent_s, self.before_s = now_s - self.before_s, now_s
        return spent_s

    def pytest_collection_finish(self):
        self.spent_s[COLLECTING] += self.since()

    def pytest_runtest_logfinish(self, location):
        self.spent_s["/".join(location[0].split("/")[:2])] += self.since()

    def pytest_sessionfinish(self, session):
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput["cpu_s"] = dict(self.spent_s)


class CpuOfWorkers(CpuPerFolder):
    def pytest_runtest_logfinish(self, location):
        """The worker has counted it."""

    def pytest_testnodedown(self, node):
        """A worker ended; one that crashed has no sums."""
        self.spent_s.update(getattr(node, "workeroutput", {}).get("cpu_s", {}))


def pytest_configure(config):
    transcript.approves = config.getoption("approve")
    workers = config.getoption("numprocesses", None) and not hasattr(config, "workerinput")
    config.pluginmanager.register(CpuOfWorkers() if workers else CpuPerFolder(), "cpu")
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(guards.Places(ROOT))
    builtins.sum = guards.sum_of_whole_numbers


def pytest_terminal_summary(terminalreporter, config):
    spent_s = config.pluginmanager.get_plugin("cpu").spent_s
    terminalreporter.write_sep("=", f"CPU time {sum(spent_s.values()):.0f} s")
    for folder in sorted(spent_s):
        terminalreporter.write_line(f"{spent_s[folder]:7.1f} s  {folder}")


@pytest.fixture(scope="session")
def shared():
    """Measured data beside the repository. A test that takes it needs a twin with made data."""
    return SHARED


@pytest.fixture
def files(tmp_path):
    from site_files import SiteFiles

    return SiteFiles(tmp_path)


@pytest.fixture
def pylontech(tmp_path):
    from site_files import PYLONTECH, SiteFiles

    return SiteFiles(tmp_path, PYLONTECH)
