"""Racks, as reported by their BMS: an unknown value is None, never the last one and never 0."""

from controller.journal.history import STAGES
from controller.rows import danger
from controller.state import base
from safety import contactors, parameters as p, rack_limits, signals as s

REPORTED = ("open", "pre-charge", "closed", "fault")  # of CONTACTOR_STATE


def facts(shadow) -> dict:
    """The page `racks` as plain data: the head, and one entry per rack in the order of their
    numbers.
    """
    return {
        **base.head(shadow),
        "racks": [rack_of(shadow, rack) for rack in range(shadow.layout.racks)],
    }


def rack_of(shadow, rack: int) -> dict:
    """Everything about one rack (from 0)."""
    value = {name: base.rack_value(shadow, rack, index) for name, index in _VALUES.items()}
    reported = value.pop("contactor_state")
    ends = value["cell_voltage_mV_min"], value["cell_voltage_mV_max"]
    closed = rack * rack_limits.RACK_LIMITS + rack_limits.RL_CLOSED
    step = shadow.out[shadow.layout.rack_output(rack, s.CONTACTOR_STEP)]
    return {
        "rack": rack + 1,
        "unit": base.rack_parameter(shadow, rack, p.R_UNIT) + 1,
        **value,
        **temperatures(shadow, rack),
        "spread_mV": None if None in ends else ends[1] - ends[0],
        "contactor": None if reported is None else REPORTED[reported],
        "contactor_step": contactors.STEPS[step],
        "is_online": bool(shadow.core.kernel.bounds.rack_limit[closed]),
        "age_ms": oldest_ms(shadow, rack),
        "cells": base.rack_parameter(shadow, rack, p.R_CELLS),
        "is_known": all(base.known(shadow, group) for group in groups(shadow, rack)),
        "standing": sorted(
            [name for name in shadow.standing if name.endswith(f".rack{rack + 1}")],
            key=lambda name: danger.order(STAGES[name.partition(".")[0]]),
        ),
    }


_VALUES = {
    "contactor_state": s.CONTACTOR_STATE,
    "bms_fault_bits": s.BMS_FAULT_BITS,
    "cells_online": s.CELLS_ONLINE,
    "cell_voltage_mV_min": s.CELL_VOLTAGE_MV_MIN,
    "cell_voltage_mV_max": s.CELL_VOLTAGE_MV_MAX,
    "rack_voltage_mV": s.RACK_VOLTAGE_MV,
    "rack_current_mA": s.RACK_CURRENT_MA,
    "charge_current_mA_max": s.CHARGE_CURRENT_MA_MAX,
    "discharge_current_mA_max": s.DISCHARGE_CURRENT_MA_MAX,
    "soc_permille": s.SOC_PERMILLE,
    "soh_permille": s.SOH_PERMILLE,
}


def groups(shadow, rack: int) -> list:
    """Freshness groups that this rack's BMS fills."""
    reported = {s.G_BMS_CELLS: p.R_CELLS_REPORTED, s.G_BMS_TEMPERATURES: p.R_TEMPERATURES_REPORTED}
    return [
        shadow.layout.rack_group(rack, group)
        for group in range(s.RACK_GROUP_COUNT)
        if group not in reported or base.rack_parameter(shadow, rack, reported[group])
    ]


def oldest_ms(shadow, rack: int):
    """Age of the oldest group of a rack, None if one was never seen."""
    ages_ms = [base.age_ms(shadow, group) for group in groups(shadow, rack)]
    return None if None in ages_ms else max(ages_ms)


def temperatures(shadow, rack: int) -> dict:
    """Coldest and hottest module and which it is (from 1); None while not known."""
    modules = base.rack_parameter(shadow, rack, p.R_MODULES)
    group = shadow.layout.rack_group(rack, s.G_BMS_TEMPERATURES)
    if not modules or not base.known(shadow, group):
        return dict.fromkeys(("temperature_ddegC_min", "temperature_ddegC_max", "hottest_module"))
    first = shadow.layout.rack_input(rack, s.MODULE_TEMPERATURE_DDEGC)
    values = list(shadow.inp[first : first + modules])
    return {
        "temperature_ddegC_min": min(values),
        "temperature_ddegC_max": max(values),
        "hottest_module": values.index(max(values)) + 1,
    }


def worst_first(racks: list) -> list:
    """Racks by urgency: unknown, tripped, open, then by their weakest cell."""
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
