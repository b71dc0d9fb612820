"""The serial number of a Modbus device: its forms, and where a SunSpec device has it."""

import struct

import converter
import pytest
import register_converter
from device_suite import Bus, Sink, Slave
from test_sunspec import GOOD, PLACES, pv, words_of

from controller.config import profiles
from drivers.meter import Meter
from drivers.serial_number import PERIOD_US, SerialNumber
from tests.tables import cases

SN, REGISTERS = 50, 16  # in model 1, as SunSpec's definition of the model has it


@cases(r"""
    form  data  text
    "text"  b"AB-1 7\0\0"  "AB-1_7" | "text"  b" A1 \0"  "A1" | "text"  b"A1\0\0xyz\xff"  "A1"
    "text"  bytes(8)  "" | "text"  b"\xff" * 8  "" | "text"  b"M\xfcn"  "" | "text"  b"A\x07"  ""
    "number"  b"\0\0\x01\0"  "256" | "number"  b"\xff" * 8  "" | "number"  bytes(4)  ""
    "number"  b"\xff" * 6 + b"\xfe\0"  "18446744073709551104"
""")
def test_bytes_become_a_text_or_none(form, data, text):
    profile = profiles.load("sdm630")
    profile.serial |= {"form": form, "registers": len(data) // 2}
    made = SerialNumber(profile, 1)
    (request,) = made.requests
    request.on_reply(bytes((3, len(data))) + data, 0)
    assert made.text == text


def answer(serial, number, data):
    serial.requests[number].on_reply(b"\3\x10" + data.ljust(16, b"\0"), 0)


def test_the_parts_of_a_long_one_count_only_one_after_the_other():
    profile = profiles.load("sdm630")
    profile.serial |= {"registers": REGISTERS}
    made = SerialNumber(profile, 1)
    assert [each.frame[2:6].hex() for each in made.requests] == ["00000008", "00080008"]
    for number, data, text in (
        *((1, b"late", ""), (1, b"late", ""), (0, b"A" * 16, ""), (1, b"1", "A" * 16 + "1")),
        *(
            (1, b"2", "A" * 16 + "1"),
            (0, b"B" * 16, "A" * 16 + "1"),
            (0, b"C" * 16, "A" * 16 + "1"),
        ),
        (1, b"", "C" * 16),
    ):
        answer(made, number, data)
        assert made.text == text


def carrying(bus, text, base=40_000):
    """The bus, after its device was asked once; its serial number, `text` in model 1."""
    words = struct.unpack(f">{REGISTERS}H", text.ljust(2 * REGISTERS, b"\0"))
    bus.slave.holding.update(enumerate(words, base + 2 + SN))
    serial = SerialNumber(bus.device.profile, 1, bus.device.places)
    bus.run(3000)
    for request in serial.requests:
        bus.port.add(request, PERIOD_US)
    bus.run(300)
    return bus, serial


def meter(**layout):
    made = Meter(profiles.load("sunspec_meter_203"), 1, Sink(), *PLACES)
    return Bus(made, Slave(words_of("sunspec_meter_203", GOOD, **layout)))


@pytest.mark.parametrize("base", (40_000, 0, 50_000))
def test_it_lies_in_model_1_wherever_the_chain_begins(base):
    buses = meter(base=base), pv(base=base), converter.built(converter.Converter(base=base))[0]
    for bus in buses:
        assert carrying(bus, b"SN-1", base)[1].text == "SN-1"


def test_a_converter_by_registers_has_it_too():
    made, slave, *_ = register_converter.built("fronius_gen24")
    assert carrying(Bus(made, slave), b"SN-1")[1].text == "SN-1"


def test_a_device_without_model_1_counts_and_has_none():
    chain = [each for each in converter.CHAIN if each != 1]
    bus, serial = carrying(converter.built(converter.Converter(chain))[0], b"not it")
    assert bus.device.ready and serial.text == ""
    bus = meter(order=(203, 1))
    bus.slave.holding |= {40_109: 0xFFFF, 40_110: 0}  # the chain ends behind model 203
    bus, serial = carrying(bus, b"", 40_107)
    assert bus.device.places.is_found and bus.device._identity.is_identified and serial.text == ""


def test_what_is_read_before_the_walk_or_at_an_old_place_is_no_serial_number():
    made = meter().device
    serial = SerialNumber(made.profile, 1, made.places)
    answer(serial, 0, b"A1"), answer(serial, 1, b"")
    assert serial.text == ""
    bus, serial = carrying(meter(), b"SN-1")
    old, bus.slave.holding = bus.slave.holding, words_of("sunspec_meter_203", GOOD, base=50_000)
    bus.slave.holding |= {at: 0x4141 for at in old}
    bus.run(61_000)
    assert serial.text == "", "50000 has none, and 40052 no longer counts"
