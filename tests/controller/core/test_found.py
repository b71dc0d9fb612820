"""What functions find for each other: one writer a field, nothing read before it is written, and
declarations that say what the code does.
"""

import ast
import inspect
import re
from pathlib import Path

import pytest
from cabinet_bench import CONFIG
from test_core import core_of
from test_functions import ASKED, KNOWN, ON, UNKNOWN, WIDE_W, control_of, tick
from views import DEVICES, WIDE, setup, site_of

from controller.core import functions
from controller.core.base.answers import Cap
from controller.core.control import Control
from controller.core.policies import hint_table
from controller.core.policies.contract import BASE, BOUND, FAST, MEASURE, Function
from controller.core.policies.found import Found
from controller.core.policies.known import GRID, ISLAND, Known
from controller.core.policies.source_reports import given_W, metered_W

# they read for a function of another file
HELPERS = {each.__name__: each for each in (given_W, metered_W)}


def used(tree):
    """{"known" | "findings": {"Load" | "Store": fields}} of the code."""
    found = {name: {"Load": set(), "Store": set()} for name in ("known", "findings")}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") in found:
            found[node.value.id][type(node.ctx).__name__].add(node.attr)
        if isinstance(node, ast.Name) and node.id in HELPERS:
            more = used(ast.parse(inspect.getsource(HELPERS[node.id])))
            for name, kinds in found.items():
                kinds["Load"] |= more[name]["Load"]
    return found


@pytest.mark.parametrize("function", functions.FUNCTIONS, ids=lambda each: each.NAME)
def test_a_function_reads_and_writes_what_it_declares(function):
    sources = {inspect.getfile(each) for each in function.__mro__[:-2] if each is not Function}
    trees = [ast.parse(open(path, encoding="utf-8").read()) for path in sorted(sources)]
    read, written = set(), set()
    for tree in trees:
        of = used(tree)
        read |= of["known"]["Load"] | of["findings"]["Load"]
        written |= of["findings"]["Store"]
        assert not of["known"]["Store"]
    assert written == set(function.WRITES)
    assert read - written == {*function.READS, *function.BEFORE} - written


class Only:
    """A record of which a function may read and write only what it declares."""

    def __init__(self, record, reads, writes):
        vars(self).update(record=record, reads={*reads, *writes}, writes=writes)

    def __getattr__(self, name):
        assert name in self.reads, name
        return getattr(self.record, name)

    def __setattr__(self, name, value):
        assert name in self.writes, name
        setattr(self.record, name, value)


def watched(function, call):
    reads = *function.READS, *function.BEFORE

    def step(known, found, elapsed_ticks):
        seen = Only(known, reads, ()), Only(found, reads, function.WRITES)
        return call(*seen, elapsed_ticks)

    return step


def test_a_running_function_touches_only_what_it_declares():
    """A helper in another file cannot hide what it reads."""
    control = control_of(**ON)
    for function in control.functions.values():
        function.step = watched(function, function.step)
        function.hold = watched(function, function.hold)
    tick(control, KNOWN | ASKED, WIDE_W, 1)
    island = KNOWN | {"contact": ISLAND, "is_reported_forming": True}
    for known in (KNOWN, island, KNOWN | {"contact": GRID}, UNKNOWN):
        for _ in range(200):
            tick(control, known, WIDE_W, 1)


def foreign(node):
    """True for `state` or `out` of another object than self."""
    is_words = isinstance(node, ast.Attribute) and node.attr in ("state", "out")
    return is_words and getattr(node.value, "id", "") != "self"


def written_into(text):
    """Lines that assign into the `state` or `out` of another object, also by a name for it."""
    lines = []
    for function in ast.walk(ast.parse(text)):
        if not isinstance(function, ast.FunctionDef):
            continue
        within = list(ast.walk(function))
        pairs = []
        for node in within:
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    both = isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple)
                    pairs += zip(target.elts, node.value.elts) if both else [(target, node.value)]
        names = {getattr(target, "id", "") for target, value in pairs if foreign(value)}
        for node in within:
            if isinstance(getattr(node, "ctx", None), ast.Store | ast.Del):
                bases = list(ast.walk(node))
                named = isinstance(node, ast.Attribute | ast.Subscript) and any(
                    getattr(each, "id", "") in names - {""} for each in bases
                )
                if named or any(foreign(each) for each in bases):
                    lines.append(node.lineno)
    return sorted(set(lines))


@pytest.mark.parametrize(
    "line, count",
    (
        ("self._table.state[3] = 1", 1),
        ("self._table.out[3], a = 1, 2", 1),
        ("self._table.state.since += 1", 1),
        ("a, words = 1, self._table.state\n    words[a] = 2", 1),
        ("self.state[3] = self._table.state[2]", 0),
        ("state = self.state\n    state.mode = 1", 0),
    ),
)
def test_a_write_into_the_words_of_another_is_found(line, count):
    assert len(written_into(f"def step(self):\n    {line}\n")) == count


def test_the_words_of_a_function_have_one_writer():
    policies = Path(inspect.getfile(hint_table)).parent
    found = {path.name: written_into(path.read_text("utf-8")) for path in policies.glob("*.py")}
    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize("function", functions.FUNCTIONS, ids=lambda each: each.NAME)
def test_a_function_asks_those_that_it_declares(function):
    """`setup.functions[...]` is the only way to another function's words."""
    source = open(inspect.getfile(function), encoding="utf-8").read()
    asked = re.findall(r"setup\.functions\[(?:\w+\.)?(\w+)\.NAME\]", source)
    names = {each.__name__: each.NAME for each in functions.FUNCTIONS}
    assert source.count("setup.functions") == len(asked)
    assert {names[each] for each in asked} == set(function.ASKS)


class Reads(Function):
    NAME, STAGE, READS = "reads", BOUND, ("load_W",)


class Writes(Function):
    NAME, STAGE, WRITES = "writes", MEASURE, ("load_W",)


class Late(Function):
    NAME, STAGE, WRITES = "late", FAST, ("load_W",)


def of(**fields):
    return type("Of", (Function,), {"NAME": "one", "STAGE": BASE, **fields})


def test_every_field_has_its_writer_and_the_table_says_who():
    first = dict.fromkeys(("setpoint_W", "added_W"), "chain")
    assert functions.writers((Reads, Writes)) == first | {"load_W": "writes"}
    assert functions.WRITERS.keys() == vars(Found()).keys()


@pytest.mark.parametrize(
    "table, line",
    (
        ((Writes, Late), "late writes load_W, as writes does"),
        ((Reads, Late), "reads reads load_W, which nothing has written yet"),
        ((of(READS=("colour",)),), "one reads colour, which nothing has written yet"),
        ((of(WRITES=("colour",)),), "one writes colour, which Found does not have"),
        ((of(WRITES=("low_W",)),), "one writes low_W, as chain does"),
        ((of(WRITES=("soc_permille",)),), "one writes soc_permille, which Found does not have"),
        ((of(STAGE=BOUND, READS=("limit_W",)),), "one reads limit_W, which nothing has written"),
        ((of(BEFORE=("load_W",)),), "one reads load_W, which nothing writes"),
    ),
)
def test_a_table_with_two_writers_or_an_early_reader_is_refused(table, line):
    with pytest.raises(ValueError, match=line):
        functions.writers(table)


def test_what_is_read_of_the_tick_before_is_in_the_journal():
    """The first tick of a replay would not know these values otherwise."""
    core, again = core_of(CONFIG), core_of(CONFIG)
    for place, name in enumerate(functions.BEFORE):
        setattr(core.found, name, place + 1)
    core.control.kept.store()
    again.load_state(core.state_words())
    for name in functions.BEFORE:
        assert getattr(again.found, name) == getattr(core.found, name) != 0


def test_a_request_takes_nothing_off_the_power_that_pv_and_shedding_count_on():
    """A request for discharge once let PV give as much more than battery and export limit could
    take, and shed load that the battery could carry: obligations stand above a request. Nor does
    the import limit that obliges the battery to give: more PV would end that.
    """
    devices = [each for each in DEVICES if each.role.name in ("pv", "load_shed")]
    control = Control(setup(site=site_of(devices), meter_code_permille=0, **LIMITS))
    known = {"load_meter_W": 300_000, "grid_W": 300_000, "battery_W": 0, "soc_permille": (500, 500)}
    request = control.functions["hint_request"]
    request.step = lambda known, found, elapsed: _took(found, 40_000)
    for _ in range(50):
        control.step(Known(**known, limit=WIDE, is_running=True, site=control.known.site), 1)
    assert control.found.high_W - control.found.left_high_W == 40_000
    pv, shed = control.actuators[0], control.functions["shed"]
    (cap,) = [each for each in pv.chain.answers if type(each) is Cap]
    assert control.found.low_W == 240_000 and control.found.is_low_obliged
    assert cap.discharge_W_max == 300_000 + 250_000 + 7000
    assert shed._missing_W(control.known, control.found) == 300_000 - 250_000 - 60_000


LIMITS = {"grid_import_W_max": 60_000, "grid_export_W_max": 7000}


def _took(found, power_W):
    found.left_low_W, found.left_high_W = found.low_W - power_W, found.high_W - power_W
    found.left_setpoint_W = found.setpoint_W
    return ()
