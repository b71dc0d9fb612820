"""What a technician needs is on the page whole: long rows wrap or give way where it does not
matter.
"""

import pytest
from watched import CONFIG, Watched, action, of_scenario

from controller.console.pages import alarms, status
from controller.console.pages.text import CELLS, HEIGHT, WIDTH
from controller.core import reasons
from controller.documents import matrix_facts
from controller.rows import reason_words
from controller.site import stage_states
from controller.state import alarms as alarms_facts
from controller.state import rows
from safety import evidence
from safety import matrix as m
from safety import signals as s

SCOPES = {s.CABINET: "cabinet", s.UNIT: "unit 12", s.RACK: "rack 12"}
UTC = {"utc_us": 1_773_454_051_000_000, "utc_text": "2026-03-14 02:07:31Z NTP", "is_live": True}


def standing(stage, **changes):
    """A row of this stage that is gone, latched, and began days ago."""
    return {
        "stage": stage[m.S_ID],
        "row": stage[m.S_ROW],
        "scope": SCOPES[stage[m.S_SCOPE]],
        "instance": stage[m.S_ID],
        "reason": rows.reason_of(stage),
        "reset": rows.RESETS[stage[m.S_LATCH]],
        "is_active": False,
        "is_latched": True,
        "began_ms": 1000,
        "clear_for_ms": 5_000_000,
        "reset_clear_ms": 5000,
        "demands": rows.demands_of(stage),
        "effect": rows.effect(stage),
        **changes,
    }


@pytest.fixture(scope="module")
def facts(tmp_path_factory):
    """{page: facts} of a cabinet on which nothing stands."""
    watched = Watched(tmp_path_factory.mktemp("quiet")).run(8)
    return {
        name: {**watched.facts(name), **UTC, "uptime_ms": 300_000_000}
        for name in ("alarms", "status")
    }


def whole(lines):
    assert len(lines) <= HEIGHT and max(map(len, lines)) <= WIDTH
    return " ".join(" ".join(lines).split())


@pytest.mark.parametrize("stage", m.STAGES, ids=lambda stage: stage[m.S_ID])
def test_every_row_is_whole_on_the_page_of_alarms(facts, stage):
    """As the first and as one that followed: how it is, what it does, and who resets it."""
    row = standing(stage)
    found = whole(
        alarms.lines(
            {
                **facts["alarms"],
                "standing": [row, row],
                "check": [{"rows": [stage[m.S_ID]], "remedy": row["reason"]["remedy"]}],
            }
        )
    )
    words = f"{row['reason']['name']}, {row['scope']}: {row['effect']}"
    assert (
        f"FIRST row {stage[m.S_ID]} {words} since 2026-03-10 14:47:32Z, 3 d 11 h ago; gone for 83 "
        f"min, latched, "
        f"{row['reset']} reset {row['reason']['sentence']}" in found
    )
    assert (
        f"row {stage[m.S_ID]} {words}; gone for 83 min, latched, {row['reset']}"
        in found.partition("THEN")[2]
    )
    assert row["reason"]["remedy"] in found and " ..." not in found


@pytest.mark.parametrize("stage", m.STAGES, ids=lambda stage: stage[m.S_ID])
def test_every_row_says_who_resets_it_on_the_page_status(facts, stage):
    lines = status.lines({**facts["status"], "standing": [standing(stage)] * 14})
    shown = [line for line in lines if line.startswith(f" ! row {stage[m.S_ID]} ")]
    reset = f"; since 2026-03-10 14:47:32Z, {rows.RESETS[stage[m.S_LATCH]]} reset"
    assert (
        len(shown) == 2 and shown[0].endswith(reset) and shown[1].endswith(f"{reset} (+12: alarms)")
    )
    assert max(map(len, lines)) <= WIDTH


@pytest.mark.parametrize("missing", range(1, len(evidence.INHIBIT_REASONS)))
def test_what_the_start_waits_for_is_whole_also_where_it_rests(facts, missing):
    code = reasons.inhibit_code(missing)
    name, sentence, remedy = reason_words.text(code)
    start = {
        **facts["alarms"]["start"],
        "checklist": {"done": 33, "total": 39},
        "is_asked_to_run": False,
        "rests": {"why": "lock-out", "name": "a" * 16},
        "waits_for": {
            "code": code,
            "label": reasons.label(code),
            "name": name,
            "sentence": sentence,
            "remedy": remedy,
        },
    }
    found = whole(alarms.lines({**facts["alarms"], "start": start}))
    assert f"waits for {reasons.label(code)} {name}: {sentence} {remedy} And " in found
    assert f"And {'a' * 16}'s lock-out has ended: start it (firebreak start)." in found


@pytest.mark.parametrize("why", alarms_facts.RESTS.values())
def test_why_it_rests_and_what_starts_it_is_whole_on_both_pages(facts, why):
    """Of a new cabinet "start it (fireb..." stood there, the one thing to do."""
    start = {
        **facts["alarms"]["start"],
        "rests": {"why": why, "name": "a" * 16},
        "is_asked_to_run": False,
        "checklist": {"done": 39, "total": 39},
        "waits_for": None,
    }
    for page, name in ((alarms, "alarms"), (status, "status")):
        line = next(
            line for line in page.lines({**facts[name], "start": start}) if line.startswith("START")
        )
        assert (
            line.removesuffix(".").endswith(": start it (firebreak start)") and len(line) <= WIDTH
        )


def test_what_a_reset_and_the_start_need_is_there_however_much_stands(facts):
    """Every stage at once: the rows that followed and the remedies give way, and say how many there
    are.
    """
    found = [standing(stage) for stage in m.STAGES]
    page = {
        **facts["alarms"],
        "standing": found,
        "check": [{"rows": [row["stage"]], "remedy": row["reason"]["remedy"]} for row in found],
    }
    page["first_out_per_scope"] = [{"scope": f"rack {rack}", "stage": "40b"} for rack in range(12)]
    typed = "firebreak reset --key 89ABCDEF"
    page["reset"] = {
        **page["reset"],
        "needs": "key",
        "command": typed,
        "result": "not clear yet",
        "waits": [{"stage": "40b", "scope": f"rack {rack}", "due_ms": None} for rack in range(12)],
    }
    page["start"] = {
        **page["start"],
        "rests": {"why": "test", "name": ""},
        "is_asked_to_run": False,
    }
    lines = alarms.lines(page)
    begins = [line[:6].strip() for line in lines]
    assert [
        word
        for word in ("FIRST", "THEN", "FIRSTS", "CHECK", "RESET", "WAITS", "RESETS", "START")
        if word not in begins
    ] == []
    followed = len([line for line in lines if line[15:21] == "  row "])
    assert lines[-1] == f"{CELLS}  To reset: {typed}"
    assert f"and {len(found) - 1 - followed} more (--json shows all)" in whole(lines)


def test_the_key_out_of_run_is_told_beside_the_counts(facts):
    """Also with two digits everywhere."""
    counts = {"armed": 52, "built": 53, "tripped": 3, "warnings": 1, "not_fitted": 1}
    contacts = {**facts["status"]["contacts"], "key_run": "not ok"}
    line = status.lines({**facts["status"], "interlocks": counts, "contacts": contacts})[3]
    assert (
        line
        == "INTERLOCKS  52 armed  3 tripped  1 warning  1 not fitted".ljust(64) + "Key: out of RUN"
    )
    counts.update(tripped=12, warnings=10, not_fitted=11)
    line = status.lines({**facts["status"], "interlocks": counts, "contacts": contacts})[3]
    assert line.startswith("INTERLOCKS  52 armed  12 tripped  10 warnings  11 not fitted  ")
    assert line.endswith("  Key: out of RUN") and len(line) == WIDTH


def test_not_fitted_are_the_rows_that_the_matrix_of_the_site_lists(facts):
    listed = [
        row["row"]
        for row in matrix_facts.facts(CONFIG)["rows"]
        if any(
            "not fitted" in state["state"] for stage in row["stages"] for state in stage["states"]
        )
    ]
    assert stage_states.rows_not_fitted(CONFIG.topology) == listed == [51]
    assert facts["status"]["interlocks"]["not_fitted"] == 1


def test_the_rig_counts_the_armed_rows_as_the_status_does(facts):
    """Rows, not their instances per unit and rack: 183 beside the status's 52 looked like two
    cabinets.
    """
    assert (
        len(stage_states.rows_armed(CONFIG.topology))
        == facts["status"]["interlocks"]["armed"]
        == 52
    )


def test_a_row_that_is_gone_says_on_a_second_line_that_it_is_latched(tmp_path):
    lines = alarms.lines(of_scenario("bms_silent", tmp_path).run(49).facts("alarms"))
    assert "latched, remote" in " ".join(
        " ".join(lines).split("THEN")[1].split()
    ) and "..." not in " ".join(lines)


def test_the_status_of_a_real_key(tmp_path):
    line = status.lines(
        Watched(tmp_path, actions=[action(5, "key", run=False)]).run(8).facts("status")
    )[3]
    assert line.startswith("INTERLOCKS  52 armed  1 tripped  0 warnings  1 not fitted  ")
    assert line.endswith("  Key: out of RUN") and len(line) == WIDTH
