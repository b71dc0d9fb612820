"""Makes the limit image, an array of integers on which both channels run. It has the parameters of
the cabinet, the thresholds of each stage of the cause-and-effect matrix, and on which units and
racks each stage is armed.
"""

from array import array
from collections.abc import Iterable
from typing import Any

from controller.config import equipment, schema, thresholds
from controller.config.cabinet_config import Config, StageWords
from controller.config.can_profile import has_close
from controller.config.devices import Topology
from controller.config.profile_form import INFO, TRIP
from controller.config.stage_states import (
    ARMED_STATES,
    instances,
    rack_facts,
    smoke_zones,
    stage_state,
)
from controller.config.values import Values
from controller.core.parameters import CONTROL_PARAMETERS
from controller.core.units import TURNS
from controller.forms.refusal import Path, refuse
from controller.rows import records
from controller.rows.shapes import GAS_KINDS
from safety import matrix, parameters

# {part of a rack: (fact of its BMS, text about the reported values)}. Some features compare the
# modules or the cells of a rack with each other, which needs two of them.
COMPARED = {
    "modules": ("temperatures_reported", "the temperature of each module"),
    "cells": ("cells_reported", "the highest and the lowest cell voltage"),
}
COMPARED_MIN = 2
_STAGES = matrix.STAGES
OF_CONNECTION = ("grid_import_W_max", "grid_export_W_max")  # keys of [control] in both images
Budgets = dict[Path, int]  # the result of silence.silence_budgets
Words = dict[str, StageWords]  # {id of the stage: its words}
Numbers = dict[str, int]  # the numbers of one table, by name of the parameter


def cabinet_parameters(values: Values, topology: Topology, budgets: Budgets) -> Numbers:
    """{name: integer} of CABINET_PARAMETERS."""
    derived = fitted(topology) | {name: values.need("control", name) for name in OF_CONNECTION}
    return _integers(parameters.CABINET_PARAMETERS, derived, values, budgets, "cabinet")


def _integers(
    table: schema.ParameterTable, derived: Numbers, values: Values, budgets: Budgets, *path: str
) -> Numbers:
    """{name: integer} of a table: the derived number, else the silence budget, else the value in a
    file.
    """
    numbers = {}
    for name in [row[0] for row in table]:
        number = derived.get(name, budgets.get((*path, name)))
        numbers[name] = int(values.need(*path, name) if number is None else number)
    return numbers


def fitted(topology: Topology) -> Numbers:
    """{name: bool or count} of the parameters of [cabinet] that follow from the devices."""
    roles = [device.role for device in topology.devices]
    absent = topology.not_fitted
    bms = [device.profile for device in topology.devices if device.role == "bms"]
    optional_roles = ("toxic", "io_3", "climate", "ups", "meter_load")
    optional_contacts = ("heat", "supervised", "key_service", "door")
    return {
        "gas_required": any(kind not in absent for kind in GAS_KINDS),
        "gas_detectors": roles.count("gas_1") + roles.count("gas_2"),
        "offgas_detectors": roles.count("offgas_1") + roles.count("offgas_2"),
        **{f"{role}_fitted": role in roles for role in optional_roles},
        **{f"{name}_fitted": name not in absent for name in optional_contacts},
        "smoke_zones": smoke_zones(absent),
        "close_command_fitted": all(map(has_close, bms)),
        "bms_fault_contact_fitted": "bms_fault" not in absent,
    }


def _bits(topology: Topology, role: str, index: int) -> Numbers:
    """{parameter: mask} of the fault bits of a PCS or BMS, from its profile. If a converter holds
    its fault bits until a start, it has no trip bits here, because its driver then reports the
    state "fault" (stage 59e).
    """
    profile = topology.required(role, index).profile
    masks = {meaning: profile.mask(meaning) for meaning in (TRIP, INFO)}
    if profile.settings.get("holds_faults"):
        masks[TRIP] = 0
    return {f"{role}_{meaning}_bits": mask for meaning, mask in masks.items()}


def unit_parameters(values: Values, topology: Topology, unit: int, budgets: Budgets) -> Numbers:
    """{name: integer} of UNIT_PARAMETERS of unit `unit` (from 0)."""
    number, derived = str(unit + 1), _bits(topology, "pcs", unit)
    return _integers(parameters.UNIT_PARAMETERS, derived, values, budgets, "unit", number)


def rack_parameters(values: Values, topology: Topology, rack: int, budgets: Budgets) -> Numbers:
    """{name: integer} of RACK_PARAMETERS of rack `rack` (from 0)."""
    number = str(rack + 1)
    facts = rack_facts(topology)[rack]
    derived = {"unit": topology.rack_units[rack], **facts, **_bits(topology, "bms", rack)}
    _check_compared(values, number, facts)
    return _integers(parameters.RACK_PARAMETERS, derived, values, budgets, "rack", number)


def _check_compared(values: Values, number: str, facts: dict[str, bool]) -> None:
    """Refuse a rack with too few modules or cells for the rows that compare them."""
    for key, (fact, label) in COMPARED.items():
        entry = values.needed("rack", number, key)
        if facts[fact] and entry.value < COMPARED_MIN:
            stages = [stage for stage in _STAGES if records.feature(stage).compares == key]
            rows = sorted({stage[matrix.S_ROW] for stage in stages})
            compare = f"{'compare' if len(rows) > 1 else 'compares'} {key} with each other"
            why = f"its BMS reports {label}, and {equipment.with_clauses(rows)} {compare}"
            allowed = f"{COMPARED_MIN}..{max(schema.RACK[key].allowed)}"
            problem = f"{entry.value} is not allowed: {why}"
            refuse(entry.file, ("rack", number, key), problem, allowed)


def control_parameters(values: Values, topology: Topology) -> Numbers:
    """{name: integer} of CONTROL_PARAMETERS."""
    derived = {"load_meter_fitted": int(topology.device("meter_load") is not None)}
    derived |= {
        name: values.get("unit", str(unit), "turn") if unit <= topology.units else 0
        for unit, name in enumerate(TURNS, 1)
    }
    return _integers(CONTROL_PARAMETERS, derived, values, {}, "control")


def stage_words(values: Values, cabinet: Numbers, tick_ms: int) -> Words:
    """{stage id: its words}. cabinet: {name: integer}."""
    by_stage = {}
    for stage in _STAGES:
        name = stage[matrix.S_ID]
        level, clear, *times_ms = [values.get("stage", name, key) for key in schema.STAGE[name]]
        if name in thresholds.STAGE_SET_FROM:
            level = cabinet[thresholds.STAGE_SET_FROM[name]]
            clear = level * stage[matrix.S_CLEAR] // stage[matrix.S_SET]
        ticks = [parameters.ticks(time_ms, tick_ms) for time_ms in times_ms]
        by_stage[name] = StageWords(level, clear, *ticks)
    return by_stage


def longer_by_tick(config: Config) -> list[dict[str, Any]]:
    """[{stage, matrix_ms, here_ms}] of the debounce times that whole ticks make longer."""
    longer = []
    for name, matrix_ms in [(stage[matrix.S_ID], stage[matrix.S_SET_MS]) for stage in _STAGES]:
        here_ms = config.stage_words[name].set_ticks * config.tick_ms
        if here_ms > matrix_ms:
            longer.append({"stage": name, "matrix_ms": matrix_ms, "here_ms": here_ms})
    return longer


def safety_image(
    topology: Topology, tick_ms: int, modules: int, tables: Iterable[Numbers], by_stage: Words
) -> "array[int]":
    """array('i') in the layout of safety.parameters.ImageMap. tables: cabinet, units, racks."""
    header = (parameters.IMAGE_SCHEMA, topology.units, topology.racks, modules, tick_ms)
    numbers = [number for table in tables for number in table.values()]
    stage_numbers = [word for stage in _STAGES for word in by_stage[stage[matrix.S_ID]]]
    states = [stage_state(stage, topology, index)[0] for stage, index in instances(topology)]
    return array(
        "i", [*header, *numbers, *stage_numbers, *[int(state in ARMED_STATES) for state in states]]
    )
