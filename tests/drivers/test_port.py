"""Schedule, gaps, time-outs, late replies and back-off of an RTU bus, in virtual time."""

import pytest

from drivers.buses import rtu
from drivers.buses.late import LATE_US
from drivers.buses.port import (
    BUS,
    GAP_FAST_US,
    HOLD_US,
    NEVER,
    PATIENCE_US,
    PAUSES_MAX,
    PIECE_GAP_US,
    RtuPort,
)
from drivers.buses.unit import BACK_OFF_US, BACK_OFF_US_MAX

TIMEOUT_US = 30_000
CHAR_US = 86.806  # 10 bits at 115200 Bd
REQUEST_US = 695  # 8 characters, rounded up
REPLY_US = 782  # 9 characters: the reply to a read of 2 registers


class Log:
    """Callbacks of requests, in order: (key, what, detail, time)."""

    def __init__(self):
        self.events = []

    def read(self, key, unit_id=1, address=0, count=2, function=3, priority=rtu.READ):
        return rtu.read_request(
            key, unit_id, function, address, count, *self.callbacks(key), priority=priority
        )

    def write(self, key, unit_id=1, value=0, priority=rtu.WRITE):
        return rtu.write_registers_request(
            key, unit_id, 100, (value,), *self.callbacks(key), priority=priority
        )

    def callbacks(self, key):
        return (
            lambda pdu, now_us: self.events.append((key, "reply", pdu, now_us)),
            lambda kind, code, now_us: self.events.append((key, rtu.FAILURES[kind], code, now_us)),
        )

    def outcomes(self, key=None):
        return [event[1] for event in self.events if key in (None, event[0])]


def answer(frame, value=0):
    """What a healthy unit replies: `value` in each register, or the echo of a write."""
    if frame[1] in (3, 4):
        count = frame[5]
        return rtu.seal(bytes((frame[0], frame[1], 2 * count)) + value.to_bytes(2, "big") * count)
    return rtu.seal(frame[:6])


class Bench:
    """Runs a port against `slave(frame, number) -> [(delay after the request's end, bytes)]`, event
    by event.
    """

    def __init__(self, port, slave):
        self.port = port
        self.slave = slave
        self.now_us = 0
        self.sent = []  # (time, frame)
        self.arriving = []  # (time, bytes)

    def run(self, until_us):
        while True:
            arrival_us = self.arriving[0][0] if self.arriving else NEVER
            next_us = max(min(self.port.wake_us, arrival_us), self.now_us)
            if next_us >= until_us:
                self.now_us = until_us
                return self
            self.now_us = next_us
            while self.arriving and self.arriving[0][0] <= next_us:
                self.port.receive(self.arriving.pop(0)[1], next_us)
            self.send(self.port.poll(next_us))

    def send(self, frame):
        if not frame:
            return
        self.sent.append((self.now_us, frame))
        end_us = self.now_us + round(len(frame) * CHAR_US)
        for delay_us, data in self.slave(frame, len(self.sent)):
            self.arriving.append((end_us + delay_us + round(len(data) * CHAR_US), data))
        self.arriving.sort(key=lambda item: item[0])

    def units(self):
        return [frame[0] for _, frame in self.sent]


def healthy(frame, _number):
    return [(1000, answer(frame))]


def dead(*unit_ids):
    return lambda frame, number: [] if frame[0] in unit_ids else healthy(frame, number)


def new_port(**settings):
    return RtuPort("test", 115200, first_byte_timeout_us=TIMEOUT_US, **settings)


def exchange(port, now_us, reply):
    """Poll, then the reply at the end of its wire time. Returns the time of its last byte."""
    frame = port.poll(now_us)
    assert frame
    end_us = now_us + REQUEST_US + 1000 + REPLY_US
    port.receive(reply(frame) if callable(reply) else reply, end_us)
    return end_us


# -- one exchange


def test_request_reply_and_statistics():
    log, port = Log(), new_port()
    port.add(log.read("a"), 20_000)
    end_us = exchange(port, 0, answer)
    assert log.events == [("a", "reply", bytes((3, 4, 0, 0, 0, 0)), end_us)]
    unit = port.statistics[1]
    assert (unit.sent, unit.ok, unit.timeout, unit.exception, unit.bad_reply, unit.noise_bytes) == (
        1,
        1,
        0,
        0,
        0,
        0,
    )
    assert port.wake_us == 20_000


def test_nothing_to_do_wakes_never():
    port = new_port()
    assert port.wake_us == NEVER and port.poll(10**12) == b""


def test_exception_is_told_with_its_code_and_is_no_silence():
    """bydhvs #287: exception 4 means busy, retry later."""
    log, port = Log(), new_port()
    port.add(log.read("a"), 20_000)
    for cycle in range(5):
        exchange(port, 20_000 * cycle, rtu.seal(bytes((1, 0x83, 4))))
    assert [event[1:3] for event in log.events] == [("exception", 4)] * 5
    assert port.statistics[1].exception == 5 and port.statistics[1].silent == 0
    assert port.wake_us == 100_000


def test_timeout_at_its_last_microsecond():
    """The time-out counts to the first byte; a wire that hands over whole replies shows it at the
    reply's end.
    """
    log, port = Log(), new_port()
    port.submit(log.read("a"))
    assert port.poll(0)
    deadline_us = REQUEST_US + TIMEOUT_US + REPLY_US
    assert port.wake_us == deadline_us
    assert port.poll(deadline_us - 1) == b"" and log.events == []
    assert port.poll(deadline_us) == b""
    assert log.events == [("a", "timeout", 0, deadline_us)]
    assert port.statistics[1].timeout == 1


def test_reply_at_the_deadline_is_taken_when_read_before_poll():
    log, port = Log(), new_port()
    port.submit(log.read("a"))
    frame = port.poll(0)
    port.receive(answer(frame), port.wake_us)
    assert log.outcomes() == ["reply"]


def test_no_bytes_change_nothing():
    log, port = Log(), new_port()
    port.submit(log.read("a"))
    frame = port.poll(0)
    wake_us = port.wake_us
    port.receive(b"", 25_000)
    assert port.wake_us == wake_us
    port.receive(answer(frame), 25_001)
    port.receive(b"", 25_002)
    assert log.outcomes() == ["reply"] and port.wake_us == NEVER


def test_a_request_added_or_submitted_while_one_is_outstanding_waits_for_its_end():
    log, port = Log(), new_port()
    port.submit(log.read("a"))
    frame = port.poll(0)
    deadline_us = port.wake_us
    port.add(log.read("b"), 20_000)
    port.submit(log.write("c"))
    assert port.wake_us == deadline_us
    port.receive(answer(frame), 3000)
    assert port.wake_us == 3000 + GAP_FAST_US


def test_one_request_outstanding_at_a_time():
    """home-assistant/core #120511: parallel requests stop the device."""
    log, port = Log(), new_port()
    for key in "ab":
        port.submit(log.read(key))
    assert port.poll(0)
    assert [port.poll(now_us) for now_us in range(0, REQUEST_US + TIMEOUT_US, 1000)] == [b""] * 31


# -- gaps


@pytest.mark.parametrize(
    "baud_Bd, char_bits, gap_us",
    [
        (9600, 10, 3646),
        (9600, 11, 4011),
        (19200, 10, 1823),
        (19200, 11, 2006),
        (19201, 11, 1750),
        (38400, 10, 1750),
        (115200, 10, GAP_FAST_US),
    ],
)
def test_gap_is_three_and_a_half_characters_in_whole_microseconds(baud_Bd, char_bits, gap_us):
    """pymodbus #191: silent interval computed with rounded floats. Above 19200 Bd it is 1.75 ms."""
    assert RtuPort("test", baud_Bd, char_bits).gap_us == gap_us


@pytest.mark.parametrize("turnaround_us", [0, 20_000, 200_000])
def test_next_request_waits_for_gap_and_turnaround_after_a_reply(turnaround_us):
    """pysunspec2 #21, home-assistant #9451, mqmgateway #40/#70, esphome #6633: the port keeps the
    gap for all.
    """
    log, port = Log(), new_port(turnaround_us=turnaround_us)
    port.submit(log.read("a", unit_id=1))
    port.submit(log.read("b", unit_id=2))
    ready_us = exchange(port, 0, answer) + GAP_FAST_US + turnaround_us
    assert port.wake_us == ready_us
    assert port.poll(ready_us - 1) == b""
    assert port.poll(ready_us)[0] == 2


def test_a_request_submitted_in_the_gap_waits_too():
    log, port = Log(), new_port()
    port.submit(log.read("a"))
    end_us = exchange(port, 0, answer)
    port.submit(log.write("stop", priority=rtu.STOP))
    assert port.wake_us == end_us + GAP_FAST_US
    assert port.poll(end_us + GAP_FAST_US - 1) == b""
    assert port.poll(end_us + GAP_FAST_US)


def test_no_request_into_foreign_traffic_but_noise_cannot_hold_for_ever():
    """JK BMS (dbus-serialbattery JKBMS-PB.md): another master on the bus; and a jabbering node."""
    log, port = Log(), new_port()
    port.receive(b"\x02", 1000)
    port.submit(log.read("a"))
    assert port.poll(1000 + GAP_FAST_US - 1) == b""
    now_us = 1000
    while now_us < 1000 + HOLD_US - 1000:
        now_us += 1000
        port.receive(b"\xff", now_us)
        assert port.poll(now_us) == b""
    port.receive(b"\xff", 1000 + HOLD_US)
    assert port.poll(1000 + HOLD_US)
    assert port.statistics[BUS].noise_bytes == 101


def test_noise_between_exchanges_delays_each_time_anew():
    log, port = Log(), new_port()
    port.add(log.read("a"), 20_000)
    for _ in range(3):
        exchange(port, port.wake_us, answer)
        noise_us = port.wake_us - 1
        port.receive(b"\x00", noise_us)
        assert port.wake_us == noise_us + GAP_FAST_US


@pytest.mark.parametrize(
    "data, stray_frames",
    [
        (rtu.seal(bytes((5, 3, 2, 0, 1))), 1),
        (rtu.seal(b"\x05\x03"), 1),
        (rtu.seal(bytes(254)), 1),
        (rtu.seal(b"\x05"), 0),
        (rtu.seal(bytes(255)), 0),
        (b"\x05\x03\x02\x00\x01\x00", 0),
        (bytes(600), 0),
    ],
)
def test_valid_frames_nobody_asked_for_are_reported(data, stray_frames):
    port = new_port()
    port.receive(data, 0)
    assert (port.statistics[BUS].stray_frames, port.statistics[BUS].noise_bytes) == (
        stray_frames,
        len(data),
    )


# -- replies in pieces, noise, garbage


def test_a_reply_in_pieces_may_pause_and_outlast_the_first_byte_timeout():
    """Two numbers, not one (esphome #6633): first byte within the time-out, then pieces up to 20 ms
    apart (USB latency timer 16 ms: modbus-serial-monitor #4; bms-to-inverter #165).
    """
    log, port = Log(), new_port()
    port.submit(log.read("a", count=20))
    frame = port.poll(0)
    reply = answer(frame)
    now_us = REQUEST_US + TIMEOUT_US - 1
    for start in range(0, 45, 22):
        assert port.poll(now_us) == b""
        port.receive(reply[start : start + 22], now_us)
        now_us += 16_000
    assert log.outcomes() == ["reply"]


def test_a_reply_that_stops_halfway_is_a_bad_reply():
    log, port = Log(), new_port()
    port.submit(log.read("a"))
    frame = port.poll(0)
    port.receive(answer(frame)[:5], 28_000)
    end_us = 28_000 + PIECE_GAP_US + round(4 * CHAR_US + 1)
    assert abs(port.wake_us - end_us) <= 1
    port.poll(port.wake_us)
    assert [event[:3] for event in log.events] == [("a", "bad reply", 0)]
    assert (
        port.statistics[1].bad_reply,
        port.statistics[1].timeout,
        port.statistics[1].noise_bytes,
    ) == (1, 0, 5)


def test_a_whole_but_bad_reply_ends_the_wait_early():
    """solaredge_modbus #24: a bad CRC must not cost a whole time-out each time."""
    log, port = Log(), new_port()
    port.submit(log.read("a"))
    frame = port.poll(0)
    port.receive(answer(frame)[:-1] + b"\x55", 3000)
    assert port.wake_us == 3000 + PIECE_GAP_US
    port.poll(port.wake_us)
    assert log.outcomes() == ["bad reply"]
    assert port.statistics[1].silent == 0


def test_endless_noise_ends_a_request():
    log, port = Log(), new_port()
    port.submit(log.read("a"))
    assert port.poll(0)
    now_us = 1000
    while not log.events:
        port.receive(b"\x00", now_us)
        port.poll(now_us)
        now_us += 1000
        assert now_us < REQUEST_US + TIMEOUT_US + 2 * REPLY_US + PAUSES_MAX * PIECE_GAP_US + 1000
    assert log.outcomes() == ["bad reply"]
    port.submit(log.read("b"))
    assert port.wake_us == log.events[0][3] + GAP_FAST_US


def test_one_noise_byte_does_not_shorten_the_wait_for_a_slow_unit():
    """micropython-modbus #34/#68: a 0x00 when the driver is switched, then the real reply much
    later.
    """
    log, port = Log(), new_port()
    port.submit(log.read("a"))
    frame = port.poll(0)
    port.receive(b"\x00", REQUEST_US + 10)
    now_us = REQUEST_US + TIMEOUT_US - 1
    assert port.poll(now_us) == b""
    port.receive(answer(frame), now_us)
    assert log.outcomes() == ["reply"]
    assert port.statistics[1].noise_bytes == 1


def test_bytes_before_the_request_has_left_are_stale():
    """pymodbus #1278: flush before each request; a reply cannot begin before its request has
    ended.
    """
    log, port = Log(), new_port()
    port.submit(log.read("a"))
    frame = port.poll(0)
    port.receive(answer(frame, value=7), REQUEST_US - 1)
    assert log.events == []
    port.receive(answer(frame, value=8), REQUEST_US)
    assert log.events[0][2] == bytes((3, 4, 0, 8, 0, 8))
    assert port.statistics[1].noise_bytes == 9


def test_local_echo_arrives_while_sending():
    """minimalmodbus: adapters with local echo."""
    log, port = Log(), new_port(echo=True)
    port.submit(rtu.write_register_request("w", 1, 5, 6, *log.callbacks("w")))
    frame = port.poll(0)
    port.receive(frame, REQUEST_US - 100)
    assert log.events == []
    port.receive(frame, REQUEST_US + 2000)
    assert log.outcomes() == ["reply"]
    assert port.statistics[1].noise_bytes == 0


def test_an_echo_alone_is_a_timeout():
    log, port = Log(), new_port(echo=True)
    port.submit(rtu.write_register_request("w", 1, 5, 6, *log.callbacks("w")))
    port.receive(port.poll(0), REQUEST_US)
    port.poll(port.wake_us)
    assert log.outcomes() == ["timeout"]


def test_a_wrong_unit_id_is_never_a_reply():
    log, port = Log(), new_port()
    port.submit(log.read("a", unit_id=1))
    frame = port.poll(0)
    port.receive(answer(bytes((2,)) + frame[1:]), 3000)
    port.poll(port.wake_us)
    assert log.outcomes() == ["bad reply"]


# -- late replies


def test_a_late_reply_in_the_idle_bus_is_a_stray():
    log, port = Log(), new_port()
    port.submit(log.read("a"))
    frame = port.poll(0)
    port.poll(port.wake_us)
    port.receive(answer(frame), port.wake_us if port.wake_us < NEVER else 60_000)
    assert log.outcomes() == ["timeout"]
    assert port.statistics[BUS].stray_frames == 1


def test_a_late_reply_is_not_attributed_to_the_next_request():
    """node-modbus-serial #455. Two blocks of equal size: the late reply of one would fit the
    other.
    """
    log, port = Log(), new_port()
    port.submit(log.read("first", address=0))
    port.submit(log.read("second", address=500))
    first = port.poll(0)
    second = port.poll(port.wake_us)
    sent_us = REQUEST_US + TIMEOUT_US + REPLY_US
    port.receive(answer(first, value=1), sent_us + REQUEST_US + 500)
    assert log.outcomes() == ["timeout"]
    port.receive(answer(second, value=2), sent_us + REQUEST_US + 5000)
    assert log.events[1][:3] == ("second", "reply", bytes((3, 4, 0, 2, 0, 2)))


def test_a_write_that_timed_out_raises_no_suspicion():
    log, port = Log(), new_port()
    port.submit(log.write("w"))
    port.poll(0)
    port.poll(port.wake_us)
    port.submit(log.write("w"))
    port.submit(log.read("a", function=3))
    exchange(port, exchange(port, 50_000, answer) + 5000, answer)
    assert log.outcomes() == ["timeout", "reply", "reply"]


@pytest.mark.parametrize("age_us, taken", [(LATE_US - 1, False), (LATE_US, True)])
def test_suspicion_ends_after_the_slowest_reply_known(age_us, taken):
    log, port = Log(), new_port()
    port.submit(log.read("a"))
    port.poll(0)
    failed_us = port.wake_us
    port.poll(failed_us)
    port.submit(log.read("b", address=500))
    frame = port.poll(failed_us + age_us - 5000)
    port.receive(answer(frame), failed_us + age_us)
    assert log.outcomes("b") == (["reply"] if taken else [])


def test_suspicion_does_not_touch_writes_nor_other_functions_nor_other_units():
    log, port = Log(), new_port()
    port.submit(log.read("a", unit_id=1, function=3))
    port.poll(0)
    port.poll(port.wake_us)
    now_us = 100_000
    for request in (log.write("w"), log.read("b", function=4), log.read("c", unit_id=2)):
        port.submit(request)
        now_us = exchange(port, now_us, answer) + 10_000
    assert log.outcomes()[1:] == ["reply"] * 3


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_a_burst_of_late_replies_is_dropped_whole(lost):
    """A stalled adapter hands over all at once what was answered in time, and then the right
    one.
    """
    log, port = Log(), new_port()
    burst = b""
    for number in range(lost):
        port.submit(log.read(number, address=number))
        burst += answer(port.poll(port.wake_us), value=number + 1)
        port.poll(port.wake_us)
    port.submit(log.read("right", address=900))
    now_us = max(port.wake_us, port.statistics[1].retry_us)
    burst += answer(port.poll(now_us), value=9)
    assert port.statistics[1].silent == lost
    port.receive(burst[:-9], now_us + 2000)
    assert log.outcomes("right") == [] and port.statistics[1].silent == 0
    port.receive(burst[-9:], now_us + 3000)
    assert [event[2] for event in log.events if event[1] == "reply"] == [bytes((3, 4, 0, 9, 0, 9))]


@pytest.mark.parametrize("latency_us", [TIMEOUT_US + 1500, 45_000, 58_000])
def test_a_unit_always_slower_than_the_timeout_is_never_believed(latency_us):
    """Each reply comes during a later request and fits it: without a rest the bus would stay one
    reply behind.
    """
    log = Log()
    port = new_port()
    port.add(log.read("even", address=0), 20_000)
    port.add(log.read("odd", address=500), 20_000)
    Bench(port, lambda frame, _: [(latency_us, answer(frame, value=frame[2]))]).run(3_000_000)
    for key, _, pdu, _ in (event for event in log.events if event[1] == "reply"):
        assert pdu[3] == (0 if key == "even" else 500 >> 8)
    assert len(log.outcomes()) > 10


def longest_pause_us(lost):
    """Between two replies of a read every 20 ms, of which those numbered in `lost` are not
    answered.
    """
    log, port = Log(), new_port()
    port.add(log.read("a"), 20_000)
    Bench(port, lambda frame, number: [] if number in lost else healthy(frame, number)).run(600_000)
    replies_us = [event[3] for event in log.events if event[1] == "reply"]
    return max(b - a for a, b in zip(replies_us, replies_us[1:]))


@pytest.mark.parametrize("lost", [(3,), (3, 4)])
def test_a_repetition_of_the_same_read_is_believed_at_once(lost):
    """One damaged request must not cost a meter its 0.5 s: the late reply would have said the same
    thing.
    """
    assert longest_pause_us(lost) < len(lost) * TIMEOUT_US + 40_000


def test_after_three_timeouts_in_a_row_not_even_the_same_read_is_believed():
    assert longest_pause_us((3, 4, 5)) > 5 * TIMEOUT_US


# -- order


def test_stop_before_write_before_read():
    log, port = Log(), new_port()
    port.submit(log.read("busy", unit_id=9))
    first = port.poll(0)
    for request in (log.read("read"), log.write("write"), log.write("stop", priority=rtu.STOP)):
        port.submit(request)
    port.receive(answer(first), 5000)
    bench = Bench(port, healthy)
    bench.now_us = 5000
    bench.run(100_000)
    assert [event[0] for event in log.events] == ["busy", "stop", "write", "read"]


def test_a_pending_request_of_the_same_key_is_replaced_and_never_queued_twice():
    log, port = Log(), new_port()
    for value in (1, 2, 3):
        port.submit(log.write("setpoint", value=value))
    assert port.poll(0)[7:9] == b"\x00\x03"
    port.submit(log.write("setpoint", value=4))  # the one being sent is not pending any more
    bench = Bench(port, healthy)
    bench.run(200_000)
    assert [frame[7:9] for _, frame in bench.sent] == [b"\x00\x04"]


def test_replacing_keeps_the_place_in_the_queue():
    log, port = Log(), new_port()
    port.submit(log.write("one", unit_id=1))
    port.submit(log.write("two", unit_id=2))
    port.submit(log.write("one", unit_id=1, value=9))
    assert Bench(port, healthy).run(50_000).units() == [1, 2]


def test_due_reads_go_by_earliest_deadline():
    log, port = Log(), new_port()
    port.add(log.read("slow", unit_id=1), 1_000_000)
    port.add(log.read("fast", unit_id=2), 20_000)
    port.add(log.read("middle", unit_id=3), 100_000)
    assert Bench(port, healthy).run(15_000).units() == [2, 3, 1]


def test_deadlines_count_in_every_period():
    log, port = Log(), new_port()
    port.add(log.read("slow", unit_id=1), 40_000)
    port.add(log.read("fast", unit_id=2), 20_000)
    assert Bench(port, healthy).run(119_000).units() == [2, 1, 2, 2, 1, 2, 2, 1, 2]


def test_an_overloaded_bus_still_asks_everybody():
    log, port = Log(), new_port()
    for unit_id, period_us in ((1, 5_000), (2, 5_000), (3, 200_000)):
        port.add(log.read(unit_id, unit_id=unit_id), period_us)
    units = Bench(port, healthy).run(1_000_000).units()
    assert units.count(3) >= 2 and min(units.count(1), units.count(2)) > 100


def test_periods_keep_their_phase_and_missed_ones_are_not_made_up_for():
    """After a stall: one request, not a burst."""
    log, port = Log(), new_port()
    port.add(log.read("a"), 20_000, phase_us=3_000)
    assert port.poll(2_999) == b"" and port.wake_us == 3_000
    exchange(port, 3_000, answer)
    assert port.wake_us == 23_000
    exchange(port, 117_000, answer)
    assert port.wake_us == 123_000


def test_callbacks_may_submit():
    log, port = Log(), new_port()
    chain = [log.write("second")]
    request = log.read("first")
    request.on_reply = lambda pdu, now_us: port.submit(chain[0])
    port.submit(request)
    end_us = exchange(port, 0, answer)
    assert port.wake_us == end_us + GAP_FAST_US
    assert port.poll(port.wake_us) == chain[0].frame


def test_a_failure_callback_may_submit_and_is_sent_in_the_same_poll():
    log, port = Log(), new_port()
    request = log.read("first")
    request.on_failure = lambda kind, code, now_us: port.submit(
        log.write("stop", priority=rtu.STOP)
    )
    port.submit(request)
    assert port.poll(0)
    assert port.poll(port.wake_us)[1] == rtu.WRITE_REGISTERS


# -- units that are silent


def test_a_silent_unit_is_asked_less_and_less_and_others_stay_fast():
    """sungrow #602, OpenEMS PR #3099, solax #1007/#905: back-off that ends by itself; retries stay
    visible.
    """
    log, port = Log(), new_port()
    for unit_id in (1, 2):
        port.add(log.read(unit_id, unit_id=unit_id), 20_000)
    bench = Bench(port, dead(2)).run(20_000_000)
    tried_us = [now_us for now_us, frame in bench.sent if frame[0] == 2]
    pauses_us = [b - a for a, b in zip(tried_us, tried_us[1:])]
    exchange_us = REQUEST_US + TIMEOUT_US + REPLY_US
    for pause_us, expected_us in zip(
        pauses_us[2:], (200_000, 400_000, 800_000, 1_600_000, 2_000_000, 2_000_000)
    ):
        assert expected_us + exchange_us <= pause_us <= expected_us + exchange_us + 5_000
    healthy_us = [event[3] for event in log.events if event[0] == 1]
    assert max(b - a for a, b in zip(healthy_us, healthy_us[1:])) < 20_000 + exchange_us + 10_000
    assert port.statistics[2].timeout == port.statistics[2].sent == len(tried_us)


@pytest.mark.parametrize("timeouts, backed_off", [(2, False), (3, True)])
def test_back_off_begins_with_the_third_timeout(timeouts, backed_off):
    log, port = Log(), new_port()
    port.add(log.read("a"), 1000)
    bench = Bench(port, dead(1))
    while port.statistics[1].timeout < timeouts:
        bench.run(bench.now_us + 1000)
    failed_us = log.events[-1][3]
    assert (port.wake_us == failed_us + BACK_OFF_US) == backed_off


def test_one_good_reply_ends_the_back_off():
    log, port = Log(), new_port()
    port.add(log.read("a"), 20_000)
    bench = Bench(port, dead(1)).run(10_000_000)
    bench.slave = healthy
    bench.run(10_000_000 + BACK_OFF_US_MAX + 200_000)
    bench.sent.clear()
    bench.run(bench.now_us + 200_000)
    assert len(bench.sent) == 10
    assert port.statistics[1].silent == 0


def test_noise_is_no_sign_of_life():
    """solaredge_modbus #24: "connected" only after a valid frame. A byte of noise must not end the
    back-off.
    """
    log, port = Log(), new_port()
    port.add(log.read("a"), 20_000)
    Bench(port, lambda frame, _: [(100, b"\x00")]).run(5_000_000)
    assert port.statistics[1].bad_reply == port.statistics[1].sent < 10


def test_a_single_read_of_a_silent_unit_waits_without_keeping_the_loop_awake():
    log, port = Log(), new_port()
    port.add(log.read("a"), 20_000)
    bench = Bench(port, dead(1)).run(5_000_000)
    port.submit(log.read("b"))
    assert port.poll(bench.now_us) == b""
    assert port.wake_us == port.statistics[1].retry_us > bench.now_us


@pytest.mark.parametrize("priority", [rtu.STOP, rtu.WRITE])
def test_writes_are_never_backed_off(priority):
    log, port = Log(), new_port()
    port.add(log.read("a"), 20_000)
    bench = Bench(port, dead(1)).run(5_000_000)
    assert port.wake_us > bench.now_us
    port.submit(log.write("w", priority=priority))
    assert port.wake_us <= bench.now_us
    assert port.poll(bench.now_us)


def test_writes_to_a_dead_unit_leave_room_for_the_others():
    log, port = Log(), new_port()
    port.add(log.read("alive", unit_id=1), 20_000)
    bench = Bench(port, dead(2))
    for tick in range(500):
        port.submit(log.write("dead", unit_id=2))
        port.submit(log.write("alive_write", unit_id=1))
        bench.run((tick + 1) * 20_000)
    alive_us = [event[3] for event in log.events[20:] if event[0] == "alive"]
    assert max(b - a for a, b in zip(alive_us, alive_us[1:])) < 80_000
    dead_us = [event[3] for event in log.events[20:] if event[0] == "dead"]
    assert max(b - a for a, b in zip(dead_us, dead_us[1:])) < PATIENCE_US + 2 * TIMEOUT_US + 20_000


def test_a_first_stop_to_a_silent_unit_goes_before_all_others():
    log, port = Log(), new_port()
    port.add(log.read("a", unit_id=2), 20_000)
    bench = Bench(port, dead(2)).run(5_000_000)
    for request in (log.write("w", unit_id=1), log.write("stop", unit_id=2, priority=rtu.STOP)):
        port.submit(request)
    assert port.poll(bench.now_us)[0] == 2


# -- times for the site check


@pytest.mark.parametrize(
    "baud_Bd, request_bytes, reply_bytes, wire_us",
    [(115200, 8, 45, 8_101), (19200, 8, 45, 31_250), (9600, 8, 45, 62_500), (115200, 17, 8, 5_670)],
)
def test_transaction_time_as_measured_on_the_wire(baud_Bd, request_bytes, reply_bytes, wire_us):
    port = RtuPort("test", baud_Bd)
    assert abs(port.transaction_us(request_bytes, reply_bytes, port.gap_us) - wire_us) <= 3


def test_turnaround_is_part_of_the_transaction():
    assert new_port(turnaround_us=700).transaction_us(8, 9, 1000) == new_port().transaction_us(
        8, 9, 1700
    )
