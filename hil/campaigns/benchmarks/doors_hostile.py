"""Messages that no door may take, from a seed, in a process of their own.

`python -m hil.campaigns.benchmarks.doors_hostile DOOR COUNT SEED FOLDER` prints how many it sent and
how many looked granted. Whoever sends may all that the source may: its address, certificate and
token are good where the message is not, and the other way round.
"""

import contextlib
import json
import pathlib
import random
import ssl
import struct
import sys
from collections.abc import Callable
from typing import BinaryIO

from controller.doors.modbus.image import POINTS
from hil.campaigns.benchmarks import doors_clients as c
from hil.campaigns.benchmarks.doors_open import PORTS, SOURCES, token

SOURCE = SOURCES[0]
STRANGER = "127.0.0.2"
TOPIC = f"{c.BASE}/command/{SOURCE}/hint"
ONCE = 50  # messages of one connection, or under way
FIRST: dict[str, object] = {"id": "first", **c.hint(1000)}  # it was granted before
FIELDS: list[dict[str, object]] = [
    *[{"quantity": each} for each in ("power", "", None, ["power_W"], "grid_W", 1)],
    *[{"value_W": each} for each in (1e9, "1", True, None, 10**9 + 1, -(10**10), float("nan"))],
    *[{"valid_s": each} for each in (0, -1, 301, 1.5, "60", None)],
    *[
        {"is_exact": 1},
        {"start_in_s": -1},
        {"source": "site_ems"},
        {"mac": ""},
        {"role": "operator"},
    ],
    {"quantity": "import_W_max"},  # not of this role
]
HEADERS = [
    *("Host: localhost", "X: " + "x" * 9000, "Origin: http://evil.example"),
    *("Transfer-Encoding: chunked", "Content-Length: 1", "Expect: 100-continue\r\nHost: localhost"),
]
TARGETS = [
    "PUT /api/v1/hints",
    "POST /api/v1/../hints",
    "POST //api/v1/hints",
    "GET /api/v1/hints",
    "\0",
]


def payload(chance: random.Random, **more: object) -> bytes:
    """JSON that is no hint of this source, or no JSON. more: fields of a right one."""
    good: dict[str, object] = {**more, **c.hint(chance.randrange(-50_000, 50_000))}
    data = json.dumps(good | chance.choice(FIELDS)).encode()
    cut = json.dumps(good).encode()[: -chance.randrange(1, 60)]
    return chance.choice([data, data, cut, chance.randbytes(40), b"[" * 4000, b"x" * 5000, b"null"])


def frame(chance: random.Random) -> bytes:
    """A frame that even the master of this source may not send."""
    good, word = c.power(chance.randrange(-50_000, 50_000)), chance.randbytes(2)
    set_at, known = POINTS["704.WSet"].at, (3, 6, 16)
    return chance.choice(
        [
            c.frame(good, unit=chance.choice([0, 2, 100, 255])),
            c.frame(c.write(POINTS["701.W"].at, word)),
            c.frame(c.write(set_at, word)),
            c.frame(c.write(set_at + 1, word)),
            c.frame(c.write(set_at - 1, word + b"\0\1")),
            c.frame(good[:-1]),
            c.frame(good[:5] + b"\xff" + good[6:]),
            c.frame(c.power(0x7FFFFFFF)),
            c.frame(c.write(POINTS["704.WSetEna"].at, b"\0\2")),
            c.frame(struct.pack(">BH", chance.choice([*{*range(128)} - {*known}]), set_at) + word),
            c.frame(struct.pack(">BHH", 3, set_at, chance.choice([0, 126, 65_535]))),
        ]
    )


def modbus(chance: random.Random, folder: pathlib.Path, is_secured: bool) -> int:
    """ONCE messages of one connection. Returns how many were granted."""
    is_stranger = not is_secured and chance.random() < 0.5
    if is_secured:
        _foreign(chance, folder)
    address = STRANGER if is_stranger else "127.0.0.1"
    made = c.connected(PORTS["tls" if is_secured else "modbus"], address)
    if is_secured:
        made = c.tls(folder, SOURCE).wrap_socket(made, server_hostname="127.0.0.1")
    with made:
        file, granted = made.makefile("rb"), 0
        for number in range(ONCE - 1):
            made.sendall(c.frame(c.power(number)) if is_stranger else frame(chance))
            granted += not c.answer(file)[0] & c.REFUSED
        made.sendall(c.frame(c.power(1), protocol=chance.choice([1, 255])))
        return granted


def _foreign(chance: random.Random, folder: pathlib.Path) -> None:
    """A certificate of nobody, none, or no TLS: a good write must get no answer."""
    context = ssl.create_default_context(cafile=folder / "site.crt")
    if chance.random() < 0.5:
        context.load_cert_chain(folder / "foreign.crt", folder / "foreign.pem")
    with contextlib.suppress(OSError, ConnectionError):
        with context.wrap_socket(c.connected(PORTS["tls"]), server_hostname="127.0.0.1") as made:
            made.sendall(c.frame(c.power(1000)))
            c.answer(made.makefile("rb"))
            raise SystemExit("a foreign certificate has had an answer")


def http(chance: random.Random) -> int:
    """One request. Returns 1 if it was granted."""
    good = json.dumps(c.hint(chance.randrange(-50_000, 50_000))).encode()
    target, more, body, key = "POST /api/v1/hints", "X: y", good, token(SOURCE)
    match chance.randrange(5):
        case 0:
            key = chance.choice(
                [chance.randbytes(20).hex(), key[:-1], key + "-", token("nobody"), ""]
            )
        case 1:
            target += f"?token={key}"
        case 2:
            target = chance.choice(TARGETS)
        case 3:
            more = chance.choice(HEADERS)
        case _:
            body = payload(chance)
    lines = [f"{target} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}", more]
    lines += [f"Authorization: Bearer {key}", "\r\n"]
    found = b""
    with contextlib.closing(c.connected(PORTS["http"])) as link:
        with contextlib.suppress(ConnectionError):
            link.sendall("\r\n".join(lines).encode() + body)
            while b"\r\n\r\n" not in found and (data := link.recv(65_536)):
                found += data
    return found.startswith(b"HTTP/1.1 200")


def mqtt(chance: random.Random, file: BinaryIO, send: Callable[[bytes], None]) -> int:
    """ONCE messages under way. Returns 0: what is granted, the loop knows."""
    for number in range(1, ONCE + 1):
        name = str(chance.random())
        good = json.dumps({"id": name, **c.hint(5000)}).encode()
        wrong = payload(chance, id=name), chance.choice([0, 8])
        said = chance.choice([wrong, wrong, (good, 1), (json.dumps(FIRST).encode(), 8)])
        send(c.publish(TOPIC, said[0], number, said[1]))
    for _ in range(ONCE):
        c.read(file)
    return 0


def main(door: str, count: int, seed: int, folder: pathlib.Path) -> None:
    """Send at least so many, print {sent, granted}."""
    chance, sent, granted = random.Random(seed), 0, 0
    with contextlib.closing(c.connected(PORTS["mqtt"])) as broker:
        file = broker.makefile("rb")
        broker.sendall(c.opening("hostile", ["nothing"]))
        for _ in range(2):
            c.read(file)
        while sent < count:
            if door == "HTTP":
                granted += http(chance)
            elif door == "MQTT":
                granted += mqtt(chance, file, broker.sendall)
            else:
                granted += modbus(chance, folder, door != "Modbus")
            sent += 1 if door == "HTTP" else ONCE
    print(json.dumps({"sent": sent, "granted": granted}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), pathlib.Path(sys.argv[4]))
