"""Computes the efficiency that a plan uses, from the simulated unit and its cooling."""

from collections.abc import Mapping

from hil.plant import config as plant_config
from hil.plant.cabinet import CONVERTER_SHARE
from hil.systems.sized import COP, Size
from hil.values.lumped import LumpedUnit

STEP_S, CYCLE = 10.0, 0.1  # step of the simulation, s; change of the charge in a cycle
PART = 0.2  # power of the cycle, as a part of the rated power; usual in these systems (assumed)
SOC = 0.3  # charge at the start of the cycle, 0 to 1
DEGC = 27.0


def efficiency(size: Size, plant: Mapping[str, float]) -> float:
    """Energy that comes out at the AC terminals, as a share of the energy that goes in, 0 to 1, at
    PART of the rated power. plant: keys of the system's file.
    """
    keys = {**size.plant, **plant, "racks": size.racks_per_unit, "pcs_rated_W": size.rated_W}
    unit = LumpedUnit(plant_config.checked(keys), size.racks_per_unit, SOC, DEGC)
    power_W = PART * size.rated_W
    taken_J = given_J = 0.0
    while unit.soc < SOC + CYCLE:
        taken_J += power_W * STEP_S + _stepped_J(unit, -power_W)
    while unit.soc > SOC:
        given_J += power_W * STEP_S - _stepped_J(unit, power_W)
    return given_J / taken_J


def _stepped_J(unit: LumpedUnit, power_W: float) -> float:
    """Let power_W flow for a step. Returns the energy that the cooling takes."""
    unit.step(power_W, STEP_S)
    return (unit.air_W + CONVERTER_SHARE * unit.losses_W) / COP * STEP_S
