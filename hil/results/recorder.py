"""The rows of a run, one per tick. Power > 0: the battery discharges, the grid imports."""

import math
import struct
from typing import Any, Protocol

import msgpack
import numpy as np

from controller.recorder.ticks import ISLAND, SHED, STOP
from hil.observer.observer import Observer
from hil.observer.run import Run
from hil.observer.trips import TripWatch
from hil.plant.cabinet import CabinetPlant
from hil.results.units import UnitTotals
from hil.site.grid import PHASE_V
from safety import signals as s

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
        # Voltage and frequency at the connection, also in an island; bits of the commands.
        ("voltage_pu", "<f4"),
        ("frequency_Hz", "<f4"),
        ("commanded", "<i4"),
    ]
)


class VirtualRun(Protocol):
    """The parts of hil.engine.simulate.VirtualRig that a recorded run needs."""

    recorder: "Recorder"
    observer: Observer
    trips: TripWatch

    @property
    def ticks(self) -> int:
        """Count of ticks so far."""


def run_of(rig: VirtualRun, load: dict[str, Any]) -> Run:
    """The recorded run of a rig in virtual time. load: `about` of a Load."""
    rows, observer = rig.recorder.rows(), rig.observer
    loop = {"ticks": rig.ticks, "missed": 0}
    events = observer.result(), observer.violations, rig.trips.trips
    return Run(rows, *events, loop, load, rig.recorder.units.result())


def read(path: str, loop: dict, load: dict[str, Any]) -> Run:
    """Run from the result file of a plant process. Raises OSError."""
    with open(path, "rb") as file:
        content = msgpack.unpackb(file.read())
    rows = np.frombuffer(content["rows"], SAMPLE)
    timeline = [tuple(event) for event in content["timeline"]]
    events = timeline, content["violations"], content["trips"]
    return Run(rows, *events, loop, load, content["units"], content["pauses"])


def flows(plant: CabinetPlant) -> tuple[float, float, float, float]:
    """(load W, grid W, battery W, permille of charge) of a cabinet."""
    soc_permille = 1000.0 * math.fsum([rack.soc for rack in plant.racks]) / len(plant.racks)
    return plant.load_power_W, plant.grid_power_W, plant.battery_W, soc_permille


def commanded(plant: CabinetPlant, state: int) -> int:
    """Bits of the commands, as in the recorder's ring of ticks. state: that of the controller."""
    site = plant.site
    is_island = site.is_off_grid or any([unit.forms for unit in plant.pcs])
    return STOP * (state != s.RUNNING) + ISLAND * is_island + SHED * (site.open_stages > 0)


class Recorder:
    """Rows of SAMPLE in a buffer that grows."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.units = UnitTotals()

    def append(self, *values: float) -> None:
        """Store one tick, in the order of SAMPLE. t_us counts from the start of the run and never
        decreases.
        """
        self._buffer += struct.pack("<qddddddiiffi", *values)

    def sample(
        self,
        t_us: int,
        plant: CabinetPlant,
        setpoint_W: float,
        hottest_degC: float,
        reason: int,
        state: int,
    ) -> None:
        """Store one tick of the plant. reason: code of the limit; state: of the controller."""
        self.units.see(t_us, plant)
        *powers_W, soc_permille = flows(plant)
        decided = setpoint_W, soc_permille, hottest_degC, reason, state
        grid, bits = plant.site.grid, commanded(plant, state)
        self.append(t_us, *powers_W, *decided, grid.voltage_V / PHASE_V, grid.frequency_Hz, bits)

    def rows(self) -> np.ndarray:
        """Array of SAMPLE, one row per tick; a copy, so that recording may continue."""
        return np.frombuffer(bytes(self._buffer), SAMPLE).copy()

    def since(self, t_us: int) -> np.ndarray:
        """The rows from this time on; a copy."""
        size, first = SAMPLE.itemsize, len(self._buffer)
        while first > 0 and struct.unpack_from("<q", self._buffer, first - size)[0] >= t_us:
            first -= size
        return np.frombuffer(bytes(self._buffer[first:]), SAMPLE).copy()
