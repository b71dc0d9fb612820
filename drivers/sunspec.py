"""Finds and decodes SunSpec models over Modbus (SunSpec Device Information Model Specification).

The mark "SunS" is at one of three base addresses. A chain of [model id, length] headers follows, up
to id 0xFFFF. A walk reads this chain to find the models. A model may be longer than in its
definition (vendor points, a pad register). No I/O, no clock.
"""

import struct
from typing import NamedTuple

from drivers.buses import rtu
from drivers.buses.crc import seal
from drivers.profile import SLOT, Profile, Wanted, wrong
from drivers.steps import Sequence, StepError
from safety import signals

IDENTIFIER = b"SunS"
END = 0xFFFF
READ_HOLDING = 3
MODELS_MAX = 64  # the longest chain in public device images has 24 models
ADDRESS_MAX = 65534  # last address of a two-register header
HEADER = 2  # registers of id and length; offsets begin at the id, lengths after both
SCALE_LOW, SCALE_HIGH = -10, 10
SCALE_PERIODS = 3
REGISTERS_PER_READ_MAX = 20  # a longer read would delay the stop frame on the bus of a converter
DC_PORT_REGISTERS = 25  # registers of one port of model 714
FOLLOWING, FORMING = 1, 2  # bits of 701 DERMode: follows a grid, forms a grid


class Found(NamedTuple):
    """One model of a device. address: its id register."""

    model: int
    address: int
    length: int


Chain = list[Found]


def located(wanted: Wanted, chain: Chain) -> int:
    """Address of the model on a device with this chain. StepError if missing or too short."""
    matches = [model for model in chain if model.model in wanted.ids]
    if len(matches) < wanted.instance:
        raise StepError(f"{wanted.name} missing")
    chosen, needed = matches[wanted.instance - 1], wanted.registers - HEADER
    if chosen.length < needed:
        raise StepError(f"{wanted.name} has length {chosen.length}, needed {needed}")
    return chosen.address


def walk(base_addresses: list[int]) -> Sequence[list[Found]]:
    """Steps that find the models, in the order of the chain. Raises StepError."""
    for base in base_addresses:
        identifier = yield "read", READ_HOLDING, base, 2
        if identifier == IDENTIFIER:
            break
    else:
        raise StepError(f"no SunS at register {', '.join(map(str, base_addresses))}")
    models: list[Found] = []
    address = base + 2
    for _ in range(MODELS_MAX):
        header = yield "read", READ_HOLDING, address, 2
        if header is None:
            raise StepError(f"model header at register {address} refused")
        model, length = struct.unpack(">HH", header)
        if model == END:
            return models
        models.append(Found(model, address, length))
        address += HEADER + length
        if not length or address > ADDRESS_MAX:
            where = f"model {model} at register {models[-1].address}"
            raise StepError(f"{where}: length {length} {'leaves the map' if length else 'is none'}")
    raise StepError(f"more than {MODELS_MAX} models, no end of the chain")


class Places:
    """The places of the registers of a profile on one device.

    A register of a SunSpec model is where the chain has that model; other addresses are as in the
    profile. missing: number (from 0) of the model that a walk did not find; the number after the
    last model means the chain itself.
    """

    def __init__(self, profile: Profile):
        self._bases: list[int] = profile.settings.get("base_addresses", [0])
        self._wanted: list[Wanted] = profile.models
        self._needed_count = len(profile.needed)
        self._followers: rtu.Requests = []
        self.missing = 0
        self.forget()

    @property
    def is_found(self) -> bool:
        """True if the places of the registers are known."""
        return len(self._model_addresses) == len(self._wanted)

    def of(self, address: int) -> int:
        """The register on the device. Before the walk, a register that is harmless to read."""
        slot, offset = divmod(address, SLOT)
        if not slot:
            return address
        first = self._model_addresses[slot - 1] if self._model_addresses else None
        return offset + (self._bases[0] if first is None else first)

    def has(self, address: int) -> bool:
        """True if the place of the register is known."""
        slot = address // SLOT
        return (
            not slot or bool(self._model_addresses) and self._model_addresses[slot - 1] is not None
        )

    def follow(self, request: rtu.Request, address: int) -> rtu.Request:
        """Return the read. Each walk moves it to the place of `address` on the device."""
        if address >= SLOT:
            request.place = address
            self._followers.append(request)
        return request

    def forget(self) -> None:
        """Forget all places, because the device may be another one."""
        self._model_addresses: list[int | None] = []

    def walk(self) -> Sequence[None]:
        """Steps that find all places. Raises StepError."""
        self.missing = self._needed_count
        self.take((yield from walk(self._bases)))

    def take(self, chain: list[Found]) -> None:
        """Use the chain of a device. StepError if it lacks a needed model."""
        self._model_addresses = [self._find(number, chain) for number in range(len(self._wanted))]
        for request in self._followers:
            place = self.of(request.place).to_bytes(2, "big")
            request.frame = seal(request.frame[:2] + place + request.frame[4:-2])

    def _find(self, number: int, chain: list[Found]) -> int | None:
        self.missing, wanted = number, self._wanted[number]
        try:
            return located(wanted, chain)
        except StepError:
            if wanted.is_needed:
                raise
            return None


class Block:
    """One read of some points of one model: `count` registers from `offset` on."""

    __slots__ = ("model", "offset", "count", "points", "scale_us", "_required", "_unpack")

    def __init__(
        self,
        profile: Profile,
        model: int,
        names: tuple[str, ...],
        shift: int = 0,
        optional: tuple[str, ...] = (),
    ):
        """names: in rising order. shift: added for a later port of model 714.

        optional: points that may be "not implemented". If another point is, the reading is refused.
        """
        self.scale_us = profile.settings["scale_period_ms"] * 1000
        full_names = [f"{model}.{name}" for name in names]
        self.offset, self.count, layout = profile.block(full_names)
        if self.count > REGISTERS_PER_READ_MAX:
            taken = f"{names[0]} to {names[-1]} take {self.count} registers"
            allowed = f"allowed {REGISTERS_PER_READ_MAX} in one read"
            raise wrong(profile.path, f"registers.{model}: {taken}; {allowed}")
        self.model, self.offset = model, self.offset + shift
        self.points = [profile.registers[name] for name in full_names]
        self._required = [
            (index, point.sentinel)
            for index, (name, point) in enumerate(zip(names, self.points))
            if name not in optional
        ]
        self._unpack = layout.unpack_from

    def unpack(self, pdu: bytes) -> tuple[int, ...] | None:
        """Raw values, or None if a required point is "not implemented"."""
        values = self._unpack(pdu, 2)
        for index, sentinel in self._required:
            if values[index] == sentinel:
                return None
        return values

    def address(self, models: Chain) -> int:
        """First register on a device with these models. StepError: model missing or too short."""
        return located(Wanted((self.model,), 1, self.offset + self.count), models) + self.offset


class Scales:
    """Scale factors of a model, which may change. They count after two equal, recent readings."""

    __slots__ = ("block", "exponents", "candidate", "_low", "_high", "_old_us", "_read_us")

    def __init__(self, block: Block, low: int = SCALE_LOW, high: int = SCALE_HIGH):
        """low, high: lowest and highest exponent that is a valid scale factor."""
        self.block, self._low, self._high = block, low, high
        self._old_us, self._read_us = SCALE_PERIODS * block.scale_us, 0
        self.exponents: tuple[int, ...] | None = None  # one for each point; None: not confirmed
        self.candidate: tuple[int, ...] | None = None  # last reading; None: no scale factor

    def young(self, now_us: int) -> tuple[int, ...] | None:
        """`exponents`; None if the last reading is older than SCALE_PERIODS."""
        return self.exponents if now_us - self._read_us <= self._old_us else None

    def take(self, pdu: bytes, now_us: int) -> bool:
        """Use one reply. True if it changes the exponents."""
        self._read_us = now_us
        before, values = self.exponents, self.block.unpack(pdu)
        if values is not None and (min(values) < self._low or max(values) > self._high):
            values = None
        self.exponents = values if values == self.candidate else None
        self.candidate = values
        return self.exponents != before

    def forget(self) -> None:
        """Wait for two equal readings again."""
        self.exponents = self.candidate = None


def scaled(raw: int, exponent: int, per_unit: int = 1) -> int:
    """raw x 10^exponent x per_unit as an integer, rounded towards zero."""
    if exponent >= 0:
        factor: int = 10**exponent
        return raw * per_unit * factor
    value: int = abs(raw) * per_unit // 10**-exponent
    return value if raw >= 0 else -value


def thirty_bits(alarms: int) -> int:
    """Alarm bits for a signal of 30 bits. Bits 30 and 31 (reserved) become bit 29."""
    return alarms & signals.INT_MAX | (1 << 29 if alarms >> 30 else 0)


def forms_grid(mode: int = 0) -> int:
    """1 if 701 DERMode shows that the device forms a grid and follows none. mode 0: not known."""
    return 1 if mode & (FOLLOWING | FORMING) == FORMING else 0
