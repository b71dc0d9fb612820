"""Temperatures of a rack's modules: extremes, spread, median, and how fast each one rises against
what I2R explains.

Each module's temperature is remembered once a second for HISTORY_S. Until the history is full, or
after a silence, the rise counts from the oldest temperature known: a rise that is reached sooner is
only steeper.
"""

from array import array

from safety import matrix as m, parameters as p, signals as s

HISTORY_S = 30  # row 22: 1 K/min for 30 s
FAST_S, FASTEST_S = 10, 3  # row 23: 0.2 K/s for 10 s, 1 K/s for 3 s
# a module counts as heating when it is 0.2 K warmer than 30 s ago (noise of a sensor: 0.1 K)
RISING_DDEGC = 2
NO_HISTORY_DDEGC = 100_000
# row 45: exactly 0 is a dead sensor where another is 10 K away, as of no healthy rack (row 26)
ZERO_MARGIN_DDEGC = 100
UK_PER_DDEGC = 100_000


class Heating:
    """The temperature features of the racks, written into `value` and `known` of the cabinet's
    features.
    """

    def __init__(self, features):
        self.layout, self.image, self.map = features.layout, features.image, features.map
        self.inp, self.fresh, self.ages = features.inp, features.fresh, features.ages
        self.value, self.known = features.value, features.known
        racks, modules = self.layout.racks, self.layout.modules
        # rack, module, second
        self.history = array("i", [NO_HISTORY_DDEGC] * (racks * modules * HISTORY_S))
        # what the current explains, per second
        self.heat_uK = array("i", [0] * (racks * HISTORY_S))
        # place of the next second; sum of the heat in uK
        self.place = array("i", [0] * (racks * 2))
        # seconds for which every module reported its temperature
        self.whole_s = array("i", [0] * racks)
        # modules that read exactly 0: these may be dead, in a cold rack too
        self.zeros = bytearray(racks)
        self.doubt_s = bytearray(racks)  # for how long such a 0 is still in what looks back
        self.order = array("i", [0] * modules)
        # largest rise of any module over FASTEST_S, FAST_S, HISTORY_S
        self.rise = array("i", [0, 0, 0])

    def _told(self, rack, base, known):
        """`known` of the temperatures: in part while a sensor is dead, doubted while one that reads
        0 may be.
        """
        dead = self.value[base + m.F_TEMPERATURE_ZEROS]
        return known if not known or not self.zeros[rack] else m.IN_PART if dead else m.DOUBTED

    def update(self, rack: int, base: int, groups: int) -> None:
        """Extremes, spread and median from new temperatures; `known` from their age and their
        zeros.

        What looks back is known again only once it was computed anew: after a silence its value is
        an old one.
        """
        if self.fresh[groups + s.G_BMS_TEMPERATURES]:
            self._sort(rack, base)
        known = self.ages.known(groups + s.G_BMS_TEMPERATURES)
        told = self._told(rack, base, known)
        for feature in range(base + m.F_TEMPERATURE_DDEGC_MAX, base + m.F_TEMPERATURE_ZEROS):
            looks_back = (
                base + m.F_TEMPERATURE_RISING <= feature <= base + m.F_TEMPERATURE_UNEXPLAINED_DDEGC
            )
            if not known or not looks_back:
                self.known[feature] = told
        self.known[base + m.F_TEMPERATURE_ZEROS] = known

    def _sort(self, rack, base):
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
            # no rack is at the same tenth of a degree all over
            alike = zeros == modules and modules > 1
            self.value[base + m.F_TEMPERATURE_ZEROS] = zeros if differ or alike else 0
            self.zeros[rack], last = zeros, modules - 1
            dead = zeros % modules if differ else 0  # those that live are compared with each other
            middle, value = (last - dead) // 2, self.value
            highest = order[last - dead if order[last] <= 0 else last]
            value[base + m.F_TEMPERATURE_DDEGC_MAX] = order[last]
            value[base + m.F_TEMPERATURE_DDEGC_MIN] = order[0]
            value[base + m.F_TEMPERATURE_SPREAD_DDEGC] = (
                highest - order[dead if order[0] >= 0 else 0]
            )
            value[base + m.F_TEMPERATURE_OVER_MEDIAN_DDEGC] = (
                highest - order[(last + dead) // 2 if order[middle] >= 0 else middle]
            )

    def second(self, rack: int, base: int, groups: int) -> None:
        """Once a second: remember every module's temperature and the heat of the current, and look
        back.
        """
        modules = self.image[self.map.rack + rack * p.RACK_WORDS + p.R_MODULES]
        at, known = self.place[rack * 2], self.ages.known(groups + s.G_BMS_TEMPERATURES)
        self.place[rack * 2] = (at + 1) % HISTORY_S
        self._heat(rack, at, self.ages.known(groups + s.G_BMS_PACK))
        first = self.layout.rack_input(rack, s.MODULE_TEMPERATURE_DDEGC)
        rise = self.rise
        rise[0] = rise[1] = rise[2] = 0
        ring = rack * self.layout.modules * HISTORY_S
        for module in range(modules):
            # as a temperature it is its neighbours' in time
            if not known or self.inp[first + module] == 0:
                self.history[ring + at] = NO_HISTORY_DDEGC
            else:
                self._look_back(ring, at, self.inp[first + module])
            ring += HISTORY_S
        told = self._told(rack, base, known)
        whole_s = self.whole_s[rack]
        doubt_s = self.doubt_s[rack]
        self.whole_s[rack] = min(HISTORY_S, whole_s + 1) if known and told != m.IN_PART else 0
        self.doubt_s[rack] = HISTORY_S if self.zeros[rack] else max(0, doubt_s - 1)
        if known and whole_s < HISTORY_S:
            told = m.IN_PART
        elif told == m.KNOWN and doubt_s:
            told = m.DOUBTED
        for feature in range(
            base + m.F_TEMPERATURE_RISING, base + m.F_TEMPERATURE_UNEXPLAINED_DDEGC + 1
        ):
            self.known[feature] = told
        value = self.value
        value[base + m.F_TEMPERATURE_RISE_3S_DDEGC] = rise[0]
        value[base + m.F_TEMPERATURE_RISE_10S_DDEGC] = rise[1]
        value[base + m.F_TEMPERATURE_RISING] = 1 if rise[2] >= RISING_DDEGC else 0
        # up: hil/campaigns/runaway/README.md has what it costs, and saves
        explained = -(-self.place[rack * 2 + 1] // UK_PER_DDEGC)
        value[base + m.F_TEMPERATURE_UNEXPLAINED_DDEGC] = rise[2] - explained

    def _look_back(self, ring, at, now):
        """Raise the three rises by one module's, and remember its temperature in the place of the
        oldest.
        """
        history, rise = self.history, self.rise
        fast, fastest = ring + (at - FAST_S) % HISTORY_S, ring + (at - FASTEST_S) % HISTORY_S
        self._fill(ring, at, now)
        rise[0] = max(rise[0], now - history[fastest])
        rise[1] = max(rise[1], now - history[fast])
        rise[2] = max(rise[2], now - history[ring + at])
        history[ring + at] = now

    def _fill(self, ring, at, now):
        """Fill the gap right behind a module's second, the only one there may be, with the
        temperature after it.

        The oldest place may stay a gap: nothing has risen from NO_HISTORY_DDEGC.
        """
        history = self.history
        for back in range(1, HISTORY_S):
            place = ring + (at - back) % HISTORY_S
            if history[place] != NO_HISTORY_DDEGC:
                return
            history[place] = now

    def _heat(self, rack, at, known):
        """What a second of the present current explains, in uK; nothing while it is not known."""
        words = self.map.rack + rack * p.RACK_WORDS
        current_A = abs(self.inp[self.layout.rack_input(rack, s.RACK_CURRENT_MA)]) // 1000
        heat_uK = current_A * current_A // 100 * self.image[words + p.R_HEATING_NK_PER_A2S] // 10
        ring, heats_uK, total_uK = rack * HISTORY_S, self.heat_uK, 0
        heats_uK[ring + at] = heat_uK if known else 0
        # anew: a sum that is only carried on keeps a flipped bit for ever
        for place in range(ring, ring + HISTORY_S):
            total_uK += heats_uK[place]
        self.place[rack * 2 + 1] = total_uK
