"""Brokers, certificates and messages that mean harm: one line each, and nothing widened."""

import asyncio
import contextlib
import json
import ssl
import subprocess

import parts
import pytest
from hypothesis import given, settings, strategies as st

from controller.doors import sending
from controller.doors.mqtt import commands, link, outlet, words
from controller.doors.settings import Source
from controller.forms.refusal import ConfigError
from tests.controller.doors.mqtt_site import BASE, FACTS, GUARD_S, Broker, Peer, free_port, served

pytestmark = pytest.mark.wire
OPEN = b"\x20\x03\x00\x00\x00"
TEN_MB = b"\x30\x80\xad\xe2\x04" + b"\x00\x01a\x00" + b"x" * (1 << 20)
FATES = ("crowded", "over_quota", "too_long", "not_understood", "repeated", "refused", "late")
ZEROS = (0,) * len(FATES)
HEARTBEAT = {"quantity": "heartbeat", "valid_s": 60}
GARBAGE = [
    b"",
    b"\xff\x00",
    b"[" * 4000,
    b"null",
    b"[]",
    b'"a"',
    b"{}",
    b'{"id": 1}',
    b'{"id": "a/b", "quantity": "heartbeat", "valid_s": 60}',
    b'{"id": "+", "quantity": "heartbeat", "valid_s": 60}',
    b'{"id": "a"}',
    b'{"id": "b", "quantity": "power", "valid_s": 60}',
    b'{"id": "c", "quantity": "power_W", "value_W": 0.5, "valid_s": 60}',
    b'{"id": "d", "quantity": "power_W", "value_W": NaN, "valid_s": 60}',
    b'{"id": "e", "quantity": "power_W", "value_W": "1", "valid_s": 60}',
    b'{"id": "f", "quantity": "power_W", "value_W": true, "valid_s": 60}',
    b'{"id": "g", "quantity": "power_W", "value_W": 1000000001, "valid_s": 60}',
    b'{"id": "h", "quantity": "power_W", "value_W": 1, "valid_s": 301}',
    b'{"id": "i", "quantity": "power_W", "value_W": 1, "valid_s": 60, "source": "site_ems"}',
    b'{"id": "j", "quantity": "import_W_max", "value_W": 1, "valid_s": 60}',  # not this role
    b'{"id": "k", "quantity": ["power_W"], "valid_s": 60}',
    b"x" * 5000,
]


def broker_of(port, host="127.0.0.1", context=None, topics=(), is_5=True):
    return link.Broker(host, port, is_5, 60, "door", context, None, topics, "t/online")


async def ended(sent, context=None):
    """Why a connection ends whose broker sends these bytes."""

    async def serve(reader, writer):
        await reader.read(1)
        writer.write(sent)
        await writer.drain()
        await asyncio.get_running_loop().create_future()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        broker = broker_of(server.sockets[0].getsockname()[1], context=context)
        made = link.Link(broker, lambda message: None)
        try:
            await made.open()
            return await made.lost
        except link.Lost as lost:
            return str(lost)
        finally:
            await made.close()
            server.close()


@pytest.mark.parametrize(
    ("sent", "line"),
    [
        (b"\x00\x00", "closed the connection before it answered"),
        (b"\xf0\x80\x80\x80\x80\x80", "closed the connection before it answered"),
        (b"\x20\x03\x00\x87\x00", "refuses: this user or certificate may not do that"),
        (b"\x20\x03\x00\x86\x00", "refuses: wrong user name or password"),
        (b"\x20\x01\x00", "closed the connection before it answered"),
        (OPEN + TEN_MB, "sends 10000000 bytes at once; allowed 65536"),
        (OPEN + b"\x34\x06\x00\x01a\x00\x01\x00", "sends with QoS 2"),
        (OPEN + b"\x32\x02\xff\xff", "closed the connection"),
        (
            OPEN + b"\xe0\x02\x8e\x00",
            "closed the connection: another client has the same client id",
        ),
        (b"\x20\x06\x00\x00\x03\x21\x00\x00" + b"\xff\xff", "closed the connection"),
    ],
)
def test_a_broker_that_sends_what_it_should_not_is_left_with_one_line(sent, line):
    found = asyncio.run(ended(sent))
    assert line in found
    assert "\n" not in found
    assert len(found) < 120


def test_a_broker_that_is_silent_is_left(monkeypatch):
    monkeypatch.setattr(link, "OPEN_S", 0.01)
    assert asyncio.run(ended(b"")).endswith("does not answer")


def test_a_broker_that_is_silent_in_the_handshake_is_left(monkeypatch):
    monkeypatch.setattr(link, "CONNECT_S", 0.05)
    found = asyncio.run(ended(b"", ssl.create_default_context()))
    assert found.endswith("does not answer")
    assert "ssl" not in found


def test_a_broker_that_acknowledges_nothing_is_left(monkeypatch):
    monkeypatch.setattr(link, "ANSWER_US", -1)
    monkeypatch.setattr(link, "UNANSWERED_MAX", 3)

    found = []

    async def run():
        async def serve(reader, writer):
            writer.write(OPEN)
            while await reader.read(100):
                pass

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            made = link.Link(broker_of(server.sockets[0].getsockname()[1]), lambda message: None)
            await made.open()
            made.check()
            for _ in "123":
                made.publish("a", "b")
            for fails in (made.check, lambda: made.publish("a", "b")):
                with pytest.raises(link.Lost) as lost:
                    fails()
                found.append(str(lost.value))
            await made.close()
            server.close()

    asyncio.run(run())
    assert "does not acknowledge" in found[0]
    assert "takes no messages" in found[1]


def openssl(folder, *arguments):
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def papers(tmp_path_factory):
    """A folder with two CAs, and certificates of a broker and a client."""
    parts.needs("openssl")
    folder = tmp_path_factory.mktemp("papers")
    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    is_ca = ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=keyCertSign"]
    for name in ("ca", "foreign"):
        files = ["-keyout", f"{name}.key", "-out", f"{name}.crt", "-subj", f"/CN={name}"]
        openssl(folder, "req", "-x509", *new, *files, *is_ca[:2])
    for name, host, days, ca in [
        ("broker", "IP:127.0.0.1", "2", "ca"),
        ("other", "DNS:other", "2", "ca"),
        ("expired", "IP:127.0.0.1", "-1", "ca"),
        ("client", "DNS:client", "2", "ca"),
        ("stranger", "DNS:client", "2", "foreign"),
    ]:
        (folder / "san").write_text(f"subjectAltName={host}\n")
        files = ["-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}"]
        openssl(folder, "req", "-new", *new, *files)
        signed = ["-CA", f"{ca}.crt", "-CAkey", f"{ca}.key", "-CAcreateserial", "-days", days]
        files = ["-in", f"{name}.csr", "-out", f"{name}.crt", "-extfile", "san"]
        openssl(folder, "x509", "-req", *files, *signed)
    return folder


def tls_lines(papers, name, ca="ca", more=""):
    return (
        f"cafile {papers}/{ca}.crt\ncertfile {papers}/{name}.crt\nkeyfile {papers}/{name}.key\n"
        + (more or "allow_anonymous true\n")
    )


async def outcome(port, context):
    made = link.Link(broker_of(port, context=context), lambda message: None)
    try:
        await made.open()
        return "open"
    except link.Lost as lost:
        return str(lost)
    finally:
        await made.close()


@pytest.mark.parametrize(
    ("name", "ca", "line"),
    [
        ("broker", "ca", "open"),
        ("expired", "ca", "its certificate has expired"),
        ("broker", "foreign", "its certificate is not signed by the site's CA"),
        ("other", "ca", "its certificate is of another address"),
    ],
)
def test_a_certificate_of_the_broker_that_is_wrong_is_named(name, ca, line, papers, tmp_path):
    context = ssl.create_default_context(cafile=f"{papers}/{ca}.crt")
    with Broker(tmp_path, lines=tls_lines(papers, name)) as broker:
        found = asyncio.run(outcome(broker.port, context))
    assert found.endswith(line)
    assert "SSL" not in found


@pytest.mark.parametrize(
    ("client", "is_open"), [("client", True), ("stranger", False), (None, False)]
)
def test_a_client_certificate_opens_a_broker_that_asks_for_one(client, is_open, papers, tmp_path):
    context = ssl.create_default_context(cafile=f"{papers}/ca.crt")
    if client:
        context.load_cert_chain(f"{papers}/{client}.crt", f"{papers}/{client}.key")
    lines = tls_lines(papers, "broker", more="require_certificate true\n")
    with Broker(tmp_path, lines=lines + "allow_anonymous true\n") as broker:
        found = asyncio.run(outcome(broker.port, context))
    assert (found == "open") == is_open
    assert is_open or "client certificate" in found or "before it answered" in found


def test_without_tls_the_port_of_tls_gives_one_line(papers, tmp_path):
    with Broker(tmp_path, lines=tls_lines(papers, "broker")) as broker:
        assert "before it answered" in asyncio.run(outcome(broker.port, None))
    found = asyncio.run(ended(b"\x20\x02\x00\x00\x00", ssl.create_default_context()))
    assert "TLS failed; is this its port for TLS" in found


def test_no_broker_is_one_line():
    assert asyncio.run(outcome(free_port(), None)).endswith("cannot be reached: Connection refused")


def test_every_reason_code_has_words():
    assert words.code_words(135) == "this user or certificate may not do that"
    assert words.code_words(255) == "reason code 255"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """A feed of 50 Hz, and each count at once."""
    monkeypatch.setattr(outlet, "COUNTS_US", 0)
    monkeypatch.setattr("controller.doors.feed.PERIOD_S", 0.02)
    monkeypatch.setattr(outlet, "ALARMS_S", 0.02)


def hostile(count):
    """So many messages of one source."""
    return [GARBAGE[number % len(GARBAGE)] for number in range(count)]


@pytest.mark.parametrize(
    "count", [300, pytest.param(100_000, marks=[pytest.mark.whole, pytest.mark.timeout(1800)])]
)
def test_hostile_messages_change_nothing_and_honest_ones_go_on(count, tmp_path):
    names = []
    with (
        served(tmp_path, heard="reply/# value/# door") as (site, broker, peer, door, feed),
        Peer(broker, ["none"]) as enemy,
    ):
        for number, payload in enumerate(hostile(count)):
            sent = enemy.client.publish(f"{BASE}/command/scheduler/hint", payload, 1)
            if number % 100 == 99:
                sent.wait_for_publish(GUARD_S)
            if number % (count // 3) == 0:
                names.append(str(number))
                peer.send("command/site_ems/hint", {"id": names[-1], **HEARTBEAT})
                assert peer.answer("site_ems", names[-1])["granted"]
        enemy.send("command/scheduler/hint", b"")  # the counts that follow have not been read yet
        peer.until("door", lambda text: sum(map(json.loads(text).get, FATES, ZEROS)) == count + 1)
        feed.pages["status"] = {**FACTS, "battery_W": -9}
        assert peer.until("value/battery_W", "-9".__eq__)
        assert site.source("scheduler")["accepted"] == 0
        assert door.counts["taken"] == site.source("site_ems")["accepted"] == len(names)
        assert door.counts["lost"] == 0


def test_a_flood_fills_only_its_own_queue_and_is_counted(tmp_path):
    async def run():
        counts = commands.collections.Counter()
        sender = sending.Sender("", Source("a", "", "cap", 60))
        desk = commands.Desk("", sender, "hint", "t", counts)
        for _ in range(1000):
            desk.take(link.Message("", b"{}", False, "", None, None))
        desk.take(link.Message("", b"x" * 4097, False, "", None, None))
        desk.take(link.Message("", b"{}", True, "", None, None))
        return counts

    assert asyncio.run(run()) == {"crowded": 980, "too_long": 1, "retained": 1}


MESSAGES = st.one_of(
    st.sampled_from(GARBAGE),
    st.binary(max_size=20),
    st.fixed_dictionaries(
        {"id": st.sampled_from("abc"), "quantity": st.sampled_from([*sending.NAMES.values(), "x"])},
        optional={
            "value_W": st.one_of(st.integers(-(2**33), 2**33), st.just(1.5)),
            "valid_s": st.integers(-1, 400),
            "start_in_s": st.integers(-1, 4000),
            "is_exact": st.booleans(),
            "source": st.just("site_ems"),
        },
    ).map(lambda fields: json.dumps(fields).encode()),
)


@settings(max_examples=60, deadline=None)
@given(messages=st.lists(MESSAGES, max_size=12), role=st.sampled_from(["cap", "request"]))
def test_only_what_the_sender_itself_would_send_leaves(messages, role):
    """Whatever comes in: compared with the same fields given to the sender directly."""

    class Recorded(sending.Sender):
        def __init__(self):
            super().__init__("", Source("a", "", role, 600))
            self.sent = []

        async def _asked(self, hint, ahead_ms):
            self.sent.append((hint, ahead_ms))
            return {"granted": True, "code": 1}

    async def run():
        tried, direct, answers = Recorded(), Recorded(), []
        desk = commands.Desk("", tried, "hint", "t", commands.collections.Counter())
        first = {}
        for payload in messages:
            message = link.Message("", payload, False, "", None, None)
            command = commands.Command(message, commands.clock.now_us())
            await desk._serve(command, lambda *answer: answers.append(answer))
            try:
                fields = json.loads(payload)
                name = fields.pop("id")
            except (ValueError, RecursionError, AttributeError, KeyError, TypeError):
                continue
            if name in first or not isinstance(name, str) or set(name) & set("/+"):
                continue
            with contextlib.suppress(ConfigError):
                await direct.hint(fields)
            first[name] = payload
        assert tried.sent == direct.sent
        assert all(topic.startswith("t/reply/a/") for _, topic, *_ in answers)

    asyncio.run(run())
