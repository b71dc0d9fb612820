"""What the rig writes for the planner beside it: files that the planner takes at once."""

import os

import pytest

from controller.config import configuration
from controller.planner import habits, learnt, planning, site_file
from controller.planner.inputs import Inputs, known
from controller.recorder import quarters
from controller.sites import EXAMPLE
from hil.engine.planner_beside import history, planner_toml, prices

NOW_S = 1_793_000_000  # 2026-10-26, after the night in which the clocks of Europe go back


def planned(folder, now_s):
    """(loads of the made quarters, rows, limits of the import, plan) at this time."""
    (folder / "planner").mkdir()
    config = configuration.load(EXAMPLE)
    text = planner_toml(config).replace("../cabinet.toml", str(EXAMPLE))
    (folder / "planner" / "planner.toml").write_text(text)
    (folder / "planner" / "prices.csv").write_text(prices(now_s))
    (folder / quarters.FILE).write_text(history(now_s, 200e3, 500))
    for path in folder.rglob("*.csv"):
        os.utime(path, (now_s, now_s))
    rows = quarters.read(str(folder / quarters.FILE))
    planner = site_file.load(str(folder / "planner" / "planner.toml"))
    given = Inputs(planner).read(now_s)
    assert given.lacks == given.doubts == []
    found = known(given, planner.site.full_J / 2, [0.0])
    habit = habits.habit_of(planner.site, found)
    caps_W = learnt.caps_of(planner.site, found, habit)
    return rows, caps_W, planning.planned(planner.site, found, caps_W, habit)


def test_a_plan_exists_at_once(tmp_path):
    rows, caps_W, plan = planned(tmp_path, NOW_S)
    assert len(rows) == 14 * 96 and rows[-1].number == NOW_S // 900 - 1
    loads_W = [each.load_W for each in rows]
    assert sum(loads_W) / len(loads_W) == pytest.approx(200e3) and rows[-1].soc_permille == 500
    assert len(plan.rows) == 96 and caps_W[0] < max(loads_W)
    assert min(plan.plan.power_W) < -25e3 and max(plan.plan.power_W) > 25e3


@pytest.mark.parametrize("later_h", [5, 11, 17, 23, 24 * 3])
def test_a_rig_at_another_time_of_the_day_gets_the_same_plan_of_six_hours(tmp_path, later_h):
    """A whole test passed at night and failed in the morning: its job did not fit any more."""
    found = []
    for name, at_s in (("now", NOW_S), ("later", NOW_S + later_h * 3600)):
        (tmp_path / name).mkdir()
        _, caps_W, plan = planned(tmp_path / name, at_s)
        found.append([*caps_W, *plan.plan.power_W[:24]])
    assert found[1] == pytest.approx(found[0], abs=1.0)
