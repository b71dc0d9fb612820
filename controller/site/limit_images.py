"""The integer images both channels run on, from a checked configuration: parameters, stages, and
what is armed.

A stage instance is armed unless its signals are not there: what the rack's BMS keeps to itself (its
own protection may do the stage's work, bms_protections.py; else somebody accepted that), or
equipment that is not fitted and somebody accepted that. Row 46 stays armed where the fire panel has
a supervised path: the panel's contact satisfies it as long as it is closed.
"""

from array import array

from controller.core.parameters import CONTROL_PARAMETERS
from controller.site import bms_protections, equipment, schema
from controller.site.layers import refuse
from safety import matrix, parameters, signals

ARMED, BY_BMS, NOT_FITTED, BY_PANEL, NOT_ASKED, NOT_TOLD = range(6)
ARMED_STATES = (ARMED, BY_PANEL)
TO_ACCEPT = (NOT_FITTED, NOT_TOLD)  # states that somebody has to accept by name
SECOND_CHANNEL = "second_channel"  # not fitted: the rows in hard wiring stand in for it
CELL_FEATURES = (
    matrix.F_CELL_VOLTAGE_MV_MAX,
    matrix.F_CELL_VOLTAGE_MV_MIN,
    matrix.F_CELL_SPREAD_MV,
    matrix.F_CELL_VOLTAGE_DROP_MV,
)
TEMPERATURE_FEATURES = (
    matrix.F_TEMPERATURE_DDEGC_MAX,
    matrix.F_TEMPERATURE_DDEGC_MIN,
    matrix.F_TEMPERATURE_SPREAD_DDEGC,
    matrix.F_TEMPERATURE_OVER_MEDIAN_DDEGC,
    matrix.F_TEMPERATURE_RISING,
    matrix.F_TEMPERATURE_RISE_3S_DDEGC,
    matrix.F_TEMPERATURE_RISE_10S_DDEGC,
    matrix.F_TEMPERATURE_UNEXPLAINED_DDEGC,
    matrix.F_TEMPERATURE_ZEROS,
)
# What a BMS tells of each part of a rack, in words, and the features that compare the parts: of one
# alone nothing is ever far from the others, and its reading of exactly 0 is that of the whole rack.
COMPARED = {
    "modules": (
        "temperatures_reported",
        "the temperature of each module",
        (
            matrix.F_TEMPERATURE_SPREAD_DDEGC,
            matrix.F_TEMPERATURE_OVER_MEDIAN_DDEGC,
            matrix.F_TEMPERATURE_ZEROS,
        ),
    ),
    "cells": (
        "cells_reported",
        "the highest and the lowest cell voltage",
        (matrix.F_CELL_SPREAD_MV,),
    ),
}
COMPARED_MIN = 2
TOLD_BY_BMS = ("cells_reported", "temperatures_reported", "insulation_reported", "sensors_reported")
NOC_FEATURES = equipment.EQUIPMENT["noc"].features
# Features made of several kinds of equipment: one of them is enough to arm their stages.
ANY_OF = {
    **dict.fromkeys(
        (
            matrix.F_GAS_DETECTORS_FAULTY,
            matrix.F_GAS_DETECTORS_SILENT,
            matrix.F_GAS_CALIBRATION_D_MIN,
            matrix.F_GAS_DETECTORS_LOST,
            matrix.F_GAS_ALERT,
        ),
        equipment.GAS_KINDS,
    ),
    matrix.F_MONITOR_SILENCE_MS: ("climate", "ups"),
}
# Features that count detectors: a stage on them needs as many as its threshold says.
DETECTORS = {matrix.F_FIRE_DETECTORS: ("smoke", "smoke_2", "heat")}
# Features that need all of several.
EACH_OF = {
    matrix.F_OFFGAS_PPM_SECOND: ("offgas", "offgas_2"),
    matrix.F_ESTOP_DISCREPANCY: ("estop_1_ok", "estop_2_ok"),
}
EQUIPMENT_FEATURES = {
    feature: name
    for name, one in reversed(equipment.EVERY.items())
    for feature in one.features
    if feature not in DETECTORS and feature not in EACH_OF
}


def rack_facts(topology):
    """Per rack {parameter: bool}: what its BMS tells, by its family."""
    told = []
    for rack in range(topology.racks):
        native = topology.device("bms", rack).profile.family == "native_bms"
        told.append(dict.fromkeys(TOLD_BY_BMS, native))
    return told


def stage_state(stage, topology, rack=-1):
    """(ARMED, BY_BMS, NOT_FITTED, BY_PANEL, NOT_ASKED or NOT_TOLD; equipment or "") of a stage of
    the matrix.

    rack: of a rack's stage. NOT_FITTED and NOT_TOLD without anybody's acceptance are refused by
    sense.py.
    """
    if stage[matrix.S_SCOPE] == signals.RACK:
        return _rack_state(stage, rack_facts(topology)[rack], topology.not_fitted)
    if stage[matrix.S_SCOPE] == signals.UNIT:
        return ARMED, ""
    feature = stage[matrix.S_FEATURE]
    if feature in NOC_FEATURES:
        return _noc_state(stage, topology)
    if feature == matrix.F_PEER_CODE:
        return (ARMED, "") if topology.second_channel else (NOT_FITTED, SECOND_CHANNEL)
    for each in (feature, stage[matrix.S_GATE]):
        absent = _absent(each, stage, topology.not_fitted)
        if absent:
            return NOT_FITTED, absent
    heated = any(facts["temperatures_reported"] for facts in rack_facts(topology))
    if stage[matrix.S_GATE] == matrix.F_HEATING_ALERT and not heated:
        return NOT_TOLD, "bms_temperatures"
    return ARMED, ""


def _rack_state(stage, facts, not_fitted):
    lacks = _untold(stage, facts, not_fitted)
    if not lacks:
        return ARMED, ""
    if lacks == "insulation":
        return NOT_FITTED, lacks
    return (BY_BMS, "") if stage[matrix.S_ID] in bms_protections.DONE else (NOT_TOLD, lacks)


def _untold(stage, facts, not_fitted):
    """Name of what the rack's BMS does not tell of that this stage looks at, or ""."""
    feature = stage[matrix.S_FEATURE]
    # two of: vapour, gas, two signs of heat, two of cells
    if feature == matrix.F_RUNAWAY_SUSPICION_PCT:
        signs = ("offgas" not in not_fitted) + ("toxic" not in not_fitted)
        signs += 2 * facts["cells_reported"] + 2 * facts["temperatures_reported"]
        return "" if signs > 1 else "bms_temperatures"
    needs = (
        ((matrix.F_INSULATION_OHM_PER_V,), "insulation_reported", "insulation"),
        (CELL_FEATURES, "cells_reported", "bms_cells"),
        (TEMPERATURE_FEATURES, "temperatures_reported", "bms_temperatures"),
        ((matrix.F_SENSORS_INVALID_MAX,), "sensors_reported", "bms_sensors"),
    )
    return next(
        (name for features, fact, name in needs if feature in features and not facts[fact]), ""
    )


def _noc_state(stage, topology):
    """Row 46: a supervised contact of the fire panel satisfies it; power is reduced only if the
    analysis asks.
    """
    if "supervised" in topology.not_fitted and "noc" in topology.not_fitted:
        return NOT_FITTED, "noc"
    if stage[matrix.S_DEMAND][matrix.D_CHARGE_DERATE_PCT] and not topology.hma["noc_derate"]:
        return NOT_ASKED, ""
    return (ARMED if "supervised" in topology.not_fitted else BY_PANEL), ""


def _absent(feature, stage, not_fitted):
    """Name of the equipment that this feature of a cabinet's stage lacks, or ""."""
    if feature in DETECTORS:
        missing = next((name for name in DETECTORS[feature] if not_fitted.get(name) == ""), "")
        if missing:  # the others may be enough, but nobody has accepted a vote of fewer
            return missing
        if smoke_zones(not_fitted) + ("heat" not in not_fitted) >= stage[matrix.S_SET]:
            return ""
        return next(name for name in DETECTORS[feature] if name in not_fitted)
    if feature in EACH_OF:
        return next((name for name in EACH_OF[feature] if name in not_fitted), "")
    kinds = ANY_OF.get(feature, (EQUIPMENT_FEATURES.get(feature),))
    return kinds[0] if all(name in not_fitted for name in kinds) else ""


def smoke_zones(not_fitted):
    """How many smoke zones there are."""
    return 0 if "smoke" in not_fitted else 1 if "smoke_2" in not_fitted else 2


def accepted(topology, name):
    """Who accepted that this equipment (or the second channel) is not fitted, or "" where nobody
    did.
    """
    if name == SECOND_CHANNEL:
        return topology.hma["hard_wired_accepted"] or ""
    return topology.not_fitted.get(name, "")


def instances(topology):
    """(stage, unit or rack or -1) of every stage instance, in the order of the image's armed
    words.
    """
    found = []
    for scope, count in (
        (signals.CABINET, 0),
        (signals.UNIT, topology.units),
        (signals.RACK, topology.racks),
    ):
        for index in range(count) if count else (-1,):
            found += [(stage, index) for stage in matrix.STAGES if stage[matrix.S_SCOPE] == scope]
    return found


def rows_armed(topology):
    """Rows of which a stage is armed, in one place at least, sorted."""
    return sorted(
        {
            stage[matrix.S_ROW]
            for stage, index in instances(topology)
            if stage_state(stage, topology, index)[0] in ARMED_STATES
        }
    )


def rows_not_fitted(topology):
    """Rows of which a stage is not fitted, as the matrix of a site lists them, sorted."""
    return sorted(
        {
            stage[matrix.S_ROW]
            for stage, index in instances(topology)
            if stage_state(stage, topology, index)[0] == NOT_FITTED
        }
    )


def cabinet_parameters(values, topology, budgets):
    """{name: integer} of CABINET_PARAMETERS."""
    derived = _fitted(topology)
    return {
        row[0]: int(
            derived[row[0]]
            if row[0] in derived
            else budgets.get(("cabinet", row[0]), values.get("cabinet", row[0]))
        )
        for row in parameters.CABINET_PARAMETERS
    }


def _fitted(topology):
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
        "door_fitted": "door" not in absent,
        "bms_fault_contact_fitted": "bms_fault" not in absent,
    }


def unit_parameters(values, unit, budgets):
    """{name: integer} of UNIT_PARAMETERS of unit `unit` (from 0)."""
    number = str(unit + 1)
    return {
        row[0]: int(budgets.get(("unit", number, row[0]), values.said("unit", number, row[0])))
        for row in parameters.UNIT_PARAMETERS
    }


def rack_parameters(values, topology, rack, budgets):
    """{name: integer} of RACK_PARAMETERS of rack `rack` (from 0)."""
    number = str(rack + 1)
    derived = {"unit": topology.rack_units[rack], **rack_facts(topology)[rack]}
    _check_compared(values, number, derived)
    return {
        row[0]: int(
            derived[row[0]]
            if row[0] in derived
            else budgets.get(("rack", number, row[0]), values.said("rack", number, row[0]))
        )
        for row in parameters.RACK_PARAMETERS
    }


def _check_compared(values, number, told):
    """Refuse a rack with fewer modules or cells than its armed rows need to compare them. told: of
    rack_facts.
    """
    for key, (fact, what, features) in COMPARED.items():
        count, path = values.said("rack", number, key), ("rack", number, key)
        if told[fact] and count < COMPARED_MIN:
            rows = sorted(
                {
                    stage[matrix.S_ROW]
                    for stage in matrix.STAGES
                    if stage[matrix.S_SCOPE] == signals.RACK and stage[matrix.S_FEATURE] in features
                }
            )
            refuse(
                values.numbered(*path).file,
                path,
                f"{count} is not allowed: its BMS tells "
                f"{what}, and "
                f"{equipment.with_clauses(rows)} {'compare' if len(rows) > 1 else 'compares'} "
                f"{key} with each "
                "other",
                f"{COMPARED_MIN}..{max(schema.RACK[key].allowed)}",
            )


def control_parameters(values, topology):
    """{name: integer} of CONTROL_PARAMETERS."""
    derived = {"load_meter_fitted": topology.device("meter_load") is not None}
    return {
        row[0]: int(derived[row[0]] if row[0] in derived else values.need("control", row[0]))
        for row in CONTROL_PARAMETERS
    }


def stage_words(values, stage, cabinet, tick_ms):
    """(set, clear, set ticks, clear ticks) of a stage; cabinet: {name: integer}."""
    name = stage[matrix.S_ID]
    source = schema.STAGE_SET_FROM.get(name)
    if source:
        level = cabinet[source]
        clear = level * stage[matrix.S_CLEAR] // stage[matrix.S_SET]
    else:
        level, clear = values.get("stage", name, "set"), values.get("stage", name, "clear")
    return (
        level,
        clear,
        parameters.ticks(values.get("stage", name, "set_ms"), tick_ms),
        parameters.ticks(values.get("stage", name, "clear_ms"), tick_ms),
    )


def longer_by_tick(config):
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


def safety_image(topology, tick_ms, modules, cabinet, units, racks, words_of):
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


def control_image(control):
    """array('i') in the order of CONTROL_PARAMETERS."""
    return array("i", control.values())
