"""Wires in virtual time: arrival to the microsecond, half duplex, faults; the pty; the CAN bus."""

import os
import select

import can
import pytest
from fastcrc.crc16 import modbus as crc16
from hypothesis import given, strategies as st

from hil.wires import pty_wire
from hil.wires.virtual import DOWN, NEVER, UP, Noise, VirtualSerial
from hil.wires.virtual_can import VirtualCan
from tests.tables import cases


class Line:
    """A VirtualSerial at 9600 8N1 (1041.67 us a byte) with lists of arrivals."""

    def __init__(self, *replies):
        """replies: (delay_us, data) to each chunk that arrives."""
        self.down, self.up, self.taps, self.replies = [], [], [], list(replies)
        self.wire = VirtualSerial(9600, tap=lambda *seen: self.taps.append(seen))
        self.wire.on_down = self.heard
        self.wire.on_up = lambda data, time_us: self.up.append((time_us, data))

    def heard(self, data, time_us):
        self.down.append((time_us, data))
        due, self.replies = self.replies[:1], self.replies[1:]
        return [(time_us + delay_us, reply) for delay_us, reply in due]

    def ask(self, data, at_us, until_us=None):
        self.wire.send_down(data, at_us)
        if until_us is not None:
            self.wire.deliver(until_us)


def test_chunks_take_their_time_and_arrive_with_their_last_byte():
    for rate, bits, count, us in ((9600, 10, 1, 1042), (19_200, 11, 9, 5157), (10**6, 10, 3, 30)):
        assert VirtualSerial(rate, bits).bytes_us(count) == us
    line = Line()
    assert line.wire.next_us == NEVER
    line.ask(b"12345678", 1000)
    assert line.wire.next_us == 9334
    line.wire.deliver(9333)
    assert line.down == []
    line.wire.deliver(9334)
    assert line.down == [(9334, b"12345678")] and line.taps == [(9334, DOWN, b"12345678")]
    assert line.wire.next_us == NEVER
    line.wire.chunk_bytes = 3
    line.wire.send_up(b"12345678", 10_000)
    line.wire.deliver(100_000)
    assert line.up == [(13_125, b"123"), (16_250, b"456"), (18_334, b"78")]


def test_requests_and_replies_share_the_line():
    line = Line((4000, b"abcd"), (5000, b"ef"))
    line.ask(b"12345678", 0)
    line.ask(b"XY", 0, 50_000)  # queues behind the first
    assert line.down == [(8334, b"12345678"), (10_418, b"XY")]
    # the second waits for the first: one sender, one wire
    assert line.up == [(16_501, b"abcd"), (18_585, b"ef")]
    assert [tap[0] for tap in line.taps] == [8334, 10_418, 16_501, 18_585]
    for second_us, collides in ((8333, True), (8334, False)):
        line = Line()
        line.ask(b"12345678", 0)
        line.wire.send_up(b"ab", second_us)
        line.wire.deliver(100_000)
        assert line.wire.collisions == int(collides)
        assert (line.down[0][1] != b"12345678") == collides and (line.up[0][1] != b"ab") == collides
    line = Line((30_000, b"late reply"))  # collides with the next request
    line.ask(b"first", 0, 20_000)
    line.ask(b"second", 30_000, 100_000)
    assert line.wire.collisions == 1
    assert line.up[0][1] != b"late reply" and line.down[1][1] != b"second"
    line.ask(b"third", 200_000, 300_000)
    assert line.down[2][1] == b"third" and line.wire.collisions == 1
    line = Line((400_000, b"late"), (4000, b"reply"))  # a reply not due yet holds up no request
    line.ask(b"first", 0, 20_000)
    line.ask(b"second", 30_000)
    assert line.wire.next_us == 36_250
    line.wire.deliver(40_000)
    assert line.down[1] == (36_250, b"second") and line.wire.collisions == 0
    for pause_us, lost in ((0, True), (3644, True), (3645, False)):
        line = Line((4000, b"ab"))
        line.wire.gap_us = 3645
        line.ask(b"1", 0, 20_000)
        line.ask(b"2", line.up[0][0] + pause_us, 40_000)
        assert (len(line.down) == 1) == lost and line.wire.gap_violations == int(lost)
        assert line.taps[-1][1:] == (DOWN, b"2")  # it was on the wire


def spoiled(seed, **permille):
    noise = Noise(seed, **permille)
    return [noise.applied(REQUEST) for _ in range(2000)]


REQUEST = b"\1\3\0\0\0\2"


@cases("""kind  check
    "flip_permille"  lambda data: len(data) == 6
    "drop_permille"  lambda data: len(data) == 5
    "garbage_permille"  lambda data: 7 <= len(data) <= 11 and data.endswith(REQUEST)""")
def test_noise_is_of_its_kind_as_often_as_asked_and_repeatable(kind, check):
    frames = spoiled(5, **{kind: 100})
    bad = [data for data in frames if data != REQUEST]
    assert 150 < len(bad) < 250 and all(map(check, bad))
    assert spoiled(5, **{kind: 100}) == frames != spoiled(6, **{kind: 100})
    assert set(spoiled(5)) == {REQUEST}


@given(reply=st.binary(min_size=3, max_size=60), seed=st.integers(0, 999))
def test_a_forged_reply_has_a_right_crc_and_another_head(reply, seed):
    frame = Noise(seed, forged_permille=1000).forged(reply)
    assert crc16(frame[:-2]) == int.from_bytes(frame[-2:], "little") and frame[:3] != reply[:3]
    assert Noise(seed, garbage_permille=1000).forged(reply) == b""


def test_forged_frames_come_before_replies_alone():
    line = Line((4000, b"reply"))
    line.wire.noise = Noise(1, forged_permille=1000)
    line.ask(b"ask", 0, 100_000)
    assert line.down[0][1] == b"ask"
    assert line.up[0][1].endswith(b"reply") and len(line.up[0][1]) > 10


def test_noise_cut_and_echo():
    line = Line()
    line.wire.noise = Noise(1, garbage_permille=1000)
    line.ask(b"abc", 0, 100_000)
    assert line.down[0][1] == line.taps[0][2] != b"abc" and line.down[0][1].endswith(b"abc")
    line = Line()
    line.wire.cut = True
    line.ask(b"1", 0, 10_000)
    assert (line.down, line.taps) == ([], [])
    line.wire.cut, line.wire.echo = False, True
    line.ask(b"23", 10_000, 20_000)
    assert line.up == [(12_084, b"23")] and line.down == [(12_084, b"23")]


@pytest.mark.wire
def test_pty_both_ways_with_wire_time():
    heard, taps = [], []

    def on_down(data, time_us):
        heard.append((time_us, data))
        return [(time_us + 2000, b"\x11\x13\0\xffreply\n\r")]

    wire = pty_wire.PtyWire(9600, on_down=on_down, tap=lambda *seen: taps.append(seen))
    tty = os.open(wire.slave_name, os.O_RDWR | os.O_NOCTTY)
    try:
        os.write(tty, b"ask\r\n\x03\xff\0")
        assert select.select([wire], [], [], 30)[0]
        wire.service(1_000_000)
        assert heard == [] and wire.next_us == 1_008_334
        wire.service(1_008_334)
        assert heard == [(1_008_334, b"ask\r\n\x03\xff\0")]
        wire.service(wire.next_us - 1)
        assert not select.select([tty], [], [], 0)[0]
        wire.service(wire.next_us)
        assert select.select([tty], [], [], 30)[0]
        assert os.read(tty, 100) == b"\x11\x13\0\xffreply\n\r"
        assert [tap[1] for tap in taps] == [DOWN, UP]
    finally:
        os.close(tty)
        wire.close()


@pytest.mark.wire
def test_a_pty_survives_a_controller_that_goes_and_one_that_does_not_read():
    heard = []
    wire = pty_wire.PtyWire(1_000_000, on_down=lambda data, time_us: heard.append(data) or ())
    for turn in (b"1", b"2"):
        tty = os.open(wire.slave_name, os.O_RDWR | os.O_NOCTTY)
        os.write(tty, turn)
        assert select.select([wire], [], [], 30)[0]
        os.close(tty)
        wire.service(0)
        wire.service(1_000_000)
    wire.close()
    assert heard == [b"1", b"2"]
    wire = pty_wire.PtyWire(1_000_000)
    for turn in range(100):
        wire.line.send_up(bytes(1000), turn * 10_000)
    wire.service(2_000_000)
    assert wire.next_us == NEVER
    wire.close()


def frame(can_id, data=b"\1\2", extended=False):
    return can.Message(arbitration_id=can_id, data=data, is_extended_id=extended)


def received(end):
    return [(one.arbitration_id, bytes(one.data)) for one in iter(lambda: end.recv(0), None)]


def test_can_frames_go_to_everybody_else_as_python_can_reads_them():
    taps, commands = [], []
    bus = VirtualCan(tap=lambda *seen: taps.append(seen))
    first, second = bus.attach(), bus.attach()
    bus.listen(0x13F, lambda *seen: commands.append(seen))
    bus.send(0x120, b"\5", 10)
    bus.now_us = 20
    first.send(frame(0x13F))
    first.send(frame(0x140))
    assert received(first) == [(0x120, b"\5")]
    assert received(second) == [(0x120, b"\5"), (0x13F, b"\1\2"), (0x140, b"\1\2")]
    assert commands == [(0x13F, b"\1\2", 20)]
    assert taps == [(10, 0x120, b"\5"), (20, 0x13F, b"\1\2"), (20, 0x140, b"\1\2")]
    assert bus.frames == 3
    end = (bus := VirtualCan("can7")).attach()
    bus.send(0x18FF28F4, b"12345678", 1_500_000)
    message = end.recv()
    assert (message.arbitration_id, message.data) == (0x18FF28F4, b"12345678")
    assert message.is_extended_id and not message.is_remote_frame and not message.is_error_frame
    assert message.timestamp == pytest.approx(1.5) and end.state == can.BusState.ACTIVE
    end.shutdown()
    bus.send(1, b"", 0)
    assert end.recv(0) is None


def test_can_faults():
    bus = VirtualCan()
    end, other = bus.attach(depth=2), bus.attach()
    for number in range(3):
        bus.send(number, b"", 0)
    assert len(received(end)) == 2
    bus.silent_ids = {5, 6}
    bus.send(5, b"", 0)
    other.send(frame(6))
    bus.transmit_full = True
    with pytest.raises(can.CanOperationError, match="transmit buffer full"):
        end.send(frame(1))
    bus.down = True
    for use in (lambda: end.send(frame(1)), lambda: end.recv(0)):
        with pytest.raises(can.CanOperationError, match="can0: network is down"):
            use()
    bus.send(7, b"", 0)
    bus.down = bus.transmit_full = False
    assert received(end) == []
