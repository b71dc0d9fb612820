"""Equipment that a site may lack, if its type offers that and somebody accepts it by name under
[not_fitted], and the rows of the matrix that need it.
"""

from controller.rows import facts, records
from controller.rows.shapes import GAS_KINDS, Equipment
from safety import matrix as m

# What a BMS may keep to itself, in words behind "the BMS does not tell".
UNREPORTED = {
    "bms_cells": "cell voltages",
    "bms_temperatures": "module temperatures",
    "bms_sensors": "which sensors are invalid",
}
EQUIPMENT = records.EQUIPMENT | {
    "shunt_trip": Equipment("trip of the breaker upstream", outputs=("shunt_trip_on",)),
    "aux_load": Equipment("relay of auxiliary loads not rated for gas", outputs=("aux_load_ok",)),
    "pre_alarm": Equipment("pre-alarm to the fire panel", outputs=("pre_alarm_on",)),
    **{name: Equipment(f"{what}, reported by the BMS") for name, what in UNREPORTED.items()},
}
# What ends a current in gas: the choices of hma.breaker.
BREAKERS = {"dc_outside_gas": "the DC breaker outside the gas", "ac": "the converter's AC breaker"}
# Roles of gas detectors of every kind.
GAS_ROLES = tuple([role for kind in GAS_KINDS for role in EQUIPMENT[kind].roles])
# Contacts that every cabinet has; those of EQUIPMENT are beside their equipment.
REQUIRED = (
    "estop_1_ok",
    "estop_2_ok",
    "fire_alarm_ok",
    "key_run_ok",
    "permit_1_closed",
    "permit_2_closed",
)
# All that a file may lack: nobody can accept a contact of REQUIRED, but a report about such a file
# names it by itself.
EVERY = EQUIPMENT | {name: Equipment(name, inputs=(name,)) for name in REQUIRED}
# Demands that a cabinet may have no output for. Their rows stay armed without it; that effect alone
# is missing.
_DEMANDS = {"shunt_trip": m.D_SHUNT_TRIP, "aux_load": m.D_AUX_SHED, "pre_alarm": m.D_PRE_ALARM}


def rows_of(name: str) -> tuple:
    """Rows of the matrix that need this equipment, or contact of REQUIRED, rising; part of a row
    counts. () for a read-back that no row looks at by itself.
    """
    return tuple(sorted({stage[m.S_ROW] for stage in m.STAGES if _needs(stage, name)}))


def rows_of_input(name: str) -> tuple:
    """As rows_of, of the equipment that this contact belongs to."""
    return rows_of((*of_signal(name), name)[0])


def _needs(stage, name):
    """What a BMS keeps to itself is needed where it does not do the stage's work by itself."""
    demand = stage[m.S_DEMAND]
    if name == "shunt_trip" and demand[m.D_DC] == m.DC_OPEN_ONLY_AT_ZERO:
        return True  # the breaker ends the current that the contactors may not
    if name in _DEMANDS:
        return bool(demand[_DEMANDS[name]])
    watched = records.feature(stage)
    inputs = set(EVERY[name].inputs)
    told = [each.bms for each in records.features(stage)]
    return (
        name in (*watched.equipment, *watched.votes)
        or bool(inputs & set(watched.contacts))
        or (name in told and not records.STAGES[stage[m.S_ID]].by_bms)
    )


def of_signal(name: str) -> list:
    """Names of the equipment that this contact or coil belongs to, the one that takes the least
    along first.
    """
    found = [each for each, one in EQUIPMENT.items() if name in (*one.inputs, *one.outputs)]
    return sorted(found, key=lambda each: len(EQUIPMENT[each].inputs))


def with_clauses(rows: list | tuple) -> str:
    """ "row 11 (NFPA 855-2023 9.6.5.6 (?)) and row 35 (Seplos ...)": rows, what they rest on."""
    named = [f"row {row} ({facts.sources(records.ROWS[row].basis)})" for row in rows]
    return " and ".join([*filter(None, [", ".join(named[:-1])]), *named[-1:]])
