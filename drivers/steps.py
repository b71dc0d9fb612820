"""Runs a start-up sequence of a device, which is written as one generator.

Each `yield` is a Modbus exchange, or None to continue at the next call. Its value is the answer:
data of a read, b"" for a write, None for an exception. A StepError, a time-out or a damaged reply
ends the sequence, and its owner begins again.
"""

from collections.abc import Callable, Generator
from functools import partial
from typing import Any, TypeVar

from drivers.buses import rtu

# A request without an answer after LOST_US was lost with its port, which reopens within 2 s.
LOST_US, NO_ANSWER = 3_000_000, "no answer"
NOW_US = LONG_AGO_US = -(1 << 62)  # as a due time: now; as a past time: before all others
NEVER_US = 1 << 62

# ("read", function, address, count), ("write", address, values), ("write one", address, (value,)).
# "try" is a read that may fail: its answer is then None, and the sequence goes on.
Step = tuple[Any, ...] | None
READS = ("read", "try")
Result = TypeVar("Result")
# A generator of steps. Each answer is the data of a reply, or None for an exception.
Sequence = Generator[Step, bytes | None, Result]
Procedure = Sequence[None]  # without a result


class StepError(Exception):
    """The reason why a sequence cannot continue, in one line."""


class Steps:
    """Runs one generator at a time. due_us: when `next_request` must be called again."""

    __slots__ = (
        "due_us",
        "_unit_id",
        "_on_end",
        "_generator",
        "_answer",
        "_is_sent",
        "_sequence_number",
    )

    def __init__(self, unit_id: int, end: Callable[[str, int], object]):
        """end(error, now_us): called when the sequence has ended; error is "" if it succeeded."""
        self.due_us = NEVER_US
        self._unit_id, self._on_end = unit_id, end
        self._generator: Sequence[Any] | None = None
        self._answer: bytes | None = None
        self._is_sent, self._sequence_number = False, 0

    def begin(self, generator: Sequence[Any], due_us: int = NOW_US) -> None:
        """Start `generator` at due_us. The running sequence ends; its late answers are ignored."""
        self._generator, self._answer = generator, None
        self._is_sent, self.due_us = False, due_us
        self._sequence_number += 1

    def next_request(self, now_us: int) -> rtu.Request | None:
        """The Request to submit now, or None."""
        if self._generator is None or now_us < self.due_us:
            return None
        if self._is_sent:
            self._finish(NO_ANSWER, now_us)
            return None
        try:
            step = self._generator.send(self._answer)
        except (StepError, StopIteration) as end:
            self._finish(str(end) if isinstance(end, StepError) else "", now_us)
            return None
        self._answer = None
        if step is None:
            return None
        self._is_sent, self.due_us = True, now_us + LOST_US
        return self._request(*step)

    def _request(self, kind: str, *detail: Any) -> rtu.Request:
        number, key = self._sequence_number, (self._unit_id, "step")

        def answered(pdu: bytes, now_us: int) -> None:
            self._take(number, pdu[2:] if kind in READS else b"")

        def failed(failure: int, code: int, now_us: int) -> None:
            if failure == rtu.EXCEPTION or kind == "try":
                self._take(number, None)
            elif number == self._sequence_number:
                self._finish(rtu.FAILURES[failure], now_us)

        build: Callable[..., rtu.Request] = rtu.read_request
        if kind not in READS:
            function = rtu.WRITE_REGISTER if kind == "write one" else rtu.WRITE_REGISTERS
            build = partial(rtu.write_request, function)
        return build(key, self._unit_id, *detail, answered, failed)

    def _take(self, number: int, answer: bytes | None) -> None:
        if number == self._sequence_number:
            self._answer = answer
            self._is_sent, self.due_us = False, NOW_US

    def _finish(self, error: str, now_us: int) -> None:
        self._generator, self.due_us, self._is_sent = None, NEVER_US, False
        self._sequence_number += 1
        self._on_end(error, now_us)
