"""Mutants of files outside safety/, a few of each drawn by a seed: which do their tests tell?

`--stored` tries those of drawn.toml again, each with the test that told it: after work that moves
code or thins out tests. One that is not found has moved; its path or id is to be mended there.
"""

import argparse
import ast
import json
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import tomllib

import mutants

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ("safety", "controller", "drivers", "hil", "tests")
FILES = ("setup.cfg", "pyproject.toml", "README.md", "flash.sh", "requirements.lock")
NO_TESTS = 5  # exit code of pytest
HANG_GUARD_S = 300
# Tests that walk a whole folder through one door.
OF_FOLDER = {"controller/config/": "tests/controller/config/test_refusals.py"}
KILLED, SURVIVED, NOT_FOUND = "killed", "survived", "not found"
STORED = pathlib.Path(__file__).with_name("drawn.toml")


def parsed(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("paths", nargs="*", metavar="PATH", help="files or folders of the product")
    parser.add_argument("--stored", action="store_true", help="those of drawn.toml instead")
    parser.add_argument("--each", type=int, default=3, help="mutants of a file (3)")
    parser.add_argument("--seed", type=int, default=1, help="which ones are drawn (1)")
    parser.add_argument("--json", metavar="FILE", help="write {mutant: killed or survived} there")
    parser.add_argument("--against", metavar="FILE", help="an earlier result")
    return parser.parse_args(argv)


def module_of(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported(path):
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def judges():
    """{module: test files that import it, themselves or through a helper beside them}."""
    of = {path: imported(path) for path in sorted((ROOT / "tests").rglob("*.py"))}
    helpers = {path.stem: path for path in of if not path.name.startswith("test_")}
    found = {}
    for path, names in of.items():
        if path.name.startswith("test_") and "prove" not in path.parts:
            behind = [of[helpers[name]] for name in names if name in helpers]
            for name in names.union(*behind):
                found.setdefault(name, []).append(path)
    return found


def drawn(path, count, seed):
    source = mutants.Source(path)
    every = list(mutants.generated(source, {}))
    chosen = random.Random(f"{seed} {path.name}").sample(every, min(count, len(every)))
    return [(f"{path.relative_to(ROOT)} {mutant.id}", mutant.module_text()) for mutant in chosen]


def verdict(tree, path, text, tests):
    target = tree / path.relative_to(ROOT)
    whole = target.read_text(encoding="utf-8")
    target.write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    try:
        ended = subprocess.run(command, cwd=tree, capture_output=True, timeout=HANG_GUARD_S)
        if ended.returncode == NO_TESTS or b"not found: " in ended.stdout + ended.stderr:
            return NOT_FOUND  # a test that is gone tells nothing
        return SURVIVED if ended.returncode == 0 else KILLED
    except subprocess.TimeoutExpired:
        return KILLED
    finally:
        target.write_text(whole, encoding="utf-8")


def again(tree):
    """{mutant: how it ends} of drawn.toml, by the tests that are named there."""
    for each in tomllib.loads(STORED.read_text(encoding="ascii"))["mutant"]:
        path = ROOT / each["path"]
        known = mutants.generated(mutants.Source(path), {}) if path.exists() else ()
        texts = [mutant.module_text() for mutant in known if mutant.id.startswith(each["id"])]
        how = verdict(tree, path, texts[0], [each["test"]]) if texts else NOT_FOUND
        yield f"{each['path']} {each['id']}", how


def drawn_anew(tree, given):
    tests = judges()
    for path in files(given.paths):
        here = [str(each.relative_to(ROOT)) for each in tests.get(module_of(path), ())]
        name = str(path.relative_to(ROOT))
        here += [test for start, test in OF_FOLDER.items() if name.startswith(start)]
        for name, text in drawn(path, given.each, given.seed):
            yield name, verdict(tree, path, text, here) if here else SURVIVED


def main(argv=None):
    """Print a line per mutant and the sum; 1 when the tests of --against killed more, or a stored
    mutant is not killed.
    """
    given, results = parsed(argv), {}
    with tempfile.TemporaryDirectory() as folder:
        tree = pathlib.Path(folder)
        for name in FOLDERS:
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in FILES:
            shutil.copy(ROOT / name, tree / name)
        for name, how in again(tree) if given.stored else drawn_anew(tree, given):
            results[name] = how
            print(f"{how:9} {name}", flush=True)
    return summary(results, given)


def files(paths):
    for each in paths:
        path = (ROOT / each).resolve()
        yield from sorted(path.rglob("*.py")) if path.is_dir() else [path]


def summary(results, given):
    killed = [name for name, how in results.items() if how == KILLED]
    print(f"seed {given.seed} mutants {len(results)} killed {len(killed)}")
    if given.json:
        pathlib.Path(given.json).write_text(json.dumps(results, indent=1) + "\n", encoding="ascii")
    before = json.loads(pathlib.Path(given.against).read_text()) if given.against else {}
    lost = [name for name, how in before.items() if how == KILLED and results.get(name) == SURVIVED]
    print("\n".join(f"lost      {name}" for name in lost))
    return 1 if lost or given.stored and len(killed) < len(results) else 0


if __name__ == "__main__":
    sys.exit(main())
