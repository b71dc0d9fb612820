"""Brokers of Debian on a free port of loopback, a client beside them, and a door that runs."""

import contextlib
import json
import os
import queue
import select
import socket
import subprocess
import threading
from typing import Any, NamedTuple

import paho.mqtt.client as mqtt
import parts
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from controller.doors import feed
from controller.doors.feed import Feed
from controller.doors.mqtt import form, outlet
from controller.doors.mqtt.door import Door
from controller.forms.reading import read
from tests.controller.doors.doors_site import Opened, answering

GUARD_S = 240  # only a broken door waits so long
BASE = "firebreak/cab1"
SOURCES = ["site_ems", "scheduler"]
FACTS = {"is_live": True, "standing": [], "state": "running", "battery_W": 5000, "uptime_ms": 1}


def hurry(monkeypatch):
    """A feed of 50 Hz, and each count at once."""
    monkeypatch.setattr(outlet, "COUNTS_US", 0)
    monkeypatch.setattr(feed, "PERIOD_S", 0.02)
    monkeypatch.setattr(outlet, "ALARMS_S", 0.02)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Broker:
    """`start`, `stop` and `start` again on the same port."""

    def __init__(self, folder, kind="mosquitto", lines="allow_anonymous true\n"):
        folder.mkdir(exist_ok=True)
        self.program = parts.program({"mosquitto": "mosquitto", "nats": "nats-server"}[kind])
        self.kind, self.port, self.config = kind, free_port(), folder / f"{kind}.conf"
        text = f"listener {self.port} 127.0.0.1\npersistence false\n{lines}"
        if kind == "mosquitto":
            text = f"user {os.environ.get('USER', 'root')}\n{text}"
        if kind == "nats":
            text = (
                f"server_name: one\nhost: 127.0.0.1\nport: {free_port()}\n"
                f'jetstream {{ store_dir: "{folder}/js", max_mem: 16M, max_file: 64M }}\n'
                f"mqtt {{ host: 127.0.0.1, port: {self.port} }}\n"
            )
        self.config.write_text(text)

    def start(self):
        words = b"running" if self.kind == "mosquitto" else b"Server is ready"
        line = [self.program, "-c", str(self.config)]
        self.process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        seen = b""
        while words not in seen:
            assert select.select([self.process.stdout], (), (), GUARD_S)[0]
            more = os.read(self.process.stdout.fileno(), 4096)
            assert more, seen
            seen += more
        threading.Thread(target=self.process.stdout.read, daemon=True).start()
        return self

    def stop(self):
        self.process.kill()
        self.process.wait(GUARD_S)

    def __enter__(self):
        return self.start()

    def __exit__(self, *error):
        self.stop()


class Peer:
    """A client of the site. `got`: a queue of (topic, payload, message)."""

    def __init__(self, broker, topics=(f"{BASE}/#",), protocol="5", will=None):
        self.is_5, self.got, self.door = protocol == "5", queue.Queue(), {"connected": 0}
        self.client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5 if self.is_5 else mqtt.MQTTv311
        )
        ready = threading.Event()
        self.client.on_connect = lambda c, *_: c.subscribe([(topic, 1) for topic in topics])
        self.client.on_subscribe = lambda *_: ready.set()
        self.client.on_message = lambda c, d, m: self.got.put(
            (m.topic, m.payload.decode(errors="replace"), m)
        )
        self.client.connect("127.0.0.1", broker.port, 60)
        self.client.loop_start()
        assert ready.wait(GUARD_S)

    def send(self, topic, payload, retain=False, **properties):
        given = None
        if self.is_5:
            given = Properties(PacketTypes.PUBLISH)
            for name, value in properties.items():
                setattr(given, name, value)
        text = payload if isinstance(payload, bytes | str) else json.dumps(payload)
        self.client.publish(f"{BASE}/{topic}", text, 1, retain, given).wait_for_publish(GUARD_S)

    def until(self, topic, test=lambda payload: True):
        """The payload of the first message on this topic that passes."""
        while True:
            name, payload, self.message = self.got.get(timeout=GUARD_S)
            if name == f"{BASE}/door":
                self.door = json.loads(payload)
            if name == f"{BASE}/{topic}" and test(payload):
                return payload

    def counted(self, test):
        """Wait until the newest counts of the door pass, also when they were read before."""
        while not test(self.door):
            self.until("door")

    def connected(self, count=3):
        """Wait until the door has made so many connections."""
        self.counted(lambda door: door["connected"] >= count)

    def answer(self, source, name):
        return json.loads(self.until(f"reply/{source}/{name}"))

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.client.disconnect()
        self.client.loop_stop()


class Shown(Feed):
    """A feed whose pages a test writes."""

    def __init__(self):
        super().__init__("", "")
        self.pages = {"status": FACTS, "events": {"events": []}}

    def _facts(self, name):
        return self.pages[name]

    def events(self, *numbers):
        """The record has these events."""
        found = [{"id": number, "text": f"event {number}"} for number in numbers]
        self.pages["events"] = {"events": found}
        self.pages["status"] = {**FACTS, "record": {"newest": found[-1]}}


def values_of(port, **values):
    given = {"host": "127.0.0.1", "port": port, "cabinet": "cab1", "tls": False, **values}
    return read("doors.toml", ("mqtt", "plant"), {"period_s": 0.2, **given}, form.FORM)


@contextlib.contextmanager
def opened(house, port, feed=None, **values):
    """(door, feed) while the door runs in a thread of its own."""
    house.feed = feed or Shown()
    own = values_of(port, **values)
    with Opened(lambda: Door(house, "plant", own), lambda door: True) as place:
        yield place.door, house.feed


class Served(NamedTuple):
    """A site, its broker, a peer that hears everything, the door, and its feed."""

    site: Any
    broker: Broker
    peer: Peer
    door: Door
    feed: Shown


@contextlib.contextmanager
def served(folder, kind="mosquitto", protocol="5", heard="#", **values):
    """Served, once the door has its three connections. heard: topics of the peer."""
    with (
        Broker(folder / "broker", kind, "allow_anonymous true\nmax_queued_messages 0\n") as broker,
        answering(folder) as (site, house),
        Peer(broker, [f"{BASE}/{each}" for each in heard.split()], protocol) as peer,
        opened(house, broker.port, protocol=protocol, sources=SOURCES, **values) as (door, feed),
    ):
        peer.connected()
        yield Served(site, broker, peer, door, feed)
