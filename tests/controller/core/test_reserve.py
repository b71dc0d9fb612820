"""The two reserves: thresholds, hysteresis, speed of closing and opening."""

import pytest
from hypothesis import given, settings, strategies as st
from views import RATED_W, Tick, both, setup

from controller.core.base import reasons
from controller.core.base.answers import WIDE_W, Cap, Limit
from controller.core.policies import modes, reserve
from tests.tables import cases

# Default image, permille: peaks 150, backup 100, hysteresis 20. Ramp 100 W a tick, backup in 2 s.
PEAKS_STEP_W = 100
BACKUP_STEP_W = RATED_W // 100
ENERGY_WH = 645_000


def started(soc_permille=500):
    unit = reserve.Reserve(setup())
    step(unit, soc_permille)
    return unit


def step(unit, soc_permille, elapsed_ticks=1):
    """soc_permille: of the lowest rack, None: unknown; the highest rack is full."""
    soc = None if soc_permille is None else (soc_permille, 1000)
    return unit.step(*both(soc_permille=soc), elapsed_ticks)


def powers(unit):
    return unit.peaks.discharge_W_max, unit.backup.discharge_W_max


@cases("""
    socs_permille  found_W
    (1000, 151)  (RATED_W, RATED_W) | (150, 149, 107)  (0, RATED_W) | (106,)  (0, 246_391)
    (105,)  (0, 220_379) | (103,)  (0, 155_831) | (102,)  (0, 110_189)
    (101, 100, 99, 0)  (0, 0)
""")
def test_at_start_they_are_where_the_state_of_charge_puts_them(socs_permille, found_W):
    assert {powers(started(soc)) for soc in socs_permille} == {found_W}


@pytest.mark.parametrize("floor, level", [(150, "peaks"), (100, "backup")])
def test_they_open_only_above_the_hysteresis(floor, level):
    unit, seen = started(floor), []
    for above in (1, 19, 20, 1, 0):
        step(unit, floor + above)
        seen.append(getattr(unit, level).is_reached)
    assert seen == [1, 1, 0, 0, 1]


def test_the_peaks_level_closes_and_opens_at_its_ramp_so_the_grid_takes_over_smoothly():
    unit = started()
    step(unit, 150)
    assert powers(unit) == (RATED_W - PEAKS_STEP_W, RATED_W)
    step(unit, 150, 4)  # missed ticks count
    assert powers(unit) == (RATED_W - 5 * PEAKS_STEP_W, RATED_W)
    for _ in range(RATED_W // PEAKS_STEP_W):
        step(unit, 150)
    assert powers(unit) == (0, RATED_W)
    step(unit, 170)
    assert powers(unit) == (PEAKS_STEP_W, RATED_W)


def test_back_from_an_outage_the_backup_level_closes_within_30_s():
    unit = started()
    for ticks in range(1, 31):
        unit.step(*both(mode=modes.RETURN, soc_permille=(50, 50)), 50)
        assert abs(powers(unit)[1] - RATED_W * (30 - ticks) // 30) <= 500


def test_the_backup_level_closes_within_two_seconds_and_opens_slowly():
    unit, steps = started(), range(1, 101)
    assert [step(unit, 100) and powers(unit)[1] for _ in steps] == [
        RATED_W - tick * BACKUP_STEP_W for tick in steps
    ]
    step(unit, 120)
    assert powers(unit)[1] == PEAKS_STEP_W
    late = started()
    step(late, 100, 4)  # missed ticks count
    assert powers(late)[1] == RATED_W - 4 * BACKUP_STEP_W


def test_without_the_state_of_charge_both_count_as_reached():
    """victronenergy/venus 1194: a floor of 10 % was crossed to 6 % without the BMS."""
    unit = started(800)
    for _ in range(2600):
        step(unit, None)
    unknown = [reasons.RESERVE_PEAKS_SOC_UNKNOWN, reasons.RESERVE_BACKUP_SOC_UNKNOWN]
    assert powers(unit) == (0, 0) and [unit.peaks.reason, unit.backup.reason] == unknown
    step(unit, 800)
    assert powers(unit) == (PEAKS_STEP_W, PEAKS_STEP_W)
    known = [reasons.RESERVE_PEAKS, reasons.RESERVE_BACKUP]
    assert [unit.peaks.reason, unit.backup.reason] == known


def test_a_start_without_the_state_of_charge_begins_closed():
    unit, found = reserve.Reserve(setup()), []
    for soc_permille in (None, 130, None):
        step(unit, soc_permille)
        found.append(powers(unit))
    assert found == [(0, 0), (0, RATED_W), (0, RATED_W - BACKUP_STEP_W)]


def test_the_state_of_charge_at_the_edge_does_not_make_it_flip():
    """evcc-io/evcc 15233: flipped between hold and normal at each interval."""
    unit = started(160)
    for tick in range(2000):
        step(unit, 150 + tick % 2)
        assert unit.peaks.is_reached == 1


@cases("""
    scheduled  soc_permille  reason
    200  200  reasons.SCHEDULE_RESERVE | 200  201  None | 150  150  reasons.RESERVE_PEAKS
    120  150  reasons.RESERVE_PEAKS | 120  151  None
""")
def test_a_schedule_may_raise_the_level_of_the_peaks_and_never_lower_it(
    scheduled, soc_permille, reason
):
    unit, known = started(), Tick(scheduled_reserve_permille=scheduled)
    known.soc_permille = soc_permille, 1000
    found = unit.step(known, known, 1)
    assert [each.discharge_reason for each in found] == ([reason] if reason else [])
    if reason:
        assert unit.numbers(reason)["reserve_permille"] == max(scheduled, 150)


@pytest.mark.parametrize("soc_permille", [0, None])
def test_off_the_grid_both_open_at_once_and_close_again_on_the_grid(soc_permille):
    unit = started(90)
    soc = None if soc_permille is None else (soc_permille, soc_permille)
    assert powers(unit) == (0, 0)
    assert unit.step(*both(is_off_grid=True, soc_permille=soc), 1) == []
    assert powers(unit) == (RATED_W, RATED_W)
    for _ in range(99):
        step(unit, soc_permille)
    assert powers(unit)[1] == BACKUP_STEP_W
    step(unit, soc_permille)
    assert powers(unit)[1] == 0


def discharged(power_W, tick_ms=20, health=1.0):
    """[(limit of the backup level, charge in permille)] of a discharge from 11 % on. The battery
    loses 8 %, and a BMS reports whole permille of its present capacity.
    """
    unit, soc, found = reserve.Reserve(setup(tick_ms)), 110.0, []
    while not found or unit.backup.discharge_W_max:
        unit.step(*both(soc_permille=(int(soc), 1000)), 1)
        flows_W = min(power_W, unit.backup.discharge_W_max)
        soc -= flows_W * tick_ms / 0.92 / 3600 / ENERGY_WH / health
        found.append((unit.backup.discharge_W_max, soc))
    return found


@pytest.mark.parametrize("tick_ms, health", [(20, 1.0), (100, 0.7), (1000, 1.0), (1000, 0.7)])
@pytest.mark.parametrize("power_W", [5000, 120_000, RATED_W])
def test_a_discharge_ends_within_a_minute_or_more_and_keeps_little(power_W, tick_ms, health):
    """It stopped from 485 kW within a second, and the other cabinets of a site needed 4."""
    found = discharged(power_W, tick_ms, health)
    limits = [limit_W for limit_W, _ in found]
    falls = [before_W - after_W for before_W, after_W in zip(limits, limits[1:])]
    assert min(falls) >= 0 and max(falls) <= RATED_W * tick_ms / 60_000
    assert sum(limit_W < RATED_W for limit_W in limits) * tick_ms >= 59_900
    assert 100.9 < found[-1][1] < 102


def test_in_the_taper_the_limit_only_falls_and_its_end_counts_as_the_level():
    unit, limits_W = started(110), []
    for _ in range(400):
        for soc_permille in (102, 103, 104, 102, 101):
            limits_W.append(step(unit, soc_permille, 6) and powers(unit)[1])
    assert limits_W == sorted(limits_W, reverse=True) and limits_W[-1] == 0
    found = [step(unit, soc) and powers(unit)[1] for soc in (119, 120)]
    assert found == [0, PEAKS_STEP_W]


SOC = st.none() | st.integers(90, 130)
TICKS = st.tuples(SOC, st.integers(1, 200))


def threshold_alone(ticks):
    """Limit of the backup level at each tick as it was before the taper."""
    reached, limit_W = 0, None
    for soc_permille, elapsed_ticks in ticks:
        is_below = soc_permille is None or soc_permille <= 100
        reached = is_below or bool(reached) and soc_permille < 120
        if limit_W is None:
            yield 0 if reached else RATED_W
        else:
            step_W = -BACKUP_STEP_W if reached else PEAKS_STEP_W
            limit_W = min(RATED_W, max(0, limit_W + step_W * elapsed_ticks))
            yield limit_W
        if limit_W is None and soc_permille is not None:
            limit_W = 0 if reached else RATED_W


@settings(max_examples=200)
@given(st.lists(TICKS, max_size=60))
def test_the_taper_never_allows_more_than_the_threshold_alone(ticks):
    unit = reserve.Reserve(setup())
    for tick, most_W in zip(ticks, threshold_alone(ticks)):
        step(unit, *tick)
        assert powers(unit)[1] <= most_W


def test_small_ratings_still_move():
    unit = reserve.Reserve(setup(10, 40, reserve_ramp_W_per_s=100))
    step(unit, 500)
    step(unit, 0)
    assert powers(unit) == (39, 39)


def test_the_cap_and_the_limit_name_only_what_they_narrow():
    """A reserve at the rating was named instead of the rating."""
    unit = started()
    assert step(unit, 500) == []
    cap = Cap(WIDE_W, reasons.NONE, RATED_W - PEAKS_STEP_W, reasons.RESERVE_PEAKS)
    assert step(unit, 150) == [cap]
    peaks, backup = step(unit, None)
    assert isinstance(backup, Limit) and not isinstance(peaks, Limit)
    assert backup == (WIDE_W, 0, RATED_W - BACKUP_STEP_W, reasons.RESERVE_BACKUP_SOC_UNKNOWN)


@pytest.mark.parametrize(
    "code, kept", [(reasons.RESERVE_PEAKS, 150), (reasons.RESERVE_BACKUP, 100)]
)
def test_the_numbers_behind_a_reserve(code, kept):
    unit = started(kept)
    assert unit.numbers(code) == {
        "kind": "reserve",
        "level": "backup" if kept == 100 else "peaks",
        "reserve_permille": kept,
        "opens_at_permille": kept + 20,
        "is_reached": True,
        "discharge_W_max": 0,
    }
