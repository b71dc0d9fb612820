"""Requests by hint: whose is the base of the chain, how fast it moves, how much energy it takes."""

import itertools

import pytest
from hypothesis import given, settings, strategies as st
from test_hint_table import slots, source
from views import Tick, setup

from controller.core.base import hint_codes as codes, reasons
from controller.core.policies import hint_outputs as o, hint_request as r, hint_table as t

TICK_MS = 20
WIDE_W = 10**9


class Bench:
    """A table and its requests; hints: (source, power_W, valid_s); tick: the base request, W."""

    def __init__(self, *known, tick_ms=TICK_MS):
        made = setup(tick_ms, known=known)
        self.table = made.functions[t.HintTable.NAME] = t.HintTable(made)
        self.requests = r.HintRequest(made)
        self.low_W, self.high_W = -WIDE_W, WIDE_W
        self.reason = None

    def tick(self, *hints, ticks=1, elapsed=1):
        for _ in range(ticks):
            words = [
                (index, codes.REQUEST, codes.POWER_W, power_W, round(valid_s * 1000))
                for index, power_W, valid_s in hints
            ]
            known = Tick(hints=(slots(*words), 0), setpoint_W=0)
            known.low_W, known.high_W = self.low_W, self.high_W
            before_W = self.effective_W
            self.table.step(known, known, elapsed)
            answers = self.requests.step(known, known, elapsed)
            (base_W, self.reason) = answers[0] if answers else (0, reasons.NONE)
            # what it leaves to load tracking
            assert known.is_requested == (self.control > 0) and known.left_setpoint_W == -before_W
            assert self.low_W - known.left_low_W == self.effective_W
            assert self.high_W - known.left_high_W == self.effective_W
            hints = ()
        return base_W

    def after(self, *hints, **more):
        base_W = self.tick(*hints, **more)
        return base_W, self.reason, self.control

    @property
    def control(self):
        return self.table.out[o.O_CONTROL_SOURCE]

    def state(self, index=0):
        return o.STATES[self.table.out[o.output_at(index, codes.POWER_W, o.F_STATE)]]

    @property
    def effective_W(self):
        return self.requests.state.effective_W


FAST = {"role": "request", "ramp": 10**9}
SLOW = {"role": "request", "ramp": 50_000}  # 1000 W a tick
NOTHING = 0, reasons.NONE, 0


def test_off_the_grid_a_request_waits_its_energy_drains_and_it_ramps_anew():
    bench = Bench(source(**SLOW, energy_Wh=20_000))
    assert bench.tick((0, 40_000, 100), ticks=50) == 40_000
    level, known = bench.requests.state[r.LEVEL], Tick()
    bench.requests.hold(known, known, 1)
    assert (known.is_requested, bench.control, bench.effective_W) == (False, 0, 0)
    assert bench.requests.state[r.LEVEL] < level
    assert bench.after() == (1000, reasons.HINT, 1)


@pytest.mark.parametrize("power_W", [0, -1, 40_000, -40_000])
def test_a_request_is_the_base_while_it_is_valid(power_W):
    bench = Bench(source(**FAST))
    assert bench.after() == NOTHING
    assert bench.after((0, power_W, 1)) == (power_W, reasons.HINT, 1)
    told = [bench.table.out[o.output_at(0, codes.POWER_W, field)] for field in range(3)]
    assert told == [power_W, 1, o.VALID]
    assert bench.after(ticks=49) == (power_W, reasons.HINT, 1)
    assert bench.after() == NOTHING and bench.state() == "none"


def test_the_best_priority_acts_an_operator_before_it_and_a_cap_never():
    bench = Bench(source(role="cap", priority=0))
    assert bench.after((0, 40_000, 1)) == NOTHING and bench.state() == "none"
    bench = Bench(*[source(at, priority=rank, **FAST) for at, rank in enumerate((3, 1, 2))])
    assert bench.after((0, 1000, 9), (2, 2000, 2)) == (2000, reasons.HINT, 3)
    assert bench.after((1, 3000, 1)) == (3000, reasons.HINT, 2)
    assert bench.after(ticks=50) == (2000, reasons.HINT, 3)
    assert bench.after(ticks=50) == (1000, reasons.HINT, 1)
    bench = Bench(source(0, priority=1, **FAST), source(1, "operator", 8, ramp=10**9))
    assert bench.after((0, 1000, 9)) == (1000, reasons.HINT, 1)
    assert bench.after((1, 5000, 9)) == (5000, reasons.OPERATOR, 2)


def test_it_comes_and_goes_at_the_ramp_of_its_source():
    bench = Bench(source(**SLOW))
    assert [bench.tick((0, 3500, 1))] + [bench.tick() for _ in range(3)] == [1000, 2000, 3000, 3500]
    bench.tick(ticks=46)
    for power_W in (2500, 1500, 500):
        assert bench.after() == (power_W, reasons.REQUEST_ENDED, 0)
    assert bench.after() == NOTHING
    assert bench.tick((0, 90_000, 60), elapsed=7) == 7000


def test_behind_a_limit_the_whole_request_is_reported_and_nothing_winds_up():
    bench = Bench(source(**SLOW))
    bench.high_W = 2500
    rest = [90_000, 90_000]
    assert [bench.tick((0, 90_000, 60))] + [bench.tick() for _ in range(3)] == [1000, 2000, *rest]
    assert bench.effective_W == 2500
    bench.high_W = 200_000
    # the limit opens: on from the power in effect, at the ramp
    assert [bench.tick(), bench.tick()] == [3500, 4500]
    assert bench.tick((0, -90_000, 60)) == 3500
    bench.high_W = 1200
    # on its way, and beyond the limit anyway
    assert bench.tick() == 2500 and bench.effective_W == 1200


def test_an_obligation_is_no_request():
    """Power below the lowest available power is neither counted nor held at the end."""
    bench = Bench(source(**SLOW))
    bench.low_W, bench.high_W = 30_000, 90_000
    assert bench.tick((0, 1500, 0.04)) == 1000 and bench.effective_W == 1000
    assert [bench.tick(), bench.tick(), bench.tick()] == [1500, 500, 0]


POWER_W = st.integers(-300_000, 300_000)
ENDS = st.integers(-300_000, 0), st.integers(0, 300_000)
HINT = st.integers(0, 1), st.none() | POWER_W, st.integers(1, 5)
STEP = st.tuples(*HINT, *ENDS, st.integers(1, 60))


@given(st.lists(STEP, min_size=1, max_size=15), *[st.integers(100, 10**6)] * 2)
def test_the_part_in_effect_keeps_to_the_ramp_and_to_available_power(steps, ramp, other):
    bench = Bench(
        source(0, "request", ramp=ramp, energy_Wh=10**8),
        source(1, "operator", 2, ramp=other, energy_Wh=10**8),
    )
    for index, power_W, valid_s, low_W, high_W, ticks in steps:
        bench.low_W, bench.high_W = low_W, high_W
        hints = [] if power_W is None else [(index, power_W, valid_s)]
        for _ in range(ticks):
            before_W, owner = bench.effective_W, bench.requests.state.owner
            base_W, hints = bench.tick(*hints), []
            ramps = [each for at, each in ((1, ramp), (2, other)) if at in (owner, bench.control)]
            step_W = max(ramps, default=0) // 50
            assert low_W <= bench.effective_W <= high_W
            assert max(low_W, min(high_W, base_W)) == bench.effective_W
            assert abs(bench.effective_W) <= max(abs(before_W) + step_W, step_W)


@pytest.mark.parametrize("power_W", [200_000, -200_000])
def test_beyond_its_energy_a_request_rests_and_goes_on_when_a_quarter_is_free(power_W):
    bench, hint = Bench(source(energy_Wh=100_000, **FAST), tick_ms=1000), (0, power_W, 300)
    bench.tick(hint)
    seconds = rested = 0
    while bench.state() == "valid":
        bench.tick(hint)
        seconds += 1
    assert 1190 < seconds <= 1200  # half of 100 kWh at 200 kW less the 50 kW that drain
    assert (bench.control, bench.reason, bench.effective_W) == (0, reasons.REQUEST_RESTS, 0)
    while bench.state() == "resting":
        assert bench.tick(hint) in (0, power_W)
        rested += 1
    assert 890 < rested < 910  # a quarter of 50 kWh at 50 kW
    assert bench.control == 1 and bench.reason == reasons.HINT


def test_a_request_that_rests_leaves_the_field_to_the_next_one_and_expires():
    bench = Bench(source(0, energy_Wh=0, **FAST), source(1, priority=2, **FAST))
    assert bench.after((0, 9000, 60)) == (0, reasons.REQUEST_RESTS, 0)
    assert bench.state() == "resting"
    assert bench.tick((1, 5000, 60)) == 5000 and bench.control == 2
    assert bench.tick((0, 9000, 60), ticks=50) == 5000 and bench.state(0) == "resting"
    bench = Bench(source(energy_Wh=0, **FAST))
    bench.tick((0, 9000, 1), ticks=50)
    assert bench.state() == "resting" and bench.tick() == 0
    assert bench.state() == "none" and bench.reason == reasons.NONE


def test_energy_is_counted_for_the_source_in_control_alone():
    small = source(0, priority=2, energy_Wh=10, **FAST)
    bench = Bench(small, source(1, priority=1, energy_Wh=10**6, **FAST), tick_ms=1000)
    bench.tick((0, 1000, 300), (1, 100_000, 300), ticks=100)
    assert bench.control == 2 and bench.state(0) == bench.state(1) == "valid"
    assert list(bench.requests.state[r.LEVEL :]) == [0, 0]
    bench.tick((1, 600_000, 300), ticks=10)
    assert list(bench.requests.state[r.LEVEL :]) == [0, 9 * 1000 * 100_000]


def test_what_a_source_used_drains_also_when_another_was_the_last_in_control():
    bench = Bench(*[source(at, energy_Wh=100_000, **FAST) for at in range(2)], tick_ms=1000)
    bench.tick((0, 200_000, 60), ticks=60)
    bench.tick((1, 51_000, 5), ticks=10)
    levels = [list(bench.tick(ticks=900) or bench.requests.state[r.LEVEL :]) for _ in range(2)]
    assert levels == [[0, 0], [0, 0]]


def test_only_what_limits_leave_counts():
    bench = Bench(source(energy_Wh=100_000, **FAST), tick_ms=1000)
    bench.high_W = 40_000  # less than the drain
    for _ in range(7200):
        bench.tick((0, 10**8, 300))
    assert bench.state() == "valid" and bench.requests.state[r.LEVEL] == 0


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.none() | POWER_W, st.integers(1, 900)), min_size=1, max_size=12),
    st.integers(0, 200_000),
    st.integers(100, 10**6),
)
def test_no_hour_sees_more_than_its_energy(steps, energy_Wh, ramp):
    bench = Bench(source(role="request", energy_Wh=energy_Wh, ramp=ramp), tick_ms=5000)
    moved_Ws = []
    for power_W, ticks in steps:
        for _ in range(ticks):
            bench.tick(*[] if power_W is None else [(0, power_W, 300)])
            moved_Ws.append(abs(bench.effective_W) * 5)
    sums = [0, *itertools.accumulate(moved_Ws)]
    hours = zip(sums, sums[720:] or sums[-1:])
    assert max(after - before for before, after in hours) <= energy_Wh * 3600


def test_it_is_idle_until_a_request_comes_and_again_when_all_is_over():
    bench = Bench(source(energy_Wh=100_000, **FAST), tick_ms=1000)
    found = []
    for hints, ticks in (((), 1), (((0, 100_000, 10),), 1), ((), 15), ((), 20)):
        bench.tick(*hints, ticks=ticks)
        found.append((bench.requests.state.is_idle, bench.requests.state[r.LEVEL] > 0))
    assert [found[at] for at in (0, 2, 3)] == [(1, False), (0, True), (1, False)]


def test_load_tracking_does_not_take_the_frequency_response_for_its_own_power():
    made = setup(TICK_MS)
    made.functions[t.HintTable.NAME] = t.HintTable(made)
    now = Tick(setpoint_W=30_000, added_W=20_000)
    r.HintRequest(made).step(now, now, 1)
    assert now.left_setpoint_W == 10_000
