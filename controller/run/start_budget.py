"""Decides when one converter may be started. A converter that does not start, or does not keep
running, must not be started again and again without an end. Each start wears its relays and
pre-charge resistors, and may clear a failure that a person has to see. So after a failure an
operator's reset comes first.
"""

from collections.abc import Sequence
from typing import Any

from safety import signals as s

HOUR_US = 3_600_000_000
# An hour may need three starts after remote resets of a latch, and nine starts for other reasons.
# On average that is one start in five minutes.
STARTS_PER_HOUR_MAX = 12
# A start that the device has not followed is sent again; after this time it counts as a new one.
START_US = 60_000_000
SENT_PER_START_MAX = 10
RUNS = (s.PCS_RUNNING, s.PCS_THROTTLED, s.PCS_STARTING)


class StartBudget:
    """The starts of the last hour, by the monotonic clock. A restart of the controller forgets
    them. `is_spent`: the last `take` failed, because it would have exceeded STARTS_PER_HOUR_MAX.
    """

    def __init__(self) -> None:
        self.is_spent = False
        self._starts_us: list[int] = []
        self._sent, self._repeat_until_us = 0, 0

    def stopped(self) -> None:
        """Note that the converter is stopped or was lost. The next start then counts
        as a new one.
        """
        self.is_spent, self._repeat_until_us = False, 0

    def take(self, now_us: int) -> bool:
        """True: a start may be sent now, and is counted."""
        if now_us < self._repeat_until_us:
            self._sent += 1
            return self._sent <= SENT_PER_START_MAX
        self._starts_us = [start_us for start_us in self._starts_us if now_us - start_us < HOUR_US]
        self.is_spent = len(self._starts_us) >= STARTS_PER_HOUR_MAX
        if not self.is_spent:
            self._starts_us.append(now_us)
            self._sent, self._repeat_until_us = 1, now_us + START_US
        return not self.is_spent


class HeldFault:
    """A fault that one converter had under its permit. A reset must come before the next start.

    Stage 59e of the matrix latches a fault of 5 s. A shorter fault would stay unseen, and the next
    start would clear it. So while a start is withheld, the converter is shown in its state "fault",
    and 59e latches. A start clears a fault that the converter has before its permit. A restart of
    the controller forgets a fault that 59e has not latched. `is_held`: True until an operator's
    reset; `is_withheld`: a start is wanted, and withheld.
    """

    def __init__(self, state_at: int, has_starts: bool):
        """has_starts: a start writes a register. If it writes none, a start cannot clear a
        fault.
        """
        self.is_held = self.is_withheld = False
        self._state_at, self._has_starts = state_at, has_starts
        self._is_fault, self._is_asked = True, False

    def see(self, inp: Sequence[int], is_permitted: bool, is_asked: bool) -> bool:
        """Called in each tick. is_asked: a start was sent and has not ended. Returns True for a new
        fault: it came under the permit, or a start has ended and the converter still shows it.
        """
        is_fault = self._has_starts and inp[self._state_at] == s.PCS_FAULT
        has_come = is_fault and is_permitted and not self._is_fault
        is_new = has_come or is_fault and self._is_asked and not is_asked
        self._is_fault, self._is_asked = is_fault, is_asked
        self.is_held, self.is_withheld = self.is_held or is_new, False
        return is_new

    def show(self, inp: Any) -> None:
        """Show a withheld start as the state "fault". inp: inputs of the process image, before the
        tick. A converter that was started and has recovered by itself shows its own state.
        """
        if self.is_withheld and not (self._is_asked and inp[self._state_at] in RUNS):
            inp[self._state_at] = s.PCS_FAULT
