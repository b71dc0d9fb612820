"""A controller that does not answer has the same words everywhere, from one module."""

import ast
import re

from controller.hints import hint_statistics, no_answer
from tests.repository import ROOT
from tests.tables import cases

WORDS = re.compile(
    r"no.controller.(found|answers|runs|has|is)|no.answer.came|not.ticking|no.new.tick|"
    r"controller.(does.not|did.not|is.away|is.gone|has.stopped.tick)",
    re.IGNORECASE,
)
# the table of codes, which the module reads; programs about other boxes than this one
OTHERS = "core/base/hint_codes.py", "dispatch/", "doors/local/examples/", "siting/"
OWN = "hints/no_answer.py", *OTHERS


def texts(tree):
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
    assert found == []
    assert WORDS.search(no_answer.silent("here")) and WORDS.search(no_answer.SILENT)


@cases("""own  words
    {"last_code": 15}  "no answer came: H15 The"
    {"last_code": 1}  "controller is busy"
    None  'add [source.a] with role = "cap" to'
""")
def test_the_cause_of_no_answer_is_that_of_the_counters(own, words, monkeypatch):
    monkeypatch.setattr(hint_statistics, "read", lambda path: {"sources": []})
    monkeypatch.setattr(hint_statistics, "of_source", lambda folder, name: own)
    assert words in no_answer.unanswered("here", "a", 'role = "cap"')


def test_counters_that_are_not_there_name_the_command_that_shows_them(tmp_path):
    assert "firebreak sources" in no_answer.unanswered(str(tmp_path), "a")
