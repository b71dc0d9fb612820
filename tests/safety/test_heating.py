"""Temperatures of modules against a computation of their own, over random courses with gaps."""

import random
import statistics
from fractions import Fraction
from math import ceil

import pytest
from desk import Desk
from rows import ticks

from safety import matrix as m, signals as s
from tests.tables import cases

KNOWN, IN_PART, DOUBTED, UNKNOWN = m.KNOWN, m.IN_PART, m.DOUBTED, 0
SECOND = ticks(1000)
LOOKS_BACK = [m.F_TEMPERATURE_RISE_3S_DDEGC, m.F_TEMPERATURE_RISE_10S_DDEGC]
LOOKS_BACK += [m.F_TEMPERATURE_RISING, m.F_TEMPERATURE_UNEXPLAINED_DDEGC]
AT_ONCE = [m.F_TEMPERATURE_DDEGC_MAX, m.F_TEMPERATURE_DDEGC_MIN, m.F_TEMPERATURE_SPREAD_DDEGC]
AT_ONCE += [m.F_TEMPERATURE_OVER_MEDIAN_DDEGC, m.F_TEMPERATURE_ZEROS]
HEATING_NK = 90


class Reference:
    """One rack's temperatures and currents, a list entry a second; None where unknown."""

    def __init__(self):
        self.temperatures, self.currents_A, self.whole = [], [], []

    def second(self, temperatures, current_A):
        """Remember a second; 0 is no reading, and cannot be one beside a value 10 K away."""
        found = temperatures or []
        is_dead = any(abs(each) >= 100 for each in found) or len(found) > 1 and not any(found)
        self.whole.append(bool(temperatures) and not (is_dead and 0 in found))
        self.temperatures.append(temperatures and [each if each else None for each in temperatures])
        self.currents_A.append(current_A)
        return self

    def rise(self, back_s):
        """Largest rise of a module over `back_s`; a gap counts as the value after it."""
        window = self.temperatures[max(0, len(self.temperatures) - 1 - back_s) :]
        rises = [0]
        for module, now in enumerate(window[-1]):
            told = [each[module] for each in window if each and each[module] is not None]
            if now is not None:
                rises.append(now - told[0])
        return max(rises)

    def explained(self):
        """The part of the last half minute's rise that I2R explains, in 0.1 K, rounded up."""
        squares = sum((current_A or 0) ** 2 for current_A in self.currents_A[-30:])
        return ceil(Fraction(squares * HEATING_NK, 1000 * 100_000))

    def features(self):
        if not self.temperatures[-1]:
            return [UNKNOWN] * 4
        longest = self.rise(30)
        found = self.rise(3), self.rise(10), int(longest >= 2), longest - self.explained()
        return [(value, self.told()) for value in found]

    def told(self):
        if len(self.whole) < 31 or not all(self.whole[-31:]):
            return IN_PART
        return DOUBTED if any(None in each for each in self.temperatures[-31:]) else KNOWN


def seen(desk, rack=0):
    found = [desk.of_rack(feature, rack) for feature in LOOKS_BACK]
    return [each if each[1] else UNKNOWN for each in found]


@pytest.mark.parametrize("modules", [1, 2, 3, 4, 15, 64])
def test_extremes_median_and_spread_of_any_order(modules):
    chance = random.Random(modules)
    desk = Desk(modules=modules)
    for _ in range(30):
        some = (-600, 3000, 0, 250, chance.randint(-600, 3000))
        values = [chance.choice(some) for _ in range(modules)]
        desk.temperatures(values).step()
        zeros = values.count(0) if any(abs(each) >= 100 for each in values) else 0
        alive = [each for each in values if each] if zeros else values
        median = statistics.median_low(alive)
        if len(set(values)) == 1 < len(values):
            zeros = values.count(0)
        # a dead one may hide the hottest or coldest
        told = IN_PART if zeros else DOUBTED if 0 in values else KNOWN
        spreads = (max(alive) - min(alive), max(alive) - median)
        expected = [(value, told) for value in (max(values), min(values), *spreads)]
        assert [desk.of_rack(feature) for feature in AT_ONCE] == [*expected, (zeros, KNOWN)]


@cases("""values zeros
    [99,0,99,0,99]  0 | [-99,0,-99,0,-99]  0 | [1,0,1,0,1]  0 | [100,0,100,0,100]  2
    [-100,0,-100,0,-100]  2 | [0]*4  4 | [0,0,0,1]  0 | [0,0,0,250]  3 | [0,0,0,-100]  3
    [0,0,6,30]  0 | [0]  0""")
def test_zero_is_a_dead_sensor_only_where_it_cannot_be_the_temperature(values, zeros):
    """No rack is at exactly the same tenth of a degree all over; a frosty one nearly is."""
    desk = Desk(modules=len(values)).temperatures(values)
    assert desk.step().of_rack(m.F_TEMPERATURE_ZEROS) == (zeros, KNOWN)


def test_a_rack_without_modules_shows_no_temperatures():
    desk = Desk(racks=2, modules=3, rack_modules=(3, 0)).temperatures([200, 310, 420])
    desk.step(2 * SECOND)
    assert [desk.of_rack(feature)[0] for feature in AT_ONCE] == [420, 200, 220, 110, 0]
    assert [desk.of_rack(feature, 1)[0] for feature in AT_ONCE + LOOKS_BACK] == [0] * 9


def test_extremes_come_with_a_frame_of_temperatures_and_with_no_other():
    desk = Desk(modules=3).temperatures([200, 310, 420]).step()
    groups = {desk.layout.rack_group(0, group) for group in range(s.RACK_GROUP_COUNT)}
    temperatures = desk.layout.rack_group(0, s.G_BMS_TEMPERATURES)
    desk.silence(temperatures).temperatures([100] * 3).step()
    found = [desk.of_rack(feature) for feature in AT_ONCE[:3]]
    assert found == [(420, KNOWN), (200, KNOWN), (220, KNOWN)]
    desk.silent = groups - {temperatures}
    desk.step()
    found = [desk.of_rack(feature) for feature in AT_ONCE[:3]]
    assert found == [(100, KNOWN), (100, KNOWN), (0, KNOWN)]


class Frames:
    def __init__(self, chance, desk, rack, size):
        self.chance, self.desk, self.rack, self.size = chance, desk, rack, size
        self.values, self.dead = [250] * size, None
        self.silent_steps = dict.fromkeys((s.G_BMS_TEMPERATURES, s.G_BMS_PACK), 0)
        self.heard_at = dict.fromkeys(self.silent_steps)
        self.temperatures, self.current_A = None, None

    def send(self, total):
        """The frames of a step that ends after `total` ticks; unheard values stay as they were."""
        for module, value in enumerate(self.values):  # most stay, some rise fast, a few jump
            step = self.chance.choice(
                (0, 0, 0, 1, -1, 12, self.chance.choice((0, 0, 0, 400, -400)))
            )
            self.values[module] = min(3000, max(-600, value + step))
        if self.chance.random() < 0.05:
            self.dead = self.chance.choice((None, self.chance.randrange(self.size)))
        for group, count in self.silent_steps.items():
            fewer = self.chance.choice((0,) * 60 + (4,) * 12 + (30, 260))
            self.silent_steps[group] = count - 1 if count else fewer
            if self.silent_steps[group]:
                self.desk.silence(self.desk.layout.rack_group(self.rack, group))
            else:
                self.desk.silent.discard(self.desk.layout.rack_group(self.rack, group))
                self.heard_at[group] = total
                self._store(group)

    def _store(self, group):
        if group == s.G_BMS_PACK:
            self.current_A = self.chance.choice((-1400, 0, 900))
            self.desk.rack(s.RACK_CURRENT_MA, 1000 * self.current_A, self.rack)
        else:
            self.temperatures = list(self.values)
            if self.dead is not None:
                self.temperatures[self.dead] = 0
            not_there = [3000] * (self.desk.modules - self.size)
            self.desk.temperatures(self.temperatures + not_there, self.rack)

    def known(self, total):
        told = [at is not None and total - at <= ticks(500) for at in self.heard_at.values()]
        return self.temperatures if told[0] else None, self.current_A if told[1] else None


@pytest.mark.parametrize("seed", range(3))
def test_racks_of_unequal_size_each_in_its_own_phase_of_the_second(seed):
    chance, sizes = random.Random(seed), (4, 1, 3)
    desk = Desk(racks=3, modules=4, rack_modules=sizes)
    references = [Reference() for _ in sizes]
    frames, total = [Frames(chance, desk, *each) for each in enumerate(sizes)], 0
    for _ in range(900):
        elapsed = chance.choice((1, 2, 5, 5, 9, 24))
        total += elapsed
        for each in frames:
            each.send(total)
        desk.step(1, elapsed=elapsed)
        for rack, each in enumerate(frames):
            # each in another tick of its second
            if (rack + total) // SECOND > (rack + total - elapsed) // SECOND:
                references[rack].second(*each.known(total))
                assert seen(desk, rack) == references[rack].features(), (seed, rack, total)


@cases("""current_mA heat_uK
    0  0 | 999  0 | 9999  0 | 10_000  9 | -10_999  9 | 140_000  1764 | -140_999  1764
    3_000_000  810_000""")
def test_heat_of_the_current_is_never_taken_too_high(current_mA, heat_uK):
    desk = Desk().rack(s.RACK_CURRENT_MA, current_mA).step(SECOND)
    assert desk.features.racks.heating.place[1] == heat_uK
    assert heat_uK <= Fraction(current_mA**2 * HEATING_NK, 10**9)


def test_heat_of_the_largest_current_stays_in_range():
    desk = Desk(heating_nK_per_A2s=1000).rack(s.RACK_CURRENT_MA, 3_000_000).step(40, elapsed=SECOND)
    assert desk.features.racks.heating.place[1] == 30 * 9_000_000 < s.INT_MAX
    desk.rack(s.RACK_CURRENT_MA, 0).step(30, elapsed=SECOND)
    assert desk.features.racks.heating.place[1] == 0


def test_no_old_rise_counts_after_a_silence():
    desk = Desk().step(3 * SECOND).silence_rack(s.G_BMS_TEMPERATURES)
    assert seen(desk) == [UNKNOWN] * 4, "in a silence, from its first tick on"
    desk = Desk().temperatures([250] * 15).step(3 * SECOND).temperatures([300] * 15).step(SECOND)
    assert seen(desk)[:3] == [(50, IN_PART), (50, IN_PART), (1, IN_PART)]
    desk.silence(desk.layout.rack_group(0, s.G_BMS_TEMPERATURES)).step(SECOND + 10)
    assert seen(desk) == [UNKNOWN] * 4
    assert desk.speak().step(SECOND - 11).of_rack(m.F_TEMPERATURE_DDEGC_MAX) == (300, KNOWN)
    assert seen(desk) == [UNKNOWN] * 4
    assert seen(desk.step())[:3] == [(50, IN_PART), (50, IN_PART), (1, IN_PART)]


def test_a_new_history_is_empty_and_as_large_as_its_topology():
    for modules in (3, 0):
        new = Desk(racks=2, modules=modules).features.racks.heating
        assert (list(new.place), list(new.order)) == ([0] * 4, [0] * modules)
        assert list(new.rise) == [0] * 3


@pytest.mark.parametrize("ddegC, seconds", [(-97, 1), (12, 35), (250, 3)])
def test_a_sensor_that_drops_out_to_0_and_returns_has_not_risen(ddegC, seconds):
    """A 0 below 10 degC does not mean a dead sensor; on its return row 23b was a fire."""
    desk = Desk().temperatures([ddegC] * 15).step(4 * SECOND, elapsed=10)
    desk.temperatures([ddegC] * 7 + [0] + [ddegC] * 7).step(seconds * 5, elapsed=10)
    told = IN_PART if ddegC >= 100 else DOUBTED
    assert seen(desk) == [(0, told)] * 4, "nor is it shown to be calm"
    desk.temperatures([ddegC] * 15)
    for second in range(32):
        assert seen(desk.step(5, elapsed=10)) == [(0, KNOWN if second >= 30 else told)] * 4


@pytest.mark.parametrize("cold", range(2))
def test_a_0_leaves_the_other_racks_in_no_doubt(cold):
    desk = Desk(racks=2).temperatures([20] * 15, 0).temperatures([20] * 15, 1)
    desk.step(32 * 5, elapsed=10).temperatures([20] * 7 + [0] + [20] * 7, cold).step(SECOND)
    for second in range(33):
        told = [DOUBTED if rack == cold and second < 31 else KNOWN for rack in range(2)]
        assert [seen(desk, rack) for rack in range(2)] == [[(0, each)] * 4 for each in told], second
        desk.temperatures([20] * 15, cold).step(5, elapsed=10)


# eight of 15 dead ones made each warm module 30 K hotter than the median: row 21
@cases("""values spread over_median
    [0,250,260]  10  10 | [0,-250,-260]  10  10 | [0,-250,250]  500  500 | [0,0,250]  0  0
    [0,80,90]  90  10 | [-250,0,0]  0  0 | [-250,-100,0]  150  150 | [-250,0,1]  251  251
    [-1,0,250]  251  251 | [0]*8+[300]*6+[310]  10  10 | [0,0,0,30,40]  40  40""")
def test_sensors_that_live_are_compared_with_each_other(values, spread, over_median):
    """A dead sensor is row 45's, which opens after 85 s: row 26 opened after 10."""
    desk = Desk(modules=len(values)).temperatures(values).step()
    assert desk.of_rack(m.F_TEMPERATURE_SPREAD_DDEGC)[0] == spread
    assert desk.of_rack(m.F_TEMPERATURE_OVER_MEDIAN_DDEGC)[0] == over_median
    # 0 may be true for the cold limits
    assert desk.of_rack(m.F_TEMPERATURE_DDEGC_MIN)[0] == min(values)
    assert desk.of_rack(m.F_TEMPERATURE_DDEGC_MAX)[0] == max(values)
