"""The age of every freshness group, whether it was ever seen, whether it is to come, and how old
counts as known.
"""

from array import array

from safety import matrix as m, parameters as p, signals as s

# Of each of CABINET_GROUPS but the controller's own: the time after which it is silent.
SILENT_MS = (
    (p.P_IO_SILENT_MS,) * 3
    + (p.P_METER_SILENT_MS,) * 2
    + (p.P_GAS_SILENT_MS,) * 5
    + (p.P_MONITOR_SILENT_MS,) * 2
)


class Ages:
    """Ages of one cabinet's groups in ticks. Blocks: the cabinet's and the units' groups together,
    then each rack's.
    """

    def __init__(self, layout, image, image_map, fresh: bytearray):
        self.layout, self.fresh = layout, fresh
        self.ticks = array("i", [0] * layout.groups)
        self.seen = bytearray(layout.groups)
        self.budget_ticks = self._budgets(image, image_map)
        self.expected = self._expected(image, image_map)
        self.block_first = tuple(
            [0] + [layout.rack_group(rack, 0) for rack in range(layout.racks + 1)]
        )
        self.news = bytearray(1 + layout.racks)  # per block: 1 if a group of it is fresh
        # per block: of the groups that were seen
        self.oldest_ticks = array("i", [0] * (1 + layout.racks))

    def _budgets(self, image, image_map):
        silent_ms = [image[image_map.cabinet + word] for word in SILENT_MS]
        for unit in range(self.layout.units):
            silent_ms += [
                image[image_map.unit + unit * p.UNIT_WORDS + p.U_PCS_RAMP_MS]
            ] * s.UNIT_GROUP_COUNT
        for rack in range(self.layout.racks):
            silent_ms += [
                image[image_map.rack + rack * p.RACK_WORDS + p.R_BMS_WARN_MS]
            ] * s.RACK_GROUP_COUNT
        budgets = [p.ticks(one_ms, image[p.H_TICK_MS]) for one_ms in silent_ms]
        return tuple(budgets[: s.G_LOCAL] + [s.INT_MAX] + budgets[s.G_LOCAL :])

    def _expected(self, image, image_map):
        """1 for each group that this cabinet has: what it has and was never heard is not known to
        be well.
        """
        at = image_map.cabinet
        gas, vapour = image[at + p.P_GAS_DETECTORS], image[at + p.P_OFFGAS_DETECTORS]
        fitted = [
            1,
            1,
            image[at + p.P_IO_3_FITTED],
            1,
            image[at + p.P_METER_LOAD_FITTED],
            gas,
            gas // 2,
            vapour,
            vapour // 2,
            image[at + p.P_TOXIC_FITTED],
            image[at + p.P_CLIMATE_FITTED],
            image[at + p.P_UPS_FITTED],
            0,
        ] + [1] * (self.layout.units * s.UNIT_GROUP_COUNT)
        for rack in range(self.layout.racks):
            words = image_map.rack + rack * p.RACK_WORDS
            fitted += [
                1,
                image[words + p.R_CELLS_REPORTED],
                1,
                1,
                1,
                image[words + p.R_TEMPERATURES_REPORTED],
            ]
        return bytes([1 if each else 0 for each in fitted])

    def update(self, elapsed: int) -> None:
        """Age every group by `elapsed` ticks, or set its age to 0 where it is fresh."""
        for block in range(len(self.news)):
            self._block(block, elapsed)

    def _block(self, block, elapsed):
        ticks, fresh, seen = self.ticks, self.fresh, self.seen
        news = oldest = 0
        ticks_max = s.TICKS_MAX
        for group in range(self.block_first[block], self.block_first[block + 1]):
            if fresh[group]:
                ticks[group] = 0
                seen[group] = news = 1
            else:
                age = min(ticks[group] + elapsed, ticks_max)
                ticks[group] = age
                if seen[group]:
                    oldest = max(oldest, age)
        self.news[block] = news
        self.oldest_ticks[block] = oldest

    def known(self, group: int) -> int:
        """1 if the group was seen and its age is within its budget."""
        return 1 if self.seen[group] and self.ticks[group] <= self.budget_ticks[group] else 0

    def heard(self, first: int, after: int) -> int:
        """m.KNOWN if all expected groups from `first` to before `after` were seen since the start,
        else m.IN_PART.
        """
        for group in range(first, after):
            if self.expected[group] and not self.seen[group]:
                return m.IN_PART
        return m.KNOWN
