"""A serial line in virtual time that knows its baud rate.

Times are integer microseconds. A chunk of bytes arrives when its last byte has. A tap lets the
observer see everything.
"""

import operator
import random

from hil.devices.rtu_slave import with_crc

NEVER = 1 << 62
DOWN, UP = 0, 1  # from the controller to the devices, and back
_LOST = 2  # downwards, on the wire for everyone to see, but no device takes it


class Noise:
    """Disturbs chunks from a seed: garbage bytes in front, one flipped bit, one lost byte; before
    replies a forged one: its CRC is right, it is that of another unit, function or size.
    """

    def __init__(
        self, seed, garbage_permille=0, flip_permille=0, drop_permille=0, forged_permille=0
    ):
        self.garbage_permille = garbage_permille
        self.flip_permille, self.drop_permille = flip_permille, drop_permille
        self.forged_permille = forged_permille
        self._random = random.Random(seed)

    def applied(self, data):
        """`data` after the disturbance."""
        draw = self._random
        spoiled = bytearray(data)
        if spoiled and draw.random() * 1000 < self.flip_permille:
            spoiled[draw.randrange(len(spoiled))] ^= 1 << draw.randrange(8)
        if spoiled and draw.random() * 1000 < self.drop_permille:
            del spoiled[draw.randrange(len(spoiled))]
        if draw.random() * 1000 < self.garbage_permille:
            spoiled[:0] = draw.randbytes(draw.randrange(1, 6))
        return bytes(spoiled)

    def forged(self, reply):
        """A frame that comes before the reply, b"" in the calm."""
        draw = self._random
        if not self.forged_permille or draw.random() * 1000 >= self.forged_permille:
            return b""
        body = bytearray(reply[:3] + draw.randbytes(draw.randrange(1, 60)))
        at = draw.randrange(3)
        body[at] = (body[at] + draw.randrange(1, 256)) & 255
        return with_crc(bytes(body))


class VirtualSerial:
    """A half-duplex serial line (RS-485) between a controller (down) and its devices (up).

    on_down(data, time_us) gets what arrives at the devices and returns their replies [(due_us,
    data)], as RtuSlave.receive does; on_up(data, time_us) gets what arrives at the controller;
    tap(time_us, direction, data) sees every chunk as it arrives. Bytes of both directions that
    overlap in time destroy each other.

    chunk_bytes: hand frames over in pieces of this size (0 = whole). Faults: noise (a Noise), cut
    (nothing passes), echo (the controller hears itself, as with some adapters), gap_us (when set, a
    request that begins sooner after the end of a reply is lost, because the devices take it for the
    reply's continuation).
    """

    def __init__(self, baud_Bd, char_bits=10, on_down=None, on_up=None, tap=None):
        self.on_down, self.on_up = on_down or no_reply, on_up or no_reply
        self.tap = tap
        self.noise = None
        self.cut = self.echo = False
        self.chunk_bytes = self.gap_us = self.collisions = self.gap_violations = 0
        self.next_us = NEVER
        self._scale, self._baud_Bd = char_bits * 1_000_000, baud_Bd
        self._events = []
        self._start_us = [0, 0]
        self._end_us = [-NEVER, -NEVER]

    def bytes_us(self, count):
        """How long so many bytes occupy the line, rounded up."""
        return -(-count * self._scale // self._baud_Bd)

    def send_down(self, data, now_us):
        """The controller starts to send at now_us. Returns when its last byte has left."""
        return self._send(DOWN, data, now_us)

    def send_up(self, data, now_us):
        """A device starts to send at now_us. Returns when its last byte has left."""
        return self._send(UP, data, now_us)

    def _send(self, direction, data, now_us):
        ends = self._end_us
        other_end_us, start_us = ends[1 - direction], max(ends[direction], now_us)
        end_us = start_us + self.bytes_us(len(data))
        if self.cut:
            return end_us
        arrives = direction
        if other_end_us > start_us and self._start_us[1 - direction] < end_us:
            data = self._collide(direction, data)
        elif direction == DOWN and 0 <= start_us - other_end_us < self.gap_us:
            self.gap_violations += 1
            arrives = _LOST
        self._start_us[direction] = start_us
        ends[direction] = end_us
        if self.noise is not None:
            forged = self.noise.forged(data) if direction == UP else b""
            data = forged + self.noise.applied(data)
        self._insert_pieces(arrives, data, start_us, end_us)
        if self.echo and direction == DOWN:
            self._insert_pieces(UP, data, start_us, end_us)
        return end_us

    def _insert_pieces(self, direction, data, start_us, end_us):
        size = self.chunk_bytes
        if not size or len(data) <= size:
            self._insert((end_us, direction, data))
            return
        for first in range(0, len(data), size):
            piece = data[first : first + size]
            self._insert((start_us + self.bytes_us(first + len(piece)), direction, piece))

    def _insert(self, event):
        events = self._events
        if not events:
            self.next_us = event[0]
        elif event[0] < events[-1][0]:
            events.append(event)
            events.sort(key=operator.itemgetter(0))  # stable: what was sent first arrives first
            self.next_us = events[0][0]
            return
        events.append(event)

    def _collide(self, direction, data):
        """Two senders at once: neither is readable."""
        self.collisions += 1
        self._events = [
            (time_us, way, _garbled(piece) if way != direction else piece)
            for time_us, way, piece in self._events
        ]
        return _garbled(data)

    def deliver(self, now_us):
        """Hand over, in order, everything that has arrived up to now_us."""
        while self.next_us <= now_us:
            events = self._events  # a collision makes a new list
            time_us, direction, data = events.pop(0)
            self.next_us = events[0][0] if events else NEVER
            if self.tap is not None:
                self.tap(time_us, direction & 1, data)
            if direction == UP:
                self.on_up(data, time_us)
            elif direction == DOWN:
                for due_us, reply in self.on_down(data, time_us):
                    self._send(UP, reply, due_us)


def no_reply(data, time_us):
    """The end of a line that has no device."""
    return ()


def _garbled(data):
    return bytes(byte ^ 0x5A for byte in data)
