"""The project's fast three-phase meter: input registers (FC4), IEEE 754 floats, high word first.

Map: drivers/profiles/firebreak_fast_meter.toml describes it, as no maker's document does: voltage,
current, power and power factor of three phases, 24 registers without a gap. New values every 20 ms.
At most 24 registers a read; a read that starts or ends inside a float is refused.
"""

import struct

from hil.devices.power_meter import PowerMeter


class FastMeter(PowerMeter):
    """A PowerMeter with this map."""

    TURNAROUND_US = 2000
    REFRESH_US, READ_REGISTERS_MAX, REGISTERS = 20_000, 24, 24

    def _show(self, volts_V, amps_A, powers_W, factors, elapsed_us):
        struct.pack_into(">12f", self.image, 0, *volts_V, *amps_A, *powers_W, *factors)
