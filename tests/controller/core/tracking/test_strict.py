"""The strict judge: what may be followed under a stated 5 s range."""

import numpy as np

from controller.core.tracking.guess import Guess
from controller.core.tracking.judge import J_FAST, Bounds
from controller.core.tracking.strict import NO_RULE_W, S_RANGE_W, Strict, share
from tests.tables import cases

SECOND, LEVEL_W = 50, 300_000


@cases("""
    range_W_max  range_W  expected
    100_000  0        256
    100_000  39_999   256
    100_000  40_000   256
    100_000  40_400   250
    100_000  60_000   85
    100_000  79_600   1
    100_000  80_000   0
    100_000  900_000  0
    0        0        0
    0        10       0
""")
def test_the_share_that_keeps_swings_a_quarter_larger_inside(range_W_max, range_W, expected):
    assert share(range_W_max, range_W) == expected


def shares_of(loads_W, range_W_max):
    """Shares of the fast part in each tick."""
    guess, found = Guess(20, 20, 500, 20, Bounds(250_000, range_W_max)), []
    for load_W in loads_W:
        guess.step(round(load_W), True, 1, 100, True)
        found.append(guess.judge.words[J_FAST] >> 16)
    return found


def test_swings_that_nobody_foresees_are_followed_in_part():
    """Swings of 40 kW appear twice, which is more than the load's range and than 2/3 of 100 kW."""
    swings_W = np.repeat(np.random.default_rng(4).choice((0, 40_000), 40), SECOND)
    found = shares_of(LEVEL_W + swings_W, 100_000)[30 * SECOND :]
    assert min(found) > 30 and max(found) <= 80


def test_a_first_edge_is_followed_and_then_let_go_slowly():
    """It leaves a little more than the load. Let go at once, it would be a second edge."""
    loads_W = [*[LEVEL_W] * (15 * SECOND), *[LEVEL_W + 150_000] * (5 * SECOND)]
    found = shares_of(loads_W, 100_000)[15 * SECOND :]
    assert min(found[:10]) > 250 and max(np.abs(np.diff(found))) <= 3 and found[-1] < 120


def test_without_any_range_a_repetition_is_followed():
    turns = np.arange(60 * SECOND) / SECOND
    found = shares_of(LEVEL_W + 60_000 * np.sin(2 * np.pi * turns), 0)
    assert found[0] == 0 and found[-1] > 250


def test_without_any_range_steps_are_never_followed():
    levels_W = LEVEL_W + np.random.default_rng(4).uniform(-80_000, 80_000, 30)
    found = shares_of(np.repeat(levels_W, 2 * SECOND), 0)
    assert max(found[10 * SECOND :]) <= 12 and max(found[20 * SECOND :]) == 0


def taken(strict, seconds, *powers_W):
    """Powers in each second sample, 0 in the others."""
    for tick in range(seconds * SECOND):
        strict.take([tick % 2 * power_W for power_W in powers_W])


@cases("""
    load_W   left_W   is_allowed
    60_000   66_666   True
    60_000   66_667   False
    120_000  120_000  True
    120_000  120_001  False
""")
def test_a_choice_may_leave_most_of_the_stated_range_or_the_load_s(load_W, left_W, is_allowed):
    """What it leaves may become half as large again."""
    strict = Strict(100_000, 20, 2)
    strict.begin()
    strict.take((load_W, left_W, 0))
    assert strict.allows(1) is is_allowed and strict.allows(2)


def test_a_choice_that_failed_stays_away_as_long_as_the_load_s_swings():
    """It would be tried after each failure with a memory of 10 s, and fail again."""
    strict = Strict(500, 20, 1)
    strict.begin()
    taken(strict, 1, 1600, 3000)
    taken(strict, 70, 1600, 800)
    assert not strict.allows(1)
    taken(strict, 20, 1600, 800)
    assert strict.allows(1)


def test_a_large_swing_is_forgotten_with_two_minutes():
    strict = Strict(100_000, 20, 1)
    strict.begin()
    strict.take((82_000, 0))
    taken(strict, 5, 0, 0)
    assert strict.share == 0
    taken(strict, 120, 0, 0)
    # 82 kW have become 30 kW: up to 40 are followed whole
    assert strict.share == 256 and 28_000 < strict.words[S_RANGE_W] < 31_000


def test_no_rule_has_no_words_and_a_rule_has_at_most_450():
    free, ruled = (Guess(20, 20, 500, 20, Bounds(250_000, limit)) for limit in (NO_RULE_W, 50_000))
    more = sum(map(len, ruled.arrays())) - sum(map(len, free.arrays()))
    assert free.judge.strict is None and 100 < more <= 450
    assert sum(map(len, free.judge.arrays())) <= 110
