"""The last check of every frame to one converter, including requests that its driver makes itself.

A driver that continues a start after the permit has gone would clear the failures of a converter
and start it although a stop is latched. So the gate knows from the profile which writes start the
converter or clear failures, and refuses these writes without a permit. Reads, set-up, heartbeat and
stop pass. A set-point goes to its own gate. Any other write is refused. The gate decodes each frame
by itself and shares no code with the encoders.
"""

from collections.abc import Callable, Sequence
from struct import Struct
from typing import Any, NamedTuple

from controller.core.base import reasons
from controller.core.base.form_gate import WRITE_REGISTER, FormGate
from controller.core.base.gate import first_wrong
from controller.core.base.scaled_gate import ScaledGate

READS, READ_BYTES = (3, 4), 8
HEAD, COUNTS = Struct(">BH"), Struct(">HB")  # behind the unit id
STILL_PART = 20  # below 1/20 of its rating a stopped converter carries no power (assumed)


class Write(NamedTuple):
    """A write that the profile describes, except the set-point. is_start: it starts the converter
    or clears failures; place: see ConverterGate; content: the only allowed content, None for any.
    """

    is_start: bool
    function: int
    place: Any
    words: int
    content: bytes | None = None

    def is_in(self, frame: bytes, register: int) -> bool:
        """True if a whole frame is this write, and its first register is `register`."""
        size = 2 * self.words
        head = HEAD.pack(self.function, register)
        head += b"" if self.function == WRITE_REGISTER else COUNTS.pack(self.words, size)
        content = frame[-2 - size : -2] if self.content is None else self.content
        return frame[1:-2] == head + content


class ConverterGate:
    """Checks all frames of one converter."""

    def __init__(
        self,
        unit_id: int,
        writes: Sequence[Write],
        place: Callable[[Any], int | None],
        setpoint: FormGate | ScaledGate,
        rated_W: int,
    ):
        """writes: starts come first. So a frame that starts the converter counts as a start, even
        if the profile also uses it for something else. place(place of a write): its present
        register, None while it is unknown.
        """
        self._unit_id, self._writes, self._place = unit_id, writes, place
        self.has_starts = any([write.is_start for write in writes])
        self._setpoint, self.still_W = setpoint, rated_W // STILL_PART
        self.forget, self.sent = setpoint.forget, setpoint.sent
        self.acknowledged = setpoint.acknowledged

    def check(
        self, frame: bytes, is_permitted: bool, charge_W_max: int, discharge_W_max: int
    ) -> int:
        """reasons.NONE if a whole RTU frame may be sent, else the reason. is_permitted: the
        converter may run.
        """
        code = first_wrong(frame, self._unit_id)
        if code:
            return code
        is_start = self.is_start(frame)
        if is_start is None:
            return self._setpoint.check(frame, charge_W_max, discharge_W_max)
        return reasons.GATE_PERMIT if is_start and not is_permitted else reasons.NONE

    def is_start(self, frame: bytes) -> bool | None:
        """True if a whole frame starts the converter or clears failures. None if the frame is
        neither a read nor one of the writes, so that it may be a set-point.
        """
        if frame[1] in READS and len(frame) == READ_BYTES:
            return False
        for write in self._writes:
            register = self._place(write.place)
            if register is not None and write.is_in(frame, register):
                return write.is_start
        return None
