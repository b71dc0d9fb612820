"""The picture of a run: PNG, or one HTML file with the picture inline, drawn with matplotlib from a
Recorder.

Four panels share the time axis: power, state of charge, temperature, and what the controller was
doing. Actions of the scenario are grey lines, trips red ones with their row. No pyplot: no global
state, no display needed.
"""

import io

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from hil.results import files
from hil.results.page import page

COLUMNS_MAX = 1500  # about two samples per pixel of the picture's width
INK, FAINT, RED = "#22272e", "#8a939e", "#c0272d"
# Okabe and Ito's palette: told apart by colour-blind readers too.
LOAD, GRID, BATTERY, SOC, HEAT = INK, "#0072b2", "#d55e00", "#009e73", "#aa3377"
STATE_COLOURS = ("#c9cfd6", "#a6d5e8", "#f3d27a", "#8fcfa5", "#f0a868", "#d9534f")
STYLE = {
    "font.family": ["DejaVu Sans", "sans-serif"],
    "font.size": 9,
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
# panel, column of the rows, divisor, colour, label, width, more
LINES = (
    (0, "load_W", 1e3, LOAD, "Load", 1.0, {}),
    (0, "setpoint_W", 1e3, BATTERY, "Set-point", 0.8, {"alpha": 0.45, "linestyle": "--"}),
    (0, "battery_W", 1e3, BATTERY, "Battery (above 0: discharging)", 1.2, {}),
    (0, "grid_W", 1e3, GRID, "Grid (above 0: importing)", 1.8, {}),
    (1, "soc_permille", 10.0, SOC, "SOC", 1.6, {}),
    (2, "temperature_degC_max", 1.0, HEAT, "hottest module", 1.6, {}),
)


def draw(rows, doc, title, states, marks=()):
    """A matplotlib Figure. rows: array of recorder.SAMPLE; doc: figures.document(); states: names
    of the `state` codes; marks: (t_s, text) of the scenario's actions.
    """
    figure = Figure(figsize=(12.5, 8.4), dpi=110, facecolor="white")
    panels = figure.subplots(4, 1, sharex=True, height_ratios=(5, 1.7, 1.7, 0.55))
    figure.subplots_adjust(left=0.075, right=0.94, top=0.845, bottom=0.07, hspace=0.16)
    unit, unit_s = ("minutes", 60) if rows["t_us"][-1] > 600e6 else ("seconds", 1)
    times = rows["t_us"] / 1e6 / unit_s
    trips = [
        (trip["t_s"] / unit_s, f"row {trip['stage']} {trip['scope']}") for trip in doc["trips"]
    ]
    marks = [(t_s / unit_s, text.replace("_", " ")) for t_s, text in marks]
    _curves(panels, times, rows)
    _states(panels[3], times, rows["state"], states)
    panels[0].set_xlim(0, times[-1])
    panels[3].set_xlabel(f"time, {unit}")
    _annotate(panels, trips, marks, times[-1])
    figure.text(0.075, 0.958, title, fontsize=15, fontweight="bold")
    figure.text(0.075, 0.915, _headline(doc), fontsize=10, color="#4a525c")
    figure.align_ylabels(panels[:3])
    return figure


def envelope(time_s, values, columns=COLUMNS_MAX):
    """Time and values thinned to a minimum and a maximum per column, so that no spike is lost;
    short series as is.
    """
    count = len(values)
    if count <= 2 * columns:
        return time_s, values
    width = -(-count // columns)
    starts = np.arange(0, count, width)
    low, high = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
    rising = values[np.minimum(starts + width - 1, count - 1)] >= values[starts]
    pairs = np.where(rising[:, None], np.stack((low, high), 1), np.stack((high, low), 1))
    middle_s = time_s[np.minimum(starts + width // 2, count - 1)]
    return np.repeat(middle_s, 2), pairs.ravel()


def _curves(panels, times, rows):
    panels[0].axhline(0, color=FAINT, linewidth=0.8)
    for panel, column, divisor, colour, label, width, more in LINES:
        curve = envelope(times, rows[column] / divisor)
        panels[panel].plot(*curve, color=colour, linewidth=width, label=label, **more)
    labels = ("power, kW", "charge, %", "hottest\nmodule, degC")
    # a flat line's noise does not fill the panel
    for axes, label, span_min in zip(panels, labels, (0.0, 1.0, 4.0)):
        low, high = axes.get_ylim()
        missing = max(0.0, span_min - (high - low)) / 2
        axes.set_ylim(low - missing, high + missing)
        axes.set_ylabel(label)
        axes.yaxis.set_major_locator(MaxNLocator(6 if axes is panels[0] else 4))
    panels[0].legend(
        loc="lower left", bbox_to_anchor=(-0.006, 0.995), ncols=4, frameon=False, borderaxespad=0.3
    )


def runs(values):
    """[(first index, index after the last, value)] of consecutive equal values."""
    edges = np.flatnonzero(np.diff(values)) + 1
    starts, ends = np.append(0, edges), np.append(edges, len(values))
    return [(int(start), int(end), int(values[start])) for start, end in zip(starts, ends)]


def _states(axes, times, state, names):
    middle = {"ha": "center", "va": "center", "fontsize": 8}
    for start, end, value in runs(state):
        begin, over = times[start], times[min(end, len(times) - 1)]
        axes.axvspan(begin, over, color=STATE_COLOURS[value % len(STATE_COLOURS)], linewidth=0)
        if over - begin > 0.07 * times[-1]:
            axes.text((begin + over) / 2, 0.46, names[value].upper(), **middle)
    axes.set_ylim(0, 1)
    axes.set_yticks([])
    axes.set_ylabel("state", rotation=0, ha="right", va="center")


def _annotate(panels, trips, marks, end):
    for axes in panels:
        for time, _ in marks:
            axes.axvline(time, color=FAINT, linewidth=1.0, linestyle=(0, (2, 2)))
        for time, _ in trips:
            axes.axvline(time, color=RED, linewidth=1.1)
    if marks or trips:
        low, high = panels[0].get_ylim()
        below = 0.05 + 0.05 * min(len(trips), 6)  # room for the names
        panels[0].set_ylim(low - below * (high - low), high + 0.08 * (high - low))
    # Names of neighbours are stacked, actions from the top of the power panel and trips from its
    # bottom.
    _stack(panels[0], marks, 0.985, -1, INK, end)
    _stack(panels[0], trips, 0.02, 1, RED, end)


def _stack(axes, labels, from_y, direction, colour, end):
    """Write each (time, text) beside its line; one that would lie over its predecessor goes a line
    further.
    """
    box = {"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.75}
    level, last = 0, -end
    for time, text in sorted(labels):
        level = level + 1 if time - last < 0.13 * end else 0
        last = time
        side, shift = ("right", -4) if time > 0.88 * end else ("left", 4)
        axes.annotate(
            text,
            (time, from_y + direction * 0.045 * (level % 12)),
            xycoords=("data", "axes fraction"),
            xytext=(shift, 0),
            textcoords="offset points",
            fontsize=8,
            color=colour,
            ha=side,
            va="top" if direction < 0 else "bottom",
            bbox=box,
        )


def _headline(doc):
    """One sentence of what the run showed."""
    swing, soc = doc["swing_2s_pct"], doc["soc_pct"]
    count, parts = len(doc["trips"]), []
    if swing["reduction"] is not None:
        change = f"{abs(swing['reduction']):.0f} % {'less' if swing['reduction'] >= 0 else 'more'}"
        parts.append(
            f"2 s swings (p99, % of load peak): load {swing['load']:.1f}, grid "
            f"{swing['grid']:.1f}: {change}"
        )
    if doc["delay_ms"] is not None:
        parts.append(f"battery {doc['delay_ms']:.0f} ms behind")
    parts.append(f"charge {soc['start']:.1f} % to {soc['end']:.1f} %")
    parts.append(f"{count} trip{'s' * (count > 1)}" if count else "no trips")
    return "  |  ".join(parts)


def write(path, rows, doc, title, states, marks=(), results=()):
    """Write the picture: *.png, *.svg, or *.html with the picture inline and a table of the figures
    below it. rows: at least two of recorder.SAMPLE.

    results: (ok, sentence) of each expectation of the scenario, shown in the HTML.
    """
    with matplotlib.rc_context(STYLE), files.naming(path):
        figure = draw(rows, doc, title, states, marks)
        if path.endswith(".png"):
            figure.savefig(path)
            return
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
        picture = out.getvalue()
        with open(path, "w", encoding="utf-8") as file:
            file.write(picture if path.endswith(".svg") else page(title, picture, doc, results))
