"""Counters and a histogram of how late the ticks are, and how long the store was unsaved.

They are in a mapped file, which the loop writes and any process reads.
"""

import struct
from collections.abc import Sequence
from typing import Any

from controller.system import clock, regular_file

BUCKETS = 20_001  # 1 us each; the last bucket counts all ticks that were later
# magic, ticks, missed, late, runs, newest lateness in us, largest lateness; ms for which the store
# is now unsaved, ms for which it was unsaved earlier in this run
HEAD = struct.Struct("<8sQQQQQQQQ")
COUNT_MAX = 2**32 - 1  # largest count of a bucket: the ticks of 2.7 years
MAGIC = b"FBLOOP\x00\x03"
COUNTERS = ("ticks", "missed", "late", "runs")  # counters of clock.Deadlines
FILE_BYTES = HEAD.size + 4 * BUCKETS
PERCENTILES = (("p50", 500), ("p99", 990), ("p99_9", 999))  # permille


class LoopStatistics:
    """Writer: one `note` per tick."""

    def __init__(self, path: str):
        """Makes the file anew; raises OSError."""
        self._map = regular_file.mapped(path, FILE_BYTES)
        self._counts = memoryview(self._map)[HEAD.size :].cast("I")
        self._ticks = self._maximum_us = 0

    def note(self, deadlines: clock.Deadlines, unsaved_ms: tuple[int, int] = (0, 0)) -> None:
        """Note the end of a tick. deadlines: the loop's clock.Deadlines; unsaved_ms: see
        StoreWatch.
        """
        lateness_us = max(0, deadlines.lateness_us)
        self._ticks += 1
        self._maximum_us = max(self._maximum_us, lateness_us)
        bucket = min(lateness_us, BUCKETS - 1)
        self._counts[bucket] = min(self._counts[bucket] + 1, COUNT_MAX)
        HEAD.pack_into(
            self._map,
            0,
            MAGIC,
            self._ticks,
            deadlines.missed,
            deadlines.late,
            deadlines.runs,
            lateness_us,
            self._maximum_us,
            *unsaved_ms,
        )

    def close(self) -> None:
        """Release the mapping. The file stays."""
        self._counts.release()
        self._map.close()


def content(path: str) -> bytes | None:
    """The bytes of a statistics file, for `figures`; None: no readable file, or no tick in
    it yet.
    """
    raw = regular_file.content(path)
    # the file of a loop that is just starting is shorter
    return raw if len(raw) == FILE_BYTES and raw.startswith(MAGIC) else None


def read(path: str) -> dict[str, Any] | None:
    """{ticks, missed, late, runs, lateness_us {p50, p99, p99_9, max}}; None: no tick yet."""
    raw = content(path)
    return None if raw is None else figures(raw)


def unsaved_ms(path: str) -> tuple[int, int]:
    """(ms for which the store is now unsaved, 0 if it is saved; ms for which it was unsaved earlier
    in this run).
    """
    raw = content(path)
    if raw is None:
        return 0, 0
    *_, now_ms, before_ms = HEAD.unpack_from(raw)
    return now_ms, before_ms


def figures(raw: bytes, earlier: bytes | None = None) -> dict[str, Any]:
    """The figures of `read`, from the bytes of the file. earlier: older bytes of the file; only
    ticks after these bytes count.
    """
    _, *counted, _, maximum_us, _, _ = HEAD.unpack_from(raw)
    counts: Sequence[int] = memoryview(raw)[HEAD.size :].cast("I")
    if earlier is not None:
        counted = [after - before for after, before in zip(counted, HEAD.unpack_from(earlier)[1:])]
        counts = [
            after - before
            for after, before in zip(counts, memoryview(earlier)[HEAD.size :].cast("I"))
        ]
        maximum_us = max(
            [lateness_us for lateness_us, count in enumerate(counts) if count], default=0
        )
    lateness_us = {
        name: _percentile(counts, counted[0], permille) for name, permille in PERCENTILES
    }
    return {**dict(zip(COUNTERS, counted)), "lateness_us": lateness_us | {"max": maximum_us}}


def _percentile(counts: Sequence[int], ticks: int, permille: int) -> int:
    """Smallest lateness in us that `permille` of the ticks do not exceed."""
    wanted, seen = -(-ticks * permille // 1000), 0
    for lateness_us, count in enumerate(counts):
        seen += count
        if seen >= wanted:
            return lateness_us
    return BUCKETS - 1
