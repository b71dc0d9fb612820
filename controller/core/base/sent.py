"""The set-point that was sent to a converter, decoded from the bytes that were handed to the wire.

The value is written into the process image, and so into the journal. The sent value differs from
the requested one while a bus is busy, while the converter is being set up again, and after a
refusal of the gate. The gate decodes the frame, and it shares nothing with the encoder.
"""

from array import array
from collections.abc import Callable
from typing import NamedTuple

# Codes beside pcs_sent_W. From 600 on: why a frame was not sent or not followed (reasons.py).
NOTHING, SENT = 0, 1


class Sent(NamedTuple):
    """Follows the frames to one converter. `inp[sent_at]` in the process image is the last
    set-point sent, W, and `inp[code_at]` its code.
    """

    power_W: Callable[[bytes], int | None]  # the method `sent` of the converter's gate
    inp: "array[int]"
    sent_at: int
    code_at: int

    def see(self, frame: bytes) -> None:
        """Note a whole frame that is being sent to this converter."""
        power_W = self.power_W(frame)
        if power_W is not None:
            self.inp[self.sent_at], self.inp[self.code_at] = power_W, SENT

    def refuse(self, code: int) -> None:
        """Note the reason of a refused frame. `inp[sent_at]` keeps the set-point sent before."""
        self.inp[self.code_at] = code
