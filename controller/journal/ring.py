"""The journal: a ring of tick frames in a mapped file, written by the loop, read by anybody.

File: preamble (magic, schema, counts, sizes, CRC-32), header (msgpack: whatever a replay needs),
newest complete sequence, where the last two keyframes lie, ring of frames (frame.py). Little-endian
throughout, like every machine this runs on. The writer (writer.py) never waits for a
reader: the ring overwrites, and each reader finds its own loss by sequence and CRC.
"""

import copy
import mmap
import os
import struct
from collections.abc import Iterable, Iterator
from zlib import crc32

import msgpack

from controller.journal import header_form
from controller.journal.frame import (
    BODY,
    BODY_AT,
    FRAME,
    FRAME_MAGIC,
    KEYFRAME,
    Frame,
    FrameEncoder,
)
from controller.system import regular_file

SCHEMA = 2
MAGIC = b"FIREBRK\n"
# magic, schema, n_groups, n_in, n_out, n_state, header bytes, ring bytes, crc
PREAMBLE = struct.Struct("<8sHHIIIIII")
NEWEST = struct.Struct("<Q")
# offsets in the file of the newest keyframe and of the one before it, 0: none
KEYFRAMES = struct.Struct("<QQ")
NOTHING_YET = (1 << 64) - 1  # newest sequence of a journal without a frame


class JournalError(Exception):
    """The file is not a journal that can be read; the text is one line for the operator."""


def file_start(counts: tuple, packed: bytes, ring_bytes: int) -> bytes:
    """Preamble and header of a journal: counts as JournalReader has them, packed: bytes of
    pack_header.
    """
    n_in, n_groups, n_out, n_state = counts
    fields = (MAGIC, SCHEMA, n_groups, n_in, n_out, n_state, len(packed), ring_bytes)
    return PREAMBLE.pack(*fields, crc32(packed, crc32(PREAMBLE.pack(*fields, 0)))) + packed


class JournalReader:
    """Reads a journal file, also while it is being written.

    `header` is the writer's dict, `counts` (n_in, n_groups, n_out, n_state), `ring_at` the offset
    of the ring. `lost` counts the frames after the first that this reader could not read.
    `missing_bytes`: so much a truncated file lacks.
    """

    def __init__(self, path: str | os.PathLike[str]):
        """Raises JournalError (one line) when the file is no journal or its header is damaged."""
        self.path = path
        self._map = _existing_map(path)
        fields = _preamble(path, self._map)
        _, _, n_groups, n_in, n_out, n_state, header_bytes, ring_bytes, crc = fields
        self.counts = (n_in, n_groups, n_out, n_state)
        if header_bytes > header_form.HEADER_BYTES_MAX or not header_form.are_counts(self.counts):
            raise JournalError(f"{path}: its header or its frames are larger than any journal's")
        self._newest_at = PREAMBLE.size + header_bytes
        self.ring_at = self._newest_at + NEWEST.size + KEYFRAMES.size
        self.packed_header = packed = self._map[PREAMBLE.size : self._newest_at]
        is_whole = self.ring_at <= len(self._map)
        if not is_whole or crc32(packed, crc32(PREAMBLE.pack(*fields[:-1], 0))) != crc:
            raise JournalError(f"{path}: the header of this journal is damaged")
        self.header = _header(path, packed)
        self.missing_bytes = max(0, self.ring_at + ring_bytes - len(self._map))
        self._end = self.ring_at + ring_bytes - self.missing_bytes
        self._frame_bytes_max = FrameEncoder(*self.counts).frame_bytes_max
        self.lost = 0
        self.rewind()

    def newest(self) -> int | None:
        """Sequence of the newest complete frame, or None before the first.

        Looks first whether a later start has cut the ring away (journal_writer.py): beyond the end
        of the file the map gives SIGBUS.
        """
        self._end = min(self._end, self._map.size())
        (sequence,) = NEWEST.unpack_from(self._map, self._newest_at)
        return None if sequence == NOTHING_YET else sequence

    def rewind(self) -> None:
        """Let `frames` begin at the oldest frame the ring holds."""
        self._at, self._expected = self.ring_at, None  # sequence of the next frame, once one is

    def skip(self) -> None:
        """Let `frames` begin at the newest keyframe that a tick follows: the present, at once.

        A hint only: where nothing readable lies there, `frames` begins with the oldest one.
        """
        newest = self.newest()
        places = KEYFRAMES.unpack_from(self._map, self._newest_at + NEWEST.size)
        found = [(self._keyframe(at), at) for at in places if self.ring_at <= at < self._end]
        self._begin([(frame, at) for frame, at in found if frame and frame.sequence < newest])

    def begin_at(self, sequence: int) -> Frame | None:
        """Let `frames` begin at the newest keyframe at or before a sequence; at the oldest frame
        where none is left.

        Returns the keyframe it begins with, or None.
        """
        order = sorted(self._walk(), reverse=True)
        return self._begin((self._keyframe(at, seen), at) for seen, at in order if seen <= sequence)

    def _begin(self, places: Iterable) -> Frame | None:
        """Begin at the first place, (keyframe or None, position), that has a keyframe; returns
        it.
        """
        for frame, at in places:
            if frame is not None:
                self._at, self._expected = at, frame.sequence
                return frame
        return None

    def frames(self) -> Iterator[Frame]:
        """Yields the frames completed since the last call (at first all that the ring holds),
        oldest first.
        """
        newest = self.newest()
        if newest is None:
            return
        if self._expected is not None:
            yield from self._follow(newest)
        if self._expected is None or self._expected <= newest:
            yield from self._recover(newest)

    def keyframes(self) -> Iterator[Frame]:
        """Yields the keyframes the ring holds, oldest first, without decoding the frames between
        them; `frames` goes on behind the last one.
        """
        for sequence, at in sorted(self._walk()):
            frame = self._keyframe(at, sequence)
            if frame is not None:
                self._seen(frame, at)
                yield frame

    def again(self, frame: Frame) -> "JournalReader":
        """Another reader of the map, which begins with the frame that this one yielded last."""
        found = copy.copy(self)
        found._at, found._expected, found.lost = self._at - len(frame.raw), frame.sequence, 0
        return found

    def _head_at(self, at: int) -> tuple[int, int, int] | None:
        """(sequence, kind, length) of the frame at a position, or None; its CRC is not read."""
        if not 0 <= at <= self._end - FRAME.size - BODY.size:
            return None
        magic, _, length = FRAME.unpack_from(self._map, at)
        if magic != FRAME_MAGIC or not FRAME.size + BODY.size <= length <= self._end - at:
            return None
        sequence, _, kind, _ = BODY.unpack_from(self._map, at + FRAME.size)
        return sequence, kind, length

    def _walk(self) -> Iterator[tuple[int, int]]:
        """(sequence, position) of what looks like a keyframe, from frame to frame by length."""
        at, sequence, newest = self.ring_at, -1, self.newest() or 0
        while 0 <= at <= self._end - FRAME.size - BODY.size:
            head = self._head_at(at)
            if head is None:
                if sequence >= newest and not any(self._map[at : at + self._frame_bytes_max]):
                    return  # the first lap ends here; to search the empty ring takes 70 ms
                at = self._map.find(FRAME_MAGIC, at + 1, self._end)
                continue
            sequence, kind, length = head
            if kind == KEYFRAME:
                yield sequence, at
            at += length

    def close(self) -> None:
        """Unmap the file."""
        self._map.close()

    def _follow(self, newest: int) -> Iterator[Frame]:
        """Frames from the expected one on, until one is missing."""
        while self._expected <= newest:
            # it is where the last one ended, or where a new lap begins
            for at in (self._at, self.ring_at):
                frame = self._frame_at(at)
                if frame is not None and frame.sequence == self._expected:
                    break
            else:
                return
            self._seen(frame, at)
            yield frame

    def _recover(self, newest: int) -> Iterator[Frame]:
        """Frames from everywhere in the ring: for the first time, or because the writer has
        overtaken this reader.
        """
        for sequence, at in self._scan():
            frame = self._frame_at(at)
            if frame is None or frame.sequence != sequence or sequence < (self._expected or 0):
                continue
            if self._expected is not None:
                self.lost += sequence - self._expected
            self._seen(frame, at)
            yield frame
        if self._expected is None:
            self._expected = newest
        if self._expected <= newest:
            self.lost += newest + 1 - self._expected
            self._expected = newest + 1

    def _seen(self, frame: Frame, at: int) -> None:
        self._at = at + len(frame.raw)
        self._expected = frame.sequence + 1

    def _scan(self) -> list[tuple[int, int]]:
        """[(sequence, position)] of all whole frames in the ring, oldest first."""
        found = []
        at = self._map.find(FRAME_MAGIC, self.ring_at, self._end)
        while at >= 0:
            raw = self._raw_at(at)
            if raw:
                found.append((BODY.unpack_from(raw, FRAME.size)[0], at))
            at = self._map.find(FRAME_MAGIC, at + (len(raw) if raw else 1), self._end)
        return sorted(found)

    def _raw_at(self, at: int) -> bytes | None:
        """Bytes of the frame at a position, or None where there is no frame with a right CRC."""
        head = self._head_at(at)
        if head is None:
            return None
        raw = self._map[at : at + head[-1]]
        _, crc, _ = FRAME.unpack_from(raw)
        return raw if crc32(raw[BODY_AT:]) == crc else None

    def _frame_at(self, at: int) -> Frame | None:
        raw = self._raw_at(at)
        try:
            return Frame(raw, self.counts) if raw else None
        except ValueError:  # a right checksum over something else
            return None

    def _keyframe(self, at: int, sequence: int | None = None) -> Frame | None:
        """The keyframe at a position, of this sequence if given; else None."""
        frame = self._frame_at(at)
        is_it = frame is not None and frame.kind == KEYFRAME and sequence in (None, frame.sequence)
        return frame if is_it else None


def _existing_map(path: str | os.PathLike[str]) -> mmap.mmap:
    try:
        with open(path, "rb", opener=regular_file.opener) as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise JournalError(f"{path}: {error.strerror}") from None
    except ValueError:
        raise JournalError(f"{path}: the file is empty") from None


def _header(path: str | os.PathLike[str], packed: bytes) -> dict:
    try:
        found = header_form.unpacked(packed)
        wrong = header_form.wrong(found)
    except (ValueError, msgpack.UnpackException):
        wrong = "its form"
    if wrong:
        raise JournalError(f"{path}: the header of this journal is no header: {wrong}")
    return found


def _preamble(path: str | os.PathLike[str], content: mmap.mmap) -> tuple:
    """Fields of PREAMBLE, of a file of this kind and schema; only the CRC tells whether they are
    intact.
    """
    if content[: len(MAGIC)] != MAGIC:
        raise JournalError(f"{path}: not a journal")
    if len(content) < PREAMBLE.size:
        raise JournalError(f"{path}: truncated, {len(content)} bytes of a journal are left")
    fields = PREAMBLE.unpack_from(content)
    if fields[1] != SCHEMA:
        raise JournalError(f"{path}: journal schema {fields[1]}, this program reads {SCHEMA}")
    return fields
