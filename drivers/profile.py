"""Defines a device profile for drivers: the device and the places of its values, as data.

controller/config/profiles.py reads and checks the TOML file of a profile.
"""

import pathlib
import struct
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, NamedTuple

FOLDER = pathlib.Path(__file__).parent / "profiles"


def shipped() -> list[str]:
    """The names of all shipped profiles."""
    return sorted([path.stem for path in FOLDER.glob("*.toml")])


Table = dict[str, Any]  # of the file, checked
Settings = dict[str, int]  # of one device, in the configuration
Words = tuple[int, ...]  # contents of registers
Rows = dict[str, Table]  # by name


class ProfileError(ValueError):
    """A profile that a driver cannot use. One line: file, key and what is allowed."""


def wrong(path: pathlib.Path, reason: str) -> ProfileError:
    """A ProfileError whose line begins with the file."""
    return ProfileError(f"{path.name}: {reason}")


# Address n x SLOT + k is register k of the n-th SunSpec model of the profile; register 0 is its id.
SLOT = 1 << 16


class Wanted(NamedTuple):
    """A SunSpec model that has registers of a profile.

    It is the `instance`-th model of the chain whose id is one of `ids`. registers: how many of its
    registers the profile uses, including the ID. is_needed: without this model no value counts.
    """

    ids: tuple[int, ...]
    instance: int
    registers: int
    is_needed: bool = True

    @property
    def name(self) -> str:
        """The name for messages."""
        number = f" number {self.instance}" if self.instance > 1 else ""
        return f"SunSpec model {' or '.join(map(str, self.ids))}{number}"


class Register(SimpleNamespace):
    """One value of a device: the keys of its table, and the parts of its type and range.

    A SunSpec address counts from the ID register. The register of a sensor also has full_scale and
    two masks.
    """

    name: str
    address: int
    function: int
    type: str
    code: str  # struct code
    words: int
    sentinel: int | None  # raw value that means "not implemented"
    unit: str
    scale: float
    low: float  # None without a range; the loader requires the ranges that drivers use
    high: float


Registers = Mapping[str, Register]  # by name


class SetpointFrame(SimpleNamespace):
    """One write of the set-point of a converter, with its values from the first register on.

    Each value has a `role`; a mode has raw values, a constant has `equals` (setpoint_form.py).
    """

    function: int
    address: int
    values: list[Register]
    stored: str  # see drivers.wear


class Step(SimpleNamespace):
    """One step of a sequence: it writes a register, or reads it until it has one of `equals`.

    fault: text for a step that fails. function: 3 and 4 read and wait, 6 and 16 write.
    """

    function: int
    register: Register
    value: int
    equals: list[int]
    timeout_ms: int
    read_back: bool
    repeat_ms: int  # for a step of [[start]]; 0: it is written only once
    fault: str
    stored: str


class Profile(SimpleNamespace):
    """A checked profile: its path, its top keys and those of [timing], and its tables by name."""

    path: pathlib.Path
    maker: str
    model: str
    family: str
    documents: list[str]
    evidence: str
    evidence_of: list[str]  # names of values proven by a reading (profile_evidence.py)
    period_ms: int
    turnaround_ms: int
    timeout_ms: int
    gap_ms: int
    settings: Table
    registers: dict[str, Register]  # a SunSpec point as "704.WSet"
    identity: dict[str, Register]  # of a generic device; each register has `equals`
    serial: Table  # table [serial]; 0 registers mean no serial number
    models: list[Wanted]  # SunSpec models, in the order of their slots
    fault_bits: dict[str, dict[str, int]]  # {meaning: {name: bit}}
    # for a BMS on CAN: {name: row}, see controller/config/can_form.py
    messages: Rows
    signals: Rows
    arrays: Rows
    faults: Rows
    sent: Rows
    # for a converter by registers
    setpoint: list[SetpointFrame]
    setup: list[Step]
    start: list[Step]
    stop: list[Step]
    heartbeat: Table

    @property
    def shows_stop(self) -> bool:
        """True if the state of a converter can show that it has stopped.

        The device then reports a state, and has a stop other than a set-point of 0.
        """
        return "701.InvSt" in self.registers or "state" in self.registers and bool(self.stop)

    @property
    def tells(self) -> list[str]:
        """Names of all checks that must pass before a value counts, in the order of the driver."""
        chain = [*[model.name for model in self.needed], "the SunSpec chain"] if self.models else []
        return [*self.identity, *chain, *self.factors, *self.limits]

    @property
    def needed(self) -> list[Wanted]:
        """The SunSpec models without which no value counts. They have the first slots."""
        return [model for model in self.models if model.is_needed]

    @property
    def factors(self) -> list[str]:
        """Names of the registers that contain a scale factor."""
        names = {getattr(register, "scale_from", "") for register in self.registers.values()}
        return sorted(names - {""})

    @property
    def limits(self) -> list[str]:
        """Names of written registers in which an installer may have set a fixed limit."""
        registers = self.registers.values()
        return [register.name for register in registers if getattr(register, "fixed_words", [])]

    @property
    def fault_places(self) -> dict[str, int]:
        """{name: bit} of all fault bits."""
        return {
            name: bit for fault_bit in self.fault_bits.values() for name, bit in fault_bit.items()
        }

    def mask(self, meaning: str) -> int:
        """The fault bits with the meaning "trip", "warn" or "info", as a number."""
        return sum([1 << bit for bit in self.fault_bits[meaning].values()])

    def block(self, names: list[str]) -> tuple[int, int, struct.Struct]:
        """(first address, registers, Struct of the values) of one read of these registers.

        ProfileError if a register is missing, or if they overlap or are not in rising order.
        """
        for name in names:
            if name not in self.registers:
                reason = "missing; it is read with the others of its block"
                raise wrong(self.path, f"registers.{name}: {reason}")
        first = end = self.registers[names[0]].address
        layout = ">"
        for name in names:
            register = self.registers[name]
            if register.address < end:
                reason = f"must be {end} or more to be read with registers.{names[0]}"
                raise wrong(self.path, f"registers.{name}: address {register.address} {reason}")
            layout += f"{(register.address - end) * 2}x{register.code}"
            end = register.address + register.words
        return first, end - first, struct.Struct(layout)
