"""Facts of the page `racks`: values that each BMS reports. An unknown value is None, never 0 or an
old value.
"""

from collections.abc import Iterable

from controller.core.health import counted
from controller.journal.snapshot import Shadow
from controller.rows import danger
from controller.state import base
from controller.state.base import Computed, Facts
from safety import contactors, parameters as p, signals as s

REPORTED = ("open", "pre-charge", "closed", "fault")  # words for the codes of CONTACTOR_STATE


def facts(shadow: Shadow) -> Facts:
    """The page `racks` as plain data: the head, and one entry per rack in order of number."""
    health = shadow.core.decision.health
    return {
        **base.head(shadow),
        "full_Wh": health.energy_Wh,
        "racks": [rack_of(shadow, rack) for rack in range(shadow.layout.racks)],
    }


def rack_of(shadow: Shadow, rack: int) -> Facts:
    """Everything about one rack (from 0)."""
    values: dict[str, int | None] = {
        name: base.rack_value(shadow, rack, index) for name, index in _VALUES.items()
    }
    reported = values.pop("contactor_state")
    lowest_mV, highest_mV = values["cell_voltage_mV_min"], values["cell_voltage_mV_max"]
    spread_mV = None
    if lowest_mV is not None and highest_mV is not None:
        spread_mV = highest_mV - lowest_mV
    health = shadow.core.decision.health
    step = shadow.out[shadow.layout.rack_output(rack, s.CONTACTOR_STEP)]
    return {
        "rack": rack + 1,
        "unit": shadow.core.facts.unit_of(rack) + 1,
        **values,
        "soh_counted_permille": counted(health.lowest())[rack],
        "full_Wh": health.rack_energies_Wh()[rack],
        **temperatures(shadow, rack),
        "spread_mV": spread_mV,
        "contactor": None if reported is None else REPORTED[reported],
        "contactor_step": contactors.STEPS[step],
        "is_online": shadow.core.facts.is_online(rack),
        "age_ms": oldest_ms(shadow, groups(shadow, rack)),
        "cells": shadow.core.facts.rack_parameter(rack, p.R_CELLS),
        "is_known": all(base.is_known(shadow, group) for group in groups(shadow, rack)),
        "standing": sorted(
            [name for name in shadow.standing if name.endswith(f".rack{rack + 1}")],
            key=lambda name: danger.order(base.stage_of(name)),
        ),
    }


_SHOWN = (
    "contactor_state bms_fault_bits cells_online cell_voltage_mV_min cell_voltage_mV_max "
    "rack_voltage_mV rack_current_mA charge_current_mA_max discharge_current_mA_max soc_permille "
    "soh_permille"
)
_INPUTS = [row[base.INPUT_NAME] for row in s.RACK_INPUTS]
_VALUES = {name: _INPUTS.index(name) for name in _SHOWN.split()}


def groups(shadow: Shadow, rack: int) -> list[int]:
    """Freshness groups that this rack's BMS fills."""
    reported = {s.G_BMS_CELLS: p.R_CELLS_REPORTED, s.G_BMS_TEMPERATURES: p.R_TEMPERATURES_REPORTED}
    return [
        shadow.layout.rack_group(rack, group)
        for group in range(s.RACK_GROUP_COUNT)
        if group not in reported or shadow.core.facts.rack_parameter(rack, reported[group])
    ]


def oldest_ms(shadow: Shadow, groups: Iterable[int]) -> int | None:
    """Age of the oldest of these freshness groups, ms; None if one was never seen."""
    return base.of_all(max, [base.age_ms(shadow, group) for group in groups])


def temperatures(shadow: Computed, rack: int) -> dict[str, int | None]:
    """Coldest and hottest module, number of the hottest (from 1); None: unknown."""
    modules_ddegC = readings_ddegC(shadow, rack)
    if not modules_ddegC:
        return dict.fromkeys(("temperature_ddegC_min", "temperature_ddegC_max", "hottest_module"))
    return {
        "temperature_ddegC_min": min(modules_ddegC),
        "temperature_ddegC_max": max(modules_ddegC),
        "hottest_module": modules_ddegC.index(max(modules_ddegC)) + 1,
    }


def readings_ddegC(shadow: Computed, rack: int) -> list[int]:
    """The temperature of each module of a rack; []: unknown."""
    if not base.is_known(shadow, shadow.layout.rack_group(rack, s.G_BMS_TEMPERATURES)):
        return []
    first = shadow.layout.rack_input(rack, s.MODULE_TEMPERATURE_DDEGC)
    return list(shadow.inp[first : first + shadow.core.facts.rack_parameter(rack, p.R_MODULES)])


def worst_first(racks: Iterable[Facts]) -> list[Facts]:
    """The racks, the most urgent first: unknown, tripped, open, then those with the weakest
    cell.
    """
    return sorted(
        racks,
        key=lambda rack: (
            rack["is_known"],
            not rack["standing"],
            rack["is_online"],
            rack["cell_voltage_mV_min"] or 0,
            rack["rack"],
        ),
    )
