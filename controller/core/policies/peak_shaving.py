"""Peak shaving: the mean import of each metering interval stays below a limit.

A grid operator bills the highest mean of a quarter of an hour. The naive way holds the import below
the limit at every moment. That spends energy on each short peak, which hardly changes the mean, and
then the battery is empty in a long peak. So each interval has an account of energy:

    energy of the interval = limit x 15 min
    | used so far | left: may still be imported                  |
    now: import <= (left - margin) / time left; the battery discharges the rest, or charges less

The interval follows the clock (UTC). If the error of the clock may be more than a hundredth of the
interval, the limit holds at every moment. The operator's meter may begin its interval earlier or
later, by the error of the clock. So the margin is the energy that the whole connection can import
in that time.

The function keeps its own time. A small correction makes it run faster or slower, never backwards;
a step of the clock moves it at once. If a step skips time, the limit of the connection counts as
the import of this time. After a start the function takes the import of the interval from the store.
For the time that the store does not cover, it also counts the limit of the connection. While the
grid meter is silent, the import counts as its last value, but never as less than the peak limit.

Import above the limit, caused by a delay or a lack of power, is a debt: later import must be lower
by this energy. Otherwise a battery that is almost empty would charge in each valley of the load up
to the limit, and the mean would exceed the limit. A battery that cannot discharge cannot pay a
debt. So it charges only with energy that is left even if the highest import of this and the last
interval continues.
"""

from array import array
from typing import Any, NamedTuple

from controller.core.base import reasons
from controller.core.base.answers import WIDE_W, Obligation, grid_obligation
from controller.core.base.integers import within
from controller.core.base.words import Words
from controller.core.policies.contract import BOUND, Found, Function, Known, Setup
from controller.core.site_devices.signals_view import UtcTime

OFF_W = 100_000_000
RANK = (10, "peak_shaving")

# In the last seconds of an interval the allowed import may only fall: meter and battery would be
# too late for a rise.
HORIZON_MS = 3000
READING_MS = 1500  # age of a reading of the clock: whole seconds, written twice a second
TRUSTED_PART = 100  # the clock is trusted up to an error of 1/100 of the interval
SPARE_MS = 60_000  # an empty battery charges with the spare energy over this time
REPAID_PART = 4  # a debt is paid within a quarter of the interval
SLEW_PART = 10  # largest correction: 1/10 of the passed time; an error above READING_MS is a step
HOUR_MS, MINUTE_MS = 3_600_000, 60_000

# Words for the store: minute since 1970; import of the interval up to this minute, rounded up
O_MINUTE, O_USED_WH = range(2)


class State(Words):
    """Energies in W x ms."""

    time_ms: int  # own time since 1970; 0: not known yet
    used: int  # import of the interval so far
    last_W: int  # last import
    counted_ms: int  # real time in which the import of the interval was counted
    allowed_W: int  # import that was allowed last; it counts while is_timed
    is_timed: int  # the clock is trusted, so the interval is known
    debt: int  # import above the limit that is not paid yet
    highest_W: int  # highest import with the battery at 0, in this interval
    before_W: int  # highest_W of the last interval


class Import(NamedTuple):
    """The import that counts now, and the import with the battery at 0, W."""

    import_W: int
    connection_W: int


class PeakShaving(Function):
    """Obliges the battery to hold the limit. It is off if the limit is OFF_W."""

    state: State
    NAME, STAGE = "peak_shaving", BOUND
    READS = ("connection_W", "grid_W", "stored_peak")
    BEFORE = ("limit_W",)
    OUTPUTS = "peak_minute", "peak_used_Wh"
    PARAMETERS = (
        # Mean import that no interval exceeds. OFF_W: no peak shaving.
        ("peak_import_W_max", "W", 0, OFF_W, OFF_W, "down"),
        ("peak_interval_s", "s", 60, 3600, 900, "fixed"),
    )
    TEXTS = reasons.texts("""
        PEAK_SHAVING | peak shaving | The mean import of the metering interval may not exceed its
          limit. | Nothing if it is met. If power is short, reduce the load.
        NO_CLOCK | peak shaving, no clock | The clock is not exact, so the limit of the mean import
          holds at every moment. | Check the network and the time server of this box: page Status.
    """)

    def __init__(self, setup: Setup):
        settings = setup.settings
        self._limit_W = settings["peak_import_W_max"]
        if self._limit_W < OFF_W:
            self._limit_W = self._limit_W * settings["share_permille"] // 1000
        self._quantum_W = settings["setpoint_quantum_W"]
        self._connection_W = settings["grid_import_W_max"]
        self._interval_ms = settings["peak_interval_s"] * 1000
        self._tick_ms = setup.tick_ms
        self._site = setup.site
        self._repaid_ms = self._interval_ms // REPAID_PART
        self._stored = 0, 0
        self.state = State.zero()
        self.state.last_W = self.state.allowed_W = self._limit_W
        self.state.is_timed = 1
        self.out = array("i", [0, 0])

    def step(self, known: Known, findings: Found, elapsed_ticks: int) -> tuple[Obligation, ...]:
        """The obligation that keeps the import within the energy left in the interval."""
        if self._limit_W == OFF_W:
            return ()
        clock = self._trusted_clock()
        self._stored = known.stored_peak
        now = Import(self._import_W(known.grid_W), findings.connection_W or 0)
        self._pass(now, elapsed_ticks * self._tick_ms, clock)
        if findings.connection_W is None:
            return ()
        allowed_W, reason = self._limit_W - self.state.debt // self._repaid_ms, reasons.NO_CLOCK
        error_ms = clock.error_ms + READING_MS if clock else 0
        if clock:
            allowed_W, reason = self._allowed_W(error_ms), reasons.PEAK_SHAVING
        if findings.limit_W <= 0:
            spare_W = self._spare_W(error_ms)
            allowed_W = min(allowed_W, max(0, findings.connection_W) + spare_W)
        imported, exported = (allowed_W, reason), (WIDE_W, reason)
        return (grid_obligation(RANK, findings.connection_W, imported, exported, self._quantum_W),)

    def hold(self, known: Known, findings: Found, elapsed_ticks: int) -> None:
        """Let the interval continue without import, off the grid."""
        if self._limit_W < OFF_W:
            self._stored = known.stored_peak
            now = Import(self._import_W(0), 0)
            self._pass(now, elapsed_ticks * self._tick_ms, self._trusted_clock())

    def numbers(self, code: int) -> dict[str, Any]:
        """Numbers behind the reason: limit, energy of the interval, time left."""
        time_ms, used = self.state.time_ms, self.state.used
        return {
            "kind": "peak",
            "limit_W": self._limit_W,
            "used_Wh": used // HOUR_MS,
            "all_Wh": self._limit_W * self._interval_ms // HOUR_MS,
            "left_s": (self._interval_ms - time_ms % self._interval_ms) // 1000,
        }

    def _trusted_clock(self) -> UtcTime | None:
        """The time, unless the error of an interval's start may be too large."""
        clock, error_ms_max = self._site.utc_time(), self._interval_ms // TRUSTED_PART
        return clock if clock and clock.error_ms + READING_MS <= error_ms_max else None

    def _import_W(self, grid_W: int | None) -> int:
        """The import that counts now."""
        state = self.state
        if grid_W is None:
            return max(state.last_W, self._limit_W)
        state.last_W = max(0, grid_W)
        return state.last_W

    def _pass(self, now: Import, passed_ms: int, clock: UtcTime | None) -> None:
        """Advance the own time and count the import of the interval. Without a clock the debt is
        also counted.
        """
        self._advance(now, passed_ms, clock)
        if clock is None:
            self._count_debt(now.import_W, passed_ms)

    def _advance(self, now: Import, passed_ms: int, clock: UtcTime | None) -> None:
        state, clock_off_ms = self.state, 0
        # the words of the clock are at most READING_MS old
        clock_ms = clock.time_s * 1000 + READING_MS // 2 if clock else None
        if clock_ms is not None:
            clock_off_ms = clock_ms - state.time_ms - passed_ms
        if not state.time_ms:
            if clock_ms is None:
                self._count(now, passed_ms)
                if state.counted_ms >= self._interval_ms:
                    self._begin_interval()
                return
            state.time_ms = clock_ms
            state.used, state.counted_ms = self._used_before(clock_ms), clock_ms % self._interval_ms
        elif abs(clock_off_ms) <= READING_MS:
            slew_ms = passed_ms // SLEW_PART
            self._move_by(passed_ms + within(clock_off_ms, -slew_ms, slew_ms))
        else:
            self._step_by(clock_off_ms + passed_ms)
        self._count(now, passed_ms)
        self._publish()

    def _move_by(self, moved_ms: int) -> None:
        state, interval_ms = self.state, self._interval_ms
        before_ms = state.time_ms
        state.time_ms += moved_ms
        if state.time_ms // interval_ms != before_ms // interval_ms:
            self._begin_interval()

    def _begin_interval(self) -> None:
        state = self.state
        state.used = state.counted_ms = 0
        state.before_W, state.highest_W = state.highest_W, 0

    def _step_by(self, moved_ms: int) -> None:
        """Follow a step of the clock: the clock was wrong, or the box was halted. The import of the
        missing time counts as its upper bound.
        """
        state, connection_W = self.state, self._connection_W
        state.time_ms += moved_ms
        age_ms = state.time_ms % self._interval_ms
        missing_ms = max(0, moved_ms, age_ms - state.counted_ms)
        most = connection_W * (age_ms + READING_MS)
        state.used = min(most, state.used + connection_W * missing_ms)
        state.counted_ms = age_ms

    def _count(self, now: Import, passed_ms: int) -> None:
        state = self.state
        state.highest_W = max(state.highest_W, now.connection_W)
        state.used += now.import_W * passed_ms
        state.counted_ms += passed_ms

    def _count_debt(self, import_W: int, passed_ms: int) -> None:
        """Count the debt without a clock. It begins with the debt of the interval."""
        state, limit_W = self.state, self._limit_W
        debt = state.debt + (import_W - limit_W) * passed_ms
        if state.is_timed:
            debt = state.used - limit_W * state.counted_ms
        state.is_timed = 0
        state.debt = within(debt, 0, limit_W * self._repaid_ms)

    def _used_before(self, now_ms: int) -> int:
        """Import of the interval until now_ms, W x ms, by the words of `out` of the last run."""
        begin_ms = now_ms - now_ms % self._interval_ms
        minute, used_Wh = self._stored
        minute_ms = minute * MINUTE_MS
        if not begin_ms <= minute_ms <= now_ms:
            minute_ms, used_Wh = begin_ms, 0
        return used_Wh * HOUR_MS + self._connection_W * (now_ms - minute_ms + READING_MS)

    def _left(self, error_ms: int) -> tuple[int, int]:
        """(import that is left of the interval after the margin, W x ms; ms until its end)."""
        time_ms, used, counted_ms = self.state.time_ms, self.state.used, self.state.counted_ms
        age_ms = time_ms % self._interval_ms if time_ms else counted_ms
        margin = self._connection_W * (error_ms + max(0, age_ms - counted_ms))
        left = max(0, self._limit_W * self._interval_ms - used - margin)
        return left, self._interval_ms - age_ms

    def _allowed_W(self, error_ms: int) -> int:
        left, left_ms = self._left(error_ms)
        allowed_W = min(left // max(left_ms, self._tick_ms), WIDE_W)
        if left_ms < HORIZON_MS and self.state.is_timed:
            allowed_W = min(allowed_W, self.state.allowed_W)
        self.state.allowed_W, self.state.is_timed = allowed_W, 1
        return allowed_W

    def _spare_W(self, error_ms: int) -> int:
        """Charging power of a battery that cannot discharge."""
        left, left_ms = self._left(error_ms)
        highest_W = max(self.state.highest_W, self.state.before_W)
        return max(0, left - highest_W * left_ms) // SPARE_MS

    def _publish(self) -> None:
        """Publish the import once a minute, for the store."""
        minute = self.state.time_ms // MINUTE_MS
        if minute != self.out[O_MINUTE]:
            used_Wh = -(-self.state.used // HOUR_MS)
            self.out[:] = array("i", [minute, min(used_Wh, WIDE_W)])
