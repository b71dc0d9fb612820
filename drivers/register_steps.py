"""The steps of a converter's set-up and start: write, read back, or wait for a value.

A device may store what is written, so a step of the set-up is read before it is written.
"""

from struct import Struct

from drivers import steps
from drivers.buses import rtu
from drivers.profile import Step
from drivers.register_codec import Codec
from drivers.steps import StepError
from drivers.sunspec import Places
from drivers.wear import NO, WRITES, Wear

# Between writes of one step in a connection: at first 1 s, each time 8 times as long, at most 1 h.
PAUSE_US, PAUSE_US_MAX, PAUSE_GROWS = 1_000_000, 3_600_000_000, 8


class RegisterSteps:
    """`now_us`: of the last call of the driver."""

    def __init__(self, settings: dict[str, int], places: Places, wear: Wear) -> None:
        self._settings, self._places, self._wear = settings, places, wear
        self.now_us = 0
        self.forget()

    def forget(self) -> None:
        """The connection was lost: the device may have lost what was written."""
        # of a step of the set-up, by number: when it may be written again, and the pause then
        self._again: dict[int, tuple[int, int]] = {}

    def set_up(self, number: int, step: Step) -> steps.Sequence[None]:
        """Write a step only if the device shows another value, because the device may store it. A
        register that cannot be read is written once in a connection. One that does not keep its
        value is written more and more seldom.
        """
        if step.function not in WRITES:
            yield from self._wait(step)
            return
        place, words = self._content(step)
        data = yield "try", rtu.READ_HOLDING_REGISTERS, place, len(words)
        is_done = number in self._again and (data is None or not step.read_back)
        if data == _packed(words) or is_done:
            return
        again_us, pause_us = self._again.get(number, (self.now_us, PAUSE_US))
        if self.now_us >= again_us:
            yield from self._write(step)
            longer_us = min(pause_us * PAUSE_GROWS, PAUSE_US_MAX)
            self._again[number] = self.now_us + pause_us, longer_us
        yield from self._verify(step)

    def run(self, step: Step) -> steps.Sequence[None]:
        """Write and read back, or read until the register has one of the values."""
        if step.function in WRITES:
            yield from self._write(step)
            yield from self._verify(step)
        else:
            yield from self._wait(step)

    def _content(self, step: Step) -> tuple[int, tuple[int, ...]]:
        """(first register on the device, words) of a write."""
        words = tuple(Codec(step.register, self._settings).words(step.value))
        return self._places.of(step.register.address), words

    def _write(self, step: Step) -> steps.Sequence[None]:
        place, words = self._content(step)
        if step.stored != NO and self._wear.is_spent(self.now_us):
            raise StepError(f"register {place} waits: the budget of writes is spent for today")
        kind = "write one" if step.function == rtu.WRITE_REGISTER else "write"
        answer = yield kind, place, words
        if answer is None:
            raise StepError(step.fault or f"register {place} refuses {step.value}")

    def _verify(self, step: Step) -> steps.Sequence[None]:
        if not step.read_back:
            return
        place, words = self._content(step)
        data = yield "read", rtu.READ_HOLDING_REGISTERS, place, len(words)
        if data != _packed(words):
            raise StepError(step.fault or f"register {place} does not keep {step.value}")

    def _wait(self, step: Step) -> steps.Sequence[None]:
        codec, address = (
            Codec(step.register, self._settings),
            self._places.of(step.register.address),
        )
        until_us = self.now_us + step.timeout_ms * 1000
        while True:
            data = yield "read", step.function, address, step.register.words
            value = codec.value(data) if data else None
            if value in step.equals:
                return
            if self.now_us >= until_us:
                raise StepError(step.fault or f"register {address} reads {value}, not as wanted")
            yield None


def _packed(words: tuple[int, ...]) -> bytes:
    return Struct(f">{len(words)}H").pack(*words)
