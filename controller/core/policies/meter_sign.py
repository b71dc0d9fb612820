"""Tests the direction of the grid meter, and measures the path delay from set-point to meter.

If the current transformers of the grid meter are reversed, a battery that follows the meter acts in
the wrong direction. The naive test compares the meter with the load, but PV and unmetered loads can
give either sign. So at every start the battery steps by a code of +-2 % of its rating, which no
other device on the connection follows:

    symbol    two chips, one with the power up, one down; a shift register draws which comes first
    match     the meter's change between both chips (less that of the load meter and the drift,
              meter_drift.py) is opposite to the converter's, and 0.6 to 1.6 times as large
    miss      any other change up to 1.6 times. A larger one is void, because a load has moved

A sequential test decides (meter_statistics.py). Short chips fit the nominal path delay, long chips
the largest believed delay. Long chips begin when short chips can no longer decide within 32 s; on a
slow path this is after 4 or 5 symbols. If the statistic of the short chips is ahead, they also get
the time of the long chips, because they fit the path. The test is undecided if it cannot decide
within another 32 s, or 25 symbols if these take longer. If one of three current transformers is
reversed, the change is only a third, which is a miss.

The steps of a proven test give the path delay (path_delay.py). A meter that later looks reversed is
in doubt (meter_watch.py). A test that proves a meter in doubt ends as undecided.
"""

from array import array

from controller.core.base import reasons
from controller.core.base.answers import Obligation
from controller.core.base.integers import within
from controller.core.base.words import Words
from controller.core.policies import meter_drift, meter_watch, path_delay
from controller.core.policies.contract import PROVE, Found, Function, Known, Setup
from controller.core.policies.meter_statistics import TEST_S, WAIT_S_MAX, Statistics
from controller.core.policies.modes import RETURN
from controller.core.policies.source_reports import gives, runs

METER_SIGN = 307  # reason code
_TEXTS = """
METER_SIGN | grid meter test | The battery steps by a code, to see which way round the grid
  meter is. | Nothing: it lasts 70 s at most for each cabinet on the connection.
"""
RANK = (50, "meter_sign")  # above the limits of the connection, whose meter is not proven yet
SYMBOLS, RETRY_S = 25, 900  # RETRY_S: pause after an undecided test
RAMP_MS = 2000  # time for a change by the rated power; a test may begin at any power
TAPS, SEED = 0xB400, 0xACE1  # shift register of 16 bits: repeats after 65 535 symbols

# Result, also for the kernel (row 50). In standby: result of the last test.
PROVEN, TESTING, UNDECIDED, REVERSED = range(4)
O_RESULT, O_SYMBOLS, O_DELAY_MS, O_DELAY_SOURCE = range(4)  # words of `out`


class State(Words):
    """State of the test. A change within a symbol is first chip less second chip, W."""

    is_started: int  # the first tick of this run is over
    ticks: int  # since the start of the test; after the test: since its end
    symbols_begun: int
    code: int  # shift register
    is_up: int  # the first chip of this symbol is up
    is_void: int  # a tick of this symbol is missing
    right: int  # change of the grid meter if it is right
    wrong: int  # change of the grid meter if it is reversed
    own: int  # change of the converter's power, summed over a window
    is_long: int  # the long chips are in use
    chip_own: int  # power of the converter, summed over this chip's window
    delay_ms: int  # path delay of the last proven test; 0: unmeasured


class MeterSign(Function):
    """Tests the meter. `out`: result (PROVEN .. REVERSED), symbols of this test, measured or stored
    path delay (ms, 0: neither), its source (NOMINAL .. NOT_BELIEVED).
    """

    state: State
    NAME, STAGE = "meter_sign", PROVE
    READS = (
        "battery_W",
        "grid_meter_W",
        "is_grid_wrong",
        "is_meter_disputed",
        "is_running",
        "is_stopped_by_person",
        "load_meter_W",
        "mode",
        "setpoint_W",
        "stored_path_delay_ms",
    )
    WRITES = ("is_meter_tested", "path_delay_ms")
    OUTPUTS = "meter_sign", "meter_sign_symbols", "path_delay_ms", "path_delay_source"
    PARAMETERS = (
        # amplitude, a part of the rating; 0: no test, the meter is believed
        ("meter_code_permille", "permille", 0, 50, 20, "up"),
        # wait until other cabinets on the connection have ended their tests
        ("meter_code_wait_s", "s", 0, WAIT_S_MAX, 0, "fixed"),
        # delay of the load meter less that of the grid meter; added to the measured path delay
        (path_delay.DIFFERENCE, "ms", -2000, 2000, 0, "fixed"),
    )
    TEXTS = reasons.texts(_TEXTS, METER_SIGN=METER_SIGN)

    def __init__(self, setup: Setup) -> None:
        self._settings = settings = setup.settings
        self._tick_ms = tick_ms = setup.tick_ms
        quantum_W = settings["setpoint_quantum_W"]
        code_W = setup.rated_W * settings["meter_code_permille"] // 1000
        # at least one quantum, because a code of 0 would leave the meter untested
        self._code_W = max(code_W // quantum_W, 1) * quantum_W if code_W else 0
        self._load_fitted = settings["load_meter_fitted"]
        self._sets = setup.site.engines
        self._window_ticks = -(-path_delay.WINDOW_MS // tick_ms)
        self._chips = path_delay.chips_ticks(settings, tick_ms)
        self._second_ticks = 1000 // tick_ms
        self._wait_ticks = settings["meter_code_wait_s"] * self._second_ticks
        self._fall_W = max(2 * code_W, setup.rated_W * tick_ms // RAMP_MS + 1)
        self.state = State.zero()
        self.state.code = SEED
        self.watch = meter_watch.MeterWatch(setup)
        self.steps = path_delay.PathDelay(tick_ms, self._code_W)
        self.drift = meter_drift.MeterDrift(self._code_W, self._load_fitted)
        self.statistics = Statistics.zero()
        self._right_W, self._wrong_W = [array("q", [0] * self._window_ticks) for _ in range(2)]
        parts = self.statistics, self.watch.state, self.steps.state, self.drift.state
        self.more = *parts, self._right_W, self._wrong_W
        self.out = array("i", [PROVEN, 0, 0, path_delay.NOMINAL])

    def step(self, known: Known, findings: Found, elapsed_ticks: int) -> tuple[Obligation, ...]:
        """The power of the code while a test runs, unless other signals contradict a meter."""
        self._publish(known, findings)
        findings.is_meter_tested = False
        if not self._code_W or findings.is_grid_wrong or findings.is_meter_disputed:
            self.hold(known, findings, elapsed_ticks)
            return ()
        state, out = self.state, self.out
        if not known.is_running:
            state.is_started = 0
            if known.is_stopped_by_person:
                self.watch.approve()
            if out[O_RESULT] == TESTING:
                out[O_RESULT] = PROVEN
            return ()
        if not state.is_started:
            state.is_started = 1
            if out[O_RESULT] == UNDECIDED and self.watch.is_in_doubt:
                self._end(UNDECIDED)  # the tests that end a doubt must be DOUBT_S apart
            else:
                self._begin(-elapsed_ticks)
        state.ticks += elapsed_ticks
        if out[O_RESULT] in (PROVEN, UNDECIDED):
            self._await_test(known, findings, elapsed_ticks)
        if out[O_RESULT] != TESTING:
            return ()
        findings.is_meter_tested = True
        wanted_W = self._test(known, elapsed_ticks)
        fall_W = self._fall_W * elapsed_ticks
        power_W = within(wanted_W, findings.setpoint_W - fall_W, findings.setpoint_W + fall_W)
        return (Obligation(RANK, power_W, METER_SIGN, power_W, METER_SIGN),)

    def hold(self, known: Known, findings: Found, elapsed_ticks: int) -> None:
        """Make an interrupted test begin anew."""
        if not known.is_running or self.out[O_RESULT] == TESTING:
            self.state.is_started = 0

    def _publish(self, known: Known, findings: Found) -> None:
        """Publish the path delay in use."""
        delays_ms = self.state.delay_ms, known.stored_path_delay_ms
        delay_ms, source = path_delay.in_use(*delays_ms, self._settings)
        findings.path_delay_ms = delay_ms if source in path_delay.USED else 0
        self.out[O_DELAY_MS], self.out[O_DELAY_SOURCE] = delay_ms, source

    def _begin(self, ticks: int, is_long: int = 0) -> None:
        """Begin a test. ticks: elapsed part of the wait for other cabinets."""
        state = self.state
        state.ticks, state.symbols_begun, state.is_long = ticks, 0, is_long
        self.statistics.begin(is_long)
        settle_ticks = self._chips[is_long] - self._window_ticks
        self.steps.begin(settle_ticks * self._tick_ms)
        self.drift.begin()
        self.out[O_RESULT], self.out[O_SYMBOLS] = TESTING, 0

    def _test(self, known: Known, elapsed_ticks: int) -> int:
        """Step the code by one tick. Returns the power of the present chip, W."""
        state = self.state
        length_ticks, ticks = self._chips[state.is_long], state.ticks - self._wait_ticks
        if ticks < 0:
            return 0
        chip, phase = divmod(ticks, length_ticks)
        if chip >> 1 >= state.symbols_begun:
            state.symbols_begun = (chip >> 1) + 1
            state.is_up = state.code & 1
            state.code = state.code >> 1 ^ (TAPS if state.is_up else 0)
            state.is_void = state.right = state.wrong = state.own = 0
            self.drift.begin_symbol()
        grid_W, battery_W, load_W = known.grid_meter_W, known.battery_W, self._load_W(known)
        if elapsed_ticks != 1 or grid_W is None or battery_W is None or load_W is None:
            state.is_void = 1
        else:
            place = phase - length_ticks + self._window_ticks
            self._add(chip, place, battery_W, grid_W - load_W, grid_W + load_W)
        if chip & 1 and phase == length_ticks - 1:
            self._judge(ticks)
        return self._power_W(chip)

    def _power_W(self, chip: int) -> int:
        return self._code_W if chip & 1 ^ self.state.is_up else -self._code_W

    def _load_W(self, known: Known) -> int | None:
        return known.load_meter_W if self._load_fitted else 0

    def _add(self, chip: int, place: int, battery_W: int, right_W: int, wrong_W: int) -> None:
        """Take a tick of a chip. place: in the chip's window, < 0 before it. right_W: grid less
        load, for a right meter; wrong_W: grid plus load, for a reversed meter. The median counts,
        because the two meters show an edge of the load at different times, but only briefly.
        """
        state, ticks = self.state, self._window_ticks
        self.steps.add(chip, right_W)
        if place < 0:
            state.chip_own = 0
            return
        self._right_W[place], self._wrong_W[place] = right_W, wrong_W
        state.chip_own += battery_W
        if place == ticks - 1:
            sign, own_W = -1 if chip & 1 else 1, state.chip_own
            level_W = sorted(self._right_W)[ticks // 2]
            wrong_W = sorted(self._wrong_W)[ticks // 2]
            state.right += sign * level_W
            state.wrong += sign * wrong_W
            state.own += sign * own_W
            self.drift.add(level_W, wrong_W)
            length_ticks = self._chips[state.is_long]
            if self.drift.is_steady:
                self.steps.end_chip(length_ticks, level_W, own_W // ticks, self._power_W(chip))

    def _judge(self, ticks: int) -> None:
        """End a symbol. Both statistics take it, and may end the test."""
        state = self.state
        self.out[O_SYMBOLS] += 1
        own_W = state.own // self._window_ticks
        # limits may reduce the step, but half of it must be left
        if not state.is_void and abs(own_W) >= self._code_W:
            # a converter that is late by a chip steps against the code, which is a miss
            is_late = (own_W > 0) != state.is_up
            removed_W = self.drift.removed_W(state.right, state.wrong)
            change_W = (0, 0) if is_late else removed_W
            if change_W is not None:
                self.statistics.take(*change_W, own_W)
        self.drift.end_symbol(state.is_void)
        if self.statistics.is_right:
            if delay_ms := self.steps.mean_ms():  # otherwise the old delay stays
                state.delay_ms = max(1, delay_ms + self._settings[path_delay.DIFFERENCE])
            self.watch.agree()
            self._end(UNDECIDED if self.watch.is_in_doubt else PROVEN)
        elif self.statistics.is_reversed:
            self.watch.doubt()
            self._end(REVERSED)
        elif not self._can_decide(ticks):
            if state.is_long or ticks >= self._lasts_ticks(0) or self._chips[1] <= self._chips[0]:
                self._end(UNDECIDED)
            else:
                self._begin(self._wait_ticks - 1, is_long=1)

    def _can_decide(self, ticks: int) -> bool:
        """True if the test can still decide in time, if all further symbols are matches."""
        is_long = self.state.is_long
        test_ticks = self._lasts_ticks(is_long)
        if not is_long and self.statistics.is_ahead:
            test_ticks += self._lasts_ticks(1)
        return self.statistics.can_decide((test_ticks - ticks - 1) // (2 * self._chips[is_long]))

    def _lasts_ticks(self, is_long: int) -> int:
        """Longest time of a test with short or with long chips."""
        return max(TEST_S * self._second_ticks, SYMBOLS * 2 * self._chips[is_long])

    def _end(self, result: int) -> None:
        self.out[O_RESULT], self.state.ticks = result, 0
        self.watch.begin()

    def _await_test(self, known: Known, findings: Found, elapsed_ticks: int) -> None:
        """Repeat the test if the meter looks reversed, or some time after an undecided test. A
        generator set that takes load also moves the meter, so no meter is watched beside a set.
        """
        state, watch, is_proven = self.state, self.watch, self.out[O_RESULT] == PROVEN
        load_W, battery_W = self._load_W(known), known.battery_W
        expected_W = load_W - battery_W if load_W is not None and battery_W is not None else None
        if findings.mode == RETURN or any([runs(engine) or gives(engine) for engine in self._sets]):
            expected_W = None
        is_watched, shown_W = is_proven or watch.is_in_doubt, known.grid_meter_W
        is_reversed = is_watched and watch.is_reversed(expected_W, shown_W, elapsed_ticks)
        if is_reversed and watch.is_in_doubt:
            state.ticks = 0
        retry_s = meter_watch.DOUBT_S if watch.is_in_doubt else RETRY_S
        is_due = not is_proven and state.ticks >= retry_s * self._second_ticks
        if is_due or is_proven and is_reversed:
            self._begin(self._wait_ticks)
