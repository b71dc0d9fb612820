"""A reserve by hours: its energy slot by slot, and what a plan and its rows make of it."""

import pytest
from test_planning import SITE, past

from controller.planner import backtest, exact, learnt, planning, report, reserve
from controller.planner.exact import J_PER_KWH, Store
from controller.planner.planning import SLOTS_PER_DAY
from controller.planner.reserve import Hours

HARD = Store(50 * J_PER_KWH, 450 * J_PER_KWH, 200 * J_PER_KWH, 100e3, 100e3, 1.0)


def asked_kWh(net_W, hours, warned=(), count=None, store=HARD):
    found = reserve.asked_J(net_W, Hours(*hours), store, warned)[:count]
    return [round(each / J_PER_KWH, 6) for each in found]


@pytest.mark.parametrize("hours, kWh", [(0, 50.0), (0.75, 65.0), (1, 70.0), (1.01, 75.0)])
def test_standing_hours_are_the_energy_of_the_load_in_whole_slots(hours, kWh):
    found = asked_kWh([10e3] * 4 + [20e3] * 8, (hours, 0.0), count=4)
    assert (len(found), found[3]) == (4, kWh)


def test_losses_idle_converters_and_the_rating_count():
    lossy = HARD._replace(one_way=0.8, idle_W=2e3)
    assert asked_kWh([8e3] * 5, (1, 0), count=1, store=lossy) == [62.0]
    assert asked_kWh([300e3] * 5, (1, 0), count=1) == [150.0], "it gives no more than its power"


def test_a_surplus_of_the_sun_carries_what_comes_after_it_and_not_what_comes_before():
    assert asked_kWh([0, 40e3, -40e3, 40e3], (0.75, 0), count=1) == [60.0]
    assert asked_kWh([0, -40e3, 40e3, 40e3], (0.75, 0), count=1) == [60.0]


def test_warned_hours_count_from_each_moment_of_the_span_alone():
    warned = [at in (3, 4) for at in range(8)]
    found = asked_kWh([40e3] * 12, (0.0, 1.0), warned, 8)
    # from the start of slot 3, which is the end of slot 2, to the end of slot 4
    assert found == [50, 50, 90, 90, 90, 50, 50, 50]
    assert asked_kWh([40e3] * 12, (2.0, 1.0), warned, 3) == [130] * 3, "the longer counts"


def test_a_margin_is_kept_within_the_band_and_a_warning_holds_what_its_span_needs():
    asked_J = [each * J_PER_KWH for each in (50, 50, 150, 800, 50)]
    kept = [each / J_PER_KWH for each in reserve.kept_J(asked_J, HARD, [])]
    assert kept == pytest.approx([50, 50, 170, 450, 50])
    warned = [False, False, True, False, False]
    kept = [each / J_PER_KWH for each in reserve.kept_J(asked_J, HARD, warned)]
    assert kept == pytest.approx([170, 170, 170, 450, 50]), "200 kWh are stored"
    poor = HARD._replace(now_J=120 * J_PER_KWH)
    kept = [each / J_PER_KWH for each in reserve.kept_J(asked_J, poor, warned)]
    assert kept == pytest.approx([120, 120, 170, 450, 50])


@pytest.mark.parametrize("most_W, import_W", [(500e3, 140e3), (130e3, 130e3)])
def test_before_a_warned_span_a_charge_goes_to_the_lowest_import_that_reaches_it(most_W, import_W):
    slots = [exact.Slot(100e3, 0.1, 0.0, 110e3, 0.0, 300e3, 105e3)] * 4
    asked_J = [*[HARD.low_J] * 3, 240 * J_PER_KWH]
    slots[3] = slots[3]._replace(low_J=asked_J[3])
    found = reserve.lifted(slots, asked_J, HARD, most_W, {0, 1, 2, 3})
    assert [each.cap_W for each in found] == pytest.approx([import_W] * 4, rel=0.01)
    assert [each.charge_to_W for each in found] == pytest.approx([import_W] * 4, rel=0.01)
    rich = HARD._replace(now_J=asked_J[3])
    assert reserve.lifted(slots, asked_J, rich, most_W, {0, 1, 2, 3}) == slots
    limited = reserve.lifted(slots, asked_J, HARD, most_W, {1, 2, 3})
    assert limited[0] == slots[0] and limited[1].cap_W >= import_W


def planned(hours, stored_kWh=200, warned=(), at=0):
    site = SITE._replace(hours=Hours(*hours))
    known = backtest.known_at(past(), 7 * SLOTS_PER_DAY + at, stored_kWh * J_PER_KWH, [0.0])
    known = known._replace(warned=warned)
    caps_W = learnt.caps_of(site, known, planning.TRADES)
    return site, known, planning.planned(site, known, caps_W, planning.TRADES)


def test_a_standing_reserve_lies_in_each_row_and_in_the_plan():
    site, known, found = planned((2.0, 0.0))
    # two hours of 100 kW, or of 200 kW around noon (the rating is 100 kW), and 50 kWh below them
    least_J = 50 * J_PER_KWH + 1.2 * 200 * J_PER_KWH
    assert min(found.plan.stored_J[12:]) >= least_J - 1
    assert min(row.reserve_permille for row in found.rows) == 580
    (line,) = report.short_of(known, found)
    assert line == "reserve: 208 of 250 kWh are stored by 2026-06-08 00:15"


def test_a_cap_is_learnt_and_held_with_what_a_reserve_leaves():
    """Two hours of 100 kW more at noon: 3.5 h leave 25 of 200 kWh."""
    known = backtest.known_at(past(), 7 * SLOTS_PER_DAY, 425 * J_PER_KWH, [0.0])
    caps_W, held_W = [], []
    for hours in (0.0, 3.5):
        site = SITE._replace(hours=Hours(hours))
        caps_W += learnt.caps_of(site, known, planning.TRADES)
        held_W.append(planning.planned(site, known, [120e3], planning.TRADES).cap_W)
    assert caps_W[0] < 140e3 and caps_W[1] > 175e3
    assert held_W[0] == 120e3 and held_W[1] > 170e3


def test_a_reserve_above_the_band_is_never_whole_and_says_so():
    (line,) = report.short_of(*planned((40.0, 0.0))[1:])
    assert " of 4050 kWh " in line


@pytest.mark.parametrize("lead, is_short", [(9, True), (10, False), (11, False)])
def test_a_warning_charges_in_its_lead_time_and_a_short_one_is_named(lead, is_short):
    warned = [lead <= at < lead + 8 for at in range(96)]
    site, known, found = planned((0.0, 3.0), 100, warned)
    asked_J = found.asked_J[lead]
    assert asked_J == pytest.approx(350 * J_PER_KWH)
    reached_J = found.plan.stored_J[lead - 1]
    assert (reached_J < asked_J - 3600) == is_short == bool(report.short_of(known, found))
    if is_short:
        assert reached_J == pytest.approx((100 + 25 * lead) * J_PER_KWH, rel=1e-3)
    assert found.rows[0].reserve_permille == 200, "what is stored is held"
    assert found.rows[lead + 7].reserve_permille >= 700 > found.rows[lead + 8].reserve_permille


def test_a_charge_before_a_storm_reaches_its_margin_too():
    """A peak costs less than an outage: 60 kWh above the 300 that are asked for."""
    warned = [at >= 13 for at in range(96)]
    _, _, found = planned((0.0, 3.0), 100, warned)
    assert found.plan.stored_J[12] == pytest.approx((50 + 1.2 * 300) * J_PER_KWH, rel=1e-3)


def test_a_slot_with_a_limit_of_its_own_is_not_lifted():
    warned = [at >= 8 for at in range(96)]
    site = SITE._replace(hours=Hours(0.0, 3.0))
    known = backtest.known_at(past(), 7 * SLOTS_PER_DAY, 100 * J_PER_KWH, [0.0])
    known = known._replace(warned=warned, limits_W={2: 90e3, 3: 90e3})
    found = planning.planned(site, known, [150e3], planning.TRADES)
    assert [row.grid_cap_W for row in found.rows[1:5]][1:3] == [90_000] * 2
    assert found.rows[4].grid_cap_W > 150_000


def test_a_charge_before_a_storm_leaves_a_tenth_of_the_connection():
    """Means of a quarter of an hour do not show a job that begins: at 98 % the import broke it."""
    site = SITE._replace(hours=Hours(0.0, 3.0), import_W=180e3)
    known = backtest.known_at(past(), 7 * SLOTS_PER_DAY, 100 * J_PER_KWH, [0.0])
    known = known._replace(warned=[at >= 8 for at in range(96)])
    found = planning.planned(site, known, [120e3], planning.TRADES)
    assert {row.grid_cap_W for row in found.rows[:8]} == {162_000}


def test_without_hours_nothing_changes():
    _, known, found = planned((0.0, 3.0))
    assert found == planned((0.0, 0.0))[2] and report.short_of(known, found) == []


def test_the_charge_of_a_warned_day_takes_the_cheapest_slots_of_its_lead_time():
    warned = [at >= 40 for at in range(96)]
    _, known, _ = planned((0.0, 3.0), 300, warned)
    tariff = {**SITE.tariff, "demand_per_kW_month": [0.0]}
    store = SITE.store._replace(one_way=0.95)
    site = SITE._replace(hours=Hours(0.0, 3.0), tariff=tariff, store=store)
    found = planning.planned(site, known, [900e3], planning.ENERGY_ONLY)
    charged = [at for at, power_W in enumerate(found.plan.power_W[:40]) if power_W < -1]
    assert charged and max(charged) < 24, "later a kWh costs twice as much"
    assert found.plan.stored_J[39] >= found.asked_J[39] - 1
