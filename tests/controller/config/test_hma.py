"""[hma]: the analysis of a cabinet, and what a later layer may change of it."""

import pytest

from controller.config import hma, schema
from controller.config.stage_states import instances
from tests.repository import ROOT

PAGE = ROOT / "controller" / "config" / "CONFIGURATION.md"


@pytest.fixture
def files(files):
    return files.replace("type", '["suppression", "door"]', '["gas", "offgas", "toxic", "door"]')


@pytest.mark.parametrize("names", [["gas"], ["gas", "toxic"], ["gas", "offgas"]])
def test_row_14_is_armed_for_detection_of_vapour_or_hydrogen_alone(files, names):
    """A cabinet that lost all of it ran on at half power (row 13). No flammable limit is needed."""
    files.drop("type", *[f"{key} = " for key in hma.WITH_GAS])
    files.say("type", "hma.explosion_control", '"68"')
    files.say("type", "hma.hard_wired_rows", [1, 2, 3, 30, 44])
    loaded = files.without(names).load()
    assert [loaded.hma[key] for key in hma.WITH_GAS] == [None] * 3
    assert loaded.cabinet["gas_required"] == 1
    image = loaded.safety_image[loaded.image_map().armed :]
    armed = [stage[0] for (stage, _), word in zip(instances(loaded.topology), image) if word]
    assert "14" in armed


def test_fan_waits_for_the_agent_only_with_a_reason(files):
    files.say("type", "cabinet.agent_hold_off_ms", 30_000)
    files.say("site", "hma.agent_hold_off_reason", '"HMA 12, section 4: agent needs 30 s"')
    assert files.load().cabinet["agent_hold_off_ms"] == 30_000
    files.append("site", "[cabinet]\nagent_hold_off_ms = 30001")
    assert "agent_hold_off_ms: 30001 is not allowed, it is looser than 30000" in files.refusal()


def test_every_fact_of_the_analysis_is_explained():
    page = PAGE.read_text(encoding="utf-8")
    part = page[page.index("**The hazard mitigation analysis**") :]
    rows = [line for line in part.split("\n") if line.startswith("| ")]
    names = {name.strip() for line in rows[1:] for name in line.split("|")[1].split(",")}
    assert set(schema.HMA) <= names
    always = {line.split("|")[1].strip() for line in rows if line.endswith("| always |")}
    assert set(hma.ALWAYS) <= always
