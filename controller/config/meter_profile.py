"""Checks that the registers in the profile of a meter fit together. Also lists the checks that are
impossible because the profile lacks a register.
"""

from collections.abc import Iterator
from typing import Any

from controller.config.sunspec_places import is_factor
from controller.forms.reading import unknown
from controller.forms.refusal import Path, not_allowed, refuse, refuse_key
from drivers.meter_reads import (
    EXPORTED,
    FREQUENCY,
    IMPORTED,
    PHASED,
    RESPONSE,
    SINGLE,
    TOTAL,
    fast_names,
    grouped,
    phases_of,
    slow_names,
)
from drivers.profile import SLOT, Profile, Register, Registers, Table

# {quantity: (unit, range if the profile gives none)}
QUANTITIES = {
    "voltage": ("V", (0, 1000)),
    "current": ("A", (-20_000, 20_000)),
    "power": ("W", (-9e6, 9e6)),
    "power_factor": ("", (-1, 1)),
    TOTAL: ("W", (-9e6, 9e6)),
    FREQUENCY: ("Hz", (40, 70)),
    IMPORTED: ("kWh", (0, 1e9)),
    EXPORTED: ("kWh", (0, 1e9)),
}
PHASES = (1, 2, 3)
NAMES = (*[f"{quantity}_{phase}" for quantity in PHASED for phase in PHASES], TOTAL, *SINGLE)
# These quantities come in one read. In two reads, a step of the load would look like a fault.
TOGETHER = ("current", "power")
ADDRESSES = 65_536
FACTOR_RANGE = (-32_768, 32_767)
# A frequency response needs steps well below its dead band, and a reading well within a second.
RESPONSE_HZ, RESPONSE_MS = 0.01, 200
COARSE_W = 1  # a meter with steps of this size or more repeats the value of a steady load


def fill(file: str, path: Path, fields: dict[str, Any]) -> None:
    """Set the unit and range of a register if the profile gives none. Refuse a wrong unit."""
    name = path[-1]
    quantity = name[:-2] if name[:-2] in PHASED else name
    unit, bounds = QUANTITIES.get(quantity, (fields["unit"], FACTOR_RANGE))
    if fields["unit"] not in ("", unit):
        refuse_key(file, path, fields, "unit", f'"{unit}"; use scale')
    fields["unit"], fields["range"] = unit, fields["range"] or list(bounds)


def check(file: str, settings: Table, registers: dict[str, Register]) -> None:
    """Refuse registers that together do not make a reading of a meter."""
    factors = [register.scale_from for register in registers.values() if register.scale_from]
    for name in registers:
        if name not in NAMES and name not in factors:
            unknown(file, ("registers", name), NAMES)
    _check_phases(file, settings, registers)
    _check_factors(file, registers)
    fast = [registers[name] for name in fast_names(registers, settings)]
    slow = [registers[name] for name in slow_names(registers, settings)]
    for group in (fast, slow):
        _check_size(file, settings, group)
    _check_together(file, settings, fast)


def _check_phases(file: str, settings: Table, registers: Registers) -> None:
    for quantity in PHASED:
        names = phases_of(quantity, settings)
        missing = [name for name in names if name not in registers]
        if missing and len(missing) < len(names):
            problem = f"is missing; {quantity} is read of all {len(names)} phases or of none"
            refuse(file, ("registers", missing[0]), problem)
    powers = phases_of("power", settings)
    if TOTAL not in registers and not set(powers) & set(registers):
        choice = f"{', '.join(powers)} (phases = {settings['phases']}), {TOTAL}, or both"
        refuse(file, ("registers",), "has no power", choice if powers else TOTAL)
    if "voltage_1" in registers and settings["phases"] and settings["nominal_voltage_V"] is None:
        refuse(file, ("settings", "nominal_voltage_V"), "is missing; registers.voltage_1 needs it")


def _check_factors(file: str, registers: Registers) -> None:
    for name, register in registers.items():
        factor = register.scale_from
        if not factor:
            continue
        if factor in NAMES or not is_factor(registers.get(factor)):
            allowed = "the name of an s16 register that is no value, with an address alone"
            not_allowed(file, ("registers", name, "scale_from"), factor, allowed)


def _check_size(file: str, settings: Table, registers: list[Register]) -> None:
    """Refuse registers that overlap or end beyond the last address, and a scale factor that is not
    in the same read as its values.
    """
    names = [register.name for register in registers]
    for block in grouped(registers, settings):
        end = 0
        of_block = [names[index] for index, _, _ in block.places]
        for index, start, size in block.places:
            name, factor = names[index], registers[index].scale_from
            path = ("registers", name)
            if start < end:
                allowed = f"{block.address + end // 2} or more: it overlaps the register before it"
                not_allowed(file, (*path, "address"), registers[index].address, allowed)
            if factor and factor not in of_block:
                problem = f"{factor!r} is not read with it"
                refuse(file, (*path, "scale_from"), problem, "one read for both")
            end = start + size
            if block.address % SLOT + end // 2 > ADDRESSES:
                address_max = ADDRESSES - size // 2
                not_allowed(file, (*path, "address"), registers[index].address, f"0..{address_max}")


def _check_together(file: str, settings: Table, fast: list[Register]) -> None:
    """Require that power and current come in one read, because they are compared."""
    read_blocks = grouped(fast, settings)
    names = {fast[index].name for index, _, _ in read_blocks[-1].places}
    for register in fast:
        is_moving = register.name[:-2] in TOGETHER or register.name == TOTAL
        if is_moving and register.name not in names:
            registers_max = settings["registers_per_read_max"]
            allowed = (
                f"within {registers_max} registers, registers_per_read_max and gap_registers_max"
            )
            problem = "is not in one read with the other powers and currents, which it is compared"
            refuse(file, ("registers", register.name), f"{problem} with", allowed)


def read_frequency(profile: Profile) -> str:
    """Let the meter read its frequency with its power. Returns why it does not suffice for a
    frequency response, or "".
    """
    register = profile.registers.get(FREQUENCY)
    if register is None:
        return "reads no frequency"
    step_Hz = 0 if register.type.startswith("float") else abs(register.scale)
    time_ms = max(profile.period_ms, profile.settings["refresh_ms"])
    if register.scale_from:
        return "has a frequency whose steps its profile does not state"
    if step_Hz > RESPONSE_HZ:
        return f"has a frequency in steps of {step_Hz * 1000:g} mHz"
    if time_ms > RESPONSE_MS:
        return f"has a new frequency every {time_ms} ms"
    profile.settings[RESPONSE] = True
    check(str(profile.path), profile.settings, profile.registers)
    return ""


def lacks(profile: Profile) -> Iterator[str]:
    """A line for each check that is impossible, because this profile lacks the register for it."""
    registers, settings = profile.registers, profile.settings
    known = {
        quantity: any(name in registers for name in phases_of(quantity, settings))
        for quantity in PHASED
    }
    if not known["voltage"]:
        yield "no voltage: a phase that has lost it is not refused, no sag of it is seen"
    if not known["current"] or not known["voltage"]:
        lacking = "voltage" if known["current"] else "current"
        yield f"no {lacking}: the power is not compared with voltage x current"
    if not known["power"]:
        yield "the total alone: a phase that is reversed or lost stays unseen"
    if not known["power_factor"]:
        yield "no power factor: it is not tested for -1 to 1"
    if FREQUENCY not in fast_names(registers, settings):
        yield "frequency at most each 10 s: the ring of ticks and `audit` do not have it"
    step_W = _step_W(registers)
    moves = known["voltage"] or known["current"] or FREQUENCY in registers
    if not moves and step_W >= COARSE_W:
        yield (
            f"power in steps of {step_W:g} W alone: a steady load repeats it, and after "
            "meter_frozen_ms the meter counts as frozen (row 50b), without charging; frequency or "
            "voltage_1 would show that it lives"
        )


def _step_W(registers: Registers) -> float:
    """The resolution of the total power, W; 0 for a float."""
    total = registers.get(TOTAL)
    return abs(total.scale) if total is not None and not total.type.startswith("float") else 0
