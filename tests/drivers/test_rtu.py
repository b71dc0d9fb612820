"""Framer of Modbus RTU: requests against known bytes, replies as they arrive in the field."""

import csv
import re
import struct

import pytest
from hypothesis import given, settings, strategies as st
from pymodbus.framer.rtu import FramerRTU
from pymodbus.pdu import bit_message, register_message

from drivers.buses import crc, rtu
from drivers.buses.crc import crc16
from drivers.buses.receiver import Receiver
from tests.tables import cases

REGISTERS = bytes(range(40))
REPLY = rtu.seal(bytes((1, 3, 40)) + REGISTERS)
WRITE_REPLY = rtu.seal(bytes((1, 16, 0, 1, 0, 2)))


def read20(unit_id=1, function=3):
    return rtu.read_request("block", unit_id, function, 0x0100, 20)


def feed(request, *pieces, echo=False):
    receiver = Receiver(echo)
    receiver.expect(request)
    return [receiver.feed(piece) for piece in pieces]


def found(request, data, echo=False):
    return feed(request, data, echo=echo)[0]


@cases(r"""data  crc
    b"123456789"  0x4B37  # the check value of CRC-16/MODBUS in every catalogue
    b"\x02\x07"  0x1241  # Modbus over serial line V1.02, 6.2.2 (sent as 41 12)
    b""  0xFFFF
    b"\x00"  0x40BF""")
def test_crc_of_published_values(data, crc):
    assert crc16(data) == crc


@given(st.binary(max_size=513))
@settings(max_examples=200)
def test_crc_equals_pymodbus(data):
    assert crc16(data).to_bytes(2, "little") == FramerRTU.compute_CRC(data).to_bytes(2, "big")
    assert crc16(rtu.seal(data[:511])) == 0


@cases("""request_  body_hex  reply_bytes
    rtu.read_request("a", 17, 3, 124, 2)  "1103007C0002"  9
    rtu.read_request("a", 1, 4, 0, 80)  "010400000050"  165
    rtu.read_request("a", 1, 2, 0, 8)  "010200000008"  6
    rtu.read_request("a", 1, 1, 19, 9)  "010100130009"  7
    rtu.write_request(6, "a", 1, 1, [3])  "010600010003"  8
    rtu.write_request(16, "a", 1, 1, [10, 258])  "01100001000204000A0102"  8
    rtu.write_request(15, "a", 1, 19, [1, 0, 1, 1, 0, 0, 1, 1, 1, 0])  "010F0013000A02CD01"  8
    rtu.write_request(15, "a", 1, 0, (True,))  "010F000000010101"  8""")
def test_request_frames_as_in_the_specification(request_, body_hex, reply_bytes):
    """Bodies as in the examples of the Modbus Application Protocol V1.1b3, 6.1 to 6.12."""
    body = bytes.fromhex(body_hex)
    assert request_.frame == body + FramerRTU.compute_CRC(body).to_bytes(2, "big")
    assert request_.reply_bytes == reply_bytes
    assert request_.frame[0] == request_.unit_id and request_.frame[1] == request_.function


WORDS, ADDRESSES = st.integers(0, 0xFFFF), st.integers(0, 0x10000 - 1968)
READS = (
    bit_message.ReadCoilsRequest,
    bit_message.ReadDiscreteInputsRequest,
    register_message.ReadHoldingRegistersRequest,
    register_message.ReadInputRegistersRequest,
)
SEVERAL = register_message.WriteMultipleRegistersRequest
ONE, COILS = register_message.WriteSingleRegisterRequest, bit_message.WriteMultipleCoilsRequest


@given(
    st.integers(1, 4),
    ADDRESSES,
    st.integers(1, 125),
    st.lists(WORDS, min_size=1, max_size=123),
    st.lists(st.booleans(), min_size=1, max_size=1968),
)
def test_requests_are_those_of_pymodbus(function, address, count, values, levels):
    one, read = values[:1], rtu.read_request("a", 1, function, address, count)
    for encoder, built, given_ in (
        (READS[function - 1], read, {"count": count}),
        (SEVERAL, rtu.write_request(16, "a", 1, address, values), {"registers": values}),
        (ONE, rtu.write_request(6, "a", 1, address, one), {"registers": one}),
        (COILS, rtu.write_request(15, "a", 1, address, levels), {"bits": levels}),
    ):
        pdu = bytes((encoder.function_code,)) + encoder(address=address, **given_).encode()
        assert built.frame == rtu.seal(b"\1" + pdu)


@given(ADDRESSES, st.lists(WORDS, min_size=1, max_size=121))
def test_a_write_that_reads_back_is_that_of_pymodbus(address, values):
    encoder = register_message.ReadWriteMultipleRegistersRequest(
        read_address=address, read_count=len(values), write_address=address, write_registers=values
    )
    built = rtu.write_request(23, "a", 1, address, values)
    assert built.frame == rtu.seal(b"\1\x17" + encoder.encode())
    assert built.reply_bytes == 5 + 2 * len(values)


@cases("""build  low  high
    lambda count: rtu.read_request("a", 1, 1, 0, count)  1  2000
    lambda count: rtu.read_request("a", 1, 2, 0, count)  1  2000
    lambda count: rtu.read_request("a", 1, 3, 0, count)  1  125
    lambda count: rtu.read_request("a", 1, 4, 0, count)  1  125
    lambda count: rtu.write_request(16, "a", 1, 0, [0] * count)  1  123
    lambda count: rtu.write_request(15, "a", 1, 0, [0] * count)  1  1968
    lambda unit_id: rtu.read_request("a", unit_id, 3, 0, 1)  0  255
    lambda unit_id: rtu.write_request(15, "a", unit_id, 0, (1,))  0  255
    lambda address: rtu.read_request("a", 1, 3, address, 2)  0  65534
    lambda address: rtu.write_request(6, "a", 1, address, [0])  0  65535
    lambda value: rtu.write_request(6, "a", 1, 0, [value])  0  65535
    lambda value: rtu.write_request(16, "a", 1, 0, (0, value))  0  65535
    lambda function: rtu.read_request("a", 1, function, 0, 1)  1  4""")
def test_requests_at_their_bounds(build, low, high):
    for value in (low, high):
        request = build(value)
        assert max(len(request.frame), request.reply_bytes) <= crc.FRAME_BYTES_MAX
    for value in (low - 1, high + 1):
        with pytest.raises(ValueError, match=rf"{value}\b.*allowed .*{low} to") as failure:
            build(value)
        assert "\n" not in str(failure.value)


def test_identical_writes_are_encoded_once():
    first, second = (rtu.write_request(15, "coils", 1, 0, (1, 0, 1)) for _ in range(2))
    assert first.frame is second.frame
    assert rtu.write_request(15, "coils", 1, 0, (1, 0, 0)).frame != first.frame


def test_a_request_without_callbacks_may_end_either_way():
    request = read20()
    assert request.on_reply(b"", 0) is None and request.on_failure(rtu.TIMEOUT, 0, 0) is None


def test_a_changed_reply_is_not_taken_for_the_remembered_one():
    request = read20()
    other = rtu.seal(bytes((1, 3, 40)) + REGISTERS[::-1])
    frames = (REPLY, other, REPLY)
    assert [found(request, frame) for frame in frames] == [frame[1:-2] for frame in frames]
    assert found(request, REPLY) is found(request, bytes(bytearray(REPLY)))


@cases(r"""function  count  data
    1  9  b"\x05\x01" | 2  8  b"\xa5" | 3  1  b"\x12\x34" | 4  125  bytes(250)""")
def test_reply_of_each_read_function(function, count, data):
    reply = rtu.seal(bytes((1, function, len(data))) + data)
    assert found(rtu.read_request("a", 1, function, 0, count), reply) == reply[1:-2]


@pytest.mark.parametrize("request_", [read20(), rtu.write_request(16, "a", 1, 1, (5, 6))])
def test_exception_reply(request_):
    """bydhvs #287: exception 4 is an answer (busy), not silence."""
    exception = rtu.seal(bytes((1, request_.function | 0x80, 4)))
    assert found(request_, exception) == bytes((request_.function | 0x80, 4))
    assert found(request_, b"\x00" + exception + b"\x00") == bytes((request_.function | 0x80, 4))


@cases(r"""noise
    b"\0" | b"\xff" | b"\0\xff\0" | b"\1" | b"\1\3" | b"\1\1\1\3" | b"\1\x83" | b"\1\x83\2\xc0"
    b"\1\3\x28" | b"\x55" * 600
    REPLY[:-1] + bytes((REPLY[-1] ^ 1,))  # pymodbus drops the whole buffer on a wrong CRC
""")
def test_good_frame_behind_noise(noise):
    """micropython-modbus #34/#68, esphome-dps PR #81, pymodbus #385/#486."""
    assert found(read20(), noise + REPLY) == REPLY[1:-2]
    assert feed(read20(), noise, REPLY) == [None, REPLY[1:-2]]


def test_good_frame_one_byte_behind_a_look_alike():
    reply = rtu.seal(bytes((0x83, 3, 40)) + REGISTERS)
    # 83 83 looks like an exception
    assert found(read20(unit_id=0x83), b"\x83" + reply) == reply[1:-2]


def test_a_second_reply_in_the_same_piece_is_kept():
    other = rtu.seal(bytes((1, 3, 40)) + REGISTERS[::-1])
    assert feed(read20(), REPLY + other, b"", b"") == [REPLY[1:-2], other[1:-2], None]


@pytest.mark.parametrize("bit", range(0, 8 * len(REPLY), 7))
def test_a_flipped_bit_is_never_accepted(bit):
    """solaredge_modbus #24: frames with flipped bits."""
    flipped = bytearray(REPLY)
    flipped[bit // 8] ^= 1 << bit % 8
    assert found(read20(), bytes(flipped)) is None
    assert feed(read20(), *(bytes((byte,)) for byte in flipped)) == [None] * len(flipped)


@cases("""reply
    rtu.seal(bytes((2, 3, 40)) + REGISTERS)  # another unit
    rtu.seal(bytes((1, 4, 40)) + REGISTERS)  # another function
    rtu.seal(bytes((1, 3, 38)) + REGISTERS[:38])  # a late reply to a shorter read
    rtu.seal(bytes((1, 3, 0)))
    rtu.seal(bytes((2, 0x83, 2)))  # another unit's exception
    rtu.seal(bytes((1, 0x84, 2)))  # another function's exception
    rtu.seal(bytes((1, 0x41, 40)) + REGISTERS)  # a function nobody knows
""")
def test_a_valid_frame_of_another_request_is_ignored(reply):
    """node-modbus-serial #455, pymodbus #1278: match unit, function and length."""
    assert feed(read20(), reply, REPLY) == [None, REPLY[1:-2]]


@pytest.mark.parametrize("at", range(6))
def test_write_reply_must_echo_unit_function_address_and_count(at):
    """sunspec/pysunspec #27: an acknowledgement of another write does not count."""
    wrong = bytearray(WRITE_REPLY[:6])
    wrong[at] ^= 1
    request = rtu.write_request(16, "a", 1, 1, (5, 6))
    assert found(request, WRITE_REPLY) == WRITE_REPLY[1:-2]
    assert found(request, rtu.seal(bytes(wrong))) is None


def test_the_length_decides_although_the_crc_accepts_a_trailing_zero():
    frame = rtu.seal(bytes((1, 4, 2, 0, 1)))
    assert crc16(frame + b"\x00") == 0
    assert found(rtu.read_request("a", 1, 4, 3, 1), frame + b"\x00") == frame[1:-2]


def test_a_frame_inside_the_payload_of_the_reply_is_not_taken():
    inner = rtu.seal(bytes((1, 0x83, 2)))
    reply = rtu.seal(bytes((1, 3, 40)) + inner + bytes(35))
    assert feed(read20(), reply[:20], reply[20:]) == [None, reply[1:-2]]


def test_stale_bytes_are_forgotten_with_the_next_request():
    """pymodbus #1278: the framer used bytes from before a time-out for the next answer."""
    receiver, request = Receiver(), read20()
    receiver.expect(request)
    assert receiver.feed(REPLY[:30]) is None
    receiver.expect(request)
    assert receiver.feed(REPLY[30:]) is None
    assert receiver.feed(REPLY) == REPLY[1:-2]


def test_endless_noise_keeps_the_buffer_small():
    receiver = Receiver()
    receiver.expect(read20())
    for _ in range(100):
        receiver.feed(b"\x01\x02" * 50)
        assert len(receiver._buffer) <= crc.FRAME_BYTES_MAX


@cases(r"""pieces
    lambda echo, reply: [echo + reply]
    lambda echo, reply: [echo, reply]
    lambda echo, reply: [echo[:3], echo[3:] + reply[:2], reply[2:]]
    lambda echo, reply: [b"\x00" + echo + reply]
    lambda echo, reply: [bytes((byte,)) for byte in echo + reply]""")
@cases("""request_  reply
    read20()  REPLY
    rtu.write_request(16, "a", 1, 1, (5, 6))  WRITE_REPLY
    rtu.write_request(6, "a", 1, 1, [2])  rtu.write_request(6, "a", 1, 1, [2]).frame""")
def test_local_echo_is_removed(request_, reply, pieces):
    """minimalmodbus (handle_local_echo): adapters that repeat each request."""
    results = feed(request_, *pieces(request_.frame, reply), echo=True)
    assert results == [None] * (len(results) - 1) + [reply[1:-2]]


def test_echo_of_a_single_write_alone_is_no_success():
    """Function 6 replies with its request: the echo alone must not look like a reply."""
    request = rtu.write_request(6, "a", 1, 1, [2])
    assert found(request, request.frame, echo=True) is None


def test_a_missing_echo_does_not_affect_the_next_request():
    receiver = Receiver(echo=True)
    for value in (2, 3):
        request = rtu.write_request(6, "a", 1, 1, [value])
        receiver.expect(request)
    assert receiver.feed(request.frame) is None
    assert receiver.feed(request.frame) == request.frame[1:-2]


@pytest.mark.parametrize("echoed", range(8))
def test_partial_echo_of_a_read(echoed):
    """CH341 adapters give only a part of the echo."""
    request = read20()
    assert found(request, request.frame[:echoed] + REPLY, echo=True) == REPLY[1:-2]


def test_echo_of_an_adapter_not_configured_for_it_is_skipped_for_reads():
    # its address looks like the byte count of the reply
    request = rtu.read_request("a", 1, 3, 0x2800, 20)
    assert found(request, request.frame + REPLY) == REPLY[1:-2]


def test_received_does_not_count_the_echo():
    receiver, request = Receiver(echo=True), read20()
    receiver.expect(request)
    receiver.feed(request.frame)
    assert receiver.received == 0
    receiver.feed(b"\x00\x00")
    assert receiver.received == 2


@given(
    noise=st.binary(max_size=80),
    tail=st.binary(max_size=20),
    cuts=st.lists(st.integers(1, 140), max_size=6),
)
@settings(max_examples=400)
def test_only_the_true_reply_is_accepted_among_any_bytes(noise, tail, cuts):
    data = noise + REPLY + tail
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    results = feed(read20(), *(data[a:b] for a, b in zip(edges, edges[1:])))
    assert [pdu for pdu in results if pdu is not None] == [REPLY[1:-2]]


def rows(shared, direction):
    """(source and exchange, what the frame says, frame)."""
    path = shared / "protocols/vectors/rtu_frames.csv"
    with open(path, encoding="utf-8", newline="") as file:
        found = [row for row in csv.DictReader(file) if row["direction"] == direction]
    assert len(found) >= {"noise": 4}.get(direction, 10)
    return [
        (f"{row['source']} {row['exchange']}", row["expected"], bytes.fromhex(row["frame_hex"]))
        for row in found
    ]


def waiting_for(unit_id, function, reply_bytes):
    """A read whose reply has this shape."""
    head = bytes((unit_id, function, (reply_bytes - 5) & 255))
    return rtu.Request("captured", unit_id, function, b"", reply_bytes, head, rtu.READ, None, None)


def test_captured_requests_are_built_the_same(shared):
    for name, expected, frame in rows(shared, "req"):
        unit_id, function, address, count = struct.unpack_from(">BBHH", frame)
        asked = re.search(r"FC(\d) addr (\w+) count (\d+)", expected)
        if asked:
            numbers = int(asked[1]), int(asked[2], 0), int(asked[3])
            assert (function, address, count) == numbers, name
        built = rtu.read_request("captured", unit_id, function, address, count)
        assert frame.startswith(built.frame) and frame[8:] in (b"", b"\x00"), name


def test_captured_replies_are_found_however_they_arrive(shared):
    for name, _, frame in rows(shared, "resp"):
        size = len(frame) if frame[1] < 0x80 else 9
        request = waiting_for(frame[0], frame[1] & 0x7F, size)
        assert found(request, frame) == frame[1:-2], name
        assert found(request, b"\xff\x00" + frame + b"\x00") == frame[1:-2], name
        assert feed(request, *(bytes((byte,)) for byte in frame))[-1] == frame[1:-2], name


def test_captured_noise_gives_nothing_but_a_good_frame(shared):
    good = bytes.fromhex("0083029131")
    for name, _, data in rows(shared, "noise"):
        result = found(waiting_for(0, 3, 9), data)
        assert result == (good[1:-2] if good in data else None), name
