"""Tapers by cold and by state of charge, and which of several limits is named."""

import itertools

import pytest
from bench import default_image
from started import Plant, running

from safety import bounds as b
from safety import matrix as m
from safety import parameters as p
from safety import signals as s
from safety import tapers
from safety.kernel import Kernel

RATED_W = 250_000
WAYS = (s.CHARGE_W_MAX, s.DISCHARGE_W_MAX)
REASONS = (s.CHARGE_REASON, s.DISCHARGE_REASON)
# Of several limits that leave nothing, the later one here is named: causes first, what follows from
# them last.
ORDER = (
    "pcs_rated",
    "installer",
    "bms_current",
    "cell_voltage_taper",
    "temperature_taper",
    "soc_taper",
    "bms_silence",
    "derate",
    "test",
    "inhibit",
    "ramp_to_zero",
    "stop",
    "permit",
)


def left_W(bench, index):
    """One limit of the first unit: charge, discharge."""
    return tuple(bench.kernel.bounds.limit_W[way * len(b.LIMITS) + index] for way in range(2))


def coldest(bench, value_ddegC, rack=1):
    """One cold module in a rack."""
    bench.set_rack(s.MODULE_TEMPERATURE_DDEGC + 2, value_ddegC, rack)
    return bench.step()


# 0.1 degC, then what is left of rated for charge and discharge in permille
@pytest.mark.parametrize(
    "coldest_ddegC, charge, discharge",
    [
        (101, 1000, 1000),
        (100, 1000, 1000),
        (99, 990, 1000),
        (50, 500, 1000),
        (1, 10, 1000),
        (0, 0, 1000),
        (-99, 0, 1000),
        (-100, 0, 1000),
        (-101, 0, 990),
        (-150, 0, 500),
        (-199, 0, 10),
        (-200, 0, 0),
        (-600, 0, 0),
    ],
)
def test_cold(coldest_ddegC, charge, discharge):
    bench = coldest(running(racks=3), coldest_ddegC)
    assert left_W(bench, b.L_TEMPERATURE_TAPER) == (
        RATED_W // 1000 * charge,
        RATED_W // 1000 * discharge,
    )
    if charge < 1000:
        assert b.LIMITS[bench.unit(s.CHARGE_REASON)] == "temperature_taper"


@pytest.mark.parametrize(
    "changed, expected",
    [
        ({}, (((400, 500), (100, 0)), ((450, 550), (-100, -200)))),
        ({"20a": 450, "20b": 350}, (((400, 450), (100, 0)), ((350, 350), (-100, -200)))),
        (
            {"18a": 310, "18b": 300, "20b": 320},
            (((310, 500), (100, 0)), ((300, 320), (-100, -200))),
        ),
        ({"25a": 50, "25b": 0}, (((400, 500), (150, 50)), ((450, 550), (100, 0)))),
        (
            {"20a": 600, "18a": 500, "25a": -100, "25b": -250},
            (((400, 500), (100, 0)), ((450, 550), (-100, -200))),
        ),
    ],
)
def test_a_site_that_trips_sooner_has_no_power_left_there(changed, expected):
    """The tapers ended at 50 and 55 degC also where rows 20a and 20b trip at 32 and 35: full power
    up to the trip.
    """
    image, image_map = default_image(), p.ImageMap(1, 1, m.STAGES_PER_SCOPE)
    for place, stage in enumerate(m.STAGES):
        words = image_map.stage + place * len(p.STAGE_WORDS)
        image[words] = changed.get(stage[m.S_ID], image[words])
    assert (
        tapers.temperature_tapers(image, image_map) == expected == Kernel(image).bounds.racks.tapers
    )


@pytest.mark.parametrize(
    "soc_permille, charge, discharge",
    [
        (969, 1000, 1000),
        (970, 1000, 1000),
        (971, 966, 1000),
        (985, 500, 1000),
        (999, 33, 1000),
        (1000, 0, 1000),
        (31, 1000, 1000),
        (30, 1000, 1000),
        (29, 1000, 966),
        (15, 1000, 500),
        (1, 1000, 33),
        (0, 1000, 0),
    ],
)
def test_state_of_charge(soc_permille, charge, discharge):
    bench = running(racks=3)
    bench.set_rack(s.SOC_PERMILLE, soc_permille, 1)
    bench.step()
    assert left_W(bench, b.L_SOC_TAPER) == (RATED_W // 1000 * charge, RATED_W // 1000 * discharge)
    for way, left in enumerate((charge, discharge)):
        if left < 1000:
            assert b.LIMITS[bench.unit(REASONS[way])] == "soc_taper"
            assert bench.unit(WAYS[way]) == RATED_W // 1000 * left


def test_a_rack_that_reports_no_temperatures_is_not_cold_but_has_a_state_of_charge():
    image = default_image()
    image[p.ImageMap(1, 1, m.STAGES_PER_SCOPE).rack + p.R_TEMPERATURES_REPORTED] = 0
    bench = Plant(image).step(30)
    bench.set_rack(s.SOC_PERMILLE, 985)
    coldest(bench, -600, 0)
    assert left_W(bench, b.L_TEMPERATURE_TAPER) == (RATED_W, RATED_W)
    assert left_W(bench, b.L_SOC_TAPER) == (left_W(bench, b.L_BMS_CURRENT)[0] // 2, RATED_W)


def named(bench, limits_W, way):
    """The limit named while these {name: W} act and the others leave all."""
    bounds, at = bench.kernel.bounds, way * len(b.LIMITS)
    for index, name in enumerate(b.LIMITS):
        bounds.limit_W[at + index] = limits_W.get(name, RATED_W)
    bounds._lowest(0, way)
    return b.LIMITS[bench.unit(REASONS[way])], bounds.lowest_W[way]


@pytest.mark.parametrize("way", range(2))
def test_which_limit_is_named(way):
    bench = running()
    assert tuple(b.LIMITS[index] for index in b.NAMED) == ORDER and set(ORDER) == set(b.LIMITS)
    assert named(bench, {}, way) == ("pcs_rated", RATED_W)
    for earlier, later in itertools.combinations(ORDER, 2):
        assert named(bench, {earlier: 0, later: 0}, way) == (later, 0)
        assert named(bench, {earlier: 7, later: 7}, way) == (earlier, 7), (
            "of two equal ones the first binds"
        )
        assert named(bench, {earlier: 7, later: 8}, way) == (earlier, 7)
        assert named(bench, {earlier: 8, later: 7}, way) == (later, 7)
        assert named(bench, {earlier: 0, later: 1}, way) == (earlier, 0)
