"""Calls libmodbus (Debian libmodbus5) by ctypes: the rival of the controller's RTU engine."""

import ctypes
import ctypes.util
import os
import select
from typing import Any

from hil.campaigns.benchmarks import rtu_slave, timing

NAME = "libmodbus"
MISSING = (
    "libmodbus is not installed, so there is nothing to compare with: apt-get install libmodbus5"
)


class LibmodbusError(RuntimeError):
    """libmodbus refused a call, or read wrong values. One line."""


def load() -> Any:
    """The library; None if it is not installed."""
    name = ctypes.util.find_library("modbus")
    if name is None:
        return None
    library = ctypes.CDLL(name, use_errno=True)
    library.modbus_new_rtu.restype = ctypes.c_void_p
    return library


class Client:
    """One open port. `read` does one whole transaction with the slave."""

    def __init__(self, library: Any, path: str, baud_Bd: int, gap_us: int) -> None:
        """gap_us: the silence before each transaction."""
        self._library, self._gap_us = library, gap_us
        self._values = (ctypes.c_uint16 * rtu_slave.COUNT)()
        context = library.modbus_new_rtu(path.encode(), baud_Bd, ctypes.c_char(b"N"), 8, 1)
        self._context = ctypes.c_void_p(context)
        self._read = library.modbus_read_registers
        self._reading = self._context, rtu_slave.ADDRESS, rtu_slave.COUNT, self._values
        _check("set_slave", library.modbus_set_slave(self._context, rtu_slave.UNIT_ID))
        _check("connect", library.modbus_connect(self._context))

    def close(self) -> None:
        """Close the port."""
        self._library.modbus_close(self._context)
        self._library.modbus_free(self._context)

    def read(self) -> tuple[int, int]:
        """Do one transaction after the silence. Returns (time of sending, duration) in ns."""
        select.select((), (), (), self._gap_us / 1e6)
        sent_ns = timing.now_ns()
        result = self._read(*self._reading)
        taken_ns = timing.now_ns() - sent_ns
        _check("read_registers", result)
        if tuple(self._values) != rtu_slave.VALUES:
            raise LibmodbusError("libmodbus returned values that the slave did not send")
        return sent_ns, taken_ns


def _check(name: str, result: int) -> None:
    if result < 0:
        raise LibmodbusError(f"libmodbus: {name}: {os.strerror(ctypes.get_errno())}")
