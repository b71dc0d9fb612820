"""Which way round the grid meter is: at every start the battery steps by a code of +-2 % of its
rating, and the meter must answer with the same power the other way.

A symbol of the code is one chip up and one down, or down and up, drawn by a shift register. What
the meter changes between both, less what the load meter does, is held against the converter's own
change. Of the other sign and 0.6 to 1.6 times the size it is a match; up to 1.6 times, but smaller
or of the same sign, a miss; more is a load that moved, and void. Each symbol is a bet: 7/8 of some
money on a match. Other money is on a reversed meter, in the same way. A meter that knows nothing of
the battery wins no more often than it loses, whatever the load does, because the draw does not
follow the load; so its money grows 10 000 times in at most one of 10 000 tests (Ville's
inequality). 15 matches without a miss do it. After 30 s the test is undecided. One of three current
transformers the wrong way round shows a third of the change: that loses, and is undecided.

While the battery runs, power and meter are correlated second by second, and what looks reversed is
tested anew.
"""

from array import array

from controller.core import contract
from controller.core.answers import Obligation
from controller.core.contract import Function
from controller.core.integers import within

METER_SIGN = 307  # reason code
RANK = (50, "meter_sign")  # above the connection: what a meter is worth is not known yet
TEST_S, RETRY_S = 30, 900
# of a mean: the meter has a new value each 0.1 s. The path's delay is that of a step that meets the
# meter well; one that just missed it shows this much later (3 of 26 starts were undecided without).
WINDOW_MS, METER_MS = 120, 100
RAMP_MS = 2000  # of a test anew, from whatever the power is
ERROR_PARTS = 10_000  # error probability of a test is less than 1 in so many
MONEY, STAKE_EIGHTHS = 1 << 30, 7
LOW_TENTHS, HIGH_TENTHS = 6, 16
TAPS, SEED = 0xB400, 0xACE1  # of 16 bits, 65 535 symbols long

# While running: leaky sums over WATCHED seconds; the moves that tell something; how long a meter
# that was tested anew is believed.
WATCHED, MOVES = 32, 8
MOVE_PERMILLE = 50
BELIEVED_S = 3600
MOVE_W_MAX = 1 << 28

# what is published, and what the kernel is told (row 50); at rest what the last test has found
PROVEN, TESTING, UNDECIDED, REVERSED = range(4)
(
    S_STARTED,
    S_TICKS,
    S_SYMBOL,
    S_CODE,
    S_UP,
    S_VOID,
    S_RIGHT,
    S_WRONG,
    S_OWN,
    S_MATCH_MONEY,
    S_MISS_MONEY,
    S_SECOND,
    S_SECOND_X,
    S_SECOND_Y,
    S_BEFORE_KNOWN,
    S_BEFORE_X,
    S_BEFORE_Y,
    S_XX,
    S_XY,
    S_BELIEVED,
) = range(20)
S_SAMPLES = 20


class MeterSign(Function):
    """Off while the code is 0 permille. `out`: PROVEN .. REVERSED, symbols of this test."""

    NAME, STAGE = "meter_sign", contract.PROVE
    PARAMETERS = (
        # of the rating, each way; 0: the meter is believed
        ("meter_code_permille", "permille", 0, 50, 20, "up"),
        # of cabinets on one connection: until those before it have ended
        ("meter_code_wait_s", "s", 0, 600, 0, "fixed"),
    )
    TEXTS = {
        METER_SIGN: (
            "grid meter test",
            "The battery steps by a code, to see which way round the grid meter is.",
            "Nothing: it lasts 30 s at most for each cabinet on the connection.",
        )
    }

    def __init__(self, setup):
        settings, tick_ms = setup.settings, setup.tick_ms
        quantum_W = settings["setpoint_quantum_W"]
        code_W = setup.rated_W * settings["meter_code_permille"] // 1000
        # one quantum at least: a small cabinet's meter is not believed untested
        self._code_W = max(code_W // quantum_W, 1) * quantum_W if code_W else 0
        self._load_fitted = settings["load_meter_fitted"]
        self._settle_ticks = -(-(settings["track_path_delay_ms"] + METER_MS) // tick_ms)
        self._window_ticks = -(-WINDOW_MS // tick_ms)
        self._chip_ticks = self._settle_ticks + self._window_ticks
        self._second_ticks = 1000 // tick_ms
        self._wait_ticks = settings["meter_code_wait_s"] * self._second_ticks
        self._fall_W = max(2 * code_W, setup.rated_W * tick_ms // RAMP_MS + 1)
        self._moved = MOVES * (setup.rated_W * MOVE_PERMILLE // 1000) ** 2
        self.state = array("q", [0] * (20 + 2 * self._window_ticks))
        self.state[S_CODE] = SEED
        self.out = array("i", [PROVEN, 0])

    @staticmethod
    def output_names(source_count: int) -> tuple:
        """As the contract says."""
        return "meter_sign", "meter_sign_symbols"

    def step(self, view, elapsed_ticks: int) -> tuple:
        """The power of the code while it tests; else nothing."""
        if not self._code_W:
            return ()
        state, out = self.state, self.out
        if not view.is_running:
            state[S_STARTED] = 0
            if out[0] == TESTING:
                out[0] = PROVEN
            return ()
        if not state[S_STARTED]:
            state[S_STARTED] = 1
            self._begin(-elapsed_ticks)
        state[S_TICKS] += elapsed_ticks
        if out[0] == PROVEN:
            self._watch(view, elapsed_ticks)
        elif out[0] == UNDECIDED and state[S_TICKS] >= RETRY_S * self._second_ticks:
            self._begin(self._wait_ticks)
        if out[0] != TESTING:
            return ()
        wanted_W = self._test(view, elapsed_ticks)
        fall_W = self._fall_W * elapsed_ticks
        power_W = within(wanted_W, view.setpoint_W - fall_W, view.setpoint_W + fall_W)
        return (Obligation(RANK, power_W, METER_SIGN, power_W, METER_SIGN),)

    def _begin(self, ticks):
        """Test from now on; ticks: of the wait for its turn that are over."""
        state = self.state
        state[S_TICKS], state[S_SYMBOL] = ticks, -1
        state[S_MATCH_MONEY] = state[S_MISS_MONEY] = MONEY
        self.out[0], self.out[1] = TESTING, 0

    def _test(self, view, elapsed_ticks):
        """One tick of the code: the power of its chip, W."""
        state, chip_ticks = self.state, self._chip_ticks
        ticks = state[S_TICKS] - self._wait_ticks
        if ticks < 0:
            return 0
        symbol, phase = divmod(ticks, 2 * chip_ticks)
        if symbol != state[S_SYMBOL]:
            self._next_symbol(symbol)
        if elapsed_ticks != 1 or not self._known(view):
            state[S_VOID] = 1
        elif phase % chip_ticks >= self._settle_ticks:
            self._add(
                view, phase % chip_ticks - self._settle_ticks, 1 if phase < chip_ticks else -1
            )
        if phase == 2 * chip_ticks - 1:
            self._judge(ticks)
        return self._code_W if (phase < chip_ticks) == bool(state[S_UP]) else -self._code_W

    def _next_symbol(self, symbol):
        state = self.state
        bit = state[S_CODE] & 1
        state[S_CODE] = state[S_CODE] >> 1 ^ (TAPS if bit else 0)
        state[S_SYMBOL], state[S_UP] = symbol, bit
        state[S_VOID] = state[S_RIGHT] = state[S_WRONG] = state[S_OWN] = 0

    def _known(self, view):
        if view.grid_meter_W is None or view.battery_W is None:
            return False
        return view.load_meter_W is not None or not self._load_fitted

    def _add(self, view, place, sign):
        """A tick of the window: the meter less the load, if it is right; with it, if reversed. Of
        both the median counts: an edge of the load, which the meters show at different times, is
        short.
        """
        state, ticks = self.state, self._window_ticks
        load_W = view.load_meter_W if self._load_fitted else 0
        right, wrong = S_SAMPLES, S_SAMPLES + ticks
        state[right + place] = view.grid_meter_W - load_W
        state[wrong + place] = view.grid_meter_W + load_W
        state[S_OWN] += sign * view.battery_W
        if place == ticks - 1:
            state[S_RIGHT] += sign * sorted(state[right:wrong])[ticks // 2]
            state[S_WRONG] += sign * sorted(state[wrong : wrong + ticks])[ticks // 2]

    def _judge(self, ticks):
        """The end of a symbol: a bet on what it showed, and of a test: what the money says."""
        state, out = self.state, self.out
        out[1] += 1
        own_W = state[S_OWN] // self._window_ticks
        # half of the step at least: what limits leave of it
        if not state[S_VOID] and abs(own_W) >= self._code_W:
            self._bet(S_MATCH_MONEY, state[S_RIGHT], -own_W)
            self._bet(S_MISS_MONEY, state[S_WRONG], own_W)
        if state[S_MATCH_MONEY] >= MONEY * ERROR_PARTS:
            self._end(PROVEN)
        elif state[S_MISS_MONEY] >= MONEY * ERROR_PARTS:
            self._end(REVERSED)
        elif ticks + 2 * self._chip_ticks >= TEST_S * self._second_ticks:
            self._end(UNDECIDED)

    def _bet(self, money, found_W, wanted_W):
        """Won if it is of the right sign and size; void if a load moved by more than both."""
        if 10 * abs(found_W) <= HIGH_TENTHS * abs(wanted_W):
            size_W = found_W if wanted_W > 0 else -found_W
            is_won = 10 * size_W >= LOW_TENTHS * abs(wanted_W)
            eighths = 8 + STAKE_EIGHTHS if is_won else 8 - STAKE_EIGHTHS
            self.state[money] = self.state[money] * eighths >> 3

    def _end(self, result):
        state = self.state
        self.out[0] = result
        state[S_TICKS] = state[S_SECOND] = state[S_SECOND_X] = state[S_SECOND_Y] = 0
        state[S_BEFORE_KNOWN] = state[S_XX] = state[S_XY] = 0

    def _watch(self, view, elapsed_ticks):
        """Sum up for a second what should flow at the meter but for other loads, and what does."""
        state = self.state
        state[S_BELIEVED] = max(0, state[S_BELIEVED] - elapsed_ticks)
        if elapsed_ticks != 1 or not self._known(view):
            state[S_SECOND] = state[S_SECOND_X] = state[S_SECOND_Y] = state[S_BEFORE_KNOWN] = 0
            return
        load_W = view.load_meter_W if self._load_fitted else 0
        state[S_SECOND_X] += load_W - view.battery_W
        state[S_SECOND_Y] += view.grid_meter_W
        state[S_SECOND] += 1
        if state[S_SECOND] == self._second_ticks:
            x_W, y_W = state[S_SECOND_X] // state[S_SECOND], state[S_SECOND_Y] // state[S_SECOND]
            state[S_SECOND] = state[S_SECOND_X] = state[S_SECOND_Y] = 0
            self._correlate(x_W, y_W)

    def _correlate(self, x_W, y_W):
        """Test anew if the changes from second to second have been opposite, and large enough."""
        state = self.state
        if state[S_BEFORE_KNOWN]:
            dx_W = within(x_W - state[S_BEFORE_X], -MOVE_W_MAX, MOVE_W_MAX)
            dy_W = within(y_W - state[S_BEFORE_Y], -MOVE_W_MAX, MOVE_W_MAX)
            state[S_XX] += dx_W * dx_W - state[S_XX] // WATCHED
            state[S_XY] += dx_W * dy_W - state[S_XY] // WATCHED
        state[S_BEFORE_KNOWN], state[S_BEFORE_X], state[S_BEFORE_Y] = 1, x_W, y_W
        if state[S_XX] >= self._moved and 2 * state[S_XY] < -state[S_XX] and not state[S_BELIEVED]:
            state[S_BELIEVED] = BELIEVED_S * self._second_ticks
            self._begin(self._wait_ticks)
