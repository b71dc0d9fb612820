"""Row 57: what the grid meter tells against what the connection may carry."""

import pytest
from bench import Bench

from safety import matrix as m, means, signals as s
from tests.tables import cases

WATCHED = (
    m.F_GRID_OVER_PERMILLE,
    m.F_GRID_OVER_BY_CHARGING_PERMILLE,
    m.F_GRID_EXPORT_BY_BATTERY_PERMILLE,
)
SETTLED = 250  # ticks: the means are of 4 s


def seen(grid_W, battery_W, units=1, **parameters):
    """The three features, permille of the connection, None while not known."""
    bench = Bench(units=units, racks=units, **parameters)
    bench.set(s.GRID_POWER_W, grid_W)
    for unit in range(units):
        bench.set_unit(s.PCS_POWER_W, battery_W, unit)
    return found(bench.step(SETTLED))


def found(bench):
    return [value if known else None for value, known in map(bench.of, WATCHED)]


# import 500 kW, export 0: a permille is 500 W
@cases("""grid_W  battery_W  permille
    853_000  0  (706, 0, 0)
    1_500_000  0  (2000, 0, 0)
    500_000  -250_000  (0, 0, 0)
    600_000  -50_000  (200, 100, 0)  # the battery causes no more than it charges
    600_000  -150_000  (200, 200, 0)
    600_000  250_000  (200, 0, 0)  # it helps
    -50_000  20_000  (100, 0, 40)
    -50_000  70_000  (100, 0, 100)
    -50_000  -20_000  (100, 40, 0)  # of two transformers turned round: 150 kW of import
    -50_000  -70_000  (100, 100, 0)
    -9000  -20_000  (18, 18, 0)""")
def test_what_is_over_and_what_of_it_is_the_battery(grid_W, battery_W, permille):
    above = [max(0, value) for value in seen(grid_W, battery_W)]
    assert above == pytest.approx(permille, abs=1)


def test_an_export_beyond_what_it_may_be():
    limits = {"grid_export_W_max": 200_000}
    over, _, by_battery = seen(-300_000, 60_000, **limits)
    assert (over, by_battery) == (pytest.approx(200, abs=2), pytest.approx(120, abs=2))


def test_the_parts_that_are_small_ints():
    """A part of 500 kW is 9 W; a part of 9 W is one."""
    bench = Bench().set(s.GRID_POWER_W, 90_000).set_unit(s.PCS_POWER_W, 45_000).step(SETTLED)
    connection = bench.kernel.features.connection
    assert connection.part_W == 9
    assert list(connection.words[means.MEAN_FIRST : means.MEAN_SECOND + 1]) == [10_000, 5000]


def test_units_add_up():
    assert seen(600_000, -10_000, units=4)[1] == pytest.approx(80, abs=2)


@pytest.mark.parametrize("sign", [1, -1])
def test_one_converter_far_beyond_counts_as_the_largest(sign):
    """An absurd value of one converter does not hide the others. The sum stays a small int."""
    bench = Bench(units=2, racks=2, grid_import_W_max=1000)
    largest = means.VALUE_MAX
    bench.set_unit(s.PCS_POWER_W, 2 * sign * largest, 0)
    bench.set_unit(s.PCS_POWER_W, -sign * largest, 1)
    words = bench.step(SETTLED).kernel.features.connection.words
    assert words[means.MEAN_SECOND] == 0


def test_the_least_that_is_told():
    """Far from an export, by parts of 9 W: a value that times 1000 is a small int."""
    limits = {"grid_export_W_max": 200_000}
    assert seen(100_000_000, 0, **limits)[2] == -means.VALUE_MAX * 1000 // (500_000 // 9)


@cases("""limits  over
    {"grid_import_W_max": 100_000_000}  -1000
    {"grid_import_W_max": 0, "grid_export_W_max": 0}  400  # of 250 kW, the converter's
    {"grid_import_W_max": 0, "grid_export_W_max": 200_000}  500""")
def test_of_what_size_the_parts_are(limits, over):
    grid_W = 0 if over < 0 else 100_000
    found_over = seen(grid_W, 0, **limits)[0]
    assert found_over == (0 if over < 0 else pytest.approx(over, abs=2))


@pytest.mark.parametrize("value_W", [s.INT_MAX, -s.INT_MAX])
def test_every_value_stays_small(value_W):
    for limits in ({}, {"grid_import_W_max": 1, "grid_export_W_max": 0}):
        for value in seen(value_W, -value_W, units=4, **limits):
            assert abs(value) <= s.INT_MAX


@pytest.mark.parametrize("silent", [s.G_METER_GRID, "pcs"])
def test_without_meter_or_converter_nothing_is_known(silent):
    bench = Bench().set(s.GRID_POWER_W, 600_000).step(SETTLED)
    assert None not in found(bench)
    group = bench.layout.unit_group(0, s.G_PCS_MEASURE) if silent == "pcs" else silent
    assert found(bench.silence(group).step(300)) == [None] * 3


def test_a_swing_whose_mean_is_within_the_limit_is_none():
    """It swings between 350 and 650 kW twice a second: the connection carries 500 kW."""
    bench = Bench().step(SETTLED)
    for half in range(40):
        bench.set(s.GRID_POWER_W, 350_000 if half & 1 else 650_000).step(12)
        assert found(bench)[0] < 20
