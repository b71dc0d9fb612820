"""The places of registers, contacts and devices in the cabinet under test."""

ENABLE, SUPPLY = "pcs_enable", "contactor_supply"


class Wiring:
    """The places in the cabinet under test; the defaults are those of the rig cabinet."""

    def __init__(
        self,
        wset_address: int,
        opctl_address: int,
        pcs_unit: int = 1,
        racks: int = 3,
        rated_W: float = 250_000,
        rack_rated_A: float = 140.0,
    ) -> None:
        """wset_address, opctl_address: protocol addresses of SunSpec 704 WSet and 715 OpCtl."""
        self.wset_address = wset_address
        self.opctl_address = opctl_address
        self.pcs_unit = pcs_unit
        self.racks = racks
        self.rated_W = rated_W
        self.rack_rated_A = rack_rated_A
        self.connection_W = (500_000, 0)  # limits of the grid connection: import, export
        self.grid_meter = ("meter_grid", 1)  # (bus, unit)
        self.power_address, self.power_scale_W = 40_080, 10
        self.coils = {(1, 0): ENABLE, (2, 0): SUPPLY}  # (I/O unit, coil): output
        self.inputs = {
            1: (
                "estop_1",
                "fire_alarm",
                "suppression",
                "gas_relay",
                "airflow",
                "key_run",
                "permit_1",
                "door",
            ),
            2: ("estop_2", "bms_fault", "permit_2"),
        }
        # The start checklist: devices heard since the controller's start, and closed contacts.
        self.checklist_units = (("io", 1), ("io", 2), ("gas", 1), ("gas", 2), ("pcs", pcs_unit))
        self.checklist_contacts = {1: 0b0010_1111, 2: 0b0000_0011}
