"""Registers of a profile that lie in a SunSpec model, scale factors that are registers, and the
serial number.
"""

from collections.abc import Mapping
from typing import Any

from controller.config import profile_form as form
from controller.forms.refusal import not_allowed, refuse
from drivers.profile import SLOT, Register, Wanted
from drivers.register_blocks import blocks
from drivers.serial_number import NUMBER_REGISTERS_MAX

Table = dict[str, Any]


def place(models: list[Wanted], register: Register) -> Register:
    """The register, with addresses that count from its model; the model is added to `models`."""
    given = getattr(register, "model", None)
    if given is None:
        return register
    ids = tuple(given) if isinstance(given, list) else (given,)
    known = [each[:2] for each in models]
    if (ids, register.instance) not in known:
        models.append(Wanted(ids, register.instance, 0))
        known.append((ids, register.instance))
    slot = known.index((ids, register.instance))
    end = register.address + register.words
    if getattr(register, "write_address", None) is not None:
        end = max(end, register.write_address + register.words + len(register.with_words))
        register.write_address += (slot + 1) * SLOT
    models[slot] = models[slot]._replace(registers=max(end, models[slot].registers))
    register.address += (slot + 1) * SLOT
    return register


def serial(file: str, family: str, table: Table, models: list[Wanted]) -> Table:
    """[serial], checked. Its model comes behind those of the registers: a device may lack it."""
    if table["registers"] and family in ("native_bms", form.CAN_BMS):
        refuse(file, ("serial",), f"is not a table of family {family}", "of a Modbus device")
    if table["form"] == "number" and table["registers"] > NUMBER_REGISTERS_MAX:
        allowed = f"1..{NUMBER_REGISTERS_MAX} of a number"
        not_allowed(file, ("serial", "registers"), table["registers"], allowed)
    if table["model"] and family not in form.DISCOVERED:
        refuse(file, ("serial", "model"), f"is not a key of family {family}", "address alone")
    needed = len(models)
    address = place(models, Register(words=table["registers"], **table)).address
    models[needed:] = [each._replace(is_needed=False) for each in models[needed:]]
    return table | {"address": address}


def is_factor(register: Register | None) -> bool:
    """Whether the register holds a power of ten as it is."""
    if register is None or register.type != "s16" or "read" not in register.direction:
        return False
    own = register.scale, register.offset, register.scale_from, register.byte_order
    return own == (1, 0, "", "big")


def check_factors(
    file: str, settings: Mapping[str, Any], registers: Mapping[str, Register]
) -> None:
    """Require that each scale factor is read with its values."""
    for name, register in registers.items():
        factor, path = register.scale_from, ("registers", name, "scale_from")
        if not factor:
            continue
        if not is_factor(registers.get(factor)):
            not_allowed(file, path, factor, "the name of an s16 register with an address alone")
        if "read" in register.direction and not _share(settings, register, registers[factor]):
            refuse(file, path, f"{factor!r} is not read with it", "one read for both")


def _share(settings: Mapping[str, Any], *both: Register) -> bool:
    return len(blocks(both, settings)) == 1
