"""No word that a technician needs is cut: long rows wrap, or the page leaves out other lines."""

import pytest
from command_line import flat
from site_files import ROWS_ARMED
from watched import CONFIG, Watched, action

from controller.config import stage_states
from controller.console import pages
from controller.console.pages.text import CELLS, HEIGHT, WIDTH
from controller.console.terminal.view import BODY_ROWS, fitted
from controller.core.base import reasons
from controller.documents import matrix_facts
from controller.rows import danger, records
from controller.rows.facts import sources
from controller.state import alarms as alarms_facts, base, rows
from safety import matrix as m, signals as s, start_checklist

LONG = "a" * 16  # the longest name of a person
SCOPES = {s.CABINET: "cabinet", s.UNIT: "unit 12", s.RACK: "rack 12"}
UTC = {"utc_us": 1_773_454_051_000_000, "utc_text": "2026-03-14 02:07:31Z NTP", "is_live": True}


def standing(stage, **changes):
    names = dict(stage=stage[m.S_ID], row=stage[m.S_ROW], scope=SCOPES[stage[m.S_SCOPE]])
    words = dict(reason=rows.reason_of(stage), effect=rows.effect(stage))
    reset = dict(reset=rows.RESETS[stage[m.S_LATCH]], reset_clear_ms=5000, clear_for_ms=5_000_000)
    now = dict(is_active=False, is_latched=True, began_ms=1000, demands=rows.demands_of(stage))
    names |= {"where": names["scope"], "devices": []}
    words |= {"danger": danger.NAMES[danger.level(stage)], "source": source_of(stage)}
    return {**names, **words, **reset, **now, "instance": stage[m.S_ID], **changes}


def source_of(stage):
    return sources(records.ROWS[stage[m.S_ROW]].basis)


@pytest.fixture(scope="module")
def facts(tmp_path_factory):
    watched = Watched(tmp_path_factory.mktemp("quiet")).run(8)
    now = {**UTC, "uptime_ms": 300_000_000}
    return {name: {**watched.facts(name), **now} for name in ("alarms", "status")}


def whole(lines):
    assert len(lines) <= HEIGHT and max(map(len, lines)) <= WIDTH
    return flat(lines)


def row_words(stage):
    return {"rows": [stage[m.S_ID]], "remedy": rows.reason_of(stage)["remedy"]}


def test_every_row_is_whole_on_both_pages(facts):
    for stage in m.STAGES:
        row, own = standing(stage), f"row {stage[m.S_ID]}"
        page = {**facts["alarms"], "standing": [row, row], "check": [row_words(stage)]}
        found = whole(pages.lines("alarms", page))
        words = f"{row['reason']['name']}, {row['scope']}: {row['effect']}"
        latched = f"gone for 83 min, latched, {row['reset']}"
        since = "since 2026-03-10 14:47:32Z"
        first = f"ALARM {own} {words} {since}, 3 d 11 h ago; {latched} reset"
        assert f"{first} {row['reason']['sentence']}" in found
        assert f"{own} {words}; {latched}" in found.partition("ALSO")[2]
        assert row["reason"]["remedy"] in found and " ..." not in found
        lines = pages.lines("status", {**facts["status"], "standing": [row] * 14})
        shown = [line for line in lines if line.startswith(f" ! {own} ")]
        reset = f"; {since}, {row['reset']} reset"
        assert len(shown) == 2 and shown[0].endswith(reset)
        assert shown[1].endswith(f"{reset} (+12: alarms)") and max(map(len, lines)) <= WIDTH


def starting(facts, done, why, waits_for):
    checklist = {"done": done, "total": 39}
    rest = {"rests": {"why": why, "name": LONG}, "is_asked_to_run": False}
    return facts["alarms"]["start"] | rest | {"checklist": checklist, "waits_for": waits_for}


def test_the_start_shows_its_missing_condition_and_the_standby(facts):
    for missing in range(1, len(start_checklist.INHIBIT_REASONS)):
        reason = base.reason(reasons.inhibit_code(missing))
        start = starting(facts, 33, "lock-out", reason)
        found = whole(pages.lines("alarms", {**facts["alarms"], "start": start}))
        waits = f"waits for {reason['label']} {reason['name']}: {reason['sentence']} "
        assert f"{waits}{reason['remedy']} And " in found
        assert f"And {LONG}'s lock-out has ended: start it (firebreak start)." in found
    # the page once cut the command: "start it (fireb..."
    for why in alarms_facts.STANDBY.values():
        start = starting(facts, 39, why, None)
        for name in ("alarms", "status"):
            lines = pages.lines(name, {**facts[name], "start": start})
            line = next(line for line in lines if line.startswith("START"))
            assert line.removesuffix(".").endswith(": start it (firebreak start)")
            assert len(line) <= WIDTH


def test_reset_and_start_are_shown_with_every_row_active(facts):
    racks = [{"stage": "40b", "scope": f"rack {rack}", "due_ms": None} for rack in range(12)]
    quiet, typed = facts["alarms"], "firebreak reset --key 89ABCDEF"
    reset = {"needs": "key", "command": typed, "result": "not clear yet", "waits": racks}
    start = {"rests": {"why": "test", "name": ""}, "is_asked_to_run": False}
    page = {
        **quiet,
        "standing": [standing(stage) for stage in m.STAGES],
        "check": list(map(row_words, m.STAGES)),
        "first_out": "40b.rack2",
        "first_out_per_scope": [{**each, "name": "BMS silent"} for each in racks],
        "reset": quiet["reset"] | reset,
        "start": quiet["start"] | start,
    }
    lines, *more = pages.parts("alarms", page)
    begins = {line[:6].strip() for line in lines}
    assert begins >= set("ALARM ALSO FIRST CHECK RESET WAITS RESETS START".split())
    followed = len([line for line in lines if line[15:21] == "  row "])
    assert lines[-1] == f"{CELLS}  To reset: {typed}"
    words = f"and {len(m.STAGES) - 1 - followed} more: firebreak alarms --page 2"
    assert words in whole(lines)
    assert len(fitted(lines[2:-1])) <= BODY_ROWS, "the serial console has a line less"
    parts = list(map(whole, more))
    assert all(is_whole_in(parts, row) for row in page["standing"])


def is_whole_in(parts, row):
    """One of the parts behind the overview shows the whole alarm."""
    words = f"{row['reason']['sentence']} Do: {row['reason']['remedy']} Source: {row['source']}."
    return any(
        f"row {row['stage']} {row['reason']['name']}" in part and words in part for part in parts
    )


def test_the_key_out_of_run_is_beside_the_counts(facts, tmp_path):
    contacts = {**facts["status"]["contacts"], "key_run": "not ok"}
    for tripped, warnings, absent, words in (
        (3, 1, 1, "52 armed  3 tripped  1 warning  1 not fitted"),
        (12, 10, 11, "52 armed  12 tripped  10 warnings  11 not fitted"),
    ):
        counts = dict(armed=52, built=53, tripped=tripped, warnings=warnings, not_fitted=absent)
        line = pages.lines("status", facts["status"] | dict(interlocks=counts, contacts=contacts))[
            3
        ]
        assert line == f"INTERLOCKS  {words}".ljust(WIDTH - 15) + "Key: out of RUN"
    turned = [action(5, "key", run=False)]
    line = Watched(tmp_path, actions=turned).run(8).lines("status")[3]
    assert line.startswith(f"INTERLOCKS  {ROWS_ARMED} armed  1 tripped  0 warnings  1 not fitted  ")
    assert line.endswith("  Key: out of RUN") and len(line) == WIDTH


def test_rows_are_counted_as_matrix_and_rig_count_them(facts):
    """Rows, not instances per unit and rack: 183 beside the 52 of the status misled."""
    listed = [
        row["row"]
        for row in matrix_facts.facts(CONFIG)["rows"]
        for stage in row["stages"][:1]
        if any("not fitted" in state["state"] for state in stage["states"])
    ]
    counts = facts["status"]["interlocks"]
    assert stage_states.rows_not_fitted(CONFIG.topology) == listed == [51]
    assert counts["not_fitted"] == 1
    assert len(stage_states.rows_armed(CONFIG.topology)) == counts["armed"] == ROWS_ARMED


def test_links_and_devices_show_every_name_in_full(tmp_path):
    """A name has at most 32 characters; so many buses and devices need several parts."""
    found = Watched(tmp_path).run(5).facts("links")
    counters = {"sent": 10**9, "timeout": 10**6, "bad_reply": 10**6, "other_unit": 0}
    can = dict.fromkeys(("received", "error_frames", "bus_offs", "losses"), 10**9) | {"state": 4}
    names = [f"{'a' * 29}_{number:02}" for number in range(40)]
    one = found["devices"][0] | {"state": "never heard", "age_ms": None, "counters": counters}
    bus = {"name": "", "kind": "can", "speed": 1_000_000, **can}
    found |= {"devices": [one | {"device": name, "bus": f"b{name[1:]}"} for name in names]}
    found |= {"buses": [bus | {"name": f"b{name[1:]}"} for name in names], "is_live": True}
    text = " ".join(map(whole, pages.parts("links", found)))
    assert all(f"{name} on b{name[1:]}" in text and f"BUS b{name[1:]}" in text for name in names)
    assert text.count("1000000000") == len(names) * 5
