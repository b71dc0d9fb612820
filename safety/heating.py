"""Computes features from the module temperatures of a rack.

They are the extremes, the spread, the median, and how much more each module has risen than its I2R
losses explain. The temperature of each module is stored once a second for HISTORY_S. While the
history is not full (at the start, after a silence), the rise counts from the oldest known
temperature. That is safe: the same rise in a shorter time is a steeper one.
"""

from array import array

from safety import matrix as m, parameters as p, signals as s
from safety.feature_arrays import FeatureArrays

HISTORY_S = 30  # row 22 of the matrix: 1 K/min for 30 s
FAST_S, FASTEST_S = 10, 3  # row 23: 0.2 K/s for 10 s, 1 K/s for 3 s
# a module counts as heating when it is 0.2 K warmer than 30 s ago (noise of a sensor: 0.1 K)
RISING_DDEGC = 2
NO_HISTORY_DDEGC = 100_000
# Row 45: a sensor that reads exactly 0 is dead if another sensor of the rack is 10 K or more away
# from 0. The modules of a healthy rack differ less (row 26).
ZERO_MARGIN_DDEGC = 100
UK_PER_DDEGC = 100_000
# words of a rack in `place`: place of the next second, sum of the heat in uK
NEXT, HEAT_UK, PLACE_WORDS = 0, 1, 2
# places in `rise`: largest rise of any module over FASTEST_S, FAST_S, HISTORY_S
OVER_FASTEST, OVER_FAST, OVER_HISTORY = range(3)


class Heating:
    """The temperature features of the racks of one cabinet, written into its features."""

    def __init__(self, features: FeatureArrays) -> None:
        self.layout, self.image, self.map = features.layout, features.image, features.map
        self.inp, self.fresh, self.ages = features.inp, features.fresh, features.ages
        self.value, self.known = features.value, features.known
        racks, modules = self.layout.racks, self.layout.modules
        # index: rack, module, second
        self.history = array("i", [NO_HISTORY_DDEGC] * (racks * modules * HISTORY_S))
        # temperature rise that the losses explain, per rack and second
        self.heat_uK = array("i", [0] * (racks * HISTORY_S))
        self.place = array("i", [0] * (racks * PLACE_WORDS))
        # seconds for which every module reported its temperature
        self.whole_s = array("i", [0] * racks)
        # number of modules that read exactly 0; in a cold rack this may be true or a dead sensor
        self.zeros = bytearray(racks)
        self.doubt_s = bytearray(racks)  # seconds until no 0 is in the history
        self.order = array("i", [0] * modules)
        self.rise = array("i", [0, 0, 0])

    def _known_as(self, rack: int, base: int, known: int) -> int:
        """`known` of the temperatures of a rack.

        IN_PART: a sensor is dead. DOUBTED: a sensor that reads 0 may be dead.
        """
        dead = self.value[base + m.F_TEMPERATURE_ZEROS]
        return known if not known or not self.zeros[rack] else m.IN_PART if dead else m.DOUBTED

    def update(self, rack: int, base: int, groups: int) -> None:
        """Compute extremes, spread and median from new temperatures, and their `known`.

        After a silence only `second` makes the rises known again, because until then their values
        are old.
        """
        if self.fresh[groups + s.G_BMS_TEMPERATURES]:
            self._sort(rack, base)
        known = self.ages.known(groups + s.G_BMS_TEMPERATURES)
        known_as = self._known_as(rack, base, known)
        for feature in range(base + m.F_TEMPERATURE_DDEGC_MAX, base + m.F_TEMPERATURE_ZEROS):
            is_rise = (
                base + m.F_TEMPERATURE_RISING <= feature <= base + m.F_TEMPERATURE_UNEXPLAINED_DDEGC
            )
            if not known or not is_rise:
                self.known[feature] = known_as
        self.known[base + m.F_TEMPERATURE_ZEROS] = known

    def _sort(self, rack: int, base: int) -> None:
        modules = self.image[self.map.rack + rack * p.RACK_WORDS + p.R_MODULES]
        first = self.layout.rack_input(rack, s.MODULE_TEMPERATURE_DDEGC)
        order, inp, zeros = self.order, self.inp, 0
        for index in range(modules):
            value, place = inp[first + index], index
            if value == 0:
                zeros += 1
            while place > 0 and order[place - 1] > value:
                order[place] = order[place - 1]
                place -= 1
            order[place] = value
        if modules:
            differ = order[modules - 1] >= ZERO_MARGIN_DDEGC or order[0] <= -ZERO_MARGIN_DDEGC
            # the modules of a real rack never all have the same temperature, to a tenth of a degree
            alike = zeros == modules and modules > 1
            self.value[base + m.F_TEMPERATURE_ZEROS] = zeros if differ or alike else 0
            self.zeros[rack], last = zeros, modules - 1
            dead = zeros % modules if differ else 0  # dead sensors are not compared
            middle, values = (last - dead) // 2, self.value
            highest = order[last - dead if order[last] <= 0 else last]
            values[base + m.F_TEMPERATURE_DDEGC_MAX] = order[last]
            values[base + m.F_TEMPERATURE_DDEGC_MIN] = order[0]
            values[base + m.F_TEMPERATURE_SPREAD_DDEGC] = (
                highest - order[dead if order[0] >= 0 else 0]
            )
            values[base + m.F_TEMPERATURE_OVER_MEDIAN_DDEGC] = (
                highest - order[(last + dead) // 2 if order[middle] >= 0 else middle]
            )

    def second(self, rack: int, base: int, groups: int) -> None:
        """Once a second: compute the rises, and store temperatures and the heat of the current."""
        modules = self.image[self.map.rack + rack * p.RACK_WORDS + p.R_MODULES]
        slot = self.place[rack * PLACE_WORDS + NEXT]
        known = self.ages.known(groups + s.G_BMS_TEMPERATURES)
        self.place[rack * PLACE_WORDS + NEXT] = (slot + 1) % HISTORY_S
        self._heat(rack, slot, self.ages.known(groups + s.G_BMS_PACK))
        first = self.layout.rack_input(rack, s.MODULE_TEMPERATURE_DDEGC)
        rise = self.rise
        rise[OVER_FASTEST] = rise[OVER_FAST] = rise[OVER_HISTORY] = 0
        ring = rack * self.layout.modules * HISTORY_S
        for module in range(modules):
            # a gap in the history: _fill puts the next known temperature there
            if not known or self.inp[first + module] == 0:
                self.history[ring + slot] = NO_HISTORY_DDEGC
            else:
                self._look_back(ring, slot, self.inp[first + module])
            ring += HISTORY_S
        known_as = self._known_as(rack, base, known)
        whole_s = self.whole_s[rack]
        doubt_s = self.doubt_s[rack]
        self.whole_s[rack] = min(HISTORY_S, whole_s + 1) if known and known_as != m.IN_PART else 0
        self.doubt_s[rack] = HISTORY_S if self.zeros[rack] else max(0, doubt_s - 1)
        if known and whole_s < HISTORY_S:
            known_as = m.IN_PART
        elif known_as == m.KNOWN and doubt_s:
            known_as = m.DOUBTED
        for feature in range(
            base + m.F_TEMPERATURE_RISING, base + m.F_TEMPERATURE_UNEXPLAINED_DDEGC + 1
        ):
            self.known[feature] = known_as
        value = self.value
        value[base + m.F_TEMPERATURE_RISE_3S_DDEGC] = rise[OVER_FASTEST]
        value[base + m.F_TEMPERATURE_RISE_10S_DDEGC] = rise[OVER_FAST]
        value[base + m.F_TEMPERATURE_RISING] = 1 if rise[OVER_HISTORY] >= RISING_DDEGC else 0
        # rounded up; hil/campaigns/RESULTS.md shows the costs and gains of rounding
        explained = -(-self.place[rack * PLACE_WORDS + HEAT_UK] // UK_PER_DDEGC)
        value[base + m.F_TEMPERATURE_UNEXPLAINED_DDEGC] = rise[OVER_HISTORY] - explained

    def _look_back(self, ring: int, slot: int, now: int) -> None:
        """Include the rises of one module in the three largest rises, and store its temperature.

        It replaces the oldest temperature of the module.
        """
        history, rise = self.history, self.rise
        fast, fastest = ring + (slot - FAST_S) % HISTORY_S, ring + (slot - FASTEST_S) % HISTORY_S
        self._fill(ring, slot, now)
        rise[OVER_FASTEST] = max(rise[OVER_FASTEST], now - history[fastest])
        rise[OVER_FAST] = max(rise[OVER_FAST], now - history[fast])
        rise[OVER_HISTORY] = max(rise[OVER_HISTORY], now - history[ring + slot])
        history[ring + slot] = now

    def _fill(self, ring: int, slot: int, now: int) -> None:
        """Fill the gap before the present second with the present temperature.

        A module has at most one gap. The oldest place may stay empty: a rise from NO_HISTORY_DDEGC
        is never positive.
        """
        history = self.history
        for back in range(1, HISTORY_S):
            place = ring + (slot - back) % HISTORY_S
            if history[place] != NO_HISTORY_DDEGC:
                return
            history[place] = now

    def _heat(self, rack: int, slot: int, known: int) -> None:
        """Store the temperature rise that one second of the present current explains, uK.

        It is 0 if the current is not known.
        """
        start = self.map.rack + rack * p.RACK_WORDS
        current_A = abs(self.inp[self.layout.rack_input(rack, s.RACK_CURRENT_MA)]) // 1000
        heat_uK = current_A * current_A // 100 * self.image[start + p.R_HEATING_NK_PER_A2S] // 10
        ring, heats_uK, total_uK = rack * HISTORY_S, self.heat_uK, 0
        heats_uK[ring + slot] = heat_uK if known else 0
        # summed again each time: a running sum would keep the error of a flipped bit for ever
        for place in range(ring, ring + HISTORY_S):
            total_uK += heats_uK[place]
        self.place[rack * PLACE_WORDS + HEAT_UK] = total_uK
