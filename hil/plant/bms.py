"""The rack's own BMS: current limits and protection. The controller acts earlier."""

import functools
from typing import Protocol

from hil.plant import tables

FAULT_OVER_VOLTAGE, FAULT_UNDER_VOLTAGE, FAULT_OVER_TEMPERATURE, FAULT_OVER_CURRENT = 1, 2, 4, 8
FAULT_PRECHARGE, FAULT_WELD, FAULT_INSULATION, FAULT_INJECTED = 16, 32, 64, 128

# A little beyond rows 30, 33, 36 and 37 of the matrix (3.80 V, 2.00 V, 2 x rated, 100 ohm/V). At
# the same values this BMS would trip first, and the row could not be tested.
CELL_V_MAX, CELL_V_MIN = 3.85, 1.90
TEMPERATURE_DEGC_MAX = 75.0
CURRENT_TIMES_RATED_MAX = 2.2
INSULATION_OHM_PER_V_MIN = 80.0
CONFIRM_S = 0.3  # a bad value latches after this time
CLEAR_S = 5.0  # good values clear the fault after this time
RECOVERY_PER_S = 0.05  # a limit falls at once but rises by 5 % of rated per second, against hunting

CHARGE_OF_VOLTAGE = tables.Table(((3.44, 1.0), (3.58, 0.0)), 0.01)
DISCHARGE_OF_VOLTAGE = tables.Table(((2.80, 0.0), (3.00, 1.0)), 0.01)
CHARGE_OF_TEMPERATURE = tables.Table(((0.0, 0.0), (15.0, 1.0), (40.0, 1.0), (48.0, 0.0)), 1.0)
DISCHARGE_OF_TEMPERATURE = tables.Table(((-20.0, 0.0), (5.0, 1.0), (45.0, 1.0), (53.0, 0.0)), 1.0)
CHARGE_OF_SOC = tables.Table(((0.97, 1.0), (1.0, 0.1)), 0.01)
DISCHARGE_OF_SOC = tables.Table(((0.0, 0.0), (0.05, 1.0)), 0.01)


class Cells(Protocol):
    """The values of a rack that its BMS measures."""

    temperatures_degC: list[float]
    cell_voltage_V_min: float
    cell_voltage_V_max: float
    soc: float
    current_A: float
    voltage_V: float
    insulation_kohm: float


class Bms:
    """Limits and protection of one rack."""

    def __init__(self, rated_A: float) -> None:
        """rated_A: rated current of the rack, the highest limit in both directions."""
        self.rated_A = rated_A
        self.charge_limit_A = self.discharge_limit_A = rated_A
        self.fault_bits = self.injected_bits = self._latched = 0
        self._bad_s = self._good_s = 0.0

    def update(self, rack: Cells, dt_s: float) -> None:
        """Refresh limits and faults from the cells of `rack`. dt_s: time since the last call."""
        charge, discharge = shares(rack)
        step_A = self.rated_A * RECOVERY_PER_S * dt_s
        self.charge_limit_A = min(self.rated_A * charge, self.charge_limit_A + step_A)
        self.discharge_limit_A = min(self.rated_A * discharge, self.discharge_limit_A + step_A)
        self._protect(sum(_conditions(rack, self.rated_A)), dt_s)

    def _protect(self, bits: int, dt_s: float) -> None:
        self._bad_s = self._bad_s + dt_s if bits else 0.0
        self._good_s = 0.0 if bits else self._good_s + dt_s
        if self._bad_s >= CONFIRM_S:
            self._latched |= bits
        elif self._good_s >= CLEAR_S:
            self._latched = 0
        self.fault_bits = self._latched | self.injected_bits


def shares(rack: Cells) -> tuple[float, float]:
    """(charge, discharge): allowed shares of the rated current."""
    by_temperature = _of_temperature(min(rack.temperatures_degC), max(rack.temperatures_degC))
    charge = CHARGE_OF_VOLTAGE.at(rack.cell_voltage_V_max) * CHARGE_OF_SOC.at(rack.soc)
    discharge = DISCHARGE_OF_VOLTAGE.at(rack.cell_voltage_V_min) * DISCHARGE_OF_SOC.at(rack.soc)
    return charge * by_temperature[0], discharge * by_temperature[1]


@functools.lru_cache(maxsize=256)
def _of_temperature(coldest: float, hottest: float) -> tuple[float, float]:
    """Shares by temperature alone; cached, because the extremes change about once a second."""
    return (
        min(CHARGE_OF_TEMPERATURE.at(coldest), CHARGE_OF_TEMPERATURE.at(hottest)),
        min(DISCHARGE_OF_TEMPERATURE.at(coldest), DISCHARGE_OF_TEMPERATURE.at(hottest)),
    )


def _conditions(rack: Cells, rated_A: float) -> tuple[int, ...]:
    """The bit of each protection condition that is true, and 0 for the others."""
    insulation_ohm = rack.insulation_kohm * 1000.0
    return (
        FAULT_OVER_VOLTAGE * (rack.cell_voltage_V_max >= CELL_V_MAX),
        FAULT_UNDER_VOLTAGE * (rack.cell_voltage_V_min <= CELL_V_MIN),
        FAULT_OVER_TEMPERATURE * (max(rack.temperatures_degC) >= TEMPERATURE_DEGC_MAX),
        FAULT_OVER_CURRENT * (abs(rack.current_A) >= CURRENT_TIMES_RATED_MAX * rated_A),
        FAULT_INSULATION * (insulation_ohm < INSULATION_OHM_PER_V_MIN * rack.voltage_V),
    )
