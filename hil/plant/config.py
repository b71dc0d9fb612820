"""What a simulated cabinet is made of. Everything has a default: the firebreak rig cabinet (3 racks
behind 250 kW).
"""

import dataclasses
import difflib

from hil.plant import chemistry


@dataclasses.dataclass(frozen=True)
class CabinetConfig:
    """Sizes and constants of the plant; units end the names."""

    units: int = 1
    racks: int = 3
    unit_of_rack: tuple = ()  # empty: racks are dealt out in order, as evenly as possible
    modules: int = 15
    cells_per_module: int = 16
    capacity_Ah: float = 280.0
    rated_current_A: float = 140.0
    soc: float = 0.5
    soh: float = 0.99
    cycles: float = 120.0
    chemistry: str = "lfp"  # of what burns; the electrical tables are those of LFP
    barrier_mm: float = 0.0  # of insulation between the cells of a module
    # on which cells a module's sensors sit, the hottest is reported; empty: on the hottest
    sensor_cells: tuple = ()
    # one sigma of a module's temperature, anew at each look of once a second
    sensor_noise_K: float = 0.0
    ambient_degC: float = 25.0
    ambient_humidity_permille: float = 500.0
    air_degC: float = 25.0  # what the cooling keeps in the cabinet
    hvac_W: float = 12_000.0  # cooling; a third of it as heating
    insulation_kohm: float = 2000.0
    pcs_rated_W: float = 250_000.0
    pcs_dead_time_s: float = 0.06
    pcs_ramp_W_per_s: float = 2_500_000.0  # rated power in 0.1 s
    pcs_start_s: float = 1.0
    off_delay_s: float = 0.2
    # the fire panel and the suppression switch open the chain in hardware too
    fire_in_chain: bool = True
    fan_spin_up_s: float = 2.0
    louvre_s: float = 8.0  # from closed to the contact that proves it open
    free_volume_m3: float = 3.0
    aux_W: float = 1500.0
    aux_shed_W: float = 400.0  # the part of it that is not rated for gas: lights, sockets, heaters
    fan_W: float = 350.0
    ups_Wh: float = 6000.0  # more than 3 h for everything auxiliary: facts A26 and A38 ask for 2 h


# name -> lowest and highest allowed value
RANGES = {
    "units": (1, 16),
    "racks": (1, 64),
    "modules": (1, 64),
    "cells_per_module": (1, 32),
    "capacity_Ah": (1, 5000),
    "rated_current_A": (1, 3000),
    "soc": (0, 1),
    "soh": (0.3, 1),
    "cycles": (0, 65535),
    "barrier_mm": (0, 20),
    "sensor_noise_K": (0, 5),
    "ambient_degC": (-40, 60),
    "ambient_humidity_permille": (0, 1000),
    "air_degC": (-40, 60),
    "hvac_W": (0, 1e6),
    "louvre_s": (0, 60),
    "ups_Wh": (0, 1e6),
    "insulation_kohm": (0, 65535),
    "pcs_rated_W": (1000, 1e8),
    "pcs_dead_time_s": (0, 5),
    "pcs_ramp_W_per_s": (1000, 1e10),
    "pcs_start_s": (0, 600),
    "off_delay_s": (0, 5),
    "fan_spin_up_s": (0, 60),
    "free_volume_m3": (0.1, 1000),
    "aux_W": (0, 1e6),
    "aux_shed_W": (0, 1e6),
    "fan_W": (0, 1e5),
}


def checked(config=None):
    """CabinetConfig from None, a dict or a CabinetConfig. ValueError: one line with key, value and
    what is allowed.
    """
    if not isinstance(config, CabinetConfig):
        config = config or {}
        for key in config:
            _known(key)
        config = CabinetConfig(**config)
    for key, (low, high) in RANGES.items():
        value = getattr(config, key)
        if not isinstance(value, (int, float)) or not low <= value <= high:
            raise ValueError(f"plant: {key} = {value}: allowed {low} to {high}")
    if config.chemistry not in chemistry.CHEMISTRIES:
        raise ValueError(
            f"plant: chemistry = {config.chemistry}: allowed {', '.join(chemistry.CHEMISTRIES)}"
        )
    if not all(0 <= cell < config.cells_per_module for cell in config.sensor_cells):
        raise ValueError(
            f"plant: sensor_cells = {config.sensor_cells}: allowed 0 to "
            f"{config.cells_per_module - 1}"
        )
    return dataclasses.replace(config, unit_of_rack=_dealt(config))


def _known(key):
    names = [field.name for field in dataclasses.fields(CabinetConfig)]
    if key not in names:
        near = difflib.get_close_matches(key, names, 1, 0.0)
        raise ValueError(f"plant: unknown key {key}: nearest known is {near[0]}")


def _dealt(config):
    """The unit of each rack, checked: every unit has at least one rack."""
    dealt = tuple(config.unit_of_rack) or tuple(
        i * config.units // config.racks for i in range(config.racks)
    )
    if len(dealt) != config.racks or set(dealt) != set(range(config.units)):
        raise ValueError(
            f"plant: unit_of_rack = {dealt}: needs {config.racks} entries that name "
            f"every unit "
            f"0..{config.units - 1}"
        )
    return dealt
