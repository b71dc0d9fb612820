"""hil/cabinet.py: which devices a topology becomes, which contacts and coils they have, and what an observer is told."""

import types

import pytest
from hil import cabinet
from hil.devices import sensors
from hil.devices.io_module import IoModule
from hil.plant import relays
from hil.plant.cabinet import CONTACTS
from safety import signals as s

IO_1 = ("estop_1_ok", "fire_alarm_ok", "suppression_ok", "gas_relay_ok", "airflow_ok", "key_run_ok",
        "permit_1_closed", "door_ok")
IO_2 = ("estop_2_ok", "bms_fault_ok", "permit_2_closed", "cell_voltage_ok", "smoke_1_ok", "smoke_2_ok", "heat_ok",
        "fire_trouble_ok")
IO_3 = ("damper_ok", "", "leak_ok", "coolant_ok", "supervised_ok", "hvac_ok", "", "")
SENSORS = ("gas_1", "gas_2", "offgas_1", "offgas_2", "toxic", "climate", "ups")
NONE = ("",) * 8


def _device(role, address, inputs=NONE, outputs=NONE, index=-1, family=""):
    return types.SimpleNamespace(role=role, address=address, index=index, inputs=inputs, outputs=outputs,
                                 profile=types.SimpleNamespace(family=family))


def _config(io_2_outputs=("contactor_supply_ok", "!red_lamp_on", "supervisory_ok", "pre_alarm_on", "shunt_trip_on",
                          "", "", "")):
    """A stand-in for a checked configuration with everything fitted."""
    on = {"io": [_device("io_1", 4, IO_1, ("pcs_enable_ok", "!fan_on", "horn_on", "lamp_on", "", "", "", "")),
                 _device("io_2", 5, IO_2, io_2_outputs), _device("io_3", 6, IO_3)],
          "air": [_device(role, 10 + number) for number, role in enumerate(SENSORS)],
          "pcs": [_device("pcs", 3, index=0)],
          "can0": [_device("bms", 1 + rack, index=rack, family="native_bms") for rack in range(2)]}
    buses = [types.SimpleNamespace(name=name, kind="can" if name == "can0" else "rtu", baud_Bd=19_200,
                                   character_bits=10) for name in on]
    topology = types.SimpleNamespace(units=1, racks=2, rack_units=(0, 0), buses=buses, on_bus=on.__getitem__)
    return types.SimpleNamespace(topology=topology, modules=15, unit_tables=[{"rated_W": 250_000}],
                                 rack_tables=[{"cells": 240, "rated_current_mA": 140_000}])


def _cabinet(**changes):
    return cabinet.SimulatedCabinet(_config(**changes), lambda t_s: 300_000.0, 1)


@pytest.mark.parametrize("row", [row for row in s.CABINET_INPUTS if row[4] in (s.G_IO_1, s.G_IO_2, s.G_IO_3)],
                         ids=lambda row: row[0])
def test_every_wired_signal_has_a_contact_of_the_plant(row):
    assert cabinet.contact_name(row[0]) in CONTACTS


@pytest.mark.parametrize("output, coil", [
    ("pcs_enable_ok", "pcs_enable"), ("!fan_on", "fan_off"), ("horn_on", "horn"), ("!red_lamp_on", "red_lamp_off"),
    ("supervisory_ok", "supervisory"), ("pre_alarm_on", "pre_alarm"), ("shunt_trip_on", "shunt_trip"), ("", "")])
def test_coils(output, coil):
    assert cabinet.coil_name(output) == coil and coil in (*relays.COILS, "")


def test_roles_are_device_names():
    one = _cabinet()
    assert set(one.devices) == {"io_1", "io_2", "io_3", *SENSORS, "pcs_1", "bms_1", "bms_2"}
    assert [type(one.devices[name]) for name in ("io_3", "offgas_2", "toxic", "climate", "ups")] == [
        IoModule, sensors.OffgasDetector, sensors.ToxicDetector, sensors.ClimateMonitor, sensors.UpsMonitor]
    assert one.devices["offgas_2"].index == one.devices["gas_2"].index == 1
    assert one.places["ups"] == ("air", 16)


def test_the_third_module_shows_its_contacts():
    one = _cabinet()
    one.plant.set_low_flow(True)
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
    assert wiring.evidence_units == (("io", 4), ("io", 5), ("io", 6), ("air", 10), ("air", 11), ("air", 12),
                                     ("air", 13), ("air", 14), ("pcs", 3))
