"""The hazard log: every row, scenario and test that it names exists and belongs to it."""

import tomllib

import pytest

from controller.rows import records
from hil.scenarios import scenario
from tests.repository import ROOT

LOG = tomllib.loads((ROOT / "safety/hazards/log.toml").read_text(encoding="ascii"))["hazard"]
WORDS = "id hazard cause hurt safety_function process_safety_basis open".split()


def test_the_ids_are_unique_and_no_field_is_empty():
    ids = [each["id"] for each in LOG]
    assert sorted(set(ids)) == sorted(ids) and ids
    for each in LOG:
        assert all(each[word].strip() for word in WORDS), each["id"]
        assert each["rows"] and each["scenarios"] and each["tests"], each["id"]


@pytest.mark.parametrize("hazard", LOG, ids=lambda hazard: hazard["id"])
def test_what_it_names_exists_and_is_quick_enough(hazard):
    assert {int(row) for row in hazard["rows"]} <= set(records.ROWS)
    for name in hazard["scenarios"]:
        asked = tomllib.loads((scenario.FOLDER / f"{name}.toml").read_text("ascii"))["expect"]
        stages = [each["stage"] for each in asked if each["what"] == "trip"]
        assert {stage.rstrip("abcdef") for stage in stages} & set(hazard["rows"]), name
    for test in hazard["tests"]:
        path, _, function = test.partition("::")
        assert f"def {function}(" in (ROOT / path).read_text(encoding="utf-8"), test
    assert 0 < hazard["measured_s"] <= hazard["process_safety_time_s"]
