"""The integer images both channels run on, from a checked configuration: parameters, stages, and what is armed.

A stage instance is armed unless its signals are not there: cell voltages or module temperatures that the rack's BMS
keeps to itself ("done by BMS"), or equipment that is not fitted and somebody accepted that.
"""

from array import array

from controller import schema
from controller.parameters import CONTROL_PARAMETERS
from safety import matrix, parameters, signals

ARMED, BY_BMS, NOT_FITTED = range(3)
CELL_FEATURES = (matrix.F_CELL_VOLTAGE_MV_MAX, matrix.F_CELL_VOLTAGE_MV_MIN)
TEMPERATURE_FEATURES = (matrix.F_TEMPERATURE_DDEGC_MAX, matrix.F_TEMPERATURE_OVER_MEDIAN_DDEGC,
                        matrix.F_TEMPERATURE_RISING)
EQUIPMENT_FEATURES = {
    matrix.F_SUPPRESSION_OK: "suppression", matrix.F_GAS_RELAY_OK: "gas", matrix.F_GAS_LFL_PERMILLE_MAX: "gas",
    matrix.F_GAS_DETECTORS_FAULTY: "gas", matrix.F_GAS_DETECTORS_SILENT: "gas", matrix.F_GAS_CALIBRATION_D_MIN: "gas",
    matrix.F_GAS_DETECTORS_LOST: "gas", matrix.F_AIRFLOW_MISSING: "airflow", matrix.F_BMS_FAULT_OK: "bms_fault",
}


def rack_facts(topology):
    """Per rack (cells reported, temperatures reported): what the family of its BMS tells."""
    told = []
    for rack in range(topology.racks):
        native = topology.device("bms", rack).profile.family == "native_bms"
        told.append((native, native))
    return told


def stage_state(stage, topology, rack=-1):
    """(ARMED, BY_BMS or NOT_FITTED, equipment or "") of a stage of the matrix; rack: of a rack's stage."""
    feature = stage[matrix.S_FEATURE]
    if stage[matrix.S_SCOPE] == signals.RACK:
        cells, temperatures = rack_facts(topology)[rack]
        hidden = feature in CELL_FEATURES and not cells or feature in TEMPERATURE_FEATURES and not temperatures
        return (BY_BMS if hidden else ARMED), ""
    equipment = EQUIPMENT_FEATURES.get(feature, "") if stage[matrix.S_SCOPE] == signals.CABINET else ""
    return (NOT_FITTED, equipment) if equipment in topology.not_fitted else (ARMED, "")


def instances(topology):
    """(stage, unit or rack or -1) of every stage instance, in the order of the image's armed words."""
    found = []
    for scope, count in ((signals.CABINET, 0), (signals.UNIT, topology.units), (signals.RACK, topology.racks)):
        for index in range(count) if count else (-1,):
            found += [(stage, index) for stage in matrix.STAGES if stage[matrix.S_SCOPE] == scope]
    return found


def cabinet_parameters(values, topology, budgets):
    """{name: integer} of CABINET_PARAMETERS."""
    gas = [device for device in topology.devices if device.role in ("gas_1", "gas_2")]
    derived = {"gas_required": "gas" not in topology.not_fitted, "gas_detectors": len(gas),
               "bms_fault_contact_fitted": "bms_fault" not in topology.not_fitted,
               "door_fitted": "door" not in topology.not_fitted,
               "meter_load_fitted": topology.device("meter_load") is not None}
    return {row[0]: int(derived[row[0]] if row[0] in derived else budgets.get(
        ("cabinet", row[0]), values.get("cabinet", row[0]))) for row in parameters.CABINET_PARAMETERS}


def unit_parameters(values, unit, budgets):
    """{name: integer} of UNIT_PARAMETERS of unit `unit` (from 0)."""
    number = str(unit + 1)
    return {row[0]: int(budgets.get(("unit", number, row[0]), values.said("unit", number, row[0])))
            for row in parameters.UNIT_PARAMETERS}


def rack_parameters(values, topology, rack, budgets):
    """{name: integer} of RACK_PARAMETERS of rack `rack` (from 0)."""
    number = str(rack + 1)
    cells, temperatures = rack_facts(topology)[rack]
    derived = {"unit": topology.rack_units[rack], "cells_reported": cells, "temperatures_reported": temperatures}
    return {row[0]: int(derived[row[0]] if row[0] in derived else budgets.get(
        ("rack", number, row[0]), values.said("rack", number, row[0])))
        for row in parameters.RACK_PARAMETERS}


def control_parameters(values, topology):
    """{name: integer} of CONTROL_PARAMETERS."""
    derived = {"load_meter_fitted": topology.device("meter_load") is not None}
    return {row[0]: int(derived[row[0]] if row[0] in derived else values.need("control", row[0]))
            for row in CONTROL_PARAMETERS}


def stage_words(values, stage, cabinet, tick_ms):
    """(set, clear, set ticks, clear ticks) of a stage; cabinet: {name: integer}."""
    name = stage[matrix.S_ID]
    source = schema.STAGE_SET_FROM.get(name)
    if source:
        level = cabinet[source]
        clear = level * stage[matrix.S_CLEAR] // stage[matrix.S_SET]
    else:
        level, clear = values.get("stage", name, "set"), values.get("stage", name, "clear")
    return (level, clear,
            parameters.ticks(values.get("stage", name, "set_ms"), tick_ms),
            parameters.ticks(values.get("stage", name, "clear_ms"), tick_ms))


def safety_image(topology, tick_ms, modules, cabinet, units, racks, words_of):
    """array('i') in the layout of safety.parameters.ImageMap.

    cabinet: {name: integer}; units, racks: sequences of the same; words_of: {stage id: its four words}.
    """
    words = [parameters.IMAGE_SCHEMA, topology.units, topology.racks, modules, tick_ms, *cabinet.values()]
    for table in (*units, *racks):
        words += table.values()
    for stage in matrix.STAGES:
        words += words_of[stage[matrix.S_ID]]
    words += [1 if stage_state(stage, topology, index)[0] == ARMED else 0 for stage, index in instances(topology)]
    return array("i", words)


def control_image(control):
    """array('i') in the order of CONTROL_PARAMETERS."""
    return array("i", control.values())
