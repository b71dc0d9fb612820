"""Accounts of a month made by hand, in the month in which the clock goes back; its shadows."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from test_planning import SITE

from controller.planner import able, accounts, backtest, books, foresight
from controller.planner.books import Quarter

ZONE = ZoneInfo("Europe/Berlin")
SLOT_S, DAY = 900, 96
BEGIN_S = datetime(2026, 10, 18, tzinfo=ZONE).timestamp()


def quarters(days, **changes):
    """100 kW, 200 kW from 12:00 to 14:00; cheap until 06:00. changes: a value by (time, number)."""
    found = []
    for at in range(DAY * days):
        time = datetime.fromtimestamp(BEGIN_S + SLOT_S * at, ZONE)
        load_W = 200e3 if 12 <= time.hour < 14 else 100e3
        own = {
            "load_W": load_W, "pv_W": 0.0, "grid_W": load_W, "battery_W": 0.0, "stored_Wh": 200e3,
            "price_per_kWh": 0.05 if time.hour < 6 else 0.10,
        }  # fmt: skip
        for name, each in changes.items():
            own[name] = each(time, at) if callable(each) else each
        found.append(Quarter(time, **own))
    return found


def month(rows):
    return accounts.month(SITE, books.series_of(rows), (None, 0))


def test_an_idle_battery_costs_what_no_battery_costs():
    found = month(quarters(20))
    assert found["cost"] == pytest.approx(found["cost_without"])
    assert found["since"] == "2026-11-01T00:00:00+01:00"
    assert (found["peak_W"], found["peak_without_W"]) == (200e3, 200e3)
    assert found["CO2_kg"] is None


def test_a_peak_of_the_hour_that_exists_twice_is_in_its_hour():
    rows = quarters(14)
    found = books.series_of(rows)
    assert len(found.load_W) == 14 * DAY and accounts.month_begin(found) == 0
    at = [each.at.isoformat() for each in rows].index("2026-10-25T02:45:00+01:00")
    own, _ = accounts.part(found, at, at + 2)
    assert own.start.isoformat() == "2026-10-25T02:45:00+01:00"


def test_energy_that_stays_in_the_battery_is_no_cost():
    charges = lambda time, at: at == 15 * DAY  # noqa: E731
    rows = quarters(
        20,
        grid_W=lambda time, at: (
            (200e3 if 12 <= time.hour < 14 else 100e3) + 80e3 * charges(time, at)
        ),
        battery_W=lambda time, at: -80e3 * charges(time, at),
        stored_Wh=lambda time, at: 200e3 + 20e3 * (at >= 15 * DAY),
    )
    found = month(rows)
    # 20 kWh at their price, worth the mean price
    assert abs(found["cost"] - found["cost_without"]) < 20 * 0.05


def test_a_hole_is_no_saving():
    none = dict.fromkeys(("load_W", "grid_W", "battery_W", "stored_Wh", "price_per_kWh"))
    rows = quarters(20)
    holed = [each._replace(**none) if at % 7 == 3 else each for at, each in enumerate(rows)]
    gone = [each for at, each in enumerate(rows) if at % 7 != 3]
    for given in (holed, gone):
        found = month(given)
        assert found["cost"] == pytest.approx(found["cost_without"]) and found["cost"] > 1000


def test_a_battery_that_is_measured_without_the_grid_counts():
    rows = quarters(20, grid_W=None, battery_W=lambda time, at: 50e3 * (12 <= time.hour < 14))
    assert (month(rows)["peak_W"], month(rows)["peak_without_W"]) == (150e3, 200e3)
    rows = quarters(20, battery_W=None, grid_W=100e3)
    assert books.series_of(rows).battery_W[48 : 48 + 9] == [100e3] * 8 + [0.0]


def test_nothing_known_is_no_account():
    assert books.series_of([]) is None
    for name in ("load_W", "stored_Wh", "price_per_kWh"):
        assert books.series_of(quarters(1, **{name: None})) is None


def test_energy_that_the_load_gets_later_is_named_and_no_saving():
    """Less load in an hour of one day: the month's peak, of the other days, stays."""
    yields = lambda time, at: 20e3 * ((time.month, time.day, time.hour) == (11, 3, 12))  # noqa: E731
    grid_W = lambda time, at: 100e3 * (1 + (12 <= time.hour < 14)) - yields(time, at)  # noqa: E731
    for battery_W in (0.0, None):
        rows = quarters(20, lowered_W=yields, grid_W=grid_W, battery_W=battery_W)
        assert set(books.series_of(rows).battery_W) == {0.0}
        found = month(rows)
        assert (found["yielded_kWh"], found["yielded_h"]) == (20.0, 1.0)
        # at its price, and bought later at the mean price
        assert found["cost_without"] - found["cost"] == pytest.approx(20 * 0.0125, abs=0.02)


def seen(folder, now):
    """Books of a folder, looked at in this quarter."""
    made = books.Books(str(folder), ZONE)
    made.look(now)
    return made


def test_a_quarter_later_than_now_stays_aside_until_it_is_measured(tmp_path):
    first = int(BEGIN_S) // 900
    rows = [f"{(first + at) * 900},{at},,,,,,,,,,," for at in (0, 1, 7)]
    (tmp_path / books.FILE).write_text("\n".join([*rows, ""]))
    made = seen(tmp_path, first + 2)
    assert made.newest == first + 1 and [each.load_W for each in made.rows] == [0, 1]
    measured = [None, None, None]
    assert made.lacks(first + 2, (2.0, *measured)) and not made.lacks(first + 1, (5.0, *measured))
    made.look(first + 8)
    assert made.newest == first + 7
    assert made.lacks(first + 7, (3.0, *measured)) and not made.lacks(first + 7, (7.0, *measured))
    made.add([made.rows[-1]._replace(load_W=3.0)], first + 8)
    assert not made.lacks(first + 7, (4.0, *measured))
    assert [each.load_W for each in seen(tmp_path, first + 8).rows] == [0, 1, 3]
    made.look(first - 5760)  # 60 days behind
    assert made.rows == []
    made.look(first + 8)
    assert len(made.rows) == 3


def test_a_line_of_books_that_was_cut_costs_that_line_alone(tmp_path):
    """It would look like a line of an earlier version, with a part of its last number."""
    at, path = int(BEGIN_S) // 900, tmp_path / books.FILE
    whole = ",".join([str((at + 1) * 900), *["100"] * 12])
    cuts = [whole[:end] for end in range(1, len(whole))]
    for cut in [*cuts, whole.replace("00,100", "50,100", 1)]:  # the last one begins late
        path.write_text(f"{at * 900}{whole[10:]}\n{cut}" + "\n" * (cut not in cuts))
        made = seen(tmp_path, at + 5)
        assert [each.at.timestamp() for each in made.rows] == [at * 900]
        made.add([made.rows[0]._replace(at=made.rows[0].at + timedelta(minutes=45))], at + 5)
        assert [each.load_W for each in seen(tmp_path, at + 5).rows] == [100, 100], cut


def test_full_books_keep_what_was_measured_last(tmp_path, monkeypatch):
    monkeypatch.setattr(books, "KEPT", 4)
    monkeypatch.setattr(books, "SPARE", 2)
    at = int(BEGIN_S) // 900
    made, order = seen(tmp_path, at + 50), (7, 3, 9, 1, 5, 2, 3, 8)
    counts = []
    for each in order:
        begin = datetime.fromtimestamp((at + each) * 900, ZONE)
        made.add([Quarter(begin, load_W=float(each))], at + 50)
        counts.append(len(made.rows))
    assert counts == [1, 2, 3, 4, 5, 6, 6, 4]
    for found in (made, seen(tmp_path, at + 50)):
        assert [each.load_W for each in found.rows] == [2, 3, 5, 8]


def test_a_line_of_books_without_the_lowered_load_is_read(tmp_path):
    line = f"{int(BEGIN_S)},{','.join(['1'] * 11)}"
    (tmp_path / books.FILE).write_text(f"{line}\n{line},5\n{line},5,5\n")
    assert [each.lowered_W for each in seen(tmp_path, 10**7).rows] == [5.0]
    (tmp_path / books.FILE).write_text(f"{line}\n")
    assert [each.lowered_W for each in seen(tmp_path, 10**7).rows] == [None]


def test_errors_carbon_and_a_site_without_pv():
    rows = quarters(
        20,
        pv_W=None,
        carbon_g_per_kWh=500.0,
        forecast_load_W=lambda time, at: None if at % 2 else 103e3,
        yesterday_load_W=90e3,
    )
    found = month(rows)
    assert found["yesterday_error_W"] == pytest.approx((10e3 * 11 + 110e3) / 12, rel=0.02)
    assert found["forecast_error_W"] == pytest.approx((3e3 * 11 + 97e3) / 12, rel=0.02)
    assert (
        found["CO2_kg"]
        == found["CO2_without_kg"]
        == pytest.approx(5.96 * 2.6e6 / 1000 / 2, rel=0.01)
    )


def played(days, way):
    """Quarters in which the model of the controller follows a way."""
    rows = quarters(days)
    found = books.series_of(rows)
    past = backtest.Past(found.start, found.load_W, found.pv_W, found.price_per_kWh, 0)
    done = way(past)
    stored_J, filled = 200e3 * 3600, []
    for row, grid_W in zip(rows, done.grid_W):
        own_W = row.load_W - grid_W
        stored_J -= backtest.moved_J(own_W, SITE)
        own = {"grid_W": grid_W, "battery_W": own_W, "stored_Wh": stored_J / 3600}
        filled.append(row._replace(**own))
    return books.series_of(filled)


def test_the_share_of_the_optimum_is_1000_and_of_no_battery_0():
    best = played(7, lambda past: foresight.optimum(SITE, past, 200e3 * 3600))
    permille, days = accounts.share(SITE, best)
    assert days == 7 and permille == pytest.approx(1000, abs=5)
    permille, days = accounts.share(SITE, played(7, backtest.without))
    assert days == 7 and permille == pytest.approx(0, abs=1)
    assert accounts.share(SITE, books.series_of(quarters(1)[:95])) == (None, 0)
    flat = books.series_of(quarters(2, load_W=100e3, grid_W=100e3, price_per_kWh=0.1))
    free = SITE._replace(tariff=SITE.tariff | {"demand_per_kW_month": [0.0]})
    assert accounts.share(free, flat) == (None, 2), "nothing to save"


def stepped(rows, ahead=(), site=SITE):
    own = accounts.Shadows(SITE)
    own.site = site
    found = books.series_of(rows)
    while own.step(found, ahead):
        pass
    return own, found


def test_shadows_cost_what_their_habit_costs():
    own, found = stepped(quarters(17), [0.1] * DAY)
    costs = {each["name"]: each["cost"] for each in own.costs(found)}
    assert list(costs) == ["as run", "no battery", *[habit.name for habit in accounts.HABITS]]
    assert costs["as run"] == pytest.approx(costs["no battery"])
    assert costs["holds_cap"] < costs["energy_only"] < costs["no battery"]


def test_a_shadow_has_the_battery_of_each_hour():
    half = able.site_of(SITE, [[250e3], [50e3], [50e3]], max)
    rows, ahead = quarters(17), [0.1] * DAY
    early, found = stepped(rows[: 15 * DAY], ahead)
    early.site = half
    while early.step(books.series_of(rows), ahead):
        pass
    all_new, found = stepped(rows, ahead)
    all_half, _ = stepped(rows, ahead, half)
    ways = all_new, early, all_half
    assert len({each.costs(found)[2]["cost"] for each in ways}) == 3, "each hour has its own"


@pytest.mark.whole
def test_a_shadow_knows_no_future_and_goes_on_hour_by_hour():
    rows = quarters(17)
    early, late = (
        rows[: 15 * DAY + 6],
        [
            each._replace(load_W=300e3) if at >= 15 * DAY + 4 else each
            for at, each in enumerate(rows)
        ],
    )
    whole, found = stepped(rows, [0.1] * DAY)
    other, _ = stepped(late, [0.1] * DAY)
    begun, first = stepped(early, [0.1] * 2 * DAY)
    count = len(begun._own["trades"].outcome().grid_W)
    assert count > 0 and count % 4 == 0
    grids = [each._own["trades"].outcome().grid_W[:count] for each in (whole, other, begun)]
    assert grids[0] == grids[1] == grids[2]
    while begun.step(found, [0.1] * DAY):
        pass
    assert begun.costs(found) == whole.costs(found)


def test_a_shadow_begins_the_month_with_the_energy_of_the_battery():
    dear = lambda time, at: 0.3 if time.hour < 3 else 0.1  # noqa: E731
    first_W = []
    for stored_Wh in (460e3, 60e3):
        own, _ = stepped(quarters(16, price_per_kWh=dear, stored_Wh=stored_Wh), [0.1] * DAY)
        first_W.append(own._own["energy_only"].outcome().grid_W[0])
    assert first_W[0] < 1e3 and first_W[1] >= 100e3
