"""The grid connection against its limits, as its own meter shows it: means over 2 s (row 57).

Charging beside either violation counts: with two of three current transformers turned round, an
import shows as an export, and the battery charges against it. Without charging no import grows.
"""

from array import array

from safety import matrix as m, means, parameters as p, signals as s

LIMIT_PARTS = 60_000  # four times as many are a value of Means


class Connection:
    """Row 57, written into the Features. words: of grid power and battery power, in parts of the
    connection that are small ints.
    """

    def __init__(self, features):
        image, cabinet = features.image, features.map.cabinet
        self.features, self.layout, self.inp = features, features.layout, features.inp
        import_W = image[cabinet + p.P_GRID_IMPORT_W_MAX]
        export_W = image[cabinet + p.P_GRID_EXPORT_W_MAX]
        # one that may carry nothing is measured by the converter
        size_W = max(import_W, export_W)
        if size_W == 0:
            size_W = image[features.map.unit + p.U_RATED_W]
        self.part_W = size_W // LIMIT_PARTS + 1
        self.parts = size_W // self.part_W
        self.import_parts, self.export_parts = import_W // self.part_W, export_W // self.part_W
        units = range(self.layout.units)
        self.groups = tuple([self.layout.unit_group(unit, s.G_PCS_MEASURE) for unit in units])
        self.powers = tuple([self.layout.unit_input(unit, s.PCS_POWER_W) for unit in units])
        self.words = array("i", [0] * means.WORDS)
        self.pair = means.Means(self.words, 0, features.tick_ms)

    def update(self, elapsed: int) -> None:
        """Compare what is known now. Without every converter's power nothing is blamed on it."""
        known, battery = self.features.ages.known(s.G_METER_GRID), 0
        for group in self.groups:
            known &= self.features.ages.known(group)
        for power in self.powers:
            battery += means.within(self.inp[power] // self.part_W)
        if known:
            self.pair.add(elapsed, self.inp[s.GRID_POWER_W] // self.part_W, battery)
        else:
            self.pair.forget()
        words = self.words
        grid, battery = words[means.MEAN_FIRST], words[means.MEAN_SECOND]
        imported, exported = grid - self.import_parts, -grid - self.export_parts
        over = max(imported, exported)
        self._put(m.F_GRID_OVER_PERMILLE, over)
        self._put(m.F_GRID_OVER_BY_CHARGING_PERMILLE, min(over, -battery))
        self._put(m.F_GRID_EXPORT_BY_BATTERY_PERMILLE, min(exported, battery))

    def _put(self, feature, over):
        permille = max(over, -means.VALUE_MAX) * 1000 // self.parts
        self.features.put(feature, permille, self.words[means.KNOWN])
