"""A serial port over real ptys: it never blocks, gives one-line errors and reopens."""

import errno
import fcntl
import os
import select
import subprocess
import sys
from array import array
from pathlib import Path

import pytest
import serial

from drivers.buses import serial_port
from drivers.buses.serial_port import Arrivals, SerialPort, SerialPortError
from tests.plug import Plug
from tests.tables import cases

RETRY_US, RETRY_US_MAX = 200_000, 5_000_000
TIOCGEXCL = 0x80045440  # asm-generic/ioctls.h

HANG_GUARD_s = 10
wire = pytest.mark.wire


@pytest.fixture
def adapter(tmp_path):
    made = Plug(tmp_path / "adapter")
    yield made
    made.pull_out()


@pytest.fixture
def port(adapter):
    made = SerialPort(adapter.path, 115200)
    yield made
    made.close()


def wait_for_bytes(port):
    assert select.select([port.fileno()], [], [], HANG_GUARD_s)[0]


@wire
def test_bytes_both_ways(adapter, port):
    port.open()
    assert port.write(b"\x01\x03\x00\xff") and adapter.take(4) == b"\x01\x03\x00\xff"
    assert port.read() == b""
    os.write(adapter.master, b"\x11\x13\x0d\x00")  # XON, XOFF and CR are data here
    wait_for_bytes(port)
    assert port.read() == b"\x11\x13\x0d\x00"
    assert (port.error, port.pending, port.losses, port.generation) == ("", 0, 0, 1)


@wire
def test_an_empty_port_is_not_read_at_all(port, monkeypatch):
    """A read of an empty tty once waited 49 ms for a kernel worker: FIONREAD comes first."""
    port.open()
    monkeypatch.setattr(serial_port.os, "read", lambda *_: pytest.fail("os.read on an empty port"))
    assert port.read() == b""


@wire
def test_settings_reach_the_tty(adapter):
    port = SerialPort(adapter.path, 9600, parity="E", stop_bits=2)
    port.open()
    settings = port._serial.get_settings()
    assert (settings["baudrate"], settings["parity"], settings["stopbits"]) == (9600, "E", 2)
    assert os.get_blocking(port.fileno()) is False
    port.close()


@wire
def test_low_latency_is_asked_for(port, monkeypatch):
    """modbus-serial-monitor #4: the latency timer of USB adapters holds bytes 16 ms."""
    asked = []
    monkeypatch.setattr(serial.Serial, "set_low_latency_mode", lambda _, on: asked.append(on))
    port.open()
    assert asked == [True]


@wire
def test_one_program_per_port_and_the_owner_is_named(port, tmp_path):
    """dbus-serialbattery #850: a lock with its owner, here another process."""
    program = f"""
import sys
from drivers.buses.serial_port import SerialPort
port = SerialPort({str(port.path)!r}, 9600)
port.open()
print('open', flush=True)
sys.stdin.read()
"""
    holder = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).resolve().parents[2],
    )
    try:
        assert holder.stdout.readline() == b"open\n"
        with pytest.raises(SerialPortError) as failure:
            port.open()
        line = str(failure.value)
        assert line.startswith(f"serial port {port.path}: in use by process {holder.pid} (")
        assert port.fileno() == -1 and port.error == line
    finally:
        holder.stdin.close()
        holder.wait(HANG_GUARD_s)
        holder.stdout.close()
    port.open()


@wire
def test_unplugged_and_plugged_in_again(adapter, port):
    """dbus-serialbattery #151, solax #905: a lost device works again without a restart."""
    port.open()
    for losses, now_us in ((1, 0), (2, 10**9)):
        os.write(adapter.master, b"abc")
        adapter.pull_out()
        wait_for_bytes(port)
        port.read()
        assert port.read() == b"" and port.fileno() == -1 and port.losses == losses
        assert port.error == f"serial port {adapter.path}: the adapter is gone"
        assert port.service(now_us) is False and port.service(now_us + RETRY_US - 1) is False
        assert "no such device" in port.error
        adapter.plug_in()
        assert port.service(now_us + RETRY_US - 1) is False
        assert port.service(now_us + RETRY_US) is True
        assert (port.error, port.generation) == ("", 1 + losses)
        assert port.write(b"x") and adapter.take(1) == b"x"


@wire
def test_a_write_notices_the_loss(adapter, port):
    port.open()
    adapter.pull_out()
    assert port.write(b"abc") is False
    assert (port.fileno(), port.losses, port.pending) == (-1, 1, 0)
    assert port.write(b"abc") is False and port.losses == 1


@wire
@pytest.mark.parametrize("data, losses", [(b"", 1), (BlockingIOError(errno.EAGAIN, "empty"), 0)])
def test_an_announced_byte_that_is_missing(port, monkeypatch, data, losses):
    """A hang-up reads as b"" without an error; a byte that another program read is no loss."""

    def read(*_):
        if isinstance(data, OSError):
            raise data
        return data

    port.open()

    def announce(_fd, _request, waiting):
        waiting[0] = 1

    monkeypatch.setattr(serial_port.fcntl, "ioctl", announce)
    monkeypatch.setattr(serial_port.os, "read", read)
    assert port.read() == b"" and (port.fileno() < 0) == losses == port.losses


@wire
def test_partial_writes_are_finished_in_order(adapter, port):
    """farm-ng/tractor #91 and pyserial's write: a full port must neither block nor spin."""
    port.open()
    data = bytes(range(256)) * 400
    assert port.write(data)
    assert 0 < port.pending < len(data)
    taken = b""
    while len(taken) < len(data):
        taken += adapter.take(min(4096, len(data) - port.pending - len(taken)))
        assert port.write(b"")
    assert taken == data and port.pending == 0 and port.dropped_bytes == 0


@wire
def test_the_rest_of_an_old_frame_never_precedes_a_new_one(adapter, port):
    port.open()
    assert port.write(b"A" * 100_000)
    rest = port.pending
    adapter.take(100_000 - rest)
    assert port.write(b"new") and adapter.take(3) == b"new"
    assert (port.dropped_bytes, port.pending) == (rest, 0)
    port.write(b"B" * 100_000)
    rest += port.pending
    assert port.write(b"C" * 100_000) and port.dropped_bytes == rest and port.pending
    port.close()
    assert port.pending == 0


@wire
def test_a_full_port_keeps_the_whole_frame(adapter, port, monkeypatch):
    def full(*_):
        raise BlockingIOError(errno.EAGAIN, "full")

    port.open()
    with monkeypatch.context() as patch:
        patch.setattr(serial_port.os, "write", full)
        assert port.write(b"frame") and port.pending == 5
        assert port.write(b"") and port.pending == 5
    assert port.write(b"") and port.pending == 0 and adapter.take(5) == b"frame"


@wire
def test_opening_again_gives_the_old_descriptor_back(port):
    assert port.service(0) and port.service(0) and port.generation == 1
    first = port._serial
    port.open()
    assert first.is_open is False and port.generation == 2
    second = port._serial
    port.close()
    assert second.is_open is False


@wire
def test_a_released_lock_has_no_owner(port):
    port.open()
    name = Path("/proc/self/comm").read_text(encoding="utf-8").strip()
    assert serial_port._lock_owner(port.path) == f"process {os.getpid()} ({name})"
    port.close()
    assert serial_port._lock_owner(port.path) == "another process"


def test_retries_have_longer_pauses():
    port = SerialPort("/nowhere/at/all", 9600)
    now_us, waits_us = 0, []
    for _ in range(8):
        assert port.service(now_us) is False
        waits_us.append(port._retry.due_us - now_us)
        now_us = port._retry.due_us
    assert waits_us == [RETRY_US * n for n in (1, 2, 4, 8, 16)] + [RETRY_US_MAX] * 3


def test_closed_port_is_harmless():
    port = SerialPort("/nowhere/at/all", 9600)
    assert port.read() == b"" and not port.write(b"x") and not port.write(b"")
    assert port.fileno() == -1 and port.pending == 0
    port.close()


@cases("""path  reason
    "/nowhere/at/all"  "no such device: plug the adapter in or correct the path"
    __file__  "not a serial port, or the setting is not supported by its driver"
    os.path.dirname(__file__)  "Is a directory"
""")
def test_reasons_in_one_line(path, reason):
    with pytest.raises(SerialPortError) as failure:
        SerialPort(path, 9600).open()
    assert str(failure.value) == f"serial port {path}: {reason}"


@cases("""number  reason
    errno.EACCES  "not permitted: add this user to the group of the device (dialout)"
    errno.EIO  "the adapter is gone"
    errno.EBUSY  "in use by another process: one program per port"
    errno.ENOMEM  "Cannot allocate memory"
""")
def test_reasons_of_the_system(number, reason, monkeypatch):
    def refuse(*_, **__):
        raise serial.SerialException(number, "as pyserial says it")

    monkeypatch.setattr(serial_port.serial, "Serial", refuse)
    with pytest.raises(SerialPortError, match="serial port /nowhere/tty: ") as failure:
        SerialPort("/nowhere/tty", 9600).open()
    assert str(failure.value).endswith(reason)


def heard(arrivals, wait_s=HANG_GUARD_s):
    return arrivals.ports() if select.select([arrivals], [], [], wait_s)[0] else []


@pytest.fixture
def arrivals(port):
    port.open()
    made = Arrivals()
    made.add(port)
    yield made
    made.close()


@wire
def test_each_arrival_is_reported_once(adapter, port, arrivals):
    """Edge-triggered: by level the system would check an empty tty at each wait."""
    arrivals.add(port)  # a second time
    assert heard(arrivals, 0) == []
    os.write(adapter.master, b"abc")
    assert heard(arrivals) == [port] and heard(arrivals, 0) == []
    os.write(adapter.master, b"d")
    assert heard(arrivals) == [port] and port.read() == b"abcd" and heard(arrivals, 0) == []
    os.write(adapter.master, b"e")
    wait_for_bytes(port)
    other = Arrivals()  # added after the bytes came
    other.add(port)
    assert heard(other) == [port]
    other.close()
    assert heard(arrivals) == [port] and port.read() == b"e"


@wire
def test_room_to_write_is_not_reported(adapter, port, arrivals):
    while not port.pending:
        port.write(b"x" * 4096)
    while port.pending:
        adapter.take(1)
        port.write(b"")
    assert heard(arrivals, 0) == []


@wire
def test_a_reopened_port_is_reported_again(adapter, port, arrivals):
    adapter.pull_out()
    assert heard(arrivals) == [port] and port.read() == b"" and port.fileno() == -1
    arrivals.add(port)
    assert heard(arrivals, 0) == []
    adapter.plug_in()
    assert port.service(10**9)
    arrivals.add(port)
    os.write(adapter.master, b"back")
    assert heard(arrivals) == [port] and port.read() == b"back"


@wire
def test_a_reused_descriptor_belongs_to_the_new_port(adapter, port, arrivals):
    """Adapters that were lost together reopen in any order."""
    descriptor = port.fileno()
    port.close()
    other = SerialPort(adapter.path, 115200)
    other.open()
    assert other.fileno() == descriptor, "the system hands out the lowest one that is free"
    arrivals.add(other)
    os.write(adapter.master, b"x")
    assert heard(arrivals) == [other] and other.read() == b"x"
    other.close()


@wire
@pytest.mark.parametrize("majors, is_kept", [((), 1), (range(136, 144), 0)])
def test_a_port_in_use_cannot_be_opened_again_except_a_pty(adapter, monkeypatch, majors, is_kept):
    """A plain open once wrote a coil frame on a bus in use; only root may still do that."""
    assert range(136, 144) == serial_port.PTY_MAJORS
    monkeypatch.setattr(serial_port, "PTY_MAJORS", majors)
    port = SerialPort(adapter.path, 115_200)
    port.open()
    state = array("i", [9])
    fcntl.ioctl(port.fileno(), TIOCGEXCL, state)
    assert bool(state[0]) == bool(is_kept)
    port.close()
