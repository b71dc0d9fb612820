"""The integer images both channels run on, from a checked configuration: parameters, stages, and
what is armed.
"""

from array import array

from controller.config import equipment, schema, thresholds
from controller.config.refusal import refuse
from controller.config.stage_states import (
    ARMED_STATES,
    instances,
    rack_facts,
    smoke_zones,
    stage_state,
)
from controller.core.parameters import CONTROL_PARAMETERS
from controller.rows import records
from drivers.profile_schema import INFO, TRIP
from safety import matrix, parameters

# What a BMS tells of each part of a rack, in words, for the features that compare the parts: of one
# alone nothing is ever far from the others, and its reading of exactly 0 is that of the whole rack.
COMPARED = {
    "modules": ("temperatures_reported", "the temperature of each module"),
    "cells": ("cells_reported", "the highest and the lowest cell voltage"),
}
COMPARED_MIN = 2
OF_CONNECTION = ("grid_import_W_max", "grid_export_W_max")  # of [control], in both images


def cabinet_parameters(values, topology, budgets: dict) -> dict:
    """{name: integer} of CABINET_PARAMETERS."""
    derived = fitted(topology)
    derived |= {name: values.need("control", name) for name in OF_CONNECTION}
    return {
        row[0]: int(
            derived[row[0]]
            if row[0] in derived
            else budgets.get(("cabinet", row[0]), values.get("cabinet", row[0]))
        )
        for row in parameters.CABINET_PARAMETERS
    }


def fitted(topology):
    """{parameter of the cabinet: bool or count} that follow from the devices and [not_fitted]."""
    roles = [device.role for device in topology.devices]
    absent = topology.not_fitted
    return {
        "gas_required": any(kind not in absent for kind in equipment.GAS_KINDS),
        "gas_detectors": roles.count("gas_1") + roles.count("gas_2"),
        "offgas_detectors": roles.count("offgas_1") + roles.count("offgas_2"),
        "toxic_fitted": "toxic" in roles,
        "io_3_fitted": "io_3" in roles,
        "climate_fitted": "climate" in roles,
        "ups_fitted": "ups" in roles,
        "meter_load_fitted": "meter_load" in roles,
        "smoke_zones": smoke_zones(absent),
        "heat_fitted": "heat" not in absent,
        "supervised_fitted": "supervised" not in absent,
        "key_service_fitted": "key_service" not in absent,
        "door_fitted": "door" not in absent,
        "close_command_fitted": all(
            [
                device.profile.family == "native_bms"
                for device in topology.devices
                if device.role == "bms"
            ]
        ),
        "bms_fault_contact_fitted": "bms_fault" not in absent,
    }


def _bits(topology, role, index):
    """{parameter: mask} of what the bits of a PCS or BMS mean, by its profile."""
    profile = topology.device(role, index).profile
    return {f"{role}_{meaning}_bits": profile.mask(meaning) for meaning in (TRIP, INFO)}


def unit_parameters(values, topology, unit: int, budgets: dict) -> dict:
    """{name: integer} of UNIT_PARAMETERS of unit `unit` (from 0)."""
    number, derived = str(unit + 1), _bits(topology, "pcs", unit)
    return {
        row[0]: int(
            derived[row[0]]
            if row[0] in derived
            else budgets.get(("unit", number, row[0]), values.needed("unit", number, row[0]).value)
        )
        for row in parameters.UNIT_PARAMETERS
    }


def rack_parameters(values, topology, rack: int, budgets: dict) -> dict:
    """{name: integer} of RACK_PARAMETERS of rack `rack` (from 0)."""
    number = str(rack + 1)
    derived = {"unit": topology.rack_units[rack], **rack_facts(topology)[rack]}
    derived |= _bits(topology, "bms", rack)
    _check_compared(values, number, derived)
    return {
        row[0]: int(
            derived[row[0]]
            if row[0] in derived
            else budgets.get(("rack", number, row[0]), values.needed("rack", number, row[0]).value)
        )
        for row in parameters.RACK_PARAMETERS
    }


def _check_compared(values, number, told):
    """Refuse a rack with fewer modules or cells than its armed rows need to compare them. told: of
    rack_facts.
    """
    for key, (fact, what) in COMPARED.items():
        entry = values.needed("rack", number, key)
        if told[fact] and entry.value < COMPARED_MIN:
            rows = sorted(
                {
                    stage[matrix.S_ROW]
                    for stage in matrix.STAGES
                    if records.feature(stage).compares == key
                }
            )
            refuse(
                entry.file,
                ("rack", number, key),
                f"{entry.value} is not allowed: its BMS reports {what}, and "
                f"{equipment.with_clauses(rows)} {'compare' if len(rows) > 1 else 'compares'} "
                f"{key} with each other",
                f"{COMPARED_MIN}..{max(schema.RACK[key].allowed)}",
            )


def control_parameters(values, topology) -> dict:
    """{name: integer} of CONTROL_PARAMETERS."""
    derived = {"load_meter_fitted": topology.device("meter_load") is not None}
    return {
        row[0]: int(derived[row[0]] if row[0] in derived else values.need("control", row[0]))
        for row in CONTROL_PARAMETERS
    }


def stage_words(values, cabinet: dict, tick_ms: int) -> dict:
    """{stage id: (set, clear, set ticks, clear ticks)}; cabinet: {name: integer}."""
    found = {}
    for stage in matrix.STAGES:
        name = stage[matrix.S_ID]
        level, clear, set_ms, clear_ms = [
            values.get("stage", name, key) for key in schema.STAGE[name]
        ]
        if name in thresholds.STAGE_SET_FROM:
            level = cabinet[thresholds.STAGE_SET_FROM[name]]
            clear = level * stage[matrix.S_CLEAR] // stage[matrix.S_SET]
        found[name] = (
            level,
            clear,
            parameters.ticks(set_ms, tick_ms),
            parameters.ticks(clear_ms, tick_ms),
        )
    return found


def longer_by_tick(config) -> list:
    """[{stage, matrix_ms, here_ms}] of the debounces that are longer here than in the matrix, as
    whole ticks.
    """
    found = [
        {
            "stage": stage[matrix.S_ID],
            "matrix_ms": stage[matrix.S_SET_MS],
            "here_ms": config.stage_words[stage[matrix.S_ID]][2] * config.tick_ms,
        }
        for stage in matrix.STAGES
    ]
    return [each for each in found if each["here_ms"] > each["matrix_ms"]]


def safety_image(
    topology, tick_ms: int, modules: int, cabinet: dict, units: tuple, racks: tuple, words_of: dict
):
    """array('i') in the layout of safety.parameters.ImageMap.

    cabinet: {name: integer}; units, racks: sequences of the same; words_of: {stage id: its four
    words}.
    """
    words = [
        parameters.IMAGE_SCHEMA,
        topology.units,
        topology.racks,
        modules,
        tick_ms,
        *cabinet.values(),
    ]
    for table in (*units, *racks):
        words += table.values()
    for stage in matrix.STAGES:
        words += words_of[stage[matrix.S_ID]]
    words += [
        1 if stage_state(stage, topology, index)[0] in ARMED_STATES else 0
        for stage, index in instances(topology)
    ]
    return array("i", words)
