"""The wiring of a small cabinet for tests of the observer."""

from hil.observer.wiring import ENABLE, SUPPLY, UnitWiring, Wiring


def wiring(wset_address, opctl_address):
    unit = UnitWiring(
        wset_address, opctl_address, ("pcs", 1), (0, 1, 2), 250_000, power_address=40_080,
        power_scale_W=10,
    )  # fmt: skip
    contacts = "estop_1 fire_alarm suppression gas_relay airflow key_run permit_1 door".split()
    return Wiring(
        units=(unit,),
        rack_rated_A=(140.0,) * 3,
        rack_nodes={("can0", 1 + rack): rack for rack in range(3)},
        connection_W=(500_000, 0),
        grid_meter=("meter_grid", 1),
        inputs={("io", 1): tuple(contacts), ("io", 2): ("estop_2", "bms_fault", "permit_2")},
        coils={("io", 1, 0): ENABLE, ("io", 2, 0): SUPPLY},
        checklist_units=(("io", 1), ("io", 2), ("gas", 1), ("gas", 2)),
        checklist_contacts={("io", 1): 0b0010_1111, ("io", 2): 0b0000_0011},
    )


def events(rig):
    return [name for _, name, _ in rig.observer.result()]
