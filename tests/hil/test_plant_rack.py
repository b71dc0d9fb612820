"""One rack: charge, voltage, temperature, reports of its BMS."""

import csv
import gzip
import statistics

import pytest

from hil.plant import bms, cells, config, rack


def _rack(**changes):
    return rack.Rack(config.checked(changes), "7/rack/0")


def _look(one, air_degC=25.0):
    return sum(one.refresh(module, air_degC) for module in range(len(one.temperatures_degC)))


def _pass(one, seconds=1, current_A=0.0, step_s=1.0, air_degC=25.0):
    """Heat in J that the air got in the last step."""
    heat_J = 0.0
    for _ in range(seconds):
        one.carry(current_A, step_s)
        heat_J = _look(one, air_degC)
    return heat_J


def _close(one):
    one.contactors.state, one.contactors.conducting = 2, True
    return one


def test_a_rack_reports_its_seed_and_drops_its_voltage():
    one = _rack()
    assert one.cells_online == 240 and len(one.temperatures_degC) == 15
    assert one.voltage_V == pytest.approx(240 * 3.299, rel=0.002)
    assert one.charge_voltage_V_max == pytest.approx(852.0)
    assert one.charge_limit_A == one.discharge_limit_A == 140.0
    assert one.fault_bits == one.contactor_state == 0
    assert 0.5 < max(one.temperatures_degC) - min(one.temperatures_degC) < 2.5
    assert one.cell_voltage_V_min < 3.299 < one.cell_voltage_V_max
    for position in (one.position_min, one.position_max):
        assert 0 <= position // 32 < 15 and 0 <= position % 32 < 16
    config_ = config.checked()
    a, b, c = [
        (one.soc, one.soh, one.voltage_V, one.position_min)
        for one in (rack.Rack(config_, seed) for seed in ("1/rack/0", "1/rack/0", "1/rack/1"))
    ]
    assert a == b and not set(a[:3]) & set(c)
    one = _rack()
    rest_V = one.voltage_V
    one.carry(140.0, 0.02)
    ohmic_V = rest_V - one.voltage_V
    ohm = 240 * 0.18e-3 / one.soh + rack.CONNECTION_OHM
    assert ohmic_V == pytest.approx(140.0 * ohm, rel=0.03)
    for _ in range(200):
        one.carry(140.0, 1.0)
    slow_V = 140.0 * 240 * 0.25e-3 / one.soh
    assert rest_V - one.voltage_V == pytest.approx(ohmic_V + slow_V, rel=0.05)
    one = _rack()
    before = one.cell_voltage_V_min, one.cell_voltage_V_max
    one.carry(-140.0, 0.02)
    for volts, at in zip(before, (one.cell_voltage_V_min, one.cell_voltage_V_max)):
        assert at - volts == pytest.approx(140.0 * 0.18e-3, rel=0.15)
    one.carry(3000.0, 0.02)
    assert one.cell_voltage_V_min <= one.cell_voltage_V_max


def test_charge_is_counted_within_its_range_as_by_another_simulator():
    one = _rack(soc=0.5)
    soc, cycles = one.soc, one.cycles
    for _ in range(36):
        one.carry(28.0, 100.0)
    assert soc - one.soc == pytest.approx(0.1 / one.soh)
    for _ in range(36):
        one.carry(-28.0, 100.0)
    assert (one.soc, one.cycles - cycles) == (pytest.approx(soc), pytest.approx(0.1 / one.soh))
    for start, current_A, end, bit in (
        (0.01, 140.0, 0.0, bms.FAULT_UNDER_VOLTAGE),
        (0.99, -140.0, 1.0, bms.FAULT_OVER_VOLTAGE),
    ):
        one = _rack(soc=start)
        _pass(one, 60, current_A, 10.0)
        one.carry(current_A, 0.02)
        one.bms.update(one, 1.0)
        assert (one.soc, one.fault_bits) == (end, bit)


def test_the_charge_is_that_of_an_independent_model(shared):
    """The capacity of the model is taken from its first hour of discharge."""
    path = shared / "data/battery/pysam_stateful_lfp_261kWh_1min.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [(float(row["I_A"]), float(row["SOC_pct"]) / 100.0) for row in csv.DictReader(file)]
    capacity_Ah = sum(current for current, _ in rows[1:30]) / 60.0 / (rows[0][1] - rows[29][1])
    one = _rack(capacity_Ah=capacity_Ah, soh=1.0, soc=0.5)
    worst = 0.0
    start = one.soc
    for current, soc in rows[1:]:
        one.carry(current * one.soh, 60.0)
        worst = max(worst, abs((one.soc - start) - (soc - rows[0][1])))
    assert worst < 0.015


def _still(current_A, quantum_K):
    """(s, K) of a healthy rack that cycles for 8 h: longest time without any change of a
    temperature, and the heat by the current in that time, as in row 22.
    """
    one, shown, step_s = _rack(soc=0.5), None, 10.0
    longest_s = most_K = since_s = heat_K = 0.0
    for turn in range(round(8 * 3600 / step_s)):
        _pass(one, 1, current_A if turn & 1 else -current_A, step_s)
        now = [round(each / quantum_K) for each in one.temperatures_degC]
        if now != shown:
            shown, since_s, heat_K = now, 0.0, 0.0
        since_s, heat_K = since_s + step_s, heat_K + current_A**2 * step_s * 90e-9
        longest_s, most_K = max(longest_s, since_s), max(most_K, heat_K)
    return longest_s, most_K


def test_healthy_temperatures_repeat_for_longer_than_frozen_ones_may():
    """No stage can detect temperatures that alone are frozen.

    Hazard H1 has 60 s, in which rated current heats by 0.1 K. The temperatures of a rack near its
    balance repeat through 2 K of heat and more.
    """
    fine_s, fine_K = _still(140.0, 0.1)
    coarse_s, coarse_K = _still(140.0, 1.0)
    assert fine_s > 1500 and fine_K > 2.5
    assert coarse_s > 5000 and coarse_K > 9.0
    assert _still(12.0, 0.1)[0] > 5 * 3600


def test_temperature_loss_and_emissions_of_a_runaway():
    one = _rack()
    before = list(one.temperatures_degC)
    _pass(one, 60, 140.0, 10.0)
    loss_W = 140.0**2 * 16 * 0.43e-3 / one.soh
    for a, b in zip(before, one.temperatures_degC):
        assert b - a == pytest.approx(loss_W * 600.0 / (16 * 5600.0), rel=0.12)
    one = _rack()
    for turn in range(800):
        heat_J = _pass(one, 1, 140.0 if turn & 1 else -140.0, 50.0)
    share = sum(part.resistance_ohm for part in one._modules) / one._ohmic_ohm
    loss_W = 140.0**2 * share * (one._ohmic_ohm + one._slow_ohm)
    assert heat_J / 50.0 == pytest.approx(loss_W, rel=0.01)
    one = _rack()
    assert one.conductance_S == 0.0
    _look(_close(one))
    ohm, warm_S = one._ohm, one.conductance_S
    assert warm_S == pytest.approx(1.0 / ohm)
    _pass(one, 200, 0.0, 100.0, air_degC=0.0)
    assert one.temperatures_degC[0] < 8.0 and one._ohm > 1.3 * ohm
    assert one.conductance_S == pytest.approx(1.0 / one._ohm) and one.conductance_S < 0.8 * warm_S
    one = _rack()
    one.heat(4, 66.0, 0.0)
    assert one.temperatures_degC[4] == 66.0 and max(one.temperatures_degC[:4]) < 30.0
    _pass(one)
    assert one.temperatures_degC[4] == pytest.approx(66.0)
    near, far = _rack(), _rack(sensor_cells=(12,))
    for one in (near, far):
        one.start_runaway(0, 0, None, 120.0)
        _pass(one)
    assert near.temperatures_degC[0] > 100.0 and far.temperatures_degC[0] < 30.0
    one = _rack()
    one.heat(4, 200.0, 0.0)
    total = [0.0, 0.0, 0.0]
    for _ in range(500):
        _pass(one)
        total = [a + b for a, b in zip(total, one.taken())]
    assert total[::2] == pytest.approx([0.168, 56.0], rel=0.02)
    assert 0.0 < total[1] < 0.002  # of the cell beside, which has vented
    assert one.burning and one.taken() == (0.0, 0.0, 0.0)


def test_a_cell_collapses_drifts_or_is_off():
    one = _rack()
    volts, low = one.voltage_V, one.cell_voltage_V_min
    one.start_runaway(4, 7, None, 170.0)
    seen = [(_pass(one), one.cell_voltage_V_min)[1] for _ in range(8)]
    drops = [a - b for a, b in zip([low] + seen, seen)]
    assert max(drops) > 0.25 and one.position_min == 4 * 32 + 7
    assert seen[-1] == pytest.approx(cells.REMAINING_V, abs=0.01)
    assert volts - one.voltage_V == pytest.approx(3.25, abs=0.05)
    one = _rack()
    one.offset_cell(-0.5, module=3, cell=2, over_s=2.0)
    seen = []
    for _ in range(4):
        _pass(one)
        one.carry(0.0, 0.0)
        seen.append(one.cell_voltage_V_min)
    assert seen == pytest.approx([3.05, 2.8, 2.8, 2.8], abs=0.02) and one.position_min == 3 * 32 + 2
    one = _rack()
    pack_V = one.voltage_V
    one.offset_cell(0.7)
    assert one.cell_voltage_V_max == pytest.approx(4.0, abs=0.02)
    assert one.position_max == 0
    assert one.voltage_V - pack_V == pytest.approx(0.7, abs=1e-6)
    one.offset_cell(0.0)
    assert one.voltage_V == pytest.approx(pack_V)


def test_sensors_are_invalid_dead_or_noisy():
    one = _rack()
    one.invalidate_sensors(3, 2)
    one.invalidate_sensors(5, 1)
    assert one.sensors_invalid == 2
    one.invalidate_sensors(3, 0)
    assert one.sensors_invalid == 1
    one.stick_sensor(6, 0.0)
    one.stick_sensor(3, 31.5)
    one.heat(3, 60.0, 0.0)
    _pass(one, 3, 100.0)
    assert one.temperatures_degC[6] == 0.0 and one.temperatures_degC[3] == 31.5
    one.stick_sensor(6, None)
    one.stick_sensor(3, None)
    assert one.temperatures_degC[6] > 20.0
    assert one.temperatures_degC[3] == pytest.approx(60.0)
    one.misread(4, 65.0)
    assert one.temperatures_degC[4] > 85.0
    _pass(one)
    assert one.temperatures_degC[4] < 30.0
    one = _rack()
    for _ in range(50):
        _look(one)
    assert one.emf_V == pytest.approx(sum(part.emf_V for part in one._modules), abs=1e-9)
    modules_ohm = sum(part.resistance_ohm for part in one._modules)
    assert one._ohm == pytest.approx(modules_ohm + rack.CONNECTION_OHM)
    assert one.emf_V == pytest.approx(240 * cells.OCV_V.at(one.soc), rel=0.002)
    one = _rack(sensor_noise_K=0.1)
    read = [(_pass(one), one.temperatures_degC[0])[1] for _ in range(400)]
    assert statistics.pstdev(read) == pytest.approx(0.1, rel=0.15)


def test_an_open_breaker_and_a_short_circuit():
    one = _close(_rack())
    one.open_breaker(True)
    assert one.conductance_S == 0.0 and one.contactor_state == 2
    _look(one)
    assert one.conductance_S == 0.0
    one.open_breaker(False)
    assert one.conductance_S > 0.0
    # Facts C65: above their breaking capacity they stay closed, for 30 s at most.
    one = _rack()
    one.command_close(True)
    _close(one)
    one.bms.injected_bits = bms.FAULT_OVER_CURRENT
    one.bms.update(one, 0.1)
    one.current_A = 281.0
    seconds = 0.0
    while one.contactors.conducting:
        one.switch(0.1, True, one.source_V)
        seconds += 0.1
    assert seconds == pytest.approx(30.0, abs=0.3)
    _close(one)
    one.current_A = 279.0
    one.switch(0.1, True, one.source_V)
    assert not one.contactors.conducting
