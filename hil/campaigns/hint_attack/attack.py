"""Bad hints as fast as the controller takes them, a genuine one now and then, and what became of
them.
"""

import os
import socket
import struct
from collections import Counter

from controller.core import hint_codes as h
from controller.hints import hint_statistics
from controller.hints import wire as w
from controller.hints.client import HintClient
from controller.system import sockets
from hil.campaigns.hint_attack.forger import SOURCE, Forger, import_cap
from hil.rig import RigError

GENUINE_EVERY = 500
GENUINE_W = 400_000
SEND_S = 60  # hang guard: it takes milliseconds
TOLD = (
    *hint_statistics.TOTALS,
    "wrong_length",
    "wrong_magic",
    "unknown_source",
    "hellos",
    "unsent",
)


def datagram_socket(send_s):
    """A socket whose address the controller answers to; a sender waits so long for a full queue.

    Not by `settimeout`, which would have readers wait as well.
    """
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    made.bind("")
    made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", send_s, 0))
    return made


def drain(connection, size_bytes):
    """What waits to be read, without waiting for more."""
    try:
        return connection.recv(size_bytes, socket.MSG_DONTWAIT)
    except BlockingIOError:
        return b""


class Attack:
    """Sends `count` bad datagrams with genuine ones between; `figures` after `run`."""

    def __init__(self, directory, keys, count, seed):
        """directory: the controller's run directory."""
        self.directory, self.keys, self.count = directory, keys, count
        self.forger = Forger(seed, keys)
        self.sent, self.replies = Counter(), Counter()
        self.genuine = self.genuine_taken = 0

    def run(self):
        """RigError when the controller does not answer."""
        with HintClient(self.directory) as client, datagram_socket(SEND_S) as attacker:
            for number in range(self.count):
                if number % GENUINE_EVERY == 0:
                    self._send_genuine(client)
                kind, data = self.forger.make()
                with sockets.short(os.path.join(self.directory, "hints.sock")) as name:
                    # waits while the queue is full: the loop sets the pace
                    attacker.sendto(data, name)
                self.sent[kind] += 1
                self._count_replies(attacker)
            self._send_genuine(client)  # comes to the loop after all the others
            self._count_replies(attacker)

    def _send_genuine(self, client):
        welcome = client.hello(SOURCE)
        if welcome is None:
            raise RigError("the controller did not answer a hello under attack")
        hint = import_cap(welcome.nonce, welcome.sequence + 1, welcome.uptime_ms, GENUINE_W)
        reply = client.hint(hint, self.keys[SOURCE])
        self.genuine += 1
        self.genuine_taken += reply is not None and h.taken(reply.code)
        self.forger.note(welcome, w.signed(hint, self.keys[SOURCE]))

    def _count_replies(self, attacker):
        """Only authentic hints are answered."""
        while data := drain(attacker, 256):
            reply = w.reply_of(data)
            self.replies[h.label(reply.code) if reply else "hello"] += 1

    def figures(self):
        """What was sent and what became of it."""
        hints = hint_statistics.read(os.path.join(self.directory, "hints.stats"))
        return {
            "sent": sum(self.sent.values()),
            "by_kind": dict(sorted(self.sent.items())),
            "accepted": hints["accepted"] - self.genuine_taken,
            "genuine": self.genuine,
            "genuine_accepted": self.genuine_taken,
            "replies": dict(sorted(self.replies.items())),
            "hints": {name: hints[name] for name in TOLD},
        }
