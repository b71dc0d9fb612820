"""Bytes of a line that is only listened to, as requests and replies."""

import struct

import pytest

from controller.config import profiles
from controller.workbench.live_words import CanWords, ModbusWords
from controller.workbench.rtu_stream import Piece, Stream
from drivers.buses.crc import seal
from tests.tables import cases

ASKED = seal(bytes((1, 4, 0, 0, 0, 2)))
GIVEN = seal(bytes((1, 4, 4, 0x43, 0x6B, 0xD7, 0x3D)))
# 3 registers of 0x0002, 0x0001, 0x0001: as long as a request and of the same form
LIKE_REQUEST = seal(bytes((1, 1, 3, 1, 2, 3)))
EXCEPTION = seal(bytes((1, 0x84, 2)))
WRITTEN = seal(bytes((7, 16, 0, 1, 0, 1, 2, 0, 9)))
ALL = ((">", ASKED), ("<", GIVEN), (">", WRITTEN), ("<", seal(bytes((7, 16, 0, 1, 0, 1)))))


@pytest.mark.parametrize("step", [1, 3, 64])
def test_frames_are_found_in_pieces_of_any_size(step):
    data, stream, found = b"".join(frame for _, frame in ALL), Stream(), []
    for at in range(0, len(data), step):
        found += stream.feed(data[at : at + step])
    assert found == list(ALL) and list(stream.flush()) == []


def test_noise_before_a_frame_is_no_frame():
    stream = Stream()
    assert list(stream.feed(b"\xff\0" + ASKED)) == []
    assert list(stream.flush()) == [("?", b"\xff\0"), (">", ASKED)]
    assert list(stream.feed(EXCEPTION)) == [("<", EXCEPTION)]


def test_a_reply_of_the_form_of_a_request_is_a_reply():
    stream, asked = Stream(), seal(bytes((1, 1, 0, 0, 0, 24)))
    assert [each.direction for each in stream.feed(asked + LIKE_REQUEST)] == [">", "<"]


def test_a_person_reads_values_exceptions_and_noise():
    words = ModbusWords(profiles.load("sdm630"))
    heard = *ALL[:2], ALL[0], ALL[0], ("<", EXCEPTION), ("<", EXCEPTION), ("?", b"\xff")
    said = [words.take(0, Piece(*each)) for each in heard]
    asked = "00:00:00.000 > unit 1: function 4, 0, 2"
    assert said == [
        [asked],
        ["00:00:00.000 < unit 1: voltage_1 235.841 V"],
        [asked],
        ["00:00:00.000 < unit 1 of 4:0: the request has no good reply", asked],
        ["00:00:00.000 < unit 1 of 4:0: the request is answered by exception 2"],
        [f"00:00:00.000 < {EXCEPTION.hex(' ').upper()}: a reply without its request"],
        ["00:00:00.000 ? FF: no frame: noise, another baud rate, or two that speak at once"],
    ]
    em24 = ModbusWords({1: profiles.load("em24_rs485")})
    em24.take(0, Piece(">", ASKED))
    (said,) = em24.take(0, Piece("<", seal(bytes((1, 4, 4, 9, 6, 0, 0)))))
    assert said == "00:00:00.000 < unit 1: voltage_1 231 V"


def test_a_frame_of_can_that_repeats_its_values_is_not_repeated():
    words = CanWords([(0, profiles.load("pylontech_lv"))])
    data = bytes.fromhex("480200050005AE01")
    (line,) = words.take(0, 0x351, data)
    assert line.startswith("00:00:00.000      351 charge_current_mA_max 128000 mA (node 0), ")
    assert words.take(1, 0x351, data) == []
    assert "refused" in words.take(2, 0x351, data[:5])[0]
    assert words.take(3, 0x777, b"\1") == ["00:00:00.000      777 01"]


# -- a SunSpec chain: model 103 at 50002, 123 at 50024; power 5 x 10^3 W

CHAIN = [
    0x5375,
    0x6E53,
    103,
    20,
    *[0] * 12,
    5,
    3,
    *[0] * 6,
    123,
    24,
    *[0] * 21,
    65534,
    0,
    0,
    65535,
    0,
]


def read(address, count, words=CHAIN):
    """A request and its reply, of a device that holds CHAIN from 50000 on."""
    part = words[address - 50000 : address - 50000 + count]
    asked = seal(struct.pack(">BBHH", 1, 3, address, count))
    return asked + seal(struct.pack(f">BBB{count}H", 1, 3, 2 * count, *part))


WALK = b"".join([read(50000, 2), read(50002, 2), read(50024, 2), read(50050, 2)])
POWER = read(50016, 2)
VALUE = "power_W 5000 W, power_scale 3"
UNHEARD = "(its SunSpec chain was not heard from its beginning)"
RAW = f"50016: 0005 0003 {UNHEARD}"
LOST = "unit 1 of 3:50016: the request has no good reply"


@cases("""heard  said
    WALK + POWER                                  [VALUE]
    POWER + WALK + POWER                          [RAW, VALUE]
    WALK[8:] + POWER                              [RAW]
    WALK[:-13] + POWER                            [RAW]
    WALK[:20] + WALK + POWER                      [VALUE]
    WALK + POWER[:12] + POWER                     [LOST, VALUE]
    WALK + POWER[8:] + POWER                      [VALUE]
    WALK + read(50016, 2, [9] * 18) + POWER       ["power_W refused: ", VALUE]
""")
def test_a_sunspec_chain_that_is_listened_to(heard, said):
    """Also joined late, with a lost head, an end that lacks, a reply that breaks off."""
    words, stream = ModbusWords(profiles.load("sunspec_pv")), Stream()
    lines = [
        line for piece in [*stream.feed(heard), *stream.flush()] for line in words.take(0, piece)
    ]
    found = [line.partition("< ")[2].removeprefix("unit 1: ") for line in lines if "< " in line]
    found = [each for each in found if "50016" in each or "power" in each]
    assert len(found) == len(said) and all(map(str.startswith, found, said)), found
