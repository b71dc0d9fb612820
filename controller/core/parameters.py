"""Every number the control functions take from configuration, as data; the control image is their
values in this order.

Same tuple form as safety.parameters: name, unit, low, high, default, tighter direction. "up" and
"down" as there: a later layer of configuration may only go that way. "fixed": one layer says it, no
later one may differ. "free": a choice that bounds nothing (every bound is a limit, a cap or an
obligation of its own): a later layer may change it either way.
"""

from array import array

CONTROL_PARAMETERS = (
    # The connection: obligations of the highest rank. Export 0 until somebody says that exporting
    # is allowed.
    ("grid_import_W_max", "W", 0, 100_000_000, 500_000, "down"),
    ("grid_export_W_max", "W", 0, 100_000_000, 0, "down"),
    # The set-point as a whole. 10 MW/s lets a 250 kW converter turn round within three ticks of 20
    # ms.
    ("setpoint_ramp_W_per_s", "W/s", 1000, 1_000_000_000, 10_000_000, "down"),
    ("setpoint_quantum_W", "W", 1, 10_000, 100, "free"),
    # Energy kept back: soft by choice (a cap), hard always (a limit).
    ("soc_reserve_soft_permille", "permille", 0, 900, 150, "up"),
    ("soc_reserve_hard_permille", "permille", 0, 900, 100, "up"),
    ("soc_reserve_hysteresis_permille", "permille", 1, 200, 20, "up"),
    ("reserve_ramp_W_per_s", "W/s", 100, 100_000_000, 5000, "free"),
    # Load tracking. Target: the middle of what lies between the soft reserve and the taper near
    # full.
    ("energy_Wh", "Wh", 1000, 500_000_000, 645_000, "fixed"),
    ("soc_target_permille", "permille", 0, 1000, 550, "free"),
    ("soc_recovery_s", "s", 60, 86_400, 1200, "free"),
    ("soc_recovery_W_max", "W", 0, 100_000_000, 25_000, "free"),
    ("track_time_constant_s", "s", 5, 3600, 120, "free"),
    ("track_grid_ramp_W_per_s", "W/s", 10, 100_000_000, 1000, "down"),
    ("track_path_delay_ms", "ms", 20, 2000, 250, "up"),
    ("track_dead_band_W", "W", 0, 100_000, 200, "free"),
    ("track_fall_ramp_W_per_s", "W/s", 100, 100_000_000, 25_000, "free"),
    ("load_meter_fitted", "bool", 0, 1, 1, "fixed"),
)
(
    C_GRID_IMPORT_W_MAX,
    C_GRID_EXPORT_W_MAX,
    C_SETPOINT_RAMP_W_PER_S,
    C_SETPOINT_QUANTUM_W,
    C_SOC_RESERVE_SOFT_PERMILLE,
    C_SOC_RESERVE_HARD_PERMILLE,
    C_SOC_RESERVE_HYSTERESIS_PERMILLE,
    C_RESERVE_RAMP_W_PER_S,
    C_ENERGY_WH,
    C_SOC_TARGET_PERMILLE,
    C_SOC_RECOVERY_S,
    C_SOC_RECOVERY_W_MAX,
    C_TRACK_TIME_CONSTANT_S,
    C_TRACK_GRID_RAMP_W_PER_S,
    C_TRACK_PATH_DELAY_MS,
    C_TRACK_DEAD_BAND_W,
    C_TRACK_FALL_RAMP_W_PER_S,
    C_LOAD_METER_FITTED,
) = range(18)

# Of each source of hints; the words of the source image behind role. Fallbacks: absent unless a
# file says one.
SOURCE_PARAMETERS = (
    ("priority", "count", 1, 8, None, "fixed"),
    ("valid_s_max", "s", 1, 300, 300, "down"),
    ("hints_per_s_max", "count", 1, 50, 10, "down"),
    ("request_ramp_W_per_s", "W/s", 100, 1_000_000_000, 25_000, "down"),
    ("energy_Wh_per_h_max", "Wh/h", 0, 500_000_000, 100_000, "down"),
    ("fallback_charge_W_max", "W", 0, 100_000_000, None, "down"),
    ("fallback_discharge_W_max", "W", 0, 100_000_000, None, "down"),
    ("fallback_import_W_max", "W", 0, 100_000_000, None, "down"),
    ("fallback_export_W_max", "W", 0, 100_000_000, None, "down"),
)


def default_image():
    """Control image (array of int) with every parameter at its default."""
    return array("i", [row[4] for row in CONTROL_PARAMETERS])
