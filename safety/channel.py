"""Sends and receives the frames between the two channels (frame.py), without allocation.

The receiver accepts only a complete, correct and new frame. It counts each refusal by its reason.
"""

from array import array

from safety import signals as s

# Imported by name: a lookup through the module would cost instructions for every byte.
from safety.frame import (
    CHANNEL,
    FRAME_BYTES,
    FRAME_SCHEMA,
    HEADER_BYTES,
    IMAGE_CRC,
    SEQUENCE,
    SEQUENCE_MASK,
    START_1,
    START_2,
    TABLE_CRC,
    UPTIME_MASK,
    UPTIME_TICKS,
    Frame,
)

# How far a sequence may be ahead of the last one. A peer is silent after 500 ms, in which it can
# send at most 25 frames (one in two ticks of 10 ms). A much larger number would accept an old frame
# as a new one.
SEQUENCE_AHEAD_MAX = 25

REFUSALS = (
    "none",
    "no start of a frame",
    "wrong length",
    "wrong schema",
    "wrong CRC",
    "not of the other channel",
    "old or repeated sequence",
    "first after silence",
)
R_NONE, R_START, R_LENGTH, R_SCHEMA, R_CRC, R_CHANNEL, R_SEQUENCE, R_FIRST = range(8)


class Receiver:
    """Finds frames in a stream of bytes and accepts each new frame once.

    frame: the last accepted frame.
    """

    def __init__(self, other: int) -> None:
        """other: the channel whose frames are accepted."""
        self._other = other
        self.frame = Frame()
        self._coming = Frame()
        self._filled = 0
        # sequence of the last accepted frame; -1: not known, so the next correct frame sets it and
        # is not accepted
        self._sequence = -1
        self.accepted = self.refusals = 0
        self.refused = array("i", [0] * len(REFUSALS))
        self.last_refusal = R_NONE

    def feed(self, data: bytes | bytearray, count: int) -> int:
        """Take the first `count` bytes of `data`. Returns how many frames they completed.

        A frame may be split over several calls.
        """
        accepted = 0
        buffer, filled = self._coming.bytes, self._filled
        for index in range(count):
            buffer[filled] = data[index]
            filled += 1
            if filled <= HEADER_BYTES or filled == FRAME_BYTES:
                self._filled = filled
                accepted += self._complete() if filled == FRAME_BYTES else self._align()
                buffer, filled = self._coming.bytes, self._filled
        self._filled = filled
        return accepted

    def forget(self) -> None:
        """Accept any sequence next, because the sender was silent and may have restarted.

        The next frame only sets the sequence and is itself refused (R_FIRST).
        """
        self._sequence = -1

    def _complete(self) -> int:
        """1 if the full buffer is a new frame."""
        if not self._coming.sealed():
            self._refuse(R_CRC)
            self._drop()
            return self._align()
        self._filled = 0
        reason = R_CHANNEL
        if self._coming.get(CHANNEL) == self._other:
            reason = self._order(self._coming.get(SEQUENCE))
        if reason != R_NONE:
            self._refuse(reason)
            return 0
        self.frame, self._coming = self._coming, self.frame
        self.accepted = (self.accepted + 1) & s.INT_MAX
        return 1

    def _order(self, sequence: int) -> int:
        """R_NONE if `sequence` is ahead of the last one, by at most SEQUENCE_AHEAD_MAX."""
        last = self._sequence
        if last < 0:
            self._sequence = sequence
            return R_FIRST
        ahead = (sequence - last) & SEQUENCE_MASK
        if ahead == 0 or ahead > SEQUENCE_AHEAD_MAX:
            return R_SEQUENCE
        self._sequence = sequence
        return R_NONE

    def _align(self) -> int:
        """Drop bytes until the rest may begin a frame. Returns 0, because no frame is complete."""
        while self._filled:
            reason = self._misfit()
            if reason == R_NONE:
                break
            self._refuse(reason)
            self._drop()
        return 0

    def _misfit(self) -> int:
        """The reason why the bytes so far cannot begin a frame, or R_NONE."""
        data, filled = self._coming.bytes, self._filled
        if data[0] != START_1 or (filled > 1 and data[1] != START_2):
            return R_START
        if filled > 2 and data[2] != FRAME_BYTES:
            return R_LENGTH
        return R_SCHEMA if filled > 3 and data[3] != FRAME_SCHEMA else R_NONE

    def _drop(self) -> None:
        """Drop the first byte, and all bytes up to the next pair of start bytes."""
        data, filled = self._coming.bytes, self._filled
        start = 1
        while start < filled and not (
            data[start] == START_1 and (start + 1 == filled or data[start + 1] == START_2)
        ):
            start += 1
        for place in range(1, filled - start):  # the first place holds a start byte already
            data[place] = data[start + place]
        self._filled = filled - start

    def _refuse(self, reason: int) -> None:
        self.last_refusal = reason
        self.refusals = (self.refusals + 1) & SEQUENCE_MASK
        self.refused[reason] = min(self.refused[reason] + 1, s.TICKS_MAX)


class Sender:
    """The frame that one channel sends, with its fixed fields, sequence and uptime.

    The owner of the sender writes the other fields.
    """

    def __init__(self, channel: int, image_crc: int, table_crc: int) -> None:
        self.frame = Frame()
        self.uptime_ticks = 0
        self.sequence = 0
        self.frame.put(CHANNEL, channel)
        self.frame.put(IMAGE_CRC, image_crc)
        self.frame.put(TABLE_CRC, table_crc)

    def tick(self, elapsed: int) -> None:
        """Add `elapsed` ticks to the uptime."""
        self.uptime_ticks = (self.uptime_ticks + elapsed) & UPTIME_MASK

    def finish(self) -> bytearray:
        """Number and seal the frame. Returns its bytes, in the same buffer each time."""
        self.sequence = (self.sequence + 1) & SEQUENCE_MASK
        self.frame.put(SEQUENCE, self.sequence)
        self.frame.put(UPTIME_TICKS, self.uptime_ticks)
        self.frame.seal()
        return self.frame.bytes
