"""Knowledge of one tick: measured, configured and sent values. look.py is its only maker."""

from array import array
from typing import NamedTuple

from controller.core.base import reasons
from controller.core.base.answers import WIDE_W, Limit
from controller.core.site_devices.signals_view import Site, without_devices

# The source of the site. ISLAND: a generator set, or the converters alone.
GRID, ISLAND = range(2)
NO_SLOTS = array("i", [0]), 0


class Known(NamedTuple):
    """Frozen; None is unknown (not fresh). Powers in W, > 0 discharges; grid powers > 0 import."""

    # the state of the kernel
    is_running: bool = False
    is_stopped_by_person: bool = False  # only a person's start can follow
    is_estop: bool = False  # an emergency stop is active or latched (rows 1a to 1c)
    is_short: bool = False  # a converter gives less than it was sent (row 56b)
    limit: Limit = Limit(0, reasons.NONE, 0, reasons.NONE)  # of all units
    # by the contact of the transfer switch, and by the reports of the converters off the grid
    contact: int | None = None
    is_reported_forming: bool = False
    reported_forming_W: int = 0  # what the kernel's limits leave of the discharge of those
    shown_W: int | None = None  # set-points of those that have shown it (units.py); None: none has
    # as the meters tell; a reply of this meter arrived in this tick
    load_meter_W: int | None = None
    is_load_meter_new: bool = False
    grid_meter_W: int | None = None  # whether it is proven or not
    is_grid_meter_new: bool = False
    grid_W: int | None = None  # of a proven meter: this cabinet's share
    battery_W: int | None = None
    soc_permille: tuple[int, int] | None = None  # lowest of the racks, mean
    module_temperature_ddegC: tuple[int, int] | None = None  # coldest, hottest
    # hottest module of each unit, within weights.HELD_DDEGC
    unit_temperature_ddegC: array | None = None
    air_temperature_ddegC: int | None = None  # of the cabinet
    # by the state of health: energy of all racks when full, and power that the units should carry
    full_Wh: int = 0
    healthy_W: int = WIDE_W
    # of an earlier run: 0 for none; what peak_shaving published
    stored_path_delay_ms: int = 0
    stored_peak: tuple[int, int] = (0, 0)
    # (inputs, place of the first slot of hints; of the first word of a schedule that enters)
    hints: tuple[array, int] = NO_SLOTS
    schedule: tuple[array, int] = NO_SLOTS
    # (unit from 1, W) that a person asks for in TEST mode; unit 0: nothing is asked
    step_test: tuple[int, int] = (0, 0)
    site: Site = without_devices()  # the site devices and their signals
    grid_voltage_permille: int = 0  # of nominal; 0: the grid meter does not read it, or is silent
    is_load_low: bool = False  # a phase of the load meter has so little voltage: the bus is dead
