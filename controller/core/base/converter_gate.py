"""The last check of every frame to one converter, also of its driver's own requests.

A driver that goes on with a start after its permit is gone would clear the failures of a device
and start it under a latched stop. So the gate learns from the profile which writes start or clear,
and refuses them without a permit, whatever the driver wants. Reads, set-up, heartbeat and stop
pass. A set-point goes to its own gate. Any other write is refused. The gate decodes each frame by
itself and shares no code with the encoders.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from controller.core.base import reasons
from controller.core.base.gate import frame_crc

READS = (3, 4)
REGISTER, REGISTERS = 6, 16
READ_BYTES, REGISTER_BYTES, COUNTED_BYTES = 8, 8, 9  # of a whole frame, the last without values
STILL_PART = 20  # of the rating: below it a converter that has stopped carries no power
START, STOP, OTHER, READ = range(4)  # what a frame does; START also clears failures


class Write(NamedTuple):
    """A write that the profile names beside its set-point. place: as of ConverterGate; raw: the
    only unsigned content that it may have, None for any.
    """

    does: int
    place: int | str
    words: int
    raw: int | None = None
    is_word_little: bool = False


class SetpointGate(Protocol):
    """The gate of the set-point alone (form_gate.py, gate.py)."""

    def check(self, frame: bytes, charge_W_max: int, discharge_W_max: int) -> int:
        """reasons.NONE if the frame may be sent."""

    def forget(self) -> None:
        """The converter may hold anything."""

    def sent(self, frame: bytes) -> int | None:
        """A frame is on its way."""

    def acknowledged(self, frame: bytes) -> None:
        """The converter has taken this frame."""


class ConverterGate:
    """Checks all frames of one converter."""

    def __init__(
        self,
        unit_id: int,
        writes: Sequence[Write],
        place: Callable[[int | str], int | None],
        setpoint: SetpointGate,
        rated_W: int,
    ):
        """place(place of a write): its register on the device now, None while not known."""
        self._unit_id, self._place, self._setpoint = unit_id, place, setpoint
        # a frame that starts stays a start, whatever else the profile uses it for
        self._writes = sorted(writes, key=lambda each: each.does)
        self.still_W = rated_W // STILL_PART
        self.forget, self.sent = setpoint.forget, setpoint.sent
        self.acknowledged = setpoint.acknowledged

    def check(
        self, frame: bytes, is_permitted: bool, charge_W_max: int, discharge_W_max: int
    ) -> int:
        """reasons.NONE if a whole RTU frame may be sent, else the reason. is_permitted: to run."""
        if frame_crc(frame[:-2]) != int.from_bytes(frame[-2:], "little"):
            return reasons.GATE_CRC
        if frame[0] != self._unit_id:
            return reasons.GATE_UNIT_ID
        does = self.does(frame)
        if does == START and not is_permitted:
            return reasons.GATE_PERMIT
        if does is not None:
            return reasons.NONE
        return self._setpoint.check(frame, charge_W_max, discharge_W_max)

    def does(self, frame: bytes) -> int | None:
        """What a whole frame does; None: the profile names no such write beside its set-point."""
        if frame[1] in READS and len(frame) == READ_BYTES:
            return READ
        content = _content(frame)
        if content is None:
            return None
        address, words = int.from_bytes(frame[2:4], "big"), len(content) // 2
        for each in self._writes:
            is_here = (self._place(each.place), each.words) == (address, words)
            if is_here and each.raw in (None, _raw(content, each.is_word_little)):
                return each.does
        return None


def _content(frame: bytes) -> bytes | None:
    """The registers that a frame of function 6 or 16 writes, None for another frame."""
    if frame[1] == REGISTER and len(frame) == REGISTER_BYTES:
        return frame[4:6]
    if frame[1] != REGISTERS or len(frame) <= COUNTED_BYTES:
        return None
    size = len(frame) - COUNTED_BYTES
    is_whole = frame[6] == size and 2 * int.from_bytes(frame[4:6], "big") == size
    return frame[7:-2] if is_whole else None


def _raw(content: bytes, is_word_little: bool) -> int:
    words = [content[at : at + 2] for at in range(0, len(content), 2)]
    return int.from_bytes(b"".join(words[::-1] if is_word_little else words), "big")
