"""Sizes and constants of the simulated cabinet; by default the rig cabinet: 3 racks, 250 kW."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NamedTuple, get_origin, get_type_hints

from hil.plant import chemistry

AIR_DEGC = 25.0


class CabinetConfig(NamedTuple):
    """A number that is checked names its lowest and highest allowed value."""

    units: Annotated[int, 1, 16] = 1
    racks: Annotated[int, 1, 64] = 3
    unit_of_rack: tuple[int, ...] = ()  # empty: in order, as evenly as possible
    # {key: value} of each rack or unit, where it differs from the others; empty: all are equal
    of_racks: Sequence[Mapping[str, Any]] = ()
    of_units: Sequence[Mapping[str, Any]] = ()
    modules: Annotated[int, 1, 64] = 15
    cells_per_module: Annotated[int, 1, 32] = 16
    capacity_Ah: Annotated[float, 1, 5000] = 280.0
    rated_current_A: Annotated[float, 1, 3000] = 140.0
    soc: Annotated[float, 0, 1] = 0.5
    soh: Annotated[float, 0.3, 1] = 0.99
    cycles: Annotated[float, 0, 65535] = 120.0
    chemistry: str = "lfp"  # of what burns; the electrical tables are those of LFP
    barrier_mm: Annotated[float, 0, 20] = 0.0  # of insulation between the cells of a module
    # Cells of a module with a sensor; the hottest of them is reported. Empty: all cells.
    sensor_cells: tuple[int, ...] = ()
    # one sigma of a module's temperature, drawn once a second
    sensor_noise_K: Annotated[float, 0, 5] = 0.0
    ambient_degC: Annotated[float, -40, 60] = 25.0
    ambient_humidity_permille: Annotated[float, 0, 1000] = 500.0
    air_degC: Annotated[float, -40, 60] = AIR_DEGC  # set-point of the cooling
    # of cells and air; as air_degC where nothing is said
    start_degC: Annotated[float, -40, 60] = 25.0
    hvac_W: Annotated[float, 0, 1e8] = 12_000.0  # cooling
    # of hvac_W, as heating; 0: the cooling cannot heat
    hvac_heating_share: Annotated[float, 0, 1] = 1.0 / 3.0
    wall_W_per_K: Annotated[float, 0, 1e6] = 30.0  # an insulated cabinet of 25 m2
    # the unit whose racks get less air, from 1, and how much of the others'; 0: all are equal
    weak_fan_unit: Annotated[int, 0, 16] = 0
    weak_fan_permille: Annotated[float, 50, 1000] = 1000.0
    insulation_kohm: Annotated[float, 0, 65535] = 2000.0
    pcs_rated_W: Annotated[float, 1000, 1e8] = 250_000.0
    pcs_dead_time_s: Annotated[float, 0, 5] = 0.06
    pcs_ramp_W_per_s: Annotated[float, 1000, 1e10] = 2_500_000.0  # rated power in 0.1 s
    pcs_start_s: Annotated[float, 0, 600] = 1.0
    # from the open transfer switch to an island's voltage
    pcs_transfer_s: Annotated[float, 0, 60] = 0.0
    pcs_sleeps: Annotated[int, 0, 1] = 0  # 1: at 0 W it stops switching and draws 60 W
    off_delay_s: Annotated[float, 0, 5] = 0.2
    # rows whose contacts open the chain of relays in hardware
    wired_rows: tuple[int, ...] = (1, 2, 3, 12, 30)
    fan_spin_up_s: Annotated[float, 0, 60] = 2.0
    louvre_s: Annotated[float, 0, 60] = 8.0  # from closed to the contact that proves it open
    free_volume_m3: Annotated[float, 0.1, 100_000] = 3.0
    aux_W: Annotated[float, 0, 1e6] = 1500.0
    # part of aux_W, not rated for gas: lights, sockets, heaters
    aux_shed_W: Annotated[float, 0, 1e6] = 400.0
    fan_W: Annotated[float, 0, 1e5] = 350.0
    # more than 3 h of all auxiliaries; facts A26 and A38 require 2 h
    ups_Wh: Annotated[float, 0, 1e6] = 6000.0


# key: (lowest, highest)
RANGES = {
    key: hint.__metadata__
    for key, hint in get_type_hints(CabinetConfig, include_extras=True).items()
    if get_origin(hint) is Annotated
}


def checked(changes: dict[str, Any] | None = None) -> CabinetConfig:
    """The defaults with these changes. ValueError: one line with key, value, allowed range."""
    changes = changes or {}
    for key in changes:
        if key not in CabinetConfig._fields:
            near = difflib.get_close_matches(key, CabinetConfig._fields, 1, 0.0)
            raise ValueError(f"plant: unknown key {key}; did you mean {near[0]}?")
    config = CabinetConfig(**{"start_degC": changes.get("air_degC", AIR_DEGC), **changes})
    for key, (low, high) in RANGES.items():
        value = getattr(config, key)
        if not (isinstance(value, (int, float)) and low <= value <= high):
            raise ValueError(f"plant: {key} = {value}: allowed {low} to {high}")
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
