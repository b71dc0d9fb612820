"""Every mutant against the tests that could kill it: swapped into a function or imported fresh."""

import importlib
import importlib.abc
import importlib.util
import inspect
import math
import pathlib
import sys
import traceback
from collections import Counter

import mutants
import scopes
import suite

from hil.engine import forks

KILLED, SURVIVED, TIMEOUT, ERROR = "killed", "survived", "timeout", "error"
IMPORT = "import of safety"
START_S = 0.002  # cost of a test beside its own time
# CPU time of the likeliest tests, which every mutant is tried with before the rest
LIKELY_S = 2
# raised by a mutated module when it is imported
OF_A_MUTANT = (ArithmeticError, AttributeError, LookupError, NameError, TypeError, ValueError)
# the likeliest tests of all files first, so that few files are collected
ROUNDS = ((0, 12), (12, 120), (120, None))


class Learned:
    def __init__(self, durations_s, kills=None, tries=None, last=()):
        """kills, tries: by family and test; last: tests to be tried when all others have passed."""
        self.durations_s, self.last = durations_s, last
        self.kills, self.tries = kills or {}, tries or {}

    def order(self, mutant, names):
        weighed = []
        for key, weight, doubt in zip(mutant.family, (8, 2, 1), (2, 4, 8)):
            known = [of.setdefault(key, Counter()) for of in (self.kills, self.tries)]
            weighed.append((*known, weight, doubt))

        def worth(name):
            known = mutant.known_as(name)
            chance = sum(
                weight * (kills[known] + 0.05) / (tries[known] + doubt)
                for kills, tries, weight, doubt in weighed
            )
            return mutant.concerns(name) * chance / (self.durations_s.get(name, 0.01) + START_S)

        ranked = sorted(sorted(names), key=worth, reverse=True)
        return sorted(ranked, key=lambda name: name in self.last)

    def killers(self, mutant):
        return set(self.kills.get(mutant.family[0], ()))

    def within(self, names, cpu_s):
        for place, name in enumerate(names):
            cpu_s -= self.durations_s.get(name, 0.01) + START_S
            if cpu_s < 0:
                return max(1, place)
        return len(names)

    def add(self, mutant, tried, killer):
        for key in mutant.family:
            self.tries.setdefault(key, Counter()).update({mutant.known_as(name) for name in tried})
            if killer:
                self.kills.setdefault(key, Counter())[mutant.known_as(killer)] += 1


def read_mutated(mutant):
    """Every reader of the mutated file gets the mutated text: a test may compile the source."""
    text, original = mutant.module_text(), pathlib.Path.read_text

    def read_text(path, *args, **kwargs):
        return text if path == mutant.source.path else original(path, *args, **kwargs)

    pathlib.Path.read_text = read_text


def swap(mutant):
    # a command imports its own part only when it runs
    owner = importlib.import_module(mutant.source.module)
    for name in mutant.where.split("."):
        owner = inspect.getattr_static(owner, name)
    owner = getattr(owner, "fget", getattr(owner, "__func__", owner))
    if mutants.signature(owner.__code__) == mutants.signature(mutant.compiled()):
        raise RuntimeError("the mutant is the same code")
    owner.__code__ = mutant.compiled()


class Queue:
    """listed: known survivors, not tried with all tests: it claims too little, never too much.
    cpu_s_max: of a mutant's tests that are left when the likeliest have passed; the same holds.
    """

    def __init__(self, runner, learned, chosen, listed=(), cpu_s_max=math.inf):
        self.runner, self.learned, self.chosen, self.listed = runner, learned, chosen, listed
        self.cpu_s_max = cpu_s_max
        self.left, self.spent_s = [], Counter()

    def jobs(self):
        """(mutant, its tests in order, True if there are no more) when a worker is free."""
        for mutant in self.chosen:
            names = self.learned.order(mutant, self.runner.tests(mutant))
            first = names[: self.learned.within(names, LIKELY_S)]
            yield mutant, first, mutant.id in self.listed or len(first) == len(names)

    def take(self, mutant, names, is_last, result):
        killer = result["by"] if result["how"] == KILLED and "::" in result["by"] else ""
        self.learned.add(mutant, names[: result["tried"]], killer)
        self.spent_s[mutant.id] += result["cpu_s"]
        result["cpu_s"] = self.spent_s[mutant.id]
        ended = is_last or result["how"] != SURVIVED
        if not ended:
            self.left.append((mutant, set(names)))
        return ended

    def again(self):
        for mutant, tried in self.left:
            names = self.learned.order(mutant, self.runner.tests(mutant))
            rest = [name for name in names if name not in tried]
            yield mutant, rest[: self.learned.within(rest, self.cpu_s_max)], True


class Swapped:
    """Code mutants in the process that has collected the tests."""

    def __init__(self, session, contexts, learned):
        self.items = {item.nodeid: item for item in session.items}
        self.contexts, self.learned = contexts, learned

    def tests(self, mutant):
        known = self.contexts.tests(mutant) | self.learned.killers(mutant)
        return [name for name in known if name in self.items]

    def work(self, job, fd):
        mutant, names, _ = job

        def over(name):
            forks.say(fd, {"how": TIMEOUT, "by": name, "tried": 0})

        clock = suite.Clock(over, self.contexts.scope.wall_s_max)
        if mutant is not None:
            read_mutated(mutant)
            swap(mutant)
        place, report = suite.first_failure(
            [self.items[name] for name in names], clock, self.contexts.durations_s
        )
        return outcome(names, place, report)


def outcome(names, place, report, before=0):
    if report is None:
        return {"how": SURVIVED, "by": "", "tried": before + len(names)}
    why = (report.longreprtext.strip().splitlines() or [""])[-1][:200]
    return {"how": KILLED, "by": names[place], "tried": before + place + 1, "why": why}


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def __init__(self, mutant):
        self.mutant = mutant
        self.name = mutant.source.module
        self.loaded = False

    def find_spec(self, name, path=None, target=None):
        return importlib.util.spec_from_loader(name, self) if name == self.name else None

    def exec_module(self, module):
        self.loaded = True
        module.__file__ = str(self.mutant.source.path)
        exec(self.mutant.compiled(), module.__dict__)


class Fresh:
    """Mutants that need new modules, in a process without the product and the tests."""

    def __init__(self, session, contexts, learned):
        self.session, self.contexts, self.learned = session, contexts, learned
        self.scope = contexts.scope
        if any(name.split(".")[0] in scopes.PRODUCT for name in sys.modules):
            raise RuntimeError("the product is imported already")
        # once: to parse them takes 0.1 s
        self.modules = [source.module for source in mutants.sources(self.scope)]

    def tests(self, mutant):
        """Data may concern every test, and so may a function that runs at import only."""
        every, running = self.contexts.durations_s, set()
        if mutant.spot.function:
            running = self.contexts.tests(mutant) & every.keys()
        killers = self.learned.killers(mutant) & every.keys()
        return list(running | killers if running else every)

    def work(self, job, fd):
        mutant, names, _ = job

        def over(name):
            forks.say(fd, {"how": TIMEOUT, "by": name, "tried": 0})

        clock = suite.Clock(over, self.scope.wall_s_max)
        if mutant is not None:
            read_mutated(mutant)
            finder = Finder(mutant)
            sys.meta_path.insert(0, finder)
            clock.start("import", 1)
            broken = self._import(finder)
            if broken:
                return {"how": KILLED, "by": IMPORT, "tried": 0, "why": broken}
        return self._rounds(names, clock)

    def _rounds(self, names, clock):
        collected, tried, last = {}, 0, self.learned.last
        parts = [[name for name in names if (name in last) is late] for late in (False, True)]
        for chosen in [part[first:after] for part in parts for first, after in ROUNDS]:
            for file in dict.fromkeys(name.partition("::")[0] for name in chosen):
                if file not in collected:
                    clock.start(file, 1)
                    collected[file], failure = self._collect(file)
                    if failure:
                        return {"how": KILLED, "by": file, "tried": tried, "why": failure}
                items = [collected[file][name] for name in chosen if name in collected[file]]
                place, report = suite.first_failure(items, clock, self.learned.durations_s)
                if report is not None:
                    return outcome([item.nodeid for item in items], place, report, tried)
                tried += place
        return {"how": SURVIVED, "by": "", "tried": tried}

    def _collect(self, file):
        """({test: item}, why the file could not be imported or "")."""
        failures = []
        watch = _Collected(failures)
        self.session.config.pluginmanager.register(watch)
        self.session.perform_collect([str(suite.TESTS / file)])
        self.session.config.pluginmanager.unregister(watch)
        return {item.nodeid: item for item in self.session.items}, failures[0] if failures else ""

    def _import(self, finder):
        """Why the mutated module cannot be imported, "" if it can; other errors are raised."""
        try:
            for module in self.modules:
                importlib.import_module(module)
        except OF_A_MUTANT as error:
            raised_in = pathlib.Path(traceback.extract_tb(error.__traceback__)[-1].filename)
            own = any(raised_in.is_relative_to(folder) for folder in self.scope.watched)
            if finder.loaded and own:
                return f"{type(error).__name__}: {error}"[:200]
            raise
        if not finder.loaded:
            raise RuntimeError(f"{finder.name} was not imported from the mutant")
        return ""


class _Collected:
    def __init__(self, failures):
        self.failures = failures

    def pytest_collectreport(self, report):
        if report.failed:
            self.failures.append((report.longreprtext.strip().splitlines() or ["?"])[-1][:200])
