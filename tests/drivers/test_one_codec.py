"""Bytes become values in few places: a new one is a second decoder."""

import ast
import random
import re
from functools import partial

import pytest

from controller.config import profiles
from controller.config.profile_evidence import seldom
from controller.workbench import fits
from controller.workbench.decoding import RegisterDecoder, held
from controller.workbench.findings import Refusal
from drivers.profile import Profile, shipped
from drivers.register_blocks import extent
from tests.exemptions import Exempt, counts
from tests.repository import ROOT

UNPACKS = ("unpack", "unpack_from", "iter_unpack", "from_bytes")
ALIKE = "tests/drivers/test_one_codec.py::test_probe_and_decode_judge_a_register_alike"
BY_TICK = (
    "tests/drivers/test_register_codec.py"
    "::test_the_values_of_every_tick_are_those_of_the_exact_codec"
)
BACK = "a device that answers in another order looks as if it had not taken the write"
MODELS = "a value of a SunSpec model has the wrong words; its range refuses most of them"
PLACES = {
    "controller/workbench/exchanges.py": Exempt("none: words that a profile decodes", ALIKE),
    "drivers/can_codec.py": Exempt(
        "a signal of a frame on CAN has the wrong bits",
        "tests/drivers/test_can_bms.py::test_a_capture_decodes_right_or_is_refused_at_every_moment_of_joining",
        3,
    ),
    "drivers/device_checks.py": Exempt(
        MODELS,
        "tests/drivers/test_sunspec.py::test_models_are_found_at_each_base_and_in_each_order",
    ),
    "drivers/io.py": Exempt(BACK, "tests/drivers/test_io.py::test_expiry_is_written_and_read_back"),
    "drivers/pcs.py": Exempt(MODELS, "tests/drivers/test_pcs.py::test_discovery"),
    "drivers/pcs_readings.py": Exempt(MODELS, "tests/drivers/test_pcs_readings.py::test_values", 4),
    "drivers/register_codec.py": Exempt("none: it is the codec", ALIKE, 6),
    "drivers/register_numbers.py": Exempt("none: each value is compared", BY_TICK, 2),
    "drivers/register_write.py": Exempt(
        BACK, "tests/drivers/test_register_codec.py::test_each_order_is_read_and_written", 2
    ),
    "drivers/sensor.py": Exempt(
        "a sensor reads another concentration; its span refuses some of them",
        "tests/drivers/test_sensor.py::test_gas_and_vapour",
    ),
    "drivers/serial_number.py": Exempt(
        "a wrong serial number holds the next start until a test of the signs",
        "tests/drivers/test_serial_number.py::test_bytes_become_a_text_or_none",
    ),
    "drivers/sunspec.py": Exempt(
        MODELS,
        "tests/drivers/test_sunspec.py::test_models_are_found_at_each_base_and_in_each_order",
        3,
    ),
}


def calls(tree):
    """The names of the functions that are called."""
    every = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [getattr(each, "attr", getattr(each, "id", "")) for each in every]


def test_bytes_become_values_in_these_files_alone():
    found = {}
    rooms = ("drivers", "controller/config", "controller/workbench")
    for path in sorted([path for room in rooms for path in (ROOT / room).glob("*.py")]):
        names = calls(ast.parse(path.read_text(encoding="ascii")))
        if count := sum(name.lstrip("_") in UNPACKS for name in names):
            found[str(path.relative_to(ROOT))] = count
    assert found == counts(PLACES)


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
        decoder, refused, unjudged = RegisterDecoder(profile), set(), {*seldom(profile)}
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
