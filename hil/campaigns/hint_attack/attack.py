"""Makes bad hints from a seed, and sends them with genuine ones between them.

The forger knows the keys of the sources, so many of its bad hints have a right MAC.
"""

import os
import random
import socket
import struct
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from controller.core.base import hint_codes as h
from controller.hints import hint_statistics, wire as w
from controller.hints.client import HintClient
from controller.system import sockets
from hil.engine.rig import RigError

GENUINE_EVERY = 500
GENUINE_W = 400_000
SEND_S = 60  # guards against a hang; sending takes milliseconds
COUNTS = (
    *hint_statistics.TOTALS,
    "wrong_length",
    "wrong_magic",
    "unknown_source",
    "hellos",
    "unsent",
)
SOURCE, LESSER = "site_ems", "scheduler"  # the sources with the roles grid_cap and request
VALID_MS = 60_000
NONSENSE: tuple[dict[str, int], ...] = (
    {"kind": 0},
    {"kind": 9},
    {"quantity": 7},
    {"value_W": -1},
    {"valid_ms": 0},
    {"valid_ms": 2**32 - 1},
    {"kind": h.CAP},
    {"value_W": 2**31 - 1},
)


def import_cap(
    nonce: bytes, sequence: int, sent_ms: int, value_W: int, source: str = SOURCE
) -> w.Hint:
    """A hint that caps the import from the grid."""
    return w.Hint(
        source,
        nonce,
        sequence,
        sent_ms=sent_ms,
        kind=h.GRID_CAP,
        quantity=h.IMPORT_W_MAX,
        purpose=0,
        value_W=value_W,
        valid_ms=VALID_MS,
    )


class Forger:
    """Makes bad datagrams of KINDS from a seed."""

    def __init__(self, seed: int, keys: Mapping[str, bytes]) -> None:
        """keys: the key of each source, by its name."""
        self.random = random.Random(seed)
        self.keys = keys
        self.nonce, self.uptime_ms = bytes(8), 0
        # Each sequence counts up, so that no hint is refused only because of its sequence.
        self.sequences = dict.fromkeys(keys, 0)
        # genuine datagrams, as they were sent
        self.recorded: list[bytes] = []
        self.recorded_sequence = 0

    def note(self, welcome: w.Welcome, genuine: bytes) -> None:
        """Note overheard datagrams: the newest welcome and the genuine hint that followed it."""
        self.nonce, self.uptime_ms = welcome.nonce, welcome.uptime_ms
        self.sequences[SOURCE] = welcome.sequence + 1
        self.recorded_sequence = self.sequences[SOURCE]
        self.recorded.append(genuine)

    def make(self) -> tuple[str, bytes]:
        """The kind and the datagram of the next bad hint."""
        kind = self.random.choice(ORDER)
        return kind, KINDS[kind](self)

    def hint(self, source: str = SOURCE, **changes: Any) -> w.Hint:
        """The next hint of a source, valid except for the changes."""
        self.sequences[source] = sequence = self.sequences.get(source, 0) + 1
        plain = import_cap(
            self.nonce, sequence, self.uptime_ms, self.random.randrange(0, 10**9), source
        )
        return plain._replace(**changes)

    def signed(self, *source: str, **changes: Any) -> bytes:
        """The datagram of the source's next hint, with the source's MAC."""
        hint = self.hint(*source, **changes)
        return w.signed(hint, self.keys[hint.source])


def _flipped_bit(forger: Forger) -> bytes:
    data = bytearray(forger.signed())
    bit = forger.random.randrange(8 * len(data))
    data[bit // 8] ^= 1 << bit % 8
    return bytes(data)


def _garbage(forger: Forger) -> bytes:
    sizes = (w.HINT.size, w.HELLO.size, forger.random.randrange(300))
    return forger.random.randbytes(forger.random.choice(sizes))


KINDS: dict[str, Callable[[Forger], bytes]] = {
    "forged_mac": lambda forger: w.unsigned(forger.hint()) + forger.random.randbytes(32),
    "other_key": lambda forger: w.signed(forger.hint(), forger.keys[LESSER]),
    "flipped_bit": _flipped_bit,
    "replayed": lambda forger: forger.random.choice(forger.recorded),
    "reordered": lambda forger: forger.signed(
        sequence=forger.random.randint(0, forger.recorded_sequence)
    ),
    "late": lambda forger: forger.signed(
        sent_ms=max(0, forger.uptime_ms - forger.random.randint(60_000, 10**6))
    ),
    "early": lambda forger: forger.signed(
        sent_ms=forger.uptime_ms + forger.random.randint(600_000, 2**40)
    ),
    "other_boot": lambda forger: forger.signed(nonce=forger.random.randbytes(8)),
    "unknown_source": lambda forger: w.signed(forger.hint("stranger"), forger.keys[SOURCE]),
    "against_the_role": lambda forger: forger.signed(LESSER, quantity=h.EXPORT_W_MAX),
    "nonsense": lambda forger: forger.signed(**forger.random.choice(NONSENSE)),
    "truncated": lambda forger: forger.signed()[: forger.random.randrange(w.HINT.size)],
    "oversized": lambda forger: (
        forger.signed() + bytes(forger.random.choice([1, 88, 168, 4000, 60_000]))
    ),
    "garbage": _garbage,
}
ORDER = sorted(KINDS)


def datagram_socket(send_s: int) -> socket.socket:
    """A socket with an address for answers. Only sending blocks, for at most send_s."""
    sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    sender.bind("")
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", send_s, 0))
    return sender


def drain(connection: socket.socket, size_bytes: int) -> bytes:
    """The next datagram that has arrived, or b"" without one. Never blocks."""
    try:
        return connection.recv(size_bytes, socket.MSG_DONTWAIT)
    except BlockingIOError:
        return b""


class Attack:
    """Sends `count` bad datagrams with genuine ones between them. Read `figures` after `run`."""

    def __init__(self, directory: str, keys: Mapping[str, bytes], count: int, seed: int) -> None:
        """directory: the controller's run directory."""
        self.directory, self.keys, self.count = directory, keys, count
        self.forger = Forger(seed, keys)
        self.sent: Counter[str] = Counter()
        self.replies: Counter[str] = Counter()
        self.genuine = self.genuine_taken = 0

    def run(self) -> None:
        """Send all datagrams. Raises RigError if the controller does not answer."""
        with HintClient(self.directory) as client, datagram_socket(SEND_S) as attacker:
            for number in range(self.count):
                if number % GENUINE_EVERY == 0:
                    self._send_genuine(client)
                kind, data = self.forger.make()
                with sockets.short(os.path.join(self.directory, "hints.sock")) as name:
                    # blocks while the queue is full: the control loop sets the pace
                    attacker.sendto(data, name)
                self.sent[kind] += 1
                self._count_replies(attacker)
            self._send_genuine(client)  # the loop takes it after all the others
            self._count_replies(attacker)

    def _send_genuine(self, client: HintClient) -> None:
        welcome = client.hello(SOURCE)
        if welcome is None:
            raise RigError("the controller did not answer a hello under attack")
        hint = import_cap(welcome.nonce, welcome.sequence + 1, welcome.uptime_ms, GENUINE_W)
        reply = client.hint(hint, self.keys[SOURCE])
        self.genuine += 1
        self.genuine_taken += reply is not None and h.taken(reply.code)
        self.forger.note(welcome, w.signed(hint, self.keys[SOURCE]))

    def _count_replies(self, attacker: socket.socket) -> None:
        """Count the replies; the controller answers only authentic hints."""
        while data := drain(attacker, 256):
            reply = w.reply_of(data)
            self.replies[h.label(reply.code) if reply else "hello"] += 1

    def statistics(self) -> dict[str, Any]:
        """The controller's own counts of hints. Raises RigError."""
        counts = hint_statistics.read(os.path.join(self.directory, "hints.stats"))
        if counts is None:
            raise RigError("the controller has no counts of hints")
        return counts

    def figures(self) -> dict[str, Any]:
        """The counts of the sent hints and of the controller's answers."""
        hints = self.statistics()
        return {
            "sent": sum(self.sent.values()),
            "by_kind": dict(sorted(self.sent.items())),
            "accepted": hints["accepted"] - self.genuine_taken,
            "genuine": self.genuine,
            "genuine_accepted": self.genuine_taken,
            "replies": dict(sorted(self.replies.items())),
            "hints": {name: hints[name] for name in COUNTS},
        }
