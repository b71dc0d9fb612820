"""The answers of a control function (cap, limit, obligation, request), and how they combine.

A limit or a cap has a largest power for charge and one for discharge, both >= 0. So its interval
contains 0, and such intervals intersect in any order without becoming empty. An obligation is an
interval that may exclude 0. The obligation of the highest rank is applied last, so it beats the
others. A limit beats every obligation. All powers are W at the AC terminals, > 0 discharges.
"""

from typing import NamedTuple

from controller.core.base import reasons
from controller.core.base.integers import within
from safety import signals

WIDE_W = signals.INT_MAX


class PowerInterval:
    """Intersection of caps or limits: an interval that contains 0, with the reason of each end."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Remove all bounds at the start of a tick."""
        self.low_W, self.high_W = -WIDE_W, WIDE_W
        self.low_reason = self.high_reason = reasons.NONE

    def narrow(
        self, charge_W_max: int, charge_reason: int, discharge_W_max: int, discharge_reason: int
    ) -> None:
        """Narrow both ends to these powers, W; a power below 0 counts as 0. If two bounds are
        equal, the lower reason code is kept.
        """
        low_W = -charge_W_max if charge_W_max > 0 else 0
        if low_W > self.low_W or low_W == self.low_W and charge_reason < self.low_reason:
            self.low_W, self.low_reason = low_W, charge_reason
        high_W = discharge_W_max if discharge_W_max > 0 else 0
        if high_W < self.high_W or high_W == self.high_W and discharge_reason < self.high_reason:
            self.high_W, self.high_reason = high_W, discharge_reason


class Obligations:
    """The obligations of this tick, at most one per rank. `standing`: lowest rank first."""

    def __init__(self) -> None:
        self.standing: list[Obligation] = []
        self.adds_W = 0  # power that they add together

    def clear(self) -> None:
        """Remove all obligations at the start of a tick."""
        self.standing.clear()
        self.adds_W = 0

    def add(self, obligation: "Obligation") -> None:
        """Add an obligation with a rank that no other obligation has."""
        self.standing.append(obligation)
        self.adds_W += obligation.adds_W
        self.standing.sort()

    def steps(self, power_W: int) -> list[tuple["Obligation", int]]:
        """[(obligation, power_W after it)], applied in turn from the lowest rank on."""
        applied = []
        for obligation in self.standing:
            power_W = within(power_W + obligation.adds_W, obligation.low_W, obligation.high_W)
            applied.append((obligation, power_W))
        return applied

    def apply(self, power_W: int, with_added: bool = False) -> tuple[int, int]:
        """(power_W after all obligations, reason of the last one that changed it or NONE).
        with_added: include the power that obligations add.
        """
        reason = reasons.NONE
        for obligation in self.standing:
            after_W = within(power_W + obligation.adds_W, obligation.low_W, obligation.high_W)
            after_W -= 0 if with_added else obligation.adds_W
            if after_W != power_W:
                reason = obligation.low_reason if after_W > power_W else obligation.high_reason
            power_W = after_W
        return power_W, reason

    def shortfall(self, power_W: int) -> tuple[int, int]:
        """(W missing, reason) of the unmet obligation of the highest rank; (0, NONE) if all are
        met.
        """
        for obligation in reversed(self.standing):
            if power_W < obligation.low_W:
                return min(obligation.low_W - power_W, WIDE_W), obligation.low_reason
            if power_W > obligation.high_W:
                return min(power_W - obligation.high_W, WIDE_W), obligation.high_reason
        return 0, reasons.NONE


class Cap(NamedTuple):
    """A cap narrows requests. Its powers for charge and for discharge are W >= 0."""

    charge_W_max: int
    charge_reason: int
    discharge_W_max: int
    discharge_reason: int


class Limit(Cap):
    """A limit narrows everything, obligations too."""

    __slots__ = ()


class Obligation(NamedTuple):
    """The battery power plus adds_W must be within [low_W, high_W]. rank: (order, name)."""

    rank: tuple[int, str]
    low_W: int
    low_reason: int
    high_W: int
    high_reason: int
    adds_W: int = 0


class BaseRequest(NamedTuple):
    """The slow part of the request: from an operator, a hint or the schedule."""

    power_W: int
    reason: int


NO_REQUEST = BaseRequest(0, reasons.NONE)


class FastRequest(BaseRequest):
    """A fast part of the request, from load tracking or the PV ramp limit. The chain adds all fast
    parts to the base request, and the reason is that of the largest part.
    """

    __slots__ = ()


def combined(first: BaseRequest, second: BaseRequest) -> FastRequest:
    """The sum of two requests, with the reason of the larger one."""
    larger = first if abs(first.power_W) > abs(second.power_W) else second
    return FastRequest(first.power_W + second.power_W, larger.reason)


class ForDevice(NamedTuple):
    """Answer for one actuator of a site device. `actuator` is its place in Control.actuators. Every
    other answer is for the battery.
    """

    actuator: int
    answer: "Cap | Obligation | BaseRequest"


Answer = Cap | Obligation | BaseRequest


def grid_obligation(
    rank: tuple[int, str],
    connection_W: int,
    imported: tuple[int, int],
    exported: tuple[int, int],
    quantum_W: int,
) -> Obligation:
    """Obligation that keeps the grid within [-export_W_max, import_W_max].

    connection_W: power that the grid would import with the battery at 0; imported, exported: (W
    max, reason). The ends are rounded inwards to whole quanta, unless no quantum lies between them.
    """
    low_W, high_W = connection_W - imported[0], connection_W + exported[0]
    low_up_W, high_down_W = -(-low_W // quantum_W) * quantum_W, high_W // quantum_W * quantum_W
    if low_up_W > high_down_W:
        low_up_W, high_down_W = low_W, high_W
    low_W, high_W = [within(end_W, -WIDE_W, WIDE_W) for end_W in (low_up_W, high_down_W)]
    return Obligation(rank, low_W, imported[1], high_W, exported[1])
