"""Which keys a configuration may hold, what each may be, and which way is tighter.

The numbers come from the tables beside the code that uses them (safety.parameters, safety.matrix,
controller.parameters); only the structure (buses, devices, equipment) is said here.
"""

import re

from controller.hint_codes import ROLES as SOURCE_ROLES
from controller.layers import Spec
from controller.parameters import CONTROL_PARAMETERS, SOURCE_PARAMETERS
from safety import matrix, parameters, signals

INDEX_MAX = 16  # units and racks are numbered 1..16, as on the doors
NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
SOURCE_NAME = re.compile(r"[a-z][a-z0-9_]{0,15}")  # what a hint has room for
NUMBERS = tuple([str(number) for number in range(1, INDEX_MAX + 1)])

ROLES = ("pcs", "bms", "meter_grid", "meter_load", "io_1", "io_2", "gas_1", "gas_2")
BITRATES_BPS = (125_000, 250_000, 500_000, 1_000_000)
BAUDS_BD = (1200, 2400, 4800, 9600, 19_200, 38_400, 57_600, 115_200)
CHARACTERS = {"8N1": 10, "8E1": 11, "8O1": 11, "8N2": 11}  # bits on the wire of one character

# Equipment that a site may lack: the roles and inputs that go with it. Rows of the matrix follow from their features.
EQUIPMENT = {
    "gas": (("gas_1", "gas_2"), ("gas_relay_ok",)),
    "suppression": ((), ("suppression_ok",)),
    "airflow": ((), ("airflow_ok",)),
    "door": ((), ("door_ok",)),
    "bms_fault": ((), ("bms_fault_ok",)),
}

INPUT_NAMES = {role: tuple([row[0] for row in signals.CABINET_INPUTS if row[4] == group])
               for role, group in (("io_1", signals.G_IO_1), ("io_2", signals.G_IO_2))}
OUTPUT_NAMES = tuple([row[0] for row in signals.CABINET_OUTPUTS[:signals.NOTIFY_MAINTENANCE]])
IO_BITS = 8

_FACT = re.compile(r"[^\x00-\x1f\x7f]{1,200}")
_ANY_NAME = (NAME, "a name of a-z, 0-9 and _")
_PORT = re.compile(r"/(?!dev/tty(USB|ACM)\d)[^\x00-\x20]{1,200}")
_PORT_TEXT = "a path that stays the same when plugs move, such as /dev/serial/by-path/... (not /dev/ttyUSB0)"
_CHANNEL = (re.compile(r"[A-Za-z0-9_.:/-]{1,64}"), "the name of a CAN interface, such as can0")
_PROFILE = (re.compile(r"[A-Za-z0-9_./-]{1,200}"), "the name of a device profile, or a file that ends in .toml")
_ACCEPTED = (_FACT, "who accepted it, when and why, on one line")

BUS = {
    "kind": Spec("choice", ("can", "rtu"), None, "fixed"),
    "interface": Spec("choice", ("socketcan", "socketcand", "slcan", "pcan", "kvaser", "virtual"), None, "fixed"),
    "channel": Spec("text", _CHANNEL, None, "fixed"),
    "bitrate_bps": Spec("choice", BITRATES_BPS, None, "fixed"),
    "port": Spec("text", (_PORT, _PORT_TEXT), None, "fixed"),
    "baud_Bd": Spec("choice", BAUDS_BD, None, "fixed"),
    "characters": Spec("choice", tuple(CHARACTERS), "8N1", "fixed"),
}
BUS_KEYS = {"can": ("interface", "channel", "bitrate_bps"), "rtu": ("port", "baud_Bd")}  # each must be said
DEVICE = {
    "role": Spec("choice", ROLES, None, "fixed"),
    "profile": Spec("text", _PROFILE, None, "fixed"),
    "bus": Spec("text", _ANY_NAME, None, "fixed"),
    "unit_id": Spec("int", (1, 247), None, "fixed"),
    "node": Spec("int", (1, 55), None, "fixed"),
    "unit": Spec("int", (1, INDEX_MAX), None, "fixed"),
    "rack": Spec("int", (1, INDEX_MAX), None, "fixed"),
    "period_ms": Spec("int", (10, 60_000), None, "fixed"),
    "setpoint_ms": Spec("int", (10, 60_000), 20, "down"),
    "inputs": Spec("list", (IO_BITS, ("", *INPUT_NAMES["io_1"], *INPUT_NAMES["io_2"])), None, "fixed"),
    "outputs": Spec("list", (IO_BITS, ("", *OUTPUT_NAMES, *["!" + name for name in OUTPUT_NAMES])), None, "fixed"),
}
_DC_BUS = {"dc_bus": Spec("text", _ANY_NAME, None, "fixed")}


def _derived(reason):
    return Spec("derived", (reason,), None, "fixed")


# Facts about the equipment: a layer says them. A default would make a large cabinet of a small one that forgot a line.
FACTS = ("rated_W", "installer_charge_W_max", "installer_discharge_W_max", "rated_current_mA", "modules", "cells",
         "energy_Wh")


def _parameters(table, derived):
    specs = {}
    for name, unit, low, high, default, tighter in table:
        if name in derived:
            specs[name] = _derived(derived[name])
        elif unit == "bool":
            specs[name] = Spec("bool", (False, True), bool(default), tighter)
        else:
            specs[name] = Spec("int", (low, high), None if name in FACTS else default, tighter)
    return specs


_BY_DEVICES = "it follows from the devices and [not_fitted]"
_BY_PROFILE = "it follows from the profile of the rack's BMS"
CABINET = _parameters(parameters.CABINET_PARAMETERS, dict.fromkeys(
    ("gas_required", "gas_detectors", "bms_fault_contact_fitted", "door_fitted", "meter_load_fitted"), _BY_DEVICES))
CABINET["tick_ms"] = Spec("int", (10, 100), 20, "fixed")
UNIT = _parameters(parameters.UNIT_PARAMETERS, {}) | _DC_BUS
RACK = _parameters(parameters.RACK_PARAMETERS, {
    "unit": "it follows from dc_bus", "cells_reported": _BY_PROFILE, "temperatures_reported": _BY_PROFILE}) | _DC_BUS
CONTROL = _parameters(CONTROL_PARAMETERS, {"load_meter_fitted": _BY_DEVICES})
SOURCE = {"role": Spec("choice", SOURCE_ROLES, None, "fixed")} | _parameters(SOURCE_PARAMETERS, {})

# Stages whose threshold is a parameter of its own: said once, there; `clear` keeps its part of it.
STAGE_SET_FROM = {"49": "io_silent_ms", "50a": "meter_silent_ms", "50b": "meter_frozen_ms"}
# Features with a unit in which "tighter" means something, and how far a stage on them may be tightened.
_TIGHTEN_TO = (("_mV", 2000, 4300), ("_ddegC", 0, 1000), ("_lfl_permille", 10, 1000), ("calibration_d", -1, 365))
_CLEAR_MS_MAX = 3_600_000


def _threshold(stage, index):
    """Spec of a stage's `set` or `clear` (index into the stage): from the matrix's value to the tighter side only."""
    feature = matrix.FEATURES[stage[matrix.S_SCOPE]][stage[matrix.S_FEATURE]]
    for mark, low, high in _TIGHTEN_TO:
        if mark in feature and stage[matrix.S_SENSE] > 0:
            return Spec("int", (low, stage[index]), stage[index], "down")
        if mark in feature:
            return Spec("int", (stage[index], high), stage[index], "up")
    return Spec("int", (stage[index], stage[index]), stage[index], "fixed")


def _stage(stage):
    specs = {"set": _threshold(stage, matrix.S_SET), "clear": _threshold(stage, matrix.S_CLEAR),
             "set_ms": Spec("int", (0, stage[matrix.S_SET_MS]), stage[matrix.S_SET_MS], "down"),
             "clear_ms": Spec("int", (stage[matrix.S_CLEAR_MS], _CLEAR_MS_MAX), stage[matrix.S_CLEAR_MS], "up")}
    if stage[matrix.S_ID] in STAGE_SET_FROM:
        specs["set"] = specs["clear"] = _derived(f"it is {STAGE_SET_FROM[stage[matrix.S_ID]]} of [cabinet]")
    return specs


STAGE = {stage[matrix.S_ID]: _stage(stage) for stage in matrix.STAGES}

# section -> keys, where the section is not numbered or named
_FLAT = {"cabinet": CABINET, "control": CONTROL,
         "not_fitted": {name: Spec("text", _ACCEPTED, None, "free") for name in EQUIPMENT}}
# section -> (names of its tables or None for any, keys of each)
_TABLES = {"unit": (("all", *NUMBERS), UNIT), "rack": (("all", *NUMBERS), RACK), "bus": (None, BUS),
           "device": (None, DEVICE), "source": (None, SOURCE)}
_TOP = {"optional_equipment": Spec("list", (0, tuple(EQUIPMENT)), [], "subset")}
SECTIONS = (*_TOP, *_FLAT, *_TABLES, "stage")


def _keys(path):
    """The keys of the table at `path` (all but the last part of a key's path), or {}."""
    if not path:
        return _TOP
    if path[0] in _FLAT and len(path) == 1:
        return _FLAT[path[0]]
    if path[0] in _TABLES and len(path) == 2:
        return _TABLES[path[0]][1]
    if path[0] == "stage" and len(path) == 2:
        return STAGE.get(path[1], {})
    return {}


def every_key():
    """(key with N or NAME for what is numbered or named, Spec) of every key a file may hold, derived ones left out."""
    tables = [("", _TOP), *[(section + ".", keys) for section, keys in _FLAT.items()],
              *[(f"{section}.{'N' if names else 'NAME'}.", keys) for section, (names, keys) in _TABLES.items()],
              *[(f"stage.{name}.", keys) for name, keys in STAGE.items()]]
    return [(prefix + key, spec) for prefix, keys in tables for key, spec in keys.items() if spec.kind != "derived"]


def spec_of(path):
    """Spec of the key at `path`, or None if there is none."""
    if names_at(path[:-1]) and all(path[depth] in names_at(path[:depth + 1]) for depth in range(len(path))):
        return _keys(path[:-1]).get(path[-1])
    return None


def names_at(path):
    """The names that may stand at the last place of `path`; a free name counts as right when it is well formed."""
    if len(path) <= 1:
        return SECTIONS
    if len(path) == 2 and path[0] in _TABLES:
        names = _TABLES[path[0]][0]
        form = SOURCE_NAME if path[0] == "source" else NAME
        return names if names else (path[1],) if form.fullmatch(path[1]) else ()
    if len(path) == 2 and path[0] == "stage":
        return tuple(STAGE)
    return tuple(_keys(path[:-1]))
