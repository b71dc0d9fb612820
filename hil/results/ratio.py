"""A part in percent, and no part of nothing: of a tiny whole it is only noise."""

MONEY_MIN = 1.0  # of a bill, in its currency
# of the highest load; a load whose movement is smaller hardly moves
STILL_SWING_PCT, STILL_RANGE_PCT = 1.0, 5.0


def less_pct(left: float | None, whole: float, least: float) -> float | None:
    """How much less `left` is than `whole`. None: `left` is not known, or the whole is below
    `least`, in its own unit.
    """
    return None if left is None or whole < least or whole <= 0 else 100.0 * (1.0 - left / whole)
