"""Compares the grid power, a mean over 2 s, with the limits of the grid connection.

This is row 57 of the cause-and-effect matrix.

Charging counts during a violation in either direction. With two of three current transformers
reversed, an import is measured as an export, and the battery charges because of it.
"""

from array import array

from safety import matrix as m, means, parameters as p, signals as s
from safety.feature_arrays import FeatureArrays

LIMIT_PARTS = 60_000  # means.VALUE_MAX is four times as large


class Connection:
    """Row 57, written into the features.

    words: the means of grid power and battery power. Their unit is `part_W`, a fraction of the
    limit, so that products stay small ints.
    """

    def __init__(self, features: FeatureArrays) -> None:
        image, cabinet = features.image, features.map.cabinet
        self.features, self.layout, self.inp = features, features.layout, features.inp
        import_W = image[cabinet + p.P_GRID_IMPORT_W_MAX]
        export_W = image[cabinet + p.P_GRID_EXPORT_W_MAX]
        # if both limits are 0, the rated power of the PCS is the scale
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
        """Compute the features of row 57. They need the grid meter and the power of every PCS."""
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

    def _put(self, feature: int, over: int) -> None:
        permille = max(over, -means.VALUE_MAX) * 1000 // self.parts
        self.features.put(feature, permille, self.words[means.KNOWN])
