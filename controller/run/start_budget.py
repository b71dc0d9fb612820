"""How often one converter may be started. A converter that does not start, or does not keep
running, must not be started for ever: each start wears its relays and pre-charge resistors, and may
clear a failure that a person has to see.
"""

HOUR_US = 3_600_000_000
# Three remote resets of a latch in an hour with a start each, and nine starts for other reasons:
# one in five minutes on average.
STARTS_PER_HOUR_MAX = 12
# A start that the device has not followed is sent again; after this time it counts as a new one.
START_US = 60_000_000
SENT_PER_START_MAX = 10


class StartBudget:
    """The starts of the last hour, by the monotonic clock. A restart of the controller forgets
    them. `is_spent`: the last `take` failed, because a new start would have been one too many.
    """

    def __init__(self) -> None:
        self.is_spent = False
        self._starts_us: list[int] = []
        self._sent, self._repeat_until_us = 0, 0

    def stopped(self) -> None:
        """The converter is stopped: a start that follows is a new one."""
        self.is_spent, self._repeat_until_us = False, 0

    def take(self, now_us: int) -> bool:
        """True: a start may be sent now, and is counted."""
        if now_us < self._repeat_until_us:
            self._sent += 1
            return self._sent <= SENT_PER_START_MAX
        self._starts_us = [each for each in self._starts_us if now_us - each < HOUR_US]
        self.is_spent = len(self._starts_us) >= STARTS_PER_HOUR_MAX
        if not self.is_spent:
            self._starts_us.append(now_us)
            self._sent, self._repeat_until_us = 1, now_us + START_US
        return not self.is_spent
