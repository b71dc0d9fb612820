"""build/prove/likely.json, of each whole run: which tests killed mutants of which function."""

import json
from collections import Counter

import kept

COVERING = "covering"  # the entry of tests that run what the best of each function do not
HARD = "hard"  # the entry {mutant id: test} of mutants that few tests kill
HARD_S = 0.3  # CPU time; the mean of all is a third of it
FILE = kept.FOLDER / "likely.json"


def chosen(kills):
    """{"file function": {test: mutants it killed}}, also of a test that killed only one."""
    families = [family for family in kills if isinstance(family, tuple) and kills[family]]
    return {" ".join(family): dict(kills[family]) for family in families}


def covering(tests_of, durations_s, known):
    """The cheapest test of each line that no test of `known` runs ({file: {line: tests}})."""
    found, functions = set(), {name.partition("[")[0] for name in known}

    def cost(name):
        return name.partition("[")[0] not in functions, durations_s[name]

    for tests in [tests for lines in tests_of.values() for tests in lines.values()]:
        names = sorted(tests & durations_s.keys())
        if names and not any(name in known or name in found for name in names):
            found.add(min(names, key=cost))
    return sorted(found)


def hard(results, known):
    """{mutant id: test} of those that took long, and of those known that the test still kills."""
    found = {}
    for name, result in results.items():
        told = result["how"] == "killed" and "::" in result["by"]
        if told and (result["cpu_s"] >= HARD_S or known.get(name) == result["by"]):
            found[name] = result["by"]
    return found


def text(found):
    return json.dumps(found, indent=0, sort_keys=True) + "\n"


def learned(found):
    kills = {}
    for name, tests in _families(found):
        file, _, where = name.partition(" ")
        for key in ((file, where), file, ""):
            kills.setdefault(key, Counter()).update(tests)
    return kills, {key: Counter(tests) for key, tests in kills.items()}


def best(found):
    """The best test of each function or column: together they run nearly every line."""
    return {max(sorted(tests), key=tests.get) for _, tests in _families(found)}


def _families(found):
    return [(name, tests) for name, tests in found.items() if name not in (COVERING, HARD)]


def read(path=FILE):
    return json.loads(path.read_text(encoding="ascii")) if path.exists() else {}
