"""A year from four weeks, other sizes, and what the page answers of both."""

import json

import numpy as np
import pytest
from test_systems import NOTHING_J, QUEUE, TABLE, made

from hil import __main__ as hil
from hil.systems import answers, command, page, plays, resized, sized, spec, year

MONEY = ("energy", "demand", "tags")


def of_week(season, **changes):
    """A week whose battery saves 10 of 100 for energy and 5 of 20 for demand."""
    bills = {
        "with": (90, 15, 0),
        "without": (100, 20, 0),
        "bare": (110, 20, 0),
        "best": (80, 10, 0),
    }
    found = {name: dict(zip(MONEY, parts)) | {"peak_W": 3e5} for name, parts in bills.items()}
    rest = {"kept": 0.0, "wear": 1.0, "given_kWh": 100.0, "lost_kWh": 9.0, "auxiliaries_kWh": 8.0}
    return {"season": season, "days": 7, **found, **rest, "swings": 1000.0} | changes


def test_a_year_is_four_weeks_and_the_tags_of_its_summer_are_paid_all_year():
    weeks = [of_week(each) for each in year.SEASONS]
    weeks[2]["without"]["tags"], weeks[2]["with"]["tags"] = 8.0, 6.0
    found = year.document(spec.load("north_america"), weeks)
    weight = 365.25 / 28
    assert found["year"]["saved"] == pytest.approx(weight * (4 * 15 + 4 * 2))
    assert found["year"]["best"] == pytest.approx(weight * (4 * 30 + 4 * 8))
    assert found["net"] == pytest.approx(weight * (4 * 15 + 4 * 2 - 4))
    assert found["worth_per_kWh"] == pytest.approx(found["net"] * 10 / 40_000)
    printed = "\n".join(year.lines(found))
    assert (
        "THE BATTERY DOES NOT PAY BY ITS BILL: it saves 835 USD a year, wear included; 10"
        in printed
    )
    assert "10 years bring 0 USD per kWh of it, and it costs about 250 (assumed, without" in printed
    assert "hidden: prices: the hours of one month in all seasons" in printed
    assert "hidden: tags: set in the summer week" in printed and not year.pays({"": found})
    for each in weeks:
        each["without"]["energy"] = 20_000.0
    found = year.document(spec.load("north_america"), weeks)
    assert year.pays({"": found}) and year.verdict(found)[1].startswith(
        "THE BATTERY PAYS: it saves 1,0"
    )


def test_energy_that_the_battery_spent_is_no_saving():
    weeks = [of_week(each, kept=-4.0) for each in year.SEASONS]
    found = year.document(spec.load("berlin"), weeks)["year"]
    assert found["saved"] == pytest.approx(365.25 / 28 * 4 * 11)
    assert found["best"] == pytest.approx(365.25 / 28 * 4 * 26)


def test_a_battery_that_only_smooths_says_what_it_costs():
    weeks = [of_week(each) for each in year.SEASONS]
    for each in weeks:
        each["with"]["energy"], each["with"]["demand"] = 130, 22
    found = year.document(spec.load("munich"), weeks)
    printed = "\n".join(year.lines(found))
    assert "THE BATTERY DOES NOT PAY BY ITS BILL: it costs 1,722 EUR a year" in printed
    assert (
        "Smoothing costs 1,722 EUR a year, 3.3 cents for each of 52,179 tracked swings" in printed
    )
    assert (
        "1,565 for 470 kWh of losses (45,364 at any power, even 0 W) and 417 kWh of aux" in printed
    )
    assert "liaries, 104 for the peak, 52 for wear." in printed
    assert "air: as warm in winter as in summer" in printed and not year.pays({"": found})


def test_without_the_solver_a_year_has_no_optimum_and_says_so():
    found = year.document(spec.load("berlin"), [of_week(each, best=None) for each in year.SEASONS])
    printed = "\n".join(year.lines(found))
    assert found["year"]["best"] is None and year.optimum.MISSING in printed


def test_the_first_hour_of_a_week_sets_no_peak():
    result = made(24)._replace(account=NOTHING_J)
    result.grid_W[:4], result.grid_W[4] = 4e5, 3e5
    found = year.week("winter", result)
    assert found["with"]["peak_W"] == 3e5 and found["days"] == pytest.approx(23 / 24)


def test_each_week_has_its_own_draws_and_no_event():
    found = year.weeks(spec.load("north_america", "outage")._replace(days=10))
    assert [each.start.month for each in found.values()] == [1, 4, 7, 10]
    assert len({each.seed for each in found.values()}) == 4
    assert all(each.days == 7 and each.outages == [] == each.events for each in found.values())


def test_other_sizes_reach_the_battery_the_site_and_the_device():
    inputs = {"battery_kWh": 1600.0, "battery_kW": 375.0, "pv_kW": 800.0}
    found = plays.chosen("berlin", "", inputs)
    assert (found.size.rated_W, found.size.energy_Wh) == (125_000, 1_600_000)
    assert found.site["pv"]["rated_W"] == found.size.devices["pv"]["rated_W"] == 800_000
    assert found.name.endswith("(here 375 kW / 1,600 kWh and 800 kW of PV)")
    assert resized.scaled(spec.load("berlin"), 0.5).size == found.size._replace(
        devices=spec.load("berlin").size.devices
    )
    assert plays.chosen("berlin", "", {}) == spec.load("berlin")


@pytest.mark.parametrize("name", spec.NAMES)
def test_the_ends_of_the_sizes_are_configurations(name, tmp_path):
    chosen = spec.load(name)
    racks = chosen.size.units * chosen.size.racks_per_unit
    for kWh, kW in ((2, 2), (2, 870), (48, 2), (3800, 870)):
        found = resized.of(chosen, {"battery_kWh": kWh * racks, "battery_kW": kW * racks})
        assert sized.load(found.size, tmp_path, 100).topology


@pytest.mark.whole
def test_a_sweep_is_a_year_at_each_size_and_is_drawn(monkeypatch, tmp_path, capsys):
    """Each run is faked: nothing flows, so no battery pays."""
    still = made(24)._replace(account=NOTHING_J)
    still.soc[:] = 0.55  # as at the start
    monkeypatch.setattr(year.run, "run", lambda chosen, _: still._replace(spec=chosen))
    files = [str(tmp_path / name) for name in ("b.json", "b.html")]
    options = ["--sweep", "--days", "1", "--kernel-minutes", "0", "--json", files[0]]
    assert hil.main(["run", "munich", *options, "--html", files[1]]) == 1
    found = json.loads((tmp_path / "b.json").read_text())[0]["year"]
    assert [each["factor"] for each in found["sweep"]] == [0.25, 0.5, 1.0, 1.5, 2.0]
    assert [each["energy_kWh"] for each in found["sweep"]] == [483.75, 967.5, 1935, 2902.5, 3870]
    out, text = capsys.readouterr().out, (tmp_path / "b.html").read_text()
    assert "  0.5 x, 375 kW / 968 kWh" in out and "  1 x, 750 kW / 1,935 kWh" in out
    assert "THE BATTERY DOES NOT PAY BY ITS BILL: it costs 0 EUR a year" in text
    assert "Half the battery (375 kW / 968 kWh) costs 0 EUR a year" in text
    assert text.count("<td>1,500 kW / 3,870 kWh</td>") == 1


def test_the_page_says_what_a_year_half_the_battery_and_an_outage_bring():
    site = QUEUE | {"pv": {"rated_W": 50_000}}
    battery = TABLE["battery"] | {"can_form": True}
    played = {"is_outage": True, "at_s": 90_000, "for_s": 600, "soc": 0.5, "load_W": 2e5,
              "carried_s": 580.0, "stages": [(0.1, 4), (16.0, 0)], "engine_s": 16.2,
              "critical_kWh": 1.0, "faults": ["row 41d tripped"]}  # fmt: skip
    result = made(24, site=site, battery=battery, critical_W=100_000.0)
    document = command.document("munich", "", result._replace(account=NOTHING_J))
    weeks = [of_week(each) for each in year.SEASONS]
    made_year = year.document(result.spec, weeks)
    half = year.document(resized.scaled(result.spec, 0.5), weeks)
    swept = [{"factor": 0.5} | half, {"factor": 1.0} | made_year]
    document["year"] = made_year | {"sweep": swept}
    result = result._replace(account=NOTHING_J, minutes=(played,))
    text = page.section(result, document)
    assert "600 s without the grid, without a warning, at a charge of 50%" in text
    announced = result._replace(spec=result.spec._replace(warned_ahead_h=12.0))
    assert "the grid, with 12 h of warning, at" in page.section(announced, document)
    assert "Winter" in text and "300 kW instead of 300" in text
    assert "Half the battery (125 kW / 322 kWh) saves 731 EUR a year; this one saves 731" in text
    assert "4 stages of the load were shed; the set carried after 16 s; row 41d tripped." in text
    head, rows = answers.hours(result)
    assert head[2:] == ("the mean load, 200 kW", "the highest load, 200 kW",
                        "the critical load, the rest shed, 100 kW")  # fmt: skip
    usable_kWh = 0.37 * 645 * 0.9**0.5  # 40 % less 3 %; a round trip of about 0.9
    assert rows[1][0] == "40 % charged"
    assert float(rows[1][2][:-2]) == pytest.approx(usable_kWh / 200, abs=0.06)
    assert float(rows[1][4][:-2]) == pytest.approx(usable_kWh / 100, abs=0.06)


def test_a_load_above_the_converters_is_not_carried():
    battery = TABLE["battery"] | {"can_form": True, "rated_W": 150_000}
    rows = answers.hours(made(4, battery=battery))[1]
    assert {each[2] for each in rows} == {"not carried"}
    assert answers.hours(made(4)) == ((), [])


def test_the_energies_of_the_page_are_in_balance():
    """5 MWh came in; 1 MWh charged, 0.6 discharged, and the charge rose by a tenth of 645 kWh."""
    energy_J = {"imported": 18e9, "load": 15.84e9, "auxiliaries": 0.72e9}
    energy_J |= {"charged": 3.6e9, "discharged": 2.16e9}
    result = made(24)._replace(account=NOTHING_J | energy_J)
    result.series.pv_W[:] = 1e4
    result.soc[-1] = 0.6
    found = page.balance(result)
    assert found["lost"] == pytest.approx(0.4 - 0.0645) and found["unused"] == pytest.approx(0.24)
    sums = [sum([found[name] for name in side]) for side in (page.CAME_IN, page.WENT_OUT)]
    assert sums[0] == pytest.approx(sums[1]) == pytest.approx(5.24)
    assert np.isclose(found["gained"], 0.0645) and found["spent"] == 0
