"""Sizes and constants of the simulated cabinet; by default the rig cabinet: 3 racks, 250 kW."""

import collections
import difflib
from typing import Any

from hil.plant import chemistry

AIR_DEGC = 25.0
# key: default, then the lowest and highest allowed value of a number that is checked
KEYS = {
    "units": (1, 1, 16),
    "racks": (3, 1, 64),
    "unit_of_rack": ((),),  # empty: in order, as evenly as possible
    # {key: value} of each rack or unit, where it differs from the others; empty: all are equal
    "of_racks": ((),),
    "of_units": ((),),
    "modules": (15, 1, 64),
    "cells_per_module": (16, 1, 32),
    "capacity_Ah": (280.0, 1, 5000),
    "rated_current_A": (140.0, 1, 3000),
    "soc": (0.5, 0, 1),
    "soh": (0.99, 0.3, 1),
    "cycles": (120.0, 0, 65535),
    "chemistry": ("lfp",),  # of what burns; the electrical tables are those of LFP
    "barrier_mm": (0.0, 0, 20),  # of insulation between the cells of a module
    # Cells of a module with a sensor; the hottest of them is reported. Empty: all cells.
    "sensor_cells": ((),),
    "sensor_noise_K": (0.0, 0, 5),  # one sigma of a module's temperature, drawn once a second
    "ambient_degC": (25.0, -40, 60),
    "ambient_humidity_permille": (500.0, 0, 1000),
    "air_degC": (AIR_DEGC, -40, 60),  # set-point of the cooling
    "start_degC": (25.0, -40, 60),  # of cells and air; as air_degC where nothing is said
    "hvac_W": (12_000.0, 0, 1e8),  # cooling
    "hvac_heating_share": (1.0 / 3.0, 0, 1),  # of hvac_W, as heating; 0: the cooling cannot heat
    "wall_W_per_K": (30.0, 0, 1e6),  # an insulated cabinet of 25 m2
    # the unit whose racks get less air, from 1, and how much of the others'; 0: all are equal
    "weak_fan_unit": (0, 0, 16),
    "weak_fan_permille": (1000.0, 50, 1000),
    "insulation_kohm": (2000.0, 0, 65535),
    "pcs_rated_W": (250_000.0, 1000, 1e8),
    "pcs_dead_time_s": (0.06, 0, 5),
    "pcs_ramp_W_per_s": (2_500_000.0, 1000, 1e10),  # rated power in 0.1 s
    "pcs_start_s": (1.0, 0, 600),
    "pcs_transfer_s": (0.0, 0, 60),  # from the open transfer switch to an island's voltage
    "pcs_sleeps": (0, 0, 1),  # 1: at 0 W it stops switching and draws 60 W
    "off_delay_s": (0.2, 0, 5),
    "wired_rows": ((1, 2, 3, 12, 30),),  # rows whose contacts open the chain of relays in hardware
    "fan_spin_up_s": (2.0, 0, 60),
    "louvre_s": (8.0, 0, 60),  # from closed to the contact that proves it open
    "free_volume_m3": (3.0, 0.1, 100_000),
    "aux_W": (1500.0, 0, 1e6),
    "aux_shed_W": (400.0, 0, 1e6),  # part of aux_W, not rated for gas: lights, sockets, heaters
    "fan_W": (350.0, 0, 1e5),
    "ups_Wh": (6000.0, 0, 1e6),  # more than 3 h of all auxiliaries; facts A26 and A38 require 2 h
}
CabinetConfig = collections.namedtuple(
    "CabinetConfig", KEYS, defaults=[default for default, *_ in KEYS.values()]
)


def checked(changes: dict[str, Any] | None = None) -> CabinetConfig:
    """The defaults with these changes. ValueError: one line with key, value, allowed range."""
    changes = changes or {}
    for key in changes:
        if key not in KEYS:
            near = difflib.get_close_matches(key, KEYS, 1, 0.0)
            raise ValueError(f"plant: unknown key {key}; did you mean {near[0]}?")
    config = CabinetConfig(**{"start_degC": changes.get("air_degC", AIR_DEGC), **changes})
    for key, (_, *bounds) in KEYS.items():
        value = getattr(config, key)
        if bounds and not (isinstance(value, (int, float)) and bounds[0] <= value <= bounds[1]):
            raise ValueError(f"plant: {key} = {value}: allowed {bounds[0]} to {bounds[1]}")
    if config.chemistry not in chemistry.CHEMISTRIES:
        raise ValueError(
            f"plant: chemistry = {config.chemistry}: allowed {', '.join(chemistry.CHEMISTRIES)}"
        )
    most = config.cells_per_module - 1
    if not all(0 <= cell <= most for cell in config.sensor_cells):
        raise ValueError(f"plant: sensor_cells = {config.sensor_cells}: allowed 0 to {most}")
    return config._replace(unit_of_rack=_dealt(config))


def _dealt(config: CabinetConfig) -> tuple[int, ...]:
    """The unit of each rack. ValueError: a unit without a rack."""
    dealt = tuple(config.unit_of_rack) or tuple(
        i * config.units // config.racks for i in range(config.racks)
    )
    if len(dealt) != config.racks or set(dealt) != set(range(config.units)):
        raise ValueError(
            f"plant: unit_of_rack = {dealt}: needs {config.racks} entries that name every unit "
            f"0..{config.units - 1}"
        )
    return dealt
