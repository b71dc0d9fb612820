"""`firebreak matrix`, `checklist` and `reasons`: complete, as the tables and the site say, and fit
to print.
"""

import html
import html.parser
import json
import re

import pytest

from controller import __main__
from controller.core import reasons
from controller.documents import checklist, document, matrix_page, matrix_tables, reason_book
from controller.rows import matrix_words, reason_words, records
from controller.site import (
    bus_times,
    config,
    equipment,
    proof_plan,
    schema,
    stage_states,
    time_chain,
    wired,
)
from controller.sites import EXAMPLE
from safety import matrix as m
from safety import parameters as p
from tests.repository import ROOT

IDS = [stage[m.S_ID] for stage in m.STAGES]
BY_ID = {stage[m.S_ID]: stage for stage in m.STAGES}


@pytest.fixture(scope="module")
def example():
    """The default cabinet."""
    return config.load(EXAMPLE)


def stages_of(facts):
    """{stage id: its facts} of matrix_facts."""
    return {stage["stage"]: stage for row in facts["rows"] for stage in row["stages"]}


def run(capsys, *argv):
    """(exit code, output, complaint) of the command."""
    code = __main__.main(list(argv))
    out, err = capsys.readouterr()
    assert out.isascii() and err.isascii()
    return code, out, err


OURS = [name for name, stage in records.STAGES.items() if stage.is_ours]
BY_BMS = {name: stage.by_bms for name, stage in records.STAGES.items() if stage.by_bms}
BY_NOBODY = {name: stage.by_nobody for name, stage in records.STAGES.items() if stage.by_nobody}


# -- the whole matrix


def test_every_row_and_every_stage_is_there():
    facts = matrix_page.matrix_facts()
    assert [row["row"] for row in facts["rows"]] == list(records.ROWS)
    assert sorted(stages_of(facts)) == sorted(IDS)
    for row in facts["rows"]:
        assert (row["what"], row["basis"], row["confidence"]) == records.ROWS[row["row"]][1:4]
        assert row["is_ours"] == (row["row"] > 48)
        for stage in row["stages"]:
            assert stage["is_ours"] == (row["is_ours"] or stage["stage"] in OURS)
            if stage["stage"] not in OURS:
                assert (stage["basis"], stage["confidence"]) == (row["basis"], row["confidence"])


@pytest.mark.parametrize("with_site", (False, True))
def test_a_stage_of_ours_says_so_beside_the_basis_of_its_row(files, capsys, with_site):
    given = ["--site", str(files.paths[2])] if with_site else []
    markdown, page, said = [
        run(capsys, "matrix", *given, "--format", form)[1] for form in document.FORMATS
    ]
    for stage in OURS:
        basis = f"ours; its row has {records.ROWS[BY_ID[stage][m.S_ROW]].basis}"
        (line,) = [line for line in markdown.splitlines() if f"| {stage} (ours) |" in line]
        assert line.endswith(f"| {basis} | D |")
        assert f"{stage} (ours)" in page and html.escape(basis) in page
        facts = stages_of(json.loads(said))[stage]
        assert (facts["is_ours"], facts["basis"], facts["confidence"]) == (True, basis, "D")


def test_what_yields_to_the_fuse_is_said(example, capsys):
    """The document says it of row 36; the program does it whatever row opens."""
    for found, words in (
        (None, "at most fuse_wait_ms of [cabinet], above break_current_mA of the rack"),
        (example, "at most 30 s, above 300 A"),
    ):
        text = document.markdown(matrix_page.matrix_blocks(matrix_page.matrix_facts(found)))
        section = text[text.index("Effects that yield") : text.index("Where a stage was read")]
        fuse = "no row: the fuse, while a rack carries more than its contactors break"
        assert f"| contactors open | {fuse} | {words} | C65 |" in section


def test_what_is_unconfirmed_says_so():
    facts = matrix_page.matrix_facts()
    doubt = {row["row"] for row in facts["rows"] if row["is_unconfirmed"]}
    assert doubt == {
        number
        for number, row in records.ROWS.items()
        if row.confidence == "G" or "(?)" in row.basis
    }
    assert len(doubt) > 4
    text = document.markdown(matrix_page.matrix_blocks(facts))
    for row in records.ROWS:
        lines = [line for line in text.split("\n") if line.startswith(f"| {row} | {row}")]
        assert lines and all(
            ("(?) |" in line) == (row in doubt and "| ours; " not in line) for line in lines
        )


@pytest.mark.parametrize(
    "stage, trips, after_s, clears, reset, words",
    [
        (
            "12a",
            ">= 25 % LFL",
            "at once",
            "<= 20 % LFL",
            "key on site",
            "contactors open at zero current only",
        ),
        ("17b", ">= 45.1 degC", "60 s", "<= 43 degC", "by itself", "no charging"),
        ("25a", "<= -0.1 degC", "10 s", ">= 3 degC", "by itself", "no charging"),
        ("29", ">= 3.65 V", "2 s", "<= 3.55 V", "remote", "PCS stop"),
        (
            "37b",
            "<= 99 ohm/V",
            "5 s",
            ">= 500 ohm/V",
            "key on site",
            "contactors open at zero current or after 2 s",
        ),
        ("38b", ">= 10000 mV", "5 s", "<= 5000 mV", "remote", "no closing"),
        ("39", "", "0.3 s", "", "key on site", "shunt trip upstream"),
        ("42c", ">= 90.1 %", "60 s", "<= 85 %", "by itself", "no discharging"),
        ("43c", "<= 29 min", "5 s", ">= 40 min", "remote", "fire panel told"),
        ("46b", ">= 901 s", "at once", "<= 1 s", "by itself", "charging at most 50 %"),
        ("19b", ">= 50 degC", "5 s", "<= 48 degC", "by itself", "discharging at most 25 %"),
        ("7", ">= 20 ppm", "5 s", "<= 10 ppm", "remote", "power to zero in 2 s"),
        ("40b", ">= 1 s", "at once", "", "remote", "power to zero in 2 s"),
        ("35b", "> 0", "10 s", "", "remote", "PCS stop"),
    ],
)
def test_a_stage_in_words(stage, trips, after_s, clears, reset, words):
    facts = stages_of(matrix_page.matrix_facts())[stage]
    assert (facts["trips_at"], matrix_words.after(facts["debounce_ms"])) == (trips, after_s)
    assert (facts["clears_at"], facts["reset"]) == (clears, reset) and words in facts["demands"]


def test_nmc_values_stand_in_brackets():
    facts = stages_of(matrix_page.matrix_facts())
    assert {name for name, stage in facts.items() if "nmc" in stage} == {
        row[0] for row in m.NMC_THRESHOLDS
    }
    text = document.markdown(matrix_page.matrix_blocks(matrix_page.matrix_facts()))
    assert ">= 3.65 V [>= 4.25 V]" in text and "<= 2 V [<= 2.2 V]" in text


@pytest.mark.parametrize("stage", IDS)
def test_every_demand_has_words(stage):
    demand = BY_ID[stage][m.S_DEMAND]
    assert len(matrix_words.demands(BY_ID[stage])) == sum([1 for level in demand if level])
    assert matrix_words.cause(BY_ID[stage])


# -- a site


def test_the_state_of_every_stage(files):
    found = files.load()
    facts = stages_of(matrix_page.matrix_facts(found))
    words = found.safety_image[found.image_map().armed :]
    for (stage, _), word in zip(stage_states.instances(found.topology), words):
        assert (facts[stage[m.S_ID]]["states"][0]["kind"] == "armed") == bool(word)
    assert facts["51"]["states"] == [
        {
            "state": "not fitted",
            "kind": "absent",
            "where": "",
            "equipment": "second_channel",
            "accepted_by": "example: manufacturer's wiring diagram",
        }
    ]
    assert facts["46a"]["states"][0]["state"] == "armed, satisfied by the fire panel"
    assert facts["46b"]["states"][0]["state"] == "not asked for by the hazard analysis"


def test_thresholds_are_those_of_the_site(files):
    files.append("site", "[stage.29]\nset = 3640\nset_ms = 1000\n[rack.all]\nbms_ramp_ms = 900")
    facts = stages_of(matrix_page.matrix_facts(files.load()))
    assert (facts["29"]["trips_at"], facts["29"]["debounce_ms"]) == (">= 3.64 V", 1000)
    assert facts["40b"]["trips_at"] == ">= 0.9 s"


def test_the_crc_is_that_of_the_image(files):
    found = files.load()
    named = matrix_tables.site(found)
    assert named["limits_crc"] == f"{p.image_crc(found.safety_image):08X}"
    assert named["limits_words"] == len(found.safety_image) == found.image_map().words


def test_racks_that_differ_are_said_apart(files):
    files.replace(
        "type",
        'profile = "firebreak_rack"\nbus = "can0"\nnode = 3',
        'profile = "pylontech_lv"\nbus = "can1"',
    )
    files.append("type", '[bus.can1]\nkind = "can"\nbitrate_bps = 500000\n')
    files.append("cabinet", '[bus.can1]\ninterface = "socketcan"\nchannel = "can1"')
    names = ["insulation", *equipment.UNTOLD]
    files.replace("type", '["suppression", "door"]', str(names).replace("'", '"'))
    files.append(
        "site",
        "[not_fitted]\n" + "\n".join([f'{name} = "Nora Toft, 2026-01-01"' for name in names]),
    )
    found = stages_of(matrix_page.matrix_facts(files.load()))
    assert [
        (each["state"], each["where"], each["accepted_by"]) for each in found["37a"]["states"]
    ] == [("armed", "rack 1 2", ""), ("not fitted", "rack 3", "Nora Toft, 2026-01-01")]
    words = "armed (rack 1 2); done by BMS, by its own limits (rack 3)"
    assert matrix_tables.state_cell(found["29"]["states"]) == document.Mark("other", words)
    assert (found["29"]["set"], found["29"]["instead"]) == (3650, ""), (
        "of the racks that have it armed"
    )


def test_what_the_bms_does_has_no_numbers_and_no_effects_of_ours(pylontech):
    found = stages_of(matrix_page.matrix_facts(pylontech.load()))
    for name, words in BY_BMS.items():
        assert (found[name]["trips_at"], found[name]["instead"]) == (
            "by the BMS's own limits",
            words,
        )
    for name in (*BY_BMS, *set(BY_NOBODY) - {"8c"}):
        stage = found[name]
        assert (
            stage["demands"],
            stage["set"],
            stage["clear"],
            stage["debounce_ms"],
            stage["latest_ms"],
        ) == ([], None, None, None, None)


@pytest.mark.parametrize("form", document.FORMATS)
def test_every_format_says_what_the_bms_does_and_what_nobody_does(pylontech, capsys, form):
    code, out, _ = run(capsys, "matrix", "--site", str(pylontech.paths[2]), "--format", form)
    out = html.unescape(out)
    assert code == 0 and out.count("not available: the BMS does not tell") == len(BY_NOBODY) - 1
    assert out.count("done by BMS, by its own limits") == len(BY_BMS)
    assert "140 %" not in out, "the threshold of row 53, which nobody watches here"
    for words in (*BY_BMS.values(), *[words for name, words in BY_NOBODY.items() if name != "8c"]):
        assert words in out


def test_a_row_that_nobody_does_and_nobody_accepted_is_required(pylontech, capsys):
    text = pylontech.paths[1].read_text()
    pylontech.paths[1].write_text(
        "\n".join([line for line in text.split("\n") if not line.startswith("bms_cells")])
    )
    code, out, err = run(capsys, "matrix", "--site", str(pylontech.paths[2]))
    assert code == 1 and err.count("\n") == 1 and "not_fitted.bms_cells: is missing" in err
    assert {line.split(" | ")[1] for line in out.split("\n") if "REQUIRED, NOT ARMED" in line} == {
        "24",
        "34a",
        "34b",
        "34c",
    }
    assert run(capsys, "check", str(pylontech.paths[2]))[0] == 2


# -- what is required and missing


@pytest.mark.parametrize(
    "said, stage, words",
    [
        ("[rack.2]\nbms_ramp_ms = 800", "40b", ">= 0.8 or 1 s"),
        ("[rack.all]\nbms_ramp_ms = 800", "40b", ">= 0.8 s"),
        ("[rack.1]\nbms_stop_ms = 2500\n[rack.2]\nbms_stop_ms = 2000", "40c", ">= 2 or 2.5 or 3 s"),
    ],
)
def test_a_silence_is_told_of_every_rack(files, said, stage, words):
    """Each rack may be tighter: what rack 1 has is not what the others have."""
    found = files.append("site", said).load()
    assert stages_of(matrix_page.matrix_facts(found))[stage]["trips_at"] == words
    assert (
        next(test["trips_at"] for test in checklist.facts(found)["tests"] if test["stage"] == stage)
        == words
    )


def test_everything_that_is_missing_is_named_at_once(files, capsys):
    files.replace("type", '"damper_ok"', '""').replace("type", '"smoke_2_ok"', '""').replace(
        "type", "[device.toxic] ", "[device.other] "
    ).replace(
        "type",
        'role = "toxic"\nprofile = "toxic_detector"',
        'role = "pcs"\nunit = 1\nprofile = "sunspec_pcs"',
    )
    files.replace("type", 'bus = "gas"\nunit_id = 5', 'bus = "gas"\nunit_id = 5\nsetpoint_ms = 100')
    code, out, err = run(capsys, "matrix", "--site", str(files.paths[2]))
    assert code == 2 and "once" in err, "two converters for one unit: that is wrong, not missing"
    text = files.paths[0].read_text()
    start, end = text.index("[device.other]"), text.index("[device.climate]")
    files.paths[0].write_text(text[:start] + text[end:])
    code, out, err = run(capsys, "matrix", "--site", str(files.paths[2]))
    assert code == 1 and err.count("\n") == 3
    assert (
        "no device with role toxic: row 9 (A35) and row 10 (C50)"
    ) in err and '"damper_ok" is not mapped' in err
    assert (
        "none, this file is refused and cannot run"
    ) in out and "Required and missing: no energisation" in out
    missing = {line.split(" | ")[1] for line in out.split("\n") if "REQUIRED, NOT ARMED" in line}
    assert missing == {"4", "5", "9", "10a", "10b", "16a", "16b"}, (
        "nobody accepted a vote of one zone and heat"
    )
    for line in err.strip().split("\n"):
        assert line.removeprefix("firebreak: ") in out
    assert run(capsys, "check", str(files.paths[2]))[0] == 2


def test_an_effect_without_an_output_is_not_fitted_and_says_who_accepted_that(pylontech, capsys):
    """Behind all that follows, as an acceptance has commas of its own; nothing of it where the row
    is the BMS's.
    """
    found = stages_of(matrix_page.matrix_facts(pylontech.load()))
    assert (
        "shunt trip upstream" not in found["39"]["demands"]
        and found["21a"]["demands_not_fitted"] == []
    )
    assert found["39"]["demands_not_fitted"] == [
        {
            "effect": "shunt trip upstream",
            "equipment": "shunt_trip",
            "accepted_by": "N. N., manufacturer, 2026-02-01: the rack has a fuse and no breaker "
            "upstream",
        }
    ]
    out = run(capsys, "matrix", "--site", str(pylontech.paths[2]))[1]
    (line,) = [line for line in out.splitlines() if line.startswith("| 39 |")]
    assert (
        "fire panel told, operator told; shunt trip upstream: not fitted, accepted by N. N., "
        "manufacturer, "
        "2026-02-01: the rack has a fuse and no breaker upstream |"
    ) in line
    (line,) = [line for line in out.splitlines() if line.startswith("| 11 |")]
    assert (
        "; pre-alarm to fire panel: not fitted, accepted by J. Doe, fire officer" in line
        and "; loads not rated for gas off: not fitted, accepted by N. N., manufacturer" in line
    )


def test_an_effect_that_has_an_output_is_printed_as_the_matrix_demands_it(example):
    """Wired plain or inverted; without a site nothing is known of outputs."""
    for found in (example, None):
        for name, facts in stages_of(matrix_page.matrix_facts(found)).items():
            wanted = matrix_words.demands(BY_ID[name])
            assert facts["demands"][: len(wanted)] == wanted and facts["demands_not_fitted"] == []


def test_an_effect_whose_output_nobody_accepted_as_missing_is_named(pylontech, capsys):
    text = pylontech.paths[1].read_text()
    pylontech.paths[1].write_text(
        "\n".join([line for line in text.split("\n") if not line.startswith("pre_alarm")])
    )
    code, out, err = run(capsys, "matrix", "--site", str(pylontech.paths[2]))
    assert code == 1 and err.count("\n") == 1
    assert (
        '"pre_alarm_on" is not mapped; allowed all 8 needed outputs, each once, or '
        "not_fitted.pre_alarm"
    ) in err
    # of the rows, not of the readings
    line = next(line for line in out.splitlines() if line.startswith("| 2 |"))
    assert "; pre-alarm to fire panel: REQUIRED, NOT FITTED |" in line


def listed_and_marked(files, capsys):
    """(rows that the refusals name, rows that the table marks as missing) of `firebreak matrix
    --site`.
    """
    code, out, err = run(capsys, "matrix", "--site", str(files.paths[2]))
    assert code == 1 and "Required and missing: no energisation" in out
    listed = {int(row) for line in err.splitlines() for row in re.findall(r"row (\d+) \(", line)}
    return listed, {
        int(line.split(" | ")[0].removeprefix("| "))
        for line in out.splitlines()
        if "REQUIRED, NOT ARMED" in line
    }


VOTED = [
    (name, also)
    for name in ("smoke_1_ok", "smoke_2_ok", "heat_ok")
    for also in ("", "heat", "smoke_2", "smoke")
    if also not in equipment.of_signal(name)
]


@pytest.mark.parametrize("contact, accepted", VOTED)
def test_a_vote_that_lacks_a_contact_is_not_armed(files, capsys, contact, accepted):
    """Also where those that are left would be enough, and where another one is accepted as
    missing.
    """
    files.replace(
        "type", '["suppression", "door"]', '["suppression", "door", "heat", "smoke", "smoke_2"]'
    )
    if accepted:
        files.append("site", f'[not_fitted]\n{accepted} = "Nora Toft, 2026-01-01: test"')
        for name in equipment.EQUIPMENT[accepted].inputs:
            files.replace("type", f'"{name}"', '""')
    files.replace("type", f'"{contact}"', '""')
    assert listed_and_marked(files, capsys) == ({4, 5}, {4, 5})


@pytest.mark.parametrize("accepted", ("smoke_2", "heat"))
def test_a_vote_of_fewer_that_somebody_accepted_is_armed(files, accepted):
    files.replace("type", '["suppression", "door"]', '["heat", "smoke_2"]')
    found = files.append("site", f'[not_fitted]\n{accepted} = "Nora Toft, 2026-01-01: test"').load()
    by_stage = stages_of(matrix_page.matrix_facts(found))
    assert [[each["state"] for each in by_stage[name]["states"]] for name in ("4", "5")] == [
        ["armed"],
        ["armed"],
    ]


@pytest.mark.parametrize(
    "contact", [name for names in schema.INPUT_NAMES.values() for name in names]
)
def test_the_list_of_what_is_missing_and_the_table_agree(files, capsys, contact):
    listed, marked = listed_and_marked(files.replace("type", f'"{contact}"', '""'), capsys)
    assert listed == marked == set(equipment.rows_of_input(contact))


@pytest.mark.parametrize(
    "role", [one.roles[0] for one in equipment.EQUIPMENT.values() if one.roles]
)
def test_the_list_and_the_table_agree_without_a_detector(files, capsys, role):
    text = files.paths[0].read_text()
    start = text.index(f"[device.{role}]")
    end = text.find("[device.", start + 1)
    files.paths[0].write_text(text[:start] + (text[end:] if end > 0 else ""))
    listed, marked = listed_and_marked(files, capsys)
    assert listed == marked and listed


NEEDED = {
    "estop_1_ok": {"1a", "1c"},
    "estop_2_ok": {"1b", "1c"},
    "fire_alarm_ok": {"2"},
    "key_run_ok": {"47"},
    "permit_1_closed": set(),
    "permit_2_closed": set(),
}


def test_what_nobody_may_leave_out_is_what_no_equipment_has():
    names = [
        name for row in schema.INPUT_NAMES.values() for name in row if not equipment.of_signal(name)
    ]
    assert set(NEEDED) == set(equipment.REQUIRED) == set(names)


@pytest.mark.parametrize(
    "lacking", [(name,) for name in NEEDED] + [tuple(NEEDED), ("smoke_1_ok", "estop_2_ok")]
)
def test_a_contact_that_nobody_may_leave_out_is_named_like_the_others(files, capsys, lacking):
    """The emergency stop alone was a line with code 2 that hid all else that was missing."""
    for name in lacking:
        files.replace("type", f'"{name}"', '""')
    code, out, err = run(capsys, "matrix", "--site", str(files.paths[2]))
    assert code == 1 and all([f'"{name}" is not mapped' in err and name in out for name in lacking])
    missing = {line.split(" | ")[1] for line in out.split("\n") if "REQUIRED, NOT ARMED" in line}
    smoke = {"4", "5"} if "smoke_1_ok" in lacking else set()
    assert missing - smoke == set().union(*[NEEDED.get(name, set()) for name in lacking])
    assert err.count("\n") == len(lacking) and "or not_fitted." not in err
    for command in (("check",), ("run",), ("checklist", "--site")):
        code, _, err = run(capsys, *command, str(files.paths[2]))
        assert code == 2 and "is not mapped" in err


@pytest.mark.parametrize("name", NEEDED)
def test_a_contact_that_nobody_may_leave_out_cannot_be_accepted(files, name):
    files.replace("type", f'"{name}"', '""').append(
        "site", f'[not_fitted]\n{name} = "Nora Toft, 2026-01-01"'
    )
    assert f"example/site.toml:not_fitted.{name}: is not a known key" in files.refusal()


@pytest.mark.parametrize("command", ("matrix", "checklist"))
def test_debounces_that_whole_ticks_make_longer_head_the_document(files, capsys, command):
    """The sentence that a site may only tighten does not hold for them."""
    said = "Whole ticks make these debounces longer than the matrix has them"
    assert said not in run(capsys, command, "--site", str(files.paths[2]))[1]
    files.replace("type", "tick_ms = 20 ", "tick_ms = 40 ")
    for form in ("md", "html"):
        out = run(capsys, command, "--site", str(files.paths[2]), "--format", form)[1]
        assert said in out and ("3 0.1 s -&gt; 0.12 s") in out.replace(
            "3 0.1 s -> 0.12 s", "3 0.1 s -&gt; 0.12 s"
        )
    facts = json.loads(run(capsys, command, "--site", str(files.paths[2]), "--format", "json")[1])
    assert {"stage": "3", "matrix_ms": 100, "here_ms": 120} in facts["site"]["longer_by_tick"]


@pytest.mark.parametrize("command", ("matrix", "checklist"))
def test_a_file_that_is_wrong_is_one_line(files, capsys, command):
    files.append("site", "[rack.all]\nrated_curent_mA = 1000")
    code, out, err = run(capsys, command, "--site", str(files.paths[2]))
    assert (code, out, err.count("\n")) == (2, "", 1) and (
        'nearest key "rack.all.rated_current_mA"'
    ) in err


def test_no_checklist_of_a_cabinet_that_lacks_a_row(files, capsys):
    files.replace("type", '"leak_ok"', '""')
    code, out, err = run(capsys, "checklist", "--site", str(files.paths[2]))
    assert (code, out) == (2, "") and "row 42 (D4-D7) would not be armed" in err


def test_a_survey_is_never_what_runs(files):
    files.replace("type", '"leak_ok"', '""')
    found, lines = config.survey(files.paths[2])
    assert len(lines) == 1 and found.topology.not_fitted["leak"] == ""
    with pytest.raises(config.ConfigError):
        files.load()


# -- the checklist


def test_a_test_for_each_armed_stage_and_no_other(pylontech):
    made = checklist.facts(pylontech.load())
    tested, left = (
        {test["stage"] for test in made["tests"]},
        {each["stage"] for each in made["without"]},
    )
    assert tested | left == set(IDS) and not tested & left
    assert {"3", "29", "46a", "52"} <= left and {"1a", "12b", "40c", "48b"} <= tested
    assert [each["row"] for each in made["hard_wired"]] == [1, 12, 44]


def test_the_checklist_asks_for_no_effect_without_an_output(pylontech):
    """Else the test cannot pass, or somebody ticks what did not happen."""
    found = pylontech.load()
    made = checklist.facts(found)
    lacking = {
        "39": ["shunt trip upstream"],
        "11": ["pre-alarm to fire panel", "loads not rated for gas off"],
        "2": ["pre-alarm to fire panel"],
        "1a": [],
    }
    by_stage = {test["stage"]: test for test in made["tests"]}
    for stage, effects in lacking.items():
        assert [each["effect"] for each in by_stage[stage]["demands_not_fitted"]] == effects
        wanted = [words for words in matrix_words.demands(BY_ID[stage]) if words not in effects]
        assert by_stage[stage]["demands"] == wanted and "PCS stop" in wanted
    text = document.markdown(checklist.blocks(made))
    for words in ("shunt trip upstream", "loads not rated for gas off", "pre-alarm to fire panel"):
        (line,) = [line for line in text.splitlines() if words in line]
        assert line.startswith(f"| {words} | ") and ", 2026-0" in line
    assert (
        "Effects that are not fitted (3)"
    ) in text and "| shunt trip upstream | 39 | N. N., manufacturer" in text


def test_with_every_output_wired_nothing_is_said_of_effects_that_are_not_fitted(example):
    made = checklist.facts(example)
    assert not any(test["demands_not_fitted"] for test in made["tests"])
    assert "Effects that are not fitted" not in document.markdown(checklist.blocks(made))


@pytest.mark.parametrize("stage", IDS)
def test_how_to_inject_is_said(stage, example):
    words = checklist.inject(BY_ID[stage], example)
    assert words and (BY_ID[stage][m.S_GATE] == m.NO_GATE or "; wh" in words or "; with" in words)


def test_nothing_is_injected_that_no_stage_looks_at():
    watched = {records.feature_name(stage) for stage in m.STAGES}
    gates = {records.feature_name(stage, m.S_GATE) for stage in m.STAGES if stage[m.S_GATE] >= 0}
    assert {name for name, each in records.FEATURES.items() if each.inject} == watched | gates


def test_a_chain_is_proven_by_outputs_that_something_else_holds_on(example):
    """With the controller off the modules drop both by themselves: a cabinet without a chain would
    pass.
    """
    steps = wired.steps(example)
    order = [
        next(number for number, words in enumerate(steps) if part in words)
        for part in (
            "Lock the DC disconnects",
            "Switch the controller off",
            "Hold the outputs",
            "ON, and mark it",
            "Open the contact of the row",
            "Take the jumpers off",
        )
    ]
    assert order == list(range(len(steps)))
    modules = {example.topology.driven(output).name for output in wired.HELD}
    assert len(modules) == 2 and all(name in steps[2] for name in modules) and "0.52 s" in steps[1]
    text = document.markdown(checklist.blocks(checklist.facts(example)))
    assert all(f"| {number} | {words} |" in text for number, words in enumerate(steps, 1))
    assert "both on before" in text and "the wiring does not wait for zero current" in text


def test_the_time_by_wire_is_that_of_the_chain_alone(example):
    by_row = {each["row"]: each for each in checklist.facts(example)["hard_wired"]}
    chain_ms = time_chain.CONTACT_MS + time_chain.RELAY_MS
    for row in (1, 12, 30):
        assert (by_row[row]["enable_latest_ms"], by_row[row]["supply_latest_ms"]) == (
            chain_ms,
            chain_ms + time_chain.OPENING_MS,
        ), "12 as well: by wire nothing waits for zero current"
    assert (
        by_row[44]["enable_latest_ms"] == example.cabinet["permit_expiry_ms"] + time_chain.RELAY_MS
    )


@pytest.mark.parametrize("named", ([], [2], [3, 36], [2, 3, 36]))
def test_what_a_site_names_besides_is_proven_by_wire_and_recorded_so(files, named):
    rows = sorted([1, 12, 30, 44, *named])
    loaded = files.replace(
        "type", "hard_wired_rows = [1, 12, 30, 44]", f"hard_wired_rows = {rows[::-1]}"
    ).load()
    made, keys = checklist.facts(loaded), [f"{row}w" for row in rows]
    assert [each["key"] for each in made["hard_wired"]] == keys
    assert all(
        f"| {key} | {records.WIRED[row].inject} |" in document.markdown(checklist.blocks(made))
        for key, row in zip(keys, rows)
    )
    planned, allowed_ms = proof_plan.plan(loaded), proof_plan.allowed_ms(loaded)
    assert {key for key in planned if key.endswith("w")} == set(keys) <= set(allowed_ms)
    assert matrix_page.matrix_facts(loaded)["site"]["hard_wired_rows"] == rows


@pytest.mark.parametrize(
    "said, keys", [("# hard_wired_rows", []), ("hard_wired_rows = [30]  #", ["30w"])]
)
def test_a_cabinet_with_a_second_channel_proves_by_wire_what_it_says_acts_so(files, said, keys):
    files.replace("type", 'second_channel = "none" ', 'second_channel = "fitted" ')
    files.replace("type", "[unit.1]\n", '[channel_b]\nport = "/dev/serial/by-path/b"\n\n[unit.1]\n')
    made = checklist.facts(files.replace("type", "hard_wired_rows = [1, 12, 30, 44]", said).load())
    assert [each["key"] for each in made["hard_wired"]] == keys
    assert ("| 30w | " in document.markdown(checklist.blocks(made))) == bool(keys)


@pytest.mark.parametrize("stage", IDS)
def test_the_time_of_every_stage(files, stage):
    """At least its debounce and a tick, its silence if that is the cause; parts that add up; more
    with a ramp.
    """
    found = files.load()
    parts = time_chain.chain(found, bus_times.schedule(found), BY_ID[stage])
    times_ms = {part.what: part.time_ms for part in parts}
    assert len(times_ms) == len(parts) and all(time_ms >= 0 for time_ms in times_ms.values())
    assert (
        times_ms["debounce"] == max(20, -(-BY_ID[stage][m.S_SET_MS] // 20) * 20)
        and times_ms["tick"] == 20
    )
    assert ("ramp" in times_ms) == (BY_ID[stage][m.S_DEMAND][m.D_PCS] == m.PCS_RAMP)
    assert all(
        part.is_assumed == (part.what in ("contact", "sensor", "I/O module, relay", "PCS"))
        for part in parts
    )


def test_the_time_of_an_emergency_stop_is_that_of_check(files):
    found = files.load()
    schedule = bus_times.schedule(found)
    computed = [
        part.time_ms
        for part in time_chain.chain(found, schedule, BY_ID["1b"])
        if not part.is_assumed
    ]
    total_ms = sum([part.time_us for part in bus_times.stop_latency(found, schedule)]) / 1000
    assert total_ms <= sum(computed) <= total_ms + 2


@pytest.mark.parametrize(
    "stage, what, time_ms",
    [
        ("40c", "silence", 3000),
        ("41c", "silence", 5000),
        ("46a", "silence", 901_000),
        ("49", "silence", 500),
        ("52", "silence", 10_000),
        ("13b", "silence", 3000),
        ("39", "report", 600),
        ("23a", "window", 10_000),
        ("11", "sensor", 20_000),
        ("17b", "sensor", 30_000),
        ("43a", "sensor", 0),
        ("18a", "sensor", 10_000),
        ("1a", "silence", None),
        ("44c", "silence", 0),
    ],
)
def test_what_a_time_is_made_of(files, stage, what, time_ms):
    found = files.load()
    parts = {
        part.what: part.time_ms
        for part in time_chain.chain(found, bus_times.schedule(found), BY_ID[stage])
    }
    assert parts.get(what) == time_ms


def test_where_the_enable_stays_its_module_waits_for_the_supplys(files):
    """A fan on the module of the enable: its coils are written in the tick after the supply's, a
    period apart.
    """
    found = files.load()
    schedule = bus_times.schedule(found)
    plain_ms, waiting_ms = [
        time_chain.write_ms(found, schedule, ("fan_on",), keeps) for keeps in (False, True)
    ]
    assert waiting_ms == plain_ms + found.coil_period_ms + found.tick_ms
    parts = {part.what: part.time_ms for part in time_chain.chain(found, schedule, BY_ID["16a"])}
    assert parts["I/O write"] == waiting_ms


def test_contactors_open_after_the_wait_of_their_row(files):
    found = files.load()
    assert time_chain.opening_ms(found, BY_ID["1a"]) == 200 + time_chain.OPENING_MS
    assert time_chain.opening_ms(found, BY_ID["4"]) == 2000 + time_chain.OPENING_MS
    assert (
        time_chain.opening_ms(found, BY_ID["12a"]) is None
        and time_chain.opening_ms(found, BY_ID["27"]) is None
    )


def test_the_checklist_leaves_room_to_write(files):
    blocks = checklist.blocks(checklist.facts(files.load()))
    table = next(
        block
        for block in blocks
        if isinstance(block, document.Table) and "how to inject" in block.headers
    )
    assert table.headers[-4:] == ("measured, s", "tester", "date", "pass") and table.blanks == 4
    assert all(
        cells[-4:] == ("", "", "", "") and len(cells) == len(table.headers) for cells in table.rows
    )
    assert len(table.rows) == len(m.STAGES) - 2


# -- the handbook


def test_the_handbook_in_the_repository_is_what_the_program_prints(capsys):
    code, out, _ = run(capsys, "reasons")
    assert code == 0
    page = (ROOT / "controller" / "REASONS.md").read_text(encoding="ascii")
    assert page == out, "python -m controller reasons > controller/REASONS.md"


def test_the_handbook_has_every_code_once():
    found = reason_book.facts()
    assert [code["code"] for code in found["codes"]] == sorted(reason_words.TEXTS)
    assert [stage["stage"] for stage in found["stages"]] == [
        stage[m.S_ID] for group in records.by_row().values() for stage in group
    ]
    text = document.markdown(reason_book.blocks())
    for code in reason_words.TEXTS:
        if code != reasons.NONE:
            assert text.count(f"| R{code} | {reason_words.text(code)[0]} | ") == 1


# -- formats


class _Page(html.parser.HTMLParser):
    """Reads a page: open elements, texts, whatever it would load."""

    VOID = ("meta",)

    def __init__(self, text):
        super().__init__()
        self.open, self.texts, self.loads, self.cells = [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.loads += [name for name, _ in attributes if name in ("src", "href", "data", "action")]
        self.loads += [tag] * (tag in ("script", "link", "img", "iframe"))
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "tr":
            self.cells.append(0)
        self.cells[-1:] = [count + (tag in ("td", "th")) for count in self.cells[-1:]]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        self.texts.append(text)


@pytest.mark.parametrize(
    "argv", [("matrix",), ("matrix", "--site"), ("checklist", "--site"), ("reasons",)]
)
def test_html_is_one_page_that_loads_nothing(files, capsys, argv):
    files.append("site", '[hma]\nagent_hold_off_reason = "<b>&\\"\' held"')
    given = [str(files.paths[2])] if argv[-1] == "--site" else []
    code, out, err = run(capsys, *argv, *given, "--format", "html")
    assert (code, err) == (0, "")
    page = _Page(out)
    assert page.open == [] and page.loads == [] and "url(" not in out and "@import" not in out
    assert "@page" in out and "charset" in out and "break-inside: avoid" in out
    assert not given or "<b>&\"'" in "".join(page.texts) and "<b>" not in out
    assert len(set(page.cells)) <= 7, "every row of a table is as wide as its head"


@pytest.mark.parametrize(
    "argv", [("matrix",), ("matrix", "--site"), ("checklist", "--site"), ("reasons",)]
)
def test_json_holds_the_same_facts(files, capsys, argv):
    given = [str(files.paths[2])] if argv[-1] == "--site" else []
    code, out, _ = run(capsys, *argv, *given, "--format", "json")
    facts = json.loads(out)
    made = {
        "matrix": lambda: matrix_page.matrix_facts(files.load() if given else None),
        "checklist": lambda: checklist.facts(files.load()),
        "reasons": reason_book.facts,
    }[argv[0]]()
    assert code == 0 and facts == json.loads(json.dumps(made))


def test_markdown_keeps_a_cell_in_its_column():
    blocks = [
        document.Heading(2, "h"),
        document.Table(("a", "b"), [("x|y", document.Mark("armed", "z\nw", "note"))]),
    ]
    assert document.markdown(blocks) == "## h\n\n| a | b |\n| --- | --- |\n| x/y | z w, note |\n"


@pytest.mark.parametrize("command", ("matrix", "checklist"))
def test_markdown_has_no_html_of_a_name(files, capsys, command):
    files.replace("cabinet", 'name = "', 'name = "<script>alert(1)</script> <!-- <?x ')
    code, out, _ = run(capsys, command, "--site", str(files.paths[2]))
    assert code == 0 and "&lt;script>alert(1)&lt;/script> &lt;!-- &lt;?x " in out.splitlines()[0]
    assert not [opens for opens in ("<script", "</script", "<!--", "<?x") if opens in out]
    assert "<= 20 % LFL" in out or command == "checklist", "what is smaller than a number stays so"


def test_html_escapes_every_part_of_a_cell():
    table = document.Table(("<h>",), [(document.Mark("armed", "<t>", "<n>"),), ("<c>",)])
    page = document.page([document.Heading(1, "<1>"), document.Text("<p&>"), table])
    for text in ("&lt;h&gt;", "&lt;t&gt;", "&lt;n&gt;", "&lt;c&gt;", "&lt;1&gt;", "&lt;p&amp;&gt;"):
        assert text in page
    assert not [text for text in ("<h>", "<t>", "<n>", "<c>", "<1>", "<p&") if text in page]


def test_the_kinds_have_a_colour():
    for kind in document.KINDS:
        assert f".{kind} {{" in document.STYLE
    assert set(matrix_tables.KINDS.values()) <= set(document.KINDS)


def test_a_wrong_format_is_refused(capsys):
    with pytest.raises(SystemExit) as left:
        __main__.main(["matrix", "--format", "pdf"])
    assert left.value.code == 2 and "invalid choice" in capsys.readouterr().err
