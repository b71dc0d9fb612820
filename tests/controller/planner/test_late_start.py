"""A planner that starts late: at an edge of the calendar, with a hole behind it, in five zones."""

import math
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import planner_bench
import pytest
from planner_bench import QUARTER_S, SITE, PlannerBench

from controller.hints import client
from controller.planner import accounts

pytestmark = pytest.mark.wire
# zone: midnights after which the clock has gone forward and back
ZONES = {
    "Europe/Berlin": ("2027-03-28", "2026-10-25"),
    "America/New_York": ("2027-03-14", "2026-11-01"),
    "Australia/Lord_Howe": ("2026-10-04", "2027-04-04"),  # by half an hour
    "Pacific/Chatham": ("2026-09-27", "2027-04-04"),  # at 02:45, of UTC+12:45
    "Asia/Kolkata": ("2026-12-01", "2027-01-01"),  # never; the start of a month and of a year
}
LATE_S = {"before midnight": -20, "at midnight": 0, "in the night": 14_420}


@pytest.mark.parametrize("late", LATE_S)
@pytest.mark.parametrize("night", (0, 1))
@pytest.mark.parametrize("zone", ZONES)
def test_books_and_plan_of_a_late_start(zone, night, late, tmp_path, monkeypatch):
    monkeypatch.setattr(client, "ANSWER_S", 0.3)
    monkeypatch.setattr(accounts.Shadows, "step", lambda *_: False)
    monkeypatch.setattr(planner_bench, "SITE", SITE.replace("Europe/Berlin", zone))
    own = ZoneInfo(zone)
    midnight = datetime.fromisoformat(ZONES[zone][night]).replace(tzinfo=own)
    start_s = midnight.timestamp() + LATE_S[late]
    monkeypatch.setattr(planner_bench, "START_S", start_s)
    bench = PlannerBench(tmp_path)
    bench.pass_s(90)  # the recorder may be late too
    bench.step()
    now_s = bench.clocks.wall_us / 1e6
    now = int(now_s // QUARTER_S)
    rows, found = bench.planner._books.rows, bench.plan()
    numbers = [int(row.at.timestamp() // QUARTER_S) for row in rows]
    assert numbers == list(range(bench.now - 192, bench.now))
    assert [row.load_W for row in rows] == pytest.approx(list(map(load_W, numbers)), abs=1)
    first = next(row.at for row in rows if row.at.minute == 0)  # whole hours of the zone are billed
    since_s = max(month_begin_s(rows[-1].at), first.timestamp())
    since = datetime.fromisoformat(found["month"]["since"])
    assert found["waits"] == [] and since.timestamp() == since_s
    slots = [datetime.fromisoformat(each["at"]).timestamp() for each in found["slots"]]
    assert slots == [QUARTER_S * (now + at) for at in range(len(slots))]
    ends = datetime.fromtimestamp(slots[-1] + QUARTER_S, own)
    is_midnight = (ends.hour, ends.minute) == (0, 0)  # 192 slots do not reach that of two days
    assert len(slots) == 192 or (is_midnight and len(slots) > 90)
    for each, at_s in zip(found["slots"], slots):
        assert each["price_per_kWh"] == pytest.approx(price_per_kWh(start_s, at_s), abs=1e-5)
    this_month = [row.load_W for row in rows if row.at.timestamp() >= since_s]
    assert found["month"]["peak_without_W"] == pytest.approx(max(this_month), abs=1)
    for row in rows[-96:]:
        day = (row.at.replace(tzinfo=None) - timedelta(days=1)).replace(tzinfo=own)
        assert row.yesterday_load_W == pytest.approx(load_W(int(day.timestamp() // 900)), abs=1)
    bench.site.close()


def month_begin_s(time):
    return time.replace(day=1, hour=0, minute=0, second=0, fold=0).timestamp()


def load_W(at):
    return round(planner_bench.load_W(at))


def price_per_kWh(start_s, at_s):
    """The price of an hour of the bench, whose file begins three days before."""
    hour = int(at_s // 3600) - (int(start_s // 3600) - 72)
    return round(80 + 60 * math.sin(2 * math.pi * hour / 24), 2) / 1000
