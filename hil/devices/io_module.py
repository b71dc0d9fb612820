"""A remote I/O module: 8 contact inputs and 8 relay coils. Unwritten coils drop after the expiry.

Default map, as in drivers/profiles/io_8in_8out.toml: inputs 0..7 (FC2), coils 0..7 (FC1, FC5,
FC15), and in holding register 64 the expiry in ms (FC3, FC6, FC16; 0 = never), followed by two
registers of this device.
"""

import struct
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from hil.devices import registers
from hil.devices.registers import ModbusException, RegisterDevice, bits_payload
from hil.plant.cabinet import CabinetPlant

CHANNELS = 8
EXPIRY_ms = 500  # at power-on
EXPIRY_ms_max = 60_000


class Map(NamedTuple):
    """Addresses of first input, first coil and expiry. own: the registers after expiry."""

    inputs: int = 0
    coils: int = 0
    expiry: int = 64
    expiry_function: int = registers.READ_HOLDING
    expiry_step_ms: float = 1
    own: tuple[int, ...] = (0x0808, 0x0100)  # model, firmware


DOCUMENTED = Map()


def mirrored(path: Path) -> Map:
    """The addresses in a profile of the family io. Its inputs must be read with function 2."""
    tables = tomllib.loads(path.read_text(encoding="utf-8"))["registers"]
    inputs, coils, expiry = [tables[name] for name in ("inputs", "coils", "output_expiry")]
    addresses = inputs["address"], coils["address"], expiry["address"]
    return Map(*addresses, expiry["function"], expiry.get("scale", 1), ())


class IoModule(RegisterDevice):
    """Reads the contacts of the plant and sets its coils. An empty name is a spare channel.

    Further faults: inputs_stuck, coils_stuck (the relay) {bit: 0 or 1}, expiry_broken, frozen (the
    inputs repeat their last values).
    """

    TURNAROUND_US = 2000

    def __init__(
        self,
        cabinet: CabinetPlant,
        contact_names: Sequence[str],
        coil_names: Sequence[str],
        addresses: Map = DOCUMENTED,
    ) -> None:
        super().__init__()
        self.cabinet, self.at = cabinet, addresses
        self.contact_names, self.coil_names = tuple(contact_names), tuple(coil_names)
        self.inputs_stuck: dict[int, int] = {}
        self.coils_stuck: dict[int, int] = {}
        self.expiry_broken = self.frozen = False
        self.coils = self.expiries = self._inputs = self._bits = self._written_us = 0
        self._contacts = [(name, 1 << bit) for bit, name in enumerate(self.contact_names) if name]
        self._seen: tuple[bool, ...] = ()  # levels of all contacts when `_bits` was computed
        self._expiry_ms = EXPIRY_ms
        self._driven = -1  # no level is known, so the first _drive sets every coil
        self._drive()

    def tick(self, now_us: int) -> None:
        """Drop all coils when their expiry is over."""
        may_expire = self.coils and self._expiry_ms and not self.expiry_broken
        if may_expire and now_us - self._written_us >= self._expiry_ms * 1000:
            self.expiries += 1
            self.coils = 0
        if self.coils != self._driven or self.coils_stuck:
            self._drive()

    def inputs(self) -> int:
        """The eight inputs as an integer. Bit 0 is input 0; 1 means a closed contact."""
        if self.frozen:
            return self._inputs
        contacts = self.cabinet.contacts
        levels = tuple(contacts.values())
        if levels != self._seen:
            self._seen = levels
            self._bits = sum([weight for name, weight in self._contacts if contacts[name]])
        self._inputs = _replaced(self._bits, self.inputs_stuck)
        return self._inputs

    def payload(self, function: int, address: int, count: int) -> bytes:
        """Coils by FC1, inputs by FC2; the expiry and `own` by the function of the profile."""
        addresses = self.at
        if function == registers.READ_INPUTS:
            return bits_payload(self.inputs(), address - addresses.inputs, count, CHANNELS)
        if function == registers.READ_COILS:
            return bits_payload(self.coils, address - addresses.coils, count, CHANNELS)
        if function == addresses.expiry_function:
            register_words = round(self._expiry_ms / addresses.expiry_step_ms), *addresses.own
            image = struct.pack(f">{len(register_words)}H", *register_words)
            return self.shown(image, addresses.expiry, address, count)
        raise ModbusException(registers.ILLEGAL_FUNCTION)

    def write(self, function: int, address: int, values: list[int], now_us: int) -> None:
        """A write to any coil renews all coils. The expiry register accepts 0 to 60000 ms."""
        if function in (registers.WRITE_COIL, registers.WRITE_COILS):
            first = address - self.at.coils
            if not 0 <= first <= CHANNELS - len(values):
                raise ModbusException(registers.ILLEGAL_ADDRESS)
            self._written_us = now_us
            self.coils = _replaced(self.coils, dict(enumerate(values, first)))
            self._drive()
            return
        if address != self.at.expiry or len(values) != 1:
            raise ModbusException(registers.ILLEGAL_ADDRESS)
        expiry_ms = round(values[0] * self.at.expiry_step_ms)
        if expiry_ms > EXPIRY_ms_max:
            raise ModbusException(registers.ILLEGAL_VALUE)
        self._expiry_ms = expiry_ms

    def _drive(self) -> None:
        """Set the plant's coils whose level has changed."""
        levels = _replaced(self.coils, self.coils_stuck)
        changed_bits = levels ^ self._driven
        self._driven = levels
        for bit, name in enumerate(self.coil_names):
            if name and changed_bits >> bit & 1:
                self.cabinet.set_coil(name, bool(levels >> bit & 1))


def _replaced(bits: int, values: dict[int, int]) -> int:
    """`bits`, with the bits in `values` {bit: 0 or 1} replaced."""
    for bit, value in values.items():
        bits = bits | 1 << bit if value else bits & ~(1 << bit)
    return bits
