"""Reads the journal, a ring of tick frames in a mapped file, which the loop writes.

The file has a preamble, a header (msgpack: what a replay needs), the newest complete sequence, the
positions of the last two keyframes, and the ring of frames (frame.py), all little-endian. The
writer waits for no reader. Each reader finds lost frames itself, by sequence and CRC.
"""

import copy
import mmap
import struct
from collections.abc import Iterator
from zlib import crc32

import msgpack

from controller.journal import header_form
from controller.journal.frame import (
    BODY,
    BODY_AT,
    FRAME,
    FRAME_MAGIC,
    KEYFRAME,
    Counts,
    Frame,
    FrameEncoder,
)
from controller.system import regular_file
from controller.system.paths import AnyPath

SCHEMA = 2
MAGIC = b"FIREBRK\n"
# magic, schema, n_groups, n_in, n_out, n_state, header bytes, ring bytes, crc
PREAMBLE = struct.Struct("<8sHHIIIIII")
NEWEST = struct.Struct("<Q")
# offsets in the file of the newest keyframe and of the one before it, 0: none
KEYFRAMES = struct.Struct("<QQ")
NOTHING_YET = (1 << 64) - 1  # newest sequence of a journal without a frame


class JournalError(Exception):
    """The file is not a readable journal; the text is one line for the operator."""


def file_start(counts: Counts, packed: bytes, ring_bytes: int) -> bytes:
    """Preamble and header of a journal; packed: bytes of header_form.packed."""
    n_in, n_groups, n_out, n_state = counts
    fields = (MAGIC, SCHEMA, n_groups, n_in, n_out, n_state, len(packed), ring_bytes)
    return PREAMBLE.pack(*fields, crc32(packed, crc32(PREAMBLE.pack(*fields, 0)))) + packed


class JournalReader:
    """Reads a journal, also while it is written.

    `lost`: number of frames that this reader could not read after its first one. `missing_bytes`:
    bytes that a truncated file lacks.
    """

    def __init__(self, path: AnyPath):
        """Raises JournalError (one line) if the file is not a journal or its header is damaged."""
        self.path = path
        self._map = _existing_map(path)
        fields = _preamble(path, self._map)
        _, _, n_groups, n_in, n_out, n_state, header_bytes, ring_bytes, crc = fields
        self.counts = Counts(n_in, n_groups, n_out, n_state)
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
        self._frame_bytes_max = FrameEncoder(self.counts).frame_bytes_max
        self.lost = 0
        self._position = self.ring_at
        self._expected: int | None = None  # sequence of the next frame, after the first

    def newest(self) -> int | None:
        """Sequence of the newest complete frame, or None.

        The size of the file is checked first: a later start may have cut the ring away, and then a
        read beyond the end gives SIGBUS.
        """
        self._end = min(self._end, self._map.size())
        (sequence,) = NEWEST.unpack_from(self._map, self._newest_at)
        return None if sequence == NOTHING_YET else sequence

    def rewind(self) -> None:
        """Let `frames` begin at the oldest frame in the ring."""
        self._position, self._expected = self.ring_at, None

    def skip(self) -> Frame | None:
        """Let `frames` begin at the newest keyframe that a tick follows. None: nothing changes."""
        newest = self.newest() or 0
        for place in self._places():
            frame = self._keyframe(place) if self.ring_at <= place < self._end else None
            if frame is not None and frame.sequence < newest:
                return self._begin(frame, place)
        return None

    def _places(self) -> tuple[int, int]:
        return KEYFRAMES.unpack_from(self._map, self._newest_at + NEWEST.size)

    def begin_at(self, sequence: int) -> Frame | None:
        """Let `frames` begin at the newest keyframe up to a sequence. None: no such keyframe."""
        for own, place in sorted(self._walk(), reverse=True):
            frame = self._keyframe(place, own) if own <= sequence else None
            if frame is not None:
                return self._begin(frame, place)
        return None

    def _begin(self, frame: Frame, position: int) -> Frame:
        self._position, self._expected = position, frame.sequence
        return frame

    def frames(self) -> Iterator[Frame]:
        """New frames since the last call, oldest first. The first call gives the whole ring."""
        newest = self.newest()
        if newest is None:
            return
        if self._expected is not None:
            yield from self._follow(newest)
        if self._expected is None or self._expected <= newest:
            yield from self._recover(newest)

    def keyframes(self) -> Iterator[Frame]:
        """The keyframes in the ring, oldest first. `frames` continues after the last keyframe."""
        for sequence, position in sorted(self._walk()):
            frame = self._keyframe(position, sequence)
            if frame is not None:
                self._seen(frame, position)
                yield frame

    def recent(self, sequence: int) -> Iterator[Frame]:
        """Keyframes since a sequence, newest first. They do not change where `frames` continues."""
        newest = self.newest() or 0
        frames = [(self._keyframe(place), place) for place in self._places()]
        pairs = [(frame.sequence, place) for frame, place in frames if frame]
        sequence_before, position = max(pairs, default=(-1, self.ring_at))
        while position >= self.ring_at and sequence <= sequence_before <= newest:
            frame = self._keyframe(position, sequence_before)
            if frame is not None:
                yield frame
            position, sequence_before = self._before(position, sequence_before)

    def _before(self, position: int, sequence: int) -> tuple[int, int]:
        """(position, sequence) of the frame before another frame; position -1: there is none."""
        for end in (position, self._end):  # search back from here, then from the end of the ring
            place = self._map.rfind(FRAME_MAGIC, self.ring_at, end)
            while place >= 0:
                head = self._head_at(place)
                if head is not None and head[0] == sequence - 1:
                    return place, sequence - 1
                begin = max(self.ring_at, place - self._frame_bytes_max)
                place = self._map.rfind(FRAME_MAGIC, begin, place)
        return -1, -1

    def again(self, frame: Frame) -> "JournalReader":
        """Another reader of the same map. It begins with `frame`, the last frame of this reader."""
        reader = copy.copy(self)
        reader._position, reader._expected, reader.lost = (
            self._position - len(frame.raw),
            frame.sequence,
            0,
        )
        return reader

    def _head_at(self, position: int) -> tuple[int, int, int] | None:
        """(sequence, kind, length) of the frame at a position, or None; its CRC is not read."""
        if not 0 <= position <= self._end - FRAME.size - BODY.size:
            return None
        magic, _, length = FRAME.unpack_from(self._map, position)
        if magic != FRAME_MAGIC or not FRAME.size + BODY.size <= length <= self._end - position:
            return None
        sequence, _, kind, _ = BODY.unpack_from(self._map, position + FRAME.size)
        return sequence, kind, length

    def _walk(self) -> Iterator[tuple[int, int]]:
        """(sequence, position) of probable keyframes, from frame to frame by length."""
        position, sequence, newest = self.ring_at, -1, self.newest() or 0
        while 0 <= position <= self._end - FRAME.size - BODY.size:
            head = self._head_at(position)
            if head is None:
                rest = self._map[position : position + self._frame_bytes_max]
                if sequence >= newest and not any(rest):
                    return  # the first lap ends here; to search the empty rest would take 70 ms
                position = self._map.find(FRAME_MAGIC, position + 1, self._end)
                continue
            sequence, kind, length = head
            if kind == KEYFRAME:
                yield sequence, position
            position += length

    def close(self) -> None:
        """Unmap the file."""
        self._map.close()

    def _follow(self, newest: int) -> Iterator[Frame]:
        """Frames from the expected one on, until one is missing."""
        while self._expected is not None and self._expected <= newest:
            # The next frame is after the last one, or at the start of a new lap.
            for position in (self._position, self.ring_at):
                frame = self._frame_at(position)
                if frame is not None and frame.sequence == self._expected:
                    break
            else:
                return
            self._seen(frame, position)
            yield frame

    def _recover(self, newest: int) -> Iterator[Frame]:
        """Frames of the whole ring, for a first call or a reader that the writer has overtaken."""
        for sequence, position in self._scan():
            frame = self._frame_at(position)
            if frame is None or frame.sequence != sequence or sequence < (self._expected or 0):
                continue
            if self._expected is not None:
                self.lost += sequence - self._expected
            self._seen(frame, position)
            yield frame
        if self._expected is None:
            self._expected = newest
        if self._expected <= newest:
            self.lost += newest + 1 - self._expected
            self._expected = newest + 1

    def _seen(self, frame: Frame, position: int) -> None:
        self._position = position + len(frame.raw)
        self._expected = frame.sequence + 1

    def _scan(self) -> list[tuple[int, int]]:
        """[(sequence, position)] of all whole frames in the ring, oldest first."""
        frames = []
        position = self._map.find(FRAME_MAGIC, self.ring_at, self._end)
        while position >= 0:
            raw = self._raw_at(position)
            if raw:
                frames.append((BODY.unpack_from(raw, FRAME.size)[0], position))
            position = self._map.find(FRAME_MAGIC, position + (len(raw) if raw else 1), self._end)
        return sorted(frames)

    def _raw_at(self, position: int) -> bytes | None:
        """Bytes of the frame at a position; None: no frame with a right CRC is there."""
        head = self._head_at(position)
        if head is None:
            return None
        raw = self._map[position : position + head[-1]]
        _, crc, _ = FRAME.unpack_from(raw)
        return raw if crc32(raw[BODY_AT:]) == crc else None

    def _frame_at(self, position: int) -> Frame | None:
        raw = self._raw_at(position)
        try:
            return Frame(raw, self.counts) if raw else None
        except ValueError:  # the checksum is right, but the content is no frame
            return None

    def _keyframe(self, position: int, sequence: int | None = None) -> Frame | None:
        """The keyframe at a position, or None. sequence: that of the keyframe; None: any."""
        frame = self._frame_at(position)
        if frame is None or frame.kind != KEYFRAME or sequence not in (None, frame.sequence):
            return None
        return frame


def _existing_map(path: AnyPath) -> mmap.mmap:
    try:
        with open(path, "rb", opener=regular_file.opener) as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise JournalError(f"{path}: {error.strerror}") from None
    except ValueError:
        raise JournalError(f"{path}: the file is empty") from None


def _header(path: AnyPath, packed: bytes) -> dict:
    try:
        header = header_form.unpacked(packed)
        wrong = header_form.wrong(header)
    except (ValueError, msgpack.UnpackException):
        header, wrong = {}, "its form"
    if wrong:
        raise JournalError(f"{path}: the header of this journal is wrong: {wrong}")
    return header


def _preamble(path: AnyPath, content: mmap.mmap) -> tuple:
    """Fields of PREAMBLE of a journal of this schema; the caller checks the CRC."""
    if content[: len(MAGIC)] != MAGIC:
        raise JournalError(f"{path}: not a journal")
    if len(content) < PREAMBLE.size:
        raise JournalError(f"{path}: truncated, {len(content)} bytes of a journal are left")
    fields = PREAMBLE.unpack_from(content)
    if fields[1] != SCHEMA:
        raise JournalError(f"{path}: journal schema {fields[1]}, this program reads {SCHEMA}")
    return fields
