"""CRC-30/CDMA, reflected, against a bit by bit computation, and what it must see."""

import pytest
from hypothesis import given, strategies as st

from safety import crc

WIDTH, POLYNOMIAL = 30, 0x2030B9C7
WORDS = st.lists(st.integers(-(1 << 30), (1 << 30) - 1), min_size=1, max_size=12)


def reflected(value, width):
    return int(format(value, f"0{width}b")[::-1], 2)


MIRRORED = reflected(POLYNOMIAL, WIDTH)


def bitwise(data):
    """The reflected polynomial over bytes, one bit at a time, register preset to ones."""
    value = (1 << WIDTH) - 1
    for byte in data:
        for bit in range(8):
            carry = (value ^ byte >> bit) & 1
            value = (value >> 1) ^ (MIRRORED if carry else 0)
    return value


def over(words):
    value = crc.START
    for word in words:
        value = crc.add_word(value, word)
    return value


def test_check_value_of_the_published_algorithm():
    """CRC-30/CDMA over "123456789" is 04C34ABF; here mirrored, without the final inversion."""
    plain = reflected(bitwise(bytes([reflected(byte, 8) for byte in b"123456789"])), WIDTH)
    assert plain ^ ((1 << WIDTH) - 1) == 0x04C34ABF


@given(WORDS, st.integers(0, 11), st.integers(0, 30))
def test_every_single_bit_is_seen_and_the_register_stays_a_small_int(words, place, bit):
    changed = list(words)
    changed[place % len(words)] ^= 1 << bit
    assert 0 <= over(words) < 1 << WIDTH
    assert over(changed) != over(words)


@pytest.mark.parametrize("word", [0, 1, -1, (1 << 30) - 1, -(1 << 30)])
def test_words_at_the_ends_of_their_range(word):
    assert over([word]) == bitwise((word & 0xFFFFFFFF).to_bytes(4, "little"))


def test_the_table_has_an_entry_for_each_byte():
    assert len(crc.TABLE) == 256
