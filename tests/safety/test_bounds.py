"""Limits: each alone, all together, never widened by a demand, slow to rise, small integers."""

import itertools
from array import array

import checked_ints
import pytest
from bench import Bench, default_image
from hypothesis import given, settings, strategies as st
from started import running

from safety import bounds as b, matrix as m, parameters as p, signals as s, tapers
from safety.kernel import Kernel
from tests.tables import cases

RATED_W = 250_000
CHARGE, DISCHARGE = 0, 1  # the order of the kernel's pairs
PUBLISHED = (s.CHARGE_W_MAX, s.DISCHARGE_W_MAX)
REASON = (s.CHARGE_REASON, s.DISCHARGE_REASON)
DEMAND_COUNT = len(m.DEMANDS)
ONE_RACK_W = [107_282, 104_063]  # 140 A x 0.97 x 790 V, and 0.97 of that after losses
# If several limits leave nothing, the later one is named: causes before their consequences.
ORDER = (
    "pcs_rated installer bms_current cell_voltage_taper temperature_taper soc_taper bms_silence "
    "derate test ramp_to_zero inhibit stop permit"
).split()


def limit_W(bench, way, index, unit=0):
    return bench.kernel.bounds.limit_W[(unit * 2 + way) * len(b.LIMITS) + index]


def left_W(bench, index, unit=0):
    return [limit_W(bench, way, index, unit) for way in range(2)]


def both(bench, unit=0):
    return [bench.unit(signal, unit) for signal in PUBLISHED]


def reasons(bench):
    return [b.LIMITS[bench.unit(signal)] for signal in REASON]


def every_rack(bench, signal, value):
    for rack in range(bench.layout.racks):
        bench.set_rack(signal, value, rack)


def vector(**levels):
    return array("i", [levels.get(name, 0) for name in m.DEMANDS])


def demanding(bench, elapsed=1, permitted=True, **levels):
    bench.kernel.bounds.update(elapsed, vector(**levels), permitted)
    return bench


# 3 x 60 A x 0.97 x 790 V, and 0.97 of that after losses; 3 x 140 A would be 312 kW
@cases("""signal value charge_W discharge_W charge discharge
    s.SOH_PERMILLE  990  RATED_W  RATED_W  'pcs_rated'  'pcs_rated'
    s.CHARGE_CURRENT_MA_MAX  60_000  137_934  RATED_W  'bms_current'  'pcs_rated'
    s.DISCHARGE_CURRENT_MA_MAX  60_000  RATED_W  133_795  'pcs_rated'  'bms_current'
    s.CHARGE_CURRENT_MA_MAX  99  0  RATED_W  'bms_current'  'pcs_rated'
    s.DISCHARGE_CURRENT_MA_MAX  200_000  RATED_W  RATED_W  'pcs_rated'  'pcs_rated'
    s.RACK_VOLTAGE_MV  500_999  203_700  197_589  'bms_current'  'bms_current'
    s.CELL_VOLTAGE_MV_MAX  3550  125_000  RATED_W  'cell_voltage_taper'  'pcs_rated'
    s.CELL_VOLTAGE_MV_MIN  2900  RATED_W  125_000  'pcs_rated'  'cell_voltage_taper'
    s.MODULE_TEMPERATURE_DDEGC  375  187_500  RATED_W  'temperature_taper'  'pcs_rated'
    s.MODULE_TEMPERATURE_DDEGC  475  0  187_500  'temperature_taper'  'temperature_taper'
    s.MODULE_TEMPERATURE_DDEGC  500  0  125_000  'temperature_taper'  'temperature_taper'
    s.SOC_PERMILLE  985  125_000  RATED_W  'soc_taper'  'pcs_rated'
    s.SOC_PERMILLE  15  RATED_W  125_000  'pcs_rated'  'soc_taper'""")
def test_the_weakest_rack_decides(signal, value, charge_W, discharge_W, charge, discharge):
    for rack in range(3):
        bench = running(racks=3).set_rack(signal, value, rack).step(2)
        assert (both(bench), reasons(bench)) == ([charge_W, discharge_W], [charge, discharge])


@pytest.mark.parametrize("rack", range(3))
def test_the_silent_rack_decides(rack):
    bench = running(racks=3)
    bench.silent |= bench.bms_groups(rack)
    assert left_W(bench.step(26), b.L_BMS_SILENCE) == [240_000] * 2


@pytest.mark.parametrize("signal", [s.CHARGE_CURRENT_MA_MAX, s.DISCHARGE_CURRENT_MA_MAX])
@pytest.mark.parametrize("allowed_mA", [140_000, 140_100, 500_000])
def test_a_bms_cannot_widen_the_rating_of_its_rack(signal, allowed_mA):
    bench = running().set_rack(signal, allowed_mA)
    assert left_W(bench.step(), b.L_BMS_CURRENT) == ONE_RACK_W


# permille of rated left for charge and discharge
@cases("""signal value charge discharge
    s.MODULE_TEMPERATURE_DDEGC  101  1000  1000 | s.MODULE_TEMPERATURE_DDEGC  100  1000  1000
    s.MODULE_TEMPERATURE_DDEGC  99  990  1000 | s.MODULE_TEMPERATURE_DDEGC  1  10  1000
    s.MODULE_TEMPERATURE_DDEGC  0  0  1000 | s.MODULE_TEMPERATURE_DDEGC  -100  0  1000
    s.MODULE_TEMPERATURE_DDEGC  -101  0  990 | s.MODULE_TEMPERATURE_DDEGC  -199  0  10
    s.MODULE_TEMPERATURE_DDEGC  -200  0  0 | s.MODULE_TEMPERATURE_DDEGC  -600  0  0
    s.SOC_PERMILLE  970  1000  1000 | s.SOC_PERMILLE  971  966  1000
    s.SOC_PERMILLE  999  33  1000 | s.SOC_PERMILLE  1000  0  1000
    s.SOC_PERMILLE  30  1000  1000 | s.SOC_PERMILLE  29  1000  966
    s.SOC_PERMILLE  1  1000  33 | s.SOC_PERMILLE  0  1000  0""")
def test_cold_and_state_of_charge(signal, value, charge, discharge):
    bench = running(racks=3).set_rack(signal, value, 1).step()
    index, name = (b.L_SOC_TAPER, "soc_taper")
    if signal != s.SOC_PERMILLE:
        index, name = (b.L_TEMPERATURE_TAPER, "temperature_taper")
    assert left_W(bench, index) == [RATED_W // 1000 * charge, RATED_W // 1000 * discharge]
    for way, left in enumerate((charge, discharge)):
        assert reasons(bench)[way] == (name if left < 1000 else "pcs_rated")


@cases("""changed expected
    {}  (((350,450),(100,0)),((450,550),(-100,-200)))
    {'20a':400,'20b':350}  (((350,400),(100,0)),((350,350),(-100,-200)))
    {'18a':310,'18b':300,'20b':320}  (((310,450),(100,0)),((300,320),(-100,-200)))
    {'25a':50,'25b':0}  (((350,450),(150,50)),((450,550),(100,0)))
    {'20a':600,'18a':500,'25a':-100,'25b':-250}  (((350,450),(100,0)),((450,550),(-100,-200)))""")
def test_no_power_is_left_where_a_site_trips_sooner(changed, expected):
    """The tapers ended at 45 and 55 degC also where rows 20a and 20b trip at 32 and 35."""
    image, image_map = default_image(), p.ImageMap(1, 1, m.STAGES_PER_SCOPE)
    for place, stage in enumerate(m.STAGES):
        words = image_map.stage + place * len(p.STAGE_WORDS)
        image[words] = changed.get(stage[m.S_ID], image[words])
    assert tapers.temperature_tapers(image, image_map) == expected
    assert Kernel(image).bounds.racks.tapers == expected


@cases("""value full_at none_at left
    399  400  500  1000 | 400  400  500  1000 | 401  400  500  990 | 499  400  500  10
    500  400  500  0 | 501  400  500  0 | 3001  3000  2800  1000 | 3000  3000  2800  1000
    2999  3000  2800  995 | 2801  3000  2800  5 | 2800  3000  2800  0 | 2799  3000  2800  0
    9  10  10  1000 | 10  10  10  0""")
def test_a_taper(value, full_at, none_at, left):
    assert tapers.taper_permille(value, full_at, none_at) == left


def test_racks_that_tell_nothing_taper_nothing_but_have_a_state_of_charge():
    bench = Bench(default_image(cells_reported=0, temperatures_reported=0))
    groups = (s.G_BMS_CELLS, s.G_BMS_TEMPERATURES)
    bench.silent |= {bench.layout.rack_group(0, group) for group in groups}
    for signal, value in ((s.CELL_VOLTAGE_MV_MIN, 0), (s.CELL_VOLTAGE_MV_MAX, 10_000)):
        bench.set_rack(signal, value)
    bench.set_rack(s.MODULE_TEMPERATURE_DDEGC, -600).set_rack(s.SOC_PERMILLE, 985).run()
    assert left_W(bench, b.L_CELL_VOLTAGE_TAPER) == [RATED_W] * 2
    assert left_W(bench, b.L_TEMPERATURE_TAPER) == [RATED_W] * 2
    assert left_W(bench, b.L_SOC_TAPER) == [ONE_RACK_W[0] // 2, RATED_W]


def test_a_rack_without_temperatures_is_not_cold():
    bench = Bench(default_image(temperatures_reported=0)).step(30)
    bench.set_rack(s.MODULE_TEMPERATURE_DDEGC, -600).step()
    assert left_W(bench, b.L_TEMPERATURE_TAPER) == [RATED_W] * 2


def named(bench, way, **limits_W):
    bounds = bench.kernel.bounds
    for index, name in enumerate(b.LIMITS):
        bounds.limit_W[way * len(b.LIMITS) + index] = limits_W.get(name, RATED_W)
    bounds._lowest(0, way)
    return reasons(bench)[way], bounds.lowest_W[way]


@pytest.mark.parametrize("way", range(2))
def test_which_limit_is_named(way):
    bench = running()
    assert [b.LIMITS[index] for index in b.NAMED] == ORDER and set(ORDER) == set(b.LIMITS)
    assert named(bench, way) == ("pcs_rated", RATED_W)
    for early, late in itertools.combinations(ORDER, 2):
        assert named(bench, way, **{early: 0, late: 0}) == (late, 0)
        assert named(bench, way, **{early: 7, late: 7}) == (early, 7)
        assert named(bench, way, **{early: 7, late: 8}) == (early, 7)
        assert named(bench, way, **{early: 8, late: 7}) == (late, 7)
        assert named(bench, way, **{early: 0, late: 1}) == (early, 0)


@pytest.fixture
def two_units():
    rated_W, charge_W, discharge_W = (200_000, 90_000), (150_000, 70_000), (300_000, 60_000)
    changed = {"installer_charge_W_max": charge_W, "installer_discharge_W_max": discharge_W}
    changed |= {"rack_sharing_permille": (900, 970), "efficiency_permille_min": (970, 500)}
    return Bench(default_image(units=2, racks=2, rated_W=rated_W, **changed)).run()


def test_every_unit_has_limits_of_its_own_both_ways(two_units):
    found = [
        [left_W(two_units, index, unit) for unit in range(2)]
        for index in (b.L_PCS_RATED, b.L_INSTALLER, b.L_BMS_CURRENT, b.L_SOC_TAPER)
    ]
    # 140 A x 0.9 x 790 V (x 0.97), 140 A x 0.97 x 790 V beyond 90 kW, and half of that after losses
    assert found == [
        [[200_000] * 2, [90_000] * 2],
        [[150_000, 200_000], [70_000, 60_000]],
        [[99_540, 96_553], [90_000, 53_641]],
        [[200_000] * 2, [90_000] * 2],
    ]
    assert [both(two_units, unit) for unit in range(2)] == [[99_540, 96_553], [70_000, 53_641]]


@pytest.mark.parametrize("ticks", [1, 10, 60])
def test_every_unit_ramps_and_recovers_at_its_own_pace(two_units, ticks):
    bounds = two_units.kernel.bounds
    before, demand = list(bounds.published_W), vector(pcs=m.PCS_RAMP) * 2
    for _ in range(ticks):
        bounds.update(1, demand, True)
    steps = [rated // bounds.ramp_ticks + 1 for rated in (200_000, 200_000, 90_000, 90_000)]
    ramped = [max(0, then - ticks * step) for then, step in zip(before, steps)]
    assert list(bounds.published_W) == ramped
    bounds.update(1, vector() * 2, True)
    # 5 % of rated a second, 20 ms
    recovered = zip(before, ramped, (201, 201, 91, 91))
    assert list(bounds.published_W) == [min(then, now + share) for then, now, share in recovered]


NO_LIMIT = dict.fromkeys("dc fan horn lamp red_lamp maintenance operator facu pre_alarm".split(), 1)
IDC = {"discharge_inhibit": 1}


@cases("""levels charge_W discharge_W charge discharge
    {}  RATED_W  RATED_W  'pcs_rated'  'pcs_rated'
    NO_LIMIT  RATED_W  RATED_W  'pcs_rated'  'pcs_rated'
    {'charge_derate_pct':50}  125_000  RATED_W  'derate'  'pcs_rated'
    {'discharge_derate_pct':75}  RATED_W  62_500  'pcs_rated'  'derate'
    {'charge_derate_pct':100}  0  RATED_W  'derate'  'pcs_rated'
    {'charge_inhibit':2}  0  RATED_W  'inhibit'  'pcs_rated'
    {'discharge_inhibit':2}  RATED_W  0  'pcs_rated'  'inhibit'
    {'pcs':1}  247_499  247_499  'ramp_to_zero'  'ramp_to_zero'
    {'pcs':1,'charge_inhibit':1}|IDC  247_499  247_499  'ramp_to_zero'  'ramp_to_zero'
    {'pcs':1,'charge_inhibit':2}  0  247_499  'inhibit'  'ramp_to_zero'
    {'pcs':2}  0  0  'stop'  'stop' | {'permitted':False}  0  0  'permit'  'permit'""")
def test_each_limit_from_a_demand_alone(levels, charge_W, discharge_W, charge, discharge):
    bench = demanding(running(racks=3), **levels)
    assert (both(bench), reasons(bench)) == ([charge_W, discharge_W], [charge, discharge])


def test_a_derate_is_a_share_of_what_is_left():
    """Half of a 250 kW converter was no derate at all for the one rack of 104 kW behind it."""
    for way, name in enumerate(("charge_derate_pct", "discharge_derate_pct")):
        bench = running()
        assert both(bench) == ONE_RACK_W
        demanding(bench, **{name: 50})
        assert both(bench)[way] == ONE_RACK_W[way] // 2
        assert both(bench)[1 - way] == ONE_RACK_W[1 - way] and reasons(bench)[way] == "derate"
    image = default_image(racks=3, installer_charge_W_max=100_000, installer_discharge_W_max=80_000)
    bench = demanding(Bench(image).run(), charge_derate_pct=50, discharge_derate_pct=75)
    assert both(bench) == [50_000, 20_000]


@cases("""signal value
    s.CELL_VOLTAGE_MV_MAX  3550 | s.MODULE_TEMPERATURE_DDEGC  400 | s.SOC_PERMILLE  985""")
def test_a_taper_is_a_share_of_what_the_bms_allows_now(signal, value):
    """Not of what it allowed a step ago."""
    bench = running().set_rack(signal, value).step()
    assert both(bench)[CHARGE] == ONE_RACK_W[CHARGE] // 2
    bench.set_rack(s.CHARGE_CURRENT_MA_MAX, 70_000).step()
    assert both(bench)[CHARGE] == ONE_RACK_W[CHARGE] // 4


def test_a_small_racks_limit_falls_with_the_age_of_its_bms():
    bench = running()
    bench.silent = bench.bms_groups()
    assert both(bench.step(25)) == ONE_RACK_W  # 500 ms
    # 600 of 500 to 1000 ms
    assert both(bench.step(5)) == [whole_W * 8 // 10 for whole_W in ONE_RACK_W]
    assert both(bench.step(15)) == [whole_W * 2 // 10 for whole_W in ONE_RACK_W]


@pytest.mark.parametrize("closes_again", [False, True])
def test_a_rack_in_another_state_than_commanded_does_not_count(closes_again):
    """The command of the first stays until row 39 opens it in order."""
    bench = running(racks=2)
    at, both_racks_W = bench.rack_at(s.CONTACTOR_STATE, 1), limit_W(bench, CHARGE, b.L_BMS_CURRENT)
    bench.hold(at, s.CONTACTOR_OPEN).set_rack(s.RACK_CURRENT_MA, 0 if closes_again else 50_000, 1)
    bench.step(2)
    if closes_again:
        bench.hold(at, s.CONTACTOR_CLOSED).step(5)
    assert bench.rack(s.CONTACTOR_CLOSE_OK, 1) == (not closes_again)
    assert limit_W(bench, CHARGE, b.L_BMS_CURRENT) == both_racks_W // 2


@pytest.mark.parametrize("racks_mA", [(70_000, 35_000), (35_000, 70_000)])
def test_the_limits_of_two_racks_may_fall_in_one_step(racks_mA):
    bench = running(racks=2)
    for rack, current_mA in enumerate(racks_mA):
        bench.set_rack(s.CHARGE_CURRENT_MA_MAX, current_mA, rack)
    found = limit_W(bench.step(), CHARGE, b.L_BMS_CURRENT)
    every_rack(bench, s.CHARGE_CURRENT_MA_MAX, min(racks_mA))
    assert found == limit_W(bench.step(5), CHARGE, b.L_BMS_CURRENT)


def test_an_age_and_what_no_rack_allows_stay_small_numbers():
    bounds = Kernel(default_image()).bounds
    bounds.features.ages.oldest_ticks = [checked_ints.Small(s.TICKS_MAX)] * 3
    assert bounds.racks._silence_permille(0, bounds.map.rack) == 0
    bounds.image = [checked_ints.Small(word) for word in bounds.image]
    for way in (CHARGE, DISCHARGE):
        bounds._rack_limits(0, way)
        assert bounds.limit_W[way * b.LIMIT_COUNT + b.L_BMS_CURRENT] == 0


PLACES = "pcs charge_inhibit discharge_inhibit charge_derate_pct discharge_derate_pct".split()
LEVELS = st.tuples(*[st.integers(0, 2)] * 3, *[st.sampled_from([0, 25, 50, 75, 100])] * 2)
CHANGES = {s.CHARGE_CURRENT_MA_MAX: (0, 30_000, 140_000)}
CHANGES |= {s.DISCHARGE_CURRENT_MA_MAX: (50_000, 140_000), s.CELL_VOLTAGE_MV_MAX: (3560, 3300)}
CHANGES[s.RACK_VOLTAGE_MV] = (700_000,)
INPUTS = st.sampled_from([None] + [(at, value) for at in CHANGES for value in CHANGES[at]])
LATENESS = st.sampled_from([1, 1, 1, 7, 30, 200])
STEP = st.tuples(LATENESS, LEVELS, LEVELS, st.booleans(), st.booleans(), INPUTS)


@given(st.lists(STEP, min_size=1, max_size=12))
@settings(max_examples=100)
def test_a_demand_never_widens_a_limit_and_limits_rise_slowly(steps):
    fewer, more = running(racks=1), running(racks=1)
    for elapsed, levels, added, permitted, withheld, change in steps:
        before = both(fewer)
        for bench, demand, allowed in (
            (fewer, levels, permitted),
            (more, map(max, levels, added), permitted and not withheld),
        ):
            if change:
                bench.set_rack(*change)
            bench.kernel.fresh[:] = b"\1" * bench.layout.groups
            bench.kernel.features.update(1)
            demanding(bench, elapsed, allowed, **dict(zip(PLACES, demand)))
        assert all(low <= high for low, high in zip(both(more), both(fewer)))
        limits = zip(more.kernel.bounds.limit_W, fewer.kernel.bounds.limit_W)
        assert all(low <= high for low, high in limits)
        for way, published_W in enumerate(both(fewer)):
            limits = [limit_W(fewer, way, index) for index in range(len(b.LIMITS))]
            assert all(0 <= limit <= RATED_W for limit in limits)
            assert 0 <= published_W <= min(limits) == limits[fewer.unit(REASON[way])]
            risen = before[way] + 250 * min(elapsed, 8) + 1
            assert published_W == min(limits) or published_W <= risen


@pytest.mark.parametrize("elapsed, steps", [(1, 1002), (2, 502), (8, 127), (20, 127)])
def test_recovers_in_twenty_seconds_and_a_late_step_wins_little(elapsed, steps):
    bench = demanding(running(racks=3), pcs=2)
    count = 0
    while both(bench) != [RATED_W, RATED_W]:
        count += 1
        before = both(bench)
        demanding(bench, elapsed)
        assert both(bench)[0] - before[0] <= 250 * min(elapsed, 8) + 1
    assert steps - 10 < count < steps


@cases("""tick_ms ticks
    10  16 | 20  8 | 25  8 | 100  8""")
def test_a_pause_wins_160_ms_or_eight_ticks(tick_ms, ticks):
    kernel = Kernel(default_image(tick_ms=tick_ms))
    kernel.bounds.lowest_W[0] = kernel.bounds.limit_W[0] = RATED_W
    step_W = RATED_W * 50 // 1000 * tick_ms // 1000
    for elapsed, risen in ((1, 1), (ticks, ticks), (1000, ticks)):
        kernel.bounds.published_W[0] = 0
        kernel.bounds._publish(0, elapsed)
        assert kernel.bounds.published_W[0] == step_W * risen + 1


@pytest.mark.parametrize("elapsed", [1, 3, 100, 101, 1_000_000])
def test_a_ramp_takes_at_most_its_time_however_it_is_stepped(elapsed):
    bench = running(racks=3)
    for _ in range(-(-100 // elapsed)):
        assert both(bench) > [0, 0]
        demanding(bench, elapsed, pcs=m.PCS_RAMP)
    assert both(bench) == [0, 0]


def test_a_ramp_that_ends_early_recovers_slowly_and_begins_anew():
    bench = running(racks=3)
    for _ in range(10):
        demanding(bench, pcs=1)
    low = both(bench)
    assert (low, both(demanding(bench))) == ([RATED_W - 10 * 2501] * 2, [low[0] + 251] * 2)
    assert both(demanding(bench, pcs=1)) == [low[0] + 251 - 2501] * 2


def test_a_late_ramp_of_the_largest_converter_is_a_small_int():
    for kernel in (Kernel, checked_ints.load()["kernel"].Kernel):
        for elapsed, at_99_W in ((99, 999_901), (100, 0), (101, 0), (1_000_000, 0)):
            bounds = kernel(default_image(rated_W=100_000_000)).bounds
            bounds.published_W[:] = array("i", [100_000_000, 60_000_000])
            bounds.update(elapsed, vector(pcs=m.PCS_RAMP), True)
            ramped = [bounds.limit_W[way * b.LIMIT_COUNT + b.L_RAMP_TO_ZERO] for way in range(2)]
            assert ramped == [at_99_W, 0]


@cases("""tick_ms ramp_ms ramp_ticks
    20  2000  100 | 20  110  5 | 100  100  1 | 100  50  1""")
def test_a_ramp_takes_at_least_one_tick(tick_ms, ramp_ms, ramp_ticks):
    image = default_image(tick_ms=tick_ms, ramp_to_zero_ms=ramp_ms)
    assert Kernel(image).bounds.ramp_ticks == ramp_ticks
