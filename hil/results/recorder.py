"""The rows of a run: one per tick. Power in W, positive when the battery discharges and when
the grid imports.
"""

import struct
from typing import NamedTuple

import msgpack
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


class Run(NamedTuple):
    """A recorded run. rows: array of SAMPLE; timeline: [(us, event, detail)]; violations:
    sentences of the observer; trips: [{row, stage, scope, t_s}] in order; loop: {ticks, missed,
    lateness_us: {p50, p99, p99_9, max}, absent in virtual time}; load: {file, column, scale,
    rows_refused}.
    """

    rows: np.ndarray
    timeline: list
    violations: list
    trips: list
    loop: dict
    load: dict


def run_of(rig, load):
    """Run of a hil.engine.simulate.VirtualRig. load: hil.loads.selection.Load."""
    rows, observer = rig.recorder.rows(), rig.observer
    loop = {"ticks": rig.ticks, "missed": 0}
    return Run(rows, observer.result(), observer.violations, rig.trips.trips, loop, load.about)


def read(path, loop, load):
    """Run of a plant process that was a process of its own, from its result file. Raises
    OSError.
    """
    with open(path, "rb") as file:
        content = msgpack.unpackb(file.read())
    rows = np.frombuffer(content["rows"], SAMPLE)
    timeline = [tuple(event) for event in content["timeline"]]
    return Run(rows, timeline, content["violations"], content["trips"], loop, load.about)


class Recorder:
    """Rows of SAMPLE in a buffer that grows."""

    def __init__(self):
        self._buffer = bytearray()

    def append(self, *values):
        """Store one tick, in the order of SAMPLE. t_us counts from the start of the run and never
        decreases (so do all t_s of trips and marks); soc_permille may carry a fraction.
        """
        self._buffer += struct.pack("<qddddddii", *values)

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
        return np.frombuffer(bytes(self._buffer), SAMPLE).copy()

    def since(self, t_us):
        """The rows from this time on, as `rows`."""
        count = len(self._buffer) // SAMPLE.itemsize
        first = count
        while first > 0 and self._t_us(first - 1) >= t_us:
            first -= 1
        return np.frombuffer(bytes(self._buffer[first * SAMPLE.itemsize :]), SAMPLE).copy()

    def _t_us(self, row):
        return struct.unpack_from("<q", self._buffer, row * SAMPLE.itemsize)[0]
