"""One controller of a system in chain-only mode, as a member of a site: the real control functions,
chain, split and site devices at 1 s, on lumped batteries.

It reads what meters of the site would show in this second, and it is never part of a figure below
10 s. Units with `can_form` carry an island; the site then says their power.
"""

from array import array
from collections.abc import Sequence

from controller.config.configuration import Config
from controller.core import hint_codes, reasons
from controller.core.answers import Limit
from controller.core.contract import Setup, View
from controller.core.control import Control
from controller.core.image import ProcessImage
from controller.core.integers import within
from controller.core.parameters import settings_of
from controller.core.schedule_table import Slot, Table
from controller.core.site_devices.signals_view import DeviceView, Site as Devices
from controller.core.units import Units
from hil.engine.cabinet import SimulatedCabinet
from hil.site.part import SitePart
from hil.site.site import Site
from hil.values.chain_only import TICK_MS, Limits
from hil.values.lumped import LumpedUnit
from hil.values.repetition import quicken

HEARTBEAT_S, HEARTBEAT_MS = 100, 300_000
SOC_FORMS = 0.03  # below it a unit cannot carry an island
CLOCK_ERROR_MS = 500
DAY_S = 86_400


class ChainUnit:
    """A converter with its lumped racks (hil.site.site.Unit)."""

    def __init__(self, battery: LumpedUnit, can_form: bool) -> None:
        self.battery, self.can_form = battery, can_form
        self.rated_W = float(battery.rated_W)
        self.ac_power_W = 0.0
        self.is_forming = False
        self.charge_W_max = self.discharge_W_max = 0

    @property
    def forms(self) -> bool:
        """It can carry an island at this moment."""
        return self.can_form and self.battery.soc > SOC_FORMS

    def carry(self, power_W: float | None) -> float:
        """In an island: give this power, within what the racks allow; None: follow again."""
        self.is_forming = power_W is not None
        if power_W is None:
            return 0.0
        self.ac_power_W = max(-self.rated_W, min(self.rated_W, power_W))
        return self.ac_power_W


class ChainMember:
    """A controller on a site (hil.site.site.Member). Call `schedule` with each new day."""

    def __init__(
        self,
        config: Config,
        site: Site,
        soc: float,
        begin_s: int,
        plant: dict[str, float],
        can_form: bool = False,
    ) -> None:
        """begin_s: UTC of the first second, since 1970; plant: keys of the plant's config."""
        self.site, self._begin_s, self.now_s = site, begin_s, 0
        self.limits = Limits(config, TICK_MS)
        of_plant = SimulatedCabinet(config, None, 1, plant).plant.config
        racks = list(self.limits.rack_unit)
        batteries = [
            LumpedUnit(of_plant, racks.count(unit), soc, of_plant.air_degC)
            for unit in range(config.units)
        ]
        self.pcs = [ChainUnit(battery, can_form) for battery in batteries]
        self.drawn_W = float(of_plant.aux_W)
        self._parts = [site.part(each.role.name, each.settings) for each in config.site_devices[1:]]
        self._prepare(config)
        site.join(self)

    def _prepare(self, config: Config) -> None:
        layout = config.layout()
        # a test of the meter needs ticks of milliseconds, so the meter is believed
        settings = {**settings_of(config.control_image), "meter_code_permille": 0}
        self.image = image = ProcessImage(layout, config.site_devices)
        self._inp, self._fresh = array("i", image.inp), bytearray(image.fresh)
        places, self._groups = image.places, layout.groups
        self.devices = Devices(config.site_devices, self._inp, places["site"].start, TICK_MS)
        rated_W = self.limits.rated_W
        self.control = Control(
            Setup(settings, TICK_MS, sum(rated_W), config.source_image, self.devices)
        )
        quicken(self.control)
        view = self.control.view
        view.hints = self._inp, places["hints"].start
        view.schedule = self._inp, places["schedule"].start
        view.is_running = view.is_load_meter_new = view.is_grid_meter_new = True
        self.split = Units(rated_W, self.limits.rack_unit, settings)

    @property
    def soc(self) -> float:
        """Mean of the units."""
        return sum([unit.battery.soc for unit in self.pcs]) / len(self.pcs)

    @property
    def spread_K(self) -> float:
        """Between the warmest and the coldest unit."""
        found = [unit.battery.degC for unit in self.pcs]
        return max(found) - min(found)

    def schedule(self, start_s: int, slot_min: int, rows: Sequence[tuple[int, ...]]) -> None:
        """A table of slots of source 0 from the second start_s of the run on."""
        start_min = (self._begin_s + start_s) // 60
        self.image.add_schedule(Table(0, start_min, slot_min, tuple([Slot(*row) for row in rows])))

    def supply(self, is_live: bool) -> None:
        """The voltage of the site has come or gone; the auxiliaries have a UPS."""

    def advance(self, dt_s: float, now_us: int) -> None:
        """One second: the energy of the last one, then the decision."""
        self.now_s += 1
        for unit in self.pcs:
            unit.battery.step(unit.ac_power_W, dt_s)
        self.limits.step([unit.battery for unit in self.pcs])
        self._read()
        self._look(self.control.view)
        charge_W, discharge_W = self.limits.charge_W, self.limits.discharge_W
        rated = reasons.KERNEL_CHARGE[0], reasons.KERNEL_DISCHARGE[0]
        limit = Limit(sum(charge_W), rated[0], sum(discharge_W), rated[1])
        total_W = self.control.step(limit, 1)
        self.split.step(total_W, charge_W, discharge_W, TICK_MS)
        for unit, power_W in zip(self.pcs, self.split.out):
            unit.ac_power_W = float(power_W)
        for actuator in self.control.actuators:
            self._part_of(actuator.view).ask(actuator.actuator.name, actuator.value)

    def _part_of(self, view: DeviceView) -> SitePart:
        return self._parts[self.devices.devices.index(view) - 1]

    def _read(self) -> None:
        """The words of the clock, of the site devices and of the heartbeat."""
        image = self.image
        if self.now_s % HEARTBEAT_S == 1:
            image.add_hint(0, hint_codes.HEARTBEAT, 0, 0, HEARTBEAT_MS)
        day_d, time_s = divmod(self._begin_s + self.now_s, DAY_S)
        at = image.places["site"].start
        image.inp[at : at + 3] = array("i", [day_d, time_s, CLOCK_ERROR_MS])
        image.fresh[self._groups :] = bytes([1]) * len(self.devices.devices)
        for view, part in zip(self.devices.devices[1:], self._parts):
            first, _ = image.site_place(view.device.role.name, view.device.number)
            known = part.signals()
            for place, signal in enumerate(view.device.role.signals):
                image.inp[first + place] = within(
                    round(known.get(signal.name, 0)), signal.low, signal.high
                )
        image.freeze(self._inp, self._fresh)
        self.devices.step(self._fresh[self._groups :], 1)

    def _look(self, view: View) -> None:
        """The view of this second. The grid is what it would be without a new decision."""
        site = self.site
        battery_W = sum([unit.ac_power_W for unit in self.pcs])
        fed_W = sum([part.feeds_W for part in site.parts])
        grid_W = round(site.load_power_W + site.other_load_W + self.drawn_W - battery_W - fed_W)
        view.load_meter_W, view.battery_W = round(site.load_power_W), round(battery_W)
        view.grid_W = view.grid_meter_W = grid_W
        found = [within(int(unit.battery.soc * 1000), 0, 1000) for unit in self.pcs]
        view.soc_permille = min(found), sum(found) // len(found)
        hottest = [round(unit.battery.degC * 10) for unit in self.pcs]
        view.module_temperature_ddegC = min(hottest), max(hottest)
        racks = self.limits.rack_unit
        self.split.update([found[unit] for unit in racks], [hottest[unit] for unit in racks])
