"""`firebreak ask` against a running rig: text, JSON, exit codes, one line for bad input."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from command_line import facts_in, run
from plan_cases import NOW_S, plan
from watched import EACH_20_MS, Watched, silent

from controller.console.moment import moment
from controller.series import times
from controller.series.refusal import SeriesError
from controller.state import situation, watch
from controller.system import clock
from tests.tables import cases


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """300 kW, and 50 kW more for three seconds; the meters fall silent at 25 s."""
    load = lambda t_s: 350_000.0 if 9 < t_s < 12 else 300_000.0  # noqa: E731
    folder = tmp_path_factory.mktemp("ask")
    return Watched(folder, load, [silent(25, "meter_grid")], settings=EACH_20_MS).run(20)


@pytest.fixture
def live(watched, monkeypatch):
    monkeypatch.setattr(watch, "wait", watched.rig.step)
    return watched


def ask(capsys, watched, words, *more):
    return run(capsys, f"ask {words} --run-dir", watched.folder, *more)


def test_the_situation_is_that_of_the_rig(live):
    found = situation.of_journal(f"{live.folder}/journal", watch.wait)
    core = live.core
    assert (found.unknown, found.unknown_battery) == ((), ())
    assert 299_900 <= min(found.connection.seen_W) <= max(found.connection.seen_W) <= 352_000
    assert max(found.connection.seen_W) > 340_000, "a keyframe of the step"
    assert found.connection[1:4] == (500_000, 301, 0)
    of_planner, held = found.hints
    assert (of_planner.source, of_planner.fallback_W) == ("planner", 475_000)
    assert (held.source, held.quantity) == ("site_ems", "import_W_max")
    assert (held.valid_s, held.fallback_W) == (0, 450_000)
    limits = core.chain.limits
    assert 200_000 < limits.high_W < 250_000, "the limits still rise after the start"
    assert found.battery[:4] == (-limits.low_W, limits.high_W, 213, 250_000)
    remaining_Wh = core.out[core.out_at["hint_table"] + 5]
    assert found.battery.remaining_Wh == remaining_Wh > 250_000
    assert (found.tracking.energy_Wh, found.battery.reserve_permille) == (645_000, 150)
    assert found.battery.full_Wh == core.known.full_Wh > 630_000
    assert found.battery.taper_ddegC == (450, 550) and 200 < found.battery.hottest_ddegC < 300
    assert found.tracking.reference == tuple(core.functions["track"].reference.words)


def test_off_the_grid_no_answer_is_known(live, monkeypatch):
    core = live.core
    monkeypatch.setattr(core.found, "is_off_grid", True)
    found = situation.of_control(core.control, core.settings, core.facts, ())
    assert found.unknown == ("when the grid comes back: the site is off the grid",)


@cases("""never  words
    []                "check grid meter and load meter"
    ["GRID"]          "no answer yet since the start by grid meter, ask again in 10 s"
    ["GRID", "LOAD"]  "no answer yet since the start by grid meter and load meter, "
""")
def test_a_meter_without_an_answer_since_the_start_is_not_called_wrong(
    live, monkeypatch, never, words
):
    core = live.core
    seen = core.kernel.features.ages.seen
    monkeypatch.setattr(core.kernel.features.ages, "seen", bytearray(seen))
    monkeypatch.setattr(core.found, "connection_W", None)
    for meter in never:
        core.kernel.features.ages.seen[getattr(situation.s, f"G_METER_{meter}")] = 0
    (found,) = situation.of_control(core.control, core.settings, core.facts, ()).unknown
    assert found.startswith(f"the power of the connection: {words}")


@cases("""words  code  line
    "--power 100kW --for 20min"  0  "YES: a job of 100.0 kW, now, for 20 min."
    "--power 1MW --at +10min --for 5min"  1  "NO: a job of 1000.0 kW, in 10 min, for 5 min."
""")
def test_the_answer_has_an_exit_code_and_every_line_fits(capsys, live, words, code, line):
    found, out, err = ask(capsys, live, words)
    assert (found, out[0], err) == (code, line, [])
    assert max(map(len, out)) <= 79 and len(out) <= 23
    labels = [each.split()[0] for each in out[1:] if not each.startswith(" ")]
    first = "left" if code == 0 else "missing"
    assert labels == [first, "limits", "connection", "battery", "assumed"]
    found, out, err = ask(capsys, live, words, "--json")
    told = facts_in(out)
    assert (found, told["answer"]) == (code, ("yes", "no")[code]) and told["assumptions"]


def test_beside_a_planner_the_answer_names_its_earliest_start(capsys, live, monkeypatch):
    (folder := Path(live.folder, "planner")).mkdir()
    (folder / "plan.json").write_text(json.dumps(plan()))
    monkeypatch.setattr(clock, "utc_us", lambda: int(NOW_S * 1e6))
    _, out, _ = ask(capsys, live, "--power 30kW --for 10min")
    assert "plan        it fits under the plan's cap as asked; it costs 0.45 EUR as asked." in out
    assert max(map(len, out)) <= 79
    _, out, _ = ask(capsys, live, "--power 30kW --for 10min", "--json")
    assert facts_in(out)["plan"]["earliest"]["at_s"] == 0


def test_without_a_controller_the_answer_is_not_known(capsys, tmp_path):
    found, out, err = run(capsys, "ask --power 1kW --for 1h --run-dir", tmp_path)
    assert (found, err) == (3, []) and out[0] == "NOT KNOWN: a job of 1.0 kW, now, for 60 min."
    assert "no controller found" in out[1]


def test_a_controller_that_has_stopped_or_a_silent_meter_is_not_known(capsys, live, monkeypatch):
    monkeypatch.setattr(watch, "wait", lambda: None)
    found, out, _ = ask(capsys, live, "--power 1kW --for 1h", "--json")
    told = facts_in(out)
    assert (found, told["unknown"]) == (3, ["the controller has stopped ticking"])
    monkeypatch.setattr(watch, "wait", live.rig.step)
    live.run(29)
    found, out, _ = ask(capsys, live, "--power 1kW --for 1h")
    assert found == 3 and "grid meter" in " ".join(out)


BERLIN = "Europe/Berlin"
FORWARD, BACK = "2027-03-28T", "2026-10-25T"  # 02:00 is 03:00, and 03:00 is 02:00


@cases("""zone  now  at  utc
    BERLIN  "2026-12-01T09:00Z"  "14:05"  "2026-12-01T13:05Z"
    BERLIN  "2026-12-01T13:05Z"  "14:05"  "2026-12-01T13:05Z"
    BERLIN  "2026-12-01T13:06Z"  "14:05"  "2026-12-02T13:05Z"
    BERLIN  "2026-12-01T23:30Z"  "14:05"  "2026-12-02T13:05Z"  # the next local day
    BERLIN  "2026-12-01T22:30Z"  "00:15:30"  "2026-12-01T23:15:30Z"
    BERLIN  "2026-12-01T09:00Z"  "2026-12-01T14:05"  "2026-12-01T13:05Z"
    BERLIN  "2026-12-01T09:00Z"  "2026-12-01T14:05Z"  "2026-12-01T14:05Z"
    BERLIN  "2026-12-01T09:00Z"  "2026-12-01T14:05-05:00"  "2026-12-01T19:05Z"
    "UTC"  "2026-12-01T09:00Z"  "14:05"  "2026-12-01T14:05Z"
    BERLIN  FORWARD + "00:30Z"  "03:10"  FORWARD + "01:10Z"
    BERLIN  FORWARD + "00:30Z"  "01:45"  FORWARD + "00:45Z"
    BERLIN  FORWARD + "00:30Z"  "02:30"  "2027-03-29T00:30Z"  # tonight it does not exist
    BERLIN  "2027-03-27T12:00Z"  "02:30"  "2027-03-29T00:30Z"
    BERLIN  FORWARD + "01:10Z"  "02:30"  "2027-03-29T00:30Z"  # tonight it is over
    BERLIN  BACK + "00:10Z"  "02:30"  BACK + "00:30Z"
    BERLIN  BACK + "00:40Z"  "02:30"  BACK + "01:30Z"
    BERLIN  BACK + "01:40Z"  "02:30"  "2026-10-26T01:30Z"
    BERLIN  "2026-10-24T20:00Z"  BACK + "02:30"  BACK + "00:30Z"
    "America/St_Johns"  "2026-11-01T03:40Z"  "01:15"  "2026-11-01T03:45Z"
    "Australia/Lord_Howe"  "2027-04-03T14:00Z"  "01:45"  "2027-04-03T14:45Z"
""")
def test_a_time_of_day_is_the_next_one_of_the_site(zone, now, at, utc):
    now_s = datetime.fromisoformat(now).timestamp()
    found_s = moment(at, now_s, times.zone_of(zone))
    assert found_s == datetime.fromisoformat(utc).timestamp()


@cases("""now  at  line
    "2027-03-27T12:00Z"  FORWARD + "02:59"  "2027-03-28T02:59 does not exist"
    "2026-12-01T09:00Z"  "25:00"  "25:00"
    "2026-12-01T09:00Z"  "9:5"  "allowed is a time"
    "2026-12-01T09:00Z"  "2026-13-01T09:00"  "allowed is a time"
    "2026-12-01T09:00Z"  ":"  "allowed is a time"
""")
def test_a_time_that_is_none_is_one_line(now, at, line):
    with pytest.raises(SeriesError, match=line) as error:
        moment(at, datetime.fromisoformat(now).timestamp(), times.zone_of(BERLIN))
    assert "\n" not in str(error.value)


def test_every_minute_of_both_nights_is_the_next_that_the_clock_shows():
    """The local time is the wanted one, and no earlier moment has shown it."""
    for zone in map(times.zone_of, (BERLIN, "America/New_York", "Australia/Lord_Howe")):
        for month in (3, 4, 10, 11):
            for hour in range(0, 31 * 24, 7):
                now_s = datetime(2026, month, 1, tzinfo=UTC).timestamp() + hour * 3600
                found_s = moment("02:20", now_s, zone)
                shown = datetime.fromtimestamp(found_s, zone)
                assert (shown.hour, shown.minute) == (2, 20) and 0 <= found_s - now_s <= 176_400
                minutes = range(int(now_s), int(found_s), 600)
                assert "02:20" not in [f"{datetime.fromtimestamp(t, zone):%H:%M}" for t in minutes]


def test_the_command_takes_a_local_time_of_the_site(capsys, live, monkeypatch):
    (folder := Path(live.folder, "planner")).mkdir(exist_ok=True)
    (folder / "plan.json").write_text(json.dumps(plan()))
    monkeypatch.setattr(clock, "utc_us", lambda: int(NOW_S * 1e6))
    zone = times.zone_of(plan()["zone"])
    later = datetime.fromtimestamp(NOW_S + 600, zone)
    for text in (f"{later:%H:%M:%S}", f"{later:%Y-%m-%dT%H:%M:%S}"):
        _, out, err = ask(capsys, live, f"--power 30kW --for 10min --at {text}", "--json")
        assert facts_in(out)["at_s"] == 600
        assert err == [f"firebreak: --at is {later:%Y-%m-%d %H:%M} in {zone}, in 600 s"]
    found, out, err = ask(capsys, live, "--power 30kW --for 10min --at 2031-01-01T10:00")
    assert (found, out) == (2, []) and "24 h later" in err[0] and len(err) == 1
