"""The messages of a BMS on CAN: what a frame must be, and which groups of values it feeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from drivers.can_codec import CHECKS, EXTENDED, Fault, Raw, Value, Word
from drivers.profile import Profile
from safety import signals as s

NEVER_US = -(1 << 62)
STOPPED_PERIODS = 3
CHARGE_MV, CUTOFF_MV = "charge_voltage_mV_max", "discharge_voltage_mV_min"
ALLOWED = {
    "charge_allowed": s.CHARGE_CURRENT_MA_MAX,
    "discharge_allowed": s.DISCHARGE_CURRENT_MA_MAX,
}
CELLS, TEMPERATURES = "cell_voltage_mV", "module_temperature_ddegC"
ARRAYS = {CELLS: s.G_BMS_CELLS, TEMPERATURES: s.G_BMS_TEMPERATURES}
INDEX = {row[0]: index for index, row in enumerate(s.RACK_INPUTS)}
GROUPS = {row[0]: row[4] for row in s.RACK_INPUTS} | ARRAYS
GROUPS |= dict.fromkeys((CHARGE_MV, CUTOFF_MV, *ALLOWED), s.G_BMS_LIMITS)


class Source:
    """The frames of one id and value of the multiplexer, and what they hold."""

    def __init__(self, can_id: int, is_required: bool, stopped_us: int, bit: int) -> None:
        self.can_id, self.is_required, self.bit = can_id, is_required, bit
        self.stopped_us = stopped_us
        self.fields: list[tuple[str, Value, bool]] = []  # the last: a short frame may lack it
        self.faults: list[tuple[str, Fault]] = []
        self.arrays: list[tuple[str, int, Sequence[Value]]] = []
        self.forget()

    def forget(self) -> None:
        """Make it a source that was never heard. good: accepted."""
        self.heard_us = self.good_us = NEVER_US
        self.times = 0


UNUSED = Source(0, False, 0, 0)


class Message:
    """One id: its length, check byte and counter, and its sources by value of the multiplexer."""

    def __init__(self, name: str, can_id: int, row: Mapping[str, Any], number: int) -> None:
        """number: of this id among the ids of the message."""
        self.name, self.can_id, self.row, self.number = name, can_id, row, number
        self.mux, self._counter = [
            None if row[key]["start"] is None else Raw(row[key]) for key in ("mux", "counter")
        ]
        self._count = -1
        self._check = CHECKS.get(row["check"])
        self.sources: dict[int | None, Source] = {}

    def source(self, frame: Word, data: bytes) -> Source | None:
        """The source of a frame, UNUSED of one without a value. None: a wrong length, check byte or
        counter.
        """
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


@dataclass(slots=True)
class Group:
    """A group of values: the sources that it must have, and those that may come, as bits."""

    must: int = 0
    may: int = 0
    arrived: int = 0
    stored_us: int = NEVER_US

    def is_whole(self, sources: Sequence[Source], now_us: int) -> bool:
        """Whether every source that it must have has come again, and no other has stopped."""
        if self.arrived & self.must != self.must:
            return False
        return not any(
            each.times and now_us - each.good_us > each.stopped_us
            for each in sources
            if each.bit & self.may
        )


class Messages:
    """The messages of a rack by id, their sources, and the groups that these feed."""

    def __init__(self, profile: Profile, offset: int, sizes: Mapping[str, int]) -> None:
        """offset: of the ids of this node. sizes: how many numbers each array has."""
        self._profile, self._sizes = profile, sizes
        self.by_id: dict[int, Message] = {}
        self.sources: list[Source] = []
        self.groups = {group: Group() for group in range(s.RACK_GROUP_COUNT)}
        for name, row in profile.messages.items():
            for number in range(row["ids"]):
                can_id = row["id"] + number * row["id_step"] + offset
                can_id |= EXTENDED if row["extended"] else 0
                message = self.by_id[can_id] = Message(name, can_id, row, number)
                if row["use"] == "required" and message.mux is None:
                    self._source(message, None)
        for table in (profile.signals, profile.faults, profile.arrays):
            for name, row in table.items():
                for message in [
                    each for each in self.by_id.values() if each.name == row["message"]
                ]:
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
            self._feed(s.G_BMS_STATE, source)
        else:
            source.fields.append((name, Value(row), row["optional"]))
            self._feed(GROUPS[name], source)

    def _add_array(
        self, message: Message, name: str, row: dict[str, Any], number: int, mux: int | None
    ) -> None:
        """Add one frame of an array, unless the rack has no such number."""
        at, size = number * len(row["starts"]), self._sizes[name]
        if at < size:
            fields = [Value({**row, "start": start}) for start in row["starts"]]
            source = self._source(message, mux)
            source.arrays.append((name, at, fields[: size - at]))
            self._feed(ARRAYS[name], source)

    def _source(self, message: Message, mux: int | None) -> Source:
        if mux not in message.sources:
            row, profile = message.row, self._profile
            periods_us = STOPPED_PERIODS * (row["period_ms"] or profile.period_ms) * 1000
            stopped_us = max(periods_us, profile.settings["stopped_ms"] * 1000)
            is_required, bit = row["use"] == "required", 1 << len(self.sources)
            message.sources[mux] = Source(message.can_id, is_required, stopped_us, bit)
            self.sources.append(message.sources[mux])
        return message.sources[mux]

    def _feed(self, group: int, source: Source) -> None:
        if source.is_required:
            self.groups[group].must |= source.bit
        else:
            self.groups[group].may |= source.bit
