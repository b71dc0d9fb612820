"""Cap, habit and schedule on a week made by hand, and what they cost beside the bound."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from test_tariff import tariff_of

from controller.core.base.schedule_table import OPEN_W, Slot as Row
from controller.planner import (
    able,
    backtest,
    cap,
    exact,
    foresight,
    habits,
    learnt,
    places,
    planning,
    rows,
)
from controller.planner.daily import Daily
from controller.planner.exact import J_PER_KWH, Store
from controller.planner.planning import SLOT_S, SLOTS_PER_DAY, TRADES, Site
from controller.planner.reserve import Hours

TARIFF = tariff_of(adder_per_kWh=0.05, demand_per_kW_month=[10.0])
STORE = Store(60 * J_PER_KWH, 460 * J_PER_KWH, 200 * J_PER_KWH, 100e3, 100e3, 1.0, 0.0, 0.0)
SITE = Site(STORE, 500 * J_PER_KWH, 1e6, 0.0, TARIFF)
DAY_W = [100e3] * 48 + [200e3] * 8 + [100e3] * 40  # 100 kW more for two hours at noon
DAY_PRICE = [0.05] * 24 + [0.10] * 72


def past(days=8, before=7):
    count = days * SLOTS_PER_DAY
    return backtest.Past(
        datetime(2026, 6, 1), DAY_W * days, [0.0] * count, DAY_PRICE * days, before * SLOTS_PER_DAY
    )


@pytest.mark.parametrize(
    "energy_kWh, power_W, lowest_W",
    [(400, 100e3, 108_333), (50, 100e3, 175_000), (400, 20e3, 180_000), (0, 100e3, 200_000)],
)
def test_the_lowest_cap_is_that_of_mean_energy_or_power(energy_kWh, power_W, lowest_W):
    span = cap.Span(DAY_W * 7, [(True,)] * SLOTS_PER_DAY * 7, 1e6)
    full_J = energy_kWh * J_PER_KWH
    store = STORE._replace(
        low_J=0.0, high_J=full_J, now_J=full_J, charge_W=power_W, discharge_W=power_W
    )
    found_W = cap.lowest(span, SLOT_S, store, 0.0, [0.0], 0)
    # seven days begin full, so a large store may end empty
    assert found_W <= lowest_W + 10 and cap.is_held(span, SLOT_S, store, [found_W])
    assert not cap.is_held(span, SLOT_S, store, [found_W - 10])
    if energy_kWh < 400 or power_W < 100e3:
        assert found_W == pytest.approx(lowest_W, abs=10)


@pytest.mark.parametrize("slots, lowest_W", [(0, 175e3), (55, 166_250), (56, 165e3), (57, 165e3)])
def test_a_load_that_yields_lowers_the_cap_in_so_many_slots(slots, lowest_W):
    store = STORE._replace(low_J=0.0, high_J=50 * J_PER_KWH, now_J=50 * J_PER_KWH)
    yields = cap.Yields(10e3, slots, store.high_J)
    span = cap.Span(DAY_W * 7, [(True,)] * SLOTS_PER_DAY * 7, 1e6, yields=yields)
    assert cap.lowest(span, SLOT_S, store, 0.0, [0.0], 0) == pytest.approx(lowest_W, abs=10)


def test_a_battery_that_is_not_low_gives_first_and_the_load_yields_the_rest():
    store = STORE._replace(low_J=0.0, high_J=50 * J_PER_KWH, now_J=50 * J_PER_KWH)
    # it is empty after 6 of 8 slots, and the load yields all of 30 kW in the last two
    span = cap.Span(DAY_W, [(True,)] * SLOTS_PER_DAY, 1e6, yields=cap.Yields(30e3, 2))
    assert cap.lowest(span, SLOT_S, store, 0.0, [0.0], 0) == pytest.approx(170e3, abs=4000)
    assert cap.lowered_W(50e3, 30e3, False, 40e3) == 20e3
    assert cap.lowered_W(50e3, 60e3, False, 40e3) == 0.0
    assert cap.lowered_W(50e3, 60e3, True, 40e3) == 40e3


def demand(rate, hours=(), **more):
    return {"name": "x", "per_kW_month": [rate], "hours": [*hours], **more}


def charged(*tables, **store):
    return SITE._replace(tariff=tariff_of(demand=[*tables]), store=STORE._replace(**store))


def caps_W(site, peaks_W=(0.0, 0.0)):
    known = backtest.known_at(past(), 7 * SLOTS_PER_DAY, site.store.low_J, peaks_W)
    return learnt.caps_of(site, known, planning.ENERGY_ONLY)


NOON, REST = (12, 14), (14, 12)  # 200 and 100 kW of the week made by hand


def test_a_cheap_peak_rises_above_the_load_where_a_dear_one_falls_by_more():
    """60 kWh: 30 kW less for two hours at noon. The rest, of 100 kW at all times, charges them."""
    small = {"high_J": 120 * J_PER_KWH}
    found = caps_W(charged(demand(9.0, NOON), demand(1.0, REST), **small))
    assert found == pytest.approx([170e3, 102.73e3], abs=50)
    assert caps_W(charged(demand(1.0, REST), demand(9.0, NOON), **small)) == found[::-1]
    # as dear as the noon, its 22 hours are not worth 2.7 kW more than 30 less: the same plan
    assert caps_W(charged(demand(9.0, NOON), demand(9.0, REST), **small)) == found
    # 12 times as dear they are
    dear = caps_W(charged(demand(1.0, NOON), demand(12.0, REST), **small))
    assert dear[0] > 190e3 and dear[1] <= 100e3
    # a month that has paid 190 kW at noon needs less energy there
    paid = caps_W(charged(demand(9.0, NOON), demand(1.0, REST), **small), (190e3, 0.0))
    assert paid == pytest.approx([190e3, 100.61e3], abs=50)


def test_a_charge_that_does_not_count_this_month_has_no_cap():
    winter = demand(9.0, NOON, months=[1])
    assert caps_W(charged(winter, demand(1.0)))[0] == planning.OPEN_PART * SITE.import_W
    (alone_W,) = caps_W(charged(demand(1.0)), (0.0,))
    assert caps_W(charged(winter, demand(1.0)))[1] == alone_W


NEAR = SITE._replace(import_W=500e3, store=STORE._replace(charge_W=250e3, discharge_W=250e3))
FREE, WINTER = tariff_of(adder_per_kWh=0.05), charged(demand(9.0, months=[1])).tariff


@pytest.mark.parametrize("tariff", (FREE, WINTER, charged(demand(9.0, [22, 6])).tariff))
@pytest.mark.parametrize("load_W, cap_W", [(430e3, 450e3), (480e3, 480e3), (499e3, 490e3)])
def test_a_load_near_the_connection_stays_above_a_limit_that_nobody_bills(tariff, load_W, cap_W):
    """The battery would be emptied below it, each day, and with it the reserve of an outage."""
    site, count = NEAR._replace(tariff=tariff, hours=Hours(0.5)), 8 * SLOTS_PER_DAY
    same = backtest.Past(datetime(2026, 6, 1), [load_W] * count, [0.0] * count, [0.1] * count, 0)
    known = backtest.known_at(same, 7 * SLOTS_PER_DAY + 40, STORE.high_J, [0.0])
    found = planning.planned(site, known, learnt.caps_of(site, known, TRADES), TRADES)
    free = [row for at, row in enumerate(found.rows) if 40 + at % 96 < 80]
    assert free and {row.grid_cap_W for row in free} == {cap_W}
    stored_J = known.stored_J
    for row, asked_J in zip(found.rows[:40], found.asked_J):
        _, _, stored_J = backtest.stepped(row, load_W, stored_J, site)
        assert stored_J > asked_J - 1 or cap_W < load_W


@pytest.mark.parametrize("rate, is_held", [(0.0, False), (0.82, False), (0.84, True), (9.0, True)])
def test_a_cap_that_loses_more_than_it_saves_is_not_held(rate, is_held):
    """60 kWh take 28 kW off the peak, for 56 kWh a day. At 0.10 a kWh and 12 % of losses a month
    turns 56 * 30.4 * 0.10 * 0.1364 = 23.3 of money into heat, and saves 28 times the rate.
    """
    site = charged(demand(rate, NOON), high_J=120 * J_PER_KWH, one_way=0.88**0.5)
    flat = past()._replace(price_per_kWh=[0.10] * 8 * SLOTS_PER_DAY)
    known = backtest.known_at(flat, 7 * SLOTS_PER_DAY, STORE.low_J, [0.0])
    (cap_W,) = learnt.caps_of(site, known, planning.ENERGY_ONLY)
    assert (cap_W < 199e3) == is_held


def test_a_cap_is_learnt_while_no_price_of_the_past_is_known():
    site = charged(demand(9.0, NOON))
    known = backtest.known_at(past(), 7 * SLOTS_PER_DAY, STORE.low_J, [0.0])
    (cap_W,) = learnt.caps_of(site, known._replace(past_price_per_kWh=[]), TRADES)
    assert cap_W == learnt.caps_of(site, known, TRADES)[0] < 200e3


def test_the_last_day_of_a_month_knows_the_charge_of_the_next_one():
    winter = charged(demand(9.0, months=[1, 11])).tariff
    rates = {day: planning.rates_of(NEAR._replace(tariff=winter), datetime(2026, *day))
             for day in ((10, 30), (10, 31), (11, 30), (12, 1), (12, 31), (1, 31))}  # fmt: skip
    assert list(rates.values()) == [[0.0], [9.0], [9.0], [0.0], [9.0], [9.0]]


def test_the_sum_of_the_peaks_decides_how_the_energy_is_divided():
    """40 kWh for two hours at 200 kW, then a quarter at 195 and 105 minutes at 185: a quarter of
    the first relief of 20 kW pays for 13.75 kW of the second.
    """
    day_W = [100e3] * 40 + [200e3] * 8 + [195e3] + [185e3] * 7 + [100e3] * 40
    store = STORE._replace(low_J=0.0, high_J=40 * J_PER_KWH, now_J=40 * J_PER_KWH)
    billed = [(40 <= at < 48, 48 <= at < 56) for at in range(96)]
    span = cap.Span(day_W, billed, 1e6, [1e9] * 2)
    found = cap.cheapest(span, SLOT_S, store, (5.0, 2.0), [0.0, 0.0])
    assert found == pytest.approx([185e3, 181.25e3], abs=10)
    assert cap.cheapest(span, SLOT_S, store, (9.0, 0.1), [0.0, 0.0])[0] == pytest.approx(
        180e3, abs=5
    )


@pytest.mark.parametrize("rates", [(9.0, 1.0), (1.0, 9.0)])
def test_of_two_caps_that_cannot_be_held_the_cheap_one_rises_first(rates):
    """20 kWh are left for two hours, and each needs 30 kWh to stay at 170 kW."""
    site = charged(demand(rates[0], (12, 13)), demand(rates[1], (13, 14)))
    at = 7 * SLOTS_PER_DAY + 48
    known = backtest.known_at(past(), at, 70 * J_PER_KWH, [0.0, 0.0])
    held_W = planning.planned(site, known, [170e3, 170e3], planning.TRADES).held_W
    dear = rates.index(9.0)
    assert held_W[dear] == pytest.approx(180e3, abs=10)
    assert held_W[1 - dear] == pytest.approx(200e3, abs=10)


def test_a_charge_of_working_days_bills_none_of_the_weekend():
    site = charged(demand(1.0, days="working"), demand(1.0, (22, 6), days="weekend"))
    friday = datetime(2026, 6, 5, 23, 45)
    assert planning.billed_of(site, friday, 0, 2) == [(True, False), (False, True)]
    assert planning.billed_of(site, friday, 25, 1) == [(False, False)], "Saturday at 6:00"


def test_a_slot_has_the_lowest_cap_of_the_charges_that_bill_it():
    billed = [(True, True), (True, False), (False, True), (False, False)]
    limits = cap.limits_W(billed, [3.0, 2.0], 9.0)
    assert [limits[each] for each in billed] == [2.0, 3.0, 2.0, 9.0]
    assert cap.reached_W([(True, True), (False, True)], [3.0, 5.0]) == [3.0, 5.0]
    assert cap.reached_W([(True, True), (True, False)], [3.0, 5.0]) == [3.0, 3.0]


def test_a_schedule_of_two_charges_keeps_both_caps_and_raises_the_cheap_one_first():
    """The battery is empty six hours before noon: 17 of 60 kWh are there in time at 103 kW."""
    site = charged(demand(9.0, NOON), demand(1.0, REST), low_J=50 * J_PER_KWH, high_J=110 * 3.6e6)
    at = 7 * SLOTS_PER_DAY + 24
    for stored_kWh, raised in ((110, False), (50, True)):
        known = backtest.known_at(past(), at, stored_kWh * J_PER_KWH, [0.0, 0.0])
        found = planning.planned(site, known, [170e3, 103e3], planning.TRADES)
        is_noon = [48 <= (at + each) % 96 < 56 for each in range(len(found.slots))]
        assert (found.held_W[0] > 170e3) == raised and found.held_W[1] == 103e3 == found.cap_W
        for slot, own_W, noon in zip(found.slots, found.plan.power_W, is_noon):
            assert slot.net_W - own_W <= slot.cap_W + 1
            assert slot.cap_W == (found.held_W[0] if noon else 103e3)


YIELDING = SITE._replace(yields=cap.Agreed(20e3, 100.0, 1.0))


def test_hours_that_are_used_up_do_not_count_in_a_cap():
    store = STORE._replace(high_J=110 * J_PER_KWH)
    known = backtest.known_at(past(), 7 * SLOTS_PER_DAY, STORE.low_J, [0.0])
    caps_W = []
    for gone_h in (86.0, 87.0, 100.0):  # seven days need 14 h
        own, site = known._replace(yielded_h=gone_h), YIELDING._replace(store=store)
        caps_W.extend(learnt.caps_of(site, own, planning.TRADES))
    assert caps_W[0] == pytest.approx(caps_W[2] - 20e3, abs=10)
    assert caps_W[0] < caps_W[1] < caps_W[2]
    assert caps_W[2:] == learnt.caps_of(SITE._replace(store=store), known, planning.TRADES)


def test_energy_that_the_load_gets_later_is_named_and_no_saving():
    """An empty battery: the load yields 20 of 50 kW in eight slots of the judged day."""
    tariff = {**TARIFF, "demand_per_kW_month": [0.0]}
    site = YIELDING._replace(tariff=tariff, store=STORE._replace(charge_W=0.0))
    given = past()._replace(price_per_kWh=[0.1] * 8 * SLOTS_PER_DAY)
    rows = [Row(150_000, OPEN_W, OPEN_W, 0)] * SLOTS_PER_DAY
    empty_J = backtest.HARD_PART * site.full_J
    done = backtest.followed(site, given, empty_J, lambda known: rows)
    assert (max(done.grid_W), done.yielded_h) == (180e3, 2.0)
    assert done.yielded_J == pytest.approx(40 * J_PER_KWH)
    without = backtest.cost(site, given, backtest.without(given))
    assert backtest.cost(site, given, done) == pytest.approx(without)


def test_a_cap_that_the_month_has_paid_already_is_not_undercut():
    known = backtest.known_at(past(), 7 * SLOTS_PER_DAY, STORE.now_J, [190e3])
    assert learnt.caps_of(SITE, known, planning.TRADES) == [190e3]


def test_a_schedule_keeps_the_cap_and_says_each_slot_once():
    known = backtest.known_at(past(), 7 * SLOTS_PER_DAY, STORE.now_J, [0.0])
    (cap_W,) = caps_W = learnt.caps_of(SITE, known, planning.TRADES)
    found = planning.planned(SITE, known, caps_W, planning.TRADES)
    grid_W = [slot.net_W - power_W for slot, power_W in zip(found.slots, found.plan.power_W)]
    assert found.cap_W == cap_W < 150e3 and max(grid_W) <= cap_W + 1
    assert len(found.rows) == SLOTS_PER_DAY
    assert all(OPEN_W in row[1:3] or row[1] == row[2] for row in found.rows)


@pytest.mark.parametrize("stored_kWh, is_scarce", [(119, True), (121, False)])
def test_while_energy_is_scarce_only_the_cap_discharges_more(stored_kWh, is_scarce):
    """An hour above the cap needs 100 kWh: with a fifth more, load tracking may act beside it."""
    store = STORE._replace(low_J=0.0, now_J=stored_kWh * J_PER_KWH)
    over, below = exact.Slot(200e3, 0.1, 0.0, 100e3, 0.0), exact.Slot(50e3, 0.1, 0.0, 100e3, 0.0)
    plan = exact.Plan([0.0, *[100e3] * 4, -50e3], [stored_kWh * J_PER_KWH] * 6, [0.0] * 6)
    found = rows.rows_of(store, [below, *[over] * 4, below], plan, 0.0, 500 * J_PER_KWH)
    assert found[0][1:3] == (OPEN_W, OPEN_W), "its charge is enough"
    assert found[1][1:3] == ((100_000, 100_000) if is_scarce else (100_000, OPEN_W))
    assert found[-1][1:3] == (OPEN_W, -50_000) and {row.grid_cap_W for row in found} == {100_000}


@pytest.mark.parametrize("hours, caps_W", [(3, [2_000] * 8), (1, [100_000] * 8)])
def test_what_the_sun_fills_anyway_also_gives_beneath_a_cloud(hours, caps_W):
    """Sun of 40 kW for so many hours, room for 100 kWh, then a dear evening."""
    store = exact.Store(0.0, 100 * J_PER_KWH, 20 * J_PER_KWH, 200e3, 200e3, 1.0)
    sun = exact.Slot(-40e3, 0.1, 0.0, 100e3, 0.0)
    slots = [*[sun] * 4 * hours, *[exact.Slot(200e3, 0.3, 0.0, 100e3, 0.0)] * 4]
    plan = exact.plan(slots, SLOT_S, store, 0.0)
    found = rows.rows_of(store, slots, plan, 0.0, 100 * J_PER_KWH)
    assert [row.grid_cap_W for row in found[:4] + found[-4:]][:4] == caps_W[:4]
    assert {row.grid_cap_W for row in found[-4:]} == {100_000}


def test_an_empty_battery_raises_the_cap_to_what_it_can_hold():
    at = 7 * SLOTS_PER_DAY + 46  # half an hour before the load rises
    known = backtest.known_at(past(), at, STORE.low_J, [0.0])
    found = planning.planned(SITE, known, [120e3], planning.TRADES)
    assert 150e3 < found.cap_W < 200e3


def test_a_cap_that_rises_spares_the_battery_and_lets_no_charge_rise_with_it():
    at = 7 * SLOTS_PER_DAY + 8  # in the cheap hours, with a low battery of little power
    site = SITE._replace(store=STORE._replace(charge_W=20e3, discharge_W=60e3, high_J=90 * 3.6e6))
    known = backtest.known_at(past(), at, STORE.low_J, [0.0])
    habit = planning.TRADES._replace(looks=2 * SLOTS_PER_DAY)
    found = planning.planned(site, known, [110e3], habit)
    grid_W = [slot.net_W - own_W for slot, own_W in zip(found.slots, found.plan.power_W)]
    assert found.cap_W > 150e3
    assert max([each for slot, each in zip(found.slots, grid_W) if slot.net_W < 110e3]) <= 110e3 + 1


def test_a_back_test_knows_a_day_of_25_hours():
    """26 October 2025: the hour from 2 to 3 comes twice; at 13 h tomorrow's prices come."""
    start, count = datetime(2025, 10, 25, tzinfo=ZoneInfo("Europe/Berlin")), 4 * SLOTS_PER_DAY
    given = backtest.Past(start, [1.0] * count, [0.0] * count, [0.1] * count, SLOTS_PER_DAY)
    midnight, noon, one = [backtest.known_at(given, 96 + each, 0.0, [0.0]) for each in (0, 52, 56)]
    assert (midnight.time.day, midnight.time.hour, len(midnight.price_per_kWh)) == (26, 0, 100)
    assert (noon.time.hour, len(noon.price_per_kWh)) == (12, 48)
    assert (one.time.hour, len(one.price_per_kWh)) == (13, 44 + SLOTS_PER_DAY)
    slots = [each.slot for each in places.of(midnight.time, 0, 101, [])]
    assert slots == [*range(12), *range(8, SLOTS_PER_DAY), 0]
    working = [each.is_working for each in places.of(midnight.time, -4, 105, [])]
    assert working == [False] * 104 + [True], "Saturday, Sunday, Monday"


def test_a_plan_saves_and_no_plan_beats_the_bound():
    given = past()
    habit = habits.habit_of(SITE, backtest.known_at(given, given.before, STORE.now_J, [0.0]))

    def way(known):
        caps_W = learnt.caps_of(SITE, known, habit)
        return planning.planned(SITE, known, caps_W, habit).rows

    done = backtest.followed(SITE, given, STORE.now_J, way)
    best = foresight.optimum(SITE, given, STORE.now_J)
    costs = [backtest.cost(SITE, given, each) for each in (best, done, backtest.without(given))]
    assert costs == sorted(costs) and costs[1] < costs[2]
    assert max(done.grid_W) < max(backtest.without(given).grid_W)


def test_a_worn_battery_scales_its_band_and_the_file_is_the_ceiling():
    worn = able.site_of(SITE, [[400e3], [90e3], [80e3]], max)
    own = STORE._replace(
        low_J=48 * J_PER_KWH,
        high_J=368 * J_PER_KWH,
        now_J=160 * J_PER_KWH,
        charge_W=90e3,
        discharge_W=80e3,
    )
    assert worn.store == pytest.approx(own) and worn.full_J == 400 * J_PER_KWH
    for at in (499e3, 500e3, 501e3):
        assert able.site_of(SITE, [[at], [1e9], []], max).full_J == min(at, 500e3) * 3600
    more, none = [[501e3], [1e9], []], [[], [], []]
    assert able.site_of(SITE, more, max) == able.site_of(SITE, none, max) == SITE


@pytest.mark.parametrize("place, lines", [(0, 1), (1, 1), (2, 1), (3, 0)])
def test_an_unknown_value_is_a_line(place, lines):
    values = [[1.0] * (at != place) for at in range(3)]
    words = "power" if place else "energy"
    assert [each.startswith(words) for each in able.doubts(values)] == [True] * lines


def test_the_cap_of_a_day_goes_by_the_usual_battery_and_the_plan_by_that_of_now():
    known = backtest.known_at(past(), 7 * SLOTS_PER_DAY, 100 * J_PER_KWH, [0.0])
    half = able.site_of(SITE, [[250e3], [50e3], [50e3]], max)
    found = {}
    for name, usual, now in (("new", SITE, SITE), ("hour", SITE, half), ("worn", half, half)):
        ways = Daily(SITE)
        ways.usual, ways.site = usual, now
        found[name] = ways.planned(known), ways.caps_W
    caps_W = {name: round(each) for name, (_, (each,)) in found.items()}
    assert caps_W["new"] == caps_W["hour"] < caps_W["worn"] - 5e3
    assert max(found["new"][0].plan.power_W) > 50e3 >= max(found["hour"][0].plan.power_W)


def test_a_battery_without_energy_or_power_is_planned_with():
    none = able.site_of(SITE, [[0], [0], [-5]], max)
    slots = past()
    best = foresight.optimum(none, slots, 0.0)
    ways = Daily(none)
    done = backtest.followed(none, slots, 0.0, ways.rows)
    idle = backtest.followed(none, slots, 0.0, lambda known: [])
    without = backtest.without(slots)
    for each in (best, done, idle):
        assert each.grid_W == pytest.approx(without.grid_W, abs=2)
