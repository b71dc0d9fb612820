"""When the battery gives and takes: figures of a day made by hand."""

import numpy as np
import pytest
from test_systems import TABLE, made

from hil.systems import shape_figures

BATTERY = TABLE["battery"] | {"energy_Wh": 600_000}


def day():
    """The load is low until 12 h, the price high from 6 to 18 h, the battery at rest, half full."""
    result = made(24, battery=BATTERY, schedule={"high_permille": 900})._replace(cap_W=350_000.0)
    for power_W in (result.series.load_W, result.grid_W):
        power_W[:48], power_W[48:] = 100_000, 300_000
    result.series.price[24:72] = 0.2
    return result


@pytest.mark.parametrize(
    "slots, reached",
    [(range(24, 48), 100.0), (range(24), 0.0), (range(12, 36), 50.0), (range(48, 96), None)],
)
def test_energy_given_at_a_low_load_counts_by_its_price(slots, reached):
    result = day()
    result.battery_W[list(slots)] = 50_000
    result.battery_W[:12] = np.maximum(24_900, result.battery_W[:12])  # a tenth is 25 kW
    result.battery_W[90:] = -50_000
    assert shape_figures.low_and_dear(result) == (
        (reached, 100.0, 50.0) if reached is not None else (None, None, None)
    )


def test_the_charge_before_the_lowest_peak_of_a_tenth_of_the_battery_counts():
    result = day()
    assert shape_figures.charge_before_peak(result)[0] is None
    result.series.load_W[60:64] = 350_000 + 70_000  # 70 kWh above the cap in an hour
    result.soc[59] = 0.81
    assert shape_figures.charge_before_peak(result)[0] == pytest.approx(90)
    result.series.load_W[80:84] = 350_000 + 50_000  # 50 kWh: less than a tenth
    result.soc[79] = 0.3
    assert shape_figures.charge_before_peak(result)[0] == pytest.approx(90)
    result.series.load_W[:4] = 350_000 + 70_000  # before it the charge of the file
    assert shape_figures.charge_before_peak(result)[0] == pytest.approx(50 / 0.9)


def test_only_energy_of_the_grid_at_night_is_charged_at_night():
    result = day()
    assert shape_figures.night_charge(result)[0] is None
    result.battery_W[[0, 23, 88, 95]] = -100_000  # 0 h, 5:45, 22 h, 23:45
    assert shape_figures.night_charge(result)[0] == 100
    result.battery_W[[24, 87]] = -100_000  # 6 h, 21:45
    assert shape_figures.night_charge(result)[0] == pytest.approx(100 * 4 / 6)
    result.grid_W[0] = -5.0  # PV alone
    assert shape_figures.night_charge(result)[0] == pytest.approx(100 * 3 / 6)
