"""Equipment that a site may lack, if its type offers that and somebody accepts it by name under
[not_fitted].

Each entry says which devices, contacts and coils go with it, and which features of the matrix come
from it. From this follows what a file must say, which rows stand or fall with what, and what is
printed about them: one table for all.
"""

from typing import NamedTuple

from safety import matrix as m


class Equipment(NamedTuple):
    """roles of its devices (the first must be there, the others may be), input names, output names,
    cabinet features.

    text: what it is, for the reports.
    """

    roles: tuple
    inputs: tuple
    outputs: tuple
    features: tuple
    text: str


# What a BMS may keep to itself, in words behind "the BMS does not tell".
UNTOLD = {
    "bms_cells": "cell voltages",
    "bms_temperatures": "module temperatures",
    "bms_sensors": "which sensors are invalid",
}
# equipment that detects gas, in the order of who is blamed first
GAS_KINDS = ("gas", "offgas", "toxic")
EQUIPMENT = {
    "gas": Equipment(
        ("gas_1", "gas_2"),
        ("gas_relay_ok",),
        (),
        (m.F_GAS_LFL_PERMILLE_MAX, m.F_GAS_RELAY_OK),
        "combustible gas detectors and their relay",
    ),
    "offgas": Equipment(
        ("offgas_1", "offgas_2"),
        (),
        (),
        (m.F_OFFGAS_PPM_MAX, m.F_OFFGAS_PPM_SECOND),
        "detectors of electrolyte vapour",
    ),
    "offgas_2": Equipment(
        ("offgas_2",), (), (), (m.F_OFFGAS_PPM_SECOND,), "second detector of electrolyte vapour"
    ),
    "toxic": Equipment(
        ("toxic",), (), (), (m.F_TOXIC_PPM, m.F_TOXIC_RISE_PPM), "detector of hydrogen and CO"
    ),
    "suppression": Equipment(
        (), ("suppression_ok",), (), (m.F_SUPPRESSION_OK,), "fire suppression"
    ),
    "smoke": Equipment(
        (), ("smoke_1_ok", "smoke_2_ok"), (), (m.F_FIRE_DETECTORS,), "smoke detectors of both zones"
    ),
    "smoke_2": Equipment((), ("smoke_2_ok",), (), (m.F_FIRE_DETECTORS,), "second smoke zone"),
    "heat": Equipment((), ("heat_ok",), (), (m.F_FIRE_DETECTORS,), "heat detector"),
    "fire_trouble": Equipment(
        (), ("fire_trouble_ok",), (), (m.F_FIRE_TROUBLE_OK,), "trouble relay of the fire panel"
    ),
    "airflow": Equipment((), ("airflow_ok",), (), (m.F_AIRFLOW_MISSING,), "airflow switch"),
    "damper": Equipment(
        (), ("damper_ok",), (), (m.F_DAMPER_MISSING,), "limit switch of the damper"
    ),
    "hvac": Equipment((), ("hvac_ok",), (), (m.F_HVAC_OK,), "fault contact of the cooling"),
    "climate": Equipment(
        ("climate",),
        (),
        (),
        (m.F_AIR_TEMPERATURE_DDEGC, m.F_HUMIDITY_PERMILLE),
        "air temperature and humidity",
    ),
    "leak": Equipment((), ("leak_ok",), (), (m.F_LEAK_OK,), "leak detector"),
    "coolant": Equipment(
        (), ("coolant_ok",), (), (m.F_COOLANT_OK,), "coolant flow and pressure switch"
    ),
    "cell_voltage": Equipment(
        (), ("cell_voltage_ok",), (), (m.F_CELL_VOLTAGE_OK,), "independent cell over-voltage relay"
    ),
    "ups": Equipment(("ups",), (), (), (m.F_MAINS_OK, m.F_UPS_RESERVE_MIN), "UPS monitor"),
    "supervised": Equipment((), ("supervised_ok",), (), (), "supervised path of the fire panel"),
    "noc": Equipment(
        (), (), (), (m.F_NOC_LOST_S, m.F_NOC_UNVERIFIED), "link to the network operations centre"
    ),
    "door": Equipment((), ("door_ok",), (), (m.F_DOOR_OK,), "door contact"),
    "bms_fault": Equipment(
        (), ("bms_fault_ok",), (), (m.F_BMS_FAULT_OK,), "fault contact of the BMS"
    ),
    "insulation": Equipment((), (), (), (), "insulation monitor"),
    "shunt_trip": Equipment((), (), ("shunt_trip_on",), (), "shunt trip of the breaker upstream"),
    "aux_load": Equipment(
        (), (), ("aux_load_ok",), (), "relay of auxiliary loads not rated for gas"
    ),
    "pre_alarm": Equipment((), (), ("pre_alarm_on",), (), "pre-alarm to the fire panel"),
    **{
        name: Equipment((), (), (), (), f"{what}, told by the BMS") for name, what in UNTOLD.items()
    },
}
# Roles of gas detectors of every kind.
GAS_ROLES = tuple([role for kind in GAS_KINDS for role in EQUIPMENT[kind].roles])
# Contacts that every cabinet has, and the features they make; those of EQUIPMENT are beside their
# equipment.
REQUIRED = {
    "estop_1_ok": (m.F_ESTOP_1_OK, m.F_ESTOP_DISCREPANCY),
    "estop_2_ok": (m.F_ESTOP_2_OK, m.F_ESTOP_DISCREPANCY),
    "fire_alarm_ok": (m.F_FIRE_ALARM_OK,),
    "key_run_ok": (m.F_KEY_RUN_OK,),
    "permit_1_closed": (),
    "permit_2_closed": (),
}
# All that a file may lack: nobody can accept a contact of REQUIRED, but a report about such a file
# names it by itself.
EVERY = EQUIPMENT | {
    name: Equipment((), (name,), (), features, name) for name, features in REQUIRED.items()
}
# Demands that a cabinet may have no output for. Their rows stay armed without it; that effect alone
# is missing.
_DEMANDS = {"shunt_trip": m.D_SHUNT_TRIP, "aux_load": m.D_AUX_SHED, "pre_alarm": m.D_PRE_ALARM}
# What a row needs of the rack's BMS or of an output, beyond the features of the cabinet.
_ROWS_BESIDES = {
    "insulation": (37,),
    "supervised": (46,),
    "bms_cells": (24, 34),
    "bms_temperatures": (8, 21, 22, 23, 26, 45, 53),
    "bms_sensors": (45,),
    **{
        name: tuple(sorted({stage[m.S_ROW] for stage in m.STAGES if stage[m.S_DEMAND][demand]}))
        for name, demand in _DEMANDS.items()
    },
}


def rows_of(name):
    """Rows of the matrix that need this equipment, rising; part of a row counts."""
    return tuple(
        sorted({*_rows_of_features(EQUIPMENT[name].features), *_ROWS_BESIDES.get(name, ())})
    )


def rows_of_input(name):
    """Rows of the matrix that need this contact, rising; () for a read-back that no row looks at by
    itself.
    """
    if name in REQUIRED:
        return _rows_of_features(REQUIRED[name])
    return next((rows_of(each) for each in of_signal(name)), ())


def of_signal(name):
    """Names of the equipment that this contact or coil belongs to, the one that takes the least
    along first.
    """
    found = [each for each, one in EQUIPMENT.items() if name in (*one.inputs, *one.outputs)]
    return sorted(found, key=lambda each: len(EQUIPMENT[each].inputs))


def with_clauses(rows):
    """ "row 9 (A35) and row 10 (C50)": rows with what they rest on."""
    named = [f"row {row} ({m.CLAUSES[row][1]})" for row in rows]
    return " and ".join([*filter(None, [", ".join(named[:-1])]), *named[-1:]])


def _rows_of_features(features):
    return tuple(
        sorted(
            {
                stage[m.S_ROW]
                for stage in m.STAGES
                if stage[m.S_SCOPE] == m.CABINET and stage[m.S_FEATURE] in features
            }
        )
    )
