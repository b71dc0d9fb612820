"""Derived signals: each against a computation of its own, at its edges, and with what is
missing.
"""

import pytest
from desk import Desk
from rows import ticks
from started import running

from safety import matrix as m
from safety import parameters as p
from safety import racks
from safety import signals as s

KNOWN, IN_PART, UNKNOWN = m.KNOWN, m.IN_PART, 0


# -- contacts

CONTACTS = (
    (s.ESTOP_1_OK, m.F_ESTOP_1_OK, s.G_IO_1),
    (s.ESTOP_2_OK, m.F_ESTOP_2_OK, s.G_IO_2),
    (s.FIRE_ALARM_OK, m.F_FIRE_ALARM_OK, s.G_IO_1),
    (s.SUPPRESSION_OK, m.F_SUPPRESSION_OK, s.G_IO_1),
    (s.GAS_RELAY_OK, m.F_GAS_RELAY_OK, s.G_IO_1),
    (s.BMS_FAULT_OK, m.F_BMS_FAULT_OK, s.G_IO_2),
)


@pytest.mark.parametrize("signal, feature, group", CONTACTS)
def test_a_contact_is_what_its_module_says_while_it_says_something(signal, feature, group):
    desk = Desk().step()
    for value in (1, 0, 1):
        desk.inp[signal] = value
        assert desk.step().of(feature) == (value, KNOWN)
    desk.silence(group).step(ticks(500))
    assert desk.of(feature)[1] == KNOWN
    assert desk.step().of(feature)[1] == UNKNOWN
    desk.silent.clear()
    assert desk.step().of(feature)[1] == KNOWN


@pytest.mark.parametrize("first, second, differ", [(0, 0, 0), (1, 1, 0), (0, 1, 1), (1, 0, 1)])
def test_discrepancy_needs_both_modules(first, second, differ):
    desk = Desk()
    desk.inp[s.ESTOP_1_OK], desk.inp[s.ESTOP_2_OK] = first, second
    assert desk.step().of(m.F_ESTOP_DISCREPANCY) == (differ, KNOWN)
    for group in (s.G_IO_1, s.G_IO_2):
        desk.silence(group).step(ticks(500) + 1)
        assert desk.of(m.F_ESTOP_DISCREPANCY)[1] == UNKNOWN
        desk.silent.clear()
        assert desk.step().of(m.F_ESTOP_DISCREPANCY) == (differ, KNOWN)


# -- silence and frozen words


@pytest.mark.parametrize(
    "feature, pair",
    [
        (m.F_IO_SILENCE_MS, (s.G_IO_1, s.G_IO_2)),
        (m.F_METER_SILENCE_MS, (s.G_METER_GRID, s.G_METER_LOAD)),
    ],
)
def test_the_older_of_two_groups_counts_and_one_never_seen_does_not(feature, pair):
    desk = Desk().silence(*pair).step(100)
    assert desk.of(feature) == (0, IN_PART), "nor does its silence show that it is well"
    desk.silent.clear()
    desk.step().silence(pair[0]).step(3)
    desk.silence(pair[1]).step(2)
    assert desk.of(feature) == (5 * 20, KNOWN)
    desk.silent.discard(pair[0])
    assert desk.step().of(feature) == (3 * 20, KNOWN)
    assert desk.step(1, elapsed=500).of(feature) == (503 * 20, KNOWN)


@pytest.mark.parametrize(
    "signal, group", [(s.GRID_RAW_HASH, s.G_METER_GRID), (s.LOAD_RAW_HASH, s.G_METER_LOAD)]
)
def test_frozen_words(signal, group):
    desk = Desk().silence(s.G_METER_GRID, s.G_METER_LOAD).step(300)
    assert desk.of(m.F_METER_FROZEN_MS) == (0, IN_PART), (
        "never seen is not frozen, nor known not to be"
    )
    desk.silent.discard(group)
    for word in (7, 8, 8, 8):
        desk.inp[signal] = word
        desk.step()
    assert desk.of(m.F_METER_FROZEN_MS) == (2 * 20, IN_PART)
    assert desk.step(1, elapsed=10).of(m.F_METER_FROZEN_MS) == (12 * 20, IN_PART)
    desk.silence(group)
    desk.inp[signal] = 9  # not fresh: no news
    assert desk.step().of(m.F_METER_FROZEN_MS) == (13 * 20, IN_PART)
    desk.silent.discard(group)
    assert desk.step().of(m.F_METER_FROZEN_MS) == (0, IN_PART)
    assert desk.step(3, elapsed=1_000_000).of(m.F_METER_FROZEN_MS)[0] == 20_000_000, (
        "stops counting"
    )


def test_the_more_frozen_meter_counts():
    desk = Desk()
    for word in range(1, 6):
        desk.inp[s.GRID_RAW_HASH] = word
        desk.step()
    assert desk.of(m.F_METER_FROZEN_MS)[0] == 5 * 20


@pytest.mark.parametrize(
    "age_ticks, level", [(99, 0), (100, 1), (149, 1), (150, 2), (249, 2), (250, 3), (10**6, 3)]
)
@pytest.mark.parametrize("group", range(len(s.UNIT_GROUPS)))
def test_pcs_silence_levels_follow_the_older_group(age_ticks, level, group):
    desk = Desk(units=2, racks=2).step()
    desk.silence(desk.layout.unit_group(1, group)).step(1, elapsed=age_ticks)
    assert desk.of(m.F_PCS_SILENCE_LEVEL, s.UNIT, 1) == (level, KNOWN)
    assert desk.of(m.F_PCS_SILENCE_LEVEL, s.UNIT, 0) == (0, KNOWN)


@pytest.mark.parametrize(
    "age_ticks, level", [(24, 0), (25, 1), (49, 1), (50, 2), (149, 2), (150, 3), (10**6, 3)]
)
@pytest.mark.parametrize("group", range(len(s.RACK_GROUPS)))
def test_bms_silence_levels_follow_the_oldest_group(age_ticks, level, group):
    desk = Desk(racks=2).step()
    desk.silence(desk.layout.rack_group(1, group)).step(1, elapsed=age_ticks)
    assert desk.of_rack(m.F_BMS_SILENCE_LEVEL, 1) == (level, KNOWN)
    assert desk.of_rack(m.F_BMS_SILENCE_LEVEL, 0) == (0, KNOWN)


def test_a_bms_that_never_sent_one_kind_of_frame_is_not_silent():
    desk = Desk()
    desk.silence(
        desk.layout.rack_group(0, s.G_BMS_CELLS), desk.layout.rack_group(0, s.G_BMS_TEMPERATURES)
    ).step(500)
    assert desk.of_rack(m.F_BMS_SILENCE_LEVEL) == (0, IN_PART)
    for feature in (
        m.F_CELL_VOLTAGE_MV_MAX,
        m.F_CELL_VOLTAGE_MV_MIN,
        m.F_TEMPERATURE_DDEGC_MAX,
        m.F_TEMPERATURE_OVER_MEDIAN_DDEGC,
        m.F_TEMPERATURE_RISING,
    ):
        assert desk.of_rack(feature)[1] == UNKNOWN
    assert desk.of_rack(m.F_CHARGING)[1] == KNOWN


@pytest.mark.parametrize(
    "elapsed, late_ms", [(1, 20), (24, 480), (25, 500), (10**5, 2 * 10**6), (10**6, 2 * 10**6)]
)
def test_how_late_a_step_is(elapsed, late_ms):
    assert Desk().step(1, elapsed=elapsed).of(m.F_STEP_LATE_MS) == (late_ms, KNOWN)


def test_how_the_last_run_ended_is_said_once():
    desk = Desk()
    desk.kernel.boot(1, 1, ())
    desk.step()
    assert (desk.of(m.F_BOOT_NOT_CLEAN), desk.of(m.F_BOOT_STORE_UNREADABLE)) == (
        (1, KNOWN),
        (1, KNOWN),
    )
    desk.step()
    assert (desk.of(m.F_BOOT_NOT_CLEAN), desk.of(m.F_BOOT_STORE_UNREADABLE)) == (
        (0, KNOWN),
        (0, KNOWN),
    )


# -- gas


def gas_desk(first, second, **cabinet):
    """A desk with two detectors of combustible gas, no others. first, second: (permille, ok, days)
    or None: silent.
    """
    desk = Desk(**{"offgas_detectors": 0, "toxic_fitted": 0, **cabinet})
    for at, group, reading in (
        (s.GAS_1_LFL_PERMILLE, s.G_GAS_1, first),
        (s.GAS_2_LFL_PERMILLE, s.G_GAS_2, second),
    ):
        if reading is None:
            desk.silence(group)
        else:
            desk.inp[at], desk.inp[at + 1], desk.inp[at + 2] = reading
    return desk.step()


GAS = (
    m.F_GAS_LFL_PERMILLE_MAX,
    m.F_GAS_DETECTORS_FAULTY,
    m.F_GAS_DETECTORS_SILENT,
    m.F_GAS_CALIBRATION_D_MIN,
    m.F_GAS_DETECTORS_LOST,
)


@pytest.mark.parametrize(
    "first, second, expected",
    [
        ((50, 1, 90), (30, 1, 80), ((50, KNOWN), (0, KNOWN), (0, KNOWN), (80, KNOWN), (0, KNOWN))),
        (
            (50, 1, 90),
            (130, 1, -3),
            ((130, KNOWN), (0, KNOWN), (0, KNOWN), (-3, KNOWN), (0, KNOWN)),
        ),
        ((50, 1, 90), (0, 0, 80), ((50, IN_PART), (1, KNOWN), (0, KNOWN), (80, KNOWN), (0, KNOWN))),
        (
            (50, 1, 90),
            (1000, 0, 80),
            ((1000, IN_PART), (1, KNOWN), (0, KNOWN), (80, KNOWN), (0, KNOWN)),
        ),
        ((0, 0, 90), (0, 0, 80), ((0, UNKNOWN), (2, KNOWN), (0, KNOWN), (80, KNOWN), (1, KNOWN))),
        ((0, 0, 90), (1, 0, 80), ((1, IN_PART), (2, KNOWN), (0, KNOWN), (80, KNOWN), (1, KNOWN))),
        (
            (50, 1, 90),
            None,
            ((50, IN_PART), (0, IN_PART), (0, IN_PART), (90, IN_PART), (0, IN_PART)),
        ),
        ((0, 0, 90), None, ((0, UNKNOWN), (1, IN_PART), (0, IN_PART), (90, IN_PART), (0, IN_PART))),
    ],
)
def test_votes_of_two_detectors(first, second, expected):
    desk = gas_desk(first, second)
    assert tuple(desk.of(feature) for feature in GAS) == expected


def test_the_silence_of_one_detector_is_seen_in_its_tick_however_seldom_the_other_speaks():
    for silent, speaking in ((s.G_GAS_1, s.G_GAS_2), (s.G_GAS_2, s.G_GAS_1)):
        desk = gas_desk((50, 1, 90), (30, 1, 80)).silence(silent, speaking).step(ticks(3000) - 2)
        desk.silent.discard(speaking)
        desk.step().silence(speaking).step()
        assert desk.of(m.F_GAS_DETECTORS_SILENT) == (0, KNOWN)
        assert desk.step().of(m.F_GAS_DETECTORS_SILENT) == (1, KNOWN)


def test_one_detector_that_is_not_fitted_is_not_missed():
    desk = gas_desk((120, 1, 5), None, gas_detectors=1)
    assert tuple(desk.of(feature) for feature in GAS) == (
        (120, KNOWN),
        (0, KNOWN),
        (0, KNOWN),
        (5, KNOWN),
        (0, KNOWN),
    )


@pytest.mark.parametrize("cabinet, lost", [({}, 1), ({"gas_required": 0}, 0)])
def test_all_lost_counts_only_where_gas_detection_is_required(cabinet, lost):
    assert gas_desk((0, 0, 90), (0, 0, 90), **cabinet).of(m.F_GAS_DETECTORS_LOST) == (lost, KNOWN)


# -- temperatures


def test_a_rack_without_temperatures_has_no_hottest_module():
    desk = Desk()
    desk.image[desk.map.rack + p.R_MODULES] = 0
    assert desk.temperatures((3000,) * 15).step().of_rack(m.F_TEMPERATURE_DDEGC_MAX)[0] == 0


def rising(desk, values, each_s=1):
    """Whether the rack counts as heating after each of the values, one a second."""
    seen = []
    for value in values:
        desk.temperatures((value,) * 15).step(50 * each_s)
        seen.append(desk.of_rack(m.F_TEMPERATURE_RISING)[0])
    return seen


def test_cold_racks_heat_too():
    assert rising(Desk(), [-100] * 3 + [-98] * 2) == [0, 0, 0, 1, 1]


# -- voltages and currents


# rated, limit, current -> margin: the larger of 2 A and 1 % of rated
@pytest.mark.parametrize(
    "rated_mA, limit_mA, current_mA, over_105_mA, over_110_mA",
    [
        (140_000, 100_000, 107_000, 0, -5000),
        (140_000, 100_000, -112_001, 5001, 1),
        (200_000, 100_000, 107_000, 0, -5000),
        (201_000, 100_000, 107_000, -10, -5010),
        (300_000, 100_000, 108_000, 0, -5000),
        (140_000, 0, 2001, 1, 1),
        (140_000, 0, -2000, 0, 0),
        (140_000, 19, 0, -2019, -2020),
        (140_000, 300_000, 149_001, 1, -6999),
        (140_000, 300_000, -156_000, 7000, 0),
        (3_000_000, 3_000_000, 3_000_000, -180_000, -330_000),
    ],
)
def test_current_beyond_the_limit(rated_mA, limit_mA, current_mA, over_105_mA, over_110_mA):
    desk = Desk()
    desk.image[desk.map.rack + p.R_RATED_CURRENT_MA] = rated_mA
    charging = current_mA < 0
    desk.rack(s.CHARGE_CURRENT_MA_MAX, limit_mA if charging else 0)
    desk.rack(s.DISCHARGE_CURRENT_MA_MAX, 0 if charging else limit_mA)
    desk.rack(s.RACK_CURRENT_MA, current_mA)
    desk.step()
    assert desk.of_rack(m.F_CURRENT_OVER_105_MA) == (over_105_mA, KNOWN)
    assert desk.of_rack(m.F_CURRENT_OVER_110_MA) == (over_110_mA, KNOWN)


@pytest.mark.parametrize(
    "rated_mA, current_mA, charging",
    [
        (140_000, -2000, 0),
        (140_000, -2001, 1),
        (140_000, 50_000, 0),
        (300_000, -3000, 0),
        (300_000, -3001, 1),
    ],
)
def test_charging(rated_mA, current_mA, charging):
    desk = Desk()
    desk.image[desk.map.rack + p.R_RATED_CURRENT_MA] = rated_mA
    desk.rack(s.RACK_CURRENT_MA, current_mA)
    assert desk.step().of_rack(m.F_CHARGING) == (charging, KNOWN)


@pytest.mark.parametrize(
    "group, over, charging",
    [
        (s.G_BMS_PACK, UNKNOWN, UNKNOWN),
        (s.G_BMS_LIMITS, UNKNOWN, KNOWN),
        (s.G_BMS_STATE, KNOWN, KNOWN),
    ],
)
def test_which_groups_the_current_features_need(group, over, charging):
    desk = Desk().step()
    desk.silence(desk.layout.rack_group(0, group)).step(ticks(500) + 1)
    assert (
        desk.of_rack(m.F_CURRENT_OVER_105_MA)[1] == desk.of_rack(m.F_CURRENT_OVER_110_MA)[1] == over
    )
    assert desk.of_rack(m.F_CHARGING)[1] == charging


@pytest.mark.parametrize(
    "rated_W, power_W, excess_W",
    [
        (250_000, 105_000, 0),
        (250_000, 105_001, 1),
        (250_000, -95_000, 0),
        (250_000, -95_001, 1),
        (90_000, 102_000, 0),
        (100_000, 102_001, 1),
        (150_000, 102_001, -999),
        (250_000, 0, -95_000),
        (250_000, 1, -104_999),
    ],
)
def test_power_beyond_the_limit(rated_W, power_W, excess_W):
    """The larger of 2 kW and 2 % of rated over the limit of its own direction; zero counts as
    charging.
    """
    desk = Desk(units=2, racks=2)
    desk.image[desk.map.unit + len(p.UNIT_PARAMETERS) + p.U_RATED_W] = rated_W
    desk.out[desk.layout.unit_output(1, s.DISCHARGE_W_MAX)] = 100_000
    desk.out[desk.layout.unit_output(1, s.CHARGE_W_MAX)] = 90_000
    desk.inp[desk.layout.unit_input(1, s.PCS_POWER_W)] = power_W
    desk.step()
    assert desk.of(m.F_PCS_EXCESS_W, s.UNIT, 1) == (excess_W, KNOWN)
    desk.silence(desk.layout.unit_group(1, s.G_PCS_MEASURE)).step(ticks(2000) + 1)
    assert desk.of(m.F_PCS_EXCESS_W, s.UNIT, 1)[1] == UNKNOWN


def test_each_group_of_the_pcs_is_news_of_its_own():
    desk = Desk().step()
    measure, control = (desk.layout.unit_group(0, group) for group in range(2))
    desk.out[desk.layout.unit_output(0, s.DISCHARGE_W_MAX)] = 100_000
    desk.silence(control)
    for power_W, excess_W in ((110_000, 5000), (120_000, 15_000)):
        desk.inp[desk.layout.unit_input(0, s.PCS_POWER_W)] = power_W
        assert desk.step().of(m.F_PCS_EXCESS_W, s.UNIT) == (excess_W, KNOWN)
    assert desk.features.changed[1] == 1
    desk.silence(measure).silent.discard(control)
    assert desk.step().features.changed[1] == 1
    desk.silence(control)
    assert desk.step().features.changed[1] == 0, "no news"
    desk.step(ticks(2000) - 2)
    assert desk.of(m.F_PCS_SILENCE_LEVEL, s.UNIT) == (1, KNOWN) and desk.features.changed[1] == 1


# -- bad frames


def bad(desk, count, steps=1):
    """Recent bad frames after the driver's counter has moved to `count`."""
    desk.rack(s.BMS_BAD_FRAMES, count)
    return desk.step(steps).of_rack(m.F_BMS_BAD_FRAMES_RECENT)


def test_bad_frames_leak_one_a_second():
    desk = Desk()
    assert bad(desk, 0) == (0, KNOWN)
    assert bad(desk, 7) == (7, KNOWN)
    assert bad(desk, 9) == (9, KNOWN)
    assert bad(desk, 9, steps=46) == (9, KNOWN)  # the 49th step
    assert bad(desk, 9) == (8, KNOWN)
    assert bad(desk, 9, steps=50 * 20) == (0, KNOWN)


def test_a_counter_that_begins_anew_adds_nothing_and_the_bucket_is_finite():
    desk = Desk()
    bad(desk, 500)
    assert bad(desk, 3) == (500, KNOWN)
    assert bad(desk, 4) == (501, KNOWN)
    assert bad(desk, s.INT_MAX) == (racks.BAD_FRAMES_MAX, KNOWN)


def test_bad_frames_count_only_with_a_fresh_state_frame():
    desk = Desk()
    bad(desk, 5)
    desk.silence(desk.layout.rack_group(0, s.G_BMS_STATE))
    assert bad(desk, 30) == (5, KNOWN)
    desk.silent.clear()
    assert bad(desk, 30) == (30, KNOWN)


# -- what changed


def test_a_rack_without_news_is_left_alone_until_it_is_silent():
    desk = Desk(racks=2).step()
    desk.silence(*range(desk.layout.rack_group_base, desk.layout.groups)).step(ticks(500) - 1)
    assert list(desk.features.changed) == [1, 1, 0, 0]
    assert list(desk.step().features.changed) == [1, 1, 1, 1]
    desk.silent.discard(desk.layout.rack_group(1, s.G_BMS_CHARGE))
    assert list(desk.step().features.changed) == [1, 1, 1, 1], "its other groups are still silent"


@pytest.mark.parametrize(
    "parameter, group",
    [
        ("io_silent_ms", s.G_IO_1),
        ("io_silent_ms", s.G_IO_2),
        ("meter_silent_ms", s.G_METER_GRID),
        ("meter_silent_ms", s.G_METER_LOAD),
        *[("gas_silent_ms", group) for group in range(s.G_GAS_1, s.G_TOXIC + 1)],
        ("io_silent_ms", s.G_IO_3),
        ("monitor_silent_ms", s.G_CLIMATE),
        ("monitor_silent_ms", s.G_UPS),
    ],
)
def test_budgets_come_from_the_parameters_and_round_up(parameter, group):
    desk = Desk(**{parameter: 410}).step().silence(group).step(21)
    assert desk.features.ages.known(group) == 1
    assert desk.step().features.ages.known(group) == 0


def test_nothing_is_known_before_it_was_seen_and_the_local_group_never_grows_old():
    desk = Desk().silence(*range(50)).step(3)
    assert not any(desk.features.ages.known(group) for group in range(desk.layout.groups))
    desk.silent.clear()
    desk.step().silence(*range(50)).step(2000, elapsed=1_000_000)
    assert [desk.features.ages.known(group) for group in range(desk.layout.groups)].count(1) == 1
    assert desk.features.ages.known(s.G_LOCAL)
    assert max(desk.step().features.ages.ticks) == s.TICKS_MAX < 1 << 30


def test_the_oldest_of_a_block_is_its_oldest_group_and_nothing_while_all_are_fresh():
    bench = running(racks=2)
    oldest = bench.kernel.features.ages.oldest_ticks
    assert list(oldest) == [0, 0, 0]
    bench.silent.add(bench.layout.rack_group(0, s.G_BMS_STATE))
    bench.step(3)
    bench.silent.add(bench.layout.rack_group(0, s.G_BMS_CELLS))
    bench.step(2)
    assert list(oldest) == [0, 5, 0]
