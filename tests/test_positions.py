"""A call of a callable of ours names its arguments from a certain number on.

With seven positions nobody sees which value belongs to which field, and two swapped values of one
type pass every type check.
"""

import ast
import re
from collections import defaultdict

from tests.house import nodes, sources
from tests.tables import cases

POSITIONS_MAX = 6
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
PRODUCT = ("safety", "controller", "drivers", "hil")


def takes(function):
    """Number of positions that a function takes, without self; 0 if it takes a list of items."""
    every = [each.arg for each in (*function.args.posonlyargs, *function.args.args)]
    return 0 if function.args.vararg else len(every) - (every[:1] in (["self"], ["cls"]))


def made_of(kind):
    """Number of positions that the constructor of a class takes, without its base classes."""
    own = [each for each in kind.body if isinstance(each, FUNCTIONS) and each.name == "__init__"]
    fields = [each for each in kind.body if isinstance(each, ast.AnnAssign)]
    return takes(own[0]) if own else len(fields)


def long_names(files):
    """Names under which callables of these files take more than POSITIONS_MAX positions. A class is
    also called by the names of its subclasses, and of what is annotated as `type[CLASS]`.
    """
    found, others = set(), defaultdict(set)
    for _, text in files:
        for node in nodes(text, (*FUNCTIONS, ast.ClassDef, ast.arg)):
            if isinstance(node, ast.arg):
                said = ast.unparse(node.annotation) if node.annotation else ""
                for kind in re.findall(r"\btype\[(?:\w+\.)*(\w+)\]", said):
                    others[kind].add(node.arg)
            elif isinstance(node, ast.ClassDef):
                found |= {node.name} if made_of(node) > POSITIONS_MAX else set()
                for base in node.bases:
                    others[last(base)].add(node.name)
            elif takes(node) > POSITIONS_MAX:
                found.add(node.name)
    waiting = [*found]
    while waiting:
        new = others[waiting.pop()] - found
        found |= new
        waiting += new
    return found


def last(node):
    """The last part of a dotted name, also of one with an index."""
    return ast.unparse(node).split("[")[0].rpartition(".")[2]


def foreign(text):
    """Names that a file imports from elsewhere."""
    found = set()
    for node in nodes(text, (ast.Import, ast.ImportFrom)):
        for alias in node.names:
            module = getattr(node, "module", None) or alias.name
            if module.split(".")[0] not in PRODUCT:
                found.add(alias.asname or alias.name.split(".")[0])
    return found


def unnamed(text, long):
    """(line, finding) of each call with too many positions. A starred argument counts as one."""
    others = foreign(text)
    for call in [each for each in nodes(text, ast.Call) if len(each.args) > POSITIONS_MAX]:
        given = [each for each in call.args if ast.unparse(each) not in ("self", "cls")]
        root = ast.unparse(call.func).split(".")[0]
        is_ours = last(call.func) in long | {"cls"} and root not in others
        if is_ours and len(given) > POSITIONS_MAX:
            yield call.lineno, f"{last(call.func)} with {len(given)} positions: name them"


def test_no_call_has_seven_positions():
    files = [each for each in sources() if each[0].startswith(PRODUCT)]
    long = long_names(files)
    assert len(long) > 100
    found = [f"{path}:{line}: {what}" for path, text in files for line, what in unnamed(text, long)]
    assert not found, "\n".join(found)


SEVEN = "a, b, c, d, e, f, g"
FIELDS = "; ".join(f"{each}: int" for each in SEVEN.split(", "))


@cases("""defined  call  count
    "def one(a, b, c, d, e, f, g): pass"  "one(0, 1, 2, 3, 4, 5, 6)"  1
    "def one(a, b, c, d, e, f, g): pass"  "one(0, 1, 2, 3, 4, 5, g=6)"  0
    "def one(a, b, c, d, e, f, g): pass"  "one(0, 1, 2, 3, 4, *five)"  0
    "def one(a, b, c, d, e, f, g): pass"  "one(0, 1, 2, 3, 4, 5, *six)"  1
    "def one(*items): pass"  "one(0, 1, 2, 3, 4, 5, 6)"  0
    "def other(a, b, c, d, e, f, g): pass"  "one(0, 1, 2, 3, 4, 5, 6)"  0
    "class One(NamedTuple): FIELDS"  "hil.One(0, 1, 2, 3, 4, 5, 6)"  1
    "class One(NamedTuple): FIELDS"  "import b; b.One(0, 1, 2, 3, 4, 5, 6)"  0
    "class One(NamedTuple): FIELDS"  "from hil import b; b.One(0, 1, 2, 3, 4, 5, 6)"  1
    "class One:\\n def __init__(self, SEVEN): pass"  "One(0, 1, 2, 3, 4, 5, 6)"  1
    "class One:\\n def __init__(self, SEVEN): pass"  "One.__init__(self, 0, 1, 2, 3, 4, 5)"  0
    "class One(NamedTuple): FIELDS\\nclass Two(One): pass"  "Two(0, 1, 2, 3, 4, 5, 6)"  1
    "class One(NamedTuple): FIELDS\\ndef two(kind: type[One]): pass"  "kind(0, 1, 2, 3, 4, 5, 6)"  1
""")
def test_it_finds_what_it_is_for(defined, call, count):
    text = defined.replace("FIELDS", FIELDS).replace("SEVEN", SEVEN)
    assert len([*unnamed(call, long_names([("hil/a.py", text)]))]) == count
