"""A period is found, refined and lost; what came next comes again only when both times agree."""

import math

import pytest
from hypothesis import given, settings, strategies as st

from controller.core.tracking.repetition import (
    LAG_MAX,
    LAG_MIN,
    R_PERIOD,
    Repetition,
    _highest_peak,
    kept_samples,
)
from controller.core.tracking.samples import Samples

SAMPLES_MS = (20, 100)


def learned(load_W, seconds, sample_ms, lost=()):
    """Repetition after `seconds` of a load (s -> W); lost: numbers of samples that never came."""
    samples = Samples(kept_samples(sample_ms))
    repetition = Repetition(samples, sample_ms)
    samples.begin(round(load_W(0)))
    periods = 1
    for number in range(1, int(seconds * 1000 // sample_ms)):
        if number in lost:
            periods += 1
            continue
        for missing in range(periods, 0, -1):
            samples.append(round(load_W((number - missing + 1) * sample_ms / 1000)))
        repetition.learn(periods)
        periods = 1
    return repetition


def found_period_s(repetition, sample_ms):
    return repetition.words[R_PERIOD] * sample_ms / 256 / 1000


def square(period_s, high_W=400_000):
    return lambda t_s: high_W if t_s % period_s < period_s / 2 else 300_000


def sine(period_s):
    return lambda t_s: 300_000 + 50_000 * math.sin(2 * math.pi * t_s / period_s)


@pytest.mark.parametrize("sample_ms", SAMPLES_MS)
@pytest.mark.parametrize("wave", (square, sine))
@pytest.mark.parametrize("period_s", (0.7, 1.0, 2.5, 10.9, 20.0))
def test_the_period_of_a_wave_or_a_multiple_is_found(wave, period_s, sample_ms):
    found_s = found_period_s(learned(wave(period_s), 3.5 * period_s + 20, sample_ms), sample_ms)
    turns = round(found_s / period_s)
    assert turns >= 1 and abs(found_s - turns * period_s) <= max(0.02, 0.012 * period_s)


@pytest.mark.parametrize("sample_ms", (10, 20, 40))
@pytest.mark.parametrize("at_Hz", (6.3, 8.547, 9.76))
def test_a_tone_that_the_grid_shows_as_slow_gets_whole_periods(at_Hz, sample_ms):
    """9.76 Hz are 0.24 Hz on the grid, and its 4.17 s are 40.7 periods of the tone."""
    turns = at_Hz * found_period_s(learned(sine(1 / at_Hz), 20, sample_ms), sample_ms)
    assert turns > 1 and turns == pytest.approx(round(turns), abs=0.06)


@pytest.mark.parametrize("sample_ms", (10, 20))
def test_a_period_between_two_samples_is_refined(sample_ms):
    found_s = found_period_s(learned(sine(1.013), 20, sample_ms), sample_ms)
    assert found_s == pytest.approx(1.013, abs=0.001)


@pytest.mark.parametrize("before_s, kept_s", ((2.0, 2.0), (1.0, 1.0), (1.3, 1.0)))
def test_a_period_stays_until_another_one_is_more_alike(before_s, kept_s):
    repetition = learned(sine(1.0), 20, 20)
    repetition.words[R_PERIOD] = round(before_s * 50 * 256)
    for step in (repetition._find, repetition._refine, repetition._choose):
        step()
    assert found_period_s(repetition, 20) == pytest.approx(kept_s, abs=0.005)


@pytest.mark.parametrize(
    "sample_ms, lost, steps", ((20, 0, 3), (10, 0, 3), (40, 0, 3), (20, 1, 3), (100, 0, 1))
)
def test_a_search_takes_a_step_a_sample(monkeypatch, sample_ms, lost, steps):
    """`lost` samples come after the first step. A meter of 100 ms has nothing to refine it."""
    repetition = learned(sine(1.0), 20, sample_ms)
    taken, samples = [], repetition._samples
    for name in ("_find", "_refine", "_choose"):
        step = getattr(repetition, name)
        monkeypatch.setattr(
            repetition, name, lambda step=step, name=name: [taken.append(name), step()]
        )
    repetition.words[R_PERIOD] = 0
    at = []
    while not repetition.is_found:
        before = len(taken)
        periods = 1 + lost * (taken == ["_find"])
        for _ in range(periods):
            samples.append(samples.every(1, 1000 // sample_ms)[-1])
        repetition.learn(periods)
        at.append(len(taken) - before)
    assert taken == ["_find", "_refine", "_choose"] and at[-steps:] == [3 // steps] * steps
    assert found_period_s(repetition, sample_ms) == pytest.approx(1.0, abs=0.005)


@settings(max_examples=30)
@given(st.lists(st.integers(0, 9), min_size=LAG_MAX + 2, max_size=LAG_MAX + 2), st.booleans())
def test_the_highest_maximum_is_found_beside_higher_ends(heights, has_flanks):
    if has_flanks:
        heights = [*range(40, 20, -1), *heights[20:-20], *range(20, 40)]
    peaks = [
        (heights[lag], -lag)
        for lag in range(LAG_MIN, LAG_MAX + 1)
        if heights[lag - 1] < heights[lag] >= heights[lag + 1]
    ]
    assert _highest_peak(heights) == (-max(peaks)[1] if peaks else 0)


def test_a_falling_and_a_rising_likeness_have_no_maximum():
    rising = list(range(LAG_MAX + 2))
    assert _highest_peak(rising) == _highest_peak(rising[::-1]) == 0
    assert _highest_peak([0] * LAG_MAX + [1, 1]) == LAG_MAX


@pytest.mark.parametrize("sample_ms", SAMPLES_MS)
def test_what_came_next_comes_again(sample_ms):
    """20 s after its start a square of 2 s is at its rising edge: half a second before it, too."""
    repetition = learned(square(2.0), 19.9, sample_ms)
    horizon_256 = 300 * 256 // sample_ms
    assert repetition.guess_W(0) == 300_000
    assert repetition.guess_W(horizon_256) == 400_000


def test_a_single_event_does_not_come_again():
    def load_W(t_s):
        return 400_000 if 5 <= t_s < 6 else 300_000

    repetition = learned(load_W, 30, 100)
    assert not repetition.is_found or repetition.guess_W(400) == 300_000


def test_a_guess_stays_within_the_range_of_two_periods():
    """A square on a slope: what came next would lead beyond anything that was seen."""
    repetition = learned(lambda t_s: square(2.0)(t_s) - 4000 * t_s, 20, 100)
    assert repetition.guess_W(768) <= 400_000 - 4000 * 16


@pytest.mark.parametrize("load_W", (lambda t_s: 300_000, lambda t_s: 300_000 + 1000 * t_s))
def test_a_quiet_load_and_a_ramp_have_no_period(load_W):
    assert not learned(load_W, 30, 100).is_found


def test_a_lost_sample_is_not_a_change():
    """The period is found although every seventh sample is lost."""
    lost = range(5, 400, 7)
    assert abs(found_period_s(learned(square(2.0), 40, 100, lost), 100) - 2.0) <= 0.04
