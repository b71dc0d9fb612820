"""The load of `bench doors` in a process of its own: 50 masters at 1 Hz, 50 MQTT clients, 20 streams.

`python -m hil.campaigns.benchmarks.doors_load SECONDS FOLDER` prints what it got, as JSON. A client
whose door has gone comes again.
"""

import asyncio
import json
import pathlib
import ssl
import struct
import sys
from collections import Counter
from collections.abc import Awaitable, Callable

from controller.doors.modbus.image import POINTS, REGISTERS
from controller.doors.modbus.points import BASE as FIRST
from hil.campaigns.benchmarks import doors_clients as c, timing
from hil.campaigns.benchmarks.document import percentile
from hil.campaigns.benchmarks.doors_open import ADDRESSES, PORTS, SOURCES

MASTERS, SECURED, LISTENERS, STREAMS = 40, 10, 50, 20
READS = [struct.pack(">BHH", 3, FIRST + at, min(125, REGISTERS - at)) for at in range(0, 428, 125)]
BEAT_S = 10.0  # of each MQTT client's heartbeat: 300 a minute in all
AGAIN_S = 0.5
GET = b"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n"
Work = Callable[["Load", int, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Load:
    """`counts` of what came; times_ms of Modbus requests."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.times_ms: list[float] = []

    async def again(self, work: Work, number: int, port: int, tls: ssl.SSLContext | None) -> None:
        """One client, for ever."""
        address = ADDRESSES[SOURCES[0]], 0
        while True:
            await asyncio.sleep(AGAIN_S + number / 50)
            try:
                pair = await asyncio.open_connection("127.0.0.1", port, ssl=tls, local_addr=address)
                try:
                    await work(self, number, *pair)
                finally:
                    pair[1].close()
            except (OSError, EOFError):
                self.counts["lost"] += 1


async def master(
    load: Load, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Reads all registers and writes its heartbeat once a second."""
    beats = 0
    while True:
        began_ns, beats = timing.now_ns(), beats + 1
        beat = c.write(POINTS["715.ControllerHb"].at, struct.pack(">I", beats))
        for pdu in [*READS, beat]:
            sent_ns = timing.now_ns()
            writer.write(c.frame(pdu))
            head = await reader.readexactly(7)
            found = await reader.readexactly(struct.unpack(">HHHB", head)[2] - 1)
            load.times_ms.append((timing.now_ns() - sent_ns) / 1e6)
            load.counts["Modbus refused" if found[0] & c.REFUSED else "Modbus requests"] += 1
        await asyncio.sleep(max(0.0, 1 - (timing.now_ns() - began_ns) / 1e9))


async def listener(
    load: Load, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Hears every topic, and sends a heartbeat now and then."""
    writer.write(c.opening(f"load{number}", [f"{c.BASE}/#"]))
    beat = asyncio.create_task(_beats(number, writer))
    try:
        while data := await reader.read(65_536):
            load.counts["MQTT bytes"] += len(data)
    finally:
        beat.cancel()


async def _beats(number: int, writer: asyncio.StreamWriter) -> None:
    while True:
        await asyncio.sleep(BEAT_S)
        name = f"{number}.{timing.now_ns()}"
        beat = {"id": name, "quantity": "heartbeat", "valid_s": c.VALID_S}
        writer.write(c.publish(f"{c.BASE}/command/{SOURCES[0]}/hint", json.dumps(beat).encode()))


async def stream(
    load: Load, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Reads server-sent events."""
    writer.write(GET)
    while line := await reader.readline():
        load.counts["HTTP events"] += line.startswith(b"event: ")


async def main(seconds: float, folder: pathlib.Path) -> None:
    """Run for so long."""
    load, context = Load(), c.tls(folder, SOURCES[0])
    kinds = [(master, MASTERS, PORTS["modbus"], None), (master, SECURED, PORTS["tls"], context)]
    kinds += [(listener, LISTENERS, PORTS["mqtt"], None), (stream, STREAMS, PORTS["http"], None)]
    tasks = [
        asyncio.create_task(load.again(work, number, port, tls))
        for work, count, port, tls in kinds
        for number in range(count)
    ]
    await asyncio.wait(tasks, timeout=seconds)
    found = {
        f"Modbus {name}, ms": round(percentile(load.times_ms, permille), 1)
        for name, permille in (("p50", 500), ("p99", 990))
        if load.times_ms
    }
    print(json.dumps({**load.counts, **found}), flush=True)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]), pathlib.Path(sys.argv[2])))
