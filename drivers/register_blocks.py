"""Chooses which registers of a device are read together: neighbours share a read."""

from collections.abc import Sequence
from typing import NamedTuple

from drivers.profile import Register, Table

BITS_FUNCTIONS = (1, 2)
ONE_READ = {"registers_per_read_max": 1 << 16, "gap_registers_max": 1 << 16}


class Block(NamedTuple):
    """One read. places: (index of a register, its first byte or bit, number of bytes or bits)."""

    function: int
    address: int
    length: int
    places: tuple[tuple[int, int, int], ...]

    def parts(self, data: bytes) -> list[tuple[int, bytes]]:
        """[(index of the register, its bytes)] in a reply. A bit becomes one byte."""
        plain = self.plain(data)
        return [(index, plain[start : start + size]) for index, start, size in self.places]

    def plain(self, data: bytes) -> bytes:
        """The data of a reply, in which each bit becomes one byte."""
        if self.function not in BITS_FUNCTIONS:
            return data
        return bits(data, self.length)


def bits(data: bytes, count: int) -> bytes:
    """One byte for each of the first `count` bits of a reply."""
    return bytes([data[bit // 8] >> bit % 8 & 1 for bit in range(count)])


def extent(register: Register) -> int:
    """Number of registers, or of bits, that a value occupies."""
    return register.words or register.count


def blocks(registers: Sequence[Register], settings: Table) -> list[Block]:
    """Reads of at most `registers_per_read_max` registers.

    Between two neighbours there are at most `gap_registers_max` unused registers.
    """
    count_max, gap_max = settings["registers_per_read_max"], settings["gap_registers_max"]
    places = [(register.function, register.address) for register in registers]
    order = sorted(range(len(registers)), key=places.__getitem__)
    groups: list[list[int]] = []
    for index in order:
        register, group = registers[index], groups[-1] if groups else []
        first = registers[group[0]] if group else register
        end = registers[group[-1]].address + extent(registers[group[-1]]) if group else 0
        is_near = register.function == first.function and register.address - end <= gap_max
        if group and is_near and register.address + extent(register) - first.address <= count_max:
            group.append(index)
        else:
            groups.append([index])
    return [_block(registers, group) for group in groups]


def _block(registers: Sequence[Register], group: list[int]) -> Block:
    first, last = registers[group[0]], registers[group[-1]]
    unit = 1 if first.function in BITS_FUNCTIONS else 2
    places = []
    for index in group:
        start = (registers[index].address - first.address) * unit
        places.append((index, start, extent(registers[index]) * unit))
    count = last.address - first.address + extent(last)
    return Block(first.function, first.address, count, tuple(places))
