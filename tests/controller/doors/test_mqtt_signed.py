"""Signed datagrams through real brokers and a door that has no key."""

import asyncio
import collections
import contextlib
import dataclasses
import socket
import threading

import pytest

from controller.core.base import hint_codes as h
from controller.doors import sending
from controller.doors.mqtt import door as of_door, signed, waiting
from controller.doors.settings import Source
from controller.hints import client, wire as w
from controller.mqtt import link
from tests.controller.doors.doors_site import GUARD_S, answering
from tests.controller.doors.mqtt_site import BASE, SOURCES, Broker, Peer, hurry, opened
from tests.controller.hinted_site import KEYS

pytestmark = pytest.mark.wire
BROKERS = [("mosquitto", "5"), ("mosquitto", "3.1.1"), ("nats", "3.1.1")]
KEYLESS = """
[source.site_ems]
may = "grid_cap"
hints_per_min_max = {0}
[source.scheduler]
may = "request"
hints_per_min_max = {0}
"""
WRONG = ("retained", "not_understood", "foreign_name", "refused", "crowded", "over_quota", "late")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(link, "PAUSE_S", 0.02)
    monkeypatch.setattr(of_door, "PAUSE_S_MAX", 0.05)
    hurry(monkeypatch)


@dataclasses.dataclass
class Dispatcher:
    """The other end: has the keys, and counts sequences."""

    site: object
    broker: Broker
    peer: Peer
    door: of_door.Door
    nonce: bytes = b""
    sequence: int = 0

    def send(self, data, source="site_ems", retain=False):
        self.peer.send(f"command/{source}/signed", data, retain)

    def answer(self, source="site_ems"):
        """The next answer, as bytes."""
        self.peer.until(f"reply/{source}/signed")
        return self.peer.message.payload

    def hello(self, source="site_ems"):
        self.send(w.hello(source), source)
        found = w.welcome_of(self.answer(source))
        self.nonce, self.sequence, self.uptime_ms = found.nonce, found.sequence, found.uptime_ms
        return found

    def hint(self, source="site_ems", kind=h.HEARTBEAT, quantity=h.IMPORT_W_MAX, value_W=0):
        self.sequence += 1
        head = source, self.nonce, self.sequence, self.uptime_ms
        return w.signed(w.Hint(*head, kind, quantity, 0, value_W, 60_000), KEYS[source])

    def counted(self, **wanted):
        """Wait until the door has these counts, and see that it has no others of WRONG."""

        self.peer.counted(lambda door: all(door.get(name, 0) >= wanted[name] for name in wanted))
        assert {name: self.door.counts[name] for name in WRONG if self.door.counts[name]} == {
            name: count for name, count in wanted.items() if name in WRONG
        }


@contextlib.contextmanager
def dispatching(folder, kind="mosquitto", protocol="5", per_min=60):
    lines = "allow_anonymous true\nmax_queued_messages 0\n"
    topics = [f"{BASE}/{each}" for each in ("reply/#", "door")]
    own = {"protocol": protocol, "sources": SOURCES}
    with (
        Broker(folder / "broker", kind, lines) as broker,
        answering(folder, sources=KEYLESS.format(per_min)) as (site, house),
        Peer(broker, topics, protocol) as peer,
        opened(house, broker.port, **own) as (made, _),
    ):
        peer.connected()
        yield Dispatcher(site, broker, peer, made)


@pytest.mark.parametrize(("kind", "protocol"), BROKERS)
def test_a_signed_heartbeat_comes_back_with_the_mac_of_the_controller(kind, protocol, tmp_path):
    with dispatching(tmp_path, kind, protocol) as it:
        assert it.hello().nonce == it.site.listener.admission.nonce
        it.send(it.hint(kind=h.GRID_CAP, value_W=300_000))
        first = w.reply_of(it.answer(), KEYS["site_ems"])
        it.send(it.hint())
        data = it.answer()
        found = w.reply_of(data, KEYS["site_ems"])
        assert w.reply_of(data, KEYS["scheduler"]) is None
        assert (first.code, first.granted_W, first.sequence) == (h.GRANTED, 300_000, 1)
        assert (found.kind, found.quantity, found.sequence) == (h.HEARTBEAT, h.IMPORT_W_MAX, 2)
        assert (found.code, found.granted_W) == (h.GRANTED, 300_000)
        assert it.site.source("site_ems")["accepted"] == it.door.counts["answered"] - 1 == 2
        with Peer(it.broker, [f"{BASE}/reply/#", f"{BASE}/door"], protocol) as late:
            assert late.got.get(timeout=GUARD_S)[0] == f"{BASE}/door"  # no answer is retained


def test_a_hint_in_words_needs_the_key_that_the_door_has_not(tmp_path):
    with dispatching(tmp_path) as it:
        heartbeat = {"id": "1", "quantity": "heartbeat", "valid_s": 9}
        it.peer.send("command/site_ems/hint", heartbeat)
        assert it.peer.answer("site_ems", "1")["code"] == h.NO_KEY


def test_the_reply_carries_the_correlation_of_its_command(tmp_path):
    with dispatching(tmp_path) as it:
        it.peer.send("command/site_ems/signed", w.hello("site_ems"), CorrelationData=b"\0\xff")
        it.answer()
        assert it.peer.message.properties.CorrelationData == b"\0\xff"


def test_what_is_no_datagram_of_the_source_is_counted_and_not_answered(tmp_path):
    with dispatching(tmp_path) as it:
        it.hello()
        good = it.hint()
        status = w.status("site_ems")
        later = w.signed(w.Hint("site_ems", it.nonce, 9, 0, 1, 1, 0, 0, 1000, 5), KEYS["site_ems"])
        for data in (good[:-1], good + b"\0", b"FBH9" + good[4:], status, later, b"", b"FBQ1"):
            it.send(data)
        for name in ("scheduler", "site_em", "site_emsx"):
            it.send(w.hello(name))
        it.send(good[:4] + w.name_field("scheduler") + good[20:])
        it.send(good, retain=True)
        it.send(w.hello("site_ems"), retain=True)
        cap = w.Hint("scheduler", it.nonce, 1, it.uptime_ms, h.GRID_CAP, 4, 0, 1, 60_000)
        it.send(w.signed(cap, KEYS["scheduler"]), "scheduler")
        it.counted(retained=2, not_understood=7, foreign_name=4, refused=1)
        assert it.door.counts["answered"] == 1
        it.send(good)
        assert w.reply_of(it.answer(), KEYS["site_ems"]).sequence == 1
        assert it.site.source("site_ems")["accepted"] == 1
        assert it.site.source("scheduler")["refused"] == 0


def test_a_datagram_that_the_broker_has_kept_is_not_passed_on(tmp_path):
    lines = "allow_anonymous true\n"
    own = {"protocol": "5", "sources": SOURCES}
    with (
        Broker(tmp_path / "broker", lines=lines) as broker,
        answering(tmp_path, sources=KEYLESS.format(60)) as (site, house),
        Peer(broker) as peer,
    ):
        peer.send("command/site_ems/signed", w.hello("site_ems"), retain=True)
        with opened(house, broker.port, **own) as (made, _):
            peer.counted(lambda door: door.get("retained") == 1)
            assert made.counts["answered"] == 0


@pytest.mark.parametrize(("protocol", "lost"), [("5", 0), ("3.1.1", 1)])
def test_a_megabyte_harms_no_other_source(protocol, lost, tmp_path):
    with dispatching(tmp_path, "mosquitto", protocol) as it:
        it.send(w.HINT_MAGIC + b"x" * 1_000_000, "scheduler")
        it.hello()
        it.peer.connected(3 + lost)
        it.send(b"x" * 60_000, "scheduler")
        assert it.hello("scheduler").sequence == 0
        it.counted(not_understood=1)
        assert it.door.counts["lost"] == lost


def test_of_a_hundred_at_once_the_newest_is_answered(tmp_path, monkeypatch):
    monkeypatch.setattr(waiting, "LATE_US", GUARD_S * 1_000_000)
    with dispatching(tmp_path, per_min=600) as it:
        it.hello()
        entered, held = threading.Event(), threading.Event()
        passed = client.HintClient.passed

        def slow(*given):
            entered.set()
            assert held.wait(GUARD_S)
            return passed(*given)

        monkeypatch.setattr(client.HintClient, "passed", slow)
        it.send(it.hint())
        assert entered.wait(GUARD_S)
        for _ in range(99):
            it.send(it.hint())
        it.counted(crowded=79)
        held.set()
        found = [w.reply_of(it.answer(), KEYS["site_ems"]).sequence for _ in range(21)]
        assert found == [1, *range(81, 101)]
        assert it.door.counts["answered"] == 22


def test_above_the_quota_of_the_source_nothing_is_passed_on(tmp_path):
    with dispatching(tmp_path, per_min=2) as it:
        it.hello()
        for _ in range(11):
            it.send(it.hint())
        it.counted(over_quota=2)
        assert it.site.source("site_ems")["accepted"] == 9
        assert it.hello("scheduler").sequence == 0


def test_a_datagram_that_waited_too_long_is_not_passed_on(tmp_path, monkeypatch):
    with dispatching(tmp_path) as it:
        it.hello()
        monkeypatch.setattr(waiting, "LATE_US", 0)
        it.send(it.hint())
        it.counted(late=1)
        assert it.site.source("site_ems")["accepted"] == 0


def test_a_wrong_mac_gets_no_answer(tmp_path, monkeypatch):
    with dispatching(tmp_path) as it:
        it.hello()
        monkeypatch.setattr(client, "ANSWER_S", 0.2)
        it.send(it.hint()[:-1] + b"\0")
        it.counted(no_answer=1)
        assert it.site.source("site_ems")["bad_mac"] == 1


def taken(count, **more):
    """(sequences that are served, counts) of `count` messages that come at once."""

    async def run():
        counts, found = collections.Counter(), []
        made = waiting.Waiting(counts, lambda data: "", **more)
        for number in range(count):
            made.take(link.Message("", b"%d" % number, False, "", None, None))

        async def use(command):
            found.append(int(command.message.payload))

        served = asyncio.create_task(made.serve("", use))
        await asyncio.sleep(0)
        while len(found) < min(20, count):
            await asyncio.sleep(0)
        served.cancel()
        return found, counts

    return asyncio.run(run())


def test_a_full_queue_keeps_the_oldest_or_the_newest():
    assert taken(25) == (list(range(20)), {"crowded": 5})
    assert taken(25, keeps_newest=True) == (list(range(5, 25)), {"crowded": 5})
    assert taken(20, keeps_newest=True) == (list(range(20)), {})


class Loop:
    """A hints.sock whose answers a test gives."""

    def __init__(self, folder):
        self.folder = folder
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(folder / "hints.sock"))
        self.socket.settimeout(GUARD_S)

    def made(self, name, counts):
        source = Source(name, "", "grid_cap", 60)
        return signed.Signed(str(self.folder), sending.Sender("", source), BASE, counts)


WELCOME = w.WELCOME.pack(w.WELCOME_MAGIC, b"n" * 8, 1, 2)


def message_of(data):
    return link.Message("", data, False, "", None, None)


def test_a_source_that_waits_for_its_answer_delays_no_other(tmp_path, monkeypatch):
    """Forty wait: more than the threads that asyncio shares."""
    monkeypatch.setattr(client, "ANSWER_S", 20.0)
    silent = [f"silent_{number}" for number in range(40)]
    loop, counts = Loop(tmp_path), collections.Counter()

    async def run():
        answers = asyncio.Queue()
        each = {name: loop.made(name, counts) for name in (*silent, "live")}
        tasks = [
            asyncio.create_task(one.run(lambda *given: answers.put_nowait(given)))
            for one in each.values()
        ]
        for name, one in each.items():
            one.take(message_of(w.hello(name)))
        held = []
        while True:
            data, sender = await asyncio.to_thread(loop.socket.recvfrom, 1500)
            if data == w.hello("live"):
                break
            held.append(sender)
        loop.socket.sendto(WELCOME, sender)
        first = await answers.get()
        assert counts["no_answer"] == 0
        while len(held) < len(silent):
            held.append((await asyncio.to_thread(loop.socket.recvfrom, 1500))[1])
        for sender in held:
            loop.socket.sendto(WELCOME, sender)
        for _ in silent:
            await answers.get()
        for task in tasks:
            task.cancel()
        return first

    assert asyncio.run(run()) == ("live", f"{BASE}/reply/live/signed", WELCOME, None)
    assert counts == {"answered": len(silent) + 1}


def test_only_the_answer_to_this_datagram_is_passed_back(tmp_path, monkeypatch):
    loop, counts = Loop(tmp_path), collections.Counter()
    hint = w.signed(w.Hint("a", b"n" * 8, 7, 0, 4, 0, 0, 0, 60_000), b"k" * 32)
    replies = [
        w.reply_bytes(w.Reply("a", b"n" * 8, sequence, *[0] * 14), b"k" * 32) for sequence in (6, 7)
    ]

    def answer(*datagrams):
        _, sender = loop.socket.recvfrom(1500)
        for each in datagrams:
            loop.socket.sendto(each, sender)

    def passed(data, *datagrams):
        thread = threading.Thread(target=answer, args=datagrams)
        thread.start()
        found = made._exchanged(data)
        thread.join()
        return found

    async def run():
        return loop.made("a", counts)

    made = asyncio.run(run())
    assert passed(hint, b"", b"FBR1", replies[0], WELCOME, replies[1]) == replies[1]
    assert passed(w.hello("a"), replies[1], WELCOME) == WELCOME
    monkeypatch.setattr(client, "ANSWER_S", 0.2)
    assert passed(hint, replies[0]) is None
    loop.socket.close()
    with pytest.raises(ConnectionRefusedError):
        made._exchanged(hint)
