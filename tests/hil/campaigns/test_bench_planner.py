"""`bench planner`: each way plans the same days in a process of its own."""

import parts
import pytest

from hil.campaigns.benchmarks import planner


@pytest.mark.whole
def test_two_days_have_all_ways_in_one_table_and_say_how_to_get_the_rival(monkeypatch, tmp_path):
    monkeypatch.setattr(planner, "MONTHS", (("berlin", "", 7),))
    monkeypatch.setattr(planner, "RIVAL_PYTHON", tmp_path / "python")
    found = planner.run(seed=1, days=2)
    assert [each["budget"] for each in found.figures] == [None, "plan_ms", "plan_MiB"]
    assert 0 < found.figures[0]["value"] <= 110 and found.figures[2]["value"] < 20
    first, *ways = [line.split("  ")[0] for line in found.notes]
    assert first.startswith("berlin 2026-07")
    assert ways == ["perfect foresight", "rules", "planner", "EMHASS"]
    assert "not installed: python3 -m venv build/rivals" in found.notes[-1]
    own = found.details["berlin 2026-07"]["planner"]
    assert own["over_cap_kWh"] == own["over_grid_kWh"] == own["failed"] == 0


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_emhass_plans_a_day_and_saves_most_of_what_can_be_saved(monkeypatch):
    parts.required(planner.RIVAL_PYTHON.exists(), f"EMHASS, {planner.MISSING}")
    monkeypatch.setattr(planner, "MONTHS", (("north_america", "", 7),))
    found = planner.run(seed=1, days=1)
    (own,) = found.details.values()
    for way in planner.RIVALS:
        assert own[way]["failed"] == 0
        assert 0.5 < own[way]["saved"] / own["perfect foresight"]["saved"] <= 1.1
    assert found.notes[-1].startswith("EMHASS, our cap")
