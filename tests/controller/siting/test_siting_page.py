"""controller/siting/AUDIT.md agrees with the code: its tables, its files, its examples."""

import re

import siting_page

from tests import generated_page

PAGE = siting_page.PAGE.read_text(encoding="utf-8")


def test_the_tables_are_those_of_the_code():
    right = generated_page.written(PAGE, siting_page.TABLES, siting_page.PROGRAM)
    assert right == PAGE, f"write the page anew: python {siting_page.PROGRAM}"


def test_every_example_is_named():
    for path in (siting_page.PAGE.parents[1] / "sites" / "siting").glob("*.toml"):
        assert f"`{path.name}`" in PAGE


def test_nothing_is_called_by_the_two_words():
    assert not re.search("complian|certif", PAGE, re.IGNORECASE)
