"""Brokers, certificates and messages that mean harm: one line each, and nothing widened."""

import asyncio
import contextlib
import itertools
import json
import ssl

import pytest
from hypothesis import strategies as st

from controller.doors import sending
from controller.doors.mqtt import commands, waiting
from controller.doors.settings import Source
from controller.mqtt import failures, link
from tests.certificates import certificates, trusting
from tests.controller.doors.listener_suite import HostileSuite
from tests.controller.doors.mqtt_site import (
    BASE,
    FACTS,
    GUARD_S,
    Broker,
    Peer,
    free_port,
    hurry,
    served,
)
from tests.controller.doors.sender_suite import FIELDS, SenderSuite

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


@contextlib.asynccontextmanager
async def listening(serve):
    """A server that is left at the end: to leave its own context waits for its clients for ever."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server
    finally:
        server.close()


async def ended(sent, context=None):
    """Why a connection ends whose broker sends these bytes."""

    async def serve(reader, writer):
        await reader.read(1)
        writer.write(sent)
        await writer.drain()
        await asyncio.get_running_loop().create_future()

    async with listening(serve) as server:
        broker = broker_of(server.sockets[0].getsockname()[1], context=context)
        made = link.Link(broker, lambda message: None)
        try:
            await made.open()
            return await made.lost
        except link.Lost as lost:
            return str(lost)
        finally:
            await made.close()


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

        async with listening(serve) as server:
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

    asyncio.run(run())
    assert "does not acknowledge" in found[0]
    assert "takes no messages" in found[1]


def tls_lines(name, more=""):
    own = certificates() / name
    files = f"cafile {certificates()}/site.crt\ncertfile {own}.crt\nkeyfile {own}.key\n"
    return f"{files}allow_anonymous true\n{more}"


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
        ("door", "site", "open"),
        ("old", "site", "its certificate has expired"),
        ("door", "other", "its certificate is not signed by the site's CA"),
        ("away", "site", "its certificate is of another address"),
    ],
)
def test_a_certificate_of_the_broker_that_is_wrong_is_named(name, ca, line, tmp_path):
    with Broker(tmp_path, lines=tls_lines(name)) as broker:
        found = asyncio.run(outcome(broker.port, trusting(ca)))
    assert found.endswith(line)
    assert "SSL" not in found


@pytest.mark.parametrize(("client", "is_open"), [("ems", True), ("foreign", False), ("", False)])
def test_a_client_certificate_opens_a_broker_that_asks_for_one(client, is_open, tmp_path):
    with Broker(tmp_path, lines=tls_lines("door", "require_certificate true\n")) as broker:
        found = asyncio.run(outcome(broker.port, trusting(client=client)))
    assert (found == "open") == is_open
    assert is_open or "client certificate" in found or "before it answered" in found


def test_without_tls_the_port_of_tls_gives_one_line(tmp_path):
    with Broker(tmp_path, lines=tls_lines("door")) as broker:
        assert "before it answered" in asyncio.run(outcome(broker.port, None))
    found = asyncio.run(ended(b"\x20\x02\x00\x00\x00", ssl.create_default_context()))
    assert "TLS failed; is this its port for TLS" in found


def test_no_broker_is_one_line():
    assert asyncio.run(outcome(free_port(), None)).endswith("cannot be reached: Connection refused")


def test_every_reason_code_has_words():
    assert failures.reason_text(135) == "this user or certificate may not do that"
    assert failures.reason_text(255) == "reason code 255"


class Place:
    FAULT = (commands.CommandServer, "_answer")

    def __init__(self, found, enemy):
        self.site, _, self.peer, self.door, self.feed = found
        self.enemy, self.sent, self.asked = enemy, 0, 0
        self.ids = map(str, itertools.count())

    def forget(self):
        self.sent = 0
        self.door.counts.clear()

    def honest(self):
        self.asked, name = self.asked + 1, next(self.ids)
        self.peer.send("command/site_ems/hint", {"id": name, **HEARTBEAT})
        assert self.peer.answer("site_ems", name)["granted"]

    def attack(self, number):
        self.sent += 1
        topic = f"{BASE}/command/scheduler/hint"
        sent = self.enemy.client.publish(topic, GARBAGE[number % len(GARBAGE)], 1)
        if number % 100 == 99:
            sent.wait_for_publish(GUARD_S)

    def meet(self, fails):
        self.peer.send("command/site_ems/hint", {"id": next(self.ids), **HEARTBEAT})
        assert fails.called.acquire(timeout=GUARD_S)

    def effect(self):
        self.enemy.send("command/scheduler/hint", b"")
        self.sent += 1
        enough = self.sent.__eq__
        self.peer.counted(lambda door: enough(sum(map(door.get, FATES, ZEROS))))
        value = str(self.sent)
        self.feed.pages["status"] = {**FACTS, "battery_W": self.sent}
        assert self.peer.until("value/battery_W", value.__eq__)
        assert self.door.counts["taken"] <= self.site.source("site_ems")["accepted"] == self.asked
        return self.site.source("scheduler")["accepted"], self.door.counts["lost"]


class TestHostile(HostileSuite):
    @staticmethod
    @contextlib.contextmanager
    def opened(folder):
        with pytest.MonkeyPatch.context() as patched:
            hurry(patched)
            with (
                served(folder, heard="reply/# value/# door") as found,
                Peer(found.broker, ["none"]) as enemy,
            ):
                yield Place(found, enemy)


def test_a_flood_fills_only_its_own_queue_and_is_counted(tmp_path):
    async def run():
        counts = commands.collections.Counter()
        sender = sending.Sender("", Source("a", "", "cap", 60))
        desk = commands.CommandServer("", sender, "hint", "t", counts)
        for _ in range(1000):
            desk.take(link.Message("", b"{}", False, "", None, None))
        desk.take(link.Message("", b"x" * 4097, False, "", None, None))
        desk.take(link.Message("", b"{}", True, "", None, None))
        return counts

    assert asyncio.run(run()) == {"crowded": 980, "too_long": 1, "retained": 1}


class TestSender(SenderSuite):
    commands = st.tuples(st.sampled_from("abcdefgh"), FIELDS).map(
        lambda given: json.dumps({"id": given[0], **given[1]}).encode()
    )
    calls = commands | commands | commands | st.sampled_from(GARBAGE) | st.binary(max_size=20)

    def through(self, senders):
        desk = commands.CommandServer(
            "", senders["scheduler"], "hint", "t", commands.collections.Counter()
        )

        def reply(source, topic, *_):
            assert topic.startswith("t/reply/scheduler/")

        async def ask(payload):
            message = link.Message("", payload, False, "", None, None)
            await desk._serve(waiting.Command(message, commands.clock.now_us()), reply)

        return ask

    def meant(self, calls):
        """The first message of each id."""
        known = set()
        for payload in calls:
            try:
                fields = json.loads(payload)
                name = fields.pop("id")
            except (ValueError, RecursionError, AttributeError, KeyError, TypeError):
                continue
            if isinstance(name, str) and name not in known and not set(name) & set("/+"):
                known.add(name)
                yield "scheduler", fields
