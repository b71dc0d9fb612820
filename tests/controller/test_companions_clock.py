"""Every companion of the controller runs through wrong clocks: it keeps its data, and goes on.

A story has a right clock, a wrong one for a short time, and the right one again. What it has then
is compared with the same story without the wrong clock. One test finds a companion without a story.
"""

import functools
import math
from datetime import datetime
from zoneinfo import ZoneInfo

import planner_bench
import pytest
from ask_bench import situation
from plan_cases import NOW_S, plan
from planner_bench import QUARTER_S, PlannerBench
from recorder_bench import Bench, estop
from test_alarm_letters import MAIL, Place, inbox, state  # noqa: F401  a fixture
from test_watch_gate import Cluster, gated

from controller.doors import asking
from controller.hints import client
from controller.planner import accounts
from controller.recorder import quarters
from controller.system import clock
from controller.system.clock import Utc
from controller.watch import load_files
from controller.watch.dcgm import GpuState
from tests.exemptions import Exempt
from tests.repository import ROOT

pytestmark = pytest.mark.wire
DAY_S = 86_400
RIGHT_S = 1_795_694_420  # 2026-11-26
# by how much the clock is wrong, s; the last one shows 1970
WRONG_S = {"-60 days": -60 * DAY_S, "+60 days": 60 * DAY_S, "+2 days": 2 * DAY_S, "1970": -RIGHT_S}
NIGHTS = {
    "forward": datetime(2027, 3, 28, 0, 0, 20, tzinfo=ZoneInfo("Europe/Berlin")),
    "back": datetime(2026, 10, 25, 0, 0, 20, tzinfo=ZoneInfo("Europe/Berlin")),
}


def planner_story(folder, monkeypatch, wrong_s):
    """Quarters in the books, plans, and what it waits for, an hour after the wrong clock."""
    monkeypatch.setattr(client, "ANSWER_S", 0.3)
    monkeypatch.setattr(accounts.Shadows, "step", lambda *_: False)
    bench = PlannerBench(folder)
    bench.step()

    def shift(sign):
        bench.clocks.wall_us += sign * wrong_s * 1_000_000
        bench.site.set_clock(max(0, int(bench.clocks.wall_us // 60_000_000)))

    shift(1)
    if wrong_s > 0:  # the recorder too has quarters of that clock
        path = bench.folder / "run" / quarters.FILE
        first = int(bench.clocks.wall_us / 1e6 // QUARTER_S)
        rows = [f"{(first - at) * QUARTER_S},900000,0,900000,0,550" for at in (1, 2)]
        path.write_text("\n".join([path.read_text().rstrip("\n"), *rows, ""]))
        bench._written(path)
    bench.planner.step()
    bench.pass_s(5).planner.step()
    shift(-1)
    plans = len(bench.plans())
    for quarter in range(1, 5):
        bench.pass_s(QUARTER_S).measured(quarter)
        bench.step()
    rows = bench.planner._books.rows
    found = [(row.at.isoformat(), row.load_W) for row in rows], bench.plan()["waits"]
    month = bench.plan()["month"]
    bench.site.close()
    assert len(bench.plans()) > plans
    return *found, month["peak_W"], month["cost"]


def recorder_story(folder, monkeypatch, wrong_s):
    """Rows of the history, trips and quarters of an hour."""
    monkeypatch.setattr(quarters, "QUARTER_S", 2)
    monkeypatch.setattr(quarters, "KNOWN_MIN", 1)
    bench = Bench(folder, [estop(7)])
    bench.start_recorder().run(4)
    bench.clocks.wall_us += wrong_s * 1_000_000
    bench.run(2)
    bench.clocks.wall_us -= wrong_s * 1_000_000
    bench.run(6)
    bench.close()
    rows = quarters.read(str(bench.state_dir / quarters.FILE))
    right = [row.number for row in rows if abs(row.number * 2 - 1_800_000_000) < 60]
    (count,) = bench.query("SELECT count(*) FROM seconds")[0]
    assert bench.verdict().breaks == [] and len(right) >= 4
    return count, bench.events("trip"), right[0]


def doors_story(folder, monkeypatch, wrong_s, mails):
    """Letters of two alarms."""
    monkeypatch.setattr(clock, "utc_us", lambda: Utc(RIGHT_S * 1_000_000))
    place = Place(folder, MAIL.format(mails.port), mails)
    place.turns((state(),), (state("12a"),))
    monkeypatch.setattr(clock, "utc_us", lambda: Utc((RIGHT_S + wrong_s) * 1_000_000))
    place.turns((state("12a", "3b"),), (state("12a", "3b"),))
    monkeypatch.setattr(clock, "utc_us", lambda: Utc(RIGHT_S * 1_000_000))
    place.turns((state("12a", "3b", "4c"),))
    return [each.content.decode().partition("Subject: ")[2][:40] for each in mails.mails]


def upstream_story(folder, monkeypatch, wrong_s):
    """The answers to a question before, with and after the wrong clock."""
    monkeypatch.setattr(asking.situation, "of_journal", lambda *given: situation())
    monkeypatch.setattr(asking.job_in_plan, "read", lambda *given: plan())
    found = []
    for at, off_s in enumerate((0, wrong_s, 0)):
        wall_us = max(0, int((NOW_S + off_s) * 1e6))
        monkeypatch.setattr(clock, "utc_us", lambda wall_us=wall_us: Utc(wall_us))
        asking._situation.cache_clear()
        job = {"power_W": 250_000, "at_s": 60, "for_s": 600}
        found.append(asking.answer(str(folder), job, (5 + at) * 1_000_000))
    assert found[1]["answer"] == found[0]["answer"]
    return found[0], found[2]


def watch_story(folder, monkeypatch, wrong_s):
    """Jobs that are held, and quarters of the load that are kept."""
    cluster = Cluster(0, [gated("a", 60)], after_wait="release", wait_max_s=3600)
    files, uptime_s = load_files.Files(str(folder), 0.0, 1.0), 5.0
    for off_s, minutes in ((0, 60), (wrong_s, 30), (0, 30)):
        cluster.now_s += off_s
        for _ in range(minutes):
            cluster.turn(10)
            uptime_s += 60
            at_s = max(0.0, RIGHT_S + off_s + uptime_s)
            files.add(GpuState(at_s, 8, 5e3, 50.0), (), uptime_s)
        cluster.now_s -= off_s
    kept = (folder / load_files.MEASURED).read_text().splitlines()
    right = [row for row in kept if row.startswith("2026-11-26")]
    assert cluster.states() == "g"
    return right[:4]


STORIES = {
    "planner": planner_story,
    "record": recorder_story,
    "upstream": upstream_story,
    "watch": watch_story,
}
# units that keep nothing by a clock
OTHERS = {
    "can@": Exempt(
        "none: it sets an interface up, and ends",
        "tests/controller/console/test_json_of_commands.py::test_every_command_that_prints_has_json",
    ),
    "console@": Exempt(
        "a page shows a wrong time to the person who looks",
        "tests/controller/state/test_plan_file.py"
        "::test_a_plan_is_old_after_two_hours_and_before_its_time",
    ),
    "doors@": Exempt(
        "an alarm is sent once more, or with a wrong time",
        "tests/controller/test_companions_clock.py::test_doors_send_each_alarm_once",
    ),
    "trial": Exempt(
        "none: its times are those of the monotonic clock",
        "tests/controller/systemd/test_trial.py"
        "::test_only_time_of_control_counts_and_a_pause_of_the_judge_counts_little",
    ),
}


@pytest.fixture(scope="module")
def with_a_right_clock(tmp_path_factory):
    """What each story gives without a wrong clock."""

    @functools.cache
    def told(name):
        with pytest.MonkeyPatch.context() as patched:
            return STORIES[name](tmp_path_factory.mktemp(name), patched, 0)

    return told


@pytest.mark.parametrize("wrong", WRONG_S)
@pytest.mark.parametrize("name", STORIES)
def test_a_wrong_clock_costs_no_data(name, wrong, tmp_path, monkeypatch, with_a_right_clock):
    right = with_a_right_clock(name)
    assert STORIES[name](tmp_path, monkeypatch, WRONG_S[wrong]) == right


@pytest.mark.parametrize("wrong", WRONG_S)
def test_doors_send_each_alarm_once(wrong, tmp_path, monkeypatch, inbox):  # noqa: F811
    found = doors_story(tmp_path, monkeypatch, WRONG_S[wrong], inbox)
    assert len(found) == 3 and all("cell too hot" in each for each in found)


@pytest.mark.parametrize("night", NIGHTS)
def test_the_planner_goes_through_both_nights(night, tmp_path, monkeypatch):
    """Six hours of them: a plan each hour, and every quarter in the books."""
    monkeypatch.setattr(client, "ANSWER_S", 0.3)
    monkeypatch.setattr(accounts.Shadows, "step", lambda *_: False)
    monkeypatch.setattr(planner_bench, "START_S", NIGHTS[night].timestamp())
    bench = PlannerBench(tmp_path)
    bench.step()
    before = len(bench.planner._books.rows)
    for quarter in range(1, 25):
        bench.pass_s(QUARTER_S).measured(quarter)
        bench.step()
    rows, found = bench.planner._books.rows, bench.plan()
    bench.site.close()
    assert len(bench.plans()) == 7 and len(rows) - before == 24 and found["waits"] == []
    steps = {int(b.at.timestamp() - a.at.timestamp()) for a, b in zip(rows, rows[1:])}
    assert steps == {900}
    midnight = datetime.fromisoformat(found["slots"][-1]["at"])
    assert (midnight.hour, midnight.minute) == (23, 45)
    assert all(not math.isnan(row.yesterday_load_W) for row in rows[-24:])


def test_every_companion_has_a_story():
    units = {path.stem for path in (ROOT / "controller/systemd").glob("firebreak-*.service")}
    names = {unit.removeprefix("firebreak-") for unit in units} | {"watch"}
    assert names == {*STORIES, *OTHERS}
