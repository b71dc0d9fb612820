"""Answers the requests to the HTTP door: facts, metrics, the page, hints and questions."""

import asyncio
import importlib.resources
import json
import mimetypes
from collections.abc import Awaitable, Callable
from typing import Any

from controller.core.base import hint_codes as h
from controller.doors import asking
from controller.doors.feed import NoState
from controller.doors.http import metrics, openapi
from controller.doors.http.connection import METRICS, Answer, Request
from controller.doors.http.counts import Counts
from controller.doors.http.guard import Refused
from controller.doors.http.stream import Stream
from controller.doors.process import House
from controller.forms.refusal import ConfigError
from controller.hints.no_answer import NO_TICK
from controller.state import schema
from controller.system import clock, json_text

API = "/api/v1/"
FACTS = ("why", "alarms", "events", "trend", "plan", "devices", "links", "racks", "map")
DATED = ("events", "trend", "plan")  # shown even if old, because their rows have times
TREND, SPANS_S = f"{API}trend", ("600", "3600", "21600")
KEPT_US = 500_000  # all clients within half a second get the same facts
# {code of the loop's answer: HTTP status}; the status of all other refusals is 409
STATUS = {
    h.ROLE: 403,
    h.RATE: 429,
    **dict.fromkeys((h.BUSY, h.NO_KEY, h.NO_CONTROLLER, h.NO_ANSWER), 503),
}
Make = Callable[[Request], Awaitable[Answer]]


class Pages:
    """The answers of one door."""

    def __init__(self, house: House, stream: Stream, counts: Counts):
        self._house, self._stream, self._counts = house, stream, counts
        self._locks = {name: asyncio.Lock() for name in FACTS}
        self._kept: dict[str, tuple[int, Answer]] = {}
        self._get = {
            METRICS: self._metrics,
            f"{API}state": self._state,
            f"{API}stream": self._events,
            **{f"{API}{name}": self._page for name in FACTS},
            **_fixed(),
        }
        self._post = {f"{API}hints": self._hint, f"{API}ask": self._ask}

    async def answer(self, request: Request) -> Answer:
        """The answer to a request. Raises Refused."""
        handlers = self._get if request.method == "GET" else self._post
        make = handlers.get(request.path)
        if make is None:
            if request.path in self._get or request.path in self._post:
                allowed = "POST" if request.path in self._post else "GET, HEAD"
                raise Refused(405, "method", f"allowed {allowed}", ("Allow", allowed))
            raise Refused(404, "path", f"there is no such path; {API}openapi.json lists all")
        if request.query and request.path != TREND:
            raise Refused(400, "target", f"nothing may follow ? of {request.path}")
        return await make(request)

    async def _metrics(self, request: Request) -> Answer:
        text = metrics.text(await self._house.feed.fresh(), self._counts)
        return Answer(200, text.encode(), metrics.KIND)

    async def _state(self, request: Request) -> Answer:
        await self._house.feed.fresh()
        if (state := self._house.feed.live) is None:
            raise Refused(503, "controller", self._house.feed.trouble)
        return _json(state)

    async def _events(self, request: Request) -> Answer:
        if self._stream.clients >= self._counts.streams_max:
            raise Refused(503, "streams", f"{self._stream.clients} clients read the stream already")
        return Answer(200, b"retry: 2000\n\n", "text/event-stream", (), self._stream.events())

    async def _page(self, request: Request) -> Answer:
        """One of FACTS. It is made at most once in KEPT_US for all clients together."""
        name, span_s = request.path.removeprefix(API), _span_s(request)
        async with self._locks[name]:
            kept_us, answer = self._kept.get(f"{name} {span_s}", (-KEPT_US, None))
            if answer is None or clock.now_us() - kept_us >= KEPT_US:
                try:
                    facts = await self._house.feed.page(name, span_s)
                except NoState as error:
                    raise Refused(503, "controller", str(error)) from None
                if name not in DATED and not facts["is_live"]:
                    raise Refused(503, "controller", NO_TICK)
                answer = _json(facts)
                self._kept[f"{name} {span_s}"] = clock.now_us(), answer
            return answer

    async def _hint(self, request: Request) -> Answer:
        message = _message(request)
        try:
            answer = await self._house.senders[request.access.source].hint(message)
        except ConfigError as error:
            raise Refused(400, "hint", str(error)) from None
        status = 200 if h.taken(answer["code"]) else STATUS.get(answer["code"], 409)
        return _json(answer, status)

    async def _ask(self, request: Request) -> Answer:
        """The answer of `firebreak ask`; the journal is read once a second for all clients."""
        try:
            return _json(await asking.asked(self._house.run_directory, _message(request)))
        except ConfigError as error:
            raise Refused(400, "ask", str(error)) from None


def _span_s(request: Request) -> int:
    span = request.query.get("span_s", SPANS_S[0])
    if span not in SPANS_S or not {*request.query} <= {"span_s"}:
        raise Refused(400, "target", f"behind ? is allowed: span_s={', '.join(SPANS_S)}")
    return int(span)


def _message(request: Request) -> Any:
    """The value of a body that is JSON. Raises Refused."""
    try:
        return json_text.loads(request.body)
    except ValueError:
        raise Refused(400, "json", "the body is not JSON") from None


def _fixed() -> dict[str, Make]:
    """Answers that never change: schema, OpenAPI and the files of the page."""
    answers = {
        f"{API}schema": _json(schema.schema()),
        f"{API}openapi.json": _json(openapi.document()),
    }
    for file in (importlib.resources.files("controller.doors.http") / "page").iterdir():
        kind = mimetypes.guess_type(file.name)[0] or "text/plain"
        more = "; charset=utf-8" if kind.startswith("text/") else ""
        answers[f"/{file.name}"] = Answer(200, file.read_bytes(), kind + more)
    answers["/"] = answers.pop("/index.html")
    return {path: _always(answer) for path, answer in answers.items()}


def _json(value: object, status: int = 200) -> Answer:
    return Answer(status, json.dumps(value).encode())


def _always(answer: Answer) -> Make:
    async def make(request: Request) -> Answer:
        return answer

    return make
