"""The age of every freshness group, whether it was ever seen, and how old it may be to count as known."""

from array import array

from safety import parameters as p
from safety import signals as s


class Ages:
    """Ages of one cabinet's groups in ticks."""

    def __init__(self, layout, image, image_map, fresh):
        self.layout, self.fresh = layout, fresh
        self.ticks = array("i", [0] * layout.groups)
        self.seen = bytearray(layout.groups)
        self.budget_ticks = array("i", [0] * layout.groups)
        self._set_budgets(image, image_map)

    def _set_budgets(self, image, image_map):
        tick_ms, cabinet = image[p.H_TICK_MS], image_map.cabinet
        io = p.ticks(image[cabinet + p.P_IO_SILENT_MS], tick_ms)
        meter = p.ticks(image[cabinet + p.P_METER_SILENT_MS], tick_ms)
        gas = p.ticks(image[cabinet + p.P_GAS_SILENT_MS], tick_ms)
        for index, budget in enumerate((io, io, meter, meter, gas, gas, s.INT_MAX)):
            self.budget_ticks[index] = budget
        for unit in range(self.layout.units):
            ramp = image[image_map.unit + unit * len(p.UNIT_PARAMETERS) + p.U_PCS_RAMP_MS]
            for group in range(len(s.UNIT_GROUPS)):
                self.budget_ticks[self.layout.unit_group(unit, group)] = p.ticks(ramp, tick_ms)
        for rack in range(self.layout.racks):
            warn = image[image_map.rack + rack * len(p.RACK_PARAMETERS) + p.R_BMS_WARN_MS]
            for group in range(len(s.RACK_GROUPS)):
                self.budget_ticks[self.layout.rack_group(rack, group)] = p.ticks(warn, tick_ms)

    def update(self, elapsed):
        """Age every group by `elapsed` ticks, or set its age to 0 where it is fresh."""
        ticks, fresh = self.ticks, self.fresh
        for group in range(self.layout.groups):
            if fresh[group]:
                ticks[group] = 0
                self.seen[group] = 1
            elif ticks[group] < s.TICKS_MAX:
                ticks[group] += elapsed

    def known(self, group):
        """1 if the group was seen and its age is within its budget."""
        return 1 if self.seen[group] and self.ticks[group] <= self.budget_ticks[group] else 0
