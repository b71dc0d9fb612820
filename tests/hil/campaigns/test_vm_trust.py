"""SECURITY.md beside the units; as a program this file writes its tables."""

from hil.campaigns.vm import trust
from tests import generated_page
from tests.repository import ROOT

PAGE = ROOT / "SECURITY.md"
PROGRAM = "tests/hil/campaigns/test_vm_trust.py"
TABLES = {
    "processes": lambda: "\n".join(trust.processes()),
    "places": lambda: "\n".join(trust.places()),
}


def test_the_tables_equal_the_units():
    page = PAGE.read_text(encoding="ascii")
    assert page == generated_page.written(page, TABLES, PROGRAM), (
        "python -m tests.hil.campaigns.test_vm_trust"
    )


def test_a_key_given_twice_adds_and_an_empty_value_takes_back():
    text = "# A=9\n[Service]\nA=1 2\nA=3\nB=4\nB=\nB=5\nC=6 \\\n    7\nD=\n"
    assert trust.settings(text) == {"A": ["1", "2", "3"], "B": ["5"], "C": ["6", "7"], "D": []}


if __name__ == "__main__":
    generated_page.write(PAGE, TABLES, PROGRAM)
