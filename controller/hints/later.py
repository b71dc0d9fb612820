"""Accepted hints that begin later wait here, outside of the tick. A restart loses them."""

from collections.abc import Callable

START_MS_MAX = 3_600_000  # longest time until a hint or a notice begins


class Later:
    """Waiting hints: at most one for each quantity of each source. A newer hint replaces it."""

    def __init__(self, take: Callable[..., int | None]):
        """take(source index, kind, quantity, value_W, valid_ms): None while a tick is full."""
        self._take = take
        self._waiting: dict[tuple[int, int], tuple[int, tuple[int, ...]]] = {}

    def wait(self, words: tuple[int, ...], start_ms: int) -> None:
        """Keep a hint until the uptime start_ms. words: the arguments of `take`."""
        source_index, _, quantity, *_ = words
        self._waiting[source_index, quantity] = start_ms, words

    def begin(self, now_ms: int) -> None:
        """Hand over the hints whose time has come, with the validity that is left. Hints without
        room wait for the next tick.
        """
        due = sorted((start_ms, key) for key, (start_ms, _) in self._waiting.items())
        for start_ms, key in due:
            *words, valid_ms = self._waiting[key][1]
            left_ms = valid_ms - (now_ms - start_ms)
            if start_ms > now_ms or (left_ms > 0 and self._take(*words, left_ms) is None):
                return
            del self._waiting[key]

    def drop(self, source_index: int) -> None:
        """Forget the hints of a source whose keys were revoked."""
        for key in [key for key in self._waiting if key[0] == source_index]:
            del self._waiting[key]
