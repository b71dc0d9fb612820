"""Writes the set-point of a converter frame by frame. Each frame waits for the answer before.

With several frames, the device has a mixture for a moment, such as an old mode with a new
magnitude. So all frames first get 0 before a change of direction, and while the state of the device
is unknown. Then a mixture never asks for more than the old or the new set-point.
"""

from functools import partial

from drivers.buses import rtu
from drivers.profile import Profile, Settings, Words
from drivers.setpoint_form import Frame, way_of
from drivers.steps import LONG_AGO_US, LOST_US
from drivers.sunspec import Places
from drivers.wear import NO, Wear, is_between


class SetpointWriter:
    """Writes the set-point of a converter. held_W: value acknowledged in all frames, or None."""

    def __init__(self, profile: Profile, unit_id: int, settings: Settings):
        """settings: for `scale_by`; `setpoint_ms`: shortest time between two frames.

        This time may end half of `tick_ms` early, so that an uneven tick does not miss its turn.
        """
        self.unit_id = unit_id
        self.places = Places(profile)
        self.frames = [Frame(frame, settings, self.places) for frame in profile.setpoint]
        self._zero = [frame.words(0) for frame in self.frames]
        roles = [{register.role for register in frame.registers} for frame in self.frames]
        self._modes = {number for number, role in enumerate(roles) if "mode" in role}
        self._encoded_W, self._encoded = 0, self._zero
        self._repeat_us = profile.settings["repeat_ms"] * 1000
        spare_ms = settings["setpoint_ms"] - settings["tick_ms"] // 2
        self._pause_us = max(profile.settings["setpoint_pause_ms"], spare_ms) * 1000
        self.wear = Wear(profile, self.places.of)
        self._may_store = any([frame.stored != NO for frame in profile.setpoint])
        self.forget()

    def forget(self) -> None:
        """Forget the state of the device: it may be another one, or have lost its values."""
        self.held_W: int | None = None
        self._acknowledged_W: int | None = None  # set-point of the last acknowledged frame
        # lowest power since the last set-point was held; a spent budget allows no more than this
        self._passed_W = 0
        self._held_words: list[Words | None] = [None] * len(self.frames)
        self._is_due = [True] * len(self.frames)
        self._way: int | None = None  # direction that the device may have; 0: all frames have 0
        self._sent_us = self._acknowledged_us = LONG_AGO_US
        self._waits_for: Words | None = None
        self._sent_W = self._turn = 0  # set-point of the last frame; number of the next frame

    def is_spent(self, now_us: int) -> bool:
        """True if the budget of this day is spent: only less power may still be written."""
        return self._may_store and self.wear.is_spent(now_us)

    def is_due(self, asked_W: int, now_us: int) -> bool:
        """True if a frame is left to write for this set-point."""
        if self._is_waiting(now_us):
            return False
        target_W = self._target_W(asked_W, now_us)
        is_old = self._repeat_us and now_us - self._acknowledged_us >= self._repeat_us
        if is_old and self._next(target_W) is None:
            self.repeat()
        return self._next(target_W) is not None

    def request(self, asked_W: int, priority: int, now_us: int) -> rtu.Request | None:
        """The next frame of this set-point; None if no frame can be sent now.

        Less power, or another direction, does not wait for the last frame, which may still wait for
        the bus.
        """
        is_less = abs(asked_W) < abs(self._sent_W) or asked_W * self._sent_W < 0
        if self._is_waiting(now_us) and not is_less:
            return None
        target_W = self._target_W(asked_W, now_us)
        number = self._next(target_W)
        if number is None:
            return None
        return self._frame_request(number, target_W, priority, now_us)

    def zero(self, priority: int, now_us: int) -> rtu.Request | None:
        """The next frame of a set-point of 0. After the last frame, the first one follows again."""
        request = self.request(0, priority, now_us)
        if request is None and not self._is_waiting(now_us):
            self.repeat()
            request = self.request(0, priority, now_us)
        return request

    def _is_waiting(self, now_us: int) -> bool:
        """True while an answer is outstanding, or in the pause between two frames."""
        since_us = now_us - self._sent_us
        return since_us < self._pause_us or self._waits_for is not None and since_us < LOST_US

    def _target_W(self, asked_W: int, now_us: int) -> int:
        if self._may_store and self.wear.holds_back(asked_W, self._passed_W, now_us):
            return 0
        is_single = len(self.frames) == 1
        return asked_W if is_single or self._way in (0, way_of(asked_W)) else 0

    def _next(self, target_W: int) -> int | None:
        """The frame to write next: first frames that change, then frames to repeat."""
        contents, size = self._words(target_W), len(self.frames)
        numbers = range(size)
        changed = [number for number in numbers if self._held_words[number] != contents[number]]
        if self._takes_turns(target_W, changed):
            changed.sort(key=lambda number: (number - self._turn) % size)
        return next(iter(changed + [number for number in numbers if self._is_due[number]]), None)

    def _takes_turns(self, target_W: int, changed: list[int]) -> bool:
        """True if each frame gets its turn.

        Without turns, a set-point that always changes would never reach the last frame. But a mode
        waits while the power falls, because with the old numbers the power may be above a limit.
        """
        if not target_W or self._way != way_of(target_W) or None in self._held_words:
            return False
        return abs(target_W) >= abs(self._sent_W) or self._modes.isdisjoint(changed)

    def _words(self, target_W: int) -> list[Words]:
        if target_W != self._encoded_W:  # this runs in each tick, so encode only a new one
            self._encoded_W = target_W
            self._encoded = [frame.words(target_W) for frame in self.frames]
        return self._encoded

    def _frame_request(self, number: int, target_W: int, priority: int, now_us: int) -> rtu.Request:
        content = self._words(target_W)[number]
        if content != self._held_words[number]:
            # unknown until it is acknowledged, because a following 0 may have to be sent too
            self._held_words[number] = self.held_W = None
        self._turn = number + 1
        self._way = way_of(target_W) or None  # becomes 0 only when all frames have 0
        self._sent_us, self._waits_for, self._sent_W = now_us, content, target_W
        if is_between(target_W, self._passed_W):
            self._passed_W = target_W
        written = partial(self._on_written, number, target_W, content)
        lost = partial(self._on_lost, number, content)
        request = self.frames[number].request(self.unit_id, content, written, lost)
        request.priority = priority
        return request

    def _on_written(
        self, number: int, target_W: int, content: Words, pdu: bytes, now_us: int
    ) -> None:
        self._held_words[number], self._is_due[number] = content, False
        self._end(content)
        if None not in self._held_words:
            self._acknowledged_W = target_W
        if self._held_words == self._words(target_W) and not any(self._is_due):
            self.held_W, self._acknowledged_us = target_W, now_us
            self._passed_W = target_W
        if self._held_words == self._zero:
            self._way = 0

    def _on_lost(self, number: int, content: Words, kind: int, code: int, now_us: int) -> None:
        """Note a frame without an answer. The device may have accepted it."""
        self._is_due[number] = True
        if content != self._held_words[number]:
            self._held_words[number] = self.held_W = self._acknowledged_W = None
        self._end(content)

    def take_acknowledged_W(self) -> int | None:
        """The set-point of a frame acknowledged since the last call, else `held_W`.

        A set-point that changes in each tick is never acknowledged in all frames.
        """
        acknowledged_W, self._acknowledged_W = self._acknowledged_W, self.held_W
        return acknowledged_W

    def _end(self, content: Words) -> None:
        if content == self._waits_for:
            self._waits_for = None

    def all_of_zero(self) -> rtu.Requests:
        """The writes of a set-point of 0, for the site check."""
        pairs = zip(self.frames, self._zero)
        return [frame.request(self.unit_id, content) for frame, content in pairs]

    def compare(self, read_back: list[Words]) -> bool:
        """True if the registers that were read back equal those last acknowledged."""
        pairs = zip(read_back, self._held_words)
        return all([held is None or content == held for content, held in pairs])

    def repeat(self) -> None:
        """Write all frames again."""
        self._is_due = [True] * len(self.frames)

    def stop_waiting(self) -> None:
        """Wait no longer for an answer, because the last frame may not have been sent."""
        if self._sent_W:
            self._waits_for = None
