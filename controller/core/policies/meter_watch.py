"""Watches the direction of a proven grid meter while the battery runs.

A meter that was right at the start may be connected the other way round later. The naive way
compares the meter with load less battery, but PV and unmetered loads also change the meter. So the
watch correlates changes from second to second:

    x = change of (load - battery), which is expected at the meter; y = change that the meter shows
    leaky sums of x x and x y:   2 x y < -x x, after enough movement  -->  the meter looks reversed

PV and other cabinets on the connection move its meter too. PV that trips, or a cabinet that fails,
takes its power away, and this battery answers within the same second. Each looks reversed for some
seconds. So both changes are scaled down to at most MOVE_PERMILLE, and some ten opposite changes are
needed.

A meter that looked reversed, or that a test found reversed, is in doubt. Two successful tests in a
row, DOUBT_S apart, end a doubt. A person who stops and starts the cabinet also ends it. Without a
load meter, a load that the battery partly follows makes a right meter look reversed. So without a
load meter the watch asks for at most one test in BELIEVED_S, and raises no doubt.
"""

from controller.core.base.words import Words
from controller.core.policies.contract import Setup

WATCHED_S = 32  # time constant of the leaky sums, s
# The sums are used only after as much movement as 8 changes by 5 % of the rating give.
MOVES, MOVE_PERMILLE = 8, 50
BELIEVED_S = 3600  # without a load meter: time for which a meter is believed after a new test
# AGREEING: number of tests that end a doubt. DOUBT_S: time from a test or a sign of reversal to the
# next test.
AGREEING, DOUBT_S = 2, 600


class State(Words):
    """Sums of the present second, then leaky sums of the changes from second to second."""

    ticks: int
    expected_W: int
    shown_W: int
    is_before: int  # both means of the previous second are known
    before_expected_W: int
    before_shown_W: int
    xx: int  # expected change squared
    xy: int  # expected change x shown change
    believed_ticks: int  # without a load meter: time for which the meter is still believed
    doubt: int  # tests that must still prove the meter


class MeterWatch:
    """Correlates the changes of the meter with the expected changes."""

    def __init__(self, setup: Setup) -> None:
        self.state, self._second_ticks = State.zero(), 1000 // setup.tick_ms
        self._load_fitted = setup.settings["load_meter_fitted"]
        move_W = setup.rated_W * MOVE_PERMILLE // 1000
        self._moved, self._most_W = MOVES * move_W**2, max(1, move_W)

    def begin(self) -> None:
        """Forget the sums at the end of a test."""
        state = self.state
        kept = state.believed_ticks, state.doubt
        state[:] = State.zero()
        state.believed_ticks, state.doubt = kept

    @property
    def is_in_doubt(self) -> bool:
        """True if the meter was found reversed, and too few tests have proven it since."""
        return self.state.doubt > 0

    def doubt(self) -> None:
        """Put the meter in doubt, because it looks or tests reversed."""
        self.state.doubt = AGREEING

    def approve(self) -> None:
        """End the doubt: a person has stopped and started the cabinet."""
        self.state.doubt = 0

    def agree(self) -> None:
        """Note that a test has proven the meter."""
        self.state.doubt = max(0, self.state.doubt - 1)

    def is_reversed(self, expected_W: int | None, shown_W: int | None, elapsed_ticks: int) -> bool:
        """True if the meter (shown_W) moves against expected_W, which is load less battery. None:
        unknown.
        """
        state = self.state
        state.believed_ticks = max(0, state.believed_ticks - elapsed_ticks)
        if elapsed_ticks != 1 or expected_W is None or shown_W is None:
            state.ticks = state.expected_W = state.shown_W = state.is_before = 0
            return False
        state.expected_W += expected_W
        state.shown_W += shown_W
        state.ticks += 1
        if state.ticks < self._second_ticks:
            return False
        means_W = [sum_W // self._second_ticks for sum_W in (state.expected_W, state.shown_W)]
        state.ticks = state.expected_W = state.shown_W = 0
        return self._correlate(*means_W)

    def _correlate(self, expected_W: int, shown_W: int) -> bool:
        """True if the changes from second to second have been opposite, and large enough."""
        state = self.state
        if state.is_before:
            dx_W, dy_W = expected_W - state.before_expected_W, shown_W - state.before_shown_W
            scale_W = max(abs(dx_W), abs(dy_W), self._most_W)
            dx_W, dy_W = dx_W * self._most_W // scale_W, dy_W * self._most_W // scale_W
            state.xx += dx_W * dx_W - state.xx // WATCHED_S
            state.xy += dx_W * dy_W - state.xy // WATCHED_S
        state.is_before, state.before_expected_W = 1, expected_W
        state.before_shown_W = shown_W
        is_opposite = 2 * state.xy < -state.xx and state.xx >= self._moved
        if not is_opposite or state.believed_ticks:
            return False
        if self._load_fitted:
            self.doubt()
        else:
            state.believed_ticks = BELIEVED_S * self._second_ticks
        return True
