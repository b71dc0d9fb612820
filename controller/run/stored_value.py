"""A value that survives restarts, and a change of it for which an operator waits.

A change that makes the cabinet safer takes effect first and is stored then. While the store is not
saved, a restart may lose such a change; the cabinet then stays in standby (two_copies.of_run). A
change that removes a protection is stored first: a power cut may lose the change, never the
protection. A change that is not stored within operator_commands.STORED_MS is void: it must not take
effect after the sender has read "no answer".
"""

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from controller.run import operator_commands

T = TypeVar("T")


class Acknowledging(Protocol):
    """The part of store.keeper.Keeper that a wait for the store needs."""

    ok: bool

    def poll(self) -> int:
        """Number of the last durable record."""


class StoredValue(Generic[T]):
    """`in_effect`: the value now. `chosen`: the value in every next record. `is_new`: no record has
    `chosen` yet. `number`: number of the first record that has `chosen`, once `is_new` is False.
    """

    def __init__(self, value: T, show: Callable[[T], object] | None = None):
        """value: from the record of the last run; show(value): called with each value that takes
        effect.
        """
        self.in_effect = self.chosen = value
        self.is_new = self._is_awaited = self._is_overruled = self._is_store_first = False
        self.number = self._waited_ms = 0
        self._show = show
        if show:
            show(value)

    def take_effect(self, value: T, is_awaited: bool) -> None:
        """Let a value act before it is stored. A sender whose change still waits for the store gets
        OVERRULED.
        """
        if self._is_awaited and self._is_store_first:
            self._is_awaited, self._is_overruled = False, True
        self._choose(value, is_awaited or self._is_awaited, False)
        self._effect()

    def store_first(self, value: T, is_awaited: bool) -> None:
        """Store a value first. The change takes effect in `settle`."""
        self._choose(value, is_awaited, True)

    def _choose(self, value: T, is_awaited: bool, is_store_first: bool) -> None:
        self.is_new = self.is_new or value != self.chosen
        self.chosen, self._is_awaited, self._is_store_first = value, is_awaited, is_store_first
        self._waited_ms = 0

    def _effect(self) -> None:
        self.in_effect = self.chosen
        if self._show:
            self._show(self.in_effect)

    def submitted(self, number: int) -> None:
        """Note that the keeper has received a record with `chosen`."""
        if self.is_new:
            self.number, self.is_new = number, False

    def settle(self, keeper: Acknowledging, elapsed_ms: int) -> int:
        """Called once a tick. Returns 0 or how the change ended: ACCEPTED, NOT_STORED (it is void),
        UNSTORED (it is in effect), OVERRULED.
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
        """Undo a change that is not in effect yet, also in a new record. Returns `answer` if a
        sender waits, else 0.
        """
        self.is_new = self.is_new or self.chosen != self.in_effect
        self.chosen = self.in_effect
        return self._answer(answer)

    def _answer(self, answer: int) -> int:
        is_awaited, self._is_awaited = self._is_awaited, False
        return answer if is_awaited else 0
