"""Frames between the channels: only a whole, right, new one is accepted, however it arrives."""

import random
import struct

import pytest
from hypothesis import example, given, strategies as st

from safety import channel as c, crc, frame as f, signals as s
from tests.tables import cases

IMAGE_CRC, TABLE_CRC = 123_456_789, 987_654_321
START = bytes((f.START_1, f.START_2))


# A frame on the wire, written down apart from the tables.
WIRE = struct.Struct("<BBBBBHIIIHHBBHHIBHIBBH")
HEADER = (0xA5, 0x5A, 48, 1)  # start, length, schema
SENDER = (2, 513, 70_001, IMAGE_CRC, TABLE_CRC)  # channel, sequence, uptime, image, tables
VIEW = (0x7F, 0x3F, 1, 8, 300, 44, 0x1234567)  # signals, known, vote, reason, subject, stages
RESET = (2, 45, 0x7654321, 5, 4, 999)  # kind, first-out, mask, result; refusal, how many


def test_a_frame_is_these_bytes_on_the_wire():
    frame = f.Frame()
    for field, value in enumerate((*SENDER, *VIEW, *RESET), f.CHANNEL):
        frame.put(field, value)
    frame.seal()
    fields = WIRE.pack(*HEADER, *SENDER, *VIEW, *RESET)
    assert (f.CHANNEL_A, f.CHANNEL_B) == (1, 2) and len(fields) == 44
    assert bytes(frame.bytes) == fields + bitwise(fields[2:]).to_bytes(4, "little")
    receiver = c.Receiver(f.CHANNEL_B)
    receiver.feed(frame.bytes, 48)
    assert receiver.last_refusal == c.R_FIRST, "whole and right, and a beginning"


def _sender():
    sender = c.Sender(f.CHANNEL_A, IMAGE_CRC, TABLE_CRC)
    sender.frame.put(f.SIGNAL_BITS, 0x7F)
    sender.frame.put(f.VOTE, 1)
    return sender


def _frames(count):
    sender = _sender()
    frames = []
    for _ in range(count):
        sender.tick(2)
        frames.append(bytes(sender.finish()))
    return frames


def _begun(frames):
    receiver = c.Receiver(f.CHANNEL_A)
    assert [receiver.feed(frame, len(frame)) for frame in frames[:2]] == [0, 1]
    return receiver


def _put_sequence(frame, sequence):
    other = f.Frame()
    other.bytes[:] = frame
    other.put(f.SEQUENCE, sequence & f.SEQUENCE_MASK)
    other.seal()
    return bytes(other.bytes)


@pytest.mark.parametrize("field", range(len(f.FIELDS)), ids=[row[0] for row in f.FIELDS])
def test_every_field_comes_out_as_it_went_in_and_disturbs_no_other(field):
    frame = f.Frame()
    before = [frame.get(other) for other in range(len(f.FIELDS))]
    for value in (0, 1, (1 << min(30, 8 * f.WIDTH[field])) - 1):
        frame.put(field, value)
        before[field] = value
        assert [frame.get(at) for at in range(len(f.FIELDS))] == before


def test_the_shared_contacts_are_cabinet_inputs_and_fit():
    assert [s.CABINET_INPUTS[index][0] for index in f.SHARED] == list(f.SHARED_NAMES)
    assert len(f.SHARED) <= f.SHARED_MAX == 8 * f.WIDTH[f.SIGNAL_BITS] == 8 * f.WIDTH[f.KNOWN_BITS]
    assert f.FRAME_BYTES < 256 and len(c.REFUSALS) == c.R_FIRST + 1
    assert [f.index_of(row[0]) for row in s.CABINET_INPUTS] == list(range(len(s.CABINET_INPUTS)))
    with pytest.raises(ValueError, match="no cabinet input estop_3_ok"):
        f.index_of("estop_3_ok")


def test_any_split_gives_the_same():
    frames = _frames(6)
    line = b"".join(frames)
    for split in range(1, len(line)):
        receiver = c.Receiver(f.CHANNEL_A)
        count = 0
        for at in range(0, len(line), split):
            part = line[at : at + split]
            count += receiver.feed(part, len(part))
        assert count == 5, split
        assert bytes(receiver.frame.bytes) == frames[-1] and receiver.refused[c.R_FIRST] == 1


def test_a_frame_with_any_bit_changed_is_refused():
    frames = _frames(3)
    for bit in range(8 * f.FRAME_BYTES):
        changed = bytearray(frames[2])
        changed[bit // 8] ^= 1 << bit % 8
        receiver = _begun(frames)
        assert receiver.feed(changed, len(changed)) == 0, bit


def _told(stream):
    """([(refusals by reason, frames accepted) after each byte], accepted frames), by searching."""
    buffer, refused, accepted, sequence, told = b"", [0] * len(c.REFUSALS), [], None, []
    for byte in stream:
        buffer += bytes([byte])
        while (reason := _wrong(buffer)) is not None:
            refused[reason] += 1
            begins = (
                at for at in range(1, len(buffer)) if buffer[at : at + 2] in (START, START[:1])
            )
            buffer = buffer[next(begins, len(buffer)) :]
        if len(buffer) == f.FRAME_BYTES:
            number = int.from_bytes(buffer[f.AT[f.SEQUENCE] : f.AT[f.SEQUENCE] + 2], "little")
            if sequence is None or not 0 < number - sequence <= c.SEQUENCE_AHEAD_MAX:
                refused[c.R_FIRST if sequence is None else c.R_SEQUENCE] += 1
            else:
                accepted.append(buffer)
            sequence = number if sequence is None or accepted[-1:] == [buffer] else sequence
            buffer = b""
        told.append((tuple(refused), len(accepted)))
    return told, accepted


def _wrong(buffer):
    if not START.startswith(buffer[:2]):
        return c.R_START
    if buffer[2:3] not in (b"", bytes([f.FRAME_BYTES])):
        return c.R_LENGTH
    if buffer[3:4] not in (b"", bytes([f.FRAME_SCHEMA])):
        return c.R_SCHEMA
    crc = bitwise(buffer[f.START_BYTES : f.FIELD_BYTES_END]).to_bytes(4, "little")
    return c.R_CRC if len(buffer) == f.FRAME_BYTES and buffer[f.FIELD_BYTES_END :] != crc else None


@pytest.mark.parametrize("seed", range(12))
def test_it_refuses_and_accepts_what_a_search_in_the_stream_finds(seed):
    source = random.Random(seed)
    likely = (f.START_1, f.START_1, f.START_2, f.START_2, f.FRAME_BYTES, f.FRAME_SCHEMA, 0, 255)
    stream = b""
    for frame in _frames(25):
        kind, frame = source.randrange(5), bytearray(frame)
        if kind == 0:
            stream += bytes(source.choices(likely, k=source.randrange(1, 60)))
        if kind == 1:
            at = source.randrange(f.FRAME_BYTES - 6)
            frame[at : at + 6] = bytes(source.choices(likely, k=6))
        if kind == 2:
            frame[source.randrange(f.FRAME_BYTES)] ^= 1 << source.randrange(8)
        stream += frame
    told, accepted = _told(stream)
    receiver, seen = c.Receiver(f.CHANNEL_A), []
    for at, byte in enumerate(stream):
        if receiver.feed(bytes([byte]), 1):
            seen.append(bytes(receiver.frame.bytes))
        assert (tuple(receiver.refused), len(seen)) == told[at], at
        assert receiver.refusals == sum(receiver.refused)
    assert seen == accepted


def test_a_header_is_checked_only_while_it_comes():
    class Watched(c.Receiver):
        looks = 0

        def _misfit(self):
            self.looks += 1
            return super()._misfit()

    receiver = Watched(f.CHANNEL_A)
    for frame in _frames(3):
        receiver.feed(frame, len(frame))
    assert receiver.accepted == 2 and receiver.looks == 3 * f.HEADER_BYTES


@pytest.mark.parametrize("inner", [b"", START[:1], START, b"\x00\xa5\x00"])
def test_a_frame_behind_a_cut_one_is_not_lost(inner):
    frames = _frames(4)
    for cut in range(1, f.FRAME_BYTES):
        receiver = _begun(frames)
        line = frames[2][:cut] + inner + frames[3]
        assert sum(receiver.feed(line[at : at + 1], 1) for at in range(len(line))) == 1, cut
        assert bytes(receiver.frame.bytes) == frames[3]
        other = _begun(frames)
        assert other.feed(line, len(line)) == 1 and list(other.refused) == list(receiver.refused)


@cases("""ahead accepted
    -2  0 | -1  0 | 0  0 | 1  1 | 2  1 | c.SEQUENCE_AHEAD_MAX-1  1 | c.SEQUENCE_AHEAD_MAX  1
    c.SEQUENCE_AHEAD_MAX+1  0 | f.SEQUENCE_MASK//2  0""")
@pytest.mark.parametrize("last", [1, 300, f.SEQUENCE_MASK])
def test_only_a_newer_sequence_is_accepted(last, ahead, accepted):
    frame = _frames(1)[0]
    receiver = c.Receiver(f.CHANNEL_A)
    for sequence in (last - 1, last):
        receiver.feed(_put_sequence(frame, sequence), f.FRAME_BYTES)
    assert receiver.accepted == 1
    assert receiver.feed(_put_sequence(frame, last + ahead), f.FRAME_BYTES) == accepted
    assert receiver.refused[c.R_SEQUENCE] == 1 - accepted
    newer = _put_sequence(frame, last + max(1, ahead * accepted) + 1)
    assert receiver.feed(newer, f.FRAME_BYTES) == 1


def test_a_restarted_sender_is_heard_after_it_was_forgotten():
    frames = _frames(100)
    receiver = c.Receiver(f.CHANNEL_A)
    for frame in frames:
        receiver.feed(frame, len(frame))
    assert [receiver.feed(frame, len(frame)) for frame in frames[:3]] == [0, 0, 0]
    receiver.forget()
    assert [receiver.feed(frame, len(frame)) for frame in frames[:3]] == [0, 1, 1]


@pytest.mark.parametrize("channel, accepted", [(f.CHANNEL_A, 1), (f.CHANNEL_B, 0), (0, 0), (3, 0)])
def test_a_channel_does_not_take_itself_for_the_other(channel, accepted):
    receiver = c.Receiver(f.CHANNEL_A)
    sender = c.Sender(channel, IMAGE_CRC, TABLE_CRC)
    for _ in range(3):
        receiver.feed(sender.finish(), f.FRAME_BYTES)
    assert receiver.accepted == 2 * accepted and receiver.refused[c.R_CHANNEL] == 3 * (1 - accepted)


def test_an_own_frame_moves_no_sequence_and_its_refusal_stays_told():
    """Two wires that touch for a moment."""
    frames = _frames(3)
    receiver = _begun(frames)
    own = c.Sender(f.CHANNEL_B, IMAGE_CRC, TABLE_CRC)
    own.sequence = 20
    receiver.feed(own.finish(), f.FRAME_BYTES)
    assert receiver.feed(frames[2], f.FRAME_BYTES) == 1 and receiver.last_refusal == c.R_CHANNEL


def test_sequence_and_uptime_come_round():
    sender = _sender()
    sender.finish()
    assert (sender.frame.get(f.SEQUENCE), sender.frame.get(f.UPTIME_TICKS)) == (1, 0)
    sender.sequence, sender.uptime_ticks = f.SEQUENCE_MASK, f.UPTIME_MASK
    sender.tick(3)
    sender.finish()
    assert sender.frame.get(f.SEQUENCE) == 0 and sender.frame.get(f.UPTIME_TICKS) == 2


def test_the_number_of_refusals_comes_round():
    """Its field of two bytes does so. The count by reason stops."""
    receiver = c.Receiver(f.CHANNEL_A)
    receiver.refusals, receiver.refused[c.R_START] = f.SEQUENCE_MASK - 1, s.TICKS_MAX
    told = []
    for _ in range(3):
        receiver.feed(b"x", 1)
        told.append(receiver.refusals)
    assert told == [f.SEQUENCE_MASK, 0, 1] and receiver.refused[c.R_START] == s.TICKS_MAX


# CRC-30/CDMA, reflected
WIDTH, POLYNOMIAL = 30, 0x2030B9C7
ENDS = [0, 1, -1, (1 << 30) - 1, -(1 << 30)]
WORDS = st.lists(st.integers(-(1 << 30), (1 << 30) - 1), min_size=1, max_size=12)


def reflected(value, width):
    return int(format(value, f"0{width}b")[::-1], 2)


MIRRORED = reflected(POLYNOMIAL, WIDTH)


def bitwise(data):
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


@given(st.lists(st.sampled_from((0, 1, 255, 256, 0xFFFF)) | st.integers(0, 0xFFFF), max_size=9))
def test_a_number_counts_as_its_two_bytes(numbers):
    value, data = crc.START, b"".join([number.to_bytes(2, "little") for number in numbers])
    for number in numbers:
        value = crc.add_number(value, number)
    assert value == bitwise(data)


@given(WORDS.map(lambda words: [*ENDS, *words]), st.integers(0, 5), st.integers(1, 8))
@example(ENDS, 0, len(ENDS))
def test_a_word_counts_as_its_four_bytes_also_in_a_slice(words, first, count):
    taken = words[first : first + count]
    data = b"".join([(word & 0xFFFFFFFF).to_bytes(4, "little") for word in taken])
    assert (
        crc.add_words(crc.START, words, first, first + len(taken)) == over(taken) == bitwise(data)
    )


def test_the_table_has_an_entry_for_each_byte():
    assert len(crc.TABLE) == 256
