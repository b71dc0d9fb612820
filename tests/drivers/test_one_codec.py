"""Bytes become values in few places: a new one is a second decoder."""

import ast
import random
import re
from functools import partial

import pytest

from controller.config import fits, profiles
from controller.config.decoding import Decoder, held
from controller.config.findings import Refusal
from controller.config.profile_evidence import seldom
from drivers.profile import Profile, shipped
from drivers.register_blocks import extent
from tests.repository import ROOT

UNPACKS = ("unpack", "unpack_from", "iter_unpack", "from_bytes")
PLACES = {
    "drivers/can_codec.py": (3, "fields of every frame on CAN"),
    "drivers/device_checks.py": (1, "the id of a SunSpec model"),
    "drivers/io.py": (3, "words that were written and are read back"),
    "drivers/pcs.py": (1, "the settings of model 704, by sunspec.Block"),
    "drivers/pcs_readings.py": (4, "models 701 to 802, by sunspec.Block"),
    "drivers/register_codec.py": (6, "one register, exactly"),
    "drivers/register_numbers.py": (2, "all registers of a reply of each tick"),
    "drivers/register_write.py": (2, "words that were written and are read back"),
    "drivers/sensor.py": (1, "the one read of a sensor"),
    "drivers/serial_number.py": (1, "a serial number"),
    "drivers/sunspec.py": (3, "a SunSpec model: its head, its values"),
}


def calls(tree):
    """The names of the functions that are called."""
    every = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [getattr(each, "attr", getattr(each, "id", "")) for each in every]


def test_bytes_become_values_in_these_files_alone():
    found = {}
    every = [*(ROOT / "drivers").glob("*.py"), *(ROOT / "controller/config").glob("*.py")]
    for path in sorted(every):
        names = calls(ast.parse(path.read_text(encoding="ascii")))
        if count := sum(name.lstrip("_") in UNPACKS for name in names):
            found[str(path.relative_to(ROOT))] = count
    assert found == {name: count for name, (count, _) in PLACES.items()}


def _read(profile, memory, *place):
    return held(profile, memory, *place) or "not known"


NAMES = [
    name
    for name in shipped()
    if (loaded := profiles.load(name)).family in fits.FAMILIES
    and any(hasattr(each, "word_order") for each in loaded.registers.values())
    and not loaded.models
]


@pytest.mark.parametrize("name", NAMES)
def test_probe_and_decode_judge_a_register_alike(name):
    loaded, draw = profiles.load(name), random.Random(name)
    profile = Profile(**{**vars(loaded), "identity": {}})
    for _ in range(6):
        decoder, refused, unjudged = Decoder(profile), set(), {*seldom(profile)}
        for each in profile.registers.values():
            most = draw.choice((0, 1, 10, 300, 0xFFFF)) if each.words else 1
            words = tuple(draw.randint(0, most) for _ in range(extent(each)))
            decoder.memory.put(each.function, each.address, words)
        for each in decoder.registers():
            found = [*decoder.take(0, each.function, each.address, ()), *decoder._decode(0, each)]
            refused |= {one.name for one in found if isinstance(one, Refusal)}
            if each.direction == "write" or "no value" in str(found):
                unjudged.add(each.name)
        reason = fits.judged(profile, partial(_read, profile, decoder.memory)).reason
        if named := re.match(r"(\w+) \(\d+\)", reason):
            assert {named[1], f"{named[1]}_1"} & refused, (reason, refused)
        elif reason in ("", fits.ZEROS) or reason.startswith("its powers"):
            assert refused <= unjudged, (reason, refused)
