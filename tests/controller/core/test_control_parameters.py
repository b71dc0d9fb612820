"""The table of control parameters: defaults are allowed and make sense together."""

import pytest

from controller.core import parameters

DEFAULTS = parameters.settings_of(parameters.default_image())


@pytest.mark.parametrize("row", parameters.CONTROL_PARAMETERS, ids=lambda row: row[0])
def test_a_row_is_complete(row):
    name, unit, low, high, default, tighter = row
    assert low <= default <= high <= (1 << 30) - 1
    assert tighter in ("up", "down", "fixed", "free")
    assert unit == "bool" or "_" + unit.replace("/", "_per_") in name


def test_the_defaults_keep_energy_back_and_export_nothing():
    soft_permille = DEFAULTS["soc_reserve_soft_permille"]
    assert DEFAULTS["soc_reserve_hard_permille"] < soft_permille < DEFAULTS["soc_target_permille"]
    assert DEFAULTS["grid_export_W_max"] == 0


def test_a_parameter_is_only_ever_appended():
    """A journal holds the values by place."""
    names = list(DEFAULTS)
    places = {name: names.index(name) for name in OLDEST}
    assert places == OLDEST


OLDEST = {
    "grid_import_W_max": 0,
    "setpoint_quantum_W": 3,
    "soc_reserve_soft_permille": 4,
    "energy_Wh": 8,
    "track_time_constant_s": 12,
    "load_meter_fitted": 17,
    "peak_import_W_max": 18,
}
