"""The mutation run: coverage and swapped mutants in one session, fresh mutants in another."""

import gc
import importlib
import os
import pickle
import random
import sys
import tempfile
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import contexts
import kept
import mutants
import mutation
import scopes
import suite

from hil.engine import forks

EQUIVALENT = Path(__file__).resolve().parent / "equivalent.toml"
EQUIVALENT_MAX = 5
TOLD, COPY, IMPORT, TIME_OUT = "told by behaviour", "twice-written tables", "import", "time-out"
APART = COPY, IMPORT, TIME_OUT
SAVED_EVERY = 50  # mutants; so many are run again after a cut


def every(scope=scopes.SAFETY):
    """All mutants of a scope, generated without leaving modules of the product imported."""
    found = []
    for source in mutants.sources(scope):
        module = importlib.import_module(source.module)
        if Path(module.__file__) != source.path:
            raise ValueError(f"{module.__file__} is imported, not {source.path}")
        found += mutants.generated(source, vars(module))
    forget()
    return found


def forget():
    for name in [name for name in sys.modules if name.split(".")[0] in scopes.PRODUCT]:
        del sys.modules[name]


@dataclass
class Options:
    """sample: drawn with seed (0: all); only_files: stems; resume: keep results; listed: ids."""

    workers: int
    sample: int = 0
    seed: int = 0
    only_files: tuple = ()
    resume: bool = False
    listed: tuple = ()
    scope: scopes.Scope = scopes.SAFETY


class Campaign:
    def __init__(self, options, say):
        self.options, self.say, self.scope = options, say, options.scope
        self.mutants, self.generated, self.results, self.errors = [], [], {}, []
        self.coverage_s, self.digest = 0.0, kept.digest()
        self.before = (self._kept("results", self.digest) or {}) if options.resume else {}
        self.percent, self.missing, self.failed = (0.0, 0.0), [], []

    def _kept(self, name, key):
        return kept.load(self.scope.kept_as(name), key)

    def run(self, mutate=True):
        self.mutants = self._chosen() if mutate else []
        with tempfile.TemporaryDirectory() as folder:
            pending = list(self.mutants)
            for serve in (self._swapped, self._fresh):
                handed = Path(folder, f"{serve.__name__}.pickle")
                for _, result in forks.run(
                    [handed], lambda to, fd: self._session(serve, folder, to), 1, 36000, False
                ):
                    if "error" in result or not handed.exists():
                        self.errors.append(f"session: {result.get('error', result)}")
                        return
                self._take(pickle.loads(handed.read_bytes()))
                if self.failed or not pending:
                    return

    def _chosen(self):
        only = self.options.only_files
        found = self.generated = [
            each for each in every(self.scope) if not only or each.source.name in only
        ]
        if self.options.sample:
            count = min(self.options.sample, len(found))
            found = random.Random(self.options.seed).sample(found, count)
        return found

    def _session(self, serve, folder, handed):
        state = {}

        def served(session):
            state.update(serve(session, Path(folder)))

        code = suite.hold(served, self.scope, folder)
        if code:
            raise RuntimeError(f"pytest ended with {code}")
        handed.write_bytes(pickle.dumps(state))
        return {}

    def _take(self, state):
        self.results.update(state["results"])
        self.errors += state["errors"]
        if "contexts" in state:
            measured = self.measured = state["contexts"]
            self.coverage_s, self.percent = measured.cpu_s, measured.percent
            self.missing, self.failed = measured.missing, measured.failed
            self.learned, self.modules = state["learned"], state["modules"]

    def _swapped(self, session, folder):
        """Coverage, then the mutants whose function does not run at import."""
        measured = self.measured = self._measured(session, folder)
        modules = [name for name, module in list(sys.modules.items()) if _outside(name, module)]
        learned = self._learned(*(self._kept("learned", "") or ({}, {})))
        runner = mutation.Swapped(session, measured, learned)
        gc.collect()
        gc.freeze()  # or the collector would write to every page that the children share
        chosen = [each for each in self.mutants if self._swappable(each, measured)]
        results, errors = self._all(runner, chosen, learned) if not measured.failed else ({}, [])
        known = {"contexts": measured, "learned": (learned.kills, learned.tries)}
        return {"results": results, "errors": errors, "modules": modules, **known}

    def _learned(self, kills, tries):
        last = set() if self.scope.is_kernel else self.measured.copies()
        return mutation.Learned(self.measured.durations_s, kills, tries, last)

    def _measured(self, session, folder):
        """Contexts, of now or of an earlier run of this tree; tests are collected either way."""
        known = self._kept("contexts", self.digest)
        measured = known or contexts.Contexts(folder, self.scope)
        (measured.importing if known is None else lambda collect: collect())(
            session.perform_collect
        )
        if session.testsfailed:
            raise RuntimeError("the tests could not be collected")
        if known is None:
            measured.measure(session.items, self.options.workers)
            if not measured.failed:
                kept.save(self.scope.kept_as("contexts"), self.digest, measured)
        return measured

    def _swappable(self, mutant, measured):
        is_code = mutant.spot.function is not None and not mutant.fresh
        return is_code and not measured.at_import(mutant)

    def _fresh(self, session, folder):
        for name in self.modules:
            importlib.import_module(name)
        learned = self._learned(*self.learned)
        chosen = [each for each in self.mutants if not self._swappable(each, self.measured)]
        for mutant in chosen:
            mutant.fresh = True
        runner = mutation.Fresh(session, self.measured, learned)
        results, errors = self._all(runner, chosen, learned)
        return {"results": results, "errors": errors}

    def _all(self, runner, chosen, learned):
        """Run the mutants, then once more without one the tests that killed: they must pass."""
        results = {each.id: self.before[each.id] for each in chosen if each.id in self.before}
        errors, left = [], [each for each in chosen if each.id not in results]
        queue = mutation.Queue(runner, learned, left, self.options.listed, self.scope.cpu_s_max)
        for jobs in (queue.jobs, queue.again):
            for (mutant, names, is_last), result in forks.run(
                jobs(), runner.work, self.options.workers
            ):
                if "error" in result:
                    errors.append(f"{mutant.id}: {result['error']}")
                elif queue.take(mutant, names, is_last, result):
                    results[mutant.id] = result
                    self.say(mutant, result)
                    if len(results) % SAVED_EVERY == 0:
                        self._keep(results, learned)
        self._keep(results, learned)
        killers = {result["by"] for result in results.values() if result["how"] == mutation.KILLED}
        killers, workers = sorted(name for name in killers if "::" in name), self.options.workers
        parts = range(min(workers, len(killers)))
        shares = [(None, killers[part::workers], True) for part in parts]
        for _, result in forks.run(shares, runner.work, workers):
            if result.get("how") != mutation.SURVIVED:
                errors.append(f"without any mutant: {result}")
        return results, errors

    def _keep(self, results, learned):
        known = self._kept("results", self.digest) or {}
        kept.save(self.scope.kept_as("results"), self.digest, known | results)
        kept.save(self.scope.kept_as("learned"), "", (learned.kills, learned.tries))

    def cost(self):
        spent_s, done = Counter(), Counter()
        every_ = Counter(_kind(each) for each in self.generated)
        for each in self.mutants:
            if each.id in self.results:
                spent_s[_kind(each)] += self.results[each.id]["cpu_s"]
                done[_kind(each)] += 1
        said = [f"{kind} {done[kind]} in {spent_s[kind]:.0f} s" for kind in sorted(done)]
        projected_s = self.coverage_s
        projected_s += sum(spent_s[kind] / done[kind] * every_[kind] for kind in done)
        whole = f"all {sum(every_.values())} of them would take {projected_s:.0f} s"
        return f"CPU time: coverage {self.coverage_s:.0f} s, mutants of {', '.join(said)}; {whole}"

    def count(self):
        return Counter(result["how"] for result in self.results.values())

    def told(self):
        """Number of detected mutants, by the kind of test that detected them."""
        copies = self.measured.copies()
        ended = [each for each in self.results.values() if each["how"] != mutation.SURVIVED]
        return Counter(_how(each, copies) for each in ended)

    def survivors(self):
        left = {name for name, each in self.results.items() if each["how"] == mutation.SURVIVED}
        return [each for each in self.mutants if each.id in left]


def _how(result, copies):
    if result["how"] == mutation.TIMEOUT:
        return TIME_OUT
    if "::" not in result["by"]:
        return IMPORT
    return COPY if result["by"] in copies else TOLD


def _kind(mutant):
    return "code" if mutant.spot.function else "tables"


def _outside(name, module):
    """It may be imported before safety/ is: no module of the project, none that is made up."""
    spec, path = getattr(module, "__spec__", None), str(getattr(module, "__file__", "") or "")
    own = tuple(str(scopes.ROOT / folder) + os.sep for folder in (*scopes.PRODUCT, "hil", "tests"))
    return spec is not None and spec.name == name and path and not path.startswith(own)


def explained(path=EQUIVALENT):
    """{mutant id: reason} of the equivalent mutants. ValueError: what is wrong with the list."""
    text = path.read_text(encoding="ascii") if path.exists() else ""
    listed, found = tomllib.loads(text).get("equivalent", []), {}
    for each in listed:
        if set(each) != {"id", "reason"} or not each["reason"].strip():
            raise ValueError(f"{path.name}: an entry has an id and a reason, not {sorted(each)}")
        if each["id"] in found:
            raise ValueError(f"{path.name}: {each['id']} stands twice")
        found[each["id"]] = each["reason"]
    if len(found) > EQUIVALENT_MAX:
        raise ValueError(f"{path.name}: {len(found)} entries, at most {EQUIVALENT_MAX}")
    return found


def stale(listed, campaign):
    known = {each.id for each in every()} if listed else set()
    return [f"{name}: no such mutant" for name in listed if name not in known] + [
        f"{name}: {result['how']} by {result['by']}"
        for name, result in campaign.results.items()
        if name in listed and result["how"] != mutation.SURVIVED
    ]
