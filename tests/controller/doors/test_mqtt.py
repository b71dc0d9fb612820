"""The MQTT door before real brokers."""

import asyncio
import json

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from controller.core.base import hint_codes as h
from controller.doors import settings
from controller.doors.feed import NO_TICK, Feed
from controller.doors.mqtt import door, outlet, waiting
from controller.doors.process import House
from controller.mqtt import link
from controller.system.told import DoorError
from tests.controller.doors.doors_site import answering, refused, written
from tests.controller.doors.mqtt_site import (
    BASE,
    FACTS,
    GUARD_S,
    SOURCES,
    Broker,
    Peer,
    hurry,
    opened,
    served,
    values_of,
)

pytestmark = pytest.mark.wire
TABLE = '[mqtt.plant]\nhost = "{}"\ncabinet = "cab1"\n'
AWAY, HERE = TABLE.format("broker.example"), TABLE.format("127.0.0.1")
BROKERS = [("mosquitto", "5"), ("mosquitto", "3.1.1"), ("nats", "3.1.1")]
IMPORT = {"quantity": "import_W_max", "value_W": 300_000, "valid_s": 60}
HEARTBEAT = {"quantity": "heartbeat", "valid_s": 60}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """A door that connects again at once, and a feed of 50 Hz."""
    monkeypatch.setattr(link, "PAUSE_S", 0.02)
    monkeypatch.setattr(door, "PAUSE_S_MAX", 0.05)
    hurry(monkeypatch)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (AWAY, "plant.ca: is missing"),
        (AWAY + "tls = false\nsources = ['site_ems']\n", "site_ems may send grid_cap without TLS"),
        (AWAY + "tls = false\nuser = 'a'\npassword_file = 'b'\n", "would cross the network"),
        (AWAY + "tls = false\nca = 'ca.crt'\n", "allowed tls = true"),
        (AWAY + "ca = 'a'\ncertificate = 'b'\n", "certificate_key: is missing"),
        (AWAY + "ca = 'a'\nuser = 'b'\n", "password_file: is missing"),
        (AWAY + "ca = 'a'\nsources = ['nemo']\n", "names the source 'nemo'"),
        (AWAY.replace("cab1", "a/b") + "ca = 'a'\n", 'cabinet: "a/b" is not allowed'),
        (AWAY + "protocol = '3.1'\nca = 'a'\n", "allowed 5, 3.1.1"),
    ],
)
def test_a_table_that_is_not_safe_is_refused_in_one_line(text, words, tmp_path):
    refused(tmp_path, text, words)


def test_a_source_that_fits_no_topic_is_refused(tmp_path):
    text = "[source.'a/#']\nkey = 'k'\n" + HERE + "tls = false\nsources = ['a/#']\n"
    refused(tmp_path, text, "has the name")


@pytest.mark.parametrize(("kind", "protocol"), BROKERS)
def test_state_values_and_alarms_stay_at_the_broker(kind, protocol, tmp_path):
    alarm = {"stage": "21a", "clear_for_ms": 1}
    with served(tmp_path, kind, protocol) as (_, broker, peer, _, feed):
        feed.pages["status"] = changed = {**FACTS, "standing": [alarm], "battery_W": -7}
        assert json.loads(peer.until("alarms", lambda text: "21a" in text)) == [alarm]
        assert peer.until("value/battery_W", "-7".__eq__)
        for topic, payload in (("online", "online"), ("value/state", "running")):
            with Peer(broker, [f"{BASE}/{topic}"], protocol) as late:
                assert (late.until(topic), late.message.retain) == (payload, True)
        with Peer(broker, [f"{BASE}/state"], protocol) as late:
            assert json.loads(late.until("state")) == changed


def test_nothing_is_sent_again_that_has_not_changed_or_is_under_way():
    """A counter that runs alone is no change; a slow broker gets no queue."""
    sent = []

    class Slow:
        def publish(self, topic, payload, retain):
            sent.append((payload, asyncio.get_running_loop().create_future()))
            return sent[-1][1]

    async def run():
        shown = outlet.Retained(Slow(), BASE, outlet.collections.Counter())

        def put(facts):
            shown.put("state", outlet.text(facts), outlet.text(outlet.steady(facts)))

        put({"load_W": 1, "uptime_ms": 1})
        put({"load_W": 2, "uptime_ms": 2})
        sent[0][1].set_result(0)
        await asyncio.sleep(0)
        for number in (3, 4):
            put({"load_W": 1, "uptime_ms": number})
        put({"load_W": 3, "uptime_ms": 5})

    asyncio.run(run())
    assert [each[0] for each in sent] == [
        '{"load_W":1,"uptime_ms":1}',
        '{"load_W":3,"uptime_ms":5}',
    ]


@pytest.mark.parametrize("is_crashed", [False, True])
def test_offline_stands_when_the_door_is_gone(is_crashed, tmp_path):
    """The door says so at its end, the last will after a crash."""
    broker = Broker(tmp_path / "broker")
    with broker, answering(tmp_path) as (_, house), Peer(broker) as peer:
        with opened(house, broker.port) as (made, _):
            peer.until("online", "online".__eq__)
            if is_crashed:
                made._links[""]._client.socket().shutdown(2)
                assert peer.until("online", "offline".__eq__)
        if not is_crashed:
            assert peer.until("online", "offline".__eq__)


def test_a_door_with_sources_closes_every_connection(tmp_path, monkeypatch):
    """An open one keeps its thread, and the thread keeps the process. The broker is too slow to
    acknowledge the farewell.
    """
    monkeypatch.setattr(door, "FAREWELL_S", 0.05)
    with served(tmp_path) as (_, _, _, made, _):
        links = list(made._links.values())
        monkeypatch.setattr(
            made._links[""], "publish", lambda *_, **__: asyncio.Future(loop=links[0]._loop)
        )
    assert len(links) == 3 and all(each._is_ending for each in links)


def test_without_a_controller_nothing_old_is_called_alive(tmp_path):
    with served(tmp_path) as (_, _, peer, _, feed):
        feed.pages["status"] = None
        assert peer.until("online", "offline".__eq__)
        assert peer.until("value/battery_W", "null".__eq__)


def test_a_controller_that_hangs_is_offline_at_the_broker(tmp_path):
    """A real journal that gets no tick any more; a subscriber that comes later sees it too."""
    broker = Broker(tmp_path / "broker")
    with broker, answering(tmp_path) as (site, house):
        site.run()
        real = Feed(str(site.run_dir), str(site.state_dir))
        with Peer(broker) as peer, opened(house, broker.port, real):
            assert peer.until("online") == "offline"
        with Peer(broker) as late:
            assert late.until("online") == "offline"
            assert json.loads(late.until("state")) == {"is_live": False, "trouble": NO_TICK}
            assert late.until("value/battery_W") == "null"


@pytest.mark.parametrize(("kind", "protocol"), BROKERS)
def test_a_repeated_id_has_the_first_answer_of_the_loop_and_sends_no_second(
    kind, protocol, tmp_path
):
    answers = []
    with served(tmp_path, kind, protocol) as (site, _, peer, door, _):
        for _ in "123":
            peer.send("command/site_ems/hint", {"id": "a1", **IMPORT})
            answers.append(peer.answer("site_ems", "a1"))
        assert answers[0]["code"] == h.GRANTED
        assert answers[1:] == answers[:1] * 2
        assert (site.source("site_ems")["accepted"], door.counts["repeated"]) == (1, 2)
        peer.send("command/scheduler/hint", {"id": "a1", **IMPORT})
        assert peer.answer("scheduler", "a1")["code"] == h.ROLE
        peer.send("command/site_ems/hint", {"id": "a1", **HEARTBEAT})
        assert "of another command" in peer.answer("site_ems", "a1")["sentence"]
        assert site.source("site_ems")["accepted"] == 1


def test_a_question_is_answered(tmp_path):
    with served(tmp_path) as (_, _, peer, _, _):
        peer.send("command/scheduler/ask", {"id": "q", "power_W": 1000, "for_s": 60})
        assert peer.answer("scheduler", "q")["answer"] in ("yes", "no", "not known")
        peer.send("command/scheduler/ask", {"id": "r", "power_W": 0, "for_s": 60})
        found = peer.answer("scheduler", "r")
        assert (found["code"], "power_W" in found["sentence"]) == (h.NOT_UNDERSTOOD, True)


@pytest.mark.parametrize(
    ("response", "topic"),
    [
        ("reply/site_ems/mine", "reply/site_ems/mine"),
        ("state", "reply/site_ems/a"),
        ("reply/scheduler/x", "reply/site_ems/a"),
        (f"reply/site_ems/{'x' * 300}", "reply/site_ems/a"),
    ],
)
def test_a_response_topic_counts_below_the_own_replies_only(response, topic, tmp_path):
    """Otherwise a source would publish anywhere with the rights of the door."""
    more = {"ResponseTopic": f"{BASE}/{response}", "CorrelationData": b"\x00\xff"}
    with served(tmp_path) as (_, _, peer, _, _):
        peer.send("command/site_ems/hint", {"id": "a", **HEARTBEAT}, **more)
        answer = json.loads(peer.until(topic))
        assert (answer["id"], answer["code"]) == ("a", h.GRANTED)
        assert peer.message.properties.CorrelationData == b"\x00\xff"


@pytest.mark.parametrize(("kind", "protocol"), BROKERS)
def test_no_command_waits_at_the_broker_for_the_door(kind, protocol, tmp_path):
    """Neither one that is sent while the door is away, nor a retained one."""
    broker = Broker(tmp_path / "broker", kind)
    own = {"protocol": protocol, "sources": SOURCES}
    with broker, answering(tmp_path) as (site, house), Peer(broker, protocol=protocol) as peer:
        for _ in "12":
            peer.send("command/site_ems/hint", {"id": "queued", **IMPORT})
            peer.send("command/scheduler/hint", {"id": "kept", **HEARTBEAT}, retain=True)
            with opened(house, broker.port, **own) as (made, _):
                peer.connected()
                peer.send("command/site_ems/hint", {"id": "now", **HEARTBEAT})
                topics = [""]
                while topics[-1] != f"{BASE}/reply/site_ems/now":
                    topics.append(peer.got.get(timeout=GUARD_S)[0])
                assert [each for each in topics if "/reply/" in each] == topics[-1:]
                assert made.counts["retained"] == 1
            peer.until("online", "offline".__eq__)
            peer.door = {"connected": 0}
        assert site.source("scheduler")["accepted"] == 0


def test_a_command_that_waited_too_long_is_not_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(waiting, "LATE_US", 0)
    with served(tmp_path) as (site, _, peer, door, _):
        peer.send("command/site_ems/hint", {"id": "a", **IMPORT})
        assert peer.answer("site_ems", "a")["code"] == h.TOO_LATE
        assert (door.counts["late"], site.source("site_ems")["accepted"]) == (1, 0)


def acknowledged(peer, feed):
    """Return once the broker has answered all that the door sent before."""
    for power_W in ("1", "2"):  # the second is sent after the answer to the first
        feed.pages["status"] = {**feed.pages["status"], "battery_W": int(power_W)}
        peer.until("value/battery_W", power_W.__eq__)


def test_events_come_in_order_over_a_dead_broker_and_a_gap_is_named(tmp_path):
    with served(tmp_path, events_max=5) as (_, broker, peer, door, feed):
        feed.events(1)
        acknowledged(peer, feed)
        feed.events(1, 2, 3)
        first = [json.loads(peer.until("events"))["id"] for _ in "12"]
        acknowledged(peer, feed)
        broker.stop()
        door._outlet._again_us = 1 << 62  # until the peer is there again
        feed.events(*range(1, 13))
        broker.start()
        with Peer(broker) as again:
            door._outlet._again_us = 0
            found = [json.loads(again.until("events")) for _ in range(6)]
    assert first == [2, 3]
    assert [each["id"] for each in found] == [7, 8, 9, 10, 11, 12]
    assert (found[0]["kind"], found[0]["first"], found[0]["last"]) == ("gap", 4, 7)


def test_a_refused_event_is_kept_and_counted(tmp_path):
    """A broker of MQTT 5 says so; those of 3.1.1 acknowledge it."""
    topics = ("value/#", "state", "alarms", "online", "door", "report")
    rules = "".join([f"topic write {BASE}/{topic}\n" for topic in topics])
    (tmp_path / "acl").write_text(f"topic read {BASE}/#\n{rules}")
    lines = f"allow_anonymous true\nacl_file {tmp_path}/acl\n"
    with (
        Broker(tmp_path / "broker", lines=lines) as broker,
        answering(tmp_path) as (_, house),
        Peer(broker) as peer,
        opened(house, broker.port) as (made, feed),
    ):
        feed.events(1)
        acknowledged(peer, feed)
        feed.events(1, 2)
        acknowledged(peer, feed)
        assert (made._outlet.position, made.counts["refused_publishes"]) == (1, 1)


@pytest.mark.parametrize(("protocol", "lost"), [("5", 0), ("3.1.1", 1)])
def test_ten_megabytes_of_a_source_harm_no_other(protocol, lost, tmp_path):
    """MQTT 5 has a bound that the broker keeps; with 3.1.1 the connection of the source ends."""
    with served(tmp_path, "mosquitto", protocol, "reply/# door") as (_, _, peer, made, _):
        peer.send("command/scheduler/hint", b"x" * 10_000_000)
        peer.send("command/site_ems/hint", {"id": "a", **HEARTBEAT})
        assert peer.answer("site_ems", "a")["granted"]
        peer.connected(3 + lost)
        peer.send("command/scheduler/hint", {"id": "b", **HEARTBEAT})
        assert peer.answer("scheduler", "b")["granted"]
        assert (made.counts["lost"], made.counts["taken"]) == (lost, 2)


def test_pauses_grow_to_a_minute_and_a_cause_has_one_line(tmp_path, monkeypatch, capsys):
    pauses = []

    async def pause(seconds):
        pauses.append(seconds)
        if len(pauses) == 10:
            raise asyncio.CancelledError

    async def run():
        made = door.Door(house, "plant", values_of(1))
        monkeypatch.setattr(door.asyncio, "sleep", pause)
        await made.run()

    monkeypatch.setattr(link, "PAUSE_S", 1.0)
    monkeypatch.setattr(door, "PAUSE_S_MAX", 60.0)
    monkeypatch.setattr(link.random, "uniform", lambda low, high: high)
    with answering(tmp_path) as (_, house), pytest.raises(asyncio.CancelledError):
        asyncio.run(run())
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]
    line = (
        "firebreak: door mqtt.plant: the broker 127.0.0.1:1 cannot be reached: Connection refused\n"
    )
    assert capsys.readouterr().err == line


@pytest.mark.parametrize(
    ("name", "line"), [("ca.crt", "is no certificate"), ("none.crt", "none.crt: No such file")]
)
def test_a_file_that_is_missing_or_wrong_is_one_line(name, line, tmp_path):
    with answering(tmp_path) as (_, house):
        (tmp_path / "doors/ca.crt").write_text("no certificate")

        async def run():
            await door.Door(house, "plant", values_of(1, tls=True, ca=name)).run()

        with pytest.raises(DoorError, match=line) as error:
            asyncio.run(run())
    assert "\n" not in str(error.value)
    assert "SSL" not in str(error.value)


def test_a_password_that_others_may_read_is_not_used(tmp_path):
    text = HERE + "tls = false\nuser = 'a'\npassword_file = 'b'\n"
    found = settings.load(written(tmp_path, text))
    (name,) = found.doors["mqtt"]
    made = door.Door(House(found, "", "", ""), name, found.doors["mqtt"][name])
    (tmp_path / "b").write_text("s3cret\n")
    (tmp_path / "b").chmod(0o640)
    with pytest.raises(DoorError, match="chmod 600"):
        made._broker("")
    (tmp_path / "b").chmod(0o600)
    assert made._broker("").login[1] == "s3cret"


def test_a_flood_of_acknowledgements_wakes_the_loop_once():
    """A full pipe of wake-ups would drop the signal that ends the process."""

    async def flooded():
        broker = link.Broker("127.0.0.1", 1, True, 60, "one", None, None, (), "")
        made, told = link.Link(broker, lambda _: None), []
        made._call_in_loop = lambda call, *values: told.append(call)
        waiting = made._waiting[7] = 0, asyncio.get_running_loop().create_future()
        for mid in range(1000):
            made._on_publish(None, None, mid, ReasonCode(PacketTypes.PUBACK), None)
        assert len(told) == 1 and not waiting[1].done()
        told.pop()()
        assert waiting[1].result() == 0 and not made._waiting
        made._on_publish(None, None, 8, ReasonCode(PacketTypes.PUBACK), None)
        assert len(told) == 1

    asyncio.run(flooded())
