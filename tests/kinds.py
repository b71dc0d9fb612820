"""What the tests of the kinds cover, and what they exempt: `python -m tests.kinds [--exempted]`.

A test that guards a kind of fault has GUARDS, a sentence, and covered(), the names that it derives
from the tree. Both lists are made by the tests' own code, so a place that is missing here is
missing in the test.
"""

import argparse
import functools
import importlib
import sys

from controller.system.output import guarded
from tests import exemptions
from tests.repository import ROOT

# Folders whose modules tests import by their own names, as pytest does.
FOLDERS = sorted({path.parent for path in (ROOT / "tests").rglob("test_*.py")})


@functools.cache
def module(path):
    """The module of a file below tests/."""
    for folder in FOLDERS:
        if str(folder) not in sys.path:
            sys.path.append(str(folder))
    return importlib.import_module(path.removesuffix(".py").replace("/", "."))


def covered():
    """(path, kind, names that it covers) of each test that guards a kind."""
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        if "\nGUARDS = " in text:
            name = path.relative_to(ROOT).as_posix()
            found = module(name)
            yield name, found.GUARDS, sorted(map(str, found.covered()))


def exempted():
    """(list, name, Exempt) of each line of each exemption list."""
    formed = [each.split() for each, is_formed in exemptions.every_list().items() if is_formed]
    for path, constant in formed:
        text = (ROOT / path).read_text(encoding="utf-8")
        known = exemptions.lines_of(text, [constant])
        found = known.get(constant) or getattr(module(path), constant)
        for line, exempt in found.items():
            yield f"{path} {constant}", line, exempt


def main():
    parser = argparse.ArgumentParser(description="Print what the tests of the kinds cover.")
    parser.add_argument("--exempted", action="store_true", help="print the exemptions")
    given = parser.parse_args()
    for path, kind, names in () if given.exempted else covered():
        print(f"{path}: {kind}")
        print("\n".join([f"  {name}" for name in names]))
    for name, line, exempt in exempted() if given.exempted else ():
        print(f"{name}: {line}, {exempt.count}: {exempt.harm}\n  {exempt.case}")
    return 0


if __name__ == "__main__":
    sys.exit(guarded("tests.kinds", main))
