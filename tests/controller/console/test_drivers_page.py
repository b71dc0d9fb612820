"""drivers/README.md: its commands run, its examples are whole and fit a cabinet."""

import re
import shlex

import pytest
from command_line import run

from controller.config import configuration, profile_form, profile_words
from tests.repository import ROOT

PAGE = (ROOT / "drivers/README.md").read_text(encoding="ascii")
EXAMPLES = ("meter", "converter", "rack")


def example(name):
    """The first block of code below the heading of an example."""
    section = PAGE.split(f"## Example: a {name}\n", 1)[1]
    block = re.search(r"(?m)(^    .*\n)+", section)[0]
    return re.sub("(?m)^    ", "", block)


def test_the_commands_of_the_start_run(capsys, tmp_path, monkeypatch):
    """The check names the first "?" of the new profile."""
    monkeypatch.chdir(tmp_path)
    section = PAGE.split("## Start\n", 1)[1]
    lines = re.search(r"(?m)(^    .*\n)+", section)[0].splitlines()
    words = [shlex.split(line, comments=True) for line in lines]
    assert [each[1:3] for each in words] == [
        *(["profile", "list"], ["profile", "new"], ["document", "profile"], ["profile", "check"])
    ]
    found = [run(capsys, shlex.join(each[1:])) for each in words]
    assert [code for code, _, _ in found] == [0, 0, 0, 2]
    assert len(found[3][2]) == 1 and "mine.toml:maker: " in found[3][2][0]


def test_every_key_has_a_short_text_and_each_text_a_key():
    entries = {profile_words.entry_of(key) for key, _ in profile_form.every_key()}
    assert entries == set(profile_words.WORDS)
    lengths = {key: len(text.split()) for key, text in profile_words.WORDS.items()}
    assert [key for key, words in lengths.items() if not 0 < words <= 25] == []


@pytest.mark.parametrize("family", profile_form.FAMILIES)
def test_the_keys_of_one_family_are_printed_with_their_texts(capsys, family):
    """Its own tables, and no table of another family."""
    code, lines, said = run(capsys, f"document profile {family}")
    printed, heads = {line.split()[0] for line in lines if line}, set(lines)
    own = {*profile_form.FAMILIES[family], *profile_form.TIMING, "maker", "evidence_of"}
    assert (code, said) == (0, []) and own <= printed
    assert ("ARRAYS" in heads) == (family == "can_bms")
    assert ("SETPOINT.VALUES" in heads) == (family == "register_pcs")
    assert ("IDENTITY" in heads) == (family in profile_form.IDENTIFIED)


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
