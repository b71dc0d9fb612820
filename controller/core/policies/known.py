"""Known: the measured, configured and sent values of one tick. Only look.py makes it."""

from array import array
from typing import NamedTuple

from controller.core.base import reasons
from controller.core.base.answers import WIDE_W, Limit
from controller.core.site_devices.signals_view import Site, without_devices

# The source of the site. ISLAND: a generator set, or the converters alone.
GRID, ISLAND = range(2)
NO_SLOTS = array("i", [0]), 0


class Known(NamedTuple):
    """Values of one tick; None is unknown. Powers in W, > 0 discharges; grid powers > 0 import."""

    # the state of the kernel
    is_running: bool = False
    is_stopped_by_person: bool = False  # the cabinet runs again only after a person's start
    is_estop: bool = False  # an emergency stop is active or latched (rows 1a to 1c)
    is_short: bool = False  # a converter gives less power than its set-point (row 56b)
    limit: Limit = Limit(0, reasons.NONE, 0, reasons.NONE)  # sum of all units
    contact: int | None = None  # GRID or ISLAND, by the contact of the transfer switch
    is_reported_forming: bool = False  # off the grid, a converter reports that it forms the voltage
    reported_forming_W: int = 0  # discharge that the kernel's limits allow those converters
    # Sum of the set-points of the converters that have proved that they form the voltage: they gave
    # power at a set-point of 0 (units.py). None: no converter has.
    shown_W: int | None = None
    load_meter_W: int | None = None
    is_load_meter_new: bool = False  # a reply of this meter arrived in this tick
    grid_meter_W: int | None = None  # the reading, even if the meter is not proven
    is_grid_meter_new: bool = False
    grid_W: int | None = None  # this cabinet's share, by a proven meter
    battery_W: int | None = None
    soc_permille: tuple[int, int] | None = None  # lowest of the racks, mean
    module_temperature_ddegC: tuple[int, int] | None = None  # coldest, hottest
    # hottest module of each unit, with the hysteresis weights.HELD_DDEGC
    unit_temperature_ddegC: "array[int] | None" = None
    air_temperature_ddegC: int | None = None  # air in the cabinet
    full_Wh: int = 0  # energy of all racks when full, by their state of health
    healthy_W: int = WIDE_W  # largest power that the units should carry, by the health of the racks
    stored_path_delay_ms: int = 0  # measured in an earlier run; 0: none
    stored_peak: tuple[int, int] = (0, 0)  # words that peak_shaving published in an earlier run
    hints: tuple["array[int]", int] = NO_SLOTS  # (inputs, place of the first slot of hints)
    # (inputs, place of the first word of the part of a schedule that arrived in this tick)
    schedule: tuple["array[int]", int] = NO_SLOTS
    # (unit from 1, W) that a person asks for in TEST mode; unit 0: no request
    step_test: tuple[int, int] = (0, 0)
    site: Site = without_devices()  # the site devices and their signals
    grid_voltage_permille: int = 0  # of nominal; 0: the grid meter does not read it, or is silent
    grid_frequency_mHz: int = 0  # 0: as for the voltage
    is_load_low: bool = False  # a phase of the load meter has too little voltage for a live bus
