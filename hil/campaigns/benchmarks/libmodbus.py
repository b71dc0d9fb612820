"""The rival of the RTU engine: libmodbus (Debian libmodbus5) through ctypes, so that no compiler is
needed.
"""

import ctypes
import ctypes.util
import os

NAME = "libmodbus"
MISSING = (
    "libmodbus is not installed, so there is nothing to compare with: apt-get install libmodbus5"
)


class LibmodbusError(OSError):
    """libmodbus refused something; one line."""


def load():
    """The library, or None when it is not installed."""
    name = ctypes.util.find_library("modbus")
    if name is None:
        return None
    library = ctypes.CDLL(name, use_errno=True)
    library.modbus_new_rtu.restype = ctypes.c_void_p
    return library


class Client:
    """One open port, as a context; `read()` is one whole transaction: function 3."""

    def __init__(self, library, path, baud_Bd, unit_id, address, count):
        self._library = library
        self.values = (ctypes.c_uint16 * count)()  # registers of the last read
        context = library.modbus_new_rtu(path.encode(), baud_Bd, ctypes.c_char(b"N"), 8, 1)
        self._context = ctypes.c_void_p(context)
        self._reading = self._context, address, count, self.values
        self._must("set_slave", self._context, unit_id)

    def __enter__(self):
        self._must("connect", self._context)
        return self

    def __exit__(self, *_):
        self._library.modbus_close(self._context)
        self._library.modbus_free(self._context)

    def read(self):
        """Read the registers into `values`. Raises LibmodbusError."""
        if self._library.modbus_read_registers(*self._reading) < 0:
            self._refused("read_registers")

    def _must(self, name, *arguments):
        if getattr(self._library, f"modbus_{name}")(*arguments) < 0:
            self._refused(name)

    def _refused(self, name):
        raise LibmodbusError(f"libmodbus: {name}: {os.strerror(ctypes.get_errno())}")
