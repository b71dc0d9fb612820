"""A remote I/O module that mirrors its profile: the module of io_module.py at other addresses."""

import tomllib
from pathlib import Path

from hil.devices import registers
from hil.devices.io_module import EXPIRY_REGISTER, IoModule
from hil.devices.registers import ModbusException
from hil.plant.cabinet import CabinetPlant


class MirroredIo(IoModule):
    """An IoModule with the addresses of a profile of the family io; inputs by function 2."""

    def __init__(
        self, cabinet: CabinetPlant, contact_names: list[str], coil_names: list[str], path: Path
    ) -> None:
        found = tomllib.loads(path.read_text(encoding="utf-8"))["registers"]
        self.coils_at, self._inputs_at = found["coils"]["address"], found["inputs"]["address"]
        self._expiry = found["output_expiry"]
        super().__init__(cabinet, contact_names, coil_names)

    def payload(self, function: int, address: int, count: int) -> bytes:
        """Inputs, and the expiry in steps of the profile's scale."""
        if function == registers.READ_INPUTS:
            return super().payload(function, address - self._inputs_at, count)
        if (function, address, count) != (self._expiry["function"], self._expiry["address"], 1):
            raise ModbusException(registers.ILLEGAL_ADDRESS)
        return round(self._expiry_ms / self._expiry.get("scale", 1)).to_bytes(2, "big")

    def write(self, function: int, address: int, values: list[int], now_us: int) -> None:
        """Coils, and the expiry in steps of the profile's scale."""
        if function in (registers.WRITE_COIL, registers.WRITE_COILS):
            super().write(function, address - self.coils_at, values, now_us)
        elif address == self._expiry["address"]:
            expiry_ms = [round(value * self._expiry.get("scale", 1)) for value in values]
            super().write(function, EXPIRY_REGISTER, expiry_ms, now_us)
        else:
            raise ModbusException(registers.ILLEGAL_ADDRESS)
