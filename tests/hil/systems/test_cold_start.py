"""A member of a site that starts cold: the heater draws from the grid, then charging opens."""

import pytest
from test_systems import TABLE

from hil.systems import run, sized, spec, thermal
from hil.systems.member import ChainMember

HEATER_W, COLD_DEGC = 12_000, -3.0
CELLS_J_PER_K = 3 * 240 * 5600


def cold(folder, heater_W):
    battery = TABLE["battery"] | {"heater_W": heater_W}
    found = spec.of_table(TABLE | {"battery": battery}, "test")
    site = run.site_of(found, {})
    plant = {"start_degC": COLD_DEGC, "ambient_degC": COLD_DEGC, "hvac_heating_share": 0}
    member = ChainMember(sized.load(found.size, folder, 100), site, 0.5, 0, plant)
    return site, member


def test_charging_opens_after_the_heat_that_the_cells_need(tmp_path):
    """The BMS at 3.5 degC allows a quarter of its current, and the taper of the kernel a third of
    that.
    """
    site, member = cold(tmp_path, HEATER_W)
    for _ in range(2 + 3):  # the temperatures of one rack are read in each second
        site.step(1.0)
    assert site.grid_power_W == 200_000 + 1500 + HEATER_W
    assert list(member.loop.limits.charge_W) == [0] and member.loop.limits.discharge_W[0] > 0
    while member.charge_opens_s is None:
        site.step(1.0)
        assert member.now_s < 3600 and member.pcs[0].ac_power_W > -25_000
        if member.pcs[0].battery.degC < 0:
            assert member.pcs[0].ac_power_W >= 0
    opens_s = member.charge_opens_s
    (battery,) = [unit.battery for unit in member.pcs]
    assert 3.0 <= battery.degC < 4.0
    least_s = CELLS_J_PER_K * (battery.degC - COLD_DEGC) / (HEATER_W + 1000)
    assert least_s < opens_s < 1.5 * least_s
    assert member.heat_J == pytest.approx(HEATER_W * opens_s, rel=0.01)


def test_without_a_heater_cold_cells_stay_without_a_charge(tmp_path):
    site, member = cold(tmp_path, 0)
    for _ in range(600):
        site.step(1.0)
    assert (member.charge_opens_s, member.heat_J) == (None, 0.0)


def test_a_run_that_never_charges_has_no_figure():
    class Found:
        thermal = {"heat_J": 7.2e6}

    assert thermal.minutes_until_charge(Found) == (None, None, None)
    assert thermal.heat_kWh(Found)[0] == 2.0
