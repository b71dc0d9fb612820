"""The parameter tables and the limit image: ranges, defaults, where each word lies, its CRC."""

import pytest
from bench import Bench, default_image
from hypothesis import given, settings, strategies as st
from started import running

from safety import matrix as m, parameters as p, signals as s
from safety.evaluate import D_GATE
from safety.image_check import CRC_STEPS
from safety.kernel import Kernel
from safety.second import Second
from tests.tables import cases

INDEXED = [
    *[(p, "P_", p.CABINET_PARAMETERS), (p, "U_", p.UNIT_PARAMETERS)],
    *[(p, "R_", p.RACK_PARAMETERS), (p, "H_", p.HEADER), (m, "D_", m.DEMANDS)],
    *[(s, "", table) for table in (s.CABINET_INPUTS, s.UNIT_INPUTS, s.RACK_INPUTS, s.STATES)],
    *[(s, "", table) for table in (s.CABINET_OUTPUTS, s.UNIT_OUTPUTS, s.RACK_OUTPUTS)],
    *[(s, "G_", table) for table in (s.CABINET_GROUPS, s.UNIT_GROUPS, s.RACK_GROUPS)],
    *[(m, "F_", table) for table in (m.CABINET_FEATURES, m.UNIT_FEATURES, m.RACK_FEATURES)],
]


@pytest.mark.parametrize("where, start, table", INDEXED)
def test_indices_follow_their_tables(where, start, table):
    for index, row in enumerate(table):
        name = row if isinstance(row, str) else row[0]
        assert getattr(where, start + name.upper()) == index


def test_each_parameter_has_a_default_in_its_range():
    for table in (p.CABINET_PARAMETERS, p.UNIT_PARAMETERS, p.RACK_PARAMETERS):
        for _, unit, low, high, default, tighter in table:
            assert -s.INT_MAX <= low <= default <= high <= s.INT_MAX and low < high
            assert tighter in ("up", "down", "fixed") and unit
            assert unit != "bool" or (low, high) == (0, 1)


@cases("""table groups
    s.CABINET_INPUTS  s.CABINET_GROUPS | s.UNIT_INPUTS  s.UNIT_GROUPS
    s.RACK_INPUTS  s.RACK_GROUPS""")
def test_every_input_has_a_range_and_a_group_and_every_group_an_input(table, groups):
    for _, unit, low, high, group in table:
        assert -s.INT_MAX <= low < high <= s.INT_MAX
        assert (low, high) == (0, 1) or unit != "bool"
        assert 0 <= group < len(groups)
    unused = set(range(len(groups))) - {row[4] for row in table}
    # one input per module beside it
    assert unused == ({s.G_BMS_TEMPERATURES} if groups is s.RACK_GROUPS else set())


@pytest.mark.parametrize("units, racks, modules", [(1, 1, 0), (1, 3, 15), (2, 4, 7), (16, 16, 64)])
def test_signals_of_a_topology_fill_the_arrays_without_overlap(units, racks, modules):
    layout = s.Layout(units, racks, modules)
    for kind, more in (("input", modules), ("group", 0), ("output", 0)):
        places = [*range(len(getattr(s, f"CABINET_{kind.upper()}S")))]
        for scope, blocks, extra in (("unit", units, 0), ("rack", racks, more)):
            count = len(getattr(s, f"{scope}_{kind}s".upper())) + extra
            at = getattr(layout, f"{scope}_{kind}")
            places += [at(block, index) for block in range(blocks) for index in range(count)]
        assert places == list(range(getattr(layout, kind + "s")))


@pytest.mark.parametrize("units, racks", [(1, 1), (2, 4), (16, 16)])
def test_the_image_is_header_parameters_stages_armed(units, racks):
    image_map = p.ImageMap(units, racks, m.STAGES_PER_SCOPE)
    assert image_map.cabinet == len(p.HEADER)
    assert image_map.unit == image_map.cabinet + len(p.CABINET_PARAMETERS)
    assert image_map.rack == image_map.unit + units * len(p.UNIT_PARAMETERS)
    assert image_map.stage == image_map.rack + racks * len(p.RACK_PARAMETERS)
    assert image_map.armed == image_map.stage + 4 * len(m.STAGES)
    cabinet, unit, rack = m.STAGES_PER_SCOPE
    assert image_map.instances == cabinet + units * unit + racks * rack
    assert image_map.words == image_map.armed + image_map.instances
    assert image_map.words == len(default_image(units, racks))
    assert sum(m.STAGES_PER_SCOPE) == len(m.STAGES) == image_map.stages


def test_each_stage_instance_takes_its_own_words_from_the_image():
    image, image_map = default_image(units=2, racks=3), p.ImageMap(2, 3, m.STAGES_PER_SCOPE)
    for word in range(image_map.stage, image_map.armed):
        image[word] = word
    for instance in range(0, image_map.instances, 3):
        image[image_map.armed + instance] = 0
    evaluator = Kernel(image).evaluator
    assert evaluator.count == image_map.instances
    for instance in range(evaluator.count):
        stage = m.STAGES[evaluator.stage[instance]]
        words = image_map.stage + 4 * evaluator.stage[instance]
        feature, sense, set_at, _ = evaluator.watch[instance]
        assert (sense, set_at) == (stage[m.S_SENSE], words * stage[m.S_SENSE])
        clear_at = (words + 1) * stage[m.S_SENSE]
        hold_ticks = 500 if stage[m.S_SCOPE] == m.CABINET else 0
        own = (clear_at, words + 2, words + 3, hold_ticks)
        assert evaluator.debounce[instance][1:] == own
        assert (feature == evaluator.features.never) == (instance % 3 == 0)
        is_armed = evaluator.watch[instance] in evaluator.armed[evaluator.block[instance]]
        assert is_armed == (instance % 3 != 0)


@pytest.mark.parametrize("units, racks", [(1, 1), (3, 4), (16, 16)])
def test_no_two_blocks_share_a_feature(units, racks):
    kernel = Kernel(default_image(units=units, racks=racks, modules=1))
    evaluator, of_block = kernel.evaluator, {}
    for at in range(evaluator.count):
        of_block.setdefault(evaluator.block[at], set()).add(evaluator.watch[at][0])
        gate = evaluator.debounce[at][D_GATE]
        if gate != m.NO_GATE:
            of_block[evaluator.block[at]].add(gate)
    every = [feature for found in of_block.values() for feature in found]
    assert len(set(every)) == len(every)
    assert max(every) < kernel.features.never == len(kernel.features.value) - 1


@cases("""duration_ms tick_ms expected
    0  20  0 | 1  20  1 | 20  20  1 | 21  20  2 | 500  20  25 | 500  30  17 | 5000  100  50""")
def test_ticks_last_at_least_the_duration(duration_ms, tick_ms, expected):
    assert p.ticks(duration_ms, tick_ms) == expected


@pytest.mark.parametrize("tick_ms", [-1, 0, 1, 19, 20, 21, 67, 91, 100, 500, 1000, 2000])
def test_a_second_is_whole_ticks(tick_ms):
    image, fits = default_image(), tick_ms in (1, 20, 100, 500)
    image[p.H_TICK_MS] = tick_ms
    assert p.fits(image, p.ImageMap(1, 1, m.STAGES_PER_SCOPE)) == fits
    if not fits:
        for user in (Kernel, lambda words: Second(words, m.SELF)):
            with pytest.raises(ValueError, match="whole ticks"):
                user(image)


def words_of(racks):
    """(image, place, value, whether it fits) of words at their bounds."""
    image_map = p.ImageMap(2, racks, m.STAGES_PER_SCOPE)
    for rack in range(racks):
        first = image_map.rack + rack * p.RACK_WORDS
        for word, top in ((p.R_UNIT, 1), (p.R_MODULES, 15)):
            yield from ((first + word, value, 0 <= value <= top) for value in (-1, 0, top, top + 1))
    for at in (image_map.cabinet, -1):
        yield from ((at, each, abs(each) <= s.INT_MAX) for each in (-s.INT_MAX - 1, -s.INT_MAX))
        yield from ((at, each, each <= s.INT_MAX) for each in (s.INT_MAX, s.INT_MAX + 1))


def test_words_are_within_the_topology_and_small_integers():
    image, image_map = default_image(units=2, racks=3), p.ImageMap(2, 3, m.STAGES_PER_SCOPE)
    for at, value, fits in words_of(3):
        kept, image[at] = image[at], value
        assert p.fits(image, image_map) == fits, (at, value)
        image[at] = kept


@given(st.integers(0, 10**6), st.integers(0, 29), st.integers(0, 70))
@settings(max_examples=40)
def test_any_changed_bit_is_found_within_two_scans(word, bit, after):
    bench = Bench().step(after)
    image, check = bench.kernel.image, bench.kernel.image_check
    image[word % len(image)] ^= 1 << bit
    scan = -(-len(image) // -(-len(image) // CRC_STEPS))
    for _ in range(2 * scan - 1):
        if bench.kernel.features.value[m.F_IMAGE_CHANGED]:
            break
        check.update()
    assert bench.step().standing() == ["44a"]


def test_units_and_racks_have_their_own_silence_budgets():
    times_ms = {"pcs_ramp_ms": (1000, 1200), "bms_warn_ms": (200, 300, 400)}
    kernel = Kernel(default_image(units=2, racks=3, **times_ms))
    budgets, layout = kernel.features.ages.budget_ticks, kernel.layout
    found = [budgets[layout.unit_group(unit, group)] for unit in range(2) for group in range(2)]
    assert found == [50, 50, 60, 60]
    for rack in range(3):
        found = {budgets[layout.rack_group(rack, group)] for group in range(len(s.RACK_GROUPS))}
        assert found == {10 + 5 * rack}


def test_obligations_follow_the_frozen_time_of_the_configuration():
    bench = Bench(default_image(meter_frozen_ms=1000)).run()
    bench.held[s.GRID_RAW_HASH] = bench.inp[s.GRID_RAW_HASH]
    assert (bench.step(49).out[s.OBLIGATIONS_OK], bench.step().out[s.OBLIGATIONS_OK]) == (1, 0)
    assert running().step(50).out[s.OBLIGATIONS_OK] == 1
