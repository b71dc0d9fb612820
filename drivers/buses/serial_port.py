"""Drives a serial port that never blocks and reopens by itself.

pyserial only sets it up, because its write function loops while a port is full. FIONREAD comes
before each read: even with O_NONBLOCK, a read of an empty tty can wait for a kernel worker. Use
paths in /dev/serial/by-id, because the numbers of ttyUSB devices change.
"""

import contextlib
import errno
import fcntl
import os
import select
import termios
from array import array
from typing import Any, Protocol

import serial

from drivers.buses.retry import Retry

PTY_MAJORS = range(136, 144)  # Linux devices.txt: UNIX98 PTY slaves
_REASONS = {
    errno.ENOENT: "no such device: plug the adapter in or correct the path",
    errno.EACCES: "not permitted: add this user to the group of the device (dialout)",
    errno.EPERM: "the unit of this service does not allow such a port: sudo ./flash.sh install",
    errno.EIO: "the adapter is gone",
    errno.ENXIO: "the adapter is gone",
    # pyserial gives no errno in this case
    0: "not a serial port, or the setting is not supported by its driver",
}


class SerialPortError(Exception):
    """The port cannot be used. The message is one line: path, reason, remedy."""


class SerialPort:
    """One tty, locked for this process.

    error: the last failure, "" while connected. generation: grows with each open, and tells a
    poller to register the new file descriptor.
    """

    def __init__(self, path: str, baud_Bd: int, parity: str = "N", stop_bits: int = 1):
        self.path, self.error = path, ""
        self.generation = self.losses = 0
        self.dropped_bytes = 0  # bytes of frames that were not sent when the next frame came
        self._settings: dict[str, Any] = dict(baudrate=baud_Bd, parity=parity, stopbits=stop_bits)
        self._serial: serial.Serial | None = None
        self._fd, self._unsent = -1, b""
        self._waiting = array("i", [0])
        self._retry = Retry()

    def fileno(self) -> int:
        """The descriptor, or -1 while closed."""
        return self._fd

    @property
    def pending(self) -> int:
        """Number of bytes from write() that the port has not taken yet. write(b"") tries again."""
        return len(self._unsent)

    def open(self) -> None:
        """Open and lock the port.

        SerialPortError: it is missing, not permitted, no serial port, or in use.
        """
        self.close()
        try:
            port = serial.Serial(self.path, timeout=0, exclusive=True, **self._settings)
            self._serial, self._fd = port, port.fd
        except (OSError, ValueError, termios.error) as failure:
            self.close()
            self.error = self._explain(failure)
            raise SerialPortError(self.error) from failure
        # Let only root open the port again. A pty is left out: it keeps TIOCEXCL after a crash.
        if os.major(os.fstat(port.fd).st_rdev) not in PTY_MAJORS:
            fcntl.ioctl(port.fd, termios.TIOCEXCL)
        with contextlib.suppress(ValueError):  # a driver may lack this mode
            port.set_low_latency_mode(True)  # else a USB adapter may hold received bytes for 16 ms
        self.error = ""
        self.generation += 1

    def service(self, now_us: int) -> bool:
        """True if connected. Reopens a lost port, with pauses that grow."""
        if self._fd >= 0:
            return True
        if now_us < self._retry.due_us:
            return False
        try:
            self.open()
        except SerialPortError:
            self._retry.failed(now_us)
            return False
        self._retry.worked()
        return True

    def read(self) -> bytes:
        """All bytes that have arrived, or b"". If the port was lost, `fileno()` is then -1."""
        if self._fd < 0:
            return b""
        try:
            fcntl.ioctl(self._fd, termios.FIONREAD, self._waiting)
            if not self._waiting[0]:
                return b""
            data = os.read(self._fd, self._waiting[0])
        except BlockingIOError:
            return b""
        except OSError as failure:
            self._lose(failure)
            return b""
        if not data:  # a hung-up tty reads as an empty file
            self._lose(OSError(errno.EIO, ""))
        return data

    def write(self, data: bytes) -> bool:
        """Send `data`. False if the port is lost.

        Bytes that the tty does not take wait until the next frame. Then they are dropped and
        counted, because they would spoil that frame.
        """
        if data:
            self.dropped_bytes += len(self._unsent)
        data = data or self._unsent
        if self._fd < 0:
            self._unsent = b""
            return False
        try:
            self._unsent = data[os.write(self._fd, data) :]
        except BlockingIOError:
            self._unsent = data
        except OSError as failure:
            self._lose(failure)
            return False
        return True

    def close(self) -> None:
        """Close the port. Does nothing if it is closed."""
        if self._serial is not None:
            self._serial.close()
        self._serial, self._fd, self._unsent = None, -1, b""

    def _lose(self, failure: OSError) -> None:
        self.losses += 1
        self.close()
        self.error = self._explain(failure)

    def _explain(self, failure: Exception) -> str:
        number = getattr(failure, "errno", None) or 0
        if number in (errno.EAGAIN, errno.EBUSY):
            reason = f"in use by {_lock_owner(self.path)}: one program per port"
        else:
            reason = _REASONS.get(number) or os.strerror(number)
        return f"serial port {self.path}: {reason}"


class Watched(Protocol):
    """A port that Arrivals can watch."""

    generation: int

    def fileno(self) -> int:
        """The descriptor, or -1 while closed."""


class Arrivals:
    """The ports that have received bytes. Once `fileno()` is readable, read each of `ports()`.

    It is edge-triggered, because any question about an empty tty (select, poll, read) first waits
    for the work queue of the tty. On a busy machine that delayed the loop by 0.8 s.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._ports: dict[int, Watched] = {}  # {descriptor: port}
        self._generations: dict[Watched, int] = {}

    def fileno(self) -> int:
        """A file descriptor that becomes readable when bytes arrive."""
        return self._epoll.fileno()

    def add(self, port: Watched) -> None:
        """Watch `port`. Call it again after each open: the kernel forgets closed descriptors."""
        if port.fileno() >= 0 and self._generations.get(port) != port.generation:
            self._generations[port] = port.generation
            self._ports[port.fileno()] = port
            self._epoll.register(port.fileno(), select.EPOLLIN | select.EPOLLET)

    def ports(self) -> list[Watched]:
        """The ports that have got bytes, or were lost, since the last call."""
        return [self._ports[descriptor] for descriptor, _ in self._epoll.poll(0)]

    def close(self) -> None:
        """Close. Does nothing if it is closed."""
        self._epoll.close()


def _lock_owner(path: str) -> str:
    """The process that holds the lock on `path`, from the kernel's list of locks."""
    try:
        status = os.stat(path)
        device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
        with open("/proc/locks", encoding="ascii") as locks:
            rows = [line.split() for line in locks]
        holders = [row[4] for row in rows if row[1:2] == ["FLOCK"] and row[5] == device]
        if not holders:
            return "another process"
        with open(f"/proc/{holders[0]}/comm", encoding="utf-8") as name:
            return f"process {holders[0]} ({name.read().strip()})"
    except OSError:
        return "another process"
