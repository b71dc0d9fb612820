"""Sizes and constants of the simulated cabinet. Default is the rig cabinet: 3 racks, 250 kW."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NamedTuple, get_type_hints

from controller.forms import reading
from controller.forms.field import anything, choice, number
from controller.forms.refusal import not_allowed
from hil.plant.chemistry import CHEMISTRIES

AIR_DEGC, CELL_AH = 25.0, 280.0


class CabinetConfig(NamedTuple):
    """Sizes of the plant. A key with an annotation is checked; a key without one is not."""

    units: Annotated[int, number(1, 16)] = 1
    racks: Annotated[int, number(1, 64)] = 3
    unit_of_rack: tuple[int, ...] = ()  # empty: racks in order, spread as evenly as possible
    # {key: value} for each rack or unit that differs; empty if all are equal
    of_racks: Sequence[Mapping[str, Any]] = ()
    of_units: Sequence[Mapping[str, Any]] = ()
    modules: Annotated[int, number(1, 64)] = 15
    cells_per_module: Annotated[int, number(1, 32)] = 16
    capacity_Ah: Annotated[float, number(1, 5000)] = 280.0
    rated_current_A: Annotated[float, number(1, 5000)] = 140.0
    soc: Annotated[float, number(0, 1)] = 0.5
    soh: Annotated[float, number(0.3, 1)] = 0.99
    cycles: Annotated[float, number(0, 65535)] = 120.0
    # chemistry of burning cells; the electrical tables are always those of LFP
    chemistry: Annotated[str, choice(CHEMISTRIES)] = "lfp"
    barrier_mm: Annotated[float, number(0, 20)] = 0.0  # insulation between the cells of a module
    # Cells of a module that have a sensor; the hottest of these is reported. Empty: all cells.
    sensor_cells: tuple[int, ...] = ()
    # one sigma of a module's reported temperature, drawn once a second
    sensor_noise_K: Annotated[float, number(0, 5)] = 0.0
    # One sigma of the cell voltages that a BMS reports, drawn once a second. Without noise, the
    # voltage of a large cell at a small current does not move by 1 mV: row 54 calls that a fault.
    cell_noise_V: Annotated[float, number(0, 0.01)] = 0.0
    ambient_degC: Annotated[float, number(-40, 60)] = 25.0
    ambient_humidity_permille: Annotated[float, number(0, 1000)] = 500.0
    air_degC: Annotated[float, number(-40, 60)] = AIR_DEGC  # set-point of the cooling
    # cells and air at the start; air_degC if not given
    start_degC: Annotated[float, number(-40, 60)] = 25.0
    hvac_W: Annotated[float, number(0, 1e8)] = 12_000.0  # cooling
    # heat that the cooling moves per electric power; 0: aux_W contains its power
    hvac_cop: Annotated[float, number(0, 20)] = 0.0
    # heating power as a share of hvac_W; 0: no heating
    hvac_heating_share: Annotated[float, number(0, 1)] = 1.0 / 3.0
    wall_W_per_K: Annotated[float, number(0, 1e6)] = 30.0  # an insulated cabinet of 25 m2
    # unit (from 1) whose racks get less air, and its share of the usual flow; 0: all are equal
    weak_fan_unit: Annotated[int, number(0, 16)] = 0
    weak_fan_permille: Annotated[float, number(50, 1000)] = 1000.0
    insulation_kohm: Annotated[float, number(0, 65535)] = 2000.0
    pcs_rated_W: Annotated[float, number(1000, 1e8)] = 250_000.0
    pcs_dead_time_s: Annotated[float, number(0, 5)] = 0.06
    pcs_ramp_W_per_s: Annotated[float, number(1000, 1e10)] = 2_500_000.0  # rated power in 0.1 s
    pcs_start_s: Annotated[float, number(0, 600)] = 1.0
    # time from the open transfer switch to the voltage of an island
    pcs_transfer_s: Annotated[float, number(0, 60)] = 0.0
    pcs_sleeps: Annotated[int, number(0, 1)] = 0  # 1: at 0 W the PCS stops switching, draws 60 W
    off_delay_s: Annotated[float, number(0, 5)] = 0.2
    # rows whose contacts are wired into the relay chain
    wired_rows: tuple[int, ...] = (1, 2, 3, 12, 30)
    fan_spin_up_s: Annotated[float, number(0, 60)] = 2.0
    # time that the louvre needs from closed until its contact reports open
    louvre_s: Annotated[float, number(0, 60)] = 8.0
    free_volume_m3: Annotated[float, number(0.1, 100_000)] = 3.0
    aux_W: Annotated[float, number(0, 1e7)] = 1500.0
    # part of aux_W that is not rated for gas, so it is switched off: lights, sockets, heaters
    aux_shed_W: Annotated[float, number(0, 1e7)] = 400.0
    fan_W: Annotated[float, number(0, 1e7)] = 350.0
    # more than 3 h of all auxiliaries; A26 and A38 of `firebreak document facts` require 2 h
    ups_Wh: Annotated[float, number(0, 1e8)] = 6000.0

    @property
    def cell_size(self) -> float:
        """Size of a cell relative to 280 Ah. A larger cell is treated as cells in parallel, so
        mass, surface and busbars grow with it.
        """
        return self.capacity_Ah / CELL_AH

    def of_unit(self, unit: int) -> "CabinetConfig":
        """This config with the sizes of one unit."""
        return self._replace(**self.of_units[unit]) if self.of_units else self


KEYS = {
    key: getattr(hint, "__metadata__", (anything(),))[0]._replace(
        default=CabinetConfig._field_defaults[key]
    )
    for key, hint in get_type_hints(CabinetConfig, include_extras=True).items()
}


def checked(
    changes: dict[str, Any] | None = None, file: str = "plant", *path: str
) -> CabinetConfig:
    """The defaults with these changes. file, path: named in refusals. Raises ConfigError."""
    changes = dict(changes or {})
    changes.setdefault("start_degC", changes.get("air_degC", AIR_DEGC))
    config = CabinetConfig(**reading.read(file, path, changes, KEYS))
    last_cell = config.cells_per_module - 1
    if not all(0 <= cell <= last_cell for cell in config.sensor_cells):
        not_allowed(file, (*path, "sensor_cells"), config.sensor_cells, f"0..{last_cell}")
    unit_of_rack = tuple(config.unit_of_rack) or tuple(
        i * config.units // config.racks for i in range(config.racks)
    )
    if len(unit_of_rack) != config.racks or set(unit_of_rack) != set(range(config.units)):
        allowed = f"{config.racks} entries that name every unit 0..{config.units - 1}"
        not_allowed(file, (*path, "unit_of_rack"), unit_of_rack, allowed)
    return config._replace(unit_of_rack=unit_of_rack)
