"""Tests of every driver: Modbus by a real RtuPort in virtual time, CAN by frames."""

import struct
from array import array
from types import SimpleNamespace

import pytest
import random_frames

from drivers.buses.crc import crc16
from drivers.buses.port import RtuPort
from safety import signals
from tests.slow import slow

STEP_US = 1000
AT_ONCE = (3, 20)  # pace of a Bus: answer and time-out, ms
FIELD_MS = (40, 90)  # answers of converters in the field
FAULTS = [("reply_id", 77, 1), ("exception", 4, 0), ("silent", True, False)]


class Sink:
    def __init__(self, units=1, racks=1, modules=15):
        self.layout = signals.Layout(units, racks, modules)
        self.inp = array("i", [0] * self.layout.inputs)
        self.fresh = bytearray(self.layout.groups)

    def taken(self):
        groups = {group for group in range(self.layout.groups) if self.fresh[group]}
        self.fresh[:] = bytes(self.layout.groups)
        return groups


def rack_of(cells, **own):
    shown = {"voltage_V": 49.6, "current_A": 7.0, "soc": 0.55, "soh": 0.98, "insulation_kohm": 500}
    shown |= {"charge_limit_A": 100.0, "discharge_limit_A": 120.0, "charge_voltage_V_max": 53.2}
    shown |= {"cell_voltage_V_min": 3.301, "cell_voltage_V_max": 3.312, "cells_online": cells}
    shown |= {"position_min": 3, "position_max": 9, "contactor_state": 2, "fault_bits": 0}
    shown |= {"temperatures_degC": [20.0], "command_close": lambda close: None}
    return SimpleNamespace(**shown | own)


class Slave:
    def __init__(self, holding=(), inputs=(), bits=0):
        self.unit_id, self.holding, self.inputs, self.bits = 1, dict(holding), dict(inputs), bits
        self.coils, self.writes, self.requests = 0, [], []
        self.silent = self.ignore_writes = False
        self.exception, self.reply_id, self.before = 0, 1, b""
        self.mute = b""  # the start of the frames that get no answer

    def each_ms(self, now_us):
        """A device that changes by itself overrides this."""

    def answer(self, frame):
        if frame[0] != self.unit_id or self.silent or self.mute and frame.startswith(self.mute):
            return b""
        function, address, count = frame[1], *struct.unpack(">HH", frame[2:6])
        self.requests.append((function, address, count))
        code = self.exception or self._refusal(function, address, count)
        if code:
            body = bytes((self.reply_id, function | 0x80, code))
        elif function in (1, 2):
            body = bytes((self.reply_id, function, 1, self.bits if function == 2 else self.coils))
        elif function in (3, 4):
            table = self.holding if function == 3 else self.inputs
            words = [table[register] for register in range(address, address + count)]
            body = bytes((self.reply_id, function, 2 * count)) + struct.pack(f">{count}H", *words)
        elif function == 23:
            self._write(16, *struct.unpack(">HH", frame[6:10]), frame[4:])
            words = [self.holding[register] for register in range(address, address + count)]
            body = bytes((self.reply_id, 23, 2 * count)) + struct.pack(f">{count}H", *words)
        else:
            self._write(function, address, count, frame)
            body = bytes((self.reply_id,)) + frame[1:6]
        return self.before + body + crc16(body).to_bytes(2, "little")

    def _refusal(self, function, address, count):
        if function not in (3, 4, 16):
            return 0
        table = self.inputs if function == 4 else self.holding
        return 0 if all(register in table for register in range(address, address + count)) else 2

    def _write(self, function, address, count, frame):
        self.writes.append((function, address, frame[7:-2]))
        if self.ignore_writes:
            return
        if function == 15:
            mask = (1 << count) - 1
            self.coils = self.coils & ~mask | frame[7] & mask
        elif function == 5:
            self.coils = self.coils & ~(1 << address) | (count == 0xFF00) << address
        else:
            values = struct.unpack(f">{count}H", frame[7 : 7 + 2 * count])
            self.holding.update(zip(range(address, address + count), values))


class Bus:
    """One RtuPort, slave and driver in virtual time; replies come in pieces of `piece` bytes.

    pace: (ms until the slave answers, first-byte time-out of the port, ms). A bench that answers
    at once never lets a frame wait, so the tests of starts and stops run at the times of the field
    (`field`).
    """

    pace = AT_ONCE

    def __init__(self, device, slave, baud_Bd=115200, pace=None):
        self.answer_ms, timeout_ms = pace or self.pace
        self.port = RtuPort("test", baud_Bd, first_byte_timeout_us=timeout_ms * 1000)
        self.device, self.slave, self.now_us, self.piece = device, slave, 0, 256
        self.keys = set()
        for request, period_us in device.periodic():
            self.port.add(request, period_us)
            self.keys.add(request.key)
        self._due = []

    def run(self, duration_ms):
        for _ in range(duration_ms):
            self.now_us += STEP_US
            self.slave.each_ms(self.now_us)
            for request in getattr(self.device, "service", lambda now_us: ())(self.now_us):
                self.port.submit(request)
                self.keys.add(request.key)
            self._bytes()

    def _bytes(self):
        while self._due and self._due[0][0] <= self.now_us:
            self.port.receive(self._due.pop(0)[1], self.now_us)
        frame = self.port.poll(self.now_us)
        if frame:
            if hasattr(self.device, "wear"):  # as controller/run/field.py watches each device
                self.device.wear.see(frame)
            reply = self.slave.answer(frame)
            pieces = [reply[at : at + self.piece] for at in range(0, len(reply), self.piece)]
            self._due += [
                (self.now_us + (self.answer_ms + index) * STEP_US, piece)
                for index, piece in enumerate(pieces)
            ]


def field(profile):
    """The paces at which a device of this profile may answer in the field, the slowest last. A
    device that is read often answers faster, because its bus could not carry the reads otherwise.
    """
    slowest_ms = profile.period_ms // 4
    answers_ms = {max(min(each, slowest_ms), profile.turnaround_ms) for each in FIELD_MS}
    return [(each, profile.timeout_ms) for each in sorted(answers_ms)]


class ModbusSuite:
    """Needs build() -> (device, slave, sink, group); absurd: {register: word}."""

    absurd = {}
    settle_ms = 1200
    old_ms = 200  # after it no value of before counts
    keeps_others = True  # while one block is silent
    input_registers = True

    def started(self):
        device, slave, sink, group = self.build()
        bus = Bus(device, slave)
        bus.run(self.settle_ms)
        assert group in sink.taken()
        return bus, sink, group

    def test_nothing_before_the_first_reply(self):
        device, slave, sink, _ = self.build()
        slave.silent = True
        Bus(device, slave).run(500)
        assert not sink.taken() and not any(sink.inp)

    def test_the_same_reply_in_single_bytes_behind_garbage(self):
        bus, sink, group = self.started()
        bus.piece, bus.slave.before = 1, b"\x00\xff\x55"
        bus.run(self.settle_ms)
        assert group in sink.taken()

    def test_a_request_replaces_none_of_another_unit(self):
        """esphome/esphome PR 8032: two meters on one bus."""
        assert {key[0] for key in self.started()[0].keys} == {1}

    def test_periods_are_whole_milliseconds(self):
        device, *_ = self.build()
        assert all(period_us % 1000 == 0 for _, period_us in device.schedule())

    @pytest.mark.parametrize("fault, bad, good", FAULTS)
    def test_no_value_from_a_failed_read_until_it_heals(self, fault, bad, good):
        bus, sink, group = self.started()
        setattr(bus.slave, fault, bad)
        bus.run(100)
        sink.taken()
        before = sink.inp[:]
        bus.run(max(self.settle_ms, 2000))
        assert not sink.taken() and sink.inp == before
        setattr(bus.slave, fault, good)
        bus.run(2500 + 2 * self.settle_ms)
        assert group in sink.taken()

    def ranges(self, sink):
        return random_frames.ranges_of(sink.layout)

    @pytest.mark.parametrize("count", [500, *slow(100_000)])
    def test_random_damage_raises_nothing_and_no_bad_frame_or_value_is_taken(self, count):
        device, slave, sink, _ = self.build()
        taken = random_frames.exchange(device, slave, sink, self.ranges(sink), count, seed=1)
        assert count // 20 < taken < count

    def reads(self, bus):
        """The reads of a device that runs."""
        return [request for request, _ in bus.device.periodic()]

    def fed_by(self, device, request, group):
        """The groups that need the answer to this read."""
        return {group}

    def test_a_block_that_is_silent_alone_gives_none_of_its_signals_and_keeps_no_other(self):
        for number in range(len(self.reads(self.started()[0]))):
            bus, sink, group = self.started()
            request = self.reads(bus)[number]
            fed = self.fed_by(bus.device, request, group)
            bus.run(2 * self.settle_ms)
            others = sink.taken() - fed
            bus.slave.mute = request.frame[:6]
            bus.run(self.old_ms)
            sink.taken()
            bus.run(2 * self.settle_ms + 2000)
            taken = sink.taken()
            assert taken == others or not self.keeps_others and taken < others, request.key
            bus.slave.mute = b""
            bus.run(2 * self.settle_ms + 2000)
            assert sink.taken() == others | fed, request.key

    def test_absurd_values_are_refused_whole(self):
        for register, word in self.absurd.items():
            bus, sink, group = self.started()
            table = bus.slave.inputs if self.input_registers else bus.slave.holding
            good, table[register] = table[register], word
            before, refused = sink.inp[:], bus.device.refused
            bus.run(50 + bus.answer_ms)  # a reply that is under way
            sink.taken()
            bus.run(self.settle_ms)
            assert bus.device.refused > refused, f"register {register} = {word:#x}"
            assert sink.inp == before and group not in sink.taken(), f"register {register}"
            table[register] = good
            bus.run(2 * self.settle_ms)
            assert group in sink.taken()


def sent(device, times, close_ok=1):
    """[(id, data)] of so many commands of a BMS."""
    return [each for _ in range(times) for each in device.command(close_ok)]


class CanSuite:
    """Needs build() -> (device, sink), frames(counter) -> [(id, data)], groups, short_bytes(id),
    unheard() -> a device of which no frame has come, asking() -> ids of frames that only ask.
    """

    cycle_us = 100_000

    def unheard(self):
        return self.build()[0]

    def asking(self):
        return set()

    def fed(self):
        """(device, sink) after three good cycles; the fresh groups are not reset yet."""
        device, sink = self.build()
        assert not sink.taken()
        for counter in range(3):
            for can_id, data in self.frames(counter):
                assert device.on_frame(can_id, data, counter * self.cycle_us)
        return device, sink

    def test_before_the_rack_was_heard_goes_out_what_only_asks(self):
        """Another device may be on the bus; a BMS that must be asked first is silent until then."""
        device = self.unheard()
        assert device.command(1) == [], "before it has listened"
        assert {can_id for can_id, _ in sent(device, 100)} == self.asking()
        device, _ = self.fed()
        assert {can_id for can_id, _ in sent(device, 100)} == set(device.sent_ids())

    def test_all_groups_become_fresh(self):
        device, sink = self.fed()
        assert sink.taken() == self.groups
        assert not device.on_frame(0x7FF, bytes(8), 0)
        assert device.periodic() == []

    def test_a_frame_that_stops_alone_takes_its_group(self):
        for stopped in {can_id for can_id, _ in self.frames(0)}:
            device, sink = self.fed()
            for counter in range(3, 103):
                if counter == 100:
                    sink.taken()
                for can_id, data in self.frames(counter):
                    if can_id != stopped:
                        device.on_frame(can_id, data, counter * self.cycle_us)
            assert sink.taken() < self.groups, hex(stopped)

    def test_short_frames_are_counted_and_ignored(self):
        device, sink = self.fed()
        sink.taken()
        before, bad = sink.inp[:], device.bad_frames + len(self.frames(3))
        for can_id, data in self.frames(3):
            assert device.on_frame(can_id, data[: self.short_bytes(can_id)], 3 * self.cycle_us)
        assert device.bad_frames == bad and not sink.taken() and sink.inp == before

    @pytest.mark.parametrize("count", [500, *slow(100_000)])
    def test_random_damage_raises_nothing_and_no_value_out_of_range_is_taken(self, count):
        device, sink = self.build()
        ranges = random_frames.ranges_of(sink.layout)
        random_frames.feed(device, self.frames, sink, ranges, count, seed=1)
        assert device.bad_frames + device.refused > 0

    def test_a_frame_just_long_enough_is_taken(self):
        device, sink = self.fed()
        sink.taken()
        for can_id, data in self.frames(3):
            assert device.on_frame(can_id, data[: self.short_bytes(can_id) + 1], 3 * self.cycle_us)
        assert sink.taken() == self.groups and device.bad_frames + device.refused == 0

    def test_bytearrays_as_python_can_gives_them(self):
        device, sink = self.fed()
        sink.taken()
        for can_id, data in self.frames(3):
            device.on_frame(can_id, bytearray(data), 3 * self.cycle_us)
        assert sink.taken() == self.groups
