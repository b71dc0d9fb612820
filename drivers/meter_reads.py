"""Chooses which registers of a meter are read together, how often, and within which limits."""

from drivers.profile import Profile, Register, Registers, Table
from drivers.register_blocks import Block, blocks

# each quantity is read for all phases, or for none
VOLTAGE = "voltage"
PHASED = (VOLTAGE, "current", "power", "power_factor")
TOTAL = "power_W"
POWERS = (TOTAL, "power_1", "power_2", "power_3")
FREQUENCY, IMPORTED, EXPORTED = SINGLE = ("frequency", "energy_import", "energy_export")
# Shares of nominal. Outside this range the value is no voltage, or so deep a sag that no known
# ride-through curve has more than 0.15 s for it (ERCOT, CAISO).
VOLTAGE_LOW, VOLTAGE_HIGH = 0.2, 1.5
RESPONSE = "frequency_response"  # setting of a meter whose frequency the battery responds to
FAST_MS = 20  # refresh time of a meter that sees a sag of one period of the grid
SLOW_US = 10_000_000  # between two reads of values on which no decision depends


def phases_of(quantity: str, settings: Table) -> list[str]:
    """Register names of a quantity, one for each phase that the profile reads."""
    return [f"{quantity}_{phase}" for phase in range(1, settings["phases"] + 1)]


def limits_of(profile: Profile, name: str) -> tuple[float, float]:
    """(lowest, highest) value that a register accepts."""
    low, high = profile.registers[name].low, profile.registers[name].high
    if name[:-2] != VOLTAGE:
        return low, high
    nominal_V = profile.settings["nominal_voltage_V"]
    return max(low, nominal_V * VOLTAGE_LOW), min(high, nominal_V * VOLTAGE_HIGH)


def fast_names(registers: Registers, settings: Table) -> list[str]:
    """The registers read in each period: power, the values that check it, their scale factors.

    The frequency is read too if there is no voltage: a steady load may repeat the power, and
    without another changing value the meter would look frozen. It is also read if the meter is
    fast, because grid operators judge sags by it, and if the battery responds to it.
    """
    wanted = [*[name for quantity in PHASED for name in phases_of(quantity, settings)], TOTAL]
    names = [name for name in wanted if name in registers]
    has_voltage = any(name in names for name in phases_of(VOLTAGE, settings))
    is_fast = settings["refresh_ms"] <= FAST_MS
    if FREQUENCY in registers and (is_fast or not has_voltage or RESPONSE in settings):
        names.append(FREQUENCY)
    return with_factors(registers, names)


def slow_names(registers: Registers, settings: Table) -> list[str]:
    """The registers that are read seldom, and their scale factors."""
    fast = fast_names(registers, settings)
    names = [name for name in SINGLE if name in registers and name not in fast]
    return with_factors(registers, names)


def with_factors(registers: Registers, names: list[str]) -> list[str]:
    """The names, and the names of the scale factors that their registers need."""
    factors = [registers[name].scale_from for name in names]
    return [*names, *dict.fromkeys([name for name in factors if name in registers])]


def grouped(registers: list[Register], settings: Table) -> list[Block]:
    """The reads of these registers. The read of the power comes last, so that it is the newest."""
    return sorted(
        blocks(registers, settings),
        key=lambda block: any(registers[index].name in POWERS for index, _, _ in block.places),
    )
