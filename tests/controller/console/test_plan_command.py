"""`firebreak plan`: the running planner's plan, old and missing; --once; the HTML page."""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
import sample_plan
from command_line import facts_in, flat, refused, run
from sample_plan import NOW

from controller.state import plan_file
from controller.system import clock
from tests.repository import ROOT

SITE = ROOT / "controller/planner/example/planner.toml"


@pytest.fixture
def box(tmp_path, monkeypatch):
    """The run directory of a controller, with a plan beside it; the clock stands at NOW."""
    monkeypatch.setattr(clock, "utc_us", lambda: round(NOW.timestamp() * 1e6))
    (tmp_path / "run/planner").mkdir(parents=True)
    write(tmp_path / "run", sample_plan.plan())
    return tmp_path / "run"


def write(run_dir, content):
    plan_file.written(plan_file.beside(str(run_dir)), content)


def test_the_page_says_what_the_battery_does_and_what_it_saved(capsys, box):
    code, out, err = run(capsys, "plan --run-dir", box)
    text = flat(out)
    assert (code, err) == (0, []) and all(len(line) <= 79 and line.isascii() for line in out)
    assert "saves about 3.94 EUR by prices. It lowers the highest import of this time from" in text
    assert "4,194 EUR, without battery 4,680 EUR: 486 EUR saved." in text
    assert "86 % of what a plan that knows the future saves" in text
    assert "no battery 4,680 EUR +486" in text and "import at most 265.0 kW" in text
    assert "Thu 17:00 .. 20:00 discharge 30.0 279.3 0.0 249.3 0.249 196" in text


def test_json_is_the_file_with_its_age(capsys, box):
    code, out, err = run(capsys, "plan --json --run-dir", box)
    found = facts_in(out)
    assert (code, err) == (0, []) and found == sample_plan.plan() | {"age_s": 0, "is_old": False}


def test_an_old_plan_says_since_when_and_what_to_do(capsys, box):
    write(box, sample_plan.plan(NOW - timedelta(hours=2, seconds=1)))
    code, out, err = run(capsys, "plan --run-dir", box)
    assert (code, err) == (1, []) and "nothing since 26 November 11:00" in out[2]
    assert "Check that it runs: systemctl status firebreak-planner" in flat(out)


def test_a_missing_or_damaged_plan_is_one_line(capsys, box):
    refused(capsys, 3, "no plan yet: start the planner", "plan --run-dir", box / "other")
    Path(plan_file.beside(str(box))).write_text("{")
    refused(capsys, 3, "plan.json: is not JSON", "plan --run-dir", box)


def test_unknown_numbers_are_named_and_never_0(capsys, box):
    nothing = dict.fromkeys(sample_plan.plan()["month"]) | {
        "since": NOW.isoformat(), "shadows": [{"name": "as run", "cost": None}],
    }  # fmt: skip
    gone = {"made_at": None, "cap_W": None, "stored_Wh": None, "habit": None, "sent": None}
    rows = [dict.fromkeys(row) | {"at": row["at"]} for row in sample_plan.plan()["slots"]]
    write(box, sample_plan.plan(month=nothing, slots=rows, actual=[], **gone))
    code, out, err = run(capsys, "plan --run-dir", box)
    text = flat(out)
    assert (code, err) == (0, []) and "saves today is not known yet" in text
    assert (
        "import at most unknown" in text
        and "unknown of 645 kWh" in text
        and "as run unknown" in text
    )
    assert "COST" not in text and " 0.0" not in text.partition("FROM")[2]
    assert run(capsys, "plan --run-dir", box, "--html", box.parent / "x.html")[0] == 0


def test_the_html_page_is_one_file_with_words_first(capsys, box):
    path = box.parent / "plan.html"
    assert run(capsys, "plan --run-dir", box, "--html", path) == (0, [f"written {path}"], [])
    text = path.read_text()
    assert text.isascii() and "http" not in text and "src=" not in text
    assert text.index("Today the battery saves") < text.index("<svg") < text.index("no battery")
    assert text.count("<svg") == 2 and "486 EUR saved" in text
    assert "It discharges from 17:00 to 20:00 with 30.0 kW, charges from tomorrow 01:00" in text
    assert "from tomorrow 01:00 to 07:00 with 26.0 kW, discharges from tomorrow 09:00" in text


def test_a_page_without_a_place_is_refused(capsys, box):
    for path in (box.parent, box / "absent/x.html"):
        refused(capsys, 2, str(path), "plan --run-dir", box, "--html", path)


@pytest.fixture
def series(tmp_path):
    """18 days of load: 100 kW, and 60 kW more from 17:00 to 19:00 UTC."""
    rows = [
        f"{1_762_732_800 + 900 * at},{160 if 68 <= at % 96 < 76 else 100}" for at in range(96 * 18)
    ]
    (tmp_path / "series").mkdir()
    (tmp_path / "series/load.csv").write_text("unix,load_kW\n" + "\n".join(rows) + "\n")
    (tmp_path / "series/prices.csv").write_text(
        "unix,price_EUR_per_MWh\n"
        + "".join([f"{1_762_732_800 + 3600 * at},{50 + at % 24}\n" for at in range(24 * 19)])
    )
    (tmp_path / "series/pv.csv").write_text(
        "unix,pv_kW\n" + "".join([f"{1_762_732_800 + 3600 * at},0\n" for at in range(24 * 18)])
    )
    return tmp_path / "series"


def once(capsys, *more):
    return run(capsys, "plan --once --site", SITE, *more)


def test_a_plan_needs_no_process(capsys, series):
    at = "--at", "2025-11-27T01:00Z"
    code, out, err = once(capsys, "--series", series, *at, "--json")
    found = facts_in(out)
    plan = {name: each for name, each in found.items() if name not in ("age_s", "is_old")}
    assert (code, err) == (0, []) and plan_file.checked("made", plan) == plan
    assert 90e3 < found["cap_W"] < 140e3 and found["stored_Wh"] == 322_500
    evening = [each for each in found["slots"] if each["at"].startswith("2025-11-27T18")]
    assert evening[0]["load_W"] == 160e3 and evening[0]["battery_W"] > 50e3
    assert evening[0]["price_per_kWh"] == pytest.approx(0.067 + 0.12)
    assert found["actual"][-1]["price_per_kWh"] == pytest.approx(0.050 + 0.12)
    assert evening[0]["stored_Wh"] > evening[1]["stored_Wh"] + 10e3
    code, out, err = once(capsys, "--series", series, *at)
    assert (code, err) == (0, []) and "highest import of this month is unknown" in flat(out)
    least = f"{found['cap_W'] / 1000:.1f}"
    assert f"lowers the highest import of this time from 160.0 to {least} kW" in flat(out)


@pytest.mark.parametrize(
    "more, words",
    [
        (["--series", "absent"], "absent: has no series; allowed are load.csv, pv.csv, jobs.csv"),
        (["--at", "noon"], "--at: 'noon': allowed is a time"),
        (["--charge", "101"], "from 0 to 100"),
    ],
)
def test_wrong_input_of_once_is_one_line(capsys, more, words):
    refused(capsys, 2, words, "plan --once --site", SITE, *more)


def test_a_wrong_series_is_refused_with_its_line(capsys, series):
    (series / "pv.csv").write_text("unix,pv_kW\n1762732800,none\n1762736400,9999999\n")
    refused(capsys, 2, "pv.csv.*line 3", "plan --once --site", SITE, "--series", series)


def test_once_without_a_load_names_what_lacks(capsys, series):
    (series / "load.csv").unlink()
    refused(
        capsys, 3, "no plan: .*load: never known", "plan --once --site", SITE, "--series", series
    )


def test_at_another_moment_no_file_is_too_old(capsys, series):
    (series / "prices.csv").unlink()
    rows = [each.split(",") for each in (series / "load.csv").read_text().split()[1:]]
    moved = [f"{int(time) + 364 * 86_400},{load}" for time, load in rows]
    (series / "load.csv").write_text("unix,load_kW\n" + "\n".join(moved) + "\n")
    (series / "pv.csv").write_text((series / "load.csv").read_text().replace("load", "pv"))
    code, out, err = once(capsys, "--series", series, "--at", "2026-11-26T10:00", "--json")
    (first, *_) = facts_in(out)["slots"]
    assert (code, err) == (0, []) and first["price_per_kWh"] == pytest.approx(0.12 + 0.08, abs=0.03)


def test_options_of_once_alone_are_refused_without_it(capsys, tmp_path):
    refused(capsys, 2, "--series: allowed only with --once", "plan --series", tmp_path)
    refused(capsys, 2, "give both or neither", "plan --once")
    refused(capsys, 2, "give both or neither", "plan --site", SITE)
    shutil.copy(SITE, tmp_path / "planner.toml")
    (tmp_path / "planner.toml").write_text("[site]\n")
    refused(capsys, 2, "planner.toml", "plan --once --site", tmp_path / "planner.toml")
