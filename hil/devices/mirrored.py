"""A simulated site device that mirrors the driver's profile, which defines its registers.

Device and driver share the profile's TOML, but no code. A wrong address in the profile is wrong
here too, so a run proves the wiring, not the decoding.
"""

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hil.devices import registers, sunspec_chain
from hil.devices.registers import ModbusException, RegisterDevice
from hil.devices.sunspec_chain import WORDS, Table, count_of
from hil.site.part import SitePart

WRITTEN_EXPONENT = -2  # of the scale factor of a register that the controller writes
S16_MAX = 32767
BITS = registers.READ_COILS, registers.READ_INPUTS


class MirroredDevice(RegisterDevice):
    """profile: path of the TOML. Fault: frozen (the values repeat)."""

    def __init__(self, part: SitePart, profile: Path) -> None:
        super().__init__()
        self.part, self.frozen = part, False
        self._path = Path(profile)
        self.move()
        self._signals: dict[str, float] = {}
        self._written: dict[tuple[bool, int], int] = {}  # (is a coil, address): value

    def move(self, base: int = sunspec_chain.BASE_ADDRESS, order: Sequence[int] = ()) -> None:
        """Give the models of a SunSpec device new addresses, as after a change of its settings."""
        content = sunspec_chain.read(self._path, base, order)
        self._map, self.identity = content["registers"], content.get("identity", {})

    def payload(self, function: int, address: int, count: int) -> bytes:
        """The part's signals where the profile has registers for them, and 0 elsewhere."""
        if not self.frozen or not self._signals:
            self._signals = self.part.signals()
        image = self._image(function)
        if function in BITS:
            return registers.bits_payload(image, address, count, 0x10000)
        return self.shown(image, 0, address, count)

    def _image(self, function: int) -> Any:
        """All bits as one integer, or all registers as bytes."""
        image, bits = bytearray(0x20000), 0
        for (is_coil, address), written in self._written.items():
            if is_coil and function == registers.READ_COILS:
                bits |= written << address
            elif not is_coil and function == registers.READ_HOLDING:
                struct.pack_into(">H", image, 2 * address, written)
        exponents = {
            register["scale_from"]: self._exponent(register)
            for register in self._map.values()
            if "scale_from" in register
        }
        for name, register in self._map.items():
            is_read = "read" in register.get("direction", "read")
            if register.get("function", 3) != function or not is_read:
                continue
            value: float = exponents.get(name, self._signals.get(name, 0))
            if function in BITS:
                count = register.get("count", 1)
                bits &= ~(((1 << count) - 1) << register["address"])
                bits |= ((1 << int(value)) - 1) << register["address"]
            else:
                put(image, 2 * register["address"], register, self._raw(register, value))
        for register in self.identity.values():
            if register.get("function", 3) == function:
                put(image, 2 * register["address"], register, register["equals"][0])
        return bits if function in BITS else bytes(image)

    def _raw(self, register: Table, value: float) -> int:
        states = register.get("values")
        if states:
            # the nearest state of the profile, because a profile need not name every plant state
            return int(min(states, key=lambda key: abs(states[key] - int(value))))
        return round((value - register.get("offset", 0)) / self._scale(register))

    def _scale(self, register: Table) -> float:
        parameter, factor = register.get("scale_by"), register.get("scale", 1)
        factor *= 10.0 ** self._exponent(register)
        return factor * (self.part.parameters[parameter] if parameter else 1)

    def _exponent(self, register: Table) -> int:
        """Power of ten in the scale factor. A register that is read must be able to show 1.5 x the
        rating.
        """
        if "scale_from" not in register:
            return 0
        if "write" in register.get("direction", "read"):
            return WRITTEN_EXPONENT
        exponent, shown_W = 1, 1.5 * self.part.parameters.get("rated_W", 0)
        while shown_W > 10.0**exponent * abs(register.get("scale", 1)) * S16_MAX:
            exponent += 1
        return exponent

    def write(self, function: int, address: int, values: list[int], now_us: int) -> None:
        """Pass the value of a write at this address to the part as a request."""
        for name, register in self._map.items():
            is_addressed = register.get("write_address", register["address"]) == address
            if "write" in register["direction"] and is_addressed:
                if register.get("write_function", 16) != function:
                    raise ModbusException(registers.ILLEGAL_FUNCTION)
                if not self.ignore_writes:
                    self._keep(function, address, values)
                    self.part.ask(name, self._decoded(register, values))
                return
        raise ModbusException(registers.ILLEGAL_ADDRESS)

    def _keep(self, function: int, address: int, values: list[int]) -> None:
        is_coil = function in (registers.WRITE_COIL, registers.WRITE_COILS)
        self._written |= {(is_coil, place): value for place, value in enumerate(values, address)}

    def _decoded(self, register: Table, values: list[int]) -> int:
        if register["type"] == "bit":
            return sum(values)
        raw, states = raw_of(register, values), register.get("values")
        if states:
            return states[str(raw)]
        return round(raw * self._scale(register) + register.get("offset", 0))


def put(image: bytearray, offset: int, register: Table, raw: float) -> None:
    """Write a raw value at a byte offset. Bits outside the register's mask stay as they are."""
    data = ordered(register, struct.pack(f">{WORDS[register['type']]}", raw))
    if register.get("mask"):
        data = masked(register, data, image[offset : offset + len(data)])
    image[offset : offset + len(data)] = data


def raw_of(register: Table, values: Sequence[int]) -> Any:
    """The raw value that the first of these registers hold."""
    count = count_of(register)
    data = ordered(register, struct.pack(f">{count}H", *values[:count]))
    return struct.unpack(f">{WORDS[register['type']]}", data)[0]


def masked(register: Table, data: bytes, present: bytearray) -> bytes:
    """The value in its own bits of a register; the other bits stay as they are in `present`."""
    mask = register["mask"]
    value = int.from_bytes(ordered(register, data), "big")
    old = int.from_bytes(ordered(register, bytes(present)), "big")
    shift = (mask & -mask).bit_length() - 1
    merged = old & ~mask | value << shift & mask
    return ordered(register, merged.to_bytes(len(data), "big"))


def ordered(register: Table, data: bytes) -> bytes:
    """Swap between big-endian and the byte and word order of the register, in either direction."""
    pairs = [data[offset : offset + 2] for offset in range(0, len(data), 2)]
    if register.get("byte_order") == "little":
        pairs = [pair[::-1] for pair in pairs]
    if register.get("word_order") == "little":
        pairs.reverse()
    return b"".join(pairs)
