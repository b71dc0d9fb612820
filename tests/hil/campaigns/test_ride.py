"""Cases of a ride-through: drawn on the right side of the curve, and judged."""

import numpy as np
import pytest

from controller.audit.ride import Rides
from controller.audit.samples import COMMANDED, FREQUENCY, LOAD, VOLTAGE, Block
from controller.recorder.ticks import STOP
from hil.campaigns.ride import codes, course
from hil.campaigns.ride.codes import CODES, Case, Sag

TICK_S = 0.02
SAG = Sag("voltage", 2.0, 0.4, 0.6)


def rides(case):
    """The sags as the audit, which shares no code with the drawing, finds them."""
    count = round((case.end_s + 3) / TICK_S)
    times_s = np.round(np.arange(count) * TICK_S, 3)
    voltage = np.array([codes.voltage_pu(case.sags, t) for t in times_s])
    frequency = np.array([codes.frequency_Hz(case.sags, CODES[case.code], t) for t in times_s])
    power = np.full(count, 1e6)
    values = {VOLTAGE: voltage, FREQUENCY: frequency, LOAD: power, COMMANDED: np.zeros(count)}
    found = Rides(codes.curve(case.code), TICK_S)
    found.feed(Block(True, times_s, values), power)
    found.close()
    return found.rides


@pytest.mark.parametrize("code", CODES)
def test_the_audit_finds_each_case_on_its_side_of_the_curve(code):
    for number in range(40):
        assert all([each.is_inside for each in rides(codes.drawn(code, number, 7, False))])
        outside = codes.drawn(code, number, 7, True)
        first, *_ = [each for each in rides(outside) if not each.is_inside]
        assert first.begin_s <= outside.outside_s <= first.end_s + TICK_S


def test_the_same_seed_draws_the_same_case_and_sags_come_in_rows():
    drawn = [codes.drawn("caiso", number, 1, False) for number in range(60)]
    assert drawn == [codes.drawn("caiso", number, 1, False) for number in range(60)]
    assert {len(each.sags) for each in drawn} == {1, 2, 3, 5, 20}
    assert {each.load for each in drawn} == {"holds", "falls", "leaves"}


def ticks(grid_W, acts=lambda t_s: 0, battery_W=lambda t_s: 0.0, load_W=lambda t_s: 90e3):
    times_s = [round(at * TICK_S, 3) for at in range(1, 250)]
    return [
        course.Tick(
            t, grid_W(t), battery_W(t), acts(t), (codes.voltage_pu([SAG], t), 60.0), load_W(t)
        )
        for t in times_s
    ]


def judged(found_ticks, outside_s=None, stages=()):
    case = Case("ercot", 1, (SAG,), "holds", 0, (0.0, 2.0), outside_s)
    found = {"stages": stages, **course.figures(case, found_ticks)}
    return found, course.faults(case, found)


@pytest.mark.parametrize(
    "back_s, faults", [(2.4, []), (2.88, []), (2.94, ["power not back"])], ids=str
)
def test_the_import_has_half_a_second_to_come_back(back_s, faults):
    found, broken = judged(ticks(lambda t_s: 89e3 if 2.0 <= t_s < back_s else 100e3))
    assert broken == faults and found["apart_pu"] == 0
    assert found["back_s"] == pytest.approx(max(0.0, back_s - 2.4), abs=0.021)


def wave_W(t_s):
    return 100e3 * (1 + 0.2 * np.sin(2 * np.pi * t_s / 4))


@pytest.mark.parametrize(
    "grid_W, is_wave, faults",
    [
        (wave_W, True, []),
        (lambda t_s: wave_W(t_s) - 12e3 * (t_s > 2.4), True, ["power not back"]),
        (lambda t_s: 100e3 - 12e3 * (t_s > 2.4), False, ["power not back"]),
        (lambda t_s: 100e3 + 0.4 * (wave_W(t_s) - 100e3), False, ["power not back"]),
    ],
    ids=("follows", "less", "hidden", "half"),
)
def test_a_wave_that_was_on_the_grid_before_may_be_there_after(grid_W, is_wave, faults):
    """The load's crest is before the sag, its trough after it."""
    found, broken = judged(ticks(grid_W, load_W=wave_W))
    assert (found["is_wave"], broken) == (is_wave, faults)


def test_a_stop_inside_the_curve_is_a_fault():
    found, broken = judged(ticks(lambda t_s: 100e3, lambda t_s: STOP * (2.1 <= t_s < 2.2)))
    assert broken == ["stop"] and found["acts"] == {"stop": 0.1}


@pytest.mark.parametrize(
    "until_s, stages, faults",
    [
        (2.2, [("59d", 2.4)], []),
        (2.9, [("59d", 2.4)], ["power outside the curve"]),
        (2.0, [("59d", 2.8)], ["row 59 silent"]),
        (2.0, [], ["row 59 silent"]),
    ],
    ids=("stopped", "gives on", "late", "silent"),
)
def test_outside_the_converter_stops_and_row_59_reports_it(until_s, stages, faults):
    given = ticks(lambda t_s: 100e3, battery_W=lambda t_s: 50e3 * (t_s < until_s))
    assert judged(given, 2.1, stages)[1] == faults
