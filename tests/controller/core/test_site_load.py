"""The load and the connection from three meters of different age, with any of them missing."""

import pytest
from views import setup, view

from controller.core.policies import site_load


class Estimator:
    def __init__(self, fitted=1):
        self.function = site_load.SiteLoad(setup(load_meter_fitted=fitted))
        self.state = self.function.state

    def step(self, load_ok, load_W, grid_ok, grid_W, battery_ok, battery_W):
        known = view(
            load_meter_W=load_W if load_ok else None,
            grid_W=grid_W if grid_ok else None,
            battery_W=battery_W if battery_ok else None,
        )
        answers = self.function.step(known, 1)
        source, load_W, connection_ok, connection_W = result(self)
        assert known.load_source == source
        assert known.load_W == (load_W if source else None)
        assert known.connection_W == (connection_W if connection_ok else None)
        assert len(answers) == connection_ok
        return answers


def result(unit):
    """(source, load_W, connection_ok, connection_W)"""
    return tuple(unit.state[:4])


@pytest.mark.parametrize(
    "load_ok, grid_ok, battery_ok, fitted, expected",
    (
        (1, 1, 1, 1, (site_load.MEASURED, 300, 1, 450)),
        (
            1,
            1,
            0,
            1,
            (site_load.MEASURED, 300, 1, 300),
        ),  # what the load meter does not see is unknown yet
        # without the grid meter no obligation can be known
        (1, 0, 1, 1, (site_load.MEASURED, 300, 0, 300)),
        (0, 1, 1, 1, (site_load.CALCULATED, 450, 1, 450)),
        (1, 1, 1, 0, (site_load.CALCULATED, 450, 1, 450)),
        (0, 1, 0, 1, (site_load.UNKNOWN, 0, 0, 0)),
        (0, 0, 1, 1, (site_load.UNKNOWN, 0, 0, 0)),
        (0, 0, 0, 1, (site_load.UNKNOWN, 0, 0, 0)),
    ),
)
def test_what_is_known_from_what_is_fresh(load_ok, grid_ok, battery_ok, fitted, expected):
    unit = Estimator(fitted)
    unit.step(load_ok, 300, grid_ok, 400, battery_ok, 50)
    assert result(unit) == expected


def test_the_load_meter_gives_the_fast_part_and_the_grid_the_slow_one():
    unit = Estimator()
    unit.step(1, 300_000, 1, 300_000, 1, 0)
    unit.step(1, 400_000, 1, 300_000, 1, 0)  # the grid meter has not seen the step yet
    assert result(unit)[1] == 400_000
    assert 399_000 < result(unit)[3] < 400_000
    for _ in range(3000):
        unit.step(1, 400_000, 1, 420_000, 1, 0)
    assert result(unit)[3] == pytest.approx(420_000, abs=2)


def test_readings_of_different_age_do_not_swing_the_battery():
    """160 ms apart, at full gain (victronenergy/venus 1657: -4000 .. +3000 W)."""
    unit = Estimator(fitted=0)
    sent = [0] * 20
    for tick in range(2000):
        load_W = 600_000 if tick > 100 else 450_000
        battery = sent[-4]  # what flows now
        unit.step(0, 0, 1, load_W - sent[-12], 1, sent[-4])
        sent.append(max(0, result(unit)[3] - 500_000))
        assert abs(battery) < 150_000
    assert sent[-1] == pytest.approx(100_000, abs=5)
    assert max(sent[1000:]) - min(sent[1000:]) <= 10


def test_a_lost_load_meter_changes_nothing_at_once():
    unit = Estimator()
    for _ in range(500):
        unit.step(1, 300_000, 1, 330_000, 1, 20_000)
    assert result(unit)[3] == pytest.approx(350_000, abs=5)
    unit.step(0, 300_000, 1, 410_000, 1, 20_000)
    assert result(unit)[:3] == (site_load.CALCULATED, 430_000, 1)
    assert result(unit)[3] == pytest.approx(350_000, abs=5)
    unit.step(1, 300_000, 1, 410_000, 1, 20_000)
    assert result(unit)[3] == pytest.approx(350_000, abs=5)


def test_after_nothing_was_known_it_begins_at_what_is_measured():
    unit = Estimator()
    unit.step(1, 300_000, 1, 300_000, 1, 0)
    unit.step(0, 0, 0, 0, 0, 0)
    assert result(unit)[0] == site_load.UNKNOWN
    unit.step(1, 200_000, 1, 260_000, 1, 0)
    assert result(unit) == (site_load.MEASURED, 200_000, 1, 260_000)


def test_while_the_converter_is_silent_the_last_difference_stays():
    unit = Estimator()
    unit.step(1, 300_000, 1, 280_000, 1, 50_000)
    for _ in range(100):
        unit.step(1, 320_000, 1, 999_000, 0, 0)
    assert result(unit) == (site_load.MEASURED, 320_000, 1, 350_000)
