"""Rows 54 to 56: frozen values, values that contradict a second source, and good values."""

import random
from array import array

import pytest
from bench import Bench, default_image
from hypothesis import given, strategies as st
from started import running

from safety import matrix as m, means, signals as s, witness as wi
from safety.kernel import Kernel
from tests.tables import cases

TICKS_PER_BLOCK = means.BLOCK_MS // 20
WINDOW, FULL = means.MEAN_BLOCKS * TICKS_PER_BLOCK, means.BLOCKS * TICKS_PER_BLOCK


def pair(tick_ms=20, first=3):
    words = array("i", [7] * first + [0] * means.WORDS + [7])
    return means.Means(words, first, tick_ms)


def result(one):
    return tuple(one.words[one.at : one.at + means.RANGE + 1])


VALUES = st.lists(
    st.integers(-means.VALUE_MAX, means.VALUE_MAX), min_size=FULL + 1, max_size=FULL + 60
)


@given(VALUES, st.randoms(use_true_random=False))
def test_means_of_2_s_and_range_of_4_s(second, draw):
    one, first = pair(), [draw.randrange(-1000, 1000) for _ in second]
    for count, each in enumerate(zip(first, second), 1):
        one.add(1, *each)
        assert one.words[one.at + means.KNOWN] == (count >= FULL)
    end = len(second) // TICKS_PER_BLOCK * TICKS_PER_BLOCK
    found = [sum(each[end - WINDOW : end]) // WINDOW for each in (first, second)]
    last = second[end - FULL : end]
    assert result(one) == (1, *found, max(last) - min(last))
    assert list(one.words[: one.at]) == [7] * one.at and one.words[-1] == 7


@pytest.mark.parametrize("value", [means.VALUE_MAX + 1, -means.VALUE_MAX - 1, s.INT_MAX])
def test_a_value_beyond_counts_as_the_largest(value):
    one = pair(tick_ms=10)
    for _ in range(2 * FULL):
        one.add(1, value, -value)
    most = max(-means.VALUE_MAX, min(means.VALUE_MAX, value))
    assert result(one) == (1, most, max(-means.VALUE_MAX, min(means.VALUE_MAX, -value)), 0)


def test_the_window_moves_in_blocks_and_a_gap_begins_anew():
    one = pair()
    for _ in range(FULL):
        one.add(1, 0, 0)
    for block in range(1, means.BLOCKS + 1):
        for _ in range(TICKS_PER_BLOCK):
            one.add(1, 100, 40)
        part = min(block, means.MEAN_BLOCKS)
        assert result(one) == (1, 25 * part, 10 * part, 0 if block == means.BLOCKS else 40)
    one.forget()
    for _ in range(FULL):
        assert not one.words[one.at + means.KNOWN]
        one.add(1, 3, 3)
    assert result(one) == (1, 3, 3, 0)


def test_a_late_step_ends_the_block_it_reaches_and_counts_for_its_ticks():
    one = pair()
    for count in range(1, means.BLOCKS + 1):
        one.add(TICKS_PER_BLOCK + 40, count, count)
    assert result(one) == (1, 6, 6, 7)
    for _ in range(means.BLOCKS):
        one.add(5, 100, 0)
        one.add(TICKS_PER_BLOCK - 5, 0, 50)
    assert result(one) == (1, 20, 40, 50)


@pytest.mark.parametrize("word", [means.FIRST, means.SECOND])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_sum_stays_within_its_range_whatever_the_memory_holds(word, sign):
    one = pair()
    one.add(1, 0, 0)
    at, most = one.at + means.NOW + word, sign * means.VALUE_MAX * TICKS_PER_BLOCK
    one.words[at] = most - sign
    for _ in range(2):
        one.add(1, sign, sign)
        assert one.words[at] == most


def test_ticks_that_the_memory_has_wrong_end_the_block_and_count_nothing():
    one = pair()
    one.add(1, 5, 5)
    one.words[one.at + means.TICKS] = TICKS_PER_BLOCK + 3
    one.add(1, 100, 100)
    block = one.at + means.NOW + means.BLOCK_WORDS
    assert list(one.words[block : block + 4]) == [5, 5, 5, 100]
    assert one.words[one.at + means.TICKS] == 0 and one.words[one.at + means.FILLED] == 1


# a rack of 140 A: apart by more than 10 A; a value may be 333 ms late, of a BMS of 100 ms
LAG_TICKS = 16


def converter(bench, current_mA):
    return bench.hold_unit(s.PCS_DC_CURRENT_MA, current_mA)


def apart_dA(bench):
    return bench.of_unit(m.F_CURRENTS_APART_DA)[0]


@pytest.mark.parametrize("apart_mA, trips", [(10_000, False), (10_100, True), (-10_100, True)])
@pytest.mark.parametrize("load_mA", [0, 100_000, -100_000])
def test_a_lasting_difference_beyond_10_A_trips(load_mA, apart_mA, trips):
    bench = running().load(load_mA).step(FULL + 30)
    assert apart_dA(bench) == -100
    converter(bench, load_mA + apart_mA).step(FULL + 60)
    assert ("55" in bench.standing()) == trips and apart_dA(bench) == (1 if trips else 0)


def test_of_a_large_unit_5_percent_are_the_margin():
    bench = running(racks=3).load(50_000).step(FULL)
    converter(bench, 150_000 + 21_000).step(FULL)
    assert apart_dA(bench) == 0 and "55" not in bench.standing()
    converter(bench, 150_000 + 21_100).step(FULL)
    assert "55" in bench.standing()


@cases("""rack_mA rack_permille pcs_permille margin_dA
    140_000  10  10  100 | 140_000  36  36  101 | 140_000  35  35  100 | 140_000  0  72  101
    140_000  72  0  101 | 140_000  100  100  280 | 1_600_000  25  25  800
    1_600_000  25  26  816 | 200_000  0  0  100 | 202_000  0  0  101 | 1000  100  100  100
    (100_000,200_000)  (50,50)  30  240""")
def test_stated_sensor_errors_widen_the_margin(rack_mA, rack_permille, pcs_permille, margin_dA):
    """The errors of two racks, 5 A and 10 A, and of their converter, 3 % of 300 A, add up."""
    stated = {"current_error_permille": rack_permille, "pcs_current_error_permille": pcs_permille}
    racks = len(rack_mA) if isinstance(rack_mA, tuple) else 1
    kernel = Kernel(default_image(racks=racks, rated_current_mA=rack_mA, **stated))
    assert kernel.features.witness.of_unit[0].margin_dA == margin_dA


@pytest.mark.whole
@given(st.integers(0, 1 << 30), st.sampled_from([1, 5, 13, 25, 60, 170]))
def test_a_swing_that_the_bms_tells_late_is_no_contradiction(seed, hold_ticks):
    """Any load up to rated both ways, 320 ms late."""
    draw, bench, told = random.Random(seed), running(), [0] * LAG_TICKS
    for count in range(300):
        if count % hold_ticks == 0:
            current_mA = draw.randrange(-140_000, 140_001)
        told.append(current_mA)
        converter(bench, current_mA)
        bench.load(told.pop(0)).step()
        assert apart_dA(bench) <= 0, count
    assert "55" not in bench.standing()


@pytest.mark.parametrize("group", ["pcs", "rack"])
def test_an_old_value_contradicts_nothing(group):
    bench = running().step(FULL)
    of = bench.layout.unit_group(0, s.G_PCS_MEASURE), bench.layout.rack_group(0, s.G_BMS_PACK)
    silent = of[group == "rack"]
    bench.silence(silent).step(LAG_TICKS)
    assert apart_dA(bench) == -100 and known(bench)
    bench.step()
    assert not known(bench)
    bench.speak().step(FULL - 1)
    assert not known(bench) and known(bench.step())


def known(bench):
    return bench.of_unit(m.F_CURRENTS_APART_DA)[1]


def still_ms(bench, rack=0):
    return bench.of_rack(m.F_BMS_STILL_MS, rack)[0]


@pytest.mark.parametrize("moved_mA, counts", [(7099, False), (7100, True), (-7100, True)])
def test_it_counts_from_where_the_converter_has_moved_by_5_percent(moved_mA, counts):
    bench = running().step(500)
    assert still_ms(bench) == 0, "nothing moved: nothing has to change"
    converter(bench, moved_mA).step(10)
    assert still_ms(bench) == (200 if counts else 0)
    converter(bench, 0).step(5)
    assert still_ms(bench) == (300 if counts else 0), "back again, and it was told nothing"


OTHERS = (s.CELL_VOLTAGE_MV_MIN, s.CELL_VOLTAGE_MV_MAX, s.MODULE_TEMPERATURE_DDEGC)


@pytest.mark.parametrize("signal", [s.RACK_VOLTAGE_MV, s.RACK_CURRENT_MA])
def test_a_pack_value_that_changes_begins_anew(signal):
    bench = converter(running(), 9000).step(99)
    for other in OTHERS:
        bench.inp[bench.rack_at(other)] += 1
    assert still_ms(bench.step()) == 2000, "cells and temperatures vouch for no current"
    bench.inp[bench.rack_at(signal)] += 1
    group = bench.layout.rack_group(0, s.G_BMS_PACK)
    bench.silence(group).step()
    assert still_ms(bench) == 2020, "it has not come"
    bench.speak(group).step()
    assert still_ms(bench) == 0
    converter(bench, 18_000).step(SETTLED - 1)
    converter(bench, 27_000).step()
    assert still_ms(bench) == 20


SETTLED = 100  # ticks after a change: both have told it


@pytest.mark.parametrize("late_ticks, counts", [(SETTLED - 2, 0), (SETTLED - 1, 20)])
def test_a_converter_that_tells_a_change_after_the_bms_is_no_contradiction(late_ticks, counts):
    """The first step of a load that then stands still: each tells it once."""
    bench = running()
    bench.inp[bench.rack_at(s.RACK_VOLTAGE_MV)] -= 1
    bench.step(1 + late_ticks)
    assert still_ms(converter(bench, 9000).step()) == counts


@pytest.mark.parametrize("moved_mA, counts", [(21_099, False), (21_100, True), (-21_100, True)])
def test_cells_count_while_the_current_of_their_pack_is_15_percent_off(moved_mA, counts):
    bench = running().step(SETTLED + 400)
    assert still_ms(bench.load(moved_mA).step(10)) == (200 if counts else 0)
    bench.load(0).step(5)
    assert still_ms(bench) == (200 if counts else 0), "a short peak may lie between two readings"
    bench.load(moved_mA).step(5)
    assert still_ms(bench) == (300 if counts else 0)


@pytest.mark.parametrize("signal", [s.CELL_VOLTAGE_MV_MIN, s.CELL_VOLTAGE_MV_MAX])
def test_a_cell_voltage_that_changes_begins_anew(signal):
    bench = running().step(SETTLED).load(22_000).step(100)
    assert still_ms(bench) == 2000
    bench.inp[bench.rack_at(s.MODULE_TEMPERATURE_DDEGC)] += 1
    assert still_ms(bench.step()) == 2020
    bench.inp[bench.rack_at(signal)] += 1
    assert still_ms(bench.step()) == 0
    bench.load(40_000).step(SETTLED - 1)
    assert still_ms(bench.load(62_000).step()) == 20


def test_of_two_racks_each_cell_follows_its_own_pack():
    bench = converter(running(racks=2, rated_current_mA=(140_000, 200_000)).step(SETTLED), 0)
    bench.set_rack(s.RACK_CURRENT_MA, 30_000, 1).step(5)
    assert [still_ms(bench, rack) for rack in (0, 1)] == [0, 0]
    bench.set_rack(s.RACK_CURRENT_MA, 30_100, 1).step(5)
    assert [still_ms(bench, rack) for rack in (0, 1)] == [0, 100]


@pytest.mark.parametrize("group", [s.G_BMS_PACK, s.G_BMS_CELLS])
def test_cells_without_pack_or_pack_without_cells_count_nothing(group):
    bench = converter(running().step(SETTLED), 0)
    bench.silence(bench.layout.rack_group(0, group)).step(100)
    assert still_ms(bench.load(22_000).step(60)) == 0


def test_a_chip_that_hangs_behind_a_live_pack_is_found_in_20_s():
    """Cells, temperatures, limits and fault bits repeat; the load swings once in 2 s."""
    bench = running().step(SETTLED)
    for half in range(20):
        assert "54" not in bench.standing()
        bench.set_rack(s.RACK_VOLTAGE_MV, 790_000 - half % 2 * 2000)
        bench.load(half % 2 * 60_000).step(50)
    assert "54" in bench.standing()


# 240 cells between 3290 and 3300 mV, and 40 mV of tolerance
@pytest.mark.parametrize(
    "pack_mV, counts", [(779_999, 1), (780_000, 0), (801_600, 0), (801_601, 1), (0, 1)]
)
def test_a_pack_voltage_outside_of_its_cells_is_a_contradiction(pack_mV, counts):
    bench = running().set_rack(s.RACK_VOLTAGE_MV, pack_mV).step(499)
    assert still_ms(bench) == counts * 9980 and "54" not in bench.standing()
    assert ("54" in bench.step().standing()) == bool(counts)
    bench.set_rack(s.RACK_VOLTAGE_MV, 790_000).step()
    assert still_ms(bench) == 0


@pytest.mark.parametrize("group", [s.G_BMS_PACK, s.G_BMS_CELLS, None])
def test_a_contradiction_needs_both_values_of_a_closed_rack(group):
    bench = running().set_rack(s.RACK_VOLTAGE_MV, 810_000).step(5)
    assert still_ms(bench) == 100
    if group is None:
        bench.hold_rack(s.CONTACTOR_STATE, s.CONTACTOR_OPEN).step()
    else:
        bench.silence(bench.layout.rack_group(0, group)).step(LAG_TICKS + 20)
    assert still_ms(bench) == 0


def test_an_open_rack_and_an_unknown_converter_count_nothing():
    bench = converter(running(), 9000).hold_rack(s.CONTACTOR_STATE, s.CONTACTOR_OPEN).step(5)
    assert still_ms(bench) == 0
    bench = running().silence(bench.layout.unit_group(0, s.G_PCS_MEASURE)).step(150)
    converter(bench, 90_000).step(5)
    assert still_ms(bench) == 0


@pytest.mark.parametrize("warn_ms, age_ms", [(500, 333), (2400, 1600), (3000, 2000), (6000, 2000)])
def test_how_late_a_bms_may_tell_follows_from_its_silence(warn_ms, age_ms):
    kernel = Kernel(default_image(racks=2, bms_warn_ms=(500, warn_ms)))
    assert kernel.features.witness.of_unit[0].age_ms_max == age_ms


def test_a_unit_without_racks_has_no_bms_that_may_be_late():
    assert Kernel(default_image(units=2)).features.witness.of_unit[1].age_ms_max == 0


def test_the_stated_errors_to_a_tenth_of_an_ampere():
    assert wi.apart_dA_max([(1_600_000, 100)] * 2, 100) == 6400


def test_a_converter_that_is_off_owes_nothing_at_all():
    bench = powers(running(rated_W=50_000), 0, 30_000)
    bench.hold_unit(s.PCS_STATE, s.PCS_OFF).step(FULL + TICKS_PER_BLOCK)
    pair = bench.kernel.features.witness.powers[0]
    assert pair.words[pair.at + means.MEAN_SECOND] == 0


def test_currents_of_the_racks_are_summed_before_they_are_rounded():
    bench = running(racks=2)
    for rack in range(2):
        bench.set_rack(s.RACK_CURRENT_MA, 999 + rack, rack)
    witness = bench.step(2 * FULL).kernel.features.witness
    pair = witness.currents[0]
    assert pair.words[pair.at + means.MEAN_FIRST] == 19


def powers(bench, measured_W, sent_W):
    bench.hold_unit(s.PCS_POWER_W, measured_W)
    return bench.hold_unit(s.PCS_SENT_W, sent_W)


def disobeys(bench):
    """(beyond, short) in permille of rated."""
    return tuple(of_unit(bench, 0)[1:])


@pytest.mark.parametrize(
    "measured_kW, sent_kW, beyond, short",
    [
        *((0, 0, 0, 0), (100, 100, 0, 0), (-250, -250, 0, 0), (120, 100, 80, -80)),
        *((-120, -100, 80, -80), (100, 120, -80, 80), (-100, -120, -80, 80)),
        *((100, -100, 400, 0), (-100, 100, 400, 0), (-40, 200, 160, 640), (30, 0, 120, -120)),
        *((0, -30, 0, 120), (0, 30, -120, 120), (-30, 0, 120, -120)),
        *((25, -100, 100, 300), (-24.995, 100, 99, 300)),  # to the part
    ],
)
def test_power_against_the_set_point_that_was_sent(measured_kW, sent_kW, beyond, short):
    bench = powers(running(), round(measured_kW * 1000), sent_kW * 1000).step(
        FULL + TICKS_PER_BLOCK
    )
    assert disobeys(bench) == (beyond, short)
    bench.step(1 + FULL)
    assert ("56a" in bench.standing()) == (beyond >= 100)
    assert ("56b" in bench.standing()) == (short >= 100)


STATES = range(s.PCS_OFF, s.PCS_OFF + 8)


@pytest.mark.parametrize("state", STATES)
def test_a_converter_that_does_not_run_owes_no_power_and_may_give_none(state):
    """A slow start is no derating; power while a converter reports off is unasked power."""
    runs = state in (s.PCS_RUNNING, s.PCS_THROTTLED)
    for measured_W, found in ((0, (-400, 400) if runs else (0, 0)), (100_000, (0, 0))):
        bench = powers(running().set_unit(s.PCS_STATE, state), measured_W, 100_000)
        found = found if runs or not measured_W else (400, -400)
        assert disobeys(bench.step(FULL + TICKS_PER_BLOCK)) == found


def test_a_set_point_that_changes_is_followed_within_its_time():
    """Half of the range, of 1 s in the 2 s of a mean."""
    bench = powers(running(), 0, 0).step(FULL)
    powers(bench, 0, 250_000).step(TICKS_PER_BLOCK * 2)
    assert disobeys(bench) == (-1000, 0)
    bench.step(TICKS_PER_BLOCK * 2)
    assert disobeys(bench) == (-1500, 500)


@pytest.mark.whole
@given(st.integers(0, 1 << 30), st.sampled_from([1, 7, 25, 90]))
def test_a_converter_that_follows_within_its_time_obeys(seed, hold_ticks):
    draw, bench, does = random.Random(seed), running(), [0] * 50
    for count in range(300):
        if count % hold_ticks == 0:
            sent_W = draw.randrange(-250_000, 250_001)
        does.append(sent_W)
        assert max(disobeys(powers(bench, does.pop(0), sent_W).step())) <= 0
    assert not {"56a", "56b"} & set(bench.standing())


@pytest.mark.parametrize(
    "rated_W, beyond",
    [(1000, 250_000), (60_000, 8333), (250_000, 5000), (100_000_000, 250_000_000 // 59_988)],
)
def test_the_rating_is_divided_so_that_any_power_is_a_small_int(rated_W, beyond):
    bench = powers(Bench(rated_W=rated_W), -s.INT_MAX, rated_W).step(FULL)
    assert disobeys(bench)[0] == beyond
    powers(bench, 0, rated_W).step(2 * FULL)
    assert disobeys(bench) == (-1000, 1000)


def test_an_unknown_converter_neither_obeys_nor_not():
    bench = powers(running(), 0, 0).step(FULL)
    both = m.F_PCS_BEYOND_PERMILLE, m.F_PCS_SHORT_PERMILLE
    assert [bench.of_unit(each)[1] for each in both] == [1, 1]
    bench.silence(bench.layout.unit_group(0, s.G_PCS_MEASURE)).step(130)
    assert [bench.of_unit(each)[1] for each in both] == [0, 0]
    bench.speak().step(FULL - 1)
    assert [bench.of_unit(each)[1] for each in both] == [0, 0], "the silence begins it anew"


def test_one_value_far_beyond_counts_once_and_the_range_has_an_end():
    assert (means.VALUE_MAX, means.RANGE_MAX) == (250_000, 500_000)
    one = pair()
    one.add(1, s.INT_MAX, -s.INT_MAX)
    for _ in range(FULL - 1):
        one.add(1, 0, s.INT_MAX)
    assert result(one) == (1, 0, 250_000, 500_000)
    one = pair()
    for _ in range(FULL - TICKS_PER_BLOCK):
        one.add(1, 0, 0)
    one.add(1, s.INT_MAX, s.INT_MAX)
    one.add(1, -3 * means.VALUE_MAX, -3 * means.VALUE_MAX)
    one.add(1, means.VALUE_MAX, means.VALUE_MAX)
    for _ in range(TICKS_PER_BLOCK - 3):
        one.add(1, 0, 0)
    assert result(one) == (1, 2500, 2500, 500_000)


def test_a_constant_below_zero_has_no_range():
    one = pair()
    for _ in range(FULL):
        one.add(1, -20, -20)
    assert result(one) == (1, -20, -20, 0)


def two_units():
    """Racks 0 and 2 at the first converter, rack 1 at the second; each with numbers of its own."""
    rated_W, follow_ms, warn_ms = (250_000, 500_000), (1000, 500), (500, 600, 450)
    image = default_image(
        units=2, racks=3, rated_W=rated_W, pcs_follow_ms=follow_ms, bms_warn_ms=warn_ms
    )
    return Bench(image).run().step(FULL)


def flagged(bench):
    """The blocks that the witness alone marks for the evaluator."""
    changed = bench.kernel.features.changed
    for block in range(len(changed)):
        changed[block] = 0
    bench.kernel.features.witness.update(1)
    return [block for block, is_changed in enumerate(changed) if is_changed]


def of_unit(bench, unit):
    return [bench.of_unit(m.F_CURRENTS_APART_DA + place, unit)[0] for place in range(3)]


@pytest.mark.parametrize("current_mA, is_looked_at", [(10_000, 0), (10_100, 1)])
def test_currents_that_are_apart_by_the_margin_are_not_looked_at(current_mA, is_looked_at):
    bench = two_units()
    bench.hold_unit(s.PCS_DC_CURRENT_MA, current_mA, 1)
    assert (2 in flagged(bench.step(2 * FULL))) == is_looked_at


@pytest.mark.parametrize("unit", [0, 1])
def test_of_two_converters_the_one_that_errs_is_named(unit):
    bench = two_units()
    quiet = [[-140, 0, 0], [-100, 0, 0]]
    assert flagged(bench) == [] and [of_unit(bench, each) for each in (0, 1)] == quiet
    assert [each.age_ms_max for each in bench.kernel.features.witness.of_unit] == [333, 400]
    bench.hold_unit(s.PCS_DC_CURRENT_MA, 40_000, unit)
    assert flagged(bench.step(5)) == ([3, 5] if unit == 0 else [4]), "row 54 counts"
    bench.hold_unit(s.PCS_SENT_W, 0, unit)
    bench.hold_unit(s.PCS_POWER_W, 100_000, unit).step(FULL + TICKS_PER_BLOCK)
    assert flagged(bench) == [1 + unit]
    permille = 200 if unit else 400
    expected = [[260, 400, -400], [300, permille, -permille]][unit]
    assert of_unit(bench, unit) == expected and of_unit(bench, 1 - unit) == quiet[1 - unit]
    it, first = bench.kernel.evaluator, bench.kernel.features.unit_base
    active = [index for index in range(it.count) if it.active[index]]
    instances = [it.block[index] for index in active if it.watch[index][0] >= first]
    assert 1 + unit in instances and 2 - unit not in instances


@pytest.mark.parametrize("measured, sent", [(0, 0), (1, 0), (0, 1)])
def test_one_part_of_the_rating_is_looked_at(measured, sent):
    bench = two_units()
    part_W = bench.kernel.features.witness.of_unit[1].part_W
    bench.hold_unit(s.PCS_POWER_W, measured * part_W, 1)
    bench.hold_unit(s.PCS_SENT_W, sent * part_W, 1)
    assert flagged(bench.step(FULL + TICKS_PER_BLOCK)) == ([2] if measured or sent else [])


def test_the_time_that_it_stands_still_has_an_end():
    bench = converter(running(), 9000).step(5)
    for _ in range(2):
        bench.kernel.features.witness.update(1_000_000)
        assert still_ms(bench) == 1_000_000
    state, pcs = bench.layout.rack_group(0, s.G_BMS_STATE), bench.layout.unit_group(0, 0)
    for group, waited in ((state, 30), (pcs, 130)):
        bench.silence(group).step(waited)
        assert not bench.of_rack(m.F_BMS_STILL_MS)[1]
        assert bench.speak().step(2).of_rack(m.F_BMS_STILL_MS)[1]
