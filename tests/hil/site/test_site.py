"""The balance of a site: on the grid, in an island, dark."""

import pytest
from hypothesis import given, strategies as st
from plant_bench import run, running
from site_bench import Unit, cabinet, site

from hil.plant import pcs
from hil.site.branches import LoadShed
from hil.site.cooling import Cooling
from hil.site.genset import Genset
from hil.site.grid import Grid
from hil.site.load_ups import LoadUps
from hil.site.pv import Pv
from hil.site.site import DARK, ISLAND, ON_GRID
from hil.site.transfer_switch import TransferSwitch
from hil.site.weather import Weather
from tests.tables import cases

POWER_W = st.floats(-400_000, 400_000)
UNITS = st.builds(Unit, POWER_W, st.floats(1000, 400_000), st.booleans())
NOON = Weather(time_of_day_s=43_200)
OUTAGE = Grid(1, outages=[[10, 60]])


def genset(**settings):
    return Genset({"rated_W": 150_000, **settings})


@given(
    st.lists(st.lists(UNITS, max_size=3), max_size=3),
    st.lists(st.floats(0, 600_000), min_size=1, max_size=60),
    st.floats(0.02, 1.0),
    st.tuples(st.floats(0, 20), st.floats(0, 20)),
    st.sets(st.sampled_from(("pv", "genset", "switch", "ups", "cooling", "shed"))),
)
def test_energy_is_neither_made_nor_lost(units, loads_W, dt_s, outage, fitted):
    made = {
        "pv": Pv({"rated_W": 300_000, "cloud_cover_permille": 500}, NOON),
        "genset": genset(start_s=1, warm_up_s=1),
        "switch": TransferSwitch({"return_s": 2, "call_s": 0.2}),
        "ups": LoadUps({"rated_W": 400_000, "energy_Wh": 500}),
        "shed": LoadShed({"stage_W": 50_000}),
    }
    made["shed"].ask("stages", 2)
    one = site(
        lambda t_s: loads_W[int(t_s / dt_s) % len(loads_W)],
        [cabinet(*each, drawn_W=1850.0) for each in units],
        grid=Grid(1, outages=[outage]),
        parts=[part for name, part in made.items() if name in fitted],
        cooling=Cooling() if "cooling" in fitted else None,
    )
    one.other_load_W = 5000.0
    for _ in range(60):
        one.step(dt_s)
    energy_J = one.account.energy_J
    assert abs(one.account.error_J()) <= 1e-6 * max(1.0, *energy_J.values())
    assert all(J >= 0 for name, J in energy_J.items() if name != "load")


def test_cabinets_are_feeders_of_one_connection():
    one = site(members=[cabinet(Unit(30_000.0), drawn_W=1000.0), cabinet(Unit(-10_000.0))])
    one.other_load_W = 5000.0
    run(one, 1)
    assert one.grid_power_W == pytest.approx(100_000 + 5000 + 1000 - 20_000)
    assert one.account.energy_J["imported"] == pytest.approx(86_000)
    assert one.account.highest_quarter_W() == pytest.approx(86_000)


def test_an_outage_without_a_transfer_switch_is_dark_and_ends():
    members = [cabinet(Unit(30_000.0, forms=True))]
    one = run(site(members=members, grid=OUTAGE, parts=[genset()]), 11)
    assert (one.source, one.load_power_W, one.grid_power_W) == (DARK, 0, 0)
    assert one.grid_voltage_V == 0 and members[0].pcs[0].ac_power_W == 0
    assert members[0].seen == [False]
    run(one, 60)
    assert one.source == ON_GRID and members[0].seen == [False, True]
    assert one.account.energy_J["unserved"] == pytest.approx(60 * 100_000)


@pytest.mark.parametrize("tick_s", [0.01, 0.02])
def test_a_transfer_switch_opens_at_its_time_at_every_tick(tick_s):
    switch, opened_s = TransferSwitch({}), 0.0
    switch.is_grid_present = False
    while switch.is_on_grid:
        switch.step(opened_s, tick_s, 0.0)
        opened_s += tick_s
    assert opened_s == pytest.approx(0.1)


def course(one, seconds):
    """[(source, until when)] of a run."""
    found = []
    for _ in range(seconds * 10):
        one.step(0.1)
        if not found or found[-1][0] != one.source:
            found.append([one.source, 0.0])
        found[-1][1] = one.now_us / 1e6
    return [(source, round(until_s, 1)) for source, until_s in found]


def test_the_generator_set_carries_an_outage_and_the_grid_comes_back():
    """Called 1 s after the outage of 10 s, 10 s of cranking, 5 s of warm-up; 30 s of good grid."""
    one = site(grid=OUTAGE, parts=[TransferSwitch({}), genset()])
    (before, dark, island, after) = course(one, 120)
    assert before == (ON_GRID, 9.9)
    assert dark == (DARK, pytest.approx(26.2, abs=0.3))
    assert island == (ISLAND, pytest.approx(99.9, abs=0.2))
    assert after[0] == ON_GRID
    assert one.account.energy_J["genset"] == pytest.approx(77.1 * 100_000, rel=0.01), "unloads"


@cases("""load_W  sources
    140_000.0  [ON_GRID, DARK, ISLAND, ON_GRID]
    160_000.0  [ON_GRID, DARK, ON_GRID]""")
def test_a_generator_set_takes_no_more_than_its_rating(load_W, sources):
    one = site(load_W, grid=OUTAGE, parts=[TransferSwitch({}), genset()])
    assert [source for source, _ in course(one, 120)] == sources


def test_forming_converters_share_the_island_by_rating_without_a_dark_moment():
    units = Unit(0.0, 200_000.0, True), Unit(0.0, 100_000.0, True), Unit(7000.0)
    one = site(
        130_000.0,
        [cabinet(units[0], drawn_W=2000.0), cabinet(*units[1:])],
        grid=OUTAGE,
        parts=[TransferSwitch({"open_s": 0.0})],
    )
    run(one, 15)
    assert (one.source, one.grid_voltage_V, one.grid_frequency_Hz) == (ISLAND, 230.0, 50.0)
    assert [unit.ac_power_W for unit in units] == pytest.approx([250e3 / 3, 125e3 / 3, 7000])
    units[0].forms, units[0].ac_power_W = False, 0.0  # the other one is too small
    run(one, 0.3)
    assert one.source == DARK and one.load_power_W == 0


def test_the_generator_set_carries_what_forming_converters_cannot():
    unit, diesel = Unit(0.0, 60_000.0, True), genset(start_s=0, warm_up_s=0, ramp_permille_per_s=1)
    load_W = [50_000.0]
    parts = [TransferSwitch({"open_s": 0, "call_s": 0}), diesel]
    one = site(lambda t_s: load_W[0], [cabinet(unit)], grid=OUTAGE, parts=parts)
    run(one, 20)
    assert one.source == ISLAND and diesel.feeds_W + unit.ac_power_W == pytest.approx(50_000)
    load_W[0] = 120_000.0
    run(one, 5)
    assert one.source == ISLAND and one.load_power_W == 120_000
    assert unit.ac_power_W == pytest.approx(60_000, abs=1000)
    assert diesel.feeds_W == pytest.approx(60_000, abs=1000)


def test_the_ups_of_the_load_is_not_charged_in_an_island():
    ups = LoadUps({"rated_W": 200_000, "energy_Wh": 5000})
    one = site(143_000.0, grid=OUTAGE, parts=[TransferSwitch({}), genset(), ups])
    run(one, 60)
    assert one.source == ISLAND and one.load_power_W == pytest.approx(143_000 / 0.96)
    assert ups.left_Wh < 4500 and one.account.energy_J["unserved"] == 0
    too_much = site(145_000.0, grid=OUTAGE, parts=[TransferSwitch({}), genset(), ups])
    assert run(too_much, 60).source == DARK


def test_in_an_island_pv_gives_way_to_what_nobody_takes():
    unit, pv = Unit(0.0, 20_000.0, True), Pv({"rated_W": 200_000}, NOON)
    one = site(50_000.0, [cabinet(unit)], grid=OUTAGE, parts=[TransferSwitch({"open_s": 0}), pv])
    run(one, 9)
    free_W = pv.feeds_W
    run(one, 10)
    assert one.source == ISLAND and free_W > 150_000
    assert (unit.ac_power_W, pv.feeds_W) == (-20_000, pytest.approx(70_000))


def test_the_ups_of_the_load_bridges_and_recharges():
    ups = LoadUps({"rated_W": 100_000, "energy_Wh": 1000, "efficiency_permille": 960})
    one = run(site(50_000.0, grid=OUTAGE, parts=[ups]), 9)
    assert one.load_power_W == pytest.approx(50_000 / 0.96)
    run(one, 31)
    assert ups.unserved_W == 0 and ups.left_Wh == pytest.approx(1000 - 50 / 0.96 * 30 / 3.6, abs=2)
    run(one, 40)  # 1 kWh last 69 s
    assert one.account.energy_J["unserved"] == 0 and ups.left_Wh < 500
    recharging_W = one.load_power_W - 50_000 / 0.96
    assert recharging_W == pytest.approx(
        10_000 / 3, rel=0.02
    )  # after 10 s of the 30 s of its walk-in
    one = run(site(50_000.0, grid=Grid(1, outages=[[0, 100]]), parts=[ups]), 100)
    assert one.account.energy_J["unserved"] > 50_000 * 50


def test_shed_stages_leave_the_load():
    shed = LoadShed({"stage_W": 30_000})
    one = run(site(parts=[shed]), 1)
    shed.ask("stages", 2)
    run(one, 0.1)
    assert one.load_power_W == one.grid_power_W == 40_000
    shed.ask("stages", 4)
    assert run(one, 0.1).load_power_W == 0


def test_a_converter_that_follows_waits_out_a_dark_site_and_a_forming_one_carries_it():
    one = running()
    one.site.grid = Grid(1, outages=[[one.now_us / 1e6, 5]])
    run(one, 0.2)
    unit = one.pcs[0]
    assert (unit.state, unit.ac_power_W, one.ups.mains) == (pcs.OFF, 0.0, False)
    run(one, 10)
    assert (unit.state, unit.ac_power_W, one.ups.mains) == (pcs.RUNNING, 100_000.0, True)
    one = running(load_W=80_000.0)
    one.site._add(TransferSwitch({"open_s": 0.0}))
    one.pcs[0].can_form = True
    one.site.grid = Grid(1, outages=[[one.now_us / 1e6 + 1, 5]])
    run(one, 3)
    assert one.site.source == ISLAND and one.ups.mains
    assert one.pcs[0].ac_power_W == pytest.approx(80_000 + 1850)
    assert one.pcs[0].dc_power_W > 81_850
    run(one, 60)
    assert one.site.source == ON_GRID and one.pcs[0].ac_power_W == 100_000


def test_a_dip_lowers_the_voltage_and_a_transformer_of_more_power_sags_less():
    one = run(site(grid=Grid(1, dips=[[1, 0.5, 600]])), 1.2)
    assert one.grid_voltage_V == pytest.approx(0.6 * 229, abs=2)
    assert run(one, 1).grid_voltage_V > 225
    large = site(5e6, grid=Grid(1, import_W_max=10e6))
    assert run(large, 60).grid_voltage_V == pytest.approx(230 - 2.5, abs=1)


def test_after_a_collapse_the_site_rests_5_s():
    load_W = [50_000.0]
    unit = Unit(0.0, 60_000.0, True)
    one = site(
        lambda t_s: load_W[0], [cabinet(unit)], grid=OUTAGE, parts=[TransferSwitch({"open_s": 0})]
    )
    run(one, 15)
    load_W[0] = 70_000.0
    run(one, 0.2)
    assert one.source == DARK and one.account.energy_J["unserved"] > 0
    load_W[0] = 50_000.0
    assert course(one, 8) == [(DARK, pytest.approx(20.2, abs=0.2)), (ISLAND, 23.2)]


def test_somebody_may_part_the_site_from_the_grid():
    one = running(load_W=60_000.0)
    one.pcs[0].can_form = one.site.is_parted = True
    run(one, 1)
    assert one.is_off_grid and one.pcs[0].is_forming
    assert (one.grid_power_W, one.pcs[0].ac_power_W) == (0, pytest.approx(61_850))
    one.site.is_parted = False
    run(one, 1)
    assert not one.pcs[0].is_forming and one.pcs[0].ac_power_W == 100_000


def test_the_highest_quarter_is_a_mean_from_the_begin_of_the_run():
    one = site(lambda t_s: 200_000.0 if 800 <= t_s < 1000 else 100_000.0)
    run(one, 1000, 1.0)
    assert one.account.highest_quarter_W() == pytest.approx(199_000)  # the begun one
    run(one, 1000, 1.0)
    assert one.account.highest_quarter_W() == pytest.approx(100_000 * (1 + 101 / 900))
    assert one.account.import_W_max == 200_000
