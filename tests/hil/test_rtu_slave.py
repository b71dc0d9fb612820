"""The RTU slave: framing, exceptions, faults; against pymodbus, libmodbus and captured frames."""

import contextlib
import csv
import ctypes
import ctypes.util
import os
import select
import struct
import threading

import parts
import pytest
from dev_standin import read as read_of
from pymodbus.framer import FramerRTU
from pymodbus.pdu import DecodePDU, bit_message, register_message

from hil.devices import registers
from hil.devices.registers import ModbusException, RegisterDevice
from hil.devices.rtu_slave import READ_COUNT_MAX, RtuSlave, crc16, with_crc
from hil.wires import pty_wire

TURNAROUND_US = 3000


class Bank(RegisterDevice):
    def __init__(self):
        super().__init__()
        self.words = bytearray(struct.pack(">130H", *range(1000, 1130)))
        self.bits = 0
        self.writes = []

    def payload(self, function, address, count):
        if function >= 3:
            return self.shown(self.words, 0, address, count)
        return registers.bits_payload(self.bits, address, count, 2000)

    def write(self, function, address, values, now_us):
        self.writes.append((function, address, values, now_us))
        if address >= 2000:
            raise ModbusException(registers.ILLEGAL_ADDRESS)
        for place, value in enumerate(values, address):
            if function in (5, 15):
                self.bits = self.bits & ~(1 << place) | value << place
            else:
                struct.pack_into(">H", self.words, place * 2, value)


def slave():
    bank = Bank()
    return RtuSlave({1: bank}, 115_200, TURNAROUND_US), bank


def refusing(code, *frames):
    for frame in frames:
        ((_, reply),) = slave()[0].receive(frame, 0)
        assert reply == with_crc(bytes((1, frame[1] | 0x80, code)))
        assert decoded(reply).exception_code == code


def read(function, address, count, unit_id=1):
    return with_crc(struct.pack(">BBHH", unit_id, function, address, count))


def write_many(function, address, values, unit_id=1):
    data = struct.pack(f">{len(values)}H", *values)
    if function == 15:
        bits = sum(value << bit for bit, value in enumerate(values))
        data = bits.to_bytes((len(values) + 7) // 8, "little")
    head = struct.pack(">BBHHB", unit_id, function, address, len(values), len(data))
    return with_crc(head + data)


def decoded(frame, unit_id=1):
    used, pdu = FramerRTU(DecodePDU(False)).handleFrame(frame, unit_id, 0)
    assert used == len(frame)
    return pdu


def test_captured_frames_have_the_crc_we_compute(shared):
    good = bad = 0
    with (shared / "protocols/vectors/rtu_frames.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if row["direction"] not in ("req", "resp") and row["crc_ok"] != "0":
                continue
            frame = bytes.fromhex(row["frame_hex"])
            if len(frame) != int(row["length"]) or "trailing" in row["note"]:
                continue
            assert (crc16(frame) == 0) == (row["crc_ok"] == "1"), row
            good, bad = good + (row["crc_ok"] == "1"), bad + (row["crc_ok"] == "0")
    assert good > 20 and bad > 3


def test_pymodbus_reads_the_replies():
    for function, address, count in ((3, 0, 1), (3, 5, 20), (4, 129, 1), (4, 5, 125)):
        rtu, _ = slave()
        ((due_us, frame),) = rtu.receive(read(function, address, count), 1_000_000)
        assert due_us == 1_000_000 + TURNAROUND_US
        pdu = decoded(frame)
        assert pdu.function_code == function
        assert pdu.registers == list(range(1000 + address, 1000 + address + count))
    for function, address, count in ((1, 0, 1), (2, 3, 8), (1, 7, 9), (2, 0, 2000)):
        rtu, bank = slave()
        bank.bits = 0b1011_0110_1110_0101
        ((_, frame),) = rtu.receive(read(function, address, count), 0)
        bits = [bool(bank.bits >> bit & 1) for bit in range(address, address + count)]
        assert decoded(frame).bits[:count] == bits
    rtu, bank = slave()
    framer = FramerRTU(DecodePDU(True))
    words, bits = register_message, bit_message
    for pdu in (
        words.WriteMultipleRegistersRequest(address=3, registers=[1, 0xFFFF, 7], dev_id=1),
        words.WriteSingleRegisterRequest(address=9, registers=[555], dev_id=1),
        bits.WriteMultipleCoilsRequest(address=2, bits=[True, False, True] * 3, dev_id=1),
        bits.WriteSingleCoilRequest(address=30, bits=[True], dev_id=1),
    ):
        ((_, frame),) = rtu.receive(framer.buildFrame(pdu), 77)
        assert decoded(frame).function_code == pdu.function_code
    assert bank.writes[:2] == [(16, 3, [1, 0xFFFF, 7], 77), (6, 9, [555], 77)]
    assert bank.writes[2:] == [(15, 2, [1, 0, 1] * 3, 77), (5, 30, [1], 77)]


def test_exceptions_and_the_largest_reads():
    refusing(1, with_crc(b"\1\x17\0\0\0\1\0\0\0\1\2\0\7"), with_crc(b"\1\x2b\x0e\1\0"))
    refusing(2, *[read(*at) for at in ((3, 129, 2), (3, 130, 1), (1, 1999, 2))])
    refusing(2, write_many(16, 2000, [1]))
    refusing(3, *[read(*at) for at in ((3, 0, 0), (3, 0, 126), (1, 0, 0), (1, 0, 2001))])
    refusing(3, with_crc(b"\1\x10\0\0\0\2\2\0\7"), with_crc(b"\1\x05\0\0\x12\x34"))
    refusing(3, write_many(16, 0, []), write_many(15, 0, [0] * 1969))
    assert slave()[0].receive(write_many(16, 0, [0] * 124), 0) == []  # 257 bytes are no frame
    for function in (1, 2, 3, 4):
        ((_, reply),) = slave()[0].receive(read(function, 0, READ_COUNT_MAX[function]), 0)
        assert reply[1] == function and crc16(reply) == 0


def test_its_own_requests_are_found_whole():
    rtu, _ = slave()
    good = read(3, 0, 1)
    assert rtu.receive(good[:-1] + bytes((good[-1] ^ 1,)), 0) == []
    assert rtu.receive(read(3, 0, 1, unit_id=2), 1_000_000) == []
    assert rtu.receive(with_crc(b"\2\x83\2"), 2_000_000) == []
    assert len(rtu.receive(good, 3_000_000)) == 1
    for garbage in (b"\0", b"\xff\xff", b"\1\x10\0\0\0\2\xff", b"\1\3\0\0", bytes(range(40))):
        rtu, _ = slave()
        assert len(rtu.receive(garbage + good, 0)) == 1 and rtu.dropped_bytes == len(garbage)
        assert len(rtu.receive(good, 1_000_000)) == 1
    rtu, _ = slave()
    for turn in range(40):
        rtu.receive(bytes((17 + turn,)) * 100, turn * 10_000)
    assert rtu.dropped_bytes >= 3700
    assert len(rtu.receive(read(4, 3, 1) + b"\0", 1_000_000)) == 1
    assert len(rtu.receive(read(4, 3, 2), 2_000_000)) == 1
    for size in range(1, 13):
        rtu, bank = slave()
        frame = write_many(16, 4, [7, 8, 9])
        now_us, replies = 0, []
        for first in range(0, len(frame), size):
            piece = frame[first : first + size]
            now_us += len(piece) * 87
            replies += rtu.receive(piece, now_us)
        assert [reply for _, reply in replies] == [with_crc(frame[:6])]
        assert bank.writes == [(16, 4, [7, 8, 9], now_us)]
    for later_us, answers in ((261, 0), (260, 1)):  # 3 characters: 260.4 us
        rtu, _ = slave()
        frame = read(3, 0, 1)
        rtu.receive(frame[:5], 5 * 87)
        assert len(rtu.receive(frame[5:], 5 * 87 + rtu.gap_us + later_us)) == answers


GOOD = with_crc(b"\1\3\2\x03\xe8")
BAD_CRC = GOOD[:-1] + bytes((GOOD[-1] ^ 0xFF,))


def test_device_faults_broadcast_and_turnaround():
    for fault, value, replies in (
        ("silent", True, []),
        ("reply_id", 9, [(TURNAROUND_US, with_crc(b"\x09" + GOOD[1:-2]))]),
        ("bad_crc", True, [(TURNAROUND_US, BAD_CRC)]),
        ("cut_reply_bytes", 4, [(TURNAROUND_US, GOOD[:4])]),
        ("exception_code", 6, [(TURNAROUND_US, with_crc(b"\1\x83\6"))]),
        ("late_us", 400_000, [(TURNAROUND_US + 400_000, GOOD)]),
        ("overrides", {0: 0x8000, 50: 1}, [(TURNAROUND_US, with_crc(b"\1\3\2\x80\0"))]),
    ):
        rtu, bank = slave()
        frame, before = read(3, 0, 1), getattr(bank, fault)
        setattr(bank, fault, value)
        assert rtu.receive(frame, 0) == replies
        setattr(bank, fault, before)
        assert rtu.receive(frame, 10_000) == [(10_000 + TURNAROUND_US, GOOD)]
    rtu, bank = slave()
    bank.ignore_writes = True
    frame = write_many(16, 0, [1, 2])
    assert rtu.receive(frame, 0)[0][1] == with_crc(frame[:6])
    assert bank.writes == [] and read_of(bank, 3, 0, 2) == [1000, 1001]
    first, second, third = Bank(), Bank(), Bank()
    third.silent = True
    rtu = RtuSlave({1: first, 2: second, 3: third}, 9600, 0)
    assert rtu.receive(write_many(16, 1, [42], unit_id=0), 5) == []
    assert rtu.receive(read(3, 0, 1, unit_id=0), 1_000_000) == []
    assert first.writes == second.writes == [(16, 1, [42], 5)] and third.writes == []
    rtu = RtuSlave({1: Bank()}, 9600, 0)
    ((due_us, _),) = rtu.receive(read(3, 0, 1), 100)
    assert due_us == 100 + 3645  # 3.5 characters of 10 bits at 9600 Bd
    assert RtuSlave({}, 19_200, 0).gap_us == 1822  # at most 1750 us from there on


def libmodbus():
    parts.needs("libmodbus5")
    library = ctypes.CDLL(ctypes.util.find_library("modbus"), use_errno=True)
    library.modbus_new_rtu.restype = ctypes.c_void_p
    numbers = ctypes.c_int, ctypes.c_char, ctypes.c_int, ctypes.c_int
    library.modbus_new_rtu.argtypes = [ctypes.c_char_p, *numbers]
    return library


@contextlib.contextmanager
def served(rtu):
    """Name of a pty; a thread serves the slave on it, in wire time that only bytes advance."""
    wire = pty_wire.PtyWire(115_200, on_down=rtu.receive)
    end_read, end_write = os.pipe()

    def serve():
        now_us = 0
        while select.select([wire, end_read], [], [], 30)[0] == [wire]:
            wire.service(now_us)
            while wire.next_us < 1 << 62:
                now_us = wire.next_us
                wire.service(now_us)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield wire.slave_name
    os.write(end_write, b"x")
    thread.join(30)
    wire.close()
    os.close(end_read)
    os.close(end_write)


@pytest.mark.wire
def test_libmodbus_reads_and_writes():
    library, (rtu, bank) = libmodbus(), slave()
    with served(rtu) as name:
        context = ctypes.c_void_p(library.modbus_new_rtu(name.encode(), 115_200, b"N", 8, 1))

        def call(what, *arguments):
            return getattr(library, f"modbus_{what}")(context, *arguments)

        call("set_slave", 1)
        call("set_response_timeout", ctypes.c_uint32(10), ctypes.c_uint32(0))
        assert call("connect") == 0
        words, bits = (ctypes.c_uint16 * 125)(), (ctypes.c_uint8 * 2000)()
        assert call("read_registers", 5, 20, words) == 20
        assert list(words[:20]) == list(range(1005, 1025))
        assert call("read_input_registers", 0, 125, words) == 125
        assert call("write_registers", 7, 3, (ctypes.c_uint16 * 3)(9, 8, 0xFFFE)) == 3
        assert call("write_register", 11, 77) == 1
        assert read_of(bank, 3, 7, 5) == [9, 8, 0xFFFE, 1010, 77]
        assert call("write_bits", 0, 10, (ctypes.c_uint8 * 10)(1, 1, 0, 1, 0, 0, 0, 0, 0, 1)) == 10
        assert call("write_bit", 4, 1) == 1
        assert call("read_input_bits", 0, 12, bits) == 12
        assert list(bits[:12]) == [1, 1, 0, 1, 1, 0, 0, 0, 0, 1, 0, 0]
        assert call("read_bits", 0, 2000, bits) == 2000
        assert call("read_registers", 129, 2, words) == -1
        assert ctypes.get_errno() == 112345678 + 2  # EMBXILADD
        call("close")
        call("free")
