"""Loop delay of the path, from the steps of the grid meter's test.

It counts from the tick that decides a set-point to the tick that sees its effect at the grid meter.
The area above a step response is its mean delay. After a step at tick 0 the delay is the sum of
(level afterwards - value of tick k) over the ticks of the chip, divided by the step. Dead time,
ramp, the meter's window and its refresh are all in the area.

A step counts if no tick of both chips is missing, and if the meter shows 0.6 to 1.6 times the
converter's own step. Both meters show an edge of the load at different times, which gives an area
of its own. Most such delays are longer than the chip can show, and are dropped. The mean leaves out
the lowest and the highest quarter. The delay stays unmeasured where the load has disturbed too many
steps. Then fewer than 8 or fewer than half of the steps are left, or the middle half of the delays
is wider than 2/5 of the mean. `python -m hil meter-sign` shows the errors that remain.
"""

import math

STEP_TENTHS_MIN, STEP_TENTHS_MAX = 6, 16  # of the converter's own step
GOOD_MIN = 8  # steps, and half of all
STEPS_MAX = 64  # a test of 30 s has fewer, unless its chips are shorter than 0.3 s

# words, behind them the delays of the good steps, ms
(
    W_CHIP,
    W_SUM_W,
    W_TICKS,
    W_BEFORE_CHIP,
    W_BEFORE_W,
    W_BEFORE_OWN_W,
    W_LONGEST_MS,
    W_ALL,
    W_GOOD,
    W_DELAYS,
) = range(10)
WORDS = W_DELAYS + STEPS_MAX
NO_CHIP = -2  # no chip follows it
# path delay in use: nominal, of the last proven test, of an earlier run; NOT_BELIEVED: nominal,
# because the measured or stored one is outside of its range
NOMINAL, MEASURED, STORED, NOT_BELIEVED = range(4)
USED = (MEASURED, STORED)
MATCH_EIGHTHS, MISS_EIGHTHS = 15, 1  # by which a symbol multiplies a statistic of the test


def bet(statistic: int, found_W: int, wanted_W: int) -> int:
    """The statistic after a symbol: a match is of the right sign and size; a load that moved by
    more than both makes it void.
    """
    if 10 * abs(found_W) > STEP_TENTHS_MAX * abs(wanted_W):
        return statistic
    size_W = found_W if wanted_W > 0 else -found_W
    is_match = 10 * size_W >= STEP_TENTHS_MIN * abs(wanted_W)
    return statistic * (MATCH_EIGHTHS if is_match else MISS_EIGHTHS) >> 3


def chip_ticks(least_ms: int, sample_ms: int, tick_ms: int) -> int:
    """Ticks of a chip of at least least_ms. No multiple of the meter's refresh, sample_ms, or each
    step would meet it at the same moment.
    """
    ticks, sample_ticks = -(-least_ms // tick_ms), max(1, sample_ms // tick_ms)
    while math.gcd(ticks, sample_ticks) > 1:
        ticks += 1
    return ticks


def in_use(measured_ms: int, stored_ms: int, settings: dict) -> tuple:
    """(delay in ms, NOMINAL .. NOT_BELIEVED): of the last proven test, or else of an earlier run; 0
    stands for "not measured".
    """
    delay_ms = measured_ms or stored_ms
    low_ms, high_ms = settings["track_path_delay_ms_min"], settings["track_path_delay_ms_max"]
    if delay_ms and not low_ms <= delay_ms <= high_ms:
        return delay_ms, NOT_BELIEVED
    return delay_ms, MEASURED if measured_ms else STORED if delay_ms else NOMINAL


class PathDelay:
    """Delays of the steps of one test, in words of the caller's state."""

    def __init__(self, words: memoryview, tick_ms: int, code_W: int) -> None:
        """words: WORDS of them, as 64-bit integers; code_W: amplitude of the code."""
        self._words, self._tick_ms, self._code_W = words, tick_ms, code_W

    def begin(self, delay_ms_max: int) -> None:
        """Forget the steps of the last test. delay_ms_max: a longer delay of a step is not seen
        whole.
        """
        self._words[W_LONGEST_MS] = delay_ms_max
        self._words[W_CHIP] = self._words[W_BEFORE_CHIP] = NO_CHIP
        self._words[W_ALL] = self._words[W_GOOD] = 0

    def add(self, chip: int, meter_W: int) -> None:
        """One tick of a chip. meter_W: grid meter less load meter."""
        words = self._words
        if words[W_CHIP] != chip:
            words[W_CHIP], words[W_SUM_W], words[W_TICKS] = chip, 0, 0
        words[W_SUM_W] += meter_W
        words[W_TICKS] += 1

    def end_chip(self, length_ticks: int, level_W: int, own_W: int, power_W: int) -> None:
        """The last tick of a chip. level_W: of the meter at its end; own_W: the converter's
        own power there; power_W: of the code in this chip.
        """
        words = self._words
        if words[W_TICKS] != length_ticks:
            return
        if words[W_CHIP] == words[W_BEFORE_CHIP] + 1 and words[W_GOOD] < STEPS_MAX:
            sign = 1 if power_W < 0 else -1  # of the meter's answer
            own_step_W = sign * (words[W_BEFORE_OWN_W] - own_W)
            step_W = sign * (level_W - words[W_BEFORE_W])
            if abs(own_step_W) >= self._code_W:
                words[W_ALL] += 1
                area = sign * (length_ticks * level_W - words[W_SUM_W])
                self._keep(step_W, own_step_W, area * self._tick_ms)
        words[W_BEFORE_CHIP], words[W_BEFORE_W] = words[W_CHIP], level_W
        words[W_BEFORE_OWN_W] = own_W

    def _keep(self, step_W: int, own_step_W: int, area_W_ms: int) -> None:
        """Keep the delay of a step if the meter answers it, and if the chip shows it whole. A
        converter that is a chip late steps against the code.
        """
        words = self._words
        if not STEP_TENTHS_MIN * own_step_W <= 10 * step_W <= STEP_TENTHS_MAX * own_step_W:
            return
        delay_ms = (2 * area_W_ms + step_W) // (2 * step_W)
        if 0 < delay_ms <= words[W_LONGEST_MS]:
            words[W_DELAYS + words[W_GOOD]] = delay_ms
            words[W_GOOD] += 1

    def mean_ms(self) -> int:
        """Mean delay of the steps of this test, ms; 0: unmeasured."""
        count = self._words[W_GOOD]
        if count < GOOD_MIN or 2 * count < self._words[W_ALL]:
            return 0
        delays_ms = sorted(self._words[W_DELAYS : W_DELAYS + count])
        middle_ms = delays_ms[count // 4 : count - count // 4]
        mean_ms = (2 * sum(middle_ms) + len(middle_ms)) // (2 * len(middle_ms))
        return mean_ms if 5 * (middle_ms[-1] - middle_ms[0]) <= 2 * mean_ms else 0
