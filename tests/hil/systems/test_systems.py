"""Each system runs from its file; figures of a short run; wrong files are refused in one line."""

import json
import re
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from in_process import refusal, refused

from controller.forms.refusal import ConfigError
from hil import __main__ as hil
from hil.loads.trace import LoadError
from hil.results import site_page
from hil.site import description
from hil.systems import (
    bounds,
    command,
    event_figures,
    figures,
    page,
    plays,
    run,
    sender,
    series as system_series,
    spec,
    swing_figures,
    verdict,
    violations,
)
from hil.systems.watched import Watched
from tests.tables import cases

TABLE = {
    "name": "test",
    "text": "test",
    "start": "2026-06-01",
    "days": 1,
    "battery": {"units": 1, "racks_per_unit": 3, "rated_W": 250_000, "energy_Wh": 645_000},
    "site": {"load": {"kind": "constant", "power_W": 200_000}},
    "tariff": {"currency": "EUR"},
    "prices": {},
    "figure": [{"name": "peak_kW", "text": "peak", "status": "projected"}],
}

NOTHING_J = dict.fromkeys([*site_page.CAME_IN, *site_page.WENT_OUT], 0.0)


def test_the_number_beside_a_percentage_has_its_own_unit():
    """ "494" of kW stood in the column of a line in %, and a sentence below said so."""
    figure = {"asked": 30.0, "reached": -3.36, "optimum": 12.6, "baseline": 494.0, "unit": "%"}
    named = figure | {"text": "less of the highest billed import", "baseline_unit": "kW"}
    assert page.numbers(named) == ["30", "3.36 more", "12.6", "494 kW"]
    assert page.numbers(named | {"baseline_unit": ""})[3] == "494"
    assert page.numbers(named | {"baseline": None})[3] == "-"


@pytest.mark.parametrize("name", spec.NAMES)
def test_each_file_is_right_and_asks_for_figures_that_exist(name):
    for variant in ("", *spec.variants(name)):
        found = spec.load(name, variant)
        assert found.figures and {each["name"] for each in found.figures} <= set(figures.FIGURES)
        parts = {each["name"] for each in found.figures if each["text"].startswith("less ")}
        assert parts <= set(figures.BASELINE_UNITS), "percent beside what it is a part of"
        assert not re.search(r"\d\s*[kM]?Wh?\b", found.name + found.text), "sizing.py computes it"
        is_short = found.outage_s or found.away or variant in ("contact", "pv_ramp")
        assert found.days in ((1, 2) if is_short else (7,))
        # a working week; after a holiday its low load has set the cap
        assert found.start.weekday() == 0 or variant in ("short_store", "forty_cabinets")
        assert system_series.site_of(found, {}).load is not None


@pytest.mark.parametrize("name", spec.NAMES)
def test_each_unit_is_played_with_the_power_and_the_energy_of_its_system(name):
    """A unit of 2.5 MW had the converter of 250 kW: ten times its power, a fifth of it lost."""
    chosen = spec.load(name)
    members = run.members_of(chosen, run.site_of(chosen, {}), run.ChainMember)
    units, size = [unit for member in members for unit in member.pcs], chosen.size
    assert [unit.rated_W for unit in units] == [size.rated_W] * size.units
    discharged = 0.0
    for unit in units:
        power_W, soc = 0.2 * unit.rated_W, unit.battery.soc
        for _ in range(3600):
            unit.battery.step(power_W, 1.0)
        discharged += (soc - unit.battery.soc) * size.energy_Wh / size.units
    assert discharged == pytest.approx(0.2 * size.power_W, rel=0.06)  # with what an hour loses


@cases("""
    key  value  line
    "days"  0  "test:days: 0 is not allowed; allowed 1..366"
    "start"  "June"  'test:start: "June" is not allowed; allowed a day, 2026-06-01'
    "start"  "2026-06-01T00:00Z"  'test:start: "2026-06-01T00:00Z" is not allowed; allowed a day, '
    "zone"  "Europe/Munich"  "test: time zone 'Europe/Munich': allowed is one that this machine has"
    "battery"  {"units": 17}  "test:battery."
    "figure"  [{"name": "x"}]  "test:figure.1."
    "colour"  1  "test:colour: is not a known key"
    "plant"  {"pcs_slepes": 1}  'test:plant.pcs_slepes: is not a known key; nearest key "pcs_sleeps'
    "plant"  {"soh": 2}  "test:plant.soh: 2 is not allowed; allowed a number 0.3..1"
    "plant"  {"soh": "x"}  'test:plant.soh: "x" is not allowed; allowed a number 0.3..1'
    "schedule"  {"cap": 1}  "test:schedule.cap: is not a known key"
    "schedule"  {"reserve_permille": 900}  "test:schedule.reserve_permille: 900 is not allowed; all"
    "prices"  {"valley_hours": [0, 6]}  "test:prices.valley_hours: 0 is not allowed; allowed [0..24"
    "site"  {"grid_contact": {"contact_1": [[1, 2]]}}  "test:site.grid_contact: no device reads th"
    "prices"  {"day": [1, 2, 3]}  "test:prices.day: [1, 2, 3] is not allowed; allowed a list of 0 o"
    "tariff"  {"currency": "x", "demand_hours": [22, 22]}  "test:tariff.demand_hours: [22, 22] is"
    "tariff"  {"currency": "x", "demand_per_kW_month": []}  "test:tariff.demand_per_kW_month: [] is"
""")
def test_a_wrong_file_is_refused_in_one_line(key, value, line):
    assert refusal(ConfigError, spec.of_table, TABLE | {key: value}, "test").startswith(line)


def test_a_figure_that_no_function_has_is_refused_before_the_run():
    figure = TABLE["figure"][0]
    chosen = spec.of_table(TABLE | {"figure": [figure, figure | {"name": "peak"}]}, "test")
    with pytest.raises(
        ConfigError, match='^test:figure.2.name: "peak" is not allowed; allowed peak_'
    ):
        command._check_figures(chosen)


def result_of(chosen, series, grid_W):
    """A run with this grid, its battery at rest and half full."""
    none, zeros = np.zeros((6, len(grid_W))), np.zeros(len(grid_W))
    watched = Watched(zeros + np.inf, zeros + 250e3, *none[3:], 0.5)
    rest = series.load_W, zeros + 0.5, zeros, zeros, 2e5, {}, watched
    result = run.Result(chosen, series, grid_W, *none[:3], *rest)
    seconds_W = np.repeat(grid_W, 900).astype(np.float32)
    return result._replace(seconds_W=np.array([seconds_W] * 2), battery_1s_W=0 * seconds_W)


def made(hours=2, **changes):
    """A run of hours with a load of 200 kW."""
    chosen = spec.of_table(TABLE | changes, "test")
    series = system_series.Series(*np.full((4, hours * 4), [[2e5], [2e5], [0.0], [0.1]]))
    result = result_of(chosen, series, series.load_W.copy())
    count = hours * 3600
    return result._replace(
        seconds_W=np.full((2, count), 2e5, np.float32), battery_1s_W=np.zeros(count, np.float32)
    )


def seconds_of(chosen, seconds, inputs=None):
    """A run in which only these seconds pass."""
    step = run.Run.second
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run.Run, "second", lambda one, at_s: at_s in seconds and step(one, at_s))
        return run.run(chosen, inputs)


def test_bounds_count_the_energy_of_the_sun_and_of_the_first_charge():
    """A load of 100 kW and 400 kW in turn, PV of 100 kW, a battery that is empty at first."""
    result = made()
    result = result._replace(spec=result.spec._replace(soc_permille=0))
    result.series.load_W[:] = [1e5, 4e5] * 4
    result.series.pv_W[:] = 1e5
    result.soc[:] = 0
    result.grid_W[:] = 1.5e5
    assert figures.peak_cut(result)[::2] == (pytest.approx(62.5), 400.0)
    assert figures.purchase_cut(result)[:2] == (pytest.approx(40.0), pytest.approx(40.0))
    result.soc[0] = 2e5 / result.spec.size.energy_Wh  # 100 kW over the two hours
    soc_permille = 1000 * float(result.soc[0])
    result = result._replace(spec=result.spec._replace(soc_permille=soc_permille))
    assert figures.peak_cut(result)[1] == pytest.approx(87.5)
    assert figures.purchase_cut(result)[1] == pytest.approx(80.0)


@cases("""
    energy_Wh  rated_W  cut
    645_000    250_000  100.0  # half of it is charged: more than the hour takes
    645_000    150_000  75.0   # by its power
    200_000    250_000  50.0   # by its charge
""")
def test_the_bound_of_a_peak_in_some_hours_is_an_ideal_battery(energy_Wh, rated_W, cut):
    battery = TABLE["battery"] | {"energy_Wh": energy_Wh, "rated_W": rated_W}
    billed = {"currency": "EUR", "demand_hours": [0, 1]}
    result = made(battery=battery, tariff=billed, start="2026-06-01")
    assert figures.peak_cut(result)[1] == pytest.approx(cut, abs=0.01)
    most_W = 200_000 - rated_W
    expected = 40.0 * (1 - min(250_000, energy_Wh / 4, rated_W) / 200_000)
    assert figures.import_over(result)[1] == pytest.approx(
        max(0.0, expected, most_W / 5000), abs=0.01
    )


def test_a_bound_counts_the_sun_and_the_load_of_the_run():
    """The planner's series have a sample a minute, the run has one a second."""
    result = made()
    result = result._replace(pv_W=result.pv_W + 30_000, load_W=result.load_W - 20_000)
    assert bounds.net_W(result).tolist() == [150_000.0] * 8
    result.series.pv_W[:] = 40_000
    assert bounds.net_W(result).tolist() == [140_000.0] * 8


def test_the_bound_of_the_energy_is_bought_in_the_cheapest_slots():
    """200 kW for an hour at 0.1, 0.2, 0.4 and 0.2; what a battery of 50 kW keeps costs the mean."""
    result = made(1, battery=TABLE["battery"] | {"rated_W": 50_000})
    result.series.price[:] = [0.1, 0.2, 0.4, 0.2]
    one_way = sender.store_of(result.spec).one_way
    kept_kWh = 12.5 * (3 * one_way - 1 / one_way)
    bound = 62.5 * (0.1 + 0.2 + 0.2) + 37.5 * 0.4 - kept_kWh * 0.225
    reached, best, _ = figures.energy_cost_cut(result)
    assert best == pytest.approx(100 * (1 - bound / 45), abs=0.2) and reached == pytest.approx(0)
    result.soc[-1] -= 12.5 / 645
    assert figures.energy_cost_cut(result)[0] == pytest.approx(-100 * 12.5 * 0.225 / 45)


@cases("""
    pv_W  grid_W            feed_in  cut
    0.0   [3e5, 2e5, 1e5]   0.05     75.0
    3e5   [0.0, 2e5, 1e5]   0.05     87.5
    2.5e5  [5e4, 2e5, 1e5]  0.05     81.25
    0.0   [3e5, 2e5, -1e5]  0.05     -100.0
""")
def test_a_shifted_kWh_costs_the_feed_in_where_it_comes_from_the_sun(pv_W, grid_W, feed_in, cut):
    """100 kW are charged in the first slot at 0.1, and given in the third one at 0.4."""
    result = made(1, tariff={"currency": "EUR", "feed_in_per_kWh": feed_in})
    result.series.price[:] = [0.1, 0.2, 0.4, 0.2]
    result.series.pv_W[0] = pv_W
    result.battery_W[:3] = [-1e5, 0.0, 1e5]
    result.grid_W[:3] = grid_W
    reached, bound, _ = figures.shifted_price_cut(result)
    assert reached == pytest.approx(cut)
    assert bound == pytest.approx(87.5 if pv_W > 2e5 else 75.0) and reached <= bound
    result.soc[-1] -= 25_000 / result.spec.size.energy_Wh  # as much as was charged
    assert figures.shifted_price_cut(result)[0] == pytest.approx(2 * cut - 100)


def test_a_calm_grid_and_a_low_peak_are_figures():
    result = made()
    result.seconds_W[0] = np.where(np.arange(7200) // 60 % 2, 400_000, 100_000)
    assert swing_figures.swing_5min(result) == (75.0, None, None)
    reached, _, without_kW = swing_figures.calmer(60)(result)
    assert reached == 100.0 and without_kW == pytest.approx(300.0)
    result.grid_W[:] = 1e5
    assert figures.peak_cut(result)[0] == 50.0
    assert figures.purchase_cut(result)[0] == 50.0


@cases("""
    low_kW  grid_kW  all  tracked
    100  0  119  119
    100  29  119  119
    100  31  119  0
    190  0  0  0
""")
def test_a_swing_counts_if_the_grid_does_not_follow_it(low_kW, grid_kW, all, tracked):
    result, is_high = made(), np.arange(7200) // 60 % 2
    result.seconds_W[0] = np.where(is_high, 200_000, low_kW * 1000)
    result.seconds_W[1] = 1000 * grid_kW * is_high
    found, _, without = swing_figures.swings(result)
    assert without == pytest.approx(all * 90, abs=180)
    assert found == pytest.approx(tracked * 90, abs=180)


@pytest.mark.whole
def test_the_command_prints_and_writes_its_figures(tmp_path, capsys):
    json_file, page = tmp_path / "m.json", tmp_path / "m.html"
    files = "--json", str(json_file), "--html", str(page)
    code = hil.main([*"run munich --days 1 --kernel-minutes 1".split(), *files])
    out = capsys.readouterr().out
    (document,) = json.loads(json_file.read_text())
    found = {each["name"]: each for each in document["figures"]}
    assert document["violations"] == [] and "no violation" in out
    assert found["calmer_60s"]["is_met"] and found["peak_kW"]["reached"] > 500
    assert code == (1 if any(each["is_met"] is False for each in found.values()) else 0)
    text = page.read_text()
    assert "<svg" in text and not re.search(r"(src|href)=.?https?:", text)


def test_the_page_names_each_promise_that_is_not_kept_and_the_worst_moments():
    asked = [
        {"name": "peak_kW", "text": text, "asked": asked, "status": "projected"}
        for text, asked in (("low peak", 100), ("high peak", 300))
    ]
    energy_J = dict.fromkeys([*site_page.CAME_IN, *site_page.WENT_OUT], 3.6e9)
    result = made(24, figure=asked)._replace(account=energy_J)
    result.seconds_W[1, 3661] = 300_000
    document = command.document("munich", "", result)
    text = re.sub(
        ' data-h="[^"]*"', "", page.html([(document, page.section(result, document))] * 2)
    )
    assert f"<p>{NO}1 of 2 promises are kept. Not kept: high peak.</span></p>" in text
    assert f"<td>{NO}1</span></td><td>{OK}none</span></td><td>{OK}+0 EUR</span></td>" in text
    assert "<td class=short>300 kW</td><td>Mon 01 June 01:01:01</td>" in text


@pytest.mark.parametrize("seed", (1, 2, 3))
def test_the_hours_of_an_outage_are_those_with_the_kernel(seed):
    result = made(48, days=2, outage_s=3600, seed=seed)
    at_s = system_series.outage_at_s(result.spec)
    assert 86_400 <= at_s <= 2 * 86_400 - 7200
    assert event_figures.carried_h(result)[0] is event_figures.critical_kWh(result)[0] is None
    plain = {"at_s": 9, "for_s": 600, "is_outage": False, "critical_kWh": 7.0}
    played = {
        "at_s": at_s,
        "for_s": 3600,
        "is_outage": True,
        "critical_kWh": 5.0,
        "charge_h": 2.5,
        "fuel_h": None,
        "lost_kWh": 30.0,
        "wanted_kWh": 120.0,
    }
    result = result._replace(minutes=(plain, played | {"carried_s": 3000.0}))
    assert event_figures.carried_h(result) == (pytest.approx(50 / 60), 1.0, 0.0)
    assert event_figures.critical_kWh(result)[0] == 5.0
    lasts_h = [event_figures.FIGURES[name](result)[0] for name in ("charge_h", "fuel_h")]
    assert lasts_h == [2.5, None]
    assert event_figures.unserved_pct(result)[0] == 25.0


def test_an_outage_may_have_its_hour():
    found = spec.load("north_america", "heat_wave")
    assert system_series.outages_of(found) == [[38 * 3600, 14_400]]


def test_the_losses_of_the_ups_are_a_part_of_the_load():
    site = TABLE["site"] | {"load_ups": {"rated_W": 100_000, "efficiency_permille": 800}}
    found = system_series.series_of(spec.of_table(TABLE | {"site": site}, "test"), {})
    assert (found.load_W - found.it_W).tolist() == [25_000.0] * 96


def test_events_are_judged_by_their_cap_and_their_rebound():
    event = {"day": 1, "hour": 3.0, "hours": 1.0, "cap_W": 150_000.0, "announced_h": 1.0}
    result = made(24)
    result = result._replace(spec=result.spec._replace(events=[event]))
    result.grid_W[12:16] = [150_000, 140_000, 152_000, 150_000]
    result.grid_W[16:24] = 230_000
    assert event_figures.event_over_kW(result) == (2.0, 0.0, 50.0)
    assert event_figures.event_over_kWh(result) == (0.5, None, 50.0)
    assert event_figures.rebound_kW(result)[0] == 30.0
    assert event_figures.event_over_kW(made(24)) == (None, None, None)
    assert event_figures.event_over_kWh(made(24)) == (0.0, None, 0.0)


OPERATOR = {"role": "grid_contact", "contact_1_import_permille": 600}
OPERATOR["contact_2_import_permille"] = 300


def closed(**closings):
    """A day beside 500 kW with contacts of 300 kW, 150 kW and no limit, which close so."""
    result = made(24)
    given = result.spec._replace(site=result.spec.site | {"grid_contact": closings})
    size = given.size._replace(devices={"operator": OPERATOR})
    return result._replace(spec=given._replace(size=size))


@cases("""
    closings  second  import_W  over_s
    {"contact_1": [[60, 60]]}  65  300_700  1 | {"contact_1": [[60, 60]]}  65  300_500  0
    {"contact_1": [[60, 60]]}  64  400_000  0 | {"contact_1": [[60, 60]]}  120  400_000  0
    {"contact_1": [[60, 60]], "contact_2": [[90, 9]]}  97  200_000  1
    {"contact_1": [[60, 60]], "contact_2": [[90, 9]]}  99  200_000  0
    {"contact_3": [[60, 60]]}  70  490_000  0 | {}  70  490_000  None
""")
def test_the_import_above_a_closed_contact_is_counted(closings, second, import_W, over_s):
    result = closed(**closings)
    result.seconds_W[1] = 100_000
    result.seconds_W[1, second] = import_W
    assert event_figures.contact_over_s(result)[0] == over_s
    line = f"import above the contact's cap in 1 s, by {(import_W - 300_000 * 1.002) / 1000:.3g} kW"
    found = violations.of(result)
    assert len(found) == (over_s or 0) and (found in ([], [line]) or import_W == 200_000)


def test_no_contact_closes_in_another_week():
    given = closed(contact_1=[[60, 60]]).spec
    assert "grid_contact" not in given.from_day(given.start, 1, 2).site


def test_the_load_above_the_connection_counts_while_no_second_is_above_it():
    result = made(12)
    limit_W = result.spec.size.import_W
    result.seconds_W[0] = limit_W + 1e6
    assert event_figures.extra_4h_MW(result) == pytest.approx((1.0, 1.0, 0.0))
    result.seconds_W[1, ::10_000] = limit_W + 1
    assert event_figures.extra_4h_MW(result) == (0.0, pytest.approx(1.0), 0.0)


SITE = {"name": "test", "load": {"kind": "constant", "power_W": 1}}
QUEUE = {"load": {"kind": "queue", "capacity_W": 300_000, "idle_W": 50_000}}


def test_jobs_of_a_file_are_the_load_and_wrong_ones_are_refused_in_one_line(tmp_path):
    path = tmp_path / "jobs.csv"
    path.write_text("at_s,for_s,power_W\n900,900,100000\n900,900,250000\n")
    chosen = spec.of_table(TABLE | {"site": QUEUE}, "test")
    found = system_series.series_of(chosen, {"jobs": str(path)})
    assert found.load_W[:4] == pytest.approx([50e3, 150e3, 300e3, 50e3], rel=0.01)
    path.write_text("at_s,for_s,power_W\n900,900,100000\n900,900,300001\n")
    with pytest.raises(LoadError, match="line 3: power_W = 300001: allowed is at most 300000"):
        system_series.site_of(chosen, {"jobs": str(path)})
    path.write_text("at_s,for_s\n900,900\n")
    with pytest.raises(LoadError, match="jobs.csv: line 1: no column power_: needed are at_s, "):
        system_series.site_of(chosen, {"jobs": str(path)})
    with pytest.raises(LoadError, match="--jobs: test has no queue"):
        system_series.site_of(spec.of_table(TABLE, "test"), {"jobs": str(path)})


@cases("""
    start  hour
    "2026-01-05"  96
    "2026-06-01T06:00"  151 * 24 + 6
    "2024-02-28"  58 * 24
    "2024-02-29"  58 * 24
    "2024-03-01"  59 * 24
    "2024-12-31"  364 * 24
""")
def test_the_weather_of_a_file_begins_at_the_start_of_the_run(tmp_path, start, hour):
    path = tmp_path / "year.csv"
    rows = [f"{500 * (at % 24 == 12)},{at / 100 - 40:.2f}" for at in range(8760)]
    path.write_text("\n".join(["ghi_W_per_m2,air_degC", *rows]))
    chosen = spec.of_table(TABLE | {"start": start}, "test")
    weather = system_series.site_of(chosen, {"weather": str(path)}).weather
    expected = [hour / 100 - 40, (hour + 5) / 100 - 40]
    assert [weather.outside_degC(at_s) for at_s in (1800, 19_800)] == pytest.approx(expected)
    with pytest.raises(
        ConfigError, match="weather.day: is missing; allowed .*, the begin of the run in"
    ):
        description.of_table({**SITE, "weather": {"file": str(path)}}, "test")


def test_what_a_run_does_not_take_of_its_files_is_a_line_for_each(tmp_path):
    texts = {
        "prices": "t,price_USD\n" + "".join(f"2026-06-01T{hour:02}:00,30\n" for hour in range(24)),
        "jobs": "at_s,for_s,power_W\n90000,9,9\n",
        "pv": "t_s,pv_W\n0,0\n900,99000\n1800,5\n",
        "load": "time,load_kW\n2026-06-01T00:00Z,501\n2026-06-01 00:15Z,500\n",
    }
    inputs = {}
    for name, text in texts.items():
        inputs[name] = str(tmp_path / f"{name}.csv")
        (tmp_path / f"{name}.csv").write_text(text)
    site = QUEUE | {"pv": {"rated_W": 50_000}}
    lines = system_series.remarks(spec.of_table(TABLE | {"site": site}, "test"), inputs)
    found = [line.replace(str(tmp_path), "").split(": ", 1)[1] for line in lines]
    ends = "s of 86400 s, then its last power goes on; reaches"
    assert found[:3] == [
        f"ends after 900 {ends} 501000 W, the site is rated for 500000 W",
        f"ends after 1800 {ends} 99000 W, the site is rated for 50000 W",
        "1 begin after the 86400 s of the run; no job takes 1000 W: is the unit of power_W right?",
    ]
    assert found[3].startswith("price_USD: no unit in its name, taken as money per MWh")
    assert found[3].endswith("; price_USD: the tariff is in EUR")


@pytest.mark.parametrize("night, hours", [("2026-10-25", 25), ("2026-03-29", 23)])
def test_local_times_of_a_load_are_those_of_the_zone_of_the_system(tmp_path, night, hours):
    path = tmp_path / "load.csv"
    begin = datetime.fromisoformat(f"{night}T00:00").replace(tzinfo=ZoneInfo("Europe/Berlin"))
    moments = [begin.timestamp() + 900 * at for at in range(4 * hours)]
    local = [datetime.fromtimestamp(each, ZoneInfo("Europe/Berlin")) for each in moments]
    rows = [f"{time:%Y-%m-%dT%H:%M},{200 + at}" for at, time in enumerate(local)]
    path.write_text("\n".join(["time,load_kW", *rows]))
    chosen = spec.of_table(TABLE | {"start": night, "zone": "Europe/Berlin"}, "test")
    inputs = {"load": str(path), "load_column": "load_kW"}
    assert system_series.remarks(chosen._replace(days=0), inputs) == []
    load = system_series.site_of(chosen, inputs).load
    assert [load(900 * at) for at in range(20)] == [1000 * (200 + at) for at in range(20)]


def test_prices_of_a_file_are_those_of_the_zone_of_the_system(tmp_path):
    path = tmp_path / "prices.csv"
    rows = [f"2026-05-31T{hour:02}:30Z,{hour}.0" for hour in range(24)]
    path.write_text("\n".join(["t,EUR/MWh", *rows]))
    chosen = spec.of_table(TABLE | {"zone": "Asia/Shanghai", "start": "2026-05-31T09:00"}, "test")
    with pytest.raises(LoadError, match="no price for 2026-06-01 08:30; the file has 2026-05-31"):
        system_series.prices_of(chosen, {"prices": str(path)})
    path.write_text("\n".join(["t,EUR/MWh", *rows, "2026-06-01T00:30Z,24"]))
    found = system_series.prices_of(chosen, {"prices": str(path)})
    assert found[:7] == pytest.approx([0, 0, 0.001, 0.001, 0.001, 0.001, 0.002])


def test_a_variant_is_not_longer_than_asked_unless_it_has_an_outage():
    assert plays.chosen("shanghai", "four_cabinets", {"days": 2}).days == 2
    assert plays.chosen("shanghai", "dead_pod", {"days": 14}).days == 2
    assert plays.chosen("berlin", "storm", {"days": 1}).days == 2


def test_one_variant_may_be_chosen(monkeypatch, capsys):
    seen = []
    monkeypatch.setattr(command, "_all", lambda jobs, *given: seen.append(jobs) or [])
    for words in (["berlin", "--variant", "storm"], ["berlin", "--variant", "base"]):
        assert hil.main(["run", *words]) == 0
    assert hil.main(["run", "all", "--variant", "cold"]) == 0
    assert seen == [[("berlin", "storm")], [("berlin", "")], [("norway", "cold")]]
    known = "base, two_rate, short_store, yields, storm, storm_unannounced"
    line = refused(capsys, "run berlin --variant strom")
    assert line.endswith(f"--variant strom: allowed are {known}")


OK, NO = '<span class="armed">', '<span class="missing">'
DEARER = "The bill is 2 EUR, 0.42 % higher with the battery than without: 482 instead of 480 EUR. "
CHEAPER = "The bill is 2 EUR, 0.42 % lower with the battery than without: 478 instead of 480 EUR."
SAME = "The bill is the same with and without the battery (480 EUR)."
ALL = "The promise is kept."


@pytest.mark.parametrize(
    "charged_kWh, violated, lines",
    [
        (20, 0, [(NO, DEARER + "20 kWh were lost in battery and converters."), (OK, ALL)]),
        (-20, 0, [(OK, ALL), (OK, CHEAPER)]),
        (0, 0, [(OK, ALL), (OK, SAME)]),
        (0, 7, [(NO, f"1 limit was violated. {ALL}"), (OK, SAME)]),
    ],
)
def test_a_page_says_first_what_got_worse(charged_kWh, violated, lines):
    """A day of 200 kW at 0.1 EUR costs 480 EUR; the battery moves 20 kWh in two hours of it."""
    asked = [{"name": "peak_kW", "text": "peak", "asked": 100, "status": "projected"}]
    moved_J = {"charged": max(0, charged_kWh) * 3.6e6, "discharged": max(0, -charged_kWh) * 3.6e6}
    result = made(24, figure=asked)._replace(account=NOTHING_J | moved_J)
    result.grid_W[:8] += charged_kWh * 1000 / 2
    result.seconds_W[1, :violated] = 600_000
    document = command.document("munich", "", result)
    text = page.section(result, document)
    first, second = [f"<p>{mark}{each}</span></p>" for mark, each in lines]
    assert f"{first}\n{second}" in text
    printed = [each for each in command.lines(document) if each.startswith("  cost: ")]
    assert printed == [f"  cost: {next(each for _, each in lines if each.startswith('The bill'))}"]


def test_what_a_run_does_not_show_and_what_got_worse_is_named():
    asked = {"asked": 3, "status": "projected", "unit": "%"}
    names = (
        ("carried_h", "carried"),
        ("peak_cut", "less of the highest import"),
        ("peak_kW", "peak"),
    )
    figure = [asked | {"name": name, "text": text} for name, text in names]
    result = made(48, days=2, outage_s=3600, figure=figure)
    result.grid_W[:] = 201_000
    document = command.document("berlin", "storm", result)
    carried = document["figures"][0]
    assert carried["reached"] is None and carried["is_met"] is None
    assert carried["mode"] == "value, 100 ms, with the kernel"
    said = verdict.sentences(document)
    assert said.startswith("1 of 2 promises are kept. Not kept: less of the highest import. ")
    assert "Worse than without the system: less of the highest import: -0.5 %." in said
    assert said.endswith("Not shown by this run: carried.")


def test_the_fuel_of_a_generator_set_is_on_the_bill():
    result = made(4)
    by_set = result._replace(grid_W=result.grid_W - 100_000, genset_W=result.genset_W + 100_000)
    spec_ = result.spec
    by_set = by_set._replace(spec=spec_._replace(tariff={**spec_.tariff, "fuel_per_kWh": 0.5}))
    spared = float((result.series.price[:16] * 25).sum())
    bill, other = figures.bills(by_set)[0].energy, figures.bills(result)[0].energy
    assert bill == pytest.approx(other - spared + 400 * 0.5)
    assert figures.bills(by_set)[1:] == figures.bills(result)[1:]


def test_what_a_system_says_of_an_outage_comes_from_the_kernel():
    for name in spec.NAMES:
        for variant in spec.variants(name):
            found = spec.load(name, variant)
            asked = {each["name"] for each in found.figures}
            of_outage = {*event_figures.WITH_KERNEL, "heat_kWh"}
            assert not found.outage_s or asked <= of_outage, (name, variant)


@pytest.mark.parametrize("load_W, price", [(0.0, 0.0), (0.5, 0.0001)])
def test_no_figure_is_a_part_of_nothing(load_W, price):
    """A ratio is not known without a load, or with money and movement near nothing."""
    result = made(24)
    quarters = len(result.grid_W)
    series = system_series.Series(*np.full((4, quarters), [[load_W], [load_W], [0.0], [price]]))
    result = result._replace(series=series, load_W=series.load_W, grid_W=series.load_W + 0.1)
    result.seconds_W[:] = load_W
    result.seconds_W[1, ::2] += 1.0
    ratios = [each for each in figures.FIGURES if each not in NO_RATIO]
    assert len(ratios) > 10
    assert {name: figures.FIGURES[name](result)[0] for name in ratios} == dict.fromkeys(ratios)


NO_RATIO = (
    *"""
    extra_4h_MW import_15min import_1s seconds_over swings peak_kW cycles carried_h ramps_over
    event_over_kWh noticed_kWh yielded_h yielded_kWh
    """.split(),
    *figures.thermal.FIGURES,
)


@cases("""
    status         asked  reached  bound  is_so
    "unreachable"  40     6        14.6   True
    "unreachable"  40     24       54     False  # its bound would allow it
    "unreachable"  40     24       None   False
    "unreachable"  100    120      110    True
    "unreachable"  100    120      90     False
    "projected"    40     6        14.6   False
""")
def test_a_figure_is_unreachable_only_if_its_bound_says_so(status, asked, reached, bound, is_so):
    figure = {"status": status, "asked": asked, "reached": reached, "optimum": bound}
    way = "least" if reached < asked else "most"
    figure |= {"name": "peak_cut", "way": way, "is_met": False}
    assert verdict.is_unreachable(figure) is is_so
    assert not verdict.is_unreachable(figure | {"is_met": True})
    document = {"figures": [figure], "violations": []}
    assert (verdict.wrong(document) == []) is is_so


def test_a_kept_run_with_another_year_is_another_result():
    first, second = {"berlin": {"bill": 1.0}}, {"berlin": {"bill": 2.0}}
    labels = {command._label(("berlin", ""), years) for years in ({}, first, second)}
    assert len(labels) == 3 and "berlin" in labels
    assert command._label(("berlin", "storm"), first) == "berlin storm"
