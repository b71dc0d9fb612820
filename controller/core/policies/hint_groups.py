"""Groups of hints whose values combine to one bound: the tightest value of a group acts."""

from array import array

from controller.core.base import hint_codes, hint_sources
from controller.core.base.answers import WIDE_W

# IMPORT and EXPORT oblige the battery. A source without the role grid_cap only narrows its power.
CHARGE, DISCHARGE, IMPORT, EXPORT, NARROW_IMPORT, NARROW_EXPORT = range(6)
GROUPS = 6
_GROUP = {hint_codes.CHARGE_W_MAX: CHARGE, hint_codes.DISCHARGE_W_MAX: DISCHARGE}
_GROUP |= {hint_codes.IMPORT_W_MAX: IMPORT, hint_codes.EXPORT_W_MAX: EXPORT}
_NARROW = {IMPORT: NARROW_IMPORT, EXPORT: NARROW_EXPORT}
CAPS = 1 << CHARGE | 1 << DISCHARGE | 1 << NARROW_IMPORT | 1 << NARROW_EXPORT
OBLIGATIONS = 1 << IMPORT | 1 << EXPORT


def group_of(rank: int, quantity: int) -> int:
    """The group of a quantity of a source; -1 for a request."""
    group = _GROUP.get(quantity, -1)
    return group if rank >= hint_sources.GRID_CAP else _NARROW.get(group, group)


class Tightest:
    """The tightest value in force of each group."""

    def __init__(self) -> None:
        # Value of each group (W), source index + 1 of each group, a bit for each group with a value
        self.words = array("q", [0] * (2 * GROUPS + 1))

    @property
    def in_force(self) -> int:
        """A bit for each group that has a value."""
        return self.words[-1]

    def begin(self) -> None:
        """Remove the values of all groups."""
        self.words[:] = array("q", [WIDE_W] * GROUPS + [0] * (GROUPS + 1))

    def add(self, group: int, value_W: int, source: int) -> None:
        """Take a value. source: index + 1."""
        group_words = self.words
        if value_W < group_words[group] or not group_words[GROUPS + group]:
            group_words[group], group_words[GROUPS + group] = value_W, source
            group_words[-1] |= 1 << group

    def value_W(self, group: int) -> int:
        """The tightest value of a group; WIDE_W without any."""
        return self.words[group]

    def source(self, group: int) -> int:
        """Source index + 1 of the tightest value of a group; 0 without any."""
        return self.words[GROUPS + group]

    def narrowed(
        self, cap_group: int, grid_group: int, room_W: int | None, quantum_W: int
    ) -> tuple[int, int]:
        """(cap in W, source index + 1): the tightest cap, or the power that a grid maximum leaves
        if this is less. room_W: power that the site without the battery gives in this direction;
        None: the grid maximum leaves 0 W.
        """
        value_W, source = self.value_W(cap_group), self.source(cap_group)
        grid_source, left_W = self.source(grid_group), 0
        if room_W is not None:
            left_W = (self.value_W(grid_group) + room_W) // quantum_W * quantum_W
        if grid_source and (left_W < value_W or not source):
            return min(left_W, WIDE_W), grid_source
        return value_W, source
