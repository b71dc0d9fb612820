"""The program of the kernel as it lies in memory, for the self-test (row 44), and how often each
part is looked at.
"""

import importlib
import marshal
from zlib import crc32

SECOND_US = 1_000_000
CLOCK_WINDOW_US = 5_000_000
# marshal version: later ones write how often an object is referred to, which changes
NO_REFERENCES = 2
# The kernel, and what judges the second channel here.
_PARTS = (
    "safety.ages",
    "safety.bounds",
    "safety.channel",
    "safety.contactors",
    "safety.crc",
    "safety.evaluate",
    "safety.evidence",
    "safety.features",
    "safety.fire",
    "safety.gas",
    "safety.heating",
    "safety.kernel",
    "safety.latches",
    "safety.matrix",
    "safety.parameters",
    "safety.peer",
    "safety.permit",
    "safety.racks",
    "safety.runaway",
    "safety.signals",
)


def kernel_modules():
    """The modules that the kernel is made of, itself among them."""
    return [importlib.import_module(name) for name in _PARTS]


def functions(modules):
    """Every function of these modules and of their classes."""
    for module in modules:
        for holder in [module, *[each for each in vars(module).values() if isinstance(each, type)]]:
            for each in vars(holder).values():
                if getattr(each, "__module__", None) == module.__name__ and hasattr(
                    each, "__code__"
                ):
                    yield each


def program_crc(function):
    """CRC-32 over a function's instructions and constants, as they are in memory now."""
    return crc32(marshal.dumps(function.__code__, NO_REFERENCES))
