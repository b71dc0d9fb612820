"""The rest of the sum of all powers on the grid, and the jumps of PV reports that it judges.

    rest = grid + PV + sets + battery - load: the draw that no meter sees

Without a load meter the rest includes the load. On a shared connection it includes the batteries of
the other cabinets, which may hide a real jump. The rest changes slowly, so a PV report that jumps
while the grid meter does not move is false: the rest would jump with it (../base/integrity.py).
"""

from controller.core.base import integrity
from controller.core.base.balance import FIRST
from controller.core.base.integers import approach, low_pass
from controller.core.policies.balance_words import SIGNALS_MAX, State
from controller.core.policies.contract import Known, Setup

CHECK_MS = 100  # time between two checks of the balance
REST_MS = 30_000  # time constant of the rest
RESTLESS = 2  # a jump below this times the mean movement of the rest is never contradicted


class Rest:
    """Keeps the slow mean of the rest in `others` of the state of site_balance.py."""

    def __init__(self, setup: Setup, state: State) -> None:
        settings, site = setup.settings, setup.site
        self._state, self._speed = state, low_pass(CHECK_MS, REST_MS)
        self._inverters, sets = site.inverters, site.engines
        self._sources = sets + self._inverters
        self._first_bit = 1 << FIRST + 2 * len(sets)
        self.is_load_fitted = bool(settings["load_meter_fitted"])
        # Several cabinets do not see each other's batteries, so they do not know the sum.
        self.are_meters_compared = self.is_load_fitted and settings["share_permille"] == 1000

    @property
    def unmetered_W(self) -> int:
        """Draw that no meter sees, as last found on the grid; 0 while the sum has other parts."""
        return self._state.others >> 16 if self.are_meters_compared else 0

    def now_W(self, known: Known) -> int | None:
        """The rest at this moment. None while a meter is unknown, or in a deep sag."""
        load_W = known.load_meter_W if self.is_load_fitted else 0
        if load_W is None or known.grid_meter_W is None or known.battery_W is None:
            return None
        sum_W = known.grid_meter_W + known.battery_W - load_W
        for source in self._sources:
            sum_W += source.settled("power_W") or 0
        return None if known.is_load_low else sum_W

    def learn(self, known: Known, rest_W: int | None) -> None:
        """Follow the rest slowly, while each PV power in it is the last report."""
        state = self._state
        if rest_W is None or any(pv.checked["power_W"].is_held for pv in self._inverters):
            return
        if not state.is_learnt:
            state.others, state.unrest = rest_W << 16, 0
        away = abs((rest_W << 16) - state.others)
        state.unrest = approach(state.unrest, away, self._speed, 1)
        state.others = approach(state.others, rest_W << 16, self._speed, 1)
        # a meter that is not proven may be reversed, so its result is not kept
        state.is_learnt = known.grid_W is not None

    def judge_jumps(self, known: Known, is_off_grid: bool, passed_ms: int) -> int:
        """Judge each jump of a PV report. Returns a bit for each power that is unknown because of
        its jump. Off the grid the sum of island powers judges (../base/balance.py).
        """
        doubted, bit = 0, self._first_bit
        for pv in self._inverters:
            power = pv.checked["power_W"]
            if power.is_open:
                verdict = integrity.CONFIRMED if is_off_grid else self._verdict(known, power)
                if power.advance(passed_ms, verdict):
                    self._state.is_learnt = 0  # either the rest or the report was wrong before
                if power.is_doubted:
                    doubted |= bit
            bit <<= 1
        return doubted & (1 << SIGNALS_MAX) - 1

    def _verdict(self, known: Known, reading: integrity.Integrity) -> int:
        """Judge the jump of one PV report by the other powers. Until a real jump counts, the rest
        has moved by as much in the other direction.
        """
        rest_W = self.now_W(known)
        if rest_W is None or known.grid_W is None or not self._state.is_learnt:
            return integrity.ALONE
        moved_W = rest_W - (self._state.others >> 16)
        jumps_W = [pv.checked["power_W"].jump for pv in self._inverters]
        all_W, alone_W = moved_W + sum(jumps_W), abs(moved_W + reading.jump)
        is_closest = alone_W <= min([abs(moved_W + jump_W) for jump_W in jumps_W])
        # The powers fit better with this jump than without it: together with all other jumps, or as
        # the only real jump.
        if abs(all_W) < abs(all_W - reading.jump) or alone_W < abs(moved_W) and is_closest:
            return integrity.CONFIRMED
        if not self.are_meters_compared:
            return integrity.ALONE
        # while the load moves faster than its meter, the rest says nothing about a small jump
        is_restless = RESTLESS * (self._state.unrest >> 16) > abs(reading.jump)
        return integrity.CONFIRMED if is_restless else integrity.CONTRADICTED
