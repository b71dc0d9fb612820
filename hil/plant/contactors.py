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
        want = self.command and hold
        if self.state == CLOSED:
            return self._closed(dt_s, want)
        if self.state == OPEN:
            return want and self._to(PRECHARGE, 0.0)
        if self.state == PRECHARGE:
            return self._precharge(dt_s, want, difference_V)
        return self._fault(want)

    def _to(self, state: int, timer_s: float) -> bool:
        self.state, self._timer_s = state, timer_s
        self.conducting = state == CLOSED
        return True

    def _precharge(self, dt_s: float, want: bool, difference_V: float) -> bool:
        if not want:
            return self._to(OPEN, 0.0)
        self._timer_s += dt_s
        if self._timer_s >= PRECHARGE_S - _EPSILON_S and abs(difference_V) <= CLOSE_V_MAX:
            return self._to(CLOSED, DROP_OUT_S)
        if self._timer_s >= PRECHARGE_S_MAX - _EPSILON_S:
            self.fault_bits |= bms.FAULT_PRECHARGE
            return self._to(FAULT, 0.0)
        return False

    def _closed(self, dt_s: float, want: bool) -> bool:
        self._timer_s = DROP_OUT_S if want else self._timer_s - dt_s
        if want or self._timer_s > _EPSILON_S:
            return False
        if not self.welded:
            return self._to(OPEN, 0.0)
        self.fault_bits |= bms.FAULT_WELD
        self._to(FAULT, 0.0)
        self.conducting = True
        return True

    def _fault(self, want: bool) -> bool:
        """Leave the fault when it is repaired and the close command has ended."""
        if want or (self.conducting and self.welded):
            return False
        self.fault_bits = 0
        return self._to(OPEN, 0.0)
