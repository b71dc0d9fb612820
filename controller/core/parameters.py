"""Parameters of the control functions that a configuration may set, as data.

The control image has the values in this order: first the parameters that several functions share,
then the parameters of each function. A row is a tuple as in safety.parameters: name, unit, low,
high, default, tighter direction.

    "up" "down"   a later layer of configuration may change the value in this direction only
    "fixed"       a later layer may not change the value
    "free"        a later layer may raise or lower the value: it is no limit, because each limit,
                  cap and obligation has a parameter of its own
"""

from array import array

from controller.core import functions, units
from controller.core.policies import track

SETPOINT_PARAMETERS = (
    # Limits of the connection: obligations with a higher rank than those of hints. Export is 0
    # until a configuration file allows it.
    ("grid_import_W_max", "W", 0, 100_000_000, 500_000, "down"),
    ("grid_export_W_max", "W", 0, 100_000_000, 0, "down"),
    # The set-point as a whole. 10 MW/s lets a 250 kW converter go from full charge to full
    # discharge within three ticks of 20 ms.
    ("setpoint_ramp_W_per_s", "W/s", 1000, 1_000_000_000, 10_000_000, "down"),
    ("setpoint_quantum_W", "W", 1, 10_000, 100, "free"),
)
# If several cabinets share a connection, each follows its share of the load and the connection.
SHARE = "share_permille"
SHARE_PARAMETERS = ((SHARE, "permille", 0, 1000, 1000, "down"),)
SHARED = ("grid_import_W_max", "grid_export_W_max")
CONTROL_PARAMETERS = SETPOINT_PARAMETERS + functions.PARAMETERS
CONTROL_PARAMETERS += SHARE_PARAMETERS + units.PARAMETERS + track.LATER_PARAMETERS

# Former keys of [control], and what replaced them.
RETIRED = dict.fromkeys(
    "soc_recovery_s soc_recovery_W_max track_time_constant_s track_grid_ramp_W_per_s".split(),
    "the grid now follows the stored energy, see track_energy_share_permille",
)
RENAMED = {
    "soc_reserve_soft_permille": "soc_reserve_peaks_permille",
    "soc_reserve_hard_permille": "soc_reserve_backup_permille",
}

# Parameters of each source of hints. In the source image they follow the word for the role. A
# fallback is absent unless a configuration file sets it.
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


def default_image() -> "array[int]":
    """Control image (array of int) with every parameter at its default."""
    return array("i", [row[4] for row in CONTROL_PARAMETERS])


def settings_of(control_image: "array[int]") -> dict[str, int]:
    """{name: integer} of a control image. The limits of the connection become this cabinet's share.
    ValueError for an image of another version.
    """
    if len(control_image) != len(CONTROL_PARAMETERS):
        raise ValueError("control image length does not fit this version")
    settings = {row[0]: value for row, value in zip(CONTROL_PARAMETERS, control_image)}
    return settings | {name: settings[name] * settings[SHARE] // 1000 for name in SHARED}
