"""Collects the values of a converter that become fresh together, from one or several reads."""

from collections.abc import Callable
from functools import partial

from drivers.buses import rtu
from drivers.profile import Profile, Register, Settings
from drivers.register_blocks import Block, blocks
from drivers.register_codec import Codec, ScaleFactor
from drivers.states import unnamed
from drivers.steps import LONG_AGO_US
from drivers.sunspec import Places


class ReadingGroup:
    """Values from one or several reads. values: {register name: last value}."""

    def __init__(
        self,
        places: Places,
        profile: Profile,
        settings: Settings,
        definition: tuple[int, str, int, list[Register], Callable[[int], object]],
        heard: Callable[[int], object],
    ):
        """row: unit id, name, period in ms, registers, and take(now_us).

        take is called when all values are new and none is older than two periods. heard(now_us) is
        called for any answer.
        """
        self.refused = 0
        self.values: dict[str, int] = {}
        self._unit_id, self._name, period_ms, self._registers, self._take = definition
        self._period_us, self._heard, self._places = period_ms * 1000, heard, places
        self._codecs = [Codec(register, settings) for register in self._registers]
        self._factors = {
            index: ScaleFactor([codec for codec in self._codecs if codec.factor == register.name])
            for index, register in enumerate(self._registers)
            if register.name in profile.factors
        }
        self._blocks = blocks(self._registers, profile.settings)
        self.forget()

    def forget(self) -> None:
        """Drop all values."""
        self.values.clear()
        self._read_us = [LONG_AGO_US] * len(self._blocks)
        self._unanswered = set(range(len(self._blocks)))

    @property
    def is_answered(self) -> bool:
        """True if each read was answered and no value was refused."""
        return not self._unanswered

    @property
    def unnamed(self) -> int | None:
        """The raw state that the profile does not name, or None."""
        return unnamed(self._codecs)

    def reads(self) -> rtu.Periodic:
        """[(Request, period in us)] of the reads."""
        reads = [self._read(number, block) for number, block in enumerate(self._blocks)]
        return [(read, self._period_us) for read in reads]

    def _read(self, number: int, block: Block) -> rtu.Request:
        read = rtu.read_request(
            (self._unit_id, f"{self._name} {number + 1}"),
            self._unit_id,
            block.function,
            self._places.of(block.address),
            block.length,
            on_reply=partial(self._on_reply, number, block),
            on_failure=self._on_failure,
        )
        return self._places.follow(read, block.address)

    def _on_failure(self, kind: int, code: int, now_us: int) -> None:
        if kind == rtu.EXCEPTION:
            self._heard(now_us)

    def _on_reply(self, number: int, block: Block, pdu: bytes, now_us: int) -> None:
        self._heard(now_us)
        values: dict[str, int] = {}
        parts, factors = block.parts(pdu[2:]), self._factors
        is_new = not all([factors[index].holds(part) for index, part in parts if index in factors])
        for index, part in [pair for pair in parts if pair[0] not in factors]:
            value, is_good = self._codecs[index].read(part)
            if value is None or not is_good or is_new:
                self.refused += 1
                self._read_us[number] = LONG_AGO_US
                return
            values[self._registers[index].name] = value
        self.values |= values
        self._unanswered.discard(number)
        self._read_us[number] = now_us
        if min(self._read_us) >= now_us - 2 * self._period_us:
            self._read_us = [LONG_AGO_US] * len(self._blocks)
            self._take(now_us)
