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
    """The library with the signatures that are used, or None when it is not installed."""
    name = ctypes.util.find_library("modbus")
    if name is None:
        return None
    library = ctypes.CDLL(name, use_errno=True)
    context, text = ctypes.c_void_p, ctypes.c_char
    for function, arguments in (
        ("modbus_set_slave", [context, ctypes.c_int]),
        ("modbus_connect", [context]),
        ("modbus_close", [context]),
        ("modbus_free", [context]),
        ("modbus_read_registers", [context, ctypes.c_int, ctypes.c_int, ctypes.c_void_p]),
    ):
        getattr(library, function).argtypes = arguments
    library.modbus_new_rtu.argtypes = [
        ctypes.c_char_p,
        ctypes.c_int,
        text,
        ctypes.c_int,
        ctypes.c_int,
    ]
    library.modbus_new_rtu.restype = context
    return library


class Client:
    """One open port, as a context; `read()` is one whole transaction: function 3."""

    def __init__(self, library, path, baud_Bd, unit_id, address, count):
        self._library = library
        self._values = (ctypes.c_uint16 * count)()
        self._place = ctypes.cast(self._values, ctypes.c_void_p)
        self._address, self._count = address, count
        self._context = library.modbus_new_rtu(path.encode(), baud_Bd, b"N", 8, 1)
        if not self._context:
            raise LibmodbusError("libmodbus: no context")
        self._must(library.modbus_set_slave(self._context, unit_id), "modbus_set_slave")

    def __enter__(self):
        self._must(self._library.modbus_connect(self._context), "modbus_connect")
        return self

    def __exit__(self, *_):
        self._library.modbus_close(self._context)
        self._library.modbus_free(self._context)

    def read(self):
        """Read the registers; they are in `values` afterwards. Raises LibmodbusError."""
        if (
            self._library.modbus_read_registers(
                self._context, self._address, self._count, self._place
            )
            < 0
        ):
            self._must(-1, "modbus_read_registers")

    @property
    def values(self):
        """Registers of the last read."""
        return list(self._values)

    def _must(self, result, what):
        if result < 0:
            raise LibmodbusError(f"libmodbus: {what}: {os.strerror(ctypes.get_errno())}")
