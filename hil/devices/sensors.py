"""The sensors of the cabinet, all of them input registers from 0 on (FC4), as their files in
drivers/profiles say.

gas_detector: permille of methane's lower flammable limit (LFL), status, calibration due, today.
offgas_detector: vapour in ppm, status, due, today. toxic_detector: hydrogen, carbon monoxide in
ppm, status, due, today. climate_monitor: temperature in 0.1 degC (signed), humidity in permille,
status. ups_monitor: status, reserve in minutes. Dates are days since 1970-01-01 on the device's own
clock.
"""

import struct

from hil.devices import registers
from hil.devices.registers import ModbusException, RegisterDevice

STATUS_FAULT, STATUS_OVER_RANGE = 1, 4  # gas and off-gas
TOXIC_FAULTS = {0: 1, 1: 2, None: 3}  # of hydrogen, of carbon monoxide, of both
TOXIC_OVER_RANGE = (8, 16)
UPS_MAINS, UPS_INVALID = 1, 2
TODAY_d = 20_454  # 2026-01-01; only the difference to the due date counts
METHANE_LFL_SHARE = 0.05  # of volume: what the gas detector is calibrated with
FULL_SCALE = 1000  # permille or ppm
WORD_MAX = 0xFFFF


class Sensor(RegisterDevice):
    """A subclass has `measured` (values of now, whole numbers in the unit of the registers) and
    `words` (all registers, given the values). Faults: status_bits (set in addition), frozen (the
    measured values repeat).
    """

    def __init__(self, cabinet):
        super().__init__()
        self.cabinet = cabinet
        self.status_bits = 0
        self.frozen = False
        self._values = None

    def payload(self, function, address, count):
        """Input registers only."""
        if function != registers.READ_INPUT_REGISTERS:
            raise ModbusException(registers.ILLEGAL_FUNCTION)
        if not self.frozen or self._values is None:
            self._values = self.measured()
        words = self.words(self._values)
        return self.shown(struct.pack(f">{len(words)}H", *words), 0, address, count)

    def _dates(self, name):
        """Calibration due, today."""
        return max(0, min(WORD_MAX, TODAY_d + int(self.cabinet.calibration_d[name]))), TODAY_d


class _Head(Sensor):
    """One of two detectors of a kind. cabinet: the plant (`detector_fault` and `calibration_d` =
    days left, by name).
    """

    def __init__(self, cabinet, index):
        super().__init__(cabinet)
        self.index = index
        self.name = f"{self.KIND}_{index + 1}"

    def words(self, values):
        """Concentration, status, due, today."""
        status = self.status_bits | STATUS_FAULT * self.cabinet.detector_fault[self.name]
        status |= STATUS_OVER_RANGE * (values[0] > FULL_SCALE)
        return min(values[0], FULL_SCALE), status, *self._dates(self.name)


class GasDetector(_Head):
    """cabinet: the plant (`gas_lfl_pct` of the vent gas, by index; `vent_lfl_share`)."""

    KIND = "gas"

    def measured(self):
        """Permille LFL of methane: the same share of volume is another share of its LFL."""
        permille = self.cabinet.gas_lfl_pct[self.index] * 10
        return (max(0, round(permille * self.cabinet.vent_lfl_share / METHANE_LFL_SHARE)),)


class OffgasDetector(_Head):
    """cabinet: the plant (`offgas_ppm` above the reference, by index)."""

    KIND = "offgas"

    def measured(self):
        """Vapour in ppm, never below the reference."""
        return (max(0, round(self.cabinet.offgas_ppm[self.index])),)


class ToxicDetector(Sensor):
    """cabinet: the plant (`toxic_ppm` of hydrogen and carbon monoxide; `detector_fault`,
    `calibration_d`, by name).

    A further fault: faulty_cell, 0 the hydrogen cell, 1 the carbon monoxide cell, None both.
    """

    def __init__(self, cabinet):
        super().__init__(cabinet)
        self.faulty_cell = None

    def measured(self):
        """Hydrogen and carbon monoxide."""
        return tuple([max(0, round(ppm)) for ppm in self.cabinet.toxic_ppm])

    def words(self, values):
        """Hydrogen, carbon monoxide, status, due, today."""
        status = self.status_bits
        if self.cabinet.detector_fault["toxic"]:
            status |= TOXIC_FAULTS[self.faulty_cell]
        for value, bit in zip(values, TOXIC_OVER_RANGE):
            status |= bit * (value > FULL_SCALE)
        return *[min(value, FULL_SCALE) for value in values], status, *self._dates("toxic")


class ClimateMonitor(Sensor):
    """cabinet: the plant (`air_degC`, `humidity_permille`)."""

    def measured(self):
        """Temperature and humidity."""
        return round(self.cabinet.air_degC * 10), round(self.cabinet.humidity_permille)

    def words(self, values):
        """Temperature as two's complement, humidity, status."""
        return values[0] & WORD_MAX, values[1], self.status_bits


class UpsMonitor(Sensor):
    """cabinet: the plant (its `ups`)."""

    def measured(self):
        """Mains and whole minutes: a minute begun is not a minute left."""
        return int(self.cabinet.ups.mains), int(self.cabinet.ups.reserve_min)

    def words(self, values):
        """Status, reserve."""
        status = UPS_MAINS * values[0] | UPS_INVALID * self.cabinet.ups.invalid
        return status | self.status_bits, values[1]
