"""Which keys a configuration may hold, what each may be, and which way is tighter.

The numbers come from the tables beside the code that uses them (safety.parameters, safety.matrix,
controller.core.parameters); only the structure (buses, devices, equipment) is said here.
"""

import functools
import re

from controller.core.hint_codes import ROLES as SOURCE_ROLES
from controller.core.parameters import CONTROL_PARAMETERS, SOURCE_PARAMETERS
from controller.rows import matrix_words
from controller.rows.proof_intervals import INTERVALS
from controller.rows.proof_intervals import SECTION as PROOF_TEST
from controller.rows.records import STAGES as ROW_STAGES
from controller.rows.records import WIRED, feature_name
from controller.rows.shapes import LONG_D
from controller.site.equipment import EQUIPMENT
from controller.site.layers import TEXT, Spec
from safety import matrix, parameters, signals

INDEX_MAX = 16  # units and racks are numbered 1..16, as on the doors
NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
SOURCE_NAME = re.compile(r"[a-z][a-z0-9_]{0,15}")  # what a hint has room for
NUMBERS = tuple([str(number) for number in range(1, INDEX_MAX + 1)])

ROLES = (
    "pcs",
    "bms",
    "meter_grid",
    "meter_load",
    "io_1",
    "io_2",
    "io_3",
    "gas_1",
    "gas_2",
    "offgas_1",
    "offgas_2",
    "toxic",
    "climate",
    "ups",
)
BITRATES_BPS = (125_000, 250_000, 500_000, 1_000_000)
BAUDS_BD = (1200, 2400, 4800, 9600, 19_200, 38_400, 57_600, 115_200)
CHARACTERS = {"8N1": 10, "8E1": 11, "8O1": 11, "8N2": 11}  # bits on the wire of one character

INPUT_NAMES = {
    role: tuple([row[0] for row in signals.CABINET_INPUTS if row[4] == group])
    for role, group in (
        ("io_1", signals.G_IO_1),
        ("io_2", signals.G_IO_2),
        ("io_3", signals.G_IO_3),
    )
}
OUTPUT_NAMES = tuple([row[0] for row in signals.CABINET_OUTPUTS[: signals.NOTIFY_MAINTENANCE]])
IO_BITS = 8
# A BMS tells its limits every 100 ms (the period of the silence ladder): told less often a
# converter would skip some.
SETPOINT_MS_MAX = 100

_ANY_NAME = (NAME, "a name of a-z, 0-9 and _")
_PORT = re.compile(r"(?![!-~]*/tty(USB|ACM)\d+$)/[!-~]{1,200}")
_PORT_TEXT = (
    "a path that stays the same when plugs move, such as /dev/serial/by-path/... (not /dev/ttyUSB0)"
)
_CHANNEL = (re.compile(r"[A-Za-z0-9_.:/-]{1,64}"), "the name of a CAN interface, such as can0")
_PROFILE = (
    re.compile(r"[A-Za-z0-9_./-]{1,200}"),
    "the name of a device profile, or a file that ends in .toml",
)
_ACCEPTED = (TEXT, "who accepted it, when (YYYY-MM-DD) and why, on one line of ASCII")

BUS = {
    "kind": Spec("choice", ("can", "rtu"), None, "fixed"),
    "interface": Spec(
        "choice", ("socketcan", "socketcand", "slcan", "pcan", "kvaser", "virtual"), None, "fixed"
    ),
    "channel": Spec("text", _CHANNEL, None, "fixed"),
    "bitrate_bps": Spec("choice", BITRATES_BPS, None, "fixed"),
    "port": Spec("text", (_PORT, _PORT_TEXT), None, "fixed"),
    "baud_Bd": Spec("choice", BAUDS_BD, None, "fixed"),
    "characters": Spec("choice", tuple(CHARACTERS), "8N1", "fixed"),
}
# each must be said
BUS_KEYS = {"can": ("interface", "channel", "bitrate_bps"), "rtu": ("port", "baud_Bd")}
DEVICE = {
    "role": Spec("choice", ROLES, None, "fixed"),
    "profile": Spec("text", _PROFILE, None, "fixed"),
    "bus": Spec("text", _ANY_NAME, None, "fixed"),
    "unit_id": Spec("int", (1, 247), None, "fixed"),
    "node": Spec("int", (1, 55), None, "fixed"),
    "unit": Spec("int", (1, INDEX_MAX), None, "fixed"),
    "rack": Spec("int", (1, INDEX_MAX), None, "fixed"),
    "period_ms": Spec("int", (10, 60_000), None, "fixed"),
    "setpoint_ms": Spec("int", (10, SETPOINT_MS_MAX), 20, "down"),
    "inputs": Spec(
        "list",
        (IO_BITS, ("", *[name for names in INPUT_NAMES.values() for name in names])),
        None,
        "fixed",
    ),
    "outputs": Spec(
        "list",
        (IO_BITS, ("", *OUTPUT_NAMES, *["!" + name for name in OUTPUT_NAMES])),
        None,
        "fixed",
    ),
}
_DC_BUS = {"dc_bus": Spec("text", _ANY_NAME, None, "fixed")}


def _derived(reason):
    return Spec("derived", (reason,), None, "fixed")


# Facts about the equipment: a layer says them. A default would make a large cabinet of a small one
# that forgot a line.
FACTS = (
    "rated_W",
    "installer_charge_W_max",
    "installer_discharge_W_max",
    "rated_current_mA",
    "modules",
    "cells",
    "break_current_mA",
    "energy_Wh",
)


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
CABINET = _parameters(
    parameters.CABINET_PARAMETERS,
    dict.fromkeys(
        [
            row[0]
            for row in parameters.CABINET_PARAMETERS
            if row[0].endswith(("_fitted", "_detectors", "_zones")) or row[0] == "gas_required"
        ],
        _BY_DEVICES,
    ),
)
# Whole ticks make a second: rows 10b and 22 to 24 look back by seconds, of which 10 ticks of 91 ms
# would miss a tenth.
TICKS_MS = tuple([tick_ms for tick_ms in range(10, 101) if 1000 % tick_ms == 0])
CABINET["tick_ms"] = Spec("choice", TICKS_MS, 20, "fixed")
# C65 waits 30 s, and no other number has a source. A quicker fuse ends the wait by itself, since it
# ends the current.
FUSE_WAIT_MS_MIN = 30_000
CABINET["fuse_wait_ms"] = CABINET["fuse_wait_ms"]._replace(
    allowed=(FUSE_WAIT_MS_MIN, CABINET["fuse_wait_ms"].allowed[1])
)
CABINET["second_channel"] = Spec("choice", ("none", "fitted"), "none", "fixed")
UNIT = _parameters(parameters.UNIT_PARAMETERS, {}) | _DC_BUS
RACK = (
    _parameters(
        parameters.RACK_PARAMETERS,
        {"unit": "it follows from dc_bus"}
        | dict.fromkeys(
            ("cells_reported", "temperatures_reported", "insulation_reported", "sensors_reported"),
            _BY_PROFILE,
        ),
    )
    | _DC_BUS
)
# Another chemistry: cells with nickel manganese cobalt oxide. Their tapers end at the thresholds of
# rows 28 and 31.
LFP, NMC = "LFP", "NMC"
_NMC_DEFAULTS_MV = {
    "charge_taper_mV": 4100,
    "charge_end_mV": 4200,
    "discharge_taper_mV": 3200,
    "discharge_end_mV": 3000,
}
RACKS = {
    LFP: RACK,
    NMC: RACK
    | {key: RACK[key]._replace(default=value_mV) for key, value_mV in _NMC_DEFAULTS_MV.items()},
}
CONTROL = _parameters(CONTROL_PARAMETERS, {"load_meter_fitted": _BY_DEVICES})
SOURCE = {"role": Spec("choice", SOURCE_ROLES, None, "fixed")} | _parameters(SOURCE_PARAMETERS, {})

# What the hazard mitigation analysis and the listings say: facts that no default may stand in for.
HMA = {
    "report": Spec(
        "named",
        (TEXT, "number and date of the hazard mitigation analysis, on one line of ASCII"),
        None,
        "free",
    ),
    "chemistry": Spec("choice", (LFP, NMC), None, "fixed"),
    # NFPA 68 deflagration venting, NFPA 69 prevention (gas detection, fan, damper), or both (A28).
    "explosion_control": Spec("choice", ("68", "69", "both"), None, "fixed"),
    "gas_required_by": Spec(
        "named", (TEXT, "what asks for gas detection, on one line of ASCII"), None, "fixed"
    ),
    # Of the vent gas of this cell model, 10 000 ppm = 1 % by volume; hydrogen alone has 40 000
    # (A33).
    "lfl_vol_ppm": Spec("int", (5000, 200_000), None, "down"),
    "lfl_source": Spec(
        "named",
        (TEXT, "the UL 9540A cell report it is taken from, on one line of ASCII"),
        None,
        "free",
    ),
    "agent_hold_off_reason": Spec(
        "named", (TEXT, "why the fan waits for the agent, on one line of ASCII"), None, "fixed"
    ),
    "noc_source": Spec("text", (SOURCE_NAME, "the name of a source of hints"), None, "fixed"),
    "noc_derate": Spec("bool", (False, True), False, "up"),
    "hard_wired_rows": Spec("list", (0, tuple(WIRED)), None, "fixed"),
    "hard_wired_accepted": Spec(
        "named", (TEXT, "who accepted the wiring, or the document that shows it"), None, "fixed"
    ),
}

# Stages whose threshold is a parameter of its own: said once, there; `clear` keeps its part of it.
STAGE_SET_FROM = {name: stage.set_from for name, stage in ROW_STAGES.items() if stage.set_from}
# Features with a unit in which "tighter" means something, and how far a stage on them may be
# tightened. The first mark that is part of the feature's name counts: low for what trips at or
# above, high for at or below.
_TIGHTEN_TO = (
    ("cell_voltage_mV", 2000, 4300),
    ("cell_voltage_drop_mV", 20, 250),
    ("cell_spread_mV", 10, 400),
    ("bus_mismatch_mV", 500, 10_000),
    ("temperature_ddegC_min", -400, 250),
    ("temperature_rise", 1, 30),
    ("temperature_unexplained", 1, 5),
    ("temperature_spread", 10, 150),
    ("temperature_over_median", 10, 151),
    ("_ddegC", 0, 1000),
    ("_lfl_permille", 10, 1000),
    ("calibration_d", -1, 365),
    ("_ppm", 1, 200),
    ("humidity_permille", 100, 901),
    ("ups_reserve_min", 29, 2880),
    ("noc_lost_s", 1, 901),
    ("insulation_ohm_per_V", 99, 10_000),
    ("suspicion_pct", 30, 100),
)
# Whoever writes 45 for 45 degC has said 4.5 degC. Where the file's unit is a part of the one that
# persons think in, less than a quarter of the matrix's value is refused: a tenth of all that is at
# most 2.5 times that value lies below.
_PART_MIN = 4
_CLEAR_MS_MAX = 3_600_000


def thresholds(stage, chemistry):
    """(set, clear) of a stage of the matrix for cells of this chemistry."""
    if chemistry == NMC:
        for name, level, clear in matrix.NMC_THRESHOLDS:
            if name == stage[matrix.S_ID]:
                return level, clear
    return stage[matrix.S_SET], stage[matrix.S_CLEAR]


def _threshold(stage, value):
    """Spec of a stage's `set` or `clear`: from the matrix's value to the tighter side only."""
    feature = feature_name(stage)
    unit = next(
        (
            (divisor, name)
            for ending, divisor, name in matrix_words.UNITS
            if feature.endswith(ending)
        ),
        None,
    )
    for mark, low, high in _TIGHTEN_TO:
        if mark in feature and stage[matrix.S_SENSE] > 0:
            part = -(-value // _PART_MIN) if unit[0] > 1 else low
            return Spec("int", (min(max(low, part), value), value), value, "down", unit)
        if mark in feature:
            return Spec("int", (value, max(high, value)), value, "up", unit)
    return Spec("int", (value, value), value, "fixed", unit)


def _stage(stage, chemistry):
    level, clear = thresholds(stage, chemistry)
    specs = {
        "set": _threshold(stage, level),
        "clear": _threshold(stage, clear),
        "set_ms": Spec("int", (0, stage[matrix.S_SET_MS]), stage[matrix.S_SET_MS], "down"),
        "clear_ms": Spec(
            "int", (stage[matrix.S_CLEAR_MS], _CLEAR_MS_MAX), stage[matrix.S_CLEAR_MS], "up"
        ),
    }
    if stage[matrix.S_ID] in STAGE_SET_FROM:
        specs["set"] = specs["clear"] = _derived(
            f"it is {STAGE_SET_FROM[stage[matrix.S_ID]]} of [cabinet]"
        )
    return specs


STAGES = {
    chemistry: {stage[matrix.S_ID]: _stage(stage, chemistry) for stage in matrix.STAGES}
    for chemistry in (LFP, NMC)
}
STAGE = STAGES[LFP]

# The wire to the second channel, where one is fitted.
CHANNEL_B = {
    "port": Spec("text", (_PORT, _PORT_TEXT), None, "fixed"),
    "baud_Bd": Spec("choice", BAUDS_BD, 115_200, "fixed"),
}
# Days between two proof tests of a row: shorter than proposed only.
PROOF_TESTS = {
    key: Spec("int", (1, each.interval_d or LONG_D), each.interval_d, "down")
    for key, each in INTERVALS.items()
}

# How heat gets from module to module, for the estimate of propagation alone (propagation.py); 0: no
# path.
NEIGHBOURS = {
    "cell_J_per_K": Spec("int", (10, 100_000), 5600, "fixed"),
    "module_mK_per_W": Spec("int", (0, 1_000_000), 1060, "fixed"),
    "rack_mK_per_W": Spec("int", (0, 1_000_000), 0, "fixed"),
}

# section -> keys, where the section is not numbered or named
_FLAT = {
    "cabinet": CABINET,
    "control": CONTROL,
    "hma": HMA,
    "channel_b": CHANNEL_B,
    PROOF_TEST: PROOF_TESTS,
    "neighbours": NEIGHBOURS,
    "not_fitted": {name: Spec("named", _ACCEPTED, None, "free") for name in EQUIPMENT},
}
# section -> (names of its tables or None for any, keys of each)
_TABLES = {
    "unit": (("all", *NUMBERS), UNIT),
    "rack": (("all", *NUMBERS), RACK),
    "bus": (None, BUS),
    "device": (None, DEVICE),
    "source": (None, SOURCE),
}
_TOP = {"optional_equipment": Spec("list", (0, tuple(EQUIPMENT)), [], "subset")}
SECTIONS = (*_TOP, *_FLAT, *_TABLES, "stage")


def _keys(path, chemistry=LFP):
    """The keys of the table at `path` (all but the last part of a key's path), or {}."""
    if not path:
        return _TOP
    if path[0] in _FLAT and len(path) == 1:
        return _FLAT[path[0]]
    if path[0] == "rack" and len(path) == 2:
        return RACKS[chemistry]
    if path[0] in _TABLES and len(path) == 2:
        return _TABLES[path[0]][1]
    if path[0] == "stage" and len(path) == 2:
        return STAGES[chemistry].get(path[1], {})
    return {}


def every_key():
    """(key, Spec, Spec for NMC cells) of every key a file may hold, derived ones left out.

    N and NAME stand in a key for what is numbered or named.
    """
    tables = [
        ("", _TOP),
        *[(section + ".", keys) for section, keys in _FLAT.items()],
        *[
            (f"{section}.{'N' if names else 'NAME'}.", keys)
            for section, (names, keys) in _TABLES.items()
        ],
        *[(f"stage.{name}.", keys) for name, keys in STAGE.items()],
    ]
    found = [
        (prefix + key, spec)
        for prefix, keys in tables
        for key, spec in keys.items()
        if spec.kind != "derived"
    ]
    return [
        (key, spec, spec_of(key.replace(".N.", ".1.").replace(".NAME.", ".name.").split("."), NMC))
        for key, spec in found
    ]


def spec_of(path, chemistry=LFP):
    """Spec of the key at `path` for cells of this chemistry, or None if there is none."""
    return _spec_of(tuple(path), chemistry)


# a file's values are asked for a few times each; 16 racks have some 1500 keys
@functools.lru_cache(maxsize=4096)
def _spec_of(path, chemistry):
    if names_at(path[:-1]) and all(
        path[depth] in names_at(path[: depth + 1]) for depth in range(len(path))
    ):
        return _keys(path[:-1], chemistry).get(path[-1])
    return None


def names_at(path):
    """The names that may stand at the last place of `path`; a free name counts as right when it is
    well formed.
    """
    if len(path) <= 1:
        return SECTIONS
    if len(path) == 2 and path[0] in _TABLES:
        names = _TABLES[path[0]][0]
        form = SOURCE_NAME if path[0] == "source" else NAME
        return names if names else (path[1],) if form.fullmatch(path[1]) else ()
    if len(path) == 2 and path[0] == "stage":
        return tuple(STAGE)
    return tuple(_keys(path[:-1]))
