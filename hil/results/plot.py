"""The picture of a run: PNG, or one HTML file with the picture inline, drawn with matplotlib from a
Recorder.

Four panels share the time axis: power, state of charge, temperature, and what the controller was
doing. Actions of the scenario are grey lines, trips red ones with their row. No pyplot: no global
state, no display needed.
"""

import io

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

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
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "svg.hashsalt": "firebreak",
}


def draw(rows, doc, title, states, marks=()):
    """A matplotlib Figure. rows: Recorder.rows(); doc: report.document(); states: names of the
    `state` codes; marks: (t_s, text) of the scenario's actions.
    """
    import matplotlib

    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(12.5, 8.4), dpi=110, facecolor="white")
        panels = figure.subplots(4, 1, sharex=True, height_ratios=(5, 1.7, 1.7, 0.55))
        figure.subplots_adjust(left=0.075, right=0.94, top=0.845, bottom=0.07, hspace=0.16)
        time_s = rows["t_us"] / 1e6
        _power(panels[0], time_s, rows)
        _charge(panels[1], time_s, rows)
        _temperature(panels[2], time_s, rows)
        _states(panels[3], time_s, rows["state"], states)
        _annotate(panels, doc["trips"], marks, float(time_s[-1]))
        _frame(figure, panels, doc, title, float(time_s[-1]))
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


def _line(axes, time_s, values, colour, label, width=1.2, **style):
    axes.plot(
        *envelope(time_s, values),
        color=colour,
        linewidth=width,
        label=label,
        solid_joinstyle="round",
        **style,
    )


def _power(axes, time_s, rows):
    axes.axhline(0, color=FAINT, linewidth=0.8)
    _line(axes, time_s, rows["load_W"] / 1e3, LOAD, "Load", 1.0)
    _line(
        axes,
        time_s,
        rows["setpoint_W"] / 1e3,
        BATTERY,
        "Set-point",
        0.8,
        alpha=0.45,
        linestyle="--",
    )
    _line(axes, time_s, rows["battery_W"] / 1e3, BATTERY, "Battery (above 0: discharging)")
    _line(axes, time_s, rows["grid_W"] / 1e3, GRID, "Grid (above 0: importing)", 1.8)
    axes.set_ylabel("power, kW")
    axes.legend(
        loc="lower left", bbox_to_anchor=(-0.006, 0.995), ncols=4, frameon=False, borderaxespad=0.3
    )


def _charge(axes, time_s, rows):
    _line(axes, time_s, rows["soc_permille"] / 10.0, SOC, "SOC", 1.6)
    _span_at_least(axes, 1.0)
    axes.set_ylabel("charge, %")


def _temperature(axes, time_s, rows):
    _line(axes, time_s, rows["temperature_degC_max"], HEAT, "hottest module", 1.6)
    _span_at_least(axes, 4.0)
    axes.set_ylabel("hottest\nmodule, degC")


def _span_at_least(axes, span):
    """Do not let a flat line's noise fill the panel."""
    low, high = axes.get_ylim()
    if high - low < span:
        axes.set_ylim((low + high - span) / 2, (low + high + span) / 2)


def runs(values):
    """[(first index, index after the last, value)] of consecutive equal values."""
    edges = np.flatnonzero(np.diff(values)) + 1
    starts, ends = np.append(0, edges), np.append(edges, len(values))
    return [(int(start), int(end), int(values[start])) for start, end in zip(starts, ends)]


def _states(axes, time_s, state, names):
    whole_s = max(float(time_s[-1]), 1e-9)
    for start, end, value in runs(state):
        from_s, to_s = float(time_s[start]), float(time_s[min(end, len(time_s) - 1)])
        axes.axvspan(from_s, to_s, color=STATE_COLOURS[value % len(STATE_COLOURS)], linewidth=0)
        if (to_s - from_s) / whole_s > 0.07:
            axes.text(
                (from_s + to_s) / 2,
                0.46,
                names[value].upper(),
                ha="center",
                va="center",
                fontsize=8,
            )
    axes.set_ylim(0, 1)
    axes.set_yticks([])
    axes.set_ylabel("state", rotation=0, ha="right", va="center")


def _annotate(panels, trips, marks, end_s):
    for t_s, _ in marks:
        for axes in panels:
            axes.axvline(t_s, color=FAINT, linewidth=1.0, linestyle=(0, (2, 2)))
    for trip in trips:
        for axes in panels:
            axes.axvline(trip["t_s"], color=RED, linewidth=1.1)
    if marks or trips:
        low, high = panels[0].get_ylim()
        below = 0.05 + 0.05 * min(len(trips), 6)  # room for the names
        panels[0].set_ylim(low - below * (high - low), high + 0.08 * (high - low))
    # Names of neighbours are stacked, actions from the top of the power panel and trips from its
    # bottom.
    _stack(panels[0], [(t_s, text.replace("_", " ")) for t_s, text in marks], 0.985, -1, INK, end_s)
    _stack(
        panels[0],
        [(trip["t_s"], f"row {trip['stage']} {trip['scope']}") for trip in trips],
        0.02,
        1,
        RED,
        end_s,
    )


def _stack(axes, labels, from_y, direction, colour, end_s):
    """Write each (t_s, text) beside its line; one that would lie over its predecessor goes a line
    further.
    """
    level, last_s = 0, None
    for t_s, text in sorted(labels):
        level = level + 1 if last_s is not None and t_s - last_s < 0.13 * end_s else 0
        last_s = t_s
        side, shift = ("right", -4) if t_s > 0.88 * end_s else ("left", 4)
        axes.annotate(
            text,
            (t_s, from_y + direction * 0.045 * (level % 12)),
            xycoords=("data", "axes fraction"),
            xytext=(shift, 0),
            textcoords="offset points",
            fontsize=8,
            color=colour,
            ha=side,
            va="top" if direction < 0 else "bottom",
            bbox={
                "boxstyle": "square,pad=0.1",
                "facecolor": "white",
                "edgecolor": "none",
                "alpha": 0.75,
            },
        )


def _frame(figure, panels, doc, title, end_s):
    figure.text(0.075, 0.958, title, fontsize=15, fontweight="bold")
    figure.text(0.075, 0.915, _headline(doc), fontsize=10, color="#4a525c")
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(length=3)
        axes.set_xlim(0, end_s)
    for axes in panels[:3]:
        axes.grid(axis="y", color="#e3e6ea", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.yaxis.set_major_locator(MaxNLocator(6 if axes is panels[0] else 4))
    minutes = end_s > 600
    panels[3].xaxis.set_major_formatter(
        FuncFormatter(lambda x, _: f"{x / 60:g}" if minutes else f"{x:g}")
    )
    if minutes:
        panels[3].xaxis.set_major_locator(_whole_minutes(end_s))
    panels[3].set_xlabel("time, minutes" if minutes else "time, seconds")
    figure.align_ylabels(panels[:3])


def _whole_minutes(end_s):
    from matplotlib.ticker import MultipleLocator

    step_min = next(
        (step for step in (1, 2, 5, 10, 30, 60, 180, 720) if end_s / 60 / step <= 14), 1440
    )
    return MultipleLocator(step_min * 60)


def _headline(doc):
    """One sentence of what the run showed."""
    swing, soc = doc["swing_2s_pct"], doc["soc_pct"]
    parts = []
    if swing["reduction"] is not None:
        change = f"{abs(swing['reduction']):.0f} % {'less' if swing['reduction'] >= 0 else 'more'}"
        parts.append(
            f"2 s swings (p99, % of load peak): load {swing['load']:.1f}, grid "
            f"{swing['grid']:.1f}: {change}"
        )
    if doc["delay_ms"] is not None:
        parts.append(f"battery {doc['delay_ms']:.0f} ms behind")
    parts.append(f"charge {soc['start']:.1f} % to {soc['end']:.1f} %")
    count = len(doc["trips"])
    parts.append("no trips" if not count else f"{count} trip" + "s" * (count > 1))
    return "  |  ".join(parts)


def write(path, rows, doc, title, states, marks=(), results=()):
    """Write the picture: *.png, *.svg, or *.html with the picture inline and a table of the figures
    below it. rows: Recorder.rows().

    results: (ok, sentence) of each expectation of the scenario, shown in the HTML.
    """
    if len(rows) < 2:
        raise ValueError(f"{path}: nothing to draw, the run has {len(rows)} ticks")
    figure = draw(rows, doc, title, states, marks)
    with files.naming(path):
        if path.endswith(".png"):
            FigureCanvasAgg(figure).print_png(path)
            return
        picture = _svg(figure)
        text = picture if path.endswith(".svg") else page(title, picture, doc, results)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)


def _svg(figure):
    import matplotlib

    out = io.StringIO()
    with matplotlib.rc_context(STYLE):
        FigureCanvasSVG(figure).print_svg(out, metadata={"Date": None, "Creator": None})
    return out.getvalue()
