"""Reads and writes the line of a terminal in raw mode. No call waits. Bytes that the line does not
accept at once stay pending.
"""

import contextlib
import errno
import fcntl
import os
import struct
import termios
from collections.abc import Callable
from typing import Any, TypeVar

READ_BYTES = 256
BAUDS = {rate: getattr(termios, f"B{rate}") for rate in (9600, 19200, 38400, 57600, 115200)}
_IFLAG, _OFLAG, _CFLAG, _LFLAG, _ISPEED, _OSPEED, _CC = range(7)  # indexes in the list of tcgetattr
Argument = TypeVar("Argument")
Returned = TypeVar("Returned")
_GONE = (errno.EIO, errno.ENXIO, errno.ENODEV, errno.EPIPE, errno.EBADF)


class LineError(Exception):
    """The terminal cannot be used. The text is one line."""


class Line:
    """An open line. pending: bytes that the line has not accepted yet. is_gone: the person has hung
    up, or the device was removed.
    """

    def __init__(self, path: str, baud: int | None = None):
        """baud: speed of a serial line, or None for the terminal's own speed. Raises LineError."""
        self.path, self.pending, self.is_gone = path, b"", False
        self._descriptor = _opened(path)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._settings_before = termios.tcgetattr(self._descriptor)
            termios.tcsetattr(self._descriptor, termios.TCSANOW, _raw(self._settings_before, baud))
        except BlockingIOError:
            os.close(self._descriptor)
            raise LineError(f"{path}: another console uses it") from None
        except (OSError, termios.error) as error:
            os.close(self._descriptor)
            raise LineError(f"{path}: {error.args[-1]}") from None

    def fileno(self) -> int:
        """The descriptor to wait for."""
        return self._descriptor

    def size(self) -> tuple[int, int] | None:
        """(rows, columns) of the terminal, or None for a serial line, which has no size."""
        try:
            rows, columns, _, _ = struct.unpack(
                "4H", fcntl.ioctl(self._descriptor, termios.TIOCGWINSZ, bytes(8))
            )
        except OSError:
            return None
        return (rows, columns) if rows and columns else None

    def read(self) -> bytes:
        """Return received bytes, at most READ_BYTES. Sets is_gone if the line is gone."""
        data = self._tried(os.read, READ_BYTES)
        self.is_gone = self.is_gone or data == b""
        return data or b""

    def write(self, data: bytes = b"") -> int:
        """Write the pending bytes, then these. Returns the number of accepted bytes."""
        self.pending += data
        accepted = self._tried(os.write, self.pending) if self.pending else None
        self.pending = self.pending[accepted or 0 :]
        return accepted or 0

    def _tried(
        self, call: Callable[[int, Argument], Returned], argument: Argument
    ) -> Returned | None:
        """The result of the call, or None if the line is not ready. Sets is_gone if it is gone."""
        try:
            return call(self._descriptor, argument)
        except BlockingIOError:
            return None
        except OSError as error:
            self.is_gone = self.is_gone or error.errno in _GONE
            return None

    def drop(self) -> None:
        """Discard pending bytes, here and in the operating system."""
        self.pending = b""
        with contextlib.suppress(OSError, termios.error):
            termios.tcflush(self._descriptor, termios.TCOFLUSH)

    def close(self) -> None:
        """Restore the settings of the terminal. This never waits."""
        if self.pending:
            self.drop()
        with contextlib.suppress(OSError, termios.error):
            termios.tcsetattr(self._descriptor, termios.TCSANOW, self._settings_before)
        os.close(self._descriptor)


def _opened(path: str) -> int:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError as error:
        raise LineError(f"{path}: {error.strerror}") from None
    if not os.isatty(descriptor):
        os.close(descriptor)
        raise LineError(f"{path}: not a terminal")
    return descriptor


def _raw(before: list[Any], baud: int | None) -> list[Any]:
    """Attributes of a raw line, 8N1. CLOCAL is set, because no carrier is wired. Flow control is
    off, because a stray XOFF would stop the output.
    """
    attributes = [*before[:_CC], list(before[_CC])]
    attributes[_IFLAG] = termios.IGNBRK | termios.IGNPAR
    attributes[_OFLAG] = attributes[_LFLAG] = 0
    attributes[_CC][termios.VMIN], attributes[_CC][termios.VTIME] = 1, 0
    if baud is not None:
        attributes[_CFLAG] = termios.CS8 | termios.CREAD | termios.CLOCAL
        attributes[_ISPEED] = attributes[_OSPEED] = BAUDS[baud]
    return attributes
