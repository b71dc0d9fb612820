"""The readings from which a tick knows a cabinet (look.py).

In a controller the kernel gives them (kernel_readings.py). Where the rig leaves the kernel out, the
means of the plant do.
"""

from array import array
from typing import NamedTuple, Protocol

from controller.core.base.answers import Limit


class Meter(NamedTuple):
    """power_W: None while unknown; is_new: a reply arrived in this tick."""

    power_W: int | None
    is_new: bool


class Readings(Protocol):
    """One moment of a cabinet. None is unknown; units and racks in the order of the layout."""

    charge_W: array
    discharge_W: array

    def is_running(self) -> bool:
        """The contactors are closed and the converters permitted."""

    def is_estop(self) -> bool:
        """An emergency stop is active or latched."""

    def is_short(self) -> bool:
        """A converter gives less than it was sent."""

    def limit(self) -> Limit:
        """Sum of all units; `charge_W` and `discharge_W` then hold that of each unit, W >= 0."""

    def contact(self) -> int | None:
        """GRID or ISLAND, by the contact of the transfer switch."""

    def forming_limits_W(self) -> list[int]:
        """Limit of the discharge, off the grid, of each converter that reports that it forms the
        voltage.
        """

    def load_meter(self) -> Meter:
        """The load's meter."""

    def grid_meter(self) -> Meter:
        """The meter of the connection, > 0 imports."""

    def proven_grid_W(self) -> int | None:
        """Power of the connection, as far as obligations may count on the meter."""

    def unit_powers_W(self) -> list[int] | None:
        """Power of each unit, > 0 discharges."""

    def soc_permille(self) -> list[int] | None:
        """State of charge of each rack."""

    def soh_permille(self, rack: int) -> int | None:
        """None: unknown in this tick; 0: the BMS computes none."""

    def temperatures_ddegC(self, rack: int) -> tuple[int, int] | None:
        """Coldest and hottest module of a rack."""

    def air_ddegC(self) -> int | None:
        """Temperature of the air in the cabinet."""
