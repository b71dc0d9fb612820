"""Bad hints, each kind for its own reason, from a seed.

The attacker may write to the socket and has recorded genuine hints. Late and reordered hints, hints
of another boot and hints against a role need the key: the forger has it, as if it delayed genuine
datagrams.
"""

import random

from controller.core import hint_codes as h
from controller.hints import wire as w

SOURCE, LESSER = "site_ems", "scheduler"  # of the example site: roles grid_cap and request
VALID_MS = 60_000
NONSENSE = (
    {"kind": 0},
    {"kind": 9},
    {"quantity": 7},
    {"value_W": -1},
    {"valid_ms": 0},
    {"valid_ms": 2**32 - 1},
    {"kind": h.CAP},
    {"value_W": 2**31 - 1},
)


def import_cap(nonce, sequence, sent_ms, value_W, source=SOURCE):
    """A hint that caps what is taken from the grid."""
    return w.Hint(
        source, nonce, sequence, sent_ms, h.GRID_CAP, h.IMPORT_W_MAX, 0, value_W, VALID_MS
    )


class Forger:
    """Makes bad datagrams from a seed; `make` gives (kind, datagram), see KINDS."""

    def __init__(self, seed, keys):
        """keys: of the sources, by name."""
        self.random = random.Random(seed)
        self.keys = keys
        self.nonce, self.uptime_ms = bytes(8), 0
        # counted up, so that no hint is refused for its sequence alone
        self.sequences = dict.fromkeys(keys, 0)
        # genuine datagrams as they went over the wire
        self.recorded, self.recorded_sequence = [], 0

    def note(self, welcome, genuine):
        """What the attacker has overheard: the newest hello and the genuine hint after it."""
        self.nonce, self.uptime_ms = welcome.nonce, welcome.uptime_ms
        self.sequences[SOURCE] = welcome.sequence + 1
        self.recorded_sequence = self.sequences[SOURCE]
        self.recorded.append(genuine)

    def make(self):
        """(kind, datagram) of the next bad hint."""
        kind = self.random.choice(ORDER)
        return kind, KINDS[kind](self)

    def hint(self, source=SOURCE, **changes):
        """The next hint of a source, good but for the changes."""
        self.sequences[source] = sequence = self.sequences.get(source, 0) + 1
        plain = import_cap(
            self.nonce, sequence, self.uptime_ms, self.random.randrange(0, 10**9), source
        )
        return plain._replace(**changes)

    def signed(self, *source, **changes):
        """The same as a datagram with the source's own MAC."""
        hint = self.hint(*source, **changes)
        return w.signed(hint, self.keys[hint.source])


def _flipped_bit(forger):
    data = bytearray(forger.signed())
    bit = forger.random.randrange(8 * len(data))
    data[bit // 8] ^= 1 << bit % 8
    return bytes(data)


def _garbage(forger):
    sizes = (w.HINT.size, w.HELLO.size, forger.random.randrange(300))
    return forger.random.randbytes(forger.random.choice(sizes))


KINDS = {
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
