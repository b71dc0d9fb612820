"""Computes `Known`, the measurements of one tick, from the readings.

No other module computes anything from a reading. So the control functions see the same site in a
controller and in the rig without a kernel.
"""

from array import array

from controller.core import image, parameters
from controller.core.base import standby
from controller.core.health import Health
from controller.core.policies.contract import Setup
from controller.core.policies.known import Known
from controller.core.readings import Readings, Source
from controller.core.temperatures import ModuleTemperatures
from controller.core.units import Units
from safety.kernel import Kernel

LIVE_PERMILLE = 500  # of the nominal voltage; a live bus has more on each phase (assumed)


class Look:
    """Call it once a tick. It also updates temperatures, health and the weights of the units."""

    def __init__(
        self, source: Source, kernel: Kernel, rated_W: list[int], setup: Setup, inp: "array[int]"
    ) -> None:
        """See Decision."""
        devices = [view.device for view in setup.site.devices]
        places = image.places(kernel.layout, devices)
        self._source, self._inp = source, inp
        self._settings = settings = setup.settings
        self.temperatures = ModuleTemperatures(kernel.layout.racks)
        self.health = Health(kernel, settings["energy_Wh"], rated_W, setup.tick_ms)
        self.units = Units(rated_W, kernel.features.rack_unit, settings)
        self._has_actuators = any(device.role.actuators for device in devices)
        self._rest_at, self._delay_at = places["rest"].start, places["path_delay"].start
        self._peak_at = places["peak"].start
        self._step_test_at = places["step_test"].start
        self._grid_voltage_at = places["grid_quality"].start
        self._load_voltage_at = places["load_quality"].start
        self._hints = inp, places["hints"].start
        self._schedule = inp, places["schedule"].start
        self._site = setup.site

    def _read(self) -> Readings:
        """The readings of this tick. Module temperatures and health are those of one rack."""
        rack = self.temperatures.rack
        readings = self._source.read(rack)
        self.temperatures.step(readings.temperatures_ddegC)
        self.health.step(rack, readings.soh_permille)
        return readings

    def __call__(self, elapsed_ms: int) -> Known:
        """Known of this tick."""
        readings, inp = self._read(), self._inp
        hottest = self.temperatures.hottest()
        self.units.weights.update(readings.soc_permille, hottest, self.health.lowest())
        limits_W = self._source.charge_W, self._source.discharge_W
        forming_setpoint_W = self.units.watch(readings.forming_W, *limits_W, elapsed_ms)
        grid_W, soc = readings.proven_grid_W, readings.soc_permille
        return Known(
            is_running=readings.is_running,
            is_stopped_by_person=inp[self._rest_at] in standby.BY_A_PERSON,
            is_estop=self._has_actuators and readings.is_estop,
            is_short=readings.is_short,
            limit=readings.limit,
            contact=readings.contact,
            is_reported_forming=bool(readings.forming_W),
            reported_forming_W=sum([limits_W[1][unit] for unit in readings.forming_W]),
            shown_W=forming_setpoint_W,
            load_meter_W=readings.load_meter.power_W,
            is_load_meter_new=readings.load_meter.is_new,
            grid_meter_W=readings.grid_meter.power_W,
            is_grid_meter_new=readings.grid_meter.is_new,
            grid_W=None if grid_W is None else grid_W * self._settings[parameters.SHARE] // 1000,
            battery_W=None if readings.unit_powers_W is None else sum(readings.unit_powers_W),
            soc_permille=None if soc is None else (min(soc), sum(soc) // len(soc)),
            module_temperature_ddegC=self.temperatures.ends(),
            unit_temperature_ddegC=None if hottest is None else self.units.weights.held,
            air_temperature_ddegC=readings.air_ddegC if self._has_actuators else None,
            full_Wh=self.health.energy_Wh,
            healthy_W=self.health.power_W,
            stored_path_delay_ms=inp[self._delay_at],
            stored_peak=(inp[self._peak_at], inp[self._peak_at + 1]),
            hints=self._hints,
            schedule=self._schedule,
            step_test=(inp[self._step_test_at], inp[self._step_test_at + 1]),
            site=self._site,
            grid_voltage_permille=inp[self._grid_voltage_at],
            grid_frequency_mHz=inp[self._grid_voltage_at + 1],
            is_load_low=0 < inp[self._load_voltage_at] < LIVE_PERMILLE,
        )
