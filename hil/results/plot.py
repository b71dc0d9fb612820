"""The picture of a run: PNG, SVG, or one HTML file with the picture inline.

Load and grid share a panel. The battery's panel below has nearly the same scale. Charge and
temperature are drawn only if they moved. The state is drawn only if there were actions (grey) or
trips (red). pyplot is not used, because it needs global state and perhaps a display.
"""

import io
import math
from collections.abc import Iterable, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from controller.state.bands import BANDS_Hz
from hil.results import files, marks, swing
from hil.results.marks import FAINT, INK, RED
from hil.results.page import page

COLUMNS_MAX = 1500  # about two samples per pixel of the picture's width
# Okabe and Ito's palette: colour-blind readers can distinguish it.
LOAD, GRID, BATTERY, SOC, HEAT = INK, "#0072b2", "#d55e00", "#009e73", "#aa3377"
COLOURS = {"load": LOAD, "grid": GRID, "battery": BATTERY}
STYLE: dict[Any, Any] = {
    "font.family": ["DejaVu Sans", "sans-serif"],
    "font.size": 10,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": "#e3e6ea",
    "lines.solid_joinstyle": "round",
    "xtick.major.size": 3,
    "ytick.major.size": 3,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "svg.hashsalt": "firebreak",
}
NEAR = 0.8  # a limit of the connection is drawn if load or grid exceed this share of the limit
# (column of the rows, divisor, colour, label, smallest span). A smaller span has no panel.
SMALL = (
    ("soc_permille", 10.0, SOC, "charge, %", 1.0),
    ("temperature_degC_max", 1.0, HEAT, "hottest\nmodule, degC", 4.0),
)
# heights in inches
POWER, SMALL_PANEL, STATE, BANDS, HEAD, FOOT, GAP = 3.8, 1.0, 0.3, 0.62, 0.95, 0.45, 0.3
WIDTH, LEFT, RIGHT = 12.5, 0.9, 0.35
Box = tuple[float, float, float, float]  # shares of the picture: left, bottom, width, height


def draw(
    rows: np.ndarray,
    doc: dict,
    title: str,
    states: Sequence[str],
    actions: Iterable[tuple[float, str]] = (),
    has_head: bool = True,
) -> Figure:
    """The picture. states: names of the `state` codes. actions: (t_s, text). has_head: draw the
    headline.
    """
    small = [panel for panel in SMALL if np.ptp(rows[panel[0]]) / panel[1] > panel[4]]
    trips = [(trip["t_s"], f"row {trip['stage']} {trip['scope']}") for trip in doc["trips"]]
    actions = [(t_s, text.replace("_", " ")) for t_s, text in actions]
    has_state = bool(trips or actions)
    heights = [
        POWER,
        _battery_height(rows),
        *[SMALL_PANEL] * len(small),
        *([STATE] if has_state else []),
    ]
    figure, panels, below = _panels(heights, HEAD if has_head else 0.4, bool(doc.get("bands")))
    times_s = rows["t_us"] / 1e6
    _power(panels[0], times_s, rows, doc.get("connection_W"))
    _battery(panels[1], times_s, rows)
    for axes, (column, divisor, colour, label, _) in zip(panels[2:], small):
        axes.plot(*envelope(times_s, rows[column] / divisor), color=colour, linewidth=1.6)
        axes.set_ylabel(label)
        axes.yaxis.set_major_locator(MaxNLocator(4))
    if has_state:
        marks.states(panels[-1], times_s, rows["state"], states)
    panels[0].set_xlim(0, times_s[-1])
    panels[-1].set_xlabel("time, s")
    marks.start_up(panels[:2], min(doc["measured_from_s"], times_s[-1]), times_s[-1])
    marks.trips_and_actions(panels, trips, actions, times_s[-1])
    marks.worst_moment(panels[0], doc["worst_moment"], times_s, rows["grid_W"] / 1e3)
    _bands(below, doc.get("bands") or {})
    if has_head:
        _head(figure, title, doc)
    return figure


def envelope(time_s: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Thin a long series to a minimum and a maximum per column, so that no spike is lost."""
    count = len(values)
    if count <= 2 * COLUMNS_MAX:
        return time_s, values
    width = -(-count // COLUMNS_MAX)
    starts = np.arange(0, count, width)
    low, high = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
    rising = values[np.minimum(starts + width - 1, count - 1)] >= values[starts]
    pairs = np.where(rising[:, None], np.stack((low, high), 1), np.stack((high, low), 1))
    middle_s = time_s[np.minimum(starts + width // 2, count - 1)]
    return np.repeat(middle_s, 2), pairs.ravel()


def _battery_height(rows: np.ndarray) -> float:
    """Height of the battery's panel, for the same scale as the grid's panel, within limits."""
    above_W = max(rows["load_W"].max(), rows["grid_W"].max()) - min(rows["grid_W"].min(), 0.0)
    share = np.ptp(np.append(rows["battery_W"], 0.0)) / max(above_W, 1.0)
    return POWER * min(max(share, 0.3), 0.8)


def _panels(
    heights: list[float], head: float, has_bands: bool
) -> tuple[Figure, list[Axes], list[Axes]]:
    """(figure, panels from top to bottom, the three small ones of the bands below)."""
    low = FOOT + (BANDS + 0.5 if has_bands else 0)
    height = head + math.fsum(heights) + GAP * (len(heights) - 1) + low
    figure = Figure(figsize=(WIDTH, height), dpi=110, facecolor="white")

    def place(left: float, bottom: float, wide: float, high: float) -> Box:
        return left / WIDTH, bottom / height, wide / WIDTH, high / height

    panels: list[Axes] = []
    bottom, whole = height - head, WIDTH - LEFT - RIGHT
    for high in heights:
        bottom -= high
        box = place(LEFT, bottom, whole, high)
        panels.append(figure.add_axes(box, sharex=panels[0] if panels else None))
        bottom -= GAP
    for axes in panels[:-1]:
        axes.tick_params(labelbottom=False)
    wide = whole / 3
    below = [
        figure.add_axes(place(LEFT + wide * number + 0.55, 0.15, wide - 1.3, BANDS))
        for number in range(3 * has_bands)
    ]
    return figure, panels, below


def _power(
    axes: Axes, times_s: np.ndarray, rows: np.ndarray, connection_W: dict[str, float] | None
) -> None:
    """Draw load and grid, and a limit of the connection if one of them comes near it."""
    load_kW, grid_kW = rows["load_W"] / 1e3, rows["grid_W"] / 1e3
    axes.axhline(0, color=FAINT, linewidth=0.8)
    stride = -(-len(rows) // COLUMNS_MAX)
    between = times_s[::stride], load_kW[::stride], grid_kW[::stride]
    axes.fill_between(*between, color=BATTERY, alpha=0.15, linewidth=0, label="Battery: between")
    axes.plot(*envelope(times_s, load_kW), color=LOAD, linewidth=1.1, label="Load")
    axes.plot(*envelope(times_s, grid_kW), color=GRID, linewidth=2.0, label="Grid")
    highest_kW, lowest_kW = max(load_kW.max(), grid_kW.max()), grid_kW.min()
    if connection_W:
        limits_kW = connection_W["import"] / 1e3, -connection_W["export"] / 1e3
        is_near = highest_kW > NEAR * limits_kW[0], lowest_kW < (1 - NEAR) * highest_kW
        for limit_kW, name, is_drawn in zip(limits_kW, ("import", "export"), is_near):
            if is_drawn:
                axes.axhline(limit_kW, color=RED, linewidth=0.8, linestyle=(0, (6, 3)))
                text = f"{name} limit of the connection, {abs(limit_kW):.0f} kW"
                style: dict[str, Any] = {"ha": "right", "va": "bottom", "fontsize": 8, "color": RED}
                place = 0.995, limit_kW
                axes.annotate(text, place, xycoords=("axes fraction", "data"), **style)
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, 0), high + 0.06 * (high - low))
    axes.set_ylabel("load and grid, kW")
    axes.yaxis.set_major_locator(MaxNLocator(6))
    handles, labels = axes.get_legend_handles_labels()
    beside: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (-0.006, 0.99)}
    axes.legend(
        handles[1:] + handles[:1], labels[1:] + labels[:1], ncols=3, frameon=False, **beside
    )


def _battery(axes: Axes, times_s: np.ndarray, rows: np.ndarray) -> None:
    power_kW = rows["battery_W"] / 1e3
    at_s, drawn_kW = envelope(times_s, power_kW)
    axes.axhline(0, color=FAINT, linewidth=0.8)
    axes.fill_between(at_s, drawn_kW, color=BATTERY, alpha=0.25, linewidth=0)
    axes.plot(at_s, drawn_kW, color=BATTERY, linewidth=1.2)
    axes.set_ylabel("battery, kW\n+ discharges")
    low, high = axes.get_ylim()
    missing = max(0.0, 10.0 - (high - low)) / 2  # a battery without work is drawn flat
    axes.set_ylim(low - missing, high + missing)
    axes.yaxis.set_major_locator(MaxNLocator(5))


def _bands(panels: list[Axes], bands: dict[str, Any]) -> None:
    """Draw the rms of load, grid and battery in each of three bands, as bars of one scale."""
    rms_W = {name: bands[name]["rms_W"] for name in COLOURS} if panels else {}
    known = [
        power_W for band_powers in rms_W.values() for power_W in band_powers.values() if power_W
    ]
    for axes, (band, (_, high_Hz)) in zip(panels, BANDS_Hz.items()):
        limit_Hz = bands["load"]["observable_to_Hz"] or high_Hz
        is_part = rms_W["load"][band] is not None and limit_Hz < high_Hz
        observed = f" (to {limit_Hz:.1f} Hz)" if is_part else ""
        axes.set_axis_off()
        axes.set_xlim(0, max(known, default=1) / 1e3)
        axes.set_ylim(2.6, -0.6)
        axes.set_title(f"{band}{observed}, rms", fontsize=9, loc="left", pad=3)
        for line, (name, colour) in enumerate(COLOURS.items()):
            power_W = rms_W[name][band]
            axes.barh(line, (power_W or 0) / 1e3, color=colour, height=0.7)
            text = "not observable" if power_W is None else f"{power_W / 1e3:.1f} kW"
            around: dict[str, Any] = {"va": "center", "fontsize": 8, "color": colour}
            around["textcoords"] = "offset points"
            axes.annotate(name, (0, line), xytext=(-4, 0), ha="right", **around)
            end = (power_W or 0) / 1e3, line
            axes.annotate(text, end, xytext=(4, 0), ha="left", **around)


def _head(figure: Figure, title: str, doc: dict) -> None:
    """Write title, headline and the worst moment above the panels."""
    height = figure.get_figheight()
    lines = (
        (0.25, swing.headline(doc["swing_W"]), {"fontsize": 15, "fontweight": "bold"}),
        (0.5, swing.explained(doc["worst_moment"]), {"fontsize": 10}),
        (0.05, title, {"fontsize": 8, "color": FAINT}),
    )
    for below, text, style in lines:
        figure.text(LEFT / WIDTH, 1 - below / height, text, va="top", **style)


def svg_of(figure: Figure) -> str:
    """The figure as SVG. The same figure always gives the same bytes."""
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return out.getvalue()


def write(
    path: str,
    rows: np.ndarray,
    doc: dict,
    title: str,
    states: Sequence[str],
    actions: Iterable[tuple[float, str]] = (),
    results: Iterable[tuple[bool, str]] = (),
) -> None:
    """Write the picture to *.png or *.svg, or the whole page to *.html. rows: at least two;
    results: (ok, sentence) of each expectation.
    """
    with matplotlib.rc_context(STYLE), files.naming(path):
        figure = draw(rows, doc, title, states, actions, not path.endswith(".html"))
        if path.endswith(".png"):
            figure.savefig(path)
            return
        picture = svg_of(figure)
        with open(path, "w", encoding="utf-8") as file:
            file.write(picture if path.endswith(".svg") else page(title, picture, doc, results))
