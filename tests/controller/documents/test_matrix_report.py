"""The documents `matrix`, `checklist`, `reasons`: complete, equal to tables and site, printable."""

import functools
import re

import pytest
from command_line import run as lines_of

from controller.config import (
    bus_times,
    configuration,
    equipment,
    proof_plan,
    schema,
    stage_states,
    time_chain,
    wired,
)
from controller.core.base import reasons
from controller.documents import (
    checklist,
    checklist_page,
    document,
    matrix_facts,
    matrix_page,
    matrix_tables,
    reason_book,
)
from controller.rows import (
    danger,
    facts as fact_table,
    matrix_words,
    number_sources,
    reason_words,
    records,
)
from controller.rows.records import BY_ID
from controller.sites import EXAMPLE
from safety import matrix as m, parameters as p
from tests.tables import table

IDS = list(BY_ID)
OURS = [name for name, stage in records.STAGES.items() if stage.is_added]
BY_BMS = {name: stage.by_bms for name, stage in records.STAGES.items() if stage.by_bms}
BY_NOBODY = {name: stage.not_by_bms for name, stage in records.STAGES.items() if stage.not_by_bms}
NORA = "Nora Toft, 2026-01-01"


@pytest.fixture(scope="module")
def example():
    return configuration.load(EXAMPLE)


@pytest.fixture(scope="module")
def schedule(example):
    return bus_times.schedule(example)


@functools.cache
def general():
    return matrix_facts.facts()


@pytest.fixture(scope="module")
def of_example(example):
    return matrix_facts.facts(example)


@pytest.fixture(scope="module")
def tests_of_example(example):
    return checklist.facts(example)


def stages_of(facts):
    return {stage["stage"]: stage for row in facts["rows"] for stage in row["stages"]}


def matrix_text(facts):
    return document.markdown(matrix_page.blocks(facts))


def checklist_text(facts):
    return document.markdown(checklist_page.blocks(facts))


def run(capsys, command, *more):
    code, out, err = lines_of(capsys, command, *more)
    assert all(map(str.isascii, out))
    return code, "\n".join(out), err


def test_the_matrix_has_every_row_and_every_stage():
    facts = general()
    assert [row["row"] for row in facts["rows"]] == list(records.ROWS)
    assert sorted(stages_of(facts)) == sorted(IDS)
    assert {row["row"] for row in facts["rows"] if row["is_ours"]} == {*range(49, 60)}
    ours = {name for name in IDS if BY_ID[name][m.S_ROW] > 48} | set(OURS)
    assert {name for name, stage in stages_of(facts).items() if stage["is_ours"]} == ours


def test_the_matrix_marks_a_stage_of_the_project(of_example):
    for facts in (general(), of_example):
        lines, stages = matrix_text(facts).splitlines(), stages_of(facts)
        for stage in OURS:
            (line,) = [line for line in lines if f"| {stage} (project) |" in line]
            assert line.endswith(f"| {number_sources.short(stage)} |")
            basis = f"project; its row has {records.ROWS[BY_ID[stage][m.S_ROW]].basis}"
            assert (stages[stage]["basis"], stages[stage]["confidence"]) == (basis, "D")


def test_contactors_yield_to_the_fuse(of_example):
    """The fact table asks for this wait in row 36. The program waits for every row that opens."""
    keys = "at most fuse_wait_ms of [cabinet], above break_current_mA of the rack"
    for facts, words in ((general(), keys), (of_example, "at most 30 s, above 300 A")):
        text = matrix_text(facts)
        section = text[text.index("Effects that yield") : text.index("Stages that differ from")]
        fuse = "no row: the fuse, while a rack carries more than its contactors break"
        assert f"| contactors open | {fuse} | {words} | C65 |" in section


def test_the_matrix_marks_unconfirmed_rows():
    doubt = {row["row"] for row in general()["rows"] if row["is_unconfirmed"]}
    rows = records.ROWS.items()
    assert doubt == {number for number, row in rows if row.confidence == "G" or "(?)" in row.basis}
    assert len(doubt) > 4
    text = matrix_text(general())
    sources = text[text.index("Source of each row") :].split("\n")
    for row in records.ROWS:
        line = next(line for line in sources if line.startswith(f"| {row} | "))
        assert line.endswith("(?) |") == (row in doubt)


def test_every_row_prints_its_source_and_clause_in_words():
    text = matrix_text(general())
    sources = text[text.index("Source of each row") :].split("\n")
    for number, row in records.ROWS.items():
        line = next(line for line in sources if line.startswith(f"| {number} | "))
        for key in fact_table.keys(row.basis):
            assert f"{fact_table.FACTS[key].source} ({key}, " in line
        assert fact_table.keys(row.basis) or "the project's design" in line
    for stage in IDS:
        for one in number_sources.of(stage).values():
            assert one.key or one.words in text


# stage; trips at; after; clears at; reset; one effect
IN_WORDS = """
12a; >= 25 % LFL; at once; <= 20 % LFL; key on site; contactors open at zero current only
17b; >= 45.1 degC; 60 s; <= 43 degC; by itself; no charging
25a; <= -0.1 degC; 10 s; >= 3 degC; by itself; no charging
29; >= 3.65 V; 2 s; <= 3.55 V; remote; PCS stop
37b; <= 99 ohm/V; 5 s; >= 500 ohm/V; key on site; contactors open at zero current or after 2 s
38b; >= 10000 mV; 5 s; <= 5000 mV; remote; no closing
39; ; 0.3 s; ; key on site; shunt trip upstream
42c; >= 90.1 %; 60 s; <= 85 %; by itself; no discharging
43c; <= 29 min; 5 s; >= 40 min; remote; fire panel notified
46b; >= 901 s; at once; <= 1 s; by itself; charging at most 50 %
19b; >= 50 degC; 5 s; <= 48 degC; by itself; discharging at most 25 %
7; >= 20 ppm; 5 s; <= 10 ppm; remote; power to zero in 2 s
40b; >= 1 s; at once; ; remote; power to zero in 2 s
35b; > 0; 10 s; ; remote; PCS stop
"""


def test_stages_and_demands_in_words():
    for line in IN_WORDS.strip().splitlines():
        stage, *words, effect = line.split("; ")
        facts = stages_of(general())[stage]
        after = matrix_words.after(facts["debounce_ms"])
        assert [facts["trips_at"], after, facts["clears_at"], facts["reset"]] == words
        assert effect in facts["demands"]
    for stage in m.STAGES:
        demanded = [level for level in stage[m.S_DEMAND] if level]
        assert len(matrix_words.demands(stage)) == len(demanded) and matrix_words.cause(stage)
    nmc = {name for name, stage in stages_of(general()).items() if "nmc" in stage}
    assert nmc == {row[0] for row in m.NMC_THRESHOLDS}
    text = matrix_text(general())
    assert ">= 3.65 V [>= 4.25 V]" in text and "<= 2 V [<= 2.2 V]" in text


def test_the_state_of_every_stage(example, of_example):
    facts = stages_of(of_example)
    words = example.safety_image[example.image_map().armed :]
    for (stage, _), word in zip(stage_states.instances(example.topology), words):
        assert (facts[stage[m.S_ID]]["states"][0]["kind"] == "armed") == bool(word)
    wiring = "example: manufacturer's wiring diagram"
    absent = dict(kind="absent", where="", equipment="second_channel", accepted_by=wiring)
    assert facts["51"]["states"] == [{"state": "not fitted", **absent}]
    assert facts["46a"]["states"][0]["state"] == "armed, satisfied by the fire panel"
    assert facts["46b"]["states"][0]["state"] == "not asked for by the hazard analysis"
    for found in (general(), of_example):  # every output is fitted, plain or inverted
        for name, fact in stages_of(found).items():
            wanted = matrix_words.demands(BY_ID[name])
            assert fact["demands"][: len(wanted)] == wanted and fact["demands_not_fitted"] == []
    named, image = of_example["site"], example.safety_image
    assert named["limits_crc"] == f"{p.image_crc(image):08X}"
    assert named["limits_words"] == len(image) == example.image_map().words


def test_a_stage_that_the_bms_does_has_no_numbers_and_no_effects(pylontech):
    facts = matrix_facts.facts(pylontech.load())
    found = stages_of(facts)
    for name, words in BY_BMS.items():
        assert found[name]["trips_at"] == "by the BMS's own limits"
        assert found[name]["instead"] == words
    unreported = set(BY_NOBODY) - {"8c"}
    for name in (*BY_BMS, *unreported):
        stage = found[name]
        assert stage["demands"] == []
        assert {stage[key] for key in ("set", "clear", "debounce_ms", "latest_ms")} == {None}
    text = matrix_text(facts)
    assert text.count("not available: the BMS does not report") == len(unreported)
    assert text.count("done by BMS, by its own limits") == len(BY_BMS)
    assert "140 %" not in text, "the threshold of row 53, which is not available here"
    for words in (*BY_BMS.values(), *[BY_NOBODY[name] for name in unreported]):
        assert words in text


def required(out):
    lines = [line for line in out.split("\n") if "REQUIRED, NOT ARMED" in line]
    return {line.split(" | ")[1] for line in lines}


def test_a_row_that_is_not_accepted_is_required(pylontech, capsys):
    pylontech.drop("site", "bms_cells")
    code, out, err = run(capsys, "document matrix --site", pylontech.paths[2])
    assert (code, len(err)) == (1, 1) and "not_fitted.bms_cells: is missing" in err[0]
    assert required(out) == {"24", "34a", "34b", "34c"}
    assert run(capsys, "check", pylontech.paths[2])[0] == 2


def test_the_matrix_lists_all_missing_equipment_at_once(files, capsys):
    toxic, pcs = ("toxic", "toxic_detector"), ("pcs", "sunspec_pcs")
    role, other = (f'role = "{name}"\n{{}}profile = "{profile}"' for name, profile in (toxic, pcs))
    for old, new in (
        ('"damper_ok"', '""'),
        ('"smoke_2_ok"', '""'),
        ("[device.toxic] ", "[device.other] "),
        (role.format(""), other.format("unit = 1\n")),
        ('bus = "gas"\nunit_id = 5', 'bus = "gas"\nunit_id = 5\nsetpoint_ms = 100'),
    ):
        files.replace("type", old, new)
    code, out, err = run(capsys, "document matrix --site", files.paths[2])
    assert code == 2 and "one device with this role" in err[0], (
        "two converters for one unit: wrong, not missing"
    )
    text = files.paths[0].read_text()
    start, end = text.index("[device.other]"), text.index("[device.climate]")
    files.paths[0].write_text(text[:start] + text[end:])
    code, out, err = run(capsys, "document matrix --site", files.paths[2])
    assert (code, len(err)) == (1, 3)
    needs = f"no device with role toxic: {equipment.with_clauses([9, 10])}"
    assert any(needs in line for line in err)
    assert any('"damper_ok" is not mapped' in line for line in err)
    assert "none, this file is refused and cannot run" in out
    assert "Required and missing: no energisation" in out
    assert required(out) == {"4", "5", "9", "10a", "10b", "16a", "16b"}
    assert all(line.removeprefix("firebreak: ") in out for line in err)
    assert run(capsys, "check", files.paths[2])[0] == 2


def listed_and_marked(files):
    found, lines = configuration.survey(files.paths[2])
    listed = {int(row) for line in lines for row in re.findall(r"row (\d+) \(", str(line))}
    marked = {
        stage[m.S_ROW]
        for stage in m.STAGES
        if any(each["kind"] == "missing" for each in matrix_tables.states(stage, found))
    }
    assert lines and all(
        [line in matrix_tables.site_facts(found, lines)["missing"] for line in lines]
    )
    return listed, marked


VOTED = [
    (name, also)
    for name in ("smoke_1_ok", "smoke_2_ok", "heat_ok")
    for also in ("", "heat", "smoke_2", "smoke")
    if also not in equipment.of_signal(name)
]


@pytest.mark.parametrize("contact, other", VOTED)
def test_a_vote_that_lacks_a_contact_is_not_armed(files, contact, other):
    """This holds even if the other contacts would be enough, or if one of them is accepted."""
    votes = '["suppression", "door", "heat", "smoke", "smoke_2"]'
    files.replace("type", '["suppression", "door"]', votes)
    if other:
        files.without([other], f"{NORA}: test")
        for name in equipment.EQUIPMENT[other].inputs:
            files.replace("type", f'"{name}"', '""')
    files.replace("type", f'"{contact}"', '""')
    assert listed_and_marked(files) == ({4, 5}, {4, 5})


def test_a_vote_with_an_accepted_missing_contact_is_armed(files):
    files.replace("type", '["suppression", "door"]', '["heat", "smoke_2"]')
    before = ""
    for other in ("smoke_2", "heat"):
        line = f'\n{other} = "{NORA}: test"'
        files.replace("site", before, line) if before else files.without([other], f"{NORA}: test")
        before, found = line, files.load()
        for name in ("4", "5"):
            assert [each["state"] for each in matrix_tables.states(BY_ID[name], found)] == ["armed"]
    names = [name for row in schema.INPUT_NAMES.values() for name in row]
    without = {name for name in names if not equipment.of_signal(name)}
    without -= set(equipment.OPTIONAL)
    assert set(NEEDED) == set(equipment.REQUIRED) == without, "a required contact is not equipment"


@pytest.mark.parametrize(
    "contact",
    [
        name
        for names in schema.INPUT_NAMES.values()
        for name in names
        if name not in equipment.OPTIONAL
    ],
)
def test_refusals_and_matrix_agree_without_a_contact(files, contact):
    listed, marked = listed_and_marked(files.replace("type", f'"{contact}"', '""'))
    assert listed == marked == set(equipment.rows_of_input(contact))


@pytest.mark.parametrize(
    "role", [one.roles[0] for one in equipment.EQUIPMENT.values() if one.roles]
)
def test_refusals_and_matrix_agree_without_a_detector(files, role):
    listed, marked = listed_and_marked(files.cut_device(role))
    assert listed == marked and listed


NEEDED = {
    **{"estop_1_ok": {"1a", "1c"}, "estop_2_ok": {"1b", "1c"}, "fire_alarm_ok": {"2"}},
    **{"key_run_ok": {"47a", "47b (project)"}},
    **{"permit_1_closed": set(), "permit_2_closed": set()},
}


@pytest.mark.parametrize(
    "lacking", [(name,) for name in NEEDED] + [tuple(NEEDED), ("smoke_1_ok", "estop_2_ok")]
)
def test_a_missing_required_contact_hides_no_other_missing_equipment(files, capsys, lacking):
    for name in lacking:
        files.replace("type", f'"{name}"', '""')
    code, out, err = run(capsys, "document matrix --site", files.paths[2])
    named = "\n".join(err)
    assert code == 1
    assert all([f'"{name}" is not mapped' in named and name in out for name in lacking])
    smoke = {"4", "5"} if "smoke_1_ok" in lacking else set()
    assert required(out) - smoke == set().union(*[NEEDED.get(name, set()) for name in lacking])
    assert len(err) == len(lacking) and "or not_fitted." not in named
    for command in ("check", "run", "document checklist --site"):
        code, _, err = run(capsys, command, files.paths[2])
        assert code == 2 and "is not mapped" in err[0]
    if len(lacking) == 1:
        files.without([lacking[0]], NORA)
        unknown = f"example/site.toml:not_fitted.{lacking[0]}: is not a known key"
        assert unknown in files.refusal(), "it cannot be accepted"


def test_a_cabinet_without_a_required_row_has_no_checklist_and_never_runs(files, capsys):
    files.replace("type", '"leak_ok"', '""')
    code, out, err = run(capsys, "document checklist --site", files.paths[2])
    assert (code, out) == (2, "") and f"{equipment.with_clauses([42])} would not be armed" in err[0]
    found, lines = configuration.survey(files.paths[2])
    assert len(lines) == 1 and found.topology.not_fitted["leak"] == ""
    with pytest.raises(configuration.ConfigError):
        files.load()


def test_the_checklist_has_a_test_for_each_armed_stage_and_no_other(pylontech, example):
    made = checklist.facts(pylontech.load())
    tested, left = ({each["stage"] for each in made[key]} for key in ("tests", "without"))
    assert tested | left == set(IDS) and not tested & left
    assert {"3", "29", "46a", "52"} <= left and {"1a", "12b", "40c", "48b"} <= tested
    assert [each["row"] for each in made["hard_wired"]] == [1, 2, 12, 44]
    for stage in m.STAGES:
        words = checklist.inject(stage, example)
        assert words and (stage[m.S_GATE] == m.NO_GATE or "; wh" in words or "; with" in words)
    watched = {records.feature_name(stage) for stage in m.STAGES}
    gates = {records.feature_name(stage, m.S_GATE) for stage in m.STAGES if stage[m.S_GATE] >= 0}
    assert {name for name, each in records.FEATURES.items() if each.inject} == watched | gates


STEPS = """
Lock the DC disconnects | Switch the controller off | Hold the outputs | ON, and write it down
Open the contact of the row | Take the jumpers off
"""


def test_the_outputs_are_held_on_from_outside_while_a_chain_is_tested(example, tests_of_example):
    """The modules drop both outputs by themselves: a cabinet without a chain would pass."""
    steps, parts = wired.steps(example), sum(table(STEPS), ())
    places = [next(at for at, words in enumerate(steps) if part in words) for part in parts]
    assert places == list(range(len(steps)))
    modules = {example.topology.driven(output).name for output in wired.HELD}
    assert len(modules) == 2 and all(name in steps[2] for name in modules) and "0.52 s" in steps[1]
    text = checklist_text(tests_of_example)
    assert all(f"| {number} | {words} |" in text for number, words in enumerate(steps, 1))
    assert (
        "both on before" in text
        and "the program waits for zero current, the wiring does not" in text
    )
    assert "Effects that are not fitted" not in text, "every output is wired"


def test_the_time_by_wire_is_that_of_the_chain_alone(example, tests_of_example):
    """Row 12 included: the wiring does not wait for zero current."""
    by_row = {
        each["row"]: (each["enable_latest_ms"], each["supply_latest_ms"])
        for each in tests_of_example["hard_wired"]
    }
    chain_ms = time_chain.CONTACT_MS + time_chain.RELAY_MS
    for row in (1, 2, 3, 12, 30):
        assert by_row[row] == (chain_ms, chain_ms + time_chain.OPENING_MS)
    expiry_ms = example.cabinet["permit_expiry_ms"]
    assert by_row[44][0] == expiry_ms + time_chain.RELAY_MS


@pytest.mark.parametrize("named", ([], [36]))
def test_the_checklist_has_all_hard_wired_rows_of_a_site(files, named):
    rows = sorted([1, 2, 3, 12, 30, 44, *named])
    old, new = "hard_wired_rows = [1, 2, 3, 12, 30, 44]", f"hard_wired_rows = {rows[::-1]}"
    loaded = files.replace("type", old, new).load()
    made, keys = checklist.facts(loaded), [f"{row}w" for row in rows]
    assert [each["key"] for each in made["hard_wired"]] == keys
    text = checklist_text(made)
    for key, row in zip(keys, rows):
        assert f"| {key} | {records.WIRED[row].inject} |" in text
    planned, allowed_ms = proof_plan.plan(loaded), proof_plan.allowed_ms(loaded)
    assert {key for key in planned if key.endswith("w")} == set(keys) <= set(allowed_ms)
    assert matrix_tables.site_facts(loaded)["hard_wired_rows"] == rows


def test_the_time_of_every_stage(example, schedule):
    assumed = ("contact", "sensor", "I/O module, relay", "PCS")
    for stage in m.STAGES:
        parts = time_chain.chain(example, schedule, stage)
        times_ms = {part.what: part.time_ms for part in parts}
        assert len(times_ms) == len(parts) and min(times_ms.values()) >= 0
        assert times_ms["debounce"] == max(20, -(-stage[m.S_SET_MS] // 20) * 20)
        assert times_ms["tick"] == 20
        assert ("ramp" in times_ms) == (stage[m.S_DEMAND][m.D_PCS] == m.PCS_RAMP)
        assert all(part.is_assumed == (part.what in assumed) for part in parts)
    for stage, wait_ms in ("1a", 200), ("4", 2000), ("12a", None), ("27", None):
        opening_ms = wait_ms and wait_ms + time_chain.OPENING_MS
        assert time_chain.opening_ms(example, BY_ID[stage]) == opening_ms


def test_checklist_and_check_agree_on_the_time_of_an_emergency_stop(example, schedule):
    parts = time_chain.chain(example, schedule, BY_ID["1b"])
    computed_ms = sum([part.time_ms for part in parts if not part.is_assumed])
    total_ms = sum([part.time_us for part in bus_times.stop_latency(example, schedule)]) / 1000
    assert total_ms <= computed_ms <= total_ms + 2
    # a fan on the module of the enable: its coils are written one period after those of the supply
    plain_ms, waiting_ms = [
        time_chain.write_ms(example, schedule, ("fan_on",), keeps) for keeps in (False, True)
    ]
    assert waiting_ms == plain_ms + example.coil_period_ms + example.tick_ms
    parts = {part.what: part.time_ms for part in time_chain.chain(example, schedule, BY_ID["16a"])}
    assert parts["I/O write"] == waiting_ms


PARTS = """
40c silence 3000, 41c silence 5000, 46a silence 901000, 49 silence 500, 52 silence 10000,
13b silence 3000, 39 report 600, 23a window 10000, 11 sensor 20000, 17b sensor 30000, 43a sensor 0,
18a sensor 10000, 44c silence 0, 1a silence None
"""


def test_the_checklist_has_empty_columns_and_the_parts_of_each_time(
    tests_of_example, example, schedule
):
    blocks = checklist_page.blocks(tests_of_example)
    tables = [block for block in blocks if isinstance(block, document.Table)]
    (found,) = [block for block in tables if "how to inject" in block.headers]
    assert found.headers[-4:] == ("measured, s", "tester", "date", "pass") and found.blanks == 4
    for cells in found.rows:
        assert cells[-4:] == ("", "", "", "") and len(cells) == len(found.headers)
    assert len(found.rows) == len(m.STAGES) - 2
    for part in " ".join(PARTS.split()).split(", "):
        stage, what, time_ms = part.split(" ")
        parts = time_chain.chain(example, schedule, BY_ID[stage])
        assert str({part.what: part.time_ms for part in parts}.get(what)) == time_ms


def test_the_book_of_reasons_has_every_code_once(capsys):
    code, out, _ = run(capsys, "document reasons")
    assert code == 0 and out.isascii()
    found = reason_book.facts()
    assert [code["code"] for code in found["codes"]] == sorted(reason_words.TEXTS)
    names = [stage["stage"] for stage in found["stages"]]
    assert sorted(names) == sorted(IDS) and names.index("23a") < names.index("22")
    assert [BY_ID[name] for name in names] == sorted(
        [BY_ID[name] for name in names], key=danger.order
    )
    text = document.markdown(reason_book.blocks(found))
    for code in reason_words.TEXTS:
        if code != reasons.NONE:
            assert text.count(f"| R{code} | {reason_words.text(code)[0]} | ") == 1
