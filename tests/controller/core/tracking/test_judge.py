"""The judge: its model of the path, what it follows, and the traps of the study."""

import math

import numpy as np
import pytest

from controller.core.tracking import judge as judges
from controller.core.tracking.guess import Guess
from controller.core.tracking.judge import (
    ALL,
    J_CHOICE,
    J_ENERGY,
    J_FAST,
    J_STILL,
    J_SUM,
    J_WON,
    Bounds,
    Judge,
)

TICK_MS, DELAY_MS, LAG_MS, SECOND = 20, 100, 20, 50
LEVEL_W = 300_000


def made(sample_ms=TICK_MS, delay_ms=DELAY_MS):
    judge = Judge(TICK_MS, sample_ms, 500, LAG_MS, Bounds())
    judge.tune(delay_ms)
    return judge


def played(loads_W, delay_ms=DELAY_MS):
    """(guess, shares of the fast part in each tick) beside a load, one sample in each tick."""
    guess, shares = Guess(TICK_MS, TICK_MS, 500, LAG_MS), []
    for load_W in loads_W:
        guess.step(round(load_W), True, 1, delay_ms, True)
        shares.append(guess.judge.words[J_FAST] >> 16)
    return guess, shares


def noise_W(seconds, rms_W):
    return LEVEL_W + rms_W * np.random.default_rng(3).standard_normal(seconds * SECOND)


def tone_W(at_Hz, seconds, amplitude_W=60_000):
    return LEVEL_W + amplitude_W * np.cos(2 * np.pi * at_Hz * np.arange(seconds * SECOND) / SECOND)


@pytest.mark.parametrize("delay_ms, parts", ((100, (0, 0, 0, 1.0)), (110, (0, 0, 0, 0.5, 1.0))))
def test_the_model_has_the_path_s_dead_time_and_lag(delay_ms, parts):
    """60 or 70 ms of dead time, then a lag of one tick: means over the ticks by hand."""
    judge, found_W, expected_W, state = made(delay_ms=delay_ms), [], [], 0.0
    judge.begin(0)
    for turn in range(8):
        judge.guess_W(100_000, 100_000, 1)
        found_W.append(judge.words[J_SUM + 1] - sum(found_W))
        target = parts[min(turn, len(parts) - 1)]
        expected_W.append(100_000 * (target + (state - target) * (1 - math.exp(-1))))
        state = target + (state - target) * math.exp(-1)
    assert found_W == pytest.approx(expected_W, abs=20)


def test_a_first_step_is_followed_at_once():
    _, shares = played([*[LEVEL_W] * 10, *[LEVEL_W + 100_000] * 200])
    assert set(shares) == {256}


def test_steps_stay_followed_though_each_edge_shows_for_one_delay():
    """Trap 1: a ratio of energies goes to one at each edge."""
    draw = np.random.default_rng(4)
    levels_W = LEVEL_W + draw.uniform(-80_000, 80_000, 30)
    _, shares = played(np.repeat(levels_W, 2 * SECOND))
    assert min(shares) == 256


def test_the_first_edge_after_a_calm_stretch_is_followed():
    """Traps 2 and 3: noise of 0.25 kW must not decide of 200 kW."""
    _, shares = played([*noise_W(60, 250), *(noise_W(3, 250) + 200_000)])
    assert min(shares[60 * SECOND :]) == 256


def test_a_calm_stretch_between_large_swings_teaches_nothing():
    """Trap 3: noise of 3 kW is calm beside swings of 160 kW."""
    swings_W = np.tile(np.repeat([LEVEL_W, LEVEL_W + 160_000], 4 * SECOND), 3)
    loads_W = [*swings_W, *noise_W(60, 3000), *swings_W]
    _, shares = played(loads_W)
    assert min(shares) == 256


def test_noise_whose_following_does_not_pay_is_let_go():
    guess, shares = played(noise_W(20, 20_000))
    assert max(shares[10 * SECOND :]) == 0 and guess.judge.words[J_CHOICE] == judges.STILL


def test_still_is_the_mean_from_the_first_seconds_on():
    """Trap 4: begun at the first sample it would be 60 kW off, and opening would move the grid."""
    guess, _ = played(tone_W(0.7, 6))
    assert guess.judge.words[J_STILL] >> 16 == pytest.approx(LEVEL_W, abs=6000)


def test_a_choice_is_reached_past_one_that_harms():
    """Trap 5: at 0.72 Hz slow movement alone harms, all of it is foreseen."""
    guess, shares = played(tone_W(0.72, 30))
    words = guess.judge.words
    assert words[J_WON + 2] < 0 and words[J_CHOICE] == ALL and min(shares[20 * SECOND :]) == 256


def test_a_sample_before_the_first_tick_of_the_model_is_not_judged():
    """Trap 6."""
    judge = made()
    judge.begin(LEVEL_W)
    judge.judge(LEVEL_W + 50_000)
    assert judge.words[J_ENERGY] == 0 and judge.words[J_CHOICE] == ALL


def test_a_long_silence_costs_one_turn_of_the_ring():
    judge = made()
    judge.begin(LEVEL_W)
    assert judge.guess_W(LEVEL_W, LEVEL_W, 10**9) == LEVEL_W


def test_the_largest_and_lowest_reading_fit_into_the_words():
    """A meter that jumps over its whole range must not stop the loop."""
    far_W = (1 << 30) - 1
    guess, _ = played(np.repeat([far_W, -far_W, far_W], 20))
    assert guess.judge.words[J_ENERGY] > 0


def test_one_wrong_sample_does_not_end_following_for_minutes():
    """3 MW for 0.1 s beside swings of 60 kW and a battery of 250 kW."""
    guess, shares = Guess(TICK_MS, TICK_MS, 500, LAG_MS, Bounds(250_000)), []
    swings_W = np.tile(np.repeat([LEVEL_W, LEVEL_W + 60_000], 2 * SECOND), 8)
    swings_W[300:305] = 3_000_000
    for load_W in swings_W.tolist():
        guess.step(load_W, True, 1, DELAY_MS, True)
        shares.append(guess.judge.words[J_FAST] >> 16)
    assert min(shares[25 * SECOND :]) > 100


def test_noise_of_the_meter_does_not_reach_the_request():
    guess, answers_W = Guess(TICK_MS, TICK_MS, 500, LAG_MS), []
    for load_W in noise_W(20, 60):
        answers_W.append(guess.step(round(load_W), True, 1, DELAY_MS, True))
    assert np.std(answers_W[SECOND:]) < 30


def test_without_a_meter_of_its_own_only_slow_movement_is_followed():
    guess = Guess(TICK_MS, TICK_MS, 500, LAG_MS)
    answers_W = [
        guess.step(load_W, True, 1, DELAY_MS, False) for load_W in (LEVEL_W, LEVEL_W + 100_000)
    ]
    assert answers_W[0] == LEVEL_W and answers_W[1] - LEVEL_W < 10_000


def begun():
    """(judge, its words, an energy)"""
    judge = made()
    judge.begin(LEVEL_W)
    return judge, judge.words, 10**9


def decided(choice, won_pct):
    """The choice after these gains; energy stays the same."""
    judge, words, energy = begun()
    words[J_CHOICE] = choice
    words[J_ENERGY] = words[judges.J_LAGGED] = words[judges.J_LARGEST] = energy
    for other, pct in won_pct.items():
        words[J_WON + other] = pct * energy // 100
    judge._choose()
    return words[J_CHOICE]


@pytest.mark.parametrize("won_pct, is_left", ((-3, True), (14, True), (16, False)))
def test_a_choice_stays_until_it_has_lost_or_hardly_wins(won_pct, is_left):
    assert (decided(ALL, {ALL: won_pct}) == judges.STILL) is is_left


@pytest.mark.parametrize("won_pct, is_taken", ((29, False), (30, False), (31, True)))
def test_a_choice_is_taken_for_a_clear_gain(won_pct, is_taken):
    assert (decided(judges.STILL, {2: won_pct}) == 2) is is_taken


@pytest.mark.parametrize("before, share_pct, choice", ((ALL, 41, ALL), (ALL, 43, 3), (0, 41, 3)))
def test_another_choice_must_have_won_clearly_more(before, share_pct, choice):
    """Each edge lets all choices win, one after the other; a share comes back slowly."""
    assert decided(before, {ALL: 40, 3: share_pct}) == choice


def test_a_gain_counts_beside_the_energy_of_a_second_ago():
    """The gain from an edge comes a path delay after its energy."""
    judge, words, energy = begun()
    words[J_CHOICE] = judges.STILL
    words[J_ENERGY] = words[judges.J_LARGEST] = energy
    words[judges.J_LAGGED], words[J_WON + ALL] = energy // 10, energy // 20
    judge._choose()
    assert words[J_CHOICE] == ALL


def test_while_the_energy_rises_only_a_loss_ends_a_choice():
    """The energy of an edge comes a path delay before what following won of it."""
    judge, words, energy = begun()
    words[J_ENERGY] = words[judges.J_LARGEST] = energy
    words[judges.J_LAGGED] = energy // 2
    judge._choose()
    assert words[J_CHOICE] == ALL
    words[J_WON + ALL] = -energy * 3 // 100
    judge._choose()
    assert words[J_CHOICE] == judges.STILL
