"""The gate: only a whole, correct set-point frame within the limits passes."""

import struct

import pytest
from hypothesis import given, strategies as st
from pymodbus.framer import FramerRTU
from pymodbus.pdu.register_message import WriteMultipleRegistersRequest

from controller.core.base import gate, reasons
from controller.core.base.scaled_gate import ScaledGate
from tests.tables import cases

UNIT_ID, ADDRESS = 1, 40_322
CHARGE_W_MAX, DISCHARGE_W_MAX = 200_000, 250_000
CHARGE, DISCHARGE = reasons.GATE_CHARGE, reasons.GATE_DISCHARGE


def frame(value, unit_id=UNIT_ID, address=ADDRESS):
    words = list(struct.unpack(">HH", struct.pack(">i", value)))
    request = WriteMultipleRegistersRequest(address=address, registers=words, dev_id=unit_id)
    body = bytes([unit_id, request.function_code]) + request.encode()
    return body + struct.pack(">H", FramerRTU.compute_CRC(body))


def closed(data):
    return data + struct.pack(">H", FramerRTU.compute_CRC(data))


class Pcs:
    """A converter whose set-point lies at ADDRESS."""

    setpoint_address = ADDRESS

    def __init__(self, exponent):
        self.setpoint_exponent = exponent


def check(data, exponent=0, charge_W_max=CHARGE_W_MAX, discharge_W_max=DISCHARGE_W_MAX):
    return ScaledGate(UNIT_ID, Pcs(exponent)).check(data, charge_W_max, discharge_W_max)


@cases("""
    exponent  value  code
    0  0  0 | 0  1  0 | 0  -1  0 | 0  250_000  0 | 0  -200_000  0
    0  250_001  DISCHARGE | 0  -200_001  CHARGE | 0  2**31 - 1  DISCHARGE | 0  -(2**31)  CHARGE
    1  25_000  0 | 1  25_001  DISCHARGE | 1  -20_001  CHARGE
    -1  2_500_000  0 | -1  2_500_001  DISCHARGE | -1  -2_000_001  CHARGE
    3  250  0 | 3  251  DISCHARGE | -3  250_000_001  DISCHARGE
""")
def test_limits_of_this_tick_at_the_scale_of_the_register(exponent, value, code):
    assert check(frame(value), exponent) == code


@pytest.mark.parametrize("exponent", (-4, 4))
def test_a_scale_no_converter_has_is_refused(exponent):
    assert check(frame(0), exponent) == reasons.GATE_ADDRESS


GOOD = frame(1000)


@cases("""
    data  code
    b""  reasons.GATE_LENGTH | GOOD[:-1]  reasons.GATE_LENGTH | GOOD + b"\\0"  reasons.GATE_LENGTH
    frame(1000, unit_id=2)  reasons.GATE_UNIT_ID | frame(1000, unit_id=0)  reasons.GATE_UNIT_ID
    frame(1000, address=ADDRESS - 1)  reasons.GATE_ADDRESS
    frame(1000, address=ADDRESS + 1)  reasons.GATE_ADDRESS
    closed(GOOD[:1] + b"\\x06" + GOOD[2:-2])  reasons.GATE_FUNCTION
    closed(GOOD[:1] + b"\\x17" + GOOD[2:-2])  reasons.GATE_FUNCTION
    closed(GOOD[:5] + b"\\x01" + GOOD[6:-2])  reasons.GATE_COUNT
    closed(GOOD[:6] + b"\\x02" + GOOD[7:-2])  reasons.GATE_COUNT
    GOOD[:-2] + GOOD[:-3:-1]  reasons.GATE_CRC | GOOD[:-1] + bytes([GOOD[-1] ^ 1])  reasons.GATE_CRC
""")
def test_any_other_form_is_refused_with_its_reason(data, code):
    assert check(data) == code


@given(st.integers(0, 8 * 13 - 1), st.integers(-200_000, 250_000))
def test_no_single_flipped_bit_passes(bit, value):
    data = bytearray(frame(value))
    data[bit // 8] ^= 1 << bit % 8
    assert check(bytes(data)) != reasons.NONE


def test_a_repeated_frame():
    """It is checked against the limits of its tick, a changed buffer again."""
    unit = ScaledGate(UNIT_ID, Pcs(0))
    data = bytearray(frame(150_000))
    assert unit.check(data, CHARGE_W_MAX, DISCHARGE_W_MAX) == reasons.NONE
    assert unit.check(data, CHARGE_W_MAX, 149_999) == reasons.GATE_DISCHARGE
    assert unit.check(data, CHARGE_W_MAX, 150_000) == reasons.NONE
    data[:] = frame(300_000)
    assert unit.check(data, CHARGE_W_MAX, DISCHARGE_W_MAX) == reasons.GATE_DISCHARGE
    assert unit.check(frame(0), 0, 0) == reasons.NONE
    unit = ScaledGate(UNIT_ID, Pcs(0))
    bad = GOOD[:-1] + bytes([GOOD[-1] ^ 1])
    assert [unit.check(data, 5000, 5000) for data in (GOOD, bad, bad, GOOD)] == [0, 606, 606, 0]


@given(st.binary(max_size=40))
def test_the_crc_is_the_one_of_modbus(data):
    assert gate.frame_crc(data) == int.from_bytes(
        struct.pack(">H", FramerRTU.compute_CRC(data)), "little"
    )
