"""The gate of site devices: one form of frame passes for each actuator, within its range."""

from fractions import Fraction

import pytest
from hypothesis import given, strategies as st

from controller.core.base import reasons
from controller.core.site_devices.write_gate import WriteForm, WriteGate
from drivers.buses import rtu
from tests.tables import cases


def form(function=16, words=1, scale="1", offset="0", states=None, **more):
    orders = {name: more.pop(name, False) for name in ("is_signed", "is_word_little")}
    flags = (orders["is_signed"], orders["is_word_little"], more.pop("is_byte_little", False))
    numbers = Fraction(scale), Fraction(offset)
    return WriteForm(1, function, 100, words, *flags, *numbers, states or {}, **more)


def write(values, unit_id=1, address=100):
    return rtu.write_request(16, "x", unit_id, address, values).frame


def both(values, unit_id=1, address=100):
    return rtu.write_request(23, "x", unit_id, address, values).frame


@cases("""
    made  frame  value
    form()  write([7])  7 | form(scale="10", offset="-3")  write([7])  67
    form(is_signed=True)  write([0xffff])  -1 | form(words=2)  write([1, 2])  65_538
    form(words=2, is_word_little=True)  write([2, 1])  65_538
    form(is_byte_little=True)  write([0x0100])  1 | form(states={5: 1})  write([5])  1
    form(6)  rtu.write_request(6, "x", 1, 100, [9]).frame  9
    form(5)  rtu.write_request(5, "x", 1, 100, [1]).frame  1
    form(15, 8)  rtu.write_request(15, "x", 1, 100, [1, 1, 0, 0, 0, 0, 0, 0]).frame  2
    form(23)  both([7])  7 | form(23, tail=(0, 60))  both([7, 0, 60])  7
    form(tail=(0, 60))  write([7, 0, 60])  7 | form(has_complement=True)  write([7, 0xfff8])  7
""")
def test_the_value_of_a_frame_is_read_and_bounded(made, frame, value):
    gate = WriteGate(made)
    assert gate.value(frame) == value
    assert gate.check(frame, value, value) == reasons.NONE
    assert gate.check(frame, value + 1, value + 9) == reasons.GATE_RANGE
    assert gate.check(frame, value - 9, value - 1) == reasons.GATE_RANGE


@cases("""
    made  frame  code
    form()  write([7])[:-1]  reasons.GATE_LENGTH | form()  write([7, 8])  reasons.GATE_LENGTH
    form()  write([7], unit_id=2)  reasons.GATE_UNIT_ID
    form()  write([7], address=101)  reasons.GATE_ADDRESS
    form(6)  rtu.write_request(5, "x", 1, 100, [1]).frame  reasons.GATE_FUNCTION
    form(states={5: 1})  write([6])  reasons.GATE_RANGE
    form(tail=(0, 60))  write([7, 0, 61])  reasons.GATE_RANGE
    form(has_complement=True)  write([7, 0xfff7])  reasons.GATE_RANGE
    form(15, 8)  rtu.write_request(15, "x", 1, 100, [1] * 7).frame  reasons.GATE_COUNT
    form(23)  write([7, 8, 9])[:15]  reasons.GATE_FUNCTION
    form(23)  rtu.seal(both([7])[:5] + b"\2" + both([7])[6:-2])  reasons.GATE_ADDRESS
    form(23)  rtu.seal(both([7])[:3] + b"\1" + both([7])[4:-2])  reasons.GATE_ADDRESS
""")
def test_any_other_form_is_refused_with_its_reason(made, frame, code):
    assert WriteGate(made).check(frame, 0, 1 << 30) == code


@given(st.integers(0, 8 * 11 - 1), st.integers(0, 65_535))
def test_no_single_flipped_bit_passes(bit, value):
    data = bytearray(write([value]))
    data[bit // 8] ^= 1 << bit % 8
    assert WriteGate(form()).check(bytes(data), 0, 65_535) != reasons.NONE


@pytest.mark.parametrize("function", (5, 6, 15, 16, 23))
@given(st.binary(max_size=20))
def test_no_bytes_raise(function, data):
    WriteGate(form(function)).check(data, 0, 1)
