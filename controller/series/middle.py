"""The median. Python's own module for it loads fractions and decimals too: 0.9 MiB of memory."""

from collections.abc import Iterable


def median(values: Iterable[float]) -> float:
    """The middle of at least one value; of an even count the mean of the two in the middle."""
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
