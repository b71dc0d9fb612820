"""The limits of the rack's BMS, and when it trips by itself."""

import types

import pytest

from hil.plant import bms
from tests.tables import cases


def _rack(**changes):
    values = dict(
        temperatures_degC=[25.0, 26.0],
        cell_voltage_V_min=3.29,
        cell_voltage_V_max=3.31,
        soc=0.5,
        current_A=0.0,
        insulation_kohm=2000.0,
        voltage_V=790.0,
    )
    return types.SimpleNamespace(**{**values, **changes})


@cases("""changes  charge  discharge
    {}  1.0  1.0 | {"cell_voltage_V_max": 3.44, "cell_voltage_V_min": 3.00}  1.0  1.0
    {"cell_voltage_V_max": 3.51, "cell_voltage_V_min": 2.90}  0.5  0.5
    {"cell_voltage_V_max": 3.58, "cell_voltage_V_min": 2.80}  0.0  0.0
    {"temperatures_degC": [25.0, 44.0]}  0.5  1.0 | {"temperatures_degC": [25.0, 48.0]}  0.0  0.625
    {"temperatures_degC": [25.0, 53.0]}  0.0  0.0 | {"temperatures_degC": [25.0, 0.0]}  0.0  0.8
    {"temperatures_degC": [25.0, 7.5]}  0.5  1.0 | {"temperatures_degC": [-20.0, 25.0]}  0.0  0.0
    {"soc": 1.0}  0.1  1.0 | {"soc": 0.0}  1.0  0.0""")
def test_limits_taper(changes, charge, discharge):
    one = bms.Bms(140.0)
    one.update(_rack(**changes), 0.1)
    assert one.charge_limit_A == pytest.approx(140.0 * charge)
    assert one.discharge_limit_A == pytest.approx(140.0 * discharge)


def test_a_limit_falls_at_once_and_recovers_slowly():
    one = bms.Bms(100.0)
    one.update(_rack(cell_voltage_V_max=3.6, cell_voltage_V_min=2.8), 0.1)
    assert (one.charge_limit_A, one.discharge_limit_A) == (0.0, 0.0)
    one.update(_rack(), 0.1)
    assert one.charge_limit_A == one.discharge_limit_A == pytest.approx(0.5)
    for _ in range(199):
        one.update(_rack(), 0.1)
    assert one.charge_limit_A == pytest.approx(100.0)


@cases("""changes  bit
    {"cell_voltage_V_max": 3.849}  0 | {"cell_voltage_V_max": 3.85}  bms.FAULT_OVER_VOLTAGE
    {"cell_voltage_V_min": 1.901}  0 | {"cell_voltage_V_min": 1.90}  bms.FAULT_UNDER_VOLTAGE
    {"temperatures_degC": [20.0, 74.9]}  0
    {"temperatures_degC": [20.0, 75.0]}  bms.FAULT_OVER_TEMPERATURE | {"current_A": -307.9}  0
    {"current_A": -308.1}  bms.FAULT_OVER_CURRENT | {"current_A": 308.1}  bms.FAULT_OVER_CURRENT
    {"insulation_kohm": 63.3}  0 | {"insulation_kohm": 63.1}  bms.FAULT_INSULATION""")
def test_protection_thresholds(changes, bit):
    one = bms.Bms(140.0)
    for _ in range(4):
        one.update(_rack(**changes), 0.1)
    assert one.fault_bits == bit


def test_protection_is_confirmed_latched_and_cleared_by_time_unless_injected():
    one = bms.Bms(140.0)
    bad = _rack(cell_voltage_V_max=3.9)
    seen = []
    for _ in range(3):
        one.update(bad, 0.125)
        seen.append(one.fault_bits)
    assert seen == [0, 0, bms.FAULT_OVER_VOLTAGE]
    for _ in range(39):
        one.update(_rack(), 0.125)
    assert one.fault_bits == bms.FAULT_OVER_VOLTAGE
    one.update(_rack(), 0.125)
    assert one.fault_bits == 0
    one = bms.Bms(140.0)
    one.injected_bits = bms.FAULT_INJECTED
    one.update(_rack(), 0.1)
    assert one.fault_bits == bms.FAULT_INJECTED
    one.injected_bits = 0
    one.update(_rack(), 0.1)
    assert one.fault_bits == 0
