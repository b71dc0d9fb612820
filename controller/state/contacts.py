"""Contacts and gas detectors of the cabinet. An unknown contact is "unknown", an unknown reading is
None.
"""

from controller.config import equipment
from controller.journal.snapshot import Shadow
from controller.state import base
from controller.state.base import Facts
from safety import parameters as p, signals as s

MOVING = (s.CLOSING, s.RUNNING, s.STOPPING)
LIVE = {s.CONTACTOR_PRECHARGE, s.CONTACTOR_CLOSED}
# {contact: its inputs}. The function `contact` leaves out inputs of equipment that is not fitted.
CONTACTS = {
    "estop": (s.ESTOP_1_OK, s.ESTOP_2_OK),
    "fire_panel": (s.FIRE_ALARM_OK,),
    "smoke": (s.SMOKE_1_OK, s.SMOKE_2_OK),
    "heat": (s.HEAT_OK,),
    "fire_trouble": (s.FIRE_TROUBLE_OK,),
    "suppression": (s.SUPPRESSION_OK,),
    "gas_relay": (s.GAS_RELAY_OK,),
    "airflow": (s.AIRFLOW_OK,),
    "damper": (s.DAMPER_OK,),
    "cell_voltage": (s.CELL_VOLTAGE_OK,),
    "bms_fault": (s.BMS_FAULT_OK,),
    "cooling": (s.HVAC_OK,),
    "coolant": (s.COOLANT_OK,),
    "leak": (s.LEAK_OK,),
    "supervised": (s.SUPERVISED_OK,),
    "key_run": (s.KEY_RUN_OK,),
    "door": (s.DOOR_OK,),
}
MOVED_BY_FAN = ("airflow", "damper")  # open while the fan is off
NOT_FITTED, OK, NOT_OK, UNKNOWN, IDLE = "not fitted", "ok", "not ok", "unknown", "idle"


def states(shadow: Shadow) -> dict[str, str]:
    """{contact: its state}."""
    return {name: contact(shadow, name) for name in CONTACTS}


def gas(shadow: Shadow) -> Facts:
    """Reading of each fitted detector, by kind; None while a reading is unknown or faulty."""
    return {
        name: [
            base.cabinet_value(shadow, first) if base.cabinet_value(shadow, first + 1) else None
            for first in places
        ]
        for name, places in shadow.core.facts.detectors().items()
    }


def contact(shadow: Shadow, name: str) -> str:
    """State of a contact: OK, NOT_OK, UNKNOWN, NOT_FITTED, or IDLE if only the fan is off."""
    lacking = shadow.reader.header.get("not_fitted", {})
    pairs = equipment.EQUIPMENT.items()
    absent: set[object] = {
        input_name for key, record in pairs if key in lacking for input_name in record.inputs
    }
    table = s.CABINET_INPUTS
    inputs = [index for index in CONTACTS[name] if table[index][base.INPUT_NAME] not in absent]
    if not inputs or name == "door" and not shadow.core.facts.cabinet_parameter(p.P_DOOR_FITTED):
        return NOT_FITTED
    values = [base.cabinet_value(shadow, index) for index in inputs]
    if name in MOVED_BY_FAN and not shadow.out[s.FAN_ON] and 0 in values:
        return IDLE
    if 0 in values:
        return NOT_OK
    return UNKNOWN if None in values else OK


def is_open(shadow: Shadow) -> bool:
    """True if both permits are off, and no contactor reports that it is closed."""
    racks = range(shadow.layout.racks)
    states = {base.rack_value(shadow, rack, s.CONTACTOR_STATE) for rack in racks}
    is_off = not shadow.out[s.PCS_ENABLE_OK] and not shadow.out[s.CONTACTOR_SUPPLY_OK]
    return is_off and shadow.out[s.STATE] not in MOVING and not states & LIVE
