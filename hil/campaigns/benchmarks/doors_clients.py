"""Clients of the MQTT, HTTP and Modbus servers: they request power and see if it is granted."""

import contextlib
import http.client
import json
import pathlib
import socket
import ssl
import struct
from collections.abc import Iterator
from typing import Any, BinaryIO

from controller.doors.modbus.image import POINTS
from hil.campaigns.benchmarks.doors_open import ADDRESSES, HOST, PORTS, token

GUARD_S = 20.0
BASE = "firebreak/bench"
PUBLISH, REFUSED = 3, 0x80


def frame(pdu: bytes) -> bytes:
    """A frame of Modbus TCP."""
    return struct.pack(">HHHB", 7, 0, len(pdu) + 1, 1) + pdu


def write(register: int, data: bytes) -> bytes:
    """The PDU that writes registers."""
    return struct.pack(">BHHB", 16, register, len(data) // 2, len(data)) + data


def power(value_W: int) -> bytes:
    """The PDU that asks for a power: WSetEna, WSetMod, WSet."""
    return write(POINTS["704.WSetEna"].at, struct.pack(">HHi", 1, 1, value_W))


def hint(value_W: int) -> dict[str, Any]:
    """The request for a power as JSON."""
    return {"quantity": "power_W", "value_W": value_W, "valid_s": 60}


def tls(folder: pathlib.Path, name: str) -> ssl.SSLContext:
    """The TLS of a client with this certificate."""
    context = ssl.create_default_context(cafile=folder / "site.crt")
    context.load_cert_chain(folder / f"{name}.crt", folder / f"{name}.pem")
    return context


def connected(
    port: str, address: str = HOST, context: ssl.SSLContext | None = None
) -> socket.socket:
    """A connection to one of PORTS that sends without delay."""
    link = socket.create_connection((HOST, PORTS[port]), GUARD_S, (address, 0))
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(link, server_hostname=HOST) if context else link


class Modbus:
    """A Modbus master; with a context it uses TLS."""

    def __init__(self, source: str, context: ssl.SSLContext | None = None) -> None:
        self.link = connected("tls" if context else "modbus", ADDRESSES[source], context)
        self._file = self.link.makefile("rb")

    def ask(self, value_W: int) -> bool:
        """True if the request was granted."""
        self.link.sendall(frame(power(value_W)))
        return not answer(self._file)[0] & REFUSED


def answer(file: BinaryIO) -> bytes:
    """The PDU of an answer. ConnectionError if the door has closed."""
    head = file.read(7)
    if data := file.read(struct.unpack(">HHHB", head)[2] - 1) if len(head) == 7 else b"":
        return data
    raise ConnectionError


class Http:
    """A client with the token of a source."""

    def __init__(self, source: str) -> None:
        self._headers = {"Authorization": f"Bearer {token(source)}"}
        self.link = http.client.HTTPConnection(HOST, PORTS["http"], timeout=GUARD_S)
        self.link.connect()

    def ask(self, value_W: int) -> bool:
        """True if the request was granted."""
        self.link.request("POST", "/api/v1/hints", json.dumps(hint(value_W)), self._headers)
        with self.link.getresponse() as reply:
            return bool(json.loads(reply.read()).get("granted"))


class Mqtt:
    """A client of the broker that sends as a source."""

    def __init__(self, source: str) -> None:
        self._source, self._count, self.link = source, 0, connected("mqtt")
        self._file = opened(self.link, source, f"{BASE}/reply/{source}/#")

    def ask(self, value_W: int) -> bool:
        """True if the request was granted."""
        self._count += 1
        command = {"id": f"{id(self)}.{self._count}", **hint(value_W)}
        self.link.sendall(publish(self._source, json.dumps(command).encode()))
        while True:
            kind, body = read(self._file)
            reply = json.loads(body[2 + int.from_bytes(body[:2]) :]) if kind == PUBLISH else {}
            if reply.get("id") == command["id"]:
                return bool(reply.get("granted"))


def packet(head: int, body: bytes) -> bytes:
    """A packet of MQTT."""
    count, length = len(body), b""
    while count > 127:
        length, count = length + bytes((count & 127 | 128,)), count >> 7
    return bytes((head,)) + length + bytes((count,)) + body


def text(string: str) -> bytes:
    """A text with its length before it."""
    return struct.pack(">H", len(string)) + string.encode()


def opening(name: str, topic: str) -> bytes:
    """The packets that open a connection: CONNECT of MQTT 3.1.1, and SUBSCRIBE."""
    connect = text("MQTT") + bytes((4, 2, 0, 60)) + text(f"bench-{name}")
    return packet(0x10, connect) + packet(0x82, b"\0\1" + text(topic) + b"\0")


def opened(link: socket.socket, name: str, topic: str) -> BinaryIO:
    """The stream of packets that follow the broker's answers to `opening`."""
    file = link.makefile("rb")
    link.sendall(opening(name, topic))
    read(file), read(file)
    return file


def publish(source: str, payload: bytes) -> bytes:
    """The packet that publishes a command of a source."""
    return packet(0x30, text(f"{BASE}/command/{source}/hint") + payload)


def read(file: BinaryIO) -> tuple[int, bytes]:
    """(kind, body) of the next packet. ConnectionError if the broker has closed."""
    head, length, shift = file.read(1), 0, 0
    while head:
        (byte,) = file.read(1)
        length, shift = length | (byte & 127) << shift, shift + 7
        if byte < 128:
            return head[0] >> 4, file.read(length)
    raise ConnectionError


Client = Modbus | Http | Mqtt


@contextlib.contextmanager
def clients(folder: pathlib.Path, source: str) -> Iterator[dict[str, Client]]:
    """{door: client of this source}."""
    with contextlib.ExitStack() as stack:
        by_door: dict[str, Client] = {"MQTT": Mqtt(source), "Modbus": Modbus(source)}
        by_door |= {"Modbus TLS": Modbus(source, tls(folder, source)), "HTTP": Http(source)}
        for client in by_door.values():
            stack.callback(client.link.close)
        yield by_door
