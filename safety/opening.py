"""When contactors may open: at zero current, or after the time of the demand; and when a breaker
has to remove the energy in their place.
"""

from array import array

from safety import matrix as m, parameters as p, signals as s

UNKNOWN_CURRENT_MS = 200  # silence ladder: stop at 3 s, open at 3.2 s when the current is unknown
STOPPING_MS_MAX = 5000
# Row 12 under current. By the first, a converter that obeys has stopped: the breaker trips. By the
# second, the breaker has opened: a converter that still tells a current is wrong. By the last, rows
# 1 to 3 open the contactors in the gas: all energy is to be gone within 5 s, so this leaves one for
# relays, contactors and a late step.
BREAKER_MS, CLEARED_MS, REMOVAL_MS = 1000, 2000, 4000
PCS_ZERO_MA = 5000
W_FUSE, W_DEMAND, NOT_WAITING = 0, 1, -1


class Opening:
    """The waiting times of one cabinet. waited: ticks, for the fuse and of the demand to open."""

    def __init__(self, layout, image, image_map, inp, features, contactors):
        self.layout, self.inp = layout, inp
        self.ages, self.contactors = features.ages, contactors
        tick_ms, cabinet = image[p.H_TICK_MS], image_map.cabinet
        self.unknown_ticks = p.ticks(UNKNOWN_CURRENT_MS, tick_ms)
        self.stopping_ticks = p.ticks(STOPPING_MS_MAX, tick_ms)
        self.breaker_ticks = p.ticks(BREAKER_MS, tick_ms)
        self.cleared_ticks = p.ticks(CLEARED_MS, tick_ms)
        self.removal_ticks = p.ticks(REMOVAL_MS, tick_ms)
        self.fuse_ticks = p.ticks(image[cabinet + p.P_FUSE_WAIT_MS], tick_ms)
        self.open_ticks = p.ticks(image[cabinet + p.P_OPEN_AFTER_STOP_MS], tick_ms)
        self.zero_ticks = p.ticks(image[cabinet + p.P_OPEN_AT_ZERO_MS_MAX], tick_ms)
        self.waited = array("i", [NOT_WAITING, NOT_WAITING])

    def update(self, elapsed: int, is_ending: int, dc_demand: int) -> None:
        """Count the waiting times. is_ending: 1 while the cabinet stops or has tripped."""
        self._wait(W_FUSE, elapsed, is_ending and self.contactors.above_breaking())
        self._wait(W_DEMAND, elapsed, dc_demand >= m.DC_OPEN_AT_ZERO)

    def _wait(self, place, elapsed, is_due):
        """Count from the step in which a wait begins; the state may be older."""
        before = self.waited[place]
        self.waited[place] = (
            min(before + (elapsed if before >= 0 else 1), s.TICKS_MAX) if is_due else NOT_WAITING
        )

    def waits_for_fuse(self) -> bool:
        """Whether a current above the contactors' capacity still waits for the fuse (C65)."""
        return NOT_WAITING < self.waited[W_FUSE] < self.fuse_ticks

    def after_stop(self, waited: int) -> bool:
        """At zero current, or after 5 s. waited: ticks since the stop."""
        return waited >= self.stopping_ticks or self.contactors.current_zero() == 1

    def after_demand(self, pcs_demand: int, dc_demand: int, removal: int) -> bool:
        """Of a demand to open, with what it asks of the converter."""
        waited, current = self.waited[W_DEMAND], self.contactors.current_zero()
        if dc_demand == m.DC_OPEN_ONLY_AT_ZERO:
            return self._in_gas(removal) or current == 1 or current < 0 and self._pcs_current_zero()
        if current == 1 and (pcs_demand >= m.PCS_STOP or waited > 0):
            return True
        if dc_demand == m.DC_OPEN:
            return waited >= self.open_ticks
        if current < 0 and pcs_demand >= m.PCS_STOP:
            return waited >= self.unknown_ticks
        return waited >= self.zero_ticks

    def _in_gas(self, removal):
        """After the time of the breaker."""
        waited = self.waited[W_DEMAND]
        if removal and waited >= self.removal_ticks:
            return True
        return waited >= self.cleared_ticks and self.contactors.racks_zero() == 1

    def needs_breaker(self, dc_demand: int, removal: int) -> bool:
        """Whether a breaker has to remove what the contactors may not break: any current in gas, or
        one above their capacity while a person or the fire panel demands removal.
        """
        if removal and self.waits_for_fuse():
            return True
        return dc_demand == m.DC_OPEN_ONLY_AT_ZERO and self.waited[W_DEMAND] >= self.breaker_ticks

    def _pcs_current_zero(self):
        for unit in range(self.layout.units):
            if not self.ages.known(self.layout.unit_group(unit, s.G_PCS_MEASURE)):
                return False
            if abs(self.inp[self.layout.unit_input(unit, s.PCS_DC_CURRENT_MA)]) > PCS_ZERO_MA:
                return False
        return True
