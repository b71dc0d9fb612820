"""Divides the power of the cabinet among its units. Some of them may stay out of use.

A unit that forms the voltage of an island gets its own measured power as its set-point
(policies/formed.py). But a converter may report that it forms the voltage although it follows its
set-point. It would then keep its present power for ever. So a unit must first give power at a
set-point of 0. Afterwards its set-point is smaller than its power by 1/LESS_PARTS of its rating, so
the power of a unit that still follows its set-point falls.
"""

from array import array

from controller.core.base.balance import tolerance_W
from controller.core.base.integers import within
from controller.core.in_use import InUse
from controller.core.split import Split
from controller.core.weights import Weights

PART_LOAD = "unit_part_load_permille"
UNITS_MAX = 16
# place of each unit in a stated order, from unit.N.turn; 0: none is stated
TURNS = tuple([f"unit_{number}_turn_count" for number in range(1, UNITS_MAX + 1)])
PARAMETERS = (
    (PART_LOAD, "permille", 0, 300, 0, "free"),
    *[(name, "count", 0, UNITS_MAX, 0, "free") for name in TURNS],
)
KEPT = "soc_reserve_backup_permille"
# Time for which a unit must give power at a set-point of 0 (project).
SHOWN_MS = 2000
LESS_PARTS = 100


class Units:
    """`out` holds the units' powers, W (array of ints), after `step`."""

    def __init__(self, rated_W: list[int], rack_units: tuple[int, ...], settings: dict[str, int]):
        """rack_units: unit of each rack, from 0."""
        self.weights = Weights(rated_W, rack_units, settings[KEPT])
        turns = [settings.get(name, 0) for name in TURNS[: len(rated_W)]]
        self.in_use = InUse(rated_W, settings[PART_LOAD], turns if all(turns) else ())
        self._split = Split(len(rated_W))
        self.out = self._split.out
        self._rated_W = rated_W
        self._shown_ms, self.formed_W = (array("i", [0] * len(rated_W)) for _ in range(2))

    def watch(
        self,
        forming_W: dict[int, int],
        charge_W: "array[int]",
        discharge_W: "array[int]",
        elapsed_ms: int,
    ) -> int | None:
        """Set `formed_W`, and return its sum: the set-points of the units that have shown that they
        form the voltage. None if no unit has. forming_W: power of each unit that reports it.
        """
        shown_ms = self._shown_ms
        if not forming_W and not any(shown_ms):
            return None
        for unit, rated_W in enumerate(self._rated_W):
            power_W, self.formed_W[unit] = forming_W.get(unit, 0), 0
            size_W = abs(power_W)
            if shown_ms[unit] >= SHOWN_MS and unit in forming_W:
                less_W = max(0, size_W - rated_W // LESS_PARTS) * (1 if power_W > 0 else -1)
                self.formed_W[unit] = within(less_W, -charge_W[unit], discharge_W[unit])
            else:
                gives_at_0 = self.out[unit] == 0 and size_W > tolerance_W(rated_W)
                shown_ms[unit] = min(SHOWN_MS, shown_ms[unit] + elapsed_ms) if gives_at_0 else 0
        return sum(self.formed_W) if max(shown_ms) >= SHOWN_MS else None

    def step(
        self,
        total_W: int,
        charge_W: "array[int]",
        discharge_W: "array[int]",
        elapsed_ms: int,
        is_formed: bool = False,
        first: int = 0,
    ) -> None:
        """Divide total_W (> 0 discharges) into `out`. charge_W, discharge_W: limits of the units,
        >= 0; is_formed: total_W is the result of `watch`; first: the unit (from 1) that gets as
        much as it can take, 0 for none.
        """
        is_discharge = total_W > 0
        weights = self.weights.discharge if is_discharge else self.weights.charge
        room_W = discharge_W if is_discharge else charge_W
        weights = self.in_use.step(total_W, weights, room_W, elapsed_ms)
        if first:
            weights = [unit == first for unit, _ in enumerate(weights, 1)]
        self._split.step(total_W, charge_W, discharge_W, weights)
        if is_formed:
            self.out[:] = self.formed_W

    def state_blocks(self) -> tuple["array[int]", ...]:
        """Arrays that carry over to the next tick, in the order of the journal."""
        return self.weights.held, self.in_use.state, self._shown_ms, self.out
