"""A guess of the load at the moment when the battery will act, one path delay after the sample.

1. Follow: the last sample.
2. Repetition: if the load repeats itself, what came next a period ago comes again.
3. Choice: the one with the smaller error over the last seconds.
4. Judge (judge.py): what would make the grid move more than the load does is not followed.

No guess is learned from one event: a learned lead overshoots at the next step, and a slope that
goes on overshoots at the end of each ramp. Every time constant scales with the path delay. Source:
load tracking study, chapter 4.
"""

from array import array

from controller.core.base.integers import low_pass
from controller.core.tracking.judge import Bounds, Judge
from controller.core.tracking.repetition import Repetition, kept_samples
from controller.core.tracking.samples import FRACTION, S_FILLED, Samples

FAST_DELAYS, SLOW_DELAYS = 2, 3  # time constants of the hold and of slow movement
JUDGED_MS = 10_000  # memory of the errors
# caps of the grid hold on means over the path delay and this; an error is remembered for so long
SETTLED_MS, ERROR_KEPT_MS = 200, 30_000
NO_BOUNDS = Bounds()
GAP_MS_MAX = 1000  # after a longer gap between two samples everything begins anew

G_AGE_TICKS, G_SLOW, G_ERROR_FOLLOW, G_ERROR_REPEAT, G_ERROR_MEAN, G_ERROR_PEAK = range(6)


class Guess:
    """Powers with 16 fractional bits in `words`; in `made` what repetition and choice said in the
    middle of each sample's life, the newest first.
    """

    def __init__(
        self,
        tick_ms: int,
        sample_ms: int,
        delay_ms_max: int,
        lag_ms: int = 20,
        bounds_W: Bounds = NO_BOUNDS,
    ):
        """sample_ms: period of the meter; delay_ms_max: the longest path delay that is believed."""
        self._tick_ms, self._sample_ms = tick_ms, max(sample_ms, tick_ms)
        self._sample_ticks = max(1, (self._sample_ms + tick_ms // 2) // tick_ms)
        self._middle_ticks = (self._sample_ticks - 1) // 2
        self._periods_max = max(GAP_MS_MAX // self._sample_ms, 2)
        self.samples = Samples(kept_samples(self._sample_ms))
        self.repetition = Repetition(self.samples, self._sample_ms)
        self.words = array("q", [0] * 6)
        self.judge = Judge(tick_ms, self._sample_ms, delay_ms_max, lag_ms, bounds_W)
        self.made = array("i", [0] * (2 * (delay_ms_max // self._sample_ms + 3)))
        self._delay_ms = 0

    def arrays(self) -> tuple:
        """Every array that carries over to the next tick."""
        repetition, samples = self.repetition, self.samples
        past = *samples.arrays(), repetition.words, repetition.correlation
        return self.words, self.made, *self.judge.arrays(), *past

    @property
    def is_repeating(self) -> bool:
        """What came next a period ago is the guess."""
        words = self.words
        return self.repetition.is_found and words[G_ERROR_REPEAT] < words[G_ERROR_FOLLOW]

    @property
    def error_W(self) -> int:
        """Largest error of the guess lately, as a mean over the path delay and SETTLED_MS."""
        return self.words[G_ERROR_PEAK] >> 16

    def room_W(self, step_W: int) -> int:
        """The part of an announced step that may be wrong under a stated range in 5 s."""
        strict = self.judge.strict
        return min(step_W, strict.room_W(step_W)) if strict else step_W

    def begin(self, load_W: int) -> None:
        """Forget everything: the load has always been this."""
        self.samples.begin(load_W)
        self.repetition.begin()
        words = self.words
        words[:] = array("q", bytes(8 * len(words)))
        words[G_SLOW] = load_W << 16
        self.judge.begin(load_W)
        self.made[:] = array("i", [load_W]) * len(self.made)

    def step(
        self, load_W: int, is_new: bool, elapsed_ticks: int, delay_ms: int, is_own: bool
    ) -> int:
        """The guess, W. is_own: the meter measures the load alone. Otherwise the battery's own
        movement leaves false traces in the load, and only slow movement is followed.
        """
        if delay_ms != self._delay_ms:
            self._tune(delay_ms)
        words = self.words
        words[G_AGE_TICKS] += elapsed_ticks
        periods = (words[G_AGE_TICKS] + self._sample_ticks // 2) // self._sample_ticks
        if is_new and periods > self._periods_max or not self.samples.words[S_FILLED]:
            self.begin(load_W)
        elif is_new:
            self._take(load_W, max(1, periods))
        follow_W = repeat_W = self.samples.newest_W()
        if self.repetition.is_found:
            repeat_W = self.repetition.guess_W(self._horizon_256())
        whole_W = repeat_W if self.is_repeating else follow_W
        if words[G_AGE_TICKS] == self._middle_ticks:
            self.made[0], self.made[1] = repeat_W, whole_W
        slow_W = words[G_SLOW] >> 16
        judged_W = self.judge.guess_W(slow_W, whole_W, elapsed_ticks)
        return judged_W if is_own else slow_W

    def _tune(self, delay_ms: int) -> None:
        """Everything that scales with the path delay."""
        tick_ms, sample_ms = self._tick_ms, self._sample_ms
        self._delay_ms = delay_ms
        self._first_ms = max(0, delay_ms - (sample_ms - tick_ms) // 2)
        self._mean_256 = delay_ms * FRACTION // sample_ms
        self.fast = low_pass(tick_ms, FAST_DELAYS * delay_ms)
        self.judge.tune(delay_ms)
        self._slow = low_pass(sample_ms, SLOW_DELAYS * delay_ms)
        self._judged = low_pass(sample_ms, JUDGED_MS)
        self._settled = low_pass(sample_ms, delay_ms + SETTLED_MS)
        self._kept = low_pass(sample_ms, ERROR_KEPT_MS)

    def _take(self, load_W: int, periods: int) -> None:
        """Take a new sample in: repetition, errors, judge."""
        words = self.words
        words[G_AGE_TICKS] = 0
        for lost_W in self._lost_W(load_W, periods) if periods > 1 else ():
            self.samples.append(lost_W)
        self.samples.append(load_W)
        self.repetition.learn(periods)
        self._count_errors(load_W, periods)
        self.judge.judge(load_W)
        words[G_SLOW] += ((load_W << 16) - words[G_SLOW]) * self._slow >> 24

    def _lost_W(self, load_W: int, periods: int) -> list:
        """Values in place of lost samples, so that a place in the ring stays a time: what comes
        again, or on a straight line.
        """
        if self.is_repeating:
            return [self.repetition.guess_W(each * FRACTION) for each in range(1, periods)]
        before_W = self.samples.newest_W()
        moved_W = load_W - before_W
        return [before_W + moved_W * each // periods for each in range(1, periods)]

    def _horizon_256(self) -> int:
        """Time from the newest sample until the battery acts, in 1/256 sample."""
        age_ticks = min(self.words[G_AGE_TICKS], 2 * self._sample_ticks)
        return (self._first_ms + age_ticks * self._tick_ms) * FRACTION // self._sample_ms

    def _count_errors(self, load_W: int, periods: int) -> None:
        """Compare the newest sample with what was guessed for it one path delay ago. The last
        guesses stand for those of lost samples.
        """
        words, made = self.words, self.made
        for _ in range(periods):
            made[2:] = made[:-2]
        at, part = 2 * (self._mean_256 // FRACTION), self._mean_256 % FRACTION
        repeat_W, whole_W, *older_W = made[at : at + 4]
        repeat_W += (older_W[0] - repeat_W) * part >> 8
        whole_W += (older_W[1] - whole_W) * part >> 8
        errors_W = self.samples.change_W(self._mean_256, 0), load_W - repeat_W
        for slot, error_W in enumerate(errors_W, G_ERROR_FOLLOW):
            words[slot] += ((abs(error_W) << 16) - words[slot]) * self._judged >> 24
        mean, peak = words[G_ERROR_MEAN], words[G_ERROR_PEAK]
        mean += ((load_W - whole_W << 16) - mean) * self._settled >> 24
        words[G_ERROR_MEAN], mean = mean, abs(mean)
        words[G_ERROR_PEAK] = max(mean, peak + ((mean - peak) * self._kept >> 24))
