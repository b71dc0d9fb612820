"""Which registers of a meter are read together, and how often."""

from collections.abc import Mapping
from typing import Any

from drivers.profile import Register
from drivers.register_blocks import Block, blocks

# each is read of all phases, or of none
VOLTAGE = "voltage"
PHASED = (VOLTAGE, "current", "power", "power_factor")
TOTAL = "power_W"
FREQUENCY, IMPORTED, EXPORTED = SINGLE = ("frequency", "energy_import", "energy_export")
FAST_MS = 20  # refresh of a meter that sees a sag of one period of the grid
SLOW_US = 10_000_000  # between two reads of what no decision depends on


def phases_of(quantity: str, settings: Mapping[str, Any]) -> list[str]:
    """Names of a quantity of the phases that the profile reads."""
    return [f"{quantity}_{phase}" for phase in range(1, settings["phases"] + 1)]


def fast_names(registers: Mapping[str, Register], settings: Mapping[str, Any]) -> list[str]:
    """The registers of each period: power and what tests it, and their scale factors. The frequency
    too without a voltage: a steady load may repeat the power, and the meter would look frozen. And
    of a fast meter, because grid operators judge sags by it.
    """
    wanted = [*[name for each in PHASED for name in phases_of(each, settings)], TOTAL]
    found = [name for name in wanted if name in registers]
    has_voltage = any(name in found for name in phases_of(VOLTAGE, settings))
    is_fast = settings["refresh_ms"] <= FAST_MS
    if FREQUENCY in registers and (is_fast or not has_voltage):
        found.append(FREQUENCY)
    return with_factors(registers, found)


def slow_names(registers: Mapping[str, Register], settings: Mapping[str, Any]) -> list[str]:
    """The registers that are read seldom, and their scale factors."""
    fast = fast_names(registers, settings)
    found = [name for name in SINGLE if name in registers and name not in fast]
    return with_factors(registers, found)


def with_factors(registers: Mapping[str, Register], names: list[str]) -> list[str]:
    """The names, and those of the scale factors of their registers."""
    factors = [registers[name].scale_from for name in names]
    return [*names, *dict.fromkeys([name for name in factors if name in registers])]


def grouped(each: list[Register], settings: Mapping[str, Any]) -> list[Block]:
    """The reads of these registers; the one of the power comes last, so that its value is young."""
    found = blocks(each, settings)
    return sorted(found, key=lambda block: any(_is_power(each[at]) for at, _, _ in block.places))


def _is_power(register: Register) -> bool:
    return register.name == TOTAL or register.name in {f"power_{phase}" for phase in (1, 2, 3)}
