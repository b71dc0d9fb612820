"""The messages of a BMS on CAN: what a frame must be, and which groups of values it feeds."""

from collections.abc import Mapping
from typing import Any

from drivers.can_codec import CHECKS, EXTENDED, Fault, Raw, Value, Word
from drivers.profile import Profile
from drivers.rack_sources import ARRAYS, GROUPS, Source, Sources
from safety import signals as s

STOPPED_PERIODS = 3
UNUSED = Source(0, False, 0, 0)


def ids(row: Mapping[str, Any], offset: int) -> list[int]:
    """The ids of a message; offset: of those of its node."""
    firsts = [row["id"] + number * row["id_step"] + offset for number in range(row["ids"])]
    return [each | (EXTENDED if row["extended"] else 0) for each in firsts]


class Message:
    """One id: its length, check byte and counter, and its sources by value of the multiplexer."""

    def __init__(self, name: str, can_id: int, row: Mapping[str, Any], number: int) -> None:
        """number: of this id among the ids of the message."""
        self.name, self.can_id, self.row, self.number = name, can_id, row, number
        parts = row["mux"], row["counter"]
        self.mux, self._counter = [
            Raw(each) if each["start"] is not None else None for each in parts
        ]
        self._count, self._check = -1, CHECKS.get(row["check"])
        self.sources: dict[int | None, Source] = {}

    def source(self, frame: Word, data: bytes) -> Source | None:
        """The source of a frame (UNUSED: no value), None if length, check or counter is wrong."""
        if not self.row["bytes"] <= frame.length <= self.row["bytes_max"]:
            return None
        if self._check and self._check(self.can_id, data) != data[-1]:
            return None
        if self._counter:
            before, self._count = self._count, self._counter.of(frame)
            if before < 0:  # a dead sender may repeat one frame for ever
                return UNUSED
            if before == self._count:
                return None
        return self.sources.get(self.mux.of(frame) if self.mux else None, UNUSED)


class Messages(Sources):
    """The messages of a rack by id, their sources, and the groups that these feed."""

    def __init__(self, profile: Profile, offset: int, sizes: Mapping[str, int]) -> None:
        """offset: of the ids of this node. sizes: how many numbers each array has."""
        super().__init__()
        self._profile, self._sizes = profile, sizes
        self.by_id: dict[int, Message] = {}
        for name, row in profile.messages.items():
            for number, can_id in enumerate(ids(row, offset)):
                message = self.by_id[can_id] = Message(name, can_id, row, number)
                if row["use"] == "required" and message.mux is None:
                    self._source(message, None)
        for table in (profile.signals, profile.faults, profile.arrays):
            for name, row in table.items():
                found = [each for each in self.by_id.values() if each.name == row["message"]]
                for message in found:
                    self._add(message, name, row)

    def _add(self, message: Message, name: str, row: dict[str, Any]) -> None:
        """Let the sources of a message carry one signal, fault or array."""
        if name in ARRAYS:
            pages = message.mux and row["mux"] is None
            for number in range(message.row["mux_values"]) if pages else (message.number,):
                self._add_array(message, name, row, number, number if pages else row["mux"])
            return
        source = self._source(message, row["mux"])
        if "form" in row:
            source.faults.append((name, Fault(row)))
            self.feed(s.G_BMS_STATE, source)
        else:
            source.fields.append((name, Value(row, name), row["optional"]))
            self.feed(GROUPS[name], source)

    def _add_array(
        self, message: Message, name: str, row: dict[str, Any], number: int, mux: int | None
    ) -> None:
        """Add one frame of an array, unless the rack has no such number."""
        at, size = number * len(row["starts"]), self._sizes[name]
        if at < size:
            fields = [Value({**row, "start": start}) for start in row["starts"]]
            source = self._source(message, mux)
            source.arrays.append((name, at, fields[: size - at]))
            self.feed(ARRAYS[name], source)

    def _source(self, message: Message, mux: int | None) -> Source:
        if mux not in message.sources:
            row, profile = message.row, self._profile
            periods_us = STOPPED_PERIODS * (row["period_ms"] or profile.period_ms) * 1000
            stopped_us = max(periods_us, profile.settings["stopped_ms"] * 1000)
            is_required = row["use"] == "required"
            message.sources[mux] = self.make(message.can_id, is_required, stopped_us)
        return message.sources[mux]
