"""No default is a single case where a list is meant: the plural would outlive it.

A plan with two demand charges ended in a traceback, because the peaks of the month were those of
one charge unless a caller gave them.
"""

import ast

import pytest

from tests.exemptions import Exempt
from tests.house import sources

LITERALS = ast.Tuple, ast.List, ast.Set
# Parameters whose default has one value.
EXEMPT = {
    "hil/systems/run.py lowered_W": Exempt(
        "none: 0 W is added to each slot of a run",
        "tests/hil/systems/test_violations.py"
        "::test_load_without_power_and_a_stale_schedule_are_violations",
    ),
    "hil/systems/run.py asked_s": Exempt(
        "none: only its sum counts, 0 s",
        "tests/hil/systems/test_violations.py"
        "::test_load_without_power_and_a_stale_schedule_are_violations",
    ),
}


def of_one(value):
    """True for a list of one value: [x], (x,), {x}, {x: y}, [x] * 1, np.zeros(1)."""
    if isinstance(value, ast.BinOp):
        return of_one(value.left) and isinstance(value.op, ast.Mult)
    if isinstance(value, ast.Call) and value.args:
        first = value.args[0]
        is_count = isinstance(first, ast.Constant) and first.value == 1
        return is_count or any(map(of_one, value.args))
    count = len(value.elts) if isinstance(value, LITERALS) else 0
    return count == 1 or isinstance(value, ast.Dict) and len(value.keys) == 1


def defaults(module):
    """(name, default) of each parameter of a function, and of each field of a class."""
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            given = node.args
            names = [*given.posonlyargs, *given.args]
            yield from zip(
                [each.arg for each in names[len(names) - len(given.defaults) :]], given.defaults
            )
            yield from zip([each.arg for each in given.kwonlyargs], given.kw_defaults)
        elif isinstance(node, ast.ClassDef):
            fields = [each for each in node.body if isinstance(each, ast.AnnAssign)]
            yield from [(ast.unparse(each.target), each.value) for each in fields]


def constants(module):
    """{name: value} of the assignments of a module, by which a default may be named."""
    found = [each for each in module.body if isinstance(each, ast.Assign)]
    pairs = [(target, each.value) for each in found for target in each.targets]
    return {target.id: value for target, value in pairs if isinstance(target, ast.Name)}


def single(text):
    """The parameters of a module whose default is a list of one value."""
    module = ast.parse(text)
    named = constants(module)
    found = [
        (name, named.get(value.id, value) if isinstance(value, ast.Name) else value)
        for name, value in defaults(module)
        if value is not None
    ]
    return [name for name, value in found if of_one(value)]


def test_no_default_is_a_single_case_of_a_list():
    found = {
        f"{path} {parameter}"
        for path, text in sources()
        if not path.startswith("tests/")
        for parameter in single(text)
    }
    assert found == set(EXEMPT)


@pytest.mark.parametrize(
    "line, count",
    [
        ("def f(peaks_W=(0.0,)): pass", 1),
        ("def f(a, *, peaks_W=[0.0]): pass", 1),
        ("class A(NamedTuple):\n    peaks_W: Numbers = (0.0,)", 1),
        ("ONE = (0.0,)\ndef f(peaks_W=ONE): pass", 1),
        ("f = lambda units={1}: units", 1),
        ("def f(peaks_W=[0.0] * 1): pass", 1),
        ("def f(peaks_W=np.zeros(1)): pass", 1),
        ("def f(peaks_W=array('d', [0.0])): pass", 1),
        ("def f(peaks_W=(), pair=(0, 1), word='x', none=None): pass", 0),
    ],
)
def test_the_syntax_tree_finds_it(line, count):
    assert len(single(line)) == count
