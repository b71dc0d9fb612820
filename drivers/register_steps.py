"""Runs the steps of the set-up and start of a converter: write, read back, wait for a value.

Before a step of the set-up writes, it reads, because a device may store each write. If a device
does not keep or show a value, the value is written again after pauses that grow.
"""

from struct import Struct

from drivers import steps
from drivers.buses import rtu
from drivers.profile import Settings, Step, Words
from drivers.register_codec import Codec
from drivers.steps import LONG_AGO_US, StepError
from drivers.sunspec import Places
from drivers.wear import NO, WRITES, Wear

# Pause between two writes: 1 s, then each time 8 times as long, at most 68 min.
PAUSE_US, PAUSE_BITS, PAUSES = 1_000_000, 3, 4


class RegisterSteps:
    """Makes the steps. now_us: time of the last call of the driver."""

    def __init__(self, settings: Settings, places: Places, wear: Wear):
        self._settings, self._places, self._wear = settings, places, wear
        self.now_us = 0
        self.forget()

    def forget(self) -> None:
        """Forget all writes, because a device that was lost may have lost their values."""
        # {(register, words): (how often it was written, time from which it may be written again)}
        self._written: dict[tuple[object, ...], tuple[int, int]] = {}

    def set_up(self, step: Step) -> steps.Procedure:
        """Write a step only if the device shows another value, because it may store each write."""
        if step.function in WRITES:
            place, registers = self.content(step)
            data = yield "try", rtu.READ_HOLDING_REGISTERS, place, len(registers)
            if data == _packed(registers):
                return
            if self.now_us < self._history(place, registers)[1]:
                if step.read_back:
                    raise _not_kept(step, place)
                return
        yield from self.run(step)

    def run(self, step: Step) -> steps.Procedure:
        """Write and read back, or read until the register has one of the values."""
        if step.function in WRITES:
            yield from self._write(step, *self.content(step))
        else:
            yield from self._wait(step)

    def content(self, step: Step) -> tuple[int, Words]:
        """(first register on the device, words) of a write."""
        registers = tuple(Codec(step.register, self._settings).words(step.value))
        return self._places.of(step.register.address), registers

    def _history(self, *content: object) -> tuple[int, int]:
        return self._written.get(content, (0, LONG_AGO_US))

    def _write(self, step: Step, place: int, registers: Words) -> steps.Procedure:
        if step.stored != NO and self._wear.holds_back(1, 0, self.now_us):
            raise StepError(f"register {place} waits: the budget of writes is spent for today")
        kind = "write one" if step.function == rtu.WRITE_REGISTER else "write"
        answer = yield kind, place, registers
        if answer is None:
            raise StepError(step.fault or f"register {place} refuses {step.value}")
        write_count, _ = self._history(place, registers)
        again_us = self.now_us + (PAUSE_US << PAUSE_BITS * write_count)
        self._written[place, registers] = min(write_count + 1, PAUSES), again_us
        if step.read_back:
            data = yield "read", rtu.READ_HOLDING_REGISTERS, place, len(registers)
            if data != _packed(registers):
                raise _not_kept(step, place)

    def _wait(self, step: Step) -> steps.Procedure:
        codec, place = Codec(step.register, self._settings), self._places.of(step.register.address)
        until_us = self.now_us + step.timeout_ms * 1000
        while True:
            data = yield "read", step.function, place, step.register.words
            value = codec.value(data) if data else None
            if value in step.equals:
                return
            if self.now_us >= until_us:
                raise StepError(step.fault or f"register {place} reads {value}, not as wanted")
            yield None


def _not_kept(step: Step, place: int) -> StepError:
    return StepError(step.fault or f"register {place} does not keep {step.value}")


def _packed(registers: Words) -> bytes:
    return Struct(f">{len(registers)}H").pack(*registers)
