"""Raw values become values in one place for each form: a new place is a second decoder."""

import ast
import random
import re
import struct

import pytest

from controller.config import fits, profiles
from controller.config.decoding import Decoder, held
from controller.config.findings import Refusal
from controller.config.profile_evidence import seldom
from drivers.can_bms import CanBms
from drivers.profile import shipped
from drivers.register_blocks import extent
from drivers.register_codec import ordered
from tests.repository import ROOT

UNPACKS = ("unpack", "unpack_from", "iter_unpack", "from_bytes")
# files in which bytes become numbers: calls, and which numbers
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


def test_one_class_takes_the_frames_of_a_bus_on_can():
    found = [
        node.name
        for path in (ROOT / "drivers").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="ascii")))
        if isinstance(node, ast.ClassDef)
        and "on_frame" in [getattr(each, "name", "") for each in node.body]
    ]
    assert found == [CanBms.__name__]


def read_of(profile, memory):
    def read(*place):
        data = held(profile, memory, *place)
        return "not known" if data is None else data

    return read


NAMES = [
    name
    for name in shipped()
    if (loaded := profiles.load(name)).family in fits.FAMILIES
    and any(hasattr(each, "word_order") for each in loaded.registers.values())
    and not loaded.models
]


def words_of(register, draw):
    """Random words; of the identity the right ones as a rule."""
    size, most = extent(register), draw.choice((0, 1, 10, 300, 0xFFFF))
    if draw.random() < 0.1 or not isinstance(getattr(register, "equals", None), list):
        return tuple(draw.randint(0, most if register.words else 1) for _ in range(size))
    raw = register.equals[0] * (register.mask & -register.mask or 1)
    data = ordered(register, raw.to_bytes(2 * size, "big"))
    return struct.unpack(f">{size}H", data)


@pytest.mark.parametrize("name", NAMES)
def test_probe_and_decode_judge_a_register_alike(name):
    """A register by which `probe` refuses a device is refused by `decode`, and none of another."""
    profile, draw = profiles.load(name), random.Random(name)
    for _ in range(6):
        decoder, refused, unjudged = Decoder(profile), set(), {*seldom(profile)}
        for each in (*profile.registers.values(), *profile.identity.values()):
            decoder.memory.put(each.function, each.address, words_of(each, draw))
        for each in decoder.registers():
            found = [*decoder.take(0, each.function, each.address, ())]
            found += decoder._decode(0, each)
            refused |= {one.name for one in found if isinstance(one, Refusal)}
            if getattr(each, "direction", "") == "write" or "no value" in str(found):
                unjudged.add(each.name)
        reason = fits.judged(profile, read_of(profile, decoder.memory)).reason
        named = re.match(r"(?:identity\.)?(\w+) \(\d+\)|(\w+) \(\d+\):", reason)
        if named:
            assert named[1] in refused or f"{named[1]}_1" in refused, (reason, refused)
        elif not reason or reason == fits.ZEROS:
            assert refused <= unjudged, (reason, refused)
