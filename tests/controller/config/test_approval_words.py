"""Changes of a limit image in words, also between two versions of the program."""

import shutil
from dataclasses import replace
from types import SimpleNamespace

import pytest

from controller.config import approval, configuration
from controller.sites import EXAMPLE

CONFIG = configuration.load(EXAMPLE)
NOW = approval.of(CONFIG)
CHANGES = {
    "armed 29.rack2": 0,
    "armed 51": 1,
    "stage 29.set": 3640,
    "stage 29.set_ticks": 50,
    "cabinet.io_silent_ms": 400,
    "rack 2.cells": 239,
}
WORDS = [
    "NO LONGER ARMED: stage 29, cell over voltage, rack 2",
    "armed now: stage 51, channel B",
    "cabinet: io_silent_ms 500 -> 400",
    "rack 2: cells 240 -> 239",
    "stage 29, cell over voltage: trips at 3.65 V -> 3.64 V",
    "stage 29, cell over voltage: trips after 2 s -> 1 s",
]


def test_disarmed_stages_come_first():
    assert approval.differences(NOW, NOW) == []
    assert approval.differences(NOW, NOW | CHANGES) == WORDS


def test_every_changed_word_has_a_line():
    assert len(NOW) == len(CONFIG.safety_image) + 1 + len(CONFIG.devices), "tables, devices"
    for name, number in NOW.items():
        other = {**NOW, name: 1 - number if name.startswith("armed") else number + 1}
        assert len(approval.differences(NOW, other)) == 1, name
        assert approval.code(NOW, other) not in (approval.code(NOW, NOW), approval.code(other, NOW))


@pytest.mark.parametrize("old, new", [(0, 1), (1, 0)])
def test_words_of_another_version_are_named(old, new):
    more = {"stage 99.set": 7, "stage 99.set_ticks": 5, "armed 99.rack1": 1, "cabinet.new_ms": 3}
    either = (NOW, NOW | more)
    lines = approval.differences(either[old], either[new])
    first = "armed now" if new else "NO LONGER ARMED"
    arrow = "absent -> {}" if new else "{} -> absent"
    assert lines == [
        f"{first}: stage 99, rack 1",
        f"stage 99: trips at {arrow.format(7)}",
        f"stage 99: trips after {arrow.format('0.1 s')}",
        f"cabinet: new_ms {arrow.format(3)}",
    ]


def test_another_program_with_the_same_numbers_is_a_change():
    lines = approval.differences(NOW | {approval.PROGRAM: 1}, NOW)
    assert lines == [f"the safety program: its tables have CRC 00000001 -> {NOW['program']:08X}"]


def test_another_profile_or_contact_of_a_device_is_a_change(tmp_path):
    """Another scale turns 75 degC into 25 degC, although the image stays the same."""
    (bms,) = [device for device in CONFIG.devices if device.name == "bms_1"]
    shutil.copytree(bms.profile.path.parent, tmp_path, dirs_exist_ok=True)
    path = tmp_path / bms.profile.path.name
    copied = replace(bms, profile=SimpleNamespace(path=path, documents=bms.profile.documents))
    before = approval.devices(SimpleNamespace(devices=[copied]))
    assert before == {"device bms_1": NOW["device bms_1"]}
    for name in (path.name, *copied.profile.documents):
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes() + b"\n")
        after = approval.devices(SimpleNamespace(devices=[copied]))
        (line,) = approval.differences(before, after)
        crcs = " -> ".join([f"{words['device bms_1']:08X}" for words in (before, after)])
        assert line == f"device bms_1: contacts, address or profile changed: CRC {crcs}"
        before = after
    for field in ("role", "index", "address", "inputs", "outputs"):
        other = replace(copied, **{field: "other"})
        assert approval.devices(SimpleNamespace(devices=[other])) != before, field


def test_a_first_approval_is_compared_with_the_matrix():
    shipped = approval.shipped(NOW)
    assert shipped.keys() == NOW.keys() and shipped["stage 29.set_ticks"] == 100
    lines = approval.differences(shipped, NOW)
    assert lines == [line for line in lines if line.startswith("NO LONGER ARMED")] and lines


def test_stored_words_are_small_and_damaged_ones_are_empty():
    content = approval.packed(NOW)
    assert approval.unpacked(content) == NOW and len(content) < 5000
    for damaged in (b"", content[:-1], content[:9] + b"\0" + content[10:], b"x" * 99):
        assert approval.unpacked(damaged) == {}
