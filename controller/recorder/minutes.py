"""Makes a row per minute for the record: rms power in each frequency band (state/bands.py).

A band above the observable frequencies is None. `observable_mHz` is the highest of these.
"""

from controller.journal.frame import Frame
from controller.journal.snapshot import Snapshot
from controller.state.bands import SERIES, BANDS_Hz, Samples
from safety import parameters as p

MINUTE_MS = 60_000
COLUMNS = tuple(
    column
    for name in SERIES
    for column in (
        *[f"{name}_{1000 * low:.0f}_{1000 * high:.0f}_mHz_W" for low, high in BANDS_Hz.values()],
        f"{name}_observable_mHz",
    )
)


class Minutes:
    """Makes the rows. Feed it every frame, in order, after the frame was applied to `seen`."""

    def __init__(self, seen: Snapshot):
        self._samples = Samples(seen)
        self._tick_ms = seen.reader.header["safety_image"][p.H_TICK_MS]
        self._minute: int | None = None

    def feed(self, frame: Frame) -> tuple | None:
        """The row (COLUMNS) of the last minute at the first frame of the next one, else None."""
        self._samples.feed(frame)
        minute = frame.sequence * self._tick_ms // MINUTE_MS
        is_new = self._minute is not None and minute > self._minute
        self._minute = minute
        return _row(self._samples.facts()) if is_new else None


def _row(facts: dict) -> tuple:
    row: list[int | None] = []
    for name in SERIES:
        limit_Hz = facts[name]["observable_to_Hz"]
        row += [*facts[name]["rms_W"].values(), limit_Hz and round(1000 * limit_Hz)]
    return tuple(row)
