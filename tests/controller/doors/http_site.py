"""An HTTP door before the loop of HintedSite, served in a thread, for tests with mark.wire."""

import asyncio
import contextlib
import hashlib
import http.client
import json
import socket
import threading

from controller.doors.feed import Feed
from controller.doors.http.door import Door
from tests.controller.doors.doors_site import answering

GUARD_S = 30
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


class Served:
    """A door in a thread: `port`, and the House."""

    def __init__(self, house, values):
        self.house, self.values = house, values
        self._ready, self._loop, self._asked = threading.Event(), None, None

    @contextlib.contextmanager
    def open(self):
        thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        thread.start()
        try:
            assert self._ready.wait(GUARD_S)
            yield self
        finally:
            self._loop.call_soon_threadsafe(self._asked.set)
            thread.join(GUARD_S)

    async def _serve(self):
        self._loop, self._asked = asyncio.get_running_loop(), asyncio.Event()
        self.door = Door(self.house, self.values)
        await self.house.feed.read()
        tasks = [asyncio.create_task(self.door.run()), asyncio.create_task(self._asked_for())]
        while not self.door.listener.port:
            await asyncio.sleep(0)
        self.port = self.door.listener.port
        self._ready.set()
        await asyncio.wait(
            [asyncio.create_task(self._asked.wait()), tasks[0]], return_when="FIRST_COMPLETED"
        )
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _asked_for(self):
        while True:
            await self.house.feed.changed()

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

    def until(self, is_so):
        """Wait for a reading of the feed after which it is so."""
        for _ in range(100):
            done = asyncio.run_coroutine_threadsafe(self.house.feed.changed(), self._loop)
            done.result(GUARD_S)
            if is_so():
                return
        raise AssertionError("never so")

    def raw(self, *parts):
        """All bytes that come back for parts, each sent by itself; the sending half closes then."""
        with socket.create_connection(("127.0.0.1", self.port), GUARD_S) as link:
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with contextlib.suppress(OSError):
                for part in parts:
                    link.sendall(part)
                link.shutdown(socket.SHUT_WR)
            found = b""
            with contextlib.suppress(ConnectionResetError):
                while data := link.recv(65536):
                    found += data
            return found


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
        with Served(house, own).open() as door:
            yield site, door
