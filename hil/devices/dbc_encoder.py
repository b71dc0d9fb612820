"""Encoding of CAN messages from a DBC, fast enough for virtual time.

cantools reads the DBC; the raw fields are then put together by the positions it found (a cantools
encode costs 15 us, this 2 us). `tests/hil/test_dev_native_bms.py` holds it equal to cantools' own
encode.
"""

import functools

import cantools


@functools.lru_cache(maxsize=8)
def load(path):
    """The database in the file at `path`, read once."""
    return cantools.database.load_file(path)


class MessageEncoder:
    """Encodes the named signals of one message into the low bytes of its payload, Intel byte order
    only.
    """

    __slots__ = ("fields", "last_values", "last_payload", "payload_bytes")

    def __init__(self, message, signal_names, payload_bytes):
        """signal_names: the order in which encode() takes the values; payload_bytes: how many bytes
        they fill.
        """
        self.payload_bytes = payload_bytes
        self.last_values = self.last_payload = None
        signals = [message.get_signal_by_name(name) for name in signal_names]
        for signal in signals:
            if signal.byte_order != "little_endian":
                raise ValueError(
                    f"{message.name}.{signal.name}: only Intel byte order is supported"
                )
        self.fields = [
            (
                signal.offset,
                1 / signal.scale,
                *_limits(signal),
                (1 << signal.length) - 1,
                signal.start,
            )
            for signal in signals
        ]

    def encode(self, values):
        """Physical values in the order given at construction -> payload; values beyond the field's
        width saturate.

        The very same bytes object comes back as long as the values are the same.
        """
        if values == self.last_values:
            return self.last_payload
        word = 0
        for value, (offset, per_unit, low, high, mask, start) in zip(values, self.fields):
            raw = round((value - offset) * per_unit)
            if raw < low:
                raw = low
            elif raw > high:
                raw = high
            word |= (raw & mask) << start
        self.last_values = values
        payload = word.to_bytes(self.payload_bytes, "little")
        if payload != self.last_payload:
            self.last_payload = payload
        return self.last_payload


def _limits(signal):
    """Smallest and largest raw value of a signal."""
    if signal.is_signed:
        return -1 << signal.length - 1, (1 << signal.length - 1) - 1
    return 0, (1 << signal.length) - 1
