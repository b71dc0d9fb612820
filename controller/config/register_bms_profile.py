"""Checks the registers in the profile of a rack's BMS on Modbus (family register_bms)."""

from controller.config import can_profile, converter_form, sunspec_places
from controller.forms.reading import read_each
from controller.forms.refusal import not_allowed, refuse, refuse_key
from drivers.profile import Register, Registers, Rows, Table
from drivers.rack_sources import ARRAYS, FAULT
from drivers.register_bms import DIRECTION, HEARTBEAT

REGISTERS = "registers"
WAYS = (1, -1)


def parts(file: str, top: Table) -> Rows:
    """{signals, arrays, faults, sent} of a Profile, checked. top: the tables of the file."""
    registers: Registers = top[REGISTERS]
    factors = {register.scale_from for register in registers.values()}
    tables: Rows = {"signals": {}, "arrays": {}, "faults": {}}
    for name, register in registers.items():
        if name not in (DIRECTION, HEARTBEAT, *factors):
            kind = "arrays" if name in ARRAYS else "faults" if name.startswith(FAULT) else "signals"
            tables[kind][name] = {"range": [register.low, register.high], "scale": register.scale}
    can_profile.check_values(file, tables, REGISTERS, REGISTERS)
    _check_kinds(file, registers)
    for name in ("identity", "sent"):
        if top[name] and top["settings"]["reply_id_offset"]:
            refuse(file, (name,), "is not allowed with settings.reply_id_offset")
    return tables | {"sent": _sent(file, top)}


def _sent(file: str, top: Table) -> Rows:
    """The writes to the BMS, with their addresses."""
    rows = read_each(file, ("sent",), top["sent"], converter_form.SENT)
    for name, row in rows.items():
        path, word_count = ("sent", name), 1 if row["count_max"] else len(row["data"])
        if bool(row["data"]) == bool(row["count_max"]):
            refuse(file, path, "is not clear", "data, or count_max of a counter")
        if row["data_close"] and len(row["data_close"]) != len(row["data"]):
            refuse_key(file, path, row, "data_close", "as many words as data")
        if row["function"] == 6 and word_count > 1:
            refuse_key(file, path, row, "function", "16 for several words")
        register = Register(words=word_count, **row)
        row["address"] = sunspec_places.place(top["models"], register).address
    return rows


def _check_kinds(file: str, registers: Registers) -> None:
    for name, register in registers.items():
        path = (REGISTERS, name)
        if name in ARRAYS and register.type == "bit":
            not_allowed(file, (*path, "type"), "bit", "a type of registers")
        if name not in ARRAYS and register.count != 1:
            not_allowed(file, (*path, "count"), register.count, f"1; of {', '.join(ARRAYS)} more")
    directions = registers[DIRECTION].values if DIRECTION in registers else {"": 1}
    if not directions or not set(directions.values()) <= {*WAYS}:
        allowed = "{raw value = 1 (out of the rack) or -1}"
        refuse(file, (REGISTERS, DIRECTION, "values"), "is missing or has another value", allowed)
