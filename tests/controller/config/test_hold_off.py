"""A fan that waits for the agent, in matrix, checklist and check, and its latest time."""

import pytest

from controller import __main__
from controller.config import bus_times, time_chain
from controller.documents import (
    check,
    checklist,
    checklist_page,
    document,
    effect_words,
    matrix_facts,
    matrix_page,
)
from controller.rows import records
from safety import matrix as m

ROW_3 = records.BY_ID["3"]
EFFECT = "fan on after 30 s (agent hold-off: A32, D1, D2)"


@pytest.fixture
def files(files):
    return holding(files, 30_000)


def holding(files, held_ms):
    files.say("type", "cabinet.agent_hold_off_ms", held_ms)
    return files.say("site", "hma.agent_hold_off_reason", '"HMA 12: clean agent needs 30 s"')


def test_matrix_and_checklist_give_the_time_of_the_fan(files):
    found = files.load()
    pages = (
        matrix_page.blocks(matrix_facts.facts(found)),
        checklist_page.blocks(checklist.facts(found)),
    )
    for blocks in pages:
        assert document.markdown(blocks).count(EFFECT) == 1, "of row 3 alone"


def test_the_table_of_conflicts_is_printed(files):
    for found, words in ((None, "agent_hold_off_ms of [cabinet]"), (files.load(), "30 s")):
        facts = matrix_facts.facts(found)
        (conflict,) = facts["conflicts"]
        names = "yields row to parameter basis hold_off_ms".split()
        wanted = ["fan on", 3, records.ROWS[3].what, "agent_hold_off_ms", "A32, D1, D2"]
        assert conflict == dict(zip(names, [*wanted, 30_000 if found else None]))
        section = document.markdown(matrix_page.blocks(facts)).partition("Effects that yield")[2]
        assert all(each in section for each in (words, "A32, D1, D2", records.ROWS[3].what))


def test_without_a_hold_off_venting_wins(files):
    found = files.say("type", "cabinet.agent_hold_off_ms", 0).load()
    assert len(effect_words.conflicts()) == len(m.CONFLICTS)
    assert "fan on" in effect_words.effects(ROW_3, found)
    (conflict,) = effect_words.conflicts(found)
    assert effect_words.conflict_words(conflict) == "not at all: venting wins"
    assert time_chain.held_chain(found, bus_times.schedule(found), ROW_3) == []
    assert "agent_hold_off_ms" not in check.report(found)


@pytest.mark.parametrize("held_ms, waits_ms", [(30_000, 30_000), (30_010, 30_020), (1, 20)])
def test_its_time_is_in_whole_ticks(files, held_ms, waits_ms):
    found = holding(files, held_ms).load()
    every = [(stage, demand) for stage in m.STAGES for demand in range(m.DEMAND_COUNT)]
    found_ms = {each: time_chain.hold_off_ms(found, *each) for each in every}
    assert found_ms == {**dict.fromkeys(every, 0), (ROW_3, m.D_FAN): waits_ms}


def test_power_does_not_wait_for_the_fan(files):
    """A test of row 3 that waits 30 s for zero power has failed: the two times differ."""
    found = files.load()
    line = "agent_hold_off_ms      30000: fan on only 30 s after row 3 (commentary on NFPA 855;"
    assert line in check.report(found)
    tests = {test["stage"]: test for test in checklist.facts(found)["tests"]}
    held = [(part["what"], part["time_ms"]) for part in tests["3"]["held_parts"]]
    assert tests["3"]["latest_ms"] < 1000 and 30_000 < tests["3"]["held_latest_ms"] < 31_000
    assert sum([time_ms for _, time_ms in held]) == tests["3"]["held_latest_ms"]
    assert dict(held)["hold-off"] == 30_000
    assert [name for name, test in tests.items() if test["held_latest_ms"] is not None] == ["3"]


def test_the_checklist_prints_both_times(files, capsys):
    assert __main__.main(["document", "checklist", "--site", str(files.paths[2])]) == 0
    lines = capsys.readouterr().out.split("\n")
    tested = next(line for line in lines if line.startswith("| 3 | agent"))
    summed = next(line for line in lines if line.startswith("| 3, fan | "))
    latest = summed.split(" | ")[-1].rstrip(" |")
    assert f"; fan {latest} | " in tested and "hold-off 30.00" in summed
    assert [line for line in lines if line.startswith("| A32 | A clean agent without venting")]
