"""States that a profile does not name: none refuses another value, each is shown by its number."""

import struct

import pytest
from device_suite import Bus
from register_converter import PROFILES, built
from test_register_bms import built as built_bms

from controller.config import profiles
from drivers import can_codec, profile
from drivers.register_codec import Codec
from drivers.states import unnamed
from safety import signals as s
from tests.exemptions import Exempt

# What an unnamed state reads as. None: it is no value, so what rests on it is unknown. A new name
# with `values` in a profile needs its line here.
LESS_SAFE = {
    "state": 8,
    "forming": 0,
    "charge_allowed": 0,
    "discharge_allowed": 0,
    "contactor_state": None,
    "current_direction": None,
    "is_running": None,
    "is_ready_ok": None,
}
NAMES_ALL = {
    "sinexcel_pws": Exempt(
        "none: its mask leaves no state without a name",
        "tests/controller/run/test_stop_while_starting.py"
        "::test_a_word_that_is_a_fault_and_running_at_once_is_stopped",
    )
}
SETTINGS = {"rated_W": 10_000, "stages_max": 4}
EVERY = [profiles.load(path.stem) for path in sorted(profile.FOLDER.glob("*.toml"))]


def expected(name):
    return 1 if name.startswith("fault_") else LESS_SAFE[name]


def no_name_of(values):
    return next(raw for raw in range(255, 0, -1) if str(raw) not in values)


READ = [
    pytest.param(register, id=f"{found.path.stem}-{register.name}")
    for found in EVERY
    for register in found.registers.values()
    if getattr(register, "values", None)
    and "read" in register.direction
    and register.type != "bit"
    and not register.mask
]
ON_CAN = [
    pytest.param(name, row, id=f"{found.path.stem}-{name}")
    for found in EVERY
    if found.family == "can_bms"
    for name, row in found.signals.items()
    if row["values"]
]


@pytest.mark.parametrize("register", READ)
def test_a_register_reads_its_less_safe_value_and_shows_the_number(register):
    codec, raw = Codec(register, SETTINGS), no_name_of(register.values)
    read = codec.read(raw.to_bytes(2 * register.words, "big"))
    assert read == (expected(register.name), expected(register.name) is not None)
    assert unnamed([codec]) == raw
    codec.read(int(next(iter(register.values))).to_bytes(2 * register.words, "big"))
    assert unnamed([codec]) is None


@pytest.mark.parametrize("name, row", ON_CAN)
def test_a_signal_on_can_likewise_unless_its_profile_says_otherwise(name, row):
    field = can_codec.Value({**row, "start": 0, "order": "little"}, name)
    raw = next(raw for raw in range(1 << row["length"]) if str(raw) not in row["values"])
    wanted = expected(name) if row["otherwise"] is None else row["otherwise"]
    assert field.value(can_codec.word(struct.pack("<Q", raw))) == wanted
    assert unnamed([field]) == (raw if row["otherwise"] is None else None)


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in PROFILES
        if "state" in profiles.load(name).registers and name not in NAMES_ALL
    ],
)
def test_a_converter_in_an_unnamed_state_is_ready_and_not_running(name):
    device, slave, sink, groups = built(name)
    raw = no_name_of(device.profile.registers["state"].values)
    slave.reading("state", raw)
    bus = Bus(device, slave, baud_Bd=460_800)
    bus.run(6000)
    refused = device.refused  # before a scale factor has come twice
    bus.run(6000)
    assert device.ready and device.refused == refused and device.unnamed == raw
    assert sink.fresh[groups[0]]
    assert sink.inp[sink.layout.unit_input(0, s.PCS_STATE)] == 8
    assert sink.inp[sink.layout.unit_input(0, s.PCS_FORMING)] == 0


def test_a_rack_in_a_state_without_a_name_keeps_its_other_values():
    device, slave, sink = built_bms("byd_c130")
    bus = Bus(device, slave)
    bus.run(2000)
    slave.inputs[0x2010] = 5
    bus.run(1000)
    sink.taken()
    bus.run(1000)
    fresh = [sink.fresh[sink.layout.rack_group(0, each)] for each in range(s.RACK_GROUP_COUNT)]
    assert not fresh[s.G_BMS_STATE] and fresh[s.G_BMS_PACK] and fresh[s.G_BMS_CELLS]
    assert device.unnamed == 5 and device.refused > 0


def test_fault_bits_that_a_start_clears_are_the_state_fault():
    """Sinexcel holds word 36 until register 652 is written: as a trip no reset could clear it."""
    device, slave, sink, groups = built("sinexcel_pws")
    slave.reading("fault_grid", 2)
    Bus(device, slave, baud_Bd=460_800).run(12_000)
    assert sink.inp[sink.layout.unit_input(0, s.PCS_STATE)] == 6
    assert sink.inp[sink.layout.unit_input(0, s.PCS_ALARM_BITS)] == 1


@pytest.mark.parametrize("name", PROFILES)
def test_a_second_start_comes_after_the_stage_of_the_state_fault(name):
    """Stage 59e has 5 s. A start that waits for the device ends, and is tried again, later."""
    found = profiles.load(name)
    waits_ms = [step.timeout_ms for step in found.start if step.function in (3, 4)]
    assert not waits_ms or sum(waits_ms) + found.settings["retry_ms"] >= 10_000
