"""The chain from request to set-point: what can never happen, and the trace that explains it."""

from itertools import permutations

import pytest
from hypothesis import given, strategies as st

from controller.core.base import answers, reasons, setpoint
from tests.tables import cases

WIDE_W = answers.WIDE_W
# most integers of a wide range are drawn small
BEYOND_W = [sign * each for sign in (1, -1) for each in (WIDE_W, WIDE_W + 1, 2 * WIDE_W)]
POWER_W = st.sampled_from(BEYOND_W) | st.integers(-2 * WIDE_W, 2 * WIDE_W)
BOUND = st.tuples(POWER_W, st.integers(200, 220), POWER_W, st.integers(200, 220))
END_W = st.integers(-WIDE_W, WIDE_W)
OBLIGATION = st.tuples(END_W, END_W).map(sorted)
OBLIGATIONS = st.dictionaries(st.integers(0, 3), OBLIGATION)


def chain(caps=(), limits=(), obligations=None, ramp_W_per_s=1_000_000_000):
    result = setpoint.Chain(max(1, ramp_W_per_s // 50))
    for bound in caps:
        result.take(answers.Cap(*bound))
    for bound in limits:
        result.take(answers.Limit(*bound))
    for rank, (low_W, high_W) in (obligations or {}).items():
        reason = 310 + 2 * rank
        result.take(answers.Obligation((rank, ""), low_W, reason, high_W, reason + 1))
    return result


def finish(chain, base_W, elapsed_ticks=1, fast_W=0):
    chain.take(answers.BaseRequest(base_W, 103))
    chain.take(answers.FastRequest(fast_W, 102))
    return chain.finish(elapsed_ticks)


def decide(caps=(), limits=(), obligations=None, request_W=0, fast_W=0, **more):
    result = chain(caps, limits, obligations, **more)
    result.available()
    power_W = finish(result, request_W, 1000, fast_W)
    return power_W, dict(zip(setpoint.CHAIN_OUTPUTS, result.out))


def kW(charge, discharge, reason=217):
    return charge * 1000, reason - 1, discharge * 1000, reason


@given(st.lists(BOUND, max_size=6), st.lists(BOUND, max_size=6), OBLIGATIONS, POWER_W, POWER_W)
def test_the_set_point_is_inside_every_limit(caps, limits, obligations, request_W, fast_W):
    power_W, trace = decide(caps, limits, obligations, request_W, fast_W)
    for charge_W, _, discharge_W, _ in limits:
        assert -max(0, charge_W) <= power_W <= max(0, discharge_W)
    assert trace["limits_low_W"] <= 0 <= trace["limits_high_W"]
    assert trace["available_low_W"] <= power_W <= trace["available_high_W"]
    assert trace["setpoint_W"] == power_W
    assert (trace["request_base_reason"], trace["request_fast_reason"]) == (103, 102)
    for name, asked_W in (("base", request_W), ("fast", fast_W)):
        assert trace[f"request_{name}_W"] == max(-WIDE_W, min(WIDE_W, asked_W))


@given(st.lists(BOUND, max_size=5), BOUND)
def test_one_more_bound_never_widens(bounds, another):
    before, after = answers.PowerInterval(), answers.PowerInterval()
    for bound in bounds:
        before.narrow(*bound)
        after.narrow(*bound)
    after.narrow(*another)
    assert before.low_W <= after.low_W <= 0 <= after.high_W <= before.high_W


@given(st.lists(BOUND, max_size=4), POWER_W)
def test_the_order_of_limits_does_not_matter_not_even_to_the_reason(limits, request_W):
    traces = [decide(limits=order, request_W=request_W)[1] for order in permutations(limits)]
    assert all(trace == traces[0] for trace in traces)


@given(st.lists(BOUND, max_size=4), BOUND, st.lists(BOUND, max_size=4), POWER_W)
def test_one_more_cap_never_gives_more_power(caps, another, limits, request_W):
    """No obligations (victronenergy/dynamic-ess 78, evcc-io/evcc 31299)."""
    before_W, _ = decide(caps, limits, request_W=request_W)
    after_W, _ = decide([*caps, another], limits, request_W=request_W)
    assert abs(after_W) <= abs(before_W)
    assert after_W * before_W >= 0


@given(OBLIGATIONS, POWER_W)
def test_the_highest_rank_has_the_last_word(obligations, request_W):
    power_W, trace = decide(obligations=obligations, request_W=request_W)
    if obligations:
        low_W, high_W = (max(-WIDE_W, min(WIDE_W, end)) for end in obligations[max(obligations)])
        assert low_W <= power_W <= high_W
    assert power_W == trace["obligation_W"]


@given(st.lists(BOUND, min_size=1, max_size=4), OBLIGATION, POWER_W)
def test_an_obligation_never_beats_a_limit_and_says_what_is_short(limits, obligation, request_W):
    power_W, trace = decide(limits=limits, obligations={3: obligation}, request_W=request_W)
    low_W, high_W = (max(-WIDE_W, min(WIDE_W, end)) for end in obligation)
    missing_W = max(low_W - power_W, power_W - high_W, 0)
    assert trace["obligation_short_W"] == min(missing_W, WIDE_W)
    if not missing_W:
        assert trace["obligation_short_reason"] == reasons.NONE
    else:
        assert trace["obligation_short_reason"] == (316 if power_W < low_W else 317)
        assert power_W in (trace["limits_low_W"], trace["limits_high_W"])


@given(st.lists(BOUND, max_size=3), st.lists(BOUND, max_size=3), OBLIGATIONS)
def test_what_is_said_to_be_available_is_what_a_request_can_reach(caps, limits, obligations):
    """EVerest 1075, 2170: the enforced limit is reported; OpenEMS 1921: not the nominal one."""
    low_W, high_W = chain(caps, limits, obligations).available()
    assert decide(caps, limits, obligations, -WIDE_W)[0] == low_W
    assert decide(caps, limits, obligations, WIDE_W)[0] == high_W


@given(st.lists(BOUND, max_size=3), st.lists(BOUND, max_size=3), OBLIGATIONS, POWER_W)
def test_a_stage_names_a_reason_exactly_when_it_moved_the_power(
    caps, limits, obligations, request_W
):
    power_W, trace = decide(caps, limits, obligations, request_W, ramp_W_per_s=1000)
    steps = (
        ("request_W", "after_caps_W", "caps_reason"),
        ("after_caps_W", "after_ramp_W", "ramp_reason"),
        ("after_ramp_W", "obligation_W", "obligation_reason"),
        ("obligation_W", "setpoint_W", "limit_reason"),
    )
    for before, after, reason in steps:
        assert (trace[before] != trace[after]) == (trace[reason] != reasons.NONE), reason
    if power_W != trace["request_W"]:
        assert trace["binding_reason"] != reasons.NONE
    assert trace["held_back_W"] == max(-WIDE_W, min(WIDE_W, trace["request_W"] - power_W))


@pytest.mark.parametrize(
    "request_W, power_W", ((3000, 3000), (-2000, -2000), (9000, 5000), (-9000, -4000))
)
def test_signs_and_the_place_of_the_clamp(request_W, power_W):
    """OpenEMS/openems 3573: clamped after the subtraction, 3 kW of discharge became -2 kW."""
    base_W = -5000
    assert decide(limits=[kW(4, 5)], request_W=base_W, fast_W=request_W - base_W)[0] == power_W


def test_a_limit_that_falls_acts_in_the_same_tick_whatever_the_ramp():
    """EVerest 1223: a lower capability acted only at the next tick. A stop ignores every ramp."""
    unit = chain(limits=[kW(250, 250)], ramp_W_per_s=1_000_000_000)
    assert finish(unit, 200_000, 1) == 200_000
    unit.begin()
    unit.limits.narrow(0, 230, 0, 231)
    assert finish(unit, 200_000, 1) == 0
    assert unit.out[setpoint.O_BINDING_REASON] == 231


@pytest.mark.parametrize("elapsed, power_W", ((1, 200), (3, 600), (1000, 90_000)))
def test_the_ramp_counts_elapsed_ticks_from_the_set_point_in_force(elapsed, power_W):
    unit = chain(ramp_W_per_s=10_000)
    assert finish(unit, 90_000, elapsed) == power_W
    assert unit.out[setpoint.O_RAMP_REASON] == (reasons.SETPOINT_RAMP if power_W < 90_000 else 0)
    assert finish(unit, 90_000, 1) == min(power_W + 200, 90_000)


def connected(connection_W, import_W, export_W, quantum_W=100):
    unit = chain()
    imported, exported = (import_W, IMPORT), (export_W, EXPORT)
    unit.take(answers.grid_obligation((0, ""), connection_W, imported, exported, quantum_W))
    return unit


IMPORT, EXPORT = reasons.GRID_IMPORT, reasons.GRID_EXPORT


@cases("""
    connection_W  import_W  export_W  request_W  power_W  reason
    620_000  500_000  0  0        120_000  IMPORT  # peak: the battery gives what is missing
    620_050  500_000  0  0        120_100  IMPORT  # whole quanta, on the obeying side
    620_000  500_000  0  150_000  150_000  reasons.NONE
    450_000  500_000  0  -90_000  -50_000  IMPORT  # grid charging too (evcc 24863, 24567)
    40_000   500_000  0  90_000   40_000   EXPORT
    40_070   500_000  0  90_000   40_000   EXPORT
    -30_000  500_000  0  0        -30_000  EXPORT  # PV: the battery takes what is too much
    50  0  0  0  50  IMPORT | 50  30  30  0  20  IMPORT  # closer than a quantum: to the watt
""")
def test_the_connection_keeps_its_limits(
    connection_W, import_W, export_W, request_W, power_W, reason
):
    unit = connected(connection_W, import_W, export_W)
    assert finish(unit, request_W, 1000) == power_W
    assert unit.out[setpoint.O_OBLIGATION_REASON] == reason


MOST_W = st.integers(0, 10**8)


@given(st.integers(-(10**9), 10**9), MOST_W, MOST_W, st.integers(1, 10_000), POWER_W)
def test_the_connection_is_never_passed_while_the_battery_can(
    connection_W, import_W, export_W, quantum_W, request_W
):
    unit = connected(connection_W, import_W, export_W, quantum_W)
    power_W = finish(unit, request_W, 10**6)
    assert unit.out[setpoint.O_OBLIGATION_SHORT_W] == 0
    if abs(connection_W) + 10**8 <= WIDE_W:
        assert -export_W <= connection_W - power_W <= import_W


def test_a_lower_rank_yields_and_the_highest_that_is_short_is_reported():
    power_W, trace = decide(obligations={0: (-90_000, -40_000), 3: (10_000, 20_000)})
    assert (power_W, trace["obligation_reason"]) == (10_000, 316)
    assert (trace["obligation_short_W"], trace["obligation_short_reason"]) == (50_000, 311)
    obligations = {1: (90_000, 90_000), 2: (70_000, 80_000)}
    power_W, trace = decide(limits=[kW(5, 5)], obligations=obligations)
    assert power_W == 5000
    assert (trace["obligation_short_W"], trace["obligation_short_reason"]) == (65_000, 314)
    assert trace["binding_reason"] == trace["limit_reason"] == 217  # the limit had the last word


def test_the_ramp_begins_at_what_was_sent_not_at_what_was_asked():
    unit = chain(limits=[kW(5, 5)], ramp_W_per_s=1_000_000)
    finish(unit, 200_000, 1)
    unit.begin()
    assert finish(unit, 200_000, 1) == 5000 + 20_000


def test_the_outputs_and_their_indexes_agree():
    names = [name for name in dir(setpoint) if name.startswith("O_")]
    assert len(names) == len(setpoint.CHAIN_OUTPUTS)
    for name in names:
        assert setpoint.CHAIN_OUTPUTS[getattr(setpoint, name)].lower() == name[2:].lower()


@cases("""off_W  short
    0  (0, 0) | 30_000  (30_000, 312) | -40_000  (0, 0) | -90_000  (30_000, 313)""")
def test_what_the_meter_shows_beyond_the_model_is_short_too(off_W, short):
    """The set-point is 60 kW, between 60 and 120 kW are obliged."""
    unit = chain(obligations={1: (60_000, 120_000)})
    unit.meter_off_W = off_W
    assert finish(unit, 0, 10**6) == 60_000
    trace = dict(zip(setpoint.CHAIN_OUTPUTS, unit.out))
    assert (trace["obligation_short_W"], trace["obligation_short_reason"]) == short


def test_power_that_an_obligation_adds_is_outside_the_ramp_and_the_available_power():
    """A ramp from the whole set-point would add the response again in each tick."""
    result = setpoint.Chain(100)
    for high_W, found in ((9000, (5000, 5000)), (4000, (4000, 4000)), (9000, (5000, 5000))):
        result.begin()
        result.take(answers.Limit(9000, 212, 9000, 213))
        result.take(answers.Obligation((35, ""), -3000, 326, 12_000, 326, 5000))
        result.take(answers.Obligation((40, ""), -WIDE_W, 301, high_W, 302))
        assert result.available() == (-8000, min(7000, high_W))
        assert (finish(result, 0), result.state[1]) == found
    assert finish(result, 300) == 5100 and result.out[setpoint.O_HELD_BACK_W] == 200
