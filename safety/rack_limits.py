"""Computes for each rack its limits of current and voltage, and its shares of full power.

A share is the part, in permille, that a taper or a BMS that falls silent still allows.
"""

from array import array

from safety import matrix as m, parameters as p, signals as s
from safety.contactors import CLOSED
from safety.feature_arrays import TICKS_FOR_MS_MAX, FeatureArrays
from safety.tapers import FULL_PERMILLE, SOC_TAPER_PERMILLE, taper_permille, temperature_tapers

# Words of a rack. CURRENT, CELL_VOLTAGE, TEMPERATURE and SOC have two words each: charge, then
# discharge.
RACK_LIMITS = 11
RL_CURRENT_MA, RL_SILENCE, RL_VOLTAGE_V, RL_CELL_VOLTAGE, RL_TEMPERATURE, RL_CLOSED, RL_SOC = (
    0,
    2,
    3,
    4,
    6,
    8,
    9,
)


_RATED_MA = p.RACK_PARAMETERS[p.R_RATED_CURRENT_MA][3]
_VOLTAGE_V = s.RACK_INPUTS[s.RACK_VOLTAGE_MV][3] // 1000
# The highest value of each word: the limit of a unit without a rack. Products of these values stay
# small ints.
_SHARES = (FULL_PERMILLE, FULL_PERMILLE)
MOST = (_RATED_MA, _RATED_MA, FULL_PERMILLE, _VOLTAGE_V) + _SHARES + _SHARES + (1,) + _SHARES


class RackLimits:
    """The words of every rack in `limit` (RL_...), computed when the rack has news."""

    def __init__(self, features: FeatureArrays) -> None:
        self.layout, self.image, self.map = features.layout, features.image, features.map
        self.inp, self.out, self.features = features.inp, features.out, features
        self.limit = array("i", [0] * (self.layout.racks * RACK_LIMITS))
        self.now = array("i", [0] * RACK_LIMITS)
        self.tick_ms = features.tick_ms
        self.tapers = temperature_tapers(self.image, self.map)

    def update(self) -> bool:
        """Compute the words of racks with news. Returns True if a word of any rack has changed."""
        changed, has_moved = self.features.changed, False
        for rack in range(self.layout.racks):
            if changed[1 + self.layout.units + rack]:
                self._rack(rack)
                if self._moved(rack):
                    has_moved = True
        return has_moved

    def _moved(self, rack: int) -> int:
        """Copy the words of this step from `now` to `limit`. True if one of them differs."""
        now, first = self.now, rack * RACK_LIMITS
        limit, moved = self.limit, False
        for word in range(RACK_LIMITS):
            if limit[first + word] != now[word]:
                limit[first + word] = now[word]
                moved = True
        return moved

    def _rack(self, rack: int) -> None:
        """Compute the words of one rack into `now` (RL_...)."""
        start = self.map.rack + rack * p.RACK_WORDS
        first = self.layout.rack_input(rack, 0)
        image, inp = self.image, self.inp
        now = self.now
        rated_mA = image[start + p.R_RATED_CURRENT_MA]
        closed = self.out[self.layout.rack_output(rack, s.CONTACTOR_STEP)] == CLOSED
        now[RL_CLOSED] = 1 if closed and inp[first + s.CONTACTOR_STATE] == s.CONTACTOR_CLOSED else 0
        now[RL_SILENCE] = self._silence_permille(rack, start)
        now[RL_VOLTAGE_V] = inp[first + s.RACK_VOLTAGE_MV] // 1000
        for way in range(2):
            now[RL_CURRENT_MA + way] = min(inp[first + s.CHARGE_CURRENT_MA_MAX + way], rated_mA)
        self._rack_tapers(rack, start, first)

    def _rack_tapers(self, rack: int, start: int, first: int) -> None:
        """The shares allowed by cell voltage, temperatures and state of charge.

        The highest cell limits charging, the lowest cell limits discharging.
        """
        features, now, image = self.features, self.now, self.image
        cells_reported = image[start + p.R_CELLS_REPORTED]
        temperatures_reported = image[start + p.R_TEMPERATURES_REPORTED]
        base = features.rack_base + rack * m.RACK_FEATURE_COUNT
        hottest = features.value[base + m.F_TEMPERATURE_DDEGC_MAX]
        coldest = features.value[base + m.F_TEMPERATURE_DDEGC_MIN]
        for way in range(2):
            (hot, cold), soc_taper = self.tapers[way], SOC_TAPER_PERMILLE[way]
            taper_at = start + p.R_CHARGE_TAPER_MV + 2 * way
            cell_mV = self.inp[first + s.CELL_VOLTAGE_MV_MAX - way]
            now[RL_CELL_VOLTAGE + way] = (
                taper_permille(cell_mV, image[taper_at], image[taper_at + 1])
                if cells_reported
                else FULL_PERMILLE
            )
            now[RL_TEMPERATURE + way] = (
                min(
                    taper_permille(hottest, hot[0], hot[1]),
                    taper_permille(coldest, cold[0], cold[1]),
                )
                if temperatures_reported
                else FULL_PERMILLE
            )
            now[RL_SOC + way] = taper_permille(
                self.inp[first + s.SOC_PERMILLE], soc_taper[0], soc_taper[1]
            )

    def _silence_permille(self, rack: int, start: int) -> int:
        """The share allowed by a BMS that may be silent.

        It is full until the BMS is late, then falls linearly to 0 at the ramp time. So an old limit
        fades out, and no default value replaces it.
        """
        age_ms = min(self.features.ages.oldest_ticks[1 + rack], TICKS_FOR_MS_MAX) * self.tick_ms
        return taper_permille(
            age_ms, self.image[start + p.R_BMS_WARN_MS], self.image[start + p.R_BMS_RAMP_MS]
        )
