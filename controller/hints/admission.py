"""Admission check of hints: which datagram becomes a hint. No input or output in this module.

The checks that prove the sender come first: length, magic, name and MAC. A datagram that fails one
gets no reply and is only counted. Then nonce, sequence and time. A datagram with the right nonce
uses up its sequence, accepted or refused, so a replay cannot be accepted later. Then meaning, role,
quota. A sequence belongs to the key that signed it.
"""

import hashlib
import hmac
from array import array
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from controller.config.sources import Source
from controller.core import hint_codes as h
from controller.hints import hint_statistics as st, wire as w

LATE_MS_MAX, EARLY_MS_MAX = 2000, 100
QUOTA_MS = 1000  # the window of hints_per_s_max
OLD_KEY_MS = 24 * 3_600_000
_OLD_SEQUENCE_MAX = 2**63  # an old key may use the lower half; the upper half is for the new key


class Key(NamedTuple):
    """A key of a source. until_ms: uptime at which an old key expires; None: never."""

    key: bytes
    fingerprint: int  # the first 32 bits of its SHA-256
    made_s: int  # UTC, for people
    until_ms: int | None = None


def key_of(key: bytes, made_s: int, until_ms: int | None = None) -> Key:
    """Key of 32 bytes made at made_s (UTC)."""
    return Key(key, int.from_bytes(hashlib.sha256(key).digest()[:4]), made_s, until_ms)


class Sender(NamedTuple):
    """Socket address of a sender; its user, None if the kernel did not report one."""

    address: bytes | str
    user: int | None


class Words(Protocol):
    """A row of hint_statistics."""

    def __getitem__(self, place: int, /) -> int: ...

    def __setitem__(self, place: int, value: int, /) -> None: ...


class Statistics(Protocol):
    """Writer's side of hint_statistics: a row of all sources, and one row per source."""

    @property
    def common(self) -> Words:
        """Counters of COMMON."""

    @property
    def rows(self) -> Sequence[Words]:
        """Words of OWN, by source index."""


class Account:
    """Memory of one source: its keys (newest first), the highest sequence of each, and when its
    last hints were accepted.

    Each key counts its own sequences: the holder of an old key cannot use up those of the new key,
    and no signed datagram counts twice.
    """

    __slots__ = ("source", "keys", "row", "sequences", "_taken_ms", "_next")

    def __init__(self, source: Source, keys: tuple[Key, ...], row: Words):
        """row: the words of the source in the statistics."""
        self.source, self.row = source, row
        self.sequences: dict[bytes, int] = {}
        self._taken_ms = array("q", [-QUOTA_MS] * source.hints_per_s_max)
        self._next = 0
        self.set_keys(keys)

    def set_keys(self, keys: tuple[Key, ...]) -> None:
        """Replace the keys; the statistics show the newest."""
        self.keys = keys
        self.sequences = {each.key: self.sequences.get(each.key, 0) for each in keys}
        newest = keys[0] if keys else Key(b"", 0, 0)
        self.row[st.KEY_FINGERPRINT], self.row[st.KEY_MADE_S] = newest.fingerprint, newest.made_s
        self.row[st.OLD_KEY_UNTIL_MS] = (keys[1].until_ms or 0) if len(keys) > 1 else 0

    def authenticate(self, signed: bytes | memoryview, mac: bytes, now_ms: int) -> bytes | None:
        """The key bytes that made `mac` over `signed`, or None. The first use of the newest key
        ends the old key.
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

    def key_in_use(self, now_ms: int) -> bytes | None:
        """Key bytes that the source uses: during a rotation the old key until the new key is first
        used. None without a valid key.
        """
        valid = [each.key for each in self.keys if each.until_ms is None or now_ms < each.until_ms]
        return valid[-1] if valid else None

    @property
    def highest_sequence(self) -> int:
        """The answer to a hello: a higher sequence is new under every key. The sequence of an old
        key counts below _OLD_SEQUENCE_MAX only.
        """
        newest, *old = [self.sequences[each.key] for each in self.keys] or [0]
        return max([newest, *[sequence for sequence in old if sequence < _OLD_SEQUENCE_MAX]])

    def within_quota(self, now_ms: int) -> bool:
        """True when fewer than hints_per_s_max hints were taken in the last second."""
        return self._taken_ms[self._next] + QUOTA_MS <= now_ms

    def note_taken(self, now_ms: int) -> None:
        """One hint of the quota is used."""
        self._taken_ms[self._next] = now_ms
        self._next = (self._next + 1) % len(self._taken_ms)


class Pending(NamedTuple):
    """An authentic hint between its receipt and the end of the tick. code: 0 when it was accepted,
    else the code of the refusal.
    """

    sender: Sender
    account: Account
    key: bytes
    hint: w.Hint
    code: int


def _first(*checks: tuple[bool, int]) -> int:
    """The code of the first failed check of (is wrong, code), else 0."""
    return next((code for is_wrong, code in checks if is_wrong), 0)


def freshness(hint: w.Hint, nonce: bytes, last_sequence: int, now_ms: int) -> int:
    """0, or the refusal of an authentic hint: other run, used sequence, too late, too early."""
    return _first(
        (hint.nonce != nonce, h.OTHER_BOOT),
        (hint.sequence <= last_sequence, h.OLD_SEQUENCE),
        (hint.sent_ms < now_ms - LATE_MS_MAX, h.TOO_LATE),
        (hint.sent_ms > now_ms + EARLY_MS_MAX, h.TOO_EARLY),
    )


def meaning(hint: w.Hint, valid_s_max: int) -> int:
    """0, or why the core cannot take kind, quantity, value and validity."""
    low_W = -w.VALUE_W_MAX if hint.quantity == h.POWER_W else 0
    high_W = 0 if hint.kind == h.HEARTBEAT else w.VALUE_W_MAX
    return _first(
        (hint.kind not in h.KINDS, h.UNKNOWN_KIND),
        (h.KIND_OF.get(hint.quantity) != hint.kind, h.WRONG_QUANTITY),
        (not low_W <= hint.value_W <= high_W, h.WRONG_VALUE),
        (hint.valid_ms < w.VALID_MS_MIN, h.VALID_SHORT),
        (hint.valid_ms > valid_s_max * 1000, h.VALID_LONG),
    )


def permitted(role: str, kind: int, quantity: int) -> bool:
    """True when a source of this role may send this hint. Below the role grid_cap an import
    maximum only narrows charging.
    """
    if kind == h.REQUEST:
        return h.ROLES.index(role) >= h.ROLES.index("request")
    return quantity != h.EXPORT_W_MAX or obliges(role)


def obliges(role: str) -> bool:
    """True when a grid_cap of this role is an obligation."""
    return h.ROLES.index(role) >= h.ROLES.index("grid_cap")


Take = Callable[[int, int, int, int, int], int | None]
StateOf = Callable[[str, int], w.State]


class Admission:
    """The check of all sources of one cabinet."""

    def __init__(
        self,
        sources: tuple[Source, ...],
        keys: dict[str, tuple[Key, ...]],
        nonce: bytes,
        take: Take,
        statistics: Statistics,
        state: StateOf,
    ):
        """nonce: 8 random bytes of this run.

        take(source index, kind, quantity, value_W, valid_ms) hands a hint to the next tick and
        returns None when that tick is full. state(source name, now_ms): the wire.State that answers
        a status.
        """
        self.nonce, self._take, self._state, self._common = nonce, take, state, statistics.common
        self.accounts = [
            Account(source, keys.get(source.name, ()), row)
            for source, row in zip(sources, statistics.rows)
        ]
        self._by_name = {w.name_field(account.source.name): account for account in self.accounts}
        self.pending: list[Pending] = []  # of this tick

    def receive(self, data: bytes, sender: Sender, now_ms: int) -> bytes | None:
        """Check one datagram; its Pending holds `sender`. Returns the answer to a hello or status,
        else None: hints wait for the tick.
        """
        if len(data) == w.HINT.size:
            self._hint(data, sender, now_ms)
        elif len(data) == w.HELLO.size:
            return self._hello(data, now_ms)
        else:
            self._common[st.WRONG_LENGTH] += 1
        return None

    def _account(self, magic: bytes, wanted: bytes, source: bytes) -> Account | None:
        """Account of a source (16 bytes); a wrong magic or name is counted and gives None."""
        account = self._by_name.get(source)
        if magic != wanted:
            self._common[st.WRONG_MAGIC] += 1
            return None
        if account is None:
            self._common[st.UNKNOWN_SOURCE] += 1
        return account

    def _hello(self, data: bytes, now_ms: int) -> bytes | None:
        magic, source = w.HELLO.unpack(data)
        asks_state = magic == w.STATUS_MAGIC
        account = self._account(magic, w.STATUS_MAGIC if asks_state else w.HELLO_MAGIC, source)
        if account is None:
            return None
        self._common[st.HELLOS] += 1
        if asks_state:
            key = account.key_in_use(now_ms)
            return w.state_bytes(self._state(account.source.name, now_ms), key) if key else None
        return w.WELCOME.pack(w.WELCOME_MAGIC, self.nonce, now_ms, account.highest_sequence)

    def _hint(self, data: bytes, sender: Sender, now_ms: int) -> None:
        magic, source, *fields, mac = w.HINT.unpack(data)
        account = self._account(magic, w.HINT_MAGIC, source)
        if account is None:
            return
        hint = w.Hint(account.source.name, *fields)
        key, row = account.authenticate(data[: w.SIGNED_BYTES], mac, now_ms), account.row
        if key is None:
            row[st.BAD_MAC] += 1
            row[st.LAST_CODE] = h.BAD_MAC if account.keys else h.NO_KEY
            return
        code = self._judge(account, key, hint, now_ms)
        row[st.REFUSED if code else st.ACCEPTED] += 1
        row[st.LAST_CODE], row[st.LAST_SEEN_MS] = code or h.GRANTED, now_ms
        row[st.LAST_SEQUENCE], row[st.LAST_PURPOSE] = hint.sequence, hint.purpose
        self.pending.append(Pending(sender, account, key, hint, code))

    def _judge(self, account: Account, key: bytes, hint: w.Hint, now_ms: int) -> int:
        """0 when the hint was handed to the tick, else the code of the refusal."""
        source = account.source
        code = freshness(hint, self.nonce, account.sequences[key], now_ms)
        if code not in (h.OTHER_BOOT, h.OLD_SEQUENCE):
            account.sequences[key] = hint.sequence
        code = code or meaning(hint, source.valid_s_max)
        code = code or _first(
            (not permitted(source.role, hint.kind, hint.quantity), h.ROLE),
            (not account.within_quota(now_ms), h.RATE),
        )
        if code:
            return code
        if self._take(source.index, hint.kind, hint.quantity, hint.value_W, hint.valid_ms) is None:
            return h.BUSY
        account.note_taken(now_ms)
        return 0

    def change_key(self, name: bytes, key: Key | None, rotate: bool, now_ms: int) -> bool:
        """Set a source's key (rotate: keep the newest for a day) or, with key None, revoke its
        keys. False: no such source. name: as in a datagram, 16 bytes.
        """
        account = self._by_name.get(name)
        if account is None:
            return False
        kept = account.keys[:1] if rotate else ()
        old = [each._replace(until_ms=now_ms + OLD_KEY_MS) for each in kept]
        account.set_keys((key, *old) if key else ())
        return True
