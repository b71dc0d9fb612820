"""Demand windows with restarts and clock errors: the events, the judgement, and an hour of both."""

from types import SimpleNamespace

import numpy as np
import pytest
from in_process import written

from hil.campaigns.windows import command, course

HOUR_S, LIMIT_W = 3600, 100_000


def test_restarts_and_clocks_come_from_the_seed_and_no_clock_is_worse_than_it_says():
    for seed in (1, 2):
        assert len(course.restarts(seed, 30)) == 30 * course.RESTARTS_PER_DAY
        found = course.clocks(seed, 30)
        assert 0 in found and max(found) < 30 * course.DAY_S
        assert all(abs(off_s) * 1000 <= error_ms for off_s, error_ms in found.values())
    assert course.restarts(1, 30) != course.restarts(2, 30)


def hour_of(needed_W, able_W=50_000, energy_Wh=1e6):
    """An hour; needed_W: of each of its four intervals."""
    fields = {
        "needed_W": np.repeat(np.array(needed_W, float), 900),
        "able_W": np.full(HOUR_S, float(able_W)),
        "energy_Wh": np.full(HOUR_S, float(energy_Wh)),
        "is_down": np.zeros(HOUR_S, bool),
        "is_blind": np.zeros(HOUR_S, bool),
    }
    return SimpleNamespace(**fields)


def judged(grid_W, *given, down=(), blind=(0, 0)):
    hour = hour_of(*given)
    for first, last in down:
        hour.is_down[first:last] = True
    hour.is_blind[slice(*blind)] = True
    found = course.judged(np.repeat(np.array(grid_W, float), 900), hour, LIMIT_W, 900)
    return found["over_at_s"], found["energy_short"], found["power_short"]


def test_an_interval_above_the_limit_counts_where_the_battery_could_have_kept_it():
    needed_W = [140_000, 140_000, 90_000, 90_000]
    assert judged([100_000, 100_001, 100_002, 90_000], needed_W) == ([1800], 0, 0)
    assert judged([120_000, 100_000, 90_000, 90_000], needed_W) == ([0], 0, 0)
    assert judged([120_000, 120_000, 90_000, 90_000], needed_W, 50_000, 9_999) == ([], 2, 0)
    assert judged([120_000, 120_000, 90_000, 90_000], needed_W, 50_000, 10_001) == ([0, 900], 0, 0)


@pytest.mark.parametrize("end_s, short", ((449, 0), (451, 1)))
def test_a_restart_is_an_excuse_only_where_the_rest_of_the_interval_cannot_make_up_for_it(
    end_s, short
):
    """120 kW until the controller is back; then 80 kW are possible."""
    needed_W = [120_000, 90_000, 90_000, 90_000]
    given = needed_W, 40_000
    found = judged([120_000, 90_000, 90_000, 90_000], *given, down=[(0, end_s)])
    assert found == ([] if short else [0], 0, short)


def test_a_limit_that_the_unshaved_import_keeps_needs_no_battery():
    found = course.judged(np.full(HOUR_S, 90_000.0), hour_of([90_000] * 4), LIMIT_W, 900)
    assert (found["needed_over"], found["used_permille"]) == (0, None)
    found |= {"interval_min": 15, "days": 1, "limit_W": LIMIT_W}
    assert "needed the battery" not in command.lines(found)[-1]


def test_what_a_battery_that_always_charges_could_not_keep():
    """It holds 10 kWh. An interval 40 kW above the limit takes all of it."""
    hour = hour_of([140_000, 141_000, 60_000, 140_000], 50_000, 10_000)
    needed_W = course._means(hour.needed_W, 900)
    assert course.ideal_short(needed_W, hour, LIMIT_W, 900) == 2  # 14 % are lost on the way
    hour = hour_of([140_000, 90_000, 55_000, 140_000], 50_000, 10_000)
    assert course.ideal_short(course._means(hour.needed_W, 900), hour, LIMIT_W, 900) == 0


def test_before_a_restart_the_limit_was_possible():
    """120 kW until 450 s, down for 5 s, then 80 kW possible; 100 kW were possible before."""
    found = judged([120_000, 9e4, 9e4, 9e4], [120_000, 9e4, 9e4, 9e4], 40_000, down=[(860, 865)])
    assert found == ([0], 0, 0)


@pytest.fixture(scope="module")
def played():
    """A quarter of an hour and 10 min of the next; the controller restarts at 300 s and at 1200 s,
    each time for 60 s, and then has no clock for 90 s.
    """
    found = course.quarter(1, 1, 450_000, 900)
    found._restarts = {at_s: course.Restart(60, 90) for at_s in (300, 1200)}
    used_Wh = []
    for second in range(1500):
        found.second(second)
        used_Wh.append(found.member.control.functions["peak_shaving"].state[1] / 3.6e6)
    return found, used_Wh


def test_a_controller_that_is_down_gives_nothing_and_takes_its_import_from_the_store(played):
    found, used_Wh = played
    assert found.is_down.nonzero()[0].tolist() == [*range(300, 360), *range(1200, 1260)]
    grid_W = found._seconds[1, :1500]
    assert grid_W[305:360] == pytest.approx(found.needed_W[305:360])
    assert grid_W[300:360].max() > 480_000 > 455_000 > grid_W[1290:1500].mean()
    # it knows the import until then, and counts the connection of 600 kW for the time of the gap
    counted_Wh, gap_Wh = float(grid_W[900:1200].sum()) / 3600, 600_000 * 150 / 3600
    assert counted_Wh < used_Wh[1352] < counted_Wh + gap_Wh + 600_000 * 65 / 3600


def test_the_words_of_the_clock_are_wrong_by_what_the_quarter_says(played):
    found, _ = played
    member = found.member
    off_s, error_ms = found._clocks[0]
    day_d, time_s, stated_ms = member._inp[(at := member.image.places["site"].start) : at + 3]
    now_s = member._begin_s + member.now_s
    assert day_d * 86_400 + time_s == int(now_s - 1 - off_s) and stated_ms == error_ms


@pytest.mark.parametrize("end_s, short", ((430 + 39, 0), (430 + 41, 1)))
def test_without_a_clock_after_a_restart_the_limit_at_each_moment_is_possible(end_s, short):
    """The same as above until 430 s: the rest has 40 s to spare."""
    needed_W = [120_000, 90_000, 90_000, 90_000]
    found = judged(needed_W, needed_W, 40_000, down=[(0, 430)], blind=(0, end_s))
    assert found == ([] if short else [0], 0, short)


def test_the_command_judges_both_intervals(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(course, "play", _found)
    document = written(tmp_path, "trials windows --seed 3 --days 9", code=1)
    out = capsys.readouterr().out
    assert "verdict    1 of 6 possible intervals above the limit" in out
    assert "above the limit although possible: 1, by 20000 W" in out
    assert [each["interval_min"] for each in document["runs"]] == [15, 30]


def _found(seed, days, limit_W, interval_s):
    """The import is above the limit in intervals of 15 minutes only."""
    needed_W = np.array([140_000, 140_000, 90_000, 90_000])
    grid_W = np.repeat([120_000 if interval_s == 900 else 100_000, 100_000, 90_000, 90_000], 900)
    hour = hour_of(needed_W, 50_000, 1e6)
    hour.energy_Wh[900:1800] = 0
    found = course.judged(grid_W, hour, LIMIT_W, 900)
    return {"interval_min": interval_s // 60, "days": days, "limit_W": limit_W} | found
