"""The whole plant with something wrong in it: every contact and every reading that a row of the
matrix looks at.
"""

import pytest

from hil.plant import bms, cabinet, pcs

DT_S = 0.1


def _cabinet(seed=1, **changes):
    return cabinet.Cabinet(changes, lambda t_s: 300_000.0, seed)


def _run(one, seconds, dt_s=DT_S):
    for _ in range(round(seconds / dt_s)):
        one.step(dt_s)
    return one


def _until(one, seconds_max, happened, dt_s=DT_S):
    """Seconds until happened() is true."""
    for count in range(1, round(seconds_max / dt_s) + 1):
        one.step(dt_s)
        if happened():
            return count * dt_s
    raise AssertionError(f"not within {seconds_max} s")


def _closed(**changes):
    """Contactors closed, fan off, PCS idle."""
    one = _cabinet(**changes)
    for coil in ("pcs_enable", "contactor_supply", "fan_off"):
        one.set_coil(coil, True)
    for rack in one.racks:
        rack.command_close(True)
    _run(one, 2)
    assert [rack.contactor_state for rack in one.racks] == [2] * len(one.racks)
    return one


@pytest.mark.parametrize(
    "wrong, right, contact, seconds_max",
    [
        (lambda one: one.set_smoke(True, 0), lambda one: one.set_smoke(False, 0), "smoke_1", 10),
        (lambda one: one.set_smoke(True, 1), lambda one: one.set_smoke(False, 1), "smoke_2", 20),
        (
            lambda one: one.set_heat_detector(True),
            lambda one: one.set_heat_detector(False),
            "heat",
            1,
        ),
        (
            lambda one: one.set_fire_trouble(True),
            lambda one: one.set_fire_trouble(False),
            "fire_trouble",
            1,
        ),
        (
            lambda one: one.set_supervision_lost(True),
            lambda one: one.set_supervision_lost(False),
            "supervised",
            1,
        ),
        (lambda one: one.set_hvac_fail(True), lambda one: one.set_hvac_fail(False), "hvac", 1),
        (lambda one: one.set_mains(False), lambda one: one.set_mains(True), "hvac", 1),
        (lambda one: one.set_leak(True), lambda one: one.set_leak(False), "leak", 5),
        (lambda one: one.set_leak(True), lambda one: one.set_leak(False), "coolant", 120),
        (lambda one: one.set_low_flow(True), lambda one: one.set_low_flow(False), "coolant", 1),
        (lambda one: one.set_door(True), lambda one: one.set_door(False), "door", 1),
        (
            lambda one: one.set_cell_offset(1, 0.6),
            lambda one: one.set_cell_offset(1, 0.0),
            "cell_voltage",
            1,
        ),
        (lambda one: one.heat_air(70.0), lambda one: one.heat_air(20.0), "heat", 60),
    ],
)
def test_each_fault_opens_its_contact_and_its_repair_closes_it(wrong, right, contact, seconds_max):
    one = _run(_cabinet(), 1)
    assert one.contacts[contact]
    wrong(one)
    _until(one, seconds_max, lambda: not one.contacts[contact])
    right(one)
    _until(one, 120, lambda: one.contacts[contact])


@pytest.mark.parametrize("name", cabinet.CONTACTS)
def test_every_contact_can_be_forced(name):
    one = _run(_cabinet(), 12)
    before = one.contacts[name]
    one.force_contact(name, not before)
    _run(one, 1)
    assert one.contacts[name] is not before
    one.force_contact(name, None)
    assert one.contacts[name] is before


def test_damper_and_airflow_follow_the_fan_and_their_faults():
    one = _run(_cabinet(), 10)
    assert one.contacts["damper"] and one.contacts["airflow"]
    one.set_coil("fan_off", True)
    _run(one, 1.5)
    assert not one.contacts["damper"] and not one.contacts["airflow"]
    one.set_damper_fail(True)
    one.set_coil("fan_off", False)
    _run(one, 30)
    assert one.contacts["airflow"] and not one.contacts["damper"]
    one.set_damper_fail(False)
    assert _until(one, 10, lambda: one.contacts["damper"]) == pytest.approx(5.6, abs=0.2)


@pytest.mark.parametrize("offset_V, opens", [(0.48, False), (0.52, True)])
def test_independent_supervision_opens_the_chain_at_3_80_volts_within_a_second(offset_V, opens):
    """Matrix row 30: hard-wired, 0.2 to 1 s; the cell rests near 3.30 V."""
    one = _closed()
    one.set_cell_offset(0, offset_V)
    high_V = one.racks[0].cell_voltage_V_max
    assert (high_V >= 3.80) == opens
    if not opens:
        _run(one, 5)
        assert one.contacts["cell_voltage"] and one.contacts["permit_1"]
        return
    assert 0.2 <= _until(one, 2, lambda: not one.contacts["cell_voltage"]) <= 1.0
    one.step(DT_S)
    assert not one.contacts["permit_1"]
    one.set_cell_offset(0, 0.46)
    _run(one, 1)
    assert not one.contacts["cell_voltage"], "closes again only 0.05 V lower"
    one.set_cell_offset(0, 0.40)
    _run(one, 1)
    assert one.contacts["cell_voltage"]


def test_nmc_has_another_supervision():
    one = _cabinet(chemistry="nmc")
    one.set_cell_offset(0, 0.9)
    _run(one, 2)
    assert one.contacts["cell_voltage"]
    one.set_cell_offset(0, 1.1)
    _run(one, 2)
    assert not one.contacts["cell_voltage"]


def test_shunt_trip_cuts_all_racks_until_a_hand_resets_it():
    one = _closed()
    one.pcs[0].command_run(True)
    one.pcs[0].command_setpoint(50_000.0)
    _run(one, 3)
    assert one.pcs[0].ac_power_W == 50_000.0
    one.set_coil("shunt_trip", True)
    _run(one, 0.5)
    assert [rack.current_A for rack in one.racks] == [0.0] * 3 and one.pcs[0].state == pcs.FAULT
    one.set_coil("shunt_trip", False)
    _run(one, 5)
    assert one.relays.breaker_open and [rack.conductance_S for rack in one.racks] == [0.0] * 3
    one.reset_shunt_trip()
    _run(one, 0.5)
    assert one.pcs[0].dc_voltage_V > 700.0


def test_detectors_health_and_dates_are_those_of_the_device_named():
    one = _cabinet()
    one.set_detector_fault("offgas_2", True)
    one.set_calibration("toxic", -3)
    assert [name for name, faulty in one.detector_fault.items() if faulty] == ["offgas_2"]
    assert one.calibration_d == {
        "gas_1": 180,
        "gas_2": 180,
        "offgas_1": 180,
        "offgas_2": 180,
        "toxic": -3,
    }
    for call in (one.set_detector_fault, one.set_calibration):
        with pytest.raises(
            ValueError, match="detector gas_3: known are gas_1, gas_2, offgas_1, offgas_2, toxic"
        ):
            call("gas_3", 1)


@pytest.mark.parametrize("inject, heads", [("set_offgas", "vapour"), ("set_toxic", "toxic")])
def test_test_gas_of_ppm_reaches_the_head_it_is_given_to(inject, heads):
    one = _cabinet()
    getattr(one, inject)(60.0, 1)
    _run(one, 90)
    readings = [head.reading for head in getattr(one.air, heads)]
    assert readings == [0.0, pytest.approx(60.0, rel=0.02)]
    getattr(one, inject)(0.0)
    _run(one, 200)
    assert [head.reading for head in getattr(one.air, heads)] == [0.0, 0.0]
    with pytest.raises(ValueError, match="ppm: allowed 0 to 20000"):
        getattr(one, inject)(20_001.0)


def test_insulation_falls_at_once_or_slowly():
    one = _cabinet()
    one.set_insulation(1, 300.0)
    one.set_insulation(2, 400.0, -10.0)
    _run(one, 20)
    assert [rack.insulation_kohm for rack in one.racks] == [2000.0, 300.0, pytest.approx(200.0)]
    one.set_insulation(2, 50.0)
    _run(one, 5)
    assert one.racks[2].insulation_kohm == 50.0
    assert one.racks[2].fault_bits == bms.FAULT_INSULATION
    one.set_insulation(1, 5.0, -10.0)
    _run(one, 5)
    assert one.racks[1].insulation_kohm == 0.0


def test_mains_lost_takes_the_auxiliaries_off_the_grid_and_minutes_off_the_ups():
    one = _cabinet()
    one.set_coil("aux_load", True)
    _run(one, 1)
    assert one.grid_power_W == pytest.approx(301_850.0) and one.ups.reserve_min == pytest.approx(
        194.6, abs=0.1
    )
    one.set_mains(False)
    _run(one, 600, dt_s=1.0)
    assert one.grid_power_W == pytest.approx(300_000.0)
    assert one.ups.reserve_min == pytest.approx(194.6 - 10.0, abs=0.1)
    one.set_ups_reserve(25.0)
    _run(one, 60, dt_s=1.0)
    assert one.ups.reserve_min == pytest.approx(24.0, abs=0.1)


def test_losses_warm_the_air_once_the_cooling_has_failed():
    one = _closed()
    one.pcs[0].command_run(True)
    one.pcs[0].command_setpoint(250_000.0)
    _run(one, 600, dt_s=1.0)
    assert one.climate.air_degC == pytest.approx(25.2, abs=0.3)
    one.set_hvac_fail(True)
    _run(one, 600, dt_s=1.0)
    assert one.climate.air_degC > 27.0


def test_warm_modules_keep_the_air_warm():
    """32 W/K through walls and gaps against 560 W/K of 45 modules: without their heat the air would
    be at 10 degC.
    """
    one = _run(_cabinet(ambient_degC=0.0, air_degC=40.0, hvac_W=0.0), 10)
    one.set_coil("fan_off", True)
    _run(one, 900, dt_s=1.0)
    modules_degC = [degC for rack in one.racks for degC in rack.temperatures_degC]
    mean_degC = sum(modules_degC) / len(modules_degC)
    assert one.climate.air_degC == pytest.approx(
        (560.0 * mean_degC + 300.0) / (560.0 + 32.4), abs=1.0
    )


def test_a_controlled_module_is_not_moved_by_the_air_model():
    """At rest the cooling keeps the air where the modules were before there was a model of it."""
    one = _run(_closed(), 600, dt_s=1.0)
    assert one.climate.air_degC == pytest.approx(25.0, abs=0.1)


def test_bus_mismatch_and_feedback_show_and_change_nothing_else():
    one = _closed()
    volts = one.pcs[0].dc_voltage_V
    one.set_bus_mismatch(0, 30.0)
    one.set_feedback(1, 0)
    _run(one, 1)
    assert one.pcs[0].dc_voltage_V == pytest.approx(volts + 30.0, abs=1.0)
    assert [rack.contactor_state for rack in one.racks] == [2, 0, 2]
    assert [rack.contactors.conducting for rack in one.racks] == [True] * 3
    with pytest.raises(ValueError, match="contactor state 4: allowed 0 to 3"):
        one.set_feedback(1, 4)


def test_excess_current_reaches_the_racks_and_ends_with_the_fuse():
    one = _closed()
    one.set_current_excess(0, 1000.0, fuse_A2s=1000.0**2)
    one.step(DT_S)
    assert min(rack.current_A for rack in one.racks) > 280.0
    _run(one, 1.2)
    assert max(rack.current_A for rack in one.racks) < 5.0
    assert [rack.fault_bits for rack in one.racks] == [bms.FAULT_OVER_CURRENT] * 3
    one = _closed()
    one.set_short_circuit(0, 1.0, fuse_A2s=1e12)
    _run(one, 0.2)
    assert min(rack.current_A for rack in one.racks) > 200.0
    one.set_short_circuit(0, None)
    _run(one, 0.2)
    assert max(rack.current_A for rack in one.racks) < 5.0


def _course(one, seconds):
    """First time of everything a runaway shows, in s."""
    seen = {}
    for second in range(1, seconds + 1):
        one.step(1.0)
        signs = {
            "runaway": one.racks[1].chain(4).released_J > 0.0,
            "vapour": one.air.vapour[0].reading >= 20.0,
            "toxic": one.air.toxic[0].reading >= 50.0,
            "gas": one.air.gas[0].reading >= 10.0,
            "gas_relay": not one.contacts["gas_relay"],
            "smoke": not one.contacts["smoke_1"],
            "two_smokes": not one.contacts["smoke_2"],
            "hot": one.racks[1].temperatures_degC[4] >= 65.0,
            "heat": not one.contacts["heat"],
            "collapsed": one.racks[1].cell_voltage_V_min < 1.0,
        }
        for name, is_so in signs.items():
            if is_so:
                seen.setdefault(name, second)
    return seen


def test_a_runaway_shows_in_the_order_of_the_facts():
    """Heat at its own sensor, then vapour minutes before runaway, then hydrogen, then smoke, gas
    and the collapse.
    """
    one = _closed()
    one.start_runaway(1, 4, cell=7, heater_K_per_min=5.0)
    seen = _course(one, 2400)
    print({name: round(second / 60.0, 1) for name, second in seen.items()}, "min")
    runaway_s = seen["runaway"]
    assert runaway_s == pytest.approx(60 * (160 - 25) / 5, abs=10)
    assert seen["hot"] < seen["vapour"] < seen["toxic"] < runaway_s
    assert runaway_s - 420 <= seen["vapour"] <= runaway_s - 300
    for name in ("smoke", "two_smokes", "gas", "gas_relay", "collapsed"):
        assert runaway_s <= seen[name] <= runaway_s + 60, name
    assert one.racks[0].cell_voltage_V_min > 3.0 and max(one.racks[0].temperatures_degC) < 40.0


def test_the_fan_holds_what_one_lfp_cell_gives_below_a_quarter_of_the_limit():
    """Facts section 5: 170 L in a minute need about 0.19 m3/s; hence a fan that is already at speed
    just does.
    """
    one = _run(_cabinet(), 10)
    one.start_runaway(1, 4, cell=7, heater_K_per_min=None, degC=160.0)
    highest = 0.0
    for _ in range(300):
        one.step(1.0)
        highest = max(highest, one.air.mixture_lfl_pct)
    print(f"highest {highest:.1f} % LFL")
    assert 10.0 < highest < 25.0 and one.contacts["gas_relay"]


def test_nmc_gives_more_gas_than_any_fan_takes():
    one = _run(_cabinet(chemistry="nmc"), 10)
    one.start_runaway(1, 4, cell=7, heater_K_per_min=None, degC=150.0)
    seen = _course(one, 300)
    assert seen["gas_relay"] < 30 and one.air.mixture_lfl_pct > 100.0


def test_the_seed_decides_what_detectors_read():
    def history(seed):
        one = _cabinet(seed)
        one.set_gas(40.0)
        one.set_offgas(50.0)
        return [
            (one.step(DT_S), *one.gas_lfl_pct, one.air.vapour[0].reading)[1:] for _ in range(100)
        ]

    assert history(5) == history(5) and history(5) != history(6)


def test_a_wrong_chemistry_is_one_clear_line():
    with pytest.raises(ValueError, match="^plant: chemistry = lto: allowed lfp, nmc$"):
        _cabinet(chemistry="lto")
