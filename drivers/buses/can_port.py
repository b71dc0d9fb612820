"""Reads and writes a CAN bus, and never blocks.

It reads a bounded number of frames. Error frames and the loss of the interface change its state. It
uses only recv(0) and send without a time-out of a python-can bus, because `send_periodic` and
`Notifier` start threads. The filters of python-can stay off: with them recv(0) returns None when it
drops the first waiting frame. The installer sets `restart-ms 100`, without which a bus-off lasts
for ever, and `txqueuelen 100`.
"""

import errno
import os
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Protocol

import can

from drivers.buses.retry import Retry

EXTENDED = 0x8000_0000  # added to a 29-bit id, as SocketCAN does
ACTIVE, WARNING, PASSIVE, BUS_OFF, DOWN = range(5)  # `state`

# linux/can/error.h: class bits in the id of an error frame, controller bits in its data[1]
ERROR_CONTROLLER, ERROR_BUS_OFF, ERROR_RESTARTED = 0x004, 0x040, 0x100
CONTROLLER_WARNING, CONTROLLER_PASSIVE, CONTROLLER_ACTIVE = 0x0C, 0x30, 0x40

_REASONS = {
    errno.ENODEV: "no such interface: plug the adapter in or correct the channel",
    errno.ENETDOWN: "the interface is down: ip link set CHANNEL up type can bitrate N restart-ms "
    "100",
    errno.EAFNOSUPPORT: "this kernel has no CAN (module can_raw)",
    errno.EPERM: "not permitted",
}


class CanPortError(Exception):
    """The bus cannot be opened. One line: interface, channel, reason. `number`: errno or None."""

    number: int | None = None


class Bus(Protocol):
    """The part of a python-can bus that a CanPort uses."""

    def recv(self, timeout: float | None = None) -> can.Message | None:
        """The next waiting frame, or None."""

    def send(self, msg: can.Message, timeout: float | None = None) -> None:
        """Hand a frame to the interface."""

    def fileno(self) -> int:
        """File descriptor to wait for. Some buses raise NotImplementedError or lack this method."""

    def shutdown(self) -> None:
        """Close the interface."""


class CanPort:
    """One CAN bus.

    reopen() returns a new bus without blocking; None: the loop cannot reopen the bus. full: number
    of frames that the interface did not take. losses: how often the interface was lost.
    """

    def __init__(self, bus: Bus, reopen: Callable[[], Bus] | None = None):
        self.state, self.error = ACTIVE, ""
        self.received = self.foreign = self.error_frames = self.bus_offs = self.losses = 0
        self.sent = self.full = 0
        self._accepted_ids: frozenset[int] | None = None  # the accepted ids; None: all
        self._bus, self._reopen = bus, reopen
        self._retry = Retry()

    def accept(self, ids: Iterable[int]) -> None:
        """Accept only these ids from now on; other frames count as foreign.

        A 29-bit id has EXTENDED added.
        """
        self._accepted_ids = frozenset(ids)

    def fileno(self) -> int:
        """File descriptor to wait for; -1 if there is none: then call drain() in each turn."""
        try:
            return self._bus.fileno()
        except (AttributeError, NotImplementedError):
            return -1

    def drain(self, limit: int = 64) -> list[tuple[int, bytes]]:
        """Waiting frames as (can_id, data), at most `limit`. A failure changes `state` only."""
        frames: list[tuple[int, bytes]] = []
        recv = self._bus.recv
        try:
            for _ in range(limit):
                message = recv(0)
                if message is None:
                    break
                self._sort(message, frames)
        except (can.CanError, OSError) as failure:
            self._lose(failure)
        return frames

    def _sort(self, message: can.Message, frames: list[tuple[int, bytes]]) -> None:
        if message.is_error_frame:
            return self._note_error(message)
        if self.state >= BUS_OFF:  # a received frame shows that the bus works again
            self.state, self.error = ACTIVE, ""
        can_id = message.arbitration_id | EXTENDED * message.is_extended_id
        if message.is_remote_frame or (
            self._accepted_ids is not None and can_id not in self._accepted_ids
        ):
            self.foreign += 1
        else:
            self.received += 1
            frames.append((can_id, bytes(message.data)))

    def _note_error(self, message: can.Message) -> None:
        self.error_frames += 1
        kind = message.arbitration_id
        controller = message.data[1] if kind & ERROR_CONTROLLER and len(message.data) > 1 else 0
        if kind & ERROR_BUS_OFF:
            self.bus_offs += 1
            self.state = BUS_OFF
        elif kind & ERROR_RESTARTED or controller & CONTROLLER_ACTIVE:
            self.state = ACTIVE
        elif controller & CONTROLLER_PASSIVE:
            self.state = PASSIVE
        elif controller & CONTROLLER_WARNING:
            self.state = WARNING
        if self.state != DOWN:
            self.error = ""

    def send(self, can_id: int, data: bytes) -> bool:
        """Pass one frame to the interface. False if its queue is full or the interface is lost."""
        plain, is_long = can_id & ~EXTENDED, can_id >= EXTENDED
        message = can.Message(arbitration_id=plain, is_extended_id=is_long, data=data)
        try:
            self._bus.send(message)
        except (can.CanError, OSError) as failure:
            if _number(failure) == errno.ENOBUFS:
                self.full += 1
            else:
                self._lose(failure)
            return False
        if self.state == DOWN:
            self.state, self.error = ACTIVE, ""
        self.sent += 1
        return True

    def service(self, now_us: int) -> bool:
        """Reopen a lost interface, with pauses that grow. False while the interface is down."""
        if self.state != DOWN:
            return True
        if self._reopen is None or now_us < self._retry.due_us:
            return False
        try:
            self._bus.shutdown()
            self._bus = self._reopen()
        except (CanPortError, can.CanError, OSError) as failure:
            self.error = str(failure)
            self._retry.failed(now_us)
            return False
        self._retry.worked()
        self.state, self.error = ACTIVE, ""
        return True

    def close(self) -> None:
        """Close the interface."""
        self._bus.shutdown()

    def _lose(self, failure: Exception) -> None:
        if self.state != DOWN:
            self.losses += 1
        self.state = DOWN
        self.error = _reason(failure)


def _number(failure: Exception) -> int | None:
    """Errno of a failure. python-can gives none for "Transmit buffer full", which is ENOBUFS."""
    if "buffer full" in str(failure):
        return errno.ENOBUFS
    return getattr(failure, "error_code", None) or getattr(failure, "errno", None)


def _reason(failure: Exception) -> str:
    number = _number(failure)
    if not number:
        return " ".join(str(failure).split())
    return _REASONS.get(number) or os.strerror(number)


def open_can(interface: str, channel: str, bitrate: int, **settings: Any) -> CanPort:
    """A CanPort on a python-can interface. Raises CanPortError.

    The installer sets the bit rate of SocketCAN. Only SocketCAN is reopened, because a TCP
    interface may block for 10 s. If the kernel or the service unit does not allow CAN, the port
    starts in the state DOWN: its racks are silent, and the pages show the reason.
    """
    opened = partial(open_bus, interface, channel, bitrate, **settings)
    try:
        return CanPort(opened(), reopen=opened if interface == "socketcan" else None)
    except CanPortError as failure:
        if failure.number != errno.EAFNOSUPPORT or interface != "socketcan":
            raise
        port = CanPort(_NoBus(), reopen=opened)
        port.state, port.error = DOWN, str(failure)
        return port


class _NoBus:
    """A bus on a machine without CAN."""

    def recv(self, *arguments: object, **more: object) -> None:
        raise OSError(errno.EAFNOSUPPORT, "")

    send = recv

    def fileno(self) -> int:
        return -1

    def shutdown(self) -> None:
        return None


def open_bus(interface: str, channel: str, bitrate: int, **settings: Any) -> can.BusABC:
    """A bus of python-can. Raises CanPortError.

    Configuration files and environment variables are ignored. Reading them leaves 6 kB in reference
    cycles at each open, and the loop has no garbage collector.
    """
    try:
        return can.Bus(
            interface=interface, channel=channel, bitrate=bitrate, ignore_config=True, **settings
        )
    # NotImplementedError: no such interface; TypeError: a setting is missing
    except (can.CanError, OSError, ValueError, TypeError, NotImplementedError) as failure:
        error = CanPortError(f"CAN {channel} ({interface}): {_reason(failure)}")
        error.number = _number(failure)
        raise error from failure
