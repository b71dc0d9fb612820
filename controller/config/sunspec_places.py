"""Finds the addresses of registers that lie in SunSpec models. Also checks registers that hold a
scale factor, and the keys of the serial number.
"""

import copy
from collections.abc import Callable

from controller.config import profile_form as form
from controller.forms.refusal import not_allowed, refuse, refuse_key
from drivers.profile import SLOT, Profile, Register, Registers, Table, Wanted
from drivers.register_blocks import blocks
from drivers.register_codec import Codec, ScaleFactor
from drivers.serial_number import NUMBER_REGISTERS_MAX
from drivers.steps import Result, Sequence
from drivers.sunspec import Places

Read = Callable[[int, int, int], bytes | None]  # (function, address, count); None: refused


def place(models: list[Wanted], register: Register) -> Register:
    """Let the addresses of a register count from its SunSpec model, which is added to `models`.
    Returns the register.
    """
    model = getattr(register, "model", None)
    if model is None:
        return register
    ids = tuple(model) if isinstance(model, list) else (model,)
    known_models = [model[:2] for model in models]
    if (ids, register.instance) not in known_models:
        models.append(Wanted(ids, register.instance, 0))
        known_models.append((ids, register.instance))
    slot = known_models.index((ids, register.instance))
    end = register.address + register.words
    if getattr(register, "write_address", None) is not None:
        end = max(end, register.write_address + register.words + len(register.with_words))
        register.write_address += (slot + 1) * SLOT
    models[slot] = models[slot]._replace(registers=max(end, models[slot].registers))
    register.address += (slot + 1) * SLOT
    return register


def serial(file: str, family: str, table: Table, models: list[Wanted]) -> Table:
    """The checked table [serial]. A SunSpec model that it names is added to `models`, as one that
    the device may lack.
    """
    if table["registers"] and family == form.CAN_BMS:
        refuse(file, ("serial",), f"is not a table of family {family}", "of a Modbus device")
    if table["form"] == "number" and table["registers"] > NUMBER_REGISTERS_MAX:
        allowed = f"1..{NUMBER_REGISTERS_MAX} of a number"
        refuse_key(file, ("serial",), table, "registers", allowed)
    if table["model"] and family not in form.DISCOVERED:
        refuse(file, ("serial", "model"), f"is not a key of family {family}", "address alone")
    model_count = len(models)
    address = place(models, Register(words=table["registers"], **table)).address
    models[model_count:] = [model._replace(is_needed=False) for model in models[model_count:]]
    return table | {"address": address}


def is_factor(register: Register | None) -> bool:
    """True if the register holds a power of ten, and has no scale itself."""
    if register is None or register.type != "s16" or "read" not in register.direction:
        return False
    scaling = register.scale, register.offset, register.scale_from, register.byte_order
    return scaling == (1, 0, "", "big")


def check_factors(file: str, settings: Table, registers: Registers) -> None:
    """Require that each scale factor is in the same read as its values."""
    for name, register in registers.items():
        factor, path = register.scale_from, ("registers", name, "scale_from")
        if not factor:
            continue
        if not is_factor(registers.get(factor)):
            not_allowed(file, path, factor, "the name of an s16 register with an address alone")
        pair = (register, registers[factor])
        if "read" in register.direction and len(blocks(pair, settings)) > 1:
            refuse(file, path, f"{factor!r} is not read with it", "one read for both")


def check_apart(file: str, registers: Registers) -> None:
    """Refuse two values in one register, because one of the addresses must be wrong. Two values may
    share a register if they take bits of it, are states, or are the same quantity.
    """
    taken: dict[tuple[int, int], object] = {}
    for name, register in registers.items():
        content = (
            register.address,
            register.words,
            name[-2:] if not (register.mask or register.values) else "",
        )
        size = register.words * register.count if "read" in register.direction else 0
        for address in range(register.address, register.address + size):
            if taken.setdefault((register.function, address), content) != content:
                allowed = "registers that no other value has"
                not_allowed(file, ("registers", name, "address"), register.address, allowed)


def driven(steps: Sequence[Result], read: Read) -> Result:
    """Run a generator of steps that only read, and return its result. Raises StepError."""
    try:
        step = next(steps)
        while True:
            step = steps.send(read(*step[1:]) if step else None)
    except StopIteration as end:
        result: Result = end.value
        return result


def placed(profile: Profile, read: Read) -> tuple[Profile, list[int]]:
    """(profile with the register addresses of this device, ID register of each model). The profile
    has no models any more. Raises StepError if the device lacks a model.
    """
    if not profile.models:
        return profile, []
    places = Places(profile)
    driven(places.walk(), read)
    device_profile = copy.deepcopy(profile)
    steps = [
        step.register
        for step in (*device_profile.setup, *device_profile.start, *device_profile.stop)
    ]
    parts = [
        *device_profile.registers.values(),
        *device_profile.identity.values(),
        *device_profile.setpoint,
        *steps,
    ]
    for row in [*map(vars, parts), device_profile.heartbeat, device_profile.serial]:
        for key in ("address", "write_address"):
            if row.get(key) is not None:
                row[key] = places.of(row[key])
    device_profile.models = []
    return device_profile, [places.of(slot * SLOT) for slot, _ in enumerate(profile.models, 1)]


def rescaled(codec: Codec, data: bytes) -> bool:
    """True if `data`, the register of the scale factor, holds a valid factor. The codec then uses
    this factor.
    """
    factor = ScaleFactor([codec])
    return factor.holds(data) or factor.holds(data)  # `holds` needs two equal readings
