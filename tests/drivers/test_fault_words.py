"""Each bit of a fault word in a register profile becomes a fault bit, or is named as left out."""

import re

import pytest

from controller.config import profiles
from drivers import profile
from drivers.register_codec import BIT, INTEGERS, Codec

FAMILIES = 'family = "register_bms"', 'family = "register_pcs"'
CODES = {("victron_vebus", "grid_lost")}  # 0, 1 or 2, not bits
LEFT_OUT = re.compile(r"bits ([0-9, ]+?) of (\d+)")


def words_of(name):
    """{place: its registers} of the fault words of a profile."""
    found = {}
    for each in profiles.load(name).registers.values():
        is_fault = each.name.startswith("fault_") and not each.values and each.type != BIT
        if is_fault and (name, each.name.removeprefix("fault_")) not in CODES:
            found.setdefault((each.model, each.function, each.address), []).append(each)
    return found


def left_out(name):
    """{(address, bit)} that the comments of the profile name."""
    lines = profiles.load(name).path.read_text().splitlines()
    text = " ".join([line[1:].strip() for line in lines if line.startswith("#")])
    return {
        (int(address), int(bit))
        for bits, address in LEFT_OUT.findall(text)
        for bit in bits.split(",")
    }


def seen(registers, raw):
    """The value of each register of a word; None: it refuses the word."""
    size = 2 * INTEGERS[registers[0].type][0]
    return [Codec(each, {}).value(raw.to_bytes(size, "big")) for each in registers]


NAMES = [
    path.stem
    for path in sorted(profile.FOLDER.glob("*.toml"))
    if any(family in path.read_text() for family in FAMILIES) and words_of(path.stem)
]


@pytest.mark.parametrize("name", NAMES)
def test_each_bit_of_a_fault_word_counts_or_is_named(name):
    silent = set()
    for (_, _, address), registers in words_of(name).items():
        bits = range(16 * INTEGERS[registers[0].type][0])
        place = address % profile.SLOT
        silent |= {(place, bit) for bit in bits if not any(seen(registers, 1 << bit))}
    assert silent == left_out(name)


@pytest.mark.parametrize("name", NAMES)
def test_all_bits_at_once_are_not_refused(name):
    """The word of all bits may be the one that the device gives for no value."""
    for registers in words_of(name).values():
        every = (1 << 16 * INTEGERS[registers[0].type][0]) - 1
        raw = every - 1 if every in registers[0].invalid else every
        assert None not in seen(registers, raw), registers[0].address
        assert None not in seen(registers, raw >> 1), registers[0].address
