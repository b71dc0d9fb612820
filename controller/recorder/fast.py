"""Writes the ring of ticks: the values that rules of grid operators need, kept for some days.

The file fast/fast_0000000120.ticks has the blocks 120 to 179. A block has the ticks of one minute:
magic, two lengths (u32), hash (32 bytes), header (JSON), columns (zlib).

A column holds the differences between its values as u32: first all lowest bytes, then all second
bytes, and so on. Most high bytes are 0, so this order halves the size. The hash is SHA-256 over the
hash of the block before, the header and the columns; the header repeats the hash of the block
before. A block is written and synced once, when it ends. So a power cut costs at most a minute, and
a block that was written in part is cut off. The record stores the newest hash (fast_anchor.py).
"""

import contextlib
import errno
import hashlib
import json
import os
import zlib
from array import array
from collections.abc import Callable, Iterator

from controller.recorder.fast_anchor import BLOCKS_A_DAY
from controller.recorder.fast_ring import FOLDER, HEAD, MAGIC, MASK, blocks_of, files, number_of
from controller.recorder.ticks import COLUMNS
from controller.state.base import Facts
from controller.store import durable
from controller.system.paths import Say

BLOCK_S, BLOCKS_A_FILE = 60, 60
START = bytes(32)
LEVEL = 6


def _packed(values: "array[int]") -> bytes:
    before, differences = 0, array("I", bytes(4 * len(values)))
    for index, value in enumerate(values):
        differences[index] = (value - before) & MASK
        before = value
    content = differences.tobytes()
    return b"".join(content[byte::4] for byte in range(4))


class RingWriter:
    """Writes the ring."""

    def __init__(
        self,
        state_directory: str,
        days: int,
        say: Say,
        has_room: Callable[[int], bool] = lambda wanted_bytes: True,
    ):
        """Go on with the ring in this directory. say: gives a line to the operator.

        days: number of days that are kept; 0: nothing is written. has_room: True if this many bytes
        fit without using the room that is kept for events.
        """
        self._folder, self.days, self._say = os.path.join(state_directory, FOLDER), days, say
        self._has_room = has_room
        self._rows = array("i")
        self._reported = ""
        self._number, self._previous = -1, START
        self._last_frame = -1, -1  # (inode of the journal, sequence) of the newest stored frame
        if days:
            with self._reporting():
                self._begin()

    def _begin(self) -> None:
        """Go on after the newest block. Cut off an incomplete block that a power cut has left."""
        os.makedirs(self._folder, mode=0o750, exist_ok=True)
        names = files(self._folder)[-2:]  # the last file may contain no whole block
        self._number = number_of(names[0]) - 1 if names else -1
        for name in names:
            path, end = os.path.join(self._folder, name), 0
            for block in blocks_of(path):
                end, self._number, self._previous = block.end, block.header["number"], block.digest
                self._last_frame = block.header["inode"], block.header["sequence"]
            if not end:
                os.unlink(path)
            elif end < os.path.getsize(path):
                os.truncate(path, end)

    @property
    def newest(self) -> tuple[int, str]:
        """(number, hash) of the newest block; the number is -1 without a block."""
        return self._number, self._previous.hex()

    def has(self, inode: int, sequence: int) -> bool:
        """True if an earlier process stored this frame of this journal."""
        return inode == self._last_frame[0] and sequence <= self._last_frame[1]

    def take(self, row: tuple[int, ...]) -> None:
        """Take a row of COLUMNS."""
        self._rows.extend(row)

    def is_due(self, tick_ms: int) -> bool:
        """True if a block is full."""
        return len(self._rows) // len(COLUMNS) * tick_ms >= BLOCK_S * 1000

    def write(self, header: Facts) -> None:
        """Store the rows as a block. Without room they are lost, and that is reported once.

        header: all keys except number, count, columns and previous.
        """
        rows, self._rows = self._rows, array("i")
        if not rows or not self.days:
            return
        number = self._number + 1
        content, digest = self._block({"number": number, **header}, rows)
        with self._reporting():
            if not self._has_room(len(content)):
                self._drop_oldest(files(self._folder))
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self._append(number, content)
            self._number, self._previous = number, digest
            self._last_frame = header["inode"], header["sequence"]
            self._trim()

    def _block(self, header: Facts, rows: "array[int]") -> tuple[bytes, bytes]:
        """(bytes of a block, its hash)."""
        width = len(COLUMNS)
        content = b"".join(_packed(rows[column::width]) for column in range(width))
        more = {"count": len(rows) // width, "columns": COLUMNS, "previous": self._previous.hex()}
        head, packed = json.dumps(header | more).encode("ascii"), zlib.compress(content, LEVEL)
        digest = hashlib.sha256(self._previous + head + packed).digest()
        return HEAD.pack(MAGIC, len(head), len(packed), digest) + head + packed, digest

    def _append(self, number: int, content: bytes) -> None:
        names = files(self._folder)
        is_new = not names or number - number_of(names[-1]) >= BLOCKS_A_FILE
        name = f"fast_{number:010d}.ticks" if is_new else names[-1]
        path = os.path.join(self._folder, name)
        with durable.opened(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640) as descriptor:
            size = os.fstat(descriptor).st_size
            try:
                durable.write(descriptor, content)
                os.fsync(descriptor)
            except OSError:
                os.truncate(path, size)
                raise
        if is_new:
            durable.sync_directory(self._folder)

    def _trim(self) -> None:
        """Remove the oldest files, which are older than the days to keep."""
        names = files(self._folder)
        while len(names) > 1 and self._number - number_of(names[1]) >= self.days * BLOCKS_A_DAY:
            self._drop_oldest(names)
            names.pop(0)

    def _drop_oldest(self, names: list[str]) -> None:
        if len(names) > 1:
            os.unlink(os.path.join(self._folder, names[0]))

    @contextlib.contextmanager
    def _reporting(self) -> Iterator[None]:
        """Context of a write. A failure loses the block. Start and end of failures are reported."""
        try:
            yield
        except OSError as error:
            why = error.strerror or "no file"
            if why != self._reported:
                self._say(f"{self._folder}: {why}: the ticks of the last minute are not kept")
            self._reported = why
            return
        if self._reported:
            self._say(f"{self._folder}: ticks are kept again")
        self._reported = ""
