"""A CAN bus for several processes without AF_CAN: the socketcand protocol on a loopback TCP port.

python-can's interface `socketcand` connects to it. Protocol: doc/protocol.md in
github.com/linux-can/socketcand.
"""

import select
import socket

import can

from hil.wires.virtual_can import CanEnd, CanFrame, VirtualCan

GREETING = b"< hi >"
OK = b"< ok >"
LINE_BYTES_MAX = 200  # the longest command is 50 bytes
# About 1500 unread frames. Further frames are lost, as in a full socket buffer.
OUT_BYTES_MAX = 65_536
READ_BYTES = 65_536
GRACE_US = 200_000
FRAMES_PER_SERVICE = 512


class _Client:
    """One connection: bytes not yet parsed, bytes not yet sent, and its end of the bus, which is
    None before raw mode.
    """

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.end: CanEnd | None = None
        self.inbox, self.outbox = b"", bytearray(GREETING)
        self.opened = self.waits_to_send = False
        self.frames_from_us = 0


class CanServer:
    """Serves `bus` on 127.0.0.1:`port`. When fileno() is readable, call service(now_us);
    call it also after devices have sent.

    grace_us: a client gets its first frame this long after rawmode, because python-can 4.6.1 fails
    if it reads a frame together with the last < ok >.
    """

    def __init__(self, bus: VirtualCan, grace_us: int = GRACE_US) -> None:
        self.bus = bus
        self.grace_us = grace_us
        # lost: frames that a client did not read; refused: malformed commands, sends on a dead bus
        self.lost = self.refused = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=16)
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self._epoll = select.epoll()
        self._epoll.register(self._listener.fileno(), select.EPOLLIN)
        self._clients: dict[int, _Client] = {}

    def fileno(self) -> int:
        """The epoll descriptor over the listening socket and all clients."""
        return self._epoll.fileno()

    def service(self, now_us: int) -> None:
        """Accept and read clients, put their frames on the bus, and send them frames of the bus."""
        self.bus.now_us = now_us
        for descriptor, _ in self._epoll.poll(0):
            if descriptor == self._listener.fileno():
                self._accept()
            elif descriptor in self._clients:
                self._read(self._clients[descriptor], now_us)
        for client in list(self._clients.values()):
            self._drain(client, now_us)
            self._flush(client)

    def close(self) -> None:
        """Close every connection and the port."""
        for client in list(self._clients.values()):
            self._drop(client)
        self._epoll.close()
        self._listener.close()

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except BlockingIOError:
            return  # the client has already closed the connection
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._clients[connection.fileno()] = _Client(connection)
        self._epoll.register(connection.fileno(), select.EPOLLIN)

    def _read(self, client: _Client, now_us: int) -> None:
        try:
            data = client.socket.recv(READ_BYTES)
        except BlockingIOError:
            return  # the event concerned sending
        except ConnectionError:
            data = b""
        if not data:
            self._drop(client)
            return
        *commands, client.inbox = (client.inbox + data).split(b">")
        client.inbox = client.inbox[-LINE_BYTES_MAX:]
        for command in commands:
            parts = command[command.rfind(b"<") + 1 :].split()
            if parts:
                self._obey(client, parts, now_us)

    def _obey(self, client: _Client, parts: list[bytes], now_us: int) -> None:
        name = parts[0]
        if name == b"send" and client.end is not None:
            self._send(client.end, parts)
        elif parts == [b"open", self.bus.name.encode()]:
            client.opened = True
            client.outbox += OK
        elif name == b"open":
            client.outbox += b"< error could not open bus >"
        elif name == b"rawmode" and client.opened:
            if client.end is None:
                client.end = self.bus.attach()
            client.frames_from_us = now_us + self.grace_us
            client.outbox += OK
        elif name == b"echo":
            client.outbox += b"< echo >"
        else:
            client.outbox += b"< error unknown command >"

    def _send(self, end: CanEnd, parts: list[bytes]) -> None:
        try:
            can_id, length = int(parts[1], 16), int(parts[2], 16)
            data = bytes(int(word, 16) for word in parts[3:])
            if length > 8 or len(data) != length or can_id > 0x1FFFFFFF:
                raise ValueError("length or id")
            end.send(
                can.Message(arbitration_id=can_id, is_extended_id=len(parts[1]) > 3, data=data)
            )
        except (ValueError, IndexError, can.CanOperationError):
            # No reply, because python-can 4.6.1 cannot read a reply in raw mode.
            self.refused += 1

    def _drain(self, client: _Client, now_us: int) -> None:
        """Move frames of the bus to the client's outbox. In the grace time, and while the client
        does not read, frames are lost.
        """
        if client.end is None:
            return
        queue = client.end.queue
        if now_us < client.frames_from_us:
            queue.clear()
        for _ in range(min(len(queue), FRAMES_PER_SERVICE)):
            line = _line(queue.popleft())
            if len(client.outbox) > OUT_BYTES_MAX:
                self.lost += 1
            else:
                client.outbox += line

    def _flush(self, client: _Client) -> None:
        if client.outbox:
            try:
                del client.outbox[: client.socket.send(client.outbox)]
            except BlockingIOError:
                pass  # the client's buffer is full; epoll reports when the client reads again
            except ConnectionError:
                self._drop(client)
                return
        if client.waits_to_send != bool(client.outbox):
            client.waits_to_send = bool(client.outbox)
            events = select.EPOLLIN | (select.EPOLLOUT if client.waits_to_send else 0)
            self._epoll.modify(client.socket.fileno(), events)

    def _drop(self, client: _Client) -> None:
        if self._clients.pop(client.socket.fileno(), None) is not None:
            self._epoll.unregister(client.socket.fileno())
            client.socket.close()
            if client.end is not None:
                client.end.shutdown()


def _line(message: can.Message | CanFrame) -> bytes:
    """A received frame in socketcand's format, with the time stamp of the message."""
    can_id = b"%0*X" % (8 if message.is_extended_id else 3, message.arbitration_id)
    return b"< frame %s %.6f %s >" % (can_id, message.timestamp, message.data.hex().encode())
