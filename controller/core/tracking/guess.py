"""A guess of the load at the moment when the battery will act, one path delay after the sample.

1. Follow: the guess is the last sample, and continues a slope if the last three changes agree.
2. Repetition: if the load repeats itself, the guess moves as the load did one period ago.
3. Choice: the repetition is used while its error is clearly smaller than that of "follow".
4. Judge (judge.py): movement is not followed if the grid would then move more than the load.

No guess is learned from one event, because a lead learned from one step overshoots at the next.
Every time constant scales with the path delay. Sources: load tracking study, chapter 4; second
study, chapter 3 (with fewer than three changes of 1.5 path delays each, the guess overshoots the
end of short ramps).
"""

from array import array
from operator import sub

from controller.core.base.integers import low_pass
from controller.core.tracking.judge import Bounds, Judge
from controller.core.tracking.repetition import Repetition, kept_samples
from controller.core.tracking.samples import FRACTION, S_FILLED, Samples

SPAN_MS_MIN, SPAN_TENTHS = 150, 15  # time of one change: 1.5 path delays, at least 150 ms
# Time constants in path delays: hold of the reference (reference.py), and slow movement.
FAST_DELAYS, SLOW_DELAYS = 2, 3
JUDGED_MS = 8000  # time constant of the mean errors
# An error against a cap of the grid is a mean over the path delay and SETTLED_MS.
# The largest error is forgotten with the time constant ERROR_KEPT_MS.
SETTLED_MS, ERROR_KEPT_MS = 200, 30_000
NO_BOUNDS = Bounds()
GAP_MS_MAX = 1000  # after a longer gap between two samples the guess begins anew

G_AGE_TICKS, G_SLOPE_W, G_SLOW, G_ERROR_FOLLOW, G_ERROR_REPEAT = range(5)
G_ERROR_MEAN, G_ERROR_PEAK = range(5, 7)
KINDS = 3  # number of guesses: follow, repeat, and the better of both


class Guess:
    """`words`: powers with 16 fractional bits. `made`: the KINDS guesses in the middle of each
    meter period, newest first. They are compared with later samples.
    """

    def __init__(
        self,
        tick_ms: int,
        sample_ms: int,
        delay_ms_max: int,
        lag_ms: int = 20,
        bounds_W: Bounds = NO_BOUNDS,
    ):
        """sample_ms: period of the meter; delay_ms_max: longest path delay that can occur."""
        self._tick_ms, self._sample_ms = tick_ms, max(sample_ms, tick_ms)
        self._sample_ticks = max(1, (self._sample_ms + tick_ms // 2) // tick_ms)
        self._middle_ticks = (self._sample_ticks - 1) // 2
        self._periods_max = max(GAP_MS_MAX // self._sample_ms, 2)
        self.samples = Samples(kept_samples(self._sample_ms))
        self.repetition = Repetition(self.samples, self._sample_ms)
        self.words = array("q", [0] * 7)
        self.judge = Judge(tick_ms, self._sample_ms, delay_ms_max, lag_ms, bounds_W)
        self.made = array("i", [0] * (KINDS * (delay_ms_max // self._sample_ms + 3)))
        self._delay_ms = 0

    def arrays(self) -> tuple["array[int]", ...]:
        """Every array that carries over to the next tick."""
        repetition, samples = self.repetition, self.samples
        past = *samples.arrays(), repetition.words, repetition.correlation
        return self.words, self.made, *self.judge.arrays(), *past

    @property
    def is_repeating(self) -> bool:
        """True while the error of the repetition is clearly smaller than that of "follow"."""
        state = self.words
        return self.repetition.is_found and 4 * state[G_ERROR_REPEAT] < 3 * state[G_ERROR_FOLLOW]

    @property
    def error_W(self) -> int:
        """Largest recent error of the guess, as a mean over the path delay and SETTLED_MS."""
        return self.words[G_ERROR_PEAK] >> 16

    def room_W(self, step_W: int) -> int:
        """Part of an announced step that may act, W. It is smaller if the range in 5 s
        is limited.
        """
        strict = self.judge.strict
        return min(step_W, strict.room_W(step_W)) if strict else step_W

    def begin(self, load_W: int) -> None:
        """Forget everything, as if the load had always been load_W."""
        self.samples.begin(load_W)
        self.repetition.begin()
        state = self.words
        state[:] = array("q", bytes(8 * len(state)))
        state[G_SLOW] = load_W << 16
        self.judge.begin(load_W)
        self.made[:] = array("i", [load_W]) * len(self.made)

    def step(
        self, load_W: int, is_new: bool, elapsed_ticks: int, delay_ms: int, is_own: bool
    ) -> int:
        """The guess, W. is_own: the meter measures the load alone. Otherwise the battery's own
        movement falsifies the load, and only slow movement is followed.
        """
        if delay_ms != self._delay_ms:
            self._tune(delay_ms)
        state = self.words
        state[G_AGE_TICKS] += elapsed_ticks
        periods = (state[G_AGE_TICKS] + self._sample_ticks // 2) // self._sample_ticks
        if is_new and periods > self._periods_max or not self.samples.words[S_FILLED]:
            self.begin(load_W)
        elif is_new:
            self._take(load_W, max(1, periods))
        follow_W, repeat_W = self._guesses_W()
        whole_W = repeat_W if self.is_repeating else follow_W
        if state[G_AGE_TICKS] == self._middle_ticks:
            guesses_W = self.made
            guesses_W[0], guesses_W[1], guesses_W[2] = follow_W, repeat_W, whole_W
        slow_W = state[G_SLOW] >> 16
        judged_W = self.judge.guess_W(slow_W, whole_W, elapsed_ticks)
        return judged_W if is_own else slow_W

    def _tune(self, delay_ms: int) -> None:
        """Set everything that scales with the path delay."""
        tick_ms, sample_ms = self._tick_ms, self._sample_ms
        self._delay_ms = delay_ms
        span_ms = max(SPAN_TENTHS * delay_ms // 10, SPAN_MS_MIN)
        self._span = max(1, (span_ms + sample_ms // 2) // sample_ms)
        self._first_ms = max(0, delay_ms - (sample_ms - tick_ms) // 2)
        self._mean_256 = delay_ms * FRACTION // sample_ms
        self.fast = low_pass(tick_ms, FAST_DELAYS * delay_ms)
        self.judge.tune(delay_ms)
        self._slow = low_pass(sample_ms, SLOW_DELAYS * delay_ms)
        self._judged = low_pass(sample_ms, JUDGED_MS)
        self._settled = low_pass(sample_ms, delay_ms + SETTLED_MS)
        self._kept = low_pass(sample_ms, ERROR_KEPT_MS)

    def _take(self, load_W: int, periods: int) -> None:
        """Take a new sample: slope, repetition, errors, judge."""
        state = self.words
        state[G_AGE_TICKS] = 0
        for lost_W in self._lost_W(load_W, periods) if periods > 1 else ():
            self.samples.append(lost_W)
        self.samples.append(load_W)
        self._find_slope(periods)
        was_found = self.repetition.is_found
        self.repetition.learn(periods)
        if self.repetition.is_found and not was_found:
            state[G_ERROR_REPEAT] = state[G_ERROR_FOLLOW] // 2
        self._count_errors(load_W, periods)
        self.judge.judge(load_W)
        state[G_SLOW] += ((load_W << 16) - state[G_SLOW]) * self._slow >> 24

    def _lost_W(self, load_W: int, periods: int) -> list[int]:
        """Values in place of lost samples, by the repetition or on a straight line. They keep all
        values in the ring one meter period apart.
        """
        if self.is_repeating:
            return [self.repetition.guess_W(period * FRACTION) for period in range(1, periods)]
        before_W = self.samples.newest_W()
        moved_W = load_W - before_W
        return [before_W + moved_W * period // periods for period in range(1, periods)]

    def _find_slope(self, periods: int) -> None:
        """Three changes of one sign confirm a slope, if the last is not much smaller. A gap in the
        samples ends the slope.
        """
        state, span = self.words, self._span
        state[G_SLOPE_W] = 0
        passed = self.samples.every(1, 3 * span + 1)
        newest_W, second_W, third_W, oldest_W = passed[::span]
        sign = 1 if newest_W > second_W else -1
        last_W = sign * (newest_W - second_W)
        middle_W, first_W = sign * (second_W - third_W), sign * (third_W - oldest_W)
        least_W, largest_W = min(middle_W, first_W), max(middle_W, first_W)
        if periods > 1 or least_W <= 0 or 4 * last_W < 3 * largest_W:
            return
        least_W = min(last_W, least_W)
        ends = (passed, passed[1:]) if sign > 0 else (passed[1:], passed)
        # A staircase does not move between its steps, a ramp moves with each sample. A span of one
        # sample cannot distinguish them.
        if span == 1 or 4 * span * max(map(sub, *ends)) <= (4 + span) * least_W:
            state[G_SLOPE_W] = sign * least_W

    def _guesses_W(self) -> tuple[int, int]:
        """(by the last sample and its slope, by repetition): the load one path delay from now."""
        state, follow_W = self.words, self.samples.newest_W()
        age_ticks = min(state[G_AGE_TICKS], 2 * self._sample_ticks)
        horizon_256 = (self._first_ms + age_ticks * self._tick_ms) * FRACTION // self._sample_ms
        repeat_W = self.repetition.guess_W(horizon_256) if self.repetition.is_found else follow_W
        if state[G_SLOPE_W]:
            span_256 = FRACTION * self._span
            # at most one of the three changes, even with a late meter
            follow_W += state[G_SLOPE_W] * min(horizon_256, span_256) // span_256
        return follow_W, repeat_W

    def _count_errors(self, load_W: int, periods: int) -> None:
        """Compare the newest sample with the guesses made for it one path delay ago. For lost
        samples the last guesses are repeated.
        """
        state, guesses_W = self.words, self.made
        for _ in range(periods):
            guesses_W[KINDS:] = guesses_W[:-KINDS]
        place, part = KINDS * (self._mean_256 // FRACTION), self._mean_256 % FRACTION
        newer_W, older_W = (
            guesses_W[place : place + KINDS],
            guesses_W[place + KINDS : place + 2 * KINDS],
        )
        follow_W, repeat_W, whole_W = [
            load_W - new_W - ((old_W - new_W) * part >> 8) for new_W, old_W in zip(newer_W, older_W)
        ]
        for slot, error_W in (G_ERROR_FOLLOW, follow_W), (G_ERROR_REPEAT, repeat_W):
            state[slot] += ((abs(error_W) << 16) - state[slot]) * self._judged >> 24
        mean, peak = state[G_ERROR_MEAN], state[G_ERROR_PEAK]
        mean += ((whole_W << 16) - mean) * self._settled >> 24
        state[G_ERROR_MEAN], mean = mean, abs(mean)
        state[G_ERROR_PEAK] = max(mean, peak + ((mean - peak) * self._kept >> 24))
