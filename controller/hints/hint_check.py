"""Whether an authentic hint is fresh, means something, and may be sent by its source."""

from controller.core.base import hint_codes as h
from controller.hints import wire as w
from controller.hints.later import START_MS_MAX
from controller.hints.schedule_wire import Schedule

LATE_MS_MAX, EARLY_MS_MAX = 2000, 100
# (lowest, highest) value of a quantity; of any other 0 .. VALUE_W_MAX
_RANGES = {
    0: (0, 0),
    h.POWER_W: (-w.VALUE_W_MAX, w.VALUE_W_MAX),
    h.STEP_W: (-w.VALUE_W_MAX, w.VALUE_W_MAX),
    h.PRICE_IS_NEGATIVE: (0, 1),
}


def first(*checks: tuple[bool, int]) -> int:
    """The code of the first failed check of (is wrong, code), else 0."""
    return next((code for is_wrong, code in checks if is_wrong), 0)


def freshness(hint: w.Hint | Schedule, nonce: bytes, last_sequence: int, now_ms: int) -> int:
    """0, or the refusal of an authentic hint: other run, used sequence, too late, too early."""
    return first(
        (hint.nonce != nonce, h.OTHER_BOOT),
        (hint.sequence <= last_sequence, h.OLD_SEQUENCE),
        (hint.sent_ms < now_ms - LATE_MS_MAX, h.TOO_LATE),
        (hint.sent_ms > now_ms + EARLY_MS_MAX, h.TOO_EARLY),
    )


def meaning(hint: w.Hint, valid_s_max: int, now_ms: int) -> int:
    """0, or why the core cannot take kind, quantity, value, validity and start."""
    low_W, high_W = _RANGES.get(hint.quantity, (0, w.VALUE_W_MAX))
    is_beat = hint.kind == h.HEARTBEAT
    start_ms_max = 0 if is_beat else now_ms + START_MS_MAX
    return first(
        (hint.kind not in h.KINDS, h.UNKNOWN_KIND),
        (not h.fits(hint.kind, hint.quantity), h.WRONG_QUANTITY),
        (not low_W <= hint.value_W <= high_W, h.WRONG_VALUE),
        (hint.valid_ms < w.VALID_MS_MIN, h.VALID_SHORT),
        (hint.valid_ms > valid_s_max * 1000, h.VALID_LONG),
        (hint.start_ms > start_ms_max, h.START_FAR),
    )


def permitted(role: str, kind: int, quantity: int) -> bool:
    """An import maximum below the role grid_cap only narrows charging."""
    if kind in (h.REQUEST, h.EXACT):
        return h.ROLES.index(role) >= h.ROLES.index("request")
    return quantity != h.EXPORT_W_MAX or obliges(role)


def obliges(role: str) -> bool:
    """True when a grid_cap of this role is an obligation."""
    return h.ROLES.index(role) >= h.ROLES.index("grid_cap")
