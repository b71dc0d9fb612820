"""Turns the outputs and features of the safety kernel into readings (readings.py)."""

from array import array
from operator import sub

from controller.core.base import reasons
from controller.core.base.answers import Limit
from controller.core.policies.known import GRID, ISLAND
from controller.core.readings import Meter, Readings
from safety import matrix, signals as s
from safety.evaluate import Evaluator
from safety.kernel import Kernel

# Stages of the cause-and-effect matrix: a converter below its set-point, the emergency stops.
SHORT = "56b"
ESTOPS = ("1a", "1b", "1c")
COLDEST, HOTTEST = matrix.F_TEMPERATURE_DDEGC_MIN, matrix.F_TEMPERATURE_DDEGC_MAX


class KernelReadings:
    """The readings after `kernel.step`."""

    def __init__(self, kernel: Kernel, rated_W: list[int]) -> None:
        """rated_W: of each unit."""
        self._kernel, self._rated_W = kernel, rated_W
        self._inp, self._out, self._ages = kernel.inp, kernel.out, kernel.features.ages
        layout = kernel.layout
        racks, units = range(layout.racks), range(layout.units)
        self.charge_W, self.discharge_W = (array("i", [0] * layout.units) for _ in range(2))
        self._soc_at = [layout.rack_input(rack, s.SOC_PERMILLE) for rack in racks]
        self._soh_at = [layout.rack_input(rack, s.SOH_PERMILLE) for rack in racks]
        self._charge_groups = [layout.rack_group(rack, s.G_BMS_CHARGE) for rack in racks]
        self._heat_groups = [layout.rack_group(rack, s.G_BMS_TEMPERATURES) for rack in racks]
        base = kernel.features.rack_base
        self._heat_at = [base + rack * matrix.RACK_FEATURE_COUNT for rack in racks]
        self._limits_at = [layout.unit_output(unit, s.CHARGE_W_MAX) for unit in units]
        self._power_at = [layout.unit_input(unit, s.PCS_POWER_W) for unit in units]
        self._forming_at = [layout.unit_input(unit, s.PCS_FORMING) for unit in units]
        self._power_groups = [layout.unit_group(unit, s.G_PCS_MEASURE) for unit in units]
        self._short_instances = _instances(kernel.evaluator, SHORT)
        self._estop_instances = _instances(kernel.evaluator, *ESTOPS)

    def read(self, rack: int) -> Readings:
        """See readings.Source. A frozen meter counts as silent, also off the grid."""
        kernel, known, inp = self._kernel, self._ages.known, self._inp
        active, value = kernel.evaluator.active, kernel.features.value
        is_soh_known = known(self._charge_groups[rack])
        is_heat_known = known(self._heat_groups[rack])
        heat_at, frozen_ms = self._heat_at[rack], kernel.frozen_ms
        ends_ddegC = value[heat_at + COLDEST], value[heat_at + HOTTEST]
        is_load_frozen = value[matrix.F_METER_FROZEN_MS] >= frozen_ms
        is_grid_frozen = kernel.features.pace.frozen_ms() >= frozen_ms
        contact = ISLAND if kernel.features.pace.source.is_off_grid() else GRID
        return Readings(
            is_running=self._out[s.STATE] == s.RUNNING,
            is_estop=any(map(kernel.evaluator.standing, self._estop_instances)),
            is_short=any([active[instance] for instance in self._short_instances]),
            limit=self.limit(),
            contact=contact if known(s.G_IO_3) else None,
            forming_W=self._forming_W(),
            load_meter=self._meter(s.G_METER_LOAD, s.LOAD_POWER_W, is_load_frozen),
            grid_meter=self._meter(s.G_METER_GRID, s.GRID_POWER_W, is_grid_frozen),
            proven_grid_W=inp[s.GRID_POWER_W] if self._out[s.OBLIGATIONS_OK] else None,
            unit_powers_W=self._all_known(self._power_groups, self._power_at),
            soc_permille=self._all_known(self._charge_groups, self._soc_at),
            soh_permille=inp[self._soh_at[rack]] if is_soh_known else None,
            temperatures_ddegC=ends_ddegC if is_heat_known else None,
            air_ddegC=inp[s.AIR_TEMPERATURE_DDEGC] if known(s.G_CLIMATE) else None,
        )

    def limit(self) -> Limit:
        """Sum of the units' limits. Each direction has the reason of the unit that
        withholds most.
        """
        out, output_of = self._out, self._kernel.layout.unit_output
        for unit, first in enumerate(self._limits_at):
            self.charge_W[unit] = out[first]
            self.discharge_W[unit] = out[first + 1]
        charge_reason_at = output_of(self._withholding(self.charge_W), s.CHARGE_REASON)
        discharge_reason_at = output_of(self._withholding(self.discharge_W), s.DISCHARGE_REASON)
        charge_reason = reasons.KERNEL_CHARGE[out[charge_reason_at]]
        discharge_reason = reasons.KERNEL_DISCHARGE[out[discharge_reason_at]]
        return Limit(self._charge_W(), charge_reason, sum(self.discharge_W), discharge_reason)

    def _charge_W(self) -> int:
        """Charge limit of the cabinet. Converters that form an island share the power by their
        ratings, so the one with the fullest battery limits them all.
        """
        forming = self._forming_W()
        if not forming:
            return sum(self.charge_W)
        charge_W, rated_W = self.charge_W, self._rated_W
        forming_rated_W = sum([rated_W[unit] for unit in forming])
        shared_W = min([charge_W[unit] * forming_rated_W // rated_W[unit] for unit in forming])
        return shared_W + sum(charge_W) - sum([charge_W[unit] for unit in forming])

    def _withholding(self, limits_W: "array[int]") -> int:
        """The unit whose limit is farthest below its rated power; the first of equal ones."""
        above_rated_W = [*map(sub, limits_W, self._rated_W)]
        return above_rated_W.index(min(above_rated_W))

    def _forming_W(self) -> dict[int, int]:
        """Power of each unit that reports, off the grid, that it forms the voltage."""
        if not self._kernel.features.pace.source.is_off_grid():
            return {}
        known, inp, forming_at = self._ages.known, self._inp, self._forming_at
        groups = enumerate(self._power_groups)
        forming = [unit for unit, group in groups if known(group) and inp[forming_at[unit]]]
        return {unit: inp[self._power_at[unit]] for unit in forming}

    def _meter(self, group: int, place: int, is_frozen: bool) -> Meter:
        is_known = self._ages.known(group) and not is_frozen
        return Meter(self._inp[place] if is_known else None, self._kernel.fresh[group] != 0)

    def _all_known(self, groups: list[int], places: list[int]) -> list[int] | None:
        """The inputs at these places; None if any of the groups is unknown."""
        if not all(map(self._ages.known, groups)):
            return None
        return [self._inp[place] for place in places]


def _instances(evaluator: Evaluator, *names: str) -> list[int]:
    """Places of the instances of these stages in the arrays of the evaluator."""
    stages = enumerate(evaluator.stage)
    return [place for place, stage in stages if matrix.STAGES[stage][matrix.S_ID] in names]
