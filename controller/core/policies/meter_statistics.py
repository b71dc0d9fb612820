"""The sequential test that decides the direction of the grid meter (meter_sign.py).

The battery steps up and down by a code. Each pair of steps (chips) is a symbol, which is a match or
a miss for each direction of the meter. The naive test takes a fixed number of symbols. These are
too few for a load that moves, and too many for a calm load. A sequential test ends as soon as it is
sure:

    match  x 15/8        statistic >= 10 000  -->  decided
    miss   x  1/8        void symbol: unchanged

One statistic is for a right meter, a second one for a reversed meter. A meter that does not see the
battery shows a match no more often than a miss, because the code is drawn independently of the
load. Ville's inequality: then a statistic that starts at 1 exceeds 10 000 with probability at most
1/10 000. A test with short chips starts at 7/8, a test with long chips at 1/8. These add up to 1,
so the bound holds for both tests together. Without a miss, 15 matches decide with short chips, and
18 with long chips.
"""

from controller.core.base.words import Words
from controller.core.policies.path_delay import STEP_TENTHS_MAX, STEP_TENTHS_MIN

TEST_S = 32  # with short chips; with long ones as long again
TURN_S = 2 * TEST_S + 6  # of each cabinet on one connection: its test ends within this time
WAIT_S_MAX = 600  # longest time for which a cabinet waits for its turn
ERROR_PARTS = 10_000  # the error probability of a test is below 1 / ERROR_PARTS
ONE = 1 << 30
START_EIGHTHS = (7, 1)  # start of the statistics with short chips, with long chips
MATCH_EIGHTHS, MISS_EIGHTHS = 15, 1  # factor of a match, of a miss


class Statistics(Words):
    """Both statistics, in parts of ONE."""

    right: int
    reversed: int

    def begin(self, is_long: int) -> None:
        """Begin a test with short or long chips."""
        self.right = self.reversed = ONE * START_EIGHTHS[is_long] >> 3

    def take(self, right_W: int, wrong_W: int, own_W: int) -> None:
        """Take a symbol: its change for a right meter, for a reversed meter, and of the converter,
        W.
        """
        self.right = _after(self.right, right_W, -own_W)
        self.reversed = _after(self.reversed, wrong_W, own_W)

    @property
    def is_right(self) -> bool:
        """True if the meter is proven to be right."""
        return self.right >= ONE * ERROR_PARTS

    @property
    def is_reversed(self) -> bool:
        """True if the meter is proven to be reversed."""
        return self.reversed >= ONE * ERROR_PARTS

    @property
    def is_ahead(self) -> bool:
        """True if one of the two statistics is above 1."""
        return max(self.right, self.reversed) > ONE

    def can_decide(self, symbols: int) -> bool:
        """True if this number of symbols would decide, if all of them are matches."""
        statistic = max(self.right, self.reversed)
        for _ in range(symbols):
            statistic = statistic * MATCH_EIGHTHS >> 3
        return statistic >= ONE * ERROR_PARTS


def _after(statistic: int, change_W: int, expected_W: int) -> int:
    """The statistic after a symbol. A match has the right sign and size. If the change is too
    large, a load has moved, and the symbol is void.
    """
    if 10 * abs(change_W) > STEP_TENTHS_MAX * abs(expected_W):
        return statistic
    size_W = change_W if expected_W > 0 else -change_W
    is_match = 10 * size_W >= STEP_TENTHS_MIN * abs(expected_W)
    return statistic * (MATCH_EIGHTHS if is_match else MISS_EIGHTHS) >> 3
