"""A start-up sequence written as one generator: each `yield` is a Modbus exchange, its value is the
answer.

Yield ("read", function, address, count), ("write", address, values) or None (nothing to send: come
back at the next call). The answer to a read is the data bytes, to a write b"", and None when the
device refused with an exception. Raise StepError to give up with a reason; a time-out or a spoilt
reply does so by itself. The owner begins again.
"""

from drivers.buses import rtu

# a request not answered in any way by then went down with its port (which retries within 2 s)
LOST_US = 3_000_000
NOW_US = -(1 << 62)  # due at once
NEVER_US = 1 << 62


class StepError(Exception):
    """Why a sequence cannot go on: one line."""


class Steps:
    """Drives one generator at a time. `due_us`: when `next_request` has to run again."""

    __slots__ = ("due_us", "_unit_id", "_end", "_generator", "_answer", "_is_sent", "_count")

    def __init__(self, unit_id, end):
        """end(error, now_us): the sequence is through (error "") or has failed."""
        self.due_us = NEVER_US
        self._unit_id = unit_id
        self._end = end
        self._generator = self._answer = None
        self._is_sent = False
        self._count = 0

    def begin(self, generator, due_us: int = NOW_US) -> None:
        """Start `generator` at due_us; what ran before is dropped, its late answers too."""
        self._generator, self._answer = generator, None
        self._is_sent, self.due_us = False, due_us
        self._count += 1

    def next_request(self, now_us: int):
        """The Request to submit now, or None."""
        if now_us < self.due_us:
            return None
        if self._is_sent:
            self._finish("no answer", now_us)
            return None
        try:
            step = self._generator.send(self._answer)
        except StepError as error:
            self._finish(str(error), now_us)
            return None
        except StopIteration:
            self._finish("", now_us)
            return None
        self._answer = None
        if step is None:
            return None
        self._is_sent, self.due_us = True, now_us + LOST_US
        return self._request(*step)

    def _request(self, kind, *detail):
        count, key = self._count, (self._unit_id, "step")

        def answered(pdu, now_us):
            self._take(count, pdu[2:] if kind == "read" else b"")

        def failed(failure, code, now_us):
            if failure == rtu.EXCEPTION:
                self._take(count, None)
            elif count == self._count:
                self._finish(rtu.FAILURES[failure], now_us)

        build = rtu.read_request if kind == "read" else rtu.write_registers_request
        return build(key, self._unit_id, *detail, answered, failed)

    def _take(self, count, answer):
        if count == self._count:
            self._answer = answer
            self._is_sent, self.due_us = False, NOW_US

    def _finish(self, error, now_us):
        self._generator, self.due_us, self._is_sent = None, NEVER_US, False
        self._count += 1
        self._end(error, now_us)
