"""Checks and sorts the messages of a BMS on CAN: form of the frames, and groups of their values.

A profile is sealed if each of its messages has a check byte and a counter. Then each frame proves
itself, because neither another dialect nor a sender that hangs produces a valid frame. Without a
seal, all frames of the bus together are the proof (can_dialect.py).
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from drivers.can_codec import CHECKS, EXTENDED, Fault, Raw, Value, Word
from drivers.profile import Profile, Table
from drivers.rack_sources import ARRAYS, CHARGE_MV, GROUPS, Source, Sources
from safety import signals as s

STOPPED_PERIODS = 3
UNUSED = Source(0, False, 0, 0)


class Id(NamedTuple):
    """An id of a message, its number within the message, and whether it must come."""

    can_id: int
    message: str
    number: int
    is_required: bool


def ids(profile: Profile, node: int = 0) -> Iterator[Id]:
    """Every id of a profile at a node. A small rack may use only the first id of an array."""
    offset = node * profile.settings["node_stride"]
    of_arrays = [row["message"] for row in profile.arrays.values()]
    for name, row in profile.messages.items():
        for number in range(row["ids"]):
            can_id = row["id"] + number * row["id_step"] + offset
            can_id |= EXTENDED if row["extended"] else 0
            is_first = number == 0 or name not in of_arrays
            yield Id(can_id, name, number, row["use"] == "required" and is_first)


class Message:
    """One id: its length, check byte and counter, and {multiplexer value: source}."""

    def __init__(self, name: str, can_id: int, row: Table, number: int):
        """number: of this id within the message."""
        self.name, self.can_id, self.row, self.number = name, can_id, row, number
        parts = row["mux"], row["counter"]
        self.mux, self._counter = [
            Raw(part) if part["start"] is not None else None for part in parts
        ]
        self._count, self._check = -1, CHECKS.get(row["check"])
        self._lengths = range(row["bytes"], row["bytes_max"] + 1)
        self.sources: dict[int | None, Source] = {}

    def source(self, frame: Word, data: bytes) -> Source | None:
        """The source of a frame; UNUSED if no value is taken from it.

        None if its length, check byte or counter is wrong.
        """
        if frame.length not in self._lengths:
            return None
        if self._check and self._check(self.can_id, data) != data[-1]:
            return None
        if self._counter:
            before, self._count = self._count, self._counter.of(frame)
            if before < 0:  # wait for a second frame: a sender that hangs may repeat one for ever
                return UNUSED
            if before == self._count:
                return None
        return self.sources.get(self.mux.of(frame) if self.mux else None, UNUSED)


def _mask(source: Source) -> int:
    """The bits of a frame that hold its values; 0 (not known) if a field is big-endian."""
    mask = 0
    fields = [field for _, field, _ in source.fields] + [field for _, field in source.faults]
    for field in [*fields, *[field for _, _, fields in source.arrays for field in fields]]:
        if field.is_big:
            return 0
        mask |= field.mask << field.shift
    return mask


class Messages(Sources):
    """The messages of a rack by id, their sources, and the groups that the sources feed."""

    def __init__(self, profile: Profile, node: int, sizes: Mapping[str, int]):
        """sizes: {array: number of values that the rack has}."""
        super().__init__()
        self._profile, self._sizes, rows = profile, sizes, profile.messages.values()
        self.is_sealed = all(row["check"] and row["counter"]["start"] is not None for row in rows)
        self.by_id: dict[int, Message] = {}
        for can_id, name, number, is_required in ids(profile, node):
            row = profile.messages[name]
            message = self.by_id[can_id] = Message(name, can_id, row, number)
            if is_required and message.mux is None:
                self._source_of(message, None)
        for table in (profile.signals, profile.faults, profile.arrays):
            for name, row in table.items():
                for message in self.by_id.values():
                    if message.name == row["message"]:
                        self._add(message, name, row)
        of_arrays = [row["message"] for row in profile.arrays.values()]
        voltage = self.groups[s.G_BMS_PACK]
        for can_id, message in list(self.by_id.items()):
            if message.name in of_arrays and not message.sources:
                del self.by_id[can_id]  # for modules that this rack does not have
            for source in message.sources.values() if self.is_sealed else ():
                is_judged = CHARGE_MV in profile.signals and source.bit & voltage.required
                source.mask = 0 if is_judged else _mask(source)

    def _add(self, message: Message, name: str, row: Table) -> None:
        """Add one signal, fault or array to the sources of a message."""
        if name in ARRAYS:
            has_pages = message.mux and row["mux"] is None
            for number in range(message.row["mux_values"]) if has_pages else (message.number,):
                self._add_array(message, name, row, number, number if has_pages else row["mux"])
            return
        source = self._source_of(message, row["mux"])
        if "form" in row:
            source.faults.append((name, Fault(row)))
            self.feed(s.G_BMS_STATE, source)
        else:
            source.fields.append((name, Value(row, name), row["optional"]))
            self.feed(GROUPS[name], source)

    def _add_array(
        self, message: Message, name: str, row: Table, number: int, mux: int | None
    ) -> None:
        """Add the values of one frame of an array, if the rack has them."""
        first, size = number * len(row["starts"]), self._sizes[name]
        if first < size:
            fields = [Value({**row, "start": start}) for start in row["starts"]]
            source = self._source_of(message, mux)
            source.arrays.append((name, first, fields[: size - first]))
            self.feed(ARRAYS[name], source)

    def feed(self, group: int, source: Source) -> None:
        """Let the group need the source. Nothing else checks that a sealed source still comes."""
        super().feed(group, source)
        if self.is_sealed:
            self.groups[group].optional |= source.bit

    def _source_of(self, message: Message, mux: int | None) -> Source:
        if mux not in message.sources:
            row, profile = message.row, self._profile
            periods_us = STOPPED_PERIODS * (row["period_ms"] or profile.period_ms) * 1000
            stopped_us = max(periods_us, profile.settings["stopped_ms"] * 1000)
            is_required = row["use"] == "required"
            message.sources[mux] = self.make(message.can_id, is_required, stopped_us)
        return message.sources[mux]
