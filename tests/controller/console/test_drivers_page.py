"""drivers/README.md: its table is that of the forms, its examples are whole and fit a cabinet."""

import re

import pytest
from command_line import run

from controller.config import configuration
from controller.documents import profile_table
from controller.documents.document import markdown
from tests.repository import ROOT

PAGE = (ROOT / "drivers/README.md").read_text(encoding="ascii")
EXAMPLES = ("meter", "converter", "rack")


def example(name):
    """The first block of code below the heading of an example."""
    section = PAGE.split(f"## Example: a {name}\n", 1)[1]
    block = re.search(r"(?m)(^    .*\n)+", section)[0]
    return re.sub("(?m)^    ", "", block)


def test_the_table_of_every_key_is_that_of_the_forms():
    """The command `firebreak document profile` writes it anew."""
    assert markdown([profile_table.table()]) in PAGE + "\n"


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_example_is_a_whole_profile(capsys, tmp_path, name):
    (tmp_path / "own.toml").write_text(example(name))
    code, lines, said = run(capsys, "profile check", tmp_path / "own.toml")
    assert (code, said) == (0, []) and lines[0].endswith("accepted")


def test_a_cabinet_takes_the_three_examples(files):
    for name, shipped in zip(EXAMPLES, ("firebreak_fast_meter", "sunspec_pcs", "firebreak_rack")):
        files.with_profile(shipped, "", "")
        for path in files.paths:
            (path.parent / f"{shipped}.toml").write_text(example(name))
    files.replace("type", "setpoint_ms = 20 ", "setpoint_ms = 100 ")
    lacking = ["bms_temperatures", "bms_sensors", "insulation", "pcs_heartbeat"]
    files.accepted(lacking)
    config = configuration.load(files.paths[2])
    assert {each.profile.model for each in config.devices} >= {
        *("meter 3", "storage converter 3", "rack 3")
    }


def test_the_capture_of_the_page_decodes(capsys, tmp_path):
    section = PAGE.split("## A capture as named values\n", 1)[1]
    lines = re.search(r"(?m)(^    .*\n)+", section)[0].splitlines()
    can, *others = [re.sub(" {2,}#.*", "", line.strip()) for line in lines]
    (tmp_path / "bus.txt").write_text("\n".join(others))
    (tmp_path / "can.txt").write_text(can)
    page = "\n".join(run(capsys, "bus decode --profile sdm630", tmp_path / "bus.txt")[1])
    assert page.count("REFUSED") == 0 and "230.5 V" in page
    lines = run(capsys, "bus decode --profile pylontech_lv", tmp_path / "can.txt")[1]
    assert "rack_voltage_mV" in lines[1]
