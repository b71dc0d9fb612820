"""What a tap on a Modbus RTU line heard: frames found by length and CRC at any offset, and only the
new ones told.

Lengths after the Modbus Application Protocol V1.1b3, functions 1 to 6, 15 and 16 and exceptions.
"""

from hil.devices.rtu_slave import crc16

FRAME_BYTES_MAX = 256


def frame_bytes(data, offset, is_reply):
    """Length of the frame that starts at offset; 0 if none can, or its length is not known yet."""
    if len(data) - offset < 4:
        return 0
    function = data[offset + 1]
    if is_reply:
        if function & 0x80:
            return 5
        if 1 <= function <= 4:
            return 5 + data[offset + 2]
        return 8 if function in (5, 6, 15, 16) else 0
    if 1 <= function <= 6:
        return 8
    return 9 + data[offset + 6] if function in (15, 16) and len(data) - offset > 6 else 0


def is_whole(data, is_reply):
    """True if data is as long as the one frame it seems to start with."""
    return frame_bytes(data, 0, is_reply) == len(data)


def verified(frame):
    """True if the CRC at its end is right."""
    return crc16(frame[:-2]) == frame[-2] | frame[-1] << 8


class FrameStream:
    """Puts chunks together; yields complete frames with a right CRC, skips everything else."""

    __slots__ = ("pending", "_is_reply", "_heard_us")

    def __init__(self, is_reply):
        self.pending = b""
        self._is_reply = is_reply
        self._heard_us = 0

    def feed(self, time_us, data):
        """List of the frames completed by this chunk."""
        if time_us - self._heard_us <= 50_000:  # chunks of one frame come closer together
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
    """One RTU bus: takes chunks in either direction, hands frames that say something new to the
    observer.

    A chunk that is in `_known` says nothing new: a request to read, or the same as the last frame
    of its kind and unit. So the usual chunk costs one set look-up.
    """

    __slots__ = ("replied_us", "asked_us", "_known", "_last", "_streams", "_handlers")

    def __init__(self, on_request=None, on_reply=None):
        self.replied_us = {}
        self.asked_us = 0
        self._known = (set(), set())
        self._last = ({}, {})
        self._streams = (FrameStream(False), FrameStream(True))
        self._handlers = (on_request, on_reply)

    def tap(self, time_us, is_reply, data):
        """A chunk whose last byte passed at time_us; is_reply: 0 from the controller, 1 from a
        device (as the wires' DOWN and UP).
        """
        if not is_reply:
            self.asked_us = time_us
        elif data in self._known[1]:
            self.replied_us[data[0]] = time_us
            return
        if data in self._known[is_reply]:
            return
        stream = self._streams[is_reply]
        if not stream.pending and is_whole(data, is_reply):
            # no time for the CRC of every reading of a meter
            if is_reply and self._handlers[1] is None:
                self.replied_us[data[0]] = time_us
            elif verified(data):
                self._frame(time_us, is_reply, data)
            return
        for frame in stream.feed(time_us, data):
            self._frame(time_us, is_reply, frame)

    def forget_requests(self):
        """Who asks has changed: the next request is told even if it equals the last."""
        self._known[0].clear()
        self._last[0].clear()

    def _frame(self, time_us, is_reply, frame):
        handle, known = self._handlers[is_reply], self._known[is_reply]
        if is_reply:
            self.replied_us[frame[0]] = time_us
            if handle is None:
                return
        elif handle is None or frame[1] < 5:  # a request to read tells nothing, now or later
            if len(known) < 256:
                known.add(frame)
            return
        # Writes replace each other whatever their function: the same coils may be written by
        # functions 5 and 15.
        key = frame[:2] if is_reply else frame[:1]
        last = self._last[is_reply]
        known.discard(last.get(key))
        last[key] = frame
        known.add(frame)
        handle(time_us, frame)
