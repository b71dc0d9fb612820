"""A pytest session over the tests of a scope, held open: collected once, run in children."""

import functools
import os
import signal
import sys
import tempfile

import hypothesis
import pytest
import scopes
from _pytest.runner import runtestprotocol

TESTS = scopes.ROOT / "tests"
PLUGINS = "no:cacheprovider no:faulthandler no:terminalreporter".split()
OPTIONS = (
    *"-q -s --assert=plain --tb=native -o timeout=0 -o addopts=".split(),
    *[word for name in PLUGINS for word in ("-p", name)],
    # so that the fixtures of its conftest hold for every later collection too
    *("--rootdir", str(TESTS)),
)
# a test may take 30 times its own CPU time, and 2 s at least, before it counts as endless
CPU_S_MIN, CPU_TIMES = 2, 30


class Suite:
    """serve(session): called instead of collecting and running."""

    def __init__(self, serve):
        self.serve = serve

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session):
        same = {"derandomize": True, "database": None, "deadline": None}
        same |= {"phases": (hypothesis.Phase.explicit, hypothesis.Phase.generate)}
        same |= {"suppress_health_check": list(hypothesis.HealthCheck)}
        hypothesis.settings.register_profile("prove", report_multiple_bugs=False, **same)
        hypothesis.settings.load_profile("prove")
        session.config._tmp_path_factory.getbasetemp()  # one for all children, or each clears it
        self.serve(session)
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session):
        return True


def hold(serve, scope, folder):
    """folder: for the directories of tests; those that pytest makes are removed by later runs."""
    sys.pycache_prefix = os.path.join(tempfile.gettempdir(), f"firebreak-prove-{os.getuid()}")
    sys.dont_write_bytecode = False
    names = [str(path) for path in scope.test_files()]
    own = f"--basetemp={folder}/of_tests"
    code = pytest.main([*OPTIONS, *scope.options, own, *names], plugins=[Suite(serve)])
    return 0 if code == pytest.ExitCode.NO_TESTS_COLLECTED else code


class Clock:
    """wall_s_max: of a test that waits for something, 0: none."""

    def __init__(self, report, wall_s_max=0):
        self.report, self.name, self.wall_s_max = report, "", wall_s_max
        signal.signal(signal.SIGPROF, self._over)
        signal.signal(signal.SIGALRM, self._over)

    def _over(self, *_):
        self.report(self.name)
        os._exit(0)

    def start(self, name, usual_s):
        """usual_s: CPU time of the test without a mutant."""
        self.name = name
        signal.setitimer(signal.ITIMER_PROF, max(CPU_S_MIN, CPU_TIMES * usual_s))
        signal.setitimer(signal.ITIMER_REAL, self.wall_s_max)

    def stop(self):
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)


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


def caches():
    """Results of earlier calls: with a cached result, a later test runs no code."""
    modules = [vars(module) for module in list(sys.modules.values())]
    found = [each for names in modules for each in list(names.values())]
    own = "safety", "controller", "drivers", "hil"
    return {
        each
        for each in found
        if isinstance(each, functools._lru_cache_wrapper) and each.__module__.split(".")[0] in own
    }


def shared_starts(context):
    """{test: contexts} of what cached helpers compute; context(name) returns the former."""
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
