"""Whether the core can take a schedule: its header, and every slot of it."""

from typing import NamedTuple

from controller.core.base import hint_codes as h
from controller.core.base.schedule_table import OPEN_W, SLOT_MIN_MAX, Slot
from controller.hints import wire as w
from controller.hints.schedule_wire import Schedule

# Year 2100, in minutes since 1970. A start in seconds lies behind it.
START_MIN_MAX = 68_374_080
AHEAD_MIN_MAX = 7 * 1440  # so far ahead may a schedule begin
GRID_CAP, HIGH = 1, 3  # places in schedule_wire.FIELDS, from 1
# {field: (lowest, highest)}; a power may be OPEN_W too
RANGES = {
    "grid_cap_W": (0, w.VALUE_W_MAX),
    "battery_low_W": (-w.VALUE_W_MAX, w.VALUE_W_MAX),
    "battery_high_W": (-w.VALUE_W_MAX, w.VALUE_W_MAX),
    "reserve_permille": (0, 1000),
}


class Refusal(NamedTuple):
    """code 0: none; slot and field from 1, 0: the header."""

    code: int = 0
    slot: int = 0
    field: int = 0


def refusal(schedule: Schedule, role: str) -> Refusal:
    """The first thing of a schedule that a source of this role may not send."""
    if h.ROLES.index(role) < h.ROLES.index("request"):
        return Refusal(h.ROLE)
    # also without slots: the image stores the header, whatever follows
    if not 0 < schedule.slot_min <= SLOT_MIN_MAX:
        return Refusal(h.WRONG_SLOT)
    if schedule.start_min > START_MIN_MAX:
        return Refusal(h.START_FAR)
    obliges = h.ROLES.index(role) >= h.ROLES.index("grid_cap")
    for number, slot in enumerate(schedule.slots, 1):
        field = wrong_field(slot)
        if field:
            return Refusal(h.WRONG_SLOT, number, field)
        if slot.grid_cap_W != OPEN_W and not obliges:
            return Refusal(h.ROLE, number, GRID_CAP)
    return Refusal()


def wrong_field(slot: Slot) -> int:
    """The first field of a slot that is out of its range; 0: none."""
    low_W, high_W = slot.battery_low_W, slot.battery_high_W
    is_band = OPEN_W in (low_W, high_W) or low_W <= high_W
    for field, (value, (low, high)) in enumerate(zip(slot, RANGES.values()), 1):
        if value != OPEN_W and not low <= value <= high or field == HIGH and not is_band:
            return field
    return 0
