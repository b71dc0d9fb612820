"""Direction of the grid meter, and the delay of the path.

At every start the battery steps by a code of +-2 % of its rating. The meter must answer with the
same power the other way. A symbol of the code is one chip up and one down, or down and up, drawn by
a shift register. The change of the meter between both chips, less that of the load meter, is
compared with the converter's own change, without the drift of the meter (meter_drift.py). Of the
other sign and 0.6 to 1.6 times the size it is a match. Up to 1.6 times, but smaller or of the same
sign, it is a miss. If it is more, a load has moved, and the symbol is void.

A sequential test decides. A match multiplies its statistic by 15/8, a miss by 1/8. A second
statistic does the same for a reversed meter. A meter that does not see the battery shows a match no
more often than a miss, because the draw does not follow the load. Ville's inequality: then a
statistic that starts at 1 exceeds 10 000 with probability at most 1/10 000. Chips have two lengths.
Short chips fit the nominal path delay: start 7/8, and 15 matches without a miss decide. Long chips
fit the largest believed delay: start 1/8, 18 matches. The starts add up to 1.

The long chips begin when the short ones can no longer decide within 32 s: on a slow path after 4 or
5 symbols. The test is undecided when the long ones cannot decide within 32 s, or 25 symbols where
these take longer. One of three current transformers reversed shows a third of the change: a miss.

The steps of a test that ends proven give the path delay (path_delay.py). Of a meter that has been
reversed since (meter_watch.py) a test that proves it ends undecided, while it is in doubt.
"""

from array import array

from controller.core import contract
from controller.core.answers import Obligation
from controller.core.contract import Function
from controller.core.found import Found
from controller.core.integers import within
from controller.core.known import Known
from controller.core.policies import meter_drift, meter_watch, path_delay

METER_SIGN = 307  # reason code
RANK = (50, "meter_sign")  # above the connection: what a meter is worth is not known yet
TEST_S, SYMBOLS, RETRY_S = 32, 25, 900
WINDOW_MS = 120  # of a median: the meter has a new value each 0.1 s
# A step that just missed the meter shows later than the mean. Beyond the nominal delay a whole
# refresh of 0.1 s is kept (3 of 26 starts were undecided without), beyond the largest one half.
CHIPS_MS = {"track_path_delay_ms": 100 + WINDOW_MS, "track_path_delay_ms_max": 50 + WINDOW_MS}
DIFFERENCE = "meter_delay_difference_ms"
RAMP_MS = 2000  # of a test anew, from whatever the power is
ERROR_PARTS = 10_000  # error probability of a test is less than 1 in so many
ONE = 1 << 30
START_EIGHTHS = (7, 1)  # of the statistics, by length of the chips
TAPS, SEED = 0xB400, 0xACE1  # of 16 bits, 65 535 symbols long

# result, for the kernel too (row 50); in standby that of the last test
PROVEN, TESTING, UNDECIDED, REVERSED = range(4)
O_RESULT, O_SYMBOLS, O_DELAY_MS, O_DELAY_SOURCE = range(4)  # words of `out`
S_STARTED, S_TICKS, S_SYMBOL, S_CODE, S_UP, S_VOID, S_RIGHT, S_WRONG, S_OWN = range(9)
S_RIGHT_STATISTIC, S_REVERSED_STATISTIC, S_IS_LONG, S_CHIP_OWN, S_DELAY_MS = range(9, 14)
S_WATCH = 14  # words of meter_watch.py
S_STEPS = S_WATCH + meter_watch.WORDS  # words of path_delay.py
S_DRIFT = S_STEPS + path_delay.WORDS  # words of meter_drift.py
S_SAMPLES = S_DRIFT + meter_drift.WORDS


class MeterSign(Function):
    """Code 0 permille: off. `out`: PROVEN .. REVERSED, symbols of this test, the
    measured or stored path delay (ms, 0: neither), NOMINAL .. NOT_BELIEVED.
    """

    NAME, STAGE = "meter_sign", contract.PROVE
    READS = (
        *("battery_W", "grid_meter_W", "is_running", "is_stopped_by_person", "load_meter_W"),
        *("setpoint_W", "stored_path_delay_ms"),
    )
    WRITES = ("is_meter_tested", "path_delay_ms")
    PARAMETERS = (
        # of the rating, each way; 0: the meter is believed
        ("meter_code_permille", "permille", 0, 50, 20, "up"),
        # of cabinets on one connection: until those before it have ended
        ("meter_code_wait_s", "s", 0, 600, 0, "fixed"),
        # path of the load meter less that of the grid meter: added to the measured path delay
        (DIFFERENCE, "ms", -2000, 2000, 0, "fixed"),
    )
    TEXTS = {
        METER_SIGN: (
            "grid meter test",
            "The battery steps by a code, to see which way round the grid meter is.",
            "Nothing: it lasts 70 s at most for each cabinet on the connection.",
        )
    }

    def __init__(self, setup: contract.Setup) -> None:
        self._settings = settings = setup.settings
        self._tick_ms = tick_ms = setup.tick_ms
        quantum_W = settings["setpoint_quantum_W"]
        code_W = setup.rated_W * settings["meter_code_permille"] // 1000
        # one quantum at least: a small cabinet's meter is not believed untested
        self._code_W = max(code_W // quantum_W, 1) * quantum_W if code_W else 0
        self._load_fitted = settings["load_meter_fitted"]
        self._window_ticks = -(-WINDOW_MS // tick_ms)
        sample_ms, difference_ms = settings["track_sample_ms"], settings[DIFFERENCE]
        self._chips = [
            path_delay.chip_ticks(
                max(settings[name] - difference_ms, 0) + more_ms, sample_ms, tick_ms
            )
            for name, more_ms in CHIPS_MS.items()
        ]
        self._second_ticks = 1000 // tick_ms
        self._wait_ticks = settings["meter_code_wait_s"] * self._second_ticks
        self._fall_W = max(2 * code_W, setup.rated_W * tick_ms // RAMP_MS + 1)
        self.state = array("q", [0] * (S_SAMPLES + 2 * self._window_ticks))
        words = memoryview(self.state)
        of_watch, rated_W = words[S_WATCH:S_STEPS], setup.rated_W
        self._watch = meter_watch.MeterWatch(
            of_watch, self._second_ticks, rated_W, self._load_fitted
        )
        self._steps = path_delay.PathDelay(words[S_STEPS:S_DRIFT], tick_ms, self._code_W)
        self._drift = meter_drift.MeterDrift(words[S_DRIFT:S_SAMPLES], self._code_W)
        self.state[S_CODE] = SEED
        self.out = array("i", [PROVEN, 0, 0, path_delay.NOMINAL])

    @staticmethod
    def output_names(source_count: int) -> tuple:
        """See Function."""
        return "meter_sign", "meter_sign_symbols", "path_delay_ms", "path_delay_source"

    @property
    def measured_ms(self) -> int:
        """Path delay of the last proven test of this process, ms; 0: unmeasured."""
        return self.state[S_DELAY_MS]

    def step(self, known: Known, found: Found, elapsed_ticks: int) -> tuple:
        """The power of the code while a test runs; otherwise nothing."""
        self._publish(known, found)
        found.is_meter_tested = False
        if not self._code_W:
            return ()
        state, out = self.state, self.out
        if not known.is_running:
            state[S_STARTED] = 0
            if known.is_stopped_by_person:
                self._watch.approve()
            if out[O_RESULT] == TESTING:
                out[O_RESULT] = PROVEN
            return ()
        if not state[S_STARTED]:
            state[S_STARTED] = 1
            if out[O_RESULT] == UNDECIDED and self._watch.is_in_doubt:
                self._end(UNDECIDED)  # tests that agree lie DOUBT_S apart
            else:
                self._begin(-elapsed_ticks)
        state[S_TICKS] += elapsed_ticks
        if out[O_RESULT] in (PROVEN, UNDECIDED):
            self._await_test(known, elapsed_ticks)
        if out[O_RESULT] != TESTING:
            return ()
        found.is_meter_tested = True
        wanted_W = self._test(known, elapsed_ticks)
        fall_W = self._fall_W * elapsed_ticks
        power_W = within(wanted_W, found.setpoint_W - fall_W, found.setpoint_W + fall_W)
        return (Obligation(RANK, power_W, METER_SIGN, power_W, METER_SIGN),)

    def hold(self, known: Known, found: Found, elapsed_ticks: int) -> None:
        """See Function; a test that was cut short begins anew."""
        if not known.is_running or self.out[O_RESULT] == TESTING:
            self.state[S_STARTED] = 0

    def _publish(self, known: Known, found: Found) -> None:
        """The path delay in use."""
        delay_ms, source = path_delay.in_use(
            self.state[S_DELAY_MS], known.stored_path_delay_ms, self._settings
        )
        found.path_delay_ms = delay_ms if source in path_delay.USED else 0
        self.out[O_DELAY_MS], self.out[O_DELAY_SOURCE] = delay_ms, source

    def _begin(self, ticks: int, is_long: int = 0) -> None:
        """Test from now on; ticks: of the wait for its turn that are over."""
        state = self.state
        state[S_TICKS], state[S_SYMBOL], state[S_IS_LONG] = ticks, -1, is_long
        start = ONE * START_EIGHTHS[is_long] >> 3
        state[S_RIGHT_STATISTIC] = state[S_REVERSED_STATISTIC] = start
        settle_ticks = self._chips[is_long] - self._window_ticks
        self._steps.begin(settle_ticks * self._tick_ms)
        self._drift.begin()
        self.out[O_RESULT], self.out[O_SYMBOLS] = TESTING, 0

    def _test(self, known: Known, elapsed_ticks: int) -> int:
        """One tick of the code: the power of its chip, W."""
        state = self.state
        length_ticks, ticks = self._chips[state[S_IS_LONG]], state[S_TICKS] - self._wait_ticks
        if ticks < 0:
            return 0
        chip, phase = divmod(ticks, length_ticks)
        if chip >> 1 != state[S_SYMBOL]:
            self._next_symbol(chip >> 1)
        grid_W, battery_W, load_W = known.grid_meter_W, known.battery_W, self._load_W(known)
        if elapsed_ticks != 1 or grid_W is None or battery_W is None or load_W is None:
            state[S_VOID] = 1
        else:
            place = phase - length_ticks + self._window_ticks
            self._add(chip, place, battery_W, grid_W - load_W, grid_W + load_W)
        if chip & 1 and phase == length_ticks - 1:
            self._judge(ticks)
        return self._power_W(chip)

    def _power_W(self, chip: int) -> int:
        return self._code_W if chip & 1 ^ self.state[S_UP] else -self._code_W

    def _next_symbol(self, symbol: int) -> None:
        state = self.state
        bit = state[S_CODE] & 1
        state[S_CODE] = state[S_CODE] >> 1 ^ (TAPS if bit else 0)
        state[S_SYMBOL], state[S_UP] = symbol, bit
        state[S_VOID] = state[S_RIGHT] = state[S_WRONG] = state[S_OWN] = 0
        self._drift.begin_symbol()

    def _load_W(self, known: Known) -> int | None:
        return known.load_meter_W if self._load_fitted else 0

    def _add(self, chip: int, place: int, battery_W: int, right_W: int, wrong_W: int) -> None:
        """A tick of a chip; place: in its window, < 0 before it. A right meter shows itself less
        the load (right_W), a reversed one itself plus the load (wrong_W). The median of each
        counts, because an edge of the load, which the meters show at different times, is short.
        """
        state, ticks = self.state, self._window_ticks
        self._steps.add(chip, right_W)
        if place < 0:
            state[S_CHIP_OWN] = 0
            return
        right, wrong = S_SAMPLES, S_SAMPLES + ticks
        state[right + place], state[wrong + place] = right_W, wrong_W
        state[S_CHIP_OWN] += battery_W
        if place == ticks - 1:
            sign, own_W = -1 if chip & 1 else 1, state[S_CHIP_OWN]
            level_W = sorted(state[right:wrong])[ticks // 2]
            wrong_W = sorted(state[wrong : wrong + ticks])[ticks // 2]
            state[S_RIGHT] += sign * level_W
            state[S_WRONG] += sign * wrong_W
            state[S_OWN] += sign * own_W
            self._drift.add(level_W, wrong_W)
            length_ticks = self._chips[state[S_IS_LONG]]
            if self._drift.is_steady:
                self._steps.end_chip(length_ticks, level_W, own_W // ticks, self._power_W(chip))

    def _judge(self, ticks: int) -> None:
        """The end of a symbol: both statistics take it in, and may end the test."""
        state = self.state
        self.out[O_SYMBOLS] += 1
        own_W = state[S_OWN] // self._window_ticks
        # half of the step at least: what limits leave of it
        if not state[S_VOID] and abs(own_W) >= self._code_W:
            # a converter that is a chip late steps against the code: a miss
            is_late = (own_W > 0) != state[S_UP]
            right_W, wrong_W = self._drift.removed_W(state[S_RIGHT], state[S_WRONG])
            bets = (S_RIGHT_STATISTIC, right_W, -own_W), (S_REVERSED_STATISTIC, wrong_W, own_W)
            for at, found_W, wanted_W in bets:
                state[at] = path_delay.bet(state[at], 0 if is_late else found_W, wanted_W)
        self._drift.end_symbol(state[S_VOID])
        if state[S_RIGHT_STATISTIC] >= ONE * ERROR_PARTS:
            self._take_delay(self._steps.mean_ms())
            self._watch.agree()
            self._end(UNDECIDED if self._watch.is_in_doubt else PROVEN)
        elif state[S_REVERSED_STATISTIC] >= ONE * ERROR_PARTS:
            self._watch.doubt()
            self._end(REVERSED)
        elif not self._can_decide(ticks):
            if state[S_IS_LONG] or self._chips[1] <= self._chips[0]:
                self._end(UNDECIDED)
            else:
                self._begin(self._wait_ticks - 1, is_long=1)

    def _take_delay(self, delay_ms: int) -> None:
        """Result of a proven test; one that could not measure it leaves the delay known before."""
        if delay_ms:
            self.state[S_DELAY_MS] = max(1, delay_ms + self._settings[DIFFERENCE])

    def _can_decide(self, ticks: int) -> bool:
        """True while a test of nothing but matches from now on would still decide in time."""
        symbol_ticks = 2 * self._chips[self.state[S_IS_LONG]]
        test_ticks = max(TEST_S * self._second_ticks, SYMBOLS * symbol_ticks)
        left = (test_ticks - ticks - 1) // symbol_ticks
        statistic = max(self.state[S_RIGHT_STATISTIC], self.state[S_REVERSED_STATISTIC])
        for _ in range(left):
            statistic = statistic * path_delay.MATCH_EIGHTHS >> 3
        return statistic >= ONE * ERROR_PARTS

    def _end(self, result: int) -> None:
        self.out[O_RESULT], self.state[S_TICKS] = result, 0
        self._watch.begin()

    def _await_test(self, known: Known, elapsed_ticks: int) -> None:
        """Test anew a meter that looks reversed, and an undecided one after its time."""
        state, watch, is_proven = self.state, self._watch, self.out[O_RESULT] == PROVEN
        load_W, battery_W = self._load_W(known), known.battery_W
        expected_W = load_W - battery_W if load_W is not None and battery_W is not None else None
        is_watched = is_proven or watch.is_in_doubt
        is_reversed = is_watched and watch.is_reversed(
            expected_W, known.grid_meter_W, elapsed_ticks
        )
        if is_reversed and watch.is_in_doubt:
            state[S_TICKS] = 0
        retry_s = meter_watch.DOUBT_S if watch.is_in_doubt else RETRY_S
        is_due = not is_proven and state[S_TICKS] >= retry_s * self._second_ticks
        if is_due or is_proven and is_reversed:
            self._begin(self._wait_ticks)
