"""What lies where in the cabinet that the observer watches."""

ENABLE, SUPPLY = "pcs_enable", "contactor_supply"


class Wiring:
    """What lies where in the cabinet under test; the defaults are the default rig cabinet's."""

    def __init__(
        self, wset_address, opctl_address, pcs_unit=1, racks=3, rated_W=250_000, rack_rated_A=140.0
    ):
        """wset_address, opctl_address: protocol addresses of SunSpec 704 WSet and 715 OpCtl in this
        PCS.
        """
        self.wset_address = wset_address
        self.opctl_address = opctl_address
        self.pcs_unit = pcs_unit
        self.racks = racks
        self.rated_W = rated_W
        self.rack_rated_A = rack_rated_A
        self.connection_W = (500_000, 0)  # what the grid connection may import, export
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
        # What must have been heard since the controller started, and be closed, before a contactor
        # may close.
        self.evidence_units = (("io", 1), ("io", 2), ("gas", 1), ("gas", 2), ("pcs", pcs_unit))
        self.evidence_contacts = {1: 0b0010_1111, 2: 0b0000_0011}
