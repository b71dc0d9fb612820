"""Bytes of a terminal, whole and in pieces; garbage never becomes a key."""

import pytest
from hypothesis import given, strategies as st

from controller.console.terminal import keys
from controller.console.terminal.keys import CANCEL, ENTER, ERASE, INTERRUPT, REDRAW, Decoder

TYPED = {
    b"1L\x08\x7fab\x03\x0c\r": ["1", "L", ERASE, ERASE, "a", "b", INTERRUPT, REDRAW, ENTER],
    b"a\r\nb\n\n": ["a", ENTER, "b", ENTER, ENTER],
    b"\x1b[1;5Cx\x1b[15~y": ["x", "y"],
    **dict.fromkeys((b"\x1b[Ax", b"\x1bOPx", b"\x1b\x1b[Bx"), ["x"]),
    b"\x00\x80\xff\xc3\xa4\x07z": ["z"],
}


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_keys_in_any_pieces(size):
    for data, wanted in TYPED.items():
        decoder, pieces = Decoder(), range(0, len(data), size)
        found = [key for at in pieces for key in decoder.feed(data[at : at + size])]
        assert found == wanted, data


def test_only_a_single_escape_is_a_key():
    decoder = Decoder()
    assert decoder.feed(b"\x1b") == [] and decoder.is_open
    assert decoder.quiet() == [CANCEL] and not decoder.is_open
    assert decoder.feed(b"\x1b") + decoder.feed(b"[") + decoder.quiet() == []
    assert decoder.feed(b"x") == ["x"]
    assert decoder.feed(b"\x1b[" + b"1" * keys._SEQUENCE_BYTES_MAX) == []
    assert decoder.feed(b"x") == ["x"]


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_any_bytes_give_only_keys(pieces):
    decoder, names = Decoder(), (ENTER, ERASE, CANCEL, INTERRUPT, REDRAW)
    found = [key for piece in pieces for key in [*decoder.feed(piece), *decoder.quiet()]]
    assert all(key in names or len(key) == 1 and " " <= key <= "~" for key in found)
