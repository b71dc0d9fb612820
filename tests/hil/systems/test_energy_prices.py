"""The prices of energy: drawn from a seed, or by time of use."""

from datetime import datetime

import numpy as np
import pytest

from hil.systems import prices
from tests.tables import cases

START = datetime(2026, 6, 1)  # a Monday


def test_built_in_prices_are_of_the_seed_and_have_valleys_and_peaks():
    one, same, other = [prices.built_in(seed, START, 24 * 60) for seed in (1, 1, 2)]
    assert (one == same).all() and (one != other).any()
    day = one.reshape(60, 24)
    spread = day.max(axis=1) / np.maximum(0.005, day.min(axis=1))
    assert 0.03 < one.mean() < 0.08 and np.median(spread) > 2
    given = prices.built_in(1, START, 24 * 60, [10.0] * 12 + [100.0] * 12).reshape(60, 24)
    assert given[:, :12].mean() == pytest.approx(0.01, abs=0.002)
    assert given[:, 12:].mean() == pytest.approx(0.1, abs=0.002)


@cases("""
    month  hour  price
    6  7  2 | 6  8  3 | 6  11  2 | 6  22  1 | 6  5  1 | 6  6  2 | 7  14  3
""")
def test_time_of_use(month, hour, price):
    table = {
        "valley": 1,
        "flat": 2,
        "peak": 3,
        "valley_hours": [[22, 6]],
        "peak_hours": [[8, 11], [18, 21]],
        "summer_peak_hours": [[8, 15], [18, 21]],
    }
    assert prices.time_of_use(table, datetime(2026, month, 1, hour), 1)[0] == price
