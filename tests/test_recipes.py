"""Each name in a recipe of CONTRIBUTING.md is defined in a file that the same step names."""

import ast
import re

from tests.repository import ROOT
from tests.tables import cases

NAME = re.compile(r"(?<![\w/])[A-Z][A-Z_]{2,}(?![\w/]|\.\w)")
FILE = re.compile(r"`([\w./]+/[\w.]+)`|`([\w]+\.\w+)`")
PLACEHOLDER = "NAME"  # of whoever follows the recipe
GUARDS = "a recipe that sends its reader to the wrong file"


def steps(page):
    """Each row of the table and each numbered step of the recipes, with the lines that go on."""
    part = page.split("## What to touch")[1].split("## Rules")[0]
    lines = []
    for line in part.splitlines():
        if line.startswith("   ") and lines:
            lines[-1] += " " + line.strip()
        elif line.startswith("| ") or re.match(r"\d+\. ", line):
            lines.append(line)
    return lines


def files(step):
    return ["".join(pair) for pair in FILE.findall(step)]


def found_as(name):
    """The files of this name: by its path, by its name alone, or all that NAME may stand for."""
    pattern = name.replace(PLACEHOLDER, "*")
    return [*ROOT.glob(pattern if "/" in name else f"*/**/{pattern}")]


def defined(path):
    """The names to which a module gives a value."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    names = [node for node in nodes if isinstance(node, ast.Name)]
    return {name.id for name in names if isinstance(name.ctx, ast.Store)}


def wrong(step):
    """What is wrong in a step: files that are not there, names that none of its files defines."""
    paths = {name: found_as(name) for name in files(step)}
    lost = [name for name, found in paths.items() if not found and PLACEHOLDER not in name]
    modules = [path for found in paths.values() for path in found if path.suffix == ".py"]
    names = {*NAME.findall(step)} - {PLACEHOLDER}
    return lost + sorted(names - {name for path in modules for name in defined(path)})


def covered():
    """The steps."""
    return steps((ROOT / "CONTRIBUTING.md").read_text(encoding="ascii"))


def test_each_file_of_a_step_is_there_and_each_name_is_defined_in_one_of_them():
    found = {step: lacks for step in covered() if (lacks := wrong(step))}
    assert len(covered()) > 20 and found == {}


@cases("""
    step                                                       lacks
    "1. `tests/house.py`: a name of BOX."                      []
    "1. `tests/house.py`: a name of BOXES."                    ["BOXES"]
    "1. `tests/no_such.py`: its record."                       ["tests/no_such.py"]
    "1. `controller/core/policies/NAME.py`: READS and WROTE."  ["WROTE"]
""")
def test_a_wrong_step_is_found(step, lacks):
    assert wrong(step) == lacks
