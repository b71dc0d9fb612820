"""Counts the age of every freshness group, and decides whether its signals count as known.

A group is known if it was seen since the start and is younger than its budget.
"""

from array import array

from safety import matrix as m, parameters as p, signals as s

# Time after which each group of CABINET_GROUPS is silent. The last group, `local`, has no such
# time: its signals come from the controller itself.
SILENT_MS = (
    (p.P_IO_SILENT_MS,) * 3
    + (p.P_METER_SILENT_MS,) * 2
    + (p.P_GAS_SILENT_MS,) * 5
    + (p.P_MONITOR_SILENT_MS,) * 2
)


class Ages:
    """Ages of the freshness groups of one cabinet, in ticks.

    Block 0 holds the groups of the cabinet and of its units. Each rack has a block of its own.
    """

    def __init__(
        self, layout: s.Layout, image: "array[int]", image_map: p.ImageMap, fresh: bytearray
    ) -> None:
        self.layout, self.fresh = layout, fresh
        self.ticks = array("i", [0] * layout.groups)
        self.seen = bytearray(layout.groups)
        self.budget_ticks = self._budgets(image, image_map)
        self.expected = self._expected(image, image_map)
        self.block_first = tuple(
            [0] + [layout.rack_group(rack, 0) for rack in range(layout.racks + 1)]
        )
        self.news = bytearray(1 + layout.racks)  # per block: 1 if one of its groups is fresh
        # per block: age of the oldest group that was seen since the start
        self.oldest_ticks = array("i", [0] * (1 + layout.racks))

    def _budgets(self, image: "array[int]", image_map: p.ImageMap) -> tuple[int, ...]:
        """The highest age of each group, in ticks, at which it is known."""
        silent_ms = [image[image_map.cabinet + word] for word in SILENT_MS]
        for unit in range(self.layout.units):
            silent_ms += [
                image[image_map.unit + unit * p.UNIT_WORDS + p.U_PCS_RAMP_MS]
            ] * s.UNIT_GROUP_COUNT
        for rack in range(self.layout.racks):
            silent_ms += [
                image[image_map.rack + rack * p.RACK_WORDS + p.R_BMS_WARN_MS]
            ] * s.RACK_GROUP_COUNT
        budgets = [p.ticks(group_ms, image[p.H_TICK_MS]) for group_ms in silent_ms]
        return tuple(budgets[: s.G_LOCAL] + [s.INT_MAX] + budgets[s.G_LOCAL :])

    def _expected(self, image: "array[int]", image_map: p.ImageMap) -> bytes:
        """One byte per group: 1 if the cabinet has its equipment. `heard` waits for these only."""
        cabinet = image_map.cabinet
        gas, vapour = image[cabinet + p.P_GAS_DETECTORS], image[cabinet + p.P_OFFGAS_DETECTORS]
        fitted = [
            1,
            1,
            image[cabinet + p.P_IO_3_FITTED],
            1,
            image[cabinet + p.P_METER_LOAD_FITTED],
            gas,
            gas // 2,
            vapour,
            vapour // 2,
            image[cabinet + p.P_TOXIC_FITTED],
            image[cabinet + p.P_CLIMATE_FITTED],
            image[cabinet + p.P_UPS_FITTED],
            0,
        ] + [1] * (self.layout.units * s.UNIT_GROUP_COUNT)
        for rack in range(self.layout.racks):
            start = image_map.rack + rack * p.RACK_WORDS
            fitted += [
                1,
                image[start + p.R_CELLS_REPORTED],
                1,
                1,
                1,
                image[start + p.R_TEMPERATURES_REPORTED],
            ]
        return bytes([1 if is_fitted else 0 for is_fitted in fitted])

    def update(self, elapsed: int) -> None:
        """Add `elapsed` ticks to the age of every group; the age of a fresh group becomes 0."""
        for block in range(len(self.news)):
            self._block(block, elapsed)

    def _block(self, block: int, elapsed: int) -> None:
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
        """m.KNOWN if every expected group of range(first, after) was seen since the start.

        Otherwise the result is m.IN_PART.
        """
        for group in range(first, after):
            if self.expected[group] and not self.seen[group]:
                return m.IN_PART
        return m.KNOWN
