"""`python -m hil plan --weeks` on a folder of files: gaps, half hours, a night with 25 hours."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from in_process import refused

from controller.forms.refusal import ConfigError
from controller.planner import backtest
from hil.systems import back_tests, pasts, plan_command
from tests.repository import ROOT
from tests.tables import cases

ZONE = ZoneInfo("Europe/Berlin")
SITE = """
[site]
zone = "Europe/Berlin"
import_W_max = 500000
export_W_max = 0
[battery]
energy_Wh = 400000
power_W = 100000
[tariff]
currency = "EUR"
demand_per_kW_month = [10.0]
[feed.load]
kind = "load"
format = "csv"
path = "load.csv"
[feed.prices]
kind = "prices"
format = "csv"
path = "prices.csv"
"""
FIRST, DAYS, STEP_MIN = datetime(2025, 10, 11, tzinfo=ZONE), 21, 30  # the clock: 26 October
GAP = datetime(2025, 10, 28, 2, tzinfo=ZONE), datetime(2025, 10, 28, 5, tzinfo=ZONE)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "planner.toml").write_text(SITE)
    end, time = (FIRST + timedelta(days=DAYS)).astimezone(UTC), FIRST.astimezone(UTC)
    load, prices = ["time,load_kW"], ["time,price_EUR_per_MWh"]
    while time < end:
        local = time.astimezone(ZONE)
        if not GAP[0] <= local < GAP[1]:
            load.append(f"{time:%Y-%m-%dT%H:%MZ},{200 if 12 <= local.hour < 14 else 100}")
        prices.append(f"{time:%Y-%m-%dT%H:%MZ},{50 if local.hour < 6 else 100}")
        time += timedelta(minutes=STEP_MIN)
    (tmp_path / "load.csv").write_text("\n".join([*load, ""]))
    (tmp_path / "prices.csv").write_text("\n".join([*prices, ""]))
    return tmp_path


@pytest.mark.whole
def test_a_folder_is_planned_again_with_its_gap_and_its_long_night(folder):
    (case,) = pasts.of_folder(str(folder / "planner.toml"), str(folder), 31)
    assert pasts.begin_of(case.past) == datetime(2025, 10, 25, tzinfo=ZONE)
    assert len(case.past.load_W) == (DAYS * 24 + 1) * 4
    assert case.doubts == ("load: 12 of 2020 quarters unknown",)
    found = back_tests.judged(case)
    assert 0 < found["saved"] <= found["best"] and found["above_connection_kWh"] == 0
    # each day is alike, so the plan knows all but what the clock shifts
    assert found["saved"] > 0.9 * found["best"] and found["cut_W"] > 0.9 * found["best_cut_W"]


@cases("""
    arguments  words
    ["--site", "{}/planner.toml"]  "allowed are both"
    ["--site", "{}/planner.toml", "--series", "{}/none"]  "no such file"
    ["atlantis"]  "allowed are all, munich"
    ["berlin", "--months", "13"]  "allowed are numbers from 1 to 12"
    ["berlin", "--data", "{}"]  "--data: {}/jobs/helios_gpus_1min.csv.gz: "
""")
def test_wrong_input_is_one_line(folder, arguments, words, capsys):
    given = [each.format(folder) for each in arguments]
    line = refused(capsys, "plan --weeks 4 --processes 1", *given)
    assert words.format(folder) in line


def test_a_folder_without_history_is_refused(folder):
    load = (folder / "load.csv").read_text().splitlines()[:400]
    (folder / "load.csv").write_text("\n".join([*load, ""]))
    with pytest.raises(ConfigError, match="needed are 21 days"):
        pasts.of_folder(str(folder / "planner.toml"), str(folder), 31)


ROW = {
    "name": "berlin", "label": "2017-01", "currency": "EUR", "bill": 1000.0, "saved": 85.0,
    "rules": 50.0, "best": 100.0, "cut_W": 40e3, "best_cut_W": 50e3, "cycles": 20.0,
    "highest_W": 300e3, "above_connection_kWh": 0.0, "p50_ms": 1.0, "p99_ms": 2.0, "doubts": [],
    "yields_W": 0.0, "one_charge": None,
}  # fmt: skip
YIELDS = {
    "yields_W": 30e3, "yielded_kWh": 200.0, "yielded_h": 9.0, "yields_h": 20.0, "alone": 80.0,
    "alone_cut_W": 38e3,
}  # fmt: skip


def test_what_a_load_that_yields_does_not_get_is_a_line_of_its_own():
    text = plan_command.lines([ROW | YIELDS, ROW | YIELDS | {"yielded_h": 21.5}])
    assert text[4] == (
        "  the load yields up to 30 kW: 400 kWh later, at most 21.5 h a month (agreed 20); without "
        "that share 80 %, cut 76 %"
    )
    assert "yields" not in "".join(plan_command.lines([ROW]))


def test_a_month_that_is_worse_than_no_battery_is_named():
    worse = ROW | {"label": "2017-04", "saved": -3.0}
    assert not plan_command.is_good(ROW | {"cut_W": -2.0})
    assert plan_command.is_good(ROW | {"cut_W": -2.0, "one_charge": 30.0})
    text = plan_command.lines([ROW, worse])
    assert not plan_command.is_good(worse) and plan_command.is_good(ROW)
    assert "85" in text[1] and text[2].endswith("WORSE than no battery")
    assert text[3].split()[:8] == "berlin 2000 82 100 200 41 85 80".split()


def shortened(case, days):
    """The case with so many days of its month."""
    names, end = ("load_W", "pv_W", "price_per_kWh"), case.past.before + 96 * days
    series = {name: getattr(case.past, name)[:end] for name in names}
    return case._replace(past=case.past._replace(**series))


def test_alone_the_box_bills_no_higher_peak_with_a_fallback_that_the_load_reaches():
    case = shortened(pasts.built_in("berlin", "", 5, 7, 1), 3)
    past = case.past
    peak_W = max(backtest.without(past).grid_W)

    def highest_W(**fallback):
        low_J = 0.15 * case.site.full_J
        done = backtest.followed(case.site, past, low_J, lambda known: [], **fallback)
        return max(done.grid_W)

    for part in (0.5, 0.9, 1.0):
        assert highest_W(alone_W=part * peak_W) <= peak_W + 1
    assert highest_W() > 1.05 * peak_W, "without one it charges at the rated power"


def test_a_planner_that_knows_one_charge_only_is_a_line_of_its_own():
    text = plan_command.lines([ROW | {"one_charge": 30.0}, ROW | {"one_charge": 50.0}])
    assert text[4] == "  knowing the best one of the charges only: 40 %"


def test_a_month_is_planned_with_the_tariff_of_a_file(tmp_path):
    path = ROOT / "controller" / "planner" / "example" / "day_and_night.toml"
    case = pasts.built_in("berlin", "", 7, 7, 1).billed(pasts.tariff_of(str(path)))
    found = back_tests.judged(shortened(case, 2))
    assert found["one_charge"] < found["saved"] <= found["best"] * 1.05 and plan_command.is_good(
        found
    )
    (tmp_path / "two.toml").write_text(path.read_text() + "[site]\n")
    with pytest.raises(ConfigError, match="site: is not a known key"):
        pasts.tariff_of(str(tmp_path / "two.toml"))
