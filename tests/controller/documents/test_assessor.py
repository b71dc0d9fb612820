"""safety/README.md and its chapters against the code: tables, claims, times, links, length."""

import re
import tomllib

import assessor
import pytest

from controller.config import configuration, time_chain
from controller.documents import check_rows, hazard_log, hazard_page, time_table
from controller.rows import records
from controller.sites import FOLDER as SITES
from safety import matrix as m, permit, second_image, signals as s
from tests import generated_page
from tests.safety.bench import default_image

PAGE = (assessor.FOLDER / "README.md").read_text(encoding="utf-8")
CHAPTERS = {
    f"chapters/{path.name}": path.read_text(encoding="utf-8")
    for path in (assessor.FOLDER / "chapters").glob("*.md")
}
ALL = "\n".join([PAGE, *CHAPTERS.values()])
# 17 minutes at 120 words a minute (tables, a second language), three of looking back
WORDS_MAX = 2080
TYPES = ("firebreak_1935", "firebreak_645", "firebreak_645_fast", "market_100", "pylontech_14")
STAGES = {stage[m.S_ID]: stage for stage in m.STAGES}


@pytest.mark.parametrize("page", assessor.PAGES)
def test_the_tables_are_those_of_the_code(page):
    text = (assessor.FOLDER / page).read_text(encoding="utf-8")
    right = generated_page.written(text, assessor.PAGES[page], assessor.PROGRAM)
    assert right == text, f"write the page anew: python {assessor.PROGRAM}"


def test_the_page_reads_in_twenty_minutes_and_leads_to_every_chapter():
    assert len(PAGE.split()) <= WORDS_MAX
    for name in CHAPTERS:
        assert f"]({name})" in PAGE, name


def test_the_short_table_has_the_least_margins_and_the_others_are_named():
    shown = re.findall(r"^\| (H\d+) \|", assessor.tight_hazard_table(), re.MULTILINE)
    assert shown == "H10 H5 H2 H3 H29 H16 H30".split()
    lines = hazard_page.summary(assessor.log()).rows
    untimed = [cells[0] for cells in lines if not assessor.used(cells)]
    (text,) = re.findall(r"Without a latest time: ([^.]+)\.", PAGE)
    assert re.findall(r"H\d+", text) == untimed
    assert "| H5 | A current flows on in gas" in PAGE


def named(pattern):
    """Stages or rows in the group of a pattern that stands once; "1 to 3" counts."""
    (text,) = re.findall(pattern, ALL.replace("\n", " "))
    found = re.findall(r"\d+[a-g]?", text)
    for first, last in re.findall(r"(\d+) to (\d+)", text):
        found += map(str, range(int(first), int(last) + 1))
    return set(found)


def test_stages_that_leave_the_contactors_closed_are_the_ones_named():
    """38a is of a closing that failed: nothing is closed then."""
    closed = {
        name: stage[m.S_DEMAND][m.D_PCS]
        for name, stage in STAGES.items()
        if stage[m.S_DEMAND][m.D_PCS] and stage[m.S_DEMAND][m.D_DC] < m.DC_OPEN_AT_ZERO
    }
    assert closed.pop("38a") == m.PCS_STOP
    ramps = {name for name, level in closed.items() if level == m.PCS_RAMP}
    assert named(r"Stages ([^.]+) ramp\.") == ramps
    assert named(r"Stages ([^.]+) stop the converter") == closed.keys() - ramps


def test_rows_of_fire_and_gas_are_the_ones_named():
    wanted = (m.D_FAN, m.D_HORN, m.D_RED_LAMP, m.D_FACU)
    found = {
        (str(stage[m.S_ROW]), stage[m.S_DEMAND][m.D_DC])
        for stage in m.STAGES
        if stage[m.S_LATCH] == m.KEY and all(stage[m.S_DEMAND][output] for output in wanted)
    }
    assert {row for row, level in found if level == m.DC_OPEN_ONLY_AT_ZERO} == {"12"}
    assert {level for row, level in found if row != "12"} == {m.DC_OPEN}
    assert named(r"E-stop \(row 1\); ([^|]+) \|") == {row for row, _ in found} - {"12"}


def test_rows_after_which_it_rests_are_the_ones_named():
    """48 stands there in words: of the door."""
    found = named(r"It is in standby after ([^.]+), every latch")
    assert found == {str(row) for row in m.REST_ROWS} - {"48"}


def test_rows_of_channel_b_are_the_ones_named():
    (others,) = {
        str(stage[m.S_ROW])
        for stage in m.STAGES
        if m.FEATURES[stage[m.S_SCOPE]][stage[m.S_FEATURE]] in second_image.OWN_FEATURES
    } - named(r"B acts by itself on ([^.]+)\.")
    assert others == "40" and "40e" in named(r"B acts by itself on ([^.]+)\.")


@pytest.mark.parametrize("name", TYPES)
def test_what_the_page_says_of_a_shipped_type(name):
    text = (SITES / "types" / f"{name}.toml").read_text(encoding="utf-8")
    found = tomllib.loads(text)
    assert found.get("cabinet", {}).get("second_channel", "none") == "none"
    assert found["hma"]["restart_alone"] and 12 in found["hma"]["hard_wired_rows"]
    assert sorted(path.stem for path in (SITES / "types").glob("*.toml")) == list(TYPES)


def test_rows_that_nobody_tells_this_program_are_the_ones_named():
    states = check_rows.row_states(configuration.load(str(SITES / "pylontech" / "cabinet.toml")))
    by = {"done by BMS": set(), "not available": set()}
    for row, groups in states.items():
        for words, found in by.items():
            named_so = [stages for stages, state, _ in groups if state.startswith(words)]
            found |= {str(row)} if len(named_so) == len(groups) else set().union(*named_so)
    assert named(r"does rows ([^.]+), by limits") == by["done by BMS"]
    assert named(r"No device has rows ([^(]+) \(H14") == by["not available"]


def test_every_feature_and_gate_has_words():
    assert set(records.FEATURES) == {name for names in m.FEATURES for name in names}


def test_what_is_unconfirmed_says_so():
    lines = {line.split()[1]: line for line in assessor.row_table().splitlines()[2:]}
    for row, record in records.ROWS.items():
        assert ("(?)" in lines[str(row)]) == (record.confidence == "G"), row


def test_the_times_are_those_of_the_chain_and_add_up():
    found, schedule = hazard_log.example_site()
    for stage in m.STAGES:
        *parts, decided, zero, opened = time_table.cells(found, schedule, stage)
        assert sum([float(each) for each in parts]) == pytest.approx(float(decided), abs=0.021)
        assert float(zero) >= float(decided)
        assert opened in ("-", "at zero current") or float(opened) > float(decided)


def test_the_scan_of_the_image():
    found, schedule = hazard_log.example_site()
    assert len(found.safety_image) == len(default_image(racks=found.racks))
    stage = next(each for each in m.STAGES if each[m.S_ID] == "44a")
    parts = {part.what: part.time_ms for part in time_chain.decision(found, schedule, stage)}
    assert parts["silence"] == 4000, "two scans of 100 steps"


def test_times_of_the_prose():
    text = " ".join(ALL.split())
    assert (
        f"a relay that does not follow within {permit.RELAY_MS // 1000} s ends the attempt"
    ) in text
    assert f"{permit.RETRY_MS // 1000} s pause" in text
    assert permit.EXPIRY_MS == 500


def test_every_file_of_the_kernel_is_named():
    for path in assessor.FOLDER.glob("[a-z]*.py"):
        assert f"`{path.name}`" in CHAPTERS["chapters/FILES.md"]
    for name in re.findall(r"`(test_\w+\.py)`", ALL):
        assert (assessor.ROOT / "tests" / "safety" / name).is_file()


def test_states_at_rest_are_the_ones_named():
    assert [s.STATES[state] for state in permit.AT_REST] == ["inhibited", "ready"]
