"""The grid connection against its limits, as its own meter tells it: means over 2 s (row 57)."""

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
        self.parts = max(1, size_W // self.part_W)
        # never more, which the proof of small ints has to be told
        self.import_parts = min(import_W // self.part_W, LIMIT_PARTS)
        self.export_parts = min(export_W // self.part_W, LIMIT_PARTS)
        self.words = array("i", [0] * means.WORDS)
        self.pair = means.Means(self.words, 0, features.tick_ms)

    def update(self, elapsed: int) -> None:
        """Compare what is known now. Without every converter's power nothing is blamed on it."""
        known = self.features.ages.known(s.G_METER_GRID)
        battery = 0
        for unit in range(self.layout.units):
            known &= self.features.ages.known(self.layout.unit_group(unit, s.G_PCS_MEASURE))
            power_W = self.inp[self.layout.unit_input(unit, s.PCS_POWER_W)]
            battery += self._parts(power_W)
        if known:
            self.pair.add(elapsed, self._parts(self.inp[s.GRID_POWER_W]), battery)
        else:
            self.pair.forget()
        words = self.words
        grid, battery = words[means.MEAN_FIRST], words[means.MEAN_SECOND]
        imported, exported = grid - self.import_parts, -grid - self.export_parts
        self._put(m.F_GRID_OVER_PERMILLE, max(imported, exported))
        self._put(m.F_GRID_IMPORT_BY_BATTERY_PERMILLE, min(imported, -battery))
        self._put(m.F_GRID_EXPORT_BY_BATTERY_PERMILLE, min(exported, battery))

    def _parts(self, power_W):
        return min(max(power_W // self.part_W, -means.VALUE_MAX), means.VALUE_MAX)

    def _put(self, feature, over):
        permille = over * 1000 // self.parts
        self.features.put(feature, permille, self.words[means.KNOWN])
