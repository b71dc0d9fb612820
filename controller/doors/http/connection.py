"""Serves one HTTP client: one request after the other, each limited in bytes and time (h11)."""

import contextlib
import http
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import NamedTuple

import h11

from controller.doors.http import guard
from controller.doors.http.counts import Counts
from controller.doors.http.guard import Access, Guard, Headers, Query, Refused
from controller.doors.listener import Connection, Dropped, within

HEAD_MAX, BODY_BYTES_MAX, READ_BYTES = 8192, 4096, 4096
IDLE_S, HEADER_S, BODY_S, LINGER_S = 20.0, 5.0, 5.0, 1.0
REQUESTS_MAX, LINGER_READS_MAX = 1000, 100  # of one connection
METHODS, METRICS = "GET, HEAD, POST", "/metrics"  # a scrape of metrics has its own quota
JSON, PROBLEM = "application/json", "application/problem+json"
ALWAYS = (
    ("Cache-Control", "no-store"),
    (
        "Content-Security-Policy",
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
)


class Request(NamedTuple):
    """A complete request of a client that has the right to send it."""

    method: str
    path: str
    query: Query
    body: bytes
    access: Access


class Answer(NamedTuple):
    """An answer. events: a stream without an end, which follows after `body`."""

    status: int
    body: bytes
    kind: str = JSON
    more: tuple[tuple[str, str], ...] = ()
    events: AsyncGenerator[bytes, None] | None = None


Event = h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]
Handler = Callable[[Request], Awaitable[Answer]]


class Client:
    """The requests of one connection."""

    def __init__(self, connection: Connection, rules: Guard, handler: Handler, counts: Counts):
        self._connection, self._reader = connection, connection.reader
        self._rules, self._handler, self._counts = rules, handler, counts
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_MAX)
        self._is_head = False

    async def serve(self) -> None:
        """Answer requests until the client leaves or breaks a rule. Raises Dropped, OSError."""
        for left in reversed(range(REQUESTS_MAX)):
            try:
                request = await self._request()
                if request is None:
                    return
                self._connection.is_waiting = False
                answer = await self._handler(request)
            except h11.RemoteProtocolError as error:
                status = error.error_status_hint
                return await self._refuse(Refused(status, "protocol", "this is not HTTP/1.1"))
            except Refused as error:
                return await self._refuse(error)
            self._counts.answered[answer.status] += 1
            await self._send(answer, is_last=not left)
            if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
                return
            self._http.start_next_cycle()
            self._connection.is_waiting = True

    async def _request(self) -> Request | None:
        """The next request; None if the client has closed. Rights are checked before the body."""
        head = await self._head()
        if not isinstance(head, h11.Request):
            return None
        headers: Headers = list(head.headers)
        if len(head.target) + sum(len(name) + len(value) for name, value in headers) > HEAD_MAX:
            raise Refused(431, "header", f"the header has more than {HEAD_MAX} bytes")
        method = head.method.decode("ascii")
        self._is_head = method == "HEAD"
        if method not in METHODS.split(", "):
            raise Refused(405, "method", f"allowed {METHODS}", ("Allow", METHODS))
        method = "GET" if self._is_head else method  # HEAD is GET without the body of the answer
        path, query = self._rules.target(head.target)
        quota = METRICS if path == METRICS else ""
        access = self._rules.admit(method, headers, (self._connection.client, quota))
        _check_framing(method, headers)
        if self._http.they_are_waiting_for_100_continue:
            await self._write(h11.InformationalResponse(status_code=100, headers=[]))
        body = await within(BODY_S, self._body(), "slow_body")
        return Request(method, path, query, body, access)

    async def _head(self) -> Event:
        """The first event of a request. Only its first byte may take long."""
        event = self._http.next_event()
        if event is h11.NEED_DATA and not self._http.trailing_data[0]:
            data = await within(IDLE_S, self._reader.read(READ_BYTES), "idle")
            self._http.receive_data(data)
            event = self._http.next_event()
        if event is h11.NEED_DATA:
            event = await within(HEADER_S, self._event(), "slow_header")
        return event

    async def _event(self) -> Event:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self._http.receive_data(await self._reader.read(READ_BYTES))
        return event

    async def _body(self) -> bytes:
        body = b""
        while isinstance(event := await self._event(), h11.Data):
            body += event.data
            if len(body) > BODY_BYTES_MAX:
                raise Refused(413, "body", f"the body has more than {BODY_BYTES_MAX} bytes")
        return body

    async def _refuse(self, error: Refused) -> None:
        """Send the reason and close. Further requests on this connection are not answered."""
        self._counts.refused[error.cause] += 1
        self._counts.answered[error.status] += 1
        if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            await self._send(problem(error.status, str(error), *error.more), is_last=True)
            await self._linger()

    async def _linger(self) -> None:
        """Read bytes that are still on their way: closing at once would destroy the answer."""
        if self._connection.writer.can_write_eof():
            self._connection.writer.write_eof()
        with contextlib.suppress(Dropped):
            await within(LINGER_S, self._rest(), "")

    async def _rest(self) -> None:
        for _ in range(LINGER_READS_MAX):
            if not await self._reader.read(READ_BYTES):
                return

    async def _send(self, answer: Answer, is_last: bool) -> None:
        headers = [*ALWAYS, *answer.more, ("Content-Type", answer.kind)]
        if answer.events is None:
            headers.append(("Content-Length", str(len(answer.body))))
        if is_last:
            headers.append(("Connection", "close"))
        head = h11.Response(status_code=answer.status, headers=headers)
        if self._is_head and answer.events is not None:
            await answer.events.aclose()
        if self._is_head:
            return await self._write(head, h11.EndOfMessage())
        await self._write(head, h11.Data(data=answer.body))
        if answer.events is None:
            return await self._write(h11.EndOfMessage())
        async with contextlib.aclosing(answer.events) as events:
            async for event in events:
                await self._write(h11.Data(data=event))

    async def _write(self, *events: h11.Event) -> None:
        await self._connection.write(b"".join(self._http.send(event) or b"" for event in events))


def problem(status: int, line: str, *more: tuple[str, str]) -> Answer:
    """An answer that refuses a request, in the format of RFC 9457."""
    title = http.HTTPStatus(status).phrase
    body = json.dumps({"status": status, "title": title, "detail": line}) + "\n"
    return Answer(status, body.encode(), PROBLEM, more)


def _check_framing(method: str, headers: Headers) -> None:
    """Allow only one way to mark the end of a body, so that all readers agree on it."""
    length, coding = [
        guard.only(headers, name) for name in (b"content-length", b"transfer-encoding")
    ]
    if length is not None and coding is not None:
        raise Refused(400, "framing", "Content-Length beside Transfer-Encoding")
    has_body = coding is not None or length not in (None, "0")
    if method == "GET" and has_body:
        raise Refused(400, "framing", "a GET has no body")
    if length is not None and int(length) > BODY_BYTES_MAX:
        raise Refused(413, "body", f"the body has more than {BODY_BYTES_MAX} bytes")
