"""Values of registers and bits, and back: types, orders, scales, states, masks."""

import struct

import pytest
from hypothesis import given, strategies as st

from drivers.profile import Register
from drivers.register_blocks import blocks
from drivers.register_codec import INTEGERS, Codec
from drivers.register_numbers import Numbers
from tests.tables import cases

PLAIN = {
    **{"name": "value", "type": "u16", "scale": 1, "offset": 0, "low": -(1 << 62), "high": 1 << 62},
    **{"invalid": [], "mask": 0, "values": {}, "word_order": "big", "byte_order": "big"},
    **{"scale_by": "", "complement": False, "with_words": []},
}


def codec(settings=None, **fields):
    return Codec(Register(**PLAIN | fields), settings or {})


@cases("""
    kind  data  value
    "u16"  "ffff"  65_535 | "s16"  "ffff"  -1 | "u32"  "00010002"  65_538 | "s32"  "ffffffff"  -1
    "u64"  "0000000100000000"  1 << 32 | "s64"  "ffffffffffffffff"  -1
    "float32"  "42f70000"  124 | "float64"  "405edccccccccccd"  123
    "float32"  "7fc00000"  None | "float32"  "7f800000"  None
    "bit"  "00"  0 | "bit"  "01"  1 | "bit"  "010001"  2
""")
def test_each_type_is_read(kind, data, value):
    assert codec(type=kind).value(bytes.fromhex(data)) == value


@cases("""
    word_order  byte_order  data
    "big"  "big"  "01020304" | "little"  "big"  "03040102"
    "big"  "little"  "02010403" | "little"  "little"  "04030201"
""")
def test_each_order_is_read_and_written(word_order, byte_order, data):
    one = codec(type="u32", word_order=word_order, byte_order=byte_order)
    assert one.value(bytes.fromhex(data)) == 0x01020304
    assert struct.pack(">2H", *one.words(0x01020304)).hex() == data


@cases("""
    fields  raw  value
    {"scale": 0.1}  1234  123 | {"scale": 0.1}  1235  124 | {"scale": -1}  5  -5
    {"scale": 10, "offset": -400}  100  600 | {"scale": 1e-4, "scale_by": "rated_W"}  5000  100_000
    {"invalid": [32_767]}  32_767  None | {"high": 99}  100  None | {"low": 1}  0  None
    {"mask": 0x0300}  0x0234  2 | {"mask": 0x8000}  0x8000  1 | {"mask": 0x8000}  0x7fff  0
    {"values": {"3": 1, "4": 0}}  3  1 | {"values": {"3": 1, "4": 0}}  4  0
    {"values": {"3": 1, "4": 0}}  5  None
""")
def test_a_raw_value_becomes_a_value_or_none(fields, raw, value):
    one = codec({"rated_W": 200_000}, **fields)
    assert one.value(raw.to_bytes(2, "big")) == value


@cases("""
    fields  value  words
    {}  7  [7] | {"scale": 10}  79  [7] | {"type": "s16", "scale": 10}  -79  [0x10000 - 7]
    {"values": {"35732": 1, "35733": 0}, "complement": True}  1  [35_732, 65_535 - 35_732]
    {"with_words": [0, 60, 0, 1]}  7  [7, 0, 60, 0, 1]
""")
def test_a_device_is_asked_for_no_more_than_the_value(fields, value, words):
    assert codec(**fields).words(value) == words


@cases("""
    fields  value
    {}  65_536 | {}  -1 | {"type": "s16"}  32_768 | {"values": {"1": 1}}  0
""")
def test_a_value_that_does_not_fit_is_refused(fields, value):
    with pytest.raises(ValueError, match="value:"):
        codec(**fields).words(value)


ORDERS = st.sampled_from(("big", "little"))


@given(st.sampled_from(list(INTEGERS)), ORDERS, ORDERS, st.data())
def test_each_integer_comes_back(kind, word_order, byte_order, data):
    words, is_signed = INTEGERS[kind]
    low, high = (-(1 << 16 * words - 1) if is_signed else 0), (1 << 16 * words - is_signed) - 1
    value = data.draw(st.integers(max(low, PLAIN["low"]), min(high, PLAIN["high"])))
    one = codec(type=kind, word_order=word_order, byte_order=byte_order)
    assert one.value(struct.pack(f">{words}H", *one.words(value))) == value


ORDERS = st.sampled_from(("big", "little"))
SCALES = st.sampled_from((1, 10, 1000, 0.1, 0.01, 1e-4, -1, 0.5, -0.001))


@given(
    data=st.binary(min_size=32, max_size=32),
    kinds=st.lists(st.sampled_from(sorted(INTEGERS)), min_size=1, max_size=3),
    forms=st.lists(st.tuples(ORDERS, ORDERS, SCALES, st.sampled_from((0, -400)))),
)
def test_the_values_of_every_tick_are_those_of_the_exact_codec(data, kinds, forms):
    registers, address = [], 7
    for kind, form in zip(kinds, [*forms, *[("big", "big", 1, 0)] * 3]):
        keys = dict(zip(("word_order", "byte_order", "scale", "offset"), form))
        code = dict(u16="H", s16="h", u32="I", s32="i", u64="Q", s64="q")[kind]
        words = INTEGERS[kind][0]
        more = {"address": address, "code": code, "words": words, "function": 3, "scale_from": ""}
        more |= {"low": -(1 << 90), "high": 1 << 90}
        registers.append(Register(**PLAIN | keys | more | {"type": kind, "name": f"at_{address}"}))
        address += words + address % 2  # a register between some
    (block,) = blocks(registers, {"registers_per_read_max": 125, "gap_registers_max": 125})
    values = Numbers(registers, [block]).read(b"\x03\x00" + data[: 2 * block.length])
    for each, value in zip(registers, values, strict=True):
        start = 2 * (each.address - 7)
        exact = Codec(each, {}).value(data[start : start + 2 * each.words])
        assert abs(value - exact) <= 0.5 + 1e-12 * abs(exact)


@pytest.mark.parametrize("function, found", [(1, b"\1\0\1"), (2, b"\1\0\1"), (3, b"\5\0\0")])
def test_coils_and_inputs_are_bits_and_registers_have_two_bytes(function, found):
    more = {"address": 7, "code": "H", "words": 0, "count": 3, "function": function}
    register = Register(**PLAIN | more | {"scale_from": "", "type": "u16", "name": "at_7"})
    (block,) = blocks([register], {"registers_per_read_max": 125, "gap_registers_max": 125})
    assert block.length == 3
    assert block.parts(b"\5\0\0\0\0\0")[0][1][:3] == found
