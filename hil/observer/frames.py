"""Finds frames on a Modbus RTU line by length and CRC, and leaves out repeated ones.

Lengths: Modbus Application Protocol V1.1b3, functions 1 to 6, 15, 16 and exceptions.
"""

from collections.abc import Callable

from hil.devices.rtu_slave import crc16, request_bytes

FRAME_BYTES_MAX = 256
RtuTap = Callable[[int, int, bytes], None]  # (time_us, is_reply, data)
CanTap = Callable[[int, int, bytes], None]  # (time_us, can_id, data)


def frame_bytes(data: bytes, offset: int, is_reply: int) -> int:
    """Length of the frame that starts at offset; 0 if none starts there or its end is unknown."""
    if len(data) - offset < 4:
        return 0
    if is_reply:
        function = data[offset + 1]
        if function & 0x80:
            return 5
        if 1 <= function <= 4:
            return 5 + data[offset + 2]
        return 8 if function in (5, 6, 15, 16) else 0
    return request_bytes(data, offset) or 0


def is_whole(data: bytes, is_reply: int) -> bool:
    """True if data is exactly as long as its first bytes announce."""
    return frame_bytes(data, 0, is_reply) == len(data)


def verified(frame: bytes) -> bool:
    """True if the CRC at the end of the frame is right."""
    return crc16(frame[:-2]) == frame[-2] | frame[-1] << 8


class FrameStream:
    """Joins chunks of bytes to frames with a right CRC, and skips other bytes."""

    __slots__ = ("pending", "_is_reply", "_heard_us")

    def __init__(self, is_reply: bool) -> None:
        self.pending = b""
        self._is_reply = is_reply
        self._heard_us = 0

    def feed(self, time_us: int, data: bytes) -> list[bytes]:
        """The frames that this chunk completes."""
        if time_us - self._heard_us <= 50_000:  # chunks of one frame have shorter gaps
            data = self.pending + data
        self._heard_us = time_us
        frames, start, offset = [], 0, 0
        while offset < len(data) - 3:
            end = offset + frame_bytes(data, offset, self._is_reply)
            if offset < end <= len(data) and verified(data[offset:end]):
                frames.append(data[offset:end])
                start = offset = end
            else:
                offset += 1
        self.pending = data[start:][-FRAME_BYTES_MAX:]
        return frames


class BusTap:
    """Taps one RTU bus: it takes the chunks of both directions and passes changed frames on to the
    handlers. A chunk in `_known` is a read request or a repetition, so it costs only one
    look-up in a set.
    """

    __slots__ = ("replied_us", "asked_us", "_known", "_last", "_streams", "_handlers")

    def __init__(
        self,
        on_request: Callable[[int, bytes], None] | None = None,
        on_reply: Callable[[int, bytes], None] | None = None,
    ) -> None:
        self.replied_us: dict[int, int] = {}
        self.asked_us = 0
        self._known: tuple[set[bytes], set[bytes]] = (set(), set())
        self._last: tuple[dict[bytes, bytes], dict[bytes, bytes]] = ({}, {})
        self._streams = (FrameStream(False), FrameStream(True))
        self._handlers = (on_request, on_reply)

    def tap(self, time_us: int, is_reply: int, data: bytes) -> None:
        """Take a chunk whose last byte passed at time_us. is_reply: 0 (DOWN) or 1 (UP)."""
        if not is_reply:
            self.asked_us = time_us
        elif data in self._known[1]:
            self.replied_us[data[0]] = time_us
            return
        if data in self._known[is_reply]:
            return
        stream = self._streams[is_reply]
        if not stream.pending and is_whole(data, is_reply):
            # Checking the CRC of every meter reading would take too long.
            if is_reply and self._handlers[1] is None:
                self.replied_us[data[0]] = time_us
            elif verified(data):
                self._frame(time_us, is_reply, data)
            return
        for frame in stream.feed(time_us, data):
            self._frame(time_us, is_reply, frame)

    def forget_requests(self) -> None:
        """Pass on the next request of a new controller, even if it equals the last one."""
        self._known[0].clear()
        self._last[0].clear()

    def _frame(self, time_us: int, is_reply: int, frame: bytes) -> None:
        handle, known = self._handlers[is_reply], self._known[is_reply]
        if is_reply:
            self.replied_us[frame[0]] = time_us
            if handle is None:
                return
        elif handle is None or frame[1] < 5:  # a read request changes nothing
            if len(known) < 256:
                known.add(frame)
            return
        # One key for all functions of a write, because functions 5 and 15 write the same coils.
        key = frame[:2] if is_reply else frame[:1]
        last = self._last[is_reply]
        known.discard(last.get(key))
        last[key] = frame
        known.add(frame)
        handle(time_us, frame)
