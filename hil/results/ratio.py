"""Computes a part in percent of a whole. A tiny whole gives None, because of noise."""

MONEY_MIN = 1.0  # a percentage of a smaller bill, in its currency, has no meaning
# A load hardly moves if its swing, or its range, is below this percentage of its highest power.
STILL_SWING_PCT, STILL_RANGE_PCT = 1.0, 5.0


def less_pct(left: float | None, whole: float, least: float) -> float | None:
    """Percentage by which `left` is less than `whole`. None: `left` is unknown, or `whole` is below
    `least`.
    """
    return None if left is None or whole < least or whole <= 0 else 100.0 * (1.0 - left / whole)
