"""A device profile as the drivers have it: a device and the places of its values, as data.

controller/config/profiles.py reads and checks the TOML file of a profile.
"""

import pathlib
import struct
from types import SimpleNamespace
from typing import Any

FOLDER = pathlib.Path(__file__).parent / "profiles"


class ProfileError(ValueError):
    """A profile that a driver cannot use: one line with file, key and what is allowed."""


def wrong(path: pathlib.Path, words: str) -> ProfileError:
    """ProfileError that names the file."""
    return ProfileError(f"{path.name}: {words}")


class Register(SimpleNamespace):
    """One value of a device: the keys of its table, and the parts of its type and range. A SunSpec
    address counts from the ID register. A sensor also has full_scale and two masks.
    """

    name: str
    address: int
    function: int
    type: str
    code: str  # of struct
    words: int
    sentinel: int | None  # raw value of "not implemented"
    unit: str
    scale: float
    low: float  # None without a range; the loader requires the ranges that a driver reads
    high: float


class SetpointFrame(SimpleNamespace):
    """One write of the set-point of a converter, and its values from the first register on: each
    with `role`, the raw values of a mode, and `equals` of a constant (setpoint_form.py).
    """

    function: int
    address: int
    values: list[Register]


class Step(SimpleNamespace):
    """One step of a sequence: a register is written, or is read until it has one of `equals`.
    `fault`: words for a step that fails; `function`: 3 and 4 wait, 6 and 16 write.
    """

    function: int
    register: Register
    value: int
    equals: list[int]
    timeout_ms: int
    read_back: bool
    fault: str


class Profile(SimpleNamespace):
    """A checked profile: its path, the keys of its top and of [timing], and its tables by name."""

    path: pathlib.Path
    maker: str
    model: str
    family: str
    documents: list[str]
    period_ms: int
    turnaround_ms: int
    timeout_ms: int
    gap_ms: int
    settings: dict[str, Any]
    registers: dict[str, Register]  # of SunSpec as "704.WSet"
    identity: dict[str, Register]  # each with `equals`, of a generic device
    serial: dict[str, Any]  # of [serial]; registers 0: it has none
    frames: dict[str, dict[str, dict[str, Any]]]
    fault_bits: dict[str, dict[str, int]]  # meaning: {name: bit}
    # of a BMS on CAN: {name: row}, see controller/config/can_form.py
    messages: dict[str, dict[str, Any]]
    signals: dict[str, dict[str, Any]]
    arrays: dict[str, dict[str, Any]]
    faults: dict[str, dict[str, Any]]
    sent: dict[str, dict[str, Any]]
    # of a converter by registers
    setpoint: list[SetpointFrame]
    setup: list[Step]
    start: list[Step]
    stop: list[Step]
    heartbeat: dict[str, Any]

    def mask(self, meaning: str) -> int:
        """The bits of "trip", "warn" or "info", as a number."""
        return sum([1 << bit for bit in self.fault_bits[meaning].values()])

    def block(self, names: list[str]) -> tuple[int, int, struct.Struct]:
        """(first address, registers, Struct of their values) of one read of the named registers.
        ProfileError: one is missing, or they overlap or do not rise.
        """
        for name in names:
            if name not in self.registers:
                raise wrong(
                    self.path, f"registers.{name}: missing; it is read with the others of its block"
                )
        first = end = self.registers[names[0]].address
        layout = ">"
        for name in names:
            register = self.registers[name]
            if register.address < end:
                raise wrong(
                    self.path,
                    f"registers.{name}: address {register.address} must be "
                    f"{end} or more to be read with registers.{names[0]}",
                )
            layout += f"{(register.address - end) * 2}x{register.code}"
            end = register.address + register.words
        return first, end - first, struct.Struct(layout)
