"""The reference: the power that the grid should draw, from the stored energy alone.

The reference never looks at the load. The energy that the battery gave shows the load to the
reference, so that losses and errors of a meter cannot run away.

    R' = (m + missing energy / T - R) / (T / 4)        m' = (R - m) / (4 T).

T is the time in which the rated power moves the part of the energy that the largest step may cost.
Source: load tracking study, chapter 4.5.
"""

from array import array

from controller.core.base.integers import approach, within

MILLI = 1000
QUICK_PART, MEAN_TIMES = 4, 4  # time constants T / 4 and 4 T

# A hold adds four times its length to R_HELD_MS, each tick without a hold takes one length off.
LONG_HELD_MS = 4000  # a second of hold: beyond it the grid stays where the limit left it
CLOSED_MS = 2000  # without any available power for so long: begin anew afterwards

R_WANTED, R_MEAN, R_BASE, R_FREE, R_OWNER, R_MISSING = range(6)
R_LOW, R_HIGH, R_HELD_MS, R_CLOSED_MS = range(6, 10)
# who is responsible for the charge
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
        """The power that the grid should draw."""
        return self.words[R_WANTED] >> 16

    @property
    def free_W(self) -> int:
        """The same, had the available power never held it; it comes back to wanted_W within T."""
        return self.words[R_FREE] >> 16

    def begin(self, grid_W: int, low_W: int, high_W: int) -> None:
        """Begin without a bump at what the grid draws now; it must lie within low_W .. high_W."""
        words = self.words
        words[R_WANTED] = words[R_FREE] = words[R_BASE] = grid_W << 16
        words[R_LOW], words[R_HIGH] = low_W << 16, high_W << 16
        words[R_OWNER] = NOT_BEGUN

    def step(
        self,
        soc_error_permille: int | None,
        own_W: int,
        elapsed_ticks: int,
        is_requested: bool = False,
        learns: bool = True,
    ) -> None:
        """Move the reference. soc_error_permille: what is missing up to the target; None while the
        state of charge is unknown or belongs to the sender of a request. Then the energy that
        tracking itself gives (own_W) is what comes back. A request begins at the mean load. learns:
        the grid power shows the load; a surplus of the sun that the battery has to store does not.
        """
        words = self.words
        before, owner = words[R_OWNER], SENDER if soc_error_permille is None else CABINET
        words[R_OWNER] = owner
        if soc_error_permille is not None:
            words[R_MISSING] = soc_error_permille * self._energy_Wh * 3600
            without_W = words[R_WANTED] + (own_W << 16)  # the grid without tracking
            if learns:
                words[R_BASE] = self._moved(R_BASE, without_W, self._quick, elapsed_ticks)
        elif before == SENDER:
            words[R_MISSING] += own_W * self._tick_ms * elapsed_ticks
        else:
            words[R_MISSING] = 0
            if is_requested and before == CABINET:  # or a cap before acts against the request
                words[R_FREE], words[R_HELD_MS] = words[R_BASE], 0
            else:
                words[R_BASE] = words[R_WANTED if learns else R_FREE]
        if before == NOT_BEGUN:  # nothing moves at the start, whatever the state of charge
            words[R_MEAN] = words[R_WANTED] - self._recovery()
        self._move(elapsed_ticks, learns)

    def _move(self, elapsed_ticks: int, learns: bool) -> None:
        words = self.words
        is_own = words[R_OWNER] == CABINET
        towards = words[R_MEAN if is_own else R_BASE] + self._recovery()
        for place in (R_WANTED, R_FREE):
            words[place] = self._moved(place, towards, self._quick, elapsed_ticks)
        if is_own and learns:
            words[R_MEAN] = self._moved(R_MEAN, words[R_WANTED], self._mean, elapsed_ticks)

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
        """Hold the reference where the available power leaves the grid. Both ends pass a low-pass
        (part of integers.low_pass): a wrong sample must not shift the grid for minutes.

        leaves_trace: after a long hold the grid stays where the limit left it. is_sun: the battery
        has to store a surplus, and takes no more: it would charge from the grid in each cloud.
        """
        words = self.words
        free = words[R_FREE]
        for place, end_W in ((R_LOW, low_W), (R_HIGH, high_W)):
            words[place] = approach(words[place], end_W << 16, part, elapsed_ticks)
        if is_sun:
            words[R_WANTED] = approach(words[R_WANTED], words[R_FREE], part, elapsed_ticks)
        words[R_WANTED] = within(words[R_WANTED], words[R_LOW], words[R_HIGH])
        elapsed_ms = self._tick_ms * elapsed_ticks
        if low_W << 16 <= free <= high_W << 16:
            self._let_go(part, elapsed_ticks)
        elif leaves_trace:
            words[R_HELD_MS] = min(words[R_HELD_MS] + 4 * elapsed_ms, 2 * LONG_HELD_MS)
        is_closed = low_W == high_W and not is_sun
        words[R_CLOSED_MS] = closed_ms = words[R_CLOSED_MS] + elapsed_ms if is_closed else 0
        if closed_ms >= CLOSED_MS:  # the mean of before says nothing of the load now
            words[R_OWNER], words[R_FREE] = NOT_BEGUN, words[R_WANTED]

    def _let_go(self, part: int, elapsed_ticks: int) -> None:
        """Free of a hold. A short hold leaves no trace: a peak of the load, or a wrong sample.
        After a long one the grid stays, or the end of the load's peak would be a second edge.
        """
        words = self.words
        before_ms = words[R_HELD_MS]
        words[R_HELD_MS] = held_ms = max(0, before_ms - elapsed_ticks * self._tick_ms)
        if held_ms < LONG_HELD_MS <= before_ms:
            words[R_FREE] = words[R_WANTED]
        elif held_ms < LONG_HELD_MS:
            words[R_WANTED] = approach(words[R_WANTED], words[R_FREE], part, elapsed_ticks)

    def _recovery(self) -> int:
        """Power that brings the missing energy back in the time T, at most the rated power."""
        power = (self.words[R_MISSING] << 16) // (MILLI * self._time_s)
        return within(power, -self._rated_W << 16, self._rated_W << 16)
