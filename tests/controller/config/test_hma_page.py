"""CONFIGURATION.md explains every fact of the hazard mitigation analysis."""

from controller.config import hma, schema
from tests.repository import ROOT

PAGE = ROOT / "controller" / "config" / "CONFIGURATION.md"


def test_every_fact_of_the_analysis_is_explained():
    page = PAGE.read_text(encoding="utf-8")
    part = page[page.index("**The hazard mitigation analysis**") :]
    rows = [line for line in part.split("\n") if line.startswith("| ")]
    names = {name.strip() for line in rows[1:] for name in line.split("|")[1].split(",")}
    assert set(schema.HMA) <= names
    always = {line.split("|")[1].strip() for line in rows if line.endswith("| always |")}
    assert set(hma.ALWAYS) <= always
