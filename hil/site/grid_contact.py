"""Contacts of the grid operator, which close at named times."""

from collections.abc import Mapping, Sequence

from hil.site.part import SitePart

CONTACTS = ("contact_1", "contact_2", "contact_3")


class GridContact(SitePart):
    """closed: (at_s, for_s) of each closing, by contact."""

    kind = "grid_contact"

    def __init__(
        self,
        parameters: Mapping[str, float],
        closed: Mapping[str, Sequence[Sequence[float]]] | None = None,
    ) -> None:
        super().__init__(parameters)
        self.closed, self._begin_s = closed or {}, 0.0

    def begin_at(self, begin_s: float) -> None:
        """See SitePart."""
        self._begin_s = begin_s

    def _move(self, dt_s: float) -> None:
        """Nothing moves, because the time alone says which contacts are closed."""

    def signals(self) -> dict[str, float]:
        """See SitePart."""
        now_s = self._begin_s + self.time_s
        return {
            name: any([0 <= now_s - at_s < for_s for at_s, for_s in self.closed.get(name, ())])
            for name in CONTACTS
        }
