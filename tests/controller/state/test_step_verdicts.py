"""Verdicts, figures and refusals of the steps in TEST mode, of made-up ticks."""

from array import array
from itertools import pairwise

import pytest

from controller.config import configuration
from controller.console import step_words
from controller.core.base import reasons
from controller.sites import EXAMPLE
from controller.state import sign_verdicts as signs, step_response, step_session as sessions
from controller.state.step_samples import AC, DC, GRID, LOAD, Sample, Samples, place_of
from safety import signals as s
from tests.tables import cases

CONFIG = configuration.load(EXAMPLE)
ROLES = [device.role for device in CONFIG.devices]
PLACE = place_of(CONFIG.safety_image, CONFIG.control_image, 0, ROLES, 0)
PHASES = [(0, 1000), (1000, 3000), (3000, 5000), (5000, 7000), (7000, 9000)]
POWERS_W = 0, -12_500, 12_500, -12_500, 12_500
RACKS = "rack 1", "rack 2", "rack 3"
# share of the set-point that each point shows
RIGHT = {AC: 1, DC: 1, **dict.fromkeys(RACKS, 1 / 3), GRID: -1, LOAD: 0}
TURNED = {name: -share for name, share in RIGHT.items()}
TURNED_RACKS = dict.fromkeys(RACKS, -1 / 3)


def samples(shares=RIGHT, noise_W=0, step_ms=20, response=lambda ms: 1.0, powers_W=POWERS_W):
    """Samples of five phases. response: part of a step after so many ms."""
    made, before_W = Samples(PLACE), 0
    for (begin_ms, end_ms), power_W in zip(PHASES, powers_W, strict=True):
        made.sent.append(Sample(begin_ms, power_W))
        for at_ms in range(begin_ms + step_ms, end_ms + 1, step_ms):
            made.setpoints.append(Sample(at_ms, power_W))
            shown_W = before_W + (power_W - before_W) * response(at_ms - begin_ms)
            for number, (point, share) in enumerate(shares.items()):
                # another value in each phase: a load that changes, not noise that a mean removes
                off_W = noise_W * ((begin_ms // 1000 * 7 + number) % 5 - 2)
                made.points[point].append(Sample(at_ms, shown_W * share + off_W))
        before_W = power_W
    return made


def verdicts(made, meter_result=None):
    found = signs.facts(made, PHASES, meter_result)
    return found, {each["point"]: each["verdict"] for each in found["points"]}


@cases("""
    changed  point  verdict  result
    {}  AC  "agrees"  "passed"
    {AC: -1}  AC  "opposite"  "failed"
    {AC: 0.1}  AC  "nothing moved"  "failed"
    {GRID: -1 / 3}  GRID  "wrong size"  "failed"
    {GRID: 1}  GRID  "opposite"  "failed"
    {GRID: 0}  GRID  "nothing moved"  "failed"
    {"rack 2": -1 / 3}  "rack 2"  "opposite"  "failed"
    {"rack 2": 0.05}  "rack 2"  "nothing moved"  "failed"
    {"rack 2": 0.5, "rack 3": 0.15}  "rack 3"  "agrees"  "passed"
    {LOAD: -1}  LOAD  "moves with the battery"  "failed"
    {LOAD: 0.3}  LOAD  "too little to tell"  "passed"
""")
def test_a_verdict_of_each_share(changed, point, verdict, result):
    found, every = verdicts(samples({**RIGHT, **changed}))
    assert (every[point], found["result"]) == (verdict, result)
    assert [name for name in every if every[name] not in signs.GOOD] in ([], [point])


def test_what_is_too_restless_is_not_decided_and_the_meters_own_test_helps():
    restless = samples(noise_W=6000)
    assert verdicts(restless)[0]["result"] == "not decided"
    quiet = {name: points for name, points in samples().points.items() if name != GRID}
    restless.points.update(quiet)
    assert verdicts(restless)[1][GRID] == "too little to tell"
    assert verdicts(restless, 0)[0]["result"] == "passed"
    found, every = verdicts(restless, 3)
    assert (every[GRID], found["result"]) == ("opposite", "failed")
    assert verdicts(restless, 2)[0]["result"] == "not decided", "undecided decides nothing"
    assert verdicts(samples(), 3)[1][GRID] == "opposite", "a reversed meter may seem right here"


def test_steps_that_limits_hold_at_zero_decide_nothing_and_a_silent_device_fails():
    held = samples(powers_W=(0, 0, 0, 0, 0))
    found, every = verdicts(held)
    assert set(every.values()) == {"too little to tell"} and found["result"] == "not decided"
    silent = samples()
    silent.points["rack 2"].clear()
    assert verdicts(silent)[1]["rack 2"] == "no value" and verdicts(silent)[0]["result"] == "failed"


@cases("""
    changed  words
    {}  ""
    TURNED  step_words.CONVERTER
    dict.fromkeys(RIGHT, 0)  step_words.REMOTE
    {"rack 1": -1}  step_words.BATTERY
    TURNED_RACKS  step_words.BATTERY
    {GRID: 1}  step_words.METER
    {AC: -1, DC: -1}  step_words.READINGS
    {**TURNED, GRID: -1}  f"{step_words.METER} {step_words.CONVERTER}"
    {**TURNED_RACKS, GRID: 1}  f"{step_words.READINGS} {step_words.CONVERTER}"
    {AC: -1, DC: -1, GRID: 1}  f"{step_words.BATTERY} {step_words.CONVERTER}"
    {**TURNED_RACKS, GRID: 0}  step_words.NO_METER
    {**TURNED, GRID: 0}  step_words.CONVERTER
    {AC: -1, DC: -1, "rack 1": -1}  step_words.HALF
    {DC: -1}  step_words.HALF
    {LOAD: -1, GRID: 0}  step_words.LOAD_MOVES
""")
def test_the_likely_cause_is_named(changed, words):
    found, _ = verdicts(samples({**RIGHT, **changed}))
    assert step_words.diagnosis(found) == words
    assert len(step_words.remark(found)) <= 160


def ramp(dead_ms, rise_ms):
    return lambda ms: min(1.0, max(0.0, (ms - dead_ms) / rise_ms))


@pytest.mark.parametrize("dead_ms, rise_ms", [(300, 500), (60, 1), (800, 180)])
def test_dead_time_and_ramp_lie_within_their_uncertainty(dead_ms, rise_ms):
    made = samples(step_ms=100, response=ramp(dead_ms, rise_ms))
    point = step_response.facts(made, PHASES, 20)["points"][0]
    assert (point["steps"], point["refresh_ms"], point["step_W"]) == (4, 100, 25_000)
    dead, rise = point["dead_time_ms"], point["ramp_ms"]
    assert abs(dead["value"] - dead_ms) <= dead["uncertainty"] <= 90
    assert abs(rise["value"] - 10 * rise_ms) <= rise["uncertainty"] <= 2000
    slews = point["slew_W_per_s_min"], point["slew_W_per_s_max"] or 1e9
    assert slews[0] <= 25_000 / rise_ms * 1000 <= slews[1] and (rise_ms > 180) == (slews[1] < 1e9)


def test_gain_and_overshoot():
    made = samples({**RIGHT, AC: 0.9}, response=lambda ms: 1.2 if ms <= 200 else 1.0)
    point, grid = step_response.facts(made, PHASES, 20)["points"]
    assert point["gain"] == {"value": 0.9, "uncertainty": 0} and grid["gain"]["value"] == 1
    assert abs(point["overshoot_pct"]["value"] - 20) < 1


def test_a_quarter_of_the_steps_may_disagree():
    assert step_response._time([(0, 10), (0, 10), (0, 10), (50, 60)], 20) == (5, 25)


@cases("""
    made  why
    samples({**RIGHT, AC: 0.1})  step_response.SLACK
    samples(powers_W=(0, -100, 100, -100, 100))  step_response.BELOW
    samples(powers_W=(0, 0, 0, 0, 0))  step_response.FEW
    samples(powers_W=(0, 0, 0, -12_500, 12_500))  step_response.FEW
    samples(response=lambda ms: 1 + 0.4 * (ms // 20 % 2))  step_response.NOISY
""")
def test_too_little_to_tell(made, why):
    assert step_response.facts(made, PHASES, 20)["points"][0]["too_little"] == why


INPUTS, OUTPUTS = array("i", bytes(4 * 4000)), array("i", bytes(4 * 4000))
METER_AT, MODE_AT = 3000, 3002


def ticked(state, is_test=1, mode=reasons.MODE_GRID, testing=0, made=None, key=1):
    made = made or sessions.Session([PLACE], (-1, 1), 1000, METER_AT, MODE_AT)
    inp, out = INPUTS[:], OUTPUTS[:]
    inp[s.TEST_REQUEST], inp[s.KEY_RUN_OK], out[s.STATE] = is_test, key, state
    out[MODE_AT], out[METER_AT] = mode, testing
    return made, made.take(inp, out, bytes(4000), 20)


@cases("""
    given  ended  waits
    (s.TRIPPED,)  sessions.TRIPPED  sessions.WAITS
    (s.RUNNING, 0)  sessions.NO_TEST  sessions.WAITS
    (s.RUNNING, 1, reasons.MODE_ISLAND)  sessions.ISLAND  sessions.WAITS
    (s.CLOSING,)  ""  sessions.WAITS_RUN
    (s.RUNNING, 1, reasons.MODE_GRID, 1)  ""  sessions.WAITS_METER
""")
def test_no_step_is_asked_for_too_early(given, ended, waits):
    made, ask = ticked(*given)
    assert (made.ended, made.waits, ask) == (ended, waits, None) and not made.samples


def test_the_steps_in_turn_and_their_end():
    made, ask = ticked(s.RUNNING)
    asked = [ask]
    while not made.ended:
        asked.append(ticked(s.RUNNING, made=made)[1])
    powers_W = [ask[1] for ask in asked if ask]
    assert powers_W == [0, -12_500, 12_500, 0] and made.ended == sessions.DONE
    assert all(begin[1] == end[0] for begin, end in pairwise(made.phases[0]))
    assert [end - begin for begin, end in made.phases[0]] == [1000, 1020, 1040]
    assert made.meter_result is None, "the meter has made no test"
    made, _ = ticked(s.RUNNING)
    assert ticked(s.STOPPING, made=made)[0].ended == sessions.OVER and made.whole(0) == []
    made, _ = ticked(s.RUNNING)
    assert ticked(s.INHIBITED, made=made)[0].ended == sessions.STOPPED
    made, _ = ticked(s.RUNNING)
    assert ticked(s.TRIPPED, made=made, key=0)[0].ended == sessions.KEY
    assert ticked(s.TRIPPED, key=0)[0].ended == sessions.TRIPPED, "before the first step"


def test_a_figure_that_does_not_fit_is_named_and_one_below_its_uncertainty_is_not_pasted():
    figure = {"value": 300.0, "uncertainty": 20.0}
    small = {"value": 100.0, "uncertainty": 150.0}
    point = {"point": AC, "steps": 8, "refresh_ms": 100, "too_little": "", "step_W": 25_000}
    point |= {"dead_time_ms": figure, "ramp_ms": small, "gain": figure, "overshoot_pct": small}
    point |= {"slew_W_per_s_min": 9, "slew_W_per_s_max": None}
    stated = {"dead_time_ms": 60, "ramp_ms": 90}
    made = {"unit": 1, "rated_W": 250_000, "points": [point], "held_by": [], "stated": stated}
    text = "\n".join(step_words.step_lines(made))
    assert "dead_time_ms  300 +- 20 ms; profile: 60, DOES NOT FIT" in text
    assert "profile: 90, fits" in text and "slew          9 W/s or more" in text
    assert "    dead_time_ms = 300  # measured +- 20, 8 steps" in text
    assert "    # ramp_ms: at most 250; 5 % of the rating shows no more" in text
