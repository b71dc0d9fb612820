"""Chain-only mode: the core without the kernel, at 1 s, for energy and charge over months.

The batteries are lumped. Limits come from safety.bounds. The readings of a tick come from
mean_readings.py. Swings within a second are averaged away, so the throughput of the battery comes
out too low (README.md).
"""

import math
from array import array
from collections.abc import Callable

from controller.config.cabinet_config import Config
from controller.core.decision import Decision
from controller.core.image import ProcessImage, places
from controller.core.kernel_readings import KernelReadings
from controller.core.parameters import settings_of
from controller.core.policies.contract import Setup
from controller.core.site_devices.layout import signals
from controller.core.site_devices.signals_view import Site
from hil.engine.cabinet import SimulatedCabinet
from hil.plant.config import CabinetConfig
from hil.values.lumped import LumpedUnit
from hil.values.mean_readings import MeanReadings
from hil.values.repetition import quicken
from safety import matrix as m, signals as s
from safety.contactors import CLOSED
from safety.kernel import Kernel

TICK_MS = 1000
LIMIT_TICKS = 8  # one step lets a limit rise by at most this many ticks (safety.bounds)


class Limits:
    """Limits by safety.bounds, from the values that racks report: `total`, and `charge_W`,
    `discharge_W` for each unit.
    """

    def __init__(self, config: Config, tick_ms: int) -> None:
        """tick_ms: time between two calls of `step`."""
        self._elapsed_ticks = max(1, tick_ms // config.tick_ms)
        self.kernel = kernel = Kernel(config.safety_image)
        self.layout = kernel.layout
        self.rack_unit = kernel.features.rack_unit
        self.rated_W = [unit["rated_W"] for unit in config.unit_tables]
        self._demand = array("i", [0] * len(kernel.unit_demand))
        self._reports: list[tuple[int, ...]] = [()] * self.layout.units
        self._is_blind = False
        self._readings = KernelReadings(kernel, self.rated_W)
        self.charge_W, self.discharge_W = self._readings.charge_W, self._readings.discharge_W
        self.total = self._readings.limit()
        for rack in range(self.layout.racks):
            kernel.out[self.layout.rack_output(rack, s.CONTACTOR_STEP)] = CLOSED
            kernel.inp[self.layout.rack_input(rack, s.CONTACTOR_STATE)] = s.CONTACTOR_CLOSED

    def step(self, units: list[LumpedUnit], is_blind: bool) -> None:
        """Compute the limits again. is_blind: a meter is silent, so row 50a of the matrix acts."""
        bounds, changed = self.kernel.bounds, self.kernel.features.changed
        reports = [_report(unit) for unit in units]
        is_same = reports == self._reports and is_blind == self._is_blind
        if is_same and bounds.published_W == bounds.lowest_W:
            return
        self._is_blind = is_blind
        for index in range(m.D_CHARGE_INHIBIT, len(self._demand), m.DEMAND_COUNT):
            self._demand[index] = m.INHIBIT_AT_ONCE if is_blind else 0
        for rack, unit in enumerate(self.rack_unit):
            changed[1 + self.layout.units + rack] = is_new = reports[unit] != self._reports[unit]
            if is_new:
                self._take_report(rack, reports[unit])
        self._reports = reports
        ticks = ticks_left = self._elapsed_ticks
        while ticks_left > 0 and (ticks_left == ticks or bounds.published_W != bounds.lowest_W):
            bounds.update(min(ticks_left, LIMIT_TICKS), self._demand, True)
            ticks_left -= LIMIT_TICKS
        self.total = self._readings.limit()

    def _take_report(self, rack: int, report: tuple[int, ...]) -> None:
        inp, features = self.kernel.inp, self.kernel.features
        first, base = self.layout.rack_input(rack, 0), features.rack_base
        soc, volts, cell_mV, degC, charge_mA, discharge_mA = report
        inp[first + s.SOC_PERMILLE], inp[first + s.RACK_VOLTAGE_MV] = soc, volts * 1000
        inp[first + s.CELL_VOLTAGE_MV_MIN] = inp[first + s.CELL_VOLTAGE_MV_MAX] = cell_mV
        inp[first + s.CHARGE_CURRENT_MA_MAX] = charge_mA
        inp[first + s.DISCHARGE_CURRENT_MA_MAX] = discharge_mA
        base += rack * m.RACK_FEATURE_COUNT
        features.value[base + m.F_TEMPERATURE_DDEGC_MAX] = degC
        features.value[base + m.F_TEMPERATURE_DDEGC_MIN] = degC


def _report(unit: LumpedUnit) -> tuple[int, ...]:
    """(permille, V, mV of a cell in steps of 5, 0.1 degC, charge mA, discharge mA)."""
    return (
        int(unit.soc * 1000),
        int(unit.voltage_V),
        int(unit.cell_voltage_V_min * 200) * 5,
        round(unit.degC * 10),
        int(unit.bms.charge_limit_A * 10) * 100,
        int(unit.bms.discharge_limit_A * 10) * 100,
    )


class ChainLoop:
    """The decision of a controller whose readings are means of the plant."""

    def __init__(self, config: Config, soh: float, inp: array, tick_ms: int = TICK_MS) -> None:
        """soh: of all racks; inp: inputs in the order of image.places; tick_ms: time between two
        calls of `step`.
        """
        self.limits = Limits(config, tick_ms)
        limits, kernel, rated_W = self.limits, self.limits.kernel, self.limits.rated_W
        self.readings = MeanReadings(limits.rack_unit, soh, limits.charge_W, limits.discharge_W)
        # The load meter is trusted, because its sign test would need ticks of milliseconds.
        self.settings = settings_of(config.control_image) | {"meter_code_permille": 0}
        first = places(limits.layout, config.site_devices)["site"].start
        self.site = Site(config.site_devices, inp, first, tick_ms)
        setup = Setup(self.settings, tick_ms, sum(rated_W), config.source_image, self.site)
        self.decision = Decision(self.readings, kernel, rated_W, setup, inp)
        self.control = self.decision.control
        quicken(self.control)

    def make_batteries(self, plant: CabinetConfig, soc: float, degC: float) -> list[LumpedUnit]:
        """Make one battery for each unit, and let its racks report once. soc: 0 to 1."""
        racks, decision, readings = list(self.limits.rack_unit), self.decision, self.readings
        readings.bounds = self.limits.total
        readings.units = [
            LumpedUnit(plant.of_unit(unit), racks.count(unit), soc, degC)
            for unit in range(self.limits.layout.units)
        ]
        for rack in range(len(racks)):  # all in one tick, because a tick takes 1 s
            reading = readings.read(rack)
            decision.temperatures.step(reading.temperatures_ddegC)
            decision.health.step(rack, reading.soh_permille)
        return readings.units

    def step(self, batteries: list[LumpedUnit], fresh: bytes | bytearray = b"") -> array:
        """Power of each unit, W. The caller has filled `readings`; fresh: which signals of site
        devices are fresh.
        """
        limits, readings = self.limits, self.readings
        limits.step(batteries, readings.load_W is None or readings.grid_W is None)
        readings.units, readings.bounds = batteries, limits.total
        self.site.step(fresh, 1)
        self.decision.step(1)
        return self.decision.units.out


class ChainOnly:
    """Call `step`. Then load_W, grid_W, battery_W, soc and degC describe the second that ended."""

    MODE = "chain only, 1 s"

    def __init__(
        self,
        config: Config,
        load: Callable[[float], float],
        soc: float,
        degC: float | None = None,
        tick_ms: int = TICK_MS,
    ) -> None:
        """config: loaded with a tick of 100 ms, which sets how fast limits rise; degC: of all
        modules; None: as the air.
        """
        plant = SimulatedCabinet(config, load, 1).plant.config
        inp = ProcessImage(config.layout(), config.site_devices).inp
        self.loop = loop = ChainLoop(config, plant.soh, inp, tick_ms)
        self._fresh = bytes(signals(config.site_devices))  # the site devices are silent
        self.units = loop.make_batteries(plant, soc, plant.air_degC if degC is None else degC)
        self._load, self._aux_W, self._dt_s = load, plant.aux_W, tick_ms / 1000
        self.now_s = 0.0
        self.load_W = self.grid_W = float(load(0.0))
        self.battery_W = 0.0

    soc = property(lambda self: math.fsum(unit.soc for unit in self.units) / len(self.units))
    degC = property(lambda self: max([unit.degC for unit in self.units]))

    def step(self) -> None:
        """Run one tick."""
        self.now_s += self._dt_s
        self.load_W = load_W = self._load(self.now_s)
        readings = self.loop.readings
        readings.load_W = round(load_W)
        readings.grid_W = round(load_W + self._aux_W - self.battery_W)
        readings.powers_W = [round(self.battery_W)]
        powers_W = self.loop.step(self.units, self._fresh)
        self.battery_W = math.fsum(
            [unit.step(power_W, self._dt_s) for unit, power_W in zip(self.units, powers_W)]
        )
        self.grid_W = load_W + self._aux_W - self.battery_W
