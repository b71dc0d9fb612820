"""A value that survives restarts, and the one change of it that an operator waits for: the same
rule for reset, lock-out and its end, start, stop and test mode.

A change that makes the cabinet safer takes effect first and is stored then. One that takes a
protection away is stored first: a cut of power may lose it, never the protection. What the store
has not taken in operator_commands.STORED_MS is void if it was to be stored first, so that nothing
takes effect after the sender has read "no answer"; otherwise it stays in effect until a restart.
"""

from controller.run import operator_commands


class StoredValue:
    """`in_effect`: holds now; `chosen`: what every record says from now on; `is_new`: no record
    says it yet. `number`: of the record whose acknowledgement is waited for.
    """

    def __init__(self, value, show=None):
        """value: of the last run's record; show(value): called with each value that takes
        effect.
        """
        self.in_effect = self.chosen = value
        self.is_new = self._is_awaited = self._is_overruled = self._is_store_first = False
        self.number = self._waited_ms = 0
        self._show = show
        if show:
            show(value)

    def take_effect(self, value: str | tuple, is_awaited: bool = False) -> None:
        """Effect first. Whoever waits for a change that is to be stored first is told OVERRULED."""
        if self._is_awaited and self._is_store_first:
            self._is_awaited, self._is_overruled = False, True
        self._choose(value, is_awaited or self._is_awaited, False)
        self._effect()

    def store_first(self, value: str | tuple, is_awaited: bool = False) -> None:
        """Stored first: `settle` makes it take effect."""
        self._choose(value, is_awaited, True)

    def _choose(self, value, is_awaited, is_store_first):
        self.is_new = self.is_new or value != self.chosen
        self.chosen, self._is_awaited, self._is_store_first = value, is_awaited, is_store_first
        self._waited_ms = 0

    def _effect(self):
        self.in_effect = self.chosen
        if self._show:
            self._show(self.in_effect)

    def submitted(self, number: int) -> None:
        """A record with `chosen` in it was handed over."""
        if self.is_new:
            self.number, self.is_new = number, False

    def settle(self, keeper, elapsed_ms: int) -> int:
        """Before each tick. How the change that somebody waits for has ended: ACCEPTED, NOT_STORED
        (void), UNSTORED (in effect), OVERRULED; 0: it has not, or nobody waits.
        """
        if self._is_overruled:
            self._is_overruled = False
            return operator_commands.OVERRULED
        if not self._is_awaited and self.chosen == self.in_effect:
            return 0
        self._waited_ms += elapsed_ms
        if not self.is_new and keeper.poll() >= self.number:
            if self.chosen != self.in_effect:
                self._effect()
            return self._answer(operator_commands.ACCEPTED)
        is_late = self._is_awaited and self._waited_ms > operator_commands.STORED_MS
        if keeper.ok and not is_late:
            return 0
        if self.chosen == self.in_effect:
            return self._answer(operator_commands.UNSTORED)
        return self.void(operator_commands.NOT_STORED)

    def void(self, answer: int = 0) -> int:
        """Take back what is not in effect. The next record says so: the keeper may yet save the
        last one. Returns `answer` if somebody waits for it.
        """
        self.is_new = self.is_new or self.chosen != self.in_effect
        self.chosen = self.in_effect
        return self._answer(answer)

    def _answer(self, answer):
        is_awaited, self._is_awaited = self._is_awaited, False
        return answer if is_awaited else 0
