"""Shedding: how much, in which order, by energy, and the way back. 25 ticks are 0.5 s."""

import pytest
from device_bench import Bench
from views import device

from controller.core.base import reasons
from controller.core.policies import modes
from controller.core.policies.shed import Shed
from tests.tables import cases

LOADS = device("load_shed", stages_max=3, stage_W=50_000)


def shed(**settings):
    return Bench(Shed, LOADS, grid_import_W_max=500_000, **settings)


@cases("""
    connection_W  ticks  stages
    750_000  25  0 | 750_001  25  1 | 800_000  25  1 | 800_001  25  2 | 2_000_000  25  3
    760_000  24  0 | 760_000  26  1
""")
def test_as_many_stages_are_shed_as_power_has_been_missing(connection_W, ticks, stages):
    found = shed().asked(ticks, connection_W=connection_W)
    assert found == {0: (stages, reasons.SHED_LOAD if stages else reasons.NO_REQUEST)}


@cases("""
    connection_W  ticks  stages
    695_000  1499  1 | 695_000  1500  0 | 695_001  1600  1 | None  1600  1
""")
def test_a_stage_comes_back_when_there_has_been_room_for_it(connection_W, ticks, stages):
    bench = shed()
    bench.asked(25, connection_W=760_000)
    found = bench.asked(ticks, connection_W=connection_W)
    assert found[0][0] == stages


def off_grid(mode=modes.ISLAND, **known):
    """A view off the grid: a converter forms, 250 kW may be discharged, the battery is full."""
    full = {"is_forming": True, "limit_W": 250_000, "soc_permille": (1000, 1000)}
    full["forming_W"] = 250_000
    return {"mode": mode, "is_off_grid": True, "load_meter_W": 100_000} | full | known


@cases("""
    known  stages
    {"load_meter_W": 250_000}  0 | {"load_meter_W": 250_001}  1 | {"load_meter_W": 300_001}  2
    {"load_meter_W": 300_000, "genset_W": 49_999}  1
    {"load_meter_W": 300_000, "genset_W": 50_000}  0
    {"load_meter_W": None, "battery_W": 250_001}  1 | {"load_meter_W": None}  0
    {"load_meter_W": 900_000, "is_forming": False}  0
    {"load_meter_W": 900_000, "is_forming": False, "genset_W": 700_000, "limit_W": 0}  3
    # only converters that form the voltage give what is missing
    {"load_meter_W": 150_000, "forming_W": 150_000}  0
    {"load_meter_W": 150_001, "forming_W": 150_000}  1
    {"load_meter_W": 250_001, "forming_W": 900_000}  1
""")
def test_off_the_grid_the_load_that_the_sources_cannot_give_is_missing(known, stages):
    found = shed().asked(25, **off_grid(**known))
    assert found == {0: (stages, reasons.SHED_LOAD if stages else reasons.NO_REQUEST)}


@cases("""
    is_running  power_W  is_fresh  stages
    1  50_000  True  0 | 1  50_001  True  1 | 1  110_000  True  2 | 0  110_000  True  0
    1  110_000  False  0
""")
def test_without_a_load_meter_the_power_of_a_set_counts_once(is_running, power_W, is_fresh, stages):
    """The battery gives 250 kW, which is its limit, and the set has accepted 50 kW."""
    bench = Bench(Shed, LOADS, device("genset"))
    bench.hear(genset_1__is_running=is_running, genset_1__power_W=power_W)
    bench.hear(is_fresh)
    known = off_grid(load_meter_W=None, battery_W=250_000, genset_W=50_000)
    found = bench.asked(25, **known)
    assert found[0][0] == stages


@cases("""
    power_W  battery_W  stages
    100_000  0  2 | 50_000  95_000  2 | 50_000  96_000  3 | None  0  3
""")
def test_beside_a_set_alone_stages_come_back_without_a_load_meter(power_W, battery_W, stages):
    """Battery and set give the load. The set accepts 100 kW, the battery may give 100 kW."""
    bench = Bench(Shed, LOADS, device("genset"))
    bench.asked(**off_grid(modes.BLACK_START, load_meter_W=None))
    bench.hear(load_shed_1__stages=3, genset_1__is_running=1, genset_1__power_W=power_W or 0)
    bench.hear(power_W is not None, load_shed_1__stages=3)
    known = {"is_forming": False, "load_meter_W": None, "genset_W": 100_000, "limit_W": 100_000}
    found = bench.asked(1500, **off_grid(battery_W=battery_W, **known))
    assert found[0][0] == stages


def test_a_load_meter_that_others_contradict_and_pv_beyond_its_rating_do_not_count():
    bench = Bench(Shed, LOADS, device("genset"), device("pv", rated_W=10_000))
    bench.hear(pv_1__power_W=90_000)
    for known, stages in (({"is_load_wrong": True}, 0), ({}, 3)):
        found = bench.asked(25, **off_grid(load_meter_W=900_000, battery_W=100_000, **known))
        assert found[0][0] == stages
    bench = Bench(Shed, *[each.device for each in bench.site.devices])
    bench.hear(pv_1__power_W=90_000)
    found = bench.asked(25, **off_grid(load_meter_W=270_000))
    assert found[0][0] == 1, "10 kW at most"


@cases("""
    soc_permille  stages
    301  0 | 300  1 | 201  1 | 200  2 | 101  2 | 100  3 | 0  3 | None  0
""")
def test_off_the_grid_stages_go_before_the_battery_is_empty(soc_permille, stages):
    soc = None if soc_permille is None else (soc_permille, 1000)
    bench, known = shed(), off_grid(soc_permille=soc)
    assert bench.asked(**known)[0] == (stages, reasons.SHED_ENERGY if stages else 101)
    assert shed().asked(soc_permille=soc)[0][0] == 0, "on the grid the charge sheds nothing"


@cases("""
    soc_permille  stages
    101  0 | 100  1 | 67  1 | 66  2 | 33  3 | None  0
""")
def test_beside_a_set_stages_go_at_a_third_of_that_charge(soc_permille, stages):
    """A set of 12 MW once gave 8.4 MW, and the battery gave the rest until it tripped."""
    soc = None if soc_permille is None else (soc_permille, 1000)
    bench, known = shed(), off_grid(soc_permille=soc, genset_W=250_000)
    assert bench.asked(**known)[0] == (stages, reasons.SHED_ENERGY if stages else 101)


@cases("""
    soc_permille  stages
    116  1 | 117  0 | 150  0 | None  0
""")
def test_beside_a_set_they_come_back_before_the_charge_at_which_it_starts(soc_permille, stages):
    bench = shed()
    bench.asked(**off_grid(soc_permille=(100, 100), genset_W=250_000))
    soc = None if soc_permille is None else (soc_permille, soc_permille)
    found = bench.asked(1500, **off_grid(soc_permille=soc, genset_W=250_000))
    assert found[0][0] == stages


@cases("""
    soc_permille  stages
    350  1 | 351  0 | None  1
""")
def test_they_come_back_above_the_hysteresis(soc_permille, stages):
    bench = shed()
    bench.asked(**off_grid(soc_permille=(300, 300)))
    soc = None if soc_permille is None else (soc_permille, soc_permille)
    found = bench.asked(1500, **off_grid(soc_permille=soc))
    assert found[0][0] == stages


@cases("""
    load_W  sun_W  stages
    195_000  100_000  0 | 195_001  100_000  1 | 195_000  0  0
""")
def test_a_stage_does_not_come_back_on_the_sun_of_an_island(load_W, sun_W, stages):
    """The battery may give 250 kW. A cloud would take the bus down with all of its load."""
    bench = Bench(Shed, LOADS, device("pv", rated_W=200_000))
    bench.hear(pv_1__power_W=sun_W, load_shed_1__stages=0)
    bench.asked(25, **off_grid(load_meter_W=280_000 + sun_W))
    bench.hear(pv_1__power_W=sun_W, load_shed_1__stages=1)
    found = bench.asked(1500, **off_grid(load_meter_W=load_W, battery_W=load_W - sun_W))
    assert found[0][0] == stages


@cases("""
    ticks  known  is_needed
    249  {"load_meter_W": 300_000}  False | 250  {"load_meter_W": 300_000}  True
    250  {"load_meter_W": 250_000}  False | 250  {"load_meter_W": 250_001}  True
    250  {"load_meter_W": 300_000, "genset_W": 300_000}  True
    250  {"load_meter_W": 200_000, "soc_permille": (100, 100)}  False
""")
def test_an_island_that_lacks_power_needs_a_generator_set(ticks, known, is_needed):
    bench = Bench(Shed, device("genset"))
    bench.asked(ticks, **off_grid(**known))
    assert bench.seen.is_set_needed == is_needed
    bench.asked(connection_W=None)
    assert not bench.seen.is_set_needed, "on the grid none is"


@pytest.mark.parametrize("load_W, is_needed", ((195_000, False), (195_001, True)))
def test_a_stage_that_has_no_room_to_come_back_needs_a_set(load_W, is_needed):
    bench = shed()
    bench.asked(25, **off_grid(load_meter_W=270_000))
    bench.asked(250, **off_grid(load_meter_W=load_W))
    assert bench.seen.is_set_needed == is_needed


@pytest.mark.parametrize("low_ticks, is_needed", ((50, True), (550, False)))
def test_a_load_that_swings_needs_a_set_unless_it_lacks_power_for_less_than_a_tenth(
    low_ticks, is_needed
):
    bench = Bench(Shed, device("genset"))
    for _ in range(20):
        for load_W, ticks in ((300_000, 50), (0, low_ticks)):
            bench.asked(ticks, **off_grid(load_meter_W=load_W))
    assert bench.seen.is_set_needed == is_needed


def test_the_need_of_a_set_ends_after_five_minutes_without_a_peak():
    bench = Bench(Shed, device("genset"))
    for load_W, ticks in ((300_000, 250), (0, 14_999), (300_000, 1), (0, 14_999)):
        bench.asked(ticks, **off_grid(load_meter_W=load_W))
        assert bench.seen.is_set_needed
    bench.asked(**off_grid(load_meter_W=0))
    assert not bench.seen.is_set_needed


def two_devices():
    """The second one is shed first; it has two stages of 50 kW, the first one of 100 kW."""
    first = device("load_shed", 1, stages_max=1, stage_W=100_000, shed_order=2)
    second = device("load_shed", 2, stages_max=2, stage_W=50_000, shed_order=1)
    return Bench(Shed, first, second, grid_import_W_max=0)


@cases("""
    load_W  first  second
    300_000  0  1 | 300_001  0  2 | 350_000  0  2 | 350_001  1  2 | 900_000  1  2
""")
def test_devices_are_shed_in_their_order(load_W, first, second):
    bench = two_devices()
    found = bench.asked(25, **off_grid(load_meter_W=load_W))
    assert (found[0][0], found[1][0]) == (first, second)


def test_after_a_black_start_stages_come_back_in_reverse_order_one_at_a_time():
    bench = two_devices()
    found = bench.asked(**off_grid(modes.BLACK_START, is_forming=False))
    assert found == {0: (1, reasons.SHED_BLACK_START), 1: (2, reasons.SHED_BLACK_START)}
    seen = []
    for tick in range(4600):
        found = bench.asked(**off_grid())
        if not seen or seen[-1][1:] != (found[0][0], found[1][0]):
            seen.append((tick, found[0][0], found[1][0]))
    assert seen == [(0, 1, 2), (1499, 0, 2), (2999, 0, 1), (4499, 0, 0)]


@pytest.mark.parametrize("reported, stages", ((0, 0), (2, 2), (3, 3), (9, 3)))
def test_after_a_start_the_stages_that_a_device_reports_stay_open(reported, stages):
    bench = shed()
    bench.hear(is_fresh=False)
    assert bench.asked(**off_grid())[0][0] == 0
    bench.hear(load_shed_1__stages=reported)
    assert bench.asked(**off_grid())[0][0] == stages
    bench.hear(load_shed_1__stages=1)
    assert bench.asked(**off_grid())[0][0] == stages, "once only"


def test_the_next_stage_waits_until_the_device_reports_the_one_before():
    bench = shed()
    bench.asked(**off_grid(modes.BLACK_START))
    bench.hear(load_shed_1__stages=3)
    found = bench.asked(3 * 1500, **off_grid())
    assert found[0][0] == 2, "the least time of the device still holds the third one open"
    bench.hear(load_shed_1__stages=2)
    found = bench.asked(1500, **off_grid())
    assert found[0][0] == 1


@pytest.mark.parametrize("mode", (modes.HAND_OVER, modes.RETURN))
def test_in_a_change_of_the_source_no_stage_comes_back(mode):
    bench = two_devices()
    bench.asked(**off_grid(modes.BLACK_START))
    on_grid = {"mode": mode, "connection_W": -(10**6)}
    found = bench.asked(3000, **(off_grid(mode) if mode == modes.HAND_OVER else on_grid))
    assert (found[0][0], found[1][0]) == (1, 2)
