"""The strict judge: what may be followed under a stated 5 s range, and what is proven."""

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


@cases("""
    step_W   is_followed
    30_000   True
    150_000  False
""")
def test_an_edge_is_held_in_its_own_tick(step_W, is_followed):
    """100 kW are allowed. Held a tick late, the battery would have moved with the edge."""
    loads_W = [*[LEVEL_W] * (15 * SECOND), *[LEVEL_W + step_W] * (5 * SECOND)]
    found = shares_of(loads_W, 100_000)
    after = found[15 * SECOND :]
    assert found[15 * SECOND - 1] > 200
    assert min(after) > 200 if is_followed else max(after) == 0


def test_without_any_range_a_repetition_is_followed_once_it_is_proven():
    turns = np.arange(60 * SECOND) / SECOND
    found = shares_of(LEVEL_W + 60_000 * np.sin(2 * np.pi * turns), 0)
    assert max(found[: 5 * SECOND]) == 0 and found[-1] > 250


def test_without_any_range_steps_are_never_followed():
    levels_W = LEVEL_W + np.random.default_rng(4).uniform(-80_000, 80_000, 30)
    assert max(shares_of(np.repeat(levels_W, 2 * SECOND), 0)) == 0


def taken(strict, seconds, *powers_W):
    """Powers in each second sample, 0 in the others."""
    for tick in range(seconds * SECOND):
        strict.take([tick % 2 * power_W for power_W in powers_W])


def test_a_proof_needs_twenty_seconds_and_half_the_range():
    strict = Strict(500, 20, 2)
    strict.begin()
    taken(strict, 19, 1600, 800, 802)
    assert not strict.is_proven(1, False)
    taken(strict, 2, 1600, 800, 802)
    assert strict.is_proven(1, False) and not strict.is_proven(2, False)


@cases("""
    load_W   left_W   is_proven
    120_000  100_000  True
    120_000  100_001  False
    114_285  100_000  True
    114_284  100_000  False
    50_000    50_000  True
    50_001    50_001  False
""")
def test_no_more_than_the_stated_range_is_a_proof_at_once(load_W, left_W, is_proven):
    """100 kW are stated: an eighth less than the load, or so little that a swing may double."""
    strict = Strict(100_000, 20, 1)
    strict.begin()
    strict.take((load_W, left_W))
    assert strict.is_proven(1, False) is is_proven


@cases("""left_W  ms  is_proven
    100_000  1440  True
    100_000  1460  False
    100_001  0  False
""")
def test_a_choice_that_is_followed_stays_until_the_end_of_a_larger_swing_is_seen(
    left_W, ms, is_proven
):
    strict = Strict(100_000, 20, 1)
    strict.begin()
    for _ in range(1 + ms // 20):
        strict.take((101_000, left_W))
    assert strict.is_proven(1, True) is is_proven


@cases("""
    swing_W  is_proven
    1693     True
    1694     False
""")
def test_a_larger_swing_proves_nothing_until_its_end_is_seen(swing_W, is_proven):
    """A 16th more than 1594 W, of which 6 W were forgotten."""
    strict = Strict(500, 20, 1)
    strict.begin()
    taken(strict, 21, 1600, 0)
    strict.take((swing_W, swing_W // 2))
    assert strict.is_proven(1, False) is is_proven
    taken(strict, 2, 0, 0)
    assert strict.is_proven(1, False)


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
