"""What a run records: one row per tick. Power in W, positive when the battery discharges and when
the grid imports.
"""

import struct

import numpy as np

SAMPLE = np.dtype(
    [
        ("t_us", "<i8"),
        ("load_W", "<f8"),
        ("grid_W", "<f8"),
        ("battery_W", "<f8"),
        ("setpoint_W", "<f8"),
        ("soc_permille", "<f8"),
        ("temperature_degC_max", "<f8"),
        ("limit_reason", "<i4"),
        ("state", "<i4"),
    ]
)
_PACK = struct.Struct("<qddddddii")


class Recorder:
    """Rows of SAMPLE in a preallocated buffer (0.4 us per append), grown by doubling."""

    __slots__ = ("count", "_room", "_buffer", "_pack_into")

    def __init__(self, capacity_ticks=100_000):
        self.count = 0
        self._room = max(1, capacity_ticks)
        self._buffer = bytearray(self._room * _PACK.size)
        self._pack_into = _PACK.pack_into

    def append(self, *values):
        """Store one tick, in the order of SAMPLE. t_us counts from the start of the run and never
        decreases (so do all t_s of trips and marks); soc_permille may carry a fraction.
        """
        count = self.count
        if count == self._room:
            self._buffer.extend(bytes(self._room * _PACK.size))
            self._room *= 2
        self._pack_into(self._buffer, count * _PACK.size, *values)
        self.count = count + 1

    def sample(self, t_us, plant, setpoint_W, hottest_degC, limit_reason, state):
        """Store one tick of the plant with what the controller decided."""
        power_W = soc = 0.0
        for pcs in plant.pcs:
            power_W += pcs.ac_power_W
        for rack in plant.racks:
            soc += rack.soc
        self.append(
            t_us,
            plant.load_power_W,
            plant.grid_power_W,
            power_W,
            setpoint_W,
            1000.0 * soc / len(plant.racks),
            hottest_degC,
            limit_reason,
            state,
        )

    def rows(self):
        """A structured numpy array (dtype SAMPLE), one row per tick: a copy, so that recording may
        go on.
        """
        return np.frombuffer(self._buffer, SAMPLE, self.count).copy()
