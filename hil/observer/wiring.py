"""The places of registers, contacts and devices in the cabinet under test."""

from collections.abc import Sequence
from typing import NamedTuple

ENABLE, SUPPLY = "pcs_enable", "contactor_supply"
Place = tuple[str, int]  # (bus, unit id or node)


class UnitWiring(NamedTuple):
    """A converter and its racks, from 0; the defaults are those of the rig cabinet.

    wset_address, opctl_address, power_address: protocol addresses of SunSpec 704 WSet, 715 OpCtl
    and 701 W; power_scale_W: of one step of 701 W.
    """

    wset_address: int
    opctl_address: int
    place: Place = ("pcs", 1)
    racks: tuple[int, ...] = (0, 1, 2)
    rated_W: float = 250_000
    power_address: int = 40_080
    power_scale_W: float = 10


class Wiring:
    """The places in the cabinet under test; the defaults are those of the rig cabinet."""

    def __init__(self, units: Sequence[UnitWiring], rack_rated_A: Sequence[float] = (140.0,) * 3):
        self.units = tuple(units)
        self.rack_rated_A = tuple(rack_rated_A)
        self.racks = len(self.rack_rated_A)
        self.unit_of_rack = {
            rack: number for number, unit in enumerate(self.units) for rack in unit.racks
        }
        # a rack whose BMS has no node on CAN (Pylontech) is not here
        self.rack_nodes = {("can0", 1 + rack): rack for rack in range(self.racks)}
        self.connection_W: tuple[float, ...] = (
            500_000,
            0,
        )  # limits of the grid connection: import, export
        self.grid_meter = ("meter_grid", 1)
        self.coils: dict[tuple[str, int, int], str] = {
            ("io", 1, 0): ENABLE,
            ("io", 2, 0): SUPPLY,
        }  # (bus, unit id, coil): output
        self.inputs: dict[Place, tuple[str, ...]] = {
            ("io", 1): (
                "estop_1",
                "fire_alarm",
                "suppression",
                "gas_relay",
                "airflow",
                "key_run",
                "permit_1",
                "door",
            ),
            ("io", 2): ("estop_2", "bms_fault", "permit_2"),
        }
        # The start checklist: devices heard since the controller's start, and closed contacts. The
        # converter of the rack's own unit comes in addition.
        self.checklist_units: tuple[Place, ...] = (("io", 1), ("io", 2), ("gas", 1), ("gas", 2))
        self.checklist_contacts = {("io", 1): 0b0010_1111, ("io", 2): 0b0000_0011}

    def scope(self, number: int) -> str:
        """ "unit 2" of number 1; "" if the cabinet has only one unit."""
        return f"unit {number + 1}" if len(self.units) > 1 else ""
