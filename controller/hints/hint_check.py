"""Checks that an authentic hint or schedule is fresh, in range, and allowed for its source."""

from typing import NamedTuple

from controller.core.base import hint_codes as h
from controller.core.base.schedule_table import OPEN_W, SLOT_MIN_MAX, Slot
from controller.hints import wire as w
from controller.hints.later import START_MS_MAX
from controller.hints.schedule_wire import Schedule

LATE_MS_MAX, EARLY_MS_MAX = 2000, 100  # how old a hint may be, and how far ahead of now
_UP_W, _BOTH_WAYS_W = (0, w.VALUE_W_MAX), (-w.VALUE_W_MAX, w.VALUE_W_MAX)
# (lowest, highest) value of a quantity; other quantities have _UP_W
_RANGES = {0: (0, 0), h.POWER_W: _BOTH_WAYS_W, h.STEP_W: _BOTH_WAYS_W, h.PRICE_IS_NEGATIVE: (0, 1)}
# limits of a schedule
START_MIN_MAX = 68_374_080  # year 2100, in minutes since 1970; refuses a start in seconds
AHEAD_MIN_MAX = 7 * 1440  # longest time until a schedule begins
GRID_CAP, HIGH = 1, 3  # places in schedule_wire.FIELDS, from 1
# (lowest, highest) of each field of a slot; a power may be OPEN_W too
SLOT_RANGES = {
    "grid_cap_W": _UP_W,
    "battery_low_W": _BOTH_WAYS_W,
    "battery_high_W": _BOTH_WAYS_W,
    "reserve_permille": (0, 1000),
}


def first(*checks: tuple[bool, int]) -> int:
    """The code of the first failed check, (has failed, code), else 0."""
    return next((code for has_failed, code in checks if has_failed), 0)


def freshness_code(hint: w.Hint | Schedule, nonce: bytes, last_sequence: int, now_ms: int) -> int:
    """0, or the code that refuses an authentic hint of another run, sequence or time."""
    return first(
        (hint.nonce != nonce, h.OTHER_BOOT),
        (hint.sequence <= last_sequence, h.OLD_SEQUENCE),
        (hint.sent_ms < now_ms - LATE_MS_MAX, h.TOO_LATE),
        (hint.sent_ms > now_ms + EARLY_MS_MAX, h.TOO_EARLY),
    )


def meaning_code(hint: w.Hint, valid_s_max: int, now_ms: int) -> int:
    """0, or the code that refuses kind, quantity, value, validity or start."""
    is_beat = hint.kind == h.HEARTBEAT
    low_W, high_W = _RANGES.get(0 if is_beat else hint.quantity, _UP_W)
    start_ms_max = 0 if is_beat else now_ms + START_MS_MAX
    return first(
        (hint.kind not in h.KINDS, h.UNKNOWN_KIND),
        (not (h.fits(hint.kind, hint.quantity) or is_reading(hint)), h.WRONG_QUANTITY),
        (not low_W <= hint.value_W <= high_W, h.WRONG_VALUE),
        (is_reading(hint) and w.epoch_of(hint.sequence) > w.EPOCH_MAX, h.WRONG_VALUE),
        (hint.valid_ms < w.VALID_MS_MIN, h.VALID_SHORT),
        (hint.valid_ms > valid_s_max * 1000, h.VALID_LONG),
        (hint.start_ms > start_ms_max, h.START_FAR),
    )


def is_reading(hint: w.Hint) -> bool:
    """True for a heartbeat that names a quantity: its answer reports the value in force."""
    return hint.kind == h.HEARTBEAT and hint.quantity in h.QUANTITIES


def is_permitted(role: str, kind: int, quantity: int) -> bool:
    """True if the role may send this kind. Below the role grid_cap an import maximum only narrows
    charging.
    """
    if kind in (h.REQUEST, h.EXACT):
        return _is_at_least(role, "request")
    return kind == h.HEARTBEAT or quantity != h.EXPORT_W_MAX or obliges(role)


def obliges(role: str) -> bool:
    """True when a grid_cap of this role is an obligation."""
    return _is_at_least(role, "grid_cap")


def _is_at_least(role: str, least: str) -> bool:
    return h.ROLES.index(role) >= h.ROLES.index(least)


# -- schedules


class Refusal(NamedTuple):
    """A refusal and its place. code 0: no refusal; slot and field count from 1, 0: the header."""

    code: int = 0
    slot: int = 0
    field: int = 0


def schedule_refusal(schedule: Schedule, role: str) -> Refusal:
    """The first part of a schedule that a source of this role may not send. The code is 0 if there
    is none.
    """
    code = first(
        (not _is_at_least(role, "request"), h.ROLE),
        # also checked without slots: the image stores the header in any case
        (not 0 < schedule.slot_min <= SLOT_MIN_MAX, h.WRONG_SLOT),
        (schedule.start_min > START_MIN_MAX, h.START_FAR),
    )
    if code:
        return Refusal(code)
    for number, slot in enumerate(schedule.slots, 1):
        field = wrong_field(slot)
        if field:
            return Refusal(h.WRONG_SLOT, number, field)
        if slot.grid_cap_W != OPEN_W and not obliges(role):
            return Refusal(h.ROLE, number, GRID_CAP)
    return Refusal()


def wrong_field(slot: Slot) -> int:
    """The first field of a slot that is out of its range; 0: none."""
    low_W, high_W = slot.battery_low_W, slot.battery_high_W
    is_band = OPEN_W in (low_W, high_W) or low_W <= high_W
    for field, (value, (low, high)) in enumerate(zip(slot, SLOT_RANGES.values()), 1):
        if value != OPEN_W and not low <= value <= high or field == HIGH and not is_band:
            return field
    return 0
