"""A rack BMS on CAN that encodes the values which the driver's profile decodes.

A run proves only the wiring: see mirrored.py.
"""

from typing import Any

from fastcrc.crc8 import sae_j1850 as crc8

from hil.devices.native_bms import crc_of_id
from hil.devices.rack_signals import element, value
from hil.devices.simulated_bms import Frames, SimulatedBms
from hil.devices.sunspec_chain import Table
from hil.plant.rack import Rack

US_PER_MS = 1000
WARNING, QUIET = 0b01, 0b10


class MirroredBms(SimulatedBms):
    """The BMS of one rack."""

    def __init__(self, rack: Rack, node: int, profile: Any) -> None:
        """profile: the tables of a checked profile."""
        super().__init__(rack)
        self._profile, self._commands = profile, profile.sent
        self._offset = node * profile.settings["node_stride"]
        self.command_ids = tuple(
            row["id"] + (self._offset if row["addressed"] else 0) for row in self._commands.values()
        )
        self._due_us: dict[str, int] = {}
        self._counts: dict[int, int] = {}
        self._kept: dict[str, Frames] = {}
        self._has_close = any(row["data_close"] for row in self._commands.values())
        if not self.command_ids:
            rack.command_close(True)

    def receive(self, can_id: int, data: bytes, now_us: int) -> None:
        """Take a command. If the profile has no close command, the first command closes."""
        if self.deaf or can_id not in self.command_ids:
            return
        row = list(self._commands.values())[self.command_ids.index(can_id)]
        if row["data_close"]:
            payloads = bytes.fromhex(row["data_close"]), bytes.fromhex(row["data"]), data
            close, open_, received = [int.from_bytes(payload, "little") for payload in payloads]
            deciding_bits = close ^ open_
            self.rack.command_close(received & deciding_bits == close & deciding_bits)
        elif self._heard_us is None and not self._has_close:
            self.rack.command_close(True)
        self._heard_us = now_us

    def frames(self, now_us: int) -> Frames:
        """[(id, data)] of the frames that are due at now_us."""
        self.tick(now_us)
        due = []
        for name, row in self._profile.messages.items():
            period_us = int(row["period_ms"] or self._profile.period_ms) * US_PER_MS
            due_us = self._due_us.setdefault(name, now_us)
            if due_us <= now_us:
                self._due_us[name] = due_us + ((now_us - due_us) // period_us + 1) * period_us
                if name not in self._kept or not self.frozen:
                    self._kept[name] = list(self._encoded(name, row))
                due += self._kept[name]
        self.next_us = min(self._due_us.values())
        if self.silent:
            return []
        return self.sent(due)

    def _encoded(self, name: str, row: Table) -> Frames:
        """Every frame of a message: one for each id and each value of its multiplexer."""
        frames = []
        for number in range(row["ids"]):
            can_id = row["id"] + number * row["id_step"] + self._offset
            for page in self._pages(name, row):
                data = bytearray(row["bytes"])
                if page is not None:
                    _put(data, row["mux"], page)
                self._fill(data, name, page, number if page is None else page)
                frames.append((can_id, self._sealed(row, can_id, data)))
        return frames

    def _pages(self, name: str, row: Table) -> list[int | None]:
        if row["mux"]["start"] is None:
            return [None]
        rows = [*self._profile.signals.values(), *self._profile.faults.values()]
        pages = {row["mux"] for row in rows if row["message"] == name and row["mux"] is not None}
        return sorted(pages | set(range(row["mux_values"])))

    def _sealed(self, row: Table, can_id: int, data: bytearray) -> bytes:
        if row["counter"]["start"] is not None:
            self._counts[can_id] = self._counts.get(can_id, 0) + 1
            _put(data, row["counter"], self._counts[can_id])
        if row["check"] == "sum8":
            data[-1] = (can_id + len(data) + sum(data[:-1])) & 0xFF
        elif row["check"]:
            data[-1] = crc8(data[:-1], crc_of_id(can_id))
        return bytes(data)

    def _fill(self, data: bytearray, name: str, page: int | None, number: int) -> None:
        for signal, row in self._profile.signals.items():
            if row["message"] == name and row["mux"] in (None, page):
                _put(data, row, _raw(row, value(self.rack, signal)))
        for row in self._profile.faults.values():
            if row["message"] == name and row["mux"] in (None, page):
                _put(data, row, self._fault(row))
        for array, row in self._profile.arrays.items():
            if row["message"] == name:
                for index, start in enumerate(row["starts"]):
                    reading = element(self.rack, array, number * len(row["starts"]) + index)
                    raw = [*row["invalid"], 0][0] if reading is None else _raw(row, reading)
                    _put(data, row | {"start": start}, raw)

    def _fault(self, row: Table) -> int:
        """Raw value of a fault row. A `trip` row reports a fault while the rack has any."""
        ones = (1 << row["length"]) - 1
        form = row["form"]
        trips = self._profile.fault_bits["trip"].values()
        is_on = self.rack.fault_bits and row["bit"] in trips
        if form in ("pairs", "any pair"):
            quiet_pairs = 0xAAAA_AAAA & ones
            return quiet_pairs & ~0b11 | (WARNING if is_on else QUIET)
        if form == "zeros":
            return ones & ~1 if is_on else ones
        return 1 if is_on else 0


def _raw(row: Table, value: float) -> int:
    """The raw value that decodes nearest to `value`, within the bits of the signal."""
    for raw, meaning in row["values"].items():
        if meaning == int(value):
            return int(raw)
    if row["values"]:  # a raw value without a meaning
        return 1 if "1" not in row["values"] else 2
    raw, bits = round((value - row["offset"]) / row["scale"]), row["length"]
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if row["signed"] else (0, (1 << bits) - 1)
    return max(low, min(high, raw))


def _put(data: bytearray, row: Table, raw: int) -> None:
    """Write the bits of a raw value one by one. Bits beyond the end of the frame are lost."""
    start, length = row["start"], row["length"]
    if row["order"] == "little":
        bit_positions = [start + bit for bit in range(length)]
    else:  # from the highest bit down: after bit 0 of a byte comes bit 7 of the next byte
        sent_order = [byte * 8 + bit for byte in range(8) for bit in range(7, -1, -1)]
        first = sent_order.index(start)
        bit_positions = sent_order[first : first + length][::-1]
    for bit, position in enumerate(bit_positions):
        if position < 8 * len(data):
            byte, mask = position // 8, 1 << position % 8
            data[byte] = data[byte] | mask if raw >> bit & 1 else data[byte] & ~mask
