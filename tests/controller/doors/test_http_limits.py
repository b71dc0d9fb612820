"""The limits of the HTTP door: bytes, time, connections, quotas; hostile clients widen nothing."""

import asyncio
import contextlib
import hashlib
import json

import pytest
from hypothesis import given, strategies as st

from controller.doors import sending
from controller.doors.http import pages, stream
from controller.doors.http.connection import Request
from controller.doors.http.counts import Counts
from controller.doors.http.guard import CLIENTS_MAX, Guard, Refused
from controller.doors.quota import MINUTE_US
from controller.forms.refusal import ConfigError
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
from tests.controller.hinted_site import KEYS

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


ANY = st.sampled_from([*sending.NAMES.values(), -1, 0, 60, 10**10, 0.5, True, None])
WRONG = st.dictionaries(st.sampled_from([*sending.HINT, "source", "mac"]), ANY)
RIGHT = st.fixed_dictionaries(
    {
        "quantity": st.sampled_from([*sending.NAMES.values()]),
        "valid_s": st.sampled_from([1, 60, 300]),
        "value_W": st.sampled_from([-(10**9), -1, 0, 1, 10**9]),
    },
    optional={"is_exact": st.booleans(), "start_in_s": st.just(9)},
)
TOKENS = {HINT_TOKEN: "site_ems", CAP_TOKEN: "scheduler"}
CALLS = st.tuples(
    st.sampled_from(["POST", "POST", "GET"]),
    st.sampled_from(["/api/v1/hints", "/api/v1/hints", "/api/v1/ask", "/"]),
    st.sampled_from([*TOKENS, *TOKENS, READ_TOKEN, "x" * 40, ""]),
    RIGHT | WRONG,
)


class Loop:
    """A client of hints that keeps what would leave."""

    said: list = []

    def __init__(self, run_directory):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def say(self, *hint, ahead_ms):
        self.said.append((*hint, ahead_ms))


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with answering(tmp_path_factory.mktemp("door"), f"[http.page]\n{TABLE}") as (_, house):
        yield house


@given(st.lists(CALLS, max_size=8))
def test_no_sequence_widens_a_limit(house, calls):
    """What leaves is what `sending` sends for the source of the token, and nothing else."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sending.client, "HintClient", Loop)
        expected = asyncio.run(_sent(house, calls, _direct))
        assert asyncio.run(_sent(house, calls, _through_the_door)) == expected
    for name, key, kind, *_ in expected:
        assert key == KEYS[name] and sending.may(house.senders[name].source.may, kind)


async def _sent(house, calls, by):
    Loop.said = []
    for sender in house.senders.values():
        sender._lock = asyncio.Lock()
        sender._sent_us.clear()
    rules = Guard(house.settings.doors["http"]["page"])
    own = pages.Pages(house, stream.Stream(house.feed), Counts(1))
    for call in calls:
        with contextlib.suppress(Refused, ConfigError):
            await by(house, rules, own, *call)
    return Loop.said


async def _direct(house, rules, own, method, path, token, message):
    if (method, path) == ("POST", "/api/v1/hints") and token in TOKENS:
        await house.senders[TOKENS[token]].hint(message)


async def _through_the_door(house, rules, own, method, path, token, message):
    path, query = rules.target(path.encode())
    more = [(b"authorization", b"Bearer " + token.encode())] if token else []
    access = rules.admit(method, [(b"host", b"localhost"), *more])
    body = json.dumps(message).encode()
    await own.answer(Request(method, path, query, body, access))
