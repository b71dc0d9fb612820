"""Collects the rows of the next transaction, bounded in number, until they are on the disk."""

from controller.recorder import events
from controller.recorder.database import Row
from controller.recorder.events import Event
from controller.recorder.quarters import Quarters
from controller.recorder.seconds import COLUMNS, Seconds
from controller.store.lifetime import Lifetime
from controller.store.spool import Act
from controller.system.utc import WallClock
from safety import signals as s

# kinds of events that are always taken
ALWAYS = (events.TRIP, events.LATCH, events.RESET, events.START, events.STOP, events.LOSS)
COUNTED = {events.START: "starts", events.TRIP: "trips"}
BATTERY, STATE = COLUMNS.index("battery_W"), COLUMNS.index("state")
RUNNING = s.STATES[s.RUNNING]
ACT_AGE_US_MAX = 86_400_000_000  # a day; an action with an older time gets the present time
BURST, PER_SECOND = 200, 5  # all other kinds together: so many events at once, and per second


class Batch:
    """The waiting rows of events, seconds and minutes. trip_sequences: frames of the trips."""

    def __init__(self, wall: WallClock, quarters: Quarters):
        """wall: gives each moment its UTC. quarters: gets each second, as `lifetime` does."""
        self._wall, self._quarters, self.lifetime = wall, quarters, Lifetime()
        self._tokens: float = BURST
        self._filled_us: int | None = None
        self.left_out = 0
        self.clear()

    def clear(self) -> None:
        """Forget all rows, because they are durable."""
        self.event_rows: list[Row] = []
        self.seconds: list[tuple] = []
        self.minutes: list[tuple] = []
        self.trip_sequences: list[int] = []

    def row_of(self, event: Event, moment_us: int, uncertainty_us: int | None = 0) -> Row:
        """The Row of an event at a moment."""
        utc, *source = self._wall.label(moment_us, uncertainty_us)
        return Row._make((event.sequence, moment_us // 1000, int(utc), *source, *event[1:]))

    def add(self, event: Event, moment_us: int, uncertainty_us: int | None = 0) -> None:
        """Take an event. Events that are not in ALWAYS are only counted when there are too many."""
        if event.kind in ALWAYS or self._token(moment_us):
            self.event_rows.append(self.row_of(event, moment_us, uncertainty_us))
            if event.kind in COUNTED:
                self.lifetime.count(COUNTED[event.kind])
            if event.kind == events.TRIP and event.sequence is not None:
                self.trip_sequences.append(event.sequence)
        else:
            self.left_out += 1

    def act(self, act: Act, now_us: int) -> None:
        """Take the action of a person, at its own moment if that is possible."""
        is_possible = max(0, now_us - ACT_AGE_US_MAX) <= act.moment_us <= now_us
        moment_us = act.moment_us if is_possible else now_us
        self.add(events.event(events.NOTE, act.text, code=act.code), moment_us)

    def _token(self, moment_us: int) -> bool:
        """True if the limit allows an event. A later event reports how many were left out."""
        filled_us = moment_us if self._filled_us is None else self._filled_us
        if moment_us > filled_us:
            self._tokens = min(BURST, self._tokens + (moment_us - filled_us) * PER_SECOND / 1e6)
        self._filled_us = max(filled_us, moment_us)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        if self.left_out:
            text = f"{self.left_out} events were left out: more than {PER_SECOND} a second for long"
            self.left_out = 0
            self.event_rows.append(self.row_of(events.event(events.LOSS, text), moment_us))
        return True

    def history(
        self, second: tuple | None, minute: tuple | None, moment_us: int, measured: Seconds
    ) -> None:
        """Take the rows of the two histories that are due at this moment."""
        if second is not None:
            utc, health_permille = self._wall.utc(moment_us), measured.health_permille()
            last_fields = measured.lowered_W, *measured.able(), measured.ups_Wh
            self._quarters.feed(second, utc, *last_fields)
            battery_W, is_running = second[BATTERY], second[STATE] == RUNNING
            self.lifetime.second(battery_W, is_running, utc, health_permille)
        for rows, values in ((self.seconds, second), (self.minutes, minute)):
            if values is not None:
                rows.append((moment_us // 1000, int(self._wall.utc(moment_us)), *values))
