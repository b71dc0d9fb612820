"""What the registers of a rack BMS must have together (family register_bms)."""

from collections.abc import Mapping
from typing import Any

from controller.config import can_profile
from controller.forms.refusal import not_allowed, refuse
from drivers.profile import Register
from drivers.rack_sources import ARRAYS
from drivers.register_bms import DIRECTION, FAULT, HEARTBEAT

Table = dict[str, Any]
REGISTERS = "registers"
WAYS = (1, -1)


def parts(file: str, top: Table) -> dict[str, Table]:
    """{signals, arrays, faults} of a Profile, checked; top: the tables of the file."""
    registers: Mapping[str, Register] = top[REGISTERS]
    rows = {
        name: {"range": [each.low, each.high], "scale": each.scale}
        for name, each in registers.items()
        if name not in (DIRECTION, HEARTBEAT)
    }
    found = {
        "arrays": {name: row for name, row in rows.items() if name in ARRAYS},
        "faults": {name: row for name, row in rows.items() if name.startswith(FAULT)},
    }
    taken = {*found["arrays"], *found["faults"]}
    found["signals"] = {name: row for name, row in rows.items() if name not in taken}
    can_profile.check_values(file, found, REGISTERS, REGISTERS)
    _check_kinds(file, registers, top["fault_bits"])
    if top["identity"] and top["settings"]["reply_id_offset"]:
        refuse(file, ("identity",), "is not allowed with settings.reply_id_offset")
    return found


def _check_kinds(file: str, registers: Mapping[str, Register], bits: Table) -> None:
    named = [name for table in bits.values() for name in table]
    for name, register in registers.items():
        path = (REGISTERS, name)
        if name.startswith(FAULT) and name.removeprefix(FAULT) not in named:
            refuse(file, path, "has no bit in fault_bits", ", ".join(named))
        if name in ARRAYS and register.type == "bit":
            not_allowed(file, (*path, "type"), "bit", "a type of registers")
        if name not in ARRAYS and register.count != 1:
            not_allowed(file, (*path, "count"), register.count, f"1; of {', '.join(ARRAYS)} more")
    ways = registers[DIRECTION].values if DIRECTION in registers else {"": 1}
    if not ways or not set(ways.values()) <= {*WAYS}:
        allowed = "{raw value = 1 (out of the rack) or -1}"
        refuse(file, (REGISTERS, DIRECTION, "values"), "is missing or has another value", allowed)
