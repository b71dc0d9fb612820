"""Encoding of CAN messages from a DBC, fast enough for virtual time.

cantools reads the DBC. The encoder then places the raw fields itself in 2 us; an encode of cantools
takes 15 us. `tests/hil/test_dev_native_bms.py` compares both.
"""

import functools
from typing import Any

import cantools

PAYLOAD_BYTES = 6


@functools.lru_cache(maxsize=8)
def load(path: str) -> Any:
    """The cantools Database in the file at `path`; each file is read once."""
    return cantools.database.load_file(path)


class MessageEncoder:
    """Encodes signals of one message into its first PAYLOAD_BYTES bytes; Intel byte order only."""

    def __init__(
        self,
        message: cantools.database.can.message.Message,
        signal_names: dict[str, tuple[str, int]] | list[str],
    ) -> None:
        """signal_names: the order in which encode() takes the values."""
        self.last_values: list[float] = []
        self.last_payload = b""
        self.fields = [
            (
                signal.offset,
                1 / signal.scale,
                *_limits(signal),
                (1 << signal.length) - 1,
                signal.start,
            )
            for signal in map(message.get_signal_by_name, signal_names)
        ]

    def encode(self, values: list[float]) -> bytes:
        """Payload of the physical values; a value beyond the width of its field saturates.

        Equal values give the identical bytes object, so that a caller can compare with `is`.
        """
        if values == self.last_values:
            return self.last_payload
        word = 0
        for value, (offset, per_unit, low, high, mask, start) in zip(values, self.fields):
            raw = max(low, min(high, round((value - offset) * per_unit)))
            word |= (raw & mask) << start
        self.last_values = values
        payload = word.to_bytes(PAYLOAD_BYTES, "little")
        if payload != self.last_payload:
            self.last_payload = payload
        return self.last_payload


def _limits(signal: cantools.database.can.signal.Signal) -> tuple[int, int]:
    """Smallest and largest raw value of a signal."""
    if signal.is_signed:
        return -1 << signal.length - 1, (1 << signal.length - 1) - 1
    return 0, (1 << signal.length) - 1
