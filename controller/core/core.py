"""The deterministic core: kernel, control and set-point chain over one frozen process image.
Integers in, integers out.

The core reads no clock and does no I/O. Replay relies on this: the same images and inputs give the
same outputs. `out` holds the kernel's outputs, the chain's trace, the words that functions publish,
one set-point per unit, and a bit for each stage instance that is active or latched. From these bits
a reader of the journal names every alarm.
"""

from array import array
from collections.abc import Iterator
from operator import sub
from typing import Any

from controller.core import image, parameters, reasons, standby
from controller.core.answers import Limit
from controller.core.contract import GRID, ISLAND, Setup
from controller.core.control import Control
from controller.core.health import Health
from controller.core.setpoint import CHAIN_OUTPUTS
from controller.core.site_devices.layout import devices_of, signals
from controller.core.site_devices.signals_view import Site
from controller.core.temperatures import ModuleTemperatures
from controller.core.units import Units
from safety import matrix, parameters as p, signals as s
from safety.evaluate import Evaluator
from safety.kernel import Kernel

STANDING_BITS = 30
SHORT = "56b"
ESTOP = ("1a", "1b", "1c")
FLASH_MS = 250


class Core:
    """`inp`, `fresh` are filled by the caller before `tick`; `out` is valid after it."""

    def __init__(
        self, safety_image: array, control_image: array, source_image: array, site_image: array
    ):
        """All array('i'). ValueError when an image is not of this version."""
        self.safety_image, self.control_image = safety_image, control_image
        self.settings = parameters.settings_of(control_image)
        self.kernel = Kernel(safety_image)
        self.layout = layout = self.kernel.layout
        devices = devices_of(site_image)
        self._places = places = image.places(layout, devices)
        self.inp = array("i", [0] * places["site"].stop)
        self.fresh = bytearray(layout.groups + signals(devices))
        self._kernel_inp, self._kernel_words = (
            memoryview(self.kernel.inp),
            memoryview(self.inp)[: layout.inputs],
        )
        self._tick_ms = tick_ms = safety_image[p.H_TICK_MS]
        self.site = Site(devices, self.inp, places["site"].start, tick_ms)
        first = self.kernel.bounds.map.unit + p.U_RATED_W
        self.rated_W = [safety_image[first + unit * p.UNIT_WORDS] for unit in range(layout.units)]
        self.control = Control(
            Setup(self.settings, tick_ms, sum(self.rated_W), source_image, self.site)
        )
        self.chain, self.view = self.control.chain, self.control.view
        self.functions = self.control.functions
        self.temperatures = ModuleTemperatures(self.kernel)
        self.health = Health(self.kernel, self.settings["energy_Wh"], self.rated_W)
        self.units = Units(self.rated_W, self.kernel.features.rack_unit, self.settings)
        self.chain_at, at = layout.outputs, layout.outputs + len(self.chain.out)
        self.out_at = {}  # place in `out` of what each function publishes
        for name, function in self.functions.items():
            self.out_at[name], at = at, at + len(function.out)
        self.actuators = self.control.actuators
        self.actuators_at, at = at, at + len(self.actuators) * len(self.chain.out)
        self.setpoint_at, self.standing_at = at, at + layout.units
        self.out = array(
            "i", [0] * (self.standing_at + -(-self.kernel.evaluator.count // STANDING_BITS))
        )
        self._find_places(layout)

    def _find_places(self, layout: s.Layout) -> None:
        """Places of the inputs and rows that fill the view; room for the limits of the units."""
        self.view.hints = self.inp, layout.inputs
        self.view.schedule = self.inp, self._places["schedule"].start
        self._published = [
            (each, slice(self.out_at[name], self.out_at[name] + len(each.out)))
            for name, each in self.functions.items()
            if each.out
        ]
        self._mask = 0
        self._charge_W = array("i", [0] * layout.units)
        self._discharge_W = array("i", [0] * layout.units)
        racks, units = range(layout.racks), range(layout.units)
        self._soc_at = [layout.rack_input(rack, s.SOC_PERMILLE) for rack in racks]
        self._soc_group = [layout.rack_group(rack, s.G_BMS_CHARGE) for rack in racks]
        self._limits_at = [layout.unit_output(unit, s.CHARGE_W_MAX) for unit in units]
        self._short = _instances(self.kernel.evaluator, SHORT)
        self._estop = [at for each in ESTOP for at in _instances(self.kernel.evaluator, each)]
        self._power_at = [layout.unit_input(unit, s.PCS_POWER_W) for unit in units]
        self._forming_at = [layout.unit_input(unit, s.PCS_FORMING) for unit in units]
        self._power_group = [layout.unit_group(unit, s.G_PCS_MEASURE) for unit in units]

    def tick(self, elapsed_ticks: int) -> None:
        """One tick over the frozen inputs."""
        kernel = self.kernel
        self._kernel_inp[:] = self._kernel_words
        groups = self.layout.groups
        kernel.fresh[:] = self.fresh[:groups]
        kernel.step(elapsed_ticks)
        self.site.step(self.fresh[groups:], elapsed_ticks)
        self._look()
        total_W = self.control.step(self._kernel_limit(), elapsed_ticks)
        elapsed_ms = elapsed_ticks * self._tick_ms
        self.units.step(total_W, self._charge_W, self._discharge_W, elapsed_ms)
        out = self.out
        out[: self.chain_at] = kernel.out
        out[self.chain_at : self.chain_at + len(self.chain.out)] = self.chain.out
        for function, place in self._published:
            out[place] = function.out
        at = self.actuators_at
        for actuator in self.actuators:
            out[at : at + len(CHAIN_OUTPUTS)] = actuator.chain.out
            at += len(CHAIN_OUTPUTS)
        out[self.setpoint_at : self.standing_at] = self.units.out
        if kernel.out[s.CAUSE_MASK] != self._mask:
            self._name_standing()
        # flashing: a steady lamp would say that there is no energy
        if self.inp[self._places["lamp_test"].start] // FLASH_MS & 1:
            out[s.LAMP_ON] = out[s.RED_LAMP_ON] = 1

    def _look(self) -> None:
        """Fill the view with the fresh values; a frozen meter counts as silent."""
        inp, view, kernel = self.inp, self.view, self.kernel
        ages, out = kernel.features.ages, kernel.out
        source = ISLAND if kernel.features.pace.source.is_off_grid() else GRID
        view.source = source if ages.known(s.G_IO_3) else None
        view.is_forming, view.forming_W = self._forming() if source == ISLAND else (False, 0)
        frozen = kernel.features.value[matrix.F_METER_FROZEN_MS] >= kernel.frozen_ms
        fresh = ages.known(s.G_METER_LOAD) and not frozen
        view.load_meter_W = inp[s.LOAD_POWER_W] if fresh else None
        view.is_load_meter_new = self.fresh[s.G_METER_LOAD] != 0
        frozen = kernel.features.pace.frozen_ms() >= kernel.frozen_ms  # off the grid too
        fresh = ages.known(s.G_METER_GRID) and not frozen
        view.is_grid_meter_new = self.fresh[s.G_METER_GRID] != 0
        view.grid_meter_W = inp[s.GRID_POWER_W] if fresh else None
        grid_W = inp[s.GRID_POWER_W] * self.settings[parameters.SHARE] // 1000
        view.grid_W = grid_W if out[s.OBLIGATIONS_OK] else None
        view.is_running = out[s.STATE] == s.RUNNING
        view.is_stopped_by_person = inp[self._places["rest"].start] in standby.BY_A_PERSON
        view.stored_path_delay_ms = inp[self._places["path_delay"].start]
        at = self._places["peak"].start
        view.stored_peak = inp[at], inp[at + 1]
        powers_W = self._known(self._power_group, self._power_at)
        view.battery_W = None if powers_W is None else sum(powers_W)
        active = kernel.evaluator.active
        view.is_short = any([active[index] for index in self._short])
        if self.actuators:
            view.is_estop = any([kernel.evaluator.standing(index) for index in self._estop])
            is_air_known = ages.known(s.G_CLIMATE)
            view.air_temperature_ddegC = inp[s.AIR_TEMPERATURE_DDEGC] if is_air_known else None
        soc = self._known(self._soc_group, self._soc_at)
        self.temperatures.step()
        self.health.step()
        view.full_Wh, view.healthy_W = self.health.energy_Wh, self.health.power_W
        view.module_temperature_ddegC = self.temperatures.ends()
        hottest = self.temperatures.hottest()
        self.units.update(soc, hottest, self.health.lowest())
        view.unit_temperature_ddegC = None if hottest is None else self.units.weights.held
        view.soc_permille = None if soc is None else (min(soc), sum(soc) // len(soc))

    def _forming(self) -> tuple[bool, int]:
        """Whether a converter reports that it forms the voltage; discharge limit of all such, W."""
        known, inp, out = self.kernel.features.ages.known, self.inp, self.kernel.out
        places = zip(self._power_group, self._forming_at, self._limits_at)
        limits_W = [out[first + 1] for group, at, first in places if known(group) and inp[at]]
        return bool(limits_W), sum(limits_W)

    def _known(self, groups: list[int], places: list[int]) -> list[int] | None:
        """The inputs at these places, None if the group of any is unknown."""
        if not all(map(self.kernel.features.ages.known, groups)):
            return None
        return [self.inp[at] for at in places]

    def _kernel_limit(self) -> Limit:
        """Sum of the units' limits, each way with the reason of the unit that withholds most."""
        out, at = self.kernel.out, self.layout.unit_output
        for unit, first in enumerate(self._limits_at):
            self._charge_W[unit] = out[first]
            self._discharge_W[unit] = out[first + 1]
        charge = at(self._withholding(self._charge_W), s.CHARGE_REASON)
        discharge = at(self._withholding(self._discharge_W), s.DISCHARGE_REASON)
        return Limit(
            sum(self._charge_W),
            reasons.KERNEL_CHARGE[out[charge]],
            sum(self._discharge_W),
            reasons.KERNEL_DISCHARGE[out[discharge]],
        )

    def _withholding(self, limits_W: array) -> int:
        """The unit whose limit leaves the least of its rated power; the first of several."""
        left_W = [*map(sub, limits_W, self.rated_W)]
        return left_W.index(min(left_W))

    def setpoints(self) -> array:
        """Set-point of each unit, W, of the last tick."""
        return self.out[self.setpoint_at : self.standing_at]

    def _name_standing(self) -> None:
        """Write the standing stage instances into `out`; only when the cause mask has changed."""
        evaluator, out = self.kernel.evaluator, self.out
        self._mask = self.kernel.out[s.CAUSE_MASK]
        for word in range(self.standing_at, len(out)):
            out[word] = 0
        for index in range(evaluator.count):
            if evaluator.standing(index):
                out[self.standing_at + index // STANDING_BITS] |= 1 << index % STANDING_BITS

    def _blocks(self) -> Iterator[Any]:
        yield from self.kernel.state_blocks()
        yield from self.control.state_blocks()
        yield self.site.state
        yield self.temperatures.state
        yield self.health.state
        yield from self.units.state_blocks()

    def state_words(self) -> array:
        """Everything that carries over to the next tick, as array('i') (each block padded to whole
        words).
        """
        words = array("i")
        for block in self._blocks():
            data = bytes(block)
            words.frombytes(data + bytes(-len(data) % words.itemsize))
        return words

    def load_state(self, words: array) -> None:
        """Take over what state_words gave. ValueError when the length does not fit."""
        data, at = words.tobytes(), 0
        for block in self._blocks():
            view = memoryview(block).cast("B")
            if at + len(view) > len(data):
                raise ValueError("state words do not fit this topology")
            view[:] = data[at : at + len(view)]
            at += len(view) + -len(view) % words.itemsize
        if at != len(data):
            raise ValueError("state words do not fit this topology")
        self.units.weights.forget()
        self.site.look()
        self._name_standing()


def _instances(evaluator: Evaluator, stage_name: str) -> list[int]:
    """Places of the instances of a stage in the arrays of the evaluator."""
    stages = enumerate(evaluator.stage)
    return [at for at, stage in stages if matrix.STAGES[stage][matrix.S_ID] == stage_name]
