"""The door `local` before a loop that answers, its clients, and one that is stepped by hand."""

import asyncio
import contextlib
import json
import os
import random
import socket
import subprocess
import sys
from unittest import mock

import msgpack
from hinted_site import KEYS, HintedSite

from controller.core.base import hint_codes as h
from controller.doors import settings
from controller.doors.local import client, door, form
from controller.doors.process import House
from controller.hints import wire as w
from tests.controller.doors.doors_site import GUARD_S
from tests.controller.doors.listener_suite import Place, garbled

ODD = None, True, -1, 2**63, 0.5, "", "x" * 99, [], {}, "\u0661" * 64
HELLO = {"hello": "site_ems"}
HINT = w.Hint("site_ems", bytes(8), 1, 5, h.GRID_CAP, h.IMPORT_W_MAX, 0, 400_000, 60_000)


def door_of(run_dir, **values):
    given = {name: field.default for name, field in form.FORM.items()}
    given |= {"listen": os.path.join(run_dir, "upstream.sock"), **values}
    return door.Door(
        House(settings.Settings("", {}, {}), str(run_dir), str(run_dir), ""), "x", given
    )


GREEDY = """
import socket, sys
held = [socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(int(sys.argv[2]))]
for each in held:
    each.connect(sys.argv[1])
    each.sendall(b'{"hello": "site_ems"}\\n')
    each.recv(1000)
print("held", flush=True)
sys.stdin.read()
"""


class Served(Place):
    """A door beside the loop of a site."""

    GOOD = json.dumps(HELLO).encode() + b"\n"
    HALVES = b"", b"{", GOOD[:-1]
    FAULT = (client.messages, "datagram")
    is_counted = has_limits = False
    held_bytes_max = 4096

    def __init__(self, site, **values):
        self.site, self.path = site, str(site.run_dir / "upstream.sock")
        self.opened = []
        super().__init__(
            lambda: door_of(site.run_dir, **values), lambda door: os.path.exists(self.path)
        )

    def connect(self, receive_bytes=0):
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        made.connect(self.path)  # without a time-out: with one, a full backlog fails at once
        made.settimeout(GUARD_S)
        return made

    def client(self):
        self.opened.append(self.connect())
        return self.opened[-1]

    @property
    def links(self):
        return [*self.door.listener.connections]

    @contextlib.contextmanager
    def crowd(self):
        count = str(self.door.listener._values["connections_max"])
        line = [sys.executable, "-c", GREEDY, self.path, count]
        with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as greedy:
            assert greedy.stdout.readline() == b"held\n"
            yield
            greedy.stdin.close()

    def answer(self, link):
        return line_of(link)

    def is_good(self, answer):
        return answer["source"] == "site_ems"

    def many(self):
        asked = [{"head": True}, {}, {"head": 1}] * 20
        with self.connect() as link:
            wanted = [ask(link, each) for each in asked]
        return b"".join([json.dumps(each).encode() + b"\n" for each in asked]), wanted

    def refusal(self, link):
        link.sendall(b"\n" + self.GOOD)
        codes = []
        while (answer := line_of(link)) and "code" in answer:
            codes.append(answer["code"])
        return codes

    def is_harmless(self, found):
        return b'"granted": true' not in found

    def after_fault(self, link):
        return self.until_closed(link) == b""

    def effect(self):
        own = self.site.source("site_ems")
        return own["accepted"], own["refused"]

    def hurry(self, monkeypatch, limit_s):
        monkeypatch.setattr(door, "IDLE_US", limit_s * 1e6)

    def attack(self, number):
        """A wrong signature has no answer, and one message in a hundred has one: 2 s each."""
        with mock.patch.object(client, "ANSWER_S", 0.02):
            super().attack(number)

    def hostile(self, number):
        chance = random.Random(number)
        message = good(sequence=number) | {chance.choice([*good(), "x"]): chance.choice(ODD)}
        pack = msgpack.packb if number % 2 else lambda each: json.dumps(each).encode() + b"\n"
        return garbled(chance, pack(message) + chance.randbytes(chance.randrange(99)))

    def __exit__(self, *error):
        for each in self.opened:
            each.close()
        super().__exit__(*error)


@contextlib.contextmanager
def running(folder, **values):
    site = HintedSite(folder)
    with site.pumped(), Served(site, **values) as place:
        yield place
    site.close()


class Stepped:
    """A door without a thread: `turn` does what can be done now, at a time given by hand."""

    GOOD = Served.GOOD

    def __init__(self, run_dir, **values):
        self._loop, self._now_s, self.opened = asyncio.SelectorEventLoop(), 0.0, []
        self.path = os.path.join(run_dir, "upstream.sock")
        self._loop.time = lambda: self._now_s
        self.task = self._loop.create_task(self._made(run_dir, values))
        self.turn(0)

    async def _made(self, run_dir, values):
        self.door = door_of(run_dir, **values)
        await self.door.run()

    def turn(self, now_us):
        self._now_s = now_us / 1e6
        while True:
            self._loop.call_soon(self._loop.stop)
            self._loop.run_forever()
            if not self._loop._ready and not self._loop._selector.select(0):
                assert not self.task.done(), self.task
                return

    def due_s(self):
        """When it has work without an event; None: never."""
        timers = [each.when() for each in self._loop._scheduled if not each.cancelled()]
        return min(timers, default=None)

    def client(self):
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        made.connect(self.path)
        made.setblocking(False)
        self.opened.append(made)
        return made

    @staticmethod
    def received(client):
        try:
            return client.recv(65_536) or None
        except BlockingIOError:
            return b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for each in self.opened:
            each.close()
        self.task.cancel()
        self._loop.run_until_complete(asyncio.gather(self.task, return_exceptions=True))
        self._loop.close()


def line_of(client):
    data = b""
    while not data.endswith(b"\n"):
        chunk = client.recv(1)
        if not chunk:
            return None
        data += chunk
    return json.loads(data)


def is_served(client):
    return ask(client, HELLO)["source"] == "site_ems"


def ask(client, message):
    client.sendall(json.dumps(message).encode() + b"\n")
    return line_of(client)


def message_of(hint, mac):
    plain = {**hint._asdict(), "nonce": hint.nonce.hex(), "quantity": "import_W_max", "mac": mac}
    return {name: plain[name] for name in plain if name not in ("kind", "purpose")}


def good(**fields):
    return message_of(HINT, "ab" * 32) | fields


def signed(welcome, key=KEYS["site_ems"], **fields):
    nonce, sequence = bytes.fromhex(welcome["nonce"]), welcome["sequence"] + 1
    own = {"nonce": nonce, "sequence": sequence, "sent_ms": welcome["uptime_ms"]}
    hint = HINT._replace(**{**own, **fields})
    return message_of(hint, w.signed(hint, key)[56:].hex())
