"""The places of registers, contacts and devices in the cabinet under test."""

from typing import Any, NamedTuple

ENABLE, SUPPLY = "pcs_enable", "contactor_supply"
Place = tuple[str, int]  # (bus, unit id or node)
UNSEEN = ("", 0)  # of a device that no wire of the rig reaches


class UnitWiring(NamedTuple):
    """A converter and its racks, from 0. Addresses: of SunSpec 704 WSet, 715 OpCtl, 701 W;
    power_scale_W: of one step. asked: of a converter by registers what takes its writes apart, with
    the addresses above -1.
    """

    wset_address: int
    opctl_address: int
    place: Place
    racks: tuple[int, ...]
    rated_W: float
    power_address: int
    power_scale_W: float
    asked: Any = None


class Wiring(NamedTuple):
    """The places in the cabinet under test. rack_nodes: not of a BMS without a node (Pylontech);
    connection_W: import, export; coils: (bus, unit id, coil): output; checklist_units: devices
    heard since the start of the controller; checklist_contacts: mask of the closed ones.
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
        """ "unit 2" of number 1; "" if the cabinet has only one unit."""
        return f"unit {number + 1}" if len(self.units) > 1 else ""
