"""Converts the process image of a tick to a frame of the journal, and back. Little-endian.

    magic u32, crc32 u32 over the rest, length u32, sequence u64, elapsed_ticks u32, kind u16,
    changes u16, fresh bits (one per group, low bit first), indexes u16 x changes, values i32 x
    changes

An index below n_in is an input, any other index an output. A frame has only the words that differ
from the frame before. A keyframe has all words, no indexes, and at its end the n_state words of the
state *after* its tick, so that a reader can start there.
"""

import struct
from array import array
from collections.abc import MutableSequence, Sequence
from itertools import compress
from typing import NamedTuple
from zlib import crc32

FRAME_MAGIC = b"FBJ\x01"
FRAME = struct.Struct("<4sII")  # magic, crc, length
BODY = struct.Struct("<QIHH")  # sequence, elapsed_ticks, kind, changes
BODY_AT = FRAME.size - 4  # the CRC covers the length as well
LENGTH = struct.Struct("<I")
DELTA, KEYFRAME = 0, 1
_TO_DIGITS = b"0" + b"1" * 255
_FROM_DIGITS = bytes(byte == ord("1") for byte in range(256))


class Counts(NamedTuple):
    """Number of input words, freshness groups, output words and state words (of 32 bits each)."""

    n_in: int
    n_groups: int
    n_out: int
    n_state: int


class FrameEncoder:
    """Encodes the process image of a tick as a frame. The same calls give the same bytes."""

    __slots__ = (
        "frame_bytes_max",
        "_lengths",
        "_word_count",
        "_fresh_bytes",
        "_state_bytes",
        "_bits_before",
    )

    def __init__(self, counts: Counts):
        """counts: the counts of every frame."""
        n_in, n_groups, n_out, n_state = counts
        self._lengths = (n_in, n_groups, n_out)
        self._word_count = n_in + n_out
        self._fresh_bytes = (n_groups + 7) // 8
        self._state_bytes = 4 * n_state
        self._bits_before = 0  # image of the previous frame as one integer, compared at once
        fixed = FRAME.size + BODY.size + self._fresh_bytes
        self.frame_bytes_max = fixed + max(
            6 * self._word_count, 4 * self._word_count + self._state_bytes
        )

    def encode(
        self,
        sequence: int,
        elapsed_ticks: int,
        inp: "array[int]",
        fresh: bytes | bytearray,
        out: "array[int]",
        state: "array[int] | None" = None,
    ) -> bytes:
        """Bytes of a frame, or of a keyframe if there is a state. ValueError: a wrong length.

        fresh: a byte 0 or 1 for each group.
        """
        lengths = (len(inp), len(fresh), len(out))
        if lengths != self._lengths:
            raise ValueError(
                f"inputs, groups and outputs have lengths {lengths}, not {self._lengths}"
            )
        image = inp + out
        image_bytes = image.tobytes()
        image_bits = int.from_bytes(image_bytes, "little")
        if state is None:
            kind, (changes, image_bytes) = DELTA, self._changes(image, image_bits)
        else:
            kind, changes = KEYFRAME, self._word_count
            image_bytes += state.tobytes()
            if len(image_bytes) != 4 * changes + self._state_bytes:
                raise ValueError(f"{len(state)} words of state, not {self._state_bytes // 4}")
        self._bits_before = image_bits
        bits = int(fresh[::-1].translate(_TO_DIGITS), 2).to_bytes(self._fresh_bytes, "little")
        body = BODY.pack(sequence, elapsed_ticks, kind, changes) + bits + image_bytes
        length = FRAME.size + len(body)
        return FRAME.pack(FRAME_MAGIC, crc32(body, crc32(LENGTH.pack(length))), length) + body

    def _changes(self, image: "array[int]", image_bits: int) -> tuple[int, bytes]:
        """(number of words that differ from the previous frame, their indexes and values)."""
        differs = array(
            "I", (image_bits ^ self._bits_before).to_bytes(4 * self._word_count, "little")
        )
        indexes = array("H", compress(range(self._word_count), differs))
        values = array("i", [image[index] for index in indexes])
        return len(indexes), indexes.tobytes() + values.tobytes()


class Frame:
    """A decoded frame. indexes: outputs follow the inputs. state: only in a keyframe."""

    __slots__ = ("sequence", "elapsed_ticks", "kind", "fresh", "indexes", "values", "state", "raw")

    def __init__(self, raw: bytes, counts: Counts):
        """raw: bytes with a correct CRC. ValueError if their length does not fit the counts."""
        n_in, n_groups, n_out, n_state = counts
        self.raw = raw
        self.sequence, self.elapsed_ticks, self.kind, changes = BODY.unpack_from(raw, FRAME.size)
        fresh_at = FRAME.size + BODY.size
        values_at = fresh_at + (n_groups + 7) // 8
        bits = int.from_bytes(raw[fresh_at:values_at], "little")
        digits = format(bits, f"0{n_groups}b")[::-1].encode("ascii")
        self.fresh = digits[:n_groups].translate(_FROM_DIGITS)
        self.state: array[int] | None = None
        self.indexes: Sequence[int]
        if self.kind == KEYFRAME:
            self.indexes = range(n_in + n_out)
            self.state = array("i", raw[values_at + 4 * (n_in + n_out) :])
            is_whole = (changes, len(self.state)) == (n_in + n_out, n_state)
        else:
            self.indexes = array("H", raw[values_at : values_at + 2 * changes])
            values_at += 2 * changes
            is_whole = len(raw) == values_at + 4 * changes
            is_whole = is_whole and max(self.indexes, default=0) < n_in + n_out
        if not is_whole:
            raise ValueError("the length of the frame does not fit its fields")
        self.values = array("i", raw[values_at : values_at + 4 * changes])

    def apply(self, inp: MutableSequence[int], out: MutableSequence[int]) -> None:
        """Store the changes into the arrays of inputs and outputs."""
        n_in = len(inp)
        for index, value in zip(self.indexes, self.values):
            if index < n_in:
                inp[index] = value
            else:
                out[index - n_in] = value
