"""From request to set-point: request -> caps -> ramp -> obligations -> limits, and the trace that
explains it.

A limit or a cap is two powers that may not be exceeded, one each way, neither below 0: the interval
contains 0 by construction, so intersecting in any order gives one that is never empty. An
obligation is an interval that may exclude 0; a higher rank is applied later and has the last word;
none beats a limit, and what it then lacks is its short_W. All powers are W at the AC terminals, > 0
discharges. The clamps act on the final sum, never on a part of it before a subtraction
(OpenEMS/openems issue 3573: -2 kW instead of +3 kW).
"""

from array import array

from controller.core import parameters, reasons
from controller.core.integers import within
from safety import signals

WIDE_W = signals.INT_MAX

# Ranks of obligations; a higher one is applied later.
PV_ABSORPTION, GRID_CAP_HINT, GRID_OPERATOR, GRID_CONNECTION = range(4)
RANKS = ("pv_absorption", "grid_cap_hint", "grid_operator", "grid_connection")

CHAIN_OUTPUTS = (
    "request_base_W",
    "request_base_reason",
    "request_fast_W",
    "request_fast_reason",
    "request_W",
    "caps_low_W",
    "caps_low_reason",
    "caps_high_W",
    "caps_high_reason",
    "after_caps_W",
    "caps_reason",
    "ramp_low_W",
    "ramp_high_W",
    "after_ramp_W",
    "ramp_reason",
    "obligation_W",
    "obligation_reason",
    "obligation_short_W",
    "obligation_short_reason",
    "limits_low_W",
    "limits_low_reason",
    "limits_high_W",
    "limits_high_reason",
    "setpoint_W",
    "limit_reason",
    "available_low_W",
    "available_high_W",
    "held_back_W",
    "binding_reason",
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
) = range(29)


class Bounds:
    """Intersection of caps or limits: an interval that contains 0, with the reason of each end."""

    __slots__ = ("low_W", "low_reason", "high_W", "high_reason")

    def __init__(self):
        self.clear()

    def clear(self):
        """No bound yet; each tick begins here."""
        self.low_W, self.high_W = -WIDE_W, WIDE_W
        self.low_reason = self.high_reason = reasons.NONE

    def narrow(self, charge_W_max, charge_reason, discharge_W_max, discharge_reason):
        """Both powers >= 0, W; below 0 counts as 0. Of equal bounds the lower reason code is
        named.
        """
        low_W = -charge_W_max if charge_W_max > 0 else 0
        if low_W > self.low_W or low_W == self.low_W and charge_reason < self.low_reason:
            self.low_W, self.low_reason = low_W, charge_reason
        high_W = discharge_W_max if discharge_W_max > 0 else 0
        if high_W < self.high_W or high_W == self.high_W and discharge_reason < self.high_reason:
            self.high_W, self.high_reason = high_W, discharge_reason


class Obligations:
    """One interval per rank, or none."""

    __slots__ = ("active", "low_W", "high_W", "low_reason", "high_reason", "ranks")

    def __init__(self):
        self.active = bytearray(len(RANKS))
        self.ranks = ()  # the active ones, lowest first
        self.low_W = array("i", [0] * len(RANKS))
        self.high_W = array("i", [0] * len(RANKS))
        self.low_reason = array("i", [reasons.NONE] * len(RANKS))
        self.high_reason = array("i", [reasons.NONE] * len(RANKS))

    def set(self, rank, low_W, low_reason, high_W, high_reason):
        """The battery must be within [low_W, high_W], W; low_W <= high_W; both may be on one side
        of 0.
        """
        if not self.active[rank]:
            self._mark(rank, 1)
        self.low_W[rank] = within(low_W, -WIDE_W, WIDE_W)
        self.high_W[rank] = within(high_W, -WIDE_W, WIDE_W)
        self.low_reason[rank], self.high_reason[rank] = low_reason, high_reason

    def drop(self, rank):
        """No obligation of this rank (also when it can no longer be known: charging is then
        forbidden by a limit).
        """
        if self.active[rank]:
            self._mark(rank, 0)

    def _mark(self, rank, active):
        self.active[rank] = active
        self.ranks = tuple([rank for rank in range(len(RANKS)) if self.active[rank]])

    def apply(self, value_W):
        """value_W after all obligations, lowest rank first."""
        for rank in self.ranks:
            value_W = within(value_W, self.low_W[rank], self.high_W[rank])
        return value_W

    def explain(self, value_W):
        """Reason of the last obligation that moves value_W, or NONE."""
        reason = reasons.NONE
        for rank in self.ranks:
            after_W = within(value_W, self.low_W[rank], self.high_W[rank])
            if after_W != value_W:
                reason = self.low_reason[rank] if after_W > value_W else self.high_reason[rank]
            value_W = after_W
        return reason

    def short(self, value_W):
        """(W missing, reason) of the highest rank that value_W does not meet; (0, NONE) when all
        are met.
        """
        for rank in reversed(self.ranks):
            if value_W < self.low_W[rank]:
                return min(self.low_W[rank] - value_W, WIDE_W), self.low_reason[rank]
            if value_W > self.high_W[rank]:
                return min(value_W - self.high_W[rank], WIDE_W), self.high_reason[rank]
        return 0, reasons.NONE


def connection(obligations, connection_ok, connection_W, image):
    """Set or drop the grid connection's obligation.

    connection_W: what the grid would import with the battery at 0, W (site_load). The battery must
    keep connection_W - battery within [-grid_export_W_max, grid_import_W_max]; rounded to whole
    quanta on the obeying side.
    """
    if not connection_ok:
        obligations.drop(GRID_CONNECTION)
        return
    oblige_grid(
        obligations,
        GRID_CONNECTION,
        connection_W,
        image[parameters.C_GRID_IMPORT_W_MAX],
        reasons.GRID_IMPORT,
        image[parameters.C_GRID_EXPORT_W_MAX],
        reasons.GRID_EXPORT,
        image[parameters.C_SETPOINT_QUANTUM_W],
    )


def oblige_grid(
    obligations,
    rank,
    connection_W,
    import_W_max,
    import_reason,
    export_W_max,
    export_reason,
    quantum_W,
):
    """Set the obligation of a rank that keeps the grid within [-export_W_max, import_W_max]; see
    `connection`.
    """
    low_W, high_W = connection_W - import_W_max, connection_W + export_W_max
    low_up_W, high_down_W = -(-low_W // quantum_W) * quantum_W, high_W // quantum_W * quantum_W
    if low_up_W > high_down_W:
        low_up_W, high_down_W = low_W, high_W
    obligations.set(rank, low_up_W, import_reason, high_down_W, export_reason)


class Chain:
    """`out` is the trace of the last step (CHAIN_OUTPUTS), `state` the set-point in force (both
    arrays of ints).
    """

    __slots__ = ("out", "state", "caps", "limits", "obligations", "_ramp_W")

    def __init__(self, image, tick_ms):
        """image: control image (controller.core.parameters order); tick_ms: length of a tick,
        ms.
        """
        self.out = array("i", [0] * len(CHAIN_OUTPUTS))
        self.state = array("i", [0])
        self.caps = Bounds()
        self.limits = Bounds()
        self.obligations = Obligations()
        self._ramp_W = max(1, image[parameters.C_SETPOINT_RAMP_W_PER_S] * tick_ms // 1000)

    def begin(self):
        """Clear caps and limits; obligations stay until set anew or dropped."""
        self.caps.clear()
        self.limits.clear()

    def available(self):
        """(low_W, high_W): what a request may reach this tick, after caps, obligations and limits,
        without the ramp.

        Written into `out` too: to be asked once a tick, between the last bound and `finish`.
        """
        caps, limits, out = self.caps, self.limits, self.out
        out[O_AVAILABLE_LOW_W] = within(
            self.obligations.apply(caps.low_W), limits.low_W, limits.high_W
        )
        out[O_AVAILABLE_HIGH_W] = within(
            self.obligations.apply(caps.high_W), limits.low_W, limits.high_W
        )
        return out[O_AVAILABLE_LOW_W], out[O_AVAILABLE_HIGH_W]

    def finish(self, base_W, base_reason, fast_W, fast_reason, elapsed_ticks):
        """Set-point, W, from base request + fast request; fills the rest of `out`."""
        out = self.out
        base_W, fast_W = within(base_W, -WIDE_W, WIDE_W), within(fast_W, -WIDE_W, WIDE_W)
        request_W = within(base_W + fast_W, -WIDE_W, WIDE_W)
        out[O_REQUEST_BASE_W], out[O_REQUEST_BASE_REASON] = base_W, base_reason
        out[O_REQUEST_FAST_W], out[O_REQUEST_FAST_REASON] = fast_W, fast_reason
        out[O_REQUEST_W] = request_W
        value_W = self._obliged(self._ramped(self._capped(request_W), elapsed_ticks))
        setpoint_W = self._limited(value_W)
        out[O_OBLIGATION_SHORT_W], out[O_OBLIGATION_SHORT_REASON] = self.obligations.short(
            setpoint_W
        )
        out[O_HELD_BACK_W] = within(request_W - setpoint_W, -WIDE_W, WIDE_W)
        out[O_BINDING_REASON] = (
            out[O_LIMIT_REASON]
            or out[O_OBLIGATION_REASON]
            or out[O_RAMP_REASON]
            or out[O_CAPS_REASON]
        )
        self.state[0] = setpoint_W
        return setpoint_W

    def _capped(self, value_W):
        out, caps = self.out, self.caps
        out[O_CAPS_LOW_W], out[O_CAPS_LOW_REASON] = caps.low_W, caps.low_reason
        out[O_CAPS_HIGH_W], out[O_CAPS_HIGH_REASON] = caps.high_W, caps.high_reason
        after_W = within(value_W, caps.low_W, caps.high_W)
        out[O_CAPS_REASON] = end_reason(value_W, after_W, caps)
        out[O_AFTER_CAPS_W] = after_W
        return after_W

    def _ramped(self, value_W, elapsed_ticks):
        out = self.out
        step_W = self._ramp_W * elapsed_ticks
        low_W = within(self.state[0] - step_W, -WIDE_W, WIDE_W)
        high_W = within(self.state[0] + step_W, -WIDE_W, WIDE_W)
        after_W = within(value_W, low_W, high_W)
        out[O_RAMP_LOW_W], out[O_RAMP_HIGH_W], out[O_AFTER_RAMP_W] = low_W, high_W, after_W
        out[O_RAMP_REASON] = reasons.NONE if after_W == value_W else reasons.SETPOINT_RAMP
        return after_W

    def _obliged(self, value_W):
        out = self.out
        after_W = self.obligations.apply(value_W)
        out[O_OBLIGATION_W] = after_W
        out[O_OBLIGATION_REASON] = (
            reasons.NONE if after_W == value_W else self.obligations.explain(value_W)
        )
        return after_W

    def _limited(self, value_W):
        out, limits = self.out, self.limits
        out[O_LIMITS_LOW_W], out[O_LIMITS_LOW_REASON] = limits.low_W, limits.low_reason
        out[O_LIMITS_HIGH_W], out[O_LIMITS_HIGH_REASON] = limits.high_W, limits.high_reason
        after_W = within(value_W, limits.low_W, limits.high_W)
        out[O_LIMIT_REASON] = end_reason(value_W, after_W, limits)
        out[O_SETPOINT_W] = after_W
        return after_W


def end_reason(before_W, after_W, bounds):
    """Reason of the end of `bounds` that moved the value, or NONE."""
    if after_W == before_W:
        return reasons.NONE
    return bounds.high_reason if after_W < before_W else bounds.low_reason
