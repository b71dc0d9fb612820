"""The values that a rack of the plant reports, by the names of signals and arrays in a profile."""

from hil.plant.rack import Rack

LIMIT_A_MAX = 400.0


def value(rack: Rack, name: str) -> float:
    """The value of a signal. 0 if the rack has no signal of this name."""
    charge_V = rack.charge_voltage_V_max
    values = {
        "rack_voltage_mV": rack.voltage_V * 1000,
        "rack_current_mA": rack.current_A * 1000,
        "charge_current_mA_max": min(rack.charge_limit_A, LIMIT_A_MAX) * 1000,
        "discharge_current_mA_max": min(rack.discharge_limit_A, LIMIT_A_MAX) * 1000,
        "charge_voltage_mV_max": charge_V * 1000,
        "discharge_voltage_mV_min": charge_V * 780,
        "soc_permille": rack.soc * 1000,
        "soh_permille": rack.soh * 1000,
        "cell_voltage_mV_min": rack.cell_voltage_V_min * 1000,
        "cell_voltage_mV_max": rack.cell_voltage_V_max * 1000,
        "cell_position_min": rack.position_min,
        "cell_position_max": rack.position_max,
        "cells_online": rack.cells_online,
        "contactor_state": rack.contactor_state if rack.contactor_state > 1 else 0,
        "insulation_kohm": rack.insulation_kohm,
        "charge_allowed": rack.charge_limit_A > 0,
        "discharge_allowed": rack.discharge_limit_A > 0,
    }
    return values.get(name, 0)


def element(rack: Rack, array: str, index: int) -> float | None:
    """Element `index` of an array. None if the rack has no such value."""
    if array != "cell_voltage_mV":
        degrees = rack.temperatures_degC
        return degrees[index] * 10 if index < len(degrees) else None
    if index >= rack.cells_online:
        return None
    return (rack.cell_voltage_V_max if index == 0 else rack.cell_voltage_V_min) * 1000
