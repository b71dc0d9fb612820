"""Judging a response to the frequency: late, weak, endless, without return; the shapes of cases."""

import numpy as np
import pytest
from in_process import refusal

from controller.core.policies.droop import response_W
from controller.series.refusal import SeriesError
from controller.sites import EXAMPLE, PYLONTECH
from hil.campaigns.frequency import course, shapes
from hil.campaigns.frequency.course import Tick
from hil.engine import coverage
from tests.tables import cases

CURVE, STUCK_S = (36, 2500, 250_000, 100_000), 30
HEAD = "t_s,frequency_Hz\n"


def faults(case, delay_s=0.1, part=1.0, own_W=None, back=0.0, stages=()):
    """What the judge says about a response that is late, or a part of the ideal."""
    times_s = np.round(np.arange(0, case.end_s + case.after_s, 0.02), 2)
    ideal_W = [response_W(round((50 - case.frequency_Hz(t)) * 1000), *CURVE) for t in times_s]
    late = round(delay_s / 0.02)
    own = part * np.array([*[0.0] * late, *ideal_W][: len(times_s)])
    if own_W is not None:
        own = own_W(times_s, own)
    after = times_s > case.end_s
    if after.any():
        own[after] -= back * own.sum() / after.sum()
    ticks = [Tick(*each) for each in zip(times_s, own + 700.0, ideal_W)]
    found = {"stages": list(stages), **course.figures(case, ticks)}
    return course.faults(found, STUCK_S)


DIP = shapes.drawn(1, 1)


@cases("""
    more                            line
    {"delay_s": 0.6}                "0.6 s late"
    {"part": 0.96}                  "96 % of the ideal energy"
    {"part": -1.0}                  "200 % away from the ideal"
    {"stages": ["row 54 at 37 s"]}  "row 54 at 37 s"
""")
def test_a_late_a_weak_and_a_wrong_response_miss_the_promise(more, line):
    assert faults(DIP) == faults(DIP, delay_s=0.5) == []
    assert line in faults(DIP, **more)


def test_a_response_to_a_stuck_frequency_must_end():
    case = shapes.bad()[-1]

    def ends(at_s):
        return lambda t_s, own_W: np.where(t_s < at_s, own_W, 0.0)

    assert faults(case, own_W=ends(70.0)) == []
    assert faults(case, own_W=ends(72.0)) == ["responds for 42 s to a stuck frequency"]


def test_half_of_the_energy_must_come_back():
    case = DIP._replace(after_s=100.0)
    assert faults(case, back=0.6) == []
    assert faults(case, back=0.4) == ["40 % of the energy came back"]


def test_the_made_shape_has_the_size_and_the_times_of_the_recorded_one():
    made = shapes.built_in()
    times_s, off_Hz = np.array(made.times_s), np.array(made.off_Hz)
    lowest, highest = np.argmin(off_Hz), np.argmax(off_Hz)
    assert off_Hz[lowest] == pytest.approx(-0.8) and off_Hz[highest] == pytest.approx(0.5, abs=0.02)
    assert times_s[lowest] - shapes.BEGIN_S == pytest.approx(8.0)
    assert abs(np.interp(78.0, times_s, off_Hz)) < 0.05


def test_a_file_gives_the_same_case(tmp_path):
    path = tmp_path / "f.csv"
    path.write_text(HEAD + "0.0,50.0\n5.0,49.2\n60.0,50.0\n", encoding="ascii")
    case = shapes.of_file(str(path))
    assert case.times_s == (0.0, 5.0, 60.0) and case.off_Hz == pytest.approx((0.0, -0.8, 0.0))
    assert case.frequency_Hz(5.0) == pytest.approx(49.2, abs=0.003)


@pytest.mark.parametrize(
    "text",
    ["t_s,f_Hz\n0,50\n", HEAD, HEAD + "0,50\n0,50\n", HEAD + "0,50\n1,60\n", HEAD + "0,50\n1,\n"],
)
def test_a_file_without_such_a_case_is_refused_in_one_line(tmp_path, text):
    path = tmp_path / "f.csv"
    path.write_text(text, encoding="ascii")
    assert refusal(SeriesError, shapes.of_file, str(path))


def test_the_same_seed_draws_the_same_cases_within_their_ranges():
    drawn = [shapes.drawn(number, 3) for number in range(40)]
    assert (
        drawn
        == [shapes.drawn(number, 3) for number in range(40)]
        != [shapes.drawn(number, 4) for number in range(40)]
    )
    sizes = [max(map(abs, each.off_Hz)) for each in drawn]
    assert min(sizes) >= 0.1 and max(sizes) <= 1.0
    assert {each.off_Hz[2] > 0 for each in drawn} == {True, False}


def test_a_cabinet_in_the_rig_keeps_the_promise():
    config = course.responding(coverage.loaded(EXAMPLE))
    assert course.responding(config) is config
    case = shapes.Case("short", (0.0, 10.0, 11.0, 14.0, 15.0, 18.0), (0, 0, 0.4, -0.4, 0, 0))
    found = course.play(case, course.started(config, 1))
    assert found["faults"] == [] and found["most_W"] == pytest.approx(36_400, rel=0.02)


def test_a_cabinet_without_such_a_meter_is_refused_in_one_line():
    config = coverage.loaded(PYLONTECH)
    with pytest.raises(ValueError, match="meter has a new frequency every 250 ms"):
        course.responding(config)
