"""Drives a Modbus TCP connection like a serial port. It never blocks and reconnects by itself.

The connection is judged by its answers. A gateway may keep a connection open and answer nothing, or
always answer the request before. After UNANSWERED_MAX requests in a row without an answer, a new
connection is made. If another unit behind the gateway still answers, the connection stays, because
then only this unit is silent. The pauses between connections grow until an answer comes.

All other modules know only RTU frames. So `write` sends the PDU of an RTU frame
after an MBAP header, and `read` returns replies as RTU frames. Their CRC protects nothing here.
Source: Modbus Messaging on TCP/IP Implementation Guide V1.0b, 3.1.3.
"""

import errno
import os
import select
import socket
from struct import Struct

from drivers.buses.crc import seal
from drivers.buses.retry import Retry

CONNECT_US_MAX = 3_000_000
UNANSWERED_MAX = 3  # requests in a row
# the kernel ends a connection if sent bytes are not acknowledged within this time
UNACKNOWLEDGED_MS = 5000
HEAD = Struct(">HHH")  # transaction, protocol 0, number of bytes that follow
LENGTHS = range(3, 255)  # unit id, function, and at least one byte
PIECE_BYTES = 4096
# errno if the service unit allows no IP, or not this address
_FORBIDS = (errno.EAFNOSUPPORT, errno.EPERM, errno.EACCES)
FORBIDDEN = "this process may not reach it: sudo ./flash.sh install opens configured addresses"
TRANSACTIONS = 1 << 16


class TcpPort:
    """One connection to "ADDRESS:PORT" (IPv4), used like a SerialPort. strays: late replies."""

    def __init__(self, path: str):
        self.path, self.error = path, ""
        host, _, port = path.rpartition(":")
        self._address = host, int(port)
        self.generation = self.losses = self.dropped_bytes = self.strays = 0
        self._unanswered = 0  # requests in a row without an answer, including the outstanding one
        self._unit_id = 0  # unit id of the last request
        self._answering = set[int]()  # units that have answered the last request to them
        self._socket: socket.socket | None = None
        self._is_connected, self._transaction = False, 0
        self._unsent = self._received = b""
        self._give_up_us, self._retry = 0, Retry()

    def fileno(self) -> int:
        """The descriptor, or -1 while not connected."""
        return self._socket.fileno() if self._socket is not None and self._is_connected else -1

    @property
    def pending(self) -> int:
        """Number of bytes that the connection has not taken yet. write(b"") tries again."""
        return len(self._unsent)

    def open(self) -> None:
        """Begin to connect. A failure raises nothing; `error` describes it."""
        self.close()
        try:
            self._socket = stream = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        except OSError as failure:
            return self._lose(failure.errno)
        stream.setblocking(False)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS)
        self._give_up_us = 0
        code = stream.connect_ex(self._address)
        if code not in (0, errno.EINPROGRESS):
            self._lose(code)

    def service(self, now_us: int) -> bool:
        """Continue to connect or reconnect. True if connected; never raises."""
        if self._is_connected:
            return True
        if self._socket is None:
            if now_us >= self._retry.due_us:
                self._retry.failed(now_us)
                self.open()
            return False
        self._give_up_us = self._give_up_us or now_us + CONNECT_US_MAX
        return self._finish_connecting(self._socket, now_us)

    def _finish_connecting(self, stream: socket.socket, now_us: int) -> bool:
        waiting = select.poll()
        waiting.register(stream, select.POLLOUT)
        code = stream.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) if waiting.poll(0) else None
        if code == 0:
            self._is_connected = True
            self.generation += 1
        elif code is not None or now_us >= self._give_up_us:
            self._lose(code or errno.ETIMEDOUT)
        return self._is_connected

    def read(self) -> bytes:
        """The complete replies as RTU frames, or b""."""
        if self._socket is None or not self._is_connected:
            return b""
        try:
            data = self._socket.recv(PIECE_BYTES)
        except BlockingIOError:
            return b""
        except OSError as failure:
            self._lose(failure.errno)
            return b""
        if not data:
            self._lose(errno.ECONNRESET)
            return b""
        self._received += data
        return b"".join(iter(self._next_frame, b""))

    def _next_frame(self) -> bytes:
        """Take the next reply to the last request from the received bytes; b"" if there is none."""
        while len(self._received) >= HEAD.size:
            transaction, protocol, length = HEAD.unpack_from(self._received)
            if protocol or length not in LENGTHS:
                self._lose(errno.EPROTO)
                return b""
            end = HEAD.size + length
            if len(self._received) < end:
                return b""
            content, self._received = self._received[HEAD.size : end], self._received[end:]
            if transaction == self._transaction:
                self._unanswered, self.error = 0, ""
                self._retry.worked()
                self._answering.add(self._unit_id)
                return seal(content)
            self.strays += 1
        return b""

    def write(self, data: bytes) -> bool:
        """Send an RTU frame, even while an answer is outstanding. False if the port is lost."""
        if self._socket is not None and self._is_connected and data:
            if self._unanswered >= UNANSWERED_MAX and not self._answering:
                self._disconnect(f"no answer to {UNANSWERED_MAX} requests in a row")
            self._unanswered += 1
            self._unit_id = data[0]
            self._answering.discard(self._unit_id)
        if self._socket is None or not self._is_connected:
            self._unsent = b""
            return False
        if data:
            self._transaction = (self._transaction + 1) % TRANSACTIONS
            content = data[:-2]
            self._unsent += HEAD.pack(self._transaction, 0, len(content)) + content
        try:
            self._unsent = self._unsent[self._socket.send(self._unsent) :]
        except BlockingIOError:
            return True
        except OSError as failure:
            self._lose(failure.errno)
            return False
        return True

    def close(self) -> None:
        """Close. Does nothing if it is closed."""
        if self._socket is not None:
            self._socket.close()
        self._socket, self._is_connected, self._unsent, self._received = None, False, b"", b""
        self._unanswered = 0

    def _lose(self, code: int | None) -> None:
        self._disconnect(FORBIDDEN if code in _FORBIDS else os.strerror(code or errno.EIO))

    def _disconnect(self, reason: str) -> None:
        self.losses += self._is_connected
        self.close()
        self.error = f"Modbus TCP {self.path}: {reason}"
