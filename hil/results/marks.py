"""Marks in the panels of a picture: states, actions, trips, start-up, worst moment."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from hil.results import swing

INK, FAINT, RED = "#22272e", "#8a939e", "#c0272d"
OVER_TIME = "data", "axes fraction"
STATE_COLOURS = ("#c9cfd6", "#a6d5e8", "#f3d27a", "#8fcfa5", "#f0a868", "#d9534f")


def start_up(panels: list[Axes], from_s: float, end_s: float) -> None:
    """Draw the time before the battery is in use in grey."""
    if from_s <= 0:
        return
    for axes in panels:
        axes.axvspan(0, from_s, color="#eef0f3", zorder=0, linewidth=0)
    text = "start-up, not measured" if from_s > 0.13 * end_s else "start"
    style: dict[str, Any] = {"ha": "center", "fontsize": 8, "color": "#4a525c"}
    panels[0].text(from_s / 2, 0.5, text, transform=panels[0].get_xaxis_transform(), **style)


def worst_moment(axes: Axes, worst: dict | None, times_s: np.ndarray, grid_kW: np.ndarray) -> None:
    """Draw a ring around the worst moment of the grid, and its size above all curves."""
    if worst is None or abs(worst["change_W"]) < swing.QUIET_W:
        return
    at_s = worst["t_s"]
    point = at_s, float(np.interp(at_s, times_s, grid_kW))
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.12 * (high - low))
    part = at_s / times_s[-1]
    axes.plot(*point, "o", markersize=13, mfc="none", mec=RED, mew=1.6, zorder=5)
    text = f"worst moment of the grid: {worst['change_W'] / 1000:+.0f} kW"
    style: dict[str, Any] = {"va": "top", "fontsize": 9.5, "color": RED, "fontweight": "bold"}
    style["ha"] = "left" if part < 0.2 else "right" if part > 0.8 else "center"
    style["arrowprops"] = {"arrowstyle": "-", "color": RED, "shrinkB": 7}
    axes.annotate(text, point, xytext=(at_s, 0.99), textcoords=OVER_TIME, **style)


def runs(values: np.ndarray) -> list[tuple[int, ...]]:
    """[(first index, index after the last, value)] of consecutive equal values."""
    edges = np.flatnonzero(np.diff(values)) + 1
    starts, ends = np.append(0, edges), np.append(edges, len(values))
    return [(int(start), int(end), int(values[start])) for start, end in zip(starts, ends)]


def states(axes: Axes, times_s: np.ndarray, codes: np.ndarray, names: Sequence[str]) -> None:
    """Draw the controller's states as a strip of colours, with names where they fit."""
    style: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 8}
    for first, after, code in runs(codes):
        begin_s, end_s = times_s[first], times_s[min(after, len(times_s) - 1)]
        axes.axvspan(begin_s, end_s, color=STATE_COLOURS[code % len(STATE_COLOURS)], linewidth=0)
        if end_s - begin_s > 0.07 * times_s[-1]:
            axes.text((begin_s + end_s) / 2, 0.46, names[code].upper(), **style)
    axes.set_ylim(0, 1)
    axes.set_yticks([])
    axes.set_ylabel("state", rotation=0, ha="right", va="center")


def trips_and_actions(
    panels: list[Axes],
    trips: list[tuple[float, str]],
    actions: list[tuple[float, str]],
    end_s: float,
) -> None:
    """Draw trips and actions, each (time, text), below the text of the worst moment."""
    for axes in panels:
        for time_s, _ in actions:
            axes.axvline(time_s, color=FAINT, linewidth=1.0, linestyle=(0, (2, 2)))
        for time_s, _ in trips:
            axes.axvline(time_s, color=RED, linewidth=1.1)
    if actions or trips:
        low, high = panels[0].get_ylim()
        below = 0.05 + 0.05 * min(len(trips), 6)  # room for the names
        panels[0].set_ylim(low - below * (high - low), high + 0.08 * (high - low))
    # Neighbouring names are stacked: actions from the top of the panel, trips from the bottom.
    _stack(panels[0], actions, 0.9, -1, INK, end_s)
    _stack(panels[0], trips, 0.02, 1, RED, end_s)


def _stack(
    axes: Axes, labels: list[tuple[float, str]], from_y: float, way: int, colour: str, end_s: float
) -> None:
    """Write each (time, text) beside its line; a text that would overlap goes one line further."""
    box = {"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.75}
    style: dict[str, Any] = {"xycoords": OVER_TIME, "textcoords": "offset points", "fontsize": 8}
    style |= {"color": colour, "va": "top" if way < 0 else "bottom", "bbox": box}
    level, last_s = 0, -end_s
    for time_s, text in sorted(labels):
        level = level + 1 if time_s - last_s < 0.13 * end_s else 0
        last_s = time_s
        side, shift = ("right", -4) if time_s > 0.88 * end_s else ("left", 4)
        place = time_s, from_y + way * 0.045 * (level % 12)
        axes.annotate(text, place, xytext=(shift, 0), ha=side, **style)
