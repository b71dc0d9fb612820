"""A rack BMS that sends the messages of drivers/profiles/firebreak_rack.dbc every 100 ms.

By the DBC: id = 0x100 + 0x20 x node + message. Byte 6 is the counter; byte 7 is the CRC-8 SAE J1850
over id low byte, id high byte and bytes 0..6. A command expires after 1 s.
"""

import functools
from collections.abc import Callable, Iterable
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastcrc.crc8 import sae_j1850 as crc8

from hil.devices.simulated_bms import Frames, SimulatedBms
from hil.plant.rack import Rack

if TYPE_CHECKING:
    from cantools.database.can import Message, Signal

DBC = Path(__file__).resolve().parents[2] / "drivers" / "profiles" / "firebreak_rack.dbc"
NODE_STRIDE = 0x20
PERIOD_US = 100_000
# Racks start one after the other, so that their bursts of frames do not coincide.
NODE_PHASE_US = 27_000
SPACING_US = 300  # between frames of a burst: 8 bytes take 0.27 ms at 500 kbit/s
TEMPERATURES_PER_FRAME = 4
NOT_FITTED_degC = 349.5  # raw 0xFFF
HOTTEST_degC = 349.4  # raw 0xFFE: a hotter module must not read as "not fitted"
PAYLOAD_BYTES = 6
# message: {signal: (attribute of the BMS, factor)}
MESSAGES: dict[str, dict[str, tuple[str, int]]] = {
    "STATE": {
        "contactor_state": ("rack.contactor_state", 1),
        "fault_bits": ("rack.fault_bits", 1),
        "cells_online": ("rack.cells_online", 1),
        "sensors_invalid": ("rack.sensors_invalid", 1),
        "command_echo": ("command_echo", 1),
    },
    "CELLS": {
        "cell_voltage_min": ("rack.cell_voltage_V_min", 1000),
        "cell_voltage_max": ("rack.cell_voltage_V_max", 1000),
        "cell_position_min": ("rack.position_min", 1),
        "cell_position_max": ("rack.position_max", 1),
    },
    "PACK": {
        "voltage": ("rack.voltage_V", 1),
        "current": ("rack.current_A", 1),
        "insulation": ("rack.insulation_kohm", 1),
    },
    "LIMITS": {
        "charge_current_max": ("rack.charge_limit_A", 1),
        "discharge_current_max": ("rack.discharge_limit_A", 1),
        "charge_voltage_max": ("rack.charge_voltage_V_max", 1),
    },
    "CHARGE": {"soc": ("rack.soc", 100), "soh": ("rack.soh", 100), "cycles": ("rack.cycles", 1)},
}


def crc_of_id(can_id: int) -> int:
    """CRC-8 SAE J1850 of an id, with which the CRC of a frame begins."""
    return crc8((can_id & 0xFFFF).to_bytes(2, "little"))


@functools.cache
def _database() -> Any:
    """The cantools Database of DBC."""
    import cantools  # takes 0.1 s, which a rig without such a rack does not need

    return cantools.database.load_file(str(DBC))


class MessageEncoder:
    """Encodes the signals of one message into its first PAYLOAD_BYTES bytes, for Intel byte order
    only. Encoding takes 2 us; with cantools, 15 us.
    """

    def __init__(self, message: "Message", signal_names: Iterable[str]) -> None:
        """signal_names: in the order in which encode() takes the values."""
        self.last_values: list[float] = []
        self.last_payload = b""
        signals = map(message.get_signal_by_name, signal_names)
        self.fields = [
            (
                signal.offset,
                1 / signal.scale,
                *_limits(signal),
                (1 << signal.length) - 1,
                signal.start,
            )
            for signal in signals
        ]

    def encode(self, values: list[float]) -> bytes:
        """The payload for physical values, each limited to its range."""
        if values == self.last_values:
            return self.last_payload
        frame_bits = 0
        for value, (offset, per_unit, low, high, mask, start) in zip(values, self.fields):
            raw = max(low, min(high, round((value - offset) * per_unit)))
            frame_bits |= (raw & mask) << start
        self.last_values, self.last_payload = values, frame_bits.to_bytes(PAYLOAD_BYTES, "little")
        return self.last_payload


def _limits(signal: "Signal") -> tuple[int, int]:
    """Smallest and largest raw value that fits into a signal."""
    if signal.is_signed:
        return -1 << signal.length - 1, (1 << signal.length - 1) - 1
    return 0, (1 << signal.length) - 1


class _Message:
    """One message of one rack: id, encoder, counter. values(bms): values in order of signals."""

    def __init__(
        self,
        name: str,
        node: int,
        signals: Iterable[str],
        values: Callable[["NativeBms"], list[float]],
    ) -> None:
        message = _database().get_message_by_name(name)
        self.name, self.signals, self.values = name, tuple(signals), values
        self.can_id = message.frame_id + NODE_STRIDE * node
        self.encoder = MessageEncoder(message, signals)
        self.crc_start = crc_of_id(self.can_id)
        self.payload: bytes | None = None
        self.counter = 0


def _reader(signals: dict[str, tuple[str, int]]) -> Callable[["NativeBms"], list[float]]:
    """A function of (bms) that reads these signals."""
    get = attrgetter(*[attribute for attribute, _ in signals.values()])
    factors = [factor for _, factor in signals.values()]
    return lambda bms: [value * factor for value, factor in zip(get(bms), factors)]


def _temperatures(frame: int) -> Callable[["NativeBms"], list[float]]:
    """A function of (bms) that reads the four temperatures of this frame, degC."""
    first = frame * TEMPERATURES_PER_FRAME
    sensors = slice(first, first + TEMPERATURES_PER_FRAME)

    def values(bms: "NativeBms") -> list[float]:
        temperatures_degC = [
            min(value, HOTTEST_degC) for value in bms.rack.temperatures_degC[sensors]
        ]
        return temperatures_degC + [NOT_FITTED_degC] * (
            TEMPERATURES_PER_FRAME - len(temperatures_degC)
        )

    return values


class NativeBms(SimulatedBms):
    """The BMS of one rack. node: 1 to 15. If frozen, its values repeat while the counters run.

    Further faults: silent_messages, frozen_messages, counter_frozen, bad_crc, ignore_commands,
    overrides {"CELLS.cell_voltage_max": physical value}.
    """

    LOST_US = 1_000_000

    def __init__(self, rack: Rack, node: int) -> None:
        super().__init__(rack)
        self.node = node
        self.counter_frozen = self.bad_crc = self.ignore_commands = False
        self.silent_messages: set[str] = set()
        self.frozen_messages: set[str] = set()
        self._counter: int | None = None
        self._position = self.command_echo = 0
        command = _database().get_message_by_name("COMMAND")
        command_id = command.frame_id + NODE_STRIDE * node
        self.command_ids = (command_id,)
        self._command_crc_start = crc_of_id(command_id)
        self._messages = [
            _Message(name, node, signals, _reader(signals)) for name, signals in MESSAGES.items()
        ]
        names = [f"temperature_{index}" for index in range(TEMPERATURES_PER_FRAME)]
        for frame in range(-(-len(rack.temperatures_degC) // TEMPERATURES_PER_FRAME)):
            values = _temperatures(frame)
            self._messages.append(_Message(f"TEMPERATURES_{frame}", node, names, values))

    def frames(self, now_us: int) -> Frames:
        """[(can_id, data)] due up to now_us. Every 100 ms, all messages are sent in one burst."""
        self.tick(now_us)
        if self.next_us is None:
            self.next_us = now_us + self.node * NODE_PHASE_US
        # Frames that fell due while the caller paused are lost.
        if now_us - self.next_us > PERIOD_US:
            self.next_us += (now_us - self.next_us) // PERIOD_US * PERIOD_US
        due = []
        while self.next_us <= now_us:
            first = self._position
            end = min(len(self._messages), first + (now_us - self.next_us) // SPACING_US + 1)
            if not self.silent:
                due += [
                    (message.can_id, self._encoded(message))
                    for message in self._messages[first:end]
                    if message.name not in self.silent_messages
                ]
            self._position = end
            self.next_us += SPACING_US * (end - first)
            if end == len(self._messages):
                self._position = 0
                self.next_us += PERIOD_US - SPACING_US * end
        return due

    def _encoded(self, message: _Message) -> bytes:
        is_frozen = self.frozen or message.name in self.frozen_messages
        if not is_frozen or message.payload is None:
            values = message.values(self)
            if self.overrides:
                names = [f"{message.name}.{name}" for name in message.signals]
                values = [self.overrides.get(*known) for known in zip(names, values)]
            message.payload = message.encoder.encode(values)
        data = message.payload + bytes((message.counter,))
        crc = crc8(data, message.crc_start) ^ (0xA5 if self.bad_crc else 0)
        if not self.counter_frozen:
            message.counter = message.counter + 1 & 15
        return data + bytes((crc,))

    def receive(self, can_id: int, data: bytes, now_us: int) -> None:
        """Take a command with a new counter whose length, CRC and content are right."""
        if can_id not in self.command_ids or self.deaf or len(data) != 8:
            return
        if crc8(data[:7], self._command_crc_start) != data[7] or data[0] > 1 or any(data[1:6]):
            return
        counter = data[6]
        if counter > 15 or counter == self._counter:
            return
        self._counter = self.command_echo = counter
        self._heard_us = now_us
        if not self.ignore_commands:
            self.rack.command_close(data[0] == 1)
