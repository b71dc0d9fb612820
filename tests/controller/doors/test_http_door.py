"""The HTTP door: what it answers, and to whom."""

import base64
import hashlib
import http.client
import json
import socket

import fastjsonschema
import pytest

from controller.core.base import hint_codes as h
from controller.documents import bill_of_materials
from controller.doors import exposure, settings
from controller.doors.feed import NO_TICK, Feed
from controller.doors.http import form, openapi, pages
from controller.doors.http.door import Door
from controller.doors.http.guard import Guard, Refused
from controller.state import status as state_status
from controller.system.told import DoorError
from tests.certificates import trusting
from tests.controller.doors.doors_site import answering, patched, refused, written
from tests.controller.doors.http_site import (
    CAP_TOKEN,
    GUARD_S,
    HINT_TOKEN,
    READ_TOKEN,
    TABLE,
    served,
    with_tls,
)

pytestmark = pytest.mark.wire
CAP = {"quantity": "import_W_max", "value_W": 300_000, "valid_s": 60}
HINTS, ASK = "/api/v1/hints", "/api/v1/ask"
PEM = 'certificate = "a.pem"\nkey = "a.key"\n'
OPEN = 'listen = "0.0.0.0"\nnames = ["box"]\n'


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    with served(tmp_path_factory.mktemp("door")) as (_, door):
        yield door


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('listen = "here"\n', "listen.* allowed an IP address"),
        ('listen = "0.0.0.0"\n' + PEM, "names: is empty, and listen is 0.0.0.0"),
        (OPEN, "certificate: is missing, and listen is 0.0.0.0, which other machines reach"),
        (OPEN + PEM, "token: is missing"),
        ('certificate = "a.pem"\n', "key: is missing; allowed all"),
        ('names = ["http://box"]\n', "names: contains 'http://box'"),
        (OPEN + "plain = true\n" + TABLE, "source: may grid_cap without TLS"),
        (TABLE + TABLE, "name: is that of another token"),
        (TABLE.replace("site_ems", "nobody"), "names the source 'nobody'"),
        (TABLE.replace("sha256 = ", "token = "), "token: is not a known key"),
        ("port = 0\n", "allowed 1..65535"),
    ],
)
def test_a_wrong_table_is_refused_in_one_line(text, words, tmp_path):
    refused(tmp_path, f"[http.page]\n{text}", words)


def test_what_is_open_is_a_row_each(tmp_path):
    for text, rows in (
        ("", [("127.0.0.1:8080", "no", "none: this box only", "reads")]),
        (PEM, [("127.0.0.1:8080", "TLS", "none: this box only", "reads")]),
        (
            OPEN + PEM + TABLE,
            [
                ("0.0.0.0:8080", "TLS", "3 tokens", "reads"),
                ("0.0.0.0:8080", "TLS", "token ems", "grid_cap"),
                ("0.0.0.0:8080", "TLS", "token slurm", "request"),
            ],
        ),
        (
            OPEN + "plain = true\n" + TABLE.replace("site_ems", ""),
            [
                ("0.0.0.0:8080", "no: plain = true", "3 tokens", "reads"),
                ("0.0.0.0:8080", "no: plain = true", "token slurm", "request"),
            ],
        ),
    ):
        found = exposure.of(settings.load(written(tmp_path, f"[http.page]\n{text}")))
        assert [(row.place, row.encryption, row.proof, row.may) for row in found] == rows


def test_every_fact_has_its_path_and_its_description(door):
    described = openapi.document()["paths"]
    for path in [f"/api/v1/{name}" for name in ("state", "schema", "openapi.json", *pages.FACTS)]:
        status, headers, body = door.ask("GET", path)
        assert (status, headers["Content-Type"]) == (200, "application/json"), (path, body)
        assert isinstance(json.loads(body), dict)
        assert "get" in described[path]
    others = {"/metrics", "/api/v1/stream", HINTS, ASK}
    assert len(described) == len(pages.FACTS) + 3 + len(others)


def test_the_description_fits_what_is_answered(door):
    found = json.loads(door.ask("GET", "/api/v1/openapi.json")[2])
    for name, value in (
        ("State", json.loads(door.ask("GET", "/api/v1/state")[2])),
        ("Hint", CAP),
        ("Answer", json.loads(door.ask("POST", HINTS, CAP, HINT_TOKEN)[2])),
        ("Job", {"power_W": 1000, "for_s": 60}),
        ("Problem", json.loads(door.ask("GET", "/nothing")[2])),
    ):
        form = {"$ref": f"#/components/schemas/{name}", "components": found["components"]}
        check = fastjsonschema.compile(form)
        check(value)
        with pytest.raises(fastjsonschema.JsonSchemaException):
            check({})


def test_head_has_the_answer_of_get_without_its_body(door):
    """Also where it is refused, and of the stream, which has no end."""
    for path, status in (("/", 200), ("/api/v1/schema", 200), ("/nothing", 404), (HINTS, 405)):
        found, headers, body = door.ask("HEAD", path)
        assert (found, body) == (status, b"")
        same = door.ask("GET", path)[1]
        assert headers["Content-Type"] == same["Content-Type"]
        assert headers["Content-Length"] == same["Content-Length"] != "0"
    assert door.ask("HEAD", "/api/v1/stream")[0] == 200
    assert door.ask("HEAD", "/metrics")[::2] == (200, b"")
    assert door.ask("HEAD", "/api/v1/state", None, "x" * 40)[0] == 401


def test_two_heads_on_one_connection(door):
    link = http.client.HTTPConnection("127.0.0.1", door.port, 20)
    for method in ("HEAD", "GET", "HEAD", "GET"):
        link.request(method, "/api/v1/schema")
        answer = link.getresponse()
        assert bool(answer.read()) is (method == "GET") and answer.status == 200
    link.close()


def test_a_whole_number_may_have_a_point(door):
    """JSON Schema, which openapi.json names, calls 20000.0 an integer."""
    given = CAP | {"value_W": float(CAP["value_W"]), "valid_s": 60.0}
    assert door.ask("POST", HINTS, given, HINT_TOKEN)[0] == 200
    job = {"power_W": 1000.0, "for_s": 60.0, "at_s": 0.0}
    assert door.ask("POST", ASK, job, HINT_TOKEN)[0] == 200
    for value in (20_000.5, 1e300):
        assert door.ask("POST", HINTS, CAP | {"value_W": value}, HINT_TOKEN)[0] == 400


def test_every_answer_forbids_foreign_content(door):
    for path in ("/", "/page.js", "/api/v1/state", "/nothing"):
        headers = door.ask("GET", path)[1]
        assert headers["Content-Security-Policy"].startswith("default-src 'self'")
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
        assert not {"Set-Cookie", "Access-Control-Allow-Origin"} & set(headers)


def test_the_page_asks_for_nothing_outside_and_has_no_inline_code(door):
    text = door.ask("GET", "/")[2].decode()
    assert "http://" not in text and "https://" not in text and "style=" not in text
    for name in ("page.js", "cards.js", "flow.js", "trend.js", "words.js", "page.css"):
        body = door.ask("GET", f"/{name}")[2].decode().replace("http://www.w3.org/2000/svg", "")
        assert body and "http" not in body.replace("https?", ""), name


def test_the_charts_are_those_of_their_maker(door):
    for name, digest in (
        ("uPlot.iife.min.js", bill_of_materials.CHARTS[2]),
        ("uPlot.min.css", "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04"),
        ("uPlot.LICENSE", "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd"),
    ):
        assert hashlib.sha256(door.ask("GET", f"/{name}")[2]).hexdigest() == digest


@pytest.mark.parametrize(
    ("token", "hint", "status", "code"),
    [
        (HINT_TOKEN, CAP, 200, h.GRANTED),
        (CAP_TOKEN, CAP, 403, h.ROLE),
        (HINT_TOKEN, CAP | {"value_W": -1}, 409, h.WRONG_VALUE),
        (CAP_TOKEN, {"quantity": "heartbeat", "valid_s": 9}, 200, h.GRANTED),
    ],
)
def test_a_hint_has_the_answer_of_the_loop(token, hint, status, code, door):
    found, _, body = door.ask("POST", HINTS, hint, token)
    answer = json.loads(body)
    assert (found, answer["code"], answer["granted"]) == (status, code, h.taken(code))
    assert answer["sentence"] == h.text(code)[1]
    assert ("doors.toml" in answer["remedy"]) == (code == h.ROLE)  # the door's own answer


def test_ask_has_the_answer_of_the_command(door):
    status, _, body = door.ask("POST", ASK, {"power_W": 1000, "for_s": 60}, HINT_TOKEN)
    assert (status, json.loads(body)["power_W"]) == (200, 1000)


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        (HINTS, b"{", "not JSON"),
        (HINTS, b"\xff", "not JSON"),
        (HINTS, b"[" * 100, "not JSON"),
        (HINTS, b"[]", "is not an object"),
        (HINTS, CAP | {"valid_s": 0}, "valid_s"),
        (ASK, {"power_W": 0, "for_s": 1}, "power_W"),
        (ASK, b"7", "ask: 7 is not allowed"),
    ],
)
def test_a_wrong_message_has_one_line(path, body, words, door):
    status, headers, found = door.ask("POST", path, body, HINT_TOKEN)
    problem = json.loads(found)
    assert (status, headers["Content-Type"]) == (400, "application/problem+json")
    assert words in problem["detail"] and "\n" not in problem["detail"]


def test_only_a_token_of_a_source_sends(door):
    basic = base64.b64encode(f"any:{HINT_TOKEN}".encode()).decode()
    for status, token, headers in (
        (401, "", {}),
        (401, "x" * 40, {}),
        (401, "", {"Authorization": f"Basic {basic}"}),
        (401, "", {"Authorization": "Bearer"}),
        (403, READ_TOKEN, {}),
    ):
        found, _, body = door.ask("POST", HINTS, CAP, token, **headers)
        assert found == status, body
    assert door.ask("GET", "/api/v1/state", None, "x" * 40)[0] == 401
    assert door.ask("GET", "/api/v1/state", None, READ_TOKEN)[0] == 200


@pytest.mark.parametrize(
    "target", [f"/api/v1/state?token={'a' * 9}", f"/?x={HINT_TOKEN}", f"/{READ_TOKEN}"]
)
def test_a_token_in_the_address_is_refused_with_its_own_words(target, door):
    status, _, body = door.ask("GET", target)
    assert status == 400 and b"replace this token" in body
    assert door.door.counts.refused["token_in_address"]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("127.0.0.1:9", 200),
        ("[::1]:80", 200),
        ("LOCALHOST", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost@evil.example", 421),
        ("", 421),
    ],
)
def test_only_the_names_of_the_door_are_answered(host, status, door):
    assert door.ask("GET", "/api/v1/state", Host=host)[0] == status


@pytest.mark.parametrize(
    ("origin", "status"),
    [("http://localhost:8080", 200), ("https://evil.example", 403), ("null", 403)],
)
def test_pages_of_other_sites_have_no_access(origin, status, door):
    assert door.ask("GET", "/api/v1/state", Origin=origin)[0] == status


def test_another_address_needs_a_token_to_read(tmp_path):
    file = written(tmp_path, f"[http.page]\n{OPEN}{PEM}{TABLE}")
    rules = Guard(settings.load(file).doors["http"]["page"])

    def admitted(*more, host=b"box", method="GET"):
        return rules.admit(method, [(b"host", host), *more]).name

    def basic(token):
        return b"authorization", b"Basic " + base64.b64encode(f"me:{token}".encode())

    assert admitted(basic(READ_TOKEN)) == "grafana"
    assert admitted((b"authorization", f"Bearer {HINT_TOKEN}".encode())) == "ems"
    for status, more, change in (
        (401, (), {}),
        (401, (basic("no"),), {}),
        (401, ((b"authorization", b"Basic ?"),), {}),
        (401, (basic(HINT_TOKEN),), {"method": "POST"}),
        (421, (basic(READ_TOKEN),), {"host": b"localhost"}),
        (400, (basic(READ_TOKEN), basic(READ_TOKEN)), {}),
    ):
        with pytest.raises(Refused) as error:
            admitted(*more, **change)
        assert error.value.status == status


@pytest.mark.parametrize(
    ("values", "words"), [({"run_dir": "none"}, "none/journal"), ({"feed": Feed}, NO_TICK)]
)
def test_without_a_controller_that_ticks_no_value_looks_new(values, words, tmp_path):
    """None has run, or its journal gets no tick. What has a time in each row is shown on."""
    with served(tmp_path, **values) as (_, door):
        for path in ("state", "why", "alarms", "devices", "links", "racks", "map"):
            status, _, body = door.ask("GET", f"/api/v1/{path}")
            assert status == 503 and words in json.loads(body)["detail"]
        if words == NO_TICK:
            assert json.loads(door.ask("GET", "/api/v1/events")[2])["is_live"] is False
        text = door.ask("GET", "/metrics")[2].decode()
        assert "firebreak_up 0" in text and "watts" not in text
        with door.stream() as events:
            name, data = next(events)
        assert name == "trouble" and words in data["trouble"]


def test_a_state_that_cannot_be_made_is_no_state(tmp_path, monkeypatch):
    with served(tmp_path) as (_, door):
        monkeypatch.setattr(state_status, "facts", lambda *given: {}["no such"])
        door.until(lambda: door.house.feed.state is None)
        assert "could not be made" in json.loads(door.ask("GET", "/api/v1/state")[2])["detail"]
        monkeypatch.undo()
        door.until(lambda: door.house.feed.state is not None)


def test_the_stream_has_the_state_and_then_what_changed(door):
    with door.stream() as events:
        name, state = next(events)
        assert name == "state" and state.keys() == door.house.feed.state.keys()
        assert door.ask("POST", HINTS, CAP, HINT_TOKEN)[0] == 200
        for name, change in events:
            assert name == "patch" and len(json.dumps(change)) < len(json.dumps(state)) / 2
            state = patched(state, change)
            if [each for each in state["hints"] if each["value_W"] == CAP["value_W"]]:
                break


def test_over_tls_only_with_a_certificate_and_half_a_handshake_harms_nobody(tmp_path):
    with served(tmp_path, with_tls(), connections_max=2) as (_, door):
        halves = [socket.create_connection(("127.0.0.1", door.port)) for _ in range(4)]
        link = http.client.HTTPSConnection(
            "localhost", door.port, timeout=GUARD_S, context=trusting()
        )
        link.request("GET", "/api/v1/state")
        assert link.getresponse().status == 200
        assert b"HTTP" not in door.raw(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for each in (link, *halves):
            each.close()


def test_a_certificate_that_is_not_there_is_one_line(tmp_path):
    with answering(tmp_path, f"[http.page]\n{PEM}") as (_, house):
        values = house.settings.doors["http"]["page"]
        with pytest.raises(DoorError, match="certificate: .*a.pem cannot be used: No such file"):
            Door(house, "page", values)


def test_a_short_token_is_never_known():
    """It could be guessed."""
    values = {each: form.FORM[each].default for each in form.FORM}
    for token, is_known in (("t" * 31, False), ("t" * 32, True), ("t" * 257, False)):
        entry = {"name": "x", "sha256": hashlib.sha256(token.encode()).hexdigest(), "source": ""}
        rules = Guard(values | {"token": [entry]})
        assert (rules._known(token) is not None) == is_known
