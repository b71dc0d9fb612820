"""Chain-only mode: the control functions, the chain and the split at 1 s, with lumped batteries.

No kernel step, no device, no cell: for energy and state of charge over months. The limits of the
units come from safety.bounds. Swings within a second are averaged away, so the throughput is low
(README.md). No row can trip. Without site devices the clock is unknown to peak shaving.
"""

from array import array
from collections.abc import Callable

from controller.config.configuration import Config
from controller.core import reasons
from controller.core.answers import Limit
from controller.core.contract import Setup
from controller.core.control import Control
from controller.core.integers import within
from controller.core.parameters import settings_of
from controller.core.site_devices.layout import devices_of
from controller.core.site_devices.signals_view import Site
from controller.core.units import Units
from hil.engine.cabinet import SimulatedCabinet
from hil.plant.config import CabinetConfig
from hil.values.lumped import LumpedUnit
from hil.values.repetition import quicken
from safety import matrix as m, signals as s
from safety.contactors import CLOSED
from safety.kernel import Kernel

TICK_MS = 1000
LIMIT_TICKS = 8  # the most that a step lets a limit rise: safety.bounds


class Limits:
    """`charge_W`, `discharge_W` of each unit by safety.bounds, from the words that racks report."""

    def __init__(self, config: Config, tick_ms: int) -> None:
        """tick_ms: between two calls of `step`."""
        self._elapsed = min(LIMIT_TICKS, max(1, tick_ms // config.tick_ms))
        self.kernel = kernel = Kernel(config.safety_image)
        self.out, self.layout = kernel.out, kernel.layout
        self.rack_unit = kernel.features.rack_unit
        self.rated_W = [unit["rated_W"] for unit in config.unit_tables]
        self._demand = array("i", [0] * len(kernel.unit_demand))
        self._seen: list[tuple[int, ...]] = [()] * self.layout.units
        self.charge_W = self.discharge_W = array("i", [0] * self.layout.units)
        for rack in range(self.layout.racks):
            kernel.out[self.layout.rack_output(rack, s.CONTACTOR_STEP)] = CLOSED
            kernel.inp[self.layout.rack_input(rack, s.CONTACTOR_STATE)] = s.CONTACTOR_CLOSED

    def step(self, units: list[LumpedUnit]) -> None:
        """Compute the limits anew; the racks of a unit report what its lumped battery shows."""
        bounds, changed = self.kernel.bounds, self.kernel.features.changed
        found = [_words(battery) for battery in units]
        if found == self._seen and bounds.published_W == bounds.lowest_W:
            return
        for rack, unit in enumerate(self.rack_unit):
            changed[1 + self.layout.units + rack] = is_new = found[unit] != self._seen[unit]
            if is_new:
                self._report(rack, found[unit])
        self._seen = found
        bounds.update(self._elapsed, self._demand, True)
        self.charge_W, self.discharge_W = self._of(s.CHARGE_W_MAX), self._of(s.DISCHARGE_W_MAX)

    def _report(self, rack: int, words: tuple[int, ...]) -> None:
        inp, features = self.kernel.inp, self.kernel.features
        first, base = self.layout.rack_input(rack, 0), features.rack_base
        soc, volts, cell_mV, degC, charge_mA, discharge_mA = words
        inp[first + s.SOC_PERMILLE], inp[first + s.RACK_VOLTAGE_MV] = soc, volts * 1000
        inp[first + s.CELL_VOLTAGE_MV_MIN] = inp[first + s.CELL_VOLTAGE_MV_MAX] = cell_mV
        inp[first + s.CHARGE_CURRENT_MA_MAX] = charge_mA
        inp[first + s.DISCHARGE_CURRENT_MA_MAX] = discharge_mA
        base += rack * m.RACK_FEATURE_COUNT
        features.value[base + m.F_TEMPERATURE_DDEGC_MAX] = degC
        features.value[base + m.F_TEMPERATURE_DDEGC_MIN] = degC

    def _of(self, signal: int) -> array:
        units = range(self.layout.units)
        return array("i", [self.out[self.layout.unit_output(unit, signal)] for unit in units])


def _words(battery: LumpedUnit) -> tuple[int, ...]:
    """(permille, V, mV of a cell in steps of 5, 0.1 degC, charge mA, discharge mA)."""
    limits = battery.bms
    return (
        int(battery.soc * 1000),
        int(battery.voltage_V),
        int(battery.cell_voltage_V_min * 200) * 5,
        round(battery.degC * 10),
        int(limits.charge_limit_A * 10) * 100,
        int(limits.discharge_limit_A * 10) * 100,
    )


class ChainLoop:
    """Control functions, chain and split of a cabinet: from its lumped batteries and its meters to
    the power of each unit.
    """

    def __init__(self, config: Config, site: Site, tick_ms: int = TICK_MS) -> None:
        """site: devices of the site; tick_ms: between two calls of `step`."""
        self.limits, self._tick_ms = Limits(config, tick_ms), tick_ms
        rated_W = self.limits.rated_W
        # a test of the meter needs ticks of milliseconds, so the meter is believed
        self.settings = settings = settings_of(config.control_image) | {"meter_code_permille": 0}
        self._energy_Wh = settings["energy_Wh"]
        self.control = Control(Setup(settings, tick_ms, sum(rated_W), config.source_image, site))
        quicken(self.control)
        self.split = Units(rated_W, self.limits.rack_unit, settings)
        self.is_load_meter_ok = self.is_grid_meter_ok = True  # it answers
        self.control.view.is_running = True

    def batteries(self, plant: CabinetConfig, soc: float, degC: float) -> list[LumpedUnit]:
        """One for each unit. soc: 0 to 1."""
        racks = list(self.limits.rack_unit)
        self.control.view.full_Wh = round(self._energy_Wh * plant.soh)
        return [
            LumpedUnit(plant, racks.count(unit), soc, degC)
            for unit in range(self.limits.layout.units)
        ]

    def step(
        self, batteries: list[LumpedUnit], load_W: float, grid_W: float, battery_W: float
    ) -> array:
        """The power of each unit, W. grid_W: without a new decision; battery_W: > 0 discharges."""
        limits = self.limits
        limits.step(batteries)
        self._look(batteries, round(load_W), round(grid_W), round(battery_W))
        charge_W, discharge_W = limits.charge_W, limits.discharge_W
        if not (self.is_load_meter_ok and self.is_grid_meter_ok):  # as row 50a does
            charge_W = array("i", [0] * len(charge_W))
        limit = Limit(
            sum(charge_W), reasons.KERNEL_CHARGE[0], sum(discharge_W), reasons.KERNEL_DISCHARGE[0]
        )
        total_W = self.control.step(limit, 1)
        self.split.step(total_W, charge_W, discharge_W, self._tick_ms)
        return self.split.out

    def _look(self, batteries: list[LumpedUnit], load_W: int, grid_W: int, battery_W: int) -> None:
        view = self.control.view
        view.battery_W = battery_W
        view.is_load_meter_new = self.is_load_meter_ok
        view.is_grid_meter_new = self.is_grid_meter_ok
        view.load_meter_W = load_W if self.is_load_meter_ok else None
        share_W = grid_W * self.settings["share_permille"] // 1000
        view.grid_W, view.grid_meter_W = (
            (share_W, grid_W) if self.is_grid_meter_ok else (None, None)
        )
        found = [within(int(unit.soc * 1000), 0, 1000) for unit in batteries]
        view.soc_permille = min(found), sum(found) // len(found)
        hottest = [round(unit.degC * 10) for unit in batteries]
        view.module_temperature_ddegC = min(hottest), max(hottest)
        racks = self.limits.rack_unit
        view.unit_temperature_ddegC = hottest
        self.split.update([found[unit] for unit in racks], [hottest[unit] for unit in racks])


class ChainOnly:
    """Call `step`; then load_W, grid_W, battery_W, soc and degC hold for the second that ended."""

    MODE = "chain only, 1 s"

    def __init__(
        self,
        config: Config,
        load: Callable[[float], float],
        soc: float,
        degC: float | None = None,
        tick_ms: int = TICK_MS,
    ) -> None:
        """config: with a tick of 100 ms, for the rise of the limits. load: t_s -> W; soc: 0 to 1;
        degC: of all modules, None: of the air.
        """
        site = Site(devices_of(array("i")), array("i"), 0, tick_ms)
        self.loop = loop = ChainLoop(config, site, tick_ms)
        layout = loop.limits.layout
        loop.control.view.hints = array("i", [0] * (layout.inputs + 64)), layout.inputs
        plant = SimulatedCabinet(config, load, 1).plant.config
        self.units = loop.batteries(plant, soc, plant.air_degC if degC is None else degC)
        self._load, self._aux_W, self._dt_s = load, plant.aux_W, tick_ms / 1000
        self.now_s = 0.0
        self.load_W = self.grid_W = float(load(0.0))
        self.battery_W = 0.0

    soc = property(lambda self: sum([each.soc for each in self.units]) / len(self.units))
    degC = property(lambda self: max([each.degC for each in self.units]))

    def step(self) -> None:
        """One tick."""
        self.now_s += self._dt_s
        self.load_W = load_W = self._load(self.now_s)
        grid_W = load_W + self._aux_W - self.battery_W
        powers_W = self.loop.step(self.units, load_W, grid_W, self.battery_W)
        self.battery_W = sum(
            [unit.step(power_W, self._dt_s) for unit, power_W in zip(self.units, powers_W)]
        )
        self.grid_W = load_W + self._aux_W - self.battery_W
