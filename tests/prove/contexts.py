"""Which tests run which line, how long each takes, line and branch coverage: in one run."""

import ast
import json
import os
import pathlib
import resource

import coverage
import mutants
import suite
from _pytest.runner import runtestprotocol

from hil.engine import forks

AT_IMPORT = "at import"


def watcher(folder, name, scope):
    omit = [str(scope.folder / left_out) for left_out in scope.left_out]
    source = [str(each) for each in scope.watched]
    where = {"source": source, "omit": omit, "data_file": str(folder / name)}
    return coverage.Coverage(branch=True, config_file=False, **where)


class Contexts:
    """Lines are per file (mutants.name_of); tests are node ids."""

    def __init__(self, folder, scope):
        self.folder, self.scope = pathlib.Path(folder), scope
        self.durations_s, self.users, self.failed = {}, {}, []
        self.tests_of, self.cpu_s = {}, 0.0
        self.percent = (0.0, 0.0)
        self.missing = []
        # tests that run a function of the product; the others compare data with data
        self.running = set()

    def importing(self, collect):
        cover = watcher(self.folder, "data.import", self.scope)
        cover.start()
        cover.switch_context(AT_IMPORT)
        collect()
        cover.stop()
        cover.save()

    def measure(self, items, workers):
        shares = [items[part::workers] for part in range(workers)]
        for _share, result in forks.run(shares, self._share, workers, 36000):
            if "error" in result:
                raise RuntimeError(result["error"])
            self.cpu_s += result["cpu_s"]
            self.durations_s.update(result["durations_s"])
            self.failed += result["failed"]
            for test, shared in result["users"].items():
                self.users.setdefault(test, set()).update(shared)
        self._combine()

    def _share(self, items, fd):
        cover = watcher(self.folder, f"data.{os.getpid()}", self.scope)
        now = [""]

        def switch(name):
            before, now[0] = now[0], name
            cover.switch_context(name)
            return before

        cover.start()
        users, state = suite.shared_starts(switch)
        caches = [] if self.scope.is_kernel else suite.caches()
        durations_s, failed = {}, []
        for place, item in enumerate(items):
            state["test"] = item.nodeid
            for cache in caches:
                cache.cache_clear()
            switch(item.nodeid)
            begun_s = cpu_s()
            # outside the kernel each test sets up the fixtures of its module itself
            more = self.scope.is_kernel and place + 1 < len(items)
            following = items[place + 1] if more else None
            reports = runtestprotocol(item, log=False, nextitem=following)
            durations_s[item.nodeid] = cpu_s() - begun_s
            failed += [f"{item.nodeid}: {each.longreprtext}" for each in reports if each.failed]
        cover.stop()
        cover.save()
        users = {test: sorted(of) for test, of in users.items()}
        return {"durations_s": durations_s, "failed": failed, "users": users}

    def _combine(self):
        cover = watcher(self.folder, "all", self.scope)
        cover.load()
        cover.combine([str(path) for path in self.folder.glob("data.*")], keep=True)
        cover.save()
        report = self.folder / "report.json"
        include = [str(folder / "*") for folder in self.scope.folders]
        cover.json_report(outfile=str(report), pretty_print=False, include=include)
        report = json.loads(report.read_text())
        totals = report["totals"]
        pairs = ("covered_lines", "num_statements"), ("covered_branches", "num_branches")
        self.percent = tuple(percent(totals[part], totals[whole]) for part, whole in pairs)
        self.missing = []
        for name, found in report["files"].items():
            lines, branches = found["missing_lines"], found["missing_branches"]
            self.missing += [f"{name}: lines {lines} branches {branches}"] * bool(lines or branches)
        self._lines(cover.get_data())

    def _lines(self, data):
        users_of = {}
        for test, shared in self.users.items():
            for name in shared:
                users_of.setdefault(name, set()).add(test)
        for path in data.measured_files():
            lines = {}
            for line, names in data.contexts_by_lineno(path).items():
                lines[line] = set().union(*(users_of.get(name, {name}) for name in names if name))
            if pathlib.Path(path).is_relative_to(self.scope.folder):
                self.tests_of[self.scope.name_of(path)] = lines
            self._see_running(path, lines)

    def _see_running(self, path, lines):
        tree = ast.parse(pathlib.Path(path).read_text(encoding="utf-8"))
        for _, function in mutants.functions(tree):
            inside = range(function.body[0].lineno, function.end_lineno + 1)
            self.running = self.running.union(*(lines.get(line, ()) for line in inside))

    def copies(self):
        """Tests that run no function of the product: they hold a table against a copy of it."""
        return self.durations_s.keys() - self.running

    def tests(self, mutant):
        lines = self.tests_of.get(mutant.source.name, {})
        return set().union(*(lines.get(line, set()) for line in mutant.lines))

    def at_import(self, mutant):
        function, lines = mutant.spot.function, self.tests_of.get(mutant.source.name, {})
        inside = range(function.body[0].lineno, function.end_lineno + 1)
        return any(AT_IMPORT in lines.get(line, ()) for line in inside)


def percent(part, whole):
    """Hundredths, rounded down: 100.0 is all."""
    return part * 1000 // whole / 10 if whole else 100.0


def cpu_s():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
