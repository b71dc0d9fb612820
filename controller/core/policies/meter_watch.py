"""Watches the direction of a proven grid meter while the battery runs.

It correlates two changes from second to second: of the power that is expected at the meter, and of
the power that the meter shows. A meter that looked or tested reversed is in doubt. A doubt ends
when two tests in a row, DOUBT_S apart, prove the meter, or when a person stops and starts the
cabinet. Without a load meter a load that the battery follows in part looks reversed too: there the
watch asks for one test in BELIEVED_S and raises no doubt.
"""

from controller.core.integers import within

WATCHED = 32  # seconds of the leaky sums
MOVES, MOVE_PERMILLE = 8, 50  # so many moves, of so much of the rating, say something
MOVE_W_MAX = 1 << 28
BELIEVED_S = 3600  # without a load meter one that was tested anew is believed so long
AGREEING, DOUBT_S = 2, 600  # tests that end a doubt; from a test or a sign to the next test

(
    W_TICKS,
    W_EXPECTED_W,
    W_SHOWN_W,
    W_IS_BEFORE,
    W_BEFORE_EXPECTED_W,
    W_BEFORE_SHOWN_W,
    W_XX,
    W_XY,
    W_BELIEVED,
    W_DOUBT,
) = range(10)
WORDS = 10


class MeterWatch:
    """Sums over seconds, in words of the caller's state."""

    def __init__(
        self, words: memoryview, second_ticks: int, rated_W: int, load_fitted: int
    ) -> None:
        """words: WORDS of them, as 64-bit integers; second_ticks: ticks of a second."""
        self._words, self._second_ticks, self._load_fitted = words, second_ticks, load_fitted
        self._moved = MOVES * (rated_W * MOVE_PERMILLE // 1000) ** 2

    def begin(self) -> None:
        """A test has ended: begin with nothing."""
        for word in range(W_BELIEVED):
            self._words[word] = 0

    @property
    def is_in_doubt(self) -> bool:
        """The meter looked or tested reversed, and too few tests have proven it since."""
        return self._words[W_DOUBT] > 0

    def doubt(self) -> None:
        """The meter looks or tests reversed."""
        self._words[W_DOUBT] = AGREEING

    def approve(self) -> None:
        """A person takes the doubt back."""
        self._words[W_DOUBT] = 0

    def agree(self) -> None:
        """A test proves the meter."""
        self._words[W_DOUBT] = max(0, self._words[W_DOUBT] - 1)

    def is_reversed(self, expected_W: int | None, shown_W: int | None, elapsed_ticks: int) -> bool:
        """True if the meter moves against what is expected. expected_W: load less battery, None
        while any of the three is unknown.
        """
        words = self._words
        words[W_BELIEVED] = max(0, words[W_BELIEVED] - elapsed_ticks)
        if elapsed_ticks != 1 or expected_W is None or shown_W is None:
            words[W_TICKS] = words[W_EXPECTED_W] = words[W_SHOWN_W] = words[W_IS_BEFORE] = 0
            return False
        words[W_EXPECTED_W] += expected_W
        words[W_SHOWN_W] += shown_W
        words[W_TICKS] += 1
        if words[W_TICKS] < self._second_ticks:
            return False
        means_W = [words[word] // self._second_ticks for word in (W_EXPECTED_W, W_SHOWN_W)]
        words[W_TICKS] = words[W_EXPECTED_W] = words[W_SHOWN_W] = 0
        return self._correlate(*means_W)

    def _correlate(self, expected_W: int, shown_W: int) -> bool:
        """True if the changes from second to second have been opposite, and large enough."""
        words = self._words
        if words[W_IS_BEFORE]:
            dx_W = within(expected_W - words[W_BEFORE_EXPECTED_W], -MOVE_W_MAX, MOVE_W_MAX)
            dy_W = within(shown_W - words[W_BEFORE_SHOWN_W], -MOVE_W_MAX, MOVE_W_MAX)
            words[W_XX] += dx_W * dx_W - words[W_XX] // WATCHED
            words[W_XY] += dx_W * dy_W - words[W_XY] // WATCHED
        words[W_IS_BEFORE], words[W_BEFORE_EXPECTED_W] = 1, expected_W
        words[W_BEFORE_SHOWN_W] = shown_W
        is_opposite = 2 * words[W_XY] < -words[W_XX] and words[W_XX] >= self._moved
        if not is_opposite or words[W_BELIEVED]:
            return False
        if self._load_fitted:
            self.doubt()
        else:
            words[W_BELIEVED] = BELIEVED_S * self._second_ticks
        return True
