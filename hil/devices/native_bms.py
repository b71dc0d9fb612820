"""A rack BMS that speaks the messages of drivers/profiles/firebreak_rack.dbc every 100 ms.

What the DBC cannot say is in its comments: id = 0x100 + 0x20 x node + message, counter in byte 6,
CRC-8 SAE J1850 over id low byte, id high byte and bytes 0..6 in byte 7, and a command that must be
renewed within 1 s.
"""

from pathlib import Path

from hil.devices import dbc_encoder

DBC = Path(__file__).resolve().parents[2] / "drivers" / "profiles" / "firebreak_rack.dbc"
NODE_STRIDE = 0x20
PERIOD_US = 100_000
COMMAND_US = 1_000_000
# racks come up one after the other, so that their bursts do not fall on one instant
NODE_PHASE_US = 27_000
SPACING_US = 300  # a burst, as most BMS send: one frame of 8 bytes takes 0.27 ms at 500 kbit/s
PAYLOAD_BYTES = 6
TEMPERATURES_PER_FRAME = 4
NOT_FITTED_degC = 349.5  # raw 0xFFF
HOTTEST_degC = 349.4  # raw 0xFFE: a hotter module is not an absent one
POLYNOMIAL = 0x1D


def _crc_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value << 1 ^ POLYNOMIAL) & 255 if value & 0x80 else value << 1
        table.append(value)
    return table


_CRC = _crc_table()


def crc8(data, value=0xFF):
    """CRC-8 SAE J1850 of data, before the final inversion; `value` continues an earlier part."""
    table = _CRC
    for byte in data:
        value = table[value ^ byte]
    return value


class _Message:
    """One message of one rack: where it goes, how it is encoded, its counter."""

    __slots__ = (
        "name",
        "can_id",
        "encoder",
        "values",
        "signals",
        "start",
        "payload",
        "partial",
        "counter",
    )

    def __init__(self, message, node, signals, values):
        self.name = message.name
        self.can_id = message.frame_id + NODE_STRIDE * node
        self.signals = signals
        self.encoder = dbc_encoder.MessageEncoder(message, signals, PAYLOAD_BYTES)
        self.values = values
        self.start = crc8((self.can_id & 255, self.can_id >> 8))
        self.payload = None
        self.partial = 0
        self.counter = 0


class NativeBms:
    """rack: one rack of the plant. node: 1 to 15, its number on the bus.

    Faults: silent (sends nothing), deaf (hears nothing), silent_messages (names that are no longer
    sent), frozen (values repeat, counters run), counter_frozen, bad_crc, ignore_commands (hears and
    does not act), overrides {"CELLS.cell_voltage_max": physical value}.
    """

    def __init__(self, rack, node, dbc_path=DBC):
        self.rack = rack
        self.node = node
        self.silent = self.deaf = self.frozen = self.counter_frozen = self.bad_crc = (
            self.ignore_commands
        ) = False
        self.silent_messages = set()
        self.overrides = {}
        self.next_us = None
        self.command_id = 0
        self._messages = self._build(dbc_path)
        self._position = 0
        self._echo = 0
        self._counter = None
        self._command_us = None
        self._command_start = crc8((self.command_id & 255, self.command_id >> 8))

    def _build(self, dbc_path):
        database = dbc_encoder.load(str(dbc_path))
        self.command_id = database.get_message_by_name("COMMAND").frame_id + NODE_STRIDE * self.node
        plan = [
            (
                "STATE",
                (
                    "contactor_state",
                    "fault_bits",
                    "cells_online",
                    "sensors_invalid",
                    "command_echo",
                ),
                self._state,
            ),
            (
                "CELLS",
                ("cell_voltage_min", "cell_voltage_max", "cell_position_min", "cell_position_max"),
                self._cells,
            ),
            ("PACK", ("voltage", "current", "insulation"), self._pack),
            (
                "LIMITS",
                ("charge_current_max", "discharge_current_max", "charge_voltage_max"),
                self._limits,
            ),
            ("CHARGE", ("soc", "soh", "cycles"), self._charge),
        ]
        names = tuple(f"temperature_{index}" for index in range(TEMPERATURES_PER_FRAME))
        for frame in range(-(-len(self.rack.temperatures_degC) // TEMPERATURES_PER_FRAME)):
            plan.append((f"TEMPERATURES_{frame}", names, self._temperatures_of(frame)))
        return [
            _Message(database.get_message_by_name(name), self.node, signals, values)
            for name, signals, values in plan
        ]

    # What the messages say, in the order and units of their signals.

    def _state(self):
        rack = self.rack
        return (
            rack.contactor_state,
            rack.fault_bits,
            rack.cells_online,
            rack.sensors_invalid,
            self._echo,
        )

    def _cells(self):
        rack = self.rack
        return (
            rack.cell_voltage_V_min * 1000,
            rack.cell_voltage_V_max * 1000,
            rack.position_min,
            rack.position_max,
        )

    def _pack(self):
        rack = self.rack
        return rack.voltage_V, rack.current_A, rack.insulation_kohm

    def _limits(self):
        rack = self.rack
        return rack.charge_limit_A, rack.discharge_limit_A, rack.charge_voltage_V_max

    def _charge(self):
        rack = self.rack
        return rack.soc * 100, rack.soh * 100, rack.cycles

    def _temperatures_of(self, frame):
        first, after = frame * TEMPERATURES_PER_FRAME, (frame + 1) * TEMPERATURES_PER_FRAME
        last = [None, None]  # what the plant said, and this frame's values made of it

        def values():
            """This frame's four temperatures in degC."""
            said = self.rack.temperatures_degC[first:after]
            if said != last[0]:
                found = [min(value, HOTTEST_degC) for value in said]
                last[:] = said, found + [NOT_FITTED_degC] * (TEMPERATURES_PER_FRAME - len(found))
            return last[1]

        return values

    # Sending.

    def tick(self, now_us):
        """Open the contactors when no command was accepted for 1 s."""
        if self._command_us is not None and now_us - self._command_us > COMMAND_US:
            self._command_us = None
            self.rack.command_close(False)

    def frames(self, now_us):
        """The frames due up to now_us: [(can_id, data)]: one burst of all messages every 100 ms."""
        self.tick(now_us)
        if self.next_us is None:
            self.next_us = now_us + self.node * NODE_PHASE_US
        # nobody asked for a while: the missed frames are gone
        if now_us - self.next_us > PERIOD_US:
            self.next_us += (now_us - self.next_us) // PERIOD_US * PERIOD_US
        due = []
        while self.next_us <= now_us:
            first = self._position
            after = min(len(self._messages), first + (now_us - self.next_us) // SPACING_US + 1)
            if not self.silent:
                due += [
                    (message.can_id, self._encoded(message))
                    for message in self._messages[first:after]
                    if message.name not in self.silent_messages
                ]
            self._position = after
            self.next_us += SPACING_US * (after - first)
            if after == len(self._messages):
                self._position = 0
                self.next_us += PERIOD_US - SPACING_US * after
        return due

    def _encoded(self, message):
        if not self.frozen or message.payload is None:
            values = self._overridden(message) if self.overrides else message.values()
            payload = message.encoder.encode(values)
            if payload is not message.payload:
                message.payload = payload
                message.partial = crc8(payload, message.start)
        counter = message.counter
        crc = _CRC[message.partial ^ counter] ^ (0x5A if self.bad_crc else 0xFF)
        if not self.counter_frozen:
            message.counter = counter + 1 & 15
        return message.payload + bytes((counter, crc))

    def _overridden(self, message):
        return [
            self.overrides.get(f"{message.name}.{name}", value)
            for name, value in zip(message.signals, message.values())
        ]

    # Receiving.

    def receive(self, can_id, data, now_us):
        """Take a command; anything with a wrong length, CRC, content or a repeated counter is no
        command.
        """
        if can_id != self.command_id or self.deaf or len(data) != 8:
            return
        if crc8(data[:7], self._command_start) ^ 0xFF != data[7] or data[0] > 1 or any(data[1:6]):
            return
        counter = data[6]
        if counter > 15 or counter == self._counter:
            return
        self._counter = self._echo = counter
        self._command_us = now_us
        if not self.ignore_commands:
            self.rack.command_close(data[0] == 1)
