"""Senders that flood: CAN frames at the rate of a full bus, hints and commands as fast as the
controller takes them.

Each floods from a thread of its own between enter and exit; `sent` counts. All of it comes from a
seed.
"""

import os
import random
import socket
import struct
from collections import Counter

from controller.core import hint_codes as h
from controller.hints import hint_statistics
from controller.hints import wire as w
from controller.hints.client import HintClient
from controller.run import operator_commands
from controller.system import sockets
from hil.campaigns.course import Flood
from hil.campaigns.hint_attack.attack import SOURCE, Attack, datagram_socket, drain, import_cap
from hil.campaigns.vm.slcan import connect
from hil.devices.native_bms import NODE_STRIDE, crc8

# 3000 frames/s of 8 bytes, 0.27 ms each at 500 kbit/s: with the BMS's own 8 % the bus is 90 % busy
CAN_PACE_S, CAN_FRAMES = 0.01, 30
SEND_S = 5


class CanFlood(Flood):
    """A CAN node that sends without end. frames(random) yields (id, data)."""

    def __init__(self, channel, seed, frames):
        """channel: host:port/name of the rig's CAN server."""
        super().__init__()
        self._channel, self._frames = channel, frames(random.Random(seed))

    def _begin(self):
        self._socket = connect(self._channel)
        wait = struct.pack("ll", SEND_S, 0)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, wait)

    def _turn(self):
        lines = [_line(*next(self._frames)) for _ in range(CAN_FRAMES)]
        self._socket.sendall(b"".join(lines))
        self.sent += len(lines)
        drain(self._socket, 1 << 16)
        self._over.wait(CAN_PACE_S)

    def _finish(self):
        self._socket.close()


def _line(can_id, data):
    return b"< send %03X %d %s >" % (can_id, len(data), data.hex(" ").encode())


def unknown_frames(draw):
    """Frames that no device uses: standard ids above those of every BMS."""
    while True:
        yield draw.randrange(0x400, 0x800), draw.randbytes(8)


def spoiled_frames(draw):
    """Frames of the racks' own ids whose CRC is wrong."""
    while True:
        can_id = 0x100 + NODE_STRIDE * draw.randint(1, 3) + draw.randrange(9)
        body = draw.randbytes(7)
        # the right CRC is this one with every bit inverted
        yield can_id, body + bytes((crc8(body, crc8((can_id & 255, can_id >> 8))),))


class Datagrams(Flood):
    """Sends to one of the controller's sockets as fast as its queue takes them."""

    def __init__(self, path):
        super().__init__()
        self._path = path

    def _begin(self):
        self._socket = datagram_socket(SEND_S)

    def _send(self, data):
        with sockets.short(self._path) as name:
            self._socket.sendto(data, name)
        self.sent += 1

    def _finish(self):
        self._socket.close()


class CommandFlood(Datagrams):
    """Resets of something else than what stands, unknown commands, garbage of every length; never
    one that acts.
    """

    words = "{} commands sent"

    def __init__(self, run_directory, seed):
        super().__init__(os.path.join(run_directory, "command.sock"))
        self._random = random.Random(seed)

    def _turn(self):
        self._send(senseless_command(self._random))
        while drain(self._socket, 16):
            pass


def senseless_command(draw):
    """A datagram that no controller may act on."""
    what = draw.choice((operator_commands.REMOTE_RESET, operator_commands.KEY_RESET, 0, 6, 255))
    seen = [draw.randrange(first, end) for first, end in ((0, 100), (1, 2**30)) * 2]
    return draw.choice(
        (
            operator_commands.REQUEST.pack(operator_commands.MAGIC, what, *seen),
            operator_commands.REQUEST.pack(b"FBC0", operator_commands.STOP, -1, 0, -1, 0),
            draw.randbytes(draw.randrange(200)),
        )
    )


class ValidHints(Datagrams):
    """A faulty source: right MAC, right sequence, far beyond its quota."""

    def __init__(self, run_directory, key):
        super().__init__(os.path.join(run_directory, "hints.sock"))
        self._directory, self._key = run_directory, key
        self._welcome, self._sequence = None, 0
        self.answers = Counter()

    def _turn(self):
        if self._welcome is None or self.sent % 200 == 0:
            with HintClient(self._directory) as client:
                self._welcome = client.hello(SOURCE) or self._welcome
            self._sequence = max(self._sequence, self._welcome.sequence)
        self._sequence += 1
        welcome = self._welcome
        hint = import_cap(welcome.nonce, self._sequence, welcome.uptime_ms, 400_000)
        self._send(w.signed(hint, self._key))
        while data := drain(self._socket, 256):
            reply = w.reply_of(data, self._key)
            self.answers["taken" if reply and h.taken(reply.code) else "refused"] += 1

    def seen(self):
        """Some are taken and some are refused."""
        taken = self.answers["taken"]
        ok = taken > 0 and self.answers["refused"] > 0
        return ok, f"{self.sent} hints sent, {taken} taken, the rest beyond the quota"


class BadHints(Flood):
    """hint_attack's forged, replayed, late ... hints, with genuine ones between."""

    COUNT = 400  # of one turn: a second, so that the genuine ones stay below their quota

    def __init__(self, run_directory, keys, seed):
        super().__init__()
        self._stats = os.path.join(run_directory, "hints.stats")
        self._attack = Attack(run_directory, keys, self.COUNT, seed)
        self._accepted = self._read_accepted()

    def _read_accepted(self):
        return hint_statistics.read(self._stats)["accepted"]

    def _turn(self):
        self._attack.run()
        self.sent += self.COUNT

    def _finish(self):
        self._accepted = self._read_accepted() - self._accepted

    def seen(self):
        """None of them was taken, and all of the genuine ones were."""
        attack, genuine = self._attack, self._attack.genuine
        bad, refused = self._accepted - attack.genuine_taken, genuine - attack.genuine_taken
        return self.sent > 0 and not bad and not refused, (
            f"{sum(attack.sent.values())} bad hints sent, {bad} accepted; of {genuine} genuine "
            f"ones {refused} refused"
        )
