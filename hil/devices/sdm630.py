"""An Eastron SDM630 three-phase energy meter: input registers (FC4), IEEE 754 floats, high word
first.

Map: Eastron SDM630 Modbus protocol, input register table. Power > 0 is import. At most 40 floats a
read; a read that starts or ends inside a float is refused; registers without a meaning read 0.
"""

import math
import random
import struct

from hil.devices import registers
from hil.devices.registers import ModbusException, RegisterDevice

READ_REGISTERS_MAX = 80
REGISTERS = 0x15A
PHASES = 40  # floats at 0x00: phases, totals, frequency, energies
LINE_TO_LINE = 0xC8
TOTAL_ENERGY = 0x156

# Last-digit movement of a real meter on a quiet grid (the display shows 0.1 V and 0.01 Hz, the
# floats more).
VOLTAGE_JITTER_V = 0.3
FREQUENCY_JITTER_Hz = 0.008
POWER_JITTER = 0.0004  # of the reading; the class 1 error is a constant gain, not a movement
IMBALANCE = 0.02  # of a third, drawn once per meter
HOUR_US = 3_600_000_000


class Sdm630(RegisterDevice):
    """cabinet: the plant. shows: "grid" or "load", the power it measures.

    The load meter shows `cabinet.load_channels`, when there are any, as its three phases, raw: (W,
    V, A, PF) each. refresh_us: how often the meter computes new values (the document is silent; ten
    a second is assumed). Power is the mean since the last time, as a meter integrates: a 10 Hz
    swing must not alias into a slow one. Further faults: frozen (the raw words repeat),
    reversed_phases (so many of its three current transformers are the wrong way round).
    """

    def __init__(self, cabinet, shows="grid", seed=1):
        super().__init__()
        self.cabinet = cabinet
        self.shows_load = shows == "load"
        self.refresh_us, self.power_factor = 100_000, 0.98
        self.frozen = False
        self.reversed_phases = 0
        self.image = bytearray(REGISTERS * 2)
        self._random = random.Random(seed).random
        first, second = (1 + IMBALANCE * (self._random() - 0.5) for _ in range(2))
        self._shares = (first / 3, second / 3, 1 - (first + second) / 3)
        self._energy_kWh = [0.0, 0.0]  # import, export
        self._refreshed_us = None
        self._due_us = self._seen_us = 0
        self._work = 0.0

    def tick(self, now_us):
        """Integrate; compute new values when they are due, always at the first call."""
        self._work += self._power_W() * (now_us - self._seen_us)
        self._seen_us = now_us
        if now_us < self._due_us or self.frozen:
            return
        self._due_us += self.refresh_us * ((now_us - self._due_us) // self.refresh_us + 1)
        elapsed_us = 0 if self._refreshed_us is None else now_us - self._refreshed_us
        self._refreshed_us = now_us
        self._refresh(elapsed_us)

    def payload(self, function, address, count):
        """Input registers as computed last."""
        if function != registers.READ_INPUT_REGISTERS:
            raise ModbusException(registers.ILLEGAL_FUNCTION)
        if address & 1 or count & 1:
            raise ModbusException(registers.ILLEGAL_ADDRESS)
        if count > READ_REGISTERS_MAX:
            raise ModbusException(registers.ILLEGAL_VALUE)
        return self.shown(self.image, 0, address, count)

    def _channels(self, mean_W):
        """Three phases of (W, V, A, PF): the raw ones of the plant, else mean_W shared out."""
        if self.shows_load and self.cabinet.load_channels is not None:
            return self.cabinet.load_channels
        power_W = mean_W * (1 + POWER_JITTER * (self._random() - 0.5))
        factor = -self.power_factor if power_W < 0 else self.power_factor
        channels = []
        for phase, share in enumerate(self._shares):
            voltage_V = self.cabinet.grid_voltage_V + VOLTAGE_JITTER_V * (self._random() - 0.5)
            phase_W = power_W * share
            current_A = phase_W / (factor * voltage_V) if voltage_V else 0.0
            sign = -1 if phase < self.reversed_phases else 1
            channels.append((sign * phase_W, voltage_V, current_A, sign * factor))
        return channels

    def _refresh(self, elapsed_us):
        """Write all values of the image; what this meter's map has no value for reads 0."""
        powers_W, volts_V, amps_A, factors = zip(*self._channels(self._mean_W(elapsed_us)))
        apparent_VA = [voltage_V * current_A for voltage_V, current_A in zip(volts_V, amps_A)]
        reactive_var = [_reactive(*each) for each in zip(apparent_VA, powers_W)]
        imported_kWh, exported_kWh = self._count(_total(powers_W), elapsed_us)
        struct.pack_into(
            f">{PHASES}f",
            self.image,
            0,
            *(*volts_V, *amps_A, *powers_W, *apparent_VA, *reactive_var, *factors),
            *(_angle(factor) for factor in factors),
            *(_total(volts_V) / 3, 0, _total(amps_A) / 3, _total(amps_A), 0),
            *self._totals(_total(powers_W), _total(apparent_VA), _total(reactive_var)),
            *(imported_kWh, exported_kWh, 0, 0),
        )
        root = 1.7320508
        line_V = [voltage_V * root for voltage_V in volts_V]
        struct.pack_into(">4f", self.image, LINE_TO_LINE * 2, *line_V, _total(volts_V) / 3 * root)
        struct.pack_into(">2f", self.image, TOTAL_ENERGY * 2, imported_kWh + exported_kWh, 0)

    def _totals(self, power_W, apparent_VA, reactive_var):
        """Total power to frequency, in the order of the map."""
        factor = power_W / apparent_VA if apparent_VA else 1.0
        jitter_Hz = FREQUENCY_JITTER_Hz * (self._random() - 0.5)
        frequency_Hz = self.cabinet.grid_frequency_Hz + jitter_Hz
        return (
            *(power_W, 0, apparent_VA, 0, reactive_var, factor, 0, _angle(factor), 0),
            frequency_Hz,
        )

    def _power_W(self):
        return self.cabinet.load_power_W if self.shows_load else self.cabinet.grid_power_W

    def _mean_W(self, elapsed_us):
        work, self._work = self._work, 0.0
        return work / elapsed_us if elapsed_us > 0 else self._power_W()

    def _count(self, total_W, elapsed_us):
        if total_W == total_W:  # a raw channel may be no number
            self._energy_kWh[total_W < 0] += abs(total_W) * elapsed_us / HOUR_US / 1000
        return self._energy_kWh


def _reactive(apparent_VA, power_W):
    square = apparent_VA * apparent_VA - power_W * power_W
    return math.sqrt(square) if square > 0 else 0.0


def _angle(factor):
    """Phase angle in degrees of a power factor; a raw one outside -1..1 has none."""
    return math.degrees(math.acos(factor)) if -1 <= factor <= 1 else 0.0


def _total(values):
    first, second, third = values
    return first + second + third  # not sum(), which adds in another way from Python 3.12 on
