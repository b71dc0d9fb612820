"""An HTTP door before the loop of HintedSite, served in a thread, for tests with mark.wire."""

import contextlib
import hashlib
import http.client
import json
import random
import re
import socket

from controller.doors.feed import Feed
from controller.doors.http import connection, pages
from controller.doors.http.door import Door
from tests.certificates import certificates
from tests.controller.doors.doors_site import GUARD_S, answering
from tests.controller.doors.listener_suite import Place, garbled

HINT_TOKEN, READ_TOKEN, CAP_TOKEN = "h" * 40, "r" * 40, "c" * 40
TABLE = "".join(
    f"""[[http.page.token]]
name = "{name}"
sha256 = "{hashlib.sha256(token.encode()).hexdigest()}"
source = "{source}"
"""
    for name, token, source in (
        ("ems", HINT_TOKEN, "site_ems"),
        ("slurm", CAP_TOKEN, "scheduler"),
        ("grafana", READ_TOKEN, ""),
    )
)


BEAT = {"quantity": "heartbeat", "valid_s": 9}
CHUNKS = b"".join([b"1\r\n%c\r\n" % each for each in json.dumps(BEAT).encode()]) + b"0\r\n\r\n"
FIRST = "the journal has not been read yet"
GET = b"GET /api/v1/schema HTTP/1.1\r\nHost: localhost\r\n\r\n"


def post(body, *more, token=HINT_TOKEN):
    lines = [b"POST /api/v1/hints HTTP/1.1", b"Host: localhost", *more]
    lines.append(b"Authorization: Bearer " + token.encode())
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def with_tls():
    own = certificates() / "door"
    return f'certificate = "{own}.crt"\nkey = "{own}.key"\n'


def statuses(found):
    return [int(part[:3]) for part in found.split(b"HTTP/1.1 ")[1:]]


class Served(Place):
    """A door in a thread, and the House."""

    GOOD, FAULT = GET, (pages.Pages, "answer")
    HALVES = b"", GET[:20], post(b"{", b"Content-Length: 9")

    def __init__(self, house, values):
        self.house, self.values = house, values
        super().__init__(lambda: Door(house, "page", values), self._is_open, [self._asked_for])

    def _is_open(self, door):
        return door.listener.port and self.house.feed.trouble != FIRST

    async def _asked_for(self):
        while True:
            await self.house.feed.changed()

    @property
    def counts(self):
        return self.door.counts.refused

    def answer(self, link):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += link.recv(1)
        length = int(re.search(rb"Content-Length: (\d+)", head)[1])
        while length:
            length -= len(link.recv(min(length, 65_536)))
        return int(head.split()[1])

    def is_good(self, answer):
        return answer == 200

    def many(self):
        body = json.dumps(BEAT).encode()
        hint = post(body, b"Content-Length: %d" % len(body))
        parts = post(CHUNKS, b"Transfer-Encoding: chunked")
        # a refusal ends the connection
        return GET + hint + parts + GET.replace(b"schema", b"nothing") + GET, [200, 200, 200, 404]

    def refusal(self, link):
        link.sendall(GET * 3)  # what follows is not read
        found = self.until_closed(link)
        assert b"onnection: close" in found
        (status,) = statuses(found)
        return status

    def is_harmless(self, found):
        return 200 not in statuses(found)

    def after_fault(self, link):
        return self.until_closed(link) == b""

    def effect(self):
        self.until(lambda: self.house.feed.state)
        return self.site.source("site_ems"), self.house.feed.state["hints"]

    def hurry_limits(self, monkeypatch, limit_s):
        for name in ("IDLE_S", "HEADER_S", "BODY_S"):
            monkeypatch.setattr(connection, name, limit_s)

    def hostile(self, number):
        chance = random.Random(number)
        body = json.dumps(BEAT | {"quantity": "import_W_max", "value_W": number}).encode()
        honest = post(body, b"Content-Length: %d" % len(body), token="x" * 40)
        return garbled(chance, honest if number % 2 else GET.replace(b"GET", b"PUT"))

    def ask(self, method, path, body=None, token="", source="127.0.0.1", **headers):
        """(status, headers, body) of one request. source: the address that it comes from."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, GUARD_S, (source, 0))
        given = {key.replace("_", "-"): value for key, value in headers.items()}
        if token:
            given["Authorization"] = f"Bearer {token}"
        text = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        try:
            connection.request(method, path, text, given)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    @contextlib.contextmanager
    def stream(self):
        """(name, data) of each event."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=GUARD_S)
        connection.request("GET", "/api/v1/stream")
        answer = connection.getresponse()
        assert answer.headers["Content-Type"] == "text/event-stream"
        try:
            yield _events(answer)
        finally:
            connection.close()

    def raw(self, *parts):
        """All bytes that come back for parts, each sent by itself; the sending half closes then."""
        with self.connect() as link:
            with contextlib.suppress(OSError):
                for part in parts:
                    link.sendall(part)
                link.shutdown(socket.SHUT_WR)
            return self.until_closed(link)


class Ticking(Feed):
    """The loop of the site answers and makes no ticks; a door that reads this feed does not see
    that.
    """

    def _facts(self, name, *span_s):
        return super()._facts(name, *span_s) | {"is_live": True}


def _events(answer):
    name = ""
    for line in answer:
        key, _, value = line.decode().rstrip("\n").partition(": ")
        if key == "event":
            name = value
        elif key == "data":
            yield name, json.loads(value)


@contextlib.contextmanager
def served(folder, text="", run_dir=None, feed=Ticking, **values):
    """(site, Served): a door with tokens before a loop that answers; run_dir: another one."""
    with answering(folder, f"[http.page]\n{text}\n{TABLE}") as (site, house):
        site.run()
        if run_dir:
            house.run_directory = run_dir
        house.feed = feed(house.run_directory, run_dir or str(site.state_dir))
        own = {**house.settings.doors["http"]["page"], "port": 0, **values}
        with Served(house, own) as door:
            door.site = site
            yield site, door
