"""A rack's contactors. The BMS closes them after pre-charge; the contactor supply holds them."""

from hil.plant import bms

OPEN, PRECHARGE, CLOSED, FAULT = range(4)  # codes that the BMS reports
PRECHARGE_OHM = 20.0
PRECHARGE_S = 0.5  # at least five time constants of 20 ohm and the 5 mF of the PCS link
PRECHARGE_S_MAX = 3.0
CLOSE_V_MAX = 8.0  # over two racks of 58 mohm this gives an inrush of 70 A, half of rated
DROP_OUT_S = 0.03
_EPSILON_S = 1e-9  # sums of 20 ms steps are not exact in binary


class Contactors:
    """State machine of one rack's main contactors and pre-charge relay."""

    def __init__(self) -> None:
        self.state = OPEN
        self.command = self.conducting = False  # conducting: the main contacts are closed
        # faults: the main contacts cannot open; the pre-charge resistor is broken
        self.welded = self.precharge_broken = False
        self.fault_bits = 0
        self._timer_s = 0.0

    def step(self, dt_s: float, hold: bool, difference_V: float) -> bool:
        """Advance by dt_s; True if the state changed. hold: supply is on, and no BMS fault;
        difference_V: voltage of the rack minus voltage of the bus.
        """
        wants_closed = self.command and hold
        if self.state == CLOSED:
            return self._closed(dt_s, wants_closed)
        if self.state == OPEN:
            return wants_closed and self._to(PRECHARGE)
        if self.state == PRECHARGE:
            return self._precharge(dt_s, wants_closed, difference_V)
        return self._fault(wants_closed)

    def _to(self, state: int, timer_s: float = 0.0) -> bool:
        self.state, self._timer_s = state, timer_s
        self.conducting = state == CLOSED
        return True

    def _precharge(self, dt_s: float, wants_closed: bool, difference_V: float) -> bool:
        if not wants_closed:
            return self._to(OPEN)
        self._timer_s += dt_s
        if self._timer_s >= PRECHARGE_S - _EPSILON_S and abs(difference_V) <= CLOSE_V_MAX:
            return self._to(CLOSED, DROP_OUT_S)
        if self._timer_s >= PRECHARGE_S_MAX - _EPSILON_S:
            self.fault_bits |= bms.FAULT_PRECHARGE
            return self._to(FAULT)
        return False

    def _closed(self, dt_s: float, wants_closed: bool) -> bool:
        self._timer_s = DROP_OUT_S if wants_closed else self._timer_s - dt_s
        if wants_closed or self._timer_s > _EPSILON_S:
            return False
        if not self.welded:
            return self._to(OPEN)
        self.fault_bits |= bms.FAULT_WELD
        self._to(FAULT)
        self.conducting = True
        return True

    def _fault(self, wants_closed: bool) -> bool:
        """Leave the fault when it is repaired and the close command has ended."""
        if wants_closed or (self.conducting and self.welded):
            return False
        self.fault_bits = 0
        return self._to(OPEN)
