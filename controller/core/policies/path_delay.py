"""Measures the path delay: the time from a set-point to its effect at the grid meter.

The test of the grid meter (meter_sign.py) makes steps of the battery's power; the time between two
steps is a chip. This module finds the delay of these steps. Load tracking looks one path delay
ahead, from the tick that decides a set-point to the tick that sees its effect at the grid meter.
The naive way takes the moment at which the meter moves. But this moment depends on the time from
the step to the meter's next refresh, which comes every 0.1 s. The area above a step response is its
mean delay, which includes dead time, ramp, and the meter's window and refresh:

    level afterwards  ________/----     delay = sum over the ticks of the chip
                      #######/                  (level afterwards - value of the tick) / step
    step at tick 0    |######

A step counts if no tick is missing in the chips before and after it, and if the meter shows 0.6 to
1.6 times the converter's own step. An edge of the load adds an area, because grid meter and load
meter show it at different times. Most such delays are longer than the chip can show, and are
dropped. The mean leaves out the lowest and the highest quarter. The delay stays unmeasured if fewer
than 8 or fewer than half of the steps are left, or if the middle half is wider than 2/5 of the
mean.
"""

import math

from controller.core.base.words import Words

STEP_TENTHS_MIN, STEP_TENTHS_MAX = 6, 16  # of the converter's own step
GOOD_MIN = 8  # steps that must count; half of all steps must count too
WINDOW_MS = 120  # window of a median: the meter has a new value each 0.1 s
# A step just after a refresh of the meter (0.1 s) shows late. So the nominal delay gets one more
# refresh (without it 3 of 26 starts were undecided), the largest delay half a refresh.
CHIPS_MS = {"track_path_delay_ms": 100 + WINDOW_MS, "track_path_delay_ms_max": 50 + WINDOW_MS}
DIFFERENCE = "meter_delay_difference_ms"
STEPS_MAX = 64  # a test of 30 s has fewer, unless its chips are shorter than 0.3 s

# Source of the path delay in use. MEASURED: the last proven test. STORED: an earlier run.
# NOT_BELIEVED: nominal, because the measured or stored delay is outside its range.
NOMINAL, MEASURED, STORED, NOT_BELIEVED = range(4)
USED = (MEASURED, STORED)


class State(Words):
    """Steps of one test. From DELAYS on: the delays of the good steps, ms."""

    chip: int
    sum_W: int  # of this chip
    ticks: int  # of this chip
    is_before: int  # the previous chip was measured completely
    before_chip: int
    before_W: int
    before_own_W: int
    longest_ms: int  # longest delay of a step that a chip shows completely
    all: int  # steps that the converter made
    good: int  # steps that count


DELAYS = len(State.__annotations__)


def chip_ticks(least_ms: int, sample_ms: int, tick_ms: int) -> int:
    """Ticks of a chip of at least least_ms. Their number has no common divisor with the ticks of
    the meter's refresh (sample_ms). Otherwise each step would come at the same moment of a refresh.
    """
    ticks, sample_ticks = -(-least_ms // tick_ms), max(1, sample_ms // tick_ms)
    while math.gcd(ticks, sample_ticks) > 1:
        ticks += 1
    return ticks


def chips_ticks(settings: dict[str, int], tick_ms: int) -> list[int]:
    """[ticks of a short chip, ticks of a long chip]."""
    sample_ms, difference_ms = settings["track_sample_ms"], settings[DIFFERENCE]
    paths_ms = [(settings[name] - difference_ms, more) for name, more in CHIPS_MS.items()]
    chips_ms = [max(path_ms, 0) + more_ms for path_ms, more_ms in paths_ms]
    return [chip_ticks(chip_ms, sample_ms, tick_ms) for chip_ms in chips_ms]


def in_use(measured_ms: int, stored_ms: int, settings: dict[str, int]) -> tuple[int, int]:
    """(path delay in ms, its source): of the last proven test, else of an earlier run, else 0."""
    delay_ms = measured_ms or stored_ms
    low_ms, high_ms = settings["track_path_delay_ms_min"], settings["track_path_delay_ms_max"]
    if delay_ms and not low_ms <= delay_ms <= high_ms:
        return delay_ms, NOT_BELIEVED
    return delay_ms, MEASURED if measured_ms else STORED if delay_ms else NOMINAL


class PathDelay:
    """Delays of the steps of one test."""

    def __init__(self, tick_ms: int, code_W: int) -> None:
        """code_W: amplitude of the code."""
        self.state, self._tick_ms, self._code_W = State.zero(STEPS_MAX), tick_ms, code_W

    def begin(self, delay_ms_max: int) -> None:
        """Forget the steps of the last test. delay_ms_max: longest delay that a chip shows
        completely.
        """
        self.state[:DELAYS] = State.zero()
        self.state.longest_ms = delay_ms_max

    def add(self, chip: int, meter_W: int) -> None:
        """Take one tick of a chip. meter_W: grid meter less load meter."""
        state = self.state
        if state.chip != chip:
            state.chip, state.sum_W, state.ticks = chip, 0, 0
        state.sum_W += meter_W
        state.ticks += 1

    def end_chip(self, length_ticks: int, level_W: int, own_W: int, power_W: int) -> None:
        """End a chip. level_W, own_W: power of meter and converter at its end; power_W: of the
        code.
        """
        state = self.state
        if state.ticks != length_ticks:
            return
        is_next = state.is_before and state.chip == state.before_chip + 1
        if is_next and state.good < STEPS_MAX:
            sign = 1 if power_W < 0 else -1  # of the meter's answer
            own_step_W = sign * (state.before_own_W - own_W)
            step_W = sign * (level_W - state.before_W)
            if abs(own_step_W) >= self._code_W:
                state.all += 1
                area = sign * (length_ticks * level_W - state.sum_W)
                self._keep(step_W, own_step_W, area * self._tick_ms)
        state.is_before, state.before_chip = 1, state.chip
        state.before_W, state.before_own_W = level_W, own_W

    def _keep(self, step_W: int, own_step_W: int, area_W_ms: int) -> None:
        """Keep the delay of a plausible step. The step of a converter that is late by a chip has
        the wrong sign, so it is not kept.
        """
        state = self.state
        if not STEP_TENTHS_MIN * own_step_W <= 10 * step_W <= STEP_TENTHS_MAX * own_step_W:
            return
        delay_ms = (2 * area_W_ms + step_W) // (2 * step_W)
        if 0 < delay_ms <= state.longest_ms:
            state[DELAYS + state.good] = delay_ms
            state.good += 1

    def mean_ms(self) -> int:
        """Mean delay of the steps of this test, ms; 0: unmeasured."""
        count = self.state.good
        if count < GOOD_MIN or 2 * count < self.state.all:
            return 0
        delays_ms = sorted(self.state[DELAYS : DELAYS + count])
        middle_ms = delays_ms[count // 4 : count - count // 4]
        mean_ms = (2 * sum(middle_ms) + len(middle_ms)) // (2 * len(middle_ms))
        return mean_ms if 5 * (middle_ms[-1] - middle_ms[0]) <= 2 * mean_ms else 0
