"""How the dispatcher divides the connection: sums, the held-back discharge, cabinets that die."""

import pytest
from hypothesis import given as for_all, strategies as st

from controller.dispatch.report import NOTHING
from controller.dispatch.targets import Planner, View
from tests.tables import cases

MW = 1_000_000


def view(load_MW, gives_MW=1.0, fallback_MW=0.9, is_live=True, **fields):
    powers_W = [round(each * MW) for each in (load_MW, gives_MW, fallback_MW)]
    return View(*powers_W, is_live, 250, NOTHING._replace(**fields))


def values_MW(views, connection_MW=6, spare_MW=0.0, **options):
    found = Planner(len(views), **options).step(
        views, round(connection_MW * MW), int(spare_MW * MW)
    )
    return [round(each / MW, 2) for each in found.values_W], round(found.held_W / MW, 2)


@cases("""
    load_MW  dead  values                        held_MW
    1.3      0     [1.5, 1.5, 1.5, 1.5]          0.0   # all of it is lent
    2.0      0     [1.33, 1.33, 1.33, 1.33]      0.67  # 6 less one discharge
    2.0      1     [1.0, 1.0, 1.0, 2.0]          1.0   # three pods carry the fourth one's load
    2.25     1     [1.25, 1.25, 1.25, 2.25]      0.0   # 9 MW less three pods is exactly 6
""")
def test_pods_on_a_small_connection(load_MW, dead, values, held_MW):
    views = [view(load_MW) for _ in range(4 - dead)]
    views += [view(load_MW, gives_MW=0, is_live=False) for _ in range(dead)]
    assert values_MW(views) == (values, held_MW)


def test_a_spare_is_kept_free_below_the_connection_too():
    assert values_MW([view(1.45)] * 4, spare_MW=0.4) == ([1.4] * 4, 0.4)


def test_an_emptier_battery_gives_less():
    views = [view(2.0, soc_permille=900), view(2.0, soc_permille=300)]
    (full_MW, empty_MW), _ = values_MW(views, 3.8)
    assert full_MW < empty_MW


@cases("""
    remaining_Wh  held_MW
    800_000       0.67  # 4 pods give 2.67 MW for more than an hour
    600_000       0.4   # 2.4 MW for an hour: of the 0.6 that one gives, 0.4 are free
    100_000       0.0   # what the load needs comes first
    None          0.67
""")
def test_nothing_is_held_back_that_the_charge_would_not_last_for(remaining_Wh, held_MW):
    views = [view(2.0, remaining_Wh=remaining_Wh) for _ in range(4)]
    assert values_MW(views, hold_h=1)[1] == held_MW


@cases("""
    remaining_Wh  held_MW
    600_000       0.4   # 2.4 MW for an hour
    550_000       0.2
    500_000       0.0   # what the load needs comes first
""")
def test_a_spare_too_is_kept_only_while_the_charge_lasts(remaining_Wh, held_MW):
    views = [view(2.0, remaining_Wh=remaining_Wh) for _ in range(4)]
    assert values_MW(views, spare_MW=0.4, hold_h=1)[1] == held_MW


def test_what_nobody_can_carry_is_named():
    found = Planner(2).step([view(4.0), view(4.0)], 5 * MW)
    assert found.short_W == 1 * MW


VIEWS = st.lists(
    st.builds(
        View,
        st.integers(0, 3 * MW),
        st.integers(0, 2 * MW),
        st.integers(0, MW // 8),
        st.booleans(),
        st.integers(1, 1000),
        st.builds(
            NOTHING._replace,
            soc_permille=st.integers(0, 1000),
            soh_permille=st.integers(0, 1000),
            temperature_ddegC=st.integers(-100, 500),
        ),
    ).map(lambda each: each if each.is_live else each._replace(discharge_W=0)),
    min_size=1,
    max_size=8,
)


@for_all(VIEWS, st.integers(MW, 8 * MW))
def test_the_values_never_sum_above_the_connection_unless_the_load_must(views, connection_W):
    found = Planner(len(views)).step(views, connection_W)
    least_W = sum([max(each.load_W - each.discharge_W, each.fallback_W) for each in views])
    assert sum(found.values_W) <= max(connection_W, least_W + len(views))
    for each, value_W in zip(views, found.values_W):
        assert value_W >= each.fallback_W


@for_all(VIEWS, st.integers(MW, 8 * MW))
def test_any_one_death_fits_while_the_batteries_are_large_enough(views, connection_W):
    found = Planner(len(views)).step(views, connection_W)
    given_W = [each.load_W - value for each, value in zip(views, found.values_W)]
    left_W = sum(found.values_W)
    room_W = [each.discharge_W for each in views]
    is_enough = all(
        sum([each.load_W for each in views]) - (sum(room_W) - most) <= connection_W
        for most in room_W
    )
    is_plain = all(each.fallback_W == 0 for each in views)
    if is_enough and is_plain:
        assert left_W + max(0, *given_W) <= connection_W + len(views)


@pytest.mark.parametrize("discharge_W", [0, 10**9])
def test_reports_that_nobody_has_signed_end_no_planner(discharge_W):
    views = [View(2 * 10**9, discharge_W, 0, True, part) for part in (1, 1000) * 10]
    found = Planner(20).step(views, 10**9)
    assert max(found.values_W) <= 10**9 and len(found.values_W) == 20
