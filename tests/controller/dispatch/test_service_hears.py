"""The dispatcher before a real broker: it hears live reports, sent with retain."""

import asyncio
import json

import fleet_messages as made
import pytest

from controller.dispatch import fleet, service
from tests.controller.doors.mqtt_site import GUARD_S, Broker, Peer

pytestmark = pytest.mark.wire
TEXT = """[fleet]
connection_W = 4_000_000
[broker]
host = "127.0.0.1"
port = PORT
tls = false
protocol = "PROTOCOL"
[cabinet.hall1]
key = "one.key"
fallback_W = 200_000
"""


def loaded(folder, broker, protocol):
    (folder / "one.key").write_text("ab" * 32)
    (folder / "one.key").chmod(0o600)
    text = TEXT.replace("PORT", str(broker.port)).replace("PROTOCOL", protocol)
    (folder / "FLEET.toml").write_text(text)
    return fleet.load(str(folder / "FLEET.toml"))


async def state_of(found, folder, peer, is_right):
    """The first state of the dispatcher that is right; a report is published before each look."""
    task = asyncio.create_task(service.Service(found, str(folder / "epoch.json"), False, ()).run())
    while True:
        peer.client.publish("firebreak/hall1/report", json.dumps(made.report()), 1, True)
        _, payload, _ = await asyncio.to_thread(peer.got.get, timeout=GUARD_S)
        if is_right(json.loads(payload)):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            return json.loads(payload)


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_report_with_retain_is_heard(tmp_path, monkeypatch, protocol):
    monkeypatch.setattr(service, "GREET_US", 100_000)
    monkeypatch.setattr(service, "STATE_US", 100_000)
    with Broker(tmp_path / "broker") as broker, Peer(broker, [made.STATE_TOPIC]) as peer:
        found = loaded(tmp_path, broker, protocol)
        is_right = lambda state: state["counts"].get("reports", 0) >= 3  # noqa: E731
        state = asyncio.run(state_of(found, tmp_path, peer, is_right))
    assert state["cabinets"]["hall1"]["is_live"]
    assert state["utc_us"] > 1_700_000_000_000_000
