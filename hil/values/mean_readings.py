"""Readings from the means of the plant (controller/core/readings.py), where no kernel steps.

The limits are those of safety.bounds. On the grid a silent meter forbids charging, as row 50a does.
Off the grid the grid meter counts as silent, because it repeats its last words. NOT_KNOWN names
what this mode cannot know.
"""

from array import array
from collections.abc import Sequence

from controller.core import reasons
from controller.core.answers import Limit
from controller.core.integers import within
from controller.core.known import GRID, ISLAND
from controller.core.readings import Meter
from hil.values.lumped import LumpedUnit

# field of Known or Found: what the mode has instead
NOT_KNOWN = {
    "is_running": "always true: no row can trip",
    "is_stopped_by_person": "never: nobody stops it",
    "is_estop": "never",
    "is_short": "never: a converter gives what it is sent",
    "stored_path_delay_ms": "none: the meter's test needs ticks of milliseconds",
    "path_delay_ms": "none: the meter is believed without a test",
    "is_meter_tested": "never",
    "is_load_meter_new": "in each tick",
    "is_grid_meter_new": "in each tick",
    "is_load_new": "in each tick",
}


class MeanReadings:
    """The caller fills the attributes before each decision; all powers are means of a second.

    load_W, grid_W: None while the meter does not answer; is_off_grid: the transfer switch has left
    the grid; forming: for each unit, whether it forms the voltage; air: 0.1 degC.
    """

    def __init__(self, rack_unit: Sequence[int], soh: float) -> None:
        """rack_unit: unit of each rack, from 0; soh: of all racks, 0 to 1."""
        self._rack_unit, self._soh_permille = rack_unit, round(1000 * soh)
        self.units: Sequence[LumpedUnit] = ()
        self.powers_W: list[int] = []
        self.forming: list[bool] = []
        self.load_W: int | None = None
        self.grid_W: int | None = None
        self.is_off_grid = False
        self.air: int | None = None
        self.charge_W = self.discharge_W = array("i")

    def is_running(self) -> bool:
        """See NOT_KNOWN."""
        return True

    def is_estop(self) -> bool:
        """See NOT_KNOWN."""
        return False

    def is_short(self) -> bool:
        """See NOT_KNOWN."""
        return False

    def limit(self) -> Limit:
        """The limits of the units; without a meter on the grid none charges, as by row 50a."""
        is_blind = not self.is_off_grid and (self.load_W is None or self.grid_W is None)
        if is_blind:
            self.charge_W = array("i", [0] * len(self.charge_W))
        charge, discharge = reasons.KERNEL_CHARGE[0], reasons.KERNEL_DISCHARGE[0]
        return Limit(sum(self.charge_W), charge, sum(self.discharge_W), discharge)

    def contact(self) -> int:
        """See Readings."""
        return ISLAND if self.is_off_grid else GRID

    def forming_limits_W(self) -> list[int]:
        """See Readings."""
        if not self.is_off_grid:
            return []
        return [limit_W for limit_W, forms in zip(self.discharge_W, self.forming) if forms]

    def load_meter(self) -> Meter:
        """See Readings."""
        return Meter(self.load_W, self.load_W is not None)

    def grid_meter(self) -> Meter:
        """See Readings."""
        return Meter(self.proven_grid_W(), self.grid_W is not None)

    def proven_grid_W(self) -> int | None:
        """See Readings."""
        return None if self.is_off_grid else self.grid_W

    def unit_powers_W(self) -> list[int]:
        """See Readings."""
        return self.powers_W

    def soc_permille(self) -> list[int]:
        """See Readings."""
        found = [within(int(unit.soc * 1000), 0, 1000) for unit in self.units]
        return [found[unit] for unit in self._rack_unit]

    def soh_permille(self, rack: int) -> int:
        """See Readings."""
        return self._soh_permille

    def temperatures_ddegC(self, rack: int) -> tuple[int, int]:
        """All modules of a unit have its mean."""
        return (round(self.units[self._rack_unit[rack]].degC * 10),) * 2

    def air_ddegC(self) -> int | None:
        """See Readings."""
        return self.air
