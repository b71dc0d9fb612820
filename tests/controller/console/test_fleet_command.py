"""`firebreak fleet` before a real broker: page, JSON, exit codes, strange messages, redrawing."""

import contextlib
import json
import os
import pty
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path

import fleet_messages as made
import pytest
from command_line import facts_in, refused, run

from controller.dispatch import reader
from tests.controller.doors.mqtt_site import GUARD_S, Broker, Peer
from tests.repository import ROOT

pytestmark = pytest.mark.wire
TEXT = """[fleet]
connection_W = 4_000_000
[broker]
host = "127.0.0.1"
port = PORT
tls = false
protocol = "5"
"""
CABINET = '[cabinet.NAME]\nkey = "no.key"\nfallback_W = 200_000\n'


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with Broker(tmp_path_factory.mktemp("broker")) as found:
        yield found


@pytest.fixture
def peer(broker):
    """A client that removes what it has left on the broker."""
    with Peer(broker, ["none"]) as found:
        found.topics = set()
        yield found
        for topic in found.topics:
            found.client.publish(topic, b"", 1, True).wait_for_publish(GUARD_S)


@pytest.fixture
def file(broker, tmp_path):
    text = TEXT.replace("PORT", str(broker.port))
    (tmp_path / "FLEET.toml").write_text(text + "".join([cabinet(name) for name in made.NAMES]))
    return str(tmp_path / "FLEET.toml")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(reader, "COLLECT_US", 1_000_000)


def cabinet(name):
    return CABINET.replace("NAME", name)


def publish(peer, topic, message):
    payload = message if isinstance(message, bytes) else json.dumps(message).encode()
    peer.topics.add(topic)
    peer.client.publish(topic, payload, 1, True).wait_for_publish(GUARD_S)


def report(peer, name, **changes):
    publish(peer, f"firebreak/{name}/online", b"online")
    publish(peer, f"firebreak/{name}/report", made.report(**changes))


@contextlib.contextmanager
def shared(peer, **changes):
    """While the dispatcher of the fleet is alive."""
    done = threading.Event()

    def beat():
        while not done.wait(0.1):
            publish(peer, made.STATE_TOPIC, made.state(**changes))

    thread = threading.Thread(target=beat)
    thread.start()
    yield
    done.set()
    thread.join()


def test_all_is_well(capsys, peer, file):
    for name in made.NAMES:
        report(peer, name)
    with shared(peer):
        code, lines, err = run(capsys, "fleet", file)
    assert (code, err) == (0, [])
    assert lines[0].startswith("8 cabinets on 4000.0 kW: import 3600.0, load short")
    assert [line.split()[0] for line in lines[4:12]] == made.NAMES


def test_the_facts_as_json_and_the_answer_to_a_job(capsys, peer, file):
    for name in made.NAMES:
        report(peer, name)
    with shared(peer):
        code, lines, _ = run(capsys, "fleet show --json", file)
        assert code == 0 and facts_in(lines)["cabinets"]["hall8"]["share_W"] == 500_000
        job = "--power 800kW --at +10min --for 20min".split()
        assert run(capsys, "fleet ask", file, *job)[:2][0] == 0
        job[1] = "3MW"
        code, lines, _ = run(capsys, "fleet ask", file, *job, "--json")
        elsewhere = run(capsys, "fleet ask", file, *job, "--cabinet", "hall7", "--json")
    found = facts_in(lines)
    assert (code, found["margin_W"], found["cabinet"]) == (1, -1_080_000, "hall1")
    assert facts_in(elsewhere[1])["cabinet"] == "hall7"


def test_a_silent_cabinet_an_alarm_and_a_silent_dispatcher_end_with_1(capsys, peer, file):
    for name in made.NAMES[1:]:
        report(peer, name)
    with shared(peer):
        code, lines, _ = run(capsys, "fleet", file)
    assert code == 1 and "WRONG: the broker has no report: 1 of 8, hall1." in lines
    report(peer, "hall1", alarm=made.DOOR, alarms=1)
    with shared(peer):
        code, lines, _ = run(capsys, "fleet", file)
    assert code == 1 and "R818 hall1: The door is open. Close the door." in lines
    report(peer, "hall1")
    code, lines, _ = run(capsys, "fleet", file)
    assert code == 1 and lines[1].startswith("DISPATCHER SILENT, since 2025-11-29 18:20:00")


def with_protocol(file, protocol):
    path = Path(file)
    path.write_text(path.read_text().replace('"5"', f'"{protocol}"'))


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_strange_messages_are_counted(capsys, peer, file, protocol):
    with_protocol(file, protocol)
    for name in made.NAMES:
        report(peer, name)
    report(peer, "hall9")
    publish(peer, "firebreak/hall2/report", b"\xff" * 5000)
    publish(peer, "firebreak/hall3/online", b"perhaps")
    with shared(peer):
        code, lines, err = run(capsys, "fleet", file)
    assert (code, err) == (1, [])
    start = next(number for number, line in enumerate(lines) if line.startswith("Note:"))
    words = " ".join(lines[start:])
    assert words.startswith("Note: messages that do not count: ")
    for each in (
        "hall9 is not in the file (2)",
        "hall2 has 5000",
        "hall3 online has a wrong value",
    ):
        assert each in " ".join(words.split())


def test_a_report_of_a_megabyte_is_no_report_of_a_cabinet(capsys, peer, file):
    """The broker does not even send it, since a reader says with MQTT 5 how much it takes."""
    for name in made.NAMES[1:]:
        report(peer, name)
    publish(peer, "firebreak/hall1/report", b"x" * 1_000_000)
    with shared(peer):
        code, lines, _ = run(capsys, "fleet", file)
    assert code == 1 and "WRONG: the broker has no report: 1 of 8, hall1." in lines


def test_with_mqtt_3_such_a_report_ends_the_connection_and_is_named(capsys, peer, file):
    with_protocol(file, "3.1.1")
    publish(peer, "firebreak/hall1/report", b"x" * 1_000_000)
    refused(capsys, 3, "sends 10000.. bytes at once; allowed 65536", "fleet", file)


def test_a_dispatcher_that_ended_has_left_a_state_and_its_view_counts_no_more(capsys, peer, file):
    for name in made.NAMES:
        report(peer, name)
    publish(peer, made.STATE_TOPIC, made.state(changes={"hall1": {"is_live": False}}))
    code, lines, _ = run(capsys, "fleet --json", file)
    found = facts_in(lines)
    assert code == 1 and found["silent"] == [] and not found["dispatcher"]["is_live"]


def test_without_a_broker(capsys, file, tmp_path):
    (tmp_path / "away").mkdir()
    away = Broker(tmp_path / "away")
    path = tmp_path / "away.toml"
    path.write_text(TEXT.replace("PORT", str(away.port)) + cabinet("hall1"))
    refused(capsys, 3, "the broker 127.0.0.1:.* cannot be reached", "fleet", path)


def test_a_broker_that_lets_nobody_read_the_topics(capsys, tmp_path):
    (tmp_path / "acl").write_text("topic read other\n")
    lines = f"allow_anonymous true\nacl_file {tmp_path}/acl\n"
    with Broker(tmp_path / "strict", lines=lines) as broker:
        path = tmp_path / "FLEET.toml"
        path.write_text(TEXT.replace("PORT", str(broker.port)) + cabinet("hall1"))
        code, lines, _ = run(capsys, "fleet", path)
    assert code == 1 and any(line.startswith("Note: nothing was heard: may this") for line in lines)


def test_a_wrong_file(capsys, tmp_path, file):
    refused(capsys, 2, "cannot be read: No such file", "fleet", tmp_path / "none.toml")
    (tmp_path / "FLEET.toml").write_text(TEXT.replace("PORT", "1"))
    refused(capsys, 2, "cabinet: is missing", "fleet", file)
    (tmp_path / "FLEET.toml").write_text(
        TEXT.replace("PORT", "1").replace("tls = false", "") + cabinet("hall1")
    )
    refused(capsys, 2, "broker.ca: is missing", "fleet ask --power 1kW --for 1min", file)


def test_wrong_options(capsys, file):
    refused(capsys, 2, "--watch draws on a terminal", "fleet --watch", file)
    refused(capsys, 2, "--power '1' is not allowed", "fleet ask --power 1 --for 1min", file)
    asks = "fleet ask --power 1kW --for 1min --cabinet hall9"
    refused(capsys, 2, '--cabinet "hall9": allowed hall1, hall2', asks, file)
    refused(capsys, 2, "--at '14:05' is not", "fleet ask --power 1kW --at 14:05 --for 1min", file)


class Watching:
    """`firebreak fleet --watch` on a terminal."""

    def __init__(self, file):
        self.end, own = pty.openpty()
        line = [sys.executable, "-m", "controller", "fleet", file, "--watch"]
        self.process = subprocess.Popen(line, stdin=own, stdout=own, stderr=own, cwd=ROOT)
        os.close(own)

    def until(self, words):
        seen = ""
        while words not in seen:
            assert select.select([self.end], (), (), GUARD_S)[0], seen
            seen += os.read(self.end, 65536).decode()
        return seen

    def ended(self):
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(GUARD_S)


def test_the_page_is_drawn_again(peer, file, broker):
    for name in made.NAMES:
        report(peer, name)
    watching = Watching(file)
    assert watching.until("hall8").startswith("\x1b[2J")
    report(peer, "hall4", alarm=made.FIRE, alarms=1)
    assert "R802 hall4" in watching.until("KEEP AWAY. DO NOT OPEN. CALL THE FIRE SERVICE.") + (
        watching.until("hall4:")
    )
    assert watching.ended() == 1


def test_the_page_survives_its_broker(tmp_path):
    with Broker(tmp_path / "own") as broker:
        path = tmp_path / "FLEET.toml"
        path.write_text(TEXT.replace("PORT", str(broker.port)) + cabinet("hall1"))
        with Peer(broker, ["none"]) as peer:
            peer.topics = set()
            report(peer, "hall1")
            watching = Watching(str(path))
            watching.until("running")
        broker.stop()
        watching.until("NO CONNECTION: the broker 127.0.0.1")
        broker.start()
        with Peer(broker, ["none"]) as peer:
            peer.topics = set()
            report(peer, "hall1", release="9.9.9", state="standby")
            watching.until("standby")
        assert watching.ended() == 1
