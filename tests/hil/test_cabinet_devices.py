"""The simulated cabinet: devices, contacts and coils of a topology; the wiring for an observer."""

import math

import pytest
from full_site import CONFIG

from controller.config import configuration
from hil.engine import cabinet
from hil.plant import relays
from hil.plant.cabinet import CONTACTS
from safety import signals as s
from tests.repository import ROOT

RACKS = ROOT / "hil/site/examples/racks/cabinet.toml"
IO = [CONFIG.topology.device(f"io_{number}") for number in (1, 2, 3)]


def made():
    return cabinet.SimulatedCabinet(CONFIG, lambda t_s: 300_000.0, 1)


def test_contacts_coils_and_roles_are_those_of_the_topology():
    wired = [row[0] for row in s.CABINET_INPUTS if row[4] in (s.G_IO_1, s.G_IO_2, s.G_IO_3)]
    assert {cabinet.contact_name(signal) for signal in wired} <= set(CONTACTS)
    outputs = [output for device in IO for output in device.outputs if output]
    assert sorted(map(cabinet.coil_name, outputs)) == sorted(relays.COILS)
    one = made()
    kinds = [type(one.devices[name]).__name__ for name in ("io_3", "offgas_2", "climate", "ups")]
    assert kinds == ["IoModule", "Detector", "Sensor", "UpsMonitor"]
    assert [one.devices[name].name for name in ("offgas_2", "gas_2")] == ["offgas_2", "gas_2"]
    assert one.places["ups"] == ("gas", 7)
    assert {"pcs_1", "bms_3", "meter_grid"} <= {*one.devices}


def test_the_devices_are_connected_to_the_plant_and_known_to_the_observer():
    one = made()
    one.plant.climate.low_flow = True
    one.plant.step(0.1)
    # damper closed as yet, hvac, leak, coolant open, supervised; key and source open
    assert one.devices["io_3"].payload(2, 0, 8) == bytes((0b0001_0110,))
    one.devices["io_3"].write(15, 0, [1, 0, 0, 0, 0, 0, 0, 0], 0)
    assert one.plant.relays.breaker_open
    wiring = cabinet.observed_wiring(made())
    (unit,) = wiring.units
    assert (unit.place, unit.racks, unit.rated_W) == (("pcs", 1), (0, 1, 2), 250_000)
    assert wiring.rack_nodes == {("can0", 1): 0, ("can0", 2): 1, ("can0", 3): 2}
    assert wiring.coils == {("io", 1, 0): "pcs_enable", ("io", 2, 0): "contactor_supply"}
    contacts = "damper hvac leak coolant supervised key_service source".split()
    assert wiring.inputs["gas", 8] == (*contacts, "")
    masks = {("io", 1): 0b0010_1111, ("io", 2): 0b0000_1011, ("gas", 8): 0}
    assert wiring.checklist_contacts == masks
    on_gas = [("gas", unit_id) for unit_id in (8, 1, 2, 3, 4, 5)]
    assert list(wiring.checklist_units) == [("io", 1), ("io", 2), *on_gas]


def test_a_load_meter_at_the_racks_sees_a_step_before_their_feed_does():
    config = configuration.load(RACKS)
    one = cabinet.SimulatedCabinet(config, lambda t_s: (1e5 if t_s < 1 else 2e5, ()), 1)
    for _ in range(52):
        one.plant.step(0.02)
    lag_s, passed_s = 0.054, 0.04
    left_W = 1e5 * math.exp(-passed_s / lag_s)
    assert one.plant.load_power_W + one.plant.inside_W == pytest.approx(2e5)
    assert one.plant.inside_W == pytest.approx(left_W, rel=0.5) and one.plant.inside_W > 3e4
