"""The keys of a configuration, with the allowed values of each key, and whether a higher or a lower
value is tighter. A later file may only make a value tighter.

The numbers come from the tables of the code that uses them. This file adds the structure.
"""

import functools
import itertools
import re
from collections.abc import Iterable

from controller.config.bus_schema import BAUDS_BD, BUS, PORT
from controller.config.equipment import BREAKERS, EQUIPMENT
from controller.config.places import PLAN, RESPONDER
from controller.config.profile_form import CAN_BMS, REGISTER_BMS, REGISTER_PCS, SITE_DEVICE
from controller.config.thresholds import LFP, NMC, STAGES, Keys
from controller.core import units
from controller.core.base.hint_codes import ROLES as SOURCE_ROLES
from controller.core.parameters import CONTROL_PARAMETERS, SOURCE_PARAMETERS
from controller.core.site_devices import roles
from controller.forms.field import Field, derived, matching, named
from controller.forms.refusal import Path
from controller.rows.proof_intervals import INTERVALS, SECTION as PROOF_TEST
from controller.rows.records import WIRED
from controller.rows.shapes import LONG_D
from safety import parameters, signals

INDEX_MAX = 16  # units and racks are numbered 1..16, as on the doors of the cabinet
NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
SOURCE_NAME = re.compile(r"[a-z][a-z0-9_]{0,15}")  # a hint has room for 16 characters
NUMBERS = tuple(str(number) for number in range(1, INDEX_MAX + 1))

# {role of a device: families of profiles that fit}
ROLES = {
    "pcs": ("sunspec_pcs", REGISTER_PCS),
    "bms": (CAN_BMS, REGISTER_BMS),
    **dict.fromkeys(("meter_grid", "meter_load"), ("meter",)),
    **dict.fromkeys(("io_1", "io_2", "io_3"), ("io",)),
    **dict.fromkeys(("gas_1", "gas_2"), ("gas",)),
    **dict.fromkeys(("offgas_1", "offgas_2"), ("offgas",)),
    **{family: (family,) for family in ("toxic", "climate", "ups")},
    **dict.fromkeys(roles.OF_DEVICES, (SITE_DEVICE,)),
}

IO_GROUPS = {"io_1": signals.G_IO_1, "io_2": signals.G_IO_2, "io_3": signals.G_IO_3}
INPUT_NAMES = {
    role: tuple(row[0] for row in signals.CABINET_INPUTS if row[4] == group)
    for role, group in IO_GROUPS.items()
}
OUTPUT_NAMES = tuple(row[0] for row in signals.CABINET_OUTPUTS[: signals.NOTIFY_MAINTENANCE])
IO_BITS = 8
# A BMS reports its limits every 100 ms. Set-points that come less often would skip some of them.
SETPOINT_MS_MAX = 100

_ANY_NAME = (NAME, "a name of a-z, 0-9 and _")
_PROFILE = re.compile(r"[A-Za-z0-9_./-]{1,200}")
_PROFILE_WORDS = "the name of a device profile, or a file that ends in .toml"
_ASCII = "on one line of ASCII"
_ACCEPTED = f"who accepted it, when (YYYY-MM-DD) and why, {_ASCII}"
_COILS = [f"{inverted}{name}" for inverted in ("", "!") for name in OUTPUT_NAMES]
# {time that the file may state for one device, from its data sheet: (range, roles)}
FACTS_OF_DEVICE = {
    "turnaround_ms": ((0, 1000), ("pcs", "meter_grid", "meter_load")),
    "refresh_ms": ((5, 60_000), ("meter_grid", "meter_load")),
    "dead_time_ms": ((0, 5000), ("pcs",)),
    "ramp_ms": ((0, 60_000), ("pcs",)),
}
# Key with the energy of the capacitors in server racks. If the load meter is at the racks, the
# power of their feed follows later, because of these capacitors.
BUFFER = "buffer_J_per_kW"
DEVICE = {
    "role": Field("choice", tuple(ROLES)),
    "profile": matching(_PROFILE, _PROFILE_WORDS, None),
    "bus": matching(*_ANY_NAME, None),
    "unit_id": Field("int", (0, 255)),
    "node": Field("int", (1, 55)),
    "unit": Field("int", (1, INDEX_MAX)),
    "rack": Field("int", (1, INDEX_MAX)),
    "period_ms": Field("int", (10, 60_000)),
    "setpoint_ms": Field("int", (10, SETPOINT_MS_MAX), 20, "down"),
    **{key: Field("int", allowed) for key, (allowed, _) in FACTS_OF_DEVICE.items()},
    BUFFER: Field("int", (1, 1000)),
    "inputs": Field("list", (IO_BITS, ("", *itertools.chain(*INPUT_NAMES.values())))),
    "outputs": Field("list", (IO_BITS, ("", *_COILS))),
}
# The parameters of the roles of site devices. devices.py has the range and default of each role.
for _row in roles.PARAMETERS:
    _before = DEVICE.get(_row[0], Field("int", _row[2:4], None, _row[5]))
    _range = min(_row[2], _before.allowed[0]), max(_row[3], _before.allowed[1])
    DEVICE[_row[0]] = _before._replace(allowed=_range)
# {key of a device that only some roles have: these roles}
OF_ROLES = {key: of for key, (_, of) in FACTS_OF_DEVICE.items()}
OF_ROLES |= {BUFFER: ("meter_load",), "setpoint_ms": ("pcs",)}
for _role in roles.OF_DEVICES:
    for _row in roles.ROLES[_role].parameters:
        if _row[0] != "rated_W":  # meters have it too
            OF_ROLES[_row[0]] = (*OF_ROLES.get(_row[0], ()), _role)
_DC_BUS = {"dc_bus": matching(*_ANY_NAME, None)}

# Facts about the equipment have no default. With a default, a small cabinet would get the value of
# a large cabinet if a line is missing in its file.
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
# Rows of name, unit, low, high, default and tighter direction, as in safety.parameters.
ParameterTable = Iterable[tuple[str, str, int, int, int | None, str]]


def _parameters(table: ParameterTable, reasons: dict[str, str]) -> Keys:
    specs = {}
    for name, unit, low, high, default, tighter in table:
        if name in reasons:
            specs[name] = derived(reasons[name])
        elif unit == "bool":
            specs[name] = Field("bool", (False, True), bool(default), tighter)
        else:
            specs[name] = Field("int", (low, high), None if name in FACTS else default, tighter)
    return specs


_BY_DEVICES = "it follows from the devices, [not_fitted] and [control]"
_OF_DEVICES = [
    row[0]
    for row in parameters.CABINET_PARAMETERS
    if row[0].endswith(("_fitted", "_detectors", "_zones", "_W_max")) or row[0] == "gas_required"
]
CABINET = _parameters(parameters.CABINET_PARAMETERS, dict.fromkeys(_OF_DEVICES, _BY_DEVICES))
# A second must be a whole number of ticks, because rows 10b and 22 to 24 look back by seconds.
TICKS_MS = tuple(tick_ms for tick_ms in range(10, 101) if 1000 % tick_ms == 0)
CABINET["tick_ms"] = Field("choice", TICKS_MS, 20)
# 30 s is fact C65 of the fact table. If the fuse is faster, the wait ends earlier, because the
# current has ended.
FUSE_WAIT_MS_MIN = 30_000
_fuse = CABINET["fuse_wait_ms"]
CABINET["fuse_wait_ms"] = _fuse._replace(allowed=(FUSE_WAIT_MS_MIN, _fuse.allowed[1]))
CABINET["second_channel"] = Field("choice", ("none", "fitted"), "none")
_REPORTED_BY = {"unit's PCS": parameters.UNIT_PARAMETERS, "rack's BMS": parameters.RACK_PARAMETERS}
_OF_PROFILE = {
    row[0]: f"it follows from the profile of the {device}"
    for device, table in _REPORTED_BY.items()
    for row in table
    if row[0].endswith(("_reported", "_bits"))
}
_OF_PROFILE["unit"] = "it follows from dc_bus"
UNIT = {
    **_DC_BUS,
    # true: the converter of the unit can form an island
    "can_form": Field("bool", (False, True), False, "down"),
    # place of the unit in the order of use; 0: no order is stated
    "turn": Field("int", (0, INDEX_MAX), 0, "free"),
    **_parameters(parameters.UNIT_PARAMETERS, _OF_PROFILE),
}
RACK = _DC_BUS | _parameters(parameters.RACK_PARAMETERS, _OF_PROFILE)
# The tapers of NMC cells end at the thresholds of rows 28 and 31.
_NMC_DEFAULTS_MV = {
    "charge_taper_mV": 4100,
    "charge_end_mV": 4200,
    "discharge_taper_mV": 3200,
    "discharge_end_mV": 3000,
}
_OF_NMC = {key: RACK[key]._replace(default=value) for key, value in _NMC_DEFAULTS_MV.items()}
RACKS = {LFP: RACK, NMC: RACK | _OF_NMC}
_DERIVED = {"load_meter_fitted": _BY_DEVICES, **dict.fromkeys(units.TURNS, "it is unit.N.turn")}
CONTROL = _parameters(CONTROL_PARAMETERS, _DERIVED)
SOURCE = {"role": Field("choice", SOURCE_ROLES)} | _parameters(SOURCE_PARAMETERS, {})


# Facts of the hazard mitigation analysis and the listings: no default may replace them.
HMA = {
    "report": named(f"number and date of the hazard mitigation analysis, {_ASCII}", "free"),
    "chemistry": Field("choice", (LFP, NMC)),
    # NFPA 68 deflagration venting, NFPA 69 prevention (gas detection, fan, damper), or both (A28).
    "explosion_control": Field("choice", ("68", "69", "both")),
    "gas_required_by": named("the document that requires gas detection, on one line of ASCII"),
    # Lower flammable limit of the cell's vent gas. 10 000 ppm = 1 % by volume; hydrogen has 40 000
    # ppm (A33).
    "lfl_vol_ppm": Field("int", (5000, 200_000), None, "down"),
    "lfl_source": named("the UL 9540A cell report with lfl_vol_ppm, on one line of ASCII", "free"),
    "agent_hold_off_reason": named(f"the reason why the fan waits for the agent, {_ASCII}"),
    "breaker": Field("choice", tuple(BREAKERS)),
    "restart_alone": Field("bool", (False, True), False, "down"),
    "noc_source": matching(SOURCE_NAME, "the name of a source of hints", None),
    "noc_derate": Field("bool", (False, True), False, "up"),
    "hard_wired_rows": Field("list", (0, tuple(WIRED))),
    "hard_wired_accepted": named("who accepted the wiring, or the document that shows it"),
    "dc_fuse": named("type and data sheet of each rack's fuse, with its time at twice the rating"),
    **{f"not_wired_{row}": named(_ACCEPTED) for row in (2, 3, 36)},
}

# The wire to channel B.
CHANNEL_B = {"port": matching(*PORT, None), "baud_Bd": Field("choice", BAUDS_BD, 115_200)}
# Days between two proof tests of a row. A file may only make them fewer.
PROOF_TESTS = {
    key: Field("int", (1, interval.interval_d or LONG_D), interval.interval_d, "down")
    for key, interval in INTERVALS.items()
}

# Thermal resistances for the estimate of propagation.py; 0: no path for heat.
NEIGHBOURS = {
    "cell_J_per_K": Field("int", (10, 100_000), 5600),
    "module_mK_per_W": Field("int", (0, 1_000_000), 1060),
    "rack_mK_per_W": Field("int", (0, 1_000_000), 0),
}

# {section without numbered or named tables: its keys}
_FLAT = {
    "cabinet": CABINET,
    "control": CONTROL,
    "hma": HMA,
    "channel_b": CHANNEL_B,
    PROOF_TEST: PROOF_TESTS,
    "neighbours": NEIGHBOURS,
    "responder": RESPONDER,
    "plan": PLAN,
    "not_fitted": {name: named(_ACCEPTED, "free") for name in EQUIPMENT},
}
# {section: (names of its tables or None for any name, keys of each table)}
_TABLES: dict[str, tuple[tuple[str, ...] | None, Keys]] = {
    "unit": (("all", *NUMBERS), UNIT),
    "rack": (("all", *NUMBERS), RACK),
    "bus": (None, BUS),
    "device": (None, DEVICE),
    "source": (None, SOURCE),
}
STAGE = STAGES[LFP]
_TOP = {"optional_equipment": Field("list", (0, tuple(EQUIPMENT)), [], "subset")}
SECTIONS = (*_TOP, *_FLAT, *_TABLES, "stage")


def _keys(path: Path, chemistry: str = LFP) -> Keys:
    """The keys of the table at `path` (a key's path without its last part), or {}."""
    if not path:
        return _TOP
    if len(path) == 1:
        return _FLAT.get(path[0], {})
    if path[0] == "stage" and len(path) == 2:
        return STAGES[chemistry].get(path[1], {})
    keys = RACKS[chemistry] if path[0] == "rack" else _TABLES.get(path[0], (None, {}))[1]
    return keys if len(path) == 2 else {}


def every_key() -> list[tuple[str, Field, Field]]:
    """(key, Field, Field for NMC cells) of every key of a file. N is any number, NAME any name."""
    tables: list[tuple[str, Keys]] = [
        ("", _TOP),
        *[(section + ".", keys) for section, keys in _FLAT.items()],
        *[
            (f"{section}.{'N' if names else 'NAME'}.", keys)
            for section, (names, keys) in _TABLES.items()
        ],
        *[(f"stage.{name}.", keys) for name, keys in STAGE.items()],
    ]
    rows = []
    for prefix, keys in tables:
        for name, spec in keys.items():
            key = prefix + name
            path = tuple(key.replace(".N.", ".1.").replace(".NAME.", ".name.").split("."))
            if spec.kind != "derived":
                rows.append((key, spec, spec_of(path, NMC) or spec))
    return rows


# The checks ask for each value several times, and 16 racks have about 1500 keys.
@functools.lru_cache(maxsize=4096)
def spec_of(path: Path, chemistry: str = LFP) -> Field | None:
    """Field of the key at `path` for cells of this chemistry; None for an unknown key."""
    if names_at(path[:-1]) and all(
        path[depth] in names_at(path[: depth + 1]) for depth in range(len(path))
    ):
        return _keys(path[:-1], chemistry).get(path[-1])
    return None


def names_at(path: Path) -> tuple[str, ...]:
    """The allowed names at the last place of `path`. A free name only has to be well formed."""
    if len(path) <= 1:
        return SECTIONS
    if len(path) == 2 and path[0] in _TABLES:
        names = _TABLES[path[0]][0]
        form = SOURCE_NAME if path[0] == "source" else NAME
        return names if names else (path[1],) if form.fullmatch(path[1]) else ()
    if len(path) == 2 and path[0] == "stage":
        return tuple(STAGE)
    return tuple(_keys(path[:-1]))
