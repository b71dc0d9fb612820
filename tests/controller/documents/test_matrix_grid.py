"""The grid of causes against outputs: every demand in its cell, and a banner at the top."""

import csv
import html

import pytest
from command_line import run

from controller.config import configuration
from controller.documents import html_page, matrix_facts, matrix_grid
from controller.rows import matrix_words
from controller.rows.records import BY_ID
from controller.sites import EXAMPLE
from safety import matrix as m

WORDS = dict(matrix_words.EFFECTS)
FIRST = len(matrix_grid.CAUSES)


def made(capsys, form, *site, code=0):
    found, out, err = run(capsys, "document matrix", "--format", form, *site)
    assert found == code
    return out


def grid(lines):
    """{stage: {head of a column: cell}} of a CSV with one line of banner."""
    table = list(csv.DictReader(lines[1:]))
    return {row["stage"]: row for row in table}


def test_every_demand_of_every_stage_is_in_its_cell(capsys):
    assert sorted(matrix_grid.COLUMNS) == list(range(m.DEMAND_COUNT))
    found = grid(made(capsys, "grid-csv"))
    assert set(found) == set(BY_ID)
    for name, stage in BY_ID.items():
        for index, (head, letters) in matrix_grid.COLUMNS.items():
            level = stage[m.S_DEMAND][index]
            wanted = letters[level] if letters else str(100 - level) if level else ""
            assert found[name][head] == wanted and bool(wanted) == bool(level), (name, head)
            assert not letters or len(letters) == len(WORDS[index])
    assert [found["12a"][head] for head in ("PCS", "DC", "aux")] == ["S", "I0", "X"]
    assert (
        found["20a"]["asked for by"] == "foxBMS 2"
        and "IFC 2018 1206" in found["12a"]["asked for by"]
    )
    assert (found["19b"]["dis %"], found["19b"]["trips at"]) == ("25", ">= 50 degC")


def test_brackets_for_a_missing_output_and_empty_cells_for_a_stage_of_the_bms(pylontech, capsys):
    found = grid(made(capsys, "grid-csv", "--site", pylontech.paths[2]))
    assert [found["11"][head] for head in ("aux", "pre", "PCS")] == ["(X)", "(X)", "S"]
    assert {found["29"][head] for head, _ in matrix_grid.COLUMNS.values()} == {""}
    assert found["29"]["state"] == "done by BMS, by its own limits"


def test_the_page_has_letters_and_signatures_for_one_limit_image(capsys):
    found = matrix_facts.facts(configuration.load(EXAMPLE))
    page = html_page.page(matrix_grid.blocks(found))
    assert f"limit image CRC {found['site']['limits_crc']}" in page
    for words in (*matrix_grid.SIGNERS, "R: power to zero in 2 s; S: PCS stop"):
        assert html.escape(words) in page
    assert "Signatures" not in "\n".join(made(capsys, "grid-html")), "no signatures without a site"


@pytest.mark.parametrize("form", ["md", "html", "grid-html", "grid-csv"])
def test_a_matrix_without_a_site_says_so(capsys, form):
    words = "NOT A SITE&#x27;S MATRIX" if "html" in form else "NOT A SITE'S MATRIX"
    assert any(words in line for line in made(capsys, form))
