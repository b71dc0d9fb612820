"""The power of the cabinet to its units: weights, units in use, split."""

from array import array

from controller.core.in_use import InUse
from controller.core.split import Split
from controller.core.weights import Weights

PART_LOAD = "unit_part_load_permille"
PARAMETERS = ((PART_LOAD, "permille", 0, 300, 0, "free"),)
KEPT = "soc_reserve_backup_permille"


class Units:
    """`out` holds the units' powers, W (array of ints), after `step`."""

    def __init__(self, rated_W: list[int], rack_units: tuple[int, ...], settings: dict[str, int]):
        """rack_units: unit of each rack, from 0."""
        self.weights = Weights(rated_W, rack_units, settings[KEPT])
        self.in_use = InUse(rated_W, settings[PART_LOAD])
        self._split = Split(len(rated_W))
        self.out = self._split.out

    def step(self, total_W: int, charge_W: array, discharge_W: array, elapsed_ms: int) -> None:
        """total_W > 0 discharges; charge_W, discharge_W: limits of the units, >= 0."""
        is_discharge = total_W > 0
        weights = self.weights.discharge if is_discharge else self.weights.charge
        room_W = discharge_W if is_discharge else charge_W
        weights = self.in_use.step(total_W, weights, room_W, elapsed_ms)
        self._split.step(total_W, charge_W, discharge_W, weights)

    def state_blocks(self) -> tuple[array, array]:
        """Arrays that carry over to the next tick, in the order of the journal."""
        return self.weights.held, self.in_use.state
