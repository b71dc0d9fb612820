"""The chain of a set-point: request -> caps -> ramp -> obligations -> limits, with its trace.

All powers are W at the AC terminals, > 0 discharges. The parts of a request are added before the
sum is clamped: a part that was clamped first gave -2 kW instead of +3 kW (OpenEMS/openems issue
3573). An obligation is short of power if limits withhold it, or if the grid meter differs from its
prediction (meter_off_W in policies/found.py). Then a converter gives less than its set-point, or
the prediction is wrong.
"""

from array import array

from controller.core.base import answers, reasons
from controller.core.base.answers import NO_REQUEST, WIDE_W, Answer, Obligations, PowerInterval
from controller.core.base.integers import within

# Words of the trace, in the order of the steps.
CHAIN_OUTPUTS = (
    *"request_base_W request_base_reason request_fast_W request_fast_reason request_W".split(),
    *"caps_low_W caps_low_reason caps_high_W caps_high_reason after_caps_W caps_reason".split(),
    *"ramp_low_W ramp_high_W after_ramp_W ramp_reason".split(),
    *"obligation_W obligation_reason obligation_short_W obligation_short_reason".split(),
    *"limits_low_W limits_low_reason limits_high_W limits_high_reason".split(),
    *"setpoint_W limit_reason available_low_W available_high_W held_back_W binding_reason".split(),
)
(
    O_REQUEST_BASE_W,
    O_REQUEST_BASE_REASON,
    O_REQUEST_FAST_W,
    O_REQUEST_FAST_REASON,
    O_REQUEST_W,
    O_CAPS_LOW_W,
    O_CAPS_LOW_REASON,
    O_CAPS_HIGH_W,
    O_CAPS_HIGH_REASON,
    O_AFTER_CAPS_W,
    O_CAPS_REASON,
    O_RAMP_LOW_W,
    O_RAMP_HIGH_W,
    O_AFTER_RAMP_W,
    O_RAMP_REASON,
    O_OBLIGATION_W,
    O_OBLIGATION_REASON,
    O_OBLIGATION_SHORT_W,
    O_OBLIGATION_SHORT_REASON,
    O_LIMITS_LOW_W,
    O_LIMITS_LOW_REASON,
    O_LIMITS_HIGH_W,
    O_LIMITS_HIGH_REASON,
    O_SETPOINT_W,
    O_LIMIT_REASON,
    O_AVAILABLE_LOW_W,
    O_AVAILABLE_HIGH_W,
    O_HELD_BACK_W,
    O_BINDING_REASON,
) = range(len(CHAIN_OUTPUTS))


class Chain:
    """`out`: the trace of the last step (CHAIN_OUTPUTS); `state`: the set-point in force, and the
    part of it that an obligation added.
    """

    def __init__(self, ramp_W: int):
        """ramp_W: largest change of the set-point from one tick to the next, W."""
        self.out = array("i", [0] * len(CHAIN_OUTPUTS))
        self.state = array("i", [0, 0])
        self.caps = PowerInterval()
        self.limits = PowerInterval()
        self.obligations = Obligations()
        self.answers: list[Answer] = []
        self.meter_off_W = 0
        self._ramp_W = ramp_W
        self.begin()

    def begin(self) -> None:
        """Forget the answers of the previous tick."""
        self.caps.clear()
        self.limits.clear()
        self.obligations.clear()
        self.answers.clear()
        self.base = self.fast = NO_REQUEST

    def take(self, answer: Answer) -> None:
        """Enter one answer of a control function, or a limit of the kernel."""
        self.answers.append(answer)
        if isinstance(answer, answers.Cap):
            (self.limits if isinstance(answer, answers.Limit) else self.caps).narrow(*answer)
        elif isinstance(answer, answers.Obligation):
            self.obligations.add(answer)
        elif isinstance(answer, answers.FastRequest):
            self.fast = answer if self.fast is NO_REQUEST else answers.combined(self.fast, answer)
        else:
            self.base = answer

    def available(self) -> tuple[int, int]:
        """(low_W, high_W): range that a request may reach this tick, after caps, obligations and
        limits, without the ramp and without the power that an obligation adds.

        The range is also written into `out`. Call it once a tick, after the last cap, obligation
        and limit.
        """
        caps, limits, apply = self.caps, self.limits, self.obligations.apply
        low_W = within(apply(caps.low_W)[0], limits.low_W, limits.high_W)
        high_W = within(apply(caps.high_W)[0], limits.low_W, limits.high_W)
        self.out[O_AVAILABLE_LOW_W], self.out[O_AVAILABLE_HIGH_W] = low_W, high_W
        return low_W, high_W

    def show_measured(self, battery_W: int) -> None:
        """Show in `out` that no more power is available than is measured, when a converter limits
        itself below its set-point. Control keeps its own range. Otherwise a converter that gave
        less for a moment would not be asked for more again.
        """
        out = self.out
        if out[O_SETPOINT_W] > 0:
            out[O_AVAILABLE_HIGH_W] = within(battery_W, 0, out[O_AVAILABLE_HIGH_W])
        else:
            out[O_AVAILABLE_LOW_W] = within(battery_W, out[O_AVAILABLE_LOW_W], 0)

    def finish(self, elapsed_ticks: int) -> int:
        """Return the set-point, W, for base and fast request, and fill the rest of `out`."""
        out = self.out
        (base_W, base_reason), (fast_W, fast_reason) = self.base, self.fast
        base_W, fast_W = within(base_W, -WIDE_W, WIDE_W), within(fast_W, -WIDE_W, WIDE_W)
        request_W = within(base_W + fast_W, -WIDE_W, WIDE_W)
        out[O_REQUEST_BASE_W], out[O_REQUEST_BASE_REASON] = base_W, base_reason
        out[O_REQUEST_FAST_W], out[O_REQUEST_FAST_REASON] = fast_W, fast_reason
        out[O_REQUEST_W] = request_W
        capped_W = self._bounded(request_W, self.caps, O_CAPS_LOW_W, O_AFTER_CAPS_W, O_CAPS_REASON)
        ramped_W = self._ramped(capped_W, elapsed_ticks)
        obliged_W, reason = self.obligations.apply(ramped_W, with_added=True)
        out[O_OBLIGATION_W] = obliged_W
        out[O_OBLIGATION_REASON] = reasons.NONE if obliged_W == ramped_W else reason
        limits = self.limits
        setpoint_W = self._bounded(obliged_W, limits, O_LIMITS_LOW_W, O_SETPOINT_W, O_LIMIT_REASON)
        without_added_W = setpoint_W
        if self.obligations.adds_W:
            plain_W, _ = self.obligations.apply(ramped_W)
            without_added_W = within(plain_W, limits.low_W, limits.high_W)
        shown_W = within(setpoint_W - self.meter_off_W, -WIDE_W, WIDE_W)
        short_W, short_reason = self.obligations.shortfall(shown_W)
        out[O_OBLIGATION_SHORT_W], out[O_OBLIGATION_SHORT_REASON] = short_W, short_reason
        out[O_HELD_BACK_W] = within(request_W - without_added_W, -WIDE_W, WIDE_W)
        last_reason = out[O_LIMIT_REASON] or out[O_OBLIGATION_REASON]
        out[O_BINDING_REASON] = last_reason or out[O_RAMP_REASON] or out[O_CAPS_REASON]
        self.state[0], self.state[1] = setpoint_W, setpoint_W - without_added_W
        return setpoint_W

    def _bounded(
        self, before_W: int, bounds: PowerInterval, first_at: int, after_at: int, reason_at: int
    ) -> int:
        """The bounded power. Three places in `out` get a trace: both bounds with their reasons
        from first_at on, the bounded power, and the reason for its change.
        """
        out = self.out
        out[first_at], out[first_at + 1] = bounds.low_W, bounds.low_reason
        out[first_at + 2], out[first_at + 3] = bounds.high_W, bounds.high_reason
        out[after_at] = after_W = within(before_W, bounds.low_W, bounds.high_W)
        out[reason_at] = end_reason(before_W, after_W, bounds)
        return after_W

    def _ramped(self, value_W: int, elapsed_ticks: int) -> int:
        out = self.out
        step_W = self._ramp_W * elapsed_ticks
        before_W = self.state[0] - self.state[1]
        low_W = within(before_W - step_W, -WIDE_W, WIDE_W)
        high_W = within(before_W + step_W, -WIDE_W, WIDE_W)
        after_W = within(value_W, low_W, high_W)
        out[O_RAMP_LOW_W], out[O_RAMP_HIGH_W], out[O_AFTER_RAMP_W] = low_W, high_W, after_W
        out[O_RAMP_REASON] = reasons.NONE if after_W == value_W else reasons.SETPOINT_RAMP
        return after_W


def end_reason(before_W: int, after_W: int, bounds: PowerInterval) -> int:
    """Reason of the lower or upper end of `bounds` that changed the value, or NONE."""
    if after_W == before_W:
        return reasons.NONE
    return bounds.high_reason if after_W < before_W else bounds.low_reason
