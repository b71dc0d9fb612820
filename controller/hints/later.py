"""Accepted hints that begin later wait here, outside of the tick. A restart loses them."""

from collections.abc import Callable

from controller.core.base.hint_codes import HintSlot

START_MS_MAX = 3_600_000  # longest time until a hint or a notice begins


class Later:
    """Waiting hints: at most one for each quantity of each source. A newer hint replaces it."""

    def __init__(self, take: Callable[[HintSlot], int | None]):
        """take: returns None while a tick is full."""
        self._take = take
        self._waiting: dict[tuple[int, int], tuple[int, HintSlot]] = {}

    def wait(self, hint: HintSlot, start_ms: int) -> None:
        """Keep a hint until the uptime start_ms."""
        self._waiting[hint.source, hint.quantity] = start_ms, hint

    def begin(self, now_ms: int) -> None:
        """Hand over the hints whose time has come, with the validity that is left. Hints without
        room wait for the next tick.
        """
        due = sorted((start_ms, key) for key, (start_ms, _) in self._waiting.items())
        for start_ms, key in due:
            hint = self._waiting[key][1]
            hint = hint._replace(valid_ms=hint.valid_ms - (now_ms - start_ms))
            if start_ms > now_ms or (hint.valid_ms > 0 and self._take(hint) is None):
                return
            del self._waiting[key]

    def drop(self, source: int) -> None:
        """Forget the hints of a source (HintSlot.source) whose keys were revoked."""
        for key in [key for key in self._waiting if key[0] == source]:
            del self._waiting[key]
