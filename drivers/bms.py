"""The native rack BMS on CAN, by its DBC. Other BMS on CAN: can_bms.py.

A native frame counts only with a good CRC and a counter that differs from the last of its id. The
first of an id only sets the counter: a dead sender may repeat one frame for ever.
"""

from dataclasses import dataclass
from typing import Any

from drivers.can_codec import crc8, crc8_begun
from drivers.dbc import Dbc, Field
from drivers.profile import Profile, wrong
from drivers.rack_sources import CELLS_PER_MODULE_MAX, TEMPERATURES as TEMPERATURE
from drivers.sink import Sink
from drivers.steps import LONG_AGO_US
from safety import signals

MODULES_PER_FRAME = 4
# noise of the last digit, two steps, is then 0.4 K: below the threshold of row 22
TEMPERATURE_STEP_DDEGC_MAX = 2
CELLS = ("cell_voltage_mV_min", "cell_voltage_mV_max", "cell_position_min", "cell_position_max")
# name: (index, group)
RACK_ROWS = {row[0]: (index, row[4]) for index, row in enumerate(signals.RACK_INPUTS)}


@dataclass(slots=True, eq=False)
class _Message:
    """One id of a native rack: its fields and its last frame."""

    seed: int  # of crc8_begun
    group: int
    fields: tuple[Field, ...]
    indexes: tuple[int, ...]  # into the sink, one per field; () for temperatures
    position: int = -1  # number of a temperature frame, else -1
    cells: tuple[int, ...] = ()  # places of the cell signals, in the order of CELLS
    counter: int = -1  # of the last good frame; -1: none yet
    payload: bytes | None = None  # the used bytes of the last accepted values
    used_bytes: int = 0
    seen_us: int = LONG_AGO_US
    values: list[int] | tuple[()] = ()  # of a temperature frame, until all frames have come
    stored_ok: bool = True

    def __post_init__(self) -> None:
        """Find the bytes that the fields take."""
        ends = [shift + mask.bit_length() for shift, mask, *_ in self.fields]
        self.used_bytes = (max(ends) + 7) // 8


class NativeBms:
    """The BMS of one rack. Counters: `frames` accepted, `bad_frames` (CRC, length, repeated
    counter), `refused` (out of range), `commands`. `command_echo`: the last confirmed, or -1.
    `misfit`: (signal, value, lowest, highest) of the last that was refused.
    """

    command_period_us = 100_000

    def __init__(
        self,
        profile: Profile,
        rack: int,
        node: int,
        sink: Sink,
        layout: signals.Layout,
        modules: int | None = None,
    ) -> None:
        """rack: index in layout; node: from 1 on; modules: of this rack, else layout.modules."""
        self.profile, self.rack, self.node = profile, rack, node
        self.modules = layout.modules if modules is None else modules
        self.frames = self.bad_frames = self.refused = self.commands = 0
        self.command_echo = -1
        self.misfit: tuple[str, int, int, int] | None = None
        self._inp, self._fresh = sink.inp, sink.fresh
        self._first = layout.rack_input(rack, 0)
        self._groups = layout.rack_group(rack, 0)
        self._state_group = self._groups + signals.G_BMS_STATE
        self._temperature_group = self._groups + signals.G_BMS_TEMPERATURES
        dbc = Dbc(profile)
        self._id_offset = node * profile.settings["node_stride"]
        self._messages: dict[int, _Message] = {}
        self._temperatures: list[_Message] = []
        for name, rows in profile.frames.items():
            if not name.startswith("TEMPERATURES"):
                self._add_message(dbc, name, rows)
        self._add_temperatures(dbc)
        self._complete, self._arrived = (1 << len(self._temperatures)) - 1, 0
        self._window_us = profile.settings["temperatures_ms_max"] * 1000
        self._echo_byte = dbc.signal("STATE", "command_echo").start // 8
        self._command_id = dbc.message("COMMAND").can_id + self._id_offset
        self._command_seed = crc8_begun(self._command_id)

    def _add_message(self, dbc: Dbc, name: str, rows: dict[str, dict[str, Any]]) -> None:
        path = self.profile.path
        for target in rows:
            if target not in RACK_ROWS:
                allowed = ", ".join(RACK_ROWS)
                raise wrong(path, f"frames.{name}.{target}: no such signal; allowed {allowed}")
        groups = {RACK_ROWS[target][1] for target in rows}
        group = self._groups + min(groups)
        if len(groups) > 1 or any(message.group == group for message in self._messages.values()):
            words = "allowed the signals of one group, and a group in one frame"
            raise wrong(path, f"frames.{name}: {words}, because they become fresh together")
        fields = tuple(dbc.field(name, row) for row in rows.values())
        indexes = tuple(self._first + RACK_ROWS[target][0] for target in rows)
        can_id = dbc.message(name).can_id + self._id_offset
        message = self._messages[can_id] = _Message(crc8_begun(can_id), group, fields, indexes)
        if set(CELLS) <= set(rows):
            message.cells = tuple(list(rows).index(target) for target in CELLS)

    def _add_temperatures(self, dbc: Dbc) -> None:
        row = self.profile.frames["TEMPERATURES_0"].get(TEMPERATURE)
        if row is None:
            key = f"frames.TEMPERATURES_0.{TEMPERATURE}"
            raise wrong(self.profile.path, f"{key}: is missing; the family needs it")
        for position in range(-(-self.modules // MODULES_PER_FRAME)):
            name = f"TEMPERATURES_{position}"
            fitted = min(MODULES_PER_FRAME, self.modules - position * MODULES_PER_FRAME)
            rows = [{**row, "signal": f"temperature_{place}"} for place in range(fitted)]
            fields = tuple([dbc.field(name, each) for each in rows])
            self._check_step(name, fields)
            can_id = dbc.message(name).can_id + self._id_offset
            place = crc8_begun(can_id), self._temperature_group
            self._messages[can_id] = message = _Message(*place, fields, (), position)
            self._temperatures.append(message)

    def _check_step(self, name: str, fields: tuple[Field, ...]) -> None:
        """Refuse coarse temperatures: row 22 (0.5 K in 30 s) would trip at each step of 1 K."""
        finest_K = TEMPERATURE_STEP_DDEGC_MAX / 10
        for *_, multiply, divide, _ in fields:
            if multiply > TEMPERATURE_STEP_DDEGC_MAX * divide:
                steps = f"its temperatures come in steps of {multiply / divide / 10:g} K"
                allowed = f"{finest_K:g} K and finer, or a profile without temperatures"
                raise wrong(self.profile.path, f"frames.{name}: {steps}; allowed {allowed}")

    def periodic(self) -> list[Any]:
        """[]: a BMS is not polled."""
        return []

    def can_ids(self) -> tuple[int, ...]:
        """The ids that this BMS sends."""
        return tuple(self._messages)

    def sent_ids(self) -> tuple[int, ...]:
        """The id of the command to this BMS."""
        return (self._command_id,)

    def on_frame(self, can_id: int, data: bytes, now_us: int) -> bool:
        """Take one frame. True when the id belongs to this BMS, also for a bad frame."""
        message = self._messages.get(can_id)
        if message is None:
            return False
        is_whole = len(data) == 8 and crc8(message.seed, data[:7]) == data[7]
        if not is_whole or data[6] & 15 == message.counter:
            self.bad_frames += 1
            return True
        is_first, message.counter = message.counter < 0, data[6] & 15
        if is_first:
            return True
        payload = data[: message.used_bytes]
        if payload != message.payload and not self._decode(message, payload):
            self.refused += 1
            return True
        self.frames += 1
        if message.position >= 0:
            self._temperatures_arrived(message, now_us)
            return True
        if message.group == self._state_group:
            self.command_echo = data[self._echo_byte] & 15
            self._inp[self._first + signals.BMS_BAD_FRAMES] = min(self.bad_frames, signals.INT_MAX)
        self._fresh[message.group] = 1
        return True

    def _decode(self, message: _Message, payload: bytes) -> bool:
        """Store the values (keep temperatures until complete). False: a value is out of range."""
        word = int.from_bytes(payload, "little")
        values: list[int] = []
        for shift, mask, sign, low, high, multiply, divide, add in message.fields:
            raw = (word >> shift & mask ^ sign) - sign
            if raw < low or raw > high:
                name = self._name(message, len(values))
                value, least, most = [each * multiply // divide + add for each in (raw, low, high)]
                self.misfit = name, value, least, most
                return False
            values.append(raw * multiply // divide + add)
        if message.cells and not self._cells_ok(message.cells, values):
            return False
        inp = self._inp
        for index, value in zip(message.indexes, values):
            inp[index] = value
        message.values, message.stored_ok, message.payload = values, False, payload
        return True

    def _cells_ok(self, places: tuple[int, ...], values: list[int]) -> bool:
        """False when the lowest cell is above the highest, or a cell is in a missing module."""
        lowest, highest, lowest_at, highest_at = places
        end = self.modules * CELLS_PER_MODULE_MAX
        positions = (CELLS[2], lowest_at, end - 1), (CELLS[3], highest_at, end - 1)
        for name, at, most in ((CELLS[0], lowest, values[highest]), *positions):
            if values[at] > most:
                self.misfit = name, values[at], 0, most
                return False
        return True

    def _name(self, message: _Message, place: int) -> str:
        """The name of a field by its place in a frame."""
        if message.position < 0:
            return signals.RACK_INPUTS[message.indexes[place] - self._first][0]
        return f"{TEMPERATURE}_{message.position * MODULES_PER_FRAME + place + 1}"

    def _temperatures_arrived(self, message: _Message, now_us: int) -> None:
        """Store all module temperatures when every frame has come again, all within the window."""
        message.seen_us = now_us
        self._arrived |= 1 << message.position
        if self._arrived != self._complete:
            return
        for frame in self._temperatures:
            if now_us - frame.seen_us > self._window_us:
                return
        self._arrived = 0
        for frame in self._temperatures:
            if not frame.stored_ok:
                self._store_temperatures(frame)
        self._fresh[self._temperature_group] = 1

    def _store_temperatures(self, frame: _Message) -> None:
        first = self._first + signals.MODULE_TEMPERATURE_DDEGC + frame.position * MODULES_PER_FRAME
        for index, value in enumerate(frame.values, first):
            self._inp[index] = value
        frame.stored_ok = True

    def command(self, close_ok: int) -> list[tuple[int, bytes]]:
        """[(can_id, data)] for each `command_period_us`; without one for 1 s a rack opens. None
        goes out before a good frame of the rack: another device may be on the bus.
        """
        if not self.frames:
            return []
        self.commands += 1
        body = bytes((1 if close_ok else 0, 0, 0, 0, 0, 0, self.commands & 15))
        return [(self._command_id, body + bytes((crc8(self._command_seed, body),)))]
