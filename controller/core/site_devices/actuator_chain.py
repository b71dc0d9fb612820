"""The chain from request to value for one actuator of a site device.

The rules are those of the battery (../base/setpoint.py): caps contain the rest value 0, obligations
have a rank, and limits are applied last. Least on and off times are obligations. In an emergency
stop, or while the device is silent, a limit asks for 0, or an obligation of a higher rank holds the
value.
"""

from array import array

from controller.core.base import reasons
from controller.core.base.answers import WIDE_W, Limit, Obligation
from controller.core.base.setpoint import Chain
from controller.core.site_devices.records import HOLD, TO_REST, Actuator
from controller.core.site_devices.signals_view import DeviceView

EXCEPTION = (91, "emergency_stop_or_silence")
LEAST_TIME = (90, "least_time")
TICKS_MAX = 1_000_000_000

# value of the last tick; ticks since the value last rose or fell to 0
A_VALUE, A_TICKS = range(2)


class ActuatorChain:
    """`chain` has the trace; `state` is in the journal."""

    def __init__(self, view: DeviceView, actuator: Actuator, tick_ms: int):
        self.view, self.actuator = view, actuator
        self._feedback = view.bits[actuator.feedback]
        self._high = view.device.setting(actuator.high)
        names = "ramp_W_per_s", "on_s_min", "off_s_min"
        ramp, on_s, off_s = [view.settings.get(name, 0) for name in names]
        self.chain = Chain(max(1, ramp * tick_ms // 1000) if ramp else WIDE_W)
        self._on_ticks, self._off_ticks = -(-on_s * 1000 // tick_ms), -(-off_s * 1000 // tick_ms)
        self.state = array("i", [0, TICKS_MAX])

    @property
    def name(self) -> str:
        """Its name in `why`: "pv_1.limit_W"."""
        return f"{self.view.device.name}.{self.actuator.name}"

    @property
    def value(self) -> int:
        """Value of the last tick, 0 .. high."""
        return self.state[A_VALUE]

    def begin(self, is_estop: bool, elapsed_ticks: int) -> None:
        """Forget the answers of the previous tick and take the chain's own bounds."""
        chain = self.chain
        chain.begin()
        chain.take(Limit(0, reasons.NONE, self._high, reasons.DEVICE_RANGE))
        is_silent = not self.view.known & self._feedback
        if is_estop or is_silent:
            code, way = self._exception(is_estop, is_silent)
            if way == TO_REST:
                chain.take(Limit(0, code, 0, code))
                return
            if way == HOLD:
                chain.take(Obligation(EXCEPTION, self.value, code, self.value, code))
                return
        value, ticks = self.state[A_VALUE], self.state[A_TICKS] + elapsed_ticks
        code = reasons.LEAST_TIME
        if value and ticks < self._on_ticks:
            chain.take(Obligation(LEAST_TIME, value, code, WIDE_W, code))
        if not value and ticks < self._off_ticks:
            chain.take(Obligation(LEAST_TIME, 0, code, 0, code))

    def _exception(self, is_estop: bool, is_silent: bool) -> tuple[int, int]:
        """(reason, way) at an emergency stop, or while the feedback is unknown. TO_REST wins."""
        at_estop, at_silence = self.actuator.estop, self.actuator.silent
        if is_estop and (not is_silent or at_estop == TO_REST or at_silence == HOLD):
            return reasons.DEVICE_ESTOP, at_estop
        return reasons.DEVICE_SILENT, at_silence

    def finish(self, elapsed_ticks: int) -> int:
        """The value of this tick, 0 .. high."""
        before, ticks = self.state
        self.chain.available()
        value = self.chain.finish(elapsed_ticks)
        is_change = value > before or before and not value
        passed = 0 if is_change else min(ticks + elapsed_ticks, TICKS_MAX)
        self.state[A_VALUE], self.state[A_TICKS] = value, passed
        return value
