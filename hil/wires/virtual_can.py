"""A CAN bus in virtual time, whose ends are used like python-can buses. A frame takes no time."""

from collections import deque
from collections.abc import Callable

import can


class CanFrame:
    """A received data frame. It has the attributes of can.Message that are used, but is faster."""

    __slots__ = ("arbitration_id", "data", "is_extended_id", "timestamp")
    is_error_frame = is_remote_frame = False

    def __init__(self, arbitration_id: int, data: bytes, timestamp: float) -> None:
        self.arbitration_id, self.data, self.timestamp = arbitration_id, data, timestamp
        self.is_extended_id = arbitration_id > 0x7FF


class CanEnd:
    """One end of a VirtualCan, used like a python-can bus: recv, send, state, shutdown."""

    def __init__(self, bus: "VirtualCan", depth: int) -> None:
        self.bus, self.depth = bus, depth
        self.queue: deque[can.Message | CanFrame] = deque()

    state = property(lambda self: self.bus.state)  # can.BusState

    def recv(self, timeout: float | None = None) -> can.Message | CanFrame | None:
        """The oldest frame, or None at once. Raises can.CanOperationError if the bus is down."""
        if self.bus.down:
            raise can.CanOperationError(f"{self.bus.name}: network is down")
        return self.queue.popleft() if self.queue else None

    def send(self, msg: can.Message, timeout: float | None = None) -> None:
        """Put a frame on the bus. Raises can.CanOperationError if it is down or its buffer is
        full.
        """
        if self.bus.down:
            raise can.CanOperationError(f"{self.bus.name}: network is down")
        if self.bus.transmit_full:
            raise can.CanOperationError(f"{self.bus.name}: transmit buffer full")
        self.bus.carry(msg, bytes(msg.data), self)

    def shutdown(self) -> None:
        """Leave the bus."""
        if self in self.bus.ends:
            self.bus.ends.remove(self)


class VirtualCan:
    """`attach()` makes python-can ends; `listen()` and `send()` serve the devices. now_us: set by
    the owner of the clock.

    Faults: down, transmit_full, state (a can.BusState), silent_ids (ids whose frames are lost).
    """

    def __init__(
        self, name: str = "can0", tap: Callable[[int, int, bytes], None] | None = None
    ) -> None:
        self.name, self.tap = name, tap
        self.now_us = self.frames = 0
        self.down = self.transmit_full = False
        self.state = can.BusState.ACTIVE
        self.silent_ids: set[int] = set()
        self.ends: list[CanEnd] = []
        self._listeners: dict[int, list[Callable[[int, bytes, int], None]]] = {}

    def attach(self, depth: int = 256) -> CanEnd:
        """A new end with a receive queue of `depth` frames."""
        self.ends.append(CanEnd(self, depth))
        return self.ends[-1]

    def listen(self, can_id: int, on_frame: Callable[[int, bytes, int], None]) -> None:
        """Call on_frame(can_id, data, now_us) for each frame with this id that an end sends."""
        self._listeners.setdefault(can_id, []).append(on_frame)

    def send(self, can_id: int, data: bytes, now_us: int) -> None:
        """Send a frame from a device."""
        self.now_us = now_us
        if not self.down:
            self.carry(CanFrame(can_id, data, now_us * 1e-6), data)

    def carry(
        self, message: can.Message | CanFrame, data: bytes, sender: CanEnd | None = None
    ) -> None:
        """Pass a frame to the other ends, the tap and its listener. A full queue loses the
        frame.
        """
        can_id = message.arbitration_id
        if can_id in self.silent_ids:
            return
        self.frames += 1
        for end in self.ends:
            if end is not sender and len(end.queue) < end.depth:
                end.queue.append(message)
        if self.tap is not None:
            self.tap(self.now_us, can_id, data)
        for on_frame in self._listeners.get(can_id, ()) if sender is not None else ():
            on_frame(can_id, data, self.now_us)
