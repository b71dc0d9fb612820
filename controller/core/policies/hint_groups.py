"""Groups of hints whose values combine to one bound: the tightest of a group acts."""

from controller.core import hint_codes, hint_sources

# Groups of sources that may oblige the battery, then of the other sources.
CHARGE, DISCHARGE, IMPORT, EXPORT, NARROW_IMPORT, NARROW_EXPORT = range(6)
GROUPS = 6
_GROUP = {
    hint_codes.CHARGE_W_MAX: CHARGE,
    hint_codes.DISCHARGE_W_MAX: DISCHARGE,
    hint_codes.IMPORT_W_MAX: IMPORT,
    hint_codes.EXPORT_W_MAX: EXPORT,
}
_NARROW = {IMPORT: NARROW_IMPORT, EXPORT: NARROW_EXPORT}
CAPS = 1 << CHARGE | 1 << DISCHARGE | 1 << NARROW_IMPORT | 1 << NARROW_EXPORT
OBLIGATIONS = 1 << IMPORT | 1 << EXPORT


def group_of(rank: int, quantity: int) -> int:
    """The group of a quantity of a source; -1 for a request."""
    group = _GROUP.get(quantity, -1)
    return group if rank >= hint_sources.GRID_CAP else _NARROW.get(group, group)
