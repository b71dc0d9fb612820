"""A combustible gas detector: four input registers (FC4), as drivers/profiles/gas_detector.toml describes them.

0 concentration in permille of the lower flammable limit, 1 status bits, 2 calibration due and 3 today, both in days
since 1970-01-01 on the detector's own clock.
"""

import struct

from hil.devices import registers
from hil.devices.registers import ModbusException, RegisterDevice

STATUS_FAULT, STATUS_WARMING_UP, STATUS_OVER_RANGE, STATUS_SERVICE = 1, 2, 4, 8
TODAY_d = 20_454  # 2026-01-01; only the difference to the due date counts
FULL_SCALE_permille = 1000


class GasDetector(RegisterDevice):
    """cabinet: the plant (`gas_lfl_pct`, `gas_fault`, `gas_calibration_d` = days left, all by index).

    Further faults: status_bits (set in addition), frozen (the concentration repeats).
    """

    def __init__(self, cabinet, index):
        super().__init__()
        self.cabinet = cabinet
        self.index = index
        self.status_bits = 0
        self.frozen = False
        self._permille = 0

    def payload(self, function, address, count):
        """Input registers 0 to 3."""
        if function != registers.READ_INPUT_REGISTERS:
            raise ModbusException(registers.ILLEGAL_FUNCTION)
        cabinet, index = self.cabinet, self.index
        if not self.frozen:
            self._permille = max(0, round(cabinet.gas_lfl_pct[index] * 10))
        status = self.status_bits | (STATUS_FAULT if cabinet.gas_fault[index] else 0)
        if self._permille > FULL_SCALE_permille:
            status |= STATUS_OVER_RANGE
        due_d = max(0, min(0xFFFF, TODAY_d + int(cabinet.gas_calibration_d[index])))
        image = struct.pack(">4H", min(self._permille, FULL_SCALE_permille), status, due_d, TODAY_d)
        return self.shown(image, 0, address, count)
