"""An Eastron SDM630 three-phase meter: input registers (FC4), IEEE 754 floats, high word first.

Map: Eastron SDM630 Modbus protocol, input register table. A read has at most 40 floats and may not
start or end inside a float. Unassigned registers read 0.
"""

import math
import struct
from collections.abc import Sequence

from hil.devices.power_meter import Phases, PowerMeter
from hil.plant.cabinet import CabinetPlant

PHASES = 40  # floats at 0x00: phases, totals, frequency, energies
LINE_TO_LINE = 0xC8
TOTAL_ENERGY = 0x156
FREQUENCY_JITTER_Hz = 0.008  # noise of the last digit: the display shows 0.01 Hz
HOUR_US = 3_600_000_000


class Sdm630(PowerMeter):
    """A PowerMeter with this map. Assumption: new values ten times a second, not documented."""

    REFRESH_US, READ_REGISTERS_MAX, REGISTERS = 100_000, 80, 0x15A

    def __init__(self, cabinet: CabinetPlant, shows: str = "grid", seed: int | str = 1) -> None:
        super().__init__(cabinet, shows, seed)
        self._energy_kWh = [0.0, 0.0]  # import, export

    def _show(self, phases: Phases, elapsed_us: int) -> None:
        """Write all values of the map; the values that the rig does not simulate are 0."""
        powers_W, volts_V, amps_A, factors = phases
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

    def _totals(self, power_W: float, apparent_VA: float, reactive_var: float) -> tuple[float, ...]:
        """Total power to frequency, in the order of the map."""
        factor = power_W / apparent_VA if apparent_VA else 1.0
        jitter_Hz = FREQUENCY_JITTER_Hz * (self._random() - 0.5)
        frequency_Hz = self.cabinet.grid_frequency_Hz + jitter_Hz
        return (
            *(power_W, 0, apparent_VA, 0, reactive_var, factor, 0, _angle(factor), 0),
            frequency_Hz,
        )

    def _count(self, total_W: float, elapsed_us: int) -> list[float]:
        if total_W == total_W:  # a raw channel may be NaN
            self._energy_kWh[total_W < 0] += abs(total_W) * elapsed_us / HOUR_US / 1000
        return self._energy_kWh


def _reactive(apparent_VA: float, power_W: float) -> float:
    square = apparent_VA * apparent_VA - power_W * power_W
    return math.sqrt(square) if square > 0 else 0.0


def _angle(factor: float) -> float:
    """Phase angle of a power factor, degrees; 0 for a raw factor outside -1..1."""
    return math.degrees(math.acos(factor)) if -1 <= factor <= 1 else 0.0


def _total(values: Sequence[float]) -> float:
    first, second, third = values
    return first + second + third  # not sum(), which rounds differently from Python 3.12 on
