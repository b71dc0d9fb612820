"""The table of equipment in CONFIGURATION.md; as a program this file writes it there."""

from controller.config import equipment, hma, schema
from tests import generated_page
from tests.repository import ROOT

PAGE = ROOT / "controller" / "config" / "CONFIGURATION.md"
PROGRAM = "tests/controller/config/test_equipment_table.py"


def table():
    lines = ["| not_fitted | what it is | devices, contacts, coils | rows |", "|---|---|---|---|"]
    for name, one in equipment.EQUIPMENT.items():
        parts = ", ".join([f"`{part}`" for part in (*one.roles, *one.inputs, *one.outputs)])
        lines.append(
            f"| {name} | {one.text} | {parts or '-'} | "
            f"{', '.join(map(str, equipment.rows_of(name)))} |"
        )
    return "\n".join(lines)


TABLES = {"equipment": table}


def test_the_table_is_what_the_code_says():
    page = PAGE.read_text(encoding="utf-8")
    assert page == generated_page.written(page, TABLES, PROGRAM), (
        "python -m tests.controller.config.test_equipment_table"
    )


def test_every_fact_of_the_analysis_is_explained():
    page = PAGE.read_text(encoding="utf-8")
    part = page[page.index("**The hazard mitigation analysis**") :]
    rows = [line for line in part.split("\n") if line.startswith("| ")]
    names = {name.strip() for line in rows[1:] for name in line.split("|")[1].split(",")}
    assert set(schema.HMA) <= names
    always = {line.split("|")[1].strip() for line in rows if line.endswith("| always |")}
    assert set(hma.ALWAYS) <= always


if __name__ == "__main__":
    generated_page.write(PAGE, TABLES, PROGRAM)
