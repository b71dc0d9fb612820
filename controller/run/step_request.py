"""The power for which a person asks one converter in TEST mode, and the end of this request.

The program that sends requests may end between two steps. So each request has a duration, and the
end of TEST mode ends it too.
"""

from safety.signals import INT_MAX

STEP_MS_MAX = 10_000  # for a longer step the command renews its request
NOTHING = (0, 0)


class StepRequest:
    """`asked`: (unit from 1, W); NOTHING: there is no request."""

    def __init__(self, units: int):
        self._units, self._left_ms = units, 0
        self.asked = NOTHING

    def ask(self, unit: int, power_W: int, for_ms: int) -> bool:
        """Take a request, which replaces an earlier one. False: the request is out of range."""
        is_in_range = 1 <= unit <= self._units and abs(power_W) <= INT_MAX
        if not (is_in_range and 0 < for_ms <= STEP_MS_MAX):
            return False
        self.asked, self._left_ms = (unit, power_W), for_ms
        return True

    def step(self, elapsed_ms: int, is_test: bool) -> tuple[int, int]:
        """The request of this tick."""
        if not is_test or self._left_ms <= 0:
            self.asked = NOTHING
        self._left_ms -= elapsed_ms
        return self.asked
