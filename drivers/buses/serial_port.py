"""A serial port that never blocks and comes back: settings by pyserial, bytes by os.read and
os.write.

Reading asks FIONREAD first: a read of an empty tty can wait for an ordinary-priority kernel worker
even with O_NONBLOCK. pyserial's own write spins on a full port, so it is not used. Name ports by
/dev/serial/by-id: ttyUSB numbers swap.
"""

import errno
import fcntl
import os
import select
import termios
from array import array

import serial
from serial.rs485 import RS485Settings

RETRY_US, RETRY_US_MAX = 200_000, 5_000_000
PTY_MAJORS = range(136, 144)  # Linux devices.txt: UNIX98 PTY slaves
_REASONS = {
    errno.ENOENT: "no such device: plug the adapter in or correct the path",
    errno.EACCES: "not permitted: add this user to the group of the device (dialout)",
    errno.EIO: "the adapter is gone",
    errno.ENXIO: "the adapter is gone",
    # pyserial keeps no number then
    0: "not a serial port, or the setting is not supported by its driver",
}


class SerialPortError(Exception):
    """The port cannot be used; the message is one line: path, reason, remedy."""


class SerialPort:
    """One tty, locked for this process. `error` is the last failure in one line, "" while
    connected.

    `generation` grows with each open: a poller must register the new descriptor. `parity` N, E or
    O.
    """

    def __init__(self, path, baud_Bd, parity="N", stop_bits=1, rs485=False):
        self.path = path
        self.error = ""
        self.generation = 0
        self.low_latency_ok = False  # without it a USB adapter may hold received bytes up to 16 ms
        self.losses = 0
        self.dropped_bytes = 0  # rests of frames the port did not take before the next frame
        self._settings = dict(baudrate=baud_Bd, parity=parity, stopbits=stop_bits)
        self._rs485 = rs485
        self._serial = None
        self._fd = -1
        self._rest = b""
        self._waiting = array("i", [0])
        self._retry_us = 0
        self._wait_us = RETRY_US

    def fileno(self) -> int:
        """Descriptor, -1 while closed."""
        return self._fd

    @property
    def pending(self) -> int:
        """Bytes accepted by write() that the port has not taken yet; write(b"") tries again."""
        return len(self._rest)

    def open(self):
        """Open and lock. SerialPortError: absent, not permitted, not a port, or in use (by
        whom).
        """
        self.close()
        try:
            self._serial = serial.Serial(self.path, timeout=0, exclusive=True, **self._settings)
            self._fd = self._serial.fd
            # the kernel switches the driver: in software it comes too late or too early
            if self._rs485:
                self._serial.rs485_mode = RS485Settings()
        except (OSError, ValueError, termios.error) as failure:
            self.close()
            self.error = self._explain(failure)
            raise SerialPortError(self.error) from failure
        self._keep_others_out()
        self.low_latency_ok = self._ask_low_latency()
        self.error = ""
        self.generation += 1

    def service(self, now_us: int) -> bool:
        """Try to reopen a lost port, waiting longer after each failure. Returns True when
        connected; never raises.
        """
        if self._fd >= 0:
            return True
        if now_us < self._retry_us:
            return False
        try:
            self.open()
        except SerialPortError:
            self._retry_us = now_us + self._wait_us
            self._wait_us = min(2 * self._wait_us, RETRY_US_MAX)
            return False
        self._wait_us = RETRY_US
        return True

    def read(self) -> bytes:
        """All bytes that have arrived, b"" when none or when the port is gone (then `fileno()` is
        -1).
        """
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

    def write(self, data: bytes):
        """Send `data`; what the port does not take at once is kept until the next frame, then
        dropped and counted: the rest of an old frame in front of a new one would spoil both.
        Returns True unless the port is gone.
        """
        if data and self._rest:
            self.dropped_bytes += len(self._rest)
            self._rest = b""
        data = data or self._rest
        if self._fd < 0:
            self._rest = b""
            return False
        try:
            self._rest = data[os.write(self._fd, data) :]
        except BlockingIOError:
            self._rest = data
        except OSError as failure:
            self._lose(failure)
            return False
        return True

    def close(self) -> None:
        """Give the port back. Harmless when closed."""
        if self._serial is not None:
            self._serial.close()
        self._serial, self._fd, self._rest = None, -1, b""

    def _lose(self, failure):
        self.losses += 1
        self.close()
        self.error = self._explain(failure)

    def _keep_others_out(self):
        """The lock asks other programs, this lets them in no more (root alone). A pty would keep it
        after a crash, as long as its other end is open.
        """
        if os.major(os.fstat(self._fd).st_rdev) not in PTY_MAJORS:
            fcntl.ioctl(self._fd, termios.TIOCEXCL)

    def _ask_low_latency(self):
        try:
            self._serial.set_low_latency_mode(True)
        except ValueError:
            return False
        return True

    def _explain(self, failure):
        number = getattr(failure, "errno", None) or 0
        if number in (errno.EAGAIN, errno.EBUSY):
            reason = f"in use by {_lock_owner(self.path)}: one program per port"
        else:
            reason = _REASONS.get(number) or os.strerror(number)
        return f"serial port {self.path}: {reason}"


class Arrivals:
    """Which serial ports have got bytes. Wait for `fileno()` to become readable, then ask
    `ports()`.

    Edge-triggered: the kernel then looks at a tty only after bytes have come. Asking an empty one
    (select, poll, or epoll by level) makes it flush the tty's work queue first, and a busy machine
    held the loop there up to 0.8 s, waiting for an ordinary-priority worker. So read a port told
    here at once; one read at another time costs one such question.
    """

    def __init__(self):
        self._epoll = select.epoll()
        self._ports = {}  # by descriptor
        self._generations = {}

    def fileno(self) -> int:
        """Readable when bytes have come."""
        return self._epoll.fileno()

    def add(self, port) -> None:
        """Hear a SerialPort; again after each time it was opened (what was closed is forgotten by
        the kernel).
        """
        if port.fileno() >= 0 and self._generations.get(port) != port.generation:
            self._generations[port] = port.generation
            self._ports[port.fileno()] = port
            self._epoll.register(port.fileno(), select.EPOLLIN | select.EPOLLET)

    def ports(self) -> list:
        """The ports with new bytes, or lost, since the last call."""
        return [self._ports[descriptor] for descriptor, _ in self._epoll.poll(0)]

    def close(self) -> None:
        """Harmless when closed."""
        self._epoll.close()


def _lock_owner(path):
    """The process that holds the lock on `path`, as the kernel lists it."""
    try:
        state = os.stat(path)
        device = f"{os.major(state.st_dev):02x}:{os.minor(state.st_dev):02x}:{state.st_ino}"
        with open("/proc/locks", encoding="ascii") as locks:
            number = next(
                (
                    words[4]
                    for words in map(str.split, locks)
                    if words[1:2] == ["FLOCK"] and words[5] == device
                ),
                None,
            )
        if number is None:
            return "another process"
        with open(f"/proc/{number}/comm", encoding="utf-8") as name:
            return f"process {number} ({name.read().strip()})"
    except OSError:
        return "another process"
