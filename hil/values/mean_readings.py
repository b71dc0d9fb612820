"""Makes the readings for a core without a kernel, from means of the plant.

They replace controller/core/readings.py. The limits come from safety.bounds. NOT_KNOWN names the
readings that this mode cannot know.
"""

from array import array
from collections.abc import Sequence

from controller.core.base.answers import Limit
from controller.core.base.integers import within
from controller.core.policies.known import GRID, ISLAND
from controller.core.readings import Meter, Readings
from hil.values.lumped import LumpedUnit

# {field of Known or Found: its value in this mode}
NOT_KNOWN = {
    "is_running": "always true: row 41d may end an island, no other row stops anything",
    "is_stopped_by_person": "never: nobody stops it",
    "is_estop": "never",
    "is_short": "never: a converter gives what it is sent",
    "limit": "by the mean cell of a unit, so it falls up to 10 permille of charge later; row 50a",
    "module_temperature_ddegC": "the mean of a unit",
    "full_Wh": "all racks have the same state of health",
    "stored_path_delay_ms": "none: the meter's test needs ticks of milliseconds",
    "grid_voltage_permille": "0, not known: no meter has it, so there is no sag",
    "grid_frequency_mHz": "0, not known: no meter has it, so there is no response",
    "is_load_low": "never: a load meter that answers shows a live bus",
    "path_delay_ms": "none: the meter is believed without a test",
    "is_meter_tested": "never",
    "is_load_meter_new": "in each tick",
    "is_grid_meter_new": "in each tick",
    "is_load_new": "in each tick",
}


NOT_KNOWN_IN_WORDS = (
    "stops by persons or by rows, sags, delays and the age of readings, racks and modules one by "
    "one (--json lists each)"
)


class MeanReadings:
    """The caller fills the attributes before each decision. Powers are means of a second.

    bounds: of all units; load_W, grid_W: None while the meter does not answer; is_off_grid: the
    contact of the transfer switch; forming: one for each unit.
    """

    bounds: Limit

    def __init__(
        self, rack_unit: Sequence[int], soh: float, charge_W: array, discharge_W: array
    ) -> None:
        """rack_unit: unit of each rack, from 0; soh: of all racks, 0 to 1."""
        self._rack_unit, self._soh_permille = rack_unit, round(1000 * soh)
        self.charge_W, self.discharge_W = charge_W, discharge_W
        self.units: list[LumpedUnit] = []
        self.powers_W: list[int] = []
        self.forming: list[bool] = []
        self.load_W: int | None = None
        self.grid_W: int | None = None
        self.is_off_grid = False
        self.air_ddegC: int | None = None

    def read(self, rack: int) -> Readings:
        """See readings.Source and NOT_KNOWN. All modules of a unit have its mean temperature."""
        soc = [within(int(unit.soc * 1000), 0, 1000) for unit in self.units]
        forming = zip(self.powers_W, self.forming) if self.is_off_grid else ()
        return Readings(
            is_running=True,
            is_estop=False,
            is_short=False,
            limit=self.bounds,
            contact=ISLAND if self.is_off_grid else GRID,
            forming_W={unit: power_W for unit, (power_W, forms) in enumerate(forming) if forms},
            load_meter=Meter(self.load_W, self.load_W is not None),
            grid_meter=Meter(self.grid_W, self.grid_W is not None),
            proven_grid_W=self.grid_W,
            unit_powers_W=self.powers_W,
            soc_permille=[soc[unit] for unit in self._rack_unit],
            soh_permille=self._soh_permille,
            temperatures_ddegC=(round(self.units[self._rack_unit[rack]].degC * 10),) * 2,
            air_ddegC=self.air_ddegC,
        )
