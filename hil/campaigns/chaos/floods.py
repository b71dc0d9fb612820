"""Makes floods of CAN frames, hints, commands and files from a seed, in turns.

A thread (course.Background) takes the turns. `sent` counts messages, files or bytes.
"""

import contextlib
import itertools
import json
import os
import socket
import struct
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from random import Random

from fastcrc.crc8 import sae_j1850 as crc8

from controller.core.base import hint_codes as h
from controller.hints import wire as w
from controller.hints.client import HintClient
from controller.run import operator_commands
from controller.system import sockets
from hil.campaigns.course import Turns
from hil.campaigns.hint_attack.attack import SOURCE, Attack, datagram_socket, drain, import_cap
from hil.campaigns.vm.slcan import connect
from hil.devices.native_bms import NODE_STRIDE, crc_of_id
from hil.engine.rig import RigError

# Send CAN_FRAMES every CAN_PACE_S: 3000 frames/s of 8 bytes, each 0.27 ms at 500 kbit/s. With the 8
# % of the BMSs, the bus is 90 % busy.
CAN_PACE_S, CAN_FRAMES = 0.01, 30
CONNECTIONS = 24  # one and a half times as many as a gateway accepts
SEND_S, STANDARD_ID_MAX = 5, 0x7FF
Frames = Iterator[tuple[int, bytes]]  # (id, data)


def can(channel: str, seed: int, frames: Callable[[Random], Frames]) -> Turns:
    """A CAN node that sends without end. channel: host:port/name of the rig's CAN server."""
    drawn_frames = frames(Random(seed))
    with connect(channel) as connection:
        limit = struct.pack("ll", SEND_S, 0)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        while True:
            connection.sendall(b"".join(_line(*next(drawn_frames)) for _ in range(CAN_FRAMES)))
            drain(connection, 1 << 16)
            yield {"sent": CAN_FRAMES}, CAN_PACE_S


def _line(can_id: int, data: bytes) -> bytes:
    digits = 8 if can_id > STANDARD_ID_MAX else 3
    return b"< send %0*X %d %s >" % (digits, can_id, len(data), data.hex(" ").encode())


def unknown_frames(rng: Random) -> Frames:
    """Frames of unused standard ids above those of every BMS."""
    while True:
        yield rng.randrange(0x400, 0x800), rng.randbytes(8)


def _id_of_a_rack(rng: Random) -> int:
    return 0x100 + NODE_STRIDE * rng.randint(1, 3) + rng.randrange(9)


def spoiled_frames(rng: Random) -> Frames:
    """Frames of the racks' ids with a wrong CRC."""
    while True:
        can_id = _id_of_a_rack(rng)
        body = rng.randbytes(7)
        # the right CRC with all bits inverted
        yield can_id, body + bytes((crc8(body, crc_of_id(can_id)) ^ 0xFF,))


def malformed_frames(rng: Random) -> Frames:
    """Frames of the racks' ids with a wrong length, and of 29-bit ids that end in the racks'
    ids.
    """
    while True:
        can_id = _id_of_a_rack(rng)
        yield rng.choice(
            (
                (can_id, rng.randbytes(rng.randrange(8))),
                (can_id | rng.randrange(1, 1 << 18) << 11, rng.randbytes(8)),
            )
        )


FRAMES = {"unknown": unknown_frames, "spoiled": spoiled_frames, "malformed": malformed_frames}


def _send(sender: socket.socket, path: str, data: bytes) -> None:
    """Send to a socket of the controller. Blocks while its queue is full."""
    with sockets.short(path) as name:
        sender.sendto(data, name)


def senseless_commands(run_directory: str, seed: int) -> Turns:
    """Commands without effect: resets of wrong causes, unknown commands, random bytes."""
    rng, path = Random(seed), os.path.join(run_directory, "command.sock")
    with datagram_socket(SEND_S) as sender:
        while True:
            _send(sender, path, senseless_command(rng))
            while drain(sender, 16):
                pass
            yield {"sent": 1}, 0


def senseless_command(rng: Random) -> bytes:
    """A datagram that the controller must not obey: its number, then a command."""
    command = rng.choice((operator_commands.REMOTE_RESET, operator_commands.KEY_RESET, 0, 6, 255))
    first_outs, masks = (0, 100), (1, 2**30)
    causes = [rng.randrange(*numbers) for numbers in (first_outs, masks) * 2]
    return rng.randbytes(operator_commands.NONCE.size) + rng.choice(
        (
            operator_commands.REQUEST.pack(operator_commands.MAGIC, command, *causes),
            operator_commands.REQUEST.pack(b"FBC0", operator_commands.STOP, -1, 0, -1, 0),
            rng.randbytes(rng.randrange(200)),
        )
    )


def valid_hints(run_directory: str, key: bytes) -> Turns:
    """Hints of a faulty source: their MAC and sequence are right, but they are far above its
    quota.
    """
    path, sequence = os.path.join(run_directory, "hints.sock"), 0
    welcome: w.Welcome | None = None
    with datagram_socket(SEND_S) as sender:
        for number in itertools.count():
            if number % 200 == 0:
                with HintClient(run_directory) as client:
                    welcome = client.hello(SOURCE) or welcome
            if welcome is None:
                raise RigError("the controller did not answer a hello")
            sequence = max(sequence, welcome.sequence) + 1
            hint = import_cap(welcome.nonce, sequence, welcome.uptime_ms, 400_000)
            _send(sender, path, w.signed(hint, key))
            counts = Counter(sent=1)
            while data := drain(sender, 256):
                reply = w.reply_of(data, key)
                counts["taken" if reply and h.taken(reply.code) else "refused"] += 1
            yield counts, 0


def bad_hints(run_directory: str, keys: Mapping[str, bytes], seed: int) -> Turns:
    """The bad hints of hint_attack, with genuine hints between them."""
    # A turn takes a second, so that the genuine hints stay below their quota.
    attack = Attack(run_directory, keys, 400, seed)
    before = Counter[str]()
    accepted = attack.statistics()["accepted"]
    while True:
        attack.run()
        now = Counter(
            sent=sum(attack.sent.values()),
            accepted=attack.statistics()["accepted"] - accepted,
            genuine=attack.genuine,
            taken=attack.genuine_taken,
        )
        yield now - before, 0
        before = now


def gateway(path: str, seed: int) -> Turns:
    """More connections than the gateway accepts. Each sends random bytes and reads nothing."""
    rng, connections = Random(seed), [_connected(path) for _ in range(CONNECTIONS)]
    try:
        while True:
            counts = Counter[str]()
            for place, connection in enumerate(connections):
                try:
                    counts["sent"] += connection.send(senseless_bytes(rng))
                except BlockingIOError:
                    continue
                except OSError:  # the gateway has closed the connection or is too slow
                    connection.close()
                    connections[place] = _connected(path)
            yield counts, 0
    finally:
        for connection in connections:
            connection.close()


def _connected(path: str) -> socket.socket:
    """A new connection, or an unconnected socket if the gateway accepts none now."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    with contextlib.suppress(OSError), sockets.short(path) as name:
        connection.connect(name)
    return connection


def senseless_bytes(rng: Random) -> bytes:
    """Bytes without a valid hint: fragments, random bytes, unsigned hints."""
    hint = {
        "source": SOURCE,
        "quantity": "charge_W_max",
        "value_W": 1000,
        "valid_ms": 5000,
        "nonce": rng.randbytes(w.NONCE_BYTES).hex(),
        "mac": rng.randbytes(w.MAC_BYTES).hex(),
        "sequence": rng.randrange(1 << 32),
        "sent_ms": rng.randrange(1 << 32),
    }
    hint_text = json.dumps(hint).encode()
    return rng.choice(
        (
            json.dumps({"hello": SOURCE}).encode() + b"\n",
            hint_text + b"\n",
            hint_text[: rng.randrange(1, 40)],
            b"[" * 5000 + b"\n",
            rng.randbytes(rng.randrange(1, 4000)),
        )
    )


def inodes(directory: str) -> Turns:
    """Use up all inodes of the folder's file system. Remove the files at the end."""
    paths: list[str] = []
    try:
        while True:
            counts = Counter[str]()
            with contextlib.suppress(OSError):  # ENOSPC: no inode is left, as intended
                while True:
                    path = os.path.join(directory, f"filling.{len(paths)}")
                    os.close(os.open(path, os.O_CREAT | os.O_EXCL))
                    paths.append(path)
                    counts["sent"] += 1
            yield counts, 0.05
    finally:
        for path in paths:
            os.unlink(path)


def filling(directory: str) -> Turns:
    """Keep the folder's file system full, even after others delete files. Empty it at the end."""
    path = os.path.join(directory, "filling")
    with open(path, "wb", buffering=0) as file:
        try:
            while True:
                counts = Counter[str]()
                with contextlib.suppress(OSError):  # ENOSPC: full, as intended
                    while True:
                        counts["sent"] += file.write(bytes(1 << 16))
                yield counts, 0.05
        finally:
            os.unlink(path)
