"""Computes the features of the units: silence, power beyond the limit, DC bus, faults of the PCS.

The row numbers here are rows of the cause-and-effect matrix.
"""

from array import array

from safety import matrix as m, parameters as p, signals as s
from safety.feature_arrays import FeatureArrays

FAULT_NONE, FAULT_WARNING, FAULT_TRIP = range(3)


def masks_at(image: "array[int]", place: int) -> tuple[int, int]:
    """(bits that trip, bits that are not just information), from the two masks at image[place]."""
    return image[place], s.INT_MAX - image[place + 1]


def fault_level(bits: int, masks: tuple[int, int]) -> int:
    """FAULT_... for the fault bits of a device (row 59). A bit in neither mask is a warning."""
    if bits & masks[0]:
        return FAULT_TRIP
    return FAULT_WARNING if bits & masks[1] else FAULT_NONE


class Units:
    """The unit features of one cabinet, written into its features."""

    def __init__(self, features: FeatureArrays) -> None:
        self.features, self.ages, self._put = features, features.ages, features.put
        self.layout, self.image, self.map = features.layout, features.image, features.map
        self.inp, self.out = features.inp, features.out
        self.fresh, self.changed = features.fresh, features.changed
        self.of_unit = features.of_unit
        first = self.map.unit + p.U_PCS_TRIP_BITS
        self.masks = tuple(
            [masks_at(self.image, first + unit * p.UNIT_WORDS) for unit in range(self.layout.units)]
        )

    def update(self, unit: int) -> None:
        """Compute the features of one unit if it has news or is silent."""
        group, ages = self.layout.unit_group(unit, s.G_PCS_MEASURE), self.ages
        control = group + s.G_PCS_CONTROL - s.G_PCS_MEASURE
        age_ticks = max(
            ages.ticks[group] * ages.seen[group], ages.ticks[control] * ages.seen[control]
        )
        news = self.fresh[group] or self.fresh[control]
        self.changed[1 + unit] = 1 if news or age_ticks >= ages.budget_ticks[group] else 0
        if not self.changed[1 + unit]:
            return
        base = self.features.unit_base + unit * m.UNIT_FEATURE_COUNT
        ladder = self.map.unit + unit * p.UNIT_WORDS + p.U_PCS_RAMP_MS
        known = ages.known(group)
        heard = ages.heard(group, control + 1)
        self._put(base + m.F_PCS_SILENCE_LEVEL, self.features.level(age_ticks, ladder), heard)
        self._put(base + m.F_PCS_EXCESS_W, self._excess_W(unit), known)
        self._faults(unit, base, known)
        self._mismatch(unit, base + m.F_BUS_MISMATCH_MV, known)

    def _faults(self, unit: int, base: int, known: int) -> None:
        """Row 59: the faults that the PCS reports.

        Its state "fault" counts only while the unit may run. Many converters keep this state until
        a start clears it, and some have it whenever the contactors are open. If it counted without
        the permit, no reset could ever be accepted.
        """
        state = self.inp[self.layout.unit_input(unit, s.PCS_STATE)]
        bits = self.inp[self.layout.unit_input(unit, s.PCS_ALARM_BITS)]
        level = fault_level(bits, self.masks[unit])
        if state == s.PCS_UNNAMED and level == FAULT_NONE:
            level = FAULT_WARNING
        self._put(base + m.F_PCS_FAULT_LEVEL, level, known)
        may_run = self.out[self.layout.unit_output(unit, s.PCS_RUN_OK)]
        in_fault = 1 if may_run and state == s.PCS_FAULT else 0
        self._put(base + m.F_PCS_IN_FAULT, in_fault, known)

    def _excess_W(self, unit: int) -> int:
        """Row 41: measured power beyond the limit, less a margin: 2 % of rated power or 2 kW."""
        power = self.inp[self.layout.unit_input(unit, s.PCS_POWER_W)]
        margin = max(2000, self.image[self.map.unit + unit * p.UNIT_WORDS + p.U_RATED_W] // 50)
        limit = self.out[
            self.layout.unit_output(unit, s.DISCHARGE_W_MAX if power > 0 else s.CHARGE_W_MAX)
        ]
        return abs(power) - limit - margin

    def _mismatch(self, unit: int, feature: int, known_as: int) -> None:
        """Row 38: the largest difference between the DC bus and a rack that is closed onto it.

        A silent rack may be closed and differ, so while one is silent the other racks clear no
        stage.
        """
        bus_mV = self.inp[self.layout.unit_input(unit, s.PCS_DC_VOLTAGE_MV)]
        largest_mV = 0
        for rack in self.of_unit[unit]:
            first, group = self.layout.rack_input(rack, 0), self.layout.rack_group(rack, 0)
            state = self.ages.known(group + s.G_BMS_STATE)
            if state and self.inp[first + s.CONTACTOR_STATE] != s.CONTACTOR_CLOSED:
                continue
            if state and self.ages.known(group + s.G_BMS_PACK):
                largest_mV = max(largest_mV, abs(self.inp[first + s.RACK_VOLTAGE_MV] - bus_mV))
            elif known_as:
                known_as = m.IN_PART
        self._put(feature, largest_mV, known_as)
