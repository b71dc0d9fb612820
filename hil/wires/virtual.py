"""Wires in virtual time: a serial line that knows its baud rate, and a CAN bus with python-can
ends.

Times are integer microseconds. A chunk of bytes arrives when its last byte has; CAN frames arrive
at once (0.25 ms at 500 kbit/s, well below a tick). Taps let an observer that is not the controller
see everything.
"""

import random
from collections import deque

import can

NEVER = 1 << 62
DOWN, UP = 0, 1  # from the controller to the devices, and back
_LOST = 2  # downwards, on the wire for everyone to see, but no device takes it


class Noise:
    """Disturbs chunks from a seed: garbage bytes in front, one flipped bit, one lost byte; each so
    often in 1000.
    """

    def __init__(self, seed, garbage_permille=0, flip_permille=0, drop_permille=0):
        self.seed = seed
        self.garbage_permille = garbage_permille
        self.flip_permille = flip_permille
        self.drop_permille = drop_permille
        self.hits = 0
        self._random = random.Random(seed)

    def applied(self, data):
        """data as it comes out of the disturbed wire."""
        draw = self._random
        spoiled = bytearray(data)
        if spoiled and draw.random() * 1000 < self.flip_permille:
            spoiled[draw.randrange(len(spoiled))] ^= 1 << draw.randrange(8)
        if spoiled and draw.random() * 1000 < self.drop_permille:
            del spoiled[draw.randrange(len(spoiled))]
        if draw.random() * 1000 < self.garbage_permille:
            spoiled[:0] = draw.randbytes(draw.randrange(1, 6))
        self.hits += spoiled != data
        return bytes(spoiled)


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

    __slots__ = (
        "on_down",
        "on_up",
        "tap",
        "chunk_bytes",
        "noise",
        "cut",
        "echo",
        "gap_us",
        "collisions",
        "gap_violations",
        "next_us",
        "_scale",
        "_baud_Bd",
        "_events",
        "_start_us",
        "_end_us",
    )

    def __init__(self, baud_Bd, char_bits=10, on_down=None, on_up=None, tap=None):
        self.on_down = on_down or _nobody
        self.on_up = on_up or _nobody
        self.tap = tap
        self.chunk_bytes = 0
        self.noise = None
        self.cut = self.echo = False
        self.gap_us = 0
        self.collisions = self.gap_violations = 0
        self.next_us = NEVER
        self._scale = char_bits * 1_000_000
        self._baud_Bd = baud_Bd
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
        other_end_us, start_us = ends[1 - direction], ends[direction]
        if now_us > start_us:
            start_us = now_us
        end_us = start_us + -(-len(data) * self._scale // self._baud_Bd)
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
            data = self.noise.applied(data)
        if self.chunk_bytes:
            self._insert_pieces(arrives, data, start_us, end_us)
        else:
            self._insert((end_us, arrives, data))
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
            events.sort(key=_event_time)  # stable: what was sent first arrives first
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


def _nobody(data, time_us):
    return ()


def _event_time(event):
    return event[0]


def _garbled(data):
    return bytes(byte ^ 0x5A for byte in data)


class CanFrame:
    """A received data frame with what a reader of can.Message looks at; a third of its price, 270
    times a second.
    """

    __slots__ = ("arbitration_id", "data", "is_extended_id", "timestamp")
    is_error_frame = is_remote_frame = False

    def __init__(self, arbitration_id, data, timestamp):
        self.arbitration_id = arbitration_id
        self.data = data
        self.is_extended_id = arbitration_id > 0x7FF
        self.timestamp = timestamp

    @property
    def dlc(self):
        """Data bytes."""
        return len(self.data)


class CanEnd:
    """One end of a VirtualCan, used like a python-can bus: recv, send, state, shutdown."""

    def __init__(self, bus, depth):
        self.bus = bus
        self.channel_info = f"virtual {bus.name}"
        self.lost = 0
        self.queue = deque()
        self.depth = depth

    def recv(self, timeout=None):
        """The oldest frame, or None; never waits (time is virtual). Raises when the interface is
        down.
        """
        if self.bus.down:
            raise can.CanOperationError(f"{self.bus.name}: network is down")
        return self.queue.popleft() if self.queue else None

    def send(self, msg, timeout=None):
        """Put a can.Message on the bus. Raises when the interface is down or its transmit buffer is
        full.
        """
        self.bus.transmitted(self, msg)

    @property
    def state(self):
        """can.BusState of the bus."""
        return self.bus.state

    def shutdown(self):
        """Leave the bus."""
        if self in self.bus.ends:
            self.bus.ends.remove(self)

    def put(self, message):
        """Queue a received frame; when the queue is full the frame is lost, as in a socket
        buffer.
        """
        if len(self.queue) < self.depth:
            self.queue.append(message)
        else:
            self.lost += 1


class VirtualCan:
    """A CAN bus: `attach()` gives python-can ends, `listen()` and `send()` serve the devices.

    tap(time_us, can_id, data) sees every frame. now_us is the time of frames sent by ends; whoever
    owns the clock sets it. Faults: down, transmit_full, state (a can.BusState), silent_ids (ids
    that get lost on the bus).
    """

    def __init__(self, name="can0", tap=None):
        self.name = name
        self.tap = tap
        self.now_us = 0
        self.down = self.transmit_full = False
        self.state = can.BusState.ACTIVE
        self.silent_ids = set()
        self.ends = []
        self.frames = 0
        self._listeners = {}

    def attach(self, depth=256):
        """A new end with a receive queue of so many frames."""
        end = CanEnd(self, depth)
        self.ends.append(end)
        return end

    def listen(self, can_ids, on_frame):
        """on_frame(can_id, data, now_us) for each frame with one of these ids that an end sends."""
        for can_id in can_ids:
            self._listeners.setdefault(can_id, []).append(on_frame)

    def send(self, can_id, data, now_us):
        """A device sends a frame."""
        self.now_us = now_us
        if self.down or can_id in self.silent_ids:
            return
        self.frames += 1
        message = CanFrame(can_id, data, now_us * 1e-6)
        for end in self.ends:
            if len(end.queue) < end.depth:
                end.queue.append(message)
            else:
                end.lost += 1
        if self.tap is not None:
            self.tap(now_us, can_id, data)

    def send_error_frame(self, now_us):
        """An error frame, as SocketCAN reports bus errors to every end."""
        message = can.Message(now_us * 1e-6, 0x20000080, True, is_error_frame=True, data=bytes(8))
        for end in self.ends:
            end.put(message)

    def transmitted(self, sender, message):
        """A frame an end has sent: to the other ends, the listeners and the tap."""
        if self.down:
            raise can.CanOperationError(f"{self.name}: network is down")
        if self.transmit_full:
            raise can.CanOperationError(f"{self.name}: transmit buffer full")
        can_id, data = message.arbitration_id, bytes(message.data)
        if can_id in self.silent_ids:
            return
        self.frames += 1
        for end in self.ends:
            if end is not sender:
                end.put(message)
        if self.tap is not None:
            self.tap(self.now_us, can_id, data)
        for on_frame in self._listeners.get(can_id, ()):
            on_frame(can_id, data, self.now_us)
