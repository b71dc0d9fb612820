"""The table of control parameters: defaults make sense together, and places never move."""

from controller.core import parameters

DEFAULTS = parameters.settings_of(parameters.default_image())
OLDEST = {"grid_import_W_max": 0, "setpoint_quantum_W": 3, "soc_reserve_peaks_permille": 4}
OLDEST |= {"energy_Wh": 8, "track_path_delay_ms": 11, "load_meter_fitted": 17}
OLDEST |= {"peak_import_W_max": 18}


def test_names_end_in_their_unit_and_defaults_keep_energy_back_and_export_nothing():
    for name, unit, *_ in parameters.CONTROL_PARAMETERS:
        assert unit == "bool" or "_" + unit.replace("/", "_per_") in name
    soft_permille = DEFAULTS["soc_reserve_peaks_permille"]
    assert DEFAULTS["soc_reserve_backup_permille"] < soft_permille < DEFAULTS["soc_target_permille"]
    assert DEFAULTS["grid_export_W_max"] == 0


def test_parameters_are_only_appended():
    """A journal holds the values by place."""
    assert {name: list(DEFAULTS).index(name) for name in OLDEST} == OLDEST


def test_a_share_of_the_connection_is_rounded_down():
    image = parameters.default_image()
    names = list(DEFAULTS)
    for name, value in {"share_permille": 333, "grid_import_W_max": 1001}.items():
        image[names.index(name)] = value
    found = parameters.settings_of(image)
    assert found["grid_import_W_max"] == 333 and found["share_permille"] == 333
    assert DEFAULTS["grid_import_W_max"] == 500_000
