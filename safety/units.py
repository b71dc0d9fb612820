"""Derived signals of the units: silence, power beyond the limit, DC bus against racks, and what the
bits of a device say of it.
"""

from safety import matrix as m, parameters as p, signals as s

FAULT_NONE, FAULT_WARNING, FAULT_TRIP = range(3)


def masks_at(image, place: int) -> tuple:
    """(bits that trip, bits that are more than information) of the two masks at image[place]."""
    return image[place], s.INT_MAX - image[place + 1]


def fault_level(bits: int, masks: tuple) -> int:
    """What the bits of a device say of it (row 59). A bit of neither mask is a warning."""
    if bits & masks[0]:
        return FAULT_TRIP
    return FAULT_WARNING if bits & masks[1] else FAULT_NONE


class Units:
    """The unit features of a cabinet, written into its Features."""

    def __init__(self, features):
        self.features, self.ages, self._put = features, features.ages, features.put
        self.layout, self.image, self.map = features.layout, features.image, features.map
        self.inp, self.out = features.inp, features.out
        self.fresh, self.changed = features.fresh, features.changed
        layout, rack_unit = features.layout, features.rack_unit
        self.of_unit = tuple(
            [
                tuple([rack for rack in range(layout.racks) if rack_unit[rack] == unit])
                for unit in range(layout.units)
            ]
        )
        at = self.map.unit + p.U_PCS_TRIP_BITS
        self.masks = tuple(
            [masks_at(self.image, at + unit * p.UNIT_WORDS) for unit in range(layout.units)]
        )

    def update(self, unit: int) -> None:
        """Recompute the features of one unit that has news or falls silent."""
        group, ages = self.layout.unit_group(unit, s.G_PCS_MEASURE), self.ages
        control = group + s.G_PCS_CONTROL - s.G_PCS_MEASURE
        older = max(ages.ticks[group] * ages.seen[group], ages.ticks[control] * ages.seen[control])
        news = self.fresh[group] or self.fresh[control]
        self.changed[1 + unit] = 1 if news or older >= ages.budget_ticks[group] else 0
        if not self.changed[1 + unit]:
            return
        base = self.features.unit_base + unit * m.UNIT_FEATURE_COUNT
        ladder = self.map.unit + unit * p.UNIT_WORDS + p.U_PCS_RAMP_MS
        known = ages.known(group)
        heard = ages.heard(group, control + 1)
        self._put(base + m.F_PCS_SILENCE_LEVEL, self.features.level(older, ladder), heard)
        self._put(base + m.F_PCS_EXCESS_W, self._excess_W(unit), known)
        bits, masks = self.inp[self.layout.unit_input(unit, s.PCS_ALARM_BITS)], self.masks[unit]
        self._put(base + m.F_PCS_FAULT_LEVEL, fault_level(bits, masks), known)
        self._mismatch(unit, base + m.F_BUS_MISMATCH_MV, known)

    def _excess_W(self, unit):
        """Measured power beyond the limit of the last step, less 2 % of rated or 2 kW (row 41)."""
        power = self.inp[self.layout.unit_input(unit, s.PCS_POWER_W)]
        margin = max(2000, self.image[self.map.unit + unit * p.UNIT_WORDS + p.U_RATED_W] // 50)
        limit = self.out[
            self.layout.unit_output(unit, s.DISCHARGE_W_MAX if power > 0 else s.CHARGE_W_MAX)
        ]
        return abs(power) - limit - margin

    def _mismatch(self, unit, feature, known):
        """Row 38: the largest difference between the DC bus and a rack that is closed onto it.

        A rack that may be closed but is not heard may differ: the others alone show nothing to be
        clear.
        """
        bus_mV = self.inp[self.layout.unit_input(unit, s.PCS_DC_VOLTAGE_MV)]
        found = 0
        for rack in self.of_unit[unit]:
            first, group = self.layout.rack_input(rack, 0), self.layout.rack_group(rack, 0)
            state = self.ages.known(group + s.G_BMS_STATE)
            if state and self.inp[first + s.CONTACTOR_STATE] != s.CONTACTOR_CLOSED:
                continue
            if state and self.ages.known(group + s.G_BMS_PACK):
                found = max(found, abs(self.inp[first + s.RACK_VOLTAGE_MV] - bus_mV))
            elif known:
                known = m.IN_PART
        self._put(feature, found, known)
