"""Three units, one with half the air flow: with weights by temperature the spread falls."""

import pytest

from controller.config import configuration
from controller.core import weights
from controller.sites import FOLDER
from hil.values.chain_only import ChainOnly

CONFIG = configuration.load(FOLDER / "three_units" / "cabinet.toml", tick_ms=100)
TICK_MS, HOURS = 5000, 8


def load_W(t_s):
    return 760_000.0 + (650_000.0 if t_s % 60 < 30 else -650_000.0)


def spread(monkeypatch, less_permille):
    """(K after HOURS of 640 kW of swing, share of the energy of the weak unit)."""
    monkeypatch.setattr(weights, "LESS_PERMILLE_PER_DDEGC", less_permille)
    chain = ChainOnly(CONFIG, load_W, 0.5, 30.0, TICK_MS)
    chain.units[2].flow = 0.5
    given_W = [0, 0, 0]
    for _ in range(HOURS * 3_600_000 // TICK_MS):
        chain.step()
        assert sum(chain.loop.decision.units.out) == chain.battery_W
        given_W = [sum_W + abs(each) for sum_W, each in zip(given_W, chain.loop.decision.units.out)]
    degC = [each.degC for each in chain.units]
    return max(degC) - min(degC), given_W[2] / sum(given_W)


@pytest.mark.whole
def test_a_unit_with_a_weak_fan_gets_less_and_the_spread_stays_below_2_5_K(monkeypatch):
    without_K, equal = spread(monkeypatch, 0)
    with_K, less = spread(monkeypatch, 40)
    assert 0.33 < equal < 0.34 and 0.25 < less < 0.30
    assert without_K > 2.5 > 1.5 > with_K
