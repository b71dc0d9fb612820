"""Messages that no door may take, from a seed, in a process of their own.

`python -m hil.campaigns.benchmarks.doors_hostile DOOR COUNT SEED FOLDER` prints how many it sent,
and how many looked granted. Either the message is wrong and the sender right, with the address, the
certificate or the token of a source, or the other way round.
"""

import contextlib
import json
import pathlib
import random
import struct
import sys
from typing import Any

from controller.doors.modbus.image import POINTS
from hil.campaigns.benchmarks import doors_clients as c
from hil.campaigns.benchmarks.doors_open import HOST, SOURCES, token

SOURCE, STRANGER = SOURCES[0], "127.0.0.2"
ONCE = 50  # messages of one connection, or under way
FIRST: dict[str, Any] = {"id": "first", **c.hint(1000)}  # it was granted before
FIELDS: list[dict[str, Any]] = [
    *[{"quantity": each} for each in ("power", "", None, ["power_W"], 1, "import_W_max")],
    *[{"value_W": each} for each in (0.5, "1", True, None, 10**9 + 1, -(10**10), float("nan"))],
    *[{"valid_s": each} for each in (0, -1, 301, 1.5, "60", None)],
    *[{name: value} for name, value in (("is_exact", 1), ("start_in_s", -1), ("mac", ""))],
]
TARGETS = ["PUT /api/v1/hints", "POST /api/v1/../hints", "POST //api/v1/hints", "GET /", "\0"]
HEADERS = [
    *("Host: localhost", "X: " + "x" * 9000, "Origin: http://evil.example", "Content-Length: 1"),
    "Transfer-Encoding: chunked",
]


def payload(chance: random.Random, **more: object) -> bytes:
    """JSON that is no hint of this source, or no JSON. more: fields of a right one."""
    good = {**more, **c.hint(chance.randrange(-50_000, 50_000))}
    data, cut = (json.dumps(each).encode() for each in (good | chance.choice(FIELDS), good))
    noise = [cut[: -chance.randrange(1, 60)], chance.randbytes(40), b"[" * 4000, b"x" * 5000]
    return chance.choice([data, data, *noise])


def frame(chance: random.Random) -> bytes:
    """A frame that even the master of this source may not send."""
    good, word = c.power(chance.randrange(-50_000, 50_000)), chance.randbytes(2)
    at, other = POINTS["704.WSet"].at, chance.choice([*{*range(128)} - {3, 6, 16}])
    unit, count = chance.choice([2, 100, 247, 254]), chance.choice([0, 126, 65_535])
    halves = [c.write(at, word), c.write(at + 1, word), c.write(at - 1, word + b"\0\1")]
    values = [c.power(0x7FFFFFFF), c.write(POINTS["704.WSetEna"].at, b"\0\2")]
    shapes = [good[:-1], good[:5] + b"\xff" + good[6:], struct.pack(">BHH", 3, at, count)]
    wrong = [*halves, *values, *shapes, c.write(POINTS["701.W"].at, word), bytes((other,)) + word]
    return chance.choice([c.frame(good, unit), *map(c.frame, wrong)])


def modbus(chance: random.Random, folder: pathlib.Path, is_secured: bool) -> int:
    """ONCE messages of one connection, the last of which ends it. How many were granted."""
    granted, is_stranger = 0, not is_secured and chance.random() < 0.5
    if is_secured:
        granted += _foreign(chance, folder)
    where = "tls" if is_secured else "modbus", STRANGER if is_stranger else HOST
    with c.connected(*where, c.tls(folder, SOURCE) if is_secured else None) as made:
        file = made.makefile("rb")
        for number in range(ONCE - 1):
            made.sendall(c.frame(c.power(number)) if is_stranger else frame(chance))
            granted += not c.answer(file)[0] & c.REFUSED
        made.sendall(c.frame(c.power(1), protocol=chance.choice([1, 255])))
        return granted


def _foreign(chance: random.Random, folder: pathlib.Path) -> int:
    """A good write without TLS, or by a certificate of nobody, or none: it must get no answer."""
    context = chance.choice([None, c.tls(folder, None), c.tls(folder, "foreign")])
    with contextlib.suppress(OSError), c.connected("tls", HOST, context) as made:
        made.sendall(c.frame(c.power(1000)))
        return c.answer(made.makefile("rb"))[0] == 16
    return 0


def http(chance: random.Random) -> int:
    """One request. Returns 1 if it was granted."""
    body, key = json.dumps(c.hint(chance.randrange(-50_000, 50_000))).encode(), token(SOURCE)
    target, more, kind = "POST /api/v1/hints", "X: y", chance.randrange(5)
    if kind == 0:
        key = chance.choice([chance.randbytes(20).hex(), key[:-1], key + "-", token("x"), ""])
    elif kind == 1:
        target += f"?token={key}"
    elif kind == 2:
        target = chance.choice(TARGETS)
    elif kind == 3:
        more = chance.choice(HEADERS)
    else:
        body = payload(chance)
    lines = [f"{target} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}", more]
    data, found = "\r\n".join([*lines, f"Authorization: Bearer {key}", "\r\n"]).encode() + body, b""
    with c.connected("http") as link, contextlib.suppress(ConnectionError):
        link.sendall(data)
        while b"\r\n\r\n" not in found and (part := link.recv(65_536)):
            found += part
    return found.startswith(b"HTTP/1.1 200")


def mqtt(chance: random.Random) -> int:
    """ONCE messages under way on one connection. Returns 0: what is granted, the loop knows."""
    with c.connected("mqtt") as link:
        file, first = c.opened(link, "hostile", "nothing"), json.dumps(FIRST).encode()
        for number in range(1, ONCE + 1):
            name = str(chance.random())
            wrong = payload(chance, id=name), chance.choice([0, 8])
            retained = json.dumps({"id": name, **c.hint(5000)}).encode(), 1
            data, flags = chance.choice([wrong, wrong, retained, (first, 8)])
            link.sendall(c.publish(SOURCE, data, number, flags))
        for _ in range(ONCE):
            c.read(file)
    return 0


def main(door: str, count: int, seed: int, folder: pathlib.Path) -> None:
    """Send at least so many, print {sent, granted}."""
    chance, sent, granted = random.Random(seed), 0, 0
    while sent < count:
        if door == "HTTP":
            granted += http(chance)
        else:
            is_modbus = door.startswith("Modbus")
            granted += modbus(chance, folder, door != "Modbus") if is_modbus else mqtt(chance)
        sent += 1 if door == "HTTP" else ONCE
    print(json.dumps({"sent": sent, "granted": granted}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), pathlib.Path(sys.argv[4]))
