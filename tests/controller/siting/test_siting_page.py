"""controller/siting/AUDIT.md says what the code says: its tables, its files, its examples."""

import re

import pytest
import siting_page

from controller.siting import fields, rules
from tests import generated_page

PAGE = siting_page.PAGE.read_text(encoding="utf-8")


def test_the_tables_are_those_of_the_code():
    right = generated_page.written(PAGE, siting_page.TABLES, siting_page.PROGRAM)
    assert right == PAGE, f"write the page anew: python {siting_page.PROGRAM}"


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.id)
def test_every_rule_has_its_line_with_how_sure_it_is(rule):
    (line,) = [each for each in PAGE.splitlines() if each.startswith(f"| {rule.id} |")]
    assert line.count("|") == 9
    for _, confidence in rule.clauses.values():
        assert siting_page.SURE[confidence] in line


def test_every_key_has_its_line():
    for name, keys in {**fields.TABLES, **fields.SINGLE_TABLES}.items():
        for key in keys:
            assert re.search(
                rf"^\| \[{name}(\.NAME)?\] \| {key} "
                rf"\|",
                PAGE,
                re.MULTILINE,
            ), (name, key)


def test_every_example_is_named():
    for path in (siting_page.PAGE.parents[1] / "sites" / "siting").glob("*.toml"):
        assert f"`{path.name}`" in PAGE


def test_nothing_is_called_by_the_two_words():
    assert not re.search("complian|certif", PAGE, re.IGNORECASE)
