"""safety/README.md and its chapters against the code: tables, times, files, length."""

import re

import assessor
import pytest
from bench import default_image

from controller.rows import records
from controller.site import time_chain
from safety import matrix as m, permit, signals as s
from tests import generated_page

PAGE = (assessor.FOLDER / "README.md").read_text(encoding="utf-8")
CHAPTERS = {
    f"chapters/{path.name}": path.read_text(encoding="utf-8")
    for path in (assessor.FOLDER / "chapters").glob("*.md")
}
ALL = "\n".join([PAGE, *CHAPTERS.values()])
# 20 minutes at 225 words a minute
WORDS_MAX = 4500


@pytest.mark.parametrize("page", assessor.PAGES)
def test_the_tables_are_those_of_the_code(page):
    text = (assessor.FOLDER / page).read_text(encoding="utf-8")
    right = generated_page.written(text, assessor.PAGES[page], assessor.PROGRAM)
    assert right == text, f"write the page anew: python {assessor.PROGRAM}"


def test_the_page_reads_in_twenty_minutes_and_leads_to_every_chapter():
    assert len(PAGE.split()) <= WORDS_MAX
    for name in CHAPTERS:
        assert f"`{name}`" in PAGE, name


def test_every_feature_and_gate_has_words_and_every_stage_its_line():
    assert set(records.FEATURES) == {name for names in m.FEATURES for name in names}
    for stage in m.STAGES:
        assert re.search(rf"^\| {stage[m.S_ID]} \| .*\|$", ALL, re.MULTILINE)


@pytest.mark.parametrize("row", records.ROWS)
def test_what_is_unconfirmed_says_so(row):
    (line,) = [
        line for line in assessor.row_table().splitlines() if re.match(rf"\| {row} \|", line)
    ]
    assert ("(?)" in line) == (records.ROWS[row].confidence == "G")


def test_the_times_are_those_of_the_chain_and_add_up():
    found, schedule = assessor.site()
    for stage in m.STAGES:
        *parts, decided, zero, opened = assessor.time_cells(found, schedule, stage)
        assert sum([float(each) for each in parts]) == pytest.approx(float(decided), abs=0.021)
        assert float(zero) >= float(decided)
        assert opened in ("-", "at zero current") or float(opened) > float(decided)


def test_the_scan_of_the_image():
    found, schedule = assessor.site()
    assert len(found.safety_image) == len(default_image(racks=found.racks))
    stage = next(each for each in m.STAGES if each[m.S_ID] == "44a")
    parts = {part.what: part.time_ms for part in time_chain.decision(found, schedule, stage)}
    assert parts["silence"] == 4000, "two scans of 100 steps"


def test_times_of_the_prose():
    assert (
        f"a relay that does not follow within {permit.RELAY_MS // 1000} s ends the attempt"
    ) in ALL
    assert f"{permit.RETRY_MS // 1000} s pause" in ALL


def test_every_file_of_the_kernel_is_named():
    for path in assessor.FOLDER.glob("[a-z]*.py"):
        assert f"`{path.name}`" in CHAPTERS["chapters/FILES.md"]
    for name in re.findall(r"`(test_\w+\.py)`", ALL):
        assert (assessor.ROOT / "tests" / "safety" / name).is_file()


def test_states_at_rest_are_the_ones_named():
    assert [s.STATES[state] for state in permit.AT_REST] == ["inhibited", "ready"]
