"""The planner beside the sockets of a real controller: what it sends, and what it waits for."""

import os

import pytest
from hinted_site import KEYS, fill
from hypothesis import HealthCheck, given, settings, strategies as st
from planner_bench import HOUR_S, QUARTER_S, SOURCE, START_S, PlannerBench, load_W

from controller.hints import admission, client
from controller.planner import accounts, books, inputs, report
from controller.recorder import quarters
from controller.state import plan_file

pytestmark = pytest.mark.wire


@pytest.fixture
def bench(tmp_path, monkeypatch):
    # no wait for an answer that never comes
    monkeypatch.setattr(client, "ANSWER_S", 0.3)
    monkeypatch.setattr(accounts.Shadows, "step", lambda *_: False)
    made = PlannerBench(tmp_path)
    yield made
    made.site.close()


def test_a_plan_knows_the_hours_of_less_load_and_the_load_without_it(bench):
    path = bench.folder / "run" / quarters.FILE
    lines = path.read_text().splitlines()
    path.write_text(
        "\n".join([*lines[:-4], *[each.replace(",,", ",5000,") for each in lines[-4:]], ""])
    )
    bench.start()
    known = bench.step().planner._current.known
    assert known.yielded_h == 1.0
    wanted_W = [load_W(bench.now - 5), load_W(bench.now - 4) + 5000]
    assert known.past_load_W[-5:-3] == pytest.approx(wanted_W, abs=1)
    assert bench.plan()["month"]["yielded_kWh"] == 5.0


def test_a_plan_is_sent_acts_and_is_published(bench):
    bench.step()
    found, held = bench.plan(), bench.held()
    assert found["waits"] == [] == found["doubts"]
    assert (found["sent"]["code"], found["made_at"]) == ("H1", "2026-11-26T13:00:20+01:00")
    assert (held.owner, held.start_min, held.slot) == (SOURCE, (START_S - 20) / 60, 1)
    assert len(held.slots) == 96 and len(found["slots"]) == 2 * 96 - 13 * 4
    for slot, row in zip(held.slots, found["slots"]):
        assert (slot.grid_cap_W, slot.reserve_permille) == (row["cap_W"], row["reserve_permille"])
        asked_W, power_W = max(slot.battery_low_W, 0), row["battery_W"]
        # the controller also gives what holds the cap
        assert asked_W <= max(power_W, 0) + 1
        assert power_W <= asked_W + 1 or row["grid_W"] >= slot.grid_cap_W - 1
    assert max(row["battery_W"] for row in found["slots"]) > 1000
    assert (found["stored_Wh"], found["full_Wh"]) == (0.55 * 645e3, 645e3)
    assert len(bench.plans()) == 1 and bench.heard() == 2


def planned(bench, able):
    """plan.json after a plan with what the recorder says of the battery in two days."""
    bench.measured(able=able)
    bench.start()
    return bench.step().plan()


def test_a_plan_counts_on_the_battery_that_is_measured_at_most_on_the_file(bench):
    new, worn = planned(bench, "645000,250000,250000"), planned(bench, "516000,200000,100000")
    assert (worn["stored_Wh"], worn["full_Wh"]) == (0.55 * 516e3, 516e3)
    assert worn["actual"][-1]["stored_Wh"] == 0.55 * 516e3
    powers_W = [[slot["battery_W"] for slot in each["slots"]] for each in (new, worn)]
    assert max(powers_W[0]) > 110e3 and max(powers_W[1]) <= 100e3
    assert worn["doubts"] == []
    assert bench.planner._current.known.stored_J == pytest.approx(0.55 * 516e3 * 3600)
    assert bench.planner._shadows.site.full_J == 516e3 * 3600
    assert max(slot["stored_Wh"] for slot in worn["slots"]) <= 516e3
    assert planned(bench, "700000,300000,300000") == new


def test_the_published_slots_are_those_of_the_battery_that_is_there(bench, monkeypatch):
    sites, slots = [], report.slots
    monkeypatch.setattr(report, "slots", lambda *each: sites.append(each[0]) or slots(*each))
    planned(bench, "516000,200000,100000")
    ((_, full_J, *_),) = sites
    assert full_J == 516e3 * 3600


def test_what_a_clock_that_was_ahead_measured_does_not_count_yet(bench):
    bench.measured(until=2, able="430000,1,1")
    later = (bench.folder / "run" / quarters.FILE).read_text().splitlines()[-2:]
    bench.measured()
    with open(bench.folder / "run" / quarters.FILE, "a") as file:
        file.write("\n".join([*later, ""]))
    bench.start()
    assert bench.step().plan()["full_Wh"] == 645e3


@pytest.mark.parametrize(
    "able, lines",
    [
        ("645000,1,1", []),
        (",250000,250000", ["energy by the file: the racks report none"]),
        (
            "645000,,250000",
            ["power by the file: the cabinet has permitted none at a middle charge"],
        ),
    ],
)
def test_what_counts_by_the_file_is_named(bench, able, lines):
    found = planned(bench, able)
    assert found["doubts"] == lines and found["full_Wh"] == 645e3 and found["waits"] == []


def test_a_battery_that_can_do_nothing_gets_a_plan_of_nothing(bench):
    found = planned(bench, "0,0,0")
    assert found["waits"] == [] and len(bench.plans()) == 1
    assert {slot["battery_W"] for slot in found["slots"]} <= {-1, 0, 1}
    assert found["full_Wh"] < 1 and found["month"]["share_permille"] is None


def test_a_rack_that_is_out_for_an_hour_changes_the_plan_and_no_account(bench):
    before = planned(bench, "645000,250000,250000")
    path = bench.folder / "run" / quarters.FILE
    lines = path.read_text().replace("645000,250000,250000", "430000,166000,166000").splitlines()
    bench.measured()
    path.write_text("\n".join([*path.read_text().splitlines()[:-4], *lines[-4:], ""]))
    bench.start()
    found = bench.step().plan()
    assert found["full_Wh"] == 430e3
    assert [found[each] for each in ("month", "actual")] == [before["month"], before["actual"]]
    assert found["doubts"] == [] and max(each["battery_W"] for each in found["slots"]) <= 166e3


def test_a_heartbeat_each_minute_and_a_plan_each_hour(bench):
    bench.step()
    for _ in range(12):
        bench.pass_s(5).step()
    assert bench.heard() == 3
    for quarter in range(1, 5):
        bench.pass_s(QUARTER_S).measured(quarter)
        bench.step()
    assert len(bench.plans()) == 2 and bench.heard() == 8  # five heartbeats, a schedule
    assert bench.held().start_min == (START_S - 20) / 60 + 60
    found = bench.plan()
    actual = found["actual"][-1]
    assert actual["at"] == "2026-11-26T13:45:00+01:00"
    assert actual["load_W"] == pytest.approx(load_W(bench.now + 3), abs=1)
    assert actual["forecast_load_W"] == actual["yesterday_load_W"] == actual["load_W"]
    assert actual["planned_grid_W"] + actual["planned_battery_W"] == actual["load_W"]
    assert found["month"]["cost"] > 0 and found["month"]["peak_W"] == pytest.approx(330e3, rel=0.01)


def test_a_late_recorder_delays_the_plan_by_a_minute(bench):
    bench.step()
    bench.pass_s(HOUR_S - 15).step()
    assert len(bench.plans()) == 1
    bench.pass_s(60).step()
    assert len(bench.plans()) == 1  # the state of charge is four quarters old
    assert bench.plan()["waits"] == ["unknown: state of charge"]
    bench.measured(4)
    bench.pass_s(60).step()
    assert len(bench.plans()) == 2 and bench.plan()["waits"] == []


def test_new_prices_are_planned_with_at_once(bench):
    bench.prices(12)
    bench.start()
    bench.step().pass_s(200).step()
    assert len(bench.plans()) == 1
    bench.prices(36)
    bench.pass_s(101).step()
    assert len(bench.plans()) == 2
    bench.pass_s(900).step()
    assert len(bench.plans()) == 2


def test_a_warning_is_planned_with_at_once_and_what_it_lacks_is_named(bench):
    site, path = bench.folder / "planner.toml", bench.folder / "warnings.csv"
    feed = '[feed.storm]\nkind = "warnings"\nformat = "csv"\npath = "warnings.csv"\n'
    site.write_text(f"{site.read_text()}{feed}[reserve]\nwarned_h = 1.75\n")
    path.write_text("begin,hours_h\n")
    bench._written(path)
    bench.start()
    bench.step()
    assert len(bench.plans()) == 1 and bench.plan()["doubts"] == []
    path.write_text("begin,hours_h\n2026-11-26T14:00,3\n")
    bench._written(path)
    bench.pass_s(301).step()
    assert len(bench.plans()) == 2
    (line,) = bench.plan()["doubts"]
    assert line.startswith("reserve: ") and " kWh are stored by 2026-11-26 14:00" in line
    kept = [slot["reserve_permille"] for slot in bench.plan()["slots"]]
    assert kept[4] == 900 > kept[15] > 700 > 200 > kept[16], "from 14:00 to 17:00"
    assert [slot.reserve_permille for slot in bench.held().slots] == kept[: len(bench.held().slots)]


def test_another_run_of_the_controller_gets_the_schedule_at_once(bench):
    bench.step()
    bench.site.listener.close()
    bench.planner.step()
    (line,) = bench.plan()["waits"]
    assert line.startswith("no controller answers in ") and line in bench.said[-1]
    bench.site.reopen({name: (admission.key_of(key, 0),) for name, key in KEYS.items()})
    bench.pass_s(5).step()
    assert bench.heard() == 2 and bench.plan()["waits"] == []


def test_a_controller_that_is_away_is_asked_once_a_minute(bench, monkeypatch):
    asked = []
    monkeypatch.setattr(client.HintClient, "hello", lambda *_: asked.append(1))
    for _ in range(24):
        bench.pass_s(5).planner.step()
    assert len(asked) == 2 and len(bench.said) == 2  # the plan, and what it waits for
    assert bench.plan()["waits"][0].startswith("no answer came: the controller is busy")


def test_a_full_queue_and_a_wrong_key_are_named(bench):
    with_others = fill(str(bench.folder / "run" / "hints.sock"))
    bench.planner.step()
    assert bench.plan()["waits"] == ["the controller's queue of hints is full"]
    for each in with_others:
        each.close()
    while bench.site.step():
        pass
    bench.pass_s(61).step()
    assert bench.plan()["waits"] == []
    bench.site.write_key(SOURCE, bytes(32))
    bench.pass_s(61).step()
    assert bench.plan()["waits"][0].startswith("no answer came: H15 ")


def test_what_is_missing_is_one_line_with_its_remedy(bench):
    for changed, words in (
        ({"source": "nobody"}, "add [source.nobody] with role"),
        ({"key_path": str(bench.folder / "none.key")}, "`firebreak key create site_ems` prints"),
        ({"source": "scheduler", "key_path": f"{bench.folder}/state/keys/scheduler.key"}, "H32 "),
    ):
        bench.start(**changed)
        bench.step()
        (line,) = bench.plan()["waits"]
        assert words in line and len(bench.said) == 2, line
        bench.said.clear()


def test_without_a_sure_clock_nothing_is_sent(bench):
    for steered_us, wall_us in ((None, 0), (11_000_000, 0), (1500, -int(START_S * 1e6))):
        bench.clocks.steered, before_us = steered_us, bench.clocks.wall_us
        bench.clocks.wall_us += wall_us
        bench.start()
        bench.step()
        assert any("clock of this box is not" in each for each in bench.plan()["waits"])
        bench.clocks.wall_us = before_us
    assert bench.heard() == 0
    bench.clocks.steered = 1500
    bench.pass_s(61).step()
    assert bench.heard() == 2 and bench.plan()["waits"] == []


def test_a_clock_that_is_set_makes_another_plan(bench):
    bench.step()
    for seconds in (-7200, 10_800):
        bench.clocks.wall_us += seconds * 1_000_000
        bench.measured(int(bench.clocks.wall_us // 9e8) - bench.now)
        bench.pass_s(5).step()
        assert bench.held().start_min == bench.clocks.wall_us // 9e8 * 15
    assert len(bench.plans()) == 3


def test_a_plan_that_is_old_has_no_heartbeat(bench):
    bench.step()
    os.unlink(bench.folder / "run" / quarters.FILE)
    for count in (3, 4, 4):
        bench.pass_s(HOUR_S - 1).step()
        assert bench.heard() == count and len(bench.plans()) == 1
    assert "is firebreak-record running" in bench.plan()["waits"][0]


def test_a_schedule_that_waits_is_sent_again_until_it_acts(bench):
    bench.site.set_clock(bench.clocks.wall_us // 60_000_000, error_ms=20_000)
    bench.step()
    assert bench.plan()["waits"] == ["schedule: waits for the clock"]
    bench.pass_s(60).step()
    assert bench.plan()["waits"] == [] and bench.heard() == 4


def test_a_planner_without_news_still_writes_each_quarter(bench):
    bench.step()
    os.unlink(bench.folder / "run" / quarters.FILE)
    for _ in range(10):
        bench.pass_s(QUARTER_S).step()
        assert plan_file.age_s(bench.plan(), bench.clocks.wall_us / 1e6) == pytest.approx(0, abs=1)


def test_an_exception_is_a_line_and_the_heartbeat_goes_on(bench, monkeypatch):
    bench.step()
    monkeypatch.setattr(inputs.Inputs, "read", lambda *_: 1 / 0)
    before = bench.heard()
    bench.pass_s(HOUR_S + 61).step()
    assert bench.heard() == before + 1
    assert (
        bench.said[-1]
        == "planner: tried again: ZeroDivisionError at process.py:"
        + (bench.said[-1].rpartition(":")[2])
    )


def test_the_books_outlast_a_restart_and_a_power_cut(bench):
    bench.step()
    bench.pass_s(QUARTER_S).measured(1)
    bench.step()
    path = bench.folder / "books" / books.FILE
    before = bench.plan()["actual"]
    path.write_bytes(path.read_bytes() + b"1790000000,12,3\n17900")
    bench.start()
    bench.step()
    assert bench.plan()["actual"] == before and len(before) == 96
    bench.pass_s(QUARTER_S).measured(2)
    bench.step()
    bench.start()
    bench.step()
    assert bench.plan()["actual"][:-1] == before[1:]


def test_a_folder_that_takes_nothing_ends_no_process(bench):
    os.rmdir(bench.folder / "plan")
    bench.step()
    words = f"planner waits: plan.json: {bench.folder}/plan: No such file or directory"
    assert bench.heard() == 2 and bench.said.count(words) == 1
    bench.step()
    assert bench.said.count(words) == 1, "said once"
    (bench.folder / "plan").mkdir()
    bench.step()
    assert not plan_file.is_old(bench.plan(), bench.clocks.wall_us / 1e6)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200), st.sampled_from(["run/quarters.csv", "books/books.csv"]))
def test_no_content_of_its_files_ends_it(bench, data, name):
    path = bench.folder / name
    for content in (data, path.read_bytes()[:200] + data if path.exists() else data):
        path.write_bytes(content)
        bench.start()
        bench.planner.step()
        assert not [each for each in bench.said if "tried again" in each], bench.said
        assert all(each.isprintable() for each in bench.said)


@pytest.mark.whole
def test_a_day_without_a_controller_leaves_descriptors_and_the_log_as_they_were(bench):
    bench.site.listener.close()
    bench.planner.step()
    before = len(os.listdir("/proc/self/fd")), len(bench.said)
    for at in range(96):
        bench.pass_s(QUARTER_S).measured(at + 1)
        bench.planner.step()
    assert (len(os.listdir("/proc/self/fd")), len(bench.said) - len(bench.plans())) == (
        *before[:1],
        before[1] - 1,
    )
    assert len(bench.plans()) == 25
