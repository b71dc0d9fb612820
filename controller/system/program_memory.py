"""The program of the kernel as it lies in memory, for the self-test (row 44), and how often each
part is looked at.
"""

import importlib
import marshal
import pkgutil
from zlib import crc32

import safety

SECOND_US = 1_000_000
CLOCK_WINDOW_US = 5_000_000
# marshal version: later ones write how often an object is referred to, which changes
NO_REFERENCES = 2
# Of safety/ only these do not run here: they are channel B's.
_OF_CHANNEL_B = ("mcu", "second", "second_image")


def kernel_modules() -> list:
    """The modules of the kernel, and those that judge channel B."""
    return [
        importlib.import_module(f"safety.{module.name}")
        for module in pkgutil.iter_modules(safety.__path__)
        if module.name not in _OF_CHANNEL_B
    ]


def functions(modules: list):
    """Every function of these modules and of their classes."""
    for module in modules:
        for holder in [module, *[each for each in vars(module).values() if isinstance(each, type)]]:
            for each in vars(holder).values():
                if getattr(each, "__module__", None) == module.__name__ and hasattr(
                    each, "__code__"
                ):
                    yield each


def program_crc(function) -> int:
    """CRC-32 over a function's instructions and constants, as they are in memory now."""
    return crc32(marshal.dumps(function.__code__, NO_REFERENCES))
