"""Decides whether the frames on a CAN bus are those of the profile.

A BMS of another type uses other ids (another dialect). Before a value counts, every required id
must have come twice, and two periods must have passed without an id of another dialect. A sealed
profile (can_messages.py) needs no such proof, because each of its frames proves itself. There the
other ids still count when one id has stopped.
"""

from drivers.can_messages import Messages
from drivers.profile import Profile
from drivers.rack_sources import Source
from drivers.steps import LONG_AGO_US

# states of `report`; some come with the id or register that they are about
OK, WAITING, MISSING, FOREIGN, STOPPED, REFUSED, SIGN, OTHER, STUCK, READ = range(10)
REPORT = ("state", "can_id", "fits")


class Dialect:
    """Decides whether the frames of one BMS are those of its profile.

    foreign_id: an id that has shown another dialect, or None; it stays until the controller
    restarts. is_confirmed: the frames are those of the profile. confirm_us: time for which they
    must be heard first.
    """

    def __init__(self, profile: Profile, messages: Messages):
        self.foreign_id: int | None = None
        self._messages, self._sources = messages, messages.sources
        required = [row for row in profile.messages.values() if row["use"] == "required"]
        periods_ms = [row["period_ms"] or profile.period_ms for row in required]
        self.confirm_us = 0 if messages.is_sealed else 2000 * max(periods_ms)
        self.silent_us = max([source.stopped_us for source in self._sources])
        self._first_us, self._last_us, self.is_confirmed = LONG_AGO_US, LONG_AGO_US, False

    def note_frame(self, source: Source, now_us: int) -> None:
        """Note a frame. After a silence of all ids, the dialect must be confirmed again."""
        if now_us - self._last_us > self.silent_us:
            self.is_confirmed, self._first_us = False, now_us
            for silent_source in self._sources:
                silent_source.forget()
            for group in self._messages.groups.values():
                group.arrived, group.stored_us = 0, LONG_AGO_US
        self._last_us = source.heard_us = now_us
        source.frame_count += 1

    def accepts(self, now_us: int) -> bool:
        """True if values count: a sealed profile, or a confirmed dialect whose ids still come."""
        if self.foreign_id is not None:
            return False
        if self._messages.is_sealed:
            self.is_confirmed = True
            return True
        if not self.is_confirmed:
            in_time = now_us - self._first_us >= self.confirm_us
            self.is_confirmed = in_time and self._missing() is None
            return False
        return self._stopped(now_us) is None

    def _missing(self) -> Source | None:
        """A required id that has not come twice, or None."""
        return next(
            (source for source in self._sources if source.is_required and source.frame_count < 2),
            None,
        )

    def _stopped(self, now_us: int) -> Source | None:
        """An id that came before and has stopped, or None."""
        for source in self._sources:
            if source.frame_count and now_us - source.heard_us > source.stopped_us:
                return source
        return None

    def report(self, now_us: int) -> tuple[int, int]:
        """(state, the id that it is about or 0)."""
        if self.foreign_id is not None:
            return FOREIGN, self.foreign_id
        if self.is_confirmed:
            if stopped := self._stopped(now_us):
                return STOPPED, stopped.can_id
            for source in self._sources:
                refused_us = source.heard_us - max(source.good_us, self._first_us)
                if source.frame_count and refused_us > source.stopped_us:
                    return REFUSED, source.can_id
            return OK, 0
        missing = self._missing()
        if missing and self._first_us != LONG_AGO_US and now_us - self._first_us > self.confirm_us:
            return MISSING, missing.can_id
        return WAITING, 0
