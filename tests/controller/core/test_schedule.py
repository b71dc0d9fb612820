"""The schedule: a table enters whole or not at all; heartbeat and clock let a slot act."""

import pytest
from hypothesis import given, strategies as st
from test_functions import bytecodes
from test_hint_table import slots, source
from views import Tick, device, setup, site_of

from controller.core.base import hint_codes as codes, reasons, schedule_table as t
from controller.core.base.answers import BaseRequest, Cap, Obligation
from controller.core.policies import hint_outputs as o, hint_request, schedule as s
from controller.core.policies.hint_table import HintTable
from tests.tables import cases

TICK_MS = 20
NOW_MIN = 29_600_000
OPEN = t.OPEN_W
WIDE_W = 2**30 - 1
PLAIN = t.Slot(300_000, -50_000, 60_000, 200)
KNOWN = (
    source(0, "grid_cap", 1, ramp=10**9, charge=10_000, import_=100_000),
    source(1, "request", 2, ramp=10**9),
    source(2, "cap", 0),
)


class Bench:
    """Hint table, base request and schedule of one controller; tick: one step of all three."""

    def __init__(self, *slots_, start_min=NOW_MIN, slot_min=15, index=0, settings=None):
        self.site = site_of((device("clock"),), TICK_MS)
        made = setup(TICK_MS, known=KNOWN, site=self.site, **(settings or {}))
        self.table = made.functions[HintTable.NAME] = HintTable(made)
        self.request = hint_request.HintRequest(made)
        self.schedule = s.Schedule(made)
        self.view = Tick(
            site=self.site, soc_permille=(500, 510), connection_W=250_000, part_W=250_000
        )
        self.clock(0)
        if slots_:
            self.enter(t.Table(index, start_min, slot_min, slots_))
            self.beat(index=index)

    def clock(self, minutes, second=0, error_ms=0, is_fresh=True, elapsed=1):
        day_d, minute = divmod(NOW_MIN + minutes, 1440)
        self.site.inp[:3] = type(self.site.inp)("i", [day_d, 60 * minute + second, error_ms])
        self.site.step(bytes([is_fresh] * 3), elapsed)
        return self

    def enter(self, table, spoil=None):
        for at, step in enumerate(t.steps_of(table)):
            if spoil != at:
                self.tick(step=step)

    def beat(self, valid_ms=300_000, index=0):
        return self.tick((index, codes.HEARTBEAT, 0, 0, valid_ms))

    def tick(self, *hints, step=None, ticks=1, elapsed=1):
        for _ in range(ticks):
            self.view.hints = slots(*hints), 0
            self.view.schedule = (step or [0] * len(t.BLOCK)), 0
            self.view.setpoint_W, self.view.low_W, self.view.high_W = 0, -250_000, 250_000
            self.answers = list(self.schedule.step(self.view, self.view, elapsed))
            self.hint_answers = list(self.table.step(self.view, self.view, elapsed))
            self.base = [*self.request.step(self.view, self.view, elapsed)]
            hints, step = (), None
        return self

    @property
    def state(self):
        return s.STATES[self.schedule.out[s.O_STATE]], self.schedule.out[s.O_SLOT]

    @property
    def cap(self):
        (found,) = [each for each in self.answers if isinstance(each, Cap)]
        return found

    @property
    def obligations(self):
        return [each for each in self.answers if isinstance(each, Obligation)]


def test_a_slot_caps_both_ways_and_obliges_the_grid():
    bench = Bench(PLAIN).tick()
    assert bench.state == ("acts", 1)
    assert bench.cap == Cap(50_000, reasons.SCHEDULE_BAND, 60_000, reasons.SCHEDULE_BAND)
    (obligation,) = bench.obligations
    assert obligation.rank == (20, "grid_cap_schedule")
    assert (obligation.low_W, obligation.low_reason) == (-50_000, reasons.SCHEDULE_GRID_CAP)
    assert bench.base == [] and not bench.view.is_requested and not bench.view.is_exact
    bench.view.connection_W = None
    assert bench.tick().obligations == [] and bench.cap.discharge_W_max == 60_000


@cases("""
    low_W  high_W  charge_W  discharge_W  base_W
    40_000  60_000  0  60_000  40_000 | -60_000  -40_000  60_000  0  -40_000
    0  0  0  0  None | -5  OPEN  5  WIDE_W  None | OPEN  OPEN  WIDE_W  WIDE_W  None
    OPEN  -7000  WIDE_W  0  -7000 | 7000  OPEN  0  WIDE_W  7000 | -10**9  10**9  10**9  10**9  None
""")
def test_a_band_is_a_cap_around_0_and_a_request_where_it_excludes_0(
    low_W, high_W, charge_W, discharge_W, base_W
):
    bench = Bench(t.Slot(OPEN, low_W, high_W, 0)).tick()
    assert bench.cap[::2] == (charge_W, discharge_W) and bench.obligations == []
    expected = [] if base_W is None else [BaseRequest(base_W, reasons.SCHEDULE)]
    assert bench.base == expected


@pytest.mark.parametrize(
    "connection_W, export_W, charge_W",
    [
        (39_999, 0, s.WIDE_W),
        (40_000, 0, 0),
        (-9000, 49_000, 0),
        (-9001, 49_000, s.WIDE_W),
        (None, 0, 0),
    ],
)
def test_a_discharge_that_may_not_be_exported_leaves_the_sun_its_way_into_the_battery(
    connection_W, export_W, charge_W
):
    bench = Bench(t.Slot(OPEN, 40_000, OPEN, 0), settings={"grid_export_W_max": export_W})
    bench.view.connection_W = connection_W
    assert bench.tick().cap[0] == charge_W and bench.base == [BaseRequest(40_000, reasons.SCHEDULE)]


def test_a_request_of_a_hint_comes_before_that_of_the_schedule():
    bench = Bench(t.Slot(OPEN, 40_000, 60_000, 0))
    assert bench.tick().table.out[o.O_CONTROL_SOURCE] == 1
    bench.tick((1, codes.REQUEST, codes.POWER_W, 5000, 1000))
    assert bench.base == [BaseRequest(5000, reasons.HINT)] and not bench.view.is_exact
    bench.tick((1, codes.EXACT, codes.POWER_W, 6000, 1000))
    assert bench.base == [BaseRequest(6000, reasons.HINT)] and bench.view.is_exact
    assert bench.tick(ticks=50).base == [BaseRequest(40_000, reasons.SCHEDULE)]
    assert not bench.view.is_exact


def test_the_request_of_a_schedule_rests_on_the_energy_of_its_source():
    bench = Bench(t.Slot(OPEN, -(10**6), -250_000, 0))
    for _ in range(11):  # 50 kWh at once, 50 kWh in an hour: 250 kW for 900 s
        assert bench.base in ([], [BaseRequest(-250_000, reasons.SCHEDULE)])
        bench.beat().tick(ticks=8, elapsed=500)
    bench.beat().tick(ticks=8, elapsed=500)
    assert bench.base == [BaseRequest(0, reasons.REQUEST_RESTS)]
    assert bench.cap.discharge_W_max == 0 and bench.state == ("acts", 1)


def test_its_reserve_is_for_the_level_of_the_peaks_while_the_slot_acts():
    bench = Bench(PLAIN)
    assert bench.tick().view.scheduled_reserve_permille == 200
    bench.clock(15).tick()
    assert bench.state == ("is over", 0) and bench.view.scheduled_reserve_permille == 0


def test_off_the_grid_it_pauses_says_so_and_takes_a_new_table():
    bench = Bench(PLAIN).tick()
    first, *rest = t.steps_of(t.Table(0, NOW_MIN, 15, (PLAIN, PLAIN)))
    for step in (first, *rest):
        bench.view.schedule = step, 0
        bench.schedule.hold(bench.view, bench.view, 1)
    found = bench.view
    assert bench.state == ("pauses off the grid", 0) and len(bench.schedule.slots()) == 2
    assert found.scheduled_source == found.lifted == found.scheduled_reserve_permille == 0
    assert bench.tick().state == ("acts", 1)


@cases("""
    minutes  second  state
    -1  59  ("begins later", 0) | 0  0  ("acts", 1) | 14  59  ("acts", 1) | 15  0  ("acts", 2)
    29  59  ("acts", 2) | 30  0  ("is over", 0)
""")
def test_the_slot_is_that_of_the_clock(minutes, second, state):
    bench = Bench(PLAIN, PLAIN).clock(minutes, second).tick()
    assert bench.state == state and bool(bench.answers) == (state[0] == "acts")


@cases("""
    cap_W  next_cap_W  left_s  cap_now_W
    300_000  100_000  121  300_000 | 300_000  100_000  120  300_000 | 300_000  100_000  60  216_000
    300_000  100_000  3  102_000 | 300_000  100_000  2  100_000 | 300_000  100_000  1  100_000
    300_000  300_000  1  300_000 | 300_000  300_001  1  300_000 | 300_000  OPEN  1  300_000
    OPEN  100_000  121  None | OPEN  100_000  120  336_000 | OPEN  OPEN  1  None | 9000  0  4  4000
""")
def test_before_a_lower_cap_it_falls_by_the_ramp_and_is_there_2_s_early(
    cap_W, next_cap_W, left_s, cap_now_W
):
    slots_ = [PLAIN._replace(grid_cap_W=each_W) for each_W in (cap_W, next_cap_W)]
    bench = Bench(*slots_, settings={"setpoint_ramp_W_per_s": 2000})
    minutes, second = divmod(15 * 60 - left_s, 60)
    bench.clock(minutes, second).tick()
    found = [250_000 - each.low_W for each in bench.answers if isinstance(each, Obligation)]
    assert bench.state == ("acts", 1) and found == ([] if cap_now_W is None else [cap_now_W])


def test_the_fallback_of_a_slot_without_a_cap_holds_until_the_next_slot():
    slots_ = [PLAIN._replace(grid_cap_W=each_W) for each_W in (OPEN, 50_000)]
    bench = Bench(*slots_).tick(ticks=2).clock(14, 59).tick(ticks=2)
    caps_W = [250_000 - each.low_W for each in bench.hint_answers if isinstance(each, Obligation)]
    assert caps_W == [100_000]
    assert not bench.clock(15, 0).tick(ticks=2).hint_answers


@cases("""
    clock  is_trusted
    {"error_ms": 10_000}  True | {"error_ms": 10_001}  False
    {"is_fresh": False, "elapsed": 149}  True | {"is_fresh": False, "elapsed": 150}  False
""")
def test_without_a_trusted_clock_it_says_so_and_the_fallback_acts(clock, is_trusted):
    bench = Bench(PLAIN).tick(ticks=2)
    assert not bench.hint_answers
    bench.clock(0, **clock).tick()
    assert bench.state == (("acts", 1) if is_trusted else ("waits for the clock", 0))
    assert bool(bench.answers) == is_trusted == (not bench.hint_answers)


@pytest.mark.parametrize("valid_ms, ticks", [(1000, 49), (300_000, 14_999)])
def test_without_a_heartbeat_the_fallback_acts_in_the_same_tick(valid_ms, ticks):
    bench = Bench(PLAIN).beat(valid_ms)
    bench.tick(elapsed=ticks)
    assert bench.state == ("acts", 1) and not bench.hint_answers
    bench.tick()
    assert bench.state == ("waits for a heartbeat", 0) and bench.answers == []
    cap, obligation = bench.hint_answers
    assert cap.charge_W_max == 10_000 and obligation.low_W == 150_000
    bench.beat().tick(ticks=2)
    assert bench.state == ("acts", 1) and not bench.hint_answers


@cases("""
    slot  charge_W  low_W
    PLAIN._replace(grid_cap_W=OPEN)  None  150_000
    PLAIN._replace(battery_low_W=OPEN)  10_000  None
""")
def test_a_slot_replaces_only_the_fallbacks_that_it_bounds(slot, charge_W, low_W):
    bench = Bench(slot).tick(ticks=2)
    found = {type(each).__name__: each for each in bench.hint_answers}
    caps, obliged = found.get("Cap"), found.get("Obligation")
    assert (caps and caps.charge_W_max, obliged and obliged.low_W) == (charge_W, low_W)


def test_a_source_without_the_role_has_no_grid_cap_and_one_without_requests_no_schedule():
    bench = Bench(PLAIN, index=1).tick()
    assert bench.obligations == [] and bench.cap.charge_W_max == 50_000
    assert Bench(PLAIN, index=2).tick().state == ("none", 0)


SLOTS = st.lists(
    st.builds(t.Slot, *[st.integers(-(2**31), 2**31 - 1)] * 3, st.integers(0, 65_535)), max_size=96
)


@given(SLOTS, st.data())
def test_a_table_enters_whole_or_not_at_all(slots_, data):
    bench = Bench(PLAIN)
    table = t.Table(0, NOW_MIN, 5, tuple(slots_))
    steps = t.steps_of(table)
    assert len(steps) == -(-len(slots_) // 4) + 1 <= 25
    spoil = data.draw(st.integers(0, len(steps) - 1))
    bench.enter(table, spoil)
    assert bench.schedule.slots() == [PLAIN]
    bench.enter(table)
    assert bench.schedule.slots() == slots_
    assert bench.schedule.state.source == (1 if slots_ else 0)


@given(st.lists(st.integers(-(2**31), 2**31 - 1), min_size=18, max_size=18), st.integers(0, 3))
def test_no_words_break_it(words, step):
    bench = Bench(PLAIN)
    bench.tick(step=[step, *words[1:]])
    assert bench.schedule.slots() == [PLAIN] and bench.state[0] == "acts"


def test_a_slot_that_acts_keeps_the_budget_of_a_function():
    bench = Bench(*[PLAIN] * 96).tick(ticks=3)
    assert bench.state == ("acts", 1)
    assert 0 < bytecodes(bench.schedule.step, bench.view, bench.view, 1) <= 800
