"""`firebreak document`: each page of the program's tables in each format; the list of names."""

import json
import re

import pytest
from command_line import run

from controller.config import equipment, profile_form
from controller.console.document import PAGES
from controller.core.base import reasons
from controller.documents import fault_table, hazard_log
from controller.rows import facts, reason_words
from controller.siting import fields, rules
from safety import matrix as m

STAGES = {stage[m.S_ID] for stage in m.STAGES}
STOPPING = {stage[m.S_ID] for stage in m.STAGES if stage[m.S_DEMAND][m.D_PCS]}
# What stands first in a line of each page, at least.
FIRST = {
    "equipment": equipment.EQUIPMENT,
    "facts": facts.FACTS,
    "faults": {*fault_table.GROUPS, *fault_table.CONTACTS, *fault_table.COILS},
    "hazards": {each["id"] for each in hazard_log.read()[0]["hazard"]},
    "matrix": map(str, range(1, 60)),
    "profile": {f"`{key.rpartition('.')[2]}`" for key, _ in profile_form.every_key()},
    "reasons": {*map(reasons.label, filter(None, reason_words.TEXTS)), *STAGES},
    "siting": {*[rule.id for rule in rules.RULES], *fields.TECHNOLOGIES, "[fence]"},
    "times": STOPPING - {"44c", "44d"},  # these two act before the cabinet runs
}


def page(capsys, name, form="md"):
    code, lines, said = run(capsys, f"document {name} --format {form}")
    assert (code, said) == (0, [])
    return lines


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_a_line_for_each_thing_of_its_tables(capsys, name):
    lines = page(capsys, name)
    assert lines[0].startswith("# ")
    firsts = {line.split(" | ")[0].removeprefix("| ") for line in lines if line[:2] == "| "}
    assert set(FIRST[name]) <= firsts


def test_the_matrix_has_a_line_for_each_stage(capsys):
    lines = page(capsys, "matrix")
    found = {line.split(" | ")[1].split(" ")[0] for line in lines if re.match(r"\| \d+ \|", line)}
    assert found >= STAGES


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_html_and_json_too(capsys, name):
    assert page(capsys, name, "html")[0] == "<!DOCTYPE html>"
    found = json.loads("\n".join(page(capsys, name, "json")))
    assert found and all(rows and all(row) for rows in found.values() for row in rows[:1])


def test_without_a_name_the_names_are_listed(capsys):
    code, lines, said = run(capsys, "document")
    names = [line.split()[1] for line in lines if line[:2] == "| "]
    assert (code, said, names) == (0, [], ["name", "---", *PAGES])
