"""`firebreak evidence`: each part in each format, and its exit codes."""

import json

import pytest
from command_line import refused, run

from controller.console.evidence import fault_table, hazard_log, hazard_page
from controller.documents import bill_of_materials

HAZARDS = hazard_log.facts(*hazard_log.read())
PARTS = {
    "hazards": (HAZARDS, hazard_page.blocks(HAZARDS)[0]),
    "faults": (fault_table.facts(), fault_table.blocks(fault_table.facts())[0]),
    "sbom": (
        bill_of_materials.document(),
        bill_of_materials.blocks(bill_of_materials.document())[0],
    ),
}


@pytest.mark.parametrize("part", PARTS)
def test_each_part_in_each_format(capsys, part):
    facts, title = PARTS[part]
    code, lines, _ = run(capsys, f"evidence --{part}")
    assert (code, lines[0]) == (0, f"# {title.text}")
    code, lines, _ = run(capsys, f"evidence --{part} --format json")
    assert (code, json.loads("\n".join(lines))) == (0, json.loads(json.dumps(facts)))
    code, lines, _ = run(capsys, f"evidence --{part} --format html")
    assert code == 0 and f"<h1>{title.text}</h1>" in lines


@pytest.mark.parametrize(
    "part, module, names", [("hazards", hazard_log, "facts"), ("faults", fault_table, "missing")]
)
def test_a_missing_link_is_code_1(capsys, monkeypatch, part, module, names):
    gaps = {"facts": HAZARDS | {"gaps": ["a gap"]}, "missing": ["a signal"]}
    monkeypatch.setattr(module, names, lambda *given: gaps[names])
    assert run(capsys, f"evidence --{part}")[0] == 1


def test_an_unreadable_log_is_code_3(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(hazard_log, "LOG", tmp_path / "log.toml")
    refused(capsys, 3, "log.toml", "evidence --hazards")
