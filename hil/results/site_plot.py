"""The picture of a site, SVG: panels for its powers, and for battery and charge of each cabinet."""

from collections.abc import Mapping
from itertools import cycle

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from hil.results.marks import FAINT, RED
from hil.results.plot import GRID, LOAD, STYLE, envelope, svg_of
from hil.site.parts import FEEDING, PARTS

FED = "#e69f00", "#aa3377", "#56b4e9", "#009e73"  # colours of FEEDING
POWERS = {
    "load": ("Load", LOAD, 1.1),
    "grid": ("Grid", GRID, 1.8),
    **{kind: (PARTS[kind].text, colour, 1.4) for kind, colour in zip(FEEDING, cycle(FED))},
}
# Okabe and Ito's palette. More cabinets get the same colours with dashed lines.
CABINETS = "#d55e00", "#56b4e9", "#009e73", "#cc79a7", "#e69f00", "#0072b2"
HEIGHTS = 3.4, 1.9, 1.4
WIDTH_INCH, HEIGHT_INCH = 12.5, 7.6
TIME_UNITS = (("h", 3600.0, 4 * 3600.0), ("min", 60.0, 600.0), ("s", 1.0, 0.0))
LEGEND = {"loc": "lower left", "bbox_to_anchor": (-0.006, 0.98), "frameon": False}


def svg(columns: Mapping[str, np.ndarray], parts: Mapping[str, object], measured_s: float) -> str:
    """The picture. parts: kinds that the site has. measured_s: time at which the swing figures
    begin.
    """
    with matplotlib.rc_context(STYLE):
        return svg_of(draw(columns, parts, measured_s))


def draw(
    columns: Mapping[str, np.ndarray], parts: Mapping[str, object], measured_s: float
) -> Figure:
    """The figure."""
    figure = Figure(figsize=(WIDTH_INCH, HEIGHT_INCH), dpi=110, facecolor="white")
    panels = figure.subplots(3, 1, sharex=True, height_ratios=HEIGHTS)
    figure.subplots_adjust(left=0.072, right=0.975, top=0.945, bottom=0.07, hspace=0.3)
    seconds = columns["t_s"]
    unit, divisor, _ = next(row for row in TIME_UNITS if seconds[-1] >= row[2])
    times = seconds / divisor
    for name, (label, colour, width) in POWERS.items():
        if name in ("load", "grid") or name in parts:
            line = envelope(times, columns[name] / 1e3)
            panels[0].plot(*line, color=colour, linewidth=width, label=label)
    _cabinets(panels[1], times, columns, "battery", 1e3)
    _cabinets(panels[2], times, columns, "soc", 1.0)
    for axes, label in zip(panels, ("site, kW", "battery, kW\n+ discharges", "charge, %")):
        axes.set_ylabel(label)
        axes.yaxis.set_major_locator(MaxNLocator(6))
        axes.ticklabel_format(axis="y", useOffset=False)
    for axes in panels[:2]:
        axes.axhline(0, color=FAINT, linewidth=0.8)
        axes.legend(ncols=8, **LEGEND)
    _marks(panels, times, columns["off_grid"], min(measured_s / divisor, times[-1]))
    panels[0].set_xlim(0, times[-1])
    panels[2].set_xlabel(f"time, {unit}")
    return figure


def _cabinets(
    axes: Axes, times: np.ndarray, columns: Mapping[str, np.ndarray], name: str, divisor: float
) -> None:
    names = [column for column in columns if column.startswith(f"{name}_")]
    for index, column in enumerate(names):
        style = "--" if index >= len(CABINETS) else "-"
        line, colour = envelope(times, columns[column] / divisor), CABINETS[index % len(CABINETS)]
        axes.plot(*line, style, color=colour, linewidth=1.4, label=f"Cabinet {index + 1}")


def _marks(panels: np.ndarray, times: np.ndarray, off_grid: np.ndarray, begin: float) -> None:
    """Mark the time before the swing figures begin grey, and the time off the grid red. times,
    begin: in the unit of the axis.
    """
    for axes in panels:
        axes.axvspan(0, begin, color="#eef0f3", zorder=0, linewidth=0)
    edges = np.flatnonzero(np.diff(np.concatenate(([0], off_grid > 0.5, [0]))))
    begins = np.concatenate(([0.0], times))
    for first, after in edges.reshape(-1, 2):
        for axes in panels:
            axes.axvspan(begins[first], begins[after], color=RED, alpha=0.12, zorder=0, linewidth=0)
