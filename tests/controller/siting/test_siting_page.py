"""controller/siting/AUDIT.md agrees with the code: its examples and its words."""

import re

from tests.repository import ROOT

PAGE = (ROOT / "controller" / "siting" / "AUDIT.md").read_text(encoding="utf-8")


def test_the_page_names_every_example():
    for path in (ROOT / "controller" / "sites" / "siting").glob("*.toml"):
        assert f"`{path.name}`" in PAGE


def test_the_page_claims_no_compliance_or_certification():
    assert not re.search("complian|certif", PAGE, re.IGNORECASE)
