"""The only maker of `Known`: it computes what a tick knows from readings.

No other module computes anything from a reading. So a controller, and the rig where it leaves the
kernel out, see the same site.
"""

from array import array

from controller.core import image, parameters
from controller.core.base import standby
from controller.core.health import Health
from controller.core.policies.contract import Setup
from controller.core.policies.known import Known
from controller.core.readings import Readings
from controller.core.temperatures import ModuleTemperatures
from controller.core.units import Units
from safety.signals import Layout


class Look:
    """Call it once a tick. `units` gets the weights that follow from the racks."""

    def __init__(
        self,
        readings: Readings,
        setup: Setup,
        inp: array,
        layout: Layout,
        racks: tuple[ModuleTemperatures, Health, Units],
    ) -> None:
        """inp: inputs as image.places says."""
        places = image.places(layout, [each.device for each in setup.site.devices])
        self._readings, self._inp = readings, inp
        self._settings = setup.settings
        self._temperatures, self._health, self._units = racks
        self._has_actuators = any(each.device.role.actuators for each in setup.site.devices)
        self._rest_at, self._delay_at = places["rest"].start, places["path_delay"].start
        self._peak_at = places["peak"].start
        self._slots = (inp, places["hints"].start), (inp, places["schedule"].start)
        self._site = setup.site

    def __call__(self) -> Known:
        """Known of this tick."""
        readings, inp = self._readings, self._inp
        forming_W, grid_W = readings.forming_limits_W(), readings.proven_grid_W()
        powers_W, soc = readings.unit_powers_W(), readings.soc_permille()
        health, has_actuators = self._health, self._has_actuators
        return Known(
            readings.is_running(),
            inp[self._rest_at] in standby.BY_A_PERSON,
            has_actuators and readings.is_estop(),
            readings.is_short(),
            readings.limit(),
            readings.contact(),
            bool(forming_W),
            sum(forming_W),
            *readings.load_meter(),
            *readings.grid_meter(),
            None if grid_W is None else grid_W * self._settings[parameters.SHARE] // 1000,
            None if powers_W is None else sum(powers_W),
            None if soc is None else (min(soc), sum(soc) // len(soc)),
            *self._racks(soc),
            readings.air_ddegC() if has_actuators else None,
            health.energy_Wh,
            health.power_W,
            inp[self._delay_at],
            (inp[self._peak_at], inp[self._peak_at + 1]),
            *self._slots,
            self._site,
        )

    def _racks(self, soc: list[int] | None) -> tuple[tuple[int, int] | None, array | None]:
        """(coldest and hottest module, hottest of each unit), after the turn of one rack."""
        self._temperatures.step(self._readings)
        self._health.step(self._readings)
        hottest = self._temperatures.hottest()
        self._units.update(soc, hottest, self._health.lowest())
        held = None if hottest is None else self._units.weights.held
        return self._temperatures.ends(), held
