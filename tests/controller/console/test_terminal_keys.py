"""Bytes of a terminal: whole, in pieces, garbage; what is no key never becomes one."""

import pytest
from hypothesis import given, strategies as st

from controller.console.terminal import keys
from controller.console.terminal.keys import CANCEL, ENTER, ERASE, INTERRUPT, REDRAW, Decoder

TYPED = b"1L\x08\x7fab\x03\x0c\r"
KEYS = ["1", "L", ERASE, ERASE, "a", "b", INTERRUPT, REDRAW, ENTER]


@pytest.mark.parametrize("size", [1, 2, 3, 100])
@pytest.mark.parametrize(
    "data, wanted",
    [
        (TYPED, KEYS),
        (b"a\r\nb\n\n", ["a", ENTER, "b", ENTER, ENTER]),
        (b"\x1b[Ax", ["x"]),
        (b"\x1bOPx", ["x"]),
        (b"\x1b[1;5Cx\x1b[15~y", ["x", "y"]),
        (b"\x1b\x1b[Bx", ["x"]),
        (b"\x00\x80\xff\xc3\xa4\x07z", ["z"]),
    ],
)
def test_keys_in_any_pieces(data, wanted, size):
    decoder = Decoder()
    assert [
        key for at in range(0, len(data), size) for key in decoder.feed(data[at : at + size])
    ] == wanted


def test_escape_alone_is_a_key_only_once_nothing_follows():
    decoder = Decoder()
    assert decoder.feed(b"\x1b") == [] and decoder.is_open
    assert decoder.quiet() == [CANCEL] and not decoder.is_open
    assert decoder.feed(b"\x1b") + decoder.feed(b"[") + decoder.quiet() == [], (
        "a sequence cut off is no key"
    )
    assert decoder.feed(b"x") == ["x"]


def test_a_sequence_that_never_ends_is_given_up():
    decoder = Decoder()
    assert decoder.feed(b"\x1b[" + b"1" * keys._SEQUENCE_BYTES_MAX) == []
    assert decoder.feed(b"x") == ["x"]


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_whatever_comes_only_keys_come_out(pieces):
    decoder = Decoder()
    found = [key for piece in pieces for key in [*decoder.feed(piece), *decoder.quiet()]]
    assert all(
        len(key) == 1 and (" " <= key <= "~" or key in (ENTER, ERASE, CANCEL, INTERRUPT, REDRAW))
        for key in found
    )
