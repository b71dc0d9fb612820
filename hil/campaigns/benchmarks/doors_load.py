"""Load of `bench doors` in its own process: 50 masters at 1 Hz, 50 MQTT clients, 20 streams.

`python -m hil.campaigns.benchmarks.doors_load SECONDS FOLDER` prints the results as JSON. A client
connects again if its server has gone.
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
from hil.campaigns.benchmarks.doors_open import HOST, PORTS, SOURCES

MASTERS, SECURED, LISTENERS, STREAMS = 40, 10, 50, 20
READS = [
    struct.pack(">BHH", 3, FIRST + offset, min(125, REGISTERS - offset))
    for offset in range(0, REGISTERS, 125)
]
BEAT_S = 10.0  # period of each MQTT client's heartbeat: 300 a minute together
AGAIN_S = 0.5
GET = b"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n"
Work = Callable[[int, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
counts: Counter[str] = Counter()
times_ms: list[float] = []


async def again(work: Work, number: int, port: str, tls: ssl.SSLContext | None = None) -> None:
    """Run one client; connect again after each loss."""
    while True:
        await asyncio.sleep(AGAIN_S + number / 50)
        try:
            reader, writer = await asyncio.open_connection(HOST, PORTS[port], ssl=tls)
            try:
                await work(number, reader, writer)
            finally:
                writer.close()
        except (OSError, EOFError):
            counts["lost"] += 1


async def master(_: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read all registers and write the heartbeat, once a second."""
    while True:
        began_ns = timing.now_ns()
        beat = struct.pack(">I", began_ns // 1_000_000_000 % 2**31)
        for pdu in [*READS, c.write(POINTS["715.ControllerHb"].at, beat)]:
            sent_ns = timing.now_ns()
            writer.write(c.frame(pdu))
            head = await reader.readexactly(7)
            reply = await reader.readexactly(struct.unpack(">HHHB", head)[2] - 1)
            times_ms.append((timing.now_ns() - sent_ns) / 1e6)
            counts["Modbus refused" if reply[0] & c.REFUSED else "Modbus requests"] += 1
        await asyncio.sleep(max(0.0, 1 - (timing.now_ns() - began_ns) / 1e9))


async def listener(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Listen to every topic, and send a heartbeat each BEAT_S."""
    writer.write(c.opening(f"load{number}", f"{c.BASE}/#"))
    due_ns = timing.now_ns() + round(
        number / LISTENERS * BEAT_S * 1e9
    )  # spread, because the loop accepts 10 hints a second
    while data := await reader.read(65_536):
        counts["MQTT bytes"] += len(data)
        if timing.now_ns() >= due_ns:
            due_ns = timing.now_ns() + round(BEAT_S * 1e9)
            beat = {"id": f"{number}.{due_ns}", "quantity": "heartbeat", "valid_s": 60}
            writer.write(c.publish(SOURCES[0], json.dumps(beat).encode()))


async def stream(_: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read server-sent events."""
    writer.write(GET)
    while line := await reader.readline():
        counts["HTTP events"] += line.startswith(b"event: ")


async def main(seconds: float, folder: pathlib.Path) -> None:
    """Run all clients for this time."""
    secured = "tls", c.tls(folder, SOURCES[0])
    calls = [again(master, number, "modbus") for number in range(MASTERS)]
    calls += [again(master, number, *secured) for number in range(SECURED)]
    calls += [again(listener, number, "mqtt") for number in range(LISTENERS)]
    calls += [again(stream, number, "http") for number in range(STREAMS)]
    tasks = [asyncio.create_task(call) for call in calls]
    await asyncio.wait(tasks, timeout=seconds)
    taken = [percentile(times_ms, permille) for permille in (500, 990) if times_ms]
    percentiles_ms = dict(zip(("Modbus p50 ms", "Modbus p99 ms"), [round(ms, 1) for ms in taken]))
    print(json.dumps({**counts, **percentiles_ms}), flush=True)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]), pathlib.Path(sys.argv[2])))
