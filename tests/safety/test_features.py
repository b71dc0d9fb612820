"""Derived signals at their edges, and with missing inputs."""

import itertools

import pytest
from desk import Desk
from rows import ticks
from started import running

from safety import matrix as m, racks, signals as s
from tests.tables import cases

KNOWN, IN_PART, UNKNOWN = m.KNOWN, m.IN_PART, 0


@pytest.mark.parametrize("first, second, differ", [(0, 0, 0), (1, 1, 0), (0, 1, 1), (1, 0, 1)])
def test_discrepancy_needs_both_modules(first, second, differ):
    desk = Desk().set(s.ESTOP_1_OK, first).set(s.ESTOP_2_OK, second)
    assert desk.step().of(m.F_ESTOP_DISCREPANCY) == (differ, KNOWN)
    for group in (s.G_IO_1, s.G_IO_2):
        assert desk.silence(group).step(ticks(500) + 1).of(m.F_ESTOP_DISCREPANCY)[1] == UNKNOWN
        assert desk.speak().step().of(m.F_ESTOP_DISCREPANCY) == (differ, KNOWN)


@cases("""feature pair
    m.F_IO_SILENCE_MS  (s.G_IO_1,s.G_IO_2)
    m.F_METER_SILENCE_MS  (s.G_METER_GRID,s.G_METER_LOAD)""")
def test_the_older_of_two_groups_counts_and_one_never_seen_does_not(feature, pair):
    desk = Desk().silence(*pair).step(100)
    assert desk.of(feature) == (0, IN_PART), "nor does its silence show that it is well"
    desk.speak().step().silence(pair[0]).step(3).silence(pair[1]).step(2)
    assert desk.of(feature) == (5 * 20, KNOWN)
    assert desk.speak(pair[0]).step().of(feature) == (3 * 20, KNOWN)
    assert desk.step(1, elapsed=500).of(feature) == (503 * 20, KNOWN)


@cases("""signal group
    s.GRID_RAW_HASH  s.G_METER_GRID | s.LOAD_RAW_HASH  s.G_METER_LOAD""")
def test_frozen_words(signal, group):
    desk = Desk().silence(s.G_METER_GRID, s.G_METER_LOAD).step(300)
    # never seen is not frozen, nor known not to be
    assert desk.of(m.F_METER_FROZEN_MS) == (0, IN_PART)
    desk.silent.discard(group)
    for word in (7, 8, 8, 8):
        desk.set(signal, word).step()
    assert desk.of(m.F_METER_FROZEN_MS) == (2 * 20, IN_PART)
    assert desk.step(1, elapsed=10).of(m.F_METER_FROZEN_MS) == (12 * 20, IN_PART)
    desk.silence(group)
    desk.inp[signal] = 9  # not fresh: no news
    assert desk.step().of(m.F_METER_FROZEN_MS) == (13 * 20, IN_PART)
    assert desk.speak(group).step().of(m.F_METER_FROZEN_MS) == (0, IN_PART)
    desk.silent.clear()
    assert desk.step(4).of(m.F_METER_FROZEN_MS) == (4 * 20, KNOWN)  # the more frozen one
    # stops counting
    assert desk.step(3, elapsed=1_000_000).of(m.F_METER_FROZEN_MS)[0] == 20_000_000


@cases("""scope budgets_ticks
    s.UNIT  (100,150,250) | s.RACK  (25,50,150)""")
def test_silence_levels_follow_the_oldest_group(scope, budgets_ticks):
    groups, feature = s.UNIT_GROUPS, m.F_PCS_SILENCE_LEVEL
    if scope == s.RACK:
        groups, feature = s.RACK_GROUPS, m.F_BMS_SILENCE_LEVEL
    for group in range(len(groups)):
        for level, budget_ticks in enumerate((*budgets_ticks, 10**6)):
            for late, reached in ((-1, level), (0, min(3, level + 1))):
                desk = Desk(units=2, racks=2).step()
                of = desk.layout.unit_group if scope == s.UNIT else desk.layout.rack_group
                desk.silence(of(1, group)).step(1, elapsed=budget_ticks + late)
                assert desk.of(feature, scope, 1) == (reached, KNOWN), (group, level, late)
                assert desk.of(feature, scope, 0) == (0, KNOWN)


def test_a_bms_that_never_sent_one_kind_of_frame_is_not_silent():
    desk = Desk()
    never = [desk.layout.rack_group(0, each) for each in (s.G_BMS_CELLS, s.G_BMS_TEMPERATURES)]
    assert desk.silence(*never).step(500).of_rack(m.F_BMS_SILENCE_LEVEL) == (0, IN_PART)
    for name in "cell_voltage_mV_max cell_voltage_mV_min temperature_rising".split():
        assert desk.of_rack(m.RACK_FEATURES.index(name))[1] == UNKNOWN
    assert desk.of_rack(m.F_CHARGING)[1] == KNOWN


@cases("""elapsed late_ms
    1  20 | 24  480 | 25  500 | 10**5  2*10**6 | 10**6  2*10**6""")
def test_how_late_a_step_is(elapsed, late_ms):
    assert Desk().step(1, elapsed=elapsed).of(m.F_STEP_LATE_MS) == (late_ms, KNOWN)


def test_the_end_of_the_last_run_is_published_once():
    desk = Desk()
    desk.kernel.boot(1, 1, ())
    for value in (1, 0):
        desk.step()
        assert desk.of(m.F_BOOT_NOT_CLEAN) == desk.of(m.F_BOOT_STORE_UNREADABLE) == (value, KNOWN)


def test_the_silence_of_a_detector_is_seen_in_its_tick():
    for silent, speaking in ((s.G_GAS_1, s.G_GAS_2), (s.G_GAS_2, s.G_GAS_1)):
        desk = Desk().step().silence(silent, speaking).step(ticks(3000) - 2)
        desk.silent.discard(speaking)
        assert desk.step().silence(speaking).step().of(m.F_GAS_DETECTORS_SILENT) == (0, KNOWN)
        assert desk.step().of(m.F_GAS_DETECTORS_SILENT) == (1, KNOWN)


# rated, limit, current -> margin: the larger of 2 A and 1 % of rated
@cases("""rated_mA limit_mA current_mA over_105_mA over_110_mA
    140_000  100_000  107_000  0  -5000 | 140_000  100_000  -112_001  5001  1
    200_000  100_000  107_000  0  -5000 | 201_000  100_000  107_000  -10  -5010
    300_000  100_000  108_000  0  -5000 | 140_000  0  2001  1  1 | 140_000  0  -2001  1  1
    300_000  100_000  -3000  -105_000  -110_000 | 300_000  100_000  -3001  -104_999  -109_999
    140_000  0  -2000  0  0 | 140_000  19  0  -2019  -2020
    140_000  300_000  149_001  1  -6999 | 140_000  300_000  -156_000  7000  0
    3_000_000  3_000_000  3_000_000  -180_000  -330_000""")
def test_current_beyond_the_limit(rated_mA, limit_mA, current_mA, over_105_mA, over_110_mA):
    desk, charging = Desk(rated_current_mA=rated_mA), current_mA < 0
    desk.rack(s.CHARGE_CURRENT_MA_MAX, limit_mA if charging else 0)
    desk.rack(s.DISCHARGE_CURRENT_MA_MAX, 0 if charging else limit_mA)
    desk.rack(s.RACK_CURRENT_MA, current_mA).step()
    looked_at = m.F_CURRENT_OVER_105_MA, m.F_CURRENT_OVER_110_MA, m.F_CHARGING
    values = over_105_mA, over_110_mA, current_mA < -max(2000, rated_mA // 100)
    assert [desk.of_rack(at) for at in looked_at] == [(value, KNOWN) for value in values]
    known = [KNOWN] * 3
    for group, lost in ((s.G_BMS_STATE, ()), (s.G_BMS_LIMITS, (0, 1)), (s.G_BMS_PACK, (2,))):
        known = [UNKNOWN if at in lost else each for at, each in enumerate(known)]
        desk.silence_rack(group)
        assert [desk.of_rack(at)[1] for at in looked_at] == known


@cases("""rated_W power_W excess_W
    250_000  105_000  0 | 250_000  105_001  1 | 250_000  -95_000  0 | 250_000  -95_001  1
    90_000  102_000  0 | 100_000  102_001  1 | 150_000  102_001  -999 | 250_000  0  -95_000
    250_000  1  -104_999""")
def test_power_beyond_the_limit(rated_W, power_W, excess_W):
    """The larger of 2 kW and 2 % of rated over the limit of its direction; 0 W is charging."""
    desk = Desk(units=2, racks=2, rated_W=(250_000, rated_W))
    desk.out[desk.layout.unit_output(1, s.DISCHARGE_W_MAX)] = 100_000
    desk.out[desk.layout.unit_output(1, s.CHARGE_W_MAX)] = 90_000
    desk.set_unit(s.PCS_POWER_W, power_W, 1).step()
    assert desk.of(m.F_PCS_EXCESS_W, s.UNIT, 1) == (excess_W, KNOWN)
    desk.silence(desk.layout.unit_group(1, s.G_PCS_MEASURE)).step(ticks(2000) + 1)
    assert desk.of(m.F_PCS_EXCESS_W, s.UNIT, 1)[1] == UNKNOWN


def test_each_group_of_the_pcs_is_news_of_its_own():
    desk = Desk().step()
    measure, control = (desk.layout.unit_group(0, group) for group in range(2))
    desk.out[desk.layout.unit_output(0, s.DISCHARGE_W_MAX)] = 100_000
    desk.silence(control)
    for power_W, excess_W in ((110_000, 5000), (120_000, 15_000)):
        desk.set_unit(s.PCS_POWER_W, power_W)
        assert desk.step().of(m.F_PCS_EXCESS_W, s.UNIT) == (excess_W, KNOWN)
    assert desk.features.changed[1] == 1
    desk.silence(measure).silent.discard(control)
    assert desk.step().features.changed[1] == 1
    assert desk.silence(control).step().features.changed[1] == 0, "no news"
    desk.step(ticks(2000) - 2)
    assert desk.of(m.F_PCS_SILENCE_LEVEL, s.UNIT) == (1, KNOWN) and desk.features.changed[1] == 1


def bad(desk, count, steps=1):
    return desk.rack(s.BMS_BAD_FRAMES, count).step(steps).of_rack(m.F_BMS_BAD_FRAMES_RECENT)


def test_bad_frames_leak_one_a_second():
    desk = Desk()
    assert (bad(desk, 0), bad(desk, 7), bad(desk, 9)) == ((0, KNOWN), (7, KNOWN), (9, KNOWN))
    assert bad(desk, 9, steps=46) == (9, KNOWN)  # the 49th step
    assert (bad(desk, 9), bad(desk, 9, steps=50 * 20)) == ((8, KNOWN), (0, KNOWN))
    desk = Desk()
    bad(desk, 500)
    assert bad(desk, 3) == (500, KNOWN)  # a counter that begins anew adds nothing
    assert (bad(desk, 4), bad(desk, s.INT_MAX)) == ((501, KNOWN), (racks.BAD_FRAMES_MAX, KNOWN))
    desk = Desk()
    bad(desk, 5)
    desk.silence(desk.layout.rack_group(0, s.G_BMS_STATE))
    assert bad(desk, 30) == (5, KNOWN)  # counted only with a fresh state frame
    desk.silent.clear()
    assert bad(desk, 30) == (30, KNOWN)


def test_a_quiet_rack_is_not_computed_until_it_is_silent():
    desk = Desk(racks=2).step()
    desk.silence(*range(desk.layout.rack_group_base, desk.layout.groups)).step(ticks(500) - 1)
    assert list(desk.features.changed) == [1, 1, 0, 0]
    assert list(desk.step().features.changed) == [1, 1, 1, 1]
    desk.silent.discard(desk.layout.rack_group(1, s.G_BMS_CHARGE))
    assert list(desk.step().features.changed) == [1, 1, 1, 1], "its other groups are still silent"


BUDGETS = {
    **{"io_silent_ms": (s.G_IO_1, s.G_IO_2, s.G_IO_3), "monitor_silent_ms": (s.G_CLIMATE, s.G_UPS)},
    "meter_silent_ms": (s.G_METER_GRID, s.G_METER_LOAD),
    "gas_silent_ms": range(s.G_GAS_1, s.G_TOXIC + 1),
}


@pytest.mark.parametrize("parameter", BUDGETS)
def test_budgets_come_from_the_parameters_and_round_up(parameter):
    for group in BUDGETS[parameter]:
        desk = Desk(**{parameter: 410}).step().silence(group).step(21)
        assert (desk.features.ages.known(group), desk.step().features.ages.known(group)) == (1, 0)


def test_nothing_is_known_before_it_was_seen_and_the_local_group_never_grows_old():
    desk = Desk().silence(*range(50)).step(3)
    assert not any(desk.features.ages.known(group) for group in range(desk.layout.groups))
    desk.speak().step().silence(*range(50)).step(2000, elapsed=1_000_000)
    assert [desk.features.ages.known(group) for group in range(desk.layout.groups)].count(1) == 1
    assert desk.features.ages.known(s.G_LOCAL)
    assert max(desk.step().features.ages.ticks) == s.TICKS_MAX < 1 << 30


def test_the_oldest_of_a_block_is_its_oldest_group_and_nothing_while_all_are_fresh():
    bench = running(racks=2)
    oldest = bench.kernel.features.ages.oldest_ticks
    assert list(oldest) == [0, 0, 0]
    bench.silence(bench.layout.rack_group(0, s.G_BMS_STATE)).step(3)
    bench.silence(bench.layout.rack_group(0, s.G_BMS_CELLS)).step(2)
    assert list(oldest) == [0, 5, 0]


def votes(zones, heat_fitted, smoke_1, smoke_2, heat):
    """Rows 4 and 5: smoke counts in each zone, heat as one detector more."""
    smoke = [alarm for zone, alarm in ((1, smoke_1), (2, smoke_2)) if zone <= zones].count(True)
    return smoke + 1 if heat and heat_fitted else smoke


@pytest.mark.parametrize("zones", range(3))
@pytest.mark.parametrize("heat_fitted", range(2))
def test_votes_of_smoke_and_heat(zones, heat_fitted):
    desk = Desk(smoke_zones=zones, heat_fitted=heat_fitted)
    for alarms in itertools.product((False, True), repeat=3):
        for signal, alarm in zip((s.SMOKE_1_OK, s.SMOKE_2_OK, s.HEAT_OK), alarms):
            desk.inp[signal] = 0 if alarm else 1
        assert desk.step().of(m.F_FIRE_DETECTORS) == (votes(zones, heat_fitted, *alarms), KNOWN)


@cases("""proof feature group
    s.AIRFLOW_OK  m.F_AIRFLOW_MISSING  s.G_IO_1 | s.DAMPER_OK  m.F_DAMPER_MISSING  s.G_IO_3""")
def test_a_proof_is_missing_only_while_the_fan_is_on(proof, feature, group):
    """An open contact of a fan that is off does not show that it would run again either."""
    desk = Desk().set(s.AIRFLOW_OK, 1).set(s.DAMPER_OK, 1)
    for fan_on, proved in itertools.product(range(2), repeat=2):
        desk.out[s.FAN_ON] = fan_on
        desk.inp[s.AIRFLOW_OK] = desk.inp[s.DAMPER_OK] = 1 - proved
        desk.inp[proof] = proved
        known = KNOWN if fan_on or proved else IN_PART
        assert desk.step().of(feature) == (1 if fan_on and not proved else 0, known)
    others = {s.G_IO_1, s.G_IO_2, s.G_IO_3} - {group}
    assert desk.silence(*others).step(1, elapsed=ticks(500) + 1).of(feature)[1] == KNOWN
    desk.silent.clear()
    assert desk.step().silence(group).step(1, elapsed=ticks(500) + 1).of(feature)[1] == UNKNOWN
