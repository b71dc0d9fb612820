"""hil/cabinet.py: which devices a topology becomes, their contacts and coils, and what an observer
is told.
"""

import full_site
import pytest
from full_site import SENSORS

from hil import cabinet
from hil.devices import sensors
from hil.devices.io_module import IoModule
from hil.plant import relays
from hil.plant.cabinet import CONTACTS
from safety import signals as s


def _cabinet():
    return cabinet.SimulatedCabinet(full_site.config(), lambda t_s: 300_000.0, 1)


@pytest.mark.parametrize(
    "row",
    [row for row in s.CABINET_INPUTS if row[4] in (s.G_IO_1, s.G_IO_2, s.G_IO_3)],
    ids=lambda row: row[0],
)
def test_every_wired_signal_has_a_contact_of_the_plant(row):
    assert cabinet.contact_name(row[0]) in CONTACTS


@pytest.mark.parametrize(
    "output, coil",
    [
        ("pcs_enable_ok", "pcs_enable"),
        ("!fan_on", "fan_off"),
        ("horn_on", "horn"),
        ("!red_lamp_on", "red_lamp_off"),
        ("supervisory_ok", "supervisory"),
        ("pre_alarm_on", "pre_alarm"),
        ("shunt_trip_on", "shunt_trip"),
        ("", ""),
    ],
)
def test_coils(output, coil):
    assert cabinet.coil_name(output) == coil and coil in (*relays.COILS, "")


def test_roles_are_device_names():
    one = _cabinet()
    assert set(one.devices) == {"io_1", "io_2", "io_3", *SENSORS, "pcs_1", "bms_1", "bms_2"}
    assert [
        type(one.devices[name]) for name in ("io_3", "offgas_2", "toxic", "climate", "ups")
    ] == [
        IoModule,
        sensors.OffgasDetector,
        sensors.ToxicDetector,
        sensors.ClimateMonitor,
        sensors.UpsMonitor,
    ]
    assert one.devices["offgas_2"].index == one.devices["gas_2"].index == 1
    assert one.places["ups"] == ("air", 16)


def test_the_third_module_shows_its_contacts():
    one = _cabinet()
    one.plant.climate.low_flow = True
    one.plant.step(0.1)
    # damper closed as yet, spare, leak, coolant open, supervised, hvac
    assert one.devices["io_3"].payload(2, 0, 8) == bytes((0b0011_0100,))


def test_the_shunt_trip_coil_opens_the_breaker():
    one = _cabinet()
    one.devices["io_2"].write(15, 0, [1, 1, 1, 0, 1, 0, 0, 0], 0)
    assert one.plant.relays.breaker_open


def test_the_observer_knows_the_wiring():
    wiring = cabinet.observed_wiring(_cabinet())
    assert wiring.pcs_unit == 3 and wiring.racks == 2
    assert wiring.coils == {(4, 0): "pcs_enable", (5, 0): "contactor_supply"}
    assert wiring.inputs[6] == ("damper", "", "leak", "coolant", "supervised", "hvac", "", "")
    assert wiring.evidence_contacts == {4: 0b0010_1111, 5: 0b0000_1011, 6: 0}
    assert wiring.evidence_units == (
        ("io", 4),
        ("io", 5),
        ("io", 6),
        ("air", 10),
        ("air", 11),
        ("air", 12),
        ("air", 13),
        ("air", 14),
        ("pcs", 3),
    )
