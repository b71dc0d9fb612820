"""The UPS of the load with the holding registers of APC's Smart-UPS, by apc_modbus.c of NUT and the
rules of 990-9840.

Binary fixed point: charge in 1/512 %, load in 1/256 % of the rated power. A read that begins at a
register of the map gives 0 for what the map does not have; one that begins elsewhere is refused.
"""

import struct

from hil.devices import registers
from hil.devices.registers import ModbusException, RegisterDevice
from hil.site.load_ups import LoadUps

STATUS, RUNTIME, CHARGE, LOAD = PLACES = 0, 128, 130, 136
ON_LINE, ON_BATTERY = 0b10, 0b100
WORD_MAX = 0xFFFF


class SmartUps(RegisterDevice):
    """The part of the site on its wire. Fault: status, bits in place of its own."""

    TURNAROUND_US = 20_000

    def __init__(self, part: LoadUps) -> None:
        super().__init__()
        self.part = part
        self.status: int | None = None

    def payload(self, function: int, address: int, count: int) -> bytes:
        """Holding registers only."""
        if function != registers.READ_HOLDING:
            raise ModbusException(registers.ILLEGAL_FUNCTION)
        if address not in PLACES:
            raise ModbusException(registers.ILLEGAL_ADDRESS)
        image, now = bytearray(2 * LOAD + 2), self.part.signals()
        status = ON_BATTERY if now["state_code"] else ON_LINE
        struct.pack_into(">I", image, 2 * STATUS, status if self.status is None else self.status)
        charge = round(512 * now["charge_permille"] / 10)
        struct.pack_into(">IH", image, 2 * RUNTIME, int(now["bridging_s"]), charge)
        load = round(25_600 * now["load_W"] / self.part.parameters["rated_W"])
        struct.pack_into(">H", image, 2 * LOAD, min(WORD_MAX, load))
        return self.shown(image, 0, address, count)
