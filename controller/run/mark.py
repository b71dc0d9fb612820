"""The mark of what the store protects: how often it has changed, and a digest of it. Channel B
keeps the mark of the last durable record, so that an older pair of copies is noticed.
"""

import zlib

from safety import signals as s

DIGEST_MASK = (1 << 16) - 1  # what a frame has room for


class Mark:
    """`durable`: (count, digest) of the last record that is known to be on the disk."""

    def __init__(self, record):
        """record: of the last run."""
        self.durable = self._loaded = self._now = (record.changes, _digest(record))
        self._number = 0  # of the record that has `_now`
        self._is_compared = False

    def count(self, record) -> int:
        """How often what protects has changed, with this record."""
        count, digest = self._now
        if _digest(record) != digest:
            self._now, self._number = (count + 1 & s.INT_MAX, _digest(record)), 0
        return self._now[0]

    def submitted(self, number: int) -> None:
        """The keeper has taken the record of the last `count` under this number."""
        self._number = self._number or number

    def settle(self, keeper) -> None:
        """Before each tick: take in what has become durable."""
        if self.durable != self._now and self._number and keeper.poll() >= self._number:
            self.durable = self._now

    def is_old(self, kept: tuple | None) -> int:
        """1, once: channel B has kept a mark that the record of the last run does not explain.

        kept: (count, digest), (0, 0) where it keeps none, None while it is not heard.
        """
        if kept is None or self._is_compared:
            return 0
        self._is_compared = True
        if kept == self._loaded or kept[0] < self._loaded[0] or kept == (0, 0):
            return 0
        self._now, self._number = (max(kept[0], self._now[0]), 0), 0  # the next record is newer
        return 1


def _digest(record):
    """Of what a person or a trip has put there to keep the cabinet open, and of what was approved.
    Neither age nor number of anything: they change by themselves.
    """
    protects = (sorted(record.latches), record.locked_out, record.rest, record.approved)
    return zlib.crc32(repr(protects).encode()) & DIGEST_MASK
