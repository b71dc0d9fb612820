"""The limits of the HTTP door: bytes, time, connections, quotas; hostile clients widen nothing."""

import contextlib
import hashlib
import json

import pytest
from hypothesis import strategies as st

from controller.doors.http import pages, stream
from controller.doors.http.connection import Request
from controller.doors.http.counts import Counts
from controller.doors.http.guard import CLIENTS_MAX, Guard, Refused
from controller.doors.quota import MINUTE_US
from controller.system import clock
from tests.controller.doors.doors_site import answering
from tests.controller.doors.http_site import (
    BEAT,
    CAP_TOKEN,
    CHUNKS,
    HINT_TOKEN,
    READ_TOKEN,
    TABLE,
    post,
    served,
)
from tests.controller.doors.listener_suite import ListenerSuite
from tests.controller.doors.sender_suite import FIELDS, SenderSuite

pytestmark = pytest.mark.wire
HOST = b"Host: localhost\r\n"


class TestListener(ListenerSuite):
    WRONG = [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST * 2 + b"\r\n", 400),
        (b"GET http://localhost/ HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET //x/ HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET /?a=1&a=2 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET /?a HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET /api/v1/state?a=1 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET /api/v1/trend?span_s=7 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET /../door.py HTTP/1.1\r\n" + HOST + b"\r\n", 404),
        (b"GET /%2e%2e/door.py HTTP/1.1\r\n" + HOST + b"\r\n", 404),
        (b"GET /api/v1/hints HTTP/1.1\r\n" + HOST + b"\r\n", 405),
        (b"OPTIONS / HTTP/1.1\r\n" + HOST + b"\r\n", 405),
        (b"CONNECT localhost:1 HTTP/1.1\r\n" + HOST + b"\r\n", 405),
        (b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\n\r\nx", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\n", 400),
        (post(CHUNKS, b"Content-Length: 9", b"Transfer-Encoding: chunked"), 400),
        (post(b"", b"Transfer-Encoding: gzip"), 501),
        (post(b"x", b"Content-Length: 1", b"Content-Length: 2"), 400),
        (post(b"", b"Content-Length: 4097"), 413),
        (post(b"1001\r\n" + b"x" * 4097, b"Transfer-Encoding: chunked"), 413),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"x" * 9000 + b"\r\n\r\n", 431),
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 431),
        (b"\x16\x03\x01\x02\x00\x01\x00", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 405),
    ]

    @staticmethod
    @contextlib.contextmanager
    def opened(folder, **values):
        with served(folder, requests_per_min_max=100_000, **values) as (_, door):
            yield door


def test_streams_leave_room_for_requests(tmp_path):
    with (
        served(tmp_path, connections_max=4) as (_, door),
        door.stream() as first,
        door.stream() as second,
    ):
        next(first), next(second)
        assert door.ask("GET", "/api/v1/stream")[0] == 503
        assert door.ask("GET", "/api/v1/state")[0] == 200


def test_a_reader_of_the_stream_that_goes_makes_room(tmp_path):
    with served(tmp_path, connections_max=4) as (_, door):
        for _ in range(3):
            with door.stream() as first, door.stream() as second:
                next(first), next(second)
            door.until(lambda: door.door.counts.gauges()[1] == 0)


def test_each_token_has_its_quota(tmp_path):
    with served(tmp_path, requests_per_min_max=3) as (_, door):
        for _ in range(3):
            assert door.ask("GET", "/api/v1/state", None, READ_TOKEN)[0] == 200
        status, headers, _ = door.ask("GET", "/api/v1/state", None, READ_TOKEN)
        assert (status, headers["Retry-After"]) == (429, "10")
        assert door.ask("GET", "/api/v1/state")[0] == 200
        assert door.ask("POST", "/api/v1/hints", BEAT, HINT_TOKEN)[0] == 200


def test_a_greedy_client_without_a_token_costs_only_itself(tmp_path):
    """A scrape beside it has a quota of its own, and so has another address."""
    with served(tmp_path, requests_per_min_max=3) as (_, door):
        codes = [door.ask("GET", "/api/v1/state")[0] for _ in range(4)]
        assert codes == [200, 200, 200, 429]
        assert door.ask("GET", "/metrics")[0] == 200
        assert door.ask("GET", "/api/v1/state", source="127.0.0.2")[0] == 200


def test_the_table_of_clients_is_bounded_and_forgets_who_is_silent(monkeypatch):
    """More at once share one quota; a token never does."""
    now_us = [0]
    monkeypatch.setattr(clock, "now_us", lambda: now_us[0])
    token = {"name": "a", "source": "", "sha256": hashlib.sha256(READ_TOKEN.encode()).hexdigest()}
    table = {"token": [token], "listen": "127.0.0.1", "names": [], "requests_per_min_max": 10}
    rules, headers = Guard(table), [(b"host", b"localhost")]
    bearer = (b"authorization", b"Bearer " + READ_TOKEN.encode())

    def admitted(count):
        done = 0
        for number in range(count):
            with contextlib.suppress(Refused):
                done += bool(rules.admit("GET", headers, (str(number),)))
        return done

    assert admitted(1000) == CLIENTS_MAX + 10
    now_us[0] += MINUTE_US
    assert admitted(1000) == CLIENTS_MAX + 10
    assert len(rules._of_clients) == CLIENTS_MAX + 1
    assert rules.admit("GET", [*headers, bearer], ("1",)).name == "a"


TOKENS = {HINT_TOKEN: "site_ems", CAP_TOKEN: "scheduler"}


class TestSender(SenderSuite):
    calls = st.tuples(
        st.sampled_from([*["POST"] * 5, "GET"]),
        st.sampled_from([*["/api/v1/hints"] * 6, "/api/v1/ask", "/"]),
        st.sampled_from([*[*TOKENS] * 4, READ_TOKEN, "x" * 40, ""]),
        FIELDS,
    )

    @pytest.fixture(autouse=True)
    def own(self, tmp_path):
        with answering(tmp_path, f"[http.page]\n{TABLE}") as (_, self.house):
            yield

    def through(self, senders):
        rules = Guard(self.house.settings.doors["http"]["page"])
        self.house.senders = senders
        own = pages.Pages(self.house, stream.Stream(self.house.feed), Counts(1))

        async def ask(call):
            method, path, token, message = call
            path, query = rules.target(path.encode())
            more = [(b"authorization", b"Bearer " + token.encode())] if token else []
            with contextlib.suppress(Refused):
                access = rules.admit(method, [(b"host", b"localhost"), *more])
                await own.answer(Request(method, path, query, json.dumps(message).encode(), access))

        return ask

    def meant(self, calls):
        for method, path, token, message in calls:
            if (method, path) == ("POST", "/api/v1/hints") and token in TOKENS:
                yield TOKENS[token], message
