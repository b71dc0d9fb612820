"""Generic register family: every Modbus device that a profile can describe without code.

The readings of all blocks are taken together or not at all. A device is fresh when each block has
been answered since the last time and every value is valid. A register that is written is repeated
within `repeat_ms`, because the device goes back to its own value when it hears nothing.
"""

from array import array
from collections.abc import Callable
from struct import Struct
from typing import NamedTuple, Protocol

from drivers.buses import rtu
from drivers.profile import Profile, Register
from drivers.register_codec import Codec

BITS_FUNCTIONS = (1, 2)
COIL_WRITES = (rtu.WRITE_COIL, rtu.WRITE_COILS)
SINGLE_WRITES = (rtu.WRITE_COIL, rtu.WRITE_REGISTER)
# what makes the request of each write function: (key, unit id, address, content, callbacks)
WRITES: dict[int, Callable[..., rtu.Request]] = {
    rtu.WRITE_COIL: rtu.write_coil_request,
    rtu.WRITE_REGISTER: rtu.write_register_request,
    rtu.WRITE_COILS: rtu.write_coils_request,
    rtu.WRITE_REGISTERS: rtu.write_registers_request,
    rtu.WRITE_AND_READ: rtu.write_and_read_request,
}


class Sink(Protocol):
    """Where readings go: the process image."""

    inp: array
    fresh: bytearray


Tell = Callable[[int, int, int], None]  # (kind of failure, code, now_us)


class Block(NamedTuple):
    """One read: `places` are (index into the values, first byte or bit, bytes) of its registers."""

    function: int
    address: int
    length: int
    places: tuple[tuple[int, int, int], ...]


class SiteDevice:
    """One device. Counters: `refused` (readings that were not valid), `failures` (lost writes)."""

    def __init__(
        self,
        profile: Profile,
        unit_id: int,
        sink: Sink,
        place: tuple[int, int],
        names: list[str],
        settings: dict[str, int],
    ):
        """place: of the first signal in sink.inp, and in sink.fresh; names: signals in the order of
        their places; settings: parameters of the role. A signal that the profile does not read
        stays 0.
        """
        self.profile, self.unit_id = profile, unit_id
        self.refused = self.failures = 0
        self._sink, (self._first, self._group) = sink, place
        reads = [each for each in profile.registers.values() if "read" in each.direction]
        self._codecs = [Codec(register, settings) for register in reads]
        self._places = [names.index(register.name) for register in reads]
        limits = ("registers_per_read_max", "gap_registers_max")
        self._blocks = blocks(reads, *[profile.settings[name] for name in limits])
        self._values: list[int | None] = [None] * len(reads)
        self._waiting = set(range(len(self._blocks)))
        self._writes = {
            register.name: _Write(register, unit_id, settings, self._on_failure)
            for register in profile.registers.values()
            if "write" in register.direction
        }

    def periodic(self) -> list[tuple[rtu.Request, int]]:
        """[(Request, period in us)]: the read of each block."""
        return [
            (self._read(number, block), self.profile.period_ms * 1000)
            for number, block in enumerate(self._blocks)
        ]

    schedule = periodic

    def _read(self, number: int, block: Block) -> rtu.Request:
        def on_reply(pdu: bytes, now_us: int) -> None:
            self._take(number, pdu[2:])

        key = (self.unit_id, f"block {number + 1}")
        return rtu.read_request(
            key, self.unit_id, block.function, block.address, block.length, on_reply
        )

    def _take(self, number: int, data: bytes) -> None:
        is_bits = self._blocks[number].function in BITS_FUNCTIONS
        for index, start, size in self._blocks[number].places:
            places = range(start, start + size)
            bits = [data[at // 8] >> at % 8 & 1 for at in places] if is_bits else ()
            part = bytes(bits) if is_bits else data[start : start + size]
            self._values[index] = self._codecs[index].value(part)
        self._waiting.discard(number)
        if self._waiting:
            return
        self._waiting = set(range(len(self._blocks)))
        if None in self._values:
            self.refused += 1
            return
        for place, value in zip(self._places, self._values):
            self._sink.inp[self._first + place] = value
        self._sink.fresh[self._group] = 1

    def write(self, name: str, value: int, now_us: int) -> rtu.Request | None:
        """The Request that asks for `value`, None while it need not be sent."""
        return self._writes[name].request(value, now_us)

    def read_back(self, name: str) -> rtu.Request | None:
        """The Request that reads what was written last, None where it need not be read."""
        return self._writes[name].read_back()

    def read_of(self, name: str) -> rtu.Request:
        """The same read, for the load of the bus; after a write."""
        return self._writes[name].read_of_last()

    def _on_failure(self, kind: int, code: int, now_us: int) -> None:
        self.failures += 1


class _Write:
    """One register that is written: after a change (at most every pause_ms), after a lost write,
    and every repeat_ms.

    With `read_back`, and with function 23, the device's registers are compared with what was sent.
    Another value counts as a lost write.
    """

    def __init__(self, register: Register, unit_id: int, settings: dict[str, int], tell: Tell):
        self._register, self._unit_id, self._tell = register, unit_id, tell
        self._codec = Codec(register, settings)
        self._sent: int | None = None
        self._expected: tuple[int, ...] = ()  # registers or levels of the last write
        self._due_us = self._free_us = 0
        self._is_unread = False

    def request(self, value: int, now_us: int) -> rtu.Request | None:
        """As SiteDevice.write."""
        # the rest value does not wait; a lost write does, or it would keep the bus from others
        is_rest = value == 0 and self._sent not in (0, None)
        wait_us = self._due_us if value == self._sent else self._free_us
        if now_us < wait_us and not is_rest:
            return None
        self._sent, self._due_us = value, now_us + self._register.repeat_ms * 1000
        self._free_us = now_us + self._register.pause_ms * 1000
        self._expected = self._places(value)
        return self._write()

    def _places(self, value: int) -> tuple[int, ...]:
        if self._register.write_function in COIL_WRITES:
            return tuple([value > coil for coil in range(self._register.count)])
        return tuple(self._codec.words(value))

    def _write(self) -> rtu.Request:
        function, places = self._register.write_function, self._expected
        make = WRITES[function]
        key = self._unit_id, self._register.name
        content = places[0] if function in SINGLE_WRITES else places
        return make(
            key, self._unit_id, self._register.write_address, content, self._written, self._lost
        )

    def _written(self, pdu: bytes, now_us: int) -> None:
        self._is_unread = self._register.read_back
        if self._register.write_function == rtu.WRITE_AND_READ:
            self._compare(pdu, now_us)

    def read_back(self) -> rtu.Request | None:
        """The read that follows a write with `read_back`, once; None while there is nothing."""
        if not self._is_unread:
            return None
        self._is_unread = False
        return self.read_of_last()

    def read_of_last(self) -> rtu.Request:
        """The read of the registers that the last write wrote."""
        function = 1 if self._register.write_function in COIL_WRITES else 3
        key = self._unit_id, self._register.name, "read back"
        place = self._register.write_address, len(self._expected)
        return rtu.read_request(key, self._unit_id, function, *place, self._compare)

    def _compare(self, pdu: bytes, now_us: int) -> None:
        """pdu: function, byte count, then the registers or bits."""
        data, count = pdu[2:], len(self._expected)
        if self._register.write_function in COIL_WRITES:
            found = tuple([data[at // 8] >> at % 8 & 1 for at in range(count)])
        else:
            found = Struct(f">{count}H").unpack(data)
        if found != self._expected:
            self._lost(rtu.BAD_REPLY, 0, now_us)

    def _lost(self, kind: int, code: int, now_us: int) -> None:
        self._sent = None
        self._tell(kind, code, now_us)


def extent(register: Register) -> int:
    """Registers, or bits, that a value takes."""
    return register.words or register.count


def blocks(registers: list[Register], count_max: int, gap_max: int) -> list[Block]:
    """Reads for these registers, in the order of function and address.

    Neighbours share a read of at most count_max registers, with at most gap_max unused between two.
    """
    order = sorted(
        range(len(registers)), key=lambda at: (registers[at].function, registers[at].address)
    )
    groups: list[list[int]] = []
    for at in order:
        register, group = registers[at], groups[-1] if groups else []
        first = registers[group[0]] if group else register
        end = registers[group[-1]].address + extent(registers[group[-1]]) if group else 0
        is_near = register.function == first.function and register.address - end <= gap_max
        if group and is_near and register.address + extent(register) - first.address <= count_max:
            group.append(at)
        else:
            groups.append([at])
    return [_block(registers, group) for group in groups]


def _block(registers: list[Register], group: list[int]) -> Block:
    first, last = registers[group[0]], registers[group[-1]]
    unit = 1 if first.function in BITS_FUNCTIONS else 2
    places = []
    for at in group:
        start = (registers[at].address - first.address) * unit
        places.append((at, start, extent(registers[at]) * unit))
    count = last.address - first.address + extent(last)
    return Block(first.function, first.address, count, tuple(places))
