"""A port scan of the doors' process finds what `firebreak doors check` says, and nothing else."""

import asyncio
import importlib
import os
import socket

import pytest

from controller.doors import exposure, settings
from controller.doors.process import House
from hil.engine import process_sockets
from tests.certificates import certificates
from tests.controller.doors.doors_site import written

pytestmark = pytest.mark.wire
TABLES = """
[mqtt.plant]
host = "127.0.0.1"
port = {0}
tls = false
cabinet = "cab1"
sources = ["scheduler"]
[http.page]
port = {1}
[http.six]
listen = "::1"
port = {2}
[modbus.plant]
port = {3}
[modbus.secured]
port = {4}
certificate = "{6}/door.crt"
certificate_key = "{6}/door.key"
client_authority = "{6}/site.crt"
[alarms.night]
server = "127.0.0.1:{5}"
tls = "none"
from = "box@site.example"
to = ["desk@site.example"]
"""


def test_the_sockets_of_the_doors_are_those_of_the_table(tmp_path):
    """The broker of this test takes connections and says nothing."""
    numbers = free_ports(6)
    found = settings.load(written(tmp_path / "doors", TABLES.format(*numbers, certificates())))
    house = House(found, *[str(tmp_path / name) for name in ("run", "state", "own")])
    table = {
        way: {row.place for row in exposure.of(found) if row.way == way}
        for way in (exposure.LISTENS, exposure.CONNECTS)
    }
    with socket.create_server(("127.0.0.1", numbers[0])):
        before, after = (
            process_sockets.places(os.getpid()),
            asyncio.run(opened(house, len(numbers) - 2)),
        )
    assert after.listens - before.listens == table[exposure.LISTENS]
    # a letter is sent only when there is an alarm
    assert after.connects - before.connects == table[exposure.CONNECTS] - {
        f"127.0.0.1:{numbers[-1]}"
    }


def free_ports(count):
    """Ports that were free together on both loopback addresses."""
    held = [socket.create_server(("::", 0), family=socket.AF_INET6) for _ in range(count)]
    numbers = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return numbers


async def opened(house, wanted):
    """process_sockets.Places once all doors of a house are open."""
    tasks = [
        asyncio.create_task(importlib.import_module(name).Door(house, *given).run())
        for kind, doors in house.settings.doors.items()
        for given in doors.items()
        for name in [f"controller.doors.{kind}.door"]
    ]
    before = process_sockets.places(os.getpid())
    while True:
        found = process_sockets.places(os.getpid())
        if len(found.listens - before.listens) >= wanted and found.connects - before.connects:
            break
        assert not [task for task in tasks if task.done()], tasks
        await asyncio.sleep(0.01)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return found
