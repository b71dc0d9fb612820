"""The power meters: mean power over the refresh window, phases, noise, faults.

Input registers (FC4), IEEE 754 floats, high word first; a read must not start or end inside a
float. The seed draws the phase of the refresh, which may fall between two steps of the plant.
"""

import math
import random
import struct
from collections.abc import Sequence
from typing import NamedTuple

from hil.devices import registers
from hil.devices.registers import ModbusException, RegisterDevice
from hil.plant.cabinet import CabinetPlant

# Noise of the last digit on a quiet grid (the display shows 0.1 V, the floats show more digits).
VOLTAGE_JITTER_V = 0.3
POWER_JITTER = 0.0004  # share of the reading; the error of class 1 is a constant gain, not noise
IMBALANCE = 0.02  # share of a third of the power, drawn once for each meter
# SDM630
FLOATS = 40  # floats at 0x00: phases, totals, frequency, energies
LINE_TO_LINE = 0xC8
TOTAL_ENERGY = 0x156
FREQUENCY_JITTER_Hz = 0.008  # noise of the last digit: the display shows 0.01 Hz
HOUR_US = 3_600_000_000


class Phases(NamedTuple):
    """The values of three phases."""

    powers_W: Sequence[float]
    volts_V: Sequence[float]
    amps_A: Sequence[float]
    factors: Sequence[float]


class PowerMeter(RegisterDevice):
    """shows: "grid" or "load"; > 0 is import. The plant's `load_channels` are shown unchanged.

    The power is the mean over refresh_us, as in a real meter, which integrates. A sample of the
    present power would alias with a swing of 10 Hz. Further faults: frozen (the raw words repeat),
    reversed_phases (number of reversed current transformers, 0..3).
    """

    REFRESH_US = READ_REGISTERS_MAX = REGISTERS = 0  # each subclass sets these
    ratio = 1.0  # meter voltage / grid voltage

    def __init__(
        self, cabinet: CabinetPlant, shows: str = "grid", seed: int | str = 1, refresh_us: int = 0
    ) -> None:
        """refresh_us: time between two readings of this meter; 0: that of its model."""
        super().__init__()
        self.cabinet = cabinet
        self.shows_load = shows == "load"
        self.refresh_us, self.power_factor = refresh_us or self.REFRESH_US, 0.98
        self.frozen = False
        self.reversed_phases = 0
        self.image = bytearray(self.REGISTERS * 2)
        self._random = random.Random(seed).random
        first, second = (1 + IMBALANCE * (self._random() - 0.5) for _ in range(2))
        self._shares = (first / 3, second / 3, 1 - (first + second) / 3)
        self.phase_us = int(self._random() * self.refresh_us)
        self._due_us: int | None = None
        self._refreshed_us: int | None = None
        self._seen_us = 0
        self._energy_W_us = self._held_W = 0.0
        self._energy_kWh = [0.0, 0.0]  # import, export

    def tick(self, now_us: int) -> None:
        """Integrate the power. Compute new readings when they are due, and at the first call."""
        latest_due_us = now_us - (now_us - self.phase_us) % self.refresh_us
        if self._due_us is None:
            self._seen_us, self._held_W = now_us, self._power_W()
            self._refresh(now_us)
        else:
            for due_us in sorted({self._due_us, latest_due_us}):
                if self._due_us <= due_us <= now_us:
                    self._integrate(due_us)
                    self._refresh(due_us)
        self._due_us = latest_due_us + self.refresh_us
        self._integrate(now_us)
        self._held_W = self._power_W()

    def payload(self, function: int, address: int, count: int) -> bytes:
        """The input registers of the last refresh."""
        if function != registers.READ_INPUT_REGISTERS:
            raise ModbusException(registers.ILLEGAL_FUNCTION)
        if address & 1 or count & 1:
            raise ModbusException(registers.ILLEGAL_ADDRESS)
        if count > self.READ_REGISTERS_MAX:
            raise ModbusException(registers.ILLEGAL_VALUE)
        return self.shown(self.image, 0, address, count)

    def _show(self, phases: Phases, elapsed_us: int) -> None:
        """Write all values of the image, as means over elapsed_us."""
        raise NotImplementedError

    def _count(self, total_W: float, elapsed_us: int) -> list[float]:
        """[import, export] energy in kWh, after adding the energy of elapsed_us."""
        if total_W == total_W:  # a raw channel may be NaN
            self._energy_kWh[total_W < 0] += abs(total_W) * elapsed_us / HOUR_US / 1000
        return self._energy_kWh

    def _integrate(self, until_us: int) -> None:
        self._energy_W_us += self._held_W * (until_us - self._seen_us)
        self._seen_us = until_us

    def _refresh(self, now_us: int) -> None:
        elapsed_us = 0 if self._refreshed_us is None else now_us - self._refreshed_us
        self._refreshed_us = now_us
        energy_W_us, self._energy_W_us = self._energy_W_us, 0.0
        mean_W = energy_W_us / elapsed_us if elapsed_us > 0 else self._held_W
        if self.frozen:
            return
        self._show(Phases(*zip(*self._channels(mean_W))), elapsed_us)

    def _channels(self, mean_W: float) -> Sequence[tuple[float, ...]]:
        """(W, V, A, PF) of three phases: the plant's raw channels if any, else mean_W divided."""
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

    def _power_W(self) -> float:
        cabinet = self.cabinet
        return cabinet.load_power_W + cabinet.inside_W if self.shows_load else cabinet.grid_power_W


class FastMeter(PowerMeter):
    """The project's fast meter (drivers/profiles/firebreak_fast_meter.toml). The meter has 26
    registers without a gap: voltage, current, power and power factor of three phases, and
    frequency. All values are new every 20 ms.
    """

    TURNAROUND_US = 2000
    REFRESH_US, READ_REGISTERS_MAX, REGISTERS = 20_000, 26, 26

    def _show(self, phases: Phases, elapsed_us: int) -> None:
        powers_W, volts_V, amps_A, factors = phases
        values = *volts_V, *amps_A, *powers_W, *factors, self.cabinet.grid_frequency_Hz
        struct.pack_into(">13f", self.image, 0, *values)


class Sdm630(PowerMeter):
    """An Eastron SDM630 (input register table of its Modbus protocol). Unassigned registers read 0.
    Assumed: new values ten times a second.
    """

    REFRESH_US, READ_REGISTERS_MAX, REGISTERS = 100_000, 80, 0x15A

    def _show(self, phases: Phases, elapsed_us: int) -> None:
        """Write all values of the map. Values that the rig does not simulate are 0."""
        powers_W, volts_V, amps_A, factors = phases
        apparent_VA = [voltage_V * current_A for voltage_V, current_A in zip(volts_V, amps_A)]
        reactive_var = [*map(_reactive, apparent_VA, powers_W)]
        power_W, total_VA, total_var = map(_total, (powers_W, apparent_VA, reactive_var))
        factor = power_W / total_VA if total_VA else 1.0
        jitter_Hz = FREQUENCY_JITTER_Hz * (self._random() - 0.5)
        frequency_Hz = self.cabinet.grid_frequency_Hz + jitter_Hz
        imported_kWh, exported_kWh = self._count(power_W, elapsed_us)
        angles_deg = map(_angle, factors)
        by_phase = *volts_V, *amps_A, *powers_W, *apparent_VA, *reactive_var, *factors, *angles_deg
        means = _total(volts_V) / 3, 0, _total(amps_A) / 3, _total(amps_A), 0
        totals = power_W, 0, total_VA, 0, total_var, factor, 0, _angle(factor), 0, frequency_Hz
        floats = *by_phase, *means, *totals, imported_kWh, exported_kWh, 0, 0
        struct.pack_into(f">{FLOATS}f", self.image, 0, *floats)
        root = 1.7320508
        line_V = [voltage_V * root for voltage_V in volts_V]
        struct.pack_into(">4f", self.image, LINE_TO_LINE * 2, *line_V, _total(volts_V) / 3 * root)
        struct.pack_into(">2f", self.image, TOTAL_ENERGY * 2, imported_kWh + exported_kWh, 0)


def _reactive(apparent_VA: float, power_W: float) -> float:
    square = apparent_VA * apparent_VA - power_W * power_W
    return math.sqrt(square) if square > 0 else 0.0


def _angle(factor: float) -> float:
    """Phase angle of a power factor, degrees; 0 if a raw factor is outside -1..1."""
    return math.degrees(math.acos(factor)) if -1 <= factor <= 1 else 0.0


def _total(values: Sequence[float]) -> float:
    first, second, third = values
    return first + second + third  # not sum(), which rounds differently from Python 3.12 on
