"""A serial line in virtual time, with a baud rate.

Times are integer us. A chunk arrives when its last byte has arrived.
"""

import dataclasses
import operator
import random
from collections.abc import Callable, Sequence

from hil.devices.rtu_slave import with_crc

NEVER = 1 << 62
OnDown = Callable[[bytes, int], Sequence[tuple[int, bytes]]]  # (data, time_us) -> replies
OnUp = Callable[[bytes, int], object]  # (data, time_us)
Tap = Callable[[int, int, bytes], None]  # (time_us, direction, data)
DOWN, UP = 0, 1  # from the controller to the devices, and back
_LOST = 2  # sent by the controller and visible on the wire, but no device receives it


@dataclasses.dataclass
class Noise:
    """Disturbs chunks, from a seed: garbage before the chunk, one flipped bit, one lost byte. A
    forged frame may precede a reply: its CRC is right, but its unit, function or size is wrong.
    """

    seed: int
    garbage_permille: float = 0
    flip_permille: float = 0
    drop_permille: float = 0
    forged_permille: float = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def applied(self, data: bytes) -> bytes:
        """`data` after the disturbance, which may leave it as it is."""
        draw = self._random
        spoiled = bytearray(data)
        if spoiled and draw.random() * 1000 < self.flip_permille:
            spoiled[draw.randrange(len(spoiled))] ^= 1 << draw.randrange(8)
        if spoiled and draw.random() * 1000 < self.drop_permille:
            del spoiled[draw.randrange(len(spoiled))]
        if draw.random() * 1000 < self.garbage_permille:
            spoiled[:0] = draw.randbytes(draw.randrange(1, 6))
        return bytes(spoiled)

    def forged(self, reply: bytes) -> bytes:
        """A forged frame to send before the reply; b"" if none is due this time."""
        draw = self._random
        if not self.forged_permille or draw.random() * 1000 >= self.forged_permille:
            return b""
        body = bytearray(reply[:3] + draw.randbytes(draw.randrange(1, 60)))
        position = draw.randrange(3)
        body[position] = (body[position] + draw.randrange(1, 256)) & 255
        return with_crc(bytes(body))


class VirtualSerial:
    """A half-duplex serial line (RS-485) between a controller (down) and its devices (up). Chunks
    that overlap in time destroy each other. chunk_bytes: size of the delivered pieces, 0 = whole.

    Faults: noise, cut, echo (the controller hears its own bytes), gap_us (a request that starts
    within this time after a reply is lost).
    """

    def __init__(
        self,
        baud_Bd: int,
        char_bits: int = 10,
        on_down: OnDown | None = None,
        on_up: OnUp | None = None,
        tap: Tap | None = None,
    ) -> None:
        self.on_down, self.on_up = on_down or no_reply, on_up or no_reply
        self.tap = tap
        self.noise: Noise | None = None
        self.cut = self.echo = False
        self.chunk_bytes = self.gap_us = self.collisions = self.gap_violations = 0
        self.next_us = NEVER
        self._scale, self._baud_Bd = char_bits * 1_000_000, baud_Bd
        self._events: list[tuple[int, int, bytes]] = []
        self._start_us = [0, 0]
        self._end_us = [-NEVER, -NEVER]

    def bytes_us(self, count: int) -> int:
        """Time of this many bytes on the line, rounded up."""
        return -(-count * self._scale // self._baud_Bd)

    def send_down(self, data: bytes, now_us: int) -> int:
        """Send from the controller, from now_us on. Returns the time of the last byte."""
        return self._send(DOWN, data, now_us)

    def send_up(self, data: bytes, now_us: int) -> int:
        """Send from a device, from now_us on. Returns the time of the last byte."""
        return self._send(UP, data, now_us)

    def _send(self, direction: int, data: bytes, now_us: int) -> int:
        ends_us = self._end_us
        other_end_us, start_us = ends_us[1 - direction], max(ends_us[direction], now_us)
        end_us = start_us + self.bytes_us(len(data))
        if self.cut:
            return end_us
        receiver = direction
        if other_end_us > start_us and self._start_us[1 - direction] < end_us:
            data = self._collide(direction, data)
        elif direction == DOWN and 0 <= start_us - other_end_us < self.gap_us:
            self.gap_violations += 1
            receiver = _LOST
        self._start_us[direction] = start_us
        ends_us[direction] = end_us
        if self.noise is not None:
            forged = self.noise.forged(data) if direction == UP else b""
            data = forged + self.noise.applied(data)
        self._insert_pieces(receiver, data, start_us, end_us)
        if self.echo and direction == DOWN:
            self._insert_pieces(UP, data, start_us, end_us)
        return end_us

    def _insert_pieces(self, direction: int, data: bytes, start_us: int, end_us: int) -> None:
        size = self.chunk_bytes
        if not size or len(data) <= size:
            self._insert((end_us, direction, data))
            return
        for first in range(0, len(data), size):
            piece = data[first : first + size]
            self._insert((start_us + self.bytes_us(first + len(piece)), direction, piece))

    def _insert(self, event: tuple[int, int, bytes]) -> None:
        events = self._events
        if not events:
            self.next_us = event[0]
        elif event[0] < events[-1][0]:
            events.append(event)
            events.sort(key=operator.itemgetter(0))  # stable: events of one time keep their order
            self.next_us = events[0][0]
            return
        events.append(event)

    def _collide(self, direction: int, data: bytes) -> bytes:
        """Destroy both chunks that collide. Returns the destroyed `data`."""
        self.collisions += 1
        self._events = [
            (time_us, piece_direction, _garbled(piece) if piece_direction != direction else piece)
            for time_us, piece_direction, piece in self._events
        ]
        return _garbled(data)

    def deliver(self, now_us: int) -> None:
        """Deliver, in order, each chunk that has arrived by now_us."""
        while self.next_us <= now_us:
            events = self._events  # read again each time, because a collision makes a new list
            time_us, direction, data = events.pop(0)
            self.next_us = events[0][0] if events else NEVER
            if self.tap is not None:
                self.tap(time_us, DOWN if direction == _LOST else direction, data)
            if direction == UP:
                self.on_up(data, time_us)
            elif direction == DOWN:
                for due_us, reply in self.on_down(data, time_us):
                    self._send(UP, reply, due_us)


class RealWire:
    """A line to another process. Its owner waits for fileno() until `next_us`, then calls
    service(now_us). `slave_name`: the name that the controller opens. Faults: those of `line`.
    """

    def __init__(
        self,
        baud_Bd: int,
        char_bits: int = 10,
        on_down: OnDown | None = None,
        tap: Tap | None = None,
    ) -> None:
        self.line = VirtualSerial(baud_Bd, char_bits, on_down, self._write, tap)
        self.slave_name = self._open()

    def _open(self) -> str:
        """Open both ends. Returns the name that the controller opens."""
        raise NotImplementedError

    # time of the next arrival; NEVER if the line is idle
    next_us = property(lambda self: self.line.next_us)

    def service(self, now_us: int) -> None:
        """Take new bytes from the controller, and deliver bytes that are due."""
        for data in self.sent():
            self.line.send_down(data, now_us)
        self.line.deliver(now_us)

    def fileno(self) -> int:
        """A descriptor that is readable when the controller has connected or sent bytes."""
        raise NotImplementedError

    def sent(self) -> list[bytes]:
        """The chunks that the controller has sent since the last call."""
        raise NotImplementedError

    def _write(self, data: bytes, time_us: int) -> None:
        raise NotImplementedError


def no_reply(data: bytes, time_us: int) -> Sequence[tuple[int, bytes]]:
    """Receiver of a line that has no devices."""
    return ()


def _garbled(data: bytes) -> bytes:
    return bytes(byte ^ 0x5A for byte in data)
