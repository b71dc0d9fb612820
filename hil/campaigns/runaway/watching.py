"""Plays a test case (course), and keeps the kernel's features of each second.

The cabinet starts byte by byte. Then the plant alone runs, and once a second the devices' values
go into the kernel's inputs. No action follows, so every row is judged on the same cabinet.
"""

import random
from typing import NamedTuple

import numpy as np

from controller.config import configuration
from controller.sites import EXAMPLE
from hil.campaigns.runaway import courses
from hil.devices.sensors import METHANE_LFL_SHARE
from hil.engine.simulate import VirtualRig
from hil.plant import chemistry
from hil.plant.cabinet import CabinetPlant
from safety import matrix as m, signals as s
from safety.features import Features

PLANT_STEP_S = 0.2
# Window of the load's mean. The battery carries the difference from this mean, as in load tracking.
MEAN_S = 300.0
START_S = 45.0  # the contactors are closed, and the limits are back at rated
PARTS = round(1.0 / PLANT_STEP_S)
AFTER_S = 60  # how long a course goes on after the first cell has run away
UNKNOWN = -(1 << 30)


class Series(NamedTuple):
    """values: [second, feature of the kernel], UNKNOWN for a missing one; rack_base: column of the
    first rack's first feature; runaway_s: when a cell ran away, None if none did.
    """

    values: np.ndarray
    rack_base: int
    runaway_s: int | None = None

    @property
    def racks(self) -> range:
        """The racks, counted from 0."""
        return range((self.values.shape[1] - self.rack_base) // m.RACK_FEATURE_COUNT)

    def column(self, feature: int, rack: int | None) -> np.ndarray:
        """A feature over time. rack: None for the cabinet."""
        first = 0 if rack is None else self.rack_base + rack * m.RACK_FEATURE_COUNT
        return self.values[:, first + feature]


def started(base: str, seed: int) -> VirtualRig:
    """A cabinet after START_S under half load: its contactors are closed, every device is heard."""
    config = configuration.load(str(EXAMPLE))
    plant_config = courses.BASES[base]
    return VirtualRig(config, lambda t_s: 200_000.0, seed, plant_config=plant_config).run(START_S)


def watch(rig: VirtualRig, course: courses.Course) -> Series:
    """The Series of a course on a rig of `started`, with seconds that count from now."""
    plant, features = rig.plant, rig.core.kernel.features
    for number, rack in enumerate(plant.racks):
        rack.sensor_noise_K = course.noise_K
        rack.sensor_random = random.Random(f"{course.seed}/sensors/{number}")
        rack.place_sensors(course.sensor_cells)
    plant.load = None
    due, mean_W = list(course.steps), course.load(0.0)
    rows = []
    runaway_s: int | None = None
    for second in range(1, round(course.duration_s) + 1):
        while due and due[0][0] < second:
            due.pop(0)[1](plant)
        for part in range(PARTS):
            load_W = course.load(second - 1 + part * PLANT_STEP_S)
            mean_W += (load_W - mean_W) * PLANT_STEP_S / MEAN_S
            _discharge(plant, load_W - mean_W)
            plant.step(PLANT_STEP_S)
        report(plant, features)
        rows.append(np.where(features.known, features.value, UNKNOWN))
        if runaway_s is None and _burns(plant):
            runaway_s = second
        if runaway_s is not None and second >= runaway_s + AFTER_S:
            break
    return Series(np.array(rows, np.int32), features.rack_base, runaway_s)


def _discharge(plant: CabinetPlant, power_W: float) -> None:
    """Command the converters to this power, within the racks' limits."""
    share = min(
        min(rack.discharge_limit_A, rack.charge_limit_A) / rack.bms.rated_A for rack in plant.racks
    )
    for pcs in plant.pcs:
        pcs.command_setpoint(power_W / len(plant.pcs) * share)


def report(plant: CabinetPlant, features: Features) -> None:
    """Write the devices' present values, in their resolution, to the kernel, and advance the kernel
    by a second.
    """
    inp, layout = features.inp, features.layout
    lfl = 10.0 * plant.vent_lfl_share / METHANE_LFL_SHARE
    inp[s.GAS_1_LFL_PERMILLE], inp[s.GAS_2_LFL_PERMILLE] = [
        min(1000, round(pct * lfl)) for pct in plant.gas_lfl_pct
    ]
    inp[s.OFFGAS_1_PPM], inp[s.OFFGAS_2_PPM] = [min(1000, round(ppm)) for ppm in plant.offgas_ppm]
    inp[s.TOXIC_PPM] = min(1000, round(max(plant.toxic_ppm)))
    for number, rack in enumerate(plant.racks):
        first = layout.rack_input(number, 0)
        inp[first + s.CELL_VOLTAGE_MV_MIN] = max(0, round(rack.cell_voltage_V_min * 1000))
        inp[first + s.CELL_VOLTAGE_MV_MAX] = round(rack.cell_voltage_V_max * 1000)
        inp[first + s.RACK_CURRENT_MA] = round(rack.current_A * 10) * 100
        inp[first + s.SENSORS_INVALID_MAX] = rack.sensors_invalid
        for module, degC in enumerate(rack.temperatures_degC):
            inp[first + s.MODULE_TEMPERATURE_DDEGC + module] = round(degC * 10)
    for group in range(layout.groups):
        features.fresh[group] = 1
    features.update(1000 // features.tick_ms)


def _burns(plant: CabinetPlant) -> bool:
    """True after a cell has reached its trigger temperature."""
    trigger_degC = chemistry.CHEMISTRIES[plant.config.chemistry].trigger_degC
    burning = [rack for rack in plant.racks if rack.burning]
    chains = [rack.chain(module) for rack in burning for module in range(rack.modules)]
    return any(max(chain.degC) >= trigger_degC for chain in chains if chain is not None)
