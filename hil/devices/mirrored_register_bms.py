"""A rack BMS with registers that answers by the driver's profile, with the plant's rack behind it.

A run proves only the wiring: see mirrored.py.
"""

from pathlib import Path

from hil.devices import registers, sunspec_chain
from hil.devices.mirrored import BITS, put
from hil.devices.rack_signals import element, value
from hil.devices.registers import ModbusException, RegisterDevice
from hil.devices.sunspec_chain import Table, count_of
from hil.plant.rack import Rack

ARRAYS = ("cell_voltage_mV", "module_temperature_ddegC")
SECOND_US = 1_000_000


class MirroredRegisterBms(RegisterDevice):
    """The BMS of one rack. Faults: frozen, and the faults of a RegisterDevice."""

    def __init__(self, rack: Rack, unit_id: int, profile: Path) -> None:
        super().__init__()
        self.rack, self.frozen = rack, False
        data = sunspec_chain.read(profile)
        self._map, self._identity = data["registers"], data.get("identity", {})
        # {register of a scale factor: exponent}; cell values have the finer one
        self._exponents = {
            register["scale_from"]: -3 if name.startswith("cell_") else -1
            for name, register in self._map.items()
            if "scale_from" in register
        }
        self._sent = list(data.get("sent", {}).values())
        trips = data["fault_bits"]["trip"]
        self._trip = f"fault_{min(trips, key=trips.__getitem__)}"
        offset = data.get("settings", {}).get("reply_id_offset", 0)
        self.reply_id = unit_id + offset if offset else None
        self._seconds = 0
        self._kept: dict[str, float | None] = {}
        rack.command_close(not any(["data_close" in command for command in self._sent]))

    def tick(self, now_us: int) -> None:
        """Count seconds for the heartbeat."""
        self._seconds = now_us // SECOND_US

    def payload(self, function: int, address: int, count: int) -> bytes:
        """The rack's values where the profile has registers for them, and 0 elsewhere."""
        image, bits = bytearray(0x20000), 0
        for name, register in (self._map | self._identity).items():
            if register.get("function", 3) != function:
                continue
            size = register.get("count", 1) * (4 if function not in BITS else 1)  # upper bound
            start = register["address"]
            if start >= address + count or start + size <= address:
                continue
            if function in BITS:
                bits |= _raw_of(register, self._value(name) or 0) << register["address"]
            else:
                self._put(image, name, register, (2 * address, 2 * (address + count)))
        if function in BITS:
            return registers.bits_payload(bits, address, count, 0x10000)
        return self.shown(image, 0, address, count)

    def write(self, function: int, address: int, values: list[int], now_us: int) -> None:
        """Close or open the contactors by the written values."""
        rows = [command for command in self._sent if command["address"] == address]
        if not rows or rows[0]["function"] != function:
            raise ModbusException(registers.ILLEGAL_ADDRESS)
        if "data_close" in rows[0] and not self.ignore_writes:
            self.rack.command_close(values == rows[0]["data_close"])

    def _put(
        self, image: bytearray, name: str, register: Table, byte_range: tuple[int, int]
    ) -> None:
        """Write the values of a register that begin within the byte range `asked`."""
        size, (first, end) = 2 * count_of(register), byte_range
        for index in range(register.get("count", 1)):
            offset = 2 * register["address"] + index * size
            if first <= offset < end:
                raw = register["equals"][0] if "equals" in register else self._raw(name, index)
                put(image, offset, register, raw)

    def _raw(self, name: str, index: int) -> int:
        register = self._map[name]
        if name in self._exponents:
            return self._exponents[name]
        reading = self._value(name, index)
        if reading is None:
            return [*register.get("invalid", []), 0][0]
        factor = 10.0 ** self._exponents.get(register.get("scale_from", ""), 0)
        return _raw_of(register, reading, factor)

    def _value(self, name: str, index: int = 0) -> float | None:
        key = f"{name} {index}"
        if not self.frozen or key not in self._kept:
            self._kept[key] = self._new(name, index)
        return self._kept[key]

    def _new(self, name: str, index: int) -> float | None:
        if name in ARRAYS:
            return element(self.rack, name, index)
        if name.startswith("fault_"):
            return float(bool(self.rack.fault_bits) and name == self._trip)
        if name == "heartbeat":
            return self._seconds & 0x7FFF
        if name == "current_direction":
            return 1.0 if self.rack.current_A >= 0 else -1.0
        states = self._map[name].get("values", {}).values()
        if name == "contactor_state" and self.rack.contactor_state in states:
            return self.rack.contactor_state  # pre-charge too, if the profile has this state
        reading = value(self.rack, name)
        has_no_sign = name == "rack_current_mA" and "current_direction" in self._map
        return abs(reading) if has_no_sign else reading


def _raw_of(register: Table, reading: float, factor: float = 1) -> int:
    """The raw value for `reading`. factor: power of ten from its scale factor."""
    states = register.get("values", {})
    if states:
        return [int(raw) for raw, meaning in states.items() if meaning == int(reading)][-1]
    return round((reading - register.get("offset", 0)) / (register.get("scale", 1) * factor))
