"""Runs the driver of a profile without a cabinet, for commands about a profile or a capture.

The driver stores its values in a Shelf instead of the process image. A Shelf has one unit, one
rack, and as many cells and modules as the profile has room for. Nothing here opens a port or reads
a clock.
"""

from collections.abc import Callable
from typing import Any

from controller.config import families, profile_form, schema
from controller.core.site_devices.roles import ROLES
from drivers.can_bms import CanBms
from drivers.io import CHANNELS, IoModule
from drivers.meter import Meter
from drivers.pcs import SunSpecPcs
from drivers.profile import Profile
from drivers.rack_sources import CELLS, TEMPERATURES
from drivers.register_bms import RegisterBms
from drivers.register_pcs import RegisterPcs
from drivers.sensor import Sensor
from drivers.site_device import SiteDevice
from safety import signals as s

UNIT_ID = 1
TICK_US = 20_000
RATED_W = 100_000  # rating of the converter if the command names none
# {signal: names in a profile that provide it}. If a profile has none of these names, the driver
# makes up a value for the signal.
PROVIDERS = {
    "contactor_state": ("contactor_state",),
    "bms_fault_bits": ("fault_bits",),
    "cells_online": ("cells_online", CELLS),
    "cell_position_min": ("cell_position_min", CELLS),
    "cell_position_max": ("cell_position_max", CELLS),
    "charge_current_mA_max": ("charge_current_mA_max",),
    "discharge_current_mA_max": ("discharge_current_mA_max",),
    "soh_permille": ("soh_permille",),
    "pcs_state": ("state",),
    "pcs_alarm_bits": ("fault_bits",),
    "pcs_forming": ("forming",),
    "pcs_heartbeat": ("heartbeat",),
}
MAKING_UP = (profile_form.CAN_BMS, profile_form.REGISTER_BMS, profile_form.REGISTER_PCS)


class Shelf:
    """Takes the values of a driver, in place of the process image. inp: the values. fresh: which
    groups have new values.
    """

    def __init__(self, names: list[tuple[str, str, int]], groups: int):
        """names: (name, unit, group) of each value."""
        self.names = names
        self.inp: list[Any] = [None] * len(names)
        self.absent: set[str] = set()  # values that the driver makes up
        self.fresh = [0] * groups

    def taken(self) -> dict[str, tuple[int, str]]:
        """{name: (value, unit)} of all groups that became fresh since the last call."""
        readings = {
            name: (value, unit)
            for (name, unit, group), value in zip(self.names, self.inp)
            if self.fresh[group] and value is not None and name not in self.absent
        }
        self.fresh[:] = [0] * len(self.fresh)
        return readings


def shelf_of_cabinet(modules: int = 1) -> tuple[Shelf, s.Layout]:
    """A shelf with every signal of a cabinet of one unit and one rack."""
    layout = s.Layout(1, 1, modules)
    names = [(row[0], row[1], row[4]) for row in s.CABINET_INPUTS]
    for rows, group in (
        (s.UNIT_INPUTS, layout.unit_group(0, 0)),
        (s.RACK_INPUTS, layout.rack_group(0, 0)),
    ):
        names += [(row[0], row[1], group + row[4]) for row in rows]
    temperature_group = layout.rack_group(0, s.G_BMS_TEMPERATURES)
    names += [
        (f"module_temperature_ddegC_{number + 1}", "ddegC", temperature_group)
        for number in range(modules)
    ]
    return Shelf(names, layout.groups), layout


def roles_of(profile: Profile) -> list[str]:
    """The roles that a device of this profile may have."""
    own = profile.settings.get("role")
    fitting = [role for role, known in schema.ROLES.items() if profile.family in known]
    return [own] if own else fitting


def sizes_of(profile: Profile) -> tuple[int, int]:
    """(cells, modules): the most values for which the profile of a BMS has room."""
    return _size(profile, CELLS), _size(profile, TEMPERATURES)


def _size(profile: Profile, name: str) -> int:
    """The number of values in an array of a BMS. 0 if the profile has no such array."""
    if name in profile.registers:
        return int(profile.registers[name].count)
    row = profile.arrays.get(name)
    if row is None:
        return 0
    message = profile.messages[row["message"]]
    pages = message["mux_values"] if row["mux"] is None else 1
    return int(len(row["starts"]) * message["ids"] * pages)


def build(profile: Profile, rated_W: int = RATED_W, node: int = 0) -> tuple[Any, Shelf]:
    """(driver of the profile, its shelf). Raises ValueError if the driver refuses the profile."""
    device, shelf = MAKERS[profile.family](profile, rated_W, node)
    shelf.absent = absent(profile)
    return device, shelf


def absent(profile: Profile) -> set[str]:
    """The signals that a driver would make up, because nothing in the profile provides them."""
    provided = {*profile.registers, *profile.signals, *profile.arrays}
    provided |= {"fault_bits"} if profile.fault_bits else set()
    makes_up = profile.family in MAKING_UP
    return {
        name for name, providers in PROVIDERS.items() if makes_up and not provided & set(providers)
    }


DriverAndShelf = tuple[Any, Shelf]


def _meter(profile: Profile, rated_W: int, node: int) -> DriverAndShelf:
    shelf, _ = shelf_of_cabinet()
    places = s.GRID_POWER_W, s.GRID_RAW_HASH, s.G_METER_GRID
    return Meter(profile, UNIT_ID, shelf, *places), shelf


def _pcs(profile: Profile, rated_W: int, node: int) -> DriverAndShelf:
    shelf, layout = shelf_of_cabinet()
    groups = [layout.unit_group(0, group) for group in (s.G_PCS_MEASURE, s.G_PCS_CONTROL)]
    places = layout.unit_input(0, 0), groups[0], groups[1]
    if profile.family == profile_form.SUNSPEC_PCS:
        return SunSpecPcs(profile, UNIT_ID, shelf, places, TICK_US), shelf
    settings = {"rated_W": rated_W, "setpoint_ms": 100, "tick_ms": TICK_US // 1000}
    return RegisterPcs(profile, UNIT_ID, shelf, places, settings), shelf


def _sensor(profile: Profile, rated_W: int, node: int) -> DriverAndShelf:
    """The driver of a sensor. A gas reading is in permille of the lower flammable limit (LFL) for
    which the detector is calibrated.
    """
    shelf, _ = shelf_of_cabinet()
    group, indexes = families.SENSORS[roles_of(profile)[0]]
    lfl_vol_ppm = profile.settings.get("calibrated_lfl_vol_ppm")
    return Sensor(profile, UNIT_ID, shelf, indexes, group, lfl_vol_ppm), shelf


def _io(profile: Profile, rated_W: int, node: int) -> DriverAndShelf:
    shelf = Shelf([(f"contact_{number + 1}", "", 0) for number in range(CHANNELS)], 1)
    return IoModule(profile, UNIT_ID, shelf, tuple(range(CHANNELS)), 0, ("",) * CHANNELS), shelf


def _site_device(profile: Profile, rated_W: int, node: int) -> DriverAndShelf:
    role = ROLES[profile.settings["role"]]
    names = [signal.name for signal in role.signals]
    units = [name.rpartition("_")[2] if name[-1:] in "WAV%" else "" for name in names]
    rows = [(name, unit, index) for index, (name, unit) in enumerate(zip(names, units))]
    shelf = Shelf(rows, len(names))
    settings = parameters_of(role.name, rated_W)
    return SiteDevice(profile, UNIT_ID, shelf, (0, 0), names, settings), shelf


def parameters_of(role: str, rated_W: int = RATED_W) -> dict[str, int]:
    """{parameter of a role: a value}. Each power is the rating; other parameters have their
    defaults.
    """
    return {
        name: rated_W if unit == "W" else default if type(default) is int else high
        for name, unit, _, high, default, _ in ROLES[role].parameters
    }


def _bms(profile: Profile, rated_W: int, node: int) -> DriverAndShelf:
    sizes = sizes_of(profile)
    shelf, layout = shelf_of_cabinet(sizes[1])
    if profile.family == profile_form.CAN_BMS:
        return CanBms(profile, 0, node, shelf, layout, sizes), shelf
    return RegisterBms(profile, 0, UNIT_ID, shelf, layout, sizes), shelf


MAKERS: dict[str, Callable[[Profile, int, int], DriverAndShelf]] = {
    "meter": _meter,
    "io": _io,
    profile_form.SUNSPEC_PCS: _pcs,
    profile_form.REGISTER_PCS: _pcs,
    profile_form.SITE_DEVICE: _site_device,
    profile_form.CAN_BMS: _bms,
    profile_form.REGISTER_BMS: _bms,
    **dict.fromkeys(profile_form.SENSORS, _sensor),
}
