"""Tells the observer where registers, contacts and devices of the cabinet are."""

from typing import Any, NamedTuple

ENABLE, SUPPLY = "pcs_enable", "contactor_supply"
Place = tuple[str, int]  # (bus, unit id or node)
UNSEEN = ("", 0)  # place of a device that is on no wire of the rig


class UnitWiring(NamedTuple):
    """A converter and its racks, numbered from 0. wset_address, opctl_address, power_address:
    registers of SunSpec 704 WSet, 715 OpCtl and 701 W; power_scale_W: power of one step.

    write_decoder: for a converter whose profile defines the registers. The addresses are then -1.
    """

    wset_address: int
    opctl_address: int
    place: Place
    racks: tuple[int, ...]
    rated_W: float
    power_address: int
    power_scale_W: float
    write_decoder: Any = None


class Wiring(NamedTuple):
    """The places in the cabinet under test. rack_nodes: without the BMSs that have no node
    (Pylontech); connection_W: limits of (import, export); coils: {(bus, unit id, coil): output};
    checklist_units: devices that must have been heard since the controller started;
    checklist_contacts: mask of the contacts that must be closed.
    """

    units: tuple[UnitWiring, ...]
    rack_rated_A: tuple[float, ...]
    rack_nodes: dict[Place, int]
    connection_W: tuple[float, float]
    grid_meter: Place
    inputs: dict[Place, tuple[str, ...]]
    coils: dict[tuple[str, int, int], str]
    checklist_units: tuple[Place, ...]
    checklist_contacts: dict[Place, int]

    @property
    def racks(self) -> int:
        """Count of racks."""
        return len(self.rack_rated_A)

    @property
    def unit_of_rack(self) -> dict[int, int]:
        """Number of the unit of each rack."""
        return {rack: number for number, unit in enumerate(self.units) for rack in unit.racks}

    def scope(self, number: int) -> str:
        """ "unit 2" for number 1; "" if the cabinet has only one unit."""
        return f"unit {number + 1}" if len(self.units) > 1 else ""
