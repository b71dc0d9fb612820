"""A CAN bus that never blocks: bounded reading, honest sending, error frames and interface loss as
state and counters.

Works over any python-can bus. Never `recv` with a time-out, `send_periodic` or `Notifier`
(threads): recv(0) and send without time-out only. python-can's own filters stay off: recv(0)
returns None when it filtered the first waiting frame. SocketCAN: the installer sets `restart-ms
100` (else one bus-off is for ever) and `txqueuelen 100`.
"""

import errno
import os

import can

EXTENDED = 0x8000_0000  # added to a 29-bit id, as SocketCAN does
ACTIVE, WARNING, PASSIVE, BUS_OFF, DOWN = range(5)  # `state`
STATES = ("active", "warning", "passive", "bus-off", "down")
# sends in a row into a full queue: nobody acknowledges (wiring, termination, bit rate)
UNACKNOWLEDGED_AFTER = 10
RETRY_US, RETRY_US_MAX = 200_000, 5_000_000

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
    """The bus cannot be opened; the message is one line: interface, channel, reason."""


class CanPort:
    """One CAN bus. `ids` are the accepted ids (None: all), others are counted as foreign.

    Counters since start: received, foreign, error_frames, bus_offs, sent, full (queue full), losses
    (interface gone). `reopen()` returns a new bus without blocking; None when the interface cannot
    be opened again in the loop.
    """

    def __init__(self, bus, ids: list | None = None, reopen=None):
        self.state = ACTIVE
        self.error = ""
        self.received = self.foreign = self.error_frames = self.bus_offs = self.losses = 0
        self.sent = self.full = 0
        self._ids = None if ids is None else frozenset(ids)
        self._reopen = reopen
        self._full_run = 0
        self._retry_us = 0
        self._wait_us = RETRY_US
        self._use(bus)

    def _use(self, bus):
        self._bus = bus
        self._filtered = bool(getattr(bus, "filters", None))

    def accept(self, ids):
        """Take only these ids from now on (29-bit ids with EXTENDED added)."""
        self._ids = frozenset(ids)

    @property
    def acknowledged_ok(self) -> bool:
        """False when the send queue has been full so often that no other node can be listening."""
        return self._full_run < UNACKNOWLEDGED_AFTER

    def fileno(self) -> int:
        """Descriptor to wait for, -1 when the interface has none (then drain() every turn)."""
        try:
            return self._bus.fileno()
        except (AttributeError, NotImplementedError):
            return -1

    def drain(self, limit: int = 64) -> list:
        """Up to `limit` waiting frames as (can_id, data) in order of arrival. Never blocks nor
        raises for the bus.
        """
        frames = []
        recv = self._bus.recv
        try:
            for _ in range(limit):
                message = recv(0)
                if message is not None:
                    self._take(message, frames)
                elif not self._filtered:
                    break
        except (can.CanError, OSError) as failure:
            self._lose(failure)
        return frames

    def _take(self, message, frames):
        if message.is_error_frame:
            return self._note_error(message)
        if self.state >= BUS_OFF:  # a frame came through: the bus works again
            self.state = ACTIVE
            self.error = ""
        can_id = message.arbitration_id
        if message.is_extended_id:
            can_id |= EXTENDED
        if message.is_remote_frame or (self._ids is not None and can_id not in self._ids):
            self.foreign += 1
        else:
            self.received += 1
            frames.append((can_id, bytes(message.data)))

    def _note_error(self, message):
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
        """Hand one frame to the interface. False: not taken (queue full, interface gone); the
        caller may try again.
        """
        message = can.Message(
            arbitration_id=can_id & ~EXTENDED, is_extended_id=can_id >= EXTENDED, data=data
        )
        try:
            self._bus.send(message)
        except (can.CanError, OSError) as failure:
            if _number(failure) == errno.ENOBUFS:
                self.full += 1
                self._full_run += 1
            else:
                self._lose(failure)
            return False
        if self.state == DOWN:
            self.state, self.error = ACTIVE, ""
        self.sent += 1
        self._full_run = 0
        return True

    def service(self, now_us: int) -> bool:
        """Open a lost interface again, waiting longer after each failure. Returns True unless it is
        down.
        """
        if self.state != DOWN:
            return True
        if self._reopen is None or now_us < self._retry_us:
            return False
        try:
            self._bus.shutdown()
            self._use(self._reopen())
        except (CanPortError, can.CanError, OSError) as failure:
            self.error = str(failure)
            self._retry_us = now_us + self._wait_us
            self._wait_us = min(2 * self._wait_us, RETRY_US_MAX)
            return False
        self._wait_us = RETRY_US
        self.state, self.error = ACTIVE, ""
        return True

    def close(self) -> None:
        """Give the interface back."""
        self._bus.shutdown()

    def _lose(self, failure):
        if self.state != DOWN:
            self.losses += 1
        self.state = DOWN
        self.error = _reason(failure)


def _number(failure):
    """Errno of a failure; python-can's own "Transmit buffer full" has none and means ENOBUFS."""
    if "buffer full" in str(failure):
        return errno.ENOBUFS
    return getattr(failure, "error_code", None) or getattr(failure, "errno", None)


def _reason(failure):
    number = _number(failure)
    return _REASONS.get(number) or (
        os.strerror(number) if number else " ".join(str(failure).split())
    )


def open_can(interface: str, channel: str, bitrate: int, **settings):
    """CanPort on a python-can interface ("socketcan", "socketcand", "virtual", ...). CanPortError
    in one line.

    SocketCAN takes its bit rate from the installer (ip link), others from `bitrate` in bit/s. Only
    SocketCAN is opened again after a loss: opening it does not block, a TCP interface may for 10 s.
    """

    def open_bus():
        try:
            return can.Bus(interface=interface, channel=channel, bitrate=bitrate, **settings)
        except (
            can.CanError,
            OSError,
            ValueError,
            TypeError,
        ) as failure:  # TypeError: a setting is missing
            raise CanPortError(f"CAN {channel} ({interface}): {_reason(failure)}") from failure

    return CanPort(open_bus(), reopen=open_bus if interface == "socketcan" else None)
