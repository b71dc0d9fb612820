"""Divides the power of the cabinet among its units, by weight and within the limits of each unit.
The powers of the units sum exactly to that of the cabinet.

Water-filling: each unit gets a share by its weight. A unit whose share exceeds its limit gets the
limit, and the rest is divided again. All units get the sign of the total or 0, so no unit ever
charges another.
"""

from array import array
from itertools import compress

from controller.core.base.integers import within


class Split:
    """`out` holds the units' powers, W (array of ints), after `step`."""

    def __init__(self, units: int):
        """units: how many (1 or more)."""
        self.out = array("i", [0] * units)
        self._room_W = array("i", [0] * units)
        self._open = bytearray(units)

    def step(
        self,
        total_W: int,
        charge_W_max: "array[int]",
        discharge_W_max: "array[int]",
        weights: list[int],
    ) -> int:
        """Divide total_W. Returns the power that the units take: total_W, unless the limits sum to
        less. Limits are >= 0, weights 0 .. 2^20. Units of weight 0 are used last, with equal
        shares.
        """
        out = self.out
        if len(out) == 1:
            out[0] = within(total_W, -charge_W_max[0], discharge_W_max[0])
            return out[0]
        room_W = discharge_W_max if total_W > 0 else charge_W_max
        for unit in range(len(out)):
            out[unit] = 0
            self._room_W[unit] = room_W[unit]
        left_W = self._pour(min(abs(total_W), sum(room_W)), weights)
        if left_W:  # the units with weight are full
            self._pour(left_W, [1] * len(out))
        if total_W < 0:
            for unit in range(len(out)):
                out[unit] = -out[unit]
        return sum(out)

    def _pour(self, left_W: int, weights: list[int]) -> int:
        """Divide left_W among the units with room and weight. Returns the power that
        did not fit.
        """
        room_W, is_open = self._room_W, self._open
        for unit, weight in enumerate(weights):
            is_open[unit] = room_W[unit] > 0 and weight > 0
        while left_W and any(is_open):
            total_weight = sum(compress(weights, is_open))
            filled_W = self._fill(left_W, weights, total_weight)
            left_W -= filled_W or self._share(left_W, weights, total_weight)
        return left_W

    def _fill(self, left_W: int, weights: list[int], total_weight: int) -> int:
        """Fill every open unit whose share reaches its room. Returns the power placed, W."""
        out, room_W, is_open = self.out, self._room_W, self._open
        placed_W = 0
        for unit, weight in enumerate(weights):
            if is_open[unit] and left_W * weight >= room_W[unit] * total_weight:
                placed_W += room_W[unit]
                out[unit] += room_W[unit]
                room_W[unit] = is_open[unit] = 0
        return placed_W

    def _share(self, left_W: int, weights: list[int], total_weight: int) -> int:
        """Place left_W if no unit reaches its room. Each share is within 1 W of its exact value."""
        out, room_W, is_open = self.out, self._room_W, self._open
        weight_so_far = placed_W = 0
        for unit, unit_weight in enumerate(weights):
            if is_open[unit]:
                weight_so_far += unit_weight
                share_W = left_W * weight_so_far // total_weight - placed_W
                placed_W += share_W
                out[unit] += share_W
                room_W[unit] -= share_W
        return placed_W
