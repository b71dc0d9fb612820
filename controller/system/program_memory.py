"""Finds the kernel's program in memory and its CRCs, for the self-test (row 44 of the matrix)."""

import importlib
import marshal
import pkgutil
from collections.abc import Iterator
from types import FunctionType, ModuleType
from zlib import crc32

import safety

SECOND_US = 1_000_000  # the self-test checks memory and thermometer so often
CLOCK_WINDOW_US = 5_000_000  # and compares two clocks so often
# Version of marshal. Later versions also write the number of references, which changes.
NO_REFERENCES = 2
# Modules of safety/ that run on channel B only.
_OF_CHANNEL_B = ("mcu", "second", "second_image")


def kernel_modules() -> list[ModuleType]:
    """The modules of the kernel, and the modules that judge channel B."""
    return [
        importlib.import_module(f"safety.{module.name}")
        for module in pkgutil.iter_modules(safety.__path__)
        if module.name not in _OF_CHANNEL_B
    ]


def functions(modules: list[ModuleType]) -> Iterator[FunctionType]:
    """Every function of these modules and of their classes."""
    for module in modules:
        for holder in [module, *[var for var in vars(module).values() if isinstance(var, type)]]:
            for var in vars(holder).values():
                if isinstance(var, FunctionType) and var.__module__ == module.__name__:
                    yield var


def program_crc(function: FunctionType) -> int:
    """CRC-32 over a function's instructions and constants in memory."""
    return crc32(marshal.dumps(function.__code__, NO_REFERENCES))
