"""Set-points of the units that make the voltage of an island."""

from array import array

import pytest

from controller.core import parameters
from controller.core.units import Units
from tests.tables import cases

SETTINGS = {row[0]: row[4] for row in parameters.CONTROL_PARAMETERS}
FULL_W = array("i", [250_000] * 3)


def units(forming, powers_W, charge_W=FULL_W, discharge_W=FULL_W, total_W=0):
    one = Units([250_000] * 3, (0, 1, 2), SETTINGS)
    one.forming, one.powers_W = forming, powers_W
    one.step(total_W, charge_W, discharge_W, 20)
    return list(one.out)


@cases("""
    forming  powers_W  out
    [0, 1, 2]  [100_000, -50_000, 0]  [98_000, -49_000, 0]
    [0, 2]  [100_000, 50_000, 999]  [98_000, 0, 0]
    []  [100_000, 50_000, 0]  [0, 0, 0]
    [0, 1, 2]  None  [0, 0, 0]
""")
def test_a_set_point_follows_the_power_of_a_unit_that_forms(forming, powers_W, out):
    assert units(forming, powers_W) == out


def test_it_stays_within_the_limits_of_the_unit():
    few_W = array("i", [10_000] * 3)
    assert units([0, 1], [100_000, -100_000, 0], few_W, few_W) == [10_000, -10_000, 0]


@pytest.mark.parametrize("first_W", [250_000, -250_000])
def test_a_unit_that_says_so_and_follows_in_truth_goes_to_zero(first_W):
    power_W = first_W
    for _ in range(400):
        power_W = units([0], [power_W, 0, 0])[0]
    assert power_W == 0
