"""The parameter tables and the limit image: ranges, defaults, where each word lies, how the CRC is
watched.
"""

import pytest
from bench import default_image
from hypothesis import given, settings
from hypothesis import strategies as st
from started import Plant, running

from safety import matrix as m
from safety import parameters as p
from safety import signals as s
from safety.evaluate import D_GATE
from safety.image_check import CRC_STEPS
from safety.kernel import Kernel
from safety.second import Second

TABLES = {
    "CABINET": (p.CABINET_PARAMETERS, "P_"),
    "UNIT": (p.UNIT_PARAMETERS, "U_"),
    "RACK": (p.RACK_PARAMETERS, "R_"),
}
ROWS = [row for table, _ in TABLES.values() for row in table]


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_each_parameter_has_a_default_in_its_range(row):
    name, unit, low, high, default, tighter = row
    assert -s.INT_MAX <= low <= default <= high <= s.INT_MAX
    assert tighter in ("up", "down", "fixed") and unit
    assert low < high
    if unit == "bool":
        assert (low, high) == (0, 1)


@pytest.mark.parametrize("scope", TABLES)
def test_indices_follow_the_tables(scope):
    table, start = TABLES[scope]
    for index, row in enumerate(table):
        assert getattr(p, start + row[0].upper()) == index


@pytest.mark.parametrize(
    "tables, start",
    [
        (s.CABINET_INPUTS, ""),
        (s.UNIT_INPUTS, ""),
        (s.RACK_INPUTS, ""),
        (s.CABINET_OUTPUTS, ""),
        (s.UNIT_OUTPUTS, ""),
        (s.RACK_OUTPUTS, ""),
    ],
)
def test_signal_indices_follow_their_tables(tables, start):
    for index, row in enumerate(tables):
        assert getattr(s, start + row[0].upper()) == index


@pytest.mark.parametrize(
    "names, start, where",
    [
        (s.CABINET_GROUPS, "G_", s),
        (s.UNIT_GROUPS, "G_", s),
        (s.RACK_GROUPS, "G_", s),
        (m.CABINET_FEATURES, "F_", m),
        (m.UNIT_FEATURES, "F_", m),
        (m.RACK_FEATURES, "F_", m),
        (m.DEMANDS, "D_", m),
        (s.STATES, "", s),
        (p.HEADER, "H_", p),
    ],
)
def test_name_indices_follow_their_tuples(names, start, where):
    for index, name in enumerate(names):
        assert getattr(where, start + name.upper()) == index


@pytest.mark.parametrize(
    "table, groups",
    [
        (s.CABINET_INPUTS, s.CABINET_GROUPS),
        (s.UNIT_INPUTS, s.UNIT_GROUPS),
        (s.RACK_INPUTS, s.RACK_GROUPS),
    ],
)
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
    places = [*range(len(s.CABINET_INPUTS))]
    places += [
        layout.unit_input(unit, index)
        for unit in range(units)
        for index in range(len(s.UNIT_INPUTS))
    ]
    places += [
        layout.rack_input(rack, index)
        for rack in range(racks)
        for index in range(len(s.RACK_INPUTS) + modules)
    ]
    assert places == list(range(layout.inputs))
    groups = [*range(len(s.CABINET_GROUPS))]
    groups += [
        layout.unit_group(unit, index)
        for unit in range(units)
        for index in range(len(s.UNIT_GROUPS))
    ]
    groups += [
        layout.rack_group(rack, index)
        for rack in range(racks)
        for index in range(len(s.RACK_GROUPS))
    ]
    assert groups == list(range(layout.groups))
    outputs = [*range(len(s.CABINET_OUTPUTS))]
    outputs += [
        layout.unit_output(unit, index)
        for unit in range(units)
        for index in range(len(s.UNIT_OUTPUTS))
    ]
    outputs += [
        layout.rack_output(rack, index)
        for rack in range(racks)
        for index in range(len(s.RACK_OUTPUTS))
    ]
    assert outputs == list(range(layout.outputs))


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
    assert (
        image_map.words == image_map.armed + image_map.instances == len(default_image(units, racks))
    )
    assert sum(m.STAGES_PER_SCOPE) == len(m.STAGES) == image_map.stages


def test_each_stage_instance_takes_its_own_words_from_the_image():
    """Every stage word and armed word made different from all others: the right one arrives in the
    right place.
    """
    image = default_image(units=2, racks=3)
    image_map = p.ImageMap(2, 3, m.STAGES_PER_SCOPE)
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
        assert evaluator.debounce[instance][1:] == (
            (words + 1) * stage[m.S_SENSE],
            words + 2,
            words + 3,
        )
        assert (feature == evaluator.features.never) == (instance % 3 == 0)
        assert (evaluator.watch[instance] in evaluator.armed[evaluator.block[instance]]) == (
            instance % 3 != 0
        )


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
    assert (
        len(set(every)) == len(every)
        and max(every) < kernel.features.never == len(kernel.features.value) - 1
    )


@pytest.mark.parametrize(
    "duration_ms, tick_ms, expected",
    [
        (0, 20, 0),
        (1, 20, 1),
        (20, 20, 1),
        (21, 20, 2),
        (500, 20, 25),
        (500, 30, 17),
        (5000, 100, 50),
    ],
)
def test_ticks_last_at_least_the_duration(duration_ms, tick_ms, expected):
    assert p.ticks(duration_ms, tick_ms) == expected


@pytest.mark.parametrize(
    "tick_ms, fits",
    [
        (-1, False),
        (0, False),
        (1, True),
        (19, False),
        (20, True),
        (21, False),
        (67, False),
        (91, False),
        (100, True),
        (1000, True),
        (1001, False),
        (2000, False),
    ],
)
def test_a_second_is_whole_ticks(tick_ms, fits):
    image = default_image()
    image[p.H_TICK_MS] = tick_ms
    assert p.fits(image, p.ImageMap(1, 1, m.STAGES_PER_SCOPE)) == fits
    if not fits:
        for user in (Kernel, lambda words: Second(words, m.SELF)):
            with pytest.raises(ValueError, match="whole ticks"):
                user(image)


def test_no_word_of_an_image_is_wider_than_a_small_integer():
    image = default_image()
    for value, fits in ((s.INT_MAX, True), (s.INT_MAX + 1, False), (-s.INT_MAX - 1, False)):
        for at in (p.ImageMap(1, 1, m.STAGES_PER_SCOPE).cabinet, -1):
            kept, image[at] = image[at], value
            assert p.fits(image, p.ImageMap(1, 1, m.STAGES_PER_SCOPE)) == fits
            image[at] = kept


@pytest.mark.parametrize("rack", range(3))
@pytest.mark.parametrize(
    "word, value, fits",
    [
        (p.R_UNIT, -1, False),
        (p.R_UNIT, 0, True),
        (p.R_UNIT, 1, True),
        (p.R_UNIT, 2, False),
        (p.R_MODULES, -1, False),
        (p.R_MODULES, 0, True),
        (p.R_MODULES, 15, True),
        (p.R_MODULES, 16, False),
    ],
)
def test_every_racks_unit_and_modules_are_those_of_the_topology(rack, word, value, fits):
    image, image_map = (
        default_image(units=2, racks=3, modules=15),
        p.ImageMap(2, 3, m.STAGES_PER_SCOPE),
    )
    image[image_map.rack + rack * p.RACK_WORDS + word] = value
    assert p.fits(image, image_map) == fits


@pytest.mark.parametrize(
    "value, fits",
    [
        (0, True),
        (s.INT_MAX, True),
        (s.INT_MAX + 1, False),
        (-s.INT_MAX, True),
        (-s.INT_MAX - 1, False),
    ],
)
def test_what_a_microcontroller_can_store(value, fits):
    assert p.in_range(value) == fits


# -- the CRC of the image


@given(st.integers(0, 10**6), st.integers(0, 29), st.integers(0, 70))
@settings(max_examples=40)
def test_any_changed_bit_is_found_within_two_scans(word, bit, after):
    bench = Plant()
    image = bench.kernel.image
    bench.step(after)
    image[word % len(image)] ^= 1 << bit
    scan = -(-len(image) // -(-len(image) // CRC_STEPS))
    for _ in range(2 * scan):
        bench.step()
        if bench.standing() == ["44a"]:
            return
    raise AssertionError("not found")


def test_units_and_racks_have_their_own_silence_budgets():
    image = default_image(units=2, racks=3)
    image_map = p.ImageMap(2, 3, m.STAGES_PER_SCOPE)
    for unit in range(2):
        image[image_map.unit + unit * len(p.UNIT_PARAMETERS) + p.U_PCS_RAMP_MS] = 1000 + 200 * unit
    for rack in range(3):
        image[image_map.rack + rack * len(p.RACK_PARAMETERS) + p.R_BMS_WARN_MS] = 200 + 100 * rack
    kernel = Kernel(image)
    budgets, layout = kernel.features.ages.budget_ticks, kernel.layout
    assert [budgets[layout.unit_group(unit, group)] for unit in range(2) for group in range(2)] == [
        50,
        50,
        60,
        60,
    ]
    for rack in range(3):
        found = {budgets[layout.rack_group(rack, group)] for group in range(len(s.RACK_GROUPS))}
        assert found == {10 + 5 * rack}


# -- parameters that the kernel reads once and must not mix up


def changed(name, value, **topology):
    """A running plant with one cabinet parameter changed."""
    return Plant(default_image(**topology, **{name: value})).run()


def test_obligations_follow_the_frozen_time_of_the_configuration():
    bench = changed("meter_frozen_ms", 1000)
    bench.held[s.GRID_RAW_HASH] = bench.inp[s.GRID_RAW_HASH]
    assert bench.step(49).out[s.OBLIGATIONS_OK] == 1
    assert bench.step().out[s.OBLIGATIONS_OK] == 0
    assert running().step(50).out[s.OBLIGATIONS_OK] == 1
