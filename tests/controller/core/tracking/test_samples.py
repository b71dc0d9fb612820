"""The ring of samples: ages, places between samples, lost samples, the wrap of the ring."""

import pytest
from hypothesis import given, strategies as st

from controller.core.tracking.samples import Samples


def filled(count, values):
    samples = Samples(count)
    samples.begin(values[0])
    for value in values[1:]:
        samples.append(value)
    return samples


def test_the_past_before_the_first_sample_is_constant():
    assert list(filled(5, [7]).every(1, 5)) == [7] * 5


@given(st.integers(4, 30), st.integers(0, 60), st.integers(1, 4), st.data())
def test_samples_come_back_by_age_over_the_wrap(count, more, step, data):
    values = list(range(100, 101 + count + more))
    samples = filled(count, values)
    wanted = data.draw(st.integers(1, (count - 1) // step + 1))
    assert list(samples.every(step, wanted)) == values[::-1][: wanted * step : step]
    assert [samples.every(1, 1, age)[0] for age in range(count)] == values[::-1][:count]


@pytest.mark.parametrize("sign", (1, -1))
@pytest.mark.parametrize("more", (0, 40, 130, 300, 420))
def test_the_range_is_that_of_the_newest_samples(sign, more):
    """The ring of 300 samples wraps, in blocks of 128, the last of which is short."""
    values = [sign * value for value in range(300 + more)]
    samples = filled(300, values)
    for seen in range(1, 301):
        assert samples.range_W(seen) == (min(values[-seen:]), max(values[-seen:]))


@pytest.mark.parametrize(
    "age_256, value", ((0, 300), (64, 275), (128, 250), (256, 200), (384, 150))
)
def test_between_two_samples_lies_a_straight_line(age_256, value):
    samples = filled(8, [100, 200, 300])
    assert (samples.change_W(256, age_256), samples.change_W(age_256, 256)) == (
        value - 200,
        200 - value,
    )
