"""The house style, as far as it can be counted: checks of (path, text) yield (line, finding)."""

import ast
import functools
import re
import subprocess
import sys
from collections import defaultdict

import pytest

from tests.exemptions import Exempt, same
from tests.house import (
    FOLDERS,
    ROOMS,
    cycle,
    graph,
    imported,
    is_below,
    module_of,
    nodes,
    room_of,
    rooms,
    sources,
)
from tests.repository import ROOT, tree
from tests.tables import cases, table

FUNCTION_LINES_MAX = 40
SAFETY_FILE_LINES_MAX, FILE_LINES_MAX = 250, 300
README_WORDS_MAX = 1500
TEXT_LINE_CHARACTERS_MAX, PROSE_LINE_CHARACTERS_MAX = 120, 100
WRAPPED = ("safety/", "SECURITY.md")  # pages whose prose has short lines
TABLE = "a table is longer than a screen; it holds data and a function of at most 40 lines"
OF_TABLES = "tests/test_style.py::test_every_table_names_its_units"
OF_FUNCTIONS = "tests/test_style.py::test_every_source"
TABLES = {
    "safety/matrix.py": Exempt(TABLE, OF_TABLES),
    "safety/parameters.py": Exempt(TABLE, OF_TABLES),
    "safety/signals.py": Exempt(TABLE, OF_TABLES),
    "controller/siting/rules.py": Exempt(TABLE, OF_FUNCTIONS),
    "controller/state/fields.py": Exempt(TABLE, OF_FUNCTIONS),
    "controller/core/site_devices/roles.py": Exempt(TABLE, OF_FUNCTIONS),
}
SHOWN = "an age on a page is wrong by a step of the clock; nothing acts on it"
TIMED = "a run of the rig waits or measures by a clock of this machine; no cabinet does"
CLOCK_READERS = {
    "controller/system/clock.py": Exempt(
        "the one reader of the clock for the product: every other module asks it",
        "tests/test_clocks.py::test_mypy_refuses_a_difference_and_an_order_of_two_readings",
    ),
    "controller/system/realtime.py": Exempt(
        "it sets the process up before the first tick; a wait there delays the start",
        "tests/controller/run/test_loop.py::test_from_start_over_lost_ports_to_a_controlled_stop",
    ),
    "controller/state/watch.py": Exempt(
        SHOWN, "tests/test_clocks.py::test_no_time_of_the_day_is_subtracted_or_ordered"
    ),
    **same(
        Exempt(
            "an example of a sender announces at a wrong moment; the box checks each hint",
            "tests/controller/hints/test_hint_examples.py::test_an_example_is_granted_refused_and_ends_in_one_line",
        ),
        "controller/doors/local/examples/announce_steps.py",
        "controller/doors/local/examples/keep_hint.py",
        "controller/doors/local/examples/send_schedule.py",
    ),
    **same(
        Exempt(
            TIMED,
            "tests/hil/test_pauses.py::test_a_run_with_a_pause_does_not_count_and_blames_nothing",
        ),
        "hil/campaigns/benchmarks/timing.py",
        "hil/campaigns/channel_b/emulator.py",
        "hil/campaigns/channel_b/partner.py",
        "hil/campaigns/channel_b/standin.py",
        "hil/campaigns/channel_b/trials.py",
        "hil/campaigns/chaos/witness.py",
        "hil/campaigns/vm/machine.py",
        "hil/engine/rig.py",
        "hil/engine/rig_command.py",
        "hil/engine/scenario_operator.py",
        "hil/engine/virtual_run.py",
        "hil/engine/wired_cabinet.py",
        "hil/systems/back_tests.py",
    ),
    "safety/mcu/board_machine.py": Exempt(
        "the second channel counts its ticks by the timer of its board",
        "tests/safety/test_mcu_loop.py::test_a_tick_is_contacts_relay_frame_and_the_watchdog_last",
    ),
    **same(
        Exempt(
            "the parity test sleeps once, at its end, for threads of the WebAssembly runtime",
            "tests/safety/test_parity.py::test_the_kernel",
        ),
        "tests/prove/parity.py",
        "tests/safety/test_parity.py",
    ),
}
TIMED_NODES = (ast.arg, ast.FunctionDef, ast.AnnAssign, ast.Assign)
BOARDS = "safety/mcu/board_"  # only here: a microcontroller's hardware
BOARD_MODULES = ("machine", "micropython", "os", "time")
CLOCK_MODULES = ("time", "gc", "sched")
OURS = ("safety", "controller", "drivers", "hil", "tests")
# The imports of a file, by the first prefix that fits; a name includes everything below it.
MAY_IMPORT = (
    ("safety/", ("safety",)),
    ("drivers/", ("drivers", "safety.signals")),
    (
        "controller/siting/",
        ("controller.siting", "controller.forms", "controller.documents", "controller.system"),
    ),
    (  # on a host of the cluster, without the libraries of the box
        "controller/watch/",
        (
            "controller.watch",
            "controller.forms",
            "controller.system",
            "controller.series",
            "controller.store",
            "controller.planner",
        ),
    ),
    ("controller/", ("controller", "drivers", "safety")),
    ("hil/oracle/", ("hil.oracle", "safety")),
    ("hil/devices/", ("hil", "safety")),
    ("hil/plant/", ("hil", "safety", "controller.forms")),
    ("hil/site/", ("hil", "safety", "controller.forms", "controller.series")),
    ("hil/wires/virtual", ("hil", "safety")),
    ("hil/", OURS[:4]),
    ("tests/", OURS),
)
# They take nothing from system.
PURE_ROOMS = ("controller.series", "controller.core", "controller.rows", "hil.oracle")
# The other rooms may.
OF_BOX = """
audit config console dispatch documents doors forms hints journal mqtt planner
recorder run sites siting state store system systemd watch workbench
""".split()
OF_BENCH = """
campaigns devices engine fleet loads observer plant results runner scenarios site systems
values wires
""".split()
ROOMS_WITH_SYSTEM = (
    *[f"controller.{name}" for name in OF_BOX],
    *[f"hil.{name}" for name in OF_BENCH],
)
# HTML, SVG, and two pictures of their own
PAGE_MAKERS = same(
    Exempt(
        "a text that is not escaped makes a page show foreign HTML",
        "tests/controller/documents/test_every_document.py::test_every_block_escapes_its_texts",
    ),
    "controller/documents/html_page.py",
    "controller/documents/drawing.py",
    "controller/siting/plan_page.py",
    "controller/siting/plan.py",
    "controller/console/plan_chart.py",
)
# Rooms in which no object writes an attribute of another one.
OWN_FIELDS = (
    "safety/",
    *[f"controller/{name}/" for name in "audit dispatch documents hints rows series watch".split()],
)
JSON_MAKER = "controller/system/cli.py"
WORDED = "controller/system/worded.py"
TAGS = re.compile(r"<(!DOCTYPE|html|body|table|t[rdh]|h\d|p|div|span|svg|polyline)\b(?!>`)", re.I)
# A parameter with one of these last has no unit; recv and send have python-can's names.
QUANTITIES = set(
    "voltage current power energy frequency resistance temperature timeout delay duration period "
    "interval age lateness silence".split()
)
NAMED_BY_OTHERS = ("recv", "send")
UNITLESS = "bool code hash bits count position stage index limit".split()
TEXT_SUFFIXES = ".py .toml .dbc .cfg .sh .lock .service .md".split()
TEXTS_WITHOUT_SUFFIX = (".gitignore", ".ci/debian", ".ci/release", ".ci/run", "LICENSE")
MACHINE_PATHS = (*(f"/{name}/" for name in ("work", "tmp", "home", "root")), "pypi" + ".org")
PREPOSITIONS = set(
    "About Above Across After Against Along Among Around As At Before Behind Below Beneath Beside "
    "Between Beyond By During For From In Inside Into Like Near Of Off On Onto Out Outside Over "
    "Past Per Since Through To Toward Under Until Up Upon Via With Within Without".split()
)
MARKS = tuple(a + b for a, b in (("TO", "DO"), ("FIX", "ME"), ("XX", "X")))


def texts():
    for path in tree():
        relative = path.relative_to(ROOT).as_posix()
        if path.suffix in TEXT_SUFFIXES or relative in TEXTS_WITHOUT_SUFFIX:
            yield relative, path.read_text(encoding="utf-8")


def found(check, path, text):
    return [f"{path}:{line}: {what}" for line, what in check(path, text)]


def functions(text):
    return nodes(text, (ast.FunctionDef, ast.AsyncFunctionDef))


def function_length(path, text):
    for node in functions(text):
        lines = node.end_lineno - node.lineno + 1
        if lines > FUNCTION_LINES_MAX:
            yield node.lineno, f"{node.name} has {lines} lines, <= {FUNCTION_LINES_MAX}"


def file_length(path, text):
    lines = len(text.splitlines())
    most = SAFETY_FILE_LINES_MAX if path.startswith("safety/") else FILE_LINES_MAX
    if lines > most and not path.startswith("tests/") and path not in TABLES:
        yield most, f"{lines} lines, <= {most}"


def numbered(text):
    return enumerate(text.splitlines(), 1)


def line_length(path, text):
    is_page = path.endswith(".md")
    most = PROSE_LINE_CHARACTERS_MAX if is_page else TEXT_LINE_CHARACTERS_MAX
    for number, line in numbered(text) if not is_page or path.startswith(WRAPPED) else ():
        if len(line) > most and not (is_page and line.startswith("|")):
            yield number, f"{len(line)} characters, <= {most}"


def imports(path, text):
    allowed = next(names for prefix, names in MAY_IMPORT if path.startswith(prefix))
    for line, name in imported(text):
        first = name.split(".")[0]
        if path.startswith(BOARDS) and first in BOARD_MODULES:
            continue
        elif path.startswith("safety/") and first not in ("safety", "array"):
            yield line, f"safety may import itself and array, not {name}"
        elif first in OURS and not any(is_below(name, each) for each in allowed):
            yield line, f"may import {', '.join(allowed)} of ours, not {name}"


def arrows(path, text):
    own = room_of(module_of(path))
    for line, name in imported(text):
        other = room_of(name)
        if own and other and ROOMS.index(other) > ROOMS.index(own):
            yield line, f"{own} is below {other}, so it may not import {name}"
        if own in PURE_ROOMS and other == "controller.system":
            yield line, f"{own} is pure, so it may not import {name}"


def clocks(path, text):
    if path in CLOCK_READERS or path.startswith("tests/") and "mark.wire" in text:
        return
    modules = CLOCK_MODULES[:1] if path.startswith("tests/") else CLOCK_MODULES
    for line, name in imported(text):
        if name.split(".")[0] in modules:
            yield line, f"only the clock readers and wire tests may import {name}"
    for node in nodes(text, ast.Attribute):
        of_dates = ast.unparse(node.value).split(".")[-1] in ("datetime", "date")
        if of_dates and node.attr in ("now", "today", "utcnow"):
            yield node.lineno, f"{ast.unparse(node)} reads a clock"


def integers_only(path, text):
    kinds = ast.Constant, ast.BinOp, ast.AugAssign, ast.Call
    for node in nodes(text, kinds) if path.startswith("safety/") else ():
        if isinstance(node, ast.Constant) and isinstance(node.value, (float, complex)):
            yield node.lineno, f"float {node.value}"
        elif isinstance(node, (ast.BinOp, ast.AugAssign)) and isinstance(node.op, ast.Div):
            yield node.lineno, "true division"
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("float", "round"):
            yield node.lineno, f"{ast.unparse(node.func)}()"


def quantities(path, text):
    for node in functions(text):
        given = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
        for each in given if node.name not in NAMED_BY_OTHERS else ():
            if each.arg.split("_")[-1] in QUANTITIES:
                yield each.lineno, f"parameter {each.arg} of {node.name} has no unit in its name"


def marks(path, text):
    words = re.compile(rf"\b({'|'.join(MARKS)})\b")
    for number, line in numbered(text):
        if words.search(line):
            yield number, f"unfinished: {line.strip()}"


def ascii_only(path, text):
    for number, line in numbered(text):
        if others := re.findall("[^ -~]", line):
            yield number, f"not ASCII: {others}"


def machine_paths(path, text):
    for number, line in numbered(text):
        if any(each in line for each in MACHINE_PATHS):
            yield number, f"names a place on one machine: {line.strip()[:60]}"


def fits_unit(name, unit):
    """The unit ends the name (or is before _min, _max); a name of no quantity has none."""
    ending = "_" + unit.replace("/", "_per_")
    plain = re.sub("_(min|max)$", "", name)
    # minutes are min too
    return unit in UNITLESS or name.endswith(ending) or plain.endswith(ending)


def tuples_built(path, text):
    """The line `a, b = b, a` on MicroPython builds no tuple; brackets and a fourth name allocate
    one.
    """
    for function in functions(text) if path.startswith("safety/") else ():
        for node in ast.walk(function):
            if function.name == "__init__" or not isinstance(node, ast.Assign):
                continue  # before the heap is locked
            elif isinstance(node.targets[0], ast.Tuple) and isinstance(node.value, ast.Tuple):
                value = node.value
                if value.col_offset != value.elts[0].col_offset or len(value.elts) > 3:
                    yield node.lineno, "an assignment that builds a tuple: one line for each name"


def docstrings(path, text):
    """A docstring names its thing first."""
    for node in nodes(text, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
        for word in (ast.get_docstring(node) or "").split()[:1]:
            if word.strip(".,:;") in PREPOSITIONS:
                line = node.body[0].lineno
                yield line, f"a docstring begins with {word}: name the thing first"


def searches(path, text):
    """A simulated device meets states, roles and kinds that it does not know: without a default
    `next` ends the whole rig in StopIteration.
    """
    for node in nodes(text, ast.Call) if path.startswith(("hil/devices/", "hil/site/")) else ():
        is_search = isinstance(node.args[0], ast.GeneratorExp) if node.args else False
        if ast.unparse(node.func) == "next" and is_search and len(node.args) == 1:
            yield node.lineno, "next without a default"


def printers(path, text):
    """A second maker of pages has faults that the first no longer has."""
    for node in nodes(text, (ast.Constant, ast.Call)) if not path.startswith("tests/") else ():
        value = getattr(node, "value", None)
        if isinstance(value, str) and re.search(TAGS, value) and path not in PAGE_MAKERS:
            yield node.lineno, f"makes HTML or SVG: {', '.join(PAGE_MAKERS)} do"
        names = [each.arg for each in getattr(node, "keywords", ())]
        if "indent" in names and path != JSON_MAKER and ast.unparse(node.func).endswith("dumps"):
            yield node.lineno, f"prints JSON: {JSON_MAKER} does"


def changes(path, text):
    """ "1 days" and "-14.5 % less" came from pages that worded a number by themselves."""
    if path != WORDED and not path.startswith("tests/"):
        for node in nodes(text, (ast.FormattedValue, ast.JoinedStr)):
            value = getattr(node, "value", None)
            if isinstance(value, (ast.BinOp, ast.IfExp)) and "'s'" in ast.unparse(value):
                yield node.lineno, f"a plural: {WORDED} has counted"
            words = [each.value for each in getattr(node, "values", ()) if hasattr(each, "s")]
            if any(re.match(r" %s? (less|more|lower|higher) ", f"{each} ") for each in words):
                yield node.lineno, f"a change: {WORDED} has less"


def is_list_or_text(node):
    value = getattr(node, "value", None)
    return isinstance(node, (ast.JoinedStr, ast.List)) or isinstance(value, str)


def is_condition(node):
    words = ast.unparse(node).startswith(("bool(", "is_", "has_", "not "))
    return words or isinstance(node, (ast.Compare, ast.BoolOp))


def short_forms(path, text):
    """A text times a condition, and a tuple of literals that is unpacked to save lines, are riddles
    to a reader who does not know the trick.
    """
    if path.startswith("tests/"):
        return
    for node in nodes(text, ast.BinOp):
        if isinstance(node.op, ast.Mult):
            pair = node.left, node.right
            is_text = any(map(is_list_or_text, pair))
            is_asked = any(map(is_condition, pair))
            if is_text and is_asked:
                yield node.lineno, "a text times a condition: write TEXT if CONDITION else nothing"
    for node in nodes(text, ast.Starred):
        if isinstance(node.value, ast.Tuple):
            yield node.lineno, "a tuple that is unpacked at once: write its values"


def own_fields(path, text):
    """Each object writes its own attributes: a method says what has happened."""
    for node in nodes(text, ast.Attribute) if path.startswith(OWN_FIELDS) else ():
        is_read = isinstance(node.ctx, ast.Load)
        if not is_read and ast.unparse(node.value) != "self":
            yield node.lineno, f"writes {ast.unparse(node)}: its object has a method for that"


def whole_times(path, text):
    """A time is an integer of a unit that its name says: two floats of one moment may differ."""
    for node in nodes(text, TIMED_NODES) if path.startswith("controller/dispatch/") else ():
        targets = getattr(node, "targets", [getattr(node, "target", None)])
        names = [getattr(node, "arg", getattr(node, "name", "")), *map(name_of, targets)]
        kinds = [getattr(node, each, None) for each in ("annotation", "returns", "value")]
        is_float = any(each is not None and has_float(each) for each in kinds)
        if is_float and any(re.search("_(us|ms|s)(_|$)", each.lower()) for each in names):
            yield node.lineno, f"{', '.join(filter(None, names))}: a time that is no integer"


def name_of(target):
    return getattr(target, "attr", getattr(target, "id", ""))


def has_float(node):
    if isinstance(node, ast.Constant):
        return isinstance(node.value, float)
    return "float" in ast.unparse(node)


SOURCE_CHECKS = (
    function_length,
    file_length,
    tuples_built,
    imports,
    arrows,
    clocks,
    own_fields,
    whole_times,
    integers_only,
    quantities,
    docstrings,
    searches,
    printers,
    changes,
    short_forms,
)


@functools.cache
def findings():
    """{check: findings in all sources}; all checks of one file together, as it is parsed once."""
    every = defaultdict(list)
    for path, text in sources():
        for check in SOURCE_CHECKS:
            every[check] += found(check, path, text)
    return every


@pytest.mark.parametrize("check", SOURCE_CHECKS, ids=lambda check: check.__name__)
def test_every_source(check):
    assert not findings()[check], "\n".join(findings()[check])


def test_no_import_goes_in_a_circle():
    assert cycle(graph(sources())) == []


def test_no_circle_of_rooms():
    assert cycle(rooms([each for each in sources() if not each[0].startswith("tests/")])) == []


def test_the_loop_loads_no_door_and_no_library_of_one():
    """Whatever `firebreak run` can import, at its start or later."""
    files = dict([each for each in sources() if each[0].startswith("controller/")])
    ways, texts = graph(files.items()), {module_of(path): text for path, text in files.items()}
    waiting, seen = ["controller.__main__", "controller.run.command"], set()
    while waiting:
        seen.add(module := waiting.pop())
        waiting += ways[module] - seen
    names = {name for module in seen for _, name in imported(texts[module])}
    theirs = ("controller.doors", "controller.mqtt", "h11", "paho", "aiosmtpd")
    assert len(seen) > 100 and not [name for name in names if name.startswith(theirs)]


def test_a_circle_of_rooms_is_found_where_no_two_files_have_one():
    files = [
        ("hil/a/one.py", "from hil.b import one"),
        ("hil/b/one.py", "import os"),
        ("hil/b/two.py", "def late():\n    import hil.c.one"),
        ("hil/c/one.py", "import hil.a.two"),
        ("hil/a/two.py", ""),
        ("hil/a/__main__.py", "import hil.b.two"),
    ]
    assert cycle(graph(files)) == []
    assert cycle(rooms(files)) == ["hil/a", "hil/b", "hil/c"]
    assert cycle(rooms(files[1:])) == []


def test_a_circle_is_found_also_through_a_function_and_a_package():
    a = ("hil/a.py", "def late():\n    from hil import b")
    b = ("hil/b.py", "from hil.c.d import name")
    d = ("hil/c/d.py", "import hil.a")
    above = ("hil/above.py", "import hil.a")
    assert cycle(graph([a, b, above])) == []
    assert cycle(graph([a, b, d])) == ["hil.a", "hil.b", "hil.c.d"]


@cases("""words
    "ruff check --quiet --config tests/ruff.toml ."
    "ruff format --quiet --check --config tests/ruff.toml ."
    "mypy --no-error-summary"
""")
def test_tools_find_nothing(words):
    line = [sys.executable, "-m", *words.split()]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "check", [machine_paths, marks, ascii_only, line_length], ids=lambda check: check.__name__
)
def test_every_text(check):
    """Prose may have other letters and long lines, and ruff measures the lines of Python."""
    left_out = {ascii_only: (".md", ".lock", "LICENSE")}
    left_out[line_length] = (".lock", "LICENSE", ".dbc", ".py")
    every = [each for each in texts() if not each[0].endswith(left_out.get(check, ()))]
    lines = [line for path, text in every for line in found(check, path, text)]
    assert not lines, "\n".join(lines)


def test_every_table_names_its_units():
    from controller.core import parameters as control_parameters
    from safety import matrix, parameters, signals

    kinds = (signals, "INPUTS"), (signals, "OUTPUTS"), (parameters, "PARAMETERS")
    scopes = ("CABINET", "UNIT", "RACK")
    tables = [getattr(module, f"{scope}_{kind}") for module, kind in kinds for scope in scopes]
    tables.append(control_parameters.CONTROL_PARAMETERS)
    rows = [row for each in tables for row in each]
    assert [row[:2] for row in rows if not fits_unit(*row[:2])] == []
    for names in (*matrix.FEATURES, *(tuple(row[0] for row in each) for each in tables)):
        assert len(set(names)) == len(names)


def test_every_package_has_its_line():
    for folder in FOLDERS[:4]:
        for path in (ROOT / folder).rglob("*.py"):
            assert (path.parent / "__init__.py").is_file(), path.parent
    names = [path.name for path in (ROOT / "tests").rglob("*.py")]
    assert sorted(set(names)) == sorted(names), "test files need names of their own"


def test_the_readme_of_a_room_is_short():
    rooms = [path for room in ("controller", "hil", "drivers") for path in (ROOT / room).glob("*/")]
    pages = [room / "README.md" for room in rooms if (room / "__init__.py").is_file()]
    assert len(pages) >= 20
    for page in pages:
        assert len(page.read_text(encoding="ascii").split()) <= README_WORDS_MAX, page


def test_the_lock_has_hashes_and_no_addresses():
    locks = [ROOT / "requirements.lock", *(ROOT / "tests").glob("*/requirements.lock")]
    lock = "".join(path.read_text() for path in locks)
    pinned = re.findall(r"^([a-z0-9.-]+)==\S+ \\$", lock, re.MULTILINE)
    assert len(pinned) > 30
    hashed = re.findall(r"^[^ #\n].* \\\n    --hash=sha256:[0-9a-f]{64}", lock, re.MULTILINE)
    assert len(hashed) == len(pinned)
    assert "://" not in lock and "\n--" not in lock
    asked = (ROOT / "setup.cfg").read_text()
    wanted = re.findall(r"^    ([A-Za-z0-9-]+)==(\S+)$", asked, re.MULTILINE)
    assert len(wanted) > 10
    for name, version in wanted:
        assert re.search(rf"^{name.lower()}=={re.escape(version)} ", lock, re.MULTILINE), name


LATE = "def late():\n    from controller.console import b"
LONG = "def long():\n" + "    pass\n" * FUNCTION_LINES_MAX


# check | file | what is found in it | what is not
TRIED = table(r"""
imports | safety/a.py | import struct | from array import array
imports | safety/mcu/loop.py | import machine | from safety import second
imports | safety/mcu/board_new.py | import struct | import machine
imports | drivers/a.py | from safety import matrix | from safety import signals as s
imports | drivers/a.py | import controller.system.clock | from safety.signals import UNIT
imports | controller/a.py | from hil import load | from safety import matrix
imports | hil/oracle/a.py | import controller.rows.a | from hil.oracle import b
imports | hil/devices/a.py | from drivers.buses import rtu | import struct
imports | hil/plant/a.py | from controller import clock | from hil import load
imports | hil/wires/virtual.py | import drivers | import drivers_of_others
imports | controller/siting/a.py | import controller.core | import controller.siting.b
arrows | controller/core/a.py | import controller.rows.b | import controller.core.b
arrows | controller/rows/a.py | from controller.system import paths | import drivers.a
arrows | controller/run/a.py | from controller import state | import controller.store
arrows | hil/wires/a.py | from hil.engine import rig | from hil.plant import cell
arrows | controller/console/a.py | from controller.siting import a | import zlib
arrows | hil/engine/a.py | from hil.systems import run | from hil.wires import a
clocks | controller/run/loop.py | from time import sleep | import timeit
clocks | drivers/a.py | datetime.date.today() | datetime.date(2026, 1, 1)
clocks | tests/a.py | import time | "import time\n@pytest.mark.wire\ndef test(): pass"
integers_only | safety/a.py | a = 1.0 | a = 1
integers_only | safety/a.py | a = b / 2 | a = b // 2
integers_only | safety/a.py | a /= 2 | a //= 2
integers_only | safety/a.py | a = float(b) | a = int(b)
tuples_built | safety/a.py | def f(): a, b = (1, 2) | def f(): a, b = 1, 2
tuples_built | safety/a.py | def f(): a, b, c, d = d, c, b, a | a, b = (1, 2)
quantities | hil/a.py | def a(b, byte_timeout): pass | def a(b, byte_timeout_us): pass
quantities | hil/a.py | def a(power): pass | def recv(timeout): pass
own_fields | controller/dispatch/a.py | a.b = 1 | self.b = a.b
own_fields | controller/dispatch/a.py | self.a.b += 1 | self.b += 1
own_fields | controller/dispatch/a.py | self.a, (b, *c[0].d) = e | self.a, (b, *c[0]) = e
own_fields | controller/dispatch/a.py | with a as b.c: pass | for self.a in b: pass
own_fields | controller/dispatch/a.py | del a.b | a.b(c=1)
own_fields | safety/a.py | a.b: int = 1 | a: int = 1
whole_times | controller/dispatch/a.py | def a(now_us: float): pass | def a(now_us: int): pass
whole_times | controller/dispatch/a.py | def a_us() -> float: pass | def a_W() -> float: pass
whole_times | controller/dispatch/a.py | self.at_us = float('-inf') | part = a_us / b_us + 0.5
whole_times | controller/dispatch/a.py | PAUSE_S_MAX = 1.5 | PAUSE_S_MAX = 2
searches | hil/devices/a.py | next(a for a in b) | next((a for a in b), 0)
printers | hil/a.py | a = f"<table class={b}>" | a = 'b < table'
printers | controller/a.py | a = '<!doctype html>' | a = '<-'
printers | controller/a.py | json.dumps(a, indent=1) | json.dumps(a)
printers | controller/system/cli.py | a = '<td>' | json.dumps(a, indent=indent)
changes | hil/a.py | f"{a} row{'s' * (a != 1)}" | f"{a} row{b}"
changes | hil/a.py | f"{a} row{'s' if a > 1 else ''}" | counted(a, 'row')
changes | controller/a.py | f"{a:.1f} % less than b" | f"{a:.1f} % of b"
short_forms | hil/a.py | a = 'b' * bool(c) | a = 'b' if c else ''
short_forms | hil/a.py | a = [b] * (c > 0) | a = [b] * c
short_forms | hil/a.py | a = f'{b}' * is_c | a = 2 * is_c
short_forms | hil/a.py | a = (*('b', 'c'), d) | a = (*b, c)
docstrings | hil/a.py | def a(): "Of a rack." | def a(): "Charge of a rack."
""")
# The same for files that are longer than a line of the table.
EXAMPLES = {
    function_length: [("hil/a.py", LONG, LONG[:-9])],
    file_length: [("safety/a.py", "\n" * 251, "\n" * 250)],
    arrows: [("controller/state/a.py", LATE, "from controller.run import b")],
    whole_times: [
        ("controller/dispatch/a.py", "self.at_us: float | None = None", "self.at_us = NEVER_US")
    ],
    docstrings: [("safety/a.py", '"""Per rack: 1 if it is there."""', '"""Racks."""')],
    marks: [("hil/a.py", "# " + MARKS[0] + " later", "# mastodon")],
    ascii_only: [("hil/a.py", "# \u00b5s", "# us")],
    line_length: [
        ("hil/a.toml", "#" * 121, "#" * 120),
        ("safety/a.md", "a" * 101, "|" + "a" * 101),
    ],
    machine_paths: [("README.md", "see " + MACHINE_PATHS[0] + "x", "see work/x")],
}
for name, *example in TRIED:
    EXAMPLES.setdefault(globals()[name], []).append(example)


@pytest.mark.parametrize("check", EXAMPLES, ids=lambda check: check.__name__)
def test_the_checks_find_what_they_are_for(check):
    for path, bad, good in EXAMPLES[check]:
        assert [len(found(check, path, text)) for text in (bad, good)] == [1, 0], bad


@cases("""name  unit  fits
    "cell_voltage_mV_max"  "mV"  True
    "cell_voltage_mv"  "mV"  False
    "ramp_W_per_s"  "W/s"  True
    "ramp_W"  "W/s"  False
    "estop_ok"  "bool"  True
    "stop_ms_late"  "ms"  False""")
def test_units_end_names(name, unit, fits):
    assert fits_unit(name, unit) == fits


def test_one_place_skips():
    """There a test whose part is missing fails in CI."""
    skip = re.compile(r"(pytest\.|mark\.|importor)skip")
    assert [path for path, text in sources() if skip.search(text)] == ["tests/real/parts.py"]


def test_python_is_one_that_the_pins_are_for():
    assert sys.version_info >= (3, 11)


def test_state_reads_known_found_and_facts_but_never_the_kernel():
    """core/kernel_facts.py alone knows the insides of the kernel that pages show."""
    of_state = [(path, text) for path, text in sources() if path.startswith("controller/state/")]
    assert len(of_state) > 20
    assert [path for path, text in of_state if re.search(r"\.kernel\b", text)] == []
