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
- headline, worst, load_history, grid_history, battery_history: of hil/results/live.py.
"""

import textwrap
from collections.abc import Iterable, Sequence

WIDTH, HEIGHT = 80, 24
LABEL = 21  # columns left of a chart
SPAN_W_MIN = 50_000  # of a chart: noise in a quiet minute is drawn flat
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
    racks = view.get("racks", ())
    rack_lines = max(3, min(len(racks), 3 + spare))
    body = [
        *_head(view, width),
        view.get("headline") or "",
        *_charts(view, width, high, blocks),
        *_worst(view, width),
        _site(view.get("site_W")) or "-" * width,
        *_decision(view),
        *_racks(racks, rack_lines),
        *_interlocks(view, max(3, 6 + spare - rack_lines)),
        *[""] * height,
    ]
    foot = [_loop(view), _progress(view, width)]
    return [line[:width].rstrip() for line in body[: height - len(foot)] + foot]


def _head(view: dict, width: int) -> list[str]:
    speed, state = view.get("speed") or 0, view.get("state", "-").upper()
    pace = view.get("mode", "") + (f", {speed:.0f} x" if speed > 1.5 else "")
    sides = (
        (f"FIREBREAK RIG  {view.get('title', '')}", state),
        (f"load: {view.get('load_name', '-')}", pace),
    )
    return [
        f"{left[: width - len(right) - 1]:{width - len(right)}}{right}" for left, right in sides
    ]


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
    both = [*load, *grid] or [0.0]
    low, high = min(both), max(both)
    span = max(high - low, max(battery, default=0.0) - min(battery, default=0.0), SPAN_W_MIN)
    middles = (low + high) / 2, (max(battery, default=0.0) + min(battery, default=0.0)) / 2
    at = [middle - 0.46 * span for middle in middles]  # no flat line between two levels
    grid_W, battery_W = view.get("grid_W"), view.get("battery_W")
    lines = []
    for name, power_W, words, values, lowest in (
        ("LOAD", view.get("load_W"), f"last {count} s", load, at[0]),
        ("GRID", grid_W, way(grid_W, "importing", "exporting"), grid, at[0]),
        ("BATTERY", battery_W, way(battery_W, "discharging", "charging"), battery, at[1]),
    ):
        drawn = chart(values, (count, height), blocks, (lowest, lowest + span))
        size = None if power_W is None else abs(power_W)
        labels = [f"{name:<8}{kilowatt(size):>11}", f"{'':8}{words:>11}", *[""] * height]
        lines += [f"{label:<{LABEL}}{line}" for label, line in zip(labels, drawn)]
    return lines


def way(power_W: float | None, above: str, below: str) -> str:
    """The word for the direction of a power; "": unknown or nearly zero."""
    if power_W is None or abs(power_W) < 500:  # below is noise
        return ""
    return above if power_W > 0 else below


def _worst(view: dict, width: int) -> list[str]:
    """The worst moment of the grid, in two lines."""
    return (textwrap.wrap(view.get("worst") or "", width)[:2] + ["", ""])[:2]


def _site(powers_W: dict[str, float] | None) -> str:
    """All powers of the site in one line; battery > 0 discharges, grid > 0 imports."""
    words = [f"{name} {power_W / 1000:.1f}" for name, power_W in (powers_W or {}).items()]
    return "  ".join(["SITE, kW", *words]).replace(" pv ", " PV ") if words else ""


def _decision(view: dict) -> list[str]:
    limit, by = view.get("limit"), view.get("request_by")
    request = directed(view.get("request_W")) + (f" by {by}" if by else "")
    return [
        f"REQUEST  {request:<36} SET-POINT  {directed(view.get('setpoint_W'))}",
        f"LIMIT    {' '.join(map(str, limit)) if limit else 'none acting'}",
        f"AVAILABLE POWER  charge {kilowatt(view.get('charge_W_max'))}, "
        f"discharge {kilowatt(view.get('discharge_W_max'))}",
    ]


def _racks(racks: Sequence[tuple], lines: int) -> list[str]:
    """Header and one line per rack. If there are more racks than lines, show the hottest."""
    numbered = list(enumerate(racks, 1))
    if len(racks) > lines:
        numbered.sort(key=lambda each: -each[1][4])
    out = ["RACK  SOC              %   cell V min/max   module C min/max    amps  contactor"]
    out += [
        f"{number:3}   {_bar(soc, 12)} {soc:5.1f}    {mV_min / 1000:.3f}  {mV_max / 1000:.3f}"
        f"     {low:5.1f}  {high:5.1f}   {amps:+7.1f}  {contactor}"
        for number, (soc, mV_min, mV_max, low, high, amps, contactor) in numbered[:lines]
    ]
    return out + [""] * (lines + 1 - len(out))


def _bar(percent: float, width: int) -> str:
    full = max(0, min(width, round(percent / 100 * width)))
    return "[" + "#" * full + "." * (width - full) + "]"


def _interlocks(view: dict, lines: int) -> list[str]:
    links, tripped = view.get("links") or {}, view.get("tripped", ())
    bad = [f"{name} {text}" for name, text in links.items() if text != "ok"]
    warnings = view.get("rows_warning", "-")
    shown = tripped if len(tripped) < lines else tripped[: lines - 2]
    out = [
        f"INTERLOCKS  {view.get('armed', '-')} armed  {view.get('rows_tripped', '-')} tripped  "
        f"{warnings} warning{'s' * (warnings != 1)}  {view.get('not_fitted', '-')} not fitted  "
        f"LINKS  {', '.join(bad) or ('ok' if links else '-')}",
        *[
            f" ! row {stage:<4}{sentence}, {scope}; for {for_s:.1f} s, {reset} reset"
            for stage, sentence, scope, for_s, reset in shown
        ],
    ]
    left_out = len(tripped) - len(shown)
    return out + [f"   and {left_out} more stages"] * (left_out > 0)


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
    text = f" {elapsed_s:.1f} / {duration_s:g} s{f'   next: {action}' if action else ''}"
    return _bar(100 * elapsed_s / duration_s, max(10, width - 2 - max(len(text), 42))) + text
