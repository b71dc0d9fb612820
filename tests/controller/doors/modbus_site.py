"""A Modbus door before a loop that answers, and a raw client."""

import asyncio
import contextlib
import math
import random
import socket
import ssl
import struct

from controller.doors import listener, settings
from controller.doors.modbus import door
from controller.doors.modbus.image import POINTS
from controller.doors.modbus.points import BASE
from controller.doors.process import House
from tests.controller.doors.doors_site import GUARD_S, written
from tests.controller.doors.listener_suite import Place
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
ON = {"WSet": -20_000, "WSetRvrtTms": 100, "WSetEna": 1}


class Plant(Place):
    """A door before a cabinet that runs, with its state as the doors read it."""

    SLOW, ROOM = door.DROP_TEXTS[listener.SLOW_READER], door.DROP_TEXTS[listener.MADE_ROOM]
    FAULT = (door.Door, "_registers")

    def __init__(self, site, house, **values):
        self.site, self.house = site, house
        own = {**house.settings.doors["modbus"]["plant"], "port": 0, **values}
        super().__init__(lambda: door.Door(house, "plant", own))
        self.GOOD = frame(read(BASE, 2))
        self.HALVES = b"", self.GOOD[:3], self.GOOD[:-1]

    def stranger(self):
        return self.connect(source="127.0.0.2")

    def raw(self, source="127.0.0.1", tls=None):
        link = self.connect(source=source)
        return Raw(tls.wrap_socket(link, server_hostname="127.0.0.1") if tls else link)

    def answer(self, link):
        return answer_of(link)

    def is_good(self, answer):
        return answer == (7, b"\x03\x04SunS")

    def many(self):
        wanted = [
            *[read(BASE + each, 3) for each in range(100)],
            *setting(**ON),
            *[read("704.WSet", 2)] * 100,
        ]
        with self.raw() as raw:
            first = [raw.ask(pdu) for pdu in wanted[:100]]
        assert {pdu[:2] for pdu in first} == {b"\x03\x06"}
        set_to = b"\x03\x04" + (-20_000).to_bytes(4, "big", signed=True)
        answers = [*first, *[pdu[:5] for pdu in setting(**ON)], *[set_to] * 100]
        return b"".join([frame(*each[::-1]) for each in enumerate(wanted)]), [*enumerate(answers)]

    def refusal(self, link):
        with contextlib.suppress(ConnectionError):
            return self.answer(link)[1]

    def is_harmless(self, found):
        while found:
            size = 6 + int.from_bytes(found[4:6], "big")
            if found[7] != 3 and found[7] < 0x80:
                return False
            found = found[size:]
        return True

    def after_fault(self, link):
        return self.answer(link)[1] == b"\x83\x04"

    def effect(self):
        return self.site.source("scheduler")

    def hurry_limits(self, monkeypatch, limit_s):
        monkeypatch.setattr(door, "FRAME_S", limit_s)
        monkeypatch.setitem(self.door._values, "idle_s", limit_s)

    def hostile(self, number):
        chance = random.Random(number)
        pdu = chance.choice([*setting(**ON), write("715.ControllerHb", chance.randbytes(4))])
        kind, at = chance.randrange(4), chance.randrange(len(pdu))
        if kind == 0:
            return frame(pdu, chance.randrange(65536), chance.choice([0, 1, 1, 1, 255]))
        if kind == 1:
            return chance.randbytes(chance.randrange(1, 300))
        changed = pdu[:at] + chance.randbytes(1) + pdu[at + 1 :]
        return frame(changed if kind == 2 else chance.randbytes(chance.randrange(1, 250)))


@contextlib.contextmanager
def plant(folder, text=TABLE, **values):
    """A Plant; its state stays new."""
    path = written(folder / "doors", text)
    site = HintedSite(folder).run()
    with site.pumped():
        house = House(settings.load(path), str(site.run_dir), str(site.state_dir), str(folder))
        asyncio.run(house.feed.read())
        house.feed.state = {**house.feed.state, "is_live": True}
        house.feed.began_s = 0.0  # the answers of the loop are newer
        house.feed._read_s = math.inf
        with Plant(site, house, **values) as place:
            yield place
    site.close()


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


def answer_of(link):
    """(transaction, PDU) of the next answer."""

    def exactly(count):
        data = b""
        while len(data) < count:
            data += (more := link.recv(count - len(data)))
            if not more:
                raise ConnectionError
        return data

    transaction, _, length, _ = struct.unpack(">HHHB", exactly(7))
    return transaction, exactly(length - 1)


class Raw:
    """A client of bytes."""

    def __init__(self, link):
        self.socket = link

    def send(self, data):
        self.socket.sendall(data)
        return self

    def answer(self):
        """(transaction, PDU), None when the door has closed."""
        try:
            return answer_of(self.socket)
        except ConnectionError:
            return None

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
