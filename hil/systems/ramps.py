"""Judges ramps: the grid operator limits how far the import may move within a time.

A row of `ramps` is [W, s, means_s]. The means over means_s may move by at most W within s seconds.
Most of a run has a controller that decides once a second. So a time below SHORT_S is judged only in
the minutes that the safety kernel plays.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from hil.systems.series import blocks

SHORT_S = 10


def broken(seconds_W: np.ndarray, ramps: Iterable[Sequence[float]]) -> list[str]:
    """A sentence for each ramp that was exceeded. seconds_W: grid, 1 s means; nan: unknown."""
    sentences = []
    for most_W, within_s, means_s in ramps:
        moved_W = _moved_W(seconds_W, within_s, means_s)
        is_over = moved_W > most_W
        if is_over.any():
            text = f"import moved by more than {most_W / 1000:g} kW within {within_s:g} s"
            sentences.append(
                f"{text} {_times(is_over)}, by up to {moved_W[is_over].max() / 1000:.4g} kW"
            )
    return sentences


def count(seconds_W: np.ndarray, ramps: Iterable[Sequence[float]]) -> int:
    """The number of windows in which a ramp was exceeded."""
    return sum([int((_moved_W(seconds_W, *times_s) > most_W).sum()) for most_W, *times_s in ramps])


def _moved_W(seconds_W: np.ndarray, within_s: float, means_s: float) -> np.ndarray:
    """Highest minus lowest mean in each window of within_s; nan if a value in it is unknown."""
    means_W = blocks(seconds_W, round(means_s)).mean(axis=1, dtype=np.float64)
    steps = max(1, round(within_s / means_s))
    if len(means_W) <= steps:
        return np.zeros(0)
    windows = np.lib.stride_tricks.sliding_window_view(means_W, steps + 1)
    return windows.max(axis=1) - windows.min(axis=1)


def _times(is_so: np.ndarray) -> str:
    """The number of spans that are true, in words."""
    count = int(is_so[0]) + int((np.diff(is_so.astype(np.int8)) > 0).sum())
    return "once" if count == 1 else f"{count} times"
