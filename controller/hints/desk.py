"""Hints at the loop: who says it, is it new, may the source say it, what became of it. No input or
output in here.

The order of the checks is the order of trust: length, magic, name and MAC first; what fails there
gets no reply and is only counted. Then nonce, sequence and time; a sequence is used up by the first
authentic datagram that carries it, taken or not, so that no replay turns a refusal into something
else. Then meaning, role, quota. A sequence belongs to the key that signed it.
"""

import hashlib
import hmac
from array import array
from typing import NamedTuple

from controller.core import hint_codes as h
from controller.hints import hint_statistics as st
from controller.hints import wire as w

LATE_MS_MAX, EARLY_MS_MAX = 2000, 100
QUOTA_MS = 1000  # the window of hints_per_s_max
OLD_KEY_MS = 24 * 3_600_000
_EMPTY_MS = -QUOTA_MS
_OLD_SEQUENCE_MAX = 2**63  # what whoever has an old key can use up leaves the new one as much again

# Positions in what HINT.unpack gives.
(
    _,
    F_SOURCE,
    F_NONCE,
    F_SEQUENCE,
    F_SENT_MS,
    F_KIND,
    F_QUANTITY,
    F_PURPOSE,
    F_VALUE_W,
    F_VALID_MS,
    F_MAC,
) = range(11)


class Key(NamedTuple):
    """A key of a source. until_ms: uptime at which a rotated one ends, None: it stays."""

    key: bytes
    fingerprint: int  # the first 32 bits of its SHA-256
    made_s: int  # UTC, for people
    until_ms: int | None = None


def key_of(key, made_s, until_ms=None):
    """Key of 32 bytes made at made_s (UTC)."""
    return Key(key, int.from_bytes(hashlib.sha256(key).digest()[:4]), made_s, until_ms)


class Pending(NamedTuple):
    """An authentic hint between its receipt and the end of the tick. code: 0 when it was taken,
    else why not.
    """

    sender: object
    account: object
    key: bytes
    fields: tuple
    code: int


class Account:
    """What the loop remembers of one source: keys (newest first), last sequence of each, when it
    last used its quota.

    Each key counts its own sequences, so that whoever had an old one cannot use up those of the new
    one, and nothing that was signed with either counts twice.
    """

    __slots__ = ("source", "keys", "row", "_sequences", "_taken_ms", "_next")

    def __init__(self, source, keys, row):
        """source: config's Source; keys: tuple of Key; row: its words in the statistics."""
        self.source, self.row = source, row
        self._sequences = {}
        self._taken_ms = array("q", [_EMPTY_MS] * source.hints_per_s_max)
        self._next = 0
        self.set_keys(keys)

    def set_keys(self, keys):
        """Replace the keys; the statistics show the newest."""
        self.keys = keys
        self._sequences = {each.key: self._sequences.get(each.key, 0) for each in keys}
        newest = keys[0] if keys else Key(b"", 0, 0)
        self.row[st.KEY_FINGERPRINT], self.row[st.KEY_MADE_S] = newest.fingerprint, newest.made_s
        self.row[st.OLD_KEY_UNTIL_MS] = keys[1].until_ms if len(keys) > 1 else 0

    def authenticate(self, signed, mac, now_ms):
        """The key bytes that made `mac` over `signed`, or None. The newest key's first use ends the
        old one.
        """
        for position, key in enumerate(self.keys):
            if key.until_ms is not None and now_ms >= key.until_ms:
                self.set_keys(self.keys[:position])
                return None
            if hmac.compare_digest(w.mac(key.key, signed), mac):
                if position == 0 and len(self.keys) > 1:
                    self.set_keys(self.keys[:1])
                return key.key
        return None

    def key_in_use(self, now_ms):
        """Key bytes that the source has: of a rotation the old ones until the new ones were used.
        None without any.
        """
        valid = [each.key for each in self.keys if each.until_ms is None or now_ms < each.until_ms]
        return valid[-1] if valid else None

    @property
    def highest_sequence(self):
        """What a hello tells: a hint above it is new under each key. An old key's counts while it
        is no absurd one.
        """
        newest, *old = [self._sequences[each.key] for each in self.keys] or [0]
        return max([newest, *[sequence for sequence in old if sequence < _OLD_SEQUENCE_MAX]])

    def last_sequence(self, key):
        """The highest sequence that came under these key bytes."""
        return self._sequences[key]

    def use_up(self, key, sequence):
        """Nothing under these key bytes up to this sequence is new any more."""
        self._sequences[key] = sequence

    def within_quota(self, now_ms):
        """True when fewer than hints_per_s_max hints were taken in the last second."""
        return self._taken_ms[self._next] + QUOTA_MS <= now_ms

    def note_taken(self, now_ms):
        """One hint of the quota is used."""
        self._taken_ms[self._next] = now_ms
        self._next = (self._next + 1) % len(self._taken_ms)


def freshness(fields, nonce, last_sequence, now_ms):
    """0, or why an authentic hint is not of now: another run, a sequence that was, too late, too
    early.
    """
    if fields[F_NONCE] != nonce:
        return h.OTHER_BOOT
    if fields[F_SEQUENCE] <= last_sequence:
        return h.OLD_SEQUENCE
    if fields[F_SENT_MS] < now_ms - LATE_MS_MAX:
        return h.TOO_LATE
    return h.TOO_EARLY if fields[F_SENT_MS] > now_ms + EARLY_MS_MAX else 0


def meaning(fields, valid_s_max):
    """0, or why kind, quantity, value and validity say nothing the core could take."""
    kind, quantity, value_W, valid_ms = (
        fields[F_KIND],
        fields[F_QUANTITY],
        fields[F_VALUE_W],
        fields[F_VALID_MS],
    )
    if kind not in h.KINDS:
        return h.UNKNOWN_KIND
    if h.KIND_OF.get(quantity) != kind:
        return h.WRONG_QUANTITY
    low_W = -w.VALUE_W_MAX if quantity == h.POWER_W else 0
    high_W = 0 if kind == h.HEARTBEAT else w.VALUE_W_MAX
    if not low_W <= value_W <= high_W:
        return h.WRONG_VALUE
    if valid_ms < w.VALID_MS_MIN:
        return h.VALID_SHORT
    return h.VALID_LONG if valid_ms > valid_s_max * 1000 else 0


def permitted(role, kind, quantity):
    """True when a source of this role may say it. An import maximum without the role grid_cap
    narrows charging only.
    """
    rank = h.ROLES.index(role)
    if kind == h.REQUEST:
        return rank >= h.ROLES.index("request")
    return quantity != h.EXPORT_W_MAX or obliges(role)


def obliges(role):
    """True when a grid_cap of this role is an obligation."""
    return h.ROLES.index(role) >= h.ROLES.index("grid_cap")


class Desk:
    """All sources of one cabinet. take(source index, kind, quantity, value_W, valid_ms) hands a
    hint to the next tick and returns None when that one can take no more.
    """

    def __init__(self, sources, keys, nonce, take, statistics, state=None):
        """keys: {source name: tuple of Key}; nonce: 8 random bytes of this run.

        state(source name, now_ms): the hint_wire.State that answers a request for it.
        """
        self.nonce, self._take, self._state, self._common = nonce, take, state, statistics.common
        self.accounts = [
            Account(source, keys.get(source.name, ()), row)
            for source, row in zip(sources, statistics.rows)
        ]
        self._by_name = {w.name_field(account.source.name): account for account in self.accounts}
        self.pending = []  # Pending of this tick

    def receive(self, data, sender, now_ms):
        """One datagram (bytes-like). Returns the answer to a hello or status, else None: hints wait
        for the tick.
        """
        if len(data) == w.HINT.size:
            self._hint(data, sender, now_ms)
        elif len(data) == w.HELLO.size:
            return self._hello(data, now_ms)
        else:
            self._common[st.WRONG_LENGTH] += 1
        return None

    def _account(self, fields, magic):
        """Account that an unpacked datagram names; None, counted, when its magic or its name is
        wrong.
        """
        account = self._by_name.get(fields[F_SOURCE])
        if fields[0] != magic:
            self._common[st.WRONG_MAGIC] += 1
        elif account is None:
            self._common[st.UNKNOWN_SOURCE] += 1
        else:
            return account
        return None

    def _hello(self, data, now_ms):
        fields = w.HELLO.unpack(data)
        asks_state = fields[0] == w.STATUS_MAGIC
        account = self._account(fields, w.STATUS_MAGIC if asks_state else w.HELLO_MAGIC)
        if account is None:
            return None
        self._common[st.HELLOS] += 1
        if asks_state:
            key = account.key_in_use(now_ms)
            return key and w.state_bytes(self._state(account.source.name, now_ms), key)
        return w.WELCOME.pack(w.WELCOME_MAGIC, self.nonce, now_ms, account.highest_sequence)

    def _hint(self, data, sender, now_ms):
        fields = w.HINT.unpack(data)
        account = self._account(fields, w.HINT_MAGIC)
        if account is None:
            return
        key = account.authenticate(data[: w.SIGNED_BYTES], fields[F_MAC], now_ms)
        row = account.row
        if key is None:
            row[st.BAD_MAC] += 1
            row[st.LAST_CODE] = h.BAD_MAC if account.keys else h.NO_KEY
            return
        code = self._judge(account, key, fields, now_ms)
        row[st.REFUSED if code else st.ACCEPTED] += 1
        row[st.LAST_CODE], row[st.LAST_SEEN_MS] = code or h.GRANTED, now_ms
        row[st.LAST_SEQUENCE], row[st.LAST_PURPOSE] = fields[F_SEQUENCE], fields[F_PURPOSE]
        self.pending.append(Pending(sender, account, key, fields, code))

    def _judge(self, account, key, fields, now_ms):
        """0 when the hint was handed over, else why not."""
        code = freshness(fields, self.nonce, account.last_sequence(key), now_ms)
        if code not in (h.OTHER_BOOT, h.OLD_SEQUENCE):
            account.use_up(key, fields[F_SEQUENCE])
        code = code or meaning(fields, account.source.valid_s_max)
        if code:
            return code
        kind, quantity = fields[F_KIND], fields[F_QUANTITY]
        if not permitted(account.source.role, kind, quantity):
            return h.ROLE
        if not account.within_quota(now_ms):
            return h.RATE
        if (
            self._take(account.source.index, kind, quantity, fields[F_VALUE_W], fields[F_VALID_MS])
            is None
        ):
            return h.BUSY
        account.note_taken(now_ms)
        return 0

    def change_key(self, name, key, rotate, now_ms):
        """Set (rotate: keep the newest for a day) or, with key None, revoke a source's keys. False:
        no such source.

        name: as in a datagram, 16 bytes; key: Key or None.
        """
        account = self._by_name.get(name)
        if account is None:
            return False
        old = (
            [each._replace(until_ms=now_ms + OLD_KEY_MS) for each in account.keys[:1]]
            if rotate
            else []
        )
        account.set_keys((key, *old) if key else ())
        return True
