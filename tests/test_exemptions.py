"""Each line of an exemption list says what it allows and which case shows it; no list is missed."""

import pytest

from tests import exemptions, kinds
from tests.repository import ROOT

FORMED = [name for name, is_formed in exemptions.every_list().items() if is_formed]


@pytest.fixture(scope="module")
def lines():
    """[(list, name, Exempt)] of all exemption lists."""
    return [*kinds.exempted()]


def test_each_constant_that_may_be_an_exemption_list_has_the_form_or_is_none():
    others = {name for name, is_formed in exemptions.every_list().items() if not is_formed}
    assert others == set(exemptions.NO_EXEMPTIONS), "has it the form of tests/exemptions.py?"
    assert len(FORMED) > 20


def test_each_line_has_a_harm_and_a_case_that_is_there(lines):
    assert len(lines) > 150 and {each[0] for each in lines} == set(FORMED)
    texts = {}
    for name, line, exempt in lines:
        path, _, test = exempt.case.partition("::")
        if path not in texts:
            texts[path] = (ROOT / path).read_text(encoding="utf-8")
        assert f"def {test}(" in texts[path] and test.startswith("test_"), (name, line)
        assert len(exempt.harm.split()) > 2 and exempt.count > 0, (name, line)


def listed(text):
    return exemptions.lists_of(text)


@pytest.mark.parametrize(
    "text",
    [
        'LEFT = {"controller/run/loop.py"}',
        'LEFT = "controller/run/loop.py drivers/pcs.py".split()',
        'LEFT = ("loop.py", "_run"), ("pcs.py", "stop")',
        'LEFT = {"a": "it is too slow", "b": "it has no clock"}',
        'LEFT = ("a", "b")\nfound = [each for each in every if each not in LEFT]',
        'LEFT = {"a"}\nfound = every - LEFT',
        'LEFT = {"a"}\ndef test():\n    assert found == LEFT',
        'LEFT = ("a",)\nfor each in every:\n    if each in LEFT:\n        continue',
        'LEFT = {"a": Exempt("h", "c")}\nLEFT |= {"controller/run/loop.py": "why is it left"}',
        'LEFT = {"controller/run/loop.py": Exempt("h", "c"), "drivers/pcs.py": 3}',
    ],
)
def test_a_list_without_the_form_is_found(text):
    assert listed(text) == {"LEFT": False}


@pytest.mark.parametrize(
    "text",
    [
        'LEFT = {"a": Exempt("h", "c")}',
        'LEFT = same(Exempt("h", "c"), "a", "b")',
        'WHY = Exempt("h", "c")\nLEFT = {"a": WHY, **same(WHY, "controller/run/loop.py")}',
    ],
)
def test_the_form_is_known(text):
    assert listed(text) == {"LEFT": True}


@pytest.mark.parametrize(
    "text", ['LEFT = {"a": 1}', 'LEFT = ("a", "b")\nassert found == LEFT', 'left = {"loop.py"}']
)
def test_what_no_check_takes_away_is_none(text):
    assert listed(text) == {}


def test_each_kind_lists_what_it_covers():
    """`python -m tests.kinds` prints it; nothing of it is written by hand."""
    found = [*kinds.covered()]
    assert len(found) >= 6
    for path, kind, names in found:
        assert len(kind.split()) > 3 and names, path
