"""Lists the equipment that a site may lack if a named person accepts it, and finds the rows of the
cause-and-effect matrix that need the equipment.
"""

from collections.abc import Iterable, Sequence

from controller.core.site_devices import roles
from controller.rows import facts, records
from controller.rows.shapes import GAS_KINDS, Equipment, MatrixStage
from safety import matrix as m
from safety.signals import CABINET_INPUTS, UNIT

RowNumbers = tuple[int, ...]  # of the matrix, each once, ascending
# {value that some BMS do not report: its text after "the BMS does not report"}
UNREPORTED = {
    "bms_cells": "cell voltages",
    "bms_temperatures": "module temperatures",
    "bms_sensors": "which sensors are invalid",
    "bms_limits": "limits of its current",
}
# {equipment that a converter may lack: (its text, features that need it)}; see converters.py
OF_CONVERTERS = {
    "pcs_faults": ("fault bits", (m.F_PCS_FAULT_LEVEL,)),
    "pcs_state": ("state", (m.F_PCS_BEYOND_PERMILLE, m.F_PCS_SHORT_PERMILLE, m.F_PCS_IN_FAULT)),
    "pcs_readback": ("set-point to read back", (m.F_PCS_SHORT_PERMILLE,)),
    "pcs_heartbeat": ("heartbeat", (m.F_PCS_SILENCE_LEVEL,)),
    "pcs_watchdog": ("watchdog or enable input", (m.F_PCS_SILENCE_LEVEL,)),
}
# {acceptance of a register map or CAN table that no real reading proves ("map only"): (kind of
# device, its roles)}. maps.py finds the devices.
MAPS = {
    "pcs_map": ("converter", ("pcs",)),
    "bms_map": ("rack BMS", ("bms",)),
    "meter_map": ("meter", ("meter_grid", "meter_load")),
    "io_map": ("I/O module", ("io_1", "io_2", "io_3")),
    "sensor_map": (
        "sensor or UPS",
        ("gas_1", "gas_2", "offgas_1", "offgas_2", "toxic", "climate", "ups"),
    ),
    "site_device_map": ("site device", roles.OF_DEVICES),
}
# Name with which a person accepts that load tracking may wear out the flash of a converter.
STORED = "pcs_stored"
# A site may accept these without the permission of its type, because the site chooses the devices.
OF_DEVICES = (*MAPS, STORED)
EQUIPMENT = records.EQUIPMENT | {
    "shunt_trip": Equipment("trip of the breaker upstream", outputs=("shunt_trip_on",)),
    "aux_load": Equipment("relay of auxiliary loads not rated for gas", outputs=("aux_load_ok",)),
    "pre_alarm": Equipment("pre-alarm to the fire panel", outputs=("pre_alarm_on",)),
    **{name: Equipment(f"{meaning}, reported by the BMS") for name, meaning in UNREPORTED.items()},
    **{
        name: Equipment(f"{meaning} of a converter") for name, (meaning, _) in OF_CONVERTERS.items()
    },
    STORED: Equipment("statement that set-points are not stored"),
    **{
        name: Equipment(f"reading that proves the map of a {who}")
        for name, (who, _) in MAPS.items()
    },
}
# The breaker that ends a current in gas: the choices of hma.breaker.
BREAKERS = {"dc_outside_gas": "the DC breaker outside the gas", "ac": "the converter's AC breaker"}
# Roles of gas detectors of every kind.
GAS_ROLES = tuple(role for kind in GAS_KINDS for role in EQUIPMENT[kind].roles)
# Contacts that every cabinet has. EQUIPMENT has the contacts of its own equipment.
REQUIRED = (
    "estop_1_ok",
    "estop_2_ok",
    "fire_alarm_ok",
    "key_run_ok",
    "permit_1_closed",
    "permit_2_closed",
)
# Contacts that a cabinet may leave out without an acceptance, because every row acts without them.
OPTIONAL = ("source_code",)
# Everything that a file may lack. A person cannot accept a missing contact of REQUIRED: these
# entries are only for reports.
EVERY = EQUIPMENT | {name: Equipment(name, inputs=(name,)) for name in REQUIRED}
INPUTS = tuple(row[0] for row in CABINET_INPUTS)
# A cabinet may have no output for these demands. Their rows stay armed, without that effect.
_DEMANDS = {"shunt_trip": m.D_SHUNT_TRIP, "aux_load": m.D_AUX_SHED, "pre_alarm": m.D_PRE_ALARM}


def not_reported(name: str) -> str:
    """A sentence which says that a value of UNREPORTED or OF_CONVERTERS is not reported."""
    if name in OF_CONVERTERS:
        return f"the converter does not report {OF_CONVERTERS[name][0]}"
    return f"the BMS does not report {UNREPORTED[name]}"


def rows_of(name: str) -> RowNumbers:
    """Sorted numbers of the rows that need a piece of equipment or a contact of REQUIRED."""
    if name in MAPS:
        return rows_read_by(MAPS[name][1], INPUTS if name == "io_map" else ())
    return _rows([stage for stage in m.STAGES if _needs(stage, name)])


def rows_read_by(devices: Iterable[str], inputs: Iterable[str]) -> RowNumbers:
    """Sorted numbers of the rows that use a value of these device roles or of these contacts."""
    stages = []
    for stage in m.STAGES:
        for feature in records.features(stage):
            if {*devices} & {*feature.roles} or {*inputs} & {*feature.contacts}:
                stages.append(stage)
    return _rows(stages)


def _rows(stages: Iterable[MatrixStage]) -> RowNumbers:
    return tuple(sorted({int(stage[m.S_ROW]) for stage in stages}))


def rows_of_input(name: str) -> RowNumbers:
    """Sorted numbers of the rows that need the equipment with this contact."""
    owners = of_signal(name)
    return rows_of(owners[0] if owners else name)


def _needs(stage: MatrixStage, name: str) -> bool:
    """True if a stage needs this equipment. A stage that the protection of the BMS itself replaces
    needs no value that the BMS does not report.
    """
    demand = stage[m.S_DEMAND]
    if name == "shunt_trip" and demand[m.D_DC] == m.DC_OPEN_ONLY_AT_ZERO:
        return True  # contactors may not open under current here, so the breaker must end it
    if name in OF_CONVERTERS:
        return stage[m.S_SCOPE] == UNIT and stage[m.S_FEATURE] in OF_CONVERTERS[name][1]
    if name in _DEMANDS:
        return bool(demand[_DEMANDS[name]])
    watched = records.feature(stage)
    inputs = set(EVERY[name].inputs)
    reported = [feature.bms for feature in records.features(stage)]
    return (
        name in (*watched.equipment, *watched.votes)
        or bool(inputs & set(watched.contacts))
        or (name in reported and not records.STAGES[stage[m.S_ID]].by_bms)
    )


def of_signal(name: str) -> list[str]:
    """Names of the equipment with this contact or coil. Equipment with few contacts comes first."""
    names = [
        equipment_name
        for equipment_name, piece in EQUIPMENT.items()
        if name in (*piece.inputs, *piece.outputs)
    ]
    return sorted(names, key=lambda equipment_name: len(EQUIPMENT[equipment_name].inputs))


def with_clauses(rows: Sequence[int]) -> str:
    """ "row 11 (NFPA 855-2023 9.6.5.6 (?)) and row 35 (Seplos ...)": rows with their sources."""
    texts = [f"row {row} ({facts.sources(records.ROWS[row].basis)})" for row in rows]
    return " and ".join([*filter(None, [", ".join(texts[:-1])]), *texts[-1:]])
