"""Connects the sources of a rack BMS (frames or replies) with the groups of values they feed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from drivers.steps import LONG_AGO_US
from safety import signals as s

FAULT = "fault_"  # prefix in the names of registers with fault bits
CHARGE_MV, CUTOFF_MV = "charge_voltage_mV_max", "discharge_voltage_mV_min"
ALLOWED = {
    "charge_allowed": s.CHARGE_CURRENT_MA_MAX,
    "discharge_allowed": s.DISCHARGE_CURRENT_MA_MAX,
}
CELLS, TEMPERATURES = "cell_voltage_mV", "module_temperature_ddegC"
CELLS_PER_MODULE_MAX = 32  # a position is module x 32 + cell
ARRAYS = {CELLS: s.G_BMS_CELLS, TEMPERATURES: s.G_BMS_TEMPERATURES}
INDEX = {row[0]: index for index, row in enumerate(s.RACK_INPUTS)}
GROUPS = {row[0]: row[4] for row in s.RACK_INPUTS} | ARRAYS
GROUPS |= dict.fromkeys((CHARGE_MV, CUTOFF_MV, *ALLOWED), s.G_BMS_LIMITS)
# {group: [(name, index) of its signals]}
SIGNALS = {
    group: [(name, index) for name, index in INDEX.items() if GROUPS[name] == group]
    for group in range(s.RACK_GROUP_COUNT)
}


class Source:
    """The frames with one id and one value of the multiplexer, or the replies to one read."""

    def __init__(self, can_id: int, is_required: bool, stopped_us: int, bit: int):
        self.can_id, self.is_required = can_id, is_required
        self.stopped_us, self.bit = stopped_us, bit
        # (name, field, True if a short frame may lack it)
        self.fields: list[tuple[str, Any, bool]] = []
        self.faults: list[tuple[str, Any]] = []
        self.arrays: list[tuple[str, int, Sequence[Any]]] = []
        self.feeds: list[tuple[int, Group]] = []
        self.mask = 0  # bits of a frame that hold values; 0: not known
        self.bits = -1  # the bits under `mask` in the last accepted frame
        self.values: dict[str, int] = {}
        self.forget()

    def forget(self) -> None:
        """Forget the frames of this source. good_us: time of the last accepted frame."""
        self.heard_us = self.good_us = LONG_AGO_US
        self.frame_count = 0


@dataclass(slots=True)
class Group:
    """A group of values.

    required: bits of the sources that it needs. optional: bits of sources that may be missing, but
    must not stop once they have come. is_new: it has values that are not stored yet.
    """

    required: int = 0
    optional: int = 0
    arrived: int = 0
    stored_us: int = LONG_AGO_US
    is_new: bool = True
    watched: Sequence[Source] = ()  # the sources in `optional`

    def is_whole(self, now_us: int) -> bool:
        """True if each required source has come again, and no optional source has stopped."""
        if self.arrived & self.required != self.required:
            return False
        for source in self.watched:
            if source.frame_count and now_us - source.good_us > source.stopped_us:
                return False
        return True


class Sources:
    """The sources of a rack, and the groups that they feed."""

    is_sealed = False  # True: each frame proves itself, see can_messages.py

    def __init__(self) -> None:
        self.sources: list[Source] = []
        self.groups = {group: Group() for group in range(s.RACK_GROUP_COUNT)}

    def make(self, number: int, is_required: bool, stopped_us: int) -> Source:
        """Make a new source. number: its id, or the address of its read."""
        self.sources.append(Source(number, is_required, stopped_us, 1 << len(self.sources)))
        return self.sources[-1]

    def feed(self, group: int, source: Source) -> None:
        """Let the group need the source."""
        if source.is_required:
            self.groups[group].required |= source.bit
        else:
            self.groups[group].optional |= source.bit

    def join(self) -> None:
        """Connect sources and groups, after all of them are made."""
        groups = self.groups.items()
        for source in self.sources:
            bit = source.bit
            source.feeds = [pair for pair in groups if bit & (pair[1].required | pair[1].optional)]
        for _, group in groups:
            group.watched = [source for source in self.sources if source.bit & group.optional]
