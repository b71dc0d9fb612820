"""The guess of the load: slope, lost samples, gaps."""

import math

import pytest

from controller.core.tracking.guess import G_ERROR_FOLLOW, G_ERROR_REPEAT, G_SLOPE_W, Guess
from controller.core.tracking.repetition import R_PERIOD
from tests.tables import cases

TICK_MS, SAMPLE_MS, DELAY_MS = 20, 100, 170


def guessed(load_W, seconds, lost=(), delay_ms=DELAY_MS):
    """(guess, the last answers) of a load (s -> W); lost: numbers of samples that never came."""
    guess, answers_W = Guess(TICK_MS, SAMPLE_MS, 500), []
    seen_W = round(load_W(0))
    for tick in range(int(seconds * 50)):
        is_new = tick % 5 == 0 and tick // 5 not in lost
        seen_W = round(load_W(tick / 50)) if is_new else seen_W
        answers_W.append(guess.step(seen_W, is_new, 1, delay_ms, True))
    return guess, answers_W


def test_a_confirmed_slope_goes_on():
    """10 kW/s: at a fresh sample the horizon is 130 ms, after four ticks 210 ms."""
    _, answers_W = guessed(lambda t_s: 300_000 + 10_000 * t_s, 10)
    for tick, horizon_ms in ((450, 130), (454, 210)):
        assert answers_W[tick] == pytest.approx(390_000 + 10 * horizon_ms, abs=15)


def test_a_slope_leads_by_one_of_its_changes_at_most():
    """100 kW/s for 0.6 s, then the meter is late: the slope would lead by 26 kW."""
    _, answers_W = guessed(
        lambda t_s: 300_000 + 100_000 * max(t_s - 5, 0), 5.86, lost=(57, 58), delay_ms=100
    )
    assert max(answers_W) == 360_000 + 20_000  # of 200 ms


def test_a_ramp_that_ends_within_three_changes_is_not_led():
    """A ramp of 0.4 s to 40 kW."""
    _, answers_W = guessed(lambda t_s: 300_000 + 100_000 * min(max(t_s - 5, 0), 0.4), 6)
    assert max(answers_W) == 340_000


@cases("""
    delay_ms  samples  slope_W
    60   18  0 | 60   19  3000 | 60   20  4000 | 60   23   7000 | 60   24   8000 | 60   25   8000
    100  18  0 | 100  19  3000 | 100  20  4000 | 100  23   7000 | 100  24   8000 | 100  25   8000
    200  33  0 | 200  34  4000 | 200  35  5000 | 200  44  14000 | 200  45  15000 | 200  46  15000
""")
def test_a_slope_counts_after_three_changes(delay_ms, samples, slope_W):
    """Changes of 150 ms or 1.5 path delays: 8 samples of 20 ms up to 100 ms, 15 at 200 ms. Three
    of them make it whole; a staircase is excluded from two and three samples or more on.
    """
    guess = Guess(20, 20, 500)
    for load_W in [*[300_000] * 200, *[300_000 + 1000 * (n + 1) for n in range(samples)]]:
        guess.step(load_W, True, 1, delay_ms, True)
    assert guess.words[G_SLOPE_W] == slope_W


def test_a_repetition_counts_at_once_and_as_long_as_it_errs_clearly_less():
    """When it is found, both guesses have erred alike: the last sample stood for it before."""
    guess, tick = Guess(TICK_MS, SAMPLE_MS, 500), 0
    while not guess.repetition.is_found:
        guess.step(300_000 + 100_000 * (tick % 100 < 50), tick % 5 == 0, 1, DELAY_MS, True)
        tick += 1
    assert guess.is_repeating
    for repeat, is_repeating in (7499, True), (7500, False), (7501, False):
        guess.words[G_ERROR_FOLLOW], guess.words[G_ERROR_REPEAT] = 10_000, repeat
        assert guess.is_repeating is is_repeating
    guess.words[G_ERROR_REPEAT] = guess.repetition.words[R_PERIOD] = 0
    assert not guess.is_repeating, "without a period nothing repeats"


def test_a_lost_sample_of_a_repetition_is_what_comes_again():
    """A 2.5 Hz tone has four samples a period: a straight line through it would be 30 kW off."""

    def tone_W(t_s):
        return 300_000 + 30_000 * math.sin(2 * math.pi * 2.5 * t_s + 0.4)

    whole, _ = guessed(tone_W, 30)
    torn, _ = guessed(tone_W, 30, lost=(297,))
    assert whole.is_repeating
    torn_W, whole_W = torn.samples.every(1, 8), whole.samples.every(1, 8)
    assert list(torn_W) == pytest.approx(list(whole_W), abs=4000)


def test_a_lost_sample_of_a_ramp_lies_on_a_straight_line():
    guess, _ = guessed(lambda t_s: 300_000 + 10_000 * t_s, 5, lost=(46, 47))
    found_W = guess.samples.every(1, 5)
    assert list(found_W) == [349_000, 348_000, 347_000, 346_000, 345_000]


@pytest.mark.parametrize("lost, is_kept", ((9, True), (10, False)))
def test_after_a_gap_of_more_than_a_second_everything_begins_anew(lost, is_kept):
    guess, _ = guessed(lambda t_s: 300_000 + 1000 * t_s, 6, lost=range(40, 40 + lost))
    assert (guess.samples.every(1, 21)[20] < 304_000) == is_kept
