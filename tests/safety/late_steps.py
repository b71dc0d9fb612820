"""A test that saves steps makes each of them late; three would trip row 44g."""

from safety import pace


def forget(kernel) -> None:
    """The kernel has seen no late step."""
    kept = kernel.features.pace
    for place in range(pace.LATE, len(kept.words)):
        kept.words[place] = kept.window_ticks
