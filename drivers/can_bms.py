"""Rack BMS on CAN as its profile describes it: messages, signals, fault bits, frames to the BMS.

Before a value counts, every required id must have come twice and two periods must have gone by
without an id that shows another dialect. Each id has its own age, because a BMS can go on sending
its name after its limits have stopped.
"""

from collections.abc import Callable
from typing import Any

from drivers.can_codec import EXTENDED, Fault, Value, Word, word
from drivers.can_messages import NEVER_US, Group, Message, Source
from drivers.profile import Profile
from drivers.sink import Sink
from safety import signals as s

CELLS_PER_MODULE_MAX = 32  # a position is module x 32 + cell
NO_POSITION = 4095
CHARGE_MV, CUTOFF_MV = "charge_voltage_mV_max", "discharge_voltage_mV_min"
ALLOWED = {
    "charge_allowed": s.CHARGE_CURRENT_MA_MAX,
    "discharge_allowed": s.DISCHARGE_CURRENT_MA_MAX,
}
CELLS, TEMPERATURES = "cell_voltage_mV", "module_temperature_ddegC"
ARRAYS = {CELLS: s.G_BMS_CELLS, TEMPERATURES: s.G_BMS_TEMPERATURES}
INDEX = {row[0]: index for index, row in enumerate(s.RACK_INPUTS)}
GROUPS = {row[0]: row[4] for row in s.RACK_INPUTS}
GROUPS |= {CHARGE_MV: s.G_BMS_LIMITS, CUTOFF_MV: s.G_BMS_LIMITS} | ARRAYS
GROUPS |= dict.fromkeys(ALLOWED, s.G_BMS_LIMITS)
NAMES = tuple([name for name in GROUPS if name != "bms_bad_frames" and name not in ARRAYS])
# states of `report`, each with an id where one is meant
OK, WAITING, MISSING, FOREIGN, STOPPED, SIGN = range(6)
REFUSED = (MISSING, FOREIGN)  # another dialect may be on the bus
REPORT = ("state", "can_id", "fits")


def nowhere() -> int:
    """No second source of the direction of the current."""
    return 0


class CanBms:
    """One rack. Counters: `frames` accepted, `bad_frames` (length, check byte, repeated counter),
    `refused`. `foreign_id`: that showed another dialect, or None. `is_sign_wrong`: the converter has
    contradicted the direction of the current. Both last until the controller restarts.
    """

    def __init__(
        self,
        profile: Profile,
        rack: int,
        node: int,
        sink: Sink,
        layout: s.Layout,
        sizes: tuple[int, int] = (0, 0),
        flow: Callable[[], int] = nowhere,
        sign_mA: int = 0,
    ) -> None:
        """sizes: cells and modules of the rack. flow: direction of the converter's power, > 0: out
        of the rack, 0: too little to tell; it is compared from `sign_mA` of the rack on.
        """
        self.profile, self.rack, self.node = profile, rack, node
        self.frames = self.bad_frames = self.refused = 0
        self.foreign_id: int | None = None
        self.is_sign_wrong = False
        self._inp, self._fresh = sink.inp, sink.fresh
        self._first, self._groups_at = layout.rack_input(rack, 0), layout.rack_group(rack, 0)
        self._cells, self._modules = sizes
        self._flow, self._sign_mA, self._against = flow, sign_mA, 0
        offset = node * profile.settings["node_stride"]
        self._offset = offset
        self._messages: dict[int, Message] = {}
        self._sources: list[Source] = []
        self._groups = {group: Group() for group in range(s.RACK_GROUP_COUNT)}
        self._values: dict[str, int] = {}
        self._numbers: dict[str, list[int | None]] = {
            CELLS: [None] * self._cells,
            TEMPERATURES: [None] * self._modules,
        }
        self._faults: dict[str, int] = {}
        self._supply_us: int | None = None  # since when it is read back as closed
        self._window_mV = 1, 0  # none fits before the first limits
        self._add_messages()
        self._forbidden = frozenset(profile.settings["forbidden"])
        every = self._messages.values()
        self._confirm_us = 2000 * max([each.period_ms for each in every if each.is_required])
        self._silent_us = profile.settings["stopped_ms"] * 1000
        self._first_us = self._last_us = NEVER_US
        self._is_confirmed = False
        sent = profile.sent
        self.command_period_us = 1000 * min([each["period_ms"] for each in sent.values()] or [1000])
        self._commands = -1

    def _add_messages(self) -> None:
        """Sources of every message, with the signals, faults and arrays that it carries."""
        profile = self.profile
        for name, row in profile.messages.items():
            for number in range(row["ids"]):
                can_id = row["id"] + number * row["id_step"] + self._offset
                can_id |= EXTENDED if row["extended"] else 0
                self._messages[can_id] = Message(name, can_id, row, number, profile)
        for message in self._messages.values():
            if message.is_required and not message.has_mux:
                self._source(message, None)
        for table in (profile.signals, profile.faults, profile.arrays):
            for name, row in table.items():
                for message in self._messages.values():
                    if message.name == row["message"]:
                        self._add(message, name, row)

    def _add(self, message: Message, name: str, row: dict[str, Any]) -> None:
        """Let the sources of a message carry one signal, fault or array."""
        if name in ARRAYS:
            size, per_frame = len(self._numbers[name]), len(row["starts"])
            for number in message.numbers(row):
                at = number * per_frame
                if at < size:
                    fields = [Value({**row, "start": start}) for start in row["starts"]]
                    source = self._source(message, number if message.has_mux else row["mux"])
                    source.arrays.append((name, at, fields[: size - at]))
                    self._groups[ARRAYS[name]].add(source)
            return
        source = self._source(message, row["mux"])
        if "form" in row:
            source.faults.append((name, Fault(row)))
            self._groups[s.G_BMS_STATE].add(source)
        else:
            source.fields.append((name, Value(row), row["optional"]))
            self._groups[GROUPS[name]].add(source)

    def _source(self, message: Message, mux: int | None) -> Source:
        if mux not in message.sources:
            source = Source(message, 1 << len(self._sources))
            message.sources[mux] = source
            self._sources.append(source)
        return message.sources[mux]

    def periodic(self) -> list[Any]:
        """[]: a BMS on CAN is polled by the frames that `command` gives."""
        return []

    def can_ids(self) -> tuple[int, ...]:
        """The ids of this BMS, and ids that would show another dialect."""
        return (*self._messages, *self._forbidden)

    def on_frame(self, can_id: int, data: bytes, now_us: int) -> bool:
        """Take one frame. True when it concerns this BMS."""
        if can_id in self._forbidden:
            self.foreign_id = can_id
            return True
        message = self._messages.get(can_id)
        if message is None:
            return False
        frame = word(data)
        source = message.source(frame, data)
        if source is None:
            self.bad_frames += 1
            return True
        if not message.is_used(source):
            return True
        self._hear(source, now_us)
        if self._counts(now_us) and self._take(source, frame, now_us):
            self.frames += 1
        else:
            self.refused += 1
        return True

    def _hear(self, source: Source, now_us: int) -> None:
        """Note the frame; after a silence of all ids the dialect must be confirmed again."""
        if now_us - self._last_us > self._silent_us:
            self._is_confirmed, self._first_us = False, now_us
            for each in self._sources:
                each.forget()
            for group in self._groups.values():
                group.arrived, group.stored_us = 0, NEVER_US
        self._last_us = source.heard_us = now_us
        source.times += 1

    def _counts(self, now_us: int) -> bool:
        """Whether values count: the dialect is confirmed, and no id that came has stopped."""
        if self.foreign_id is not None or self.is_sign_wrong:
            return False
        if not self._is_confirmed:
            in_time = now_us - self._first_us >= self._confirm_us
            self._is_confirmed = in_time and self._missing() is None
            return False
        return self._stopped(now_us) is None

    def _missing(self) -> Source | None:
        """A required id that has not come twice."""
        return next((each for each in self._sources if each.is_required and each.times < 2), None)

    def _stopped(self, now_us: int) -> Source | None:
        """An id that came and has stopped."""
        for source in self._sources:
            if source.times and now_us - source.heard_us > source.stopped_us:
                return source
        return None

    def _take(self, source: Source, frame: Word, now_us: int) -> bool:
        """Keep the values of a frame, and store each group that is whole. False: refused."""
        values, numbers = self._read(source, frame)
        if values is None or not self._fits(values):
            return False
        self._values.update(values)
        source.good_us = now_us
        for name, at, found in numbers:
            self._numbers[name][at : at + len(found)] = found
        for name, fault in source.faults:
            self._faults[name] = fault.bits(frame)
        self._keep_window()
        self._withhold()
        for group, place in self._groups.items():
            if source.bit & (place.must | place.may):
                place.arrived |= source.bit
                if place.is_whole(self._sources, now_us) and self._publish(group, now_us):
                    place.arrived, place.stored_us = 0, now_us
        return True

    def _read(
        self, source: Source, frame: Word
    ) -> tuple[dict[str, int] | None, list[tuple[str, int, list[int | None]]]]:
        """(values, numbers of arrays) of a frame; no values: one is refused."""
        values: dict[str, int] = {}
        for name, field, is_optional in source.fields:
            if is_optional and frame.length < field.bytes:
                self._values.pop(name, None)
                continue
            value = field.value(frame)
            if value is None:
                return None, []
            values[name] = value
        numbers = [
            (name, at, [field.value(frame) for field in fields])
            for name, at, fields in source.arrays
        ]
        return values, numbers

    def _fits(self, values: dict[str, int]) -> bool:
        """Compare the voltage with the limits: that finds a scale wrong by ten. But a short circuit
        (above rack_current_mA_max) with a low voltage must trip, not be refused.
        """
        if "cell_voltage_mV_min" in values and "cell_voltage_mV_max" in values:
            if values["cell_voltage_mV_min"] > values["cell_voltage_mV_max"]:
                return False
        current_mA = values.get("rack_current_mA")
        if current_mA is not None and self._contradicts(current_mA):
            return False
        if "rack_voltage_mV" not in values or CHARGE_MV not in self.profile.signals:
            return True
        low_mV, high_mV = self._window_mV
        is_short = abs(current_mA or 0) > self.profile.settings["rack_current_mA_max"]
        if not low_mV <= values["rack_voltage_mV"] <= high_mV and not is_short:
            return False
        values["rack_voltage_mV"] = min(max(values["rack_voltage_mV"], 0), high_mV)
        return True

    def _keep_window(self) -> None:
        """The voltages that fit the limits; those without a charge voltage change nothing."""
        charge_mV, settings = self._values.get(CHARGE_MV, 0), self.profile.settings
        if charge_mV:
            cutoff_mV = self._values.get(CUTOFF_MV) or charge_mV // 2
            low_mV = cutoff_mV * settings["voltage_permille_min"] // 1000
            self._window_mV = low_mV, charge_mV * settings["voltage_permille_max"] // 1000

    def _contradicts(self, current_mA: int) -> bool:
        """Whether the converter's direction has contradicted this one too often."""
        flow = self._flow() if abs(current_mA) >= self._sign_mA > 0 else 0
        if flow:
            self._against = self._against + 1 if (flow > 0) != (current_mA > 0) else 0
            self.is_sign_wrong |= self._against >= self.profile.settings["sign_readings"]
        return self.is_sign_wrong

    def _withhold(self) -> None:
        """Set the limit of a direction that is not allowed to 0 at once; an allowed one waits."""
        for name, index in ALLOWED.items():
            if not self._values.get(name, 1):
                self._inp[self._first + index] = 0

    def _publish(self, group: int, now_us: int) -> bool:
        """Store a group that is whole and set it fresh. False: it has a value that is none."""
        found = {INDEX[name]: self._values[name] for name in self._names_of(group)}
        if group == s.G_BMS_LIMITS:
            for name, index in ALLOWED.items():
                if not self._values.get(name, 1):
                    found[index] = 0
            if self._values.get(CHARGE_MV, 1) == 0:
                found[s.CHARGE_CURRENT_MA_MAX] = 0
        elif group == s.G_BMS_STATE:
            if now_us - self._groups[s.G_BMS_LIMITS].stored_us > self._silent_us:
                return False
            found = self._state(now_us) | found
        elif group == s.G_BMS_CELLS and not self._cells_into(found):
            return False
        elif group == s.G_BMS_TEMPERATURES:
            degrees = self._numbers[TEMPERATURES]
            if None in degrees:
                return False
            found = dict(enumerate(degrees, s.MODULE_TEMPERATURE_DDEGC))  # type: ignore[arg-type]
        elif group == s.G_BMS_CHARGE:
            found.setdefault(s.SOH_PERMILLE, 0)  # none is reported
        for index, value in found.items():
            self._inp[self._first + index] = value
        self._fresh[self._groups_at + group] = 1
        return True

    def _names_of(self, group: int) -> list[str]:
        return [name for name in self._values if name in INDEX and GROUPS[name] == group]

    def _state(self, now_us: int) -> dict[int, int]:
        """Fault bits and counters. Contactors that are not reported close `close_ms` after their
        supply, and open with it: a test of the supply is shorter and closes none.
        """
        if not self._inp[s.PERMIT_2_CLOSED]:
            self._supply_us = None
        elif self._supply_us is None:
            self._supply_us = now_us
        close_us, faults = self.profile.settings["close_ms"] * 1000, 0
        closed = self._supply_us is not None and now_us - self._supply_us >= close_us
        for bits in self._faults.values():
            faults |= bits
        return {
            s.CONTACTOR_STATE: s.CONTACTOR_CLOSED if closed else s.CONTACTOR_OPEN,
            s.BMS_FAULT_BITS: faults,
            s.BMS_BAD_FRAMES: min(self.bad_frames, s.INT_MAX),
            # with extremes alone: the acceptance of bms_sensors says who watches them
            s.CELLS_ONLINE: self._online(),
        }

    def _online(self) -> int:
        if CELLS in self.profile.arrays:
            return self._cells - self._numbers[CELLS].count(None)
        return self._cells if "cell_voltage_mV_min" in self.profile.signals else 0

    def _cells_into(self, found: dict[int, int]) -> bool:
        """Add extremes and positions of the cells. False: no cell has a value."""
        per_module = self.profile.settings["cells_per_module"]
        if CELLS in self.profile.arrays:
            known = [(mV, at) for at, mV in enumerate(self._numbers[CELLS]) if mV is not None]
            if not known:
                return False
            (low, low_at), (high, high_at) = min(known), max(known)
            found |= {s.CELL_VOLTAGE_MV_MIN: low, s.CELL_VOLTAGE_MV_MAX: high}
            found |= {s.CELL_POSITION_MIN: low_at, s.CELL_POSITION_MAX: high_at}
        for index in (s.CELL_POSITION_MIN, s.CELL_POSITION_MAX):
            if index in found:
                module, cell = divmod(found[index], per_module)
                found[index] = min(module * CELLS_PER_MODULE_MAX + cell, NO_POSITION)
            else:
                found[index] = NO_POSITION
        return True

    def command(self, close_ok: int) -> list[tuple[int, bytes]]:
        """[(id, data)] that are due, each `command_period_us`."""
        self._commands += 1
        found = []
        for row in self.profile.sent.values():
            if self._commands % (row["period_ms"] * 1000 // self.command_period_us) == 0:
                can_id = row["id"] + (self._offset if row["addressed"] else 0)
                data = row["data_close"] if close_ok and row["data_close"] else row["data"]
                can_id |= EXTENDED if row["extended"] else 0
                found.append((can_id, bytes.fromhex(data)))
        return found

    def report(self, now_us: int) -> tuple[int, int]:
        """(state, id that it is about or 0) for the page of the links."""
        if self.is_sign_wrong:
            return SIGN, 0
        if self.foreign_id is not None:
            return FOREIGN, self.foreign_id
        if not self._is_confirmed:
            missing = self._missing()
            is_late = self._first_us != NEVER_US and now_us - self._first_us > self._confirm_us
            state = MISSING if missing and is_late else WAITING
            return state, missing.can_id if missing and is_late else 0
        stopped = self._stopped(now_us)
        return (STOPPED, stopped.can_id) if stopped else (OK, 0)
