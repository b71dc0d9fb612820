"""The good values of one feed that the planner holds, their age, and messages about the feed.

If new values cannot be read, the last good values count until max_age_h. After that the future is
unknown, and the planner uses the values of the day before.
"""

from math import inf, nan

from controller.planner.feeds import reading
from controller.planner.feeds.points import QUARTER_S, Feed, Span, slots
from controller.series.refusal import SeriesError
from controller.system.caught import Last
from controller.system.local_days import SLOTS_PER_DAY
from controller.system.paths import one_line
from controller.system.utc import elapsed_s
from drivers.plausible import EXACT, PV, Margin, is_faint, plausible

# Number of windows of values that are kept. A clock that is ahead for a moment must not drop the
# present values.
KEPT_PARTS = 2
EARLY_S = 300.0  # the clock of another machine may be ahead by this (assumed)
HOUR_S = 3600.0
Rating = tuple[float, Margin]
NO_POWER: Rating = inf, EXACT


class Held:
    """values: {quarter of an hour since 1970: value}. uptime_s: monotonic clock, because a reader
    that waits by a wall clock would wait for days if this clock is set back by days.
    """

    def __init__(self, feed: Feed, rating: Rating = NO_POWER):
        """rating: highest power of a feed of powers, with its margin."""
        self._rating = rating
        self.feed, self.values = feed, dict[int, float]()
        # monotonic times: when the newest values were made, and when the feed was last read
        self._made_uptime_s = self._tried_s = -inf
        self._offset_s = 0.0  # of the wall clock at the last reading
        self._error, self._doubts = "", list[str]()
        self._last = Last("its reader failed", told=self._fail)

    def update(self, first: int, count: int, now_s: float, uptime_s: float) -> list[str]:
        """Read new values of these quarters. Returns lines about faults and the age of the values.
        now_s: UTC of the reading.
        """
        end = now_s // QUARTER_S if self.feed.format == "recorder" else inf
        # A recorded value after now_s was measured while the clock was ahead. No value of another
        # feed is dropped by its time, because the clock may be wrong now.
        newest = sorted(self.values.items())[-KEPT_PARTS * count :]
        self.values = {quarter: mean for quarter, mean in newest if quarter < end}
        offset_s = elapsed_s(uptime_s, now_s)
        is_set = abs(offset_s - self._offset_s) > EARLY_S
        if is_set or self._is_due(now_s, uptime_s):
            self._tried_s, self._error, self._doubts = uptime_s, "", []
            self._offset_s = offset_s
            since_s = -inf if is_set else self._newest_s()
            with self._last:
                self._read(Span(first * QUARTER_S, count, now_s, since_s), uptime_s)
        lines = list(self._doubts)
        if self._error or self.is_old(uptime_s):
            lines.append("; ".join(filter(None, (self._error, self._age(uptime_s)))))
        return [one_line(f"feed {self.feed.name}: {line}") for line in lines]

    def is_old(self, uptime_s: float) -> bool:
        """True if the values are older than max_age_h."""
        return uptime_s - self._made_uptime_s > self.feed.max_age_s

    def window(self, first: int, count: int, now_s: float, uptime_s: float) -> list[float]:
        """The values of these quarters; NaN: unknown. Old values do not count for the future."""
        end = now_s // QUARTER_S if self.is_old(uptime_s) else inf
        quarters = range(first, first + count)
        return [self.values.get(quarter, nan) if quarter < end else nan for quarter in quarters]

    def _age(self, uptime_s: float) -> str:
        age_h, allowed_h = (uptime_s - self._made_uptime_s) / HOUR_S, self.feed.max_age_s / HOUR_S
        if age_h == inf:
            return "it was never read"
        if self.is_old(uptime_s):
            instead = "no warning counts" if self.feed.kind == "warnings" else "yesterday's count"
            return f"its values are {age_h:.1f} h old, allowed are {allowed_h:g} h: {instead}"
        return f"its values are {age_h:.1f} h old and count until {allowed_h:g} h"

    def _is_due(self, now_s: float, uptime_s: float) -> bool:
        if self.feed.format == "recorder":
            return self._newest_s() != now_s // QUARTER_S * QUARTER_S
        return uptime_s - self._tried_s >= 60 * self.feed.keys.get("every_min", 0)

    def _newest_s(self) -> float:
        return float(max(self.values) + 1) * QUARTER_S if self.values else -inf

    def _read(self, span: Span, uptime_s: float) -> None:
        try:
            points = reading.read(self.feed, span)
            age_s = elapsed_s(points.made_s, span.now_s)
            if age_s < -EARLY_S and self.feed.max_age_s < inf:
                ahead_h = -age_s / HOUR_S
                raise SeriesError(f"it was written {ahead_h:.1f} h after now: is the clock right?")
        except SeriesError as error:
            self._fail(str(error))
            return
        first, beyond = int(span.start_s // QUARTER_S), list[float]()
        for quarter, value in enumerate(slots(points, span.start_s, span.quarters), first):
            if value == value and plausible(value, *self._rating):
                self.values[quarter] = value
            elif value == value:
                beyond.append(value)
        self._made_uptime_s = max(self._made_uptime_s, uptime_s - max(0.0, age_s))
        self._doubts = [*points.doubts, *self._unlikely(beyond, span)]

    def _unlikely(self, beyond: list[float], span: Span) -> list[str]:
        """Lines about powers that do not fit the rating."""
        rating_W, margin = self._rating
        rated, lines = f"rated are {rating_W:g} W: is the unit right?", []
        if beyond:
            most_W, allowed_W = max(beyond, key=abs), rating_W * margin[1] / 1000
            line = f"{len(beyond)} quarters of an hour are unknown: {most_W:g} W"
            lines.append(f"{line}, allowed are {allowed_W:g} W, {rated}")
        ahead_W = [
            power_W
            for quarter, power_W in self.values.items()
            if quarter >= span.now_s // QUARTER_S
        ]
        is_of_sun = margin == PV and len(ahead_W) >= SLOTS_PER_DAY and not beyond
        if is_of_sun and is_faint(max(ahead_W), rating_W):
            lines.append(f"reaches only {max(ahead_W):g} W in a day, {rated}")
        return lines

    def _fail(self, line: str) -> None:
        self._error = line
