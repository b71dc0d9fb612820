"""The messages of a BMS on CAN: what a frame must be, and which groups of values it feeds."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from drivers.can_codec import CHECKS, Fault, Raw, Value, Word
from drivers.profile import Profile

NEVER_US = -(1 << 62)
REQUIRED = "required"
STOPPED_PERIODS = 3


class Message:
    """One id: its length, check byte and counter, and its sources by value of the multiplexer."""

    def __init__(
        self, name: str, can_id: int, row: Mapping[str, Any], number: int, profile: Profile
    ) -> None:
        """number: of this id among the ids of the message."""
        self.name, self.can_id, self._number = name, can_id, number
        self.period_ms = row["period_ms"] or profile.period_ms
        self.is_required = row["use"] == REQUIRED
        periods_us = STOPPED_PERIODS * self.period_ms * 1000
        self.stopped_us = max(periods_us, profile.settings["stopped_ms"] * 1000)
        self._least, self._most = row["bytes"], row["bytes_max"]
        self._mux = _raw(row["mux"])
        self._counter, self._count = _raw(row["counter"]), -1
        self._check = CHECKS.get(row["check"])
        self._values = row["mux_values"]
        self.sources: dict[int | None, Source] = {}

    @property
    def has_mux(self) -> bool:
        """Whether a multiplexer chooses what the frame holds."""
        return self._mux is not None

    def numbers(self, row: Mapping[str, Any]) -> Iterable[int]:
        """The numbers of the frames of an array that come with this id."""
        return range(self._values) if self._mux and row["mux"] is None else (self._number,)

    def source(self, frame: Word, data: bytes) -> "Source | None":
        """The source of a frame. None: a wrong length, check byte or counter."""
        if not self._least <= frame.length <= self._most:
            return None
        if self._check and self._check(self.can_id, data) != data[-1]:
            return None
        if self._counter:
            before, self._count = self._count, self._counter.of(frame)
            if before < 0:  # a dead sender may repeat one frame for ever
                return UNUSED
            if before == self._count:
                return None
        return self.sources.get(self._mux.of(frame) if self._mux else None, UNUSED)

    def is_used(self, source: "Source") -> bool:
        """Whether the frame holds a value of the profile."""
        return source is not UNUSED


class Source:
    """The frames of one id and value of the multiplexer."""

    def __init__(self, message: Message | None, bit: int) -> None:
        self.bit = bit
        self.can_id = message.can_id if message else 0
        self.is_required = message is not None and message.is_required
        self.stopped_us = message.stopped_us if message else 0
        self.fields: list[tuple[str, Value, bool]] = []
        self.faults: list[tuple[str, Fault]] = []
        self.arrays: list[tuple[str, int, Sequence[Value]]] = []
        self.forget()

    def forget(self) -> None:
        """As before the first frame."""
        self.heard_us = self.good_us = NEVER_US
        self.times = 0


UNUSED = Source(None, 0)


@dataclass(slots=True)
class Group:
    """A group of values: the sources that it must have, and those that may come, as bits."""

    must: int = 0
    may: int = 0
    arrived: int = field(default=0)
    stored_us: int = NEVER_US

    def add(self, source: Source) -> None:
        """Let the group need a source."""
        if source.is_required:
            self.must |= source.bit
        else:
            self.may |= source.bit

    def is_whole(self, sources: Sequence[Source], now_us: int) -> bool:
        """Whether every source that it must have has come again, and no other has stopped."""
        if self.arrived & self.must != self.must:
            return False
        return not any(
            each.times and now_us - each.good_us > each.stopped_us
            for each in sources
            if each.bit & self.may
        )


def _raw(row: Mapping[str, Any]) -> Raw | None:
    return Raw(row) if row else None
