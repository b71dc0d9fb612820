"""Finds each trip and its time. The controller reports its stages as bits in integers ("words")."""

from collections.abc import Sequence
from typing import Any

from controller.core.base.instances import stage_instances
from controller.core.core import STANDING_BITS
from safety import matrix
from safety.signals import Layout

ROWS = {stage[matrix.S_ID]: stage[matrix.S_ROW] for stage in matrix.STAGES}


class TripWatch:
    """`trips`: [{row, stage, scope, t_s}] in order of time, one for each rise of a bit."""

    def __init__(self, layout: Layout) -> None:
        self.names = stage_instances(layout)
        self.trips: list[dict[str, Any]] = []
        self._words: Sequence[int] = ()

    def see(self, time_us: int, standing_words: Sequence[int]) -> None:
        """Compare `standing_words`, with STANDING_BITS stage instances each, with the previous
        ones.
        """
        before = self._words
        if standing_words == before:
            return
        self._words = standing_words
        for place, word in enumerate(standing_words):
            new = word & ~(before[place] if before else 0)
            while new:
                bit = new.bit_length() - 1
                new ^= 1 << bit
                self._begin(time_us, place * STANDING_BITS + bit)

    def _begin(self, time_us: int, index: int) -> None:
        stage, _, scope = self.names[index].partition(".")
        trip = {"row": ROWS[stage], "stage": stage, "scope": scope_words(scope)}
        self.trips.append({**trip, "t_s": round(time_us / 1e6, 3)})

    def active(self) -> list[str]:
        """Names of the stage instances that are active or latched."""
        return names_active(self._words, self.names)


def names_active(standing_words: Sequence[int], names: Sequence[str]) -> list[str]:
    """The names in `names` whose bit is set in `standing_words`."""
    bits = [word >> bit & 1 for word in standing_words for bit in range(STANDING_BITS)]
    return [name for name, is_set in zip(names, bits) if is_set]


def scope_words(scope: str) -> str:
    """ "rack 2" for "rack2"; "cabinet" for an empty text."""
    return f"{scope[:4]} {scope[4:]}" if scope else "cabinet"
