"""The house: its rooms, which room imports which, and the modules of one.

`python -m tests.house` prints the order of the rooms and the drawing of CONTRIBUTING.md, which
tests/test_house.py compares;
`python -m tests.house ROOM` lists the modules of a folder with the first sentence of each.
"""

import argparse
import ast
import functools
import sys

from controller.system.output import guarded
from tests.repository import ROOT

FOLDERS = ("safety", "controller", "drivers", "hil", "tests")
# Rooms of box, bench and lab: each may import the ones before it.
BOX = (
    *"sites system forms series core rows config journal store hints run state documents".split(),
    *"recorder planner mqtt doors systemd dispatch workbench console".split(),
    "__main__",
    "watch",  # its own command, on a host of the cluster
    "siting",  # the package office: the box works without it
    "audit",  # of the office too
)
BENCH = """
oracle loads site plant devices wires observer scenarios results engine runner values fleet
""".split()
LAB = ["systems", "campaigns"]
LOOP = BOX[1:11]  # without sites
# What the tests of the kernel need, and nothing else of the repository.
KERNEL_ALONE = ("safety", "hil/oracle", "tests/safety", "tests/tables.py", "tests/repository.py")
READING = "sites state documents recorder systemd workbench console".split()
COMPANIONS = "mqtt doors planner watch dispatch".split()
ROOMS = (*(f"controller.{room}" for room in BOX), *(f"hil.{room}" for room in BENCH + LAB))


def packages(root=ROOT):
    """Every room of a tree: a folder with `__init__.py` at its top, or below controller/ or hil/.
    What is deeper belongs to the room above it.
    """
    found = [*root.glob("*/__init__.py"), *root.glob("*/*/__init__.py")]
    names = {path.parent.relative_to(root).as_posix().replace("/", ".") for path in found}
    return {name for name in names if name.split(".")[0] != "tests"}


def without_a_place(root=ROOT):
    """Rooms that no layer of BOX, BENCH or LAB has, and rooms that are on no floor."""
    drawn = {name for names in FLOORS.values() for name in names}
    inner = ("drivers.", "safety.")  # these two are one room each
    every = {name for name in packages(root) if not name.startswith(inner)}
    return sorted(every - {*ROOMS, *FOLDERS}), sorted(every - drawn - {"controller", "hil"})


def sources():
    """(path relative to the repository, text) of every Python file under FOLDERS."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


@functools.lru_cache(1)  # a million nodes kept would be walked by every collection of garbage
def every_node(text):
    return list(ast.walk(ast.parse(text)))


def nodes(text, kinds):
    return [node for node in every_node(text) if isinstance(node, kinds)]


@functools.cache
def imported(text):
    """(line, dotted name) of everything imported; `from a import b` counts as a.b."""
    return [
        (node.lineno, alias.name if isinstance(node, ast.Import) else f"{node.module}.{alias.name}")
        for node in nodes(text, (ast.Import, ast.ImportFrom))
        for alias in node.names
    ]


def is_below(name, package):
    return f"{name}.".startswith(f"{package}.")


def room_of(name):
    return next((room for room in ROOMS if is_below(name, room)), None)


def module_of(path):
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def graph(files):
    """{module: modules it imports, at the top of the file or in a function} of (path, text)."""
    modules = {module_of(path): text for path, text in files}
    found = {}
    for module, text in modules.items():
        names = {name for _, name in imported(text)}
        found[module] = {
            name if name in modules else name.rpartition(".")[0] for name in names
        } & modules.keys()
    return found


def needs(files):
    """{module of tests/: names that it imports, by itself or by helpers} of (path, text).

    A helper is imported by its dotted name or, as the names of all files differ, by its own one.
    """
    names = {module_of(path): {name for _, name in imported(text)} for path, text in files}
    own = {module.rpartition(".")[2]: module for module in names}

    def helpers(module):
        for name in names[module]:
            ways = name, name.rpartition(".")[0], own.get(name.partition(".")[0])
            yield from [each for each in ways if each in names][:1]

    found = {}
    for module in names:
        seen, left = set(), {module}
        while left:
            seen |= left
            left = {each for one in left for each in helpers(one)} - seen
        found[module] = set().union(*[names[each] for each in seen])
    return found


def cycle(graph):
    """Modules that import each other in a circle, and those between circles; empty if none do."""
    left = dict(graph)
    while left:
        used = set().union(*left.values())
        free = [module for module in left if module not in used or not left[module] & left.keys()]
        if not free:
            break
        for module in free:
            del left[module]
    return sorted(left)


def rooms(files):
    """{folder: folders that it imports} of (path, text). A `__main__` is above its folder."""
    folders = {
        module_of(path): path if path.endswith("__main__.py") else path.rpartition("/")[0]
        for path, _ in files
    }
    found = {folder: set() for folder in folders.values()}
    for module, others in graph(files).items():
        found[folders[module]] |= {folders[other] for other in others} - {folders[module]}
    return found


FLOORS = {
    "the loop": ("safety", "drivers", *[f"controller.{each}" for each in LOOP]),
    "what a person reads": tuple([f"controller.{each}" for each in READING]),
    "companions": tuple([f"controller.{each}" for each in COMPANIONS]),
    "office": ("controller.siting", "controller.audit"),
    "bench": tuple([f"hil.{each}" for each in BENCH]),
    "lab": tuple([f"hil.{each}" for each in LAB]),
}


def box_folders():
    """The folders of box and office."""
    floors = [names for floor, names in FLOORS.items() if floor not in ("bench", "lab")]
    return {name.partition(".")[0] for names in floors for name in names}


def of_the_lab(files):
    """["TEST NAME"] of the tests of the box that import a name of the lab."""
    return sorted(
        f"{module} {name}"
        for module, names in needs(files).items()
        for name in names
        if module.split(".")[1] in box_folders()
        and any(is_below(name, lab) for lab in FLOORS["lab"])
    )


def beside_the_kernel(files):
    """["TEST NAME"] of the tests of the kernel that import more than KERNEL_ALONE."""
    taken = [module_of(part) for part in KERNEL_ALONE]
    free = {*sys.stdlib_module_names, "pytest", "hypothesis"}
    # MicroPython has the oracle's files beside its own
    free |= {path.stem for part in KERNEL_ALONE[1:3] for path in (ROOT / part).glob("*.py")}
    return sorted(
        f"{module} {name}"
        for module, names in needs(files).items()
        for name in names
        if is_below(module, "tests.safety")
        and name.partition(".")[0] not in free
        and not any(is_below(name, each) for each in taken)
    )


def arrows_drawn():
    """{room: rooms that it imports directly, and not through another one of them}."""
    names = [name for floor in FLOORS.values() for name in floor]
    known = {name: set() for name in names}
    for module, others in graph(sources()).items():
        own = next((name for name in names if is_below(module, name)), None)
        for other in others if own else ():
            found = next((name for name in names if is_below(other, name)), own)
            known[own] |= {found} - {own}
    below = functools.cache(lambda name: known[name].union(*[below(each) for each in known[name]]))
    return {
        name: {each for each in others if not any(each in below(other) for other in others)}
        for name, others in known.items()
    }


def order():
    """A line for box, office, bench and lab: their rooms, of which each imports those before it."""
    box = [room for room in BOX if f"controller.{room}" not in FLOORS["office"]]
    office = [room for room in BOX if room not in box]
    floors = {"box": box, "office": office, "bench": BENCH, "lab": LAB}
    return [f"{floor}: {' '.join(rooms)}" for floor, rooms in floors.items()]


def drawing():
    """The lines of a Mermaid flow chart: a box for each room, an arrow for each import."""
    yield "flowchart TB"
    for at, (floor, names) in enumerate(FLOORS.items()):
        yield f'  subgraph floor{at}["{floor}"]'
        yield from [f"    {name}[{name.split('.')[-1]}]" for name in names]
        yield "  end"
    for name, others in arrows_drawn().items():
        yield from [f"  {name} --> {other}" for other in sorted(others)]


def modules(room):
    """(file, first sentence of its docstring) of each module of a folder."""
    for path in sorted((ROOT / room).glob("[a-z]*.py")):
        told = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        yield path.name, told.split("\n\n")[0].replace("\n", " ")


def main():
    parser = argparse.ArgumentParser(description="Print the order of the rooms, and their drawing.")
    parser.add_argument("rooms", nargs="*", metavar="ROOM", help="print its modules in place of it")
    given = parser.parse_args()
    for room in given.rooms:
        print("\n".join([f"{name:24} {told}" for name, told in modules(room)]))
    if not given.rooms:
        print("\n".join([*order(), "", *drawing()]))
    return 0


if __name__ == "__main__":
    sys.exit(guarded("tests.house", main))
