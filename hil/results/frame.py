"""The content of the rig's live screen: 80 x 24 and larger, lines of plain ASCII.

The view is a dict; a missing value is shown as `-`. Its keys:

- title, load_name, mode ("real time" / "virtual time"), speed, elapsed_s, duration_s, next_action;
- state (name), grid_W, load_W, battery_W, setpoint_W, request_W, request_by;
- limit: (code, sentence) or None; charge_W_max, discharge_W_max;
- site_W: {name: W} of a site with PV or a generator set, otherwise empty;
- racks: [(soc_pct, cell_mV_min, cell_mV_max, degC_min, degC_max, current_A, contactor name)];
- armed, not_fitted, rows_tripped, rows_warning: counts of rows;
- tripped: [(stage, sentence, scope, seconds, reset)] of every active or latched stage; reset:
  "self", "remote" or "key"; links: {name: text};
- tick_ms, ticks, missed, late_us: (p50, p99, max);
- menu: lines in place of the screen, or None; by_hand: what a person has done;
- headline, worst, load_history, grid_history, battery_history: of hil/results/live.py.
"""

import textwrap
from collections.abc import Iterable

from hil.results import template

WIDTH, HEIGHT = 80, 24
LABEL = 21  # columns left of a chart
SPAN_W_MIN = 50_000  # smallest span of a chart, so that noise in a quiet minute is drawn flat
LEVELS = (".:-=+*#", "\u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588")


def kilowatt(power_W: float | None) -> str:
    """Power as kW with one decimal; `-`: unknown."""
    return "-" if power_W is None else f"{power_W / 1000:.1f} kW"


def directed(power_W: float | None) -> str:
    """Battery power in words: "discharge" or "charge", and its size."""
    if not power_W:
        return kilowatt(power_W)
    return ("discharge " if power_W > 0 else "charge ") + kilowatt(abs(power_W))


def frame(view: dict, width: int = WIDTH, height: int = HEIGHT, blocks: bool = False) -> list[str]:
    """The screen: exactly `height` lines of at most `width` characters, at least 80 x 24. blocks:
    with Unicode block characters.
    """
    width, height = max(width, WIDTH), max(height, HEIGHT)
    spare = height - HEIGHT
    high = 2 + min(3, spare // 5)  # lines of each chart
    spare -= 3 * (high - 2)
    racks = list(enumerate(view.get("racks", ()), 1))
    rack_lines = max(3, min(len(racks), 3 + spare))
    if len(racks) > rack_lines:
        racks = sorted(racks, key=lambda numbered: -numbered[1][4])[:rack_lines]  # the hottest
    sizes = {"width": width, "rack_lines": rack_lines, "lines": max(3, 6 + spare - rack_lines)}
    parts = {"charts": _charts(view, width, high, blocks), "racks": racks}
    parts["worst"] = (textwrap.wrap(view.get("worst") or "", width)[:2] + ["", ""])[:2]
    formatters = {"kilowatt": kilowatt, "directed": directed, "bar": _bar}
    body = view.get("menu") or template.rendered(
        "frame.txt", view=view, **sizes, **parts, **formatters
    ).split("\n")
    foot = [_loop(view), _progress(view, width)]
    lines = (body + [""] * height)[: height - len(foot)] + foot
    return [line[:width].rstrip() for line in lines]


def chart(
    values: Iterable[float],
    size: tuple[int, int],
    blocks: bool = False,
    scale: tuple[float, float] | None = None,
) -> list[str]:
    """The newest values as columns, in lines from the top. size: (width, height); scale: (lowest,
    highest), None: of the values.
    """
    width, height = size
    values, levels = list(values)[-width:], LEVELS[blocks]
    low, high = scale or (min(values, default=0), max(values, default=0))
    top = height * len(levels) - 1
    factor = top / (high - low) if high > low else 0.0
    places = [max(0, min(top, round((value - low) * factor))) for value in values]
    lines = []
    for below in range((height - 1) * len(levels), -1, -len(levels)):
        drawn = [
            " " if place < below else levels[min(place - below, len(levels) - 1)]
            for place in places
        ]
        lines.append("".join(drawn))
    return lines


def _charts(view: dict, width: int, height: int, blocks: bool) -> list[str]:
    """Load, grid and battery with one scale, so that a smooth grid looks smooth beside the load."""
    count = width - LABEL
    load, grid, battery = (
        list(view.get(f"{name}_history") or ())[-count:] for name in ("load", "grid", "battery")
    )
    low_W, high_W = min([*load, *grid], default=0.0), max([*load, *grid], default=0.0)
    least_W, most_W = min(battery, default=0.0), max(battery, default=0.0)
    span_W = max(high_W - low_W, most_W - least_W, SPAN_W_MIN)
    middles_W = (low_W + high_W) / 2, (most_W + least_W) / 2
    # a flat line is not between two levels
    bottoms_W = [middle_W - 0.46 * span_W for middle_W in middles_W]
    grid_W, battery_W = view.get("grid_W"), view.get("battery_W")
    lines = []
    for name, power_W, caption, history, bottom_W in (
        ("LOAD", view.get("load_W"), f"last {count} s", load, bottoms_W[0]),
        ("GRID", grid_W, way(grid_W, "importing", "exporting"), grid, bottoms_W[0]),
        ("BATTERY", battery_W, way(battery_W, "discharging", "charging"), battery, bottoms_W[1]),
    ):
        drawn = chart(history, (count, height), blocks, (bottom_W, bottom_W + span_W))
        size = None if power_W is None else abs(power_W)
        labels = [f"{name:<8}{kilowatt(size):>11}", f"{'':8}{caption:>11}", *[""] * height]
        lines += [f"{label:<{LABEL}}{line}" for label, line in zip(labels, drawn)]
    return lines


def way(power_W: float | None, above: str, below: str) -> str:
    """The word for the direction of a power; "": unknown or nearly zero."""
    if power_W is None or abs(power_W) < 500:  # a smaller power is noise
        return ""
    return above if power_W > 0 else below


def _bar(percent: float, width: int) -> str:
    full = max(0, min(width, round(percent / 100 * width)))
    return "[" + "#" * full + "." * (width - full) + "]"


def _loop(view: dict) -> str:
    late_us = view.get("late_us") or (None, None, None)
    p50, p99, longest = ("-" if value is None else f"{value:.0f}" for value in late_us)
    return (
        f"LOOP  {view.get('tick_ms', '-')} ms   tick {view.get('ticks', 0)}   missed "
        f"{view.get('missed', 0)}   late us p50 {p50}  p99 {p99}  max {longest}"
    )


def _progress(view: dict, width: int) -> str:
    elapsed_s, duration_s = view.get("elapsed_s", 0.0), view.get("duration_s")
    if not duration_s:
        return f"{elapsed_s:.1f} s"
    action = view.get("next_action")
    more = f"   next: {action}" if action else view.get("by_hand") and f"   {view['by_hand']}"
    text = f" {elapsed_s:.1f} / {duration_s:g} s{more or ''}"
    return _bar(100 * elapsed_s / duration_s, max(10, width - 2 - max(len(text), 42))) + text
