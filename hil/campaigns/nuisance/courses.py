"""One test case: a sound cabinet with one load, byte by byte in virtual time. No trip is right."""

import functools
from pathlib import Path
from typing import Any, NamedTuple

from controller.config.cabinet_config import Config
from controller.recorder.events import REDUCING
from controller.rows.records import BY_ID
from controller.sites import EXAMPLE, PYLONTECH
from hil.engine import coverage
from hil.engine.simulate import VirtualRig
from hil.loads import reader
from hil.loads.selection import START_S, peak_W
from hil.loads.trace import LoadError, Power, synthetic_load
from hil.scenarios.scenario import Action
from safety import matrix, signals as s

DERATED = (Action(60_000_000, "pcs_derate", "pcs_derate", {"unit": 1, "kW": 100.0}),)
# name: (cabinet, keys of the plant's config, actions). The "slow BMS" reports once a second.
# The kernel's heating feature allows for 0.1 K of noise.
CONDITIONS: dict[str, tuple[Path, dict[str, float], tuple[Action, ...]]] = {
    "as built": (EXAMPLE, {}, ()),
    "noise, 42 degC": (EXAMPLE, {"sensor_noise_K": 0.1, "ambient_degC": 42.0}, ()),
    "derated": (EXAMPLE, {}, DERATED),
    "slow BMS": (PYLONTECH, {}, ()),
}
KINDS = ("stops", "limits", "alarms")


class Course(NamedTuple):
    """condition: of CONDITIONS; file, column: of a measured load; None for the built-in job."""

    condition: str
    file: str | None
    column: str | None
    duration_s: float
    seed: int
    cabinet: str | None = None  # its file; None: the cabinet of the condition

    @property
    def load(self) -> str:
        """The name of the load."""
        name = self.file and Path(self.file).name.partition(".")[0]
        return f"{name} {self.column}" if name else "training job"

    @property
    def name(self) -> str:
        """The condition and the load."""
        return f"{self.condition}: {self.load}"


def measured(folder: str) -> list[tuple[str, str]]:
    """[(file, column)] of each power column in the folder. Raises LoadError if none is a load."""
    files = [str(path) for path in sorted(Path(folder).glob("*.csv*"))]
    loads = [(file, column) for file in files for column in reader.power_columns(file)]
    if not loads:
        raise LoadError(f"--loads {folder}: has no .csv or .csv.gz with a power column")
    for file, column in loads:
        reader.read_trace(file, column)
    return loads


def kind_of(stage: str) -> str:
    """The effect of a stage on the operation, one of KINDS."""
    demand = BY_ID[stage][matrix.S_DEMAND]
    if demand[matrix.D_PCS]:
        return "stops"
    return "limits" if any(demand[output] for output in REDUCING) else "alarms"


def run(course: Course) -> dict[str, Any]:
    """Play the case. Returns {"trips": [{row, stage, scope, t_s}], "is_running": at the end}."""
    path, plant_config, actions = CONDITIONS[course.condition]
    config = coverage.loaded(course.cabinet or str(path))
    power = power_of(course, config)
    rig = VirtualRig(config, power, course.seed, actions, {"soc": 0.5, **plant_config})
    rig.run(START_S + course.duration_s)
    return {
        "trips": [trip for trip in rig.trips.trips if trip["t_s"] > START_S],
        "is_running": rig.core.out[s.STATE] == s.RUNNING,
    }


def power_of(course: Course, config: Config) -> Power:
    """t_s -> W; the trace repeats after its end. The load is scaled to peak_W, unless its peak is
    between peak_W and the limit of the connection.
    """
    usual_W = peak_W(config)
    if course.file is None:
        return synthetic_load(course.seed, course.duration_s, usual_W, "training")
    read = functools.partial(reader.read_trace, course.file, course.column)
    highest_W = max(read().powers_W)
    is_fitting = usual_W <= highest_W <= config.control["grid_import_W_max"]
    trace = read(scale=1.0 if is_fitting else usual_W / highest_W)
    return lambda t_s: trace(max(0.0, t_s - START_S) % trace.duration_s)
