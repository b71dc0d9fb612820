"""Schedule, gaps, time-outs, late replies and back-off of an RTU bus, in virtual time."""

import random

import pytest

from drivers.buses import port as p, rtu
from drivers.buses.port import GAP_FAST_US, NEVER, RtuPort
from tests.tables import cases

# Written as numbers: imported from the source they would follow each change of the source.
LATE_US, HOLD_US, PIECE_GAP_US, PATIENCE_US, PAUSES_MAX = 1_000_000, 100_000, 20_000, 50_000, 4
BACK_OFF_US, BACK_OFF_US_MAX = 200_000, 2_000_000
TIMEOUT_US = 30_000
CHAR_US = 86.806  # 10 bits at 115200 Bd
REQUEST_US = 695  # 8 characters, rounded up
REPLY_US = 782  # 9 characters: the reply to a read of 2 registers
SPENT_US = REQUEST_US + TIMEOUT_US + REPLY_US  # an exchange without a reply

LOST = {"unit_id": 2, "function": 3, "address": 0, "count": 2}


def answer(frame, value=0):
    if frame[1] in (3, 4):
        count = frame[5]
        return rtu.seal(bytes((frame[0], frame[1], 2 * count)) + value.to_bytes(2, "big") * count)
    return rtu.seal(frame[:6])


def healthy(frame, _number):
    return [(1000, answer(frame))]


def dead(*unit_ids):
    return lambda frame, number: [] if frame[0] in unit_ids else healthy(frame, number)


class Bench:
    """events: (key, outcome, detail, us); slave(frame, number) -> [(us after request, bytes)]."""

    def __init__(self, **settings):
        self.port = RtuPort("test", 115200, first_byte_timeout_us=TIMEOUT_US, **settings)
        self.events, self.sent, self.arriving, self.now_us = [], [], [], 0
        self.slave = healthy

    def callbacks(self, key):
        return (
            lambda pdu, now_us: self.events.append((key, "reply", pdu, now_us)),
            lambda kind, code, now_us: self.events.append((key, rtu.FAILURES[kind], code, now_us)),
        )

    def read(self, key, unit_id=1, address=0, count=2, function=3):
        return rtu.read_request(key, unit_id, function, address, count, *self.callbacks(key))

    def written(self, key, unit_id=1, value=0, priority=rtu.WRITE):
        return rtu.write_request(
            16, key, unit_id, 100, (value,), *self.callbacks(key), priority=priority
        )

    def ask(self, key, **detail):
        self.port.submit(self.read(key, **detail))

    def write(self, key, **detail):
        self.port.submit(self.written(key, **detail))

    def poll_every(self, key, period_us, **detail):
        self.port.add(self.read(key, **detail), period_us)

    def outcomes(self, key=None):
        return [event[1] for event in self.events if key in (None, event[0])]

    def longest_pause_us(self, key):
        ends_us = [event[3] for event in self.events if event[0] == key]
        return max(b - a for a, b in zip(ends_us, ends_us[1:]))

    def exchange(self, now_us, reply=answer):
        """Poll, then reply after the wire time; returns the time of the last byte, us."""
        frame = self.port.poll(now_us)
        assert frame
        end_us = now_us + REQUEST_US + 1000 + REPLY_US
        self.port.receive(reply(frame), end_us)
        return end_us

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
            self._send(self.port.poll(next_us))

    def _send(self, frame):
        if not frame:
            return
        self.sent.append((self.now_us, frame))
        end_us = self.now_us + round(len(frame) * CHAR_US)
        for delay_us, data in self.slave(frame, len(self.sent)):
            self.arriving.append((end_us + delay_us + round(len(data) * CHAR_US), data))
        self.arriving.sort(key=lambda item: item[0])

    def units(self):
        return [frame[0] for _, frame in self.sent]


@pytest.fixture
def bench():
    return Bench()


@pytest.fixture
def port(bench):
    return bench.port


def test_request_reply_and_statistics(bench, port):
    assert port.wake_us == NEVER and port.poll(0) == b""
    bench.poll_every("a", 20_000)
    end_us = bench.exchange(0)
    assert bench.events == [("a", "reply", bytes((3, 4, 0, 0, 0, 0)), end_us)]
    unit = port.statistics[1]
    assert (unit.sent, unit.ok, unit.timeout, unit.exception, unit.bad_reply) == (1, 1, 0, 0, 0)
    assert (unit.noise_bytes, port.wake_us) == (0, 20_000)


def test_an_exception_has_its_code_and_is_no_silence(bench, port):
    """bydhvs #287: exception 4 means busy, retry later."""
    bench.poll_every("a", 20_000)
    for cycle in range(5):
        bench.exchange(20_000 * cycle, lambda frame: EXCEPTION)
    assert [event[1:3] for event in bench.events] == [("exception", 4)] * 5
    assert port.statistics[1].exception == 5 and port.statistics[1].silent == 0
    assert port.statistics[1].noise_bytes == 0
    assert port.wake_us == 100_000


def test_timeout_at_its_last_microsecond(bench, port):
    """The time-out ends at the first byte; some adapters deliver a reply only at its end."""
    bench.ask("a")
    assert port.poll(0)
    assert port.wake_us == SPENT_US
    assert port.poll(SPENT_US - 1) == b"" and bench.events == []
    assert port.poll(SPENT_US) == b""
    assert bench.events == [("a", "timeout", 0, SPENT_US)]
    assert port.statistics[1].timeout == 1


def test_no_bytes_change_nothing_and_a_reply_at_the_deadline_counts(bench, port):
    bench.ask("a")
    frame = port.poll(0)
    port.receive(b"", 25_000)
    assert port.wake_us == SPENT_US
    port.receive(answer(frame), SPENT_US)
    port.receive(b"", SPENT_US)
    assert bench.outcomes() == ["reply"] and port.wake_us == NEVER


def test_one_request_at_a_time(bench, port):
    """home-assistant/core #120511: parallel requests stop the device."""
    bench.ask("a")
    frame = port.poll(0)
    bench.poll_every("b", 20_000)
    bench.write("c")
    assert port.wake_us == SPENT_US
    assert not any(port.poll(now_us) for now_us in range(0, SPENT_US, 1000))
    port.receive(answer(frame), 30_000)
    assert port.wake_us == 30_000 + GAP_FAST_US


@cases("""baud_Bd  char_bits  gap_us
    *((9600, 10, 3646), (9600, 11, 4011), (19200, 10, 1823), (19200, 11, 2006))
    *((19201, 11, 1750), (115200, 10, GAP_FAST_US))""")
def test_gap_is_three_and_a_half_characters(baud_Bd, char_bits, gap_us):
    """pymodbus #191: silent interval computed with rounded floats. Above 19200 Bd it is 1.75 ms."""
    assert RtuPort("test", baud_Bd, char_bits).gap_us == gap_us


EXCEPTION = rtu.seal(bytes((1, 0x83, 4)))


@pytest.mark.parametrize("turnaround_us", [0, 20_000, 200_000])
@pytest.mark.parametrize("reply", [answer, lambda frame: EXCEPTION])
def test_gap_and_turnaround_after_a_reply(turnaround_us, reply):
    """pysunspec2 #21, home-assistant #9451, mqmgateway #40/#70, esphome #6633: also for a stop."""
    bench = Bench(turnaround_us=turnaround_us)
    bench.ask("a")
    ready_us = bench.exchange(0, reply) + GAP_FAST_US + turnaround_us
    bench.write("stop", unit_id=2, priority=rtu.STOP)
    assert bench.port.wake_us == ready_us
    assert bench.port.poll(ready_us - 1) == b""
    assert bench.port.poll(ready_us)[0] == 2


def test_noise_delays_a_request_by_a_bounded_time(bench, port):
    """JK BMS (dbus-serialbattery JKBMS-PB.md): another master on the bus; and a jabbering node."""
    port.receive(b"\x02", 1000)
    bench.ask("a")
    assert port.poll(1000 + GAP_FAST_US - 1) == b""
    for now_us in range(2000, 1000 + HOLD_US, 1000):
        port.receive(b"\xff", now_us)
        assert port.poll(now_us) == b""
    port.receive(b"\xff", 1000 + HOLD_US)
    assert port.poll(1000 + HOLD_US)
    assert port.statistics[p.BUS].noise_bytes == 101


def test_noise_between_exchanges_delays_each_time_anew(bench, port):
    bench.poll_every("a", 20_000)
    for _ in range(HOLD_US // 20_000 + 2):  # in all longer than one request may be held up
        bench.exchange(port.wake_us)
        noise_us = port.wake_us - 1
        port.receive(b"\x00", noise_us)
        assert port.wake_us == noise_us + GAP_FAST_US


@cases(r"""data  stray_frames
    *((rtu.seal(each), 1) for each in (b"\5\3\2\0\1", b"\5\3", bytes(254)))
    *((each, 0) for each in (rtu.seal(b"\5"), rtu.seal(bytes(255)), b"\5\3\2\0\1\0"))
    bytes(600)  0""")
def test_stray_frames_are_counted(port, data, stray_frames):
    port.receive(data, 0)
    bus = port.statistics[p.BUS]
    assert (bus.stray_frames, bus.noise_bytes) == (stray_frames, len(data))


def test_a_reply_in_pieces_may_pause_and_outlast_the_timeout(bench, port):
    """esphome #6633, modbus-serial-monitor #4, bms-to-inverter #165: pieces up to 20 ms apart."""
    bench.ask("a", count=20)
    reply = answer(port.poll(0))
    now_us = REQUEST_US + TIMEOUT_US - 1
    for start in range(0, 45, 22):
        assert port.poll(now_us) == b""
        port.receive(reply[start : start + 22], now_us)
        now_us += 16_000
    assert bench.outcomes() == ["reply"]


def test_a_reply_that_stops_halfway_is_a_bad_reply(bench, port):
    bench.ask("a")
    port.receive(answer(port.poll(0))[:5], 28_000)
    assert abs(port.wake_us - (28_000 + PIECE_GAP_US + round(4 * CHAR_US + 1))) <= 1
    port.poll(port.wake_us)
    assert [event[:3] for event in bench.events] == [("a", "bad reply", 0)]
    unit = port.statistics[1]
    assert (unit.bad_reply, unit.timeout, unit.noise_bytes) == (1, 0, 5)


@cases("""
    reply  other_unit  answered_by
    bytes((0x51, 3, 4, 0, 0, 0, 0))  1  0x51 | bytes((2, 0x83, 2))  1  2
    bytes((2, 4, 4, 0, 0, 0, 0))  0  0 | bytes((1, 3, 2, 0, 0))  0  0
""")
@pytest.mark.parametrize("piece", (1, 256))
def test_an_answer_of_another_unit_is_named(bench, port, reply, other_unit, answered_by, piece):
    """Daly: 0x51 answers the requests to 0x81."""
    bench.ask("a")
    port.poll(0)
    data = b"\0" + rtu.seal(reply)
    for at in range(0, len(data), piece):
        port.receive(data[at : at + piece], 3000)
    port.poll(port.wake_us)
    unit = port.statistics[1]
    assert bench.outcomes() == ["bad reply"]
    assert (unit.other_unit, unit.answered_by) == (other_unit, answered_by)


def test_a_read_without_any_answer_takes_the_answer_of_the_next_read_once(bench, port):
    """Register 7 is not answered; else the read behind it would never be heard."""
    bench.slave = lambda frame, number: [] if frame[3] == 7 else healthy(frame, number)
    port.add(bench.read("dead", address=7), 1_000_000)
    port.add(bench.read("good", address=100), 1_000_000, 1)
    bench.run(10_000_000)
    heard = [event for event in bench.events if event[:2] == ("good", "reply")]
    assert 9 <= len(heard) <= 11


def test_a_whole_but_bad_reply_ends_the_wait_early(bench, port):
    """solaredge_modbus #24: a bad CRC must not cost a whole time-out each time."""
    bench.ask("a")
    port.receive(answer(port.poll(0))[:-1] + b"\x55", 3000)
    assert port.wake_us == 3000 + PIECE_GAP_US
    port.poll(port.wake_us)
    assert bench.outcomes() == ["bad reply"] and port.statistics[1].silent == 0


def test_endless_noise_ends_a_request(bench, port):
    bench.ask("a")
    assert port.poll(0)
    now_us = 1000
    while not bench.events:
        port.receive(b"\x00", now_us)
        port.poll(now_us)
        now_us += 1000
        assert now_us < SPENT_US + REPLY_US + PAUSES_MAX * PIECE_GAP_US + 1000
    assert bench.outcomes() == ["bad reply"]
    bench.ask("b")
    assert port.wake_us == bench.events[0][3] + GAP_FAST_US


def test_a_noise_byte_does_not_shorten_the_wait(bench, port):
    """micropython-modbus #34/#68: 0x00 when the transmitter switches, the real reply much later."""
    bench.ask("a")
    frame = port.poll(0)
    port.receive(b"\x00", REQUEST_US + 10)
    now_us = REQUEST_US + TIMEOUT_US - 1
    assert port.poll(now_us) == b""
    port.receive(answer(frame), now_us)
    assert bench.outcomes() == ["reply"] and port.statistics[1].noise_bytes == 1


def test_bytes_before_the_request_has_left_are_stale(bench, port):
    """pymodbus #1278: a reply cannot begin before its request has ended."""
    bench.ask("a")
    frame = port.poll(0)
    port.receive(answer(frame, value=7), REQUEST_US - 1)
    assert bench.events == []
    port.receive(answer(frame, value=8), REQUEST_US)
    assert bench.events[0][2] == bytes((3, 4, 0, 8, 0, 8))
    assert port.statistics[1].noise_bytes == 9


@pytest.mark.parametrize("replied, outcome", [(True, "reply"), (False, "timeout")])
def test_local_echo_is_no_reply(replied, outcome):
    """minimalmodbus: adapters with local echo, which arrives while sending."""
    bench = Bench(echo=True)
    bench.port.submit(rtu.write_request(6, "w", 1, 5, [6], *bench.callbacks("w")))
    frame = bench.port.poll(0)
    bench.port.receive(frame, REQUEST_US - 100)
    assert bench.events == []
    if replied:
        bench.port.receive(frame, REQUEST_US + 2000)
    bench.port.poll(bench.port.wake_us)
    assert bench.outcomes() == [outcome] and bench.port.statistics[1].noise_bytes == 0


def test_a_late_reply_is_not_taken_for_the_next(bench, port):
    """node-modbus-serial #455. Two blocks of equal size: either reply would fit the other read."""
    bench.ask("first", address=0)
    bench.ask("second", address=500)
    first = port.poll(0)
    second = port.poll(port.wake_us)
    port.receive(answer(first, value=1), SPENT_US + REQUEST_US + 500)
    assert bench.outcomes() == ["timeout"]
    port.receive(answer(second, value=2), SPENT_US + REQUEST_US + 5000)
    assert bench.events[1][:3] == ("second", "reply", bytes((3, 4, 0, 2, 0, 2)))
    bench.ask("third", address=0)
    sent_us = SPENT_US + REQUEST_US + 10_000
    assert port.poll(sent_us)
    port.poll(sent_us + SPENT_US)
    assert bench.outcomes("third") == ["timeout"] and port.statistics[1].silent == 1


@pytest.mark.parametrize("again", [0, 500])
def test_after_two_timeouts_of_different_reads_the_first_reply_is_dropped(bench, port, again):
    """The reply to one read may come while the other read is repeated."""
    for address in (0, 500):
        bench.ask(address, address=address)
        port.poll(port.wake_us)
        port.poll(port.wake_us)
    bench.ask("again", address=again)
    now_us = max(port.wake_us, port.statistics[1].retry_us)
    first = port.poll(now_us)
    assert bench.outcomes() == ["timeout"] * 2
    port.receive(answer(first, value=500), now_us + REQUEST_US + 500)
    assert bench.outcomes("again") == []


def test_after_a_timeout_of_a_write_replies_are_accepted(bench, port):
    bench.write("w")
    port.poll(0)
    port.poll(port.wake_us)
    bench.write("w")
    bench.ask("a")
    bench.exchange(bench.exchange(50_000) + 5000)
    assert bench.outcomes() == ["timeout", "reply", "reply"]


@pytest.mark.parametrize("age_us, taken", [(LATE_US - 1, []), (LATE_US, ["reply"])])
def test_late_replies_are_expected_for_one_second(bench, port, age_us, taken):
    for address in (0, 7):  # the one that failed last counts
        bench.ask(address, address=address)
        port.poll(600_000 * (address > 0))
        failed_us = port.wake_us
        port.poll(failed_us)
    bench.ask("b", address=500)
    port.receive(answer(port.poll(failed_us + age_us - 5000)), failed_us + age_us)
    assert bench.outcomes("b") == taken


@cases("""
    lost  age_us  size  other
    {}  0  9  0  # the late reply to the same block of unit 2
    {}  LATE_US - 1  9  0 | {}  LATE_US  9  1
    {}  0  8  0 | {}  0  10  0  # cut short, and with noise behind it: the frame alone counts
    {"function": 4}  0  9  1 | {"unit_id": 3}  0  9  1
    {"head": 7}  0  9  1 | {"unit_id": 3, "head": 2}  0  9  0  # a reply by another unit id
""")
def test_a_late_reply_is_not_called_one_of_another_unit(bench, port, lost, age_us, size, other):
    head = lost.pop("head", None)
    port.submit(rtu.read_request("lost", **{**LOST, **lost}, reply_id=head))
    port.poll(0)
    port.poll(failed_us := port.wake_us)
    bench.ask("asked")
    end_us = failed_us + age_us
    sent_us = max(end_us - 60_000, failed_us)
    frame = port.poll(sent_us)
    port.receive((answer(b"\2" + frame[1:]) + b"\0")[:size], sent_us + 5000)
    port.poll(max(end_us, port.wake_us))
    assert bench.outcomes("asked") == ["bad reply"]
    assert port.statistics[1].other_unit == other


def test_late_replies_are_expected_by_unit_and_function(bench, port):
    bench.ask("a", unit_id=1, function=3)
    port.poll(0)
    port.poll(port.wake_us)
    now_us = 100_000
    for request in (bench.written("w"), bench.read("b", function=4), bench.read("c", unit_id=2)):
        port.submit(request)
        now_us = bench.exchange(now_us) + 10_000
    assert bench.outcomes()[1:] == ["reply"] * 3


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_a_burst_of_late_replies_is_dropped_whole(bench, port, lost):
    """A stalled adapter delivers the late replies together, and then the right reply."""
    burst = b""
    for number in range(lost):
        bench.ask(number, address=number)
        burst += answer(port.poll(port.wake_us), value=number + 1)
        port.poll(port.wake_us)
    bench.ask("right", address=900)
    now_us = max(port.wake_us, port.statistics[1].retry_us)
    right = answer(port.poll(now_us), value=9)
    assert port.statistics[1].silent == lost
    port.receive(burst, now_us + 2000)
    assert bench.outcomes("right") == [] and port.statistics[1].silent == 0
    port.receive(right, now_us + 3000)
    replies = [event[2] for event in bench.events if event[1] == "reply"]
    assert replies == [bytes((3, 4, 0, 9, 0, 9))]


def test_a_late_reply_ends_the_silence_in_one_request_only(bench, port):
    bench.ask("a")
    late = answer(port.poll(0))
    port.poll(port.wake_us)
    for key, silent in (("late", 0), ("none", 1)):
        bench.ask(key, address=900)
        while not port.poll(port.wake_us):
            pass
        if key == "late":
            port.receive(late, port.wake_us - 10_000)
        while port.statistics[1].sent > len(bench.events):
            port.poll(port.wake_us)
        assert port.statistics[1].silent == silent


@pytest.mark.parametrize("latency_us", [TIMEOUT_US + 1500, 45_000, 58_000])
def test_replies_of_a_unit_slower_than_the_timeout_are_never_accepted(bench, latency_us):
    """Each reply fits a later request: without a pause the bus would stay one reply behind."""
    bench.poll_every("even", 20_000, address=0)
    bench.poll_every("odd", 20_000, address=500)
    bench.slave = lambda frame, _: [(latency_us, answer(frame, value=frame[2]))]
    bench.run(3_000_000)
    for key, _, pdu, _ in (event for event in bench.events if event[1] == "reply"):
        assert pdu[3] == (0 if key == "even" else 500 >> 8)
    assert len(bench.events) > 10


@cases("""lost  low_us  high_us
    (3,)  0  TIMEOUT_US + 40_000
    (3, 4)  0  2 * TIMEOUT_US + 40_000
    (3, 4, 5)  5 * TIMEOUT_US  600_000""")
def test_a_repeated_read_is_accepted_after_two_timeouts(bench, lost, low_us, high_us):
    """One damaged request must not make a meter silent: the late reply has the same meaning."""
    bench.poll_every("a", 20_000)
    bench.slave = lambda frame, number: [] if number in lost else healthy(frame, number)
    bench.run(600_000)
    bench.events = [event for event in bench.events if event[1] == "reply"]
    assert low_us < bench.longest_pause_us("a") < high_us


def test_the_reply_to_a_repeated_read_is_not_mistaken_for_another_read(bench, port):
    """The late reply to the first read was accepted, so one more reply may come."""
    bench.ask("a", address=0)
    port.poll(0)
    port.poll(port.wake_us)
    bench.ask("again", address=0)
    first = port.poll(max(port.wake_us, port.statistics[1].retry_us))
    port.receive(answer(first, value=1), port.wake_us - 30_000)
    bench.ask("b", address=500)
    second = port.poll(port.wake_us)
    port.receive(answer(first, value=2), port.wake_us - 30_000)
    assert bench.outcomes() == ["timeout", "reply"]
    port.receive(answer(second, value=3), port.wake_us - 20_000)
    assert bench.events[-1][:3] == ("b", "reply", bytes((3, 4, 0, 3, 0, 3)))


def test_stop_before_write_before_read(bench, port):
    bench.ask("busy", unit_id=9)
    first = port.poll(0)
    bench.ask("read")
    bench.write("write")
    bench.write("stop", priority=rtu.STOP)
    port.receive(answer(first), 5000)
    bench.now_us = 5000
    bench.run(100_000)
    assert [event[0] for event in bench.events] == ["busy", "stop", "write", "read"]


def test_a_waiting_request_of_the_same_key_is_replaced_in_its_place(bench, port):
    for value in (1, 2, 3):
        bench.write("setpoint", value=value)
        bench.write("other", unit_id=2)
    assert port.poll(0)[7:9] == b"\x00\x03"
    bench.write("setpoint", value=4)  # the one being sent does not wait any more
    bench.run(200_000)
    assert [frame[7:9] for _, frame in bench.sent] == [b"\x00\x00", b"\x00\x04"]


@cases("""periods_us  until_us  units
    (1_000_000, 20_000, 100_000)  15_000  [2, 3, 1]
    (40_000, 20_000)  119_000  [2, 1, 2, 2, 1, 2, 2, 1, 2]""")
def test_due_reads_go_by_earliest_deadline(bench, periods_us, until_us, units):
    for unit_id, period_us in enumerate(periods_us, 1):
        bench.poll_every(unit_id, period_us, unit_id=unit_id)
    assert bench.run(until_us).units() == units


def test_an_overloaded_bus_still_reads_every_unit(bench):
    for unit_id, period_us in ((1, 5_000), (2, 5_000), (3, 200_000)):
        bench.poll_every(unit_id, period_us, unit_id=unit_id)
    units = bench.run(1_000_000).units()
    assert units.count(3) >= 2 and min(units.count(1), units.count(2)) > 100


def test_missed_periods_are_skipped(bench, port):
    port.add(bench.read("a"), 20_000, phase_us=3_000)
    assert port.poll(2_999) == b"" and port.wake_us == 3_000
    bench.exchange(3_000)
    assert port.wake_us == 23_000
    bench.exchange(117_000)
    assert port.wake_us == 123_000


def test_callbacks_may_submit(bench, port):
    second, request = bench.written("second"), bench.read("first")
    request.on_reply = lambda pdu, now_us: port.submit(second)
    port.submit(request)
    end_us = bench.exchange(0)
    assert port.wake_us == end_us + GAP_FAST_US
    assert port.poll(port.wake_us) == second.frame


def test_a_request_of_a_failure_callback_is_sent_in_the_same_poll(bench, port):
    request = bench.read("first")
    request.on_failure = lambda kind, code, now_us: bench.write("stop", priority=rtu.STOP)
    port.submit(request)
    assert port.poll(0)
    assert port.poll(port.wake_us)[1] == rtu.WRITE_REGISTERS


def test_a_silent_unit_is_read_less_often_and_others_stay_fast(bench, port):
    """sungrow #602, OpenEMS PR #3099, solax #1007/#905: back-off that ends by itself."""
    for unit_id in (1, 2):
        bench.poll_every(unit_id, 20_000, unit_id=unit_id)
    bench.slave = dead(2)
    bench.run(20_000_000)
    tried_us = [now_us for now_us, frame in bench.sent if frame[0] == 2]
    pauses_us = [b - a for a, b in zip(tried_us, tried_us[1:])]
    for pause_us, expected_ms in zip(pauses_us[2:], (200, 400, 800, 1600, 2000, 2000)):
        assert 0 <= pause_us - expected_ms * 1000 - SPENT_US <= 5_000
    assert bench.longest_pause_us(1) < 20_000 + SPENT_US + 10_000
    assert port.statistics[2].timeout == port.statistics[2].sent == len(tried_us)


def test_back_off_begins_with_the_third_timeout_and_ends_with_a_reply(bench, port):
    bench.poll_every("a", 1000)
    bench.slave = dead(1)
    for backed_off in (False, False, True):
        timeouts = len(bench.events)
        while len(bench.events) == timeouts:
            bench.run(bench.now_us + 1000)
        assert (port.wake_us == bench.events[-1][3] + BACK_OFF_US) == backed_off
    bench.slave = healthy
    bench.run(bench.now_us + BACK_OFF_US_MAX + 200_000)
    bench.sent.clear()
    bench.run(bench.now_us + 20_000)
    assert len(bench.sent) > 3 and port.statistics[1].silent == 0


@pytest.mark.parametrize("count, silent", [(0, 1), (4, 1), (5, 0)])
def test_half_a_reply_ends_the_silence(count, silent, bench, port):
    bench.ask("a")
    port.poll(0)
    port.receive(bytes(count), REQUEST_US + 1)
    port.poll(SPENT_US + 100_000)
    assert port.statistics[1].silent == silent


def silent(bench, unit_id=1):
    bench.poll_every("a", 20_000, unit_id=unit_id)
    bench.slave = dead(unit_id)
    return bench.run(5_000_000)


@pytest.mark.parametrize("outcome", ["reply", "exception"])
def test_an_answer_to_a_write_ends_the_back_off_of_the_reads(bench, port, outcome):
    def exception(frame, _number):
        return [(1000, rtu.seal(bytes((frame[0], frame[1] | 0x80, 4))))]

    silent(bench).write("w")
    bench.slave = healthy if outcome == "reply" else exception
    bench.run(bench.now_us + 60_000)
    assert bench.outcomes("a")[-1] == outcome and port.statistics[1].silent == 0


def test_a_single_read_of_a_silent_unit_does_not_keep_the_loop_awake(bench, port):
    silent(bench).ask("b")
    assert port.poll(bench.now_us) == b""
    assert port.wake_us == port.statistics[1].retry_us > bench.now_us


@pytest.mark.parametrize("priority", [rtu.STOP, rtu.WRITE])
def test_writes_are_never_backed_off(bench, port, priority):
    assert silent(bench).port.wake_us > bench.now_us
    bench.write("w", priority=priority)
    assert port.wake_us <= bench.now_us
    assert port.poll(bench.now_us)


@cases("""count  ago_us  first
    2  1  1 | 3  1  2 | 3  PATIENCE_US - 1  2 | 3  PATIENCE_US  1""")
def test_a_write_waits_behind_others_while_its_unit_is_silent(count, ago_us, first, bench, port):
    bench.write("a", unit_id=1)
    bench.ask("b", unit_id=2)
    port.statistics[1].silent = count
    assert port.poll(ago_us)[0] == first


def test_writes_to_a_dead_unit_leave_room_for_the_others(bench):
    bench.poll_every("alive", 20_000, unit_id=1)
    bench.slave = dead(2)
    for tick in range(1, 501):
        bench.write("dead", unit_id=2)
        bench.write("alive_write", unit_id=1)
        bench.run(tick * 20_000)
    del bench.events[:20]
    assert bench.longest_pause_us("alive") < 80_000
    assert bench.longest_pause_us("dead") < PATIENCE_US + 2 * TIMEOUT_US + 20_000


DRAW = random.Random(1)
# Answers of a bad unit: frame -> [(us after the request, bytes)].
BAD = {
    "half": lambda frame: [(1000, answer(frame)[:4])],
    "one byte at a time": lambda frame: [
        (at * 19_000, answer(frame)[at : at + 1]) for at in range(8)
    ],
    "damaged": lambda frame: [(1000, answer(frame)[:-1] + b"?")],
    "of another unit": lambda frame: [(1000, rtu.seal(bytes((9, *answer(frame)[1:-2]))))],
    "late": lambda frame: [(TIMEOUT_US + 5000, answer(frame))],
    "twice": lambda frame: [(1000, answer(frame)), (2500, answer(frame))],
    "exception": lambda frame: [(1000, rtu.seal(bytes((frame[0], frame[1] | 0x80, 6))))],
    "babbles": lambda frame: [(at * 3000, DRAW.randbytes(30)) for at in range(10)],
    "much too long": lambda frame: [(1000, answer(frame) + DRAW.randbytes(600))],
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_unit_costs_no_other_its_deadline(bench, kind):
    """An alarm of the fastest device of a cabinet comes after 500 ms (silence budgets)."""
    for unit_id, period_us in ((1, 20_000), (2, 20_000), (3, 200_000)):
        bench.poll_every(unit_id, period_us, unit_id=unit_id)
    bench.slave = lambda frame, _: BAD[kind](frame) if frame[0] == 2 else healthy(frame, 0)
    bench.run(20_000_000)
    for unit_id, pause_us_max in ((1, 150_000), (3, 500_000)):
        good_us = [
            at_us for key, what, _, at_us in bench.events if (key, what) == (unit_id, "reply")
        ]
        assert max(b - a for a, b in zip(good_us, good_us[1:])) < pause_us_max
        assert len(good_us) > 20_000_000 // pause_us_max


def test_a_first_stop_to_a_silent_unit_goes_before_all_others(bench, port):
    silent(bench, 2).write("w", unit_id=1)
    bench.write("stop", unit_id=2, priority=rtu.STOP)
    assert port.poll(bench.now_us)[0] == 2


@cases("""baud_Bd  request_bytes  reply_bytes  wire_us
    115200  8  45  8_101 | 19200  8  45  31_250 | 9600  8  45  62_500 | 115200  17  8  5_670""")
def test_transaction_time_as_measured_on_the_wire(baud_Bd, request_bytes, reply_bytes, wire_us):
    port = RtuPort("test", baud_Bd)
    whole_us = port.transaction_us(request_bytes, reply_bytes, port.gap_us)
    assert abs(whole_us - wire_us) <= 3
    slow = RtuPort("test", baud_Bd, turnaround_us=700)
    assert slow.transaction_us(request_bytes, reply_bytes, port.gap_us) == whole_us + 700


@pytest.mark.parametrize("phase_us", [-8_300, 11_700])
def test_a_read_with_a_phase_is_due_at_it_in_each_period(phase_us):
    """1 us before, at and after; a late poll does not move the phase."""
    bench = Bench()
    bench.port.add(bench.read("meter"), 20_000, phase_us)
    due_us = 11_700
    if phase_us < 0:
        assert bench.port.poll(0), "due before the port began: at once"
        bench.port.receive(answer(bench.read("meter").frame), 8000)
    for delay_us in (0, 1, 5000, 0):
        assert bench.port.wake_us == due_us and not bench.port.poll(due_us - 1)
        frame = bench.port.poll(due_us + delay_us)
        assert frame
        bench.port.receive(answer(frame), due_us + delay_us + 2000)
        due_us += 20_000


# -- a read of a tool


def offer(bench, within_us=500_000, delay_us=0, unit_id=9):
    request = rtu.read_request("tool", unit_id, 3, 0, 1, *bench.callbacks("tool"), rtu.SPARE)
    return bench.port.offer(request, within_us, bench.now_us, delay_us)


@cases("""
    period_us  delay_us  outcome
    # its time-out and four pauses of 20 ms in a reply: 112 ms
    200_000  0  "reply" | 100_000  0  "no room on the bus" | 100_000  50_000  "reply"
""")
def test_a_read_of_a_tool_goes_only_if_its_time_out_delays_no_other(
    bench, period_us, delay_us, outcome
):
    bench.poll_every("a", period_us)
    bench.run(10_000)
    assert offer(bench, delay_us=delay_us) and not offer(bench), "one at a time"
    bench.run(1_000_000)
    assert bench.outcomes("tool") == [outcome]
    assert bench.longest_pause_us("a") <= period_us + 2000


def test_a_unit_that_a_tool_finds_silent_is_asked_by_the_drivers_as_before(bench, port):
    bench.slave = dead(9)
    for _ in range(4):
        assert offer(bench)
        bench.run(bench.now_us + 600_000)
    assert bench.outcomes("tool") == ["timeout"] * 4
    assert 9 not in port.statistics, "it counts nowhere"


def test_a_late_reply_to_a_tool_is_not_taken_for_a_reading(bench):
    pauses_us = {1: 50_000, 2: 25_000}
    bench.slave = lambda frame, number: [(pauses_us.get(number, 1000), answer(frame, number))]
    assert offer(bench, unit_id=1)
    bench.run(20_000)
    bench.ask("a", count=1, address=5)
    bench.run(300_000)
    assert bench.outcomes("tool") == ["timeout"]
    assert [event[2][-1] for event in bench.events if event[:2] == ("a", "reply")] == [2]
