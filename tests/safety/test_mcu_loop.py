"""The microcontroller's loop and boards: order in a tick, watchdog, memory."""

import importlib
import struct
import sys
import types

import pytest
from bench import default_image
from channel_b_bench import CLOSED

from safety import (
    channel as c,
    crc,
    frame as f,
    matrix as m,
    parameters as p,
    peer as pe,
    second as sc,
    second_image as si,
    signals as s,
)
from safety.mcu import loop
from tests.tables import cases


class FakeBoard:
    def __init__(self, level=0, data=None, wanted=False):
        data = si.file_bytes(default_image()) if data is None else data
        self.service, self.image = lambda: wanted, lambda: data
        self.remembered = lambda: (level, 0, 0)
        self.log, self.line, self.ticks = [], bytearray(), [1]
        self.bits, self.on = CLOSED | sc.KEY_BIT, 0

    def __getattr__(self, name):
        return lambda *values: self.log.append((name, *values))

    def elapsed(self):
        if not self.ticks:
            raise StopIteration
        return self.ticks.pop(0)

    def contacts(self):
        self.log.append(("contacts",))
        return self.bits | (sc.RELAY_BIT if self.on else 0)

    def relay(self, on):
        self.on = on
        self.log.append(("relay", on))

    def read(self, buffer):
        part, self.line = self.line[: len(buffer)], self.line[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)

    def send(self, data):
        self.log.append(("send", len(data)))


def _started(**options):
    board = FakeBoard(**options)
    second = loop.build(board)
    loop.start(board, second)
    return board, second, c.Sender(f.CHANNEL_A, p.image_crc(default_image()), pe.table_crc())


def _turns(board, second, sender, count, **fields):
    for _ in range(count):
        sender.tick(1)
        sender.frame.put(f.SIGNAL_BITS, CLOSED)
        sender.frame.put(f.KNOWN_BITS, CLOSED)
        board.line += sender.finish()
        board.ticks = [0, 0, 1]
        loop.turn(board, second)


def test_a_tick_is_contacts_relay_frame_and_the_watchdog_last():
    board, second, sender = _started()
    _turns(board, second, sender, 4)
    assert second.permit and board.on == 1
    del board.log[:]
    _turns(board, second, sender, 2)
    tick = [("contacts",), ("relay", 1)]
    assert board.log == [*tick, ("kick",), *tick, ("send", f.FRAME_BYTES), ("kick",)]
    board.line += b"x" * 200  # longer than the buffer
    accepted = second.receiver.accepted
    _turns(board, second, sender, 3)
    assert second.receiver.accepted > accepted and not board.line


def test_the_channel_hears_of_bytes_only_when_there_are_some():
    board, second, _ = _started()
    heard, receive = [], second.receive
    second.receive = lambda data, count: heard.append(count) or receive(data, count)
    board.line += b"x" * 70
    board.ticks = [0, 0, 0, 1]
    loop.turn(board, second)
    assert heard == [len(loop.LINE), 70 - len(loop.LINE)]


def test_the_relay_falls_before_a_latch_is_remembered():
    board, second, sender = _started()
    _turns(board, second, sender, 4)
    board.bits &= ~1
    board.log.clear()
    _turns(board, second, sender, 1)
    assert board.log[:3] == [("contacts",), ("relay", 0), ("remember", m.KEY, 0, 0)]
    _turns(board, second, sender, 10)
    assert board.log.count(("remember", m.KEY, 0, 0)) == 1


def test_a_reset_is_remembered_as_the_latch_was():
    board, second, sender = _started(level=m.REMOTE)
    _turns(board, second, sender, 300)
    told = second.sender.frame.get
    sender.frame.put(f.RESET_KIND, m.REMOTE)
    sender.frame.put(f.RESET_FIRST_OUT, told(f.FIRST_OUT))
    sender.frame.put(f.RESET_MASK, told(f.CAUSE_MASK))
    _turns(board, second, sender, 10)
    remembered = [each for each in board.log if each[0] == "remember"]
    assert remembered == [("remember", m.REMOTE, 0, 0), ("remember", m.SELF, 0, 0)]


def test_the_mark_of_the_store_is_remembered_once():
    board, second, sender = _started()
    for field, value in ((f.RESET_KIND, f.KEEP), (f.RESET_MASK, 7), (f.RESET_FIRST_OUT, 9)):
        sender.frame.put(field, value)
    _turns(board, second, sender, 10)
    assert [each for each in board.log if each[0] == "remember"] == [("remember", 0, 7, 9)]


def test_any_end_leaves_the_relay_off():
    board = FakeBoard()
    board.ticks = [1, 1, 1]
    with pytest.raises(StopIteration):
        loop.run(board)
    assert board.log[-1] == ("relay", 0) and board.log.count(("kick",)) == 3
    assert board.log[:3] == [("relay", 0), ("start", 20), ("lock_heap",)]


def test_service_and_a_missing_image_start_nothing():
    served, without = FakeBoard(wanted=True), FakeBoard(data=b"")
    loop.run(served)
    with pytest.raises(ValueError, match="is no limit image"):
        loop.run(without)
    assert set(served.log) == set(without.log) == {("relay", 0)}


def kept(level=0, count=0, digest=0):
    """latch.bin: three words and a CRC-30 over them."""
    words = [level, count, digest]
    return struct.pack("<4I", *words, crc.add_words(crc.START, words, 0, 3))


@pytest.mark.parametrize("content, cause, level", [(kept(), 3, m.REMOTE), (b"\x07\0", 1, m.KEY)])
def test_a_latch_survives_a_cut_of_power(machine, tmp_path, content, cause, level):
    """A restart by the watchdog, or a file that could not be read; then a cut of power at once."""
    (tmp_path / "latch.bin").write_bytes(content)
    (tmp_path / "image.bin").write_bytes(si.file_bytes(default_image()))
    machine.cause = cause
    _, board = _board("pico")
    loop.start(board, loop.build(board))
    machine.cause = 1
    assert _board("pico")[1].remembered() == (level, 0, 0)
    assert (tmp_path / "latch.bin").read_bytes() == kept(level)
    assert machine.heap == ["lock", "unlock", "lock"], "nothing else may allocate from the start on"


class Pin:
    IN, OUT, PULL_DOWN, PULL_UP = range(4)
    levels, made = {}, []

    def __init__(self, number, mode, pull=None, value=None):
        self.number = number
        Pin.made.append((number, mode, pull, value))
        if value is not None:
            Pin.levels[number] = value

    def value(self, level=None):
        if level is None:
            return Pin.levels.get(self.number, 0)
        Pin.levels[self.number] = level


class Uart:
    def __init__(self, number, baud_Bd, **options):
        self.waiting, self.sent = b"", b""

    def any(self):
        return len(self.waiting)

    def readinto(self, buffer):
        part, self.waiting = self.waiting[: len(buffer)], self.waiting[len(buffer) :]
        buffer[: len(part)] = part
        return len(part) or None

    def write(self, data):
        self.sent += bytes(data)


class Watchdog:
    def __init__(self, **options):
        self.timeout_ms, self.fed = options["timeout"], 0

    def feed(self):
        self.fed += 1


@pytest.fixture
def machine(monkeypatch, tmp_path):
    fake = types.SimpleNamespace(Pin=Pin, UART=Uart, WDT=Watchdog, WDT_RESET=3, cause=1)
    fake.reset_cause = lambda: fake.cause
    fake.heap = []
    lock = types.SimpleNamespace(
        heap_lock=lambda: fake.heap.append("lock"), heap_unlock=lambda: fake.heap.append("unlock")
    )
    Pin.levels, Pin.made = {22: 1}, []
    monkeypatch.setitem(sys.modules, "machine", fake)
    monkeypatch.setitem(sys.modules, "micropython", lock)
    monkeypatch.delitem(sys.modules, "safety.mcu.board_machine", raising=False)
    monkeypatch.chdir(tmp_path)
    board_machine = importlib.import_module("safety.mcu.board_machine")
    fake.now_us = (1 << 30) - 5000
    fake.clock = types.SimpleNamespace(
        ticks_us=lambda: fake.now_us & ((1 << 30) - 1),
        ticks_diff=lambda end, start: ((end - start + (1 << 29)) & ((1 << 30) - 1)) - (1 << 29),
        ticks_add=lambda start, delta_us: (start + delta_us) & ((1 << 30) - 1),
    )
    monkeypatch.setattr(board_machine, "time", fake.clock)
    return fake


def _board(kind):
    name = f"safety.mcu.board_{kind}"
    sys.modules.pop(name, None)
    module = importlib.import_module(name)
    return module, module.Board()


@pytest.mark.parametrize("kind", ["pico", "stm32"])
def test_pins_are_apart_contacts_pulled_down_and_the_relay_low_first(machine, kind):
    module, board = _board(kind)
    assert len(module.CONTACT_PINS) == len(sc.CONTACT_NAMES)
    pins = [made[0] for made in Pin.made]
    assert len(set(pins)) == len(pins) == len(sc.CONTACT_NAMES) + 2
    assert Pin.made[0] == (module.RELAY_PIN, Pin.OUT, None, 0)
    assert all(made[1:3] == (Pin.IN, Pin.PULL_DOWN) for made in Pin.made[1:-1])
    for place, pin in enumerate(module.CONTACT_PINS):
        Pin.levels[pin] = 1
        assert board.contacts() == 1 << place
        Pin.levels[pin] = 0
    board.relay(1)
    assert Pin.levels[module.RELAY_PIN] == 1


def test_a_pico_reads_its_files_its_jumper_and_its_line(machine, tmp_path):
    _, board = _board("pico")
    with pytest.raises(OSError):
        board.image()
    (tmp_path / "image.bin").write_bytes(b"abc")
    assert board.image() == b"abc" and not board.service()
    Pin.levels[22] = 0
    assert board.service()
    buffer = bytearray(4)
    assert board.read(buffer) == 0
    board._uart.waiting = b"abcdef"
    assert (board.read(buffer), bytes(buffer), board.read(buffer)) == (4, b"abcd", 2)
    board.send(bytearray(b"xy"))
    assert board._uart.sent == b"xy"


def test_a_pico_counts_whole_ticks_also_when_its_clock_comes_round(machine):
    _, board = _board("pico")
    board.start(20)
    told = []
    for step_us in (19_999, 1, 0, 40_001, 19_998, 1, 500_000):
        machine.now_us += step_us
        told.append(board.elapsed())
    assert told == [0, 1, 0, 2, 0, 1, 25]
    board.kick()
    assert board._watchdog.fed == 1 and 100 <= board._watchdog.timeout_ms < 500


@cases("""content cause told
    None  1  (m.KEY,0,0) | b""  1  (m.KEY,0,0) | kept()+b"x"  1  (m.KEY,0,0)
    kept(3)  1  (m.KEY,0,0) | bytes(16)  1  (m.KEY,0,0) | kept(0,7,9)  1  (m.SELF,7,9)
    kept(0,7,9)  3  (m.REMOTE,7,9) | kept(1)  1  (m.REMOTE,0,0) | kept(2,1)  3  (m.KEY,1,0)""")
def test_an_unreadable_file_needs_the_key(machine, tmp_path, content, cause, told):
    _, board = _board("pico")
    machine.cause = cause
    if content is not None:
        (tmp_path / "latch.bin").write_bytes(content)
    assert board.remembered() == told


def test_a_latch_is_written_whole_with_the_heap_unlocked_meanwhile(machine, tmp_path):
    _, board = _board("pico")
    board.lock_heap()
    for told in ((m.KEY, 0, 0), (m.SELF, s.INT_MAX, 65_535), (m.REMOTE, 1, 2)):
        board.remember(*told)
        assert board.remembered() == told
    assert machine.heap == ["lock"] + ["unlock", "lock"] * 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["latch.bin"]
