"""Contacts of the grid operator, which close at named times."""

from collections.abc import Mapping, Sequence

from hil.site.part import SitePart

CONTACTS = ("contact_1", "contact_2", "contact_3")


class GridContact(SitePart):
    """closed: (at_s, for_s) of each closing, by contact."""

    kind = "grid_contact"

    def __init__(
        self, parameters: Mapping[str, float], closed: Mapping[str, Sequence[Sequence[float]]] = {}
    ) -> None:
        super().__init__(parameters)
        self.closed = closed

    def _move(self, dt_s: float) -> None:
        """Nothing moves, because the time alone says which contacts are closed."""

    def signals(self) -> dict[str, float]:
        """See SitePart."""
        return {
            name: any(
                [0 <= self.time_s - at_s < for_s for at_s, for_s in self.closed.get(name, ())]
            )
            for name in CONTACTS
        }
