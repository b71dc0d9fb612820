"""Lists the limits of the recorder (how much it may store), each with its allowed range."""

from typing import NamedTuple


class Limits(NamedTuple):
    """Sizes and times of the recorder."""

    history_MB: int = 512
    captures_MB: int = 256
    events_max: int = 200_000
    capture_before_s: int = 60
    capture_after_s: int = 60
    fast_days: int = 7


# {name: (lowest, highest, meaning)}
RANGES = {
    "history_MB": (
        8,
        65_536,
        "size of the database; at its end the oldest seconds go first, trips last",
    ),
    "captures_MB": (8, 65_536, "size of all full-rate captures; the oldest go first"),
    "events_max": (1_000, 10_000_000, "events kept besides trips"),
    "capture_before_s": (1, 600, "full rate from so long before a trip"),
    "capture_after_s": (1, 600, "full rate until so long after a trip"),
    "fast_days": (0, 365, "days of the ring of ticks, for `audit`; 0: none"),
}
