"""Revision and digest of the protected part of the store. Channel B keeps the revision and digest
of the last durable record. So a start detects a store whose two copies are both older.
"""

import zlib

from controller.run.stored_value import Acknowledging
from controller.store.stored_record import Record
from safety import signals as s

DIGEST_MASK = (1 << 16) - 1  # a frame has 16 bits for the digest


class StoreRevision:
    """`durable`: (revision, digest) of the last record that is known to be on the disk."""

    def __init__(self, record: Record):
        """record: the last record of the previous run."""
        self.durable = self._loaded = self._now = (record.changes, _digest(record))
        self._number = 0  # number of the record that contains `_now`
        self._is_compared = False

    def count(self, record: Record) -> int:
        """Revision of this record: the number of changes of the protected part."""
        revision, digest = self._now
        if _digest(record) != digest:
            self._now, self._number = (revision + 1 & s.INT_MAX, _digest(record)), 0
        return self._now[0]

    def submitted(self, number: int) -> None:
        """Note the number under which the keeper has taken the record of the last `count`."""
        self._number = self._number or number

    def settle(self, keeper: Acknowledging) -> None:
        """Update `durable`, before each tick."""
        if self.durable != self._now and self._number and keeper.poll() >= self._number:
            self.durable = self._now

    def is_old(self, of_peer: tuple[int, int] | None) -> int:
        """Return 1 once, if channel B keeps a newer revision than the loaded store has. of_peer
        (0, 0): B keeps none; None: B is silent.
        """
        if of_peer is None or self._is_compared:
            return 0
        self._is_compared = True
        if of_peer == self._loaded or of_peer[0] < self._loaded[0] or of_peer == (0, 0):
            return 0
        newest = max(of_peer[0], self._now[0])
        self._now, self._number = (newest, 0), 0  # so the next record is newer
        return 1


def _digest(record: Record) -> int:
    """Digest of the values that a trip or a person changes. Ages and counts are left out, because
    they change all the time.
    """
    signs = sorted(record.signs.items())  # an older release has none
    protected = (sorted(record.latches), record.locked_out, record.rest, record.approved, *signs)
    return zlib.crc32(repr(protected).encode()) & DIGEST_MASK
