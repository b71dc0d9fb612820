"""Each limit that a run can violate appears when it is broken, and names where and by how much."""

from unittest import mock

import numpy as np
import pytest
from test_systems import TABLE, made, seconds_of

from controller.core.policies import schedule
from hil.systems import (
    command,
    ramps,
    run,
    series,
    spec,
    swing_figures,
    verdict,
    violations,
    watched,
)
from tests.tables import cases


def test_violations_name_the_limit_and_the_time():
    result = made()
    assert violations.of(result) == []
    result.seconds_W[1, :7] = 600_000
    result.seconds_W[1, 7:10] = -10_000
    result = result._replace(watched=result.watched._replace(soc_min=0.05))
    assert violations.of(result) == [
        "import above 500 kW in 7 s, by 100 kW",
        "export above 0 kW in 3 s, by 10 kW",
        "state of charge 5.0 %, backup reserve 10 %",
    ]


def test_the_connection_has_no_tolerance():
    result = made()
    result.seconds_W[1, 0], result.seconds_W[1, 1] = 500_002, -2
    assert [each[:6] for each in violations.of(result)] == ["import", "export"]
    result.seconds_W[1, 0], result.seconds_W[1, 1] = 500_000, 0
    assert violations.of(result) == []


def watching(hours=2, changes=None, **given):
    """A run whose watched values of slots are as given, by slot."""
    result = made(hours, **(changes or {}))
    for name, values in given.items():
        getattr(result.watched, name)[: len(values)] = values
    return result


@pytest.mark.parametrize("acted_s, is_judged", [(900, True), (876, False)])
def test_a_cap_is_missed_where_the_schedule_acted(acted_s, is_judged):
    result = watching(cap_W=[150_000, 2e5, 199_700], acted_s=[acted_s] * 3)
    line = "cap of the schedule missed in 1 of 8 intervals, by up to 50 kW"
    assert violations.of(result) == [line] * is_judged


@cases("""
    key          value  is_judged
    "soc"        0.105  False
    "soc"        0.12   True
    "battery_W"  246e3  False
""")
def test_a_cap_is_missed_only_while_the_battery_has_more_to_give(key, value, is_judged):
    """250 kW, a reserve of 10 %. The planner learns a cap from the past, so it may be too low."""
    result = watching(cap_W=[150_000], acted_s=[900] * 3)
    result = result._replace(**{key: np.full(len(result.soc), value)})
    assert bool(violations.of(result)) == is_judged


@pytest.mark.parametrize("allowed_W, is_judged", [(0, False), (20_300, False), (20_500, True)])
def test_a_cap_is_missed_only_while_the_cells_allow_more_power(allowed_W, is_judged):
    """The cells of Norway's cold start give nothing at -25 degC, whatever charge they hold."""
    result = watching(cap_W=[150_000], acted_s=[900] * 3, allowed_W=[allowed_W])
    result = result._replace(battery_W=np.full(len(result.soc), 20_000.0 * (allowed_W > 0)))
    assert bool(violations.of(result)) == is_judged


def test_a_missed_cap_of_an_event_is_named_apart():
    event = {"day": 1, "hour": 1.0, "hours": 1.0, "cap_W": 150_000.0, "announced_h": 1.0}
    result = watching(cap_W=[2e5] * 4 + [150_000] * 2, acted_s=[900] * 8)
    result = result._replace(spec=result.spec._replace(events=[event]))
    line = "cap of an event missed in 2 of 4 intervals, by up to 50 kW"
    assert violations.of(result) == [line]


def test_load_without_power_and_a_stale_schedule_are_violations():
    result = made()
    result.watched.unserved_J[2:4] = 1.8e6
    assert violations.of(result)[0].startswith(
        "1 kWh of the load had no power outside of an outage, in 2"
    )
    result = watching(stale_s=[150, 151, 900])
    assert "too old in 2 slots, although the sender was alive" in violations.of(result)[0]


@cases("""
    within_s  moved_kW  words
    15  50  ""
    15  51  "once, by up to 51 kW"
    9   51  ""
""")
def test_a_ramp_of_the_operator_is_held_by_means_of_a_second(within_s, moved_kW, words):
    """A time below 10 s is judged in the minutes with the kernel alone."""
    result = made(ramps=[[50_000, within_s, 1]])
    result.seconds_W[1, 100:] += 1000 * moved_kW / 2
    result.seconds_W[1, 108:] += 1000 * moved_kW / 2
    found = violations.of(result)
    assert found == [f"import moved by more than 50 kW within 15 s {words}"] * bool(words)


@pytest.mark.parametrize(("moved_kW", "count"), [(49, 0), (50, 0), (51, 2)])
def test_an_operator_may_compare_the_means_of_minutes(moved_kW, count):
    """A cloud of half a minute is half of it in the mean."""
    result = made(ramps=[[50_000, 60, 60]])
    result.seconds_W[1, 630:660] += 2000 * moved_kW
    result = result._replace(battery_1s_W=np.zeros(len(result.seconds_W[1])))
    assert swing_figures.ramps_over(result) == (count, 0.0, count)
    words = f"import moved by more than 50 kW within 60 s once, by up to {moved_kW} kW"
    assert violations.of(result) == [words] * bool(count)


def test_a_ramp_is_not_judged_over_the_loss_of_the_grid_and_counts_each_time():
    seconds_W = np.zeros(300)
    seconds_W[100:200] = np.nan
    seconds_W[200:] = 9000.0
    assert ramps.broken(seconds_W, [[1000, 1, 1], [1000, 60, 1]]) == []
    seconds_W[[20, 60, 250]] = 5000.0
    (line,) = ramps.broken(seconds_W, [[1000, 1, 1]])
    assert line == "import moved by more than 1 kW within 1 s 3 times, by up to 5 kW"
    assert ramps.broken(seconds_W[:1], [[1000, 1, 1]]) == []
    result = made(24, days=2, outage_s=600, ramps=[[50_000, 15, 1]])
    at_s = series.outage_at_s(result.spec._replace(days=1))
    result = result._replace(spec=result.spec._replace(outages=[[at_s, 600]]))
    result.seconds_W[1, at_s : at_s + 600] = 0
    assert violations.of(result) == []


def test_a_violation_is_never_hidden_by_a_status():
    asked = {"name": "peak_kW", "text": "peak", "asked": 300, "status": "unreachable"}
    result = watching(24, changes={"figure": [asked]}, stale_s=[900])
    document = command.document("test", "", result)
    assert set(document["violations"]) < set(verdict.wrong(document))
    assert any(line.startswith("  VIOLATED: the schedule") for line in command.lines(document))


BATTERY = TABLE["battery"] | {"energy_Wh": 20_000}
SHED = {"role": "load_shed", "profile": "waveshare_relays", "stages_max": 8, "stage_W": 20_000}
SHORT = {"soc_permille": 150, "battery": BATTERY}
SHORT["event"] = [{"day": 1, "hour": 0.25, "hours": 0.75, "cap_W": 140_000}]
SHEDS = {"device": {"shed": SHED}, "battery": BATTERY | {"control": {"grid_import_W_max": 150_000}}}


def played(minutes, changes, dead=()):
    chosen = spec.of_table(TABLE | changes, "test")
    return seconds_of(chosen, range(60 * minutes), {"dead": dead})


@pytest.mark.parametrize(
    "changes, line",
    [
        ({}, "cap of an event missed in "),
        (SHEDS, "kWh of the load had no power outside of an outage"),
    ],
)
def test_an_empty_battery_misses_its_cap_or_sheds_load(changes, line):
    """20 kWh carry 60 kW above the cap for less than a quarter of an hour."""
    found = violations.of(played(60, SHORT | changes))
    assert len([each for each in found if line in each]) == 1, found


def test_a_load_that_its_scheduler_lowers_as_agreed_is_no_load_without_power():
    """Berlin's render jobs end later, and its judge once called them unserved."""
    scheduler = {
        "role": "load_cap",
        "profile": "load_cap_tcp",
        "lower_W_max": 30_000,
        "start_soc_permille": 300,
    }
    found = played(60, SHEDS | {"device": {"scheduler": scheduler}})
    assert found.account["lowered"] == pytest.approx(found.lowered_W[:4].sum() * 900, rel=0.01)
    assert found.account["lowered"] > 9e7 and not found.watched.unserved_J.any()


def test_a_sender_that_forgets_its_schedule_is_a_violation_and_a_dead_one_is_not(monkeypatch):
    monkeypatch.setattr(run.ChainMember, "schedule", lambda *_: None)
    (line,) = violations.of(played(30, TABLE))
    assert "too old in 2 slots, although the sender was alive" in line
    assert violations.of(played(30, TABLE, (run.SENDER,))) == []
    alone = TABLE | {"schedule": {"is_trading": False}}
    assert violations.of(played(30, alone)) == [], "nobody promised one"


def watch_of(soc):
    """A Watch beside a schedule that acts. soc: (charge, is off grid) of each second."""
    site = mock.Mock(is_off_grid=False)
    site.account.energy_J = {"unserved": 0.0, "shed": 0.0}
    member = mock.Mock(silent=frozenset())
    member.loop.limits.discharge_W = [90_000, 0]
    member.control.functions = {"schedule": mock.Mock(out=[0, schedule.ACTS, 0])}
    one = watched.Watch(spec.of_table(TABLE, "test"), site, [member])
    for second, (member.soc, site.is_off_grid) in enumerate(soc):
        one.see(second)
    return one.watched()


@cases("""
    soc  least
    [(0.5, 0), (0.08, 0), (0.5, 0)]  0.08  # one second is enough
    [(0.5, 0), (0.08, 1), (0.09, 0), (0.2, 0)]  0.2  # an island took it
    [(0.5, 1), (0.11, 0), (0.07, 0)]  0.07
""")
def test_the_reserve_is_judged_in_every_second_on_the_grid(soc, least):
    found = watch_of(soc)
    assert found.soc_min == min(least, 0.5)
    assert found.acted_s[0] == len(soc) and not found.stale_s.any()
    assert found.allowed_W[0] == 100 * len(soc), "a mean of the slot's 900 s"


@pytest.mark.parametrize("degC, allowed_W", [(-25, 0), (25, 250_000)])
def test_the_power_that_cells_allow_is_watched(degC, allowed_W):
    changes = {"plant": {"start_degC": degC, "ambient_degC": degC, "hvac_heating_share": 0}}
    found = played(15, changes).watched.allowed_W[0]
    assert found == pytest.approx(allowed_W, rel=0.02)
