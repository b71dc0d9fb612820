"""Units in use: at part load as few units as possible carry the power; the others stay at 0 W.

This is off by default. It saves energy only if a converter at 0 W loses less than the fixed loss of
a converter that gives power. The largest power of a minute decides how many units the next minute
needs, so a load that swings does not switch units. A larger power takes another unit into use at
once.

The unit with the highest weight is used first, unless a person has stated an order. A unit without
weight or room is passed over.
"""

from array import array
from collections.abc import Sequence

from controller.core.base.answers import WIDE_W

PERMILLE = 1000
MINUTE_MS = 60_000
# The least power of N units is the sum of their own least powers. Unit N + 1 comes into use above
# BACK_PERMILLE of the least power of N + 1 units, and leaves at that least power.
BACK_PERMILLE = 1500
STAY_PERMILLE = 1250  # a unit in use is replaced only by one whose weight is over 25 % higher

S_LEFT_MS, S_PEAK_W, S_NEXT_UNIT_W, S_MASK = range(4)


class InUse:
    """`state`: time to the next choice, peak since the last choice, power above which more units
    are taken into use at once, mask of the units in use.
    """

    def __init__(self, rated_W: list[int], least_permille: int, turns: Sequence[int] = ()):
        """least_permille: least power of a unit relative to its rating; 0: all units
        stay in use. turns: place of each unit in a stated order; empty: by weight.
        """
        self._turns = turns
        self._rated_W, self._least_permille = rated_W, least_permille
        self._is_off = not least_permille or len(rated_W) == 1
        self.state = array("i", [MINUTE_MS, 0, WIDE_W, (1 << len(rated_W)) - 1])

    def rests(self, unit: int) -> bool:
        """True if this unit (from 0) is not in use: the other units carry the whole power."""
        return not self.state[S_MASK] >> unit & 1

    def step(
        self, total_W: int, weights: list[int], room_W: Sequence[int], elapsed_ms: int
    ) -> list[int]:
        """Return the weights, with 0 for each unit not in use. Such a unit takes only the power
        that the others cannot take.
        """
        if self._is_off:
            return weights
        state, power_W = self.state, abs(total_W)
        state[S_LEFT_MS] -= elapsed_ms
        state[S_PEAK_W] = max(state[S_PEAK_W], power_W)
        if state[S_LEFT_MS] <= 0 or power_W > state[S_NEXT_UNIT_W]:
            self._choose(weights, room_W)
        mask = state[S_MASK]
        return [weight if mask >> unit & 1 else 0 for unit, weight in enumerate(weights)]

    def _choose(self, weights: list[int], room_W: Sequence[int]) -> None:
        """Choose the fewest units that carry the largest power of the last minute."""
        state, rated_W = self.state, self._rated_W
        previous_count = state[S_MASK].bit_count()
        chosen_mask = carried_W = rated_sum_W = 0
        next_unit_W = WIDE_W
        for chosen_count, unit in enumerate(self._order(weights, room_W)):
            rated_sum_W += rated_W[unit]
            least_W = rated_sum_W * self._least_permille // PERMILLE
            back_W = min(carried_W, least_W * BACK_PERMILLE // PERMILLE)
            enough_W = back_W if chosen_count >= previous_count else min(carried_W, least_W)
            if chosen_count and state[S_PEAK_W] <= enough_W:
                next_unit_W = back_W
                break
            chosen_mask |= 1 << unit
            carried_W += min(room_W[unit], rated_W[unit])
        state[:] = array("i", [MINUTE_MS, 0, next_unit_W, chosen_mask])

    def _order(self, weights: list[int], room_W: Sequence[int]) -> list[int]:
        """The units in their order of use: as stated, or by weight per kW."""
        mask, order = self.state[S_MASK], []
        for unit, weight in enumerate(weights):
            usable_weight = min(1, room_W[unit]) * weight
            if self._turns:
                order.append((int(not usable_weight), self._turns[unit], unit))
            else:
                stay_permille = STAY_PERMILLE if mask >> unit & 1 else PERMILLE
                order.append(
                    (-usable_weight * stay_permille // (self._rated_W[unit] // 1000), 0, unit)
                )
        return [unit for *_, unit in sorted(order)]
