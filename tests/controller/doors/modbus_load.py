"""A benchmark of an open Modbus door, no test:

python tests/controller/doors/modbus_load.py PORT PID [CLIENTS [SECONDS]]

Each client reads all registers and writes its heartbeat once a second. PID: of the door.
"""

import asyncio
import struct
import sys
import time
from pathlib import Path

FIRST, REGISTERS, HEARTBEAT = 40000, 428, 40358


def used_s(pid):
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / 100


def resident_kB(pid):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


async def client(port, number, clients, seconds, times_s, refused):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await asyncio.sleep(number / clients)
    end_s, transaction = time.monotonic() + seconds, 0
    while (round_s := time.monotonic()) < end_s:
        reads = [(at, min(125, REGISTERS - at)) for at in range(0, REGISTERS, 125)]
        pdus = [struct.pack(">BHH", 3, FIRST + at, count) for at, count in reads]
        pdus.append(struct.pack(">BHHBI", 16, HEARTBEAT, 2, 4, int(round_s)))
        for pdu in pdus:
            transaction += 1
            began_s = time.monotonic()
            writer.write(struct.pack(">HHHB", transaction, 0, len(pdu) + 1, 1) + pdu)
            head = await asyncio.wait_for(reader.readexactly(7), 10)
            answer = await reader.readexactly(struct.unpack(">H", head[4:6])[0] - 1)
            assert struct.unpack(">H", head[:2])[0] == transaction
            times_s[pdu[0]].append(time.monotonic() - began_s)
            refused[0] += answer[0] > 0x80
        await asyncio.sleep(max(0, round_s + 1 - time.monotonic()))
    writer.close()


async def main(port, pid, clients=50, seconds=20):
    used, began_s, times_s, refused = used_s(pid), time.monotonic(), {3: [], 16: []}, [0]
    await asyncio.gather(
        *[client(port, each, clients, seconds, times_s, refused) for each in range(clients)]
    )
    spent_s = time.monotonic() - began_s
    for function, found in times_s.items():
        found.sort()
        p50, p99 = [found[len(found) * part // 100] * 1000 for part in (50, 99)]
        print(f"function {function}: {len(found)} requests, p50 {p50:.1f} ms, p99 {p99:.1f} ms")
    share = (used_s(pid) - used) / spent_s * 100
    print(f"{share:.1f} % of a core, {resident_kB(pid) / 1024:.1f} MiB, {refused[0]} refused")


if __name__ == "__main__":
    asyncio.run(main(*[int(word) for word in sys.argv[1:]]))
