"""`bench planner`: each way plans the same days in a process of its own."""

from hil.campaigns.benchmarks import planner


def test_a_week_of_one_system_has_all_ways_in_one_table(monkeypatch):
    monkeypatch.setattr(planner, "MONTHS", (("berlin", "", 7),))
    found = planner.run(seed=1, days=2)
    assert [each["budget"] for each in found.figures] == [None, "plan_ms", "plan_MiB"]
    assert 0 < found.figures[0]["value"] <= 110 and found.figures[2]["value"] < 20
    first, *ways = [line.split("  ")[0] for line in found.notes]
    assert first.startswith("berlin 2026-07")
    assert ways == ["perfect foresight", "rules", "planner"]
