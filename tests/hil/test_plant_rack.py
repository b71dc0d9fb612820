"""One rack: charge, voltage, temperature, what its BMS reports."""

import csv
import gzip
import pathlib

import pytest

from hil.plant import bms, cells, config, rack

PYSAM = (pathlib.Path(__file__).resolve().parents[3] / "shared" / "data" / "battery"
         / "pysam_stateful_lfp_261kWh_1min.csv.gz")


def _rack(**changes):
    return rack.Rack(config.checked(changes), "7/rack/0")


def _look(one, air_degC=25.0):
    return sum(one.refresh(module, air_degC) for module in range(len(one.temperatures_degC)))


def test_reports_a_rack_of_the_firebreak_cabinet():
    one = _rack()
    assert one.cells_online == 240 and len(one.temperatures_degC) == 15
    assert one.voltage_V == pytest.approx(240 * 3.299, rel=0.002)
    assert one.charge_voltage_V_max == pytest.approx(852.0)
    assert (one.charge_limit_A, one.discharge_limit_A, one.fault_bits, one.contactor_state) == (140.0, 140.0, 0, 0)
    assert one.cell_voltage_V_min < 3.299 < one.cell_voltage_V_max
    for position in (one.position_min, one.position_max):
        assert 0 <= position // 32 < 15 and 0 <= position % 32 < 16


def test_same_seed_same_rack_other_seed_other_rack():
    config_ = config.checked()
    a, b, c = (rack.Rack(config_, seed) for seed in ("1/rack/0", "1/rack/0", "1/rack/1"))
    assert (a.soc, a.soh, a.voltage_V, a.position_min) == (b.soc, b.soh, b.voltage_V, b.position_min)
    assert a.voltage_V != c.voltage_V and a.soc != c.soc


def test_a_current_drops_the_voltage_at_once_and_more_later():
    one = _rack()
    rest_V = one.voltage_V
    one.carry(140.0, 0.02)
    ohmic_V = rest_V - one.voltage_V
    assert ohmic_V == pytest.approx(140.0 * (240 * 0.18e-3 / one.soh + rack.CONNECTION_OHM), rel=0.03)
    for _ in range(200):
        one.carry(140.0, 1.0)
    assert rest_V - one.voltage_V == pytest.approx(ohmic_V + 140.0 * 240 * 0.25e-3 / one.soh, rel=0.05)


def test_cell_extremes_follow_the_current_at_every_step():
    one = _rack()
    low, high = one.cell_voltage_V_min, one.cell_voltage_V_max
    one.carry(-140.0, 0.02)
    assert one.cell_voltage_V_min - low == pytest.approx(140.0 * 0.18e-3, rel=0.15)
    assert one.cell_voltage_V_max - high == pytest.approx(140.0 * 0.18e-3, rel=0.15)
    one.carry(3000.0, 0.02)
    assert one.cell_voltage_V_min <= one.cell_voltage_V_max


def test_counts_coulombs_and_cycles():
    one = _rack(soc=0.5)
    soc, cycles = one.soc, one.cycles
    for _ in range(3600):
        one.carry(28.0, 1.0)
    assert soc - one.soc == pytest.approx(0.1 / one.soh)
    for _ in range(3600):
        one.carry(-28.0, 1.0)
    assert one.soc == pytest.approx(soc)
    assert one.cycles - cycles == pytest.approx(0.1 / one.soh)


@pytest.mark.parametrize("start, current_A, end, bit", [
    (0.01, 140.0, 0.0, bms.FAULT_UNDER_VOLTAGE), (0.99, -140.0, 1.0, bms.FAULT_OVER_VOLTAGE)])
def test_reported_soc_stays_within_0_and_1_while_the_cells_leave_their_range(start, current_A, end, bit):
    one = _rack(soc=start)
    for _ in range(600):
        one.carry(current_A, 1.0)
    _look(one)
    one.carry(current_A, 0.02)
    one.bms.update(one, 1.0)
    assert one.soc == end
    assert one.fault_bits == bit


def test_charge_counted_as_another_simulator_counts_it():
    """A day of currents from an independent model; its capacity is taken from its first hour of discharge."""
    if not PYSAM.exists():
        pytest.skip("PySAM reference is not beside the repository")
    with gzip.open(PYSAM, "rt", encoding="utf-8") as file:
        rows = [(float(row["I_A"]), float(row["SOC_pct"]) / 100.0) for row in csv.DictReader(file)]
    capacity_Ah = sum(current for current, _ in rows[1:30]) / 60.0 / (rows[0][1] - rows[29][1])
    one = _rack(capacity_Ah=capacity_Ah, soh=1.0, soc=0.5)
    worst = 0.0
    start = one.soc
    for current, soc in rows[1:]:
        one.carry(current * one.soh, 60.0)
        worst = max(worst, abs((one.soc - start) - (soc - rows[0][1])))
    assert worst < 0.015


def test_current_warms_every_module_by_its_loss():
    one = _rack()
    before = list(one.temperatures_degC)
    for _ in range(600):
        one.carry(140.0, 1.0)
        _look(one)
    loss_W = 140.0 ** 2 * 16 * 0.43e-3 / one.soh
    for a, b in zip(before, one.temperatures_degC):
        assert b - a == pytest.approx(loss_W * 600.0 / (16 * 5600.0), rel=0.12)


def test_warm_air_reaches_the_modules_and_cold_cells_resist_more():
    one = _rack()
    ohm = one._ohm
    for _ in range(200):
        one.carry(0.0, 100.0)
        _look(one, air_degC=0.0)
    assert one.temperatures_degC[0] < 8.0
    assert one._ohm > 1.3 * ohm


def test_conductance_follows_the_temperature_of_a_closed_rack():
    one = _rack()
    assert one.conductance_S == 0.0
    one.contactors.state, one.contactors.conducting = 2, True
    _look(one)
    warm_S = one.conductance_S
    assert warm_S == pytest.approx(1.0 / one._ohm)
    for _ in range(200):
        one.carry(0.0, 100.0)
        _look(one, air_degC=0.0)
    assert one.conductance_S == pytest.approx(1.0 / one._ohm) and one.conductance_S < 0.8 * warm_S


def test_module_temperatures_lie_within_what_a_good_cabinet_shows():
    one = _rack()
    assert 0.5 < max(one.temperatures_degC) - min(one.temperatures_degC) < 2.5


def test_heat_shows_in_its_module_only():
    one = _rack()
    one.heat(4, 66.0, 0.0)
    assert one.temperatures_degC[4] == 66.0 and max(one.temperatures_degC[:4]) < 30.0
    one.carry(0.0, 1.0)
    _look(one)
    assert one.temperatures_degC[4] == pytest.approx(66.0)


def test_gas_of_a_runaway_is_handed_over_once():
    one = _rack()
    one.heat(4, 200.0, 0.0)
    gas = 0.0
    for _ in range(500):
        one.carry(0.0, 1.0)
        gas += _look(one)
    assert gas == pytest.approx(0.17, rel=0.02)
    assert _look(one) == 0.0


def test_an_offset_cell_shows_at_once_in_cells_and_pack():
    one = _rack()
    volts = one.voltage_V
    one.offset_cell(-0.4)
    assert one.position_min == 0
    assert one.cell_voltage_V_min == pytest.approx(2.9, abs=0.03)
    assert volts - one.voltage_V == pytest.approx(0.4, abs=1e-6)
    one.offset_cell(0.0)
    assert one.voltage_V == pytest.approx(volts) and one.cell_voltage_V_min > 3.2


def test_a_look_does_not_let_totals_drift():
    one = _rack()
    for _ in range(50):
        _look(one)
    assert one.emf_V == pytest.approx(sum(part.emf_V for part in one._modules), abs=1e-9)
    assert one._ohm == pytest.approx(sum(part.resistance_ohm for part in one._modules) + rack.CONNECTION_OHM)
    assert one.emf_V == pytest.approx(240 * cells.OCV_V.at(one.soc), rel=0.002)
