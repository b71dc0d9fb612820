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


def test_a_plan_exists_at_once(tmp_path):
    (tmp_path / "planner").mkdir()
    config = configuration.load(EXAMPLE)
    text = planner_toml(config).replace("../cabinet.toml", str(EXAMPLE))
    (tmp_path / "planner" / "planner.toml").write_text(text)
    (tmp_path / "planner" / "prices.csv").write_text(prices(NOW_S))
    (tmp_path / quarters.FILE).write_text(history(NOW_S, 200e3, 500))
    for path in tmp_path.rglob("*.csv"):
        os.utime(path, (NOW_S, NOW_S))
    rows = quarters.read(str(tmp_path / quarters.FILE))
    assert len(rows) == 14 * 96 and rows[-1].at == NOW_S // 900 - 1
    loads_W = [each.load_W for each in rows]
    assert sum(loads_W) / len(loads_W) == pytest.approx(200e3) and rows[-1].soc_permille == 500
    planner = site_file.load(str(tmp_path / "planner" / "planner.toml"))
    given = Inputs(planner).read(NOW_S)
    assert given.lacks == given.doubts == []
    found = known(given, planner.site.full_J / 2, [0.0])
    habit = habits.habit_of(planner.site, found)
    caps_W = learnt.caps_of(planner.site, found, habit)
    plan = planning.planned(planner.site, found, caps_W, habit)
    assert len(plan.rows) == 96 and caps_W[0] < max(loads_W)
    assert min(plan.plan.power_W) < -25e3 and max(plan.plan.power_W) > 25e3
