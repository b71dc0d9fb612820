"""Judges how much of the load's movement the battery may follow without harm to the grid.

The guess of the load (guess.py) has three parts: still (the mean of the last 30 s), slow (a
low-pass of three path delays) and fast (the rest). If the path delays a part too much, a battery
that follows this part moves the grid more than the load does. The naive way compares errors of the
guess with the load, and ignores the converter. A choice is the share of slow and the share of fast
that the battery follows. The judge sends each part through a model of the path, and computes how
much energy each choice would have removed from the grid:

    load s ---------------------------------(-)--> residual r of each choice
    part -> dead time -> lag -> meter's mean -^    won = mean of (s^2 - r^2) over 10 s

Only movement above 0.1 Hz counts. The choice that has won most is followed. The judge compares
gains and not ratios of energies: after a large edge r = s for one path delay, so a ratio would stop
the following at each edge. A followed edge appears twice on the grid, so following needs a clear
gain. If a tick is longer than the path delay, all movement is followed without judgement.
Source: second study of load tracking, chapter 4.
"""

from array import array
from collections.abc import Sequence
from typing import NamedTuple

from controller.core.base.integers import decay, low_pass, within
from controller.core.tracking.samples import FRACTION
from controller.core.tracking.strict import NO_RULE_W, Strict

ABOVE_MS = 1592  # time constant of 0.1 Hz: 1 / (2 pi * 0.1 Hz)
# Time constants of the gains, and of the energy with which a gain is compared.
JUDGED_MS, LAGGED_MS = 10_000, 1000
# After a start the mean `still` covers a time that grows from STILL_MS_MIN to STILL_MS_MAX.
STILL_MS_MIN, STILL_MS_MAX = 1000, 30_000
# Time constants with which a share rises, falls, and moves under a limit of the range in 5 s.
UP_MS, DOWN_MS, STRICT_MS = 300, 60, 2500
# The load is calm below 300 W rms, or below a 16th of its largest recent energy. A calm load shows
# no gain and no loss, so it does not end a choice.
CALM_W, CALM_PART, LARGEST_MS = 300, 16, 300_000
CALM = CALM_W**2 >> 4
# Percent of the load's energy: gain that begins a choice, gain that keeps it, loss that ends it at
# once.
GAIN_PCT, KEEP_PCT, LOSS_PCT = 30, 15, 2
# Percent of the load's energy by which another choice must lead. At an edge each choice leads for
# one sample.
CHANGE_PCT = 2
ONE = 256
# (share of slow, share of fast) of each choice, in 1/256
STILL, ALL = 0, 4
SHARES = ((0, 0), (128, 0), (256, 0), (128, 128), (256, 256), (256, 128))
FOLLOWING = SHARES[1:]

J_STILL, J_AGE_MS, J_RING, J_TICKS, J_CHOICE, J_SLOW, J_FAST = range(7)
J_LAG, J_SUM, J_LOW = 7, 10, 13  # of still, slow and fast; J_LOW has a fourth, of the load
J_ENERGY, J_LAGGED, J_LARGEST, J_MOST, J_WON = 17, 18, 19, 20, 21
WORDS = J_WON + len(SHARES)


class Bounds(NamedTuple):
    """rated_W: rating of the battery. Larger movement counts as the rating, because the sample may
    be wrong. range_W_max: peak-to-peak range that the grid operator allows in 5 s.
    """

    rated_W: int = NO_RULE_W
    range_W_max: int = NO_RULE_W


class Judge:
    """Chooses the shares that are followed. In `words`, powers are in 1/65536 W, energies in 16
    W^2.
    """

    def __init__(
        self, tick_ms: int, sample_ms: int, delay_ms_max: int, lag_ms: int, bounds_W: Bounds
    ):
        """lag_ms: time constant of the converter."""
        self._tick_ms, self._sample_ms, self._lag_ms = tick_ms, sample_ms, lag_ms
        rest = decay(tick_ms, lag_ms)
        self._moves = (1 << 16) - rest  # part of the missing power that a tick adds, in 1/65536
        self._moved = (1 << 16) - lag_ms * ((1 << 16) - rest) // tick_ms  # its mean over the tick
        self._count = max(0, delay_ms_max - sample_ms - lag_ms) // tick_ms + 2
        self.words = array("q", [0] * WORDS)
        self.ring = array("q", [0] * (3 * self._count))
        self._rated_W, range_W_max = bounds_W
        self._square_max = self._rated_W**2
        is_strict = range_W_max < NO_RULE_W
        self.strict = Strict(range_W_max, sample_ms, len(SHARES) - 1) if is_strict else None
        self._above = low_pass(sample_ms, ABOVE_MS)
        self._judged = low_pass(sample_ms, JUDGED_MS)
        self._lagged = low_pass(sample_ms, LAGGED_MS)
        self._forget = low_pass(sample_ms, LARGEST_MS)
        self._up, self._down = low_pass(tick_ms, UP_MS), low_pass(tick_ms, DOWN_MS)
        self._strict_move = low_pass(tick_ms, STRICT_MS)

    def tune(self, delay_ms: int) -> None:
        """Set the dead time: the path delay without meter period and converter lag."""
        dead_256 = max(0, delay_ms - self._sample_ms - self._lag_ms) * FRACTION // self._tick_ms
        self._dead, part = divmod(dead_256, FRACTION)
        # With a longer tick (1 s in the lab) the model would delay by a whole tick, which is too
        # much.
        self._is_blind = delay_ms < self._tick_ms
        self._between = part * (1 << 16) // FRACTION

    def arrays(self) -> tuple["array[int]", ...]:
        """Every array that carries over to the next tick."""
        return self.words, self.ring, *(self.strict.arrays() if self.strict else ())

    def begin(self, load_W: int) -> None:
        """Forget everything, as if the load had always been load_W. A first step is followed at
        once.
        """
        state, count = self.words, self._count
        state[:] = array("q", bytes(8 * len(state)))
        state[J_STILL] = state[J_LAG] = state[J_LOW] = state[J_LOW + 3] = load_W << 16
        if self.strict:
            self.strict.begin()
        state[J_CHOICE], state[J_MOST] = ALL, self.strict.share if self.strict else ONE
        state[J_SLOW] = state[J_FAST] = state[J_MOST] << 16
        self.ring[:] = array("q", [load_W] * count + [0] * (2 * count))

    def guess_W(self, slow_W: int, mix_W: int, ticks: int) -> int:
        """The guess of this tick, W. Its parts also go through the model of the path. slow_W: the
        slow part of the guess with the mean; mix_W: the whole guess.
        """
        if self._is_blind:
            return mix_W
        state = self.words
        still_W = state[J_STILL] >> 16
        slow, fast = slow_W - still_W, mix_W - slow_W
        if state[J_ENERGY] < CALM and -CALM_W < fast < CALM_W:
            fast = 0  # the battery does not follow the noise of the meter
        for _ in range(min(ticks, self._count)):
            self._model(still_W, slow, fast)
        self._move(ticks)
        return still_W + (slow * state[J_SLOW] + fast * state[J_FAST] >> 24)

    def _model(self, *parts_W: int) -> None:
        """Step the dead time and the lag of each part by one tick."""
        state, ring, count = self.words, self.ring, self._count
        state[J_RING] = place = (state[J_RING] + 1) % count
        state[J_TICKS] += 1
        newer, older = (place - self._dead) % count, (place - self._dead - 1) % count
        for slot, part_W in enumerate(parts_W, J_LAG):
            ring[place] = part_W
            newer_W, lag = ring[newer], state[slot]
            missing = (newer_W << 16) + (ring[older] - newer_W) * self._between - lag
            state[slot + J_SUM - J_LAG] += lag + (missing * self._moved >> 16) >> 16
            state[slot] = lag + (missing * self._moves >> 16)
            place, newer, older = place + count, newer + count, older + count

    def _move(self, ticks: int) -> None:
        """Move the shares towards those of the choice. If the range in 5 s is limited, the shares
        move slowly, because a sudden change makes an edge while the load is far from its mean.
        """
        state, strict, up, down = self.words, self.strict, self._up, self._down
        most = state[J_MOST] << 16
        if strict and strict.share < ONE:
            up = down = self._strict_move
        for slot, share in zip((J_SLOW, J_FAST), SHARES[state[J_CHOICE]]):
            away = min(share << 16, most) - state[slot]
            if away:
                part = up if away > 0 else down
                state[slot] += away * min(part * ticks, 1 << 24) >> 24

    def judge(self, load_W: int) -> None:
        """Take a new sample, and compute the power that each choice would have left on the grid."""
        if self._is_blind:
            return
        state = self.words
        ticks, state[J_TICKS] = state[J_TICKS], 0
        load = load_W << 16
        state[J_AGE_MS] = age = min(state[J_AGE_MS] + self._sample_ms, STILL_MS_MAX)
        away = within(load - state[J_STILL], -self._rated_W << 16, self._rated_W << 16)
        state[J_STILL] += away * self._sample_ms // max(age, STILL_MS_MIN)
        if not ticks:  # the model has not run yet
            return
        above_W = []
        for kind in range(3):
            above_W.append(self._above_W(kind, (state[J_SUM + kind] << 16) // ticks))
            state[J_SUM + kind] = 0
        self._count_won(self._above_W(3, load), *above_W)
        self._choose()

    def _above_W(self, kind: int, power_65536: int) -> int:
        """The part of a power above 0.1 Hz, W. kind: still, slow, fast, load."""
        state, slot = self.words, J_LOW + kind
        state[slot] += (power_65536 - state[slot]) * self._above >> 24
        return power_65536 - state[slot] >> 16

    def _count_won(self, load_W: int, still_W: int, slow_W: int, fast_W: int) -> None:
        state, part, most = self.words, self._judged, self._square_max
        energy = min(load_W * load_W, most) >> 4
        state[J_ENERGY] += (energy - state[J_ENERGY]) * part >> 24
        state[J_LAGGED] += (state[J_ENERGY] - state[J_LAGGED]) * self._lagged >> 24
        state[J_LARGEST] -= state[J_LARGEST] * self._forget >> 24
        state[J_LARGEST] = max(state[J_LARGEST], state[J_ENERGY])
        rest_W = load_W - still_W
        seen = [load_W]
        for slot, (slow, fast) in enumerate(FOLLOWING, J_WON + 1):
            left_W = rest_W - (slow * slow_W + fast * fast_W >> 8)
            left, won = min(left_W * left_W, most) >> 4, state[slot]
            state[slot] = won + ((energy - left - won) * part >> 24)
            seen.append(left_W)
        if self.strict:
            self.strict.take(seen)

    def _choose(self) -> None:
        """Follow the choice that has won most. A small gain keeps it, and a loss ends it."""
        state, strict = self.words, self.strict
        energy, choices = state[J_ENERGY], range(1, len(SHARES))
        is_calm = energy < state[J_LARGEST] // CALM_PART
        if energy >= CALM and (state[J_CHOICE] == STILL or not is_calm):
            if best := self._best(choices):
                state[J_CHOICE] = best
            elif self._has_lost():
                state[J_CHOICE] = STILL
        state[J_MOST] = ONE
        if strict and strict.share < ONE:
            allowed = [choice for choice in choices if strict.allows(choice)]
            if state[J_CHOICE] in allowed:
                return
            if best := self._best(allowed):
                state[J_CHOICE] = best
            else:
                state[J_MOST] = strict.share

    def _best(self, choices: Sequence[int]) -> int:
        """The choice that has won most, STILL without a clear gain. A gain is compared with the
        energy of a second ago, because the gain from an edge comes a path delay after its energy.
        """
        state = self.words
        won = state[J_WON:]
        if state[J_CHOICE] != STILL:
            won[state[J_CHOICE]] += CHANGE_PCT * state[J_ENERGY] // 100
        best = max(choices, key=won.__getitem__, default=STILL)
        return best if 100 * state[J_WON + best] > GAIN_PCT * state[J_LAGGED] else STILL

    def _has_lost(self) -> bool:
        """True after a clear loss, or after a small gain while the load's energy does not rise."""
        state = self.words
        choice, energy = state[J_CHOICE], state[J_ENERGY]
        won = 100 * state[J_WON + choice]
        is_little = 2 * state[J_LAGGED] > energy and won < KEEP_PCT * energy
        return won < -LOSS_PCT * energy or is_little
