"""Admission check: decides which datagrams become hints. This module does no input or output.

1. Length, magic, name and MAC prove the sender. A datagram that fails here gets no reply and is
   only counted.
2. Nonce, sequence and time. A datagram with the right nonce uses up its sequence, whether it is
   accepted or refused, so a replay cannot be accepted later. A sequence belongs to the key that
   signed it.
3. Meaning, role and quota.
"""

import hashlib
import hmac
from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from controller.config.sources import Source
from controller.core.base import hint_codes as h
from controller.hints import hint_check, hint_statistics as st, schedule_wire as sw, wire as w
from controller.hints.hint_check import Refusal
from controller.hints.later import Later
from controller.hints.schedule_wire import Held, Schedule

QUOTA_MS = 1000  # the window of hints_per_s_max
OLD_KEY_MS = 24 * 3_600_000  # time for which the old key stays valid after a rotation
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


Sender = bytes | str  # the socket address of a sender
Keys = dict[str, tuple[Key, ...]]  # the newest first, by source


class Account:
    """The state of one source: its keys (newest first), the highest sequence of each, its quota.

    Each key has its own sequences, so the holder of an old key cannot use up those of the new key.
    """

    __slots__ = ("source", "keys", "row", "sequences", "_epochs", "_taken_ms", "_oldest")

    def __init__(
        self, source: Source, keys: tuple[Key, ...], row: memoryview, epochs: Mapping[str, int]
    ):
        """row: the words of the source in the statistics. epochs: stored, by `epoch_name`."""
        self.source, self.row, self._epochs = source, row, epochs
        self.sequences: dict[bytes, int] = {}
        self._taken_ms = array("q", [-QUOTA_MS] * source.hints_per_s_max)  # a ring
        self._oldest = 0  # place in it
        self.set_keys(keys)

    def set_keys(self, keys: tuple[Key, ...]) -> None:
        """Replace the keys; the statistics show the newest. A newest key with a stored epoch has
        been used, so the old key has ended.
        """
        is_used = bool(keys) and self.epoch_name(keys[0]) in self._epochs
        self.keys = keys = keys[:1] if is_used else keys
        self.sequences = {
            key.key: max(
                self.sequences.get(key.key, 0),
                self._epochs.get(self.epoch_name(key), 0) << w.COUNT_BITS,
            )
            for key in keys
        }
        newest = keys[0] if keys else Key(b"", 0, 0)
        self.row[st.KEY_FINGERPRINT], self.row[st.KEY_MADE_S] = newest.fingerprint, newest.made_s
        self.row[st.OLD_KEY_UNTIL_MS] = (keys[1].until_ms or 0) if len(keys) > 1 else 0

    def epoch_name(self, key: Key) -> str:
        """The name under which the epoch of a key is stored."""
        return f"{self.source.name}.{key.fingerprint:08x}"

    def epoch_names(self, key: bytes) -> list[str]:
        """The names of all keys of the source, that of `key` first."""
        ordered = sorted(self.keys, key=lambda known: known.key != key)
        return [self.epoch_name(known) for known in ordered]

    def authenticate(self, signed: bytes | memoryview, mac: bytes, now_ms: int) -> bytes | None:
        """The key bytes that made `mac`, or None. The first use of a new key ends the old key."""
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
        """The key in use: the old key until the new key has been used. None without a key."""
        valid = [key.key for key in self.keys if key.until_ms is None or now_ms < key.until_ms]
        return valid[-1] if valid else None

    @property
    def highest_sequence(self) -> int:
        """The highest used sequence. Every higher sequence is new under each key. Of an old key,
        only the lower half of the sequences counts.
        """
        newest, *old = [self.sequences[key.key] for key in self.keys] or [0]
        return max([newest, *[sequence for sequence in old if sequence < _OLD_SEQUENCE_MAX]])

    def within_quota(self, now_ms: int) -> bool:
        """True when fewer than hints_per_s_max hints were taken in the last second."""
        return self._taken_ms[self._oldest] + QUOTA_MS <= now_ms

    def note_taken(self, now_ms: int) -> None:
        """Count one hint of the quota as used."""
        self._taken_ms[self._oldest] = now_ms
        self._oldest = (self._oldest + 1) % len(self._taken_ms)


class Pending(NamedTuple):
    """An authentic hint before its reply. code: 0: accepted; LATER; or the code of the refusal."""

    sender: Sender
    account: Account
    key: bytes
    hint: w.Hint | Schedule
    code: int
    refused: Refusal = Refusal()


class Controller(NamedTuple):
    """The part of the controller that the check needs.

    take returns None when the tick is full. take_schedule returns 0 or a refusal. state and
    held(source name, now_ms) return the answers. keep_epoch(names, epoch) stores an epoch under the
    first name, and returns True once it is on the disk. epochs: the stored ones by name.
    """

    take: Callable[[h.HintSlot], int | None]
    take_schedule: Callable[[Source, Schedule], int]
    state: Callable[[str, int], w.State]
    held: Callable[[str, int], Held]
    keep_epoch: Callable[[Sequence[str], int], bool]
    epochs: Mapping[str, int]


class Admission:
    """Checks the datagrams of all sources of one cabinet."""

    def __init__(
        self,
        sources: tuple[Source, ...],
        keys: Keys,
        nonce: bytes,
        controller: Controller,
        statistics: st.HintStatistics,
    ):
        """nonce: 8 random bytes of this run."""
        self.nonce, self._controller, self._common = nonce, controller, statistics.common
        self.later = Later(controller.take)
        self.accounts = [
            Account(source, keys.get(source.name, ()), row, controller.epochs)
            for source, row in zip(sources, statistics.rows)
        ]
        self._by_name = {w.name_field(account.source.name): account for account in self.accounts}
        self.pending: list[Pending] = []  # hints of this tick; schedules that are still entering

    def receive(self, data: bytes, sender: Sender, now_ms: int) -> bytes | None:
        """Check one datagram. Returns the answer to a hello, status or read. Hints are answered
        after the tick.
        """
        if len(data) == w.HELLO.size:
            return self._answer_request(data, now_ms)
        is_schedule = sw.is_schedule(data)
        if is_schedule or w.is_well_formed(data):
            account = self._account(data)
            if account is not None:
                hint = sw.schedule_of(data) if is_schedule else w.hint_of(data)
                self._hint(account, hint, data, sender, now_ms)
        else:
            wrong_magic = len(data) in (w.HINT.size, w.HINT2.size)
            self._common[st.WRONG_MAGIC if wrong_magic else st.WRONG_LENGTH] += 1
        return None

    def _account(self, data: bytes) -> Account | None:
        """Account of the source of a datagram; an unknown name is counted and gives None."""
        account = self._by_name.get(data[w.MAGIC_BYTES : w.MAGIC_BYTES + w.NAME_BYTES])
        if account is None:
            self._common[st.UNKNOWN_SOURCE] += 1
        return account

    def _answer_request(self, data: bytes, now_ms: int) -> bytes | None:
        """The answer to a hello, or to a request for state or schedule."""
        magic = data[: w.MAGIC_BYTES]
        if magic not in (w.HELLO_MAGIC, w.STATUS_MAGIC, w.READ_MAGIC):
            self._common[st.WRONG_MAGIC] += 1
            return None
        account = self._account(data)
        if account is None:
            return None
        self._common[st.HELLOS] += 1
        if magic == w.HELLO_MAGIC:
            return w.WELCOME.pack(w.WELCOME_MAGIC, self.nonce, now_ms, account.highest_sequence)
        key, name = account.key_in_use(now_ms), account.source.name
        if key is None:
            return None
        if magic == w.STATUS_MAGIC:
            return w.state_bytes(self._controller.state(name, now_ms), key)
        return sw.held_bytes(self._controller.held(name, now_ms), key)

    def _hint(
        self, account: Account, hint: w.Hint | Schedule, data: bytes, sender: Sender, now_ms: int
    ) -> None:
        signed, mac, row = data[: -w.MAC_BYTES], data[-w.MAC_BYTES :], account.row
        key = account.authenticate(signed, mac, now_ms)
        if key is None:
            row[st.BAD_MAC] += 1
            row[st.LAST_CODE] = h.BAD_MAC if account.keys else h.NO_KEY
            return
        refusal = self._judge(account, key, hint, now_ms)
        code = refusal.code
        row[st.ACCEPTED if not code or h.taken(code) else st.REFUSED] += 1
        row[st.LAST_CODE], row[st.LAST_SEEN_MS] = code or h.GRANTED, now_ms
        row[st.LAST_SEQUENCE], row[st.LAST_PURPOSE] = hint.sequence, hint.purpose
        self.pending.append(Pending(sender, account, key, hint, code, refusal))

    def _judge(self, account: Account, key: bytes, hint: w.Hint | Schedule, now_ms: int) -> Refusal:
        """Judge an authentic hint. The code is 0 if the hint was handed to the tick, LATER if it
        waits.
        """
        source = account.source
        code = hint_check.freshness_code(hint, self.nonce, account.sequences[key], now_ms)
        if code not in (h.OTHER_BOOT, h.OLD_SEQUENCE):
            account.sequences[key] = hint.sequence
        if code:
            return Refusal(code)
        if isinstance(hint, Schedule):
            refusal = hint_check.schedule_refusal(hint, source.role)
        else:
            code = hint_check.meaning_code(hint, source.valid_s_max, now_ms)
            is_allowed = hint_check.is_permitted(source.role, hint.kind, hint.quantity)
            refusal = Refusal(code or (0 if is_allowed else h.ROLE))
        if refusal.code:
            return refusal
        if not account.within_quota(now_ms):
            return Refusal(h.RATE)
        code = self._before_use(account, key, hint) or self._hand_over(source, hint, now_ms)
        if not code or h.taken(code) or code == h.EPOCH_UNSTORED:
            account.note_taken(now_ms)
        return Refusal(code)

    def _before_use(self, account: Account, key: bytes, hint: w.Hint | Schedule) -> int:
        """EPOCH_UNSTORED while a restart could forget the epoch that a heartbeat begins; else 0."""
        if isinstance(hint, Schedule):
            return 0
        names, epoch = account.epoch_names(key), w.epoch_of(hint.sequence)
        if not hint_check.is_reading(hint):
            highest = self._controller.epochs.get(names[0], 0)
            if not highest:  # a sender without epochs
                return 0
            if epoch > highest:  # no heartbeat has begun it
                return h.EPOCH_UNSTORED
        is_stored = self._controller.keep_epoch(names, epoch)
        return 0 if is_stored else h.EPOCH_UNSTORED

    def _hand_over(self, source: Source, hint: w.Hint | Schedule, now_ms: int) -> int:
        if isinstance(hint, Schedule):
            return self._controller.take_schedule(source, hint)
        quantity = 0 if hint.kind == h.HEARTBEAT else hint.quantity
        slot = h.HintSlot(source.index + 1, hint.kind, quantity, hint.value_W, hint.valid_ms)
        ahead_ms = hint.start_ms - now_ms
        if ahead_ms > 0 and hint.quantity != h.STEP_W:
            self.later.wait(slot, hint.start_ms)
            return h.LATER
        if hint.quantity == h.STEP_W:
            slot = slot._replace(start_ms=max(0, ahead_ms))
        return h.BUSY if self._controller.take(slot) is None else 0

    def change_key(self, name: bytes, key: Key | None, rotate: bool, now_ms: int) -> bool:
        """Set a key, or revoke all keys if `key` is None. rotate: the old key stays valid for a
        day. Returns False for an unknown source.
        """
        account = self._by_name.get(name)
        if account is None:
            return False
        newest = account.keys[:1] if rotate else ()
        old = [old_key._replace(until_ms=now_ms + OLD_KEY_MS) for old_key in newest]
        account.set_keys((key, *old) if key else ())
        if key is None:
            self.later.drop(account.source.index + 1)
        return True
