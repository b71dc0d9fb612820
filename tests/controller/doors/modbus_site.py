"""A Modbus door before a loop that answers, and a raw client."""

import asyncio
import contextlib
import math
import socket
import ssl
import struct
import subprocess

import parts

from controller.doors import settings
from controller.doors.modbus.door import Door
from controller.doors.modbus.image import POINTS
from controller.doors.process import House
from tests.controller.doors.doors_site import written
from tests.controller.hinted_site import HintedSite

TABLE = """
[modbus.plant]
may = "request"
connections_max = 3
[modbus.plant.clients]
"127.0.0.1" = "scheduler"
"127.0.0.3" = "scheduler"
"127.0.0.4" = "site_ems"
"""
GUARD_S = 20


@contextlib.contextmanager
def running(folder, text=TABLE):
    """(site, house): a cabinet that runs, with its state as the doors read it."""
    path = written(folder / "doors", text)
    site = HintedSite(folder).run()
    with site.pumped():
        house = House(settings.load(path), str(site.run_dir), str(site.state_dir), str(folder))
        asyncio.run(house.feed.read())
        house.feed.state = {**house.feed.state, "is_live": True}
        house.feed.began_s = 0.0  # the answers of the loop are newer
        house.feed._read_s = math.inf  # and this state stays new
        yield site, house
    site.close()


def served(house, work):
    """work(door, port) in a thread beside the door. Returns what it returns."""

    async def run():
        values = {**house.settings.doors["modbus"]["plant"], "port": 0}
        door = Door(house, "plant", values)
        opened = asyncio.create_task(door.run())
        while not door.listener.port:
            await asyncio.sleep(0)
        try:
            return await asyncio.to_thread(work, door, door.listener.port)
        finally:
            opened.cancel()
            await asyncio.gather(opened, return_exceptions=True)

    return asyncio.run(run())


def frame(pdu, transaction=7, unit=1, protocol=0, length=None):
    return struct.pack(">HHHB", transaction, protocol, length or len(pdu) + 1, unit) + pdu


def read(name_or_register, count=1):
    at = POINTS[name_or_register].at if name_or_register in POINTS else name_or_register
    return struct.pack(">BHH", 3, at, count)


def write(name_or_register, data):
    at = POINTS[name_or_register].at if name_or_register in POINTS else name_or_register
    return struct.pack(">BHHB", 16, at, len(data) // 2, len(data)) + data


def setting(**values):
    """One write for each point of model 704 with its number."""
    return [
        write(
            f"704.{name}", value.to_bytes(2 * POINTS[f"704.{name}"].registers, "big", signed=True)
        )
        for name, value in values.items()
    ]


class Raw:
    """A client of bytes. source: the address that it comes from."""

    def __init__(self, port, source="127.0.0.1", tls=None):
        self.socket = socket.create_connection(("127.0.0.1", port), GUARD_S, (source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname="127.0.0.1")

    def send(self, data):
        self.socket.sendall(data)
        return self

    def answer(self):
        """(transaction, PDU), None when the door has closed."""
        head = self._exactly(7)
        if head is None:
            return None
        transaction, _, length, _ = struct.unpack(">HHHB", head)
        return transaction, self._exactly(length - 1)

    def ask(self, pdu, **other):
        found = self.send(frame(pdu, **other)).answer()
        return found and found[1]

    def rest(self):
        """All bytes until the door closes."""
        found = b""
        with contextlib.suppress(ConnectionError):
            while more := self.socket.recv(4096):
                found += more
        return found

    def number(self, name):
        """The number that a point reads; None for "not implemented"."""
        point = POINTS[name]
        return point.number(self.ask(read(name, point.registers))[2:])

    def _exactly(self, count):
        data = b""
        while len(data) < count:
            try:
                more = self.socket.recv(count - len(data))
            except ConnectionError:
                return None
            if not more:
                return None
            data += more
        return data

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def at_once(port, tls, data):
    """The answer to data that leaves with the last bytes of the handshake of TLS."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    secured = tls.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    with socket.create_connection(("127.0.0.1", port), GUARD_S) as plain:
        while True:
            try:
                secured.do_handshake()
                break
            except ssl.SSLWantReadError:
                plain.sendall(outgoing.read())
                incoming.write(plain.recv(65536))
        secured.write(data)
        plain.sendall(outgoing.read())
        while True:
            try:
                return secured.read(65536)
            except ssl.SSLWantReadError:
                incoming.write(plain.recv(65536))


def certificates(folder):
    """Files of a site's authority, a foreign one, the door, and clients.

    CLIENT.crt and .key: ems (good), old (expired), foreign (of another authority), two (two names).
    """
    parts.needs("openssl")

    def run(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    for name in ("site", "other"):
        run(
            "req", "-x509", *key, "-keyout", f"{name}.key", "-out", f"{name}.crt", "-subj", "/CN=CA"
        )
    (folder / "door.ext").write_text("subjectAltName=IP:127.0.0.1\n")
    for name, issuer, days, subject in (
        ("door", "site", "9", "/CN=door"),
        ("ems", "site", "9", "/O=Plant/CN=ems 1"),
        ("old", "site", "-1", "/CN=ems 1"),
        ("foreign", "other", "9", "/CN=ems 1"),
        ("two", "site", "9", "/CN=x/CN=ems 1"),
    ):
        run("req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", subject)
        sign = ("-CA", f"{issuer}.crt", "-CAkey", f"{issuer}.key", "-CAcreateserial")
        run(
            "x509",
            "-req",
            "-in",
            f"{name}.csr",
            *sign,
            "-days",
            days,
            "-out",
            f"{name}.crt",
            *(("-extfile", "door.ext") if name == "door" else ()),
        )
    return True
