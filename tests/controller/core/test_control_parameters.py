"""The table of control parameters: index constants agree with it, defaults are allowed and make
sense together.
"""

import pytest

from controller.core import parameters


@pytest.mark.parametrize(
    "index, row", tuple(enumerate(parameters.CONTROL_PARAMETERS)), ids=lambda each: str(each)[:40]
)
def test_a_row_is_complete_and_its_constant_points_at_it(index, row):
    name, unit, low, high, default, tighter = row
    assert getattr(parameters, "C_" + name.upper()) == index
    assert low <= default <= high <= (1 << 30) - 1
    assert tighter in ("up", "down", "fixed", "free")
    assert unit == "bool" or "_" + unit.replace("/", "_per_") in name


def test_every_constant_has_a_row():
    constants = [name for name in dir(parameters) if name.startswith("C_")]
    assert len(constants) == len(parameters.CONTROL_PARAMETERS) == len(parameters.default_image())


def test_the_defaults_keep_energy_back_and_export_nothing():
    image = parameters.default_image()
    assert (
        image[parameters.C_SOC_RESERVE_HARD_PERMILLE]
        < image[parameters.C_SOC_RESERVE_SOFT_PERMILLE]
    )
    assert image[parameters.C_SOC_RESERVE_SOFT_PERMILLE] < image[parameters.C_SOC_TARGET_PERMILLE]
    assert image[parameters.C_GRID_EXPORT_W_MAX] == 0
