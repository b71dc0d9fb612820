"""The simulated cabinet: devices, contacts and coils of a topology; the wiring for an observer."""

import full_site
from full_site import SENSORS

from hil.engine import cabinet
from hil.plant import relays
from hil.plant.cabinet import CONTACTS
from safety import signals as s

COILS_WIRED = (
    *("pcs_enable", "fan_off", "horn", "lamp", "contactor_supply", "red_lamp_off"),
    *("supervisory", "pre_alarm", "shunt_trip"),
)


def _cabinet():
    return cabinet.SimulatedCabinet(full_site.config(), lambda t_s: 300_000.0, 1)


def test_contacts_coils_and_roles_are_those_of_the_topology():
    wired = [row[0] for row in s.CABINET_INPUTS if row[4] in (s.G_IO_1, s.G_IO_2, s.G_IO_3)]
    assert {cabinet.contact_name(signal) for signal in wired} <= set(CONTACTS)
    outputs = [*full_site.IO_1_OUTPUTS, *full_site.IO_2_OUTPUTS]
    coils = [cabinet.coil_name(output) for output in outputs if output]
    assert coils == [name for name in COILS_WIRED if name in relays.COILS]
    one = _cabinet()
    assert set(one.devices) == {"io_1", "io_2", "io_3", *SENSORS, "pcs_1", "bms_1", "bms_2"}
    kinds = [type(one.devices[name]).__name__ for name in ("io_3", "offgas_2", "climate", "ups")]
    assert kinds == ["IoModule", "Detector", "Sensor", "UpsMonitor"]
    assert [one.devices[name].name for name in ("offgas_2", "gas_2")] == ["offgas_2", "gas_2"]
    assert one.places["ups"] == ("air", 16)


def test_the_devices_are_connected_to_the_plant_and_known_to_the_observer():
    one = _cabinet()
    one.plant.climate.low_flow = True
    one.plant.step(0.1)
    # damper closed as yet, spare, leak, coolant open, supervised, hvac
    assert one.devices["io_3"].payload(2, 0, 8) == bytes((0b0011_0100,))
    one = _cabinet()
    one.devices["io_2"].write(15, 0, [1, 1, 1, 0, 1, 0, 0, 0], 0)
    assert one.plant.relays.breaker_open
    wiring = cabinet.observed_wiring(_cabinet())
    (unit,) = wiring.units
    assert (unit.place, unit.racks, unit.rated_W) == (("pcs", 3), (0, 1), 250_000)
    assert wiring.rack_nodes == {("can0", 1): 0, ("can0", 2): 1}
    assert wiring.coils == {("io", 4, 0): "pcs_enable", ("io", 5, 0): "contactor_supply"}
    assert wiring.inputs["io", 6] == (
        "damper",
        "",
        "leak",
        "coolant",
        "supervised",
        "hvac",
        "",
        "key_service",
    )
    assert wiring.checklist_contacts == {
        ("io", 4): 0b0010_1111,
        ("io", 5): 0b0000_1011,
        ("io", 6): 0,
    }
    on_air = [("air", unit_id) for unit_id in range(10, 15)]
    assert list(wiring.checklist_units) == [("io", 4), ("io", 5), ("io", 6), *on_air]
