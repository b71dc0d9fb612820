"""Reads the blocks of the ring of ticks, and checks their hash chain. Format: see fast.py."""

import contextlib
import hashlib
import json
import os
import re
import struct
import zlib
from array import array
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from controller.recorder.fast_anchor import BLOCKS_A_DAY, Anchor
from controller.recorder.ticks import COLUMNS
from controller.system import regular_file
from controller.system.utc import UTC_US_MAX

FOLDER = "fast"
NAME = re.compile(r"fast_(\d{10})\.ticks")
HEAD = struct.Struct("<4sII32s")
MAGIC = b"FBT\x01"
# keys of a block's header whose values are whole numbers
WHOLE = "number utc_us uptime_ms tick_ms meter_ms count inode sequence".split()
BOUNDS = {"tick_ms": (1, 1000), "meter_ms": (0, 60_000), "utc_us": (0, UTC_US_MAX)}
COUNT_MAX = 100_000  # ticks in a block; a minute of 1 ms ticks has 60 000
FILE_BYTES_MAX = 64 << 20  # a file contains an hour, which is about 2 MB
MASK = (1 << 32) - 1
SET_US = 2_000_000  # if clock and ticks differ by more than this, the clock was set
# Bytes that a file system writes in addition to each block: its last page, the inode, its journal.
BESIDE_BYTES = 12 << 10


class Block(NamedTuple):
    """A block as stored. begin, end: places in the file.

    header: number; utc_us and uptime_ms of its end; tick_ms; meter_ms; count; inode and sequence of
    its last frame; columns; previous.
    """

    header: dict[str, Any]
    packed: bytes
    digest: bytes
    begin: int
    end: int

    def columns(self) -> dict[str, bytes]:
        """The columns, as `unpacked` takes them. Raises ValueError, zlib.error."""
        size, names = 4 * self.header["count"], self.header["columns"]
        content = zlib.decompressobj().decompress(self.packed, size * len(names))
        if len(content) != size * len(names):
            raise ValueError("its columns are short")
        return {name: _joined(content[index * size :][:size]) for index, name in enumerate(names)}


def _joined(content: bytes) -> bytes:
    """The differences as u32, with the four bytes of each put together again."""
    count, joined = len(content) // 4, bytearray(len(content))
    for index in range(4):
        joined[index::4] = content[index * count : (index + 1) * count]
    return bytes(joined)


def unpacked(column: bytes) -> array:
    """The values of a column."""
    value, values = 0, array("I", column)
    for index, difference in enumerate(values):
        value = (value + difference) & MASK
        values[index] = value
    return array("i", values.tobytes())


def number_of(name: str) -> int:
    """Number of the first block in a file of this name."""
    return int(name[5:15])


def files(folder: str) -> list[str]:
    """Names of the files of a ring, oldest first; [] if the folder is missing."""
    with contextlib.suppress(FileNotFoundError):
        return sorted(filter(NAME.fullmatch, os.listdir(folder)))
    return []


def blocks_of(path: str) -> Iterator[Block]:
    """The complete blocks of a file. Damaged parts between them are skipped. Raises OSError."""
    data = regular_file.read(path, FILE_BYTES_MAX)
    begin = data.find(MAGIC)
    while begin >= 0:
        block = _block_at(data, begin)
        if block is not None:
            yield block
        begin = data.find(MAGIC, begin + 1 if block is None else block.end)


def _block_at(data: bytes, begin: int) -> Block | None:
    """The block that begins here; None if it is not complete."""
    if begin + HEAD.size > len(data):
        return None
    _, head_bytes, packed_bytes, digest = HEAD.unpack_from(data, begin)
    packed_at = begin + HEAD.size + head_bytes
    if packed_at + packed_bytes > len(data):
        return None
    head, packed = data[begin + HEAD.size : packed_at], data[packed_at : packed_at + packed_bytes]
    try:
        header = json.loads(head)
        previous = bytes.fromhex(header["previous"])
        is_right = all(type(header[name]) is int for name in WHOLE)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    is_right = is_right and 0 < header["count"] <= COUNT_MAX
    if not is_right or hashlib.sha256(previous + head + packed).digest() != digest:
        return None
    return Block(header, packed, digest, begin, packed_at + len(packed))


class Placed(NamedTuple):
    """A block with its columns, and the UTC (us) of its first tick.

    elapsed: ticks since the last frame, for each frame. follows: no tick is missing between this
    block and the block before.
    """

    block: Block
    columns: dict[str, bytes]
    elapsed: array
    begin_us: int
    follows: bool


def placed(folder: str) -> Iterator[Placed]:
    """The blocks of a ring, with their times. Raises OSError, ValueError.

    If no frame is missing since the last block, the time of a block continues from there. Ticks are
    more regular than the wall clock, which is read once per block. If both differ by more than
    SET_US, the clock was set, and the block has the new time.
    """
    end_us, last_frame = 0, (0, -1)
    for name in files(folder):
        for block in blocks_of(os.path.join(folder, name)):
            try:
                placed_block = _placed(block, end_us, last_frame)
            except (KeyError, TypeError, IndexError, ValueError, zlib.error) as error:
                number = block.header.get("number")
                raise ValueError(f"{name}: block {number} is damaged: {error}") from None
            ticks = sum(placed_block.elapsed) - placed_block.elapsed[0]
            end_us = placed_block.begin_us + ticks * block.header["tick_ms"] * 1000
            last_frame = block.header["inode"], block.header["sequence"]
            yield placed_block


def _placed(block: Block, end_us: int, last_frame: tuple[int, int]) -> Placed:
    """The block with its columns and time. end_us, last_frame: of the block before."""
    header, columns = block.header, block.columns()
    lacks = [name for name in COLUMNS if name not in columns]
    wrong = [name for name, (low, most) in BOUNDS.items() if not low <= header[name] <= most]
    if lacks or wrong or not isinstance(header["meters"], list):
        raise ValueError(f"{' '.join([*lacks, *wrong]) or 'meters'} missing or wrong")
    elapsed = unpacked(columns["elapsed_ticks"])
    if min(elapsed) < 0:
        raise ValueError("its time goes back")
    step_us = header["tick_ms"] * 1000
    before = header["inode"], header["sequence"] - header["count"]
    continued_us = end_us + elapsed[0] * step_us
    by_clock_us = header["utc_us"] - (sum(elapsed) - elapsed[0]) * step_us
    follows, is_set = before == last_frame, abs(by_clock_us - continued_us) > SET_US
    begin_us = continued_us if follows and not is_set else by_clock_us
    return Placed(block, columns, elapsed, begin_us, follows)


class Ring(NamedTuple):
    """The result of checking a ring.

    times_us: UTC of the first and of the last block. breaks: one line for each fault.
    """

    blocks: int
    times_us: list[int]
    stored_bytes: int
    breaks: list[str]

    @property
    def day_bytes(self) -> float:
        """Bytes written to the flash per day, including those of the file system."""
        return (self.stored_bytes / max(1, self.blocks) + BESIDE_BYTES) * BLOCKS_A_DAY


def verify(folder: str, anchors: Sequence[Anchor] = ()) -> Ring:
    """Check the chain of a ring, and the blocks that the record names. Raises OSError."""
    count, stored, breaks = 0, 0, list[str]()
    times_us: list[int] = []
    anchored, oldest, newest = {anchor.number for anchor in anchors}, None, -1
    digests: dict[int, str] = {}
    before: tuple[int, str] | None = None  # (number, hash) to which the next block must refer
    for name in files(folder):
        path, end = os.path.join(folder, name), 0
        for block in blocks_of(path):
            number, previous = block.header["number"], block.header["previous"]
            if block.begin != end:
                breaks.append(f"{name}: is damaged from byte {end} to {block.begin}")
            elif not end and number != number_of(name):
                breaks.append(f"{name}: block {number} is not the first of this file")
            elif before not in (None, (number, previous)):
                breaks.append(f"{name}: block {number} does not follow the block before")
            before, end = (number + 1, block.digest.hex()), block.end
            times_us, count = [*times_us[:1], block.header["utc_us"]], count + 1
            oldest, newest = number if oldest is None else oldest, number
            if number in anchored:
                digests[number] = block.digest.hex()
        stored += end
        if end < os.path.getsize(path):
            breaks.append(f"{name}: is damaged from byte {end} on")
    for where, number, digest in anchors:
        if number > newest:
            breaks.append(f"{where} names minute {number}; the ring ends at minute {newest}")
        elif number >= (oldest or 0) and digests.get(number) != digest:
            breaks.append(f"{where} names another minute {number}")
    return Ring(count, times_us, stored, breaks)
