"""Converts values in SI units to the bytes of the Modbus registers, and has each point's place.

A value that is unknown, or does not fit into its registers, becomes "not implemented", which
SunSpec defines for each type. It never becomes 0 or the largest value that fits.
"""

import re
import struct
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from controller.doors.modbus.points import BASE, MARK, MODELS

POINT = re.compile(r"([\w.]+):([a-z])(\d+)(?:\*(\w+))?(?:=([-\w]+))?([!?]?)")
Value = int | str | None
END = 0xFFFF


class Point(NamedTuple):
    """One point. at: first register. scale: power of ten. access: "!" or "?" (see points.py)."""

    name: str
    at: int
    registers: int
    kind: str
    scale: int
    access: str

    def packed(self, value: Value) -> bytes:
        """The bytes for a value in the unit of the point (W, Wh, V, A, %, degC) x 10 ** -scale."""
        size = 2 * self.registers
        if self.kind == "s":
            text = str("" if value is None else value).encode("ascii", "replace")
            return text[:size].ljust(size, b"\0")
        bits, is_signed = 8 * size, self.kind in "if"
        low, high = (1 - 2 ** (bits - 1), 2 ** (bits - 1) - 1) if is_signed else (0, 2**bits - 2)
        if isinstance(value, int) and low <= value <= high:
            return value.to_bytes(size, "big", signed=is_signed)
        none = 1 << bits - 1 if is_signed or self.kind == "p" else 2**bits - 1
        return none.to_bytes(size, "big")

    def number(self, data: bytes) -> int | None:
        """The number in these bytes; None for "not implemented"."""
        if data == self.packed(None):
            return None
        return int.from_bytes(data, "big", signed=self.kind in "if")


def scaled(value: int | None, point: Point, unit_exponent: int = 0) -> int | None:
    """value x 10**unit_exponent in the unit of the point, rounded. unit_exponent for mW: -3."""
    if value is None:
        return None
    shift = unit_exponent - point.scale
    if shift >= 0:
        return int(value * 10**shift)
    half = 10**-shift
    return (2 * abs(value) + half) // (2 * half) * (1 if value >= 0 else -1)


def _laid_out() -> tuple[dict[str, Point], bytes]:
    """({"704.WSet": Point}, bytes of all registers with the values that never change)."""
    points: dict[str, Point] = {}
    data = bytearray(MARK)
    for model, text in MODELS.items():
        matches = POINT.findall(text)
        scales = {name: int(fixed) for name, kind, _, _, fixed, _ in matches if kind == "f"}
        first = len(data)
        data += bytes(4)
        for name, kind, count, scale, fixed, access in matches:
            registers = int(count) if kind == "s" else int(count) // 16
            start = BASE + len(data) // 2
            point = Point(name, start, registers, kind, scales[scale] if scale else 0, access)
            points[f"{model}.{name}"] = point
            data += point.packed(fixed if kind == "s" else int(fixed) if fixed else None)
        struct.pack_into(">HH", data, first, model, (len(data) - first) // 2 - 2)
    return points, bytes(data) + struct.pack(">HH", END, 0)


POINTS, TEMPLATE = _laid_out()
REGISTERS = len(TEMPLATE) // 2
STARTS = {point.at: name for name, point in POINTS.items()}


def listed() -> list[str]:
    """A line per point: first register, name, registers, type, unit; "!" if a master may set it."""
    return [
        f"{start} {name:22} {registers:2} {kind} 10^{scale} {access.strip('?')}".rstrip()
        for name, (_, start, registers, kind, scale, access) in POINTS.items()
    ]


def put(data: bytearray, values: Mapping[str, Value]) -> bytearray:
    """Put values, in the unit of their points, into registers."""
    for name, value in values.items():
        point = POINTS[name]
        offset = 2 * (point.at - BASE)
        data[offset : offset + 2 * point.registers] = point.packed(value)
    return data


def part(data: bytes | bytearray, first: int, count: int) -> bytes | None:
    """The bytes of these registers; None if the door lacks one of them."""
    if first < BASE or first + count > BASE + REGISTERS:
        return None
    return bytes(data[2 * (first - BASE) : 2 * (first - BASE + count)])


def covered(first: int, data: bytes) -> Iterable[tuple[str, Point, bytes]] | None:
    """(name, point, bytes) of each point that a write covers.

    None if the write covers half a point, or a register without a point.
    """
    points, offset = [], 0
    while offset < len(data):
        name = STARTS.get(first + offset // 2)
        if name is None or offset + 2 * POINTS[name].registers > len(data):
            return None
        size = 2 * POINTS[name].registers
        points.append((name, POINTS[name], data[offset : offset + size]))
        offset += size
    return points
