"""Conditions under which a sensor of the plant shows the cause of a test case."""

from collections.abc import Callable
from typing import Any

from hil.plant import contactors
from hil.plant.cabinet import CabinetPlant
from hil.plant.relays import LFL_RELAY_PCT
from safety import permit

Condition = Callable[[CabinetPlant], bool]


def _suspicious(plant: CabinetPlant) -> bool:
    """True if two signs together reach the threshold of row 53."""
    signs = round(max(plant.offgas_ppm)) * 5, round(max(plant.toxic_ppm)) * 2
    return sum(signs) >= 100 and min(signs) >= 25


# Each condition reads its sensor in the resolution of the wire. The words after the name of a
# condition in courses.toml are its arguments.
PLAIN: dict[str, Callable[..., Any]] = {
    "module": lambda plant, degC: round(max(plant.racks[0].temperatures_degC), 1) >= degC,
    "cell_below": lambda plant, cell_V: plant.racks[0].cell_voltage_V_min < cell_V,
    "air": lambda plant, degC: round(plant.air_degC, 1) >= degC,
    "humidity": lambda plant, permille: plant.humidity_permille >= permille,
    "smoke": lambda plant: plant.air.smoke[0],
    "no_airflow": lambda plant: not plant.air.airflow,
    "louvre_closed": lambda plant: not plant.air.louvre_open,
    "gas": lambda plant, lfl_pct: round(plant.gas_lfl_pct[0], 1) >= lfl_pct,
    "vapour": lambda plant, count: sum(round(ppm) >= 20 for ppm in plant.offgas_ppm) >= count,
    "toxic": lambda plant, ppm: max(round(head_ppm) for head_ppm in plant.toxic_ppm) >= ppm,
    "suspicious": _suspicious,
    "opened": lambda plant, contact: not plant.contacts[contact],
    "supply_off": lambda plant: not plant.relays.coils["contactor_supply"],
    "gas_relay": lambda plant: plant.gas_lfl_pct[0] >= LFL_RELAY_PCT,
    "voltage_relay": lambda plant: not plant.relays.cell_voltage_closed,
}


class _ThirdTime:
    """True after_ms after the condition became true for the third time. Call it on every tick."""

    def __init__(self, condition: Condition, after_ms: int = 0) -> None:
        self._condition, self._after_us = condition, after_ms * 1000
        self._times_us: list[int] = []
        self._was_true = False

    def __call__(self, plant: CabinetPlant) -> bool:
        is_true = self._condition(plant)
        if is_true and not self._was_true:
            self._times_us.append(plant.now_us)
        self._was_true = is_true
        return len(self._times_us) > 2 and plant.now_us - self._times_us[2] >= self._after_us


class _Moved:
    """True if the converter's DC current has changed by current_A since the first call."""

    def __init__(self, current_A: float) -> None:
        self._current_A = current_A
        self._first_A: float | None = None

    def __call__(self, plant: CabinetPlant) -> bool:
        now_A = plant.pcs[0].dc_current_A
        if self._first_A is None:
            self._first_A = now_A
        return abs(now_A - self._first_A) > self._current_A


# These conditions remember earlier ticks.
KEEPING: dict[str, Callable[..., Condition]] = {
    "third_fault": lambda: _ThirdTime(
        lambda plant: plant.racks[0].contactors.state == contactors.FAULT
    ),
    "third_supply": lambda: _ThirdTime(
        lambda plant: plant.relays.coils["contactor_supply"], permit.RELAY_MS
    ),
    "moved": _Moved,
}


def condition(name: str, *arguments: Any) -> Condition:
    """The condition of this name."""
    if name in KEEPING:
        return KEEPING[name](*arguments)
    return lambda plant: PLAIN[name](plant, *arguments)
