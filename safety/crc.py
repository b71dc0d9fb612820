"""Computes the CRC-30 (CDMA polynomial 0x2030B9C7, reflected).

It is the widest CRC whose register stays a small int on MicroPython.
"""

from array import array

POLYNOMIAL_REFLECTED = 0x38E74301  # 0x2030B9C7 with its 30 bits in reverse order
START = (1 << 30) - 1


def _table() -> "array[int]":
    values = array("i")
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ (POLYNOMIAL_REFLECTED if value & 1 else 0)
        values.append(value)
    return values


TABLE = _table()


def add_word(value: int, word: int) -> int:
    """CRC register after the four bytes of `word` (within +-2^30), low byte first."""
    value ^= word
    value = (value >> 8) ^ TABLE[value & 255]
    value = (value >> 8) ^ TABLE[value & 255]
    value = (value >> 8) ^ TABLE[value & 255]
    value = (value >> 8) ^ TABLE[value & 255]
    return ~value if word < 0 else value  # the sign of the word was shifted in


def add_number(value: int, number: int) -> int:
    """CRC register after the low two bytes of `number` (0 to 65535): half the work of a word."""
    value ^= number
    value = (value >> 8) ^ TABLE[value & 255]
    return (value >> 8) ^ TABLE[value & 255]


def add_words(value: int, words: "array[int] | tuple[int, ...]", first: int, after: int) -> int:
    """CRC register after words[first:after]; faster than a call of `add_word` per word."""
    table = TABLE
    for index in range(first, after):
        word = words[index]
        value ^= word
        value = (value >> 8) ^ table[value & 255]
        value = (value >> 8) ^ table[value & 255]
        value = (value >> 8) ^ table[value & 255]
        value = (value >> 8) ^ table[value & 255]
        if word < 0:  # the sign of the word was shifted in
            value = ~value
    return value
