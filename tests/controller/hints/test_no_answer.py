"""A controller that does not answer has the same words everywhere, from one module."""

import ast
import re

from controller.hints import hint_statistics, no_answer
from tests.repository import ROOT
from tests.tables import cases

WORDS = re.compile(
    r"no controller (found|answers|runs|has|is|responds)|\bno answer (came|comes|from)|not ticking|"
    r"controller (does not|did not) (answer|respond|run|tick)|controller is (away|gone|down)|"
    r"controller (makes no|has stopped) tick|no new tick",
    re.IGNORECASE,
)
# the table of codes, which the module reads; programs that import nothing of the box
OTHERS = "core/base/hint_codes.py", "doors/local/examples/", "siting/"
OWN = "hints/no_answer.py", *OTHERS


def texts(tree):
    """The strings of a module, without its docstrings."""
    told = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told
    ]


def test_no_other_module_words_it():
    found = []
    for path in sorted((ROOT / "controller").rglob("*.py")):
        name = str(path.relative_to(ROOT / "controller"))
        if not name.startswith(OWN):
            every = texts(ast.parse(path.read_text()))
            found += [(name, each) for each in every if WORDS.search(each)]
    assert found == [], "say it by a word of controller/hints/no_answer.py"
    assert WORDS.search(no_answer.silent("here")) and WORDS.search(no_answer.SILENT)


@cases("""own  words
    {"last_code": 15}  "no answer came: H15 The authentication code does not fit"
    {"last_code": 1}  "no answer came: the controller is busy, or another program sends"
    None  'source: add [source.a] with role = "cap" to site.toml'
""")
def test_the_cause_of_no_answer_is_that_of_the_counters(own, words, monkeypatch):
    monkeypatch.setattr(hint_statistics, "read", lambda path: {"sources": []})
    monkeypatch.setattr(hint_statistics, "of_source", lambda folder, name: own)
    assert words in no_answer.unanswered("here", "a", 'role = "cap"')


def test_counters_that_are_not_there_name_the_command_that_shows_them(tmp_path):
    assert "firebreak sources" in no_answer.unanswered(str(tmp_path), "a")
