"""Computes the limits on power for each unit and direction.

Each limit is an interval that contains 0, so limits intersect in any order. Values are magnitudes
in W at the AC terminals of the PCS, separate for charge and discharge. A limit that nothing reduces
is the rated power.

The published limit falls at once and rises slowly (`limit_recovery_permille_per_s` of rated
power). Otherwise a chattering BMS limit would make the set-point chatter (Battery-Emulator #1316,
#2607).
"""

from array import array

from safety import matrix as m, parameters as p, signals as s
from safety.feature_arrays import FeatureArrays
from safety.rack_limits import (
    MOST,
    RACK_LIMITS,
    RL_CELL_VOLTAGE,
    RL_CLOSED,
    RL_CURRENT_MA,
    RL_SILENCE,
    RL_SOC,
    RL_TEMPERATURE,
    RL_VOLTAGE_V,
    RackLimits,
)
from safety.tapers import FULL_PERMILLE, scale_W

LIMITS = (
    "pcs_rated",
    "installer",
    "bms_current",
    "cell_voltage_taper",
    "temperature_taper",
    "bms_silence",
    "derate",
    "inhibit",
    "ramp_to_zero",
    "stop",
    "permit",
    "soc_taper",
    "test",
)
(
    L_PCS_RATED,
    L_INSTALLER,
    L_BMS_CURRENT,
    L_CELL_VOLTAGE_TAPER,
    L_TEMPERATURE_TAPER,
    L_BMS_SILENCE,
    L_DERATE,
    L_INHIBIT,
    L_RAMP_TO_ZERO,
    L_STOP,
    L_PERMIT,
    L_SOC_TAPER,
    L_TEST,
) = range(13)
LIMIT_COUNT = len(LIMITS)
# The order in which limits are compared. If several limits are 0, the last of them is published as
# the reason. So a stop is named instead of the limits that follow from it.
NAMED = (
    L_PCS_RATED,
    L_INSTALLER,
    L_BMS_CURRENT,
    L_CELL_VOLTAGE_TAPER,
    L_TEMPERATURE_TAPER,
    L_SOC_TAPER,
    L_BMS_SILENCE,
    L_DERATE,
    L_TEST,
    L_RAMP_TO_ZERO,
    L_INHIBIT,
    L_STOP,
    L_PERMIT,
)
TEST_PERMILLE = 50  # of rated power in test mode (design page)


class Bounds:
    """The limits of every unit: computed each step into `limit_W`, then published with a reason.

    Places in the arrays: `way` is 0 for charge and 1 for discharge; `place` is unit * 2 + way.
    """

    def __init__(self, features: FeatureArrays) -> None:
        layout, image, image_map = features.layout, features.image, features.map
        self.layout, self.image, self.map = layout, image, image_map
        self.inp, self.out, self.features = features.inp, features.out, features
        self.limit_W = array("i", [0] * (layout.units * 2 * LIMIT_COUNT))
        self.racks = RackLimits(features)
        self.rack_limit = self.racks.limit
        # working space: the lowest value of each word among the racks on the DC bus of a unit
        self.least = array("i", [0] * RACK_LIMITS)
        self.publish_at = tuple(
            [
                layout.unit_output(unit, s.CHARGE_W_MAX + way)
                for unit in range(layout.units)
                for way in range(2)
            ]
        )
        self.published_W = array("i", [0] * (layout.units * 2))
        self.lowest_W = array("i", [0] * (layout.units * 2))
        self.signature = array("i", [-1] * layout.units)
        self.tick_ms = image[p.H_TICK_MS]
        self.recovery_permille_per_s = image[image_map.cabinet + p.P_LIMIT_RECOVERY_PERMILLE_PER_S]
        # after a pause of the loop the limit must not jump: a step counts as at most 160 ms
        self.rise_ticks_max = max(8, p.ticks(160, self.tick_ms))
        self.ramp_ticks = max(1, image[image_map.cabinet + p.P_RAMP_TO_ZERO_MS] // self.tick_ms)
        self._set_constants()

    def _set_constants(self) -> None:
        """Set the limits that never change: rated power of the PCS, limit of the installer."""
        for unit in range(self.layout.units):
            start = self.map.unit + unit * p.UNIT_WORDS
            for way in range(2):
                base, rated_W = (unit * 2 + way) * LIMIT_COUNT, self.image[start + p.U_RATED_W]
                self.limit_W[base + L_PCS_RATED] = rated_W
                self.limit_W[base + L_INSTALLER] = min(
                    self.image[start + p.U_INSTALLER_CHARGE_W_MAX + way], rated_W
                )

    def update(self, elapsed: int, demand: "array[int]", running: bool) -> None:
        """Compute and publish the limits, `elapsed` ticks after the last step.

        demand: for each unit in turn, the levels in the order of matrix.DEMANDS. running: energy is
        permitted.
        """
        racks_changed = self.racks.update()
        for unit in range(self.layout.units):
            first = unit * m.DEMAND_COUNT
            signature = self._signature(demand, first, running)
            if racks_changed or signature or signature != self.signature[unit]:
                for way in range(2):
                    if racks_changed:
                        self._rack_limits(unit, way)
                    self._limits(unit, way, elapsed, demand, first, running)
                    self._lowest(unit, way)
            self.signature[unit] = signature
        for place in range(2 * self.layout.units):
            if self.published_W[place] != self.lowest_W[place]:
                self._publish(place, elapsed)

    def _signature(self, demand: "array[int]", first: int, running: bool) -> int:
        """0 if energy is permitted, no stage reduces power, and no test runs; else other bits."""
        return (
            (0 if running else 1)
            | (
                demand[first + m.D_PCS]
                | demand[first + m.D_CHARGE_INHIBIT]
                | demand[first + m.D_DISCHARGE_INHIBIT]
                | demand[first + m.D_CHARGE_DERATE_PCT]
                | demand[first + m.D_DISCHARGE_DERATE_PCT]
            )
            | self.inp[s.TEST_REQUEST]
        )

    def _limits(
        self, unit: int, way: int, elapsed: int, demand: "array[int]", first: int, running: bool
    ) -> None:
        start = self.map.unit + unit * p.UNIT_WORDS
        rated = self.image[start + p.U_RATED_W]
        base = (unit * 2 + way) * LIMIT_COUNT
        limit = self.limit_W
        derate = demand[first + (m.D_DISCHARGE_DERATE_PCT if way else m.D_CHARGE_DERATE_PCT)]
        limit[base + L_DERATE] = self._share_W(base, (100 - derate) * 10)
        inhibited = demand[first + (m.D_DISCHARGE_INHIBIT if way else m.D_CHARGE_INHIBIT)]
        ramp = demand[first + m.D_PCS] >= m.PCS_RAMP or inhibited
        limit[base + L_INHIBIT] = 0 if inhibited >= m.INHIBIT_AT_ONCE else rated
        limit[base + L_RAMP_TO_ZERO] = (
            self._ramped_W(unit * 2 + way, rated, elapsed) if ramp else rated
        )
        limit[base + L_STOP] = 0 if demand[first + m.D_PCS] >= m.PCS_STOP else rated
        limit[base + L_PERMIT] = rated if running else 0
        limit[base + L_TEST] = scale_W(rated, TEST_PERMILLE) if self.inp[s.TEST_REQUEST] else rated

    def _ramped_W(self, place: int, rated: int, elapsed: int) -> int:
        """The next point of the ramp from the published limit to zero.

        The slope is rated power divided by the ramp time, so a smaller power reaches zero sooner.
        The ramp has no state of its own: each point follows from the published limit alone.
        """
        return max(
            0,
            self.published_W[place]
            - (rated // self.ramp_ticks + 1) * min(elapsed, self.ramp_ticks),
        )

    def _rack_limits(self, unit: int, way: int) -> None:
        """Set the limits by the racks of a unit: the weakest rack on its DC bus decides for all."""
        limit, least, online = self.rack_limit, self.least, 0
        for word in range(RACK_LIMITS):
            least[word] = MOST[word]
        for rack in range(self.layout.racks):
            first = rack * RACK_LIMITS
            if self.features.rack_unit[rack] == unit and limit[first + RL_CLOSED]:
                online += 1
                for word in range(RACK_LIMITS):
                    least[word] = min(least[word], limit[first + word])
        limit_W, base = self.limit_W, (unit * 2 + way) * LIMIT_COUNT
        current_mA, voltage_V = least[RL_CURRENT_MA + way], least[RL_VOLTAGE_V]
        dc_W = self._dc_limit_W(unit, way, online, current_mA, voltage_V)
        limit_W[base + L_BMS_CURRENT] = min(limit_W[base + L_PCS_RATED], dc_W)
        limit_W[base + L_CELL_VOLTAGE_TAPER] = self._share_W(base, least[RL_CELL_VOLTAGE + way])
        limit_W[base + L_TEMPERATURE_TAPER] = self._share_W(base, least[RL_TEMPERATURE + way])
        limit_W[base + L_SOC_TAPER] = self._share_W(base, least[RL_SOC + way])
        limit_W[base + L_BMS_SILENCE] = self._share_W(base, least[RL_SILENCE])

    def _share_W(self, base: int, permille: int) -> int:
        """The part `permille` of the lowest power that PCS, installer and BMS allow.

        A part of the rated power alone would reduce nothing where one of the three is far lower.
        """
        limit = self.limit_W
        rated = limit[base + L_PCS_RATED]
        lowest = min(limit[base + L_INSTALLER], limit[base + L_BMS_CURRENT])
        if permille == FULL_PERMILLE:
            return rated
        return scale_W(lowest if lowest else rated, permille)

    def _dc_limit_W(self, unit: int, way: int, online: int, current_mA: int, voltage_V: int) -> int:
        """Power limit by the racks: racks online x lowest current x lowest voltage, rounded down.

        The sharing error reduces the current, and the losses reduce the power of a discharge.
        """
        start = self.map.unit + unit * p.UNIT_WORDS
        current_dA = current_mA // 100 * self.image[start + p.U_RACK_SHARING_PERMILLE] // 1000
        power_W = current_dA * online * voltage_V // 10
        return scale_W(power_W, self.image[start + p.U_EFFICIENCY_PERMILLE_MIN]) if way else power_W

    def _lowest(self, unit: int, way: int) -> None:
        """Find the binding limit of a unit in one direction, and publish its reason."""
        base = (unit * 2 + way) * LIMIT_COUNT
        limit, reason = self.limit_W, L_PCS_RATED
        lowest = limit[base]
        for index in NAMED:
            if limit[base + index] < lowest or limit[base + index] == 0:
                lowest, reason = limit[base + index], index
        self.lowest_W[unit * 2 + way] = lowest
        self.out[self.layout.unit_output(unit, s.CHARGE_REASON + way)] = reason

    def _publish(self, place: int, elapsed: int) -> None:
        """Lower the published limit to the binding limit at once; raise it slowly."""
        rated = self.limit_W[place * LIMIT_COUNT]
        step_W = scale_W(scale_W(rated, self.recovery_permille_per_s), self.tick_ms)
        step_W = step_W * min(elapsed, self.rise_ticks_max) + 1
        self.published_W[place] = min(self.lowest_W[place], self.published_W[place] + step_W)
        self.out[self.publish_at[place]] = self.published_W[place]
