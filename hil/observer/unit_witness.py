"""Reads the frames on a converter's bus: writes to it, and the power that it reports."""

import struct
from collections.abc import Callable

from hil.observer import reported
from hil.observer.wiring import UnitWiring

STOPS = (0, 2)  # values of 715 OpCtl: stop, enter standby


class UnitWitness:
    """`setpoint_W`: the last set-point sent; `reported_W`: the last power, None before a reply."""

    def __init__(
        self, wiring: UnitWiring, scope: str, event: Callable[[int, str, str], None]
    ) -> None:
        """scope: the detail of each event begins with it; "" in a cabinet with one unit."""
        self.wiring, self.scope, self._event = wiring, scope, event
        self._power = reported.Power(wiring.place[1], wiring.power_address, wiring.power_scale_W)
        self.see = self._power.see
        self.forget()

    reported_W = property(lambda self: self._power.last_W)
    is_started = property(lambda self: self._operation not in (None, *STOPS))

    def forget(self) -> None:
        """Forget the last writes."""
        self.setpoint_W = 0
        self._operation: int | None = None
        if self.wiring.write_decoder is not None:
            self.wiring.write_decoder.forget()

    def request(self, time_us: int, frame: bytes) -> None:
        """Take a complete write to this converter."""
        address = frame[2] << 8 | frame[3]
        if frame[1] == 6:
            self.written(time_us, address, frame[4:6])
        elif frame[1] == 16:
            self.written(time_us, address, frame[7:-2])

    def written(self, time_us: int, address: int, data: bytes) -> None:
        """Take the data of a write whose first register is `address`."""
        if self.wiring.write_decoder is not None:
            return self._decode_write(time_us, address, data)
        offset = 2 * (self.wiring.wset_address - address)
        if 0 <= offset <= len(data) - 4:
            self._note_setpoint(time_us, struct.unpack_from(">i", data, offset)[0])
        offset = 2 * (self.wiring.opctl_address - address)
        if 0 <= offset <= len(data) - 2:
            operation = data[offset + 1]
            if operation != self._operation:
                self._operation = operation
                self._note(time_us, "pcs_stop_sent" if operation in STOPS else "pcs_start_sent")

    def _note_setpoint(self, time_us: int, setpoint_W: int) -> None:
        if setpoint_W == 0 != self.setpoint_W:
            self._note(time_us, "setpoint_zero_sent", f"from {self.setpoint_W} W")
        elif self.setpoint_W == 0 != setpoint_W:
            self._note(time_us, "setpoint_sent", f"{setpoint_W} W")
        self.setpoint_W = setpoint_W

    def _decode_write(self, time_us: int, address: int, data: bytes) -> None:
        decoder = self.wiring.write_decoder
        decoder.written(address, data)
        if decoder.power_W is not None:
            self._note_setpoint(time_us, round(decoder.power_W))
        is_started = bool(decoder.is_started if decoder.starts else self.setpoint_W)
        if self._operation is None or is_started != (self._operation == 1):
            self._operation = int(is_started)
            self._note(time_us, "pcs_start_sent" if is_started else "pcs_stop_sent")

    def _note(self, time_us: int, name: str, detail: str = "") -> None:
        self._event(time_us, name, " ".join(filter(None, (self.scope, detail))))
