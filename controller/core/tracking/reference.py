"""The reference: the power that the site should draw, computed from the stored energy alone.

The reference never reads the load. It sees the load through the energy that the battery gave, so
losses and meter errors cannot add up.

    R' = (m + missing energy / T - R) / (T / 4)        m' = (R - m) / (4 T).

R is the reference and m its slow mean. T is the time in which the rated power moves the share of
the energy that the largest step may cost (track_energy_share_permille). Source: load tracking
study, chapter 4.5.
"""

from array import array

from controller.core.base.integers import approach, within

MILLI = 1000
QUICK_PART, MEAN_TIMES = 4, 4  # time constants T / 4 and 4 T

# R_HELD_MS rises by 4 ms in each ms of a hold, and falls by 1 ms in each other ms.
LONG_HELD_MS = 4000  # one second of hold; after a longer hold the grid keeps its power
CLOSED_MS = 2000  # after this time without available power the reference begins anew

R_WANTED, R_MEAN, R_BASE, R_FREE, R_OWNER, R_MISSING = range(6)
R_LOW, R_HIGH, R_HELD_MS, R_CLOSED_MS = range(6, 10)
# R_OWNER: who decides the state of charge
NOT_BEGUN, CABINET, SENDER = range(3)


class Reference:
    """Powers with 16 fractional bits, the missing energy in mJ."""

    def __init__(self, tick_ms: int, energy_Wh: int, share_permille: int, rated_W: int):
        self._tick_ms, self._energy_Wh, self._rated_W = tick_ms, energy_Wh, max(1, rated_W)
        self._time_s = max(60, energy_Wh * 18 * share_permille // (5 * self._rated_W))
        self._quick = (tick_ms * QUICK_PART << 32) // (MILLI * self._time_s)
        self._mean = (tick_ms << 32) // (MILLI * MEAN_TIMES * self._time_s)
        self.words = array("q", [0] * 10)

    @property
    def wanted_W(self) -> int:
        """The power that the site should draw from the grid."""
        return self.words[R_WANTED] >> 16

    @property
    def free_W(self) -> int:
        """The reference without the holds by available power. Both references converge within T."""
        return self.words[R_FREE] >> 16

    def begin(self, grid_W: int, low_W: int, high_W: int) -> None:
        """Begin at the present grid power, without a step. It must lie within low_W .. high_W."""
        state = self.words
        state[R_WANTED] = state[R_FREE] = state[R_BASE] = grid_W << 16
        state[R_LOW], state[R_HIGH] = low_W << 16, high_W << 16
        state[R_OWNER] = NOT_BEGUN

    def step(
        self,
        soc_error_permille: int | None,
        own_W: int,
        elapsed_ticks: int,
        is_requested: bool = False,
        learns: bool = True,
        responds: bool = False,
    ) -> None:
        """Move the reference.

        soc_error_permille: charge that is missing up to the target; None while it is unknown or the
        sender of a request decides it. Then the battery recovers only the energy that tracking
        itself gives (own_W), and a request begins at the mean load. learns: True if the grid power
        shows the load. It does not while the battery must store a solar surplus. responds: True
        during a frequency response. The energy that it moves comes back only after it.
        """
        state = self.words
        before, owner = state[R_OWNER], SENDER if soc_error_permille is None else CABINET
        state[R_OWNER] = owner
        if soc_error_permille is not None:
            missing = soc_error_permille * self._energy_Wh * 3600
            if not responds or abs(missing) < abs(state[R_MISSING]):
                state[R_MISSING] = missing
            without_W = state[R_WANTED] + (own_W << 16)  # the grid without tracking
            if learns:
                state[R_BASE] = self._moved(R_BASE, without_W, self._quick, elapsed_ticks)
        elif before == SENDER:
            state[R_MISSING] += own_W * self._tick_ms * elapsed_ticks
        else:
            state[R_MISSING] = 0
            if is_requested and before == CABINET:  # an earlier hold must not shift the request
                state[R_FREE], state[R_HELD_MS] = state[R_BASE], 0
            else:
                state[R_BASE] = state[R_WANTED if learns else R_FREE]
        if before == NOT_BEGUN:  # nothing moves at the start, whatever the state of charge
            state[R_MEAN] = state[R_WANTED] - self._recovery()
        self._move(elapsed_ticks, learns)

    def _move(self, elapsed_ticks: int, learns: bool) -> None:
        state = self.words
        is_own = state[R_OWNER] == CABINET
        towards = state[R_MEAN if is_own else R_BASE] + self._recovery()
        for place in (R_WANTED, R_FREE):
            state[place] = self._moved(place, towards, self._quick, elapsed_ticks)
        if is_own and learns:
            state[R_MEAN] = self._moved(R_MEAN, state[R_WANTED], self._mean, elapsed_ticks)

    def _moved(self, place: int, towards: int, part: int, elapsed_ticks: int) -> int:
        return approach(self.words[place], towards, part, elapsed_ticks, 32)

    def hold(
        self,
        low_W: int,
        high_W: int,
        part: int,
        elapsed_ticks: int,
        leaves_trace: bool = True,
        is_sun: bool = False,
    ) -> None:
        """Hold the reference within low_W .. high_W, which the available power can reach. Both ends
        pass a low-pass (`part` as integers.low_pass), because a wrong sample must not shift the
        grid for minutes.

        leaves_trace: after a long hold the grid keeps the power of the hold. is_sun: the battery
        stores only a solar surplus; otherwise it would charge from the grid in each cloud.
        """
        state = self.words
        free = state[R_FREE]
        for place, end_W in ((R_LOW, low_W), (R_HIGH, high_W)):
            state[place] = approach(state[place], end_W << 16, part, elapsed_ticks)
        if is_sun:
            state[R_WANTED] = approach(state[R_WANTED], state[R_FREE], part, elapsed_ticks)
        state[R_WANTED] = within(state[R_WANTED], state[R_LOW], state[R_HIGH])
        elapsed_ms = self._tick_ms * elapsed_ticks
        if low_W << 16 <= free <= high_W << 16:
            self._let_go(part, elapsed_ticks)
        elif leaves_trace:
            state[R_HELD_MS] = min(state[R_HELD_MS] + 4 * elapsed_ms, 2 * LONG_HELD_MS)
        is_closed = low_W == high_W and not is_sun
        state[R_CLOSED_MS] = closed_ms = state[R_CLOSED_MS] + elapsed_ms if is_closed else 0
        if closed_ms >= CLOSED_MS:  # the old mean says nothing about the load now
            state[R_OWNER], state[R_FREE] = NOT_BEGUN, state[R_WANTED]

    def _let_go(self, part: int, elapsed_ticks: int) -> None:
        """End a hold. A short hold (a peak of the load, a wrong sample) leaves no trace. After a
        long hold the grid keeps its power; otherwise the end of the load's peak would be a second
        edge.
        """
        state = self.words
        before_ms = state[R_HELD_MS]
        state[R_HELD_MS] = held_ms = max(0, before_ms - elapsed_ticks * self._tick_ms)
        if held_ms < LONG_HELD_MS <= before_ms:
            state[R_FREE] = state[R_WANTED]
        elif held_ms < LONG_HELD_MS:
            state[R_WANTED] = approach(state[R_WANTED], state[R_FREE], part, elapsed_ticks)

    def _recovery(self) -> int:
        """Power that recovers the missing energy in the time T, at most the rated power."""
        power = (self.words[R_MISSING] << 16) // (MILLI * self._time_s)
        return within(power, -self._rated_W << 16, self._rated_W << 16)
