"""Sensors of the cabinet, with input registers from 0 on (FC4), as in drivers/profiles.

gas_detector: permille of methane's LFL, status, day of the next calibration, today.
offgas_detector: vapour in ppm, then the same three. toxic_detector: hydrogen in ppm, carbon
monoxide in ppm, then the same three. climate_monitor: 0.1 degC (signed), permille of humidity,
status. ups_monitor: status, reserve in minutes. Dates are days since 1970-01-01.
"""

import struct
from collections.abc import Callable

from hil.devices import registers
from hil.devices.registers import ModbusException, RegisterDevice
from hil.plant.cabinet import CabinetPlant

UPS_MAINS, UPS_INVALID = 1, 2
TODAY_d = 20_454  # 2026-01-01; only the difference to the calibration date matters
METHANE_LFL_SHARE = 0.05  # share of volume; the gas detector is calibrated with methane
FULL_SCALE = 1000  # permille or ppm
WORD_MAX = 0xFFFF

Measured = tuple[float, ...]  # present values in the unit of the registers


class Sensor(RegisterDevice):
    """A monitor: its values, then its status. Faults: status_bits (added to status), frozen."""

    def __init__(self, cabinet: CabinetPlant, measured: Callable[[CabinetPlant], Measured]) -> None:
        super().__init__()
        self.cabinet, self._measured = cabinet, measured
        self.status_bits = 0
        self.frozen = False
        self._values: list[int] = []

    def payload(self, function: int, address: int, count: int) -> bytes:
        """The input registers; other functions are refused."""
        if function != registers.READ_INPUT_REGISTERS:
            raise ModbusException(registers.ILLEGAL_FUNCTION)
        if not self.frozen or not self._values:
            self._values = [round(value) for value in self._measured(self.cabinet)]
        register_values = self._registers(self._values)
        return self.shown(
            struct.pack(f">{len(register_values)}H", *register_values), 0, address, count
        )

    def _registers(self, values: list[int]) -> list[int]:
        """The registers. A negative value is sent as two's complement."""
        return [*[value & WORD_MAX for value in values], self.status_bits]


OVER_RANGE = (4,)  # status bit of a value beyond the scale


class Detector(Sensor):
    """A detector: its values within their scale, then status, calibration date, today. Fault:
    faulty_cell (None: a detector fault concerns all cells).
    """

    def __init__(
        self,
        cabinet: CabinetPlant,
        name: str,
        measured: Callable[[CabinetPlant], Measured],
        over_range: tuple[int, ...],
    ) -> None:
        """name: detector of the plant; over_range: status bit of each value that is off scale."""
        super().__init__(cabinet, measured)
        self.name, self._over_range = name, over_range
        self.faulty_cell: int | None = None

    def _registers(self, values: list[int]) -> list[int]:
        status, cells = self.status_bits, (1 << len(values)) - 1
        if self.cabinet.detector_fault[self.name]:
            status |= cells if self.faulty_cell is None else 1 << self.faulty_cell
        for value, bit in zip(values, self._over_range, strict=True):
            status |= bit * (value > FULL_SCALE)
        due = max(0, min(WORD_MAX, TODAY_d + int(self.cabinet.calibration_d[self.name])))
        return [*[max(0, min(value, FULL_SCALE)) for value in values], status, due, TODAY_d]


class UpsMonitor(Sensor):
    """The UPS: its status with a bit for the mains, then its reserve."""

    def _registers(self, values: list[int]) -> list[int]:
        status = UPS_MAINS * values[0] | UPS_INVALID * self.cabinet.ups.invalid
        return [status | self.status_bits, values[1]]


def _gas(detector: int) -> Callable[[CabinetPlant], Measured]:
    """Permille of methane's LFL for the share of vent gas in the air."""
    return lambda plant: (
        plant.gas_lfl_pct[detector] * 10 * plant.vent_lfl_share / METHANE_LFL_SHARE,
    )


def _vapour(detector: int) -> Callable[[CabinetPlant], Measured]:
    """Vapour of electrolyte, ppm."""
    return lambda plant: (plant.offgas_ppm[detector],)


# role: maker of its device
SENSORS: dict[str, Callable[[CabinetPlant], Sensor]] = {
    "gas_1": lambda plant: Detector(plant, "gas_1", _gas(0), OVER_RANGE),
    "gas_2": lambda plant: Detector(plant, "gas_2", _gas(1), OVER_RANGE),
    "offgas_1": lambda plant: Detector(plant, "offgas_1", _vapour(0), OVER_RANGE),
    "offgas_2": lambda plant: Detector(plant, "offgas_2", _vapour(1), OVER_RANGE),
    "toxic": lambda plant: Detector(plant, "toxic", lambda its: tuple(its.toxic_ppm), (8, 16)),
    "climate": lambda plant: Sensor(plant, lambda its: (its.air_degC * 10, its.humidity_permille)),
    "ups": lambda plant: UpsMonitor(plant, lambda its: (its.ups.mains, int(its.ups.reserve_min))),
}
