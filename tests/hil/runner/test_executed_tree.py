"""The evidence of a real run: all other functions raise, and the run gives the same bytes."""

import ast
import json
import os
import random
import shutil
import subprocess
import sys

import pytest

from hil.runner import code
from hil.runner.code import ROOT

SEED = 1
# a day of Munich, and its evidence; with a file as argument, whether that evidence is still valid
PLAY = """
import json, pathlib, sys
from hil.runner import evidence, executed
executed.begin()
from hil.systems import command, plays
inputs = {"days": 1, "kernel_minutes": 1, "outages": 0}
def work(job):
    return command.document(*job, plays.whole(plays.chosen(*job, inputs), inputs))
if sys.argv[1:]:
    print(evidence.is_valid(json.loads(pathlib.Path(sys.argv[1]).read_text())))
else:
    result, used = executed.noted(work)(("munich", ""))
    print(json.dumps([result, evidence.evidence(used)]))
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of the product."""
    folder = tmp_path_factory.mktemp("tree")
    for room in ("controller", "drivers", "safety", "hil"):
        shutil.copytree(ROOT / room, folder / room)
    return folder


def play(tree, *arguments):
    cache = {"XDG_CACHE_HOME": str(tree / "cache"), "PYTHONPATH": str(tree)}
    environment = {**os.environ, **cache, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-P", "-c", PLAY, *arguments]
    run = subprocess.run(command, env=environment, cwd=tree, check=True, stdout=subprocess.PIPE)
    return json.loads(run.stdout) if not arguments else run.stdout.decode().strip()


def beginning(text, names, statement):
    """The text, in which each of these functions begins with this statement."""
    lines = text.splitlines(keepends=True)
    places = {}
    for start, _, name in code._spans(ast.parse(text)):
        places.setdefault(name, []).append(start[0])
    wanted = {line for name in names for line in places[name]}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.lineno in wanted:
            first = node.body[0]
            if first.lineno == node.lineno:  # a form in one line, such as that of a protocol
                continue
            indent = " " * first.col_offset
            lines[first.lineno - 1] = f"{indent}{statement}\n" + lines[first.lineno - 1]
    return "".join(lines)


@pytest.mark.whole
def test_every_function_that_the_evidence_does_not_name_may_raise(tree):
    from hil.runner import evidence

    result, of_run = play(tree)
    (tree / "evidence.json").write_text(json.dumps(of_run))
    spared, broken, executed = 0, 0, []
    for module, text in of_run["functions"].items():
        place = tree.joinpath(*module.split("."))
        path = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
        source = path.read_text()
        units = set(code.units(source)) - {""}
        names = units if text is None else set(text.split()) | evidence._run_at_import(module)
        executed += [(path, name) for name in names & units]
        spared, broken = spared + len(names), broken + len(units - names)
        path.write_text(beginning(source, units - names, "raise RuntimeError"))
    print(f"{spared} functions stay, {broken} raise")
    assert broken > spared > 500
    assert play(tree, "evidence.json") == "True"
    assert play(tree)[0] == result
    chosen = random.Random(SEED).sample(sorted(executed), 10)
    print(f"seed {SEED}")
    for path, name in chosen:
        source = path.read_text()
        path.write_text(beginning(source, [name], "pass"))  # it may run while modules are imported
        assert play(tree, "evidence.json") == "False", f"{path}: {name}"
        path.write_text(source)
