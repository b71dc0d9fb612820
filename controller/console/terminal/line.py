"""A terminal's line: raw, without waiting. Bytes it does not accept stay pending until dropped."""

import contextlib
import errno
import fcntl
import os
import struct
import termios

READ_BYTES = 256
BAUDS = {rate: getattr(termios, f"B{rate}") for rate in (9600, 19200, 38400, 57600, 115200)}
_IFLAG, _OFLAG, _CFLAG, _LFLAG, _ISPEED, _OSPEED, _CC = range(7)
_GONE = (errno.EIO, errno.ENXIO, errno.ENODEV, errno.EPIPE, errno.EBADF)


class LineError(Exception):
    """The terminal cannot be used; one line."""


class Line:
    """`pending`: bytes offered and not taken yet; `is_gone`: hung up, or the adapter was pulled."""

    def __init__(self, path: str, baud: int | None = None):
        """baud: the line is set to it, 8N1, no flow control; None: a terminal that keeps its speed.

        Raises LineError.
        """
        self.path, self.pending, self.is_gone = path, b"", False
        self._descriptor = _opened(path)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._before = termios.tcgetattr(self._descriptor)
            termios.tcsetattr(self._descriptor, termios.TCSANOW, _raw(self._before, baud))
        except BlockingIOError:
            os.close(self._descriptor)
            raise LineError(f"{path}: another console has it") from None
        except (OSError, termios.error) as error:
            os.close(self._descriptor)
            raise LineError(f"{path}: {error.args[-1]}") from None

    def fileno(self) -> int:
        """The descriptor to wait for."""
        return self._descriptor

    def size(self):
        """(rows, columns) of the terminal, None on a serial line."""
        try:
            rows, columns, _, _ = struct.unpack(
                "4H", fcntl.ioctl(self._descriptor, termios.TIOCGWINSZ, bytes(8))
            )
        except OSError:
            return None
        return (rows, columns) if rows and columns else None

    def read(self) -> bytes:
        """What has arrived, at most READ_BYTES; sets is_gone."""
        data = self._tried(os.read, READ_BYTES)
        self.is_gone = self.is_gone or data == b""
        return data or b""

    def write(self, data: bytes = b"") -> int:
        """Write this behind what is pending. Returns how many bytes were accepted."""
        self.pending += data
        taken = self._tried(os.write, self.pending) if self.pending else None
        self.pending = self.pending[taken or 0 :]
        return taken or 0

    def _tried(self, call, given):
        """What the call gives, None while the line is not ready; sets is_gone."""
        try:
            return call(self._descriptor, given)
        except BlockingIOError:
            return None
        except OSError as error:
            self.is_gone = self.is_gone or error.errno in _GONE
            return None

    def drop(self) -> None:
        """Discard pending bytes, here and in the kernel."""
        self.pending = b""
        with contextlib.suppress(OSError, termios.error):
            termios.tcflush(self._descriptor, termios.TCOFLUSH)

    def close(self) -> None:
        """Restore the terminal; never waits."""
        if self.pending:
            self.drop()
        with contextlib.suppress(OSError, termios.error):
            termios.tcsetattr(self._descriptor, termios.TCSANOW, self._before)
        os.close(self._descriptor)


def _opened(path):
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise LineError(f"{path}: {error.strerror}") from None
    if not os.isatty(descriptor):
        os.close(descriptor)
        raise LineError(f"{path}: is no terminal")
    return descriptor


def _raw(before, baud):
    """Terminal attributes: raw bytes, 8N1; a break or a bad byte is ignored; XON and XOFF are
    bytes.

    CLOCAL: a cable of three wires has no carrier. Without flow control a stray XOFF cannot stop the
    screen.
    """
    wanted = [*before[:_CC], list(before[_CC])]
    wanted[_IFLAG] = termios.IGNBRK | termios.IGNPAR
    wanted[_OFLAG] = wanted[_LFLAG] = 0
    wanted[_CC][termios.VMIN], wanted[_CC][termios.VTIME] = 1, 0
    if baud is not None:
        wanted[_CFLAG] = termios.CS8 | termios.CREAD | termios.CLOCAL
        wanted[_ISPEED] = wanted[_OSPEED] = BAUDS[baud]
    return wanted
