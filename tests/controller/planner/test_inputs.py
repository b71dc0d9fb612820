"""All feeds together: ages, what stands in for unknown values, and that nothing raises."""

import math
from pathlib import Path

import pytest
from feed_cases import BERLIN, NOW_S, feed, span, utc_s, written
from hypothesis import given, settings, strategies as st
from series_files import FOREIGN

from controller.planner import inputs, learnt, planning, site_file
from controller.planner.feeds import held, reading, record, sun
from controller.planner.feeds.points import QUARTER_S, of_quarters
from controller.recorder import quarters
from tests.repository import ROOT

SITE = site_file.load(str(ROOT / "controller/planner/example/planner.toml"))
DAY_S, HOUR_S = 86_400, 3600


def planner(*feeds, place=None, rated_W=0.0):
    return SITE._replace(feeds=feeds, place=place, pv_rated_W=rated_W)


def table(path, name, begin_s, values, step_s=QUARTER_S, at_s=NOW_S):
    """A file of values from a time on; None: no row."""
    rows = [
        f"{begin_s + at * step_s:.0f},{each}" for at, each in enumerate(values) if each is not None
    ]
    return written(path, "\n".join([f"unix,{name}", *rows]) + "\n", at_s)


def given_now(*feeds, **keys):
    return inputs.Inputs(planner(*feeds, **keys)).read(NOW_S)


@pytest.fixture
def load(tmp_path):
    """Two days of load until now: its quarter of the day, in kW, the second day 100 kW more."""
    values = [at % 96 + 100 * (at >= 96) for at in range(192)]
    return feed(table(tmp_path / "load.csv", "load_kW", NOW_S - 2 * DAY_S, values), "load")


@pytest.fixture
def prices(tmp_path):
    """Prices from two days before to the end of the day, per MWh: hours since then."""
    begin_s = NOW_S - 2 * DAY_S
    return feed(table(tmp_path / "prices.csv", "EUR/MWh", begin_s, range(60), HOUR_S))


def test_a_plan_follows_from_files_alone(load, prices):
    own = planner(load, prices)
    found = inputs.Inputs(own).read(NOW_S + 400)
    assert (found.lacks, found.doubts, found.time.isoformat()) == (
        [],
        [],
        "2026-11-26T12:00:00+01:00",
    )
    assert found.past_load_W[-96:] == [(each + 100) * 1000 for each in range(96)]
    assert len(found.past_load_W) == len(found.past_pv_W) == 192 and set(found.past_pv_W) == {0.0}
    assert [round(1000 * each) for each in found.price_per_kWh] == [
        48 + at // 4 for at in range(48)
    ]
    known = inputs.known(found, 1e9, [5.0])
    caps_W = learnt.caps_of(own.site, known, planning.TRADES)
    assert planning.planned(own.site, known, caps_W, planning.TRADES).rows


def test_an_old_feed_ages_is_named_and_then_the_day_before_counts(load, prices):
    own = inputs.Inputs(planner(load, prices))
    first = own.read(NOW_S)
    written(Path(prices.keys["path"]), "torn")
    kept = own.read(NOW_S + 30 * 60)
    assert (
        kept.price_per_kWh == first.price_per_kWh[2:]
        and kept.past_price_per_kWh[-2:] == (first.price_per_kWh[:2])
    )
    assert kept.doubts[0].startswith("feed prices: ")
    assert kept.doubts[0].endswith("; its values are 0.5 h old and count until 36 h")
    late = own.read(NOW_S + 37 * HOUR_S)
    assert late.price_per_kWh == [] and late.lacks == []
    assert late.doubts[0].startswith("feed load: its values are 37.0 h old, allowed are 36 h: yest")
    assert late.doubts[1].startswith("feed prices: ")
    assert "; its values are 37.0 h old, allowed are 36 h: yesterday's count" in late.doubts[1]
    assert "prices: none is known from now on: those of the day before count" in late.doubts
    assert "prices: 96 of the last 96 quarters of an hour are unknown: the day before counts" in (
        late.doubts
    )
    assert late.past_price_per_kWh[-4:] == late.past_price_per_kWh[-100:-96] != [0.0] * 4
    assert min(late.past_load_W[-96:]) >= 100e3


def test_old_values_say_nothing_of_the_future(load, prices):
    own = inputs.Inputs(planner(load, prices._replace(max_age_s=HOUR_S)))
    assert len(own.read(NOW_S + HOUR_S).price_per_kWh) == 44
    late = own.read(NOW_S + 2 * HOUR_S)
    assert late.price_per_kWh == [] and late.past_price_per_kWh[-1] == pytest.approx(0.049)
    assert late.doubts[0] == (
        "feed prices: its values are 2.0 h old, allowed are 1 h: yesterday's count"
    )


def test_a_hole_to_come_has_the_value_of_the_day_before(tmp_path, load):
    values = [*range(24), None, 25, 26]
    path = table(tmp_path / "p.csv", "EUR/MWh", NOW_S - 23 * HOUR_S, values, HOUR_S)
    found = given_now(load, feed(path))
    assert [round(1000 * each) for each in found.price_per_kWh[::4]] == [23, 0, 25, 26]


def test_a_hole_has_the_values_of_the_day_before(tmp_path, load):
    values = [None if 150 <= at < 160 else at for at in range(192)]
    path = table(tmp_path / "p.csv", "EUR/MWh", NOW_S - 2 * DAY_S + 6 * HOUR_S, values)
    found = given_now(load, feed(path))
    assert [round(1000 * each) for each in found.past_price_per_kWh[149:161]] == [
        *(149, *range(54, 64), 160)
    ]
    assert found.doubts == [
        "prices: 10 of the last 96 quarters of an hour are unknown: the day before counts"
    ]


def test_what_was_never_known_makes_no_plan(tmp_path, prices):
    own = inputs.Inputs(planner(feed(tmp_path / "none.csv", "load"), prices, rated_W=1e5))
    found = own.read(NOW_S)
    assert found.lacks == ["load", "pv"] and inputs.known(found, 1e9, [0.0]) is None
    assert found.doubts[0].endswith("No such file or directory; it was never read")
    words = "load: never known, so there is no plan; needed is a feed with the last day of the load"
    assert words in found.doubts


def test_of_two_feeds_of_a_kind_the_first_that_knows_counts(tmp_path, load):
    main = feed(table(tmp_path / "a.csv", "EUR/MWh", NOW_S, [1, 2], HOUR_S))
    spare = feed(table(tmp_path / "b.csv", "EUR/MWh", NOW_S - HOUR_S, [7, 7, 7, 7], HOUR_S))
    found = given_now(load, main, spare)
    assert [round(1000 * each) for each in found.price_per_kWh[::4]] == [1, 2, 7]


def test_a_file_of_the_future_does_not_count(load):
    path = Path(load.keys["path"])
    written(path, path.read_text(), NOW_S + HOUR_S)
    found = inputs.Inputs(planner(load)).read(NOW_S - 60 * QUARTER_S)
    assert found.lacks == ["load"]
    assert found.doubts[0].endswith("h after now: is the clock right?; it was never read")


def test_a_web_feed_is_asked_at_its_pace(monkeypatch, load):
    asked = []

    def read(own, wanted):
        asked.append(minute)
        return of_quarters({NOW_S: 0.1}, wanted.now_s)

    monkeypatch.setattr(reading, "read", read)
    own = held.Held(feed("", url="x", every_min=30))
    for minute in (0, 10, 29, 31, 45, 62):
        own.update(0, 1, NOW_S + 60 * minute, 60 * minute)
    assert asked == [0, 31, 62]


def test_a_failing_reader_is_one_line_and_the_others_go_on(monkeypatch, load, prices):
    read = reading.read

    def broken(own, wanted):
        return 1 / 0 if own.kind == "prices" else read(own, wanted)

    monkeypatch.setattr(reading, "read", broken)
    found = given_now(load, prices)
    assert found.lacks == ["prices"] and len(found.past_load_W) == 192
    assert found.doubts[0].startswith("feed prices: its reader failed: ZeroDivisionError")


NAMES = st.sampled_from(["csv", "json", "entsoe_xml", "recorder"])


@settings(max_examples=60)
@given(NAMES, st.sampled_from(["prices", "load", "pv"]), st.binary(max_size=300))
def test_no_content_raises(tmp_path_factory, form, kind, data):
    path = written(tmp_path_factory.mktemp("any") / "a\nb", data)
    own = feed(
        path, kind, form, list="", time="t", value="p", unit="EUR/MWh" if kind == "prices" else "W"
    )
    for line in given_now(own).doubts:
        assert line.isprintable() and not [word for word in FOREIGN if word in line]


# ---- the record


def record_of(path, first_s, powers_W):
    """quarters.csv of the recorder from a time on, of (load, PV)."""
    rows = [
        f"{first_s + at * QUARTER_S:.0f},{load},{pv},,,550"
        for at, (load, pv) in enumerate(powers_W)
    ]
    return written(path, "\n".join([quarters.HEADER, *rows]) + "\n")


def test_the_record_gives_known_finished_quarters(tmp_path):
    first_s = NOW_S - 4 * QUARTER_S
    rows = [(400, 40), (150, ""), ("", ""), (400, 0), (900, 900)]
    path = record_of(tmp_path / "quarters.csv", first_s, rows)
    load = record.read(str(path), "load", span(NOW_S + 500))
    assert dict(zip(load.utc_s, load.values)) == {
        first_s: 400, first_s + 900: 150, first_s + 2700: 400
    }  # fmt: skip
    sunny = record.read(str(path), "pv", span(NOW_S + 500))
    assert dict(zip(sunny.utc_s, sunny.values)) == {first_s: 40, first_s + 2700: 0}
    assert load.made_s == NOW_S
    newer = record.read(str(path), "load", span(NOW_S + 500, since_s=NOW_S - QUARTER_S))
    assert list(newer.values) == [400]


def test_the_record_is_read_once_a_quarter_and_its_silence_is_named(tmp_path):
    path = record_of(tmp_path / "quarters.csv", NOW_S - DAY_S, [(5000, "")] * 96)
    own = inputs.Inputs(planner(feed(path, "load", "recorder")._replace(max_age_s=2 * HOUR_S)))
    assert own.read(NOW_S + 5).doubts == [] == own.read(NOW_S + 600).doubts
    silent = own.read(NOW_S + 3 * HOUR_S)
    assert set(silent.past_load_W) == {5000.0}
    assert silent.doubts[0].endswith(
        "no new quarter of an hour with a known load; its values are 3.0 h old, allowed are 2 h: "
        "yesterday's count"
    )
    assert silent.doubts[1].startswith("load: 12 of the last 96 quarters")


# ---- the sun


def test_a_clear_sky_stands_where_the_almanac_says():
    """Berlin, 21 June and 21 December: altitude of the sun at its highest 60.9 and 14.1 degrees."""
    for day, altitude_deg in (("2026-06-21", 60.9), ("2026-12-21", 14.06)):
        sky = sun.clear_sky(utc_s(f"{day}T00:00"), 96, (52.52, 13.40))
        up = math.sin(math.radians(altitude_deg))
        assert max(sky) == pytest.approx(1098 * up * math.exp(-0.057 / up), rel=0.01)
        assert sky[0] == 0.0
        noon = 96 * (13.14 if day == "2026-06-21" else 12.07) / 24
        assert abs(sum(at * each for at, each in enumerate(sky)) / sum(sky) - noon) < 0.7


def test_pv_follows_the_weather_by_what_was_measured(tmp_path, load):
    begin_s = NOW_S - 2 * DAY_S
    ghi = [500 if 30 <= at % 96 < 60 else 0 for at in range(96 * 4)]
    weather = feed(table(tmp_path / "w.csv", "ghi_W_per_m2", begin_s, ghi), "weather")
    pv = feed(table(tmp_path / "pv.csv", "pv_W", begin_s, [60 * each for each in ghi[:192]]), "pv")
    found = given_now(load, weather, pv, rated_W=1e5)
    assert found.pv_W[:96] == pytest.approx([60.0 * each for each in ghi[:96]])
    found = given_now(load, weather, rated_W=1e5)
    assert max(found.pv_W) == pytest.approx(0.8 * 0.5 * 1e5)  # before anything is measured
    found = given_now(load, weather, pv, rated_W=2.6e4)
    assert max(found.pv_W[:96]) == 26_000
    found = given_now(load, weather, pv, rated_W=2e4)
    assert max(found.pv_W[:96]) == 8000, "what was measured is beyond 1.2 times the rating"


def test_without_weather_pv_is_a_clear_sky_as_clear_as_the_last_days(tmp_path, load):
    place, begin_s = (52.5, 13.4), NOW_S - 3 * DAY_S
    sky = sun.clear_sky(begin_s, 96 * 5, place)
    pv = feed(table(tmp_path / "pv.csv", "pv_W", begin_s, [40 * each for each in sky[:288]]), "pv")
    found = given_now(load, pv, place=place)
    assert found.pv_W[:192] == pytest.approx([40 * each for each in sky[288:]], rel=1e-3, abs=1)
    late = given_now(load, pv)
    assert late.pv_W == [] and late.past_pv_W[-96:] == pytest.approx(
        [40 * each for each in sky[192:288]], abs=1
    )


COOLED = {"cooling_W_per_K": 4e3, "cooling_from_degC": 15.0}


def cooled(folder, air_degC, **keys):
    """Load to come, W, 100 kW and the cooling at 20 degC for two days; 10 K more since 1 h."""
    load_kW = [120] * 188 + [160] * 4
    load = feed(table(folder / "load.csv", "load_kW", NOW_S - 2 * DAY_S, load_kW), "load")
    path = table(folder / "air.csv", "air_degC", NOW_S - 2 * DAY_S, air_degC, HOUR_S)
    free = feed(table(folder / "p.csv", "EUR/MWh", NOW_S - 2 * DAY_S, [50] * 80, HOUR_S))
    made = planner(load, free, feed(path, "air"))._replace(**keys)
    given = inputs.known(inputs.Inputs(made).read(NOW_S), 1e9, [0.0])
    return planning.ahead_W(given, 192)[0]


def test_the_cooling_follows_the_air_that_is_foretold(tmp_path):
    warm, past = [30] * 12 + [10] * 12, [20] * 47 + [30]
    ahead_W = cooled(tmp_path, past + warm, **COOLED)
    assert ahead_W[:96] == pytest.approx([160e3] * 48 + [100e3] * 48)
    # after the last foretold hour the air of the day before counts
    assert ahead_W[96:] == pytest.approx(ahead_W[:96])


@pytest.mark.parametrize("air, keys", [([None] * 48, COOLED), ([20] * 47 + [30] * 25, {})])
def test_without_air_or_its_effect_the_difference_to_now_fades(tmp_path, air, keys):
    ahead_W = cooled(tmp_path, [*air, *[None] * 20], **keys)
    assert ahead_W[0] == 160e3 and 120e3 < ahead_W[48] < 130e3


def test_carbon_and_a_job_plan_begin_now(tmp_path, load):
    carbon = feed(table(tmp_path / "c.csv", "g/kWh", NOW_S, [400], HOUR_S), "carbon")
    rows = "at_s,for_s,power_W\n43200,3600,1000\n"
    jobs = feed(written(tmp_path / "j.csv", rows, NOW_S), "jobs", "jobs", base_W=500.0)
    found = given_now(load, carbon, jobs)
    assert found.carbon_g_per_kWh[0] == 400 and math.isnan(found.carbon_g_per_kWh[4])
    assert found.load_W == [1500.0] * 4
    assert inputs.known(found, 1e9, [0.0]).load_W == [1500.0] * 4
    assert BERLIN.key == found.time.tzinfo.key == "Europe/Berlin"


def sun_of(tmp_path, load, prices, highest_W):
    """What counts of a forecast of two days with so much from 08:00 to 16:00, of 90 kW rated."""
    values = [highest_W if 8 <= at % 24 < 16 else 0 for at in range(72)]
    path = table(tmp_path / "sun.csv", "pv_W", NOW_S - DAY_S, values, HOUR_S)
    own = planner(load, prices, feed(path, "pv"), rated_W=90_000.0)
    return inputs.Inputs(own).read(NOW_S)


@pytest.mark.parametrize("highest_W, known_W", ((108_000, 108_000), (5_000_000, 0)))
def test_a_forecast_of_pv_beyond_its_rating_is_unknown_and_named(
    tmp_path, load, prices, highest_W, known_W
):
    found = sun_of(tmp_path, load, prices, highest_W)
    assert max(found.pv_W) == known_W
    lines = [each for each in found.doubts if "is the unit right?" in each]
    assert len(lines) == (highest_W > 108_000)
    if lines:
        assert "5e+06 W, allowed are 108000 W, rated are 90000 W" in lines[0]


@pytest.mark.parametrize("highest_W, is_doubted", ((62, True), (449, True), (900, False)))
def test_a_day_of_sun_in_the_wrong_unit_is_doubted(tmp_path, load, prices, highest_W, is_doubted):
    found = sun_of(tmp_path, load, prices, highest_W)
    assert any("in a day, rated are 90000 W" in each for each in found.doubts) == is_doubted


def test_a_window_has_each_quarter_that_was_asked_for():
    """One that lacks its last quarter would shorten every plan of this feed without a word."""
    own = held.Held(feed("", url="x", every_min=30))
    own.values, own._made_uptime_s = {7: 70.0, 8: 80.0, 9: 90.0, 10: 100.0}, 8 * 900.0
    assert own.window(7, 3, 8 * 900.0, 8 * 900.0) == [70, 80, 90]
    found = own.window(8, 4, 8 * 900.0, 8 * 900.0)
    assert found[:3] == [80, 90, 100] and math.isnan(found[3]) and len(found) == 4
