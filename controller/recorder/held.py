"""A value that counts as an event only after it has not changed for a while."""


class Held:
    """A value that counts once it has lasted for some ticks. value: the last value that counted."""

    def __init__(self, wanted_ticks: int):
        self.value: int | None = None
        self._candidate: int | None = None
        self._ticks, self._least_ticks = 0, wanted_ticks

    def step(self, value: int, elapsed_ticks: int) -> bool:
        """True in the tick in which a new value begins to count."""
        if value == self.value:
            self._candidate = None
            return False
        self._ticks = self._ticks + elapsed_ticks if value == self._candidate else 0
        self._candidate = value
        is_held = self.value is None or self._ticks >= self._least_ticks
        if is_held:
            self.value, self._candidate = value, None
        return is_held
