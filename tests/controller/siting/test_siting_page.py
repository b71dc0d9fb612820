"""controller/siting/AUDIT.md agrees with the code: its tables and its examples."""

import re

import siting_page

from tests import generated_page

PAGE = siting_page.PAGE.read_text(encoding="utf-8")


def test_the_tables_are_current():
    right = generated_page.written(PAGE, siting_page.TABLES, siting_page.PROGRAM)
    assert right == PAGE, "run python -m tests.controller.siting_page"


def test_the_page_names_every_example():
    for path in (siting_page.PAGE.parents[1] / "sites" / "siting").glob("*.toml"):
        assert f"`{path.name}`" in PAGE


def test_the_page_claims_no_compliance_or_certification():
    assert not re.search("complian|certif", PAGE, re.IGNORECASE)
