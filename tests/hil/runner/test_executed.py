"""What makes a kept result stale: a function that its case executed, code around functions, data.

A made tree is changed in one place after the other, each in a process of its own.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

import pytest

from hil.__main__ import LAB, WATCHED, parser
from hil.runner import code, evidence, executed
from hil.runner.code import ROOT
from hil.systems import proofs

FILES = {
    "toy/__init__.py": "",
    "toy/play.py": """
import functools
import pathlib
import tomllib
from toy import parts, table
from toy.other import never

HERE = pathlib.Path(__file__).parent

def work(case):
    \"\"\"The case.\"\"\"
    import toy.late
    part = parts.Part(case)
    data = tomllib.loads((HERE / "data.toml").read_text())
    return [part.power_W, list(part.walk()), nested(2), kept(3), data["factor"], table.ROWS]

def nested(number):
    def inner():
        return number
    return inner()

@functools.cache
def kept(number):
    return number

def unused():
    return never()
""",
    "toy/parts.py": """
class Base:
    def scale(self):
        return 1

class Part(Base):
    FACTOR = 2

    def __init__(self, case):
        self.case = case

    @property
    def power_W(self):
        return self.case * self.FACTOR * self.scale() + self.least()

    @power_W.setter
    def power_W(self, power_W):
        self.case = power_W

    @staticmethod
    def least():
        return 0

    @classmethod
    def made(cls):
        return cls(1)

    def walk(self):
        yield from map(lambda number: number + self.case, range(2))

class Other:
    def scale(self):
        return 3
""",
    "toy/table.py": """
def _row(number):
    return _double(number)

def _double(number):
    return 2 * number

def _spare():
    return 1

ROWS = [_row(number) for number in range(3)]

def _order(number):
    return number

ORDERED = sorted(ROWS, key=_order)

class Both:
    @property
    def rows(self):
        return _spare_row()

    @rows.setter
    def rows(self, rows):
        self.rows_set = rows

def _spare_row():
    return 4

BOTH = Both()
""",
    "toy/other.py": "LIMIT = 1\n\ndef never():\n    return LIMIT\n",
    "toy/late.py": "def late():\n    return 1\n",
    "toy/data.toml": "factor = 2  # one\n",
    "toy/unread.toml": "factor = 2\n",
}
USE = """
import json, sys
from hil.runner import code, evidence, executed
import pathlib
executed.ROOMS, executed.ROOT, code.ROOT = ("toy",), sys.argv[1], pathlib.Path(sys.argv[1])
sys.path.insert(0, sys.argv[1])
executed.begin()
from toy import play
result, used = executed.noted(play.work)(4)
print(json.dumps([result, evidence.evidence(used)]))
"""


def make(folder, changes=()):
    for name, text in {**FILES, **dict(changes)}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """(result, evidence) of the case in the tree as it is."""
    folder = tmp_path_factory.mktemp("toy")
    make(folder)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    run = subprocess.run(
        [sys.executable, "-c", USE, folder], env=environment, check=True, stdout=subprocess.PIPE
    )
    return json.loads(run.stdout)


def is_valid(folder, monkeypatch, kept, changes):
    make(folder, changes)
    monkeypatch.setattr(code, "ROOT", folder)
    monkeypatch.setattr(evidence, "_known_units", dict)
    for function in (evidence._units, evidence._run_at_import, evidence._of_data):
        monkeypatch.setattr(evidence, function.__name__, function.__wrapped__)
    return evidence.is_valid(kept[1])


def test_a_watched_case_has_its_result_and_names_what_it_executed(kept, tmp_path, monkeypatch):
    result, of_case = kept
    assert result == [8, [4, 5], 2, 3, 2, [0, 2, 4]]
    assert of_case["files"] == ["toy/data.toml"]
    names = {module: set(text.split()) for module, text in of_case["functions"].items()}
    assert names == {
        "toy": set(),
        "toy.late": set(),
        "toy.other": set(),
        "toy.parts": {"Base.scale", "Part.__init__", "Part.least", "Part.power_W", "Part.walk"},
        "toy.play": {"work", "nested", "kept"},
        "toy.table": set(),
    }
    assert is_valid(tmp_path, monkeypatch, kept, ())


EXECUTED = (  # file, a text in it, another text in its place
    ("play", "return number\n    return inner", "return number + 1\n    return inner"),
    ("play", "    return number\n\ndef unused", "    return -number\n\ndef unused"),
    ("play", "part.power_W, list", "2, list"),
    ("play", "HERE = pathlib", "HERE, LESS = pathlib, 1; HERE = pathlib"),
    ("parts", "return 1", "return 2"),
    ("parts", "FACTOR = 2", "FACTOR = 3"),
    ("parts", "self.case = case", "self.case = -case"),
    ("parts", "self.case = power_W", "self.case = -power_W"),  # of the same property
    ("parts", "return 0", "return 1"),
    ("parts", "number + self.case", "number - self.case"),
    ("parts", "    def walk", "    def scale(self):\n        return 9\n\n    def walk"),
    ("table", "return 2 * number", "return 3 * number"),  # executed by an import
    ("table", "range(3)", "range(4)"),
    ("table", "return number\n", "return -number\n"),  # given to a builtin by keyword
    ("table", "return 4", "return 5"),  # named by the first function of a property
    ("other", "LIMIT = 1", "LIMIT = 2"),  # code around the functions of a loaded module
    ("play", "def unused", "def range(*_):\n    return ()\n\ndef unused"),
)
NOT_EXECUTED = (
    ("play", "return never()", "return 5"),
    ("play", '"The case."', '"Another text."'),
    ("play", "    part = parts", "    # because\n\n    part  =  parts"),
    ("parts", "return cls(1)", "return cls(2)"),
    ("parts", "return 3", "return 4"),
    ("table", "return 1", "return 2"),
    ("other", "return LIMIT", "return 7"),
    ("other", "def never", "def more():\n    return 1\n\ndef never"),
    ("late", "return 1", "return 2"),
)


@pytest.mark.parametrize(
    "change, expected",
    [*[(change, False) for change in EXECUTED], *[(change, True) for change in NOT_EXECUTED]],
)
def test_a_changed_function_makes_a_result_stale_only_if_its_case_executed_it(
    change, expected, kept, tmp_path, monkeypatch
):
    name, before, after = change
    path = f"toy/{name}.py"
    assert FILES[path].count(before) == 1
    changed = {path: FILES[path].replace(before, after)}
    assert is_valid(tmp_path, monkeypatch, kept, changed.items()) is expected


@pytest.mark.parametrize(
    "name, text, expected",
    [
        ("toy/data.toml", "# two\nfactor  = 2\n", True),
        ("toy/data.toml", "factor = 3\n", False),
        ("toy/data.toml", "factor =", False),
        ("toy/unread.toml", "factor = 3\n", True),
    ],
)
def test_data_that_a_case_read_count(name, text, expected, kept, tmp_path, monkeypatch):
    assert is_valid(tmp_path, monkeypatch, kept, [(name, text)]) is expected


def test_what_a_person_gives_counts_and_what_python_and_the_system_have_does_not(
    tmp_path, monkeypatch
):
    """The results of the claims were stale at once: they named folders, temporary files and the
    file that keeps them.
    """
    own = tmp_path / "load.csv"
    own.write_text("")
    assert executed._is_data(str(own))
    assert executed._is_data(str(ROOT / "hil/systems/munich.toml"))
    assert executed._is_data(str(ROOT / "hil/systems/missing.toml"))
    assert executed._is_data("/etc/hosts"), "a cabinet's file may stand in /etc"
    near = tmp_path / "sys" / "load.csv"
    near.parent.mkdir()
    near.write_text("")
    monkeypatch.setattr(executed, "ELSEWHERE", (*executed.ELSEWHERE, f"{tmp_path}/sy/"))
    assert executed._is_data(str(near)), "a folder whose name begins alike"
    others = tmp_path, tmp_path / "missing.csv", ROOT / "missing.toml", os.__file__
    others += "/proc/stat", "/dev/null", "/dev/shm"
    assert not [path for path in others if executed._is_data(str(path))]
    monkeypatch.setattr(executed._watch, "used", executed.Used({}, set()))
    for name, mode, flags in ((own, "r", 0), (own, None, os.O_RDONLY), (tmp_path, None, 0)):
        executed._audit("open", (str(name), mode, flags))
    assert executed._watch.used.files == {str(own)}
    written = tmp_path / "written.csv"
    written.write_text("")
    for mode, flags in (("w", 0), ("r", 0), (None, os.O_RDWR)):
        executed._audit("open", (str(written), mode, flags))
    assert executed._watch.used.files == {str(own)}


def test_a_file_of_a_person_counts_in_each_place_for_such_files():
    """Debian 12 keeps the temporary files of the tests in /dev/shm."""
    places = {tempfile.gettempdir(), os.path.expanduser("~"), "/dev/shm", "/var/tmp"}
    for folder in filter(os.path.isdir, places):
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            assert executed._is_data(file.name), folder


def test_no_run_depends_on_the_file_that_keeps_the_results(monkeypatch):
    are_apart = []

    def read_text(path, encoding):
        are_apart.append(executed._watch.is_apart)
        return "{}"

    monkeypatch.setattr(pathlib.Path, "read_text", read_text)
    proofs.stored()
    assert are_apart == [True, True] and not executed._watch.is_apart


@pytest.mark.parametrize("text", ["factor =", "factor = 10e", "\xff"])
def test_a_toml_file_that_is_none_counts_with_each_byte(text, tmp_path, monkeypatch):
    monkeypatch.setattr(evidence.code, "ROOT", tmp_path)
    digests = set()
    for content in (text, text + " "):
        (tmp_path / "a.toml").write_text(content, encoding="latin-1")
        digests.add(evidence._of_data.__wrapped__("a.toml"))
    assert len(digests) == 2 and evidence.GONE not in digests


def test_a_module_that_went_makes_a_result_stale(kept, tmp_path, monkeypatch):
    assert is_valid(tmp_path, monkeypatch, kept, [("toy/other.py", "")]) is False


def test_each_command_that_keeps_results_watches_what_it_executes():
    """`bench` measures time, and keeps no result for another run."""
    keeping = set()
    for name in LAB:
        text = parser(name).format_help()  # imports the command
        actions = parser(name)._subparsers._group_actions[0].choices[name]
        helps = [actions.format_help()] + [
            choice.format_help()
            for action in actions._actions
            if isinstance(action.choices, dict)
            for choice in action.choices.values()
        ]
        assert text
        keeping |= {name} if any("--resume" in each for each in helps) else set()
    assert keeping - {"bench"} == set(WATCHED) - {"claims"}


PROBED = """
import ast, json, pathlib, sys
from hil.runner import code, executed
names, put = {}, executed._probe
def probe(function, module):
    root = function.__code__.co_qualname.partition(".<locals>")[0]
    names.setdefault(module, set()).add(root)
    put(function, module)
executed._probe = probe
before = [name for name in sys.modules if executed.is_ours(name)]
executed.begin()
from hil.__main__ import WATCHED, parser
for command in WATCHED:
    parser(command)
count, missing = 0, []
for name, module in [*sys.modules.items()]:
    if executed.is_ours(name) and name not in before:
        text = pathlib.Path(module.__file__).read_text()
        units = {unit for *_, unit in code._spans(ast.parse(text))}
        count += len(units)
        missing += [f"{name} {unit}" for unit in units - names.get(name, set())]
print(json.dumps([count, missing]))
"""


def test_every_function_of_the_commands_that_keep_results_gets_a_probe():
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-P", "-c", PROBED]
    run = subprocess.run(command, env=environment, cwd=ROOT, check=True, stdout=subprocess.PIPE)
    count, missing = json.loads(run.stdout)
    assert missing == [] and count > 5000
