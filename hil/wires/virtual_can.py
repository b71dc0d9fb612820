"""A CAN bus in virtual time with python-can ends. Frames arrive at once (0.25 ms at 500 kbit/s,
well below a tick). A tap lets the observer see everything.
"""

from collections import deque

import can


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
