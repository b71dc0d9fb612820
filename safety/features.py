"""Derived signals: ages, votes, spreads, medians, rates. What is unknown is not known, never a value.

`value[i]` holds a feature and `known[i]` whether every input it needs is fresh enough; stages look at both. A group
that was never seen since the start is unknown but not silent: a boot inhibits (permit.py), it does not latch.
"""

from array import array

from safety import matrix as m
from safety import parameters as p
from safety import signals as s
from safety.ages import Ages
from safety.gas import Gas

HISTORY_S = 10  # a module counts as heating when it is 0.2 K warmer than this long ago (noise of a sensor: 0.1 K)
RISING_DDEGC = 2
NO_HISTORY_DDEGC = 100_000  # what the history holds until the first temperature was seen
BAD_FRAMES_MAX = 1000  # where the leaking bucket is full
ZERO_CURRENT_MA = 2000  # row 35: the larger of 2 A and 1 % of rated

ALWAYS_KNOWN = (m.F_IO_SILENCE_MS, m.F_METER_SILENCE_MS, m.F_METER_FROZEN_MS, m.F_STEP_LATE_MS, m.F_BOOT_NOT_CLEAN,
                m.F_BOOT_STORE_UNREADABLE)


class Features:
    """All features of one cabinet, updated once a step from the inputs and freshness bytes it was built on."""

    def __init__(self, layout, image, image_map, inp, fresh, out):
        self.layout, self.image, self.map, self.inp, self.fresh, self.out = layout, image, image_map, inp, fresh, out
        self.unit_base = len(m.CABINET_FEATURES)
        self.rack_base = self.unit_base + layout.units * m.UNIT_FEATURE_COUNT
        count = self.rack_base + layout.racks * m.RACK_FEATURE_COUNT
        self.never = count  # a feature that is never known: what a stage that is not armed looks at
        self.value = array("i", [0] * (count + 1))
        self.known = bytearray(count + 1)
        self.ages = Ages(layout, image, image_map, fresh)
        self.changed = bytearray(1 + layout.units + layout.racks)
        self.frozen_ticks = array("i", [0, 0])
        self.raw_hash = array("i", [0, 0])
        self.boot = array("i", [0, 0])  # not clean, store unreadable: true for the first step only
        self.bad_frames = array("i", [0] * (2 * layout.racks))  # last count, leaking bucket
        self.history = array("i", [NO_HISTORY_DDEGC] * (layout.racks * HISTORY_S))
        self.clock = array("i", [0, 0])  # ticks into the present second, seconds modulo HISTORY_S
        self.order = array("i", [0] * max(1, layout.modules))
        self.tick_ms = image[p.H_TICK_MS]
        self.gas = Gas(image, image_map, self)
        for feature in ALWAYS_KNOWN:
            self.known[feature] = 1

    def update(self, elapsed):
        """Recompute all features after `elapsed` ticks (at most 1e6: the kernel bounds it)."""
        self.ages.update(elapsed)
        self._second(elapsed)
        self._cabinet(elapsed)
        for unit in range(self.layout.units):
            self._unit(unit)
        for rack in range(self.layout.racks):
            self._rack(rack, rack + 1)

    def _second(self, elapsed):
        """Once a second: leak the bad-frame buckets and step the temperature history."""
        clock = self.clock
        clock[0] += elapsed
        if clock[0] * self.tick_ms < 1000:
            return
        clock[0] = 0
        clock[1] = (clock[1] + 1) % HISTORY_S
        for rack in range(self.layout.racks):
            bucket = 2 * rack + 1
            self.bad_frames[bucket] = max(0, self.bad_frames[bucket] - 1)
            if self.ages.seen[self.layout.rack_group(rack, s.G_BMS_TEMPERATURES)]:
                self._rising(rack, clock[1])

    def _rising(self, rack, second):
        """Compare with the temperature of HISTORY_S ago, or with the first one seen while there is none so old."""
        base = self.rack_base + rack * m.RACK_FEATURE_COUNT
        hottest, first = self.value[base + m.F_TEMPERATURE_DDEGC_MAX], rack * HISTORY_S
        if self.history[first + second] == NO_HISTORY_DDEGC:
            for place in range(first, first + HISTORY_S):
                self.history[place] = hottest
        self.value[base + m.F_TEMPERATURE_RISING] = 1 if hottest - self.history[first + second] >= RISING_DDEGC else 0
        self.history[first + second] = hottest

    def _put(self, feature, value, known):
        self.value[feature] = value
        self.known[feature] = known

    def _cabinet(self, elapsed):
        self._contacts()
        value = self.value
        value[m.F_IO_SILENCE_MS] = self._silence_ms(s.G_IO_1, s.G_IO_2)
        value[m.F_METER_SILENCE_MS] = self._silence_ms(s.G_METER_GRID, s.G_METER_LOAD)
        value[m.F_METER_FROZEN_MS] = self._frozen_ms(elapsed)
        value[m.F_STEP_LATE_MS] = min(elapsed, 100_000) * self.tick_ms
        value[m.F_BOOT_NOT_CLEAN] = self.boot[0]
        value[m.F_BOOT_STORE_UNREADABLE] = self.boot[1]
        self.boot[0] = 0
        self.boot[1] = 0
        self.gas.update()
        self.changed[0] = 1

    def _contacts(self):
        """The dry contacts and what follows from two of them; known as long as their module is."""
        inp, value = self.inp, self.value
        value[m.F_ESTOP_1_OK] = inp[s.ESTOP_1_OK]
        value[m.F_ESTOP_2_OK] = inp[s.ESTOP_2_OK]
        value[m.F_ESTOP_DISCREPANCY] = 1 if inp[s.ESTOP_1_OK] != inp[s.ESTOP_2_OK] else 0
        value[m.F_FIRE_ALARM_OK] = inp[s.FIRE_ALARM_OK]
        value[m.F_SUPPRESSION_OK] = inp[s.SUPPRESSION_OK]
        value[m.F_GAS_RELAY_OK] = inp[s.GAS_RELAY_OK]
        value[m.F_AIRFLOW_MISSING] = 1 if self.out[s.FAN_ON] and not inp[s.AIRFLOW_OK] else 0
        value[m.F_BMS_FAULT_OK] = inp[s.BMS_FAULT_OK]
        io_1, io_2 = self.ages.known(s.G_IO_1), self.ages.known(s.G_IO_2)
        if io_1 != self.known[m.F_ESTOP_1_OK] or io_2 != self.known[m.F_ESTOP_2_OK]:
            self._know_contacts(io_1, io_2)

    def _know_contacts(self, io_1, io_2):
        known = self.known
        known[m.F_ESTOP_1_OK] = known[m.F_FIRE_ALARM_OK] = known[m.F_SUPPRESSION_OK] = io_1
        known[m.F_GAS_RELAY_OK] = known[m.F_AIRFLOW_MISSING] = io_1
        known[m.F_ESTOP_2_OK] = known[m.F_BMS_FAULT_OK] = io_2
        known[m.F_ESTOP_DISCREPANCY] = io_1 & io_2

    def _silence_ms(self, first, second):
        """Age in ms of the older of two groups, of those seen since the start."""
        older = max(self.ages.ticks[first] * self.ages.seen[first], self.ages.ticks[second] * self.ages.seen[second])
        return min(older, 1_000_000) * self.tick_ms

    def _frozen_ms(self, elapsed):
        """How long the raw words of the more frozen meter have not changed, in ms."""
        self._watch_words(0, s.GRID_RAW_HASH, s.G_METER_GRID, elapsed)
        self._watch_words(1, s.LOAD_RAW_HASH, s.G_METER_LOAD, elapsed)
        return max(self.frozen_ticks[0], self.frozen_ticks[1]) * self.tick_ms

    def _watch_words(self, meter, signal, group, elapsed):
        if self.fresh[group] and self.inp[signal] != self.raw_hash[meter]:
            self.raw_hash[meter] = self.inp[signal]
            self.frozen_ticks[meter] = 0
        elif self.ages.seen[group]:
            self.frozen_ticks[meter] = min(self.frozen_ticks[meter] + elapsed, 1_000_000)

    def _unit(self, unit):
        group, ages = self.layout.unit_group(unit, s.G_PCS_MEASURE), self.ages
        control = group + s.G_PCS_CONTROL - s.G_PCS_MEASURE
        older = max(ages.ticks[group] * ages.seen[group], ages.ticks[control] * ages.seen[control])
        news = self.fresh[group] or self.fresh[control]
        self.changed[1 + unit] = 1 if news or older >= ages.budget_ticks[group] else 0
        if not self.changed[1 + unit]:
            return
        base = self.unit_base + unit * m.UNIT_FEATURE_COUNT
        ladder = self.map.unit + unit * p.UNIT_WORDS + p.U_PCS_RAMP_MS
        self._put(base + m.F_PCS_SILENCE_LEVEL, self._level(older, ladder), 1)
        self._put(base + m.F_PCS_EXCESS_W, self._excess_W(unit), self.ages.known(group))

    def _level(self, age_ticks, ladder):
        """0 to 3: how many of the three times at image[ladder] the age has reached."""
        image, age_ms = self.image, min(age_ticks, 1_000_000) * self.tick_ms
        return (1 if age_ms >= image[ladder] else 0) + (1 if age_ms >= image[ladder + 1] else 0) + (
            1 if age_ms >= image[ladder + 2] else 0)

    def _excess_W(self, unit):
        """Measured power beyond the limit of the last step, less 2 % of rated or 2 kW (row 41)."""
        power = self.inp[self.layout.unit_input(unit, s.PCS_POWER_W)]
        margin = max(2000, self.image[self.map.unit + unit * p.UNIT_WORDS + p.U_RATED_W] // 50)
        limit = self.out[self.layout.unit_output(unit, s.DISCHARGE_W_MAX if power > 0 else s.CHARGE_W_MAX)]
        return abs(power) - limit - margin

    def _rack(self, rack, block):
        """Nothing new of a rack of which no group is fresh and none is late."""
        ages = self.ages
        groups = ages.block_first[block]
        oldest_ticks = ages.oldest_ticks[block]
        if not ages.news[block] and oldest_ticks < ages.budget_ticks[groups]:
            self.changed[self.layout.units + block] = 0
            return
        self.changed[self.layout.units + block] = 1
        self._rack_anew(rack, groups, oldest_ticks)

    def _rack_anew(self, rack, groups, oldest_ticks):
        base = self.rack_base + rack * m.RACK_FEATURE_COUNT
        ladder = self.map.rack + rack * p.RACK_WORDS + p.R_BMS_WARN_MS
        self._put(base + m.F_BMS_SILENCE_LEVEL, self._level(oldest_ticks, ladder), 1)
        self._cells(rack, groups, base)
        self._current(rack, groups, base)
        self._bad_frames(rack, base)
        known = self.ages.known(groups + s.G_BMS_TEMPERATURES)
        if self.fresh[groups + s.G_BMS_TEMPERATURES]:
            self._temperatures(rack, base)
        self.known[base + m.F_TEMPERATURE_DDEGC_MAX] = known
        self.known[base + m.F_TEMPERATURE_OVER_MEDIAN_DDEGC] = known
        self.known[base + m.F_TEMPERATURE_RISING] = known

    def _cells(self, rack, groups, base):
        known = self.ages.known(groups + s.G_BMS_CELLS)
        first = self.layout.rack_input(rack, 0)
        self._put(base + m.F_CELL_VOLTAGE_MV_MAX, self.inp[first + s.CELL_VOLTAGE_MV_MAX], known)
        self._put(base + m.F_CELL_VOLTAGE_MV_MIN, self.inp[first + s.CELL_VOLTAGE_MV_MIN], known)

    def _current(self, rack, groups, base):
        first = self.layout.rack_input(rack, 0)
        rated = self.image[self.map.rack + rack * p.RACK_WORDS + p.R_RATED_CURRENT_MA]
        margin = max(ZERO_CURRENT_MA, rated // 100)
        current = self.inp[first + s.RACK_CURRENT_MA]
        allowed = self.inp[first + (s.CHARGE_CURRENT_MA_MAX if current < 0 else s.DISCHARGE_CURRENT_MA_MAX)]
        limit = min(allowed, rated)  # as in bounds.py: a BMS that allows more than the rack's rating widens nothing
        pack = self.ages.known(groups + s.G_BMS_PACK)
        both = pack & self.ages.known(groups + s.G_BMS_LIMITS)
        self._put(base + m.F_CURRENT_OVER_105_MA, abs(current) - limit * 105 // 100 - margin, both)
        self._put(base + m.F_CURRENT_OVER_110_MA, abs(current) - limit * 110 // 100 - margin, both)
        self._put(base + m.F_CHARGING, 1 if current < -margin else 0, pack)

    def _bad_frames(self, rack, base):
        count = self.inp[self.layout.rack_input(rack, s.BMS_BAD_FRAMES)]
        last, bucket = 2 * rack, 2 * rack + 1
        group = self.layout.rack_group(rack, s.G_BMS_STATE)
        if self.fresh[group]:
            new = min(BAD_FRAMES_MAX, max(0, count - self.bad_frames[last]))
            self.bad_frames[bucket] = min(BAD_FRAMES_MAX, self.bad_frames[bucket] + new)
            self.bad_frames[last] = count
        self._put(base + m.F_BMS_BAD_FRAMES_RECENT, self.bad_frames[bucket], self.ages.known(group))

    def _temperatures(self, rack, base):
        modules = self.image[self.map.rack + rack * p.RACK_WORDS + p.R_MODULES]
        first = self.layout.rack_input(rack, s.MODULE_TEMPERATURE_DDEGC)
        order, inp = self.order, self.inp
        for index in range(modules):
            value, place = inp[first + index], index
            while place > 0 and order[place - 1] > value:
                order[place] = order[place - 1]
                place -= 1
            order[place] = value
        if modules:
            self.value[base + m.F_TEMPERATURE_DDEGC_MAX] = order[modules - 1]
            self.value[base + m.F_TEMPERATURE_OVER_MEDIAN_DDEGC] = order[modules - 1] - order[(modules - 1) // 2]
