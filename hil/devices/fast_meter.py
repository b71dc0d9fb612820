"""The project's fast three-phase meter: input registers (FC4), IEEE 754 floats, high word first.

Map: drivers/profiles/firebreak_fast_meter.toml, because no manufacturer makes this meter. The map
has voltage, current, power and power factor of three phases, 24 registers without a gap. New values
come every 20 ms. A read has at most 24 registers and may not start or end inside a float.
"""

import struct

from hil.devices.power_meter import Phases, PowerMeter


class FastMeter(PowerMeter):
    """A PowerMeter with this map."""

    TURNAROUND_US = 2000
    REFRESH_US, READ_REGISTERS_MAX, REGISTERS = 20_000, 24, 24

    def _show(self, phases: Phases, elapsed_us: int) -> None:
        powers_W, *others = phases
        volts_V, amps_A, factors = others
        struct.pack_into(">12f", self.image, 0, *volts_V, *amps_A, *powers_W, *factors)
