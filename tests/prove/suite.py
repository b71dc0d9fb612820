"""tests/safety inside pytest, held open: collected once, then run test by test in forked children.

`Suite` is a pytest plugin that takes over the session: instead of running the tests it calls
`serve(session)`.
"""

import functools
import os
import pathlib
import signal
import sys
import tempfile

import hypothesis
import pytest
from _pytest.runner import runtestprotocol

ROOT = pathlib.Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests" / "safety"
# They hold the kernel against a copy of itself or against a page written from it, so they can tell
# no mutant.
NO_JUDGES = {
    "test_parity.py": "compares the source with the same source on MicroPython",
    "test_assessor.py": "compares the page with what was written from the same tables",
}
PLUGINS = "no:cacheprovider no:faulthandler no:terminalreporter".split()
OPTIONS = (
    *"-q -s --assert=plain --tb=native -o timeout=0 -o addopts=".split(),
    *[word for name in PLUGINS for word in ("-p", name)],
    # so that the fixtures of its conftest hold for every later collection too
    *("--rootdir", str(TESTS.parent)),
)
# a test may take 30 times its own CPU time, and 2 s at least, before it counts as endless
CPU_S_MIN, CPU_TIMES = 2, 30


class Suite:
    """The plugin. serve(session): what to do instead of collecting and running."""

    def __init__(self, serve):
        self.serve = serve

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session):
        same = {"derandomize": True, "database": None, "deadline": None}
        same |= {"phases": (hypothesis.Phase.explicit, hypothesis.Phase.generate)}
        same |= {"suppress_health_check": list(hypothesis.HealthCheck)}
        hypothesis.settings.register_profile("prove", report_multiple_bugs=False, **same)
        hypothesis.settings.load_profile("prove")
        self.serve(session)
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session):
        return True


def files(folder=TESTS):
    return [path for path in sorted(folder.glob("test_*.py")) if path.name not in NO_JUDGES]


def hold(serve, folder=TESTS):
    """Call serve(session) in a session over the folder's tests; returns pytest's exit code."""
    sys.pycache_prefix = os.path.join(tempfile.gettempdir(), f"firebreak-prove-{os.getuid()}")
    sys.dont_write_bytecode = False
    names = [str(path) for path in files(folder)]
    code = pytest.main([*OPTIONS, *names], plugins=[Suite(serve)])
    return 0 if code == pytest.ExitCode.NO_TESTS_COLLECTED else code


class Clock:
    """Ends this process when one test takes more CPU time than it may."""

    def __init__(self, report):
        self.report, self.name = report, ""
        signal.signal(signal.SIGPROF, self._over)

    def _over(self, *_):
        self.report(self.name)
        os._exit(0)

    def start(self, name, usual_s):
        """Before a test; usual_s: what it took without a mutant."""
        self.name = name
        signal.setitimer(signal.ITIMER_PROF, max(CPU_S_MIN, CPU_TIMES * usual_s))

    def stop(self):
        signal.setitimer(signal.ITIMER_PROF, 0)


def first_failure(items, clock, usual_s):
    """(place, report) of the first test that fails, (number of tests, None) if none does."""
    for place, item in enumerate(items):
        clock.start(item.nodeid, usual_s.get(item.nodeid, 1))
        following = items[place + 1] if place + 1 < len(items) else None
        for report in runtestprotocol(item, log=False, nextitem=following):
            if report.failed:
                clock.stop()
                return place, report
    clock.stop()
    return len(items), None


def shared_starts(context):
    """Cached helpers of the tests: what one test computes for the others is put under a context of
    its own.

    context(name) switches and returns the one before. Returns {test: set of such contexts} as it
    fills.
    """
    users, state = {}, {"test": ""}

    def wrap(cached, label):
        known = {}

        @functools.wraps(cached)
        def call(*args, **kwargs):
            key = (args, tuple(sorted(kwargs.items())))
            name = f"{label}{key!r}"
            users.setdefault(state["test"], set()).add(name)
            if key not in known:
                before = context(name)
                known[key] = cached.__wrapped__(*args, **kwargs)
                context(before)
            return known[key]

        return call

    for name, module in list(sys.modules.items()):
        is_test = str(getattr(module, "__file__", "") or "").startswith(str(TESTS))
        for attribute, value in list(vars(module).items()) if is_test else ():
            if isinstance(value, functools._lru_cache_wrapper) and value.__module__ == name:
                setattr(module, attribute, wrap(value, f"{name}.{attribute}"))
    return users, state
