"""The sensors of the cabinet: input registers from 0 on (FC4), by the files in drivers/profiles.

gas_detector: permille of methane's lower flammable limit (LFL), status, calibration due, today.
offgas_detector: vapour in ppm, status, due, today. toxic_detector: hydrogen, carbon monoxide in
ppm, status, due, today. climate_monitor: temperature in 0.1 degC (signed), humidity in permille,
status. ups_monitor: status, reserve in minutes. Dates are days since 1970-01-01, by the device's
clock.
"""

import struct

from hil.devices import registers
from hil.devices.registers import ModbusException, RegisterDevice
from hil.plant.cabinet import CabinetPlant

STATUS_FAULT, STATUS_OVER_RANGE = 1, 4  # gas and off-gas
TOXIC_FAULTS = {0: 1, 1: 2, None: 3}  # of hydrogen, of carbon monoxide, of both
TOXIC_OVER_RANGE = (8, 16)
UPS_MAINS, UPS_INVALID = 1, 2
TODAY_d = 20_454  # 2026-01-01; only the difference to the due date matters
METHANE_LFL_SHARE = 0.05  # of volume: the gas detector is calibrated with methane
FULL_SCALE = 1000  # permille or ppm
WORD_MAX = 0xFFFF


class Sensor(RegisterDevice):
    """A subclass has `measured` (present values in the unit of the registers) and `words`.

    Faults: status_bits (set in addition), frozen (the measured values repeat).
    """

    def __init__(self, cabinet: CabinetPlant) -> None:
        super().__init__()
        self.cabinet = cabinet
        self.status_bits = 0
        self.frozen = False
        self._values = None

    def payload(self, function: int, address: int, count: int) -> bytes:
        """Input registers only."""
        if function != registers.READ_INPUT_REGISTERS:
            raise ModbusException(registers.ILLEGAL_FUNCTION)
        if not self.frozen or self._values is None:
            self._values = self.measured()
        words = self.words(self._values)
        return self.shown(struct.pack(f">{len(words)}H", *words), 0, address, count)

    def _dates(self, name: str) -> tuple[int, int]:
        """Calibration due, today."""
        return max(0, min(WORD_MAX, TODAY_d + int(self.cabinet.calibration_d[name]))), TODAY_d


class _Head(Sensor):
    """One of two detectors of a kind."""

    def __init__(self, cabinet: CabinetPlant, index: int) -> None:
        super().__init__(cabinet)
        self.index = index
        self.name = f"{self.KIND}_{index + 1}"

    def words(self, values: tuple[int]) -> tuple[int, ...]:
        """Concentration, status, due, today."""
        status = self.status_bits | STATUS_FAULT * self.cabinet.detector_fault[self.name]
        status |= STATUS_OVER_RANGE * (values[0] > FULL_SCALE)
        return min(values[0], FULL_SCALE), status, *self._dates(self.name)


class GasDetector(_Head):
    """Gas detector, calibrated with methane."""

    KIND = "gas"

    def measured(self) -> tuple[int]:
        """Permille of methane's LFL at the vent gas's share of volume."""
        permille = self.cabinet.gas_lfl_pct[self.index] * 10
        return (max(0, round(permille * self.cabinet.vent_lfl_share / METHANE_LFL_SHARE)),)


class OffgasDetector(_Head):
    """Detector of electrolyte vapour."""

    KIND = "offgas"

    def measured(self) -> tuple[int]:
        """Vapour above the reference, ppm."""
        return (max(0, round(self.cabinet.offgas_ppm[self.index])),)


class ToxicDetector(Sensor):
    """Detector of hydrogen and carbon monoxide.

    Further fault: faulty_cell, 0: hydrogen cell, 1: carbon monoxide cell, None: both.
    """

    def __init__(self, cabinet: CabinetPlant) -> None:
        super().__init__(cabinet)
        self.faulty_cell = None

    def measured(self) -> tuple[int, int]:
        """Hydrogen and carbon monoxide."""
        return tuple([max(0, round(ppm)) for ppm in self.cabinet.toxic_ppm])

    def words(self, values: tuple[int, int]) -> tuple[int, ...]:
        """Hydrogen, carbon monoxide, status, due, today."""
        status = self.status_bits
        if self.cabinet.detector_fault["toxic"]:
            status |= TOXIC_FAULTS[self.faulty_cell]
        for value, bit in zip(values, TOXIC_OVER_RANGE):
            status |= bit * (value > FULL_SCALE)
        return *[min(value, FULL_SCALE) for value in values], status, *self._dates("toxic")


class ClimateMonitor(Sensor):
    """Temperature and humidity of the cabinet's air."""

    def measured(self) -> tuple[int, int]:
        """Temperature and humidity."""
        return round(self.cabinet.air_degC * 10), round(self.cabinet.humidity_permille)

    def words(self, values: tuple[int, int]) -> tuple[int, ...]:
        """Temperature as two's complement, humidity, status."""
        return values[0] & WORD_MAX, values[1], self.status_bits


class UpsMonitor(Sensor):
    """Monitor of the UPS."""

    def measured(self) -> tuple[int, int]:
        """Mains and reserve in whole minutes, rounded down."""
        return int(self.cabinet.ups.mains), int(self.cabinet.ups.reserve_min)

    def words(self, values: tuple[int, int]) -> tuple[int, int]:
        """Status, reserve."""
        status = UPS_MAINS * values[0] | UPS_INVALID * self.cabinet.ups.invalid
        return status | self.status_bits, values[1]
