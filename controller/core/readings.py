"""The readings of a cabinet, from which look.py computes `Known`.

In a controller the readings come from the kernel (kernel_readings.py). In the rig without a kernel
they are mean values of the simulated plant.
"""

from array import array
from typing import NamedTuple, Protocol

from controller.core.base.answers import Limit


class Meter(NamedTuple):
    """power_W: None while unknown; is_new: a reply arrived in this tick."""

    power_W: int | None
    is_new: bool


class Readings(NamedTuple):
    """Readings at one moment. None is unknown; units and racks are in the order of the layout."""

    is_running: bool  # the contactors are closed and the converters permitted
    is_estop: bool  # an emergency stop is active or latched
    is_short: bool  # a converter gives less power than its set-point
    limit: Limit  # sum of all units
    contact: int | None  # GRID or ISLAND, by the contact of the transfer switch
    # off the grid: power of each unit whose converter reports that it forms the voltage
    forming_W: dict[int, int]
    load_meter: Meter
    grid_meter: Meter  # of the connection, > 0 imports
    proven_grid_W: int | None  # of the connection; None: obligations may not rely on the meter
    unit_powers_W: list[int] | None  # > 0 discharges
    soc_permille: list[int] | None  # of each rack
    soh_permille: int | None  # of one rack; 0: its BMS computes none
    temperatures_ddegC: tuple[int, int] | None  # coldest and hottest module of this rack
    air_ddegC: int | None  # temperature of the air in the cabinet


class Source(Protocol):
    """Provides the readings. charge_W, discharge_W: limits of each unit after `read`, W >= 0."""

    charge_W: "array[int]"
    discharge_W: "array[int]"

    def read(self, rack: int) -> Readings:
        """The present readings, with state of health and temperatures of one rack."""
