"""The power of the cabinet to its units: weights, units in use, split.

A converter that makes the voltage of an island ignores its set-point. At 0 it would follow that as
soon as the transfer switch closes, and the grid would have to give what the battery gave until the
next set-point arrives. So its set-point is the power that it gives, less a part: if it follows in
truth, its power must fall.
"""

from array import array

from controller.core.base.integers import within
from controller.core.in_use import InUse
from controller.core.split import Split
from controller.core.weights import Weights

PART_LOAD = "unit_part_load_permille"
PARAMETERS = ((PART_LOAD, "permille", 0, 300, 0, "free"),)
FORMED_PERMILLE = 980
KEPT = "soc_reserve_backup_permille"


class Units:
    """`out` holds the units' powers, W (array of ints), after `step`. forming: units that make the
    voltage of an island; powers_W: of all units, None while unknown.
    """

    def __init__(self, rated_W: list[int], rack_units: tuple[int, ...], settings: dict[str, int]):
        """rack_units: unit of each rack, from 0."""
        self.weights = Weights(rated_W, rack_units, settings[KEPT])
        self.in_use = InUse(rated_W, settings[PART_LOAD])
        self._split = Split(len(rated_W))
        self.out = self._split.out
        self.forming: list[int] = []
        self.formed_W = array("i", [0])  # sum of the set-points while units form; 0: none does
        self.powers_W: list[int] | None = None

    def step(self, total_W: int, charge_W: array, discharge_W: array, elapsed_ms: int) -> None:
        """total_W > 0 discharges; charge_W, discharge_W: limits of the units, >= 0."""
        is_discharge = total_W > 0
        weights = self.weights.discharge if is_discharge else self.weights.charge
        room_W = discharge_W if is_discharge else charge_W
        weights = self.in_use.step(total_W, weights, room_W, elapsed_ms)
        self._split.step(total_W, charge_W, discharge_W, weights)
        powers_W = self.powers_W or self.out
        for unit in self.forming if self.powers_W else ():
            given_W = powers_W[unit]
            part_W = abs(given_W) // 1000 * FORMED_PERMILLE
            formed_W = part_W if given_W > 0 else -part_W
            self.out[unit] = within(formed_W, -charge_W[unit], discharge_W[unit])
        self.formed_W[0] = sum(self.out) if self.forming else 0

    def state_blocks(self) -> tuple[array, array, array]:
        """Arrays that carry over to the next tick, in the order of the journal."""
        return self.weights.held, self.in_use.state, self.formed_W
