"""`python -m hil hint-attack`: many bad hints against a real controller in the rig; none may be
taken, no tick be late.

Who attacks may write to the socket and has recorded genuine hints; for what only a holder of the
key could send (late, reordered, of another boot, against the role) it is given the key, as if it
held genuine datagrams up on their way. Now and then a genuine hint goes out among them and must be
answered.
"""

import json
import os
import random
import socket
import struct
import sys
import tempfile
import threading
from collections import Counter
from pathlib import Path

from controller.core import hint_codes as h
from controller.hints import hint_statistics
from controller.hints import wire as w
from controller.hints.client import HintClient
from controller.run import loop_statistics
from controller.site import config as configs
from controller.sites import EXAMPLE
from controller.system import sockets
from hil.arguments import output_file, whole
from hil.loads import selection
from hil.results.run_result import machine
from hil.rig import Rig, RigError

SITE = EXAMPLE
SOURCE, LESSER = "site_ems", "scheduler"  # of the example site: roles grid_cap and request
COUNT, COUNT_MAX, SEED_MAX = 100_000, 10_000_000, 2**31 - 1
GENUINE_EVERY = 500
QUIET_S = 10.0  # so long the loop's lateness is taken without an attack, before it
STOP_S, SEND_S = 60.0, 60  # hang guards: it takes milliseconds
VALID_MS = 60_000
NOT_TAKEN, TAKEN = 0, 1


def add(commands):
    """Add the command to the subparsers."""
    parser = commands.add_parser(
        "hint-attack", help="send bad hints to a real controller: none may be taken"
    )
    parser.add_argument(
        "--count", type=whole(1, COUNT_MAX), default=COUNT, metavar="NUMBER", help="(%(default)s)"
    )
    parser.add_argument(
        "--seed", type=whole(0, SEED_MAX), default=1, metavar="NUMBER", help="(%(default)s)"
    )
    parser.add_argument(
        "--json", metavar="FILE", type=output_file(), help="write all figures there"
    )
    parser.set_defaults(run=main)


class Forger:
    """Makes bad datagrams from a seed; `make` gives (kind, datagram). Each kind is a method of its
    own.
    """

    def __init__(self, seed, keys):
        self.random = random.Random(seed)
        self.keys = keys
        self.nonce, self.uptime_ms = bytes(8), 0
        # counted up, so that no hint is refused for its sequence alone
        self.sequences = dict.fromkeys(keys, 0)
        # genuine datagrams as they went over the wire
        self.recorded, self.recorded_sequence = [], 0
        self.kinds = [
            name.removeprefix("_make_") for name in dir(self) if name.startswith("_make_")
        ]

    def note(self, welcome, genuine):
        """What the attacker has overheard: the newest hello and the genuine hint after it."""
        self.nonce, self.uptime_ms = welcome.nonce, welcome.uptime_ms
        self.sequences[SOURCE] = welcome.sequence + 1
        self.recorded_sequence = self.sequences[SOURCE]
        self.recorded.append(genuine)

    def make(self):
        """(kind, datagram) of the next bad hint."""
        kind = self.random.choice(self.kinds)
        return kind, getattr(self, "_make_" + kind)()

    def _hint(self, source=SOURCE, **changes):
        self.sequences[source] = sequence = self.sequences.get(source, 0) + 1
        plain = w.Hint(
            source,
            self.nonce,
            sequence,
            self.uptime_ms,
            h.GRID_CAP,
            h.IMPORT_W_MAX,
            0,
            self.random.randrange(0, 10**9),
            VALID_MS,
        )
        return plain._replace(**changes)

    def _signed(self, hint):
        return w.signed(hint, self.keys[hint.source])

    def _make_forged_mac(self):
        return w.unsigned(self._hint()) + self.random.randbytes(32)

    def _make_other_key(self):
        return w.signed(self._hint(), self.keys[LESSER])

    def _make_flipped_bit(self):
        data = bytearray(self._signed(self._hint()))
        bit = self.random.randrange(8 * len(data))
        data[bit // 8] ^= 1 << bit % 8
        return bytes(data)

    def _make_replayed(self):
        return self.random.choice(self.recorded)

    def _make_reordered(self):
        last = self.recorded_sequence
        return self._signed(self._hint(sequence=self.random.randint(0, last)))

    def _make_late(self):
        return self._signed(
            self._hint(sent_ms=max(0, self.uptime_ms - self.random.randint(60_000, 10**6)))
        )

    def _make_early(self):
        return self._signed(
            self._hint(sent_ms=self.uptime_ms + self.random.randint(600_000, 2**40))
        )

    def _make_other_boot(self):
        return self._signed(self._hint(nonce=self.random.randbytes(8)))

    def _make_unknown_source(self):
        return w.signed(self._hint("stranger"), self.keys[SOURCE])

    def _make_against_the_role(self):
        return self._signed(self._hint(LESSER, quantity=h.EXPORT_W_MAX))

    def _make_nonsense(self):
        wrong = self.random.choice(
            [
                {"kind": 0},
                {"kind": 9},
                {"quantity": 7},
                {"value_W": -1},
                {"valid_ms": 0},
                {"valid_ms": 2**32 - 1},
                {"kind": h.CAP},
                {"value_W": 2**31 - 1},
            ]
        )
        return self._signed(self._hint(**wrong))

    def _make_truncated(self):
        return self._signed(self._hint())[: self.random.randrange(w.HINT.size)]

    def _make_oversized(self):
        return self._signed(self._hint()) + bytes(self.random.choice([1, 88, 168, 4000, 60_000]))

    def _make_garbage(self):
        return self.random.randbytes(
            self.random.choice([w.HINT.size, w.HELLO.size, self.random.randrange(300)])
        )


class Attack:
    """Sends `count` bad datagrams with genuine ones between; `figures` after `run`."""

    def __init__(self, directory, keys, count, seed):
        self.directory, self.keys, self.count = directory, keys, count
        self.forger = Forger(seed, keys)
        self.sent, self.replies = Counter(), Counter()
        self.genuine = self.genuine_taken = 0

    def run(self):
        """RigError when the controller does not answer."""
        with (
            HintClient(self.directory) as self._client,
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as attacker,
        ):
            attacker.bind("")
            attacker.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", SEND_S, 0))
            for number in range(self.count):
                if number % GENUINE_EVERY == 0:
                    self._say_genuine()
                kind, data = self.forger.make()
                with sockets.short(os.path.join(self.directory, "hints.sock")) as name:
                    # waits while the queue is full: the loop sets the pace
                    attacker.sendto(data, name)
                self.sent[kind] += 1
                self._drain(attacker)
            self._say_genuine()  # comes to the loop after all the others
            self._drain(attacker)

    def _say_genuine(self):
        welcome = self._client.hello(SOURCE)
        if welcome is None:
            raise RigError("the controller did not answer a hello under attack")
        hint = w.Hint(
            SOURCE,
            welcome.nonce,
            welcome.sequence + 1,
            welcome.uptime_ms,
            h.GRID_CAP,
            h.IMPORT_W_MAX,
            0,
            400_000,
            VALID_MS,
        )
        reply = self._client.hint(hint, self.keys[SOURCE])
        self.genuine += 1
        self.genuine_taken += reply is not None and h.taken(reply.code)
        self.forger.note(welcome, w.signed(hint, self.keys[SOURCE]))

    def _drain(self, attacker):
        """Read what the controller answered to authentic ones."""
        while True:
            try:
                data = attacker.recv(256, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            reply = w.reply_of(data)
            self.replies[h.label(reply.code) if reply else "hello"] += 1

    def figures(self):
        """What was sent and what became of it."""
        hints = hint_statistics.read(os.path.join(self.directory, "hints.stats"))
        totals = {
            name: hints[name]
            for name in (
                *hint_statistics.TOTALS,
                "wrong_length",
                "wrong_magic",
                "unknown_source",
                "hellos",
                "unsent",
            )
        }
        return {
            "sent": sum(self.sent.values()),
            "by_kind": dict(sorted(self.sent.items())),
            "accepted": hints["accepted"] - self.genuine_taken,
            "genuine": self.genuine,
            "genuine_accepted": self.genuine_taken,
            "replies": dict(sorted(self.replies.items())),
            "hints": totals,
        }


class Course:
    """The attack beside the rig: a quiet phase, the attack, then the end of the run. In a thread of
    its own.
    """

    def __init__(self, rig, count, seed):
        self._rig, self._attack = rig, Attack(rig.directory, rig.keys, count, seed)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.figures, self.error = {}, None

    def start(self):
        """Begin; the rig is running."""
        self._thread.start()

    def stop(self):
        """Wait for the end, or bring it about."""
        self._ended.set()
        self._thread.join(STOP_S)

    def _run(self):
        try:
            self._whole()
        except (OSError, RigError) as error:
            self.error = error
        self._rig.send({"what": "finish"})

    def _whole(self):
        stats = os.path.join(self._rig.directory, "loop.stats")
        while (
            not os.path.exists(os.path.join(self._rig.directory, "hints.sock"))
            or loop_statistics.content(stats) is None
        ):
            if self._ended.wait(0.1):
                return
        at_start = loop_statistics.content(stats)
        self._ended.wait(QUIET_S)
        before = loop_statistics.content(stats)
        self._attack.run()
        after = loop_statistics.content(stats)
        self.figures = {
            **self._attack.figures(),
            "loop_quiet": loop_statistics.figures(before, at_start),
            "loop_under_attack": loop_statistics.figures(after, before),
        }


def main(arguments):
    """Run the attack. Returns 0 when no bad hint was taken and every genuine one was, else 1.

    How late the loop was is told beside how late it was before the attack: both are also the
    machine's.
    """
    config = configs.load(str(SITE))
    order = {
        "site": str(SITE),
        "extends": str(SITE.parent / "site.toml"),
        "scenario": None,
        "file": None,
        "column": None,
        "scale": 1.0,
        "raw": False,
        "duration_s": 86_400.0,
        "seed": arguments.seed,
        "soc_pct": config.control["soc_target_permille"] / 10,
        "journal": None,
    }
    selection.load_of(order, None)
    with tempfile.TemporaryDirectory(prefix="firebreak-attack-") as directory:
        rig = Rig({**order, "run_dir": directory}, None, config)
        course = None
        try:
            rig.start()
            course = Course(rig, arguments.count, arguments.seed)
            course.start()
            rig.run(lambda shown: None)
        finally:
            if course is not None:
                course.stop()
            rig.stop()
    if course.error is not None:
        raise RigError(course.error)
    return _report(course.figures, arguments)


def _report(figures, arguments):
    doc = {"command": "hint-attack", "seed": arguments.seed, **figures, **machine()}
    doc["ok"] = figures["accepted"] == 0 and figures["genuine"] == figures["genuine_accepted"]
    print(f"seed       {arguments.seed}")
    kinds = ", ".join(f"{count} {kind}" for kind, count in doc["by_kind"].items())
    print(f"sent       {doc['sent']} bad hints: {kinds}")
    print(
        f"accepted   {doc['accepted']}; of {doc['genuine']} genuine ones between "
        f"{doc['genuine_accepted']}"
    )
    for name, loop in (
        ("quiet", figures["loop_quiet"]),
        ("attacked", figures["loop_under_attack"]),
    ):
        late = loop["lateness_us"]
        print(
            f"{name:10} {loop['ticks']} ticks, {loop['missed']} missed, {loop['late']} late; "
            f"lateness "
            f"p50 {late['p50']}, p99 {late['p99']}, p99.9 {late['p99_9']}, max {late['max']} us"
        )
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(doc, indent=1) + "\n", encoding="ascii")
        print(f"written    {arguments.json}", file=sys.stderr)
    return 0 if doc["ok"] else 1
