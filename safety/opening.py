"""Decides when the contactors may open: at zero current, or after the time of the demand.

It also decides when a breaker has to remove the energy in place of the contactors.
"""

from array import array

from safety import matrix as m, parameters as p, signals as s
from safety.contactors import Contactors
from safety.feature_arrays import FeatureArrays

UNKNOWN_CURRENT_MS = 200  # a BMS silent for 3 s stops the PCS; 200 ms later contactors open
STOPPING_MS_MAX = 5000
# Row 12 of the matrix (gas): times for which current has flowed since the demand to open.
# BREAKER_MS: a PCS that obeys has stopped by then, so the breaker trips now.
# CLEARED_MS: the breaker has opened by then, so a current that only the PCS reports is not real.
# REMOVAL_MS: with rows 1 to 3 the contactors now open in spite of the gas. All energy must be
# removed within 5 s; 1 s is left for relays, contactors and a late step.
BREAKER_MS, CLEARED_MS, REMOVAL_MS = 1000, 2000, 4000
PCS_ZERO_MA = 5000
NOT_WAITING = -1
# places in `waited`: ticks of waiting for the fuse; ticks since a stage first demanded to open
W_FUSE, W_DEMAND = range(2)


class Opening:
    """The waiting times of one cabinet before its contactors open."""

    def __init__(self, features: FeatureArrays, contactors: Contactors) -> None:
        self.layout, self.inp, image = features.layout, features.inp, features.image
        self.ages, self.contactors = features.ages, contactors
        tick_ms, cabinet = features.tick_ms, features.map.cabinet
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

    def _wait(self, place: int, elapsed: int, is_due: int) -> None:
        """Count the ticks of a wait. Its first step counts as 1 tick, however late that step is."""
        before = self.waited[place]
        self.waited[place] = (
            min(before + (elapsed if before >= 0 else 1), s.TICKS_MAX) if is_due else NOT_WAITING
        )

    def waits_for_fuse(self) -> bool:
        """True while the fuse must clear a current that the contactors cannot break.

        Source: C65 of the fact table.
        """
        return NOT_WAITING < self.waited[W_FUSE] < self.fuse_ticks

    def after_stop(self, waited: int) -> bool:
        """Whether contactors may open after a stop: at zero current, or 5 s after the stop.

        waited: ticks since the stop.
        """
        return waited >= self.stopping_ticks or self.contactors.current_zero() == 1

    def after_demand(self, pcs_demand: int, dc_demand: int, removal: int) -> bool:
        """Whether the contactors may open now, for the highest demands of all stages."""
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

    def _in_gas(self, removal: int) -> bool:
        """Whether the contactors may open for row 12 although the PCS reports a current."""
        waited = self.waited[W_DEMAND]
        if removal and waited >= self.removal_ticks:
            return True
        return waited >= self.cleared_ticks and self.contactors.racks_zero() == 1

    def needs_breaker(self, dc_demand: int, removal: int) -> bool:
        """Whether a breaker has to end a current that the contactors may not break.

        In gas this is any current. While a person or the fire panel demands removal (rows 1 to 3),
        it is also a current above the breaking capacity.
        """
        if removal and self.waits_for_fuse():
            return True
        return dc_demand == m.DC_OPEN_ONLY_AT_ZERO and self.waited[W_DEMAND] >= self.breaker_ticks

    def _pcs_current_zero(self) -> bool:
        """True if every PCS is heard and reports no current."""
        for unit in range(self.layout.units):
            if not self.ages.known(self.layout.unit_group(unit, s.G_PCS_MEASURE)):
                return False
            if abs(self.inp[self.layout.unit_input(unit, s.PCS_DC_CURRENT_MA)]) > PCS_ZERO_MA:
                return False
        return True
