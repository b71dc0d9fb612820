"""Ramps of the connection: how far the import may move within a time, as operators limit it.

A row of `ramps` is [W, s]: means of a second may move by at most so many W within so many seconds.
The control functions alone decide once a second, so a time below SHORT_S is judged in the minutes
with the kernel only.
"""

from collections.abc import Iterable, Sequence

import numpy as np

SHORT_S = 10


def broken(seconds_W: np.ndarray, ramps: Iterable[Sequence[float]]) -> list[str]:
    """A sentence for each ramp that was exceeded. seconds_W: grid, means of a second; nan: none."""
    found = []
    for most_W, within_s in ramps:
        moved_W = _moved_W(seconds_W, round(within_s))
        is_over = moved_W > most_W
        if is_over.any():
            words = f"import moved by more than {most_W / 1000:g} kW within {within_s:g} s"
            found.append(
                f"{words} {_times(is_over)}, by up to {moved_W[is_over].max() / 1000:.4g} kW"
            )
    return found


def _moved_W(seconds_W: np.ndarray, within_s: int) -> np.ndarray:
    """Highest less lowest value from each second until within_s later; nan beside an unknown."""
    if len(seconds_W) <= within_s:
        return np.zeros(0)
    windows = np.lib.stride_tricks.sliding_window_view(seconds_W, within_s + 1)
    return windows.max(axis=1) - windows.min(axis=1)


def _times(is_so: np.ndarray) -> str:
    """How often it began."""
    count = int(is_so[0]) + int((np.diff(is_so.astype(np.int8)) > 0).sum())
    return "once" if count == 1 else f"{count} times"
