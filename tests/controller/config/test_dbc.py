"""The reader of DBC files, compared with cantools, and its refusals."""

import tracemalloc
from fractions import Fraction

import cantools
import pytest
from hypothesis import given, strategies as st

from controller.config import dbc
from controller.forms.refusal import ConfigError
from drivers import profile

SHIPPED = (profile.FOLDER / "firebreak_rack.dbc").read_text(encoding="cp1252")
SCALES, OFFSETS = ("1", "0.1", "0.001", "2.5", "1E-05"), ("0", "-60", "0.5", "1E3")
TEXTS = SCALES, OFFSETS, ("", "degC", "SG_ x : 0|1@1+ (1,0) [0|0]", "%")
# first the free bits before it
BITS = st.integers(0, 5), st.integers(1, 20), st.booleans()
SIGNALS = st.lists(st.tuples(*BITS, *map(st.sampled_from, TEXTS)), min_size=1, max_size=6)


def by_cantools(text):
    def of(signal):
        numbers = Fraction(str(signal.scale)), Fraction(str(signal.offset))
        mux = signal.multiplexer_ids[0] if signal.multiplexer_ids else None
        is_big = signal.byte_order == "big_endian"
        return signal.start, signal.length, signal.is_signed, *numbers, is_big, mux

    return {
        message.name: (message.frame_id, {signal.name: of(signal) for signal in message.signals})
        for message in cantools.database.load_string(text, "dbc").messages
    }


def test_the_shipped_file_reads_as_by_cantools():
    assert dbc.messages(SHIPPED) == by_cantools(SHIPPED)


@given(st.lists(SIGNALS, min_size=1, max_size=4))
def test_any_plain_file_reads_as_by_cantools(rows):
    lines = ['VERSION "2"', "NS_ :", "    SIG_VALTYPE_", "BU_: A B", "BO_TX_BU_ 16 : A;"]
    for number, signals in enumerate(rows):
        lines.append(f"BO_ {16 + number} M{number}: 8 A")
        at = 0
        for index, (gap, bits, is_signed, factor, add, unit) in enumerate(signals):
            if at + gap + bits > dbc.FRAME_BITS:
                break
            lines.append(
                f" SG_ s{index} : {at + gap}|{bits}@1{'-' if is_signed else '+'}"
                f' ({factor},{add}) [0|0] "{unit}"  B'
            )
            at += gap + bits
        lines.append(f'CM_ BO_ {16 + number} "BO_ 9\n SG_ no signal";')
    text = "\n".join(lines)
    assert dbc.messages(text) == by_cantools(text)


def signal(words):
    return f' SG_ {words} [0|0] "" B'


def test_foreign_signals_of_a_file_do_not_refuse_it():
    whole = signal("x : 7|8@0+ (1,0)"), signal("y m1 : 4|4@1+ (1,0)")
    left_out = (
        *map(signal, ("f : 0|8@1+ (0,0)", "l : 57|8@1+ (1,0)", "t m1M : 0|8@1+ (1,0)")),
        *map(signal, ("v : 0|32@1- (1,0)", "z : 0|8@1+ (1,0)", "n : 0|8@1+ (-1,0)")),
        signal("e : 0|0@1+ (1,0)"),
        *("SIG_VALTYPE_ 16 v : 1;", "SG_MUL_VAL_ 16 z y 1-1;", "SIG_VALTYPE_ 17 x : 1;"),
    )
    text = "\n".join(["BO_ 16 STATE: 8 A", *whole, *left_out])
    assert list(dbc.messages(text)["STATE"].signals) == ["x", "y"]
    with pytest.raises(ValueError, match="allowed a message"):  # its signals would be of STATE
        dbc.messages(text + "\nBO_ LATER: 8 A")


def test_a_factor_that_is_no_number_is_refused_in_one_line():
    with pytest.raises(ValueError, match="^[^\n]*1.1.1[^\n]*$"):
        dbc.messages(f"BO_ 16 A: 8 B\n{signal('x : 0|8@1+ (1.1.1,0)')}")


def test_a_signal_without_a_message_is_refused():
    with pytest.raises(ValueError, match="allowed a message"):
        dbc.messages(' SG_ x : 0|8@1+ (1,0) [0|0] "" B')


@pytest.mark.parametrize(
    "words",
    [
        *["0|8@1+ (1e99999999,0)", "0|8@1+ (1,1E-99999999)", "0|9999999999@1+ (1,0)"],
        *["99999999999|8@1+ (1,0)", "m99999999999 : 0|8@1+ (1,0)"],
    ],
)
def test_a_number_of_a_few_bytes_takes_no_memory(words):
    """Python would make of each a number of millions of digits, or a mask of as many bits."""
    text = f"BO_ 1 A: 8 B\n{signal('x : ' + words) if 'm9' not in words else signal('x ' + words)}"
    tracemalloc.start()
    assert dbc.messages(text)["A"].signals == {}
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_a_file_that_is_too_long_or_no_file_is_one_line(tmp_path):
    for name, said in (("long.dbc", "long.dbc: has more than 4194304 bytes"), ("none", "no such")):
        if name == "long.dbc":
            (tmp_path / name).write_bytes(b"BO_ 1 A: 8 B\n" + b" " * (4 << 20))
        with pytest.raises(ConfigError, match=said):
            dbc.read(tmp_path / "profile.toml", name)
