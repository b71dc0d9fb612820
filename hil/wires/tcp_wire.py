"""A Modbus TCP server on loopback as a wire of the rig.

The wire turns requests of Modbus TCP into RTU frames for the simulated devices, and their replies
back.
"""

import select
import socket
import struct

from hil.devices.rtu_slave import with_crc
from hil.wires.virtual import RealWire

HEAD_BYTES = 6  # transaction, protocol, number of bytes that follow


class TcpWire(RealWire):
    """`slave_name`: the address to which the controller connects."""

    def _open(self) -> str:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.setblocking(False)
        self._client: socket.socket | None = None
        self._ready = select.epoll()
        self._ready.register(self._server, select.EPOLLIN)
        self._received, self._head = b"", b""
        return "{}:{}".format(*self._server.getsockname())

    def fileno(self) -> int:
        """See RealWire."""
        return self._ready.fileno()

    def sent(self) -> list[bytes]:
        """The controller's requests since the last call, as RTU frames."""
        self._accept()
        if self._client is None:
            return []
        try:
            data = self._client.recv(4096)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        if not data:
            self._hang_up()
            return []
        self._received += data
        return list(iter(self._frame, b""))

    def close(self) -> None:
        """Close both sides."""
        self._hang_up()
        self._ready.close()
        self._server.close()

    def _accept(self) -> None:
        try:
            client, _ = self._server.accept()
        except BlockingIOError:
            return
        self._hang_up()
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._client = client
        self._ready.register(client, select.EPOLLIN)

    def _hang_up(self) -> None:
        if self._client is not None:
            self._ready.unregister(self._client)
            self._client.close()
        self._client, self._received = None, b""

    def _frame(self) -> bytes:
        if len(self._received) < HEAD_BYTES:
            return b""
        end = HEAD_BYTES + int.from_bytes(self._received[4:HEAD_BYTES], "big")
        if len(self._received) < end:
            return b""
        self._head, content = self._received[:4], self._received[HEAD_BYTES:end]
        self._received = self._received[end:]
        return with_crc(content)

    def _write(self, data: bytes, time_us: int) -> None:
        """data: a reply as an RTU frame. A damaged frame is dropped, because TCP delivers none."""
        if self._client is not None and with_crc(data[:-2]) == data:
            self._client.send(self._head + struct.pack(">H", len(data) - 2) + data[:-2])
