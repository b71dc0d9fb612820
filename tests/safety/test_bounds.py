"""Limits: each alone, all together, never widened by a demand, slow to rise, and no value beyond
2^30 on the way.
"""

import functools
from array import array

import checked_ints
import pytest
from bench import default_image
from hypothesis import given, settings
from hypothesis import strategies as st
from started import Plant, running

from safety import bounds, tapers
from safety import matrix as m
from safety import parameters as p
from safety import signals as s
from safety.kernel import Kernel

RATED_W = 250_000
CHARGE, DISCHARGE = 0, 1  # the order of the kernel's pairs
PUBLISHED = (s.CHARGE_W_MAX, s.DISCHARGE_W_MAX)
REASON = (s.CHARGE_REASON, s.DISCHARGE_REASON)


def limit_W(bench, way, index, unit=0):
    """One limit of a unit."""
    return bench.kernel.bounds.limit_W[(unit * 2 + way) * len(bounds.LIMITS) + index]


def both(bench, unit=0):
    """Published charge and discharge limit."""
    return [bench.unit(signal, unit) for signal in PUBLISHED]


def reasons(bench):
    """Names of what binds, charge then discharge."""
    return [bounds.LIMITS[bench.unit(signal)] for signal in REASON]


# -- each limit alone: how it is brought about, what is left, who is named


def every_rack(*pairs):
    """Store the same values in every rack."""

    def apply(bench):
        for signal, value in pairs:
            for rack in range(bench.layout.racks):
                bench.set_rack(signal, value, rack)

    return apply


def hottest(value):
    """One warm module in the second rack."""
    return lambda bench: bench.set_rack(s.MODULE_TEMPERATURE_DDEGC + 3, value, 1)


def nothing(bench):
    """Leave the bench as it is."""


ALONE = (
    (nothing, (RATED_W, RATED_W), ("pcs_rated", "pcs_rated")),
    # 3 x 60 A x 0.97 x 790 V, and 0.97 of that after losses; the weakest rack decides
    (
        lambda bench: (
            bench.set_rack(s.CHARGE_CURRENT_MA_MAX, 60_000, 1),
            bench.set_rack(s.DISCHARGE_CURRENT_MA_MAX, 60_000, 2),
        ),
        (137_934, 133_795),
        ("bms_current", "bms_current"),
    ),
    (
        lambda bench: bench.set_rack(s.RACK_VOLTAGE_MV, 500_999, 2),
        (203_700, 197_589),
        ("bms_current", "bms_current"),
    ),
    (every_rack((s.CHARGE_CURRENT_MA_MAX, 99)), (0, RATED_W), ("bms_current", "pcs_rated")),
    (
        every_rack((s.CELL_VOLTAGE_MV_MAX, 3550)),
        (125_000, RATED_W),
        ("cell_voltage_taper", "pcs_rated"),
    ),
    (
        every_rack((s.CELL_VOLTAGE_MV_MIN, 2900)),
        (RATED_W, 125_000),
        ("pcs_rated", "cell_voltage_taper"),
    ),
    (hottest(425), (187_500, RATED_W), ("temperature_taper", "pcs_rated")),
    (hottest(475), (62_500, 187_500), ("temperature_taper", "temperature_taper")),
    (hottest(500), (0, 125_000), ("temperature_taper", "temperature_taper")),
)


@pytest.mark.parametrize("case", range(len(ALONE)))
def test_each_limit_from_the_racks_alone(case):
    apply, left_W, names = ALONE[case]
    bench = running(racks=3)
    apply(bench)
    bench.step()
    assert (tuple(both(bench)), tuple(reasons(bench))) == (left_W, names)


def test_a_rated_current_below_the_bms_limit_counts():
    bench = running(racks=3)
    every_rack((s.DISCHARGE_CURRENT_MA_MAX, 200_000))(bench)
    assert bench.step().unit(s.DISCHARGE_W_MAX) == RATED_W
    # 3 x 140 A would be 312 kW: never above rated
    assert limit_W(bench, DISCHARGE, bounds.L_BMS_CURRENT) == RATED_W


def image_with(racks=3, **changed):
    """A default image with unit parameters changed by name."""
    image = default_image(racks=racks)
    first = p.ImageMap(1, racks, m.STAGES_PER_SCOPE).unit
    for index, row in enumerate(p.UNIT_PARAMETERS):
        image[first + index] = changed.get(row[0], image[first + index])
    return image


@pytest.mark.parametrize("rack", range(3))
@pytest.mark.parametrize(
    "signal, value, way, index, left_W",
    [
        (s.CELL_VOLTAGE_MV_MAX, 3550, CHARGE, bounds.L_CELL_VOLTAGE_TAPER, 125_000),
        (s.CELL_VOLTAGE_MV_MIN, 2900, DISCHARGE, bounds.L_CELL_VOLTAGE_TAPER, 125_000),
        (s.MODULE_TEMPERATURE_DDEGC, 425, CHARGE, bounds.L_TEMPERATURE_TAPER, 187_500),
        (s.SOC_PERMILLE, 985, CHARGE, bounds.L_SOC_TAPER, 125_000),
        (s.SOC_PERMILLE, 15, DISCHARGE, bounds.L_SOC_TAPER, 125_000),
        (s.CHARGE_CURRENT_MA_MAX, 60_000, CHARGE, bounds.L_BMS_CURRENT, 137_934),
        (s.DISCHARGE_CURRENT_MA_MAX, 60_000, DISCHARGE, bounds.L_BMS_CURRENT, 133_795),
        (s.RACK_VOLTAGE_MV, 500_999, CHARGE, bounds.L_BMS_CURRENT, 203_700),
    ],
)
def test_the_weakest_rack_decides_whichever_it_is(rack, signal, value, way, index, left_W):
    bench = running(racks=3)
    bench.set_rack(signal, value, rack)
    assert limit_W(bench.step(2), way, index) == left_W


@pytest.mark.parametrize("rack", range(3))
def test_the_silent_rack_decides_whichever_it_is(rack):
    bench = running(racks=3)
    bench.silent |= bench.bms_groups(rack)
    bench.step(26)
    assert [limit_W(bench, way, bounds.L_BMS_SILENCE) for way in (CHARGE, DISCHARGE)] == [
        240_000
    ] * 2


@pytest.mark.parametrize(
    "signal, way, left_W",
    [(s.CHARGE_CURRENT_MA_MAX, CHARGE, 107_282), (s.DISCHARGE_CURRENT_MA_MAX, DISCHARGE, 104_063)],
)
@pytest.mark.parametrize("allowed_mA", [140_000, 140_100, 500_000])
def test_a_bms_that_allows_more_than_the_rack_is_rated_for_widens_nothing(
    signal, way, left_W, allowed_mA
):
    bench = running()
    bench.set_rack(signal, allowed_mA)
    # 140 A x 0.97 x 790 V (x 0.97)
    assert limit_W(bench.step(), way, bounds.L_BMS_CURRENT) == left_W


def two_units():
    """An image of two unequal units, each with its own limits both ways."""
    image = default_image(units=2, racks=2)
    words = p.ImageMap(2, 2, m.STAGES_PER_SCOPE).unit
    for unit, values in enumerate(((200_000, 150_000, 300_000), (90_000, 70_000, 60_000))):
        for place, value in zip(
            (p.U_RATED_W, p.U_INSTALLER_CHARGE_W_MAX, p.U_INSTALLER_DISCHARGE_W_MAX), values
        ):
            image[words + unit * p.UNIT_WORDS + place] = value
    image[words + p.U_RACK_SHARING_PERMILLE] = 900
    image[words + p.UNIT_WORDS + p.U_EFFICIENCY_PERMILLE_MIN] = 500
    return image


def test_every_unit_has_limits_of_its_own_both_ways():
    bench = Plant(two_units()).run()
    found = [
        [
            [
                limit_W(bench, way, index, unit)
                for index in (
                    bounds.L_PCS_RATED,
                    bounds.L_INSTALLER,
                    bounds.L_BMS_CURRENT,
                    bounds.L_SOC_TAPER,
                )
            ]
            for way in range(2)
        ]
        for unit in range(2)
    ]
    # 140 A x 0.9 x 790 V (x 0.97), 140 A x 0.97 x 790 V beyond 90 kW, and half of that after losses
    assert found == [
        [[200_000, 150_000, 99_540, 200_000], [200_000, 200_000, 96_553, 200_000]],
        [[90_000, 70_000, 90_000, 90_000], [90_000, 60_000, 53_641, 90_000]],
    ]
    assert [both(bench, unit) for unit in range(2)] == [[99_540, 96_553], [70_000, 53_641]]


@pytest.mark.parametrize("ticks", [1, 10, 60])
def test_every_unit_ramps_from_what_it_has_and_recovers_at_its_own_pace(ticks):
    bench = Plant(two_units()).run()
    kernel, before = bench.kernel, list(bench.kernel.bounds.published_W)
    demand = array("i", [0] * (2 * len(m.DEMANDS)))
    demand[m.D_PCS] = demand[len(m.DEMANDS) + m.D_PCS] = m.PCS_RAMP
    for _ in range(ticks):
        kernel.bounds.update(1, demand, True)
    ramp_ticks = kernel.bounds.ramp_ticks
    steps = [rated // ramp_ticks + 1 for rated in (200_000, 200_000, 90_000, 90_000)]
    ramped = [max(0, then - ticks * step) for then, step in zip(before, steps)]
    assert list(kernel.bounds.published_W) == ramped
    demand[:] = array("i", [0] * len(demand))
    kernel.bounds.update(1, demand, True)
    # 5 % of rated a second, 20 ms
    assert list(kernel.bounds.published_W) == [
        min(then, now + share) for then, now, share in zip(before, ramped, (201, 201, 91, 91))
    ]


def demanding(bench, **levels):
    """Update the bounds with these levels only; returns the bench."""
    demand = array("i", [0] * len(m.DEMANDS))
    for name, level in levels.items():
        demand[m.DEMANDS.index(name)] = level
    bench.kernel.bounds.update(1, demand, True)
    return bench


@pytest.mark.parametrize(
    "levels, left_W, names",
    [
        ({}, [250_000, 250_000], ["pcs_rated", "pcs_rated"]),
        ({"charge_derate_pct": 50}, [125_000, 250_000], ["derate", "pcs_rated"]),
        ({"discharge_derate_pct": 75}, [250_000, 62_500], ["pcs_rated", "derate"]),
        ({"charge_derate_pct": 100}, [0, 250_000], ["derate", "pcs_rated"]),
        ({"charge_inhibit": 2}, [0, 250_000], ["inhibit", "pcs_rated"]),
        ({"discharge_inhibit": 2}, [250_000, 0], ["pcs_rated", "inhibit"]),
        ({"pcs": 1}, [247_499, 247_499], ["ramp_to_zero", "ramp_to_zero"]),
        (
            {"pcs": 1, "charge_inhibit": 1, "discharge_inhibit": 1},
            [247_499] * 2,
            ["ramp_to_zero", "ramp_to_zero"],
        ),
        ({"pcs": 1, "charge_inhibit": 2}, [0, 247_499], ["inhibit", "ramp_to_zero"]),
        ({"pcs": 2}, [0, 0], ["stop", "stop"]),
        (
            {
                "dc": 4,
                "fan": 1,
                "horn": 1,
                "lamp": 1,
                "red_lamp": 1,
                "maintenance": 1,
                "operator": 1,
                "facu": 1,
                "pre_alarm": 1,
            },
            [250_000, 250_000],
            ["pcs_rated", "pcs_rated"],
        ),
    ],
)
def test_each_limit_from_a_demand_alone(levels, left_W, names):
    bench = demanding(running(racks=3), **levels)
    assert both(bench) == left_W and reasons(bench) == names


# -- a share is one of what is left, not of a rating that nobody reaches

ONE_RACK_W = (107_282, 104_063)  # 140 A x 0.97 x 790 V, and 0.97 of that after losses


@pytest.mark.parametrize("way, name", [(0, "charge_derate_pct"), (1, "discharge_derate_pct")])
def test_half_is_half_of_what_a_small_rack_allows(way, name):
    """Half of a 250 kW converter was no derate at all for the one rack of 104 kW behind it."""
    bench = running()
    assert tuple(both(bench)) == ONE_RACK_W
    demanding(bench, **{name: 50})
    assert both(bench)[way] == ONE_RACK_W[way] // 2 and both(bench)[1 - way] == ONE_RACK_W[1 - way]
    assert reasons(bench)[way] == "derate"


def test_half_is_half_of_what_the_installer_allows():
    bench = Plant(
        image_with(installer_charge_W_max=100_000, installer_discharge_W_max=80_000)
    ).run()
    assert both(demanding(bench, charge_derate_pct=50, discharge_derate_pct=75)) == [50_000, 20_000]


def test_a_small_racks_limit_falls_with_the_age_of_its_bms():
    bench = running()
    bench.silent = {bench.layout.rack_group(0, group) for group in range(len(s.RACK_GROUPS))}
    assert tuple(both(bench.step(25))) == ONE_RACK_W  # 500 ms
    # 600 of 500 to 1000 ms
    assert both(bench.step(5)) == [whole_W * 8 // 10 for whole_W in ONE_RACK_W]
    assert both(bench.step(15)) == [whole_W * 2 // 10 for whole_W in ONE_RACK_W]


def test_a_bms_that_allows_nothing_is_named_whatever_else_takes_a_part():
    bench = running(racks=3)
    every_rack((s.CHARGE_CURRENT_MA_MAX, 0))(bench)
    bench.step()
    assert reasons(demanding(bench, charge_derate_pct=50))[CHARGE] == "bms_current"
    assert reasons(demanding(bench, charge_derate_pct=100))[CHARGE] == "derate"


def test_without_a_permit_nothing():
    bench = running(racks=3)
    bench.kernel.bounds.update(1, array("i", [0] * len(m.DEMANDS)), False)
    assert both(bench) == [0, 0] and reasons(bench) == ["permit", "permit"]


def test_of_several_zeros_the_last_is_named():
    bench = running(racks=3)
    every_rack((s.CHARGE_CURRENT_MA_MAX, 0))(bench)
    bench.step()
    assert reasons(bench)[CHARGE] == "bms_current"
    assert reasons(demanding(bench, pcs=2, charge_inhibit=2))[CHARGE] == "stop"
    bench.kernel.bounds.update(1, array("i", [m.PCS_STOP] + [0] * (len(m.DEMANDS) - 1)), False)
    assert reasons(bench) == ["permit", "permit"]


def test_a_rack_that_reports_itself_open_under_current_does_not_count():
    """Its command stays until row 39 opens it in order; what it allows is not relied on
    meanwhile.
    """
    bench = running(racks=2)
    both_racks_W = limit_W(bench, CHARGE, bounds.L_BMS_CURRENT)
    bench.held[bench.rack_at(s.CONTACTOR_STATE, 1)] = s.CONTACTOR_OPEN
    bench.set_rack(s.RACK_CURRENT_MA, 50_000, 1)
    assert bench.step(2).rack(s.CONTACTOR_CLOSE_OK, 1) == 1
    assert limit_W(bench, CHARGE, bounds.L_BMS_CURRENT) == both_racks_W // 2


class Small(int):
    """A number whose products a 32-bit MicroPython must hold without its heap."""

    def __mul__(self, other):
        found = int(self) * int(other)
        assert abs(found) < 1 << 30
        return Small(found)

    __rmul__ = __mul__

    def __floordiv__(self, other):
        return Small(int(self) // int(other))


def test_an_age_and_what_no_rack_allows_stay_small_numbers():
    b = Kernel(default_image()).bounds
    b.features.ages.oldest_ticks = [Small(s.TICKS_MAX)] * 3
    assert b.racks._silence_permille(0, b.map.rack) == 0
    b.image = [Small(word) for word in b.image]
    for way in (CHARGE, DISCHARGE):
        b._rack_limits(0, way)
        assert b.limit_W[way * bounds.LIMIT_COUNT + bounds.L_BMS_CURRENT] == 0


@pytest.mark.parametrize("units", [1, 2, 3, 16])
def test_there_is_one_limit_for_each_unit_and_way(units):
    b = Kernel(default_image(units=units, racks=units)).bounds
    assert len(b.published_W) == len(b.lowest_W) == 2 * units


def test_a_rack_that_closes_against_the_command_does_not_count():
    bench = running(racks=2)
    at = bench.rack_at(s.CONTACTOR_STATE, 1)
    both_racks_W = limit_W(bench, CHARGE, bounds.L_BMS_CURRENT)
    bench.held[at] = s.CONTACTOR_OPEN
    bench.step(2)
    bench.held[at] = s.CONTACTOR_CLOSED
    assert bench.step(5).rack(s.CONTACTOR_CLOSE_OK, 1) == 0
    assert limit_W(bench, CHARGE, bounds.L_BMS_CURRENT) == both_racks_W // 2


def test_racks_that_tell_nothing_taper_nothing():
    image = default_image(racks=1)
    first = p.ImageMap(1, 1, m.STAGES_PER_SCOPE).rack
    image[first + p.R_CELLS_REPORTED] = image[first + p.R_TEMPERATURES_REPORTED] = 0
    bench = Plant(image)
    bench.silent |= {
        bench.layout.rack_group(0, group) for group in (s.G_BMS_CELLS, s.G_BMS_TEMPERATURES)
    }
    every_rack((s.CELL_VOLTAGE_MV_MIN, 0), (s.CELL_VOLTAGE_MV_MAX, 10_000))(bench)
    bench.run()
    for way in (CHARGE, DISCHARGE):
        assert limit_W(bench, way, bounds.L_CELL_VOLTAGE_TAPER) == RATED_W
        assert limit_W(bench, way, bounds.L_TEMPERATURE_TAPER) == RATED_W


@pytest.mark.parametrize(
    "value, full_at, none_at, left",
    [
        (399, 400, 500, 1000),
        (400, 400, 500, 1000),
        (401, 400, 500, 990),
        (499, 400, 500, 10),
        (500, 400, 500, 0),
        (501, 400, 500, 0),
        (3001, 3000, 2800, 1000),
        (3000, 3000, 2800, 1000),
        (2999, 3000, 2800, 995),
        (2801, 3000, 2800, 5),
        (2800, 3000, 2800, 0),
        (2799, 3000, 2800, 0),
        (9, 10, 10, 1000),
        (10, 10, 10, 0),
    ],
)
def test_a_taper(value, full_at, none_at, left):
    assert tapers.taper_permille(value, full_at, none_at) == left


# -- properties over time

LEVELS = st.tuples(
    st.integers(0, 2),
    st.integers(0, 2),
    st.integers(0, 2),
    st.sampled_from([0, 25, 50, 75, 100]),
    st.sampled_from([0, 25, 50, 75, 100]),
)
PLACES = (
    m.D_PCS,
    m.D_CHARGE_INHIBIT,
    m.D_DISCHARGE_INHIBIT,
    m.D_CHARGE_DERATE_PCT,
    m.D_DISCHARGE_DERATE_PCT,
)
INPUTS = st.sampled_from(
    [
        None,
        (s.CHARGE_CURRENT_MA_MAX, 0),
        (s.CHARGE_CURRENT_MA_MAX, 30_000),
        (s.CHARGE_CURRENT_MA_MAX, 140_000),
        (s.DISCHARGE_CURRENT_MA_MAX, 50_000),
        (s.DISCHARGE_CURRENT_MA_MAX, 140_000),
        (s.CELL_VOLTAGE_MV_MAX, 3560),
        (s.CELL_VOLTAGE_MV_MAX, 3300),
        (s.RACK_VOLTAGE_MV, 700_000),
    ]
)
LATENESS = st.sampled_from([1, 1, 1, 7, 30, 200])
STEPS = st.lists(
    st.tuples(LATENESS, LEVELS, LEVELS, st.booleans(), st.booleans(), INPUTS),
    min_size=1,
    max_size=12,
)


def apply_inputs(bench, change):
    """Store one changed rack input and compute the features."""
    if change:
        bench.set_rack(*change)
    for group in range(bench.layout.groups):
        bench.kernel.fresh[group] = 1
    bench.kernel.features.update(1)


def vector(levels):
    """Demands of one unit."""
    demand = array("i", [0] * len(m.DEMANDS))
    for place, level in zip(PLACES, levels):
        demand[place] = level
    return demand


@given(STEPS)
@settings(max_examples=100)
def test_adding_a_demand_never_widens_a_limit(steps):
    fewer, more = running(racks=1), running(racks=1)
    for elapsed, levels, added, permitted, withheld, change in steps:
        for bench, demand, allowed in (
            (fewer, levels, permitted),
            (more, map(max, levels, added), permitted and not withheld),
        ):
            apply_inputs(bench, change)
            bench.kernel.bounds.update(elapsed, vector(demand), allowed)
        assert all(a <= b for a, b in zip(both(more), both(fewer)))
        assert all(a <= b for a, b in zip(more.kernel.bounds.limit_W, fewer.kernel.bounds.limit_W))


@given(STEPS)
@settings(max_examples=60)
def test_published_is_below_every_limit_and_rises_slowly(steps):
    bench = running(racks=1)
    before = both(bench)
    for elapsed, levels, _, permitted, _, change in steps:
        apply_inputs(bench, change)
        bench.kernel.bounds.update(elapsed, vector(levels), permitted)
        for way, published_W in enumerate(both(bench)):
            limits = [limit_W(bench, way, index) for index in range(len(bounds.LIMITS))]
            assert all(0 <= limit <= RATED_W for limit in limits)
            assert 0 <= published_W <= min(limits)
            assert limits[bench.unit(REASON[way])] == min(limits)
            assert (
                published_W == min(limits) or published_W <= before[way] + 250 * min(elapsed, 8) + 1
            )
        before = both(bench)


SOURCES = tuple(
    [
        index
        for index, stage in enumerate(m.STAGES)
        if any(stage[m.S_DEMAND][place] for place in PLACES)
    ]
)


@given(st.sampled_from(SOURCES), st.integers(0, 30), st.lists(INPUTS, min_size=20, max_size=60))
@settings(max_examples=40)
def test_a_stage_that_stands_never_widens_what_the_cabinet_may_do(stage, at, changes):
    """Two whole kernels over the same inputs; in one of them one stage more is latched from some
    step on.
    """
    fewer, more = running(racks=1), running(racks=1)
    evaluator = more.kernel.evaluator
    index = list(evaluator.stage).index(stage)
    for step, change in enumerate(changes):
        if step >= at:
            evaluator.latched[index] = evaluator.busy[evaluator.block[index]] = 1
        for bench in (fewer, more):
            if change:
                bench.set_rack(*change)
            bench.step()
        assert all(a <= b for a, b in zip(both(more), both(fewer)))


@pytest.mark.parametrize("elapsed, steps", [(1, 1002), (2, 502), (8, 127), (20, 127)])
def test_recovers_in_twenty_seconds_and_a_late_step_wins_little(elapsed, steps):
    bench = running(racks=3)
    demanding(bench, pcs=2)
    count = 0
    while both(bench) != [RATED_W, RATED_W]:
        count += 1
        before = both(bench)
        bench.kernel.bounds.update(elapsed, array("i", [0] * len(m.DEMANDS)), True)
        assert both(bench)[0] - before[0] <= 250 * min(elapsed, 8) + 1
    assert steps - 10 < count < steps


@pytest.mark.parametrize("elapsed", [1, 3, 100, 101, 1_000_000])
def test_a_ramp_takes_at_most_its_time_however_it_is_stepped(elapsed):
    bench = running(racks=3)
    demand = array("i", [m.PCS_RAMP] + [0] * (len(m.DEMANDS) - 1))
    for _ in range(-(-100 // elapsed)):
        assert both(bench) > [0, 0]
        bench.kernel.bounds.update(elapsed, demand, True)
    assert both(bench) == [0, 0]


def test_a_ramp_that_ends_early_recovers_slowly_and_begins_anew():
    bench = running(racks=3)
    for _ in range(10):
        demanding(bench, pcs=1)
    low = both(bench)
    assert low == [RATED_W - 10 * 2501] * 2
    assert both(demanding(bench)) == [low[0] + 251] * 2
    assert both(demanding(bench, pcs=1)) == [low[0] + 251 - 2501] * 2


# -- no value leaves what a small int of MicroPython holds


@functools.cache
def watched():
    """The modules of the watched kernel, compiled when the first test asks for them."""
    return checked_ints.load()


@pytest.mark.parametrize("elapsed", [99, 100, 101, 1_000_000])
def test_a_ramp_of_the_largest_converter_over_a_late_step_stays_a_small_int(elapsed):
    """The kernel and the watched one, whose products may not pass 2^30, end at the same power."""
    for kernel in (Kernel, watched()["kernel"].Kernel):
        bound = kernel(default_image(rated_W=100_000_000)).bounds
        bound.published_W[:] = array("i", [100_000_000, 60_000_000])
        bound.update(elapsed, array("i", [m.PCS_RAMP] + [0] * (len(m.DEMANDS) - 1)), True)
        at = bounds.LIMIT_COUNT + bounds.L_RAMP_TO_ZERO
        assert (bound.limit_W[bounds.L_RAMP_TO_ZERO], bound.limit_W[at]) == (
            999_901 if elapsed == 99 else 0,
            0,
        )


@pytest.mark.parametrize(
    "tick_ms, ramp_ms, ramp_ticks", [(20, 2000, 100), (20, 110, 5), (100, 100, 1), (100, 50, 1)]
)
def test_a_ramp_takes_at_least_one_tick(tick_ms, ramp_ms, ramp_ticks):
    image = default_image(tick_ms=tick_ms, ramp_to_zero_ms=ramp_ms)
    assert Kernel(image).bounds.ramp_ticks == ramp_ticks
