"""What the tests exempt: each line of each list says what it allows at worst, and which case shows
it. A list without these two words is how a fault came back: its line stood in a list that was
green.

An exemption list is a constant of a test whose values are `Exempt`. tests/test_exemptions.py finds
each constant that may be one: it names a file of the product, it gives a sentence for each name, or
it takes names away from what is checked. Such a constant has the form, or is in NO_EXEMPTIONS.
What it cannot decide: an `if` with a literal inside of a test, and a check that never looks there.
"""

import ast
import functools
import re
from typing import NamedTuple

from tests.repository import ROOT

TREES = ("controller/", "drivers/", "safety/", "hil/")
BINDS = (ast.Assign, ast.AnnAssign, ast.AugAssign)
SKIPS = (ast.Continue, ast.Return)


class Exempt(NamedTuple):
    """harm: the largest one that the line allows. case: PATH::TEST, which shows it. count: of the
    lines or places that are exempted; another number is red.
    """

    harm: str
    case: str
    count: int = 1


def same(exempt, *names):
    """The lines of names that are exempted for one reason."""
    return dict.fromkeys(names, exempt)


def counts(exempted):
    return {name: each.count for name, each in exempted.items()}


# Constants that look like an exemption list, and what they are.
INPUTS = "inputs of a test, and what comes out"
CHOICE = "a choice of what is played, in full elsewhere"
PLACED = "each place has a class, and each class is tried"
NO_EXEMPTIONS = {
    "tests/controller/audit/test_audit_transcripts.py NAMES": INPUTS,
    "tests/controller/audit/test_audit_transcripts.py RULES": INPUTS,
    "tests/controller/config/test_plausible.py KERNEL": PLACED,
    "tests/controller/config/test_site_plan.py REFUSED": INPUTS,
    "tests/controller/config/test_time_chain.py NOT_ITS_OWN": "parts that a bench does not have",
    "tests/controller/console/test_backup.py LEFT_OUT": "files that must not be in a backup",
    "tests/controller/console/test_json_of_commands.py ACTS": "commands that print no facts",
    "tests/controller/documents/test_checklist_injections.py FORMS": INPUTS,
    "tests/controller/documents/test_commissioning.py LACKS": INPUTS,
    "tests/controller/documents/test_matrix_tapers.py TAPERED": INPUTS,
    "tests/controller/hints/test_hint_examples.py SENDERS": "the examples, and what runs each",
    "tests/controller/core/test_wrong_inputs.py MORE": "each input has a bound, and each is played",
    "tests/controller/core/wrong_input_bench.py NO_READINGS": "fields that no device measures",
    "tests/controller/forms/test_message_fields.py DECIDERS": PLACED,
    "tests/controller/forms/test_readers.py PACKED": "calls that decode",
    "tests/controller/recorder/test_recorder_raises.py NOT_OF_A_STEP": "methods of begin and end",
    "tests/controller/run/test_lean.py ROOMS": "all rooms that the loop loads",
    "tests/controller/series/test_foreign_readers.py SUITES": PLACED,
    "tests/controller/store/test_directions.py DIRECTIONS": PLACED,
    "tests/controller/store/test_directions.py ROOM": "calls that take room of a disk",
    "tests/controller/store/test_power_loss.py SOURCES": "what the simulated disk must take",
    "tests/controller/store/test_writers.py PLACES": PLACED,
    "tests/controller/store/test_writers.py CASES": INPUTS,
    "tests/controller/systemd/test_install.py INSTALLS": "all rights that a unit has",
    "tests/drivers/converter_forms.py FRAMES": INPUTS,
    "tests/drivers/test_public_maps.py ASKED": INPUTS,
    "tests/hil/systems/test_systems.py NO_RATIO": "figures that are no ratio of two others",
    "tests/hil/test_any_cabinet.py OTHER_METERS": INPUTS,
    "tests/hil/test_scenarios.py QUICK": CHOICE,
    "tests/hil/test_scenarios.py LONG": CHOICE,
    "tests/hil/values/chain_beside_bytes.py PER_TICK": "bounds of one tick, longer in the chain",
    "tests/house.py FLOORS": PLACED,
    "tests/house.py FOLDERS": "every folder of code; tests/test_house.py finds a new one",
    "tests/house.py ROOMS": "every room; tests/test_house.py finds a new one",
    "tests/instead_of_os.py OF_TEXTS": "functions that touch no file",
    "tests/prove/mutants.py NOT_CODE": "parts of the syntax tree that do not run",
    "tests/prove/mutants.py TRANSPARENT": "parts of the syntax tree that do not run",
    "tests/prove/symbolic.py OURS": "packages of the product",
    "tests/real/parts.py HEADERS": "real parts by their package",
    "tests/real/parts.py LIBRARIES": "real parts by their package",
    "tests/real/parts.py MODULES": "real parts by their package",
    "tests/repository.py SKIPPED": "folders that are not of the project",
    "tests/safety/rows.py COURSES": INPUTS,
    "tests/safety/test_gas_votes.py KINDS": INPUTS,
    "tests/test_outputs.py READ": PLACED,
    "tests/test_outputs.py FOLDERS": PLACED,
    "tests/test_outputs.py WORDS": PLACED,
    "tests/test_queues.py SEEN_FULL": "each queue, and the case that sees it full",
    "tests/test_style.py BOARD_MODULES": "modules of MicroPython, in files of boards only",
    "tests/whole/test_installation.py NEXT": INPUTS,
}


@functools.cache
def names_of_files():
    """Paths and names of the Python files of the product."""
    paths = [path for tree in TREES for path in (ROOT / tree).rglob("*.py")]
    whole = {path.relative_to(ROOT).as_posix() for path in paths}
    return whole | {path.name for path in paths if path.name != "__init__.py"}


def constants(tree):
    """{name: the values that are bound to it} of the constants of a module."""
    found = {}
    for node in tree.body:
        targets = getattr(node, "targets", None) or [getattr(node, "target", None)]
        for target in targets if isinstance(node, BINDS) else ():
            if isinstance(target, ast.Name) and re.fullmatch("_?[A-Z][A-Z_0-9]+", target.id):
                found.setdefault(target.id, []).append(node.value)
    return found


def strings(value):
    found = [each.value for each in ast.walk(value) if isinstance(each, ast.Constant)]
    return [each for each in found if isinstance(each, str)]


def is_collection(value):
    if isinstance(value, ast.Call):  # "a b".split(), set("a b".split()), frozenset, dict
        return getattr(value.func, "attr", getattr(value.func, "id", "")) in (
            "split set frozenset dict tuple same".split()
        )
    return isinstance(value, (ast.Dict, ast.Set, ast.Tuple, ast.List))


def has_form(value, exempts=()):
    """Each value of the collection is an Exempt, or a name that is bound to one."""

    def is_exempt(each):
        name = getattr(getattr(each, "func", each), "id", "")
        return name in ("Exempt", *exempts)

    if isinstance(value, ast.Call) and getattr(value.func, "id", "") == "same":
        return is_exempt(value.args[0])
    if not isinstance(value, ast.Dict) or not value.keys:
        return False
    return all(
        has_form(each, exempts) if key is None else is_exempt(each)
        for key, each in zip(value.keys, value.values, strict=True)
    )


def is_reason(value):
    """A sentence, or a tuple with one."""
    return any(len(text.split()) > 2 for text in strings(value))


def names_places(value):
    """It names files of the product, or gives a sentence for each name."""
    words = {word for text in strings(value) for word in text.split()}
    has_reasons = isinstance(value, ast.Dict) and len(value.keys) > 1
    has_reasons = (
        has_reasons
        and all(map(is_reason, value.values))
        and all(isinstance(key, ast.Constant) for key in value.keys)
    )
    return bool(words & names_of_files()) or has_reasons


def taken_away(tree):
    """Names of the constants that take something away from what is checked."""

    def names(node):
        return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}

    def members(node, kinds):
        for each in ast.walk(node):
            if isinstance(each, ast.Compare) and isinstance(each.ops[-1], kinds):
                yield from names(each.comparators[-1])

    for node in ast.walk(tree):
        if isinstance(node, ast.comprehension):
            for each in node.ifs:
                yield from members(each, ast.NotIn)
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
            yield from names(node.right)
        elif isinstance(node, ast.If) and isinstance(node.body[-1], SKIPS):
            yield from members(node.test, (ast.In, ast.NotIn))


def compared(tree):
    """Names of the constants that are all that a check may find, as in `found == LEFT`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], (ast.Eq, ast.LtE)):
            for each in (node.left, *node.comparators):
                inner = each.args[0] if isinstance(each, ast.Call) and each.args else each
                yield from [inner.id] if isinstance(inner, ast.Name) else []


def lists_of(text):
    """{name: True if it has the form} of each constant that may be an exemption list."""
    tree = ast.parse(text)
    known, away, whole = constants(tree), {*taken_away(tree)}, {*compared(tree)}
    exempts = {
        name
        for name, values in known.items()
        if getattr(getattr(values[0], "func", None), "id", "") == "Exempt"
    }
    found = {}
    for name, values in known.items():
        every = [each for each in values if each is not None and is_collection(each)]
        is_formed = bool(every) and all(has_form(each, exempts) for each in every)
        is_set = name in whole and any(isinstance(each, ast.Set) for each in every)
        may_be = any(
            names_places(each) or (name in away or is_set) and strings(each) for each in every
        )
        if is_formed or may_be:
            found[name] = is_formed
    return found


@functools.cache
def every_list():
    """{"path NAME": True if it has the form} of all tests."""
    paths = sorted((ROOT / "tests").rglob("*.py"))
    return {
        f"{path.relative_to(ROOT).as_posix()} {name}": is_formed
        for path in paths
        for name, is_formed in lists_of(path.read_text(encoding="utf-8")).items()
    }


def lines_of(text, names):
    """{list: {name: Exempt}} of lists that need no import; else they are missing.

    Importing every test takes 14 s, and most lists have nothing but texts.
    """
    bound = {"Exempt": Exempt, "same": same}
    for node in ast.parse(text).body:
        used = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
        target = getattr(node, "targets", [None])[0]
        own = {target.id} if isinstance(target, ast.Name) else set()
        if isinstance(node, ast.Assign) and own and used - own <= bound.keys():
            exec(compile(ast.Module([node], []), "lists", "exec"), bound)
    return {name: bound[name] for name in names if name in bound}
